"""The soak makes its table, and notices what leaks, what drifts and what is not settled."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from adapters.tape import BadLine, read_tape
from engine.inputs import BookDelta, BookSnapshot, Quote, TradeTick
from engine.values import InstrumentName
from tools.soak import verdict
from tools.soak.__main__ import main, soak
from tools.soak.market import BEGIN_NS, write_tape
from tools.soak.sample import Sample
from tools.soak.scene import Plan, Scene, Transfer

MB = 1_000_000
ENGINE, FORMER = 2, 1
FIGURES = ("virtual hours of market", "fills", "throttled", "slope of the engine's in the second half")

FINE = Sample(
    seconds=0.0, engine_pid=ENGINE, engine_rss=60 * MB, exchange_rss=70 * MB, engine_threads=16, exchange_threads=15,
    engine_files=20, exchange_files=24, journal_bytes=0, ledger_bytes=0, seq=0, state="trading", inbox_depth=0,
    open_orders=2, executions=0, facts=0, records=0, lag_ns=0,
)  # fmt: skip


def course(seconds: int = 1_800, **grows: float) -> list[Sample]:
    """Samples of a run in which some figures grow by so much a second."""
    return [_at(second, {name: int(second * by) for name, by in grows.items()}) for second in range(seconds)]


def _at(second: int, more: dict[str, int]) -> Sample:
    figures: dict[str, Any] = {name: getattr(FINE, name) + by for name, by in more.items()}
    return evolve(FINE, seconds=float(second), **figures)


def problems_of(samples: list[Sample]) -> list[str]:
    """What is said of memory, files and threads."""
    found = verdict.Verdict()
    verdict.judge_course(found, Plan(), samples, 1)
    verdict.judge_memory(found, samples)
    return found.problems


# --- the judges, on runs that are made up ---------------------------------------------------------------------------


@given(
    start=st.integers(0, 10**10),
    a_second=st.integers(-10_000, 10_000),
    noise=st.lists(st.integers(-900, 900), min_size=9),
)
def test_a_slope_is_found_through_noise(start: int, a_second: int, noise: list[int]) -> None:
    points = [(float(at), start + at * a_second) for at in range(100)]
    slope = verdict.slope_of(points)
    assert slope.mb_per_hour == pytest.approx(a_second * 3_600 / MB, abs=1e-3)
    shaken = [(at, size + noise[number % len(noise)]) for number, (at, size) in enumerate(points)]
    assert abs(verdict.slope_of(shaken).mb_per_hour - slope.mb_per_hour) < 900 * 3_600 / MB


def test_a_flat_run_has_no_problem() -> None:
    assert problems_of(course()) == []
    assert problems_of(course(engine_rss=verdict.GROWTH_MOST_MB_PER_HOUR * MB / 3_600)) == []


@pytest.mark.parametrize("name", ["engine", "exchange"])
def test_what_leaks_is_named(name: str) -> None:
    a_second = (verdict.GROWTH_MOST_MB_PER_HOUR + verdict.SETTLING_MB * 4 + 1) * MB / 3_600
    problems = problems_of(course(engine_rss=a_second) if name == "engine" else course(exchange_rss=a_second))
    assert [problem[: problem.index(" grew")] for problem in problems] == [f"leak: the {name}"]


def test_what_the_exchange_must_remember_is_no_leak() -> None:
    facts = 30.0
    remembered = facts * verdict.EXCHANGE_KB_PER_FACT * 1_000
    assert problems_of(course(exchange_rss=remembered, facts=facts)) == []
    assert len(problems_of(course(exchange_rss=remembered, facts=facts / 2))) == 1
    assert len(problems_of(course(engine_rss=remembered, facts=facts))) == 1


def test_the_engine_before_the_restart_is_not_the_one_that_is_judged() -> None:
    samples = [
        evolve(each, engine_pid=FORMER, engine_rss=400 * MB) if each.seconds < 1_000 else each for each in course()
    ]
    assert problems_of(samples) == []
    assert verdict.second_half(samples)[0].seconds == 1_000


@pytest.mark.parametrize("name", ["engine_threads", "exchange_threads", "engine_files", "exchange_files"])
def test_threads_and_files_that_only_become_more_are_noticed(name: str) -> None:
    rising = [_at(second, {name: second // 50}) for second in range(1_800)]
    assert [problem.split()[0] for problem in problems_of(rising)] == ["leak:"]
    assert problems_of([_at(second, {name: 10 * (second % 2)}) for second in range(1_800)]) == []


def test_a_market_that_is_too_fast_is_said() -> None:
    late = [evolve(each, lag_ns=2 * int(verdict.LAG_MOST_MS) * MB) for each in course()]
    assert [problem.split(":")[0] for problem in problems_of(late)] == ["pace"]


def test_a_run_that_was_hardly_seen_is_not_called_flat() -> None:
    assert [problem.split(":")[0] for problem in problems_of(course(2))] == ["memory", "memory"]


# --- the market -----------------------------------------------------------------------------------------------------


def test_the_market_is_a_tape_that_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one.gz", "same.gz", "other.gz"))
    count = write_tape(one, "BTCUSDT", 600, 7)
    assert write_tape(same, "BTCUSDT", 600, 7) == count
    write_tape(other, "BTCUSDT", 600, 8)
    name = InstrumentName("BTCUSDT")
    read = list(read_tape(one, name))
    assert len(read) == count
    assert {type(record) for record in read} == {Quote, TradeTick, BookDelta, BookSnapshot}
    assert [record for record in read if isinstance(record, BadLine)] == []
    assert read == list(read_tape(same, name)) != list(read_tape(other, name))
    assert read[0].received_ns == BEGIN_NS  # type: ignore[union-attr]  # there is no bad line


# --- whole runs -----------------------------------------------------------------------------------------------------


def test_a_short_run_is_settled_and_makes_its_table(tmp_path: Path) -> None:
    arguments = ["--hours", "0.2", "--json", "--directory", str(tmp_path)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["problems"] == []
    assert document["ok"]
    assert result.exit_code == 0
    figures = document["figures"]
    assert [name for name in FIGURES if name not in figures] == []
    assert int(figures["fills"].replace(",", "")) > 0
    assert int(figures["lines lost"]) > 0
    assert int(figures["throttled"]) > 0
    assert figures["engine restarts (kill -9)"] == "1"
    assert len({sample["engine_pid"] for sample in document["samples"]}) == 2
    assert document["samples"][-1]["facts"] > document["samples"][0]["facts"]


def test_a_leak_and_a_drift_in_a_run_are_noticed(tmp_path: Path) -> None:
    hoarding = {"class": f"{Path(__file__).with_name('hoarding.py')}:Hoarding", "instruments": ["BTC-USDT"]}
    plan = Plan(
        hours=0.16, happenings=(Transfer(0.8, "USDT", Decimal(-1)),), strategies={"hoarding": hoarding},
        reconcile_every="1s",
    )  # fmt: skip
    _session, found = soak(plan, Scene(tmp_path))
    kinds = {problem.split(":")[0] for problem in found.problems}
    assert {"leak", "drift", "O8"} <= kinds
    assert any(problem.startswith("leak: the engine grew") for problem in found.problems)
