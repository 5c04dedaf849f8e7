"""A world: one engine, its exchanges, one clock, one seed. It can be killed anywhere and started again.

The engine is the real one: state, tables, decision, risk, runner, adapter, gateway, exchange, ledger. Replaced are
threads, sockets, the disk and the time between events. Every step is a function of the seed and the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from attrs import frozen

from adapters.simulated.faults import strike_name
from adapters.simulated.gateway import Strike
from engine.codec import decode
from engine.order import Pending
from engine.outbox import CancelOrder, ReplaceOrder, Request, SubmitOrder
from engine.ports import VenueUnreachable
from engine.state import Recorded, State
from engine.system import SystemState
from engine.values import MILLISECOND_NS, SECOND_NS, VenueName
from tools.simulation.clock import VirtualClock
from tools.simulation.floor import VirtualFloor
from tools.simulation.log import Crashed, MemoryLog
from tools.simulation.plan import VENUE, Plan, Setting, Tally
from tools.simulation.process import Engine, Hooks, Saved, begin_engine, beginning_of, open_engine, restore, save

__all__ = ["VENUE", "Plan", "Setting", "Tally", "World", "fold", "recorded"]

TURNS_MOST = 10_000
RESTART_NS = 300 * MILLISECOND_NS
TAKEOVER_NS = 50 * MILLISECOND_NS
NOBODY_UP = "engine down"
NO_ORDER = "no order"
UNKNOWN = "at an unknown commit"
REQUESTS = (SubmitOrder, ReplaceOrder, CancelOrder)


@frozen
class Mark:
    """How far the exchanges' ledgers were when the journal had come to a seq."""

    seq: int
    ledgers: Mapping[VenueName, int]


class Frozen(BaseException):
    """The process is stopped in the middle of a send. Nobody may catch it on the way."""


