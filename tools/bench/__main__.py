"""`python -m tools.bench [NAME ...]`: measure, each figure beside its floor or peer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
from attrs import asdict, frozen
from rich.console import Console

from tools.bench.backtest import measure_backtest
from tools.bench.commits import measure_decision, measure_group
from tools.bench.ground import Ground, survey, workplace
from tools.bench.hour import measure_memory
from tools.bench.replay import measure_replay
from tools.bench.sheet import Scale, Sheet
from tools.bench.start import measure_start
from tools.bench.transition import measure_transition
from tools.bench.wire import measure_wire

PLAIN_WIDTH = 120


@frozen
class Benchmark:
    """One thing that can be measured; `on_disk` where a file system in memory would make its comparison worthless."""

    measure: Callable[[Path, Scale], Sheet]
    on_disk: bool


BENCHMARKS = {
    "decision": Benchmark(measure_decision, on_disk=True),
    "group": Benchmark(measure_group, on_disk=True),
    "replay": Benchmark(measure_replay, on_disk=True),
    "start": Benchmark(measure_start, on_disk=True),
    "wire": Benchmark(measure_wire, on_disk=True),
    "memory": Benchmark(measure_memory, on_disk=False),
    "transition": Benchmark(measure_transition, on_disk=False),
    "backtest": Benchmark(measure_backtest, on_disk=False),
}


@click.command(help=f"Measure NAMEs, or everything: {', '.join(BENCHMARKS)}.")
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)), metavar="[NAME]...")
@click.option("--long", "scale", flag_value=Scale.LONG.value, help="More rounds, greater sizes: minutes.")
@click.option("--quick", "scale", flag_value=Scale.QUICK.value, help="Show that it runs; the figures mean nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Where to work; must be on a real disk. Default: a usual place for temporary files.",
)
def main(names: tuple[str, ...], scale: str | None, as_json: bool, directory: Path | None) -> None:
    """Measure and print; exits 69 where something asked for could not be compared."""
    wanted = [name for name in BENCHMARKS if name in names or not names]
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    with workplace(directory) as place:
        ground = survey(place)
        if not as_json:
            console.print("\n".join(ground.lines()), highlight=False, markup=False, soft_wrap=True)
            console.print()
        refused = [name for name in wanted if BENCHMARKS[name].on_disk and not ground.is_durable]
        sheets = []
        for name in wanted:
            if name not in refused:
                sheets.append(BENCHMARKS[name].measure(place, Scale(scale or Scale.USUAL)))
                if not as_json:
                    sheets[-1].show(console)
    _finish(ground, sheets, refused, as_json)


def _finish(ground: Ground, sheets: list[Sheet], refused: list[str], as_json: bool) -> None:
    if as_json:
        document = {"ground": asdict(ground), "sheets": [sheet.as_document() for sheet in sheets], "refused": refused}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    if refused:
        click.echo(f"not compared on {ground.file_system}, where a flush is free: {', '.join(refused)}", err=True)
        raise SystemExit(69)


if __name__ == "__main__":
    main()
