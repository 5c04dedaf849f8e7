"""The documentation's example, as a user runs it: in an empty folder, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.house.source import ROOT

SECTION = Path(__file__).parent / "example" / "section.md"
SUMMARY = re.compile(r"holdfast: (\d+) schedules, (\d+) deaths, (\d+) faults, (\d+) violations")
MINE = re.compile(r"```python\n(from decimal import Decimal\n.*?)```", re.DOTALL)
QUICK = ("--holdfast", "--holdfast-examples", "6", "-p", "no:cacheprovider", "-W", "error")

BREAK_THE_ENGINE = """
import pytest
from engine import order_guards

@pytest.fixture(autouse=True, scope="session")
def a_broken_engine():
    order_guards.GUARDS.update(is_known=lambda look: False, contradicts=lambda look: False)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example's two files."""
    tests = re.findall(r"```python\n(.*?)```", SECTION.read_text("utf-8"), re.DOTALL)
    found = MINE.search((ROOT / "README.md").read_text("utf-8"))
    assert found is not None, "the README's strategy is not there any more"
    (tmp_path / "my_strategy.py").write_text(found[1])
    (tmp_path / "test_mine.py").write_text(tests[0])
    return tmp_path


def run(folder: Path, *given: str) -> tuple[int, str]:
    """Exit code and output of pytest in the folder."""
    is_installed = any(point.name == "holdfast" for point in entry_points(group="pytest11"))
    plugin = [] if is_installed else ["-p", "tools.harness.plugin"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *given], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def figures(output: str) -> tuple[int, ...]:
    """Schedules, deaths, faults, violations."""
    found = SUMMARY.search(output)
    assert found is not None, output
    return tuple(int(number) for number in found.groups())


def steps(output: str) -> list[str]:
    """The schedule that was told."""
    return re.findall(
        r"^ +\d+  (\S.*)$", output.partition("the schedule")[2].partition("the last events")[0], re.MULTILINE
    )


def test_the_example_passes(folder: Path) -> None:
    code, output = run(folder, *QUICK, "--holdfast-seeds", "2")
    assert code == 0, output
    assert "3 passed" in output
    schedules, deaths, faults, violations = figures(output)
    assert schedules >= 6
    assert deaths > 0
    assert faults > 0
    assert violations == 0


def test_without_the_option_no_machine_is_run(folder: Path) -> None:
    code, output = run(folder)
    assert code == 0, output
    assert "1 passed" in output
    assert "holdfast:" not in output


def test_an_invariant_of_the_users_is_told_with_a_short_schedule(folder: Path) -> None:
    strategy = folder / "my_strategy.py"
    strategy.write_text(strategy.read_text().replace('side="buy"', 'side="sell"').replace("quote.bid,", "quote.ask,"))
    code, output = run(folder, *QUICK, "-k", "MyMachine")
    assert code == 1, output
    assert output.index("violated: never_short") < output.index("the schedule") < output.index("the last events")
    assert 2 <= len(steps(output)) <= 3, output
    assert figures(output)[3] == 1
    again = re.search(r"again: pytest (.*)$", output, re.MULTILINE)
    assert again is not None
    schedule = re.search(r"--holdfast-schedule '(.*)'", again[1])
    assert schedule is not None
    code, output = run(folder, "--holdfast", "-k", "MyMachine", "--holdfast-schedule", schedule[1])
    assert code == 1, output
    assert "violated: never_short" in output


def test_a_strategy_that_raises_is_found(folder: Path) -> None:
    strategy = folder / "my_strategy.py"
    strategy.write_text(strategy.read_text().replace('context.memory["fills"] = ', 'context.memory["fills"] = 0.5 * '))
    code, output = run(folder, *QUICK, "-k", "MyMachine")
    assert code == 1, output
    assert "violated: the strategy raised in on_fill: MemoryRefused" in output


def test_a_strategy_that_takes_every_order_for_a_limit_order_is_found(folder: Path) -> None:
    """A market order of an operator's flatten is the strategy's too, and has no price."""
    strategy = folder / "my_strategy.py"
    careless = strategy.read_text().replace("order.price and ", "")
    assert careless != strategy.read_text()
    strategy.write_text(careless)
    schedule = "begin 0; run 3s; fault lose_request any 1 30; flatten; resume; run 3s"
    code, output = run(folder, "--holdfast", "-k", "MyMachine", "--holdfast-schedule", schedule)
    assert code == 1, output
    assert "violated: the strategy raised in on_quote: TypeError" in output


def test_an_engine_that_is_broken_is_found(folder: Path) -> None:
    (folder / "conftest.py").write_text(BREAK_THE_ENGINE)
    code, output = run(folder, *QUICK, "-k", "MyMachine")
    assert code == 1, output
    assert "is booked" in output
    assert len(steps(output)) <= 6, output


def test_the_plugin_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    """Reading it brings in neither Hypothesis nor the engine."""
    code = """
import sys, pytest
before = set(sys.modules)
import tools.harness.plugin
heavy = {name.split('.')[0] for name in set(sys.modules) - before} & {'hypothesis', 'engine', 'adapters', 'attrs'}
assert not heavy, heavy
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
