"""Layer 6 of the proof: Hypothesis draws schedules of deaths and faults for a strategy that never sits still."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tools.harness.figures import FIGURES
from tools.harness.story import BETWEEN, Violation
from tools.harness.strategy_machine import StrategyMachine
from tools.proof.outcome import Outcome
from tools.simulation.restless import Restless

LAYER = "machines"
EXAMPLES = 15
STEPS = 30


class RestlessMachine(StrategyMachine):
    """The strategy that every layer uses, within limits that it runs into."""

    strategy = Restless
    params: ClassVar = {"quantity": "0.01"}
    risk: ClassVar = {"max_position": {"BTC-USDT": "0.2"}, "max_open_orders": 6, "max_quote_age": "5s"}
    examples = EXAMPLES
    steps = STEPS


def try_seed(seed: int, machine: type[StrategyMachine] = RestlessMachine) -> Outcome:
    """The schedules of one seed, each with the liveness phase and every invariant at its end."""
    before = FIGURES.as_dict()
    problems: tuple[str, ...] = ()
    drawn = type(machine.__name__, (machine,), {"__module__": machine.__module__})
    try:
        run_state_machine_as_test(seeded(seed)(drawn), settings=machine.hypothesis_settings(database=None))
    except Exception as error:  # noqa: BLE001 (whatever ends a schedule badly is what is looked for)
        problems = (one_line(error),)
    tried = {name: number - before[name] for name, number in FIGURES.as_dict().items()}
    counts = {name: tried[name] for name in ("deaths", "starts", "fills", "events")}
    return Outcome(
        layer=LAYER, seed=seed, cases=tried["schedules"], faults=tried["deaths"] + tried["faults"], problems=problems,
        counts=counts,
    )  # fmt: skip


def one_line(error: Exception) -> str:
    """What was violated and the shortest schedule that was found, in one line."""
    first = error.problems[0] if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
    schedule: tuple[str, ...] = getattr(error, "schedule", ())
    return " ".join(f"{first} [{BETWEEN.join(schedule)}]".split())
