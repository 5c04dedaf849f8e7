"""The instrument's terms: what its venue lets an order be. Each check is one rule of the venue's, asked before it is.

The venue is the judge: a rule that needs what only the venue knows (an average price, what others of the account's
programs have open) is asked with what is known here.
"""

from __future__ import annotations

from engine.order import Order
from engine.registry import refusal
from engine.sight import Check, Denied, Sight
from engine.values import EXACT, ONE, ZERO, OrderType, TimeInForce, divide, plain


def is_tradable(sight: Sight) -> Denied | None:
    """The instrument is listed, not expired, not halted, and of a kind that can be reckoned."""
    found = refusal(sight.state, sight.order.instrument, sight.now_ns)
    return None if found is None else Denied(*found)


def has_sane_terms(sight: Sight) -> Denied | None:
    """A positive quantity; a price, a stop price, a trail and an end where that kind of order has one, and only there.
    A trailing stop may find its stop price later."""
    order, kind = sight.order, sight.order.order_type
    if order.quantity <= 0:
        return Denied("quantity", {"quantity": str(order.quantity)})
    if kind.has_price is (order.price is None) or (order.price is not None and order.price <= 0):
        return Denied("price", {"price": str(order.price), "order_type": str(kind)})
    has_stop, trails = order.stop_price is not None, kind is OrderType.TRAILING_STOP
    if (has_stop is not kind.has_trigger and not trails) or (order.stop_price is not None and order.stop_price <= 0):
        return Denied("stop_price", {"stop_price": str(order.stop_price), "order_type": str(kind)})
    if not _trails_sanely(order):
        trail, fraction = str(order.trail), str(order.trail_fraction)
        return Denied("trail", {"trail": trail, "trail_fraction": fraction, "order_type": str(kind)})
    if order.post_only and (kind is not OrderType.LIMIT or not order.time_in_force.may_rest):
        return Denied("post_only", {"order_type": str(kind), "time_in_force": str(order.time_in_force)})
    return _has_sane_extras(sight)


def _trails_sanely(order: Order) -> bool:
    """A trailing stop follows by a distance or by a part of the price, and no other order does."""
    said = [trail for trail in (order.trail, order.trail_fraction) if trail is not None]
    if len(said) != (order.order_type is OrderType.TRAILING_STOP):
        return False
    return all(trail > 0 for trail in said) and (order.trail_fraction or ZERO) < ONE


def _has_sane_extras(sight: Sight) -> Denied | None:
    order, slippage = sight.order, sight.order.max_slippage
    if slippage is not None and not (order.order_type is OrderType.MARKET and slippage >= 0):
        return Denied("max_slippage", {"max_slippage": str(slippage), "order_type": str(order.order_type)})
    if slippage is not None and order.worst_price is None:
        return Denied("max_slippage", {"quote": "none"})
    if order.style is not None and not (order.order_type is OrderType.LIMIT and order.time_in_force.may_rest):
        return Denied("style", {"order_type": str(order.order_type), "time_in_force": str(order.time_in_force)})
    ends_ns = order.good_till_ns
    if (order.time_in_force is TimeInForce.GTD) is (ends_ns is None) and order.time_in_force is not TimeInForce.DAY:
        return Denied("expires", {"expires": str(ends_ns), "time_in_force": str(order.time_in_force)})
    if ends_ns is not None and ends_ns <= sight.now_ns:
        return Denied("expires", {"expires": str(ends_ns), "now_ns": str(sight.now_ns)})
    return None


def is_on_grid(sight: Sight) -> Denied | None:
    """Quantity on the lot, prices on the tick."""
    order, terms = sight.order, sight.terms
    if not terms.is_on_lot(order.quantity):
        return Denied("lot", {"quantity": str(order.quantity), "lot": str(terms.lot)})
    for name, price in (("price", order.price), ("stop_price", order.stop_price), ("trail", order.trail)):
        if price is not None and not terms.is_on_tick(price):
            return Denied("tick", {name: str(price), "tick": str(terms.tick)})
    return None


def is_within_bounds(sight: Sight) -> Denied | None:
    """The instrument's own least and greatest quantity, price and notional."""
    order, terms, price = sight.order, sight.terms, sight.price
    notional = None if price is None else terms.notional(order.quantity, price)
    bounds = (
        ("min_quantity", order.quantity, terms.min_quantity, None),
        ("max_quantity", order.quantity, None, terms.max_quantity),
        ("min_price", order.price, terms.min_price, None),
        ("max_price", order.price, None, terms.max_price),
        ("min_notional", notional, terms.min_notional, None),
        ("max_notional", notional, None, terms.max_notional),
    )
    for reason, value, least, most in bounds:
        if value is not None and ((least is not None and value < least) or (most is not None and value > most)):
            return Denied(reason, {"value": str(plain(value)), "limit": str(least if least is not None else most)})
    return None


def is_within_market_bounds(sight: Sight) -> Denied | None:
    """The bounds of an order that takes at any price, where they are its own (MARKET_LOT_SIZE)."""
    order, terms = sight.order, sight.terms
    if order.sent_type is not OrderType.MARKET:
        return None
    lot, least, most = terms.market_lot, terms.min_market_quantity, terms.max_market_quantity
    if lot is not None and EXACT.remainder(order.quantity, lot):
        return Denied("lot", {"quantity": str(order.quantity), "lot": str(lot)})
    if least is not None and order.quantity < least:
        return Denied("min_quantity", {"value": str(order.quantity), "limit": str(least)})
    if most is not None and order.quantity > most:
        return Denied("max_quantity", {"value": str(order.quantity), "limit": str(most)})
    return None


def is_within_bands(sight: Sight) -> Denied | None:
    """A limit price within the venue's band around the market (PERCENT_PRICE), measured from the middle of the quote,
    where there is one."""
    order, bands = sight.order, sight.terms.price_bands
    quote = sight.market.quotes.get(order.instrument)
    if bands is None or quote is None or order.price is None:
        return None
    market = divide(EXACT.add(quote.bid, quote.ask), ONE + ONE)
    low, high = bands.of(order.side)
    if low and order.price < EXACT.multiply(market, low):
        return Denied("price_band", {"price": str(order.price), "least": str(plain(EXACT.multiply(market, low)))})
    if high and order.price > EXACT.multiply(market, high):
        return Denied("price_band", {"price": str(order.price), "most": str(plain(EXACT.multiply(market, high)))})
    return None


def is_within_places(sight: Sight) -> Denied | None:
    """The venue keeps so many orders, and so many that wait for a stop price, of one instrument at once."""
    if sight.replaced is not None:
        return None
    here = [order for order in sight.others if order.instrument == sight.order.instrument]
    waiting = [order for order in here if order.order_type.has_trigger and not order.is_triggered]
    if sight.terms.max_orders is not None and len(here) >= sight.terms.max_orders:
        return Denied("max_orders", {"open": str(len(here)), "limit": str(sight.terms.max_orders)})
    if sight.waits and sight.terms.max_stops is not None and len(waiting) >= sight.terms.max_stops:
        return Denied("max_stops", {"open": str(len(waiting)), "limit": str(sight.terms.max_stops)})
    return None


TERMS_CHECKS: tuple[Check, ...] = (
    is_tradable, has_sane_terms, is_on_grid, is_within_bounds, is_within_market_bounds, is_within_bands,
    is_within_places,
)  # fmt: skip
