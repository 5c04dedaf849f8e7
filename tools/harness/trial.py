"""A trial: a strategy in a world of its own, what a test does to it, and what it may ask of it.

The world is `tools.simulation`'s: the real engine, adapter, exchange and ledger, in virtual time. Every action takes a
tenth of a second of it, and after every action the invariants that are cheap to check are checked. A schedule is the
list of the actions as text, so that it can be read, and repeated with `Trial.repeat`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from attrs import evolve

from engine.events import FillBooked
from engine.inputs import Action, OperatorCommand
from engine.market import Market
from engine.order import Order
from engine.state import State
from engine.strategy import recall
from engine.values import MILLISECOND_NS, InstrumentName, duration
from tools.harness.figures import FIGURES
from tools.harness.points import IN_SEND, POINTS
from tools.harness.setting import with_market_seed
from tools.harness.steering import ANY, Steering
from tools.harness.story import BETWEEN, Violation, tell
from tools.harness.watch import Watch
from tools.simulation.invariants import violations
from tools.simulation.plan import Plan, Setting
from tools.simulation.world import TAKEOVER_NS, World

BEAT_NS = 100 * MILLISECOND_NS
SETTLE = "120s"
SLICE_NS = 50 * MILLISECOND_NS
LOOKS_MOST = 40
LOOK_EVERY_NS = 37 * MILLISECOND_NS
SNAPSHOT_EVERY = 40
"""So many events after a snapshot the next one is taken, so that restarts go both ways."""

WAKES_NS = 2 * TAKEOVER_NS
"""Not before that a process that was stopped in a send wakes up: until it is replaced it may go on as it likes."""

Again = Callable[[str], str]


class Trial:
    """Drive it with the actions (`run`, `kill_engine`, `fault`, …), then `settle` and `check`.

    Every action raises `Violation` where an invariant does not hold. `seed` chooses the market and all chance.
    """

    def __init__(self, setting: Setting, seed: int = 0, again: Again = lambda schedule: "") -> None:
        self.world = World(with_market_seed(setting, seed), Plan(snapshot_every=SNAPSHOT_EVERY), seed)
        self.schedule = [f"begin {seed}"]
        self.is_settled = self.has_failed = False
        self._steering, self._watch, self._again = Steering(self.world), Watch(self.world), again
        self._steering.adopt()
        FIGURES.schedules += 1

    # --- actions ------------------------------------------------------------------------------------------------

    def run(self, span: str) -> None:
        """Let time pass: "250ms", "30s", "2m"."""
        self._act(f"run {span}", lambda: None, duration(span))

    def kill_engine(self, down: str = "300ms") -> None:
        """kill -9, now; it is started again after that time."""
        self._act(f"kill_engine {down}", lambda: self.world.kill_engine(duration(down)))

    def kill_engine_at(self, point: str, nth: int | str = 1, down: str = "300ms") -> None:
        """The engine is struck at the `nth` commit, request or send from now on. `point` is one of `points.POINTS`."""
        if point not in POINTS:
            raise ValueError(f"there is no point {point!r}; there are {', '.join(POINTS)}")
        self._act(f"kill_engine_at {point} {nth} {down}", lambda: self._plan_death(point, int(nth), duration(down)))

    def kill_exchange(self, down: str = "300ms") -> None:
        """The exchange dies, and with it what is on its way; its ledger stays, and it is back after that time."""
        self._act(f"kill_exchange {down}", lambda: self.world.kill_exchange(duration(down)))

    def fault(self, fault: str, kind: str = ANY, nth: int | str = 1, times: int | str = 1) -> None:
        """The `nth` message of that kind from now on is lost, delayed, doubled, …: `fault("lose_reply", "place")`; and
        `times` in a row are."""
        words = f"fault {fault} {kind} {nth}" + (f" {times}" if int(times) > 1 else "")
        self._act(words, lambda: self._steering.arm(fault, kind, int(nth), int(times)))

    def half_open(self, how: str = "deaf", span: str = "5s") -> None:
        """Connections stay up for that long and carry nothing: "deaf" hears nothing, "mute" is not heard either."""
        self._act(f"half_open {how} {span}", lambda: self._fall_silent(how == "deaf", duration(span)))

    def move_market(self, permille: int | str, instrument: str = "") -> None:
        """The market jumps by thousandths of its price, of the first instrument if none is named."""
        self._act(f"move_market {permille} {instrument}".strip(), lambda: self._jump(int(permille), instrument))

    def jump_clock(self, by: str) -> None:
        """The wall clock of the engine's machine moves: "200ms", "-3s"."""
        self._act(f"jump_clock {by}", lambda: self.world.jump_clock(signed_duration(by)))

    def pause(self) -> None:
        """The operator pauses everything."""
        self._act("pause", lambda: self._command(Action.PAUSE))

    def resume(self) -> None:
        """The operator ends pauses and kills."""
        self._act("resume", lambda: self._command(Action.RESUME))

    def kill(self) -> None:
        """The operator's kill: pause, cancel everything, and prove that nothing is left."""
        self._act("kill", lambda: self._command(Action.KILL))

    def flatten(self) -> None:
        """The operator's kill that closes the positions too."""
        self._act("flatten", lambda: self._command(Action.KILL, flatten=True))

    def settle(self, limit: str = SETTLE) -> None:
        """No more faults and deaths: everything must come to rest, and the books must be the exchange's ledger."""
        self._act("settle" if limit == SETTLE else f"settle {limit}", lambda: self._settle(limit), 0)
        self.is_settled = True

    def check(self) -> None:
        """Every invariant of the simulation, over everything that has happened; the books too, once settled."""
        with self.telling():
            self._require(violations(self.world, settled=self.is_settled))

    def repeat(self, schedule: str) -> None:
        """Do what a schedule says, as a failure prints it; raises `ValueError` for a word that is no action."""
        for step in filter(None, (part.strip() for part in schedule.split(BETWEEN.strip()))):
            word, *given = step.split()
            if word == "begin":
                continue
            if word not in ACTIONS:
                raise ValueError(f"{word!r} is no action; there are {', '.join(ACTIONS)}")
            getattr(self, word)(*given)

    # --- questions ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the journal amounts to, whether the engine lives or not."""
        return self._watch.state

    @property
    def market(self) -> Market | None:
        """The last quotes that the living engine has."""
        return None if self.world.engine is None else self.world.engine.market

    @property
    def is_alive(self) -> bool:
        """Does the engine run?"""
        return self.world.engine is not None

    @property
    def exchange_is_up(self) -> bool:
        """Does the exchange run?"""
        return self.world.floor.gateway is not None

    def position(self, instrument: str) -> Decimal:
        """The position in the books, signed."""
        return self.state.position(InstrumentName(instrument)).quantity

    def open_orders(self, instrument: str | None = None) -> list[Order]:
        """The orders that may still trade, those in doubt among them."""
        return [order for order in self.state.open_orders() if instrument in (None, order.instrument)]

    def fills(self) -> list[FillBooked]:
        """Every execution that was booked, in order."""
        return list(self._watch.fills)

    def memory(self, strategy: str | None = None) -> dict[str, Any]:
        """What the strategy has in its memory, as it was last journaled."""
        for name, kept in self.state.strategies.items():
            if strategy in (None, name):
                found: dict[str, Any] = recall(kept.memory)
                return found
        return {}

    def can_move_market(self) -> bool:
        """Is the market a generated one?"""
        return self._steering.can_move()

    def actions_since(self, word: str) -> int:
        """How many actions there were since the last one of that word, or since the beginning."""
        words = [step.split()[0] for step in reversed(self.schedule)]
        return words.index(word) if word in words else len(words)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Whatever is raised inside is told with its schedule."""
        try:
            yield
        except Exception as error:
            self.has_failed = True
            tell(error, self.schedule, self.world.log, self._again(BETWEEN.join(self.schedule)))
            raise

    def close(self) -> None:
        """Count what happened, for the summary."""
        FIGURES.count(self.world.tally, self.world.log.seq, len(self._watch.fills))

    # --- how ----------------------------------------------------------------------------------------------------

    def _act(self, words: str, do: Callable[[], None], span_ns: int = BEAT_NS) -> None:
        self.schedule.append(words)
        self.is_settled = False
        with self.telling():
            self._steering.adopt()
            do()
            self._pass(span_ns)
            self._require(self._watch.look())

    def _pass(self, span_ns: int) -> None:
        """In slices while an exchange is dead: what was planned for it must be set the moment it is back."""
        end_ns = self.world.clock.now + span_ns
        while self.world.clock.now < end_ns:
            is_whole = all(floor.gateway is not None for floor in self.world.floors.values())
            self.world.run_until(end_ns if is_whole else min(end_ns, self.world.clock.now + SLICE_NS))
            self._steering.adopt()

    def _settle(self, limit: str) -> None:
        before = self.world.plan
        has_settled = self.world.settle(duration(limit))
        self._require(self._watch.look())
        if not has_settled:
            raise Violation([f"S1: not settled within {limit}: {self._condition()}"])
        self._compare()
        self.world.plan, self.world.plan_is_on = Plan(snapshot_every=before.snapshot_every), True
        self._steering.disarm()

    def _compare(self) -> None:
        """What differs for good differs at every look; what is on its way at one is not at another."""
        problems: list[str] = []
        for _ in range(LOOKS_MOST):
            problems = [*self._watch.look(), *self._watch.compare()]
            if not problems and self.world.is_settled():
                return
            self.world.run_until(self.world.clock.now + LOOK_EVERY_NS)
        self._require([*problems, *self._watch.look()] or [f"S1: it never came to rest: {self._condition()}"])

    def _condition(self) -> str:
        doubtful = sum(order.is_in_doubt or order.is_unsettled for order in self.state.open_orders())
        return f"{self.state.system} ({self.state.system_reason}), {doubtful} orders unsettled"

    def _require(self, problems: list[str]) -> None:
        if problems:
            raise Violation(list(dict.fromkeys(problems)))

    def _plan_death(self, point: str, nth: int, down_ns: int) -> None:
        table, counter = POINTS[point]
        if point == IN_SEND:
            down_ns = max(down_ns, WAKES_NS)
        number = getattr(self.world.tally, counter) + nth
        self._plan(table, {**getattr(self.world.plan, table), number: down_ns})

    def _fall_silent(self, is_deaf: bool, span_ns: int) -> None:
        self._plan("deaf_at" if is_deaf else "mute_at", {self.world.clock.now: span_ns})

    def _plan(self, table: str, values: dict[int, int]) -> None:
        changed: dict[str, Any] = {table: values}
        self.world.plan = evolve(self.world.plan, **changed)

    def _jump(self, permille: int, instrument: str) -> None:
        venue, site = next(iter(self.world.setting.exchanges().items()))
        for name, known in self.world.setting.exchanges().items():
            if InstrumentName(instrument) in known.symbols:
                venue, site = name, known
        symbols = site.symbols
        symbol = symbols.get(InstrumentName(instrument)) or next(iter(symbols.values()))
        self._steering.move(symbol, permille, venue)

    def _command(self, action: Action, *, flatten: bool = False) -> None:
        if self.world.engine is not None:
            command = OperatorCommand(action=action, uid=0, pid=1, reason="harness", flatten=flatten)
            self.world.engine.inbox.deliver(command)


ACTIONS = (
    "run", "kill_engine", "kill_engine_at", "kill_exchange", "fault", "half_open", "move_market", "jump_clock", "pause",
    "resume", "kill", "flatten", "settle", "check",
)  # fmt: skip
"""The words of a schedule, each a method of `Trial`."""


def signed_duration(text: str) -> int:
    """A duration in ns that may go back.

    >>> signed_duration("-3s")
    -3000000000
    """
    return -duration(text[1:]) if text.startswith("-") else duration(text)
