"""What a torture came to, on a terminal: fault by order state, ways taken, invariants, and what repeats a failure."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from textwrap import wrap

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tools.config import read_configuration
from tools.simulation.coverage import all_ways, untaken
from tools.simulation.invariants import INVARIANTS
from tools.simulation.world import NO_ORDER, NOBODY_UP
from tools.tables import BAD, GOOD, LOUD, QUIET, Cell, Column, Line, Paper
from tools.torture.campaign import Suffered, sessions_of, torture

EXIT_VIOLATED = 1
PROBLEMS_SHOWN = 5
WIDTH = 100
STATES = (
    NO_ORDER, "pending_new", "in_doubt", "new", "partially_filled", "cancel pending", "replace pending", "filled",
    "canceled", "expired", "rejected", "void", NOBODY_UP,
)  # fmt: skip
SHORT = {
    "partially_filled": "partial",
    "pending_new": "pending",
    "cancel pending": "cancel",
    "replace pending": "replace",
}


def torture_and_tell(config: Path, first: int, seeds: int, kills: int, jobs: int | None, as_json: bool) -> int:
    """Do it, show it; 1 where an invariant was violated. Raises `ConfigurationWrong`."""
    config = config.absolute()
    read_configuration(config)  # what is wrong with it is said at once
    workers, steps = jobs or os.cpu_count() or 1, seeds + len(sessions_of(kills))
    with _progress(steps, quiet=as_json) as bar:
        task = bar.add_task("torture", total=steps, faults="")
        suffered = torture(
            config, first=first, seeds=seeds, kills=kills, jobs=workers,
            tell=lambda so_far: bar.update(task, advance=1, faults=f"{so_far.faults:,} faults"),
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(suffered.row()))
    else:
        _show(Paper(), suffered, config)
    return 0 if suffered.is_ok else EXIT_VIOLATED


def _progress(total: int, *, quiet: bool) -> Progress:
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[faults]}"),
        TimeElapsedColumn(), console=console, transient=True, disable=quiet or not console.is_terminal or total == 0,
    )  # fmt: skip


def _show(paper: Paper, suffered: Suffered, config: Path) -> None:
    if suffered.seeds:
        _show_matrix(paper, suffered)
        _show_coverage(paper, suffered)
    _show_processes(paper, suffered)
    _show_invariants(paper, suffered)
    _show_failures(paper, suffered, config)
    _sum_up(paper, suffered)


def _show_matrix(paper: Paper, suffered: Suffered) -> None:
    """Which fault met an order in which state, how often."""
    states = [state for state in STATES if any(state == met for _fault, met in suffered.matrix)]
    faults = sorted({fault for fault, _state in suffered.matrix})
    columns = [Column("fault"), *(Column(SHORT.get(state, state.replace("_", " ")), right=True) for state in states)]
    lines: list[Line] = [
        (Cell(fault.replace("_", " ")), *(_count(suffered.matrix[fault, state]) for state in states))
        for fault in faults
    ]  # fmt: skip
    paper.line(Cell("what went wrong while an order was …", LOUD))
    paper.table(columns, lines, "nothing went wrong")
    paper.line()


def _count(number: int) -> Cell:
    return Cell(f"{number:,}") if number else Cell("·", QUIET)


def _show_coverage(paper: Paper, suffered: Suffered) -> None:
    total, left = len(all_ways()), untaken(suffered.ways)
    taken = len(all_ways() & set(suffered.ways))
    rest = "; of these reports some were never met:" if left else ""
    paper.line(Cell("ways through the order tables", LOUD), f"  {taken} of {total} taken{rest}")
    names = [f"{report.replace('_', ' ')} ({len(where)})" for report, where in left.items()]
    for line in wrap(", ".join(names), WIDTH):
        paper.line(Cell(f"  {line}", QUIET))
    paper.line()


def _show_processes(paper: Paper, suffered: Suffered) -> None:
    if suffered.process_counts:
        paper.line(Cell("real processes", LOUD))
        lines: list[Line] = [(name, f"{count:,}") for name, count in sorted(suffered.process_counts.items())]
        paper.table((Column("what"), Column("times", right=True)), lines, "")
        paper.line()


def _show_invariants(paper: Paper, suffered: Suffered) -> None:
    violated = suffered.violated()
    paper.line(Cell("invariants", LOUD))
    for name, words in INVARIANTS.items():
        count = violated.pop(name, 0)
        mark, times = (Cell("✗", BAD), Cell(f"  {count:,} times", BAD)) if count else (Cell("✓", GOOD), "")
        paper.line("  ", mark, Cell(f" {name:3}", QUIET), words, times)
    for name, count in violated.items():
        paper.line("  ", Cell(f"{name}", BAD), f"  {count:,} times")
    paper.line()


def _show_failures(paper: Paper, suffered: Suffered, config: Path) -> None:
    for trial in sorted(suffered.broken, key=lambda trial: trial.seed)[:PROBLEMS_SHOWN]:
        paper.line(Cell(f"seed {trial.seed}", BAD))
        for problem in trial.problems[:PROBLEMS_SHOWN]:
            paper.line(f"  {problem}")
        for fault in trial.fewest:
            paper.line("  it takes  ", Cell(fault, LOUD))
        paper.line(f"  again     holdfast torture -c {config} --first {trial.seed} --seeds 1")
    for problem in suffered.process_problems[:PROBLEMS_SHOWN]:
        paper.line(Cell("real processes  ", BAD), problem)


def _sum_up(paper: Paper, suffered: Suffered) -> None:
    hours = suffered.virtual_ns / 3_600e9
    paper.line(
        f"{suffered.seeds:,} worlds, {hours:,.1f} hours of trading in {suffered.seconds:,.0f} s: "
        f"{suffered.orders:,} orders, {suffered.fills:,} fills, {suffered.deaths:,} deaths, "
        f"{suffered.faults:,} faults; {suffered.kills:,} kills of real processes"
    )  # fmt: skip
    if suffered.seeds and not suffered.orders:
        paper.line(Cell("No order was ever made, so little was tried: see that the strategy trades here.", BAD))
    if suffered.is_ok:
        paper.line(Cell("0 violations", GOOD))
    else:
        count = sum(suffered.violated().values())
        paper.line(Cell(f"{count:,} violations", BAD))
