"""`python -m tools.proof`: all layers, or some, by their seeds; one table at the end. `make prove` calls it.

Exit code 0 when nothing was violated, 1 otherwise, 2 for wrong usage.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from fractions import Fraction
from pathlib import Path
from zlib import crc32

import click
from rich.console import Console
from rich.table import Table

from tools.proof.layers import BY_NAME, LAYERS, Layer, Timed, try_one
from tools.proof.results import Results, Sum, commit_of

WIDTH = 110
SLICES = 1_000_000
"""The slice of a commit begins at one of so many seeds."""

Unit = tuple[Layer, int]


@click.command()
@click.option("--layer", "names", multiple=True, type=click.Choice(list(BY_NAME)), help="Only this layer (repeatable).")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--seeds", type=int, help="How many seeds of each layer; a quick look if left out.")
@click.option("--seconds", type=int, help="Hand out no new seeds after so many seconds.")
@click.option("--slice", "by_commit", is_flag=True, help="Begin at a seed that the commit chooses.")
@click.option("--jobs", type=int, help="Worker processes; all cores if left out.")
@click.option("--results", type=click.Path(path_type=Path), default="proof.db", show_default=True)
@click.option("--merge", multiple=True, type=click.Path(path_type=Path, exists=True), help="Take over another file.")
@click.option("--again", is_flag=True, help="Try seeds again that this commit has a result for.")
def main(
    names: tuple[str, ...], first: int, seeds: int | None, seconds: int | None, by_commit: bool, jobs: int | None,
    results: Path, merge: tuple[Path, ...], again: bool,
) -> None:  # fmt: skip
    """Kill, cut, flip and lose everything that can be, and look at what is left."""
    console, commit_id, kept = Console(width=max(Console().width, WIDTH)), commit_of(), Results(results)
    for other in merge:
        console.print(f"{kept.merge(other)} results of {other}")
    layers = [layer for layer in LAYERS if not names or layer.name in names]
    begin = crc32(commit_id.encode()) % SLICES if by_commit else first
    units = list(_units(layers, begin, seeds, set() if again else _done(kept, commit_id, layers)))
    console.print(f"[bold]holdfast[/bold] {commit_id}: {len(units)} seeds to try, results in {results}")
    for timed in _tried(units, jobs or os.cpu_count() or 1, seconds):
        kept.keep(commit_id, timed)
        _tell(console, timed)
    sums = [kept.sum_up(commit_id, layer.name) for layer in layers]
    console.print(_sheet(sums))
    _tell_virtual_hours(console, kept, commit_id)
    kept.close()
    raise SystemExit(any(found.problems for found in sums))


def _done(kept: Results, commit_id: str, layers: list[Layer]) -> set[tuple[str, int]]:
    return {(layer.name, seed) for layer in layers for seed in kept.done(commit_id, layer.name)}


def _units(layers: list[Layer], first: int, seeds: int | None, done: set[tuple[str, int]]) -> Iterator[Unit]:
    """The layers take turns by how many seeds each has, so that time that runs out runs out for all of them alike.
    Fixtures are numbered from 0."""
    counts = {layer: layer.quick if seeds is None else seeds for layer in layers}
    turns = [(Fraction(number, counts[layer]), layer, number) for layer in layers for number in range(counts[layer])]
    for _turn, layer, number in sorted(turns, key=lambda each: each[0]):
        seed = number if layer.name == "old_journals" else first + number
        if (layer.name, seed) not in done:
            yield layer, seed


def _tried(units: list[Unit], jobs: int, seconds: int | None) -> Iterator[Timed]:
    """Outcomes as they come in; no more are begun than workers are there for, so that a limit of time is one."""
    end = time.monotonic() + seconds if seconds else None
    waiting = iter(units)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: set[Future[Timed]] = set()
        while True:
            while len(running) < jobs + 1 and (end is None or time.monotonic() < end):
                unit = next(waiting, None)
                if unit is None:
                    break
                running.add(pool.submit(try_one, unit[0].name, unit[1]))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for each in finished:
                yield each.result()


def _tell(console: Console, timed: Timed) -> None:
    """A seed that ended badly, with the line that repeats it."""
    outcome = timed.outcome
    for problem in outcome.problems:
        console.print(f"[red]{outcome.layer} {outcome.seed}[/red]: {problem}", highlight=False, soft_wrap=True)
    if outcome.problems:
        console.print(f"    again: {outcome.again}", highlight=False, soft_wrap=True)


def _sheet(sums: list[Sum]) -> Table:
    sheet = Table(title="the proof", title_justify="left")
    for name in ("layer", "what"):
        sheet.add_column(name)
    for name in ("seeds", "cases tried", "faults survived", "seconds", "violations"):
        sheet.add_column(name, justify="right")
    for found in sums:
        does = f"skipped: {found.skipped}" if found.skipped else BY_NAME[found.layer].does
        violations = f"[red]{found.problems}[/red]" if found.problems else "0"
        sheet.add_row(
            found.layer, does, f"{found.seeds:,}", f"{found.cases:,}", f"{found.faults:,}", f"{found.seconds:,.0f}",
            violations,
        )  # fmt: skip
    sheet.add_section()
    sheet.add_row(
        "all", "", f"{sum(s.seeds for s in sums):,}", f"{sum(s.cases for s in sums):,}",
        f"{sum(s.faults for s in sums):,}", f"{sum(s.seconds for s in sums):,.0f}",
        str(sum(s.problems for s in sums)),
    )  # fmt: skip
    return sheet


def _tell_virtual_hours(console: Console, kept: Results, commit_id: str) -> None:
    rows = list(kept.outcomes(commit_id, "worlds"))
    hours = sum(timed.outcome.counts.get("virtual_ns", 0) for timed in rows) / 3_600e9
    seconds = sum(timed.seconds for timed in rows)
    if rows:
        console.print(
            f"worlds: {hours:,.0f} virtual hours, {hours / (seconds / 3_600):,.0f} for each hour of one core; "
            f"{sum(t.outcome.counts.get('deaths', 0) for t in rows):,} deaths, "
            f"{sum(t.outcome.counts.get('fills', 0) for t in rows):,} fills, each compared with the exchange's ledger",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
