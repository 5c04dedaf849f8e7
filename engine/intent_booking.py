"""What becomes of an intent: journaled, denied, held by the engine, or requested of a venue."""

from __future__ import annotations

from attrs import evolve

from engine import events
from engine.appliers import applies
from engine.order import DENIED, INTENT, PENDING_NEW, IllegalEvent, Order, moved, revised
from engine.order_keeping import link, put, tell, within_a_minute
from engine.recent import remember
from engine.state import Recorded, State, intent_fingerprint
from engine.values import VenueName

INTENTS_REMEMBERED = 1_000
"""Intents that the duplicate guard compares with; the oldest go first."""


@applies(events.OrderIntended)
def _intend(state: State, at: Recorded, event: events.OrderIntended) -> None:
    if event.order_id in state.orders:
        raise IllegalEvent(f"order {event.order_id} exists")
    order = Order(
        order_id=event.order_id, strategy=event.strategy, strategy_version=event.strategy_version,
        instrument=event.instrument, venue=event.venue, side=event.side, order_type=event.order_type,
        time_in_force=event.time_in_force, post_only=event.post_only, quantity=event.quantity, price=event.price,
        key=event.key, created_ns=at.at_ns, updated_ns=at.at_ns, intended_seq=at.seq, stop_price=event.stop_price,
        trail=event.trail, trail_fraction=event.trail_fraction, good_till_ns=event.good_till_ns,
        reduce_only=event.reduce_only, max_slippage=event.max_slippage, worst_price=event.worst_price,
        style=event.style, parent=event.parent, group=event.group, role=event.role, strategy_hash=event.strategy_hash,
    )  # fmt: skip
    put(state, order)
    link(state, order)
    if event.key is not None:
        state.keys[f"{event.strategy}/{event.key}"] = event.order_id


@applies(events.OrderDenied)
def _deny(state: State, at: Recorded, event: events.OrderDenied) -> None:
    order = moved(state.orders[event.order_id], event.kind, DENIED, at.at_ns, reason=event.reason)
    put(state, order)
    tell(state, order, at)
    state.said[f"denied/{order.strategy}/{order.instrument}/{event.reason}"] = at.at_ns


@applies(events.OrderHeld)
def _hold(state: State, at: Recorded, event: events.OrderHeld) -> None:
    order = moved(state.orders[event.order_id], event.kind, INTENT, at.at_ns, held=event.why)
    put(state, order)
    tell(state, order, at)


@applies(events.OrderAmended)
def _amend(state: State, at: Recorded, event: events.OrderAmended) -> None:
    order = state.orders[event.order_id]
    terms = {"quantity": event.quantity, "price": event.price, "stop_price": event.stop_price}
    put(state, moved(order, event.kind, INTENT, at.at_ns, **terms))


@applies(events.OrderTriggered)
def _trigger(state: State, at: Recorded, event: events.OrderTriggered) -> None:
    order = state.orders[event.order_id]
    worst_price = event.worst_price if order.held else order.worst_price
    order = moved(order, event.kind, order.status, at.at_ns, is_triggered=True, worst_price=worst_price)
    put(state, order)
    tell(state, order, at)


@applies(events.StyleEnded)
def _end_style(state: State, at: Recorded, event: events.StyleEnded) -> None:
    put(state, revised(state.orders[event.order_id], style_outcome=event.outcome, updated_ns=at.at_ns))


@applies(events.SubmitRequested)
def _submit(state: State, at: Recorded, event: events.SubmitRequested) -> None:
    before = state.orders[event.order_id]
    order = moved(
        before, event.kind, PENDING_NEW, at.at_ns, client_order_id=event.client_order_id, requested_seq=at.seq,
        requested_ns=at.at_ns, held=before.held if before.is_triggered else "",
    )  # fmt: skip
    put(state, order)
    state.by_client_id[event.client_order_id] = event.order_id
    if order.style is not None:
        state.styled_ns[order.instrument] = at.at_ns
    state.submitted_ns = within_a_minute(state.submitted_ns, at.at_ns)
    remember(state, "request", order, at.at_ns)
    state.last_intent[intent_fingerprint(order)] = at.at_ns
    if len(state.last_intent) > INTENTS_REMEMBERED:
        del state.last_intent[next(iter(state.last_intent))]
    _set_open_orders_unseen(state, order.venue)


def _set_open_orders_unseen(state: State, venue: VenueName) -> None:
    """What a venue showed before a new request is no proof that nothing is open there."""
    if state.venues[venue].open_orders_seen is not None:
        state.venues[venue] = evolve(state.venues[venue], open_orders_seen=None)
