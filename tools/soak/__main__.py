"""`python -m tools.soak`: a day's trading at many times its speed, and what it has shown."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import click
from attrs import asdict
from rich.console import Console
from rich.table import Table

from tools.soak.scene import Plan, Scene
from tools.soak.session import Session, SoakFailed
from tools.soak.verdict import Verdict, judge

PLAIN_WIDTH = 120
EXIT_NOT_OK = 1


@click.command()
@click.option("--hours", type=click.FloatRange(min=0.05), default=24.0, show_default=True, help="Hours of market.")
@click.option("--speed", type=click.IntRange(1), default=50, show_default=True, help="Times the market's own speed.")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the market.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table, samples included.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path),
              help="Where to work, and to leave everything; must be empty. Default: a temporary one.")  # fmt: skip
def main(hours: float, speed: int, seed: int, as_json: bool, directory: Path | None) -> None:
    """Trade a generated day against the local exchange of Binance, at many times its speed.

    Two processes, over real sockets: the exchange, which plays two instruments' quotes, trades and books from a tape,
    and the engine, whose reference strategies trade both all the time within limits. Connections are cut, replies are
    lost, the exchange throttles, and the engine is killed (kill -9) once. Memory, files, threads, journal and what both
    sides say of themselves are sampled every second. At the end the journal must equal the exchange's ledger to the
    last decimal, by the engine's own fold and by tools.checker, nothing may be in doubt, nothing may have drifted, and
    memory must be flat: a straight line through the second half's samples must not rise beyond a named bound.

    Only the market is faster. Whatever the engine times (the age of quotes, the send limit, proof of absence, the
    comparison with the venue, bars) runs by the machine's clock, so a day at 50x is 28.8 minutes of an engine that is
    told fifty times as much. Bars are of one second: of 50 virtual ones at that speed.

    It ends with 0 when nothing is wrong, and with 1 otherwise.
    """
    plan, began = Plan(hours=hours, speed=speed, seed=seed), time.monotonic()
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise click.UsageError(f"{directory} is not empty")
    with tempfile.TemporaryDirectory(prefix="holdfast-soak-") as temporary:
        scene = Scene(directory or Path(temporary))
        session, found = soak(plan, scene)
    _show(found, session, as_json)
    click.echo(f"{time.monotonic() - began:,.0f} s in all", err=True)
    sys.exit(EXIT_NOT_OK if found.problems else 0)


def soak(plan: Plan, scene: Scene) -> tuple[Session, Verdict]:
    """Make the market, trade, and judge; what a process did wrong is a problem too."""
    _tell(f"{scene.write_exchange(plan):,} records of market; trading takes {plan.seconds:,.0f} s")
    with Session(plan, scene, _tell) as session:
        try:
            session.go()
        except SoakFailed as error:
            return session, Verdict(problems=[str(error)])
    return session, judge(session)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _show(found: Verdict, session: Session, as_json: bool) -> None:
    if as_json:
        samples = [asdict(sample) for sample in session.samples]
        click.echo(json.dumps({**found.as_document(), "samples": samples}))
        return
    table = Table(title="Soak", title_justify="left", title_style="bold", pad_edge=False, box=None, show_header=False)
    for name, figure in found.figures:
        table.add_row(name, figure)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(table, highlight=False)
    for problem in found.problems:
        console.print(f"problem: {problem}", highlight=False, markup=False, soft_wrap=True)
    console.print("NOT OK" if found.problems else "OK: journal and ledger are equal, memory is flat, nothing drifted")


if __name__ == "__main__":
    main()
