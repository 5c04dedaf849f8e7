"""The command: read, play, show, write."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from adapters.tape.lines import count_lines
from engine.settings import Mode
from tools.backtest.filing import write_journal
from tools.backtest.identity import identify, tapes_of
from tools.backtest.page import write_page
from tools.backtest.report import report_of, row_of
from tools.backtest.session import Tell, play
from tools.backtest.sweep import combinations_of, keyed, show_sweep, sweep
from tools.backtest.telling import show_report
from tools.config import Configuration, ConfigurationConflict, load_strategies, read_configuration
from tools.rows import to_json
from tools.tables import QUIET, Cell, Paper
from tools.wording import moment


def backtest_and_tell(
    config: Path, settings: Sequence[str], *, journal: Path | None, page: Path | None, jobs: int | None, as_json: bool
) -> int:
    """One backtest with a journal and a report, or where `settings` leave a choice one for each combination; gives the
    exit code. Raises `ConfigurationWrong`, `ConfigurationConflict`, `click.UsageError` and a `JournalError`."""
    combinations = combinations_of(settings)
    if len(combinations) == 1:
        return _play_one(config, keyed(combinations[0]), journal, page, as_json)
    if journal is not None or page is not None:
        raise click.UsageError("a sweep leaves no journal and no page; take one combination for these")
    return show_sweep(sweep(config, combinations, jobs, quiet=as_json), as_json)


def _play_one(config: Path, changed: Mapping[str, Any], journal: Path | None, page: Path | None, as_json: bool) -> int:
    configuration = read_configuration(config, changed=changed)
    directory = directory_of(configuration, journal)
    identity = identify(configuration)
    with _watched(configuration, quiet=as_json) as tell:
        played = play(configuration, load_strategies(configuration), identity, tell)
    report = report_of(played, configuration.path.stem)
    aside = write_journal(played, directory)
    if page is not None:
        write_page(report, page)
    if as_json:
        click.echo(to_json({**row_of(report), "journal": str(directory), "page": None if page is None else str(page)}))
        return 0
    paper = Paper()
    show_report(paper, report)
    paper.line(Cell("in           ", QUIET), str(directory), f"  (what was there is now {aside})" if aside else "")
    if page is not None:
        paper.line(Cell("page         ", QUIET), str(page))
    return 0


def directory_of(configuration: Configuration, journal: Path | None) -> Path:
    """Where the journal goes. A configuration of another mode is backtested as it is, into a directory of its own:
    raises `ConfigurationConflict` where none is named."""
    if journal is not None:
        return journal.absolute()
    if configuration.settings.mode is not Mode.BACKTEST:
        raise ConfigurationConflict(
            f'mode = "{configuration.settings.mode}": its journal is no place for a backtest; '
            'name another directory with --journal, or write mode = "backtest"'
        )
    return configuration.journal


@contextmanager
def _watched(configuration: Configuration, *, quiet: bool) -> Iterator[Tell]:
    """A progress bar on a terminal; the number of records is counted first."""
    console = Console(file=sys.stderr)
    if quiet or not console.is_terminal:
        yield lambda records, at_ns: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
               TextColumn("{task.completed:,.0f} records, {task.fields[moment]}"), TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        total = sum(count_lines(path) for path in tapes_of(configuration))
        task = progress.add_task("backtest", total=total, moment="")
        yield lambda records, at_ns: progress.update(task, completed=records, moment=moment(at_ns)[:-7])
