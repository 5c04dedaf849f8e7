"""The fold: `apply(state, recorded)`, the only function that changes State, and the digest of what it made.

It asserts: an illegal event is our own bug and stops the process.
"""

from __future__ import annotations

from engine import intent_booking, order_booking, system_booking  # noqa: F401 (imported so that they register)
from engine.appliers import APPLIERS
from engine.events import Event
from engine.order import IllegalEvent
from engine.state import Recorded, State
from engine.values import OrderId

FOLD_VERSION = 1


def apply(state: State, recorded: Recorded) -> State:
    """Book one event: changes `state` in place and returns it.

    Raises `IllegalEvent` for an event that the tables do not allow, or one that was applied before: our own bug.
    """
    if recorded.seq != state.seq + 1:
        raise IllegalEvent(f"seq {recorded.seq} does not follow {state.seq}")
    APPLIERS[type(recorded.event)](state, recorded, recorded.event)
    state.seq = recorded.seq
    state.at_ns = recorded.at_ns
    return state


def cause_of(state: State, event: Event) -> int | None:
    """The seq that led to an event about an order: its intent, or the request it answers."""
    order = state.orders.get(getattr(event, "order_id", OrderId("")))
    if order is None:
        return None
    kind = event.kind
    if kind.startswith("Cancel") or kind == "OrderCanceled":
        return order.cancel_seq or order.requested_seq or order.intended_seq or None
    if "Replace" in kind:
        return order.replace_seq or order.requested_seq or None
    return order.requested_seq or order.intended_seq or None
