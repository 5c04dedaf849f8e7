"""How an order is kept in State: itself, the indexes that follow from it, and what its strategy has to hear."""

from __future__ import annotations

from bisect import bisect_right

from attrs import evolve

from engine.instructions import Role
from engine.order import CANCELED, CROSSES, INTENT, Order
from engine.state import UNTOLD_MOST, Fact, Recorded, State, venue_id_key
from engine.values import SECOND_NS, OrderId


def put(state: State, order: Order) -> None:
    """Store an order and keep the indexes true."""
    state.orders[order.order_id] = order
    if order.venue_order_id:
        state.by_venue_id[venue_id_key(order.venue, order.instrument, order.venue_order_id)] = order.order_id
    if order.is_open or order.status is INTENT:
        state.closed_ids.pop(order.order_id, None)
        state.open_ids.setdefault(order.order_id, None)
    else:
        state.open_ids.pop(order.order_id, None)
        state.closed_ids.setdefault(order.order_id, order.updated_ns)
    if order.held or order.order_id in state.held_ids:
        _index(state.held_ids, order.order_id, order.status is INTENT)
    if order.good_till_ns is not None:
        _index(state.timed_ids, order.order_id, order.is_open and not _ends_at_venue(state, order))
    if order.style is not None:
        _index(state.worked_ids, order.order_id, _is_worked(state, order))


def _index(ids: dict[OrderId, None], order_id: OrderId, belongs: bool) -> None:
    if belongs:
        ids.setdefault(order_id, None)
    else:
        ids.pop(order_id, None)


def _ends_at_venue(state: State, order: Order) -> bool:
    """Does the venue itself end an order of that time in force?"""
    venue = state.venues.get(order.venue)
    description = venue.description if venue is not None else None
    return description is None or order.time_in_force in description.capabilities.times_in_force


def _is_worked(state: State, order: Order) -> bool:
    """Held or open; or closed by its style, with a rest that is still to be crossed."""
    if order.status is INTENT:
        return bool(order.held)
    to_cross = order.status is CANCELED and order.style_outcome == CROSSES and order.filled < order.quantity
    return order.is_open or (to_cross and order.order_id not in state.crossed_ids)


def link(state: State, order: Order) -> None:
    """Note a new order's links: its group, and which worked order it is the rest of."""
    if order.group is not None:
        state.linked[order.group] = (*state.linked.get(order.group, ()), order.order_id)
    if order.role is Role.CROSS and order.parent is not None:
        state.crossed_ids[order.parent] = None
        state.worked_ids.pop(order.parent, None)


def unlink(state: State, order: Order) -> None:
    """Forget the links of an order that leaves State."""
    state.crossed_ids.pop(order.order_id, None)
    rest = tuple(other for other in state.linked.pop(order.group, ()) if other != order.order_id) if order.group else ()
    if order.group is not None and rest:
        state.linked[order.group] = rest


def tell(state: State, order: Order, at: Recorded, exec_key: str = "") -> None:
    """Note a fact for the strategy whose order it is; the oldest go when far too many wait."""
    strategy = state.strategies.get(order.strategy)
    if strategy is not None:
        untold = (*strategy.untold, Fact(at.seq, order.order_id, exec_key))[-UNTOLD_MOST:]
        state.strategies[order.strategy] = evolve(strategy, untold=untold)


def within_a_minute(submitted_ns: tuple[int, ...], at_ns: int) -> tuple[int, ...]:
    """The times of the last minute's requests, this one included."""
    return (*submitted_ns[bisect_right(submitted_ns, at_ns - 60 * SECOND_NS) :], at_ns)
