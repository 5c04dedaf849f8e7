"""An order: its three state tables as data, its value, and what each event does to it.

The vocabulary is FIX (OrdStatus(39), ExecType(150)). One enum is not enough: `status` says where the order is by the
venue's evidence, `pending_cancel` and `pending_replace` which requests are outstanding, `evidence` how it is known.
Executions are facts in every state. Silence never closes an order: it leads to IN_DOUBT, and only proof leads out.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from attrs import frozen

from engine.tables import SAME, Row, Table
from engine.values import (
    EXACT,
    ZERO,
    Asset,
    ClientOrderId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    VenueName,
    VenueOrderId,
    divide,
    plain,
)


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


class Origin(StrEnum):
    """Whose order it is: ours, somebody else's, or of our form but unknown to this journal."""

    OURS = "ours"
    EXTERNAL = "external"
    ADOPTED = "adopted"


class Evidence(StrEnum):
    """How the status is known."""

    CONFIRMED = "confirmed"
    INFERRED = "inferred"
    OPERATOR = "operator"


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
        # Acknowledged. A second ack, or one after a fill, tells at most the venue's id.
        *_rows(UNSETTLED, "ack", ("", NEW, "accept")),
        *_rows(WORKING[:2], "ack", ("tells_id", SAME, "accept"), ("", SAME, "")),
        *_rows(HALTED, "ack", ("has_fills", PARTIALLY_FILLED, "resume"), ("", NEW, "resume")),
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
        *_rows(ACTIVE, "triggered", ("", SAME, "trigger")),
        *_rows(HALTED, "triggered", ("has_fills", PARTIALLY_FILLED, "resume"), ("", NEW, "resume")),
        *_rows(OPEN, "replaced", ("is_filled_by_quantity", FILLED, "replace"),
               ("has_fills", PARTIALLY_FILLED, "replace"), ("", NEW, "replace")),
        # The outcome of the order's own request is unknown. Never sent again under a new id.
        *_rows((PENDING_NEW,), "outcome_unknown_new", ("", IN_DOUBT, "doubt")),
        *_rows((IN_DOUBT, *WORKING, *CONFIRMED, VOID), "outcome_unknown_new", ("", SAME, "")),
        # The venue's list or the answer to a query. Executions come first: a count ahead of ours is a probe.
        *_rows(UNSETTLED, "status_open", ("misses_fills", SAME, "probe"), ("", NEW, "accept")),
        *_rows(ACTIVE, "status_open", ("misses_fills", SAME, "probe"), ("", SAME, "")),
        *_rows(HALTED, "status_open", ("misses_fills", SAME, "probe"), ("has_fills", PARTIALLY_FILLED, "resume"),
               ("", NEW, "resume")),
        *_rows(CONFIRMED, "status_open", ("misses_fills", SAME, "probe"), ("", SAME, "")),
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
        Row(_OUTSTANDING, "cancel_rejected", _NONE, "refuse_cancel"),
        Row((_NONE,), "cancel_rejected", SAME, "", "is_terminal"),
        Row((_SENT,), "outcome_unknown_cancel", _DOUBT, "doubt"),
        Row((_NONE, _DOUBT), "outcome_unknown_cancel", SAME),
        Row((_DOUBT,), "cancel_not_effective", _SENT, "request_cancel"),
    ],
)
"""An outstanding cancel. A terminal order has none: whatever closes it clears this. A cancel in doubt that could no
longer take effect (`cancel_not_effective`: the order is still open after the request's expiry) is sent again: a second
cancel does nothing that the first would not have done."""

REPLACE = Table(
    "replace",
    Pending,
    _NONE,
    [
        Row((_NONE,), "replace_requested", _SENT, "request_replace", "is_working"),
        Row(_OUTSTANDING, "replace_acked", SAME, "accept_replace"),
        Row((_NONE,), "replace_acked", SAME, "", "is_terminal"),
        Row(_OUTSTANDING, "replace_rejected", _NONE, "refuse_replace"),
        Row((_NONE,), "replace_rejected", SAME, "", "is_terminal"),
        Row((_SENT,), "outcome_unknown_replace", _DOUBT, "doubt"),
        Row((_NONE, _DOUBT), "outcome_unknown_replace", SAME),
        Row((_DOUBT,), "replace_not_effective", _NONE, "refuse_replace"),
    ],
)
"""An outstanding replacement; `Replaced` itself is a row of LIFE. In doubt it is settled by what a query shows after
the request's expiry: the new terms (then it is replaced) or the old ones (`replace_not_effective`)."""


