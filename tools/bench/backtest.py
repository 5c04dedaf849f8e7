"""The same backtest here and elsewhere: bars a second, what an order costs, and memory, each run in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from attrs import field, frozen

from tools.bench.environment import PeerMissing, interpreter_of, last_word
from tools.bench.peers.crossing import FAST, FEE, ORDERS, QUANTITY, SLOW, Told, heard, write_bars
from tools.bench.sheet import Scale, Sheet
from tools.bench.timing import turned

SIZES = {Scale.QUICK: (700, 1), Scale.USUAL: (20_000, 5), Scale.LONG: (100_000, 5)}
"""(bars, rounds)"""

RUN_LIMIT_S = 3_600
FLOOR, OURS = "loop", "holdfast"
PEERS = ("backtrader", "nautilus_trader")
ROOT = Path(__file__).parents[2]
START = """
import runpy, sys
root, module, *arguments = sys.argv[1:]
sys.path.insert(len(sys.path) if sys.flags.isolated else 0, root)
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__")
"""
"""A peer is isolated from us: its own packages first, ours (of which it takes the task alone) last."""

COLUMNS = ("", "bars/s, no orders", "bars/s, orders", "× holdfast", "µs/order", "orders", "peak MB", "libraries MB")


@frozen
class Subject:
    """Who is given the task, and what came of it: a `Told` for each round, without orders and with them."""

    name: str
    command: tuple[str, ...]
    plain: list[Told] = field(factory=list)
    trading: list[Told] = field(factory=list)

    @property
    def plain_ns(self) -> float:
        """The median without orders."""
        return median(told.taken_ns for told in self.plain)

    @property
    def trading_ns(self) -> float:
        """The median with orders."""
        return median(told.taken_ns for told in self.trading)

    @property
    def order_us(self) -> float:
        """What a run with orders takes more than the one before it, for each order, in microseconds; the median."""
        more = median(one.taken_ns - other.taken_ns for one, other in zip(self.trading, self.plain, strict=True))
        return more / 1e3 / max(len(self.trading[0].decided), 1)

    @property
    def waiting(self) -> float:
        """How long its runs took, in times of what they had of the CPU."""
        told = [*self.plain, *self.trading]
        return sum(each.wall_ns for each in told) / sum(each.taken_ns + each.aside_ns for each in told)

    @property
    def spread(self) -> float:
        """Its slowest run with orders, in times of the median."""
        return max(told.taken_ns for told in self.trading) / self.trading_ns


def measure_backtest(directory: Path, scale: Scale) -> Sheet:
    """The loop that is the floor, holdfast, and each peer that can be had; figures only of those that agree."""
    bars, rounds = SIZES[scale]
    path = directory / "bars.csv"
    write_bars(path, bars)
    ours = (sys.executable, "-c", START, str(ROOT))
    subjects = {name: Subject(name, ours) for name in (FLOOR, OURS)}
    missing = _add_peers(subjects, scale)
    load = [os.getloadavg()[0]]
    for number in range(rounds):
        for name in turned(list(subjects), number):
            if name not in missing:
                _take_turn(subjects[name], path, missing)
    load.append(os.getloadavg()[0])
    compared = [subject for name, subject in subjects.items() if name not in missing]
    return _sheet(compared, bars, rounds, missing, load)


def differences(floor: Subject, subject: Subject, bars: int) -> Iterator[str]:
    """In what a subject did something else than the task wants, in words."""
    wanted = floor.trading[0].decided
    for told in subject.plain:
        if told.bars != bars or told.decided or told.fills:
            yield f"without orders: {told.bars:,} of {bars:,} bars, {len(told.decided)} orders, {told.fills} fills"
    for told in subject.trading:
        if told.bars != bars or told.decided != wanted:
            yield (
                f"{told.bars:,} of {bars:,} bars, {len(told.decided):,} orders where the loop wants {len(wanted):,}; "
                f"{_first_difference(told.decided, wanted)}"
            )
        elif told.fills != len(wanted):
            yield f"{told.fills:,} executions of {len(wanted):,} orders"


def _add_peers(subjects: dict[str, Subject], scale: Scale) -> dict[str, str]:
    """Those that can be had; gives why the others can't."""
    if scale is Scale.QUICK:
        return dict.fromkeys(PEERS, "left out where it shall be quick")
    missing = {}
    for peer in PEERS:
        try:
            subjects[peer] = Subject(peer, (str(interpreter_of(peer)), "-I", "-c", START, str(ROOT)))
        except PeerMissing as error:
            missing[peer] = str(error)
    return missing


