"""What has happened: every event in the journal, in the past tense. Only these change State.

An event's kind is its class name; `VERSION` (1 unless stated) its form. The header (seq, time, subject, cause) is
given by the shell when the event is made. `raw` is the text of the message that led to it, once, redacted, bounded.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import Factory, frozen

from engine.capabilities import VenueDescription
from engine.inputs import AccountMargin, Action, Balance, Scope, Section, VenuePosition
from engine.limits import OnLimit
from engine.order_events import (  # noqa: F401 (this is where they are imported from)
    ArchivedOrderReported,
    CancelAccepted,
    CancelRefused,
    CancelRequested,
    Event,
    ExternalOrderSeen,
    FeeBooked,
    FillBooked,
    FillBusted,
    FillCorrected,
    OrderAccepted,
    OrderAmended,
    OrderArchived,
    OrderCanceled,
    OrderDenied,
    OrderDoneForDay,
    OrderEvent,
    OrderExpired,
    OrderHeld,
    OrderIntended,
    OrderQueried,
    OrderRecalled,
    OrderRejected,
    OrderReplaced,
    OrderResolved,
    OrderRestated,
    OrderSuspended,
    OrderTriggered,
    OrderVoided,
    OutcomeUnknown,
    ReplaceAccepted,
    ReplaceDenied,
    ReplaceRefused,
    ReplaceRequested,
    StyleEnded,
    SubmitRequested,
)
from engine.settings import Settings
from engine.values import (
    Asset,
    InstrumentName,
    StrategyName,
    VenueName,
)


class VenueEvent(Event):
    """An event about one venue."""

    __slots__ = ()
    SUBJECT = "venue"
    venue: VenueName


# --- the process ------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class ProcessStarted(Event):
    """A start: `run` is the random part of its order ids, `head_seq` what the head file remembered."""

    run: str
    epoch: int
    pid: int
    release: str
    clean: bool
    head_seq: int | None
    journal_id: str


@frozen(kw_only=True)
class ConfigurationAdopted(Event):
    """From here on these settings hold."""

    VERSION = 2
    settings: Settings


@frozen(kw_only=True)
class VenueDescribed(VenueEvent):
    """From here on this is what a venue can do."""

    VERSION = 2
    venue: VenueName
    description: VenueDescription


@frozen(kw_only=True)
class ProcessStopped(Event):
    """A clean end: the last event of a run."""

    reason: str
    state_digest: str
    fold_version: int


@frozen(kw_only=True)
class StateDigested(Event):
    """What the fold up to here amounts to; compared under the same `fold_version` only."""

    state_digest: str
    fold_version: int


@frozen(kw_only=True)
class ClockJumped(Event):
    """The wall clock moved against the monotonic one; the order of events is not affected."""

    jump_ns: int


# --- the system and its venues ----------------------------------------------------------------------------------


@frozen(kw_only=True)
class SystemChanged(Event):
    """The system's state, and why."""

    state: str
    reason: str


@frozen(kw_only=True)
class TradingPaused(Event):
    """No new orders within the scope. A latched pause survives restarts until an operator resumes."""

    scope: Scope
    subject_name: str
    reason: str
    latched: bool
    detail: str = ""


@frozen(kw_only=True)
class PauseEnded(Event):
    """A pause is over: its cause went away, or an operator resumed."""

    scope: Scope
    subject_name: str
    reason: str


@frozen(kw_only=True)
class LimitTripped(Event):
    """A limit was reached that shuts its scope: with the numbers it was judged by, and the action that follows."""

    SUBJECT = "subject_name"
    scope: Scope
    subject_name: str
    limit: str
    action: OnLimit
    numbers: dict[str, str] = Factory(dict)


@frozen(kw_only=True)
class EquityMarked(Event):
    """What a scope's losses are measured from: equity when its day began, and its highest mark; in `asset`."""

    SUBJECT = "subject_name"
    scope: Scope
    subject_name: str
    asset: Asset
    day: int
    opening: Decimal
    peak: Decimal


@frozen(kw_only=True)
class OperatorCommanded(Event):
    """What an operator ordered, who (uid and pid of the peer) and why."""

    action: Action
    uid: int
    pid: int
    reason: str
    scope: Scope
    subject_name: str
    flatten: bool = False


@frozen(kw_only=True)
class KillVerified(Event):
    """Every venue has shown zero open orders after a kill."""

    venues: tuple[VenueName, ...]


@frozen(kw_only=True)
class VenueConnected(VenueEvent):
    """Streams are up; the venue is compared with the books before it is used."""

    venue: VenueName


@frozen(kw_only=True)
class VenueLost(VenueEvent):
    """The connection is gone; reports may be missing until the next snapshot."""

    venue: VenueName
    cause: str


