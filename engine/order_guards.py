"""The conditions in the order tables, by name: what a report and the order it is about have to show."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from attrs import frozen

from engine.inputs import Resolution
from engine.order import (
    INTENT,
    OPEN_SET,
    PENDING_NEW,
    TERMINAL_SET,
    WORKING,
    Execution,
    Order,
    Pending,
)
from engine.state import State, execution_key
from engine.values import EXACT, ZERO, OrderId


@frozen(kw_only=True)
class OperatorResolved:
    """What an operator asserts of an order in doubt: a report like a venue's, with its own evidence."""

    order_id: OrderId
    resolution: Resolution
    by: str
    reason: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    raw: str = ""


@frozen
class Look:
    """What guards and effects look at."""

    state: State
    order: Order
    report: Any
    now_ns: int

    @property
    def execution(self) -> Execution | None:
        """The execution the report is about, where it is booked."""
        key = execution_key(self.order.venue, self.order.instrument, self.report.exec_id)
        return self.state.executions.get(key)

    @property
    def own_execution(self) -> Execution | None:
        """The same, where it is an execution of this order."""
        found = self.execution
        return found if found is not None and found.order_id == self.order.order_id else None

    def filled_with(self, quantity: Decimal) -> Decimal:
        """CumQty(14) once the report's execution counts with this quantity."""
        known = self.own_execution
        counted = known.quantity if known and not known.busted else ZERO
        return EXACT.add(EXACT.subtract(self.order.filled, counted), quantity)


def _is_same(look: Look) -> bool:
    known, trade = look.own_execution, look.report
    return known is not None and (known.quantity, known.price, known.side) == (trade.quantity, trade.price, trade.side)


def _is_corrected_already(look: Look) -> bool:
    known, report = look.own_execution, look.report
    return known is not None and not known.busted and (known.quantity, known.price) == (report.quantity, report.price)


def _vanished_before(look: Look) -> bool:
    """A second proof, from a question that was asked after the first was noted, and no execution is missing."""
    noted_ns = look.state.said.get(f"vanished/{look.order.order_id}")
    return (
        noted_ns is not None
        and min(look.report.asked_ns, look.now_ns) > noted_ns
        and look.order.reported_filled <= look.order.filled
        and _proves_absence(look)
    )


def _proves_absence(look: Look) -> bool:
    """Asked late enough, every question answered in full, all of them in the negative (ORDERS: proof of absence)."""
    description = look.state.venues[look.order.venue].description
    if description is None or not look.state.is_connected(look.order.venue):
        return False
    policy, order = description.absence, look.order
    replaces = order.pending_replace is not Pending.NONE
    since_ns = max(order.requested_ns, order.replace_ns) if replaces else order.requested_ns
    return can_arrive_no_more(look, since_ns) and set(policy.sources) <= set(look.report.sources)


def can_arrive_no_more(look: Look, since_ns: int) -> bool:
    """Was this answered when a request from `since_ns` could not be carried out any more?

    By our clock the absence policy's time had passed when the question left; by the venue's own clock, which is the one
    that judges a request's expiry, it had expired. Ours alone proves nothing: it may have jumped since the request.
    """
    report, description = look.report, look.state.venues[look.order.venue].description
    if description is None or report.asked_ns is None or report.asked_ns < since_ns + description.absence.after_ns:
        return False
    expires_ns = since_ns + look.state.settings.orders.expiry_ns
    return report.answered_ns is None or bool(report.answered_ns > expires_ns)


def _answers_another(look: Look) -> bool:
    """It names a replacement that is neither the outstanding one nor, where none is, the last."""
    named, order = getattr(look.report, "new_client_order_id", None), look.order
    if named is None:
        return False
    if order.replacement is not None:
        return bool(named != order.replacement.client_order_id)
    return bool(order.replacement_ids) and named in order.replacement_ids[:-1]


def _is_replaced_already(look: Look) -> bool:
    """The same answer again: nothing is outstanding, and these terms are in force."""
    order, report = look.order, look.report
    answered = report.new_client_order_id is not None and order.replacement is None
    return answered and (order.quantity, order.price) == (report.quantity, report.price)


