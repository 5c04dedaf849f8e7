"""Reports about orders and accounts, in FIX words: what a venue says, before it means anything.

Reports name an order by our client order id where the venue told it, else by the venue's own id; `raw` is the venue's
text, redacted and bounded by the adapter. `decide` looks them up in the state tables and makes events.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from attrs import frozen

from engine.capabilities import Source
from engine.values import (
    Asset,
    ClientOrderId,
    ExecId,
    InstrumentName,
    Liquidity,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    VenueOrderId,
)

RAW_LIMIT_BYTES = 16 * 1024
RAW_HEAD_BYTES = 4 * 1024


@frozen(kw_only=True)
class Report:
    """What every report about an order carries."""

    venue: VenueName
    instrument: InstrumentName | None = None
    client_order_id: ClientOrderId | None = None
    venue_order_id: VenueOrderId | None = None
    transact_ns: int | None = None
    raw: str = ""


@frozen(kw_only=True)
class Ack(Report):
    """ExecType(150)=New."""


@frozen(kw_only=True)
class PendingNewAck(Report):
    """ExecType(150)=PendingNew: received, not yet accepted."""


class Refusal(StrEnum):
    """Why a venue refused, as far as it changes what we may conclude."""

    DEFINITIVE = "definitive"
    DUPLICATE_ID = "duplicate_id"
    TOO_LATE = "too_late"
    UNKNOWN_ORDER = "unknown_order"
    POLICY = "policy"
    """The account or the key may not do this: no fault of the order."""
    THROTTLED = "throttled"
    """Surely not carried out, because too much was asked: the same may be asked again later."""


@frozen(kw_only=True)
class Rejected(Report):
    """ExecType(150)=Rejected. `DUPLICATE_ID` is evidence that the order exists, not that it was refused."""

    refusal: Refusal = Refusal.DEFINITIVE
    reason: str = ""


@frozen(kw_only=True)
class Trade(Report):
    """ExecType(150)=Trade: one execution of our order, a fact in every state."""

    exec_id: ExecId
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal | None = None
    fee_asset: Asset | None = None
    liquidity: Liquidity = Liquidity.UNKNOWN


@frozen(kw_only=True)
class TradeCorrect(Report):
    """ExecType(150)=TradeCorrect: `exec_id` now has this quantity and price."""

    exec_id: ExecId
    quantity: Decimal
    price: Decimal


@frozen(kw_only=True)
class TradeCancel(Report):
    """ExecType(150)=TradeCancel: `exec_id` is busted."""

    exec_id: ExecId


@frozen(kw_only=True)
class FeeReported(Report):
    """A fee that came after its execution."""

    exec_id: ExecId
    fee: Decimal
    fee_asset: Asset


@frozen(kw_only=True)
class CancelAcked(Report):
    """ExecType(150)=PendingCancel: the cancel was received; the order may still trade."""


@frozen(kw_only=True)
class Canceled(Report):
    """ExecType(150)=Canceled, solicited or not. `filled` is CumQty(14) where the venue tells it."""

    reason: str = ""
    filled: Decimal | None = None


@frozen(kw_only=True)
class CancelRejected(Report):
    """MsgType(35)=9 with CxlRejResponseTo(434)=1. The truth comes from executions and status, not from it."""

    refusal: Refusal = Refusal.TOO_LATE
    reason: str = ""


@frozen(kw_only=True)
class ReplaceAcked(Report):
    """ExecType(150)=PendingReplace. `new_client_order_id` names the request that is answered, where it is known."""

    new_client_order_id: ClientOrderId | None = None


@frozen(kw_only=True)
class Replaced(Report):
    """ExecType(150)=Replaced: quantity and price are in force. `client_order_id` names the order as it was asked,
    `new_client_order_id` the request that replaced it."""

    quantity: Decimal
    price: Decimal | None
    new_client_order_id: ClientOrderId | None = None
    keeps_priority: bool | None = None


@frozen(kw_only=True)
class ReplaceRejected(Report):
    """MsgType(35)=9 with CxlRejResponseTo(434)=2. `new_client_order_id` names the request that is answered, where it is
    known: a refusal that comes late must not be taken for the answer to a newer request."""

    refusal: Refusal = Refusal.TOO_LATE
    reason: str = ""
    new_client_order_id: ClientOrderId | None = None


@frozen(kw_only=True)
class Expired(Report):
    """ExecType(150)=Expired: the end of its time in force. `filled` is CumQty(14) where the venue tells it."""

    filled: Decimal | None = None


@frozen(kw_only=True)
class DoneForDay(Report):
    """ExecType(150)=DoneForDay."""


@frozen(kw_only=True)
class Suspended(Report):
    """ExecType(150)=Suspended."""


@frozen(kw_only=True)
class Restated(Report):
    """ExecType(150)=Restated: the venue changed the order's quantity by itself."""

    quantity: Decimal


