"""`StrategyMachine`: Hypothesis looks for a schedule of deaths and faults under which an invariant breaks, in your
strategy or in the engine below it; and it is made as short as it goes.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.control import current_build_context
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engine.events import FillBooked
from engine.order import Order
from engine.state import State
from engine.strategy import Strategy
from tools.harness.points import (
    AFTER,
    ANY_FAULTS,
    CLOCK_JUMPS,
    DOWN,
    JUMPS_PERMILLE,
    MESSAGE_FAULTS,
    NTH_MOST,
    POINTS,
    SPANS,
    TIMES,
)
from tools.harness.setting import DEFAULT_INSTRUMENTS, Subject, setting_in, setting_of
from tools.harness.shorten import shorten
from tools.harness.steering import ANY
from tools.harness.trial import Trial
from tools.simulation.plan import Setting

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without `explain`, which traces every line that is run, and would take most of the time."""

QUIET: Mapping[str, Any] = {"phases": PHASES, "verbosity": Verbosity.quiet, "print_blob": False}
LOUD: Mapping[str, Any] = {"phases": (*PHASES, Phase.shrink), "print_blob": True}
EXAMPLES = 30
STEPS = 25
SEED_MOST = 99
SETTLED_EVERY = 12
"""So many steps lie between two times that it settles on the way."""


