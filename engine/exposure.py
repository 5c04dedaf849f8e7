"""Limits of what is held and working: position, gross and net exposure, reduce-only, and trades with oneself.

Every open order counts at the most that it may still execute, in-doubt ones at their worst, and no order is counted on
to offset another: the long side is what is held and every open buy, the short side what is held and every open sell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from engine.order import Order
from engine.sight import Denied, Sight
from engine.values import EXACT, ZERO, Asset, InstrumentName, OrderType, Side, plain
from engine.worth import Unpriced, asset_of, mark_in

Reach = tuple[Decimal, Decimal]
"""How far a signed position may go: the least and the most."""

Worths = dict[InstrumentName, Reach] | Unpriced
"""The same as money, of each instrument; or what there is no mark for."""


Measure = Callable[[Worths], Decimal | Unpriced]


def max_position(sight: Sight) -> Denied | None:
    """Position if this and every open order of its side executes."""
    order = sight.order
    limit = sight.limits.max_position.get(order.instrument)
    if limit is None:
        return None
    held = sight.state.position(order.instrument, sight.strategy).quantity
    working = _working_in_scope(sight).get((order.instrument, order.side), ZERO)
    reach = plain(held * order.side.sign + working + sight.leaves)
    if reach > limit:
        return sight.deny("max_position", position=held, working=plain(working), reach=reach, limit=limit)
    sight.saw("max_position", reach, limit)
    return None


def reduce_only(sight: Sight) -> Denied | None:
    """The order, with what works on its side already, is no more than closes the strategy's position."""
    held, working = _own(sight)
    reach = EXACT.add(held, EXACT.add(working, sight.leaves) * sight.order.side.sign)
    if not held or held * sight.order.side.sign > 0 or reach * held < 0:
        return sight.deny(
            "reduce_only", position=held, working=plain(working), side=sight.order.side, quantity=sight.order.quantity
        )
    sight.saw("reduce_only", plain(EXACT.add(working, sight.leaves)), abs(held))
    return None


def _own(sight: Sight) -> tuple[Decimal, Decimal]:
    """The strategy's own position, and its other open orders of the same side, whatever scope is asked."""
    order = sight.order
    held = sight.state.position(order.instrument, order.strategy).quantity
    own = (other for other in sight.others if other.strategy == order.strategy)
    return held, _working(sight, own).get((order.instrument, order.side), ZERO)


def max_gross_exposure(sight: Sight) -> Denied | None:
    """The sum over instruments of the larger side x mark."""
    return _exposure(sight, "max_gross_exposure", sight.limits.max_gross_exposure, gross)


def max_net_exposure(sight: Sight) -> Denied | None:
    """The larger of all long sides and all short sides, each summed with its sign."""
    return _exposure(sight, "max_net_exposure", sight.limits.max_net_exposure, _net)


def _exposure(sight: Sight, name: str, limit: Decimal | None, measure: Measure) -> Denied | None:
    """An order that makes the exposure no larger passes, or nobody could get out of what has become too large."""
    assert limit is not None
    asset = asset_of(sight.state, sight.order.instrument)
    priced, grown = sight.once("exposure", lambda: worths(sight, asset))
    before, after = measure(priced), measure(grown)
    if isinstance(after, Unpriced) or isinstance(before, Unpriced):
        missing = after if isinstance(after, Unpriced) else before
        assert isinstance(missing, Unpriced)
        return sight.deny(name, unpriced=missing.name, asset=asset, limit=limit)
    if after > limit and after > before:
        return sight.deny(name, before=plain(before), exposure=plain(after), asset=asset, limit=limit)
    sight.saw(name, plain(after), limit)
    return None


def worths(sight: Sight, asset: Asset) -> tuple[Worths, Worths]:
    """What the long and the short sides are worth, without the judged order and with it."""
    reaches, name = _reaches(sight, asset), sight.order.instrument
    low, high = reaches.get(name, (ZERO, ZERO))
    grown = (low, high + sight.leaves) if sight.order.side is Side.BUY else (low - sight.leaves, high)
    priced = _priced(sight, reaches, asset)
    one = _priced(sight, {name: grown}, asset)
    if isinstance(priced, Unpriced) or isinstance(one, Unpriced):
        missing = priced if isinstance(priced, Unpriced) else one
        return missing, missing
    return priced, priced | one


