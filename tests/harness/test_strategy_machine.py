"""The machine that draws schedules: it finds what is broken, makes it short, and does the same with the same seed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, ClassVar

import pytest
from hypothesis import seed as seeded
from hypothesis.stateful import rule, run_state_machine_as_test

from engine.strategy import Answers, Context, Strategy
from tests.harness.broken import BROKEN
from tests.house.source import ROOT
from tools.harness import StrategyMachine, invariant
from tools.harness.layer import RestlessMachine, one_line, try_seed
from tools.harness.shorten import shorten
from tools.harness.story import Violation

QUICK = 25


class Quick(RestlessMachine):
    """The layer's machine with fewer schedules."""

    examples: ClassVar[int] = 4
    steps: ClassVar[int] = 15


def search(machine: type[StrategyMachine], seed: int = 1, examples: int = QUICK) -> Exception | None:
    try:
        run_state_machine_as_test(seeded(seed)(machine), settings=machine.hypothesis_settings(examples, database=None))
    except Exception as error:  # noqa: BLE001 (what is found is looked at by the tests)
        return error
    return None


def test_the_layer_tries_and_finds_nothing() -> None:
    found = try_seed(1, Quick)
    assert found.problems == ()
    assert found.cases >= Quick.examples
    assert found.faults > 20
    assert found.counts["fills"] > 20
    assert found.counts["deaths"] > 0


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_same_seed_is_the_same_search(hash_seed: str) -> None:
    code = "from tests.harness.test_strategy_machine import Quick; from tools.harness.layer import try_seed; " \
        "print(try_seed(2, Quick))"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(try_seed(2, Quick))


@pytest.mark.parametrize(
    "name",
    [
        "executions are booked whenever they are told",
        "a submit that timed out is taken for rejected",
        "orders are sent again under a new id",
    ],
)
def test_what_is_broken_is_found_and_made_short(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    BROKEN[name](monkeypatch)
    error = search(RestlessMachine)
    assert error is not None, f"{name}: nobody noticed"
    schedule = error.schedule  # type: ignore[attr-defined]
    assert len(schedule) <= 8, schedule
    again = RestlessMachine.play(schedule)
    assert again is not None
    assert type(again) is type(error)
    assert "--holdfast-schedule" in "".join(error.__notes__)
    assert one_line(error).endswith(f"[{'; '.join(schedule)}]")


def test_the_layer_says_what_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    BROKEN["orders are sent again under a new id"](monkeypatch)
    (problem,) = try_seed(1, Quick).problems
    assert problem.startswith("O1: ")
    assert "[begin 0; " in problem
    assert "\n" not in problem


class NeverMore(RestlessMachine):
    """A user's invariant that will not hold."""

    @invariant()
    def never_more_than_five(self) -> None:
        assert len(self.fills()) <= 5


def test_a_users_invariant_is_found_and_made_short() -> None:
    error = search(NeverMore)
    assert isinstance(error, AssertionError)
    assert len(error.schedule) <= 3  # type: ignore[attr-defined]
    assert isinstance(NeverMore.play(error.schedule), AssertionError)  # type: ignore[attr-defined]


class OwnRules(NeverMore):
    """A user's rule: Hypothesis shrinks, because a schedule does not say everything."""

    @rule()
    def mine(self) -> None:
        """A rule."""


def test_with_rules_of_its_own_hypothesis_tells_it() -> None:
    error = search(OwnRules)
    assert isinstance(error, AssertionError)
    told = "".join(error.__notes__)
    assert "state.begin(seed=0)" in told
    assert "Hypothesis keeps the schedule" in told


class OwnEnd(RestlessMachine):
    """The same where it shows only once everything has come to rest."""

    steps: ClassVar[int] = 6

    @rule()
    def mine(self) -> None:
        """A rule."""

    @invariant()
    def never_settled(self) -> None:
        assert not self.trial.is_settled


def test_with_rules_of_its_own_the_end_counts_too() -> None:
    error = search(OwnEnd, examples=3)
    assert isinstance(error, AssertionError)
    assert "settle" in "".join(error.__notes__)


class Raises(Strategy):
    """Fails at its first quote."""

    def on_quote(self, context: Context, quote: Any) -> Answers:
        raise ZeroDivisionError("by nothing")


class RaisingMachine(StrategyMachine):
    """Tests it."""

    strategy = Raises


def test_a_strategy_that_raises_is_a_violation() -> None:
    error = search(RaisingMachine)
    assert isinstance(error, Violation)
    assert error.problems[0].startswith("the strategy raised in on_quote: ZeroDivisionError: by nothing")


def test_a_schedule_gets_shorter_and_plainer() -> None:
    """Bad is whatever has a kill and, later, a wait of 2 s at least."""

    def play(steps: Any) -> Exception | None:
        kills = [place for place, step in enumerate(steps) if step.startswith("kill_engine")]
        waits = [place for place, step in enumerate(steps) if step in ("run 2s", "run 5s", "run 1s")]
        bad = kills and waits and kills[0] < waits[-1]
        return Violation([f"O3: seq {len(steps)}"]) if bad else None

    steps = ["begin 41", "run 12s", "pause", "kill_engine 8s", "run 7ms", "fault busy any 1", "run 5s", "settle"]
    short, error = shorten(steps, Violation(["O3: seq 8"]), play)
    assert short == ["begin 0", "kill_engine 1s", "run 1s"]
    assert str(error) == "O3: seq 3"
    other, _ = shorten(steps, Violation(["O8: else"]), play)
    assert other == steps
