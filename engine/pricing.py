"""Prices that follow from the market: where a worked order stands, the worst price of a bounded one, a stop's trigger.

Pure; every price is on the tick, rounded so that it is no worse for us, but a bound that is asked for is never passed.
"""

from __future__ import annotations

from decimal import Decimal

from engine.inputs import Quote
from engine.instructions import Touch
from engine.instrument import Instrument
from engine.market import Market
from engine.order import Order
from engine.values import EXACT, ONE, Side, divide

_TWO = Decimal(2)


def near_side(side: Side, quote: Quote) -> Decimal:
    """The best price of the order's own side, where it would join."""
    return quote.bid if side is Side.BUY else quote.ask


def far_side(side: Side, quote: Quote) -> Decimal:
    """The best price of the other side, which it would take."""
    return quote.ask if side is Side.BUY else quote.bid


def slipped(price: Decimal, side: Side, fraction: Decimal) -> Decimal:
    """A price made worse for that side by a fraction.

    >>> slipped(Decimal(100), Side.BUY, Decimal("0.01")), slipped(Decimal(100), Side.SELL, Decimal("0.01"))
    (Decimal('101.00'), Decimal('99.00'))
    """
    return EXACT.multiply(price, EXACT.add(ONE, EXACT.multiply(fraction, Decimal(side.sign))))


def better(side: Side, one: Decimal, other: Decimal) -> Decimal:
    """The price that is better for that side: the lower one for a buy."""
    return min(one, other) if side is Side.BUY else max(one, other)


def worst_price(order: Order, terms: Instrument, quote: Quote) -> Decimal | None:
    """The worst price that a market order with `max_slippage` may trade at; None where it has no bound."""
    if order.max_slippage is None:
        return None
    return terms.round_price(slipped(far_side(order.side, quote), order.side, order.max_slippage), order.side)


def price_bound(order: Order, terms: Instrument, first: Decimal) -> Decimal | None:
    """The worst price that a style may ever ask for: the intent's own limit, and its slippage from the first price."""
    style = order.style
    if style is None or style.max_slippage is None:
        return order.price
    slipping = terms.round_price(slipped(first, order.side, style.max_slippage), order.side)
    return slipping if order.price is None else better(order.side, slipping, order.price)


def place_near(order: Order, terms: Instrument, quote: Quote) -> Decimal:
    """Where a worked order stands now, within its bound."""
    assert order.style is not None, "only a worked order follows the market"
    if order.style.at is Touch.MID:
        price = terms.round_price(divide(EXACT.add(quote.bid, quote.ask), _TWO), order.side)
    else:
        price = (near_side if order.style.at is Touch.JOIN else far_side)(order.side, quote)
    return price if order.worst_price is None else better(order.side, price, order.worst_price)


def is_left_behind(order: Order, wanted: Decimal) -> bool:
    """Is the market further from where the order stands than its style tolerates?"""
    assert order.style is not None, "only a worked order follows the market"
    assert order.price is not None, "a worked order has a price"
    return abs(EXACT.subtract(wanted, order.price)) > EXACT.multiply(order.price, order.style.tolerance)


def misses_bounds(order: Order, market: Market) -> dict[str, str]:
    """What of the market is outside of the style's bounds, with the numbers that were seen; empty where nothing is."""
    style, quote = order.style, market.quotes.get(order.instrument)
    if style is None:
        return {}
    if quote is None:
        return {"quote": "none"}
    missed: dict[str, str] = {}
    spread = divide(EXACT.subtract(quote.ask, quote.bid), quote.bid)
    if style.max_spread is not None and spread > style.max_spread:
        missed |= {"spread": str(spread), "max_spread": str(style.max_spread)}
    depth = quote.ask_quantity if order.side is Side.BUY else quote.bid_quantity
    if style.min_depth is not None and depth < style.min_depth:
        missed |= {"depth": str(depth), "min_depth": str(style.min_depth)}
    return missed


def trigger_price(order: Order, quote: Quote) -> Decimal:
    """The market price that a held order's stop is compared with: the one at which it would trade."""
    return far_side(order.side, quote)


def is_reached(order: Order, price: Decimal) -> bool:
    """Has the market come to the stop price? A stop waits for the worse side of it, a take-profit for the better."""
    if order.stop_price is None:
        return False
    past = (price - order.stop_price) * order.side.sign
    return past <= 0 if order.order_type.takes_profit else past >= 0


def trailed(order: Order, terms: Instrument, price: Decimal) -> Decimal | None:
    """The stop price of a trailing stop that the market has moved on from; None where it stays.

    It moves in steps of at least a twentieth of the trail, so that not every tick is an event.
    """
    trail = order.trail_at(price)
    if trail is None:
        return None
    away = EXACT.add(price, EXACT.multiply(trail, Decimal(order.side.sign)))
    wanted = terms.round_price(away, order.side)
    step = max(terms.tick, divide(trail, Decimal(TRAIL_STEPS)))
    if order.stop_price is None or (order.stop_price - wanted) * order.side.sign >= step:
        return wanted
    return None


TRAIL_STEPS = 20
"""A trailing stop is moved once the market has gone this part of its trail further."""