@frozen(kw_only=True)
class Replacement:
    """The terms asked for by an outstanding replacement."""

    client_order_id: ClientOrderId
    quantity: Decimal
    price: Decimal | None


@frozen(kw_only=True, slots=False)
class Order:
    """An order as the journal knows it. `notional` is Σ quantity x price over its executions; times are `*_ns`."""

    order_id: OrderId
    strategy: StrategyName
    instrument: InstrumentName
    venue: VenueName
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    created_ns: int
    updated_ns: int
    strategy_version: str = ""
    post_only: bool = False
    client_order_id: ClientOrderId | None = None
    venue_order_id: VenueOrderId | None = None
    status: OrderStatus = INTENT
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    reported_filled: Decimal = ZERO
    pending_cancel: Pending = _NONE
    cancel_held: bool = False
    pending_replace: Pending = _NONE
    replacement: Replacement | None = None
    replacement_ids: tuple[ClientOrderId, ...] = ()
    origin: Origin = Origin.OURS
    evidence: Evidence = Evidence.CONFIRMED
    closed_as: OrderStatus | None = None
    anomalies: int = 0
    key: str | None = None
    reason: str = ""
    intended_seq: int = 0
    requested_seq: int = 0
    requested_ns: int = 0
    cancel_seq: int = 0
    cancel_ns: int = 0
    replace_seq: int = 0
    replace_ns: int = 0
    queries: int = 0
    queried_ns: int = 0

    @property
    def is_open(self) -> bool:
        """May it still trade, as far as is known?"""
        return self.status in OPEN_SET

    @property
    def is_unsettled(self) -> bool:
        """Is the outcome of its own request not known yet?"""
        return self.status in UNSETTLED_SET

    @property
    def is_in_doubt(self) -> bool:
        """Is anything about it unknown: its own request, a cancel, a replacement, or an execution not seen yet?"""
        return self.status is IN_DOUBT or (
            self.is_open and (Pending.IN_DOUBT in (self.pending_cancel, self.pending_replace))
        ) or self.reported_filled > self.filled  # fmt: skip

    @property
    def leaves(self) -> Decimal:
        """LeavesQty(151): what may still execute."""
        return max(plain(self.quantity - self.filled), ZERO) if self.is_open else ZERO

    @property
    def exposure(self) -> Decimal:
        """The most that may still execute at the venue, beyond what is booked: in doubt counts at its worst."""
        asked = self.replacement.quantity if self.replacement and self.is_open else self.quantity
        most = max(self.quantity, asked) if self.is_open else self.filled
        return max(EXACT.subtract(max(most, self.reported_filled), self.filled), ZERO)

    @property
    def average_price(self) -> Decimal | None:
        """AvgPx(6)."""
        return divide(self.notional, self.filled) if self.filled else None


@frozen(kw_only=True)
class Execution:
    """One execution as it stands now (after corrections)."""

    order_id: OrderId
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal | None
    fee_asset: Asset | None
    seq: int
    busted: bool = False


class IllegalEvent(Exception):
    """An event that the order's table does not allow: our own bug. The process stops; the journal is as it was."""


_LEGAL: dict[str, frozenset[str]] = {
    "OrderAccepted": frozenset({"accept", "accept_revoked"}),
    "OrderRejected": frozenset({"reject"}),
    "OrderCanceled": frozenset({"cancel", "cancel_revoked", "cancel_surprised", "cancel_inferred", "cancel_held"}),
    "OrderExpired": frozenset({"expire", "expire_revoked"}),
    "FillBooked": frozenset({"book", "book_late", "book_overfill", "book_revoked"}),
    "FillCorrected": frozenset({"correct"}),
    "FillBusted": frozenset({"bust"}),
    "OrderVoided": frozenset({"void"}),
    "OrderReplaced": frozenset({"replace"}),
    "OrderRestated": frozenset({"restate", "resume"}),
    "OrderSuspended": frozenset({"suspend"}),
    "OrderDoneForDay": frozenset({"end_day"}),
    "OrderResolved": frozenset({"resolve"}),
    "OrderDenied": frozenset({"deny"}),
    "SubmitRequested": frozenset({"submit"}),
    "OrderTriggered": frozenset({"trigger"}),
}


