"""The task that all are given, and how one process tells what came of it. The standard library alone is imported here:
a peer's environment has nothing of ours.

The task: on one-minute bars be long of `QUANTITY` while the fast exponential average of closes is above the slow one,
flat otherwise, by market orders, with a fee on each. Averages begin differently in different libraries, so nobody acts
on the first `WARM_UP` bars; after them what is left of the beginning is (1 - 2 / (SLOW + 1)) ** WARM_UP, below 1e-12.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version as version_of
from pathlib import Path
from typing import NamedTuple

FAST, SLOW, WARM_UP = 10, 30, 500
QUANTITY, FEE, CASH = "0.01", "0.001", 1_000_000
SEED, FIRST_S, MINUTE_S = 7, 1_767_225_600, 60
ORDERS = "orders"
COLUMNS = ("time_s", "open", "high", "low", "close", "volume")
BEGIN_TICKS, STEP_TICKS, LEAST_TICKS, VOLUME = 1_000_000, 150, 100_000, 1_000
"""Prices are multiples of 0.01: where they begin, how far one step of four in a bar goes at most, and their floor."""


class Told(NamedTuple):
    """What one run tells. `decided` are the bars (0 is the first) on whose close an order was wanted, `taken_ns` is the
    CPU's time from the file of bars to the result, `aside_ns` what more was spent on something that the others have
    not, `wall_ns` how long both took; `start_bytes` and `peak_bytes` are the memory of the process before and at most.
    """

    version: str
    bars: int
    decided: tuple[int, ...]
    fills: int
    taken_ns: int
    aside_ns: int
    wall_ns: int
    start_bytes: int
    peak_bytes: int


class Result(NamedTuple):
    """What a run has to show."""

    bars: int
    decided: tuple[int, ...]
    fills: int
    aside_ns: int = 0


Run = Callable[[Path, bool], Result]
"""From a file of bars, with orders or without, to the result."""


def write_bars(path: Path, count: int) -> None:
    """The same `count` bars every time: a walk of whole ticks, four steps a bar."""
    chance, last = random.Random(SEED), BEGIN_TICKS
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for number in range(count):
            way = [last]
            for _ in range(4):
                way.append(max(way[-1] + chance.randint(-STEP_TICKS, STEP_TICKS), LEAST_TICKS))
            last = way[-1]
            prices = (way[0], max(way), min(way), last)
            rows.writerow((FIRST_S + number * MINUTE_S, *(_written(ticks) for ticks in prices), VOLUME))


def read_closes(path: Path) -> Iterator[float]:
    """The closes as floats, the cheapest there is."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            yield float(row[4])


def tell(version: str, run: Run) -> None:
    """`FILE [orders]` are the process's arguments; one line of JSON is its answer."""
    path, trades = Path(sys.argv[1]), sys.argv[2:] == [ORDERS]
    start_bytes, began_ns, began_cpu_ns = _peak_bytes(), time.perf_counter_ns(), time.process_time_ns()
    found = run(path, trades)
    taken_ns, wall_ns = time.process_time_ns() - began_cpu_ns - found.aside_ns, time.perf_counter_ns() - began_ns
    told = Told(
        version, found.bars, found.decided, found.fills, taken_ns, found.aside_ns, wall_ns, start_bytes, _peak_bytes()
    )
    sys.stdout.write(json.dumps(told._asdict()) + "\n")


def tell_of(package: str, modules: tuple[str, ...], run: Run) -> None:
    """The same of an installed package, whose modules are imported before any time counts."""
    for module in modules:
        import_module(module)
    tell(version_of(package), run)


def heard(line: str) -> Told:
    """What was told; raises `ValueError` or `TypeError` where that is something else."""
    told = json.loads(line)
    return Told(**{**told, "decided": tuple(told["decided"])})


def _written(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02}"


def _peak_bytes() -> int:
    """The most memory that this process ever had; `getrusage` would count what its parent had before it too."""
    status = Path("/proc/self/status")
    if status.exists():
        found = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(found.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
