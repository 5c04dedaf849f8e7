"""An order's states, and its three tables as data: its life, an outstanding cancel, an outstanding replacement.

The vocabulary is FIX (OrdStatus(39), ExecType(150)). One enum is not enough: the status says where the order is by the
venue's evidence, the other two which requests are outstanding. Executions are facts in every state. Silence never
closes an order: it leads to IN_DOUBT, and only proof leads out.
"""

from __future__ import annotations

from enum import StrEnum

from engine.tables import SAME, Row, Table


class OrderStatus(StrEnum):
    """OrdStatus(39), with the states that come before the venue knows and after it can't be asked."""

    INTENT = "intent"
    DENIED = "denied"
    PENDING_NEW = "pending_new"
    IN_DOUBT = "in_doubt"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    SUSPENDED = "suspended"
    DONE_FOR_DAY = "done_for_day"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    VOID = "void"


INTENT, DENIED, PENDING_NEW, IN_DOUBT, NEW, PARTIALLY_FILLED, SUSPENDED, DONE_FOR_DAY = list(OrderStatus)[:8]
FILLED, CANCELED, EXPIRED, REJECTED, VOID = list(OrderStatus)[8:]

UNSETTLED = (PENDING_NEW, IN_DOUBT)
ACTIVE = (NEW, PARTIALLY_FILLED)
HALTED = (SUSPENDED, DONE_FOR_DAY)
WORKING = (*ACTIVE, *HALTED)
OPEN = (*UNSETTLED, *WORKING)
CLOSED = (CANCELED, EXPIRED, REJECTED)
CONFIRMED = (FILLED, *CLOSED)
TERMINAL = (DENIED, *CONFIRMED, VOID)
ISSUED = (*OPEN, *CONFIRMED, VOID)

OPEN_SET, TERMINAL_SET, UNSETTLED_SET = frozenset(OPEN), frozenset(TERMINAL), frozenset(UNSETTLED)


class Pending(StrEnum):
    """An outstanding cancel or replace."""

    NONE = "none"
    SENT = "sent"
    IN_DOUBT = "in_doubt"


def _rows(sources: tuple[OrderStatus, ...], report: str, *ways: tuple[str, OrderStatus | None, str]) -> list[Row]:
    return [Row(sources, report, destination, effect, guard) for guard, destination, effect in ways]


