"""One backtest: engine and exchange in virtual time, until the tapes have ended. No thread, no wall clock, no file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from attrs import Factory, define, evolve, field, fields, frozen

from adapters.simulated.listing import Terms
from adapters.simulated.opening import OpenedMarket, open_market
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.playback import AS_RECORDED, TapeMarket
from adapters.tape import Census
from engine.decision import earliest
from engine.inputs import Action, OperatorCommand
from engine.settings import Mode, Reconcile, Settings, StrategySettings
from engine.state import State
from engine.strategy import Strategy
from engine.values import SECOND_NS, Duration, InstrumentName, StrategyName, VenueName
from journal.entry import Entry
from tools.backtest.identity import Identity
from tools.config import Configuration, ConfigurationConflict
from tools.run import is_in_flight
from tools.simulation.clock import VirtualClock
from tools.simulation.floor import VirtualFloor
from tools.simulation.log import MemoryLog
from tools.simulation.plan import Setting, Site
from tools.simulation.process import Engine, Hooks, begin_engine, beginning_of, open_engine

LEAD_NS = 60 * SECOND_NS
"""The engine starts so long before the first record, to be connected and compared when it comes."""

DAY_NS = 86_400 * SECOND_NS
TURNS_MOST = 10_000
TELL_EVERY = 2_000
"""Steps of virtual time between two words to who watches."""

RELAXED: Mapping[str, Duration] = {"every_ns": Duration(DAY_NS), "data_silent_ns": Duration(7 * DAY_NS)}
"""What `[reconcile]` is in a backtest where the configuration leaves it at its default: the line that is compared and
listened to is a function call here, and a tape of hourly bars is silent for an hour each time."""

STRATEGY_RELAXED: Mapping[str, Duration] = {"memory_every_ns": Duration(DAY_NS)}
"""The same for each strategy: what it remembers is journaled with its decisions, and else once a day."""

Part = TypeVar("Part", Reconcile, StrategySettings)


class Sample(NamedTuple):
    """The best bid and ask of an instrument at an instant, as the engine saw them."""

    at_ns: int
    instrument: InstrumentName
    bid: Decimal
    ask: Decimal


@frozen(kw_only=True)
class Pace:
    """How fast it went, in wall time; the only figures that differ from one run to the next."""

    seconds: float
    steps: int
    inputs: int
    commits: int


@define
class Played:
    """What a backtest leaves: the journal and the exchanges' ledgers in memory, and the prices on the way."""

    identity: Identity
    settings: Settings
    options: Mapping[VenueName, SimulatedOptions]
    symbols: Mapping[VenueName, Mapping[InstrumentName, str]]
    log: MemoryLog
    ledgers: Mapping[VenueName, MemoryLog]
    state: State
    state_digest: str
    samples: list[Sample]
    census: Mapping[VenueName, Mapping[str, Census]]
    records: int
    bad_lines: int
    first_ns: int
    last_ns: int
    pace: Pace

    @property
    def entries(self) -> list[Entry]:
        """The journal."""
        return self.log.entries


Tell = Callable[[int, int], None]
"""Called now and then with how many records were played, and the instant."""


def play(
    configuration: Configuration,
    strategies: Mapping[StrategyName, type[Strategy]],
    identity: Identity,
    tell: Tell = lambda records, at_ns: None,
) -> Played:
    """Play the configuration's tapes to their end. Raises `ConfigurationConflict` where a venue has none."""
    return Session(configuration, strategies, identity, tell).play()


def backtested(settings: Settings) -> Settings:
    """The settings as a backtest has them: its mode, and what `RELAXED` says of what was left at its default."""
    strategies = {name: _relaxed(each, STRATEGY_RELAXED) for name, each in settings.strategies.items()}
    reconcile = _relaxed(settings.reconcile, RELAXED)
    return evolve(settings, mode=Mode.BACKTEST, reconcile=reconcile, strategies=strategies)


def _relaxed(settings: Part, to: Mapping[str, Duration]) -> Part:
    """The same with other values where the present ones are the class's defaults."""
    usual = {each.name: each.default for each in fields(type(settings))}
    changed: dict[str, Any] = {name: value for name, value in to.items() if getattr(settings, name) == usual[name]}
    return evolve(settings, **changed)


