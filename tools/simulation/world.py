"""A world: one engine, one exchange, one clock, one seed. It can be killed anywhere and started again.

The engine is the real one: state, tables, decision, risk, runner, adapter, gateway, exchange, ledger. Replaced are
threads, sockets, the disk and the time between events. Every step is a function of the seed and the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, field, frozen

from adapters.simulated.options import SimulatedOptions
from adapters.simulated.translate import Translator
from adapters.simulated.venue import SimulatedVenue
from engine.capabilities import VenueDescription
from engine.codec import decode
from engine.desk import Desk
from engine.fold import apply
from engine.inbox import Inbox
from engine.inputs import ConfigurationRead, Input, OperatorCommand, ProcessBegan, VenueDescribed, VenuesDescribed
from engine.market import Market
from engine.outbox import CancelOrder, RecallOrder, ReplaceOrder, Request, SubmitOrder
from engine.ports import Deliver, Gate, VenueUnreachable
from engine.recall import find_order, lend
from engine.runner import BATCH_LIMIT, Runner, SendGate
from engine.settings import Settings
from engine.state import Recorded, State
from engine.strategy import Strategy
from engine.system import SystemState
from engine.token import base36
from engine.values import MILLISECOND_NS, SECOND_NS, InstrumentName, StrategyName, VenueName, exact_arithmetic
from tools.simulation.clock import VirtualClock
from tools.simulation.floor import VirtualFloor, VirtualLink
from tools.simulation.log import Crashed, MemoryLog, MortalLog

VENUE = VenueName("sim")
TURNS_MOST = 10_000
RESTART_NS = 300 * MILLISECOND_NS


@frozen(kw_only=True)
class Setting:
    """What a world is made of."""

    settings: Settings
    strategies: Mapping[StrategyName, type[Strategy]]
    symbols: Mapping[InstrumentName, str]
    options: SimulatedOptions


@frozen(kw_only=True)
class Plan:
    """When processes die: by the engine's commits (before, after) and requests, counted over the whole life of the
    world, and by time. Each death is `(number, down for ns)`."""

    before_commit: Mapping[int, int] = field(factory=dict)
    after_commit: Mapping[int, int] = field(factory=dict)
    before_release: Mapping[int, int] = field(factory=dict)
    after_release: Mapping[int, int] = field(factory=dict)
    engine_at: Mapping[int, int] = field(factory=dict)
    exchange_at: Mapping[int, int] = field(factory=dict)
    commands_at: Mapping[int, OperatorCommand] = field(factory=dict)


@define
class Tally:
    """What has happened to a world."""

    starts: int = 0
    deaths: dict[str, int] = field(factory=dict)
    commits: int = 0
    releases: int = 0
    left: list[Request] = field(factory=list)


class MortalVenue:
    """The engine's venue, with a death before or after any request that leaves."""

    def __init__(self, venue: SimulatedVenue, before: Callable[[Request], None], after: Callable[[], None]) -> None:
        self.inner, self._before, self._after = venue, before, after

    @property
    def name(self) -> VenueName:
        """The venue's name."""
        return self.inner.name

    def describe(self) -> VenueDescription:
        """What the exchange can do."""
        return self.inner.describe()

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Attach; the world turns it."""
        self.inner.attach(deliver, gate)

    def reconnect(self, cause: str) -> None:
        """Give the connection up."""
        self.inner.reconnect(cause)

    def release(self, request: Request) -> None:
        """Release, or die."""
        self._before(request)
        self.inner.release(request)
        self._after()

    def close(self) -> None:
        """Nothing: a process just ends."""


@define
class Engine:
    """One process of the engine."""

    state: State
    market: Market
    inbox: Inbox
    runner: Runner
    venue: MortalVenue
    gate: SendGate


class World:
    """Drive it with `run_until`; look at `engine`, `log`, `floor` and `tally`."""

    def __init__(self, setting: Setting, plan: Plan, seed: int) -> None:
        self.setting, self.plan, self.seed = setting, plan, seed
        self.clock = VirtualClock()
        self.log = MemoryLog(f"journal-{seed}")
        self.ledger = MemoryLog(f"ledger-{seed}")
        self.ledger.claim()
        self.tally = Tally()
        self.plan_is_on = True
        self.floor = VirtualFloor(self.clock, setting.options, setting.symbols, self.ledger)
        self.engine: Engine | None = None
        self._begin_at: int = self.clock.now
        self._floor_begins_at: int | None = None
        self._done: set[str] = set()

    # --- time ---------------------------------------------------------------------------------------------------

    def run_until(self, end_ns: int) -> None:
        """Let time pass, with all that happens in it."""
        while self.clock.now < end_ns:
            self._turn_all()
            self.clock.now = min(max(self._next_ns(), self.clock.now + 1), end_ns)
        self._turn_all()

    def settle(self, limit_ns: int) -> bool:
        """The liveness phase: no more deaths and faults; True once trading, or paused, with nothing in doubt."""
        self.plan_is_on = False
        self.floor.end_faults()
        end_ns = self.clock.now + limit_ns
        self.run_until(self.clock.now + 3 * self.setting.settings.reconcile.every_ns)  # a lost frame is found by then
        while self.clock.now < end_ns:
            self.run_until(self.clock.now + SECOND_NS // 4)
            if self.engine is not None and self.floor.gateway is not None and self.is_settled():
                return True
        return False

    def is_settled(self) -> bool:
        """Trading or paused with a reason, nothing unsettled and nothing waiting."""
        if self.engine is None:
            return False
        state = self.engine.state
        quiet = all(
            not order.is_unsettled and not order.is_in_doubt and order.pending_cancel == "none"
            and order.pending_replace == "none"
            for order in state.open_orders()
        )  # fmt: skip
        return state.system in (SystemState.TRADING, SystemState.PAUSED) and quiet

    def _turn_all(self) -> None:
        self._keep_alive()
        for _ in range(TURNS_MOST):
            moved = self.floor.turn()
            if self.engine is not None:
                moved = self._turn_engine(self.engine) or moved
            if not moved:
                return
        raise RuntimeError(f"no rest after {TURNS_MOST} turns at {self.clock.now}")

    def _turn_engine(self, engine: Engine) -> bool:
        try:
            moved = engine.venue.inner.turn()
            due_ns = engine.runner.due_ns()
            if engine.inbox.depth() or (due_ns is not None and due_ns <= self.clock.now):
                engine.runner.run_batch(engine.inbox.take(BATCH_LIMIT, 0))
                moved = True
        except Crashed as death:
            self._bury(str(death))
            return True
        return moved

    def _next_ns(self) -> int:
        times = [self.floor.next_ns(), self._floor_begins_at]
        if self.engine is None:
            times.append(self._begin_at)
        else:
            times += [self.engine.venue.inner.due_ns(), self.engine.runner.due_ns()]
        if self.plan_is_on:
            planned = (self.plan.engine_at, self.plan.exchange_at, self.plan.commands_at)
            times += [at for when in planned for at in when if at > self.clock.now]
        return min((at for at in times if at is not None), default=self.clock.now + SECOND_NS)

    # --- life and death -----------------------------------------------------------------------------------------

    def _keep_alive(self) -> None:
        if self._floor_begins_at is not None and self.clock.now >= self._floor_begins_at:
            self._floor_begins_at = None
            self.floor.begin()
        if self.engine is None and self.clock.now >= self._begin_at:
            self._begin()
        if self.plan_is_on:
            self._carry_out_plan()

    def _carry_out_plan(self) -> None:
        for at, down_ns in self.plan.engine_at.items():
            if at <= self.clock.now and self._once(f"engine {at}") and self.engine is not None:
                self._begin_at = self.clock.now + down_ns
                self._bury("at a moment")
        for at, down_ns in self.plan.exchange_at.items():
            if at <= self.clock.now and self._once(f"exchange {at}") and self.floor.gateway is not None:
                self._count("exchange")
                self._floor_begins_at = self.clock.now + down_ns
                self.floor.end()
        for at, command in self.plan.commands_at.items():
            if at <= self.clock.now and self._once(f"command {at}") and self.engine is not None:
                self.engine.inbox.deliver(command)

    def _once(self, what: str) -> bool:
        if what in self._done:
            return False
        self._done.add(what)
        return True

    def _begin(self) -> None:
        """A start, as tools.run does it: fold, claim, describe, begin, open."""
        state = State()
        with exact_arithmetic():
            for entry in self.log.read():
                apply(state, decode(entry))
        self.log.claim()
        clean = not self.log.entries or self.log.entries[-1].kind == "ProcessStopped"
        gate = SendGate(self.clock, self._is_owner(self.log.epoch))
        translator = Translator(VENUE, self.setting.symbols)
        timeout_ns = self.setting.options.request_timeout_ns
        venue = MortalVenue(
            SimulatedVenue(VENUE, VirtualLink(self.floor), translator, timeout_ns, self.clock.now_ns),
            self._before_release,
            self._after_release,
        )
        try:
            description = self._describe(venue, state)
        except VenueUnreachable:
            self._begin_at = self.clock.now + SECOND_NS
            return
        market, inbox, desk = Market(), Inbox(), Desk(self.setting.strategies)
        runner = Runner(
            state=state, market=market, desk=desk, inbox=inbox,
            log=MortalLog(self.log, self._before_commit, self._after_commit), venues={VENUE: venue}, clock=self.clock,
            gate=gate, die=self._die, recall=lambda asked: self._recall(asked, state, inbox),
        )  # fmt: skip
        self.tally.starts += 1
        self.engine = Engine(state, market, inbox, runner, venue, gate)
        try:
            runner.run_batch(self._beginning(clean, description))
            desk.prepare(state, market)
            venue.open(inbox.deliver, gate)
        except Crashed as death:
            self._bury(str(death))

    def _describe(self, venue: MortalVenue, state: State) -> VenueDescription:
        try:
            return venue.describe()
        except VenueUnreachable:
            known = state.venues.get(VENUE)
            if known is None or known.description is None:
                raise
            return known.description

    def _beginning(self, clean: bool, description: VenueDescription) -> Sequence[Input]:
        run = base36((self.seed * 7919 + self.log.epoch * 104_729) % 36**4, 4)
        began = ProcessBegan(
            journal_id=self.log.journal_id, run=run, epoch=self.log.epoch, pid=self.log.epoch, release="simulation",
            clean=clean, head_seq=None,
        )  # fmt: skip
        return [began, ConfigurationRead(self.setting.settings), VenueDescribed(description), VenuesDescribed()]

    def _is_owner(self, epoch: int) -> Callable[[], bool]:
        return lambda: self.log.epoch == epoch

    def _recall(self, asked: RecallOrder, state: State, inbox: Inbox) -> None:
        entries = [entry for entry in self.log.entries if entry.subject == asked.order_id]
        found = find_order(asked.order_id, entries, lend(state))
        if found is not None:
            inbox.deliver(found)

    def _bury(self, how: str) -> None:
        """The engine's process is gone: connections, queues, memory. What it sent still arrives."""
        self._count(how)
        engine, self.engine = self.engine, None
        if self._begin_at <= self.clock.now:
            self._begin_at = self.clock.now + RESTART_NS
        if engine is not None:
            engine.venue.inner.drop()

    def _count(self, how: str) -> None:
        self.tally.deaths[how] = self.tally.deaths.get(how, 0) + 1

    # --- the named points -----------------------------------------------------------------------------------------

    def _before_commit(self) -> None:
        self.tally.commits += 1
        self._perhaps_die(self.plan.before_commit, self.tally.commits, "before a commit")

    def _after_commit(self) -> None:
        self._perhaps_die(self.plan.after_commit, self.tally.commits, "after a commit")

    def _before_release(self, request: Request) -> None:
        self.tally.releases += 1
        self._perhaps_die(self.plan.before_release, self.tally.releases, "before a request")
        if isinstance(request, SubmitOrder | ReplaceOrder | CancelOrder):
            self.tally.left.append(request)

    def _after_release(self) -> None:
        self._perhaps_die(self.plan.after_release, self.tally.releases, "after a request")

    def _perhaps_die(self, when: Mapping[int, int], number: int, how: str) -> None:
        if self.plan_is_on and number in when and self._once(f"{how} {number}"):
            self._begin_at = self.clock.now + when[number]
            raise Crashed(how)

    def _die(self, error: BaseException) -> None:
        raise Crashed(f"unknown commit: {error}")


def fold(log: MemoryLog, upto: int | None = None) -> State:
    """The state that a log makes."""
    state = State()
    with exact_arithmetic():
        for entry in log.entries[:upto]:
            apply(state, decode(entry))
    return state


def recorded(log: MemoryLog) -> list[Recorded]:
    """A log's events."""
    return [decode(entry) for entry in log.entries]
