"""Many trials on all cores, and then real processes: what they came to altogether."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from attrs import Factory, define, field

from tools.proof.outcome import Outcome
from tools.simulation.coverage import Way, all_ways, untaken
from tools.simulation.invariants import INVARIANTS
from tools.torture.trial import Trial, try_seed

SESSION_KILLS = 10


@define
class Suffered:
    """Everything that a configuration went through. `broken` are the trials that violated something."""

    seeds: int = 0
    kills: int = 0
    faults: int = 0
    deaths: int = 0
    starts: int = 0
    orders: int = 0
    fills: int = 0
    virtual_ns: int = 0
    seconds: float = 0
    matrix: Counter[tuple[str, str]] = Factory(Counter)
    ways: Counter[Way] = Factory(Counter)
    broken: list[Trial] = Factory(list)
    process_counts: Counter[str] = Factory(Counter)
    process_problems: list[str] = Factory(list)
    _began: float = field(factory=time.monotonic)

    def add(self, trial: Trial) -> None:
        """One more world."""
        self.seeds += 1
        for name in ("faults", "deaths", "starts", "orders", "fills", "virtual_ns"):
            setattr(self, name, getattr(self, name) + getattr(trial, name))
        self.matrix.update(trial.matrix)
        self.ways.update(trial.ways)
        if trial.problems:
            self.broken.append(trial)
        self.seconds = time.monotonic() - self._began

    def add_processes(self, outcome: Outcome) -> None:
        """What became of the real processes."""
        self.kills += outcome.faults
        self.process_counts.update(outcome.counts)
        self.process_problems += outcome.problems
        self.seconds = time.monotonic() - self._began

    @property
    def is_ok(self) -> bool:
        """Was nothing violated?"""
        return not self.broken and not self.process_problems

    def violated(self) -> Counter[str]:
        """How often each invariant was, by its name."""
        problems = [problem for trial in self.broken for problem in trial.problems] + self.process_problems
        return Counter(problem.partition(":")[0] for problem in problems)

    def row(self) -> dict[str, Any]:
        """`torture --json`."""
        table: dict[str, dict[str, int]] = {}
        for (fault, state), count in sorted(self.matrix.items()):
            table.setdefault(fault, {})[state] = count
        violated, ways = self.violated(), all_ways()
        return {
            "ok": self.is_ok, "seeds": self.seeds, "kills": self.kills, "faults": self.faults, "deaths": self.deaths,
            "starts": self.starts, "orders": self.orders, "fills": self.fills, "virtual_ns": self.virtual_ns,
            "matrix": table,
            "coverage": {"taken": len(ways & set(self.ways)), "of": len(ways), "untaken": untaken(self.ways)},
            "invariants": {name: violated.get(name, 0) for name in INVARIANTS},
            "problems": [
                {"seed": t.seed, "violated": list(t.problems), "takes": list(t.fewest)} for t in self.broken
            ],
            "processes": {"counts": dict(self.process_counts), "violated": self.process_problems},
        }  # fmt: skip


def torture(path: Path, *, first: int, seeds: int, kills: int, jobs: int, tell: Callable[[Suffered], None]) -> Suffered:
    """Try that many seeds in virtual time and that many kills of real processes. Raises `ConfigurationWrong`."""
    suffered = Suffered()
    for trial in _tried(path, range(first, first + seeds), jobs):
        suffered.add(trial)
        tell(suffered)
    for outcome in _killed(path, first, kills, jobs):
        suffered.add_processes(outcome)
        tell(suffered)
    return suffered


def sessions_of(kills: int) -> list[int]:
    """How many kills each session of real processes has: a long one only slows down as its journal grows."""
    whole, rest = divmod(kills, SESSION_KILLS)
    return [SESSION_KILLS] * whole + ([rest] if rest else [])


def _killed(path: Path, first: int, kills: int, jobs: int) -> Iterator[Outcome]:
    """Sessions of real processes; they wait most of the time, so there may be more of them than cores."""
    sessions = sessions_of(kills)
    if not sessions:
        return
    with ProcessPoolExecutor(2 * jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(_kill, path, first + number, size) for number, size in enumerate(sessions)]
        for finished in as_completed(running):
            yield finished.result()


def _kill(path: Path, seed: int, kills: int) -> Outcome:
    from tools.proof.processes.campaign import campaign

    return campaign(path, seed=seed, kills=kills, faults=True)


def _tried(path: Path, seeds: range, jobs: int) -> Iterator[Trial]:
    if jobs <= 1:
        yield from (try_seed(path, seed) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(try_seed, path, seed) for seed in seeds]
        for finished in as_completed(running):
            yield finished.result()