def _die(error: BaseException) -> None:
    raise error


@define
class _Progress:
    """Counters of the loop."""

    steps: int = 0
    sample_ns: int = 0
    samples: list[Sample] = Factory(list)
    last: dict[InstrumentName, Sample] = field(factory=dict)


class Session:
    """One process of the engine and its exchanges, driven from one instant to the next."""

    def __init__(
        self,
        configuration: Configuration,
        strategies: Mapping[StrategyName, type[Strategy]],
        identity: Identity,
        tell: Tell,
    ) -> None:
        self._settings, self._identity, self._tell = backtested(configuration.settings), identity, tell
        self._options = {name: _options(name, venue.options) for name, venue in configuration.venues.items()}
        self._symbols = {name: venue.symbols for name, venue in configuration.venues.items()}
        directory, times = str(configuration.directory), configuration.backtest
        opened = {name: _open(name, options, self._symbols[name], directory) for name, options in self._options.items()}
        self._markets = {name: market for name, (market, _) in opened.items()}
        first_ns = min(market.first_ns for market in self._markets.values())
        self.first_ns, self._end_ns = max(first_ns, times.begin_ns or 0), times.end_ns
        self._sample_ns = times.sample_ns
        self._is_at_once = not all(options.latency_ns for options in self._options.values())
        self.clock = VirtualClock(self.first_ns - LEAD_NS)
        self.log = MemoryLog(identity.journal_id)
        self.ledgers = {name: MemoryLog(f"{identity.journal_id[:24]}-{name}"[:32]) for name in opened}
        sites = {
            name: Site(symbols=self._symbols[name], options=options, clock_every_ns=DAY_NS)
            for name, options in self._options.items()
        }
        self._setting = Setting(settings=self._settings, strategies=strategies, sites=sites, directory=directory)
        self.floors = {name: self._floor(name, opened[name]) for name in opened}
        for market in self._markets.values():
            market.seek(self.first_ns - 1)  # what lies before the beginning only makes the market
        self._progress = _Progress()

    def play(self) -> Played:
        """From the first event to the last."""
        began = time.perf_counter()
        self.engine = self._begin()
        end_ns = self._play_tapes()
        state_digest = self._stop("the tape has ended" if self._market_ns() is None else "the time is up")
        figures = self.engine.runner.figures
        pace = Pace(
            seconds=time.perf_counter() - began, steps=self._progress.steps, inputs=figures.inputs,
            commits=figures.commits,
        )  # fmt: skip
        status = [market.status(self.clock.now) for market in self._markets.values()]
        return Played(
            identity=self._identity, settings=self._settings, options=self._options, symbols=self._symbols,
            log=self.log, ledgers=self.ledgers, state=self.engine.state,
            state_digest=state_digest, samples=self._progress.samples,
            census={name: market.census for name, market in self._markets.items()},
            records=sum(each.records for each in status), bad_lines=sum(each.bad_lines for each in status),
            first_ns=self.first_ns, last_ns=end_ns, pace=pace,
        )  # fmt: skip

    def _floor(self, name: VenueName, opened: OpenedMarket) -> VirtualFloor:
        self.ledgers[name].claim()
        site = self._setting.exchanges()[name]
        return VirtualFloor(self.clock, site, self._setting.directory, self.ledgers[name], None, opened)

    def _begin(self) -> Engine:
        """A start, as every start is: fold (of nothing), claim, describe, connect."""

        def nothing() -> None:
            """A backtest does not die at named points."""

        hooks = Hooks(
            before_commit=nothing, after_commit=nothing, before_release=lambda request: None, after_release=nothing,
            before_send=nothing, die=_die,
        )  # fmt: skip
        engine = begin_engine(self._setting, self.clock, 0, self.log, self.floors, hooks, None)
        identity = self._identity
        beginning = beginning_of(engine, self._setting, self.log, identity.chance, clean=True, release=identity.release)
        open_engine(engine, beginning)
        return engine

    # --- time ---------------------------------------------------------------------------------------------------

    def _play_tapes(self) -> int:
        """Until nothing is left to be played and what was told has been heard; gives the instant of the last record."""
        last_ns = self.clock.now
        while (next_ns := self._market_ns()) is not None and (self._end_ns is None or next_ns <= self._end_ns):
            self._run_until(next_ns)
            last_ns = next_ns
        self._run_until(last_ns + self._settling_ns())
        self._sample()
        return last_ns

    def _market_ns(self) -> int | None:
        return earliest(*[market.next_ns() for market in self._markets.values()])

    def _settling_ns(self) -> int:
        """In so much time an answer to the last record's answer is there."""
        return 4 * max(options.latency_ns for options in self._options.values()) + SECOND_NS

    def _run_until(self, end_ns: int) -> None:
        """Everything that happens up to and with an instant."""
        clock, progress = self.clock, self._progress
        while clock.now < end_ns:
            clock.now = min(max(self._next_ns(end_ns), clock.now + 1), end_ns)
            self._turn()
            progress.steps += 1
            if clock.now >= progress.sample_ns:
                self._sample()
        if progress.steps % TELL_EVERY == 0:
            self._tell(sum(market.status(clock.now).records for market in self._markets.values()), clock.now)

    def _next_ns(self, end_ns: int) -> int:
        next_ns = earliest(end_ns, self.engine.next_ns(), *[floor.next_ns() for floor in self.floors.values()])
        assert next_ns is not None, "there is an end"
        return next_ns

    def _turn(self) -> None:
        """Exchanges and engine in turns, until neither has anything to do at this instant. What the engine asks takes
        its time to arrive; only without any latency an exchange has its turn again."""
        for number in range(TURNS_MOST):
            moved = False
            if number == 0 or self._is_at_once:
                for floor in self.floors.values():
                    moved = (floor.turn() and self._is_at_once) or moved
            if not (self.engine.turn() or moved):
                return
        raise RuntimeError(f"no rest after {TURNS_MOST} turns at {self.clock.now}")

    def _stop(self, reason: str) -> str:
        """As a run stops: no new orders, replies awaited for a bounded time, then the last event; its digest."""
        engine, orders = self.engine, self._settings.orders
        engine.inbox.deliver(OperatorCommand(action=Action.STOP, uid=0, pid=0, reason=reason))
        self._turn()
        end_ns = self.clock.now + orders.stop_limit_ns
        while self.clock.now < end_ns and (engine.inbox.depth() or is_in_flight(engine.state)):
            self.clock.now = min(max(self._next_ns(end_ns), self.clock.now + 1), end_ns)
            self._turn()
        engine.gate.close()
        return engine.runner.stop(reason)

    # --- prices -------------------------------------------------------------------------------------------------

    def _sample(self) -> None:
        """Note the quotes that have changed since they were noted last."""
        now_ns, progress = self.clock.now, self._progress
        progress.sample_ns = now_ns - now_ns % self._sample_ns + self._sample_ns
        for name, quote in self.engine.market.quotes.items():
            last = progress.last.get(name)
            if last is None or (last.bid, last.ask) != (quote.bid, quote.ask):
                found = progress.last[name] = Sample(now_ns, name, quote.bid, quote.ask)
                progress.samples.append(found)


def _options(name: VenueName, options: object) -> SimulatedOptions:
    """The venue's options for a virtual clock; raises `ConfigurationConflict` where nothing recorded is played."""
    if not isinstance(options, SimulatedOptions) or options.tape is None:
        raise ConfigurationConflict(
            f'[venues.{name}]: a backtest plays recorded data; write adapter = "simulated" and tape = "FILE"'
        )
    return evolve(options, speed=AS_RECORDED, url=None)


def _open(
    name: VenueName, options: SimulatedOptions, symbols: Mapping[InstrumentName, str], directory: str
) -> tuple[TapeMarket, Mapping[str, Terms]]:
    try:
        market, traded = open_market(options, dict.fromkeys(symbols.values()), directory)
    except ValueError as error:
        raise ConfigurationConflict(f"[venues.{name}]: {error}") from error
    assert isinstance(market, TapeMarket), "a tape was named"
    return market, traded
