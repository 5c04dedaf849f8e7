"""What a soak has shown: the books against the ledger, memory's slope, drift, and the figures beside them. Pure but for
the reading of journal and ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median
from typing import Any

from attrs import Factory, define, frozen

from engine.drift import DRIFT
from journal.entry import Entry
from journal.journal import Reader
from tools.checker import examine
from tools.exported import rows_of
from tools.proof.processes.books import (
    books_of,
    fold_rows,
    ledger_faults,
    pause_faults,
    read_rows,
    replay_faults,
    row_faults,
)
from tools.proof.processes.exchanges import EXCHANGES
from tools.soak.sample import Sample
from tools.soak.scene import ADAPTER, VENUE, Plan, Scene
from tools.soak.session import Session

GROWTH_MOST_MB_PER_HOUR = 8.0
"""Resident memory may grow by so much in an hour of the machine's clock …"""

SETTLING_MB = 4.0
"""… beside so much once, because allocators and caches take their time …"""

WARM_UP_SECONDS, WARM_UP_MB = 120.0, 20.0
"""… and so much in a run that is so short that its second half begins before its caches are full."""

EXCHANGE_KB_PER_FACT = 1.0
"""The exchange remembers orders and executions (100,000 and 200,000 of them), to answer who asks for its lists: its
memory may grow by so much for each fact of its ledger, beside what the engine's may."""

LAG_MOST_MS = 100.0
"""The median of how far the exchange's clock may lie behind the machine's: beyond it the tape was too fast for it."""

SAMPLES_LEAST = 3
PROBLEMS_MOST = 20
KINDS = {
    "orders requested": "SubmitRequested", "orders accepted": "OrderAccepted", "orders canceled": "OrderCanceled",
    "orders rejected": "OrderRejected", "fills": "FillBooked", "denied (counted once in a while)": "OrderDenied",
    "outcomes unknown": "OutcomeUnknown", "proven absent": "OrderVoided", "lines lost": "VenueLost",
    "streams lost": "StreamLost", "throttled": "VenueThrottled", "comparisons with the venue": "Reconciled",
    "anomalies": "AnomalyRecorded",
}  # fmt: skip


@frozen
class Slope:
    """A straight line through memory over the second half of a run: of one process, over so long."""

    mb_per_hour: float
    hours: float

    @property
    def grown_mb(self) -> float:
        """What it rises in that time."""
        return self.mb_per_hour * self.hours


@define
class Verdict:
    """`figures` are lines of the table; nothing may be in `problems`."""

    figures: list[tuple[str, str]] = Factory(list)
    problems: list[str] = Factory(list)

    def as_document(self) -> dict[str, Any]:
        """For JSON."""
        return {"ok": not self.problems, "figures": dict(self.figures), "problems": self.problems}


def judge(session: Session) -> Verdict:
    """Everything that was seen, and what is wrong with it."""
    scene, samples = session.scene, session.samples
    rows, faults = read_rows(scene.journal)
    ledger, their_faults = read_rows(scene.books / "exchange", "ledger")
    found = Verdict()
    found.problems += [*faults, *their_faults]
    if session.exit_code != 0:
        found.problems.append(f"S1: the engine ended with {session.exit_code} instead of 0")
    if not session.is_settled:
        found.problems.append(
            f"S1: without faults it is {samples[-1].state} or in doubt, instead of settled and trading"
        )
    judge_course(found, session.plan, samples, session.restarts)
    _tell_events(found, rows)
    found.problems += _book_problems(scene, rows, ledger)
    found.problems += [f"drift: seq {row.seq} {row.body[:200]}" for row in rows if _is_drift(row)]
    judge_memory(found, samples)
    found.problems = found.problems[:PROBLEMS_MOST]
    return found


# --- the course ---------------------------------------------------------------------------------------------------


def judge_course(found: Verdict, plan: Plan, samples: Sequence[Sample], restarts: int) -> None:
    """The run by its samples: pace, and what there is more and more of."""
    last = samples[-1]
    lags = [each.lag_ns / 1e6 for each in samples if each.lag_ns is not None]
    found.figures += [
        ("virtual hours of market", f"{plan.hours:g} at {plan.speed}x"),
        ("by the machine's clock", f"{last.seconds:,.0f} s, {len(samples):,} samples"),
        ("records of the market played", f"{last.records or 0:,}"),
        ("engine restarts (kill -9)", f"{restarts}"),
        ("exchange's clock behind, p50 / most", f"{median(lags):.1f} / {max(lags):.1f} ms"),
        ("state `trading`", f"{_part(samples):.1%} of samples"),
        ("inbox depth, p50 / p99 / most", _spread(each.inbox_depth for each in samples)),
        ("open orders, p50 / p99 / most", _spread(each.open_orders for each in samples)),
        ("threads, engine / exchange at the end", f"{last.engine_threads} / {last.exchange_threads}"),
        ("open files, engine / exchange at the end", f"{last.engine_files} / {last.exchange_files}"),
        ("journal / ledger at the end", f"{last.journal_bytes / 1e6:.1f} / {last.ledger_bytes / 1e6:.1f} MB"),
    ]
    if median(lags) > LAG_MOST_MS:
        found.problems.append(
            f"pace: the exchange lay {median(lags):.0f} ms behind in the median: the tape was too fast"
        )
    found.problems += [*_rising(samples, "engine_threads"), *_rising(samples, "engine_files")]
    found.problems += [*_rising(samples, "exchange_threads"), *_rising(samples, "exchange_files")]