def _legal_moves() -> frozenset[tuple[str, str, str]]:
    """(source, kind of event, destination) as the life table allows them."""
    moves: set[tuple[str, str, str]] = {(INTENT, "OrderCanceled", CANCELED)}
    for (source, _report), cells in LIFE.cells.items():
        for cell in cells:
            moves |= {(source, kind, cell.destination) for kind, effects in _LEGAL.items() if cell.effect in effects}
    for source in (PENDING_NEW, VOID):
        moves.add((source, "OutcomeUnknown", IN_DOUBT))
    moves.add((PARTIALLY_FILLED, "OrderResolved", FILLED))  # an operator's fill of a part, and no more to come
    return frozenset(moves)


LEGAL_MOVES = _legal_moves()

_OVERLAYS: dict[str, tuple[Table, str]] = {
    "CancelRequested": (CANCEL, "request_cancel"),
    "CancelAccepted": (CANCEL, "accept_cancel"),
    "CancelRefused": (CANCEL, "refuse_cancel"),
    "OutcomeUnknown cancel": (CANCEL, "doubt"),
    "ReplaceRequested": (REPLACE, "request_replace"),
    "ReplaceAccepted": (REPLACE, "accept_replace"),
    "ReplaceRefused": (REPLACE, "refuse_replace"),
    "OutcomeUnknown replace": (REPLACE, "doubt"),
}
LEGAL_OVERLAYS = frozenset(
    (kind, source, cell.destination)
    for kind, (table, effect) in _OVERLAYS.items()
    for (source, _report), cells in table.cells.items()
    for cell in cells
    if cell.effect == effect
)


def revised(order: Order, **changes: Any) -> Order:
    """The order with some fields changed: `attrs.evolve` at a tenth of its cost, which every event about an order pays.

    Nothing validates or converts an order's fields, so nothing is left out. (It is why Order has no slots.)
    """
    copy = object.__new__(Order)
    copy.__dict__.update(order.__dict__)
    copy.__dict__.update(changes)
    return copy


def moved(order: Order, kind: str, destination: OrderStatus, at_ns: int, **changes: Any) -> Order:
    """The order after an event; raises `IllegalEvent` where the table has no such move."""
    if (order.status, kind, destination) not in LEGAL_MOVES:
        raise IllegalEvent(f"{kind} can't take order {order.order_id} from {order.status} to {destination}")
    if order.status is VOID:
        changes.setdefault("closed_as", None)  # it had not been closed, it had been believed absent
    if destination in TERMINAL_SET:
        changes = {
            "pending_cancel": Pending.NONE,
            "cancel_held": False,
            "pending_replace": Pending.NONE,
            "replacement": None,
            **changes,
        }
    return revised(order, status=destination, updated_ns=at_ns, **changes)


def overlaid(order: Order, kind: str, destination: Pending, at_ns: int, **changes: Any) -> Order:
    """The order after an event about its cancel or its replacement; raises `IllegalEvent` where the table has no such
    move. Only an open order has either, only a working one is replaced."""
    name = "pending_cancel" if _OVERLAYS[kind][0] is CANCEL else "pending_replace"
    is_open = order.status in (WORKING if kind == "ReplaceRequested" else OPEN)
    if not is_open or (kind, getattr(order, name), destination) not in LEGAL_OVERLAYS:
        raise IllegalEvent(f"{kind} can't take {name} of order {order.order_id} ({order.status}) to {destination}")
    return revised(order, updated_ns=at_ns, **{name: destination}, **changes)


def working_status(filled: Decimal) -> OrderStatus:
    """NEW, or PARTIALLY_FILLED once something has been executed."""
    return PARTIALLY_FILLED if filled else NEW


def status_after_fills(order: Order, filled: Decimal) -> OrderStatus:
    """Where a correction or a bust leads, from the quantities alone; an execution wakes a halted order besides."""
    if filled >= order.quantity:
        return FILLED
    if order.status in (*CLOSED, *HALTED):
        return order.status
    if order.status is FILLED and order.closed_as is not None:
        return CANCELED
    return working_status(filled)