class World:
    """Drive it with `run_until`; look at `engine`, `log`, `floor` and `tally`."""

    def __init__(self, setting: Setting, plan: Plan, seed: int) -> None:
        self.setting, self.plan, self.seed = setting, plan, seed
        self.clock = VirtualClock()
        self.log = MemoryLog(f"journal-{seed}")
        self.tally = Tally()
        self.plan_is_on = True
        self.ledgers = {name: MemoryLog(_ledger_name(seed, name)) for name in setting.exchanges()}
        self.floors = {name: self._open_floor(name) for name in setting.exchanges()}
        self.engine: Engine | None = None
        self._ahead_ns = plan.ahead_ns
        self._saved: Saved | None = None
        self._begin_at: int = self.clock.now
        self._floors_begin_at: dict[VenueName, int] = {}
        self._zombies: list[tuple[int, Engine]] = []
        self._done: set[tuple[str, int]] = set()
        self._left_before = 0
        self.marks: list[Mark] = []

    @property
    def floor(self) -> VirtualFloor:
        """The first exchange."""
        return next(iter(self.floors.values()))

    @property
    def ledger(self) -> MemoryLog:
        """The first exchange's ledger."""
        return next(iter(self.ledgers.values()))

    def _open_floor(self, name: VenueName) -> VirtualFloor:
        self.ledgers[name].claim()
        site = self.setting.exchanges()[name]
        return VirtualFloor(self.clock, site, self.setting.directory, self.ledgers[name], partial(self._strike, name))

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
        for floor in self.floors.values():
            floor.end_faults()
        self._mend_clock()
        self.run_until(self.clock.now + 3 * self.setting.settings.reconcile.every_ns)  # a lost frame is found by then
        end_ns = self.clock.now + limit_ns
        while self.clock.now < end_ns:
            self.run_until(self.clock.now + SECOND_NS // 4)
            if self.is_settled():
                return True
        return False

    def is_settled(self) -> bool:
        """Trading or paused with a reason, nothing unsettled and nothing waiting, every exchange up."""
        if self.engine is None or any(floor.gateway is None for floor in self.floors.values()):
            return False
        state = self.engine.state
        quiet = all(
            not order.is_unsettled and not order.is_in_doubt and order.pending_cancel == "none"
            and order.pending_replace == "none"
            for order in state.open_orders()
        )  # fmt: skip
        return state.system in (SystemState.TRADING, SystemState.PAUSED) and quiet

    def _mend_clock(self) -> None:
        if self._ahead_ns and self.engine is not None:
            self.engine.jump(-self._ahead_ns)
        self._ahead_ns = 0

    def _turn_all(self) -> None:
        self._keep_alive()
        for _ in range(TURNS_MOST):
            moved = False
            for floor in self.floors.values():
                moved = floor.turn() or moved
            if self.engine is not None:
                moved = self._turn_engine(self.engine) or moved
            if not moved:
                return
        raise RuntimeError(f"no rest after {TURNS_MOST} turns at {self.clock.now}")

    def _turn_engine(self, engine: Engine) -> bool:
        try:
            moved = engine.turn()
            every = self.plan.snapshot_every
            if every and engine.state.seq >= (self._saved.seq if self._saved else 0) + every:
                self._saved = save(engine)
        except Crashed as death:
            self._bury(str(death))
            return True
        except Frozen:
            self._take_over(engine)
            return True
        return moved

    def _next_ns(self) -> int:
        times = [*(floor.next_ns() for floor in self.floors.values()), *self._floors_begin_at.values()]
        times += [at_ns for at_ns, _engine in self._zombies]
        times.append(self._begin_at if self.engine is None else self.engine.next_ns())
        if self.plan_is_on:
            times += [at for at in self._planned() if at > self.clock.now]
        return min((at for at in times if at is not None), default=self.clock.now + SECOND_NS)

    def _planned(self) -> Iterator[int]:
        plan = self.plan
        for table in (plan.engine_at, plan.exchange_at, plan.mute_at, plan.deaf_at, plan.clock_at, plan.commands_at):
            yield from table

    # --- life and death -----------------------------------------------------------------------------------------

    def kill_engine(self, down_ns: int = RESTART_NS) -> None:
        """kill -9, now; it is started again after `down_ns`."""
        if self.engine is not None:
            self._begin_at = self.clock.now + down_ns
            self._bury("at a moment")

    def kill_exchange(self, down_ns: int = RESTART_NS, venue: VenueName | None = None) -> None:
        """An exchange dies now, the first if none is named; it is back after `down_ns`."""
        name = venue or next(iter(self.floors))
        if self.floors[name].gateway is not None:
            self._meet("exchange died")
            self._count("exchange")
            self._floors_begin_at[name] = self.clock.now + down_ns
            self.floors[name].end()

    def jump_clock(self, by_ns: int) -> None:
        """The wall clock of the engine's machine moves."""
        self._meet("clock jumped")
        self._ahead_ns += by_ns
        if self.engine is not None:
            self.engine.jump(by_ns)

    def _keep_alive(self) -> None:
        for name, at_ns in list(self._floors_begin_at.items()):
            if self.clock.now >= at_ns:
                del self._floors_begin_at[name]
                self.floors[name].begin()
        for woken in [each for each in self._zombies if each[0] <= self.clock.now]:
            self._zombies.remove(woken)
            self._wake(woken[1])
        if self.engine is None and self.clock.now >= self._begin_at:
            self._begin()
        if self.plan_is_on:
            self._carry_out_plan()

    def _carry_out_plan(self) -> None:
        plan = self.plan
        for down_ns in self._due("engine", plan.engine_at):
            self.kill_engine(down_ns)
        for number, down_ns in enumerate(self._due("exchange", plan.exchange_at)):
            self.kill_exchange(down_ns, list(self.floors)[(number + down_ns) % len(self.floors)])
        for is_deaf, table in ((False, plan.mute_at), (True, plan.deaf_at)):
            for until_ns in self._due(f"half open {is_deaf}", table):
                if sum(floor.half_open(self.clock.now + until_ns, is_deaf=is_deaf) for floor in self.floors.values()):
                    self._meet("deaf" if is_deaf else "mute")
        for by_ns in self._due("clock", plan.clock_at):
            self.jump_clock(by_ns)
        for at, command in plan.commands_at.items():
            if at <= self.clock.now and self._once("command", at) and self.engine is not None:
                self.engine.inbox.deliver(command)

    def _due(self, what: str, table: Mapping[int, int]) -> list[int]:
        return [value for at, value in table.items() if at <= self.clock.now and self._once(what, at)]

    def _once(self, what: str, key: int) -> bool:
        if (what, key) in self._done:
            return False
        self._done.add((what, key))
        return True

    def _begin(self) -> None:
        """A start, as tools.run does it: fold, claim, describe, begin, open."""
        clean = not self.log.entries or self.log.entries[-1].kind == "ProcessStopped"
        engine = begin_engine(
            self.setting, self.clock, self._ahead_ns, self.log, self.floors, self._hooks(), self._saved
        )
        try:
            beginning = beginning_of(engine, self.setting, self.log, self.seed, clean)
        except VenueUnreachable:
            self._begin_at = self.clock.now + SECOND_NS
            return
        self.tally.starts += 1
        self.engine = engine
        try:
            open_engine(engine, beginning)
        except Crashed as death:
            self._bury(str(death))

    def _bury(self, how: str) -> None:
        """The engine's process is gone: connections, queues, memory. What it sent still arrives."""
        self._meet(f"died {how}")
        self._count(how)
        if how == UNKNOWN and len(self.tally.left) != self._left_before:
            self.tally.after_the_end.append(f"S3: sent after an unknown commit at {self.clock.now}")
        engine, self.engine = self.engine, None
        if self._begin_at <= self.clock.now:
            self._begin_at = self.clock.now + RESTART_NS
        if engine is not None:
            engine.drop()

    def _take_over(self, engine: Engine) -> None:
        """The process is stopped in the middle of a send; another one starts, and some day the first wakes up."""
        self._meet("stopped in a send")
        self._count("stopped")
        for venue in engine.venues.values():
            venue.link.is_held = True
        self._zombies.append((self.clock.now + self.plan.freeze_at_send[self.tally.sends], engine))
        self.engine, self._begin_at = None, self.clock.now + TAKEOVER_NS

    def _wake(self, engine: Engine) -> None:
        """It goes on with what it was about to do, finds itself fenced and ends. Nothing more may leave it."""
        sent, releases = self.tally.sends, self.tally.releases
        try:
            for venue in engine.venues.values():
                venue.link.wake()
            engine.turn()
        except Crashed:
            engine.gate.close()
        if (self.tally.sends, self.tally.releases) != (sent, releases):
            self.tally.after_the_end.append(f"I4: a process that had been replaced sent at {self.clock.now}")
        engine.drop()

    def _count(self, how: str) -> None:
        self.tally.deaths[how] = self.tally.deaths.get(how, 0) + 1

    # --- what was met -------------------------------------------------------------------------------------------

    def _strike(self, venue: VenueName, strike: Strike) -> None:
        """A fault of a message: which states were the orders in that it is about?"""
        self.tally.struck.append((venue, strike_name(strike.fault, strike.kind, strike.counter)))
        message = strike.message
        client_id, venue_id = getattr(message, "client_order_id", None), getattr(message, "venue_order_id", None)
        if self.engine is None or not (client_id or venue_id):
            self._meet(strike.fault)
            return
        symbols, symbol = self.setting.exchanges()[venue].symbols, getattr(message, "symbol", None)
        name = next((name for name, theirs in symbols.items() if theirs == symbol), None)
        order = self.engine.state.order_of(client_id, venue, venue_id, name)
        self.tally.faults += 1
        self.tally.matrix[strike.fault, str(order.status) if order is not None else NO_ORDER] += 1

    def _meet(self, fault: str) -> None:
        """A fault of no one order: it counts for each state that an open order is in."""
        self.tally.faults += 1
        if self.engine is None:
            self.tally.matrix[fault, NOBODY_UP] += 1
            return
        met: set[str] = set()
        for order in self.engine.state.open_orders():
            met.add(str(order.status))
            met |= {"cancel pending"} if order.pending_cancel is not Pending.NONE else set()
            met |= {"replace pending"} if order.pending_replace is not Pending.NONE else set()
        for state in met or {NO_ORDER}:
            self.tally.matrix[fault, state] += 1

    # --- the named points -----------------------------------------------------------------------------------------

    def _hooks(self) -> Hooks:
        return Hooks(
            before_commit=self._before_commit, after_commit=self._after_commit, before_release=self._before_release,
            after_release=self._after_release, before_send=self._before_send, die=self._die,
        )  # fmt: skip

    def _before_commit(self) -> None:
        self.tally.commits += 1
        self._perhaps_die(self.plan.before_commit, self.tally.commits, "before a commit")
        if self._strikes(self.plan.commit_lost, self.tally.commits, "commit lost"):
            raise OSError(5, "an I/O error, and nothing was written")

    def _after_commit(self) -> None:
        self.marks.append(Mark(self.log.seq, {name: log.seq for name, log in self.ledgers.items()}))
        self._perhaps_die(self.plan.after_commit, self.tally.commits, "after a commit")
        if self._strikes(self.plan.commit_kept, self.tally.commits, "commit kept"):
            raise OSError(5, "an I/O error, but everything was written")

    def _before_release(self, request: Request) -> None:
        self.tally.releases += 1
        self._perhaps_die(self.plan.before_release, self.tally.releases, "before a request")
        if isinstance(request, REQUESTS):
            self.tally.left.append(request)

    def _after_release(self) -> None:
        self._perhaps_die(self.plan.after_release, self.tally.releases, "after a request")

    def _before_send(self) -> None:
        self.tally.sends += 1
        if self.plan_is_on and self.tally.sends in self.plan.freeze_at_send:
            raise Frozen

    def _perhaps_die(self, when: Mapping[int, int], number: int, how: str) -> None:
        if self._strikes(when, number, how):
            raise Crashed(how)

    def _strikes(self, when: Mapping[int, int], number: int, how: str) -> bool:
        if not (self.plan_is_on and number in when and self._once(how, number)):
            return False
        self._begin_at = self.clock.now + when[number]
        self._left_before = len(self.tally.left)
        return True

    def _die(self, error: BaseException) -> None:
        raise Crashed(UNKNOWN) from error


def _ledger_name(seed: int, venue: VenueName) -> str:
    return f"ledger-{seed}" if venue == VENUE else f"ledger-{venue}-{seed}"


def fold(log: MemoryLog, upto: int | None = None) -> State:
    """The state that a log makes, or its first `upto` events."""
    if upto is None:
        return restore(log)
    part = MemoryLog(log.journal_id)
    part.entries = log.entries[:upto]
    return restore(part)


def recorded(log: MemoryLog) -> list[Recorded]:
    """A log's events."""
    return [decode(entry) for entry in log.entries]
