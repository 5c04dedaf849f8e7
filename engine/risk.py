"""Risk: limits as data, and the verdict on an order before it exists. A limit's name is its reason code.

In-doubt orders count at their worst case everywhere: an order that may be live counts as live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from attrs import Factory, frozen

from engine.capabilities import Capabilities
from engine.instrument import Instrument
from engine.market import Market
from engine.order import Order
from engine.settings import Limits
from engine.state import State, intent_fingerprint, results_by_asset
from engine.system import TRADING
from engine.values import (
    EXACT,
    ONE,
    SECOND_NS,
    ZERO,
    InstrumentName,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    plain,
)


@frozen
class Approved:
    """The order may be requested."""


@frozen
class Denied:
    """The order may not be requested: a stable reason code and the numbers it was judged by."""

    reason: str
    numbers: dict[str, str] = Factory(dict)


Verdict = Approved | Denied


@frozen(kw_only=True)
class Sight:
    """What a check looks at: the order as it would be, and whose limits are asked (None: the whole account's)."""

    state: State
    market: Market
    order: Order
    now_ns: int
    limits: Limits = Limits()
    strategy: StrategyName | None = None
    instrument: InstrumentName | None = None

    @property
    def terms(self) -> Instrument:
        """The order's instrument."""
        return self.state.instruments[self.order.instrument]

    @property
    def price(self) -> Decimal | None:
        """The worst price to judge by: the order's limit, or for a market order the touch it would take."""
        if self.order.price is not None:
            return self.order.price
        quote = self.market.quotes.get(self.order.instrument)
        return None if quote is None else (quote.ask if self.order.side is Side.BUY else quote.bid)

    def orders(self) -> Iterator[Order]:
        """Open orders within the scope of the limits, but the judged one."""
        for order in self.state.open_orders():
            in_scope = self.strategy in (None, order.strategy) and self.instrument in (None, order.instrument)
            if in_scope and order.order_id != self.order.order_id:
                yield order


Check = Callable[[Sight], Denied | None]


def judge(state: State, market: Market, order: Order, now_ns: int, *, replaces: Order | None = None) -> Verdict:
    """The verdict on an order (or on what a replacement would make of it): the first reason against it, if any."""
    sight = Sight(state=state, market=market, order=order, now_ns=now_ns)
    checks = REPLACE_CHECKS if replaces else NEW_CHECKS
    for check in (*checks, *TERMS_CHECKS):
        if denied := check(sight):
            return denied
    for scoped in _scopes(sight):
        for check in LIMIT_CHECKS:
            if denied := check(scoped):
                return denied
    return Approved()


def judge_leg(state: State, market: Market, order: Order, now_ns: int) -> Verdict:
    """The verdict on an order that the engine will hold, for as long as it holds it: could it ever be sent?"""
    return _first_denial(
        Sight(state=state, market=market, order=order, now_ns=now_ns), (is_within_capabilities, *TERMS_CHECKS)
    )


def judge_release(state: State, market: Market, order: Order, now_ns: int) -> Verdict:
    """The verdict on a held order whose time has come. One that only reduces is an exit: no limit keeps anyone in a
    position; the system must trade, nothing of the instrument be in doubt, and the terms be the instrument's."""
    sight = Sight(state=state, market=market, order=order, now_ns=now_ns)
    if order.reduce_only:
        return _first_denial(sight, (is_trading, is_certain, is_within_capabilities, only_reduces, *TERMS_CHECKS))
    return judge(state, market, order, now_ns)


def _first_denial(sight: Sight, checks: tuple[Check, ...]) -> Verdict:
    return next((denied for check in checks if (denied := check(sight))), Approved())


def _scopes(sight: Sight) -> Iterator[Sight]:
    risk, order = sight.state.settings.risk, sight.order
    yield _scoped(sight, risk.account, None, None)
    if order.strategy in risk.strategies:
        yield _scoped(sight, risk.strategies[order.strategy], order.strategy, None)
    if order.instrument in risk.instruments:
        yield _scoped(sight, risk.instruments[order.instrument], None, order.instrument)


def _scoped(sight: Sight, limits: Limits, strategy: StrategyName | None, instrument: InstrumentName | None) -> Sight:
    return Sight(
        state=sight.state, market=sight.market, order=sight.order, now_ns=sight.now_ns,
        limits=limits, strategy=strategy, instrument=instrument,
    )  # fmt: skip


# --- may anything be sent at all? -------------------------------------------------------------------------------


def is_trading(sight: Sight) -> Denied | None:
    """The system trades, the venue is ready, no pause covers the order."""
    order, state = sight.order, sight.state
    if state.system is not TRADING:
        return Denied("not_trading", {"state": str(state.system)})
    if pause := state.paused_by(venue=order.venue, instrument=order.instrument, strategy=order.strategy):
        return Denied("paused", {"scope": str(pause.scope), "reason": pause.reason})
    if not state.is_ready(order.venue):
        return Denied("venue_not_ready", {"venue": order.venue})
    return None


def is_certain(sight: Sight) -> Denied | None:
    """Nothing of the same instrument is in doubt on that account."""
    for order in sight.state.open_orders():
        if order.instrument == sight.order.instrument and order.is_in_doubt:
            return Denied("instrument_in_doubt", {"order": order.order_id})
    return None


def is_within_capabilities(sight: Sight) -> Denied | None:
    """The venue knows this kind of order, or what the engine makes of it: a stop that it holds is a plain order in the
    end, and an order that ends in time is canceled then."""
    order, description = sight.order, sight.state.venues[sight.order.venue].description
    if description is None:
        return Denied("venue_not_ready", {"venue": order.venue})
    known: Capabilities = description.capabilities
    if order.order_type not in known.order_types and (
        not order.order_type.has_trigger or order.order_type.triggered not in known.order_types
    ):
        return Denied("order_type_not_supported", {"order_type": str(order.order_type)})
    ends = order.time_in_force in (TimeInForce.GTD, TimeInForce.DAY)
    if (TimeInForce.GTC if ends else order.time_in_force) not in known.times_in_force:
        return Denied("time_in_force_not_supported", {"time_in_force": str(order.time_in_force)})
    if order.max_slippage is not None and not {OrderType.LIMIT} <= {*known.order_types}:
        return Denied("order_type_not_supported", {"order_type": "limit", "needed_for": "max_slippage"})
    if order.post_only and not known.post_only:
        return Denied("post_only_not_supported", {})
    return None


def is_new(sight: Sight) -> Denied | None:
    """No equal intent of the same strategy within `duplicate_intent`."""
    limit = sight.state.settings.risk.account.duplicate_intent_ns
    last = sight.state.last_intent.get(intent_fingerprint(sight.order))
    if limit is None or last is None or sight.now_ns - last >= limit:
        return None
    return Denied("duplicate_intent", {"age_ns": str(sight.now_ns - last), "limit_ns": str(int(limit))})


def can_replace(sight: Sight) -> Denied | None:
    """The venue can replace, and the order has nothing outstanding."""
    order, description = sight.order, sight.state.venues[sight.order.venue].description
    if description is None or not description.capabilities.replace:
        return Denied("replace_not_supported", {"venue": order.venue})
    return None


# --- the instrument's terms -------------------------------------------------------------------------------------


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
    if trails is (order.trail is None) or (order.trail is not None and order.trail <= 0):
        return Denied("trail", {"trail": str(order.trail), "order_type": str(kind)})
    if order.post_only and (kind is not OrderType.LIMIT or not order.time_in_force.may_rest):
        return Denied("post_only", {"order_type": str(kind), "time_in_force": str(order.time_in_force)})
    return _has_sane_extras(sight)


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


def only_reduces(sight: Sight) -> Denied | None:
    """An order that may only reduce is not larger than what there is to reduce."""
    order = sight.order
    if not order.reduce_only:
        return None
    most = reducible(sight.state, order)
    asked = plain(order.quantity - order.filled)
    return None if asked <= most else Denied("reduce_only", {"asked": str(asked), "reducible": str(most)})


def reducible(state: State, order: Order) -> Decimal:
    """What an order may take off its strategy's position, beside the others of its side that work already. Orders that
    cancel each other count once."""
    held = -state.position(order.instrument, order.strategy).quantity * order.side.sign
    whose = (order.strategy, order.instrument, order.side)
    working = sum(
        (o.exposure for o in state.open_orders()
         if (o.strategy, o.instrument, o.side) == whose and o.order_id != order.order_id
         and (order.group is None or o.group != order.group)),
        ZERO,
    )  # fmt: skip
    return max(plain(held - working), ZERO)


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
    bounds = (
        ("min_quantity", order.quantity, terms.min_quantity, None),
        ("max_quantity", order.quantity, None, terms.max_quantity),
        ("min_price", order.price, terms.min_price, None),
        ("max_price", order.price, None, terms.max_price),
        ("min_notional", None if price is None else EXACT.multiply(order.quantity, price), terms.min_notional, None),
    )
    for reason, value, least, most in bounds:
        if value is not None and ((least is not None and value < least) or (most is not None and value > most)):
            return Denied(reason, {"value": str(plain(value)), "limit": str(least if least is not None else most)})
    return None


# --- the configured limits --------------------------------------------------------------------------------------


def max_quote_age(sight: Sight) -> Denied | None:
    """The instrument's quote is young enough to act on."""
    limit = sight.limits.max_quote_age_ns
    if limit is None:
        return None
    age = sight.market.quote_age_ns(sight.order.instrument, sight.now_ns)
    if age is not None and age <= limit:
        return None
    return Denied("max_quote_age", {"age_ns": "none" if age is None else str(age), "limit_ns": str(int(limit))})


def max_order_quantity(sight: Sight) -> Denied | None:
    """Quantity of one order."""
    limit = sight.limits.max_order_quantity.get(sight.order.instrument)
    if limit is None or sight.order.quantity <= limit:
        return None
    return Denied("max_order_quantity", {"quantity": str(sight.order.quantity), "limit": str(limit)})


def max_order_notional(sight: Sight) -> Denied | None:
    """Quantity x price of one order, in the quote asset; without any price it can't be judged, so it is refused."""
    limit, price = sight.limits.max_order_notional, sight.price
    if limit is None:
        return None
    notional = None if price is None else plain(EXACT.multiply(sight.order.quantity, price))
    if notional is not None and notional <= limit:
        return None
    return Denied("max_order_notional", {"notional": str(notional), "limit": str(limit)})


def max_position(sight: Sight) -> Denied | None:
    """Position if this and every open order of its side executes, in-doubt ones at their worst."""
    order = sight.order
    limit = sight.limits.max_position.get(order.instrument)
    if limit is None:
        return None
    held = sight.state.position(order.instrument, sight.strategy).quantity
    working = sum(
        (o.exposure for o in sight.orders() if o.instrument == order.instrument and o.side is order.side), ZERO
    )
    reach = plain(held * order.side.sign + working + order.quantity - order.filled)
    if reach <= limit:
        return None
    return Denied("max_position", {"position": str(held), "working": str(plain(working)), "limit": str(limit)})


def max_open_orders(sight: Sight) -> Denied | None:
    """Orders that may be live at once."""
    limit = sight.limits.max_open_orders
    if limit is None:
        return None
    count = sum(1 for _ in sight.orders())
    return None if count < limit else Denied("max_open_orders", {"open": str(count), "limit": str(limit)})


def max_orders_per_minute(sight: Sight) -> Denied | None:
    """Requests that create or replace an order, over the last 60 s."""
    limit = sight.limits.max_orders_per_minute
    if limit is None:
        return None
    since = sight.now_ns - 60 * SECOND_NS
    if sight.strategy is None and sight.instrument is None:
        count = sum(1 for ns in sight.state.submitted_ns if ns > since)
    else:
        count = sum(1 for order in _requested(sight) if order.requested_ns > since)
    return None if count < limit else Denied("max_orders_per_minute", {"orders": str(count), "limit": str(limit)})


def _requested(sight: Sight) -> Iterator[Order]:
    for order in sight.state.orders.values():
        if sight.strategy in (None, order.strategy) and sight.instrument in (None, order.instrument):
            yield order


def price_collar(sight: Sight) -> Denied | None:
    """A limit price no further from the touch than this fraction, on the side that would hurt."""
    limit, price = sight.limits.price_collar, sight.order.price
    if limit is None or price is None:
        return None
    quote = sight.market.quotes.get(sight.order.instrument)
    if quote is None:
        return Denied("price_collar", {"price": str(price), "touch": "none"})
    if sight.order.side is Side.BUY:
        touch, bound = quote.ask, EXACT.multiply(quote.ask, ONE + limit)
        hurts = price > bound
    else:
        touch, bound = quote.bid, EXACT.multiply(quote.bid, ONE - limit)
        hurts = price < bound
    return Denied("price_collar", {"price": str(price), "touch": str(touch), "limit": str(limit)}) if hurts else None


def max_daily_loss(sight: Sight) -> Denied | None:
    """Loss since the UTC day began, in the quote asset: realised less fees, and what is open at the last quote."""
    limit = sight.limits.max_daily_loss
    if limit is None:
        return None
    quote_asset = sight.terms.quote
    result = results_by_asset(sight.state).get(quote_asset, ZERO)
    if sight.state.day.number == sight.now_ns // (86_400 * SECOND_NS):
        result -= sight.state.day.result.get(quote_asset, ZERO)
    else:
        result = ZERO
    loss = plain(-(result + _unrealized(sight, quote_asset)))
    return None if loss < limit else Denied("max_daily_loss", {"loss": str(loss), "limit": str(limit)})


def _unrealized(sight: Sight, quote_asset: str) -> Decimal:
    total = ZERO
    for name, instrument in sight.state.instruments.items():
        mark = sight.market.mark(name)
        if instrument.quote == quote_asset and mark is not None:
            total += sight.state.position(name).unrealized(mark)
    return total


NEW_CHECKS: tuple[Check, ...] = (is_trading, is_certain, is_within_capabilities, is_new, only_reduces)
REPLACE_CHECKS: tuple[Check, ...] = (is_trading, can_replace)
TERMS_CHECKS: tuple[Check, ...] = (has_sane_terms, is_on_grid, is_within_bounds)
LIMIT_CHECKS: tuple[Check, ...] = (
    max_quote_age,
    max_order_quantity,
    max_order_notional,
    max_position,
    max_open_orders,
    max_orders_per_minute,
    price_collar,
    max_daily_loss,
)