LIFE = Table(
    "life",
    OrderStatus,
    INTENT,
    [
        # The verdict and the request: journaled in one commit with the intent.
        *_rows((INTENT,), "risk_denied", ("", DENIED, "deny")),
        *_rows((INTENT,), "submit_requested", ("", PENDING_NEW, "submit")),
        # Held by the engine: a stop that the venue can't keep, an order linked to one that has not executed yet.
        *_rows((INTENT,), "order_held", ("", SAME, "hold")),
        *_rows((INTENT,), "order_amended", ("", SAME, "amend")),
        *_rows((INTENT,), "order_triggered", ("", SAME, "trigger")),
        *_rows((INTENT,), "order_expired", ("", EXPIRED, "expire")),
        # Acknowledged. A second ack, or one that a fill or a halt has overtaken, tells at most the venue's id: it is
        # the reply to the request, not a sign that a halted order works again.
        *_rows(UNSETTLED, "ack", ("", NEW, "accept")),
        *_rows(WORKING, "ack", ("tells_id", SAME, "accept"), ("", SAME, "")),
        *_rows(CONFIRMED, "ack", ("", SAME, "")),
        *_rows((VOID,), "ack", ("", NEW, "accept_revoked")),
        *_rows((PENDING_NEW,), "pending_new_ack", ("", SAME, "")),
        # Refused. "Duplicate id" is evidence that the order exists.
        *_rows((PENDING_NEW,), "rejected", ("is_duplicate_id", IN_DOUBT, "doubt"), ("", REJECTED, "reject")),
        *_rows((IN_DOUBT,), "rejected", ("is_duplicate_id", SAME, "probe"), ("", REJECTED, "reject")),
        *_rows(ACTIVE, "rejected", ("is_duplicate_id", SAME, ""), ("has_fills", CANCELED, "cancel_surprised"),
               ("", REJECTED, "reject")),
        *_rows((REJECTED,), "rejected", ("", SAME, "")),
        *_rows((VOID,), "rejected", ("is_duplicate_id", IN_DOUBT, "doubt_revoked"), ("", REJECTED, "reject")),
        # Executions: facts in every state, booked once.
        *_rows(ISSUED, "trade", ("is_known", SAME, ""), ("contradicts", SAME, "contradict")),
        # More than the old quantity, and no more than a replacement asks for: it is in force, its answer is on the way.
        *_rows(WORKING, "trade", ("completes_replacement", FILLED, "book_replaced"),
               ("fits_replacement", PARTIALLY_FILLED, "book_replaced")),
        *_rows(OPEN, "trade", ("overfills", FILLED, "book_overfill"), ("completes", FILLED, "book"),
               ("", PARTIALLY_FILLED, "book")),
        *_rows(CLOSED, "trade", ("overfills", FILLED, "book_overfill"), ("completes", FILLED, "book_late"),
               ("", SAME, "book_late")),
        *_rows((VOID,), "trade", ("overfills", FILLED, "book_overfill"), ("completes", FILLED, "book_revoked"),
               ("", PARTIALLY_FILLED, "book_revoked")),
        *_rows((FILLED,), "trade", ("", FILLED, "book_overfill")),
        # Corrections: the only reports that may reduce what was executed. An order that had been closed before a late
        # fill completed it falls back to that.
        *_rows(ISSUED, "trade_correct", ("is_corrected_already", SAME, ""),
               ("is_unknown_execution", SAME, "surprise_probe")),
        *_rows(HALTED, "trade_correct", ("completes_corrected", FILLED, "correct"), ("", SAME, "correct")),
        *_rows(ACTIVE, "trade_correct", ("completes_corrected", FILLED, "correct"),
               ("", PARTIALLY_FILLED, "correct")),
        *_rows((FILLED,), "trade_correct", ("completes_corrected", FILLED, "correct"),
               ("was_closed", CANCELED, "correct"), ("", PARTIALLY_FILLED, "correct")),
        *_rows(CLOSED, "trade_correct", ("completes_corrected", FILLED, "correct"), ("", SAME, "correct")),
        *_rows(ISSUED, "trade_cancel", ("is_busted_already", SAME, ""),
               ("is_unknown_execution", SAME, "surprise_probe")),
        *_rows(HALTED, "trade_cancel", ("", SAME, "bust")),
        *_rows(ACTIVE, "trade_cancel", ("leaves_fills", PARTIALLY_FILLED, "bust"), ("", NEW, "bust")),
        *_rows((FILLED,), "trade_cancel", ("completes_without", FILLED, "bust"), ("was_closed", CANCELED, "bust"),
               ("leaves_fills", PARTIALLY_FILLED, "bust"), ("", NEW, "bust")),
        *_rows(CLOSED, "trade_cancel", ("", SAME, "bust")),
        *_rows(ISSUED, "fee_reported", ("is_unknown_execution", SAME, "surprise_probe"), ("has_fee", SAME, ""),
               ("", SAME, "book_fee")),
        # Closed by the venue, asked or not. A cancel that comes after the last fill lost the race.
        # One whose CumQty is ahead of ours waits for the executions: until then the rest counts as exposure.
        *_rows(OPEN, "canceled", ("misses_fills", SAME, "probe"), ("", CANCELED, "cancel")),
        *_rows(CONFIRMED, "canceled", ("misses_fills", SAME, "probe"), ("", SAME, "")),
        *_rows((VOID,), "canceled", ("misses_fills", IN_DOUBT, "doubt_revoked"), ("", CANCELED, "cancel_revoked")),
        *_rows(OPEN, "expired", ("misses_fills", SAME, "probe"), ("", EXPIRED, "expire")),
        *_rows(CONFIRMED, "expired", ("misses_fills", SAME, "probe"), ("", SAME, "")),
        *_rows((VOID,), "expired", ("misses_fills", IN_DOUBT, "doubt_revoked"), ("", EXPIRED, "expire_revoked")),
        # Halted, and back.
        *_rows((*UNSETTLED, *ACTIVE, DONE_FOR_DAY), "suspended", ("", SUSPENDED, "suspend")),
        *_rows((SUSPENDED,), "suspended", ("", SAME, "")),
        *_rows((*UNSETTLED, *ACTIVE, SUSPENDED), "done_for_day", ("", DONE_FOR_DAY, "end_day")),
        *_rows((DONE_FOR_DAY,), "done_for_day", ("", SAME, "")),
        *_rows(UNSETTLED, "restated", ("", SAME, "restate")),
        *_rows(ACTIVE, "restated", ("is_filled_by_quantity", FILLED, "restate"), ("", SAME, "restate")),
        *_rows(HALTED, "restated", ("is_filled_by_quantity", FILLED, "restate"),
               ("has_fills", PARTIALLY_FILLED, "restate"), ("", NEW, "restate")),
        *_rows(UNSETTLED, "triggered", ("", NEW, "accept_triggered")),
        *_rows(ACTIVE, "triggered", ("is_triggered_already", SAME, ""), ("", SAME, "trigger")),
        *_rows(CONFIRMED, "triggered", ("", SAME, "")),
        *_rows(HALTED, "triggered", ("has_fills", PARTIALLY_FILLED, "resume"), ("", NEW, "resume")),
        *_rows(WORKING, "replaced", ("answers_another", SAME, "")),
        *_rows(ACTIVE, "replaced", ("is_replaced_already", SAME, "")),
        *_rows(OPEN, "replaced", ("is_filled_by_quantity", FILLED, "replace"),
               ("has_fills", PARTIALLY_FILLED, "replace"), ("", NEW, "replace")),
        # Fills of all there was, or of more, had overtaken the answer to a replacement that asks for more.
        *_rows((FILLED,), "replaced", ("answers_another", SAME, ""), ("leaves_rest", PARTIALLY_FILLED, "replace"),
               ("explains_overfill", FILLED, "replace"), ("is_replaced_already", SAME, "")),
        # The outcome of the order's own request is unknown. Never sent again under a new id.
        *_rows((PENDING_NEW,), "outcome_unknown_new", ("", IN_DOUBT, "doubt")),
        *_rows((IN_DOUBT, *WORKING, *CONFIRMED, VOID), "outcome_unknown_new", ("", SAME, "")),
        # The venue's list or the answer to a query. Executions come first: a count ahead of ours is a probe.
        *_rows(UNSETTLED, "status_open", ("misses_fills", SAME, "probe"), ("", NEW, "accept")),
        *_rows(ACTIVE, "status_open", ("misses_fills", SAME, "probe"), ("", SAME, "")),
        *_rows(HALTED, "status_open", ("misses_fills", SAME, "probe"), ("has_fills", PARTIALLY_FILLED, "resume"),
               ("", NEW, "resume")),
        *_rows(CONFIRMED, "status_open", ("misses_fills", SAME, "probe")),
        # The same where that answer was lost. A list may be old: it is asked about; a fresh answer is believed.
        *_rows((FILLED,), "status_open", ("answers_rest", PARTIALLY_FILLED, "replace"),
               ("lists_rest", SAME, "ask_rest")),
        *_rows(CONFIRMED, "status_open", ("", SAME, "")),
        *_rows((VOID,), "status_open", ("", NEW, "accept_revoked")),
        *_rows(OPEN, "status_closed", ("misses_fills", SAME, "probe"), ("says_canceled", CANCELED, "cancel"),
               ("says_expired", EXPIRED, "expire"), ("says_rejected_after_fills", CANCELED, "cancel_surprised"),
               ("says_rejected", REJECTED, "reject")),
        *_rows(CONFIRMED, "status_closed", ("misses_fills", SAME, "probe"), ("", SAME, "")),
        *_rows((VOID,), "status_closed", ("misses_fills", IN_DOUBT, "doubt_revoked"),
               ("says_canceled", CANCELED, "cancel_revoked"), ("says_expired", EXPIRED, "expire_revoked"),
               ("says_rejected", REJECTED, "reject")),
        # Not found. Only a complete, late enough, negative answer is proof; a working order needs it twice.
        *_rows((PENDING_NEW,), "not_found", ("", SAME, "")),
        *_rows((IN_DOUBT,), "not_found", ("proves_absence", VOID, "void"), ("", SAME, "")),
        *_rows(WORKING, "not_found", ("vanished_before", CANCELED, "cancel_inferred"),
               ("proves_absence", SAME, "surprise_probe"), ("", SAME, "")),
        *_rows((*CONFIRMED, VOID), "not_found", ("", SAME, "")),
        # By hand.
        *_rows((IN_DOUBT,), "operator_resolved", ("resolves_void", VOID, "resolve"),
               ("resolves_canceled", CANCELED, "resolve"), ("resolves_filled", FILLED, "resolve")),
    ],
)  # fmt: skip