@frozen(kw_only=True)
class Triggered(Report):
    """ExecType(150)=TriggeredOrActivated."""


class RequestKind(StrEnum):
    """Which outstanding request of an order an outcome is about."""

    NEW = "new"
    CANCEL = "cancel"
    REPLACE = "replace"


@frozen(kw_only=True)
class OutcomeUnknown(Report):
    """A request left, or may have left, and its reply is lost: timeout, disconnect, server error, restart.

    `new_client_order_id` names the replacement that it is about, where it is known."""

    request: RequestKind
    cause: str
    new_client_order_id: ClientOrderId | None = None


class VenueStatus(StrEnum):
    """OrdStatus(39) as a venue's order list or query tells it."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    DONE_FOR_DAY = "done_for_day"

    @property
    def is_open(self) -> bool:
        """May the order still trade, now or later?"""
        return self in _OPEN_AT_VENUE


_OPEN_AT_VENUE = frozenset(
    {VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED, VenueStatus.SUSPENDED, VenueStatus.DONE_FOR_DAY}
)


@frozen(kw_only=True)
class StatusReport(Report):
    """ExecType(150)=OrderStatus: a row of the venue's order list, or the answer to a query. `filled` is CumQty(14).

    `asked_ns` is when the query left, by our clock, `answered_ns` when it was answered, by the venue's; None in a list,
    which may be older than it says and proves nothing by what it does not show.
    """

    status: VenueStatus
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    filled: Decimal
    price: Decimal | None = None
    asked_ns: int | None = None
    answered_ns: int | None = None


@frozen(kw_only=True)
class NotFound(Report):
    """A successful, complete answer that does not know the order. A failed query is not a NotFound.

    `asked_ns` is when the question left, by our clock, `answered_ns` when it was answered, by the venue's, where it
    says so; `sources` are the questions that were answered in full and in the negative.
    """

    asked_ns: int
    sources: tuple[Source, ...]
    answered_ns: int | None = None


@frozen(kw_only=True)
class QueryFailed(Report):
    """The question about an order got no usable answer; it proves nothing."""

    cause: str


OrderReport = (
    Ack | PendingNewAck | Rejected | Trade | TradeCorrect | TradeCancel | FeeReported | CancelAcked | Canceled
    | CancelRejected | ReplaceAcked | Replaced | ReplaceRejected | Expired | DoneForDay | Suspended | Restated
    | Triggered | OutcomeUnknown | StatusReport | NotFound | QueryFailed
)  # fmt: skip


# --- snapshots --------------------------------------------------------------------------------------------------


class Section(StrEnum):
    """A part of a snapshot; what is not complete is not believed. Only an account with contracts has positions."""

    OPEN_ORDERS = "open_orders"
    EXECUTIONS = "executions"
    BALANCES = "balances"
    POSITIONS = "positions"


@frozen
class Balance:
    """Free and locked amounts of an asset at the venue."""

    asset: Asset
    free: Decimal
    locked: Decimal


@frozen
class VenuePosition:
    """An account's position in a contract as the venue shows it; what is None it does not tell.

    `unrealized` is the result that the venue computes for it at its `mark_price`, in the contract's settlement asset.
    """

    instrument: InstrumentName
    quantity: Decimal
    average_price: Decimal | None = None
    mark_price: Decimal | None = None
    unrealized: Decimal | None = None
    liquidation_price: Decimal | None = None


@frozen
class AccountMargin:
    """What an account with contracts has in an asset: `equity` with open results, and of it what must be kept
    (`maintenance`) and what open positions and orders set aside (`initial`)."""

    asset: Asset
    equity: Decimal
    maintenance: Decimal
    initial: Decimal | None = None


@frozen(kw_only=True)
class FundingReported:
    """A payment for holding a contract: `amount` above zero was received, below zero paid, once per `funding_id`."""

    venue: VenueName
    instrument: InstrumentName
    funding_id: str
    asset: Asset
    amount: Decimal
    transact_ns: int
    raw: str = ""


@frozen(kw_only=True)
class Snapshot:
    """The venue's answer to `TakeSnapshot`, asked when the journal stood at `asked_seq`.

    It says nothing about what was requested after `asked_seq`. `executions` and `fundings` are those since the
    request's `since_ns`; `complete` names the sections that were read to their end (fundings belong to executions).
    """

    venue: VenueName
    asked_seq: int
    asked_ns: int
    taken_ns: int
    complete: tuple[Section, ...]
    open_orders: tuple[StatusReport, ...] = ()
    executions: tuple[Trade, ...] = ()
    balances: tuple[Balance, ...] = ()
    positions: tuple[VenuePosition, ...] = ()
    fundings: tuple[FundingReported, ...] = ()
    margin: AccountMargin | None = None


@frozen(kw_only=True)
class SnapshotFailed:
    """The snapshot could not be taken; the venue stays in reconciling and is asked again."""

    venue: VenueName
    asked_seq: int
    cause: str
