"""`python -m tools.proof.mutants`: every broken build, and who notices; `make mutants` calls it.

Exit code 0 when each is caught by everyone who is known to, 1 otherwise: a mutant that nobody catches is a hole in the
proof, and one that a layer has ceased to catch is a hole in that layer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import click
from attrs import frozen
from rich.console import Console
from rich.table import Table

from tools.proof.mutants.catalog import BY_NAME, MUTANTS, Catcher, Mutant
from tools.proof.mutants.trial import try_mutant

TRIAL_SECONDS = 600


@frozen
class Caught:
    """What one catcher made of one mutant: the seed that noticed and what it said, or neither."""

    mutant: Mutant
    catcher: Catcher
    seed: int | None
    said: str
    seconds: float
    skipped: str = ""


@click.command()
@click.option("--fastest", is_flag=True, help="Each mutant by its first catcher only.")
@click.option("--only", multiple=True, type=click.Choice(list(BY_NAME)), help="Only this mutant (repeatable).")
@click.option("--jobs", type=int, help="Worker processes; all cores if left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
@click.option("--try", "trial", nargs=2, hidden=True, help="In a process of its own: MUTANT LAYER.")
def main(fastest: bool, only: tuple[str, ...], jobs: int | None, as_json: bool, trial: tuple[str, str] | None) -> None:
    """Break the build on purpose, once in each way, and see who notices."""
    if trial:
        mutant = BY_NAME[trial[0]]
        catcher = next(each for each in mutant.catchers if each.layer == trial[1])
        click.echo(json.dumps(try_mutant(mutant, catcher)))
        return
    tried = [mutant for mutant in MUTANTS if not only or mutant.name in only]
    units = [(m, c) for m in tried for c in (m.catchers[:1] if fastest else m.catchers)]
    found: list[Caught] = []
    for caught in _all(units, jobs or os.cpu_count() or 1):
        found.append(caught)
        if not as_json:
            _tell(caught)
    missed = [caught for caught in found if caught.seed is None and not caught.skipped]
    if as_json:
        click.echo(json.dumps([_row(caught) for caught in found]))
    else:
        _show(tried, found, missed)
    raise SystemExit(bool(missed))


def _all(units: list[tuple[Mutant, Catcher]], jobs: int) -> Iterator[Caught]:
    with ThreadPoolExecutor(jobs) as pool:
        for finished in as_completed([pool.submit(_one, *unit) for unit in units]):
            yield finished.result()


def _one(mutant: Mutant, catcher: Catcher) -> Caught:
    """In a process of its own: what is broken there stays there."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tools.proof.mutants", "--try", mutant.name, catcher.layer],
        capture_output=True, text=True, check=False, timeout=TRIAL_SECONDS,
    )  # fmt: skip
    seconds = time.monotonic() - began
    if done.returncode:
        return Caught(mutant, catcher, None, f"the trial itself failed: {done.stderr.strip()[-300:]}", seconds)
    said = json.loads(done.stdout)
    return Caught(mutant, catcher, said["seed"], said["said"], seconds, said["skipped"])


def _tell(caught: Caught) -> None:
    mark = "caught " if caught.seed is not None else ("skipped" if caught.skipped else "MISSED ")
    where = f"{caught.catcher.layer} seed {caught.seed}" if caught.seed is not None else caught.catcher.layer
    click.echo(f"{mark} {caught.mutant.name:28} by {where:20} {caught.seconds:5.1f} s  {caught.said[:90]}", err=True)


def _row(caught: Caught) -> dict[str, Any]:
    return {
        "mutant": caught.mutant.name, "area": caught.mutant.area, "what": caught.mutant.what,
        "layer": caught.catcher.layer, "seed": caught.seed, "said": caught.said, "skipped": caught.skipped,
    }  # fmt: skip


def _show(tried: list[Mutant], found: list[Caught], missed: list[Caught]) -> None:
    sheet = Table(title="mutants", title_justify="left")
    for name in ("mutant", "broken in", "how", "caught by"):
        sheet.add_column(name, overflow="fold")
    for mutant in tried:
        mine = [caught for caught in found if caught.mutant is mutant]
        by = [f"{c.catcher.layer} {c.seed} ({c.seconds:.0f} s)" for c in mine if c.seed is not None]
        by += [f"[red]not {c.catcher.layer}[/red]" for c in mine if c in missed]
        by += [f"{c.catcher.layer} skipped: {c.skipped}" for c in mine if c.skipped]
        sheet.add_row(mutant.name, mutant.area, mutant.what, ", ".join(by))
    console = Console(width=max(Console().width, 140))
    console.print(sheet)
    caught = {c.mutant.name for c in found if c.seed is not None}
    console.print(
        f"{len(caught)} of {len(tried)} mutants caught, {len(missed)} catchers that should have noticed did not"
    )


if __name__ == "__main__":
    main()