_NONE, _SENT, _DOUBT = Pending
_OUTSTANDING = (_SENT, _DOUBT)

CANCEL = Table(
    "cancel",
    Pending,
    _NONE,
    [
        Row((_NONE,), "cancel_requested", SAME, "cancel_held", "is_intent"),
        Row((_NONE, _DOUBT), "cancel_requested", _SENT, "request_cancel", "is_open"),
        Row((_SENT,), "cancel_requested", SAME, "request_cancel", "is_released"),
        Row((_SENT,), "cancel_requested", SAME),
        Row((_NONE,), "cancel_requested", SAME, "", "is_terminal"),
        Row((_NONE, *_OUTSTANDING), "cancel_acked", SAME, "accept_cancel", "is_open"),
        Row((_NONE,), "cancel_acked", SAME, "", "is_terminal"),
        Row(_OUTSTANDING, "cancel_rejected", _DOUBT, "refuse_cancel", "is_unknown_order"),
        Row(_OUTSTANDING, "cancel_rejected", _DOUBT, "refuse_cancel", "is_throttled"),
        Row(_OUTSTANDING, "cancel_rejected", _NONE, "refuse_cancel"),
        Row((_NONE,), "cancel_rejected", SAME, "", "is_terminal"),
        Row((_SENT,), "outcome_unknown_cancel", _DOUBT, "doubt"),
        Row((_NONE, _DOUBT), "outcome_unknown_cancel", SAME),
        Row((_DOUBT,), "cancel_not_effective", _SENT, "request_cancel"),
    ],
)
"""An outstanding cancel; whatever closes the order clears it. One in doubt that could no longer take effect
(`cancel_not_effective`: still open after the request's expiry) is sent again: a second does nothing more. So is one
that the venue did not take because too much was asked."""