def _asked_of_replacement(look: Look) -> Decimal | None:
    """The quantity that an outstanding replacement asks for, where the execution exceeds the one in force."""
    asked = look.order.replacement
    exceeds = asked is not None and look.filled_with(look.report.quantity) > look.order.quantity
    return asked.quantity if asked is not None and exceeds else None


def _fits_replacement(look: Look) -> bool:
    asked = _asked_of_replacement(look)
    return asked is not None and look.filled_with(look.report.quantity) < asked


def _raises_filled(look: Look) -> bool:
    """A replacement was asked for before the order was filled by the books, and the venue has it at more than that."""
    order, named = look.order, getattr(look.report, "new_client_order_id", None)
    is_answer = bool(order.replacement_ids) and named in (None, order.replacement_ids[-1])
    return is_answer and order.closed_as is None and look.report.quantity > order.quantity


def _leaves_rest(look: Look) -> bool:
    """The same, and something is left of it."""
    return _raises_filled(look) and look.report.quantity > look.order.filled


def _answers_rest(look: Look) -> bool:
    """The same from an answer to a question of since then, not from a list, which may be old."""
    asked_ns = look.report.asked_ns
    return _leaves_rest(look) and asked_ns is not None and asked_ns >= look.order.updated_ns


GUARDS: dict[str, Callable[[Look], bool]] = {
    "is_duplicate_id": lambda look: look.report.refusal == "duplicate_id",
    "is_throttled": lambda look: look.report.refusal == "throttled",
    "is_unknown_order": lambda look: look.report.refusal == "unknown_order",
    "has_fills": lambda look: look.order.filled > 0,
    "tells_id": lambda look: look.order.venue_order_id is None and look.report.venue_order_id is not None,
    "is_known": _is_same,
    "contradicts": lambda look: look.execution is not None,
    "overfills": lambda look: look.filled_with(look.report.quantity) > look.order.quantity,
    "completes_replacement": lambda look: _asked_of_replacement(look) == look.filled_with(look.report.quantity),
    "fits_replacement": _fits_replacement,
    "leaves_rest": _leaves_rest,
    "explains_overfill": _raises_filled,
    "answers_rest": _answers_rest,
    "lists_rest": _leaves_rest,
    "completes": lambda look: look.filled_with(look.report.quantity) == look.order.quantity,
    "is_unknown_execution": lambda look: look.own_execution is None,
    "is_corrected_already": _is_corrected_already,
    "completes_corrected": lambda look: look.filled_with(look.report.quantity) >= look.order.quantity,
    "is_busted_already": lambda look: look.own_execution is not None and look.own_execution.busted,
    "leaves_fills": lambda look: look.filled_with(ZERO) > 0,
    "completes_without": lambda look: look.filled_with(ZERO) >= look.order.quantity,
    "was_closed": lambda look: look.order.closed_as is not None,
    "has_fee": lambda look: look.own_execution is not None and look.own_execution.fee is not None,
    "answers_another": _answers_another,
    "is_answered_already": lambda look: look.report.new_client_order_id in look.order.replacement_ids,
    "is_replaced_already": _is_replaced_already,
    "is_filled_by_quantity": lambda look: bool(look.order.filled) and look.report.quantity <= look.order.filled,
    "misses_fills": lambda look: look.report.filled is not None and look.report.filled > look.order.filled,
    "says_canceled": lambda look: look.report.status == "canceled",
    "says_expired": lambda look: look.report.status == "expired",
    "says_rejected_after_fills": lambda look: look.report.status == "rejected" and look.order.filled > 0,
    "says_rejected": lambda look: look.report.status == "rejected",
    "is_triggered_already": lambda look: look.order.is_triggered,
    "proves_absence": _proves_absence,
    "vanished_before": _vanished_before,
    "resolves_void": lambda look: look.report.resolution is Resolution.VOID,
    "resolves_canceled": lambda look: look.report.resolution is Resolution.CANCELED,
    "resolves_filled": lambda look: look.report.resolution is Resolution.FILLED,
    "is_intent": lambda look: look.order.status is INTENT,
    "is_open": lambda look: look.order.status in OPEN_SET,
    "is_working": lambda look: look.order.status in WORKING and look.order.pending_cancel is Pending.NONE,
    "is_terminal": lambda look: look.order.status in TERMINAL_SET,
    "is_released": lambda look: look.order.cancel_held and look.order.status is not PENDING_NEW,
}
