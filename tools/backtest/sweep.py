"""A sweep: one backtest for each combination of values, on all cores, told side by side.

The more combinations are tried, the more the best of them owes to chance: how many were tried is part of the result.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import click
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tools.backtest.identity import identify
from tools.backtest.report import report_of, row_of
from tools.backtest.session import play
from tools.backtest.telling import money_text, part_words, ratio_words
from tools.config import ConfigurationWrong, Fault, load_strategies, read_configuration
from tools.rows import to_json
from tools.tables import BAD, DOUBTFUL, GOOD, Cell, Column, Line, Paper
from tools.wording import count

COMBINATIONS_MOST = 10_000
LUCK = (
    "The best of many is partly luck: it was chosen because it looked good on this very tape. Judge it on data that it "
    "has not seen."
)
Setting = tuple[str, str]
"""A dotted key and its value as it is written on the command line."""

Combination = tuple[Setting, ...]


@frozen(kw_only=True)
class Tried:
    """What one combination came to. `row` is that of `backtest --json`, or `fault` says why there is none."""

    settings: Combination
    row: dict[str, Any] | None = None
    fault: str = ""

    @property
    def account(self) -> dict[str, Any] | None:
        """The figures of the account in the asset with the most fills; None where nothing was traded."""
        accounts = [] if self.row is None else [each["account"] for each in self.row["accounts"].values()]
        return max(accounts, key=lambda each: each["fills"], default=None)


@frozen(kw_only=True)
class Sweep:
    """All that was tried, the best return first."""

    config: Path
    tried: tuple[Tried, ...]


def combinations_of(wanted: Sequence[str]) -> list[Combination]:
    """Every combination of the values of each `KEY=V1,V2`; one, empty, of nothing.

    Raises `click.UsageError` for another form, or too many combinations.
    """
    found: list[list[Setting]] = []
    for text in wanted:
        key, equals, values = text.partition("=")
        chosen = [value.strip() for value in values.split(",") if value.strip()]
        if not (key and equals and chosen):
            raise click.UsageError(f"--set {text}: write it as KEY=V1,V2, such as strategies.cross.params.fast=5,10")
        found.append([(key.strip(), value) for value in dict.fromkeys(chosen)])
    if prod(len(values) for values in found) > COMBINATIONS_MOST:
        raise click.UsageError(f"more than {COMBINATIONS_MOST:,} combinations; take fewer values")
    return [tuple(each) for each in product(*found)]


def sweep(config: Path, combinations: Sequence[Combination], jobs: int | None, *, quiet: bool = False) -> Sweep:
    """Try every combination. Raises `ConfigurationWrong` where the file itself is wrong."""
    config = config.absolute()
    read_configuration(config, changed=keyed(combinations[0]))  # what is wrong with it is said at once
    with _progress(len(combinations), quiet=quiet) as bar:
        task = bar.add_task("sweep", total=len(combinations))
        tried = []
        for each in _all(config, combinations, jobs or os.cpu_count() or 1):
            tried.append(each)
            bar.update(task, advance=1)
    return Sweep(config=config, tried=tuple(sorted(tried, key=_rank)))


def try_one(config: Path, settings: Combination) -> Tried:
    """One combination; what is wrong with its values is told with it."""
    try:
        configuration = read_configuration(config, changed=keyed(settings))
        strategies = load_strategies(configuration)
    except ConfigurationWrong as wrong:
        return Tried(settings=settings, fault="; ".join(_fault_words(fault) for fault in wrong.faults))
    played = play(configuration, strategies, identify(configuration))
    return Tried(settings=settings, row=row_of(report_of(played, configuration.path.stem)))


def keyed(settings: Sequence[Setting]) -> dict[str, Any]:
    """The values as TOML has them: 10 is a number, true a truth, everything else a text.

    >>> keyed([("strategies.cross.params.fast", "10"), ("risk.price_collar", "2%")])
    {'strategies.cross.params.fast': 10, 'risk.price_collar': '2%'}
    """
    return {key: _value(text) for key, text in settings}


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return found if isinstance(found, (int, bool)) else text.strip('"')


def _fault_words(fault: Fault) -> str:
    return f"{fault.place.rpartition(', ')[2]}: {fault.message}"


def _rank(tried: Tried) -> tuple[bool, float, tuple[Setting, ...]]:
    account = tried.account
    part = None if account is None else account["return"]
    return tried.row is None, -(part or 0.0), tried.settings


def _all(config: Path, combinations: Sequence[Combination], jobs: int) -> Iterator[Tried]:
    if jobs <= 1 or len(combinations) == 1:
        yield from (try_one(config, each) for each in combinations)
        return
    with ProcessPoolExecutor(min(jobs, len(combinations)), mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(try_one, config, each) for each in combinations]
        for finished in as_completed(running):
            yield finished.result()


def _progress(total: int, *, quiet: bool) -> Progress:
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console,
        transient=True, disable=quiet or not console.is_terminal,
    )  # fmt: skip


# --- the result -------------------------------------------------------------------------------------------------

_COLUMNS = (
    Column("net", right=True), Column("return", right=True), Column("drawdown", right=True),
    Column("Sharpe", right=True), Column("trades", right=True), Column("won", right=True), Column("fees", right=True),
    Column("denied", right=True),
)  # fmt: skip


def again(config: Path, settings: Sequence[Setting]) -> str:
    """The command that repeats one combination."""
    words = ["holdfast", "backtest", "-c", str(config)]
    for key, value in settings:
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def show_sweep(swept: Sweep, as_json: bool) -> int:
    """Show it; 1 where no combination could be played."""
    if as_json:
        rows = [
            {"settings": keyed(each.settings), "account": each.account, "fault": each.fault or None,
             "journal_id": each.row and each.row["journal_id"], "chain": each.row and each.row["chain"],
             "again": again(swept.config, each.settings)}
            for each in swept.tried
        ]  # fmt: skip
        click.echo(to_json({"combinations": len(swept.tried), "tried": rows}))
    else:
        _show(Paper(), swept)
    return 0 if any(each.row is not None for each in swept.tried) else 1


def _show(paper: Paper, swept: Sweep) -> None:
    keys = [key for key, _ in swept.tried[0].settings]
    columns = [*(Column(key.removeprefix("strategies.")) for key in keys), *_COLUMNS]
    paper.table(columns, [_line(each) for each in swept.tried if each.row is not None], "nothing could be played")
    for each in swept.tried:
        if each.row is None:
            values = ", ".join(f"{key} {value}" for key, value in each.settings)
            paper.line(Cell(f"{values}: ", BAD), each.fault)
    best = next((each for each in swept.tried if each.account is not None), None)
    paper.line()
    if len(swept.tried) > 1:
        paper.line(Cell(f"{count(len(swept.tried), 'combination')} tried. ", DOUBTFUL), LUCK)
    if best is not None:
        paper.line("The best one again, with its report:")
        paper.line(f"    {again(swept.config, best.settings)} -o best.html")


def _line(tried: Tried) -> Line:
    row, account = tried.row, tried.account
    assert row is not None, "only what was played has a line"
    values = [value for _, value in tried.settings]
    denied = f"{sum(row['denials'].values()):,}"
    if account is None:
        return [*values, "–", "–", "–", "–", "0", "–", "–", denied]
    style = GOOD if not account["net"].startswith("-") else BAD
    rate = "–" if account["win_rate"] is None else f"{account['win_rate'] * 100:.0f} %"
    return [
        *values, Cell(money_text(account["net"]), style), part_words(account["return"]),
        part_words(-account["drawdown"]["part"]), ratio_words(account["ratios"]["sharpe"]), f"{account['trips']:,}",
        rate, money_text(f"-{account['fees']}"), denied,
    ]  # fmt: skip
