"""Orders that the engine holds: stops that it watches, legs that wait, links that survive a restart, ends in time.

Everything follows from State and the market, so that a start goes on where the last process ended. What is held dies
with the engine: while none runs, nothing of it can be sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from attrs import evolve

from engine import events
from engine.events import Event
from engine.inputs import Input, Quote
from engine.intent_decision import amended, close_ns, is_known, is_linked_at_venue, request_submit
from engine.market import Market
from engine.order import INTENT, Order, Pending
from engine.order_decision import CancelAsked, decide_order
from engine.order_effects import surprise
from engine.pricing import far_side, is_reached, trailed, worst_price
from engine.risk import Denied, judge_release, reducible
from engine.settings import OnStop
from engine.state import State
from engine.values import EXACT, ZERO, OrderId, plain

TOO_SMALL = frozenset({"min_quantity", "min_notional", "lot"})
"""Refusals that time does not change."""


def keep_held(state: State, market: Market, seen: Input, now_ns: int) -> Iterator[Event]:
    """What held orders do after an input: end, follow their entry and their twin, trigger, leave."""
    for order_id in list(state.held_ids):
        for step in (_end, _follow, _watch, _release):
            order = state.orders[order_id]
            if order.status is INTENT:
                yield from step(state, market, order, seen, now_ns)
    for order_id in list(state.timed_ids):
        yield from _end_at_venue(state, state.orders[order_id], now_ns)


def held_due_ns(state: State) -> int | None:
    """When the engine next has to end an order in time, or with its session."""
    kept = (state.orders[order_id] for order_id in (*state.held_ids, *state.timed_ids))
    ends = [ns for ns in map(_end_ns, kept) if ns is not None]
    return min((*ends, *(close for _order, close in _sessions(state))), default=None)


def end_sessions(state: State, now_ns: int) -> Iterator[Event]:
    """Where that is configured, an order ends with the session in which it was wanted."""
    for order, ends_ns in list(_sessions(state)):
        if now_ns >= ends_ns:
            yield from decide_order(state, order, CancelAsked(by="session_end"), now_ns)


def _sessions(state: State) -> Iterator[tuple[Order, int]]:
    if state.settings.orders.on_session_end is OnStop.CANCEL:
        for order in state.open_orders():
            ends_ns = close_ns(state, order.instrument, order.created_ns)
            if ends_ns is not None and order.pending_cancel is Pending.NONE:
                yield order, ends_ns


# --- ends in time -----------------------------------------------------------------------------------------------


def _end(state: State, market: Market, order: Order, seen: Input, now_ns: int) -> Iterator[Event]:
    if order.good_till_ns is not None and now_ns >= order.good_till_ns:
        yield events.OrderExpired(order_id=order.order_id)


def _end_ns(order: Order) -> int | None:
    """When the engine ends an order; None where a cancel is on its way already."""
    return None if order.pending_cancel is not Pending.NONE else order.good_till_ns


def _end_at_venue(state: State, order: Order, now_ns: int) -> Iterator[Event]:
    """The venue does not know when the order ends: it is canceled then."""
    end_ns = _end_ns(order)
    if end_ns is not None and now_ns >= end_ns:
        yield from decide_order(state, order, CancelAsked(by="good_till"), now_ns)


# --- links ------------------------------------------------------------------------------------------------------


def twins_of(state: State, order: Order) -> list[Order]:
    """The other orders of its group."""
    group = state.linked.get(order.group, ()) if order.group is not None else ()
    return [state.orders[other] for other in group if other != order.order_id and other in state.orders]


def parent_of(state: State, order: Order) -> Order | None:
    """The order whose executions it closes."""
    return state.orders.get(order.parent) if order.parent is not None else None


def due_quantity(state: State, order: Order) -> Decimal:
    """What an order is for: what its entry has executed, less what its twins have; alone, its own quantity."""
    parent = parent_of(state, order)
    if parent is not None:
        whole = parent.filled
    elif order.group is not None and order.group in state.orders:
        whole = state.orders[order.group].quantity
    else:
        return order.quantity
    executed = sum((twin.filled for twin in twins_of(state, order)), ZERO)
    return plain(max(EXACT.subtract(whole, executed), ZERO))


def _follow(state: State, market: Market, order: Order, seen: Input, now_ns: int) -> Iterator[Event]:
    """A leg's quantity follows what there is to close; with nothing left, and none to come, it is canceled."""
    parent, due = parent_of(state, order), due_quantity(state, order)
    if due:
        if due != order.quantity:
            yield amended(evolve(order, quantity=due), "what is left to close")
    elif parent is None or not _may_execute(parent):
        reason = "its entry did not execute" if parent is not None and not parent.filled else "its twin has executed"
        yield events.OrderCanceled(order_id=order.order_id, requested=False, reason=reason)


