"""How an order is kept in State: itself, the indexes that follow from it, and what its strategy has to hear."""

from __future__ import annotations

from bisect import bisect_right

from attrs import evolve

from engine.order import INTENT, Order
from engine.state import UNTOLD_MOST, Fact, Recorded, State, venue_id_key
from engine.values import SECOND_NS


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


def tell(state: State, order: Order, at: Recorded, exec_key: str = "") -> None:
    """Note a fact for the strategy whose order it is; the oldest go when far too many wait."""
    strategy = state.strategies.get(order.strategy)
    if strategy is not None:
        untold = (*strategy.untold, Fact(at.seq, order.order_id, exec_key))[-UNTOLD_MOST:]
        state.strategies[order.strategy] = evolve(strategy, untold=untold)


def within_a_minute(submitted_ns: tuple[int, ...], at_ns: int) -> tuple[int, ...]:
    """The times of the last minute's requests, this one included."""
    return (*submitted_ns[bisect_right(submitted_ns, at_ns - 60 * SECOND_NS) :], at_ns)
