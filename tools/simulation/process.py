"""One process of the engine in a world: what `tools.start` and `tools.run` put together, without threads and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, frozen

from adapters.simulated.translate import Translator
from adapters.simulated.venue import SimulatedVenue
from engine.capabilities import VenueDescription
from engine.codec import decode, decode_state, encode_state
from engine.desk import Desk
from engine.fold import apply
from engine.inbox import Inbox
from engine.inputs import ClockJumped, ConfigurationRead, Input, ProcessBegan, VenueDescribed, VenuesDescribed
from engine.market import Market
from engine.outbox import RecallOrder, Request
from engine.ports import Deliver, Gate, VenueUnreachable
from engine.recall import find_order, lend
from engine.runner import BATCH_LIMIT, Runner, SendGate
from engine.state import State
from engine.token import base36
from engine.values import VenueName, exact_arithmetic
from tools.simulation.clock import ProcessClock, VirtualClock
from tools.simulation.floor import VirtualFloor, VirtualLink
from tools.simulation.log import MemoryLog, MortalLog
from tools.simulation.plan import Setting

Step = Callable[[], None]


@frozen(kw_only=True)
class Hooks:
    """What a world does at the named points of a process; each may raise to end it there."""

    before_commit: Step
    after_commit: Step
    before_release: Callable[[Request], None]
    after_release: Step
    before_send: Step
    die: Callable[[BaseException], None]


@frozen
class Saved:
    """A snapshot: the state after a seq, as bytes."""

    seq: int
    blob: bytes


class MortalVenue:
    """The engine's venue, with a death before or after any request that leaves."""

    def __init__(self, venue: SimulatedVenue, link: VirtualLink, hooks: Hooks) -> None:
        self.inner, self.link, self._hooks = venue, link, hooks

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
        self._hooks.before_release(request)
        self.inner.release(request)
        self._hooks.after_release()

    def close(self) -> None:
        """Nothing: a process just ends."""


@define
class Engine:
    """One process of the engine."""

    state: State
    market: Market
    inbox: Inbox
    runner: Runner
    venues: Mapping[VenueName, MortalVenue]
    gate: SendGate
    clock: ProcessClock
    _due_ns: int | None = 0

    @property
    def venue(self) -> MortalVenue:
        """The first venue."""
        return next(iter(self.venues.values()))

    def turn(self) -> bool:
        """Everything that is due now; False if there was nothing."""
        moved = False
        for venue in self.venues.values():
            while venue.inner.turn():
                moved = True
        if self.inbox.depth() or (self._due_ns is not None and self._due_ns <= self.clock.now_ns()):
            self.runner.run_batch(self.inbox.take(BATCH_LIMIT, 0))
            self._due_ns = self.runner.next_due_ns  # a function of what was decided: nothing moves it in between
            moved = True
        return moved

    def next_ns(self) -> int | None:
        """When in the world it has something to do by itself."""
        due_ns = self._due_ns
        for venue in self.venues.values():
            venue_ns = venue.inner.due_ns()
            if due_ns is None or venue_ns < due_ns:
                due_ns = venue_ns
        return None if due_ns is None else self.clock.in_the_world(due_ns)

    def jump(self, by_ns: int) -> None:
        """The wall clock moves, and the engine notices as its housekeeping does."""
        self.clock.jump(by_ns)
        self.inbox.deliver(ClockJumped(by_ns))

    def drop(self) -> None:
        """The process is gone: nothing more is taken or told, what was sent still arrives."""
        for venue in self.venues.values():
            venue.inner.drop()


def begin_engine(
    setting: Setting,
    world: VirtualClock,
    ahead_ns: int,
    log: MemoryLog,
    floors: Mapping[VenueName, VirtualFloor],
    hooks: Hooks,
    saved: Saved | None,
) -> Engine:
    """Fold, claim, connect: a process up to its first event. Raises `VenueUnreachable` where nothing is known yet of an
    exchange that can't be asked."""
    state = restore(log, saved)
    log.claim()
    clock = ProcessClock(world, ahead_ns, state.at_ns)
    epoch = log.epoch
    gate = SendGate(clock, lambda: log.epoch == epoch)
    venues = {name: _venue(name, setting, floor, clock, hooks) for name, floor in floors.items()}
    market, inbox, desk = Market(), Inbox(), Desk(setting.strategies)
    runner = Runner(
        state=state, market=market, desk=desk, inbox=inbox,
        log=MortalLog(log, hooks.before_commit, hooks.after_commit), venues=venues, clock=clock, gate=gate,
        die=hooks.die, recall=lambda asked: _recall(asked, log, state, inbox),
    )  # fmt: skip
    return Engine(state, market, inbox, runner, venues, gate, clock)


def open_engine(engine: Engine, beginning: Sequence[Input]) -> None:
    """The first events, then the venues."""
    engine.runner.run_batch(beginning)
    engine.runner.desk.prepare(engine.state, engine.market)
    for venue in engine.venues.values():
        venue.open(engine.inbox.deliver, engine.gate)


def beginning_of(
    engine: Engine, setting: Setting, log: MemoryLog, seed: int, clean: bool, release: str = "simulation"
) -> list[Input]:
    """The first inputs of a process; raises `VenueUnreachable`."""
    run = base36((seed * 7919 + log.epoch * 104_729) % 36**4, 4)
    began = ProcessBegan(
        journal_id=log.journal_id, run=run, epoch=log.epoch, pid=log.epoch, release=release,
        clean=clean, head_seq=None,
    )  # fmt: skip
    described = [VenueDescribed(_describe(venue, engine.state)) for venue in engine.venues.values()]
    return [began, ConfigurationRead(setting.settings), *described, VenuesDescribed()]


def restore(log: MemoryLog, saved: Saved | None = None) -> State:
    """The state that a log makes, from its beginning or from a snapshot."""
    state = State() if saved is None else decode_state(saved.blob)
    with exact_arithmetic():
        for entry in log.read(state.seq):
            apply(state, decode(entry))
    return state


def save(engine: Engine) -> Saved:
    """A snapshot of the living state."""
    return Saved(engine.state.seq, encode_state(engine.state))


def _venue(name: VenueName, setting: Setting, floor: VirtualFloor, clock: ProcessClock, hooks: Hooks) -> MortalVenue:
    site = setting.exchanges()[name]
    link = VirtualLink(floor, hooks.before_send)
    translator = Translator(name, site.symbols)
    timeout_ns, every_ns = site.options.request_timeout_ns, site.clock_every_ns
    return MortalVenue(SimulatedVenue(name, link, translator, timeout_ns, clock.now_ns, every_ns), link, hooks)


def _describe(venue: MortalVenue, state: State) -> VenueDescription:
    try:
        return venue.describe()
    except VenueUnreachable:
        known = state.venues.get(venue.name)
        if known is None or known.description is None:
            raise
        return known.description


def _recall(asked: RecallOrder, log: MemoryLog, state: State, inbox: Inbox) -> None:
    entries = [entry for entry in log.entries if entry.subject == asked.order_id]
    found = find_order(asked.order_id, entries, lend(state))
    if found is not None:
        inbox.deliver(found)