def _may_execute(order: Order) -> bool:
    return order.is_open or order.status is INTENT or order.is_in_doubt


# --- triggers ---------------------------------------------------------------------------------------------------


def _watch(state: State, market: Market, order: Order, seen: Input, now_ns: int) -> Iterator[Event]:
    """A quote moves a trailing stop, or triggers: where the order would trade, the stop price is reached."""
    is_quoted = isinstance(seen, Quote) and seen.instrument == order.instrument and not market.was_refused(seen)
    if not is_quoted or not order.order_type.has_trigger or order.is_triggered or not due_quantity(state, order):
        return
    quote, terms = market.quotes[order.instrument], state.instruments[order.instrument]
    price = far_side(order.side, quote)
    moved = trailed(order, terms, price)
    if moved is not None:
        yield amended(evolve(order, stop_price=moved), "it trails the market")
    elif is_reached(order, price):
        bound = None if order.order_type.has_price else worst_price(order, terms, quote)
        yield events.OrderTriggered(order_id=order.order_id, market_price=price, worst_price=bound)


def _release(state: State, market: Market, order: Order, seen: Input, now_ns: int) -> Iterator[Event]:
    """A held order whose time has come leaves, once nothing that it is linked to can execute beside it."""
    if order.style is not None or not _is_due(state, order):
        return
    beside = _beside(state, order)
    for other in beside:
        if other.is_open and other.pending_cancel is Pending.NONE:
            yield from decide_order(state, other, CancelAsked(by=f"linked to {order.order_id}"), now_ns)
    if any(other.is_open or other.is_in_doubt for other in beside):
        return
    fitting = _fitted(state, order)
    if not fitting.quantity:
        yield events.OrderCanceled(order_id=order.order_id, requested=False, reason="nothing is left to close")
        return
    verdict = judge_release(state, market, fitting, now_ns)
    if isinstance(verdict, Denied):
        yield from _wait(state, order, verdict, now_ns)
        return
    if fitting.quantity != order.quantity:
        yield amended(fitting, "what is left to close")
    yield request_submit(state, order.order_id, verdict.numbers)


def _fitted(state: State, order: Order) -> Order:
    """An exit is no larger than what it can close: its strategy may have closed some of it by itself."""
    if not order.reduce_only:
        return order
    most = state.instruments[order.instrument].round_quantity(reducible(state, order))
    return evolve(order, quantity=min(order.quantity, most))


def _wait(state: State, order: Order, denied: Denied, now_ns: int) -> Iterator[Event]:
    """It is tried again at every input. An order of ours that it would trade with is taken out of its way; what is too
    small to be sent, and won't grow, has come to its end."""
    crossed = state.orders.get(OrderId(denied.numbers.get("order", "")))
    if denied.reason == "self_trade" and crossed is not None and crossed.pending_cancel is Pending.NONE:
        yield from decide_order(state, crossed, CancelAsked(by=f"in the way of {order.order_id}"), now_ns)
    parent = parent_of(state, order)
    if denied.reason in TOO_SMALL and (parent is None or not _may_execute(parent)):
        yield events.OrderCanceled(order_id=order.order_id, requested=False, reason=f"too small: {denied.reason}")
    detail = f"its time has come, and it waits: {denied.reason} {denied.numbers}"
    yield from surprise(state, order.order_id, f"held_{denied.reason}", detail, "", now_ns)


def _is_due(state: State, order: Order) -> bool:
    """Triggered; or a leg whose entry has done what it will, and beside which no twin is at work: one without a
    trigger, or one alone whose trigger the venue keeps."""
    if order.is_triggered:
        return True
    parent = parent_of(state, order)
    if parent is None or _may_execute(parent) or not due_quantity(state, order):
        return False
    twins = twins_of(state, order)
    if order.group is not None and is_linked_at_venue(state, order, *twins):
        return not any(twin.is_triggered and twin.held for twin in twins)
    if any(twin.is_triggered or twin.is_open for twin in twins):
        return False
    return not order.order_type.has_trigger or (order.group is None and _knows(state, order))


def _knows(state: State, order: Order) -> bool:
    description = state.venues[order.venue].description
    return description is not None and is_known(description.capabilities, order)


def _beside(state: State, order: Order) -> list[Order]:
    """What must not execute any more once a triggered order leaves: its twins, and the rest of its entry."""
    if not order.is_triggered:
        return []
    parent = parent_of(state, order)
    return [*twins_of(state, order), *([parent] if parent is not None else [])]
