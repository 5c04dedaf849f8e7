"""`python -m tools.judges`: official clients drive the local exchange, each in an environment of its own, and a table
of what they found. `make judges` calls it.

Exit code 0 when no check failed, 1 otherwise, 2 for wrong usage. A client that can't be installed is skipped, and the
table says why.
"""

from __future__ import annotations

import time
from zlib import crc32

import click
from rich.console import Console
from rich.table import Table

from tools.bench.environment import INSTALL_LIMIT_S
from tools.judges.court import JUDGE_SECONDS, JUDGES, Finding, Verdict, hear
from tools.judges.judge import CASES
from tools.proof.results import commit_of

WIDTH = 110
SLICE_SECONDS = 120.0
"""What a slice may take, the installation included."""

CHECKS_SECONDS = 40.0
"""What one judge's checks take on a slow machine; a slice begins none that would not fit any more."""


@click.command()
@click.option("--judge", "names", multiple=True, type=click.Choice(JUDGES), help="Only this one (repeatable).")
@click.option("--slice", "is_slice", is_flag=True, help="Two minutes at most, beginning with one the commit chooses.")
def main(names: tuple[str, ...], is_slice: bool) -> None:
    """Let clients that no one here wrote drive the local exchange, and say what they think of it."""
    console = Console(width=max(Console().width, WIDTH))
    began = time.monotonic()
    judges = names or (turned(crc32(commit_of().encode())) if is_slice else JUDGES)
    verdicts: list[Verdict] = []
    for judge in judges:
        left = SLICE_SECONDS - (time.monotonic() - began) if is_slice else INSTALL_LIMIT_S + CHECKS_SECONDS
        if left < CHECKS_SECONDS:
            verdicts.append(Verdict(judge, skipped="left out of this slice; another commit begins with it"))
            continue
        checks_s = SLICE_SECONDS if is_slice else JUDGE_SECONDS
        verdicts.append(hear(judge, lambda who, found: _tell(console, who, found), left - CHECKS_SECONDS, checks_s))
        if verdicts[-1].skipped:
            console.print(f"[yellow]{judge}[/yellow] skipped: {verdicts[-1].skipped}", highlight=False, soft_wrap=True)
    console.print(sheet(verdicts))
    console.print(f"{len(CASES)} checks and the requests themselves, {time.monotonic() - began:.0f} s", highlight=False)
    raise SystemExit(any(verdict.failed for verdict in verdicts))


def turned(number: int) -> tuple[str, ...]:
    """All judges, beginning with one of them.

    >>> turned(4)
    ('binance_sdk_spot', 'ccxt', 'python_binance')
    """
    first = number % len(JUDGES)
    return (*JUDGES[first:], *JUDGES[:first])


def _tell(console: Console, judge: str, found: Finding) -> None:
    style = "red" if found.failed is not None else "dim" if found.without is not None else "green"
    line = f"{judge:<18}{found.case:<25}{found.words}"
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def sheet(verdicts: list[Verdict]) -> Table:
    """A row for each judge."""
    table = Table(title="official clients at the local exchange", title_justify="left")
    for name in ("client", "version"):
        table.add_column(name)
    for name in ("passed", "failed", "not asked"):
        table.add_column(name, justify="right")
    table.add_column("")
    for each in verdicts:
        figures = ["", "", ""] if each.skipped else [str(each.passed), str(each.failed), str(each.without)]
        table.add_row(
            each.judge.replace("_", "-"), each.version, *figures, f"skipped: {each.skipped}" if each.skipped else ""
        )
    return table


if __name__ == "__main__":
    main()