def _reaches(sight: Sight, asset: Asset) -> dict[InstrumentName, Reach]:
    """How far each position within the scope may go without the judged order, of the instruments in this asset."""
    state = sight.state
    found: dict[InstrumentName, Reach] = {}
    for name in state.positions:
        if sight.instrument in (None, name) and asset_of(state, name) == asset:
            held = state.position(name, sight.strategy).quantity
            if held:
                found[name] = (held, held)
    for (name, side), most in _working_in_scope(sight).items():
        if most and asset_of(state, name) == asset:
            low, high = found.get(name, (ZERO, ZERO))
            found[name] = (low, high + most) if side is Side.BUY else (low - most, high)
    return found


def _priced(sight: Sight, reaches: dict[InstrumentName, Reach], asset: Asset) -> Worths:
    found: dict[InstrumentName, Reach] = {}
    for name, (low, high) in reaches.items():
        mark = mark_in(sight.state, sight.market, name, asset)
        if isinstance(mark, Unpriced):
            return Unpriced(name)
        terms = sight.state.instruments[name]
        found[name] = (terms.notional(low, mark), terms.notional(high, mark))
    return found


def gross(reaches: Worths) -> Decimal | Unpriced:
    """The sum of the larger sides."""
    if isinstance(reaches, Unpriced):
        return reaches
    return sum((max(abs(low), abs(high)) for low, high in reaches.values()), ZERO)


def _net(reaches: Worths) -> Decimal | Unpriced:
    if isinstance(reaches, Unpriced):
        return reaches
    longest = sum((high for _low, high in reaches.values()), ZERO)
    shortest = sum((low for low, _high in reaches.values()), ZERO)
    return max(abs(longest), abs(shortest))


def _working_in_scope(sight: Sight) -> dict[tuple[InstrumentName, Side], Decimal]:
    return sight.once("working", lambda: _working(sight, sight.orders))


def _working(sight: Sight, orders: Iterable[Order]) -> dict[tuple[InstrumentName, Side], Decimal]:
    """What open orders may still execute, by instrument and side. Of linked orders on one side the larger counts: what
    one of them executes, the other loses. What the judged order is linked to counts as part of it, for the same reason.
    """
    found: dict[tuple[InstrumentName, Side], Decimal] = {}
    linked: dict[tuple[InstrumentName, Side, str], Decimal] = {}
    for order in orders:
        if order.group is None:
            key = (order.instrument, order.side)
            found[key] = EXACT.add(found.get(key, ZERO), order.exposure)
        elif (order.group, order.side) != (sight.order.group, sight.order.side):
            group = (order.instrument, order.side, str(order.group))
            linked[group] = max(linked.get(group, ZERO), order.exposure)
    for (name, side, _group), most in linked.items():
        found[name, side] = EXACT.add(found.get((name, side), ZERO), most)
    return found


def self_trade(sight: Sight) -> Denied | None:
    """The order crosses none of the orders that rest on the same account, whichever strategy's they are."""
    order = sight.order
    if sight.waits:
        return None
    for other in sight.others:
        if other.side is not order.side and other.instrument == order.instrument and _crosses(sight, other):
            return sight.deny(
                "self_trade", order=other.order_id, strategy=other.strategy, price=sight.worst, resting=other.price
            )
    return None


def _crosses(sight: Sight, other: Order) -> bool:
    """At the worst that either may be: with a replacement outstanding, by the price that is closer."""
    rests = other.order_type is OrderType.LIMIT or other.is_triggered
    if not rests or other.price is None or sight.worst is None:
        return False
    prices = [other.price]
    if other.replacement is not None and other.replacement.price is not None:
        prices.append(other.replacement.price)
    if sight.order.side is Side.BUY:
        return sight.worst >= min(prices)
    return sight.worst <= max(prices)