class StrategyMachine(RuleBasedStateMachine):
    """Subclass it, name your strategy, add invariants of your own:

        class MyMachine(StrategyMachine):
            strategy = Mine
            params = {"quantity": "0.001"}

            @invariant()
            def never_short(self):
                assert self.position("BTC-USDT") >= 0

    `pytest --holdfast` finds it; `TestMine = MyMachine.TestCase` lets any test runner find it. The tables are spelled
    as in `holdfast.toml`; `configuration` names such a file beside the test, instead of all of them.
    """

    strategy: ClassVar[type[Strategy] | None] = None
    instruments: ClassVar[Sequence[str] | Mapping[str, str]] = DEFAULT_INSTRUMENTS
    params: ClassVar[Mapping[str, Any]] = {}
    risk: ClassVar[Mapping[str, Any]] = {}
    orders: ClassVar[Mapping[str, Any]] = {}
    reconcile: ClassVar[Mapping[str, Any]] = {}
    strategy_options: ClassVar[Mapping[str, Any]] = {}
    venue: ClassVar[Mapping[str, Any]] = {}
    configuration: ClassVar[str | None] = None
    examples: ClassVar[int] = EXAMPLES
    steps: ClassVar[int] = STEPS

    has_failed_early: ClassVar[bool] = False
    trial: Trial

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        cls.TestCase.settings = cls.hypothesis_settings()
        cls.TestCase.setUp = lambda _test: cls.begin_search()  # type: ignore[method-assign, assignment]

    @classmethod
    def begin_search(cls) -> None:
        """Nothing has failed yet."""
        cls.has_failed_early = False

    @classmethod
    def hypothesis_settings(cls, examples: int | None = None, **more: Any) -> settings:
        """How hard Hypothesis tries. A schedule is made shorter here, which is quicker; where the class has rules of
        its own, and a schedule does not say everything, Hypothesis does it, and tells it."""
        how = LOUD if cls.has_own_rules() else QUIET
        return settings(
            max_examples=examples or cls.examples, stateful_step_count=cls.steps, deadline=None,
            report_multiple_bugs=False, suppress_health_check=list(HealthCheck), **{**how, **more},
        )  # fmt: skip

    @classmethod
    def settings_for(cls, examples: int | None) -> settings:
        """The settings of its test, with so many examples if that is asked for."""
        usual = cls.TestCase.settings
        return settings(usual, max_examples=examples or usual.max_examples)

    @classmethod
    def is_complete(cls) -> bool:
        """Does it name what is to be tested?"""
        return cls.strategy is not None or cls.configuration is not None

    @classmethod
    def setting(cls) -> Setting:
        """What its worlds are made of; raises `ValueError` with every fault of the tables."""
        if cls.configuration is not None:
            return setting_in(Path(inspect.getfile(cls)).parent / cls.configuration)
        if cls.strategy is None:
            raise ValueError(f"{cls.__name__} names no strategy: write `strategy = YourStrategy`")
        return setting_of(
            Subject(
                kind=cls.strategy, instruments=cls.instruments, params=cls.params, risk=cls.risk, orders=cls.orders,
                reconcile=cls.reconcile, strategy=cls.strategy_options, venue=cls.venue,
            )
        )  # fmt: skip

    @classmethod
    def again(cls, schedule: str) -> str:
        """The line that repeats a schedule; where the class has rules of its own, Hypothesis repeats it better."""
        if cls.has_own_rules():
            return (
                "run the same test; Hypothesis keeps the schedule in .hypothesis, and prints it with @reproduce_failure"
            )
        path = os.path.relpath(inspect.getfile(cls))
        return f"pytest --holdfast {path} -k {cls.__name__} --holdfast-schedule '{schedule}'"

    @classmethod
    def begin_trial(cls, seed: int) -> Trial:
        """A world of that seed."""
        return Trial(_setting_of(cls), seed, cls.again)

    @classmethod
    def has_own_rules(cls) -> bool:
        """Does a subclass let more happen than what stands here?"""
        ours = {each.function for each in StrategyMachine.setup_state().rules}
        return any(each.function not in ours for each in cls.setup_state().rules)

    # --- what may happen ------------------------------------------------------------------------------------------

    @initialize(seed=st.integers(0, SEED_MOST))
    def begin(self, seed: int) -> None:
        """A world of that seed."""
        self.trial = self.begin_trial(seed)

    @rule(span=st.sampled_from(SPANS))
    def run(self, span: str) -> None:
        """Time passes."""
        self.act("run", span)

    @rule(down=st.sampled_from(DOWN))
    def kill_engine(self, down: str) -> None:
        """kill -9."""
        self.act("kill_engine", down)

    @rule(
        point=st.sampled_from(sorted(POINTS)), nth=st.integers(1, NTH_MOST), down=st.sampled_from(DOWN),
        then=st.sampled_from(AFTER),
    )  # fmt: skip
    def kill_engine_at(self, point: str, nth: int, down: str, then: str) -> None:
        """A death at a commit, a request or in the middle of a send."""
        self.act("kill_engine_at", point, nth, down)
        self.act("run", then)

    @rule(down=st.sampled_from(DOWN))
    def kill_exchange(self, down: str) -> None:
        """The exchange dies."""
        self.act("kill_exchange", down)

    @rule(fault=st.sampled_from(ANY_FAULTS), times=st.sampled_from(TIMES), then=st.sampled_from(AFTER))
    def fault(self, fault: str, times: int, then: str) -> None:
        """The next messages meet a fault."""
        self.act("fault", fault, ANY, 1, times)
        self.act("run", then)

    @rule(what=st.sampled_from(MESSAGE_FAULTS), nth=st.integers(1, NTH_MOST), then=st.sampled_from(AFTER))
    def fault_of(self, what: tuple[str, str], nth: int, then: str) -> None:
        """One message of one kind meets a fault."""
        self.act("fault", *what, nth)
        self.act("run", then)

    @rule(how=st.sampled_from(("deaf", "mute")), span=st.sampled_from(("1s", "5s")))
    def half_open(self, how: str, span: str) -> None:
        """The line is up and carries nothing."""
        self.act("half_open", how, span)
        self.act("run", "1s")

    @rule(permille=st.sampled_from(JUMPS_PERMILLE), then=st.sampled_from(AFTER))
    def move_market(self, permille: int, then: str) -> None:
        """The price jumps."""
        self.act("move_market", permille)
        self.act("run", then)

    @rule(by=st.sampled_from(CLOCK_JUMPS), span=st.sampled_from(AFTER))
    def jump_clock(self, by: str, span: str) -> None:
        """The machine's wall clock moves, and is put right."""
        self.act("jump_clock", by)
        self.act("run", span)
        self.act("jump_clock", by[1:] if by.startswith("-") else f"-{by}")

    @rule(what=st.sampled_from(("pause", "kill", "flatten")), span=st.sampled_from(AFTER))
    def interrupt(self, what: str, span: str) -> None:
        """The operator stops everything, and some time later lets it go on."""
        self.act(what)
        self.act("run", span)
        self.act("resume")

    @rule()
    def settle(self) -> None:
        """Everything comes to rest, and the books are the exchange's ledger."""
        if self.trial.actions_since("settle") > SETTLED_EVERY:
            self.act("settle")

    def act(self, word: str, *given: Any) -> None:
        """Do something to the world, by its word in a schedule."""
        getattr(self.trial, word)(*given)

    # --- what must be true ----------------------------------------------------------------------------------------

    def check_invariants(self, settings: settings, output: Callable[[str], object], runtimes: dict[str, float]) -> None:
        """Hypothesis calls it after every step; what it raises is told with the schedule."""
        with self.trial.telling() if hasattr(self, "trial") else nullcontext():
            super().check_invariants(settings, output, runtimes)

    def teardown(self) -> None:
        """The liveness phase, and then every invariant of the simulation, and yours once more."""
        if not hasattr(self, "trial"):
            return
        error: BaseException | None = sys.exc_info()[1]
        is_early = True
        try:
            if error is None and not self._is_being_shortened():
                is_early = False
                self.finish()
        except Exception as found:
            error = found
            raise
        finally:
            self.trial.close()
            type(self).has_failed_early |= is_early and isinstance(error, Exception) and self.trial.has_failed
            if isinstance(error, Exception) and self.trial.has_failed and self._is_told():
                self._tell_shorter(error)

    def finish(self) -> None:
        """Everything comes to rest, and is looked at as a whole."""
        self.trial.settle()
        self.trial.check()
        self.check_mine()

    def check_mine(self) -> None:
        """The invariants of the subclass."""
        with self.trial.telling():
            for mine in self.invariants:
                if all(holds(self) for holds in mine.preconditions):
                    mine.function(self)

    @classmethod
    def play(cls, steps: Sequence[str]) -> Exception | None:
        """Play a schedule, invariants after every step and all of them at the end; gives what it raised."""
        machine = cls()
        machine.trial = cls.begin_trial(int(steps[0].split()[1]))
        try:
            for step in steps[1:]:
                machine.trial.repeat(step)
                machine.check_mine()
            if not machine.trial.is_settled:
                machine.finish()
            machine.trial.check()
        except Exception as error:  # noqa: BLE001 (whatever it is: it is what was looked for)
            return error
        finally:
            machine.trial.close()
        return None

    def _is_being_shortened(self) -> bool:
        """While Hypothesis shortens what failed on the way, what does not fail there is of no interest."""
        return self.has_failed_early and self.has_own_rules() and not current_build_context().is_final

    def _is_told(self) -> bool:
        return current_build_context().is_final and not self.has_own_rules()

    def _tell_shorter(self, error: Exception) -> None:
        _steps, shorter = shorten(self.trial.schedule, error, self.play)
        raise shorter from None

    # --- what your invariants may ask -----------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the journal amounts to."""
        return self.trial.state

    def position(self, instrument: str) -> Decimal:
        """The position in the books, signed."""
        return self.trial.position(instrument)

    def open_orders(self, instrument: str | None = None) -> list[Order]:
        """The orders that may still trade, those in doubt among them."""
        return self.trial.open_orders(instrument)

    def fills(self) -> list[FillBooked]:
        """Every execution that was booked."""
        return self.trial.fills()

    def memory(self) -> dict[str, Any]:
        """The strategy's memory, as it was last journaled."""
        return self.trial.memory()


@cache
def _setting_of(machine: type[StrategyMachine]) -> Setting:
    """Read once for each class: a machine makes hundreds of worlds."""
    return machine.setting()
