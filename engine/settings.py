"""What the engine is told to do: the canonical configuration, without secrets, as values.

The configuration's own names are kept; a duration keeps its name plus the unit (`max_quote_age` → `max_quote_age_ns`).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from attrs import Factory, frozen

from engine.instrument import InstrumentKind, MarginMode
from engine.limits import Limits as Limits  # noqa: PLC0414 (others import it from here)
from engine.limits import Risk as Risk  # noqa: PLC0414
from engine.sessions import TradingSession
from engine.values import SECOND_NS, Duration, InstrumentName, StrategyName, VenueName

EVALUATE_ON = ("quote", "bar", "trade", "book")
"""What a strategy may be asked on."""

FRAMES_MOST = 8
"""Lengths of bars that one strategy may name."""


class Mode(StrEnum):
    """A journal is bound to its mode for life."""

    PAPER = "paper"
    LIVE = "live"
    BACKTEST = "backtest"


class OnStop(StrEnum):
    """What becomes of open orders: at a clean stop, when the line to their venue is lost, when a session ends."""

    KEEP = "keep"
    CANCEL = "cancel"


class OnDrift(StrEnum):
    """What a difference between our books and the venue's leads to, once it has been seen twice."""

    PAUSE = "pause"
    ALERT = "alert"
    ADOPT = "adopt"


class OnError(StrEnum):
    """What becomes of the open orders of a strategy that failed."""

    KEEP = "keep"
    CANCEL = "cancel"


class Sharing(StrEnum):
    """Whether several strategies may trade one instrument. None of their orders ever trades with another either way."""

    SHARED = "shared"
    EXCLUSIVE = "exclusive"


class BarsFrom(StrEnum):
    """What a strategy's bars are made of: public trades, or the middle of the quotes where there are no trades."""

    TRADES = "trades"
    QUOTES = "quotes"


class MarkSide(StrEnum):
    """What a position is valued at: where it could be closed (bid for a long, ask for a short), the middle, the last
    public trade, or the venue's own mark price."""

    CLOSE = "close"
    MID = "mid"
    LAST = "last"
    VENUE = "venue"


class Record(StrEnum):
    """Which inputs go to the tape beside the journal."""

    NONE = "none"
    DECIDING = "deciding"
    ALL = "all"


@frozen(kw_only=True)
class Evaluate:
    """When a strategy is asked: on what (of `EVALUATE_ON`; quotes, where neither this nor a schedule is given), at most
    every `at_most_every_ns` for each instrument, every `every_ns`, and `at` times of the day ("HH:MM", UTC)."""

    on: str | tuple[str, ...] | None = None
    at_most_every_ns: Duration = Duration(0)
    every_ns: Duration | None = None
    at: tuple[str, ...] = ()

    @property
    def triggers(self) -> tuple[str, ...]:
        """What it is asked on; bars are always told where there are any."""
        if self.on is None:
            return () if self.every_ns or self.at else ("quote",)
        return (self.on,) if isinstance(self.on, str) else self.on


@frozen(kw_only=True)
class StrategySettings:
    """One `[strategies.NAME]`: `file_hash` is the SHA-256 of the file its class stands in.

    With `require_complete` bars that were not wholly watched are not told, and indicators count complete bars alone.
    """

    strategy_class: str
    instruments: tuple[InstrumentName, ...]
    version: str = "1"
    tag: str = ""
    bars_ns: Duration | tuple[Duration, ...] | None = None
    bars_from: BarsFrom = BarsFrom.TRADES
    evaluate: Evaluate = Evaluate()
    memory_every_ns: Duration = Duration(SECOND_NS)
    on_error: OnError = OnError.KEEP
    params: dict[str, str | int | bool] = Factory(dict)
    file_hash: str = ""
    require_complete: bool = False

    @property
    def frames_ns(self) -> tuple[Duration, ...]:
        """The lengths of its bars, the shortest first."""
        if self.bars_ns is None:
            return ()
        return tuple(sorted(self.bars_ns)) if isinstance(self.bars_ns, tuple) else (self.bars_ns,)

    @property
    def hash(self) -> str:
        """What tells one source with its parameters from another: 16 hex digits of SHA-256 over class, file and
        `params`."""
        params = sorted((key, type(value).__name__, str(value)) for key, value in self.params.items())
        return sha256(repr((self.strategy_class, self.file_hash, params)).encode()).hexdigest()[:16]


