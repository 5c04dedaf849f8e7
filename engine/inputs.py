"""What may come in: market data, venue reports, commands and time.

Inputs are not remembered as such; `decide` makes events of them. Every class is a frozen value.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from attrs import frozen

from engine.capabilities import VenueDescription
from engine.order import Execution, Order
from engine.reports import (  # noqa: F401 (this is where they are imported from)
    RAW_HEAD_BYTES,
    RAW_LIMIT_BYTES,
    AccountMargin,
    Ack,
    Balance,
    CancelAcked,
    Canceled,
    CancelRejected,
    DoneForDay,
    Expired,
    FeeReported,
    FundingReported,
    NotFound,
    OrderReport,
    OutcomeUnknown,
    PendingNewAck,
    QueryFailed,
    Refusal,
    Rejected,
    ReplaceAcked,
    Replaced,
    ReplaceRejected,
    Report,
    RequestKind,
    Restated,
    Section,
    Snapshot,
    SnapshotFailed,
    StatusReport,
    Suspended,
    Trade,
    TradeCancel,
    TradeCorrect,
    Triggered,
    VenuePosition,
    VenueStatus,
)
from engine.settings import Settings
from engine.ticks import (  # noqa: F401 (this is where they are imported from)
    BookDelta,
    BookSnapshot,
    Candle,
    DataDropped,
    Level,
    MarketData,
    MarkPrice,
    Quote,
    TradeTick,
)
from engine.values import InstrumentName, VenueName

# --- the connection to a venue ----------------------------------------------------------------------------------


@frozen
class VenueConnected:
    """Streams are up and subscribed: from here on reports arrive; what was missed comes by snapshot."""

    venue: VenueName


@frozen
class VenueLost:
    """A stream ended, stalled or overflowed; reports may be missing until the next snapshot."""

    venue: VenueName
    cause: str


@frozen
class VenueThrottled:
    """The venue takes no more for now (429, 418): nothing is asked before `until_ns`, by our clock."""

    venue: VenueName
    until_ns: int
    cause: str


@frozen
class CredentialsRefused:
    """The venue does not take our key, or not any more."""

    venue: VenueName
    detail: str


@frozen
class StreamLost:
    """One subscription of market data is missing: refused, not confirmed in time, silent, broken. Without an
    instrument it is one that concerns all of them."""

    venue: VenueName
    stream: str
    instrument: InstrumentName | None
    cause: str


@frozen
class StreamUp:
    """A subscription of market data is confirmed: by the venue's reply or by its first message."""

    venue: VenueName
    stream: str
    instrument: InstrumentName | None = None


@frozen
class ClockMeasured:
    """The venue's clock minus ours, measured by asking it, never from the age of data frames."""

    venue: VenueName
    offset_ns: int
    round_trip_ns: int


@frozen
class ProtocolSurprise:
    """A frame of unknown shape, kept and never guessed."""

    venue: VenueName
    raw: str


# --- the process, its time and its operator ---------------------------------------------------------------------


@frozen(kw_only=True)
class ProcessBegan:
    """A start. `run` is the random part of this run's order ids; `head_seq` what the head file remembers, if any."""

    journal_id: str
    run: str
    epoch: int
    pid: int
    release: str
    clean: bool
    head_seq: int | None


@frozen
class ConfigurationRead:
    """The canonical configuration: without secrets, strategies with the hash of their file."""

    settings: Settings


@frozen
class VenueDescribed:
    """What an adapter says of its venue at a start."""

    description: VenueDescription


@frozen
class VenuesDescribed:
    """Configuration and descriptions are complete: the start goes on to reconciling."""


@frozen(kw_only=True)
class OrderFound:
    """The answer to `RecallOrder`: an archived order and its executions, as the journal tells them."""

    order: Order
    executions: dict[str, Execution]


@frozen
class HistoryChecked:
    """The journal's older part was verified and folded from its beginning, off the path; `problem` is empty if good."""

    problem: str


@frozen
class TimePassed:
    """Something in State is due: a probe, a reconcile, a limit, a bar's end."""


@frozen
class ClockJumped:
    """The wall clock moved by more than 100 ms against the monotonic one."""

    jump_ns: int


@frozen
class DiskMeasured:
    """Free bytes where the journal lives."""

    free_bytes: int


class Action(StrEnum):
    """What an operator may order."""

    PAUSE = "pause"
    RESUME = "resume"
    KILL = "kill"
    RESOLVE = "resolve"
    STOP = "stop"


class Scope(StrEnum):
    """How far a pause reaches."""

    ALL = "all"
    VENUE = "venue"
    INSTRUMENT = "instrument"
    STRATEGY = "strategy"


class Resolution(StrEnum):
    """What an operator asserts of an order in doubt."""

    VOID = "void"
    CANCELED = "canceled"
    FILLED = "filled"


@frozen(kw_only=True)
class OperatorCommand:
    """An operator's order, with who gave it (uid and pid of the control socket's peer) and why."""

    action: Action
    uid: int
    pid: int
    reason: str = ""
    scope: Scope = Scope.ALL
    subject: str = ""
    flatten: bool = False
    order_id: str = ""
    resolution: Resolution | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None


Input = (
    MarketData | MarkPrice | DataDropped | VenueConnected | VenueLost | VenueThrottled | CredentialsRefused | StreamLost
    | StreamUp | ClockMeasured | ProtocolSurprise | OrderReport
    | FundingReported | Snapshot | SnapshotFailed | ProcessBegan | ConfigurationRead | VenueDescribed | VenuesDescribed
    | OrderFound | HistoryChecked | TimePassed | ClockJumped | DiskMeasured | OperatorCommand
)  # fmt: skip
