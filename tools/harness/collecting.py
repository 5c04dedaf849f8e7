"""What `pytest --holdfast` does: finds the machines of the test files, plays them, and sums up."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tools.harness.figures import FIGURES
from tools.harness.story import BETWEEN
from tools.harness.strategy_machine import StrategyMachine
from tools.harness.venue_machine import VenueMachine

WORKER_OUTPUT = "holdfast"
MACHINES = (StrategyMachine, VenueMachine)


class MachineItem(pytest.Function):
    """One machine, as one test; fixtures that are used by themselves are used for it too."""

    machine: type[StrategyMachine | VenueMachine]

    @classmethod
    def of(cls, parent: pytest.Module, name: str, machine: type[StrategyMachine | VenueMachine]) -> MachineItem:
        """The test of a machine."""
        config = parent.config
        item: MachineItem = cls.from_parent(parent, name=name, callobj=lambda: play(machine, config))
        item.machine = machine
        return item

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """What was violated, then the story; the frames in between say nothing to who reads it."""
        error = excinfo.value
        if not hasattr(error, "__holdfast__"):
            return str(super().repr_failure(excinfo))
        return "\n".join([violated(error, excinfo), *getattr(error, "__notes__", ())])

    def reportinfo(self) -> tuple[Any, int, str]:
        """Where it stands."""
        return self.path, inspect.getsourcelines(self.machine)[1] - 1, self.name


def play(machine: type[StrategyMachine | VenueMachine], config: pytest.Config) -> None:
    """Look for a schedule that ends badly; or play the one that is given. Raises what it ends with."""
    schedule = config.getoption("--holdfast-schedule")
    if schedule and issubclass(machine, StrategyMachine):
        error = machine.play([step.strip() for step in schedule.split(BETWEEN.strip()) if step.strip()])
        if error is not None:
            raise error
        return
    machine.begin_search()
    examples = config.getoption("--holdfast-examples")
    run_state_machine_as_test(machine, settings=machine.settings_for(examples))


def violated(error: BaseException, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """The first line of a failure: the invariant, by its name; of a user's own, its function and its line."""
    text = str(error)
    if type(error).__name__ == "Violation":
        return f"violated: {text}"
    last = excinfo.traceback[-1]
    first = f"violated: {last.name}: {type(error).__name__} {text}".rstrip()
    return f"{first}\n  {Path(last.path).name}:{last.lineno + 1}: {str(last.statement).strip()}"


class Collector:
    """The hooks that are there with `--holdfast` only."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str, obj: object) -> Any:
        """A machine that is written in this file is a test, unless the file names its TestCase too."""
        if not isinstance(obj, type) or not issubclass(obj, MACHINES) or not isinstance(collector, pytest.Module):
            return None
        module = inspect.getmodule(obj)
        named = any(each is obj.TestCase for each in vars(module).values()) if module else False
        is_here = obj.__module__ == getattr(getattr(collector, "obj", None), "__name__", None)
        if not is_here or named or not obj.is_complete():
            return []
        return MachineItem.of(collector, name, obj)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
        """Count what was violated: in a machine, or in a test that made a world."""
        is_ours = isinstance(item, MachineItem) or "holdfast_world" in getattr(item, "fixturenames", ())
        report = yield
        if call.when == "call" and call.excinfo is not None:
            FIGURES.violations += is_ours or hasattr(call.excinfo.value, "__holdfast__")
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A worker of xdist hands its figures over."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[WORKER_OUTPUT] = FIGURES.as_dict()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """The controller of xdist adds them up."""
        FIGURES.add(getattr(node, "workeroutput", {}).get(WORKER_OUTPUT, {}))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line for all."""
        found = FIGURES
        terminalreporter.section("holdfast")
        terminalreporter.write_line(
            f"holdfast: {found.schedules:,} schedules, {found.deaths:,} deaths, {found.faults:,} faults, "
            f"{found.violations:,} violations"
        )
