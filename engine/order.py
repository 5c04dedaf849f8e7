"""An order as a value, and what each event may do to it.

`status` says where it is by the venue's evidence, `pending_cancel` and `pending_replace` which requests are
outstanding, `evidence` how it is known. The tables are in `order_tables.py`; their names are imported from here.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from attrs import frozen

from engine.capabilities import TrailBy
from engine.instructions import Role, Work
from engine.order_tables import (  # noqa: F401 (this is where they are imported from)
    ACTIVE,
    CANCEL,
    CANCELED,
    CLOSED,
    CONFIRMED,
    DENIED,
    DONE_FOR_DAY,
    EXPIRED,
    FILLED,
    HALTED,
    IN_DOUBT,
    INTENT,
    ISSUED,
    LIFE,
    NEW,
    OPEN,
    OPEN_SET,
    PARTIALLY_FILLED,
    PENDING_NEW,
    REJECTED,
    REPLACE,
    SUSPENDED,
    TERMINAL,
    TERMINAL_SET,
    UNSETTLED,
    UNSETTLED_SET,
    VOID,
    WORKING,
    OrderStatus,
    Pending,
)
from engine.tables import Table
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


CROSSES, GAVE_UP = "crosses", "gave_up"
"""What a style may end with: its rest is crossed with a market order, or given up."""

DIGESTED = "_digested"
"""Where a value keeps its part of the state's digest, beside its fields."""


@frozen(kw_only=True)
class Replacement:
    """The terms asked for by an outstanding replacement."""

    client_order_id: ClientOrderId
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None = None


@frozen(kw_only=True, slots=False)
class Order:
    """An order as the journal knows it. `notional` is Σ quantity x price over its executions; times are `*_ns`.

    `worst_price` bounds a market order with `max_slippage`, and a worked one. `held` says why the engine keeps an
    order to itself, or kept it until it triggered, and is empty where it does not. Linked orders share a `group`;
    `parent` is the order whose executions make it live.
    """

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
    strategy_hash: str = ""
    post_only: bool = False
    client_order_id: ClientOrderId | None = None
    venue_order_id: VenueOrderId | None = None
    status: OrderStatus = INTENT
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    reported_filled: Decimal = ZERO
    pending_cancel: Pending = Pending.NONE
    cancel_held: bool = False
    pending_replace: Pending = Pending.NONE
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
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    trail_fraction: Decimal | None = None
    good_till_ns: int | None = None
    reduce_only: bool = False
    max_slippage: Decimal | None = None
    worst_price: Decimal | None = None
    style: Work | None = None
    style_outcome: str = ""
    parent: OrderId | None = None
    group: OrderId | None = None
    role: Role = Role.PLAIN
    held: str = ""
    is_triggered: bool = False

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
    def sent_type(self) -> OrderType:
        """OrdType(40) at the venue: what the engine held until it was triggered leaves as a plain order, and a market
        order with a bound as a limit order at that."""
        kind = self.order_type.triggered if self.is_triggered and self.held else self.order_type
        return OrderType.LIMIT if kind is OrderType.MARKET and self.worst_price is not None else kind

    @property
    def sent_price(self) -> Decimal | None:
        """The limit price at the venue."""
        return self.worst_price if self.price is None and self.sent_type is OrderType.LIMIT else self.price

    @property
    def trails_by(self) -> TrailBy | None:
        """How a trailing stop follows the market."""
        if self.trail is not None:
            return TrailBy.PRICE
        return None if self.trail_fraction is None else TrailBy.FRACTION

    def trail_at(self, price: Decimal) -> Decimal | None:
        """The distance at which it follows a market that stands at a price."""
        if self.trail is None and self.trail_fraction is not None:
            return EXACT.multiply(self.trail_fraction, price)
        return self.trail

    @property
    def average_price(self) -> Decimal | None:
        """AvgPx(6)."""
        return divide(self.notional, self.filled) if self.filled else None


@frozen(kw_only=True, slots=False)
class Execution:
    """One execution as it stands now (after corrections). (It has no slots so that its part of the digest fits in.)"""

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
    "OrderAccepted": frozenset({"accept", "accept_revoked", "accept_triggered"}),
    "OrderRejected": frozenset({"reject"}),
    "OrderCanceled": frozenset({"cancel", "cancel_revoked", "cancel_surprised", "cancel_inferred", "cancel_held"}),
    "OrderExpired": frozenset({"expire", "expire_revoked"}),
    "FillBooked": frozenset({"book", "book_late", "book_overfill", "book_replaced", "book_revoked"}),
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
    "OrderHeld": frozenset({"hold"}),
    "OrderAmended": frozenset({"amend"}),
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
    copy.__dict__.pop(DIGESTED, None)
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