def _take_turn(subject: Subject, path: Path, missing: dict[str, str]) -> None:
    """One run without orders and one with them. A peer that fails is missing from then on; raises `RuntimeError` where
    it is we who fail."""
    try:
        subject.plain.append(_run(subject, path))
        subject.trading.append(_run(subject, path, ORDERS))
    except (PeerMissing, subprocess.TimeoutExpired) as error:
        if subject.name not in PEERS:
            raise RuntimeError(f"{subject.name}: {error}") from error
        missing[subject.name] = str(error)


def _run(subject: Subject, path: Path, *arguments: str) -> Told:
    done = subprocess.run(
        [*subject.command, f"tools.bench.peers.{subject.name}", str(path), *arguments],
        capture_output=True, text=True, check=False, timeout=RUN_LIMIT_S,
    )  # fmt: skip
    if done.returncode:
        raise PeerMissing(last_word(done.stderr))
    return heard(done.stdout.splitlines()[-1])


def _first_difference(found: Sequence[int], wanted: Sequence[int]) -> str:
    for one, other in zip(found, wanted, strict=False):
        if one != other:
            return f"they part at bar {min(one, other):,}"
    return "one ends before the other" if len(found) != len(wanted) else "the orders are the same"


# --- the sheet ----------------------------------------------------------------------------------------------------


def _sheet(
    subjects: Sequence[Subject], bars: int, rounds: int, missing: Mapping[str, str], load: Sequence[float]
) -> Sheet:
    sheet = Sheet("backtest", f"A backtest of {bars:,} one-minute bars: averages cross, market orders, fees", COLUMNS)
    floor, ours = subjects[0], subjects[1]
    found = {subject.name: list(differences(floor, subject, bars)) for subject in subjects}
    for subject in subjects:
        if found[subject.name]:
            sheet.add(_named(subject), *[None] * (len(COLUMNS) - 1))
        else:
            sheet.add(*_line(subject, ours if subject is not floor and not found[OURS] else None))
    sheet.notes += _notes(subjects, bars, rounds, load)
    sheet.notes += [f"{name} is not compared, it did something else: {what[0]}" for name, what in found.items() if what]
    sheet.notes += [f"{name} is not compared: {reason}" for name, reason in missing.items()]
    return sheet


def _line(subject: Subject, ours: Subject | None) -> tuple[str | int | float | None, ...]:
    plain, trading = subject.plain[0], subject.trading[0]
    peak = max(told.peak_bytes for told in subject.trading)
    return (
        _named(subject), plain.bars * 1e9 / subject.plain_ns, trading.bars * 1e9 / subject.trading_ns,
        None if ours is None else ours.trading_ns / subject.trading_ns,
        None if ours is None and subject.name == FLOOR else subject.order_us,
        len(trading.decided), peak / 1e6, trading.start_bytes / 1e6,
    )  # fmt: skip


def _named(subject: Subject) -> str:
    if subject.name == FLOOR:
        return f"bare loop, Python {subject.plain[0].version}"
    return f"{subject.name} {subject.plain[0].version}"


def _notes(subjects: Sequence[Subject], bars: int, rounds: int, load: Sequence[float]) -> list[str]:
    ours = subjects[1].trading
    slowest, waiting = max(each.spread for each in subjects), max(each.waiting for each in subjects)
    return [
        f"long of {QUANTITY} while the {FAST}-bar exponential average of closes is above the {SLOW}-bar one, else "
        f"flat; fee {FEE} of what is traded",
        "seconds of the CPU, from the file of bars to the result; each run is a process, and its imports do not count",
        f"medians of {rounds} rounds taken in turns; the slowest run took {slowest:.2f} times its median; on the clock "
        f"up to {waiting:.2f} times as long; load average {load[0]:.1f} before, {load[-1]:.1f} after",
        "the loop computes the averages and compares them, nothing else; × holdfast: bars with orders to our bars",
        "µs/order: what a run with orders takes more than the one without before it, for each order",
        "holdfast: three instants a bar (open, swing, close), 2 ms each way, risk limits, chained journal in memory",
        f"holdfast's journal goes to its file in another {median(told.aside_ns for told in ours) / 1e6:,.0f} ms, which "
        "the peers have no part of and no figure contains",
    ]