@frozen
class Change:
    """A strategy whose source or parameters are others than before, although it calls itself the same version."""

    strategy: StrategyName
    version: str
    before: str
    now: str


@frozen(kw_only=True)
class InstrumentSettings:
    """One `[instruments."X"]`, as far as the engine reads it: what is said of its terms must be the venue's too;
    without a `trading_session` it always trades."""

    sharing: Sharing = Sharing.SHARED
    trading_session: TradingSession | None = None
    base: str | None = None
    quote: str | None = None
    kind: InstrumentKind | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    multiplier: Decimal | None = None
    settlement_asset: str | None = None
    expiry_ns: int | None = None
    leverage: int | None = None
    margin_mode: MarginMode | None = None


@frozen(kw_only=True)
class Orders:
    """How orders are handled: `send_limit_ns` is the greatest age at which a request may still leave,
    `expiry_ns` when the venue must refuse it, `outcome_limit_ns` when silence is recorded as unknown, `style_every_ns`
    how often worked orders of one instrument may move at most."""

    on_stop: OnStop = OnStop.KEEP
    on_disconnect: OnStop = OnStop.KEEP
    on_session_end: OnStop = OnStop.KEEP
    stop_limit_ns: Duration = Duration(2 * SECOND_NS)
    send_limit_ns: Duration = Duration(SECOND_NS // 2)
    expiry_ns: Duration = Duration(SECOND_NS)
    outcome_limit_ns: Duration = Duration(10 * SECOND_NS)
    closed_kept_ns: Duration = Duration(7 * 86_400 * SECOND_NS)
    closed_kept_most: int = 10_000
    style_every_ns: Duration = Duration(SECOND_NS // 4)


@frozen(kw_only=True)
class Reconcile:
    """How often the venues are compared with the books, and what a lasting difference leads to.

    `tolerances`, by instrument or asset, is how far a position, a balance or a result may be off; by default half a
    lot of it, or the worth of half a lot's move by one tick. `data_silent_ns` is when a venue's
    silence is worth a word.
    """

    every_ns: Duration = Duration(60 * SECOND_NS)
    start_limit_ns: Duration = Duration(60 * SECOND_NS)
    retry_ns: Duration = Duration(SECOND_NS)
    answer_limit_ns: Duration = Duration(10 * SECOND_NS)
    data_silent_ns: Duration = Duration(120 * SECOND_NS)
    on_position_drift: OnDrift = OnDrift.PAUSE
    tolerances: dict[str, Decimal] = Factory(dict)


@frozen(kw_only=True)
class Guards:
    """What is watched after the trade: of the last orders within `reject_window_ns`, at least `min_orders`, a fraction
    above `max_reject_rate` that a venue refused pauses the strategy (or, where several are met, the venue)."""

    max_reject_rate: Decimal | None = None
    reject_window_ns: Duration = Duration(60 * SECOND_NS)
    min_orders: int = 10


@frozen(kw_only=True)
class Marks:
    """What positions are valued at; a mark older than `max_mark_age_ns` is called stale wherever it is shown."""

    side: MarkSide = MarkSide.CLOSE
    max_mark_age_ns: Duration = Duration(60 * SECOND_NS)


@frozen(kw_only=True)
class Disk:
    """Below `min_free_bytes` trading pauses before SQLite fails."""

    min_free_bytes: int = 64 * 1024 * 1024


@frozen(kw_only=True)
class Settings:
    """Everything of the configuration that `decide` reads."""

    mode: Mode = Mode.PAPER
    venues: dict[VenueName, str] = Factory(dict)
    strategies: dict[StrategyName, StrategySettings] = Factory(dict)
    risk: Risk = Factory(Risk)
    orders: Orders = Orders()
    reconcile: Reconcile = Reconcile()
    disk: Disk = Disk()
    quotes: Record = Record.DECIDING
    marks: Marks = Marks()
    guards: Guards = Guards()
    instruments: dict[InstrumentName, InstrumentSettings] = Factory(dict)


def unannounced_changes(before: Settings, now: Settings) -> list[Change]:
    """The strategies whose hash has changed under an unchanged version; new ones have changed nothing."""
    known = ((name, before.strategies[name], one) for name, one in now.strategies.items() if name in before.strategies)
    return [
        Change(name, new.version, old.hash, new.hash)
        for name, old, new in known
        if old.version == new.version and old.hash != new.hash
    ]
