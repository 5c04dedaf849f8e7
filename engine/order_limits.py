"""Limits of one order: size, worth, price, slippage, the age and the spread of the quote, permission to trade."""

from __future__ import annotations

from decimal import Decimal

from engine.limits import CollarFrom
from engine.pricing import far_side
from engine.sight import Denied, Sight
from engine.values import EXACT, ONE, Side, plain


def max_quote_age(sight: Sight) -> Denied | None:
    """The instrument's quote is young enough to act on."""
    limit = sight.limits.max_quote_age_ns
    assert limit is not None
    age = sight.market.quote_age_ns(sight.order.instrument, sight.now_ns)
    if age is None or age > limit:
        return sight.deny("max_quote_age", age_ns="none" if age is None else age, limit_ns=int(limit))
    sight.saw("max_quote_age", age, limit)
    return None


def max_spread(sight: Sight) -> Denied | None:
    """The quote's spread, as a fraction of its middle."""
    limit = sight.limits.max_spread
    assert limit is not None
    quote = sight.market.quotes.get(sight.order.instrument)
    if quote is None:
        return sight.deny("max_spread", spread="none", limit=limit)
    spread = EXACT.subtract(quote.ask, quote.bid)
    if spread * 2 > EXACT.multiply(limit, EXACT.add(quote.ask, quote.bid)):
        return sight.deny("max_spread", spread=plain(spread), bid=quote.bid, ask=quote.ask, limit=limit)
    sight.saw("max_spread", plain(spread), limit)
    return None


def allowed_instruments(sight: Sight) -> Denied | None:
    """The instrument is one of those that are listed."""
    if sight.order.instrument in sight.limits.allowed_instruments:
        return None
    return sight.deny("allowed_instruments", instrument=sight.order.instrument)


def max_order_quantity(sight: Sight) -> Denied | None:
    """Quantity of one order."""
    limit = sight.limits.max_order_quantity.get(sight.order.instrument)
    if limit is None:
        return None
    if sight.order.quantity > limit:
        return sight.deny("max_order_quantity", quantity=sight.order.quantity, limit=limit)
    sight.saw("max_order_quantity", sight.order.quantity, limit)
    return None


def max_order_notional(sight: Sight) -> Denied | None:
    """Quantity x worst price of one order, in the quote asset."""
    limit, notional = sight.limits.max_order_notional, sight.notional
    if notional is None or limit is None or notional > limit:
        return sight.deny("max_order_notional", notional=notional, limit=limit)
    sight.saw("max_order_notional", notional, limit)
    return None


def min_order_notional(sight: Sight) -> Denied | None:
    """Quantity x price of one order, in the quote asset; without a price the touch is what it is worth at least."""
    limit, price = sight.limits.min_order_notional, sight.price
    notional = None if price is None else sight.terms.notional(sight.order.quantity, price)
    if notional is None or limit is None or notional < limit:
        return sight.deny("min_order_notional", notional=notional, limit=limit)
    sight.saw("min_order_notional", notional, limit)
    return None


def max_slippage(sight: Sight) -> Denied | None:
    """The bound that an order without a price brings along."""
    own, limit = sight.order.max_slippage, sight.limits.max_slippage
    if own is None:
        return None
    if limit is None or own > limit:
        return sight.deny("max_slippage", slippage=own, limit=limit)
    sight.saw("max_slippage", own, limit)
    return None


def price_collar(sight: Sight) -> Denied | None:
    """The worst price is no further from the touch, or from the last trade, than this fraction. A stop is meant to be
    away from the market: its limit price, where it has one, is measured from its stop price."""
    limit, price = sight.limits.price_collar, sight.worst
    assert limit is not None
    if sight.waits and sight.order.price is None:
        return None
    reference = _collar_reference(sight)
    if reference is None or price is None:
        return sight.deny("price_collar", price=price, reference="none", limit=limit)
    is_buy = sight.order.side is Side.BUY
    bound = EXACT.multiply(reference, ONE + limit if is_buy else ONE - limit)
    if price > bound if is_buy else price < bound:
        return sight.deny("price_collar", price=price, reference=reference, limit=limit)
    sight.saw("price_collar", price, plain(bound))
    return None


def _collar_reference(sight: Sight) -> Decimal | None:
    name = sight.order.instrument
    if sight.waits:
        return sight.order.stop_price
    if sight.limits.price_collar_from is CollarFrom.TRADE:
        trade = sight.market.last_trades.get(name)
        return None if trade is None else trade.price
    quote = sight.market.quotes.get(name)
    return None if quote is None else far_side(sight.order.side, quote)