@frozen(kw_only=True)
class VenueThrottled(VenueEvent):
    """The venue takes no more for now; nothing is asked of it before `until_ns`, whoever asks."""

    venue: VenueName
    until_ns: int
    cause: str


@frozen(kw_only=True)
class StreamLost(VenueEvent):
    """One subscription of market data is missing."""

    venue: VenueName
    stream: str
    instrument: InstrumentName | None
    cause: str


@frozen(kw_only=True)
class StreamRestored(VenueEvent):
    """It is there again."""

    venue: VenueName
    stream: str
    instrument: InstrumentName | None


@frozen(kw_only=True)
class SnapshotRequested(VenueEvent):
    """The venue is asked for open orders, executions since `since_ns` and balances."""

    venue: VenueName
    why: str
    since_ns: int


@frozen(kw_only=True)
class SnapshotMissed(VenueEvent):
    """No usable answer to the last snapshot request."""

    venue: VenueName
    cause: str


@frozen(kw_only=True)
class AccountSeen(VenueEvent):
    """What a first snapshot shows of an account; it is opened with it once a second snapshot shows the same."""

    VERSION = 2
    venue: VenueName
    balances: tuple[Balance, ...]
    positions: tuple[VenuePosition, ...] = ()


@frozen(kw_only=True)
class AccountOpened(VenueEvent):
    """What stood in the account before the first event of ours: it belongs to no strategy and is not drift."""

    VERSION = 2
    venue: VenueName
    account: str
    taken_ns: int
    balances: tuple[Balance, ...]
    positions: tuple[VenuePosition, ...] = ()


@frozen
class Difference:
    """What the venue shows of a balance, a position or its result, and what our books say.

    `name` is the asset, or the instrument."""

    what: str
    name: str
    venue: str
    ours: str


@frozen(kw_only=True)
class Reconciled(VenueEvent):
    """The outcome of one comparison, with its evidence; `ready` where nothing is unexplained.

    `tolerated` differ by no more than the tolerance: counted, not acted on. `balances` are the venue's own, where they
    are not those of the comparison before; `margin` and `liquidation_prices` are what it says of contracts."""

    VERSION = 2
    venue: VenueName
    asked_seq: int
    asked_ns: int
    taken_ns: int
    complete: tuple[Section, ...]
    open_orders: int
    executions: int
    executions_booked: int
    orders_settled: int
    differences: tuple[Difference, ...]
    confirmed: tuple[Difference, ...]
    ready: bool
    tolerated: tuple[Difference, ...] = ()
    balances: tuple[Balance, ...] | None = None
    margin: AccountMargin | None = None
    liquidation_prices: dict[InstrumentName, Decimal] = Factory(dict)


@frozen(kw_only=True)
class BalanceAdjusted(VenueEvent):
    """A lasting difference of a balance was adopted as it stands at the venue."""

    venue: VenueName
    asset: Asset
    amount: Decimal
    reason: str


@frozen(kw_only=True)
class PositionAdjusted(Event):
    """A position changed without an execution: by an operator, an adoption or a corporate action, at a price where one
    is known."""

    VERSION = 2
    SUBJECT = "instrument"
    instrument: InstrumentName
    venue: VenueName
    strategy: StrategyName
    quantity: Decimal
    reason: str
    price: Decimal | None = None


@frozen
class TermChange:
    """One term of an instrument, before and after, as text."""

    term: str
    before: str
    after: str


@frozen(kw_only=True)
class InstrumentChanged(Event):
    """The venue lists other terms than before, or does not list it any more. Orders that are open stay; new ones are
    judged by the new terms."""

    SUBJECT = "instrument"
    instrument: InstrumentName
    venue: VenueName
    changes: tuple[TermChange, ...]


@frozen(kw_only=True)
class FundingBooked(Event):
    """A payment for holding a contract: `shares` is each strategy's part, by its part of the account's position."""

    SUBJECT = "instrument"
    instrument: InstrumentName
    venue: VenueName
    funding_id: str
    asset: Asset
    amount: Decimal
    shares: dict[StrategyName, Decimal]
    transact_ns: int
    raw: str = ""


@frozen(kw_only=True)
class AnomalyRecorded(Event):
    """A surprising message: kept, never guessed, the state unchanged. `repeats` counts equal ones not journaled."""

    SUBJECT = "about"
    about: str
    anomaly: str
    detail: str
    raw: str = ""
    repeats: int = 0


# --- strategies -------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class StrategyAdvanced(Event):
    """How far a strategy has been told, and its memory where that changed."""

    SUBJECT = "strategy"
    strategy: StrategyName
    told_seq: int
    memory: dict[str, Any] | None = None


@frozen(kw_only=True)
class StrategyFailed(Event):
    """A callback raised: nothing of it counts, and the strategy is paused. `frames` are relative to its file."""

    SUBJECT = "strategy"
    strategy: StrategyName
    callback: str
    type: str
    message: str
    frames: tuple[str, ...]