def _part(samples: Sequence[Sample]) -> float:
    return fmean(each.state == "trading" for each in samples)


def _spread(figures: Iterable[int | None]) -> str:
    told = sorted(figure for figure in figures if figure is not None)
    return f"{told[len(told) // 2]} / {told[len(told) * 99 // 100]} / {told[-1]}" if told else "nobody told"


COUNT_SLACK = 4
"""Threads and files may be so many more at the end of the second half than at its beginning, as connections go."""


def _rising(samples: Sequence[Sample], name: str) -> Iterator[str]:
    """Threads and files that only become more: the least of the last third against the most of the first."""
    counts = [count for each in second_half(samples) if (count := getattr(each, name)) is not None]
    third = len(counts) // 3
    if third and min(counts[-third:]) > max(counts[:third]) + COUNT_SLACK:
        yield f"leak: {name.replace('_', ' ')} went from {max(counts[:third])} to {min(counts[-third:])} and stay"


def _tell_events(found: Verdict, rows: Sequence[Entry]) -> None:
    counts = Counter(row.kind for row in rows)
    found.figures.append(("events in the journal", f"{len(rows):,}"))
    found.figures += [(what, f"{counts[kind]:,}") for what, kind in KINDS.items()]
    pauses = Counter(json.loads(row.body)["reason"] for row in rows if row.kind == "TradingPaused")
    found.figures.append(("pauses", ", ".join(f"{reason} {count}" for reason, count in sorted(pauses.items()))))


def _is_drift(row: Entry) -> bool:
    return row.kind == "TradingPaused" and json.loads(row.body)["reason"] == DRIFT


# --- the books ----------------------------------------------------------------------------------------------------


def _book_problems(scene: Scene, rows: Sequence[Entry], ledger: Sequence[Entry]) -> Iterator[str]:
    """By two pairs of eyes: the engine's fold and the checker that shares no code with it."""
    state = fold_rows(rows)
    books = books_of(VENUE, rows, state, ledger, EXCHANGES[ADAPTER].exec_name)
    if len(books.facts) != len(ledger):
        yield f"O3: the engine has not learnt of the ledger's last {len(ledger) - len(books.facts)} facts"
    yield from row_faults(rows, ())
    yield from pause_faults(rows)
    yield from replay_faults(rows, state, scene.journal)
    yield from ledger_faults(books)
    names = _journal_id(scene.journal, "journal"), _journal_id(scene.books / "exchange", "ledger")
    checked = examine(rows_of(rows, names[0]), rows_of(ledger, names[1]))
    yield from (f"checker: {problem}" for problem in checked.problems)
    yield from (f"checker could not judge: {note}" for note in checked.notes)


def _journal_id(directory: Any, name: str) -> str:
    with Reader(directory, name) as reader:
        return reader.journal_id


# --- memory -------------------------------------------------------------------------------------------------------


def second_half(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples of the second half, of the engine's last process alone."""
    half = samples[-1].seconds / 2
    return [each for each in samples if each.seconds >= half and each.engine_pid == samples[-1].engine_pid]


def slope_of(points: Sequence[tuple[float, int]]) -> Slope:
    """The line of least squares through (seconds, bytes).

    >>> slope_of([(0, 10_000_000), (1800, 11_000_000), (3600, 12_000_000)])
    Slope(mb_per_hour=2.0, hours=1.0)
    """
    seconds, sizes = [at for at, _ in points], [size for _, size in points]
    middle, mean = fmean(seconds), fmean(sizes)
    width = sum((at - middle) ** 2 for at in seconds)
    rise = sum((at - middle) * (size - mean) for at, size in points) / width if width else 0.0
    return Slope(rise * 3_600 / 1e6, (seconds[-1] - seconds[0]) / 3_600)


def judge_memory(found: Verdict, samples: Sequence[Sample]) -> None:
    """Resident memory of both processes over the second half."""
    half = second_half(samples)
    told = [each.facts for each in half if each.facts is not None]
    facts = told[-1] - told[0] if told else 0
    for name, kept_mb in (("engine", 0.0), ("exchange", facts * EXCHANGE_KB_PER_FACT / 1e3)):
        points = [(each.seconds, size) for each in half if (size := getattr(each, f"{name}_rss")) is not None]
        if len(points) < SAMPLES_LEAST:
            found.problems.append(f"memory: too few samples of the {name} in the second half")
            continue
        slope = slope_of(points)
        settling_mb = SETTLING_MB if half[0].seconds >= WARM_UP_SECONDS else WARM_UP_MB
        most_mb = settling_mb + GROWTH_MOST_MB_PER_HOUR * slope.hours + kept_mb
        found.figures += [
            (f"memory of the {name}, first / last", f"{_first(samples, name):.1f} / {points[-1][1] / 1e6:.1f} MB"),
            (
                f"slope of the {name}'s in the second half",
                f"{slope.mb_per_hour:+.2f} MB/h, {slope.grown_mb:+.2f} MB in {slope.hours * 60:.1f} min; "
                f"at most {most_mb:.1f} MB",
            ),
        ]
        if slope.grown_mb > most_mb:
            found.problems.append(
                f"leak: the {name} grew by {slope.grown_mb:.1f} MB in the second half, at most {most_mb:.1f} MB is flat"
            )
    found.figures.append(("facts in the exchange's ledger, second half", f"{facts:,}"))


def _first(samples: Sequence[Sample], name: str) -> float:
    return next((size / 1e6 for each in samples if (size := getattr(each, f"{name}_rss")) is not None), 0.0)