REPLACE = Table(
    "replace",
    Pending,
    _NONE,
    [
        Row((_NONE,), "replace_requested", _SENT, "request_replace", "is_working"),
        Row((_NONE,), "replace_acked", SAME, "", "is_answered_already"),
        Row(_OUTSTANDING, "replace_acked", SAME, "", "answers_another"),
        Row(_OUTSTANDING, "replace_acked", SAME, "accept_replace"),
        Row((_NONE,), "replace_acked", SAME, "", "is_terminal"),
        Row((_NONE,), "replace_rejected", SAME, "", "is_answered_already"),
        Row(_OUTSTANDING, "replace_rejected", SAME, "", "answers_another"),
        Row(_OUTSTANDING, "replace_rejected", _NONE, "refuse_replace"),
        Row((_NONE,), "replace_rejected", SAME, "", "is_terminal"),
        Row((_SENT,), "outcome_unknown_replace", SAME, "", "answers_another"),
        Row((_SENT,), "outcome_unknown_replace", _DOUBT, "doubt"),
        Row((_NONE, _DOUBT), "outcome_unknown_replace", SAME),
        Row((_DOUBT,), "replace_not_effective", _NONE, "refuse_replace"),
    ],
)
"""An outstanding replacement; `Replaced` itself is a row of LIFE. In doubt it is settled by what a query shows after
the request's expiry: the new terms (then it is replaced) or the old ones (`replace_not_effective`). A late answer to an
earlier request says nothing of the one that is outstanding."""
