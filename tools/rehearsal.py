"""The commands that trade nothing: backtests, torture, and a venue of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from tools.options import config_option, json_option


@click.command()
@config_option
@click.option("--journal", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where the journal goes.  [default: the configuration's]")  # fmt: skip
@click.option("-o", "--report", "page", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also write the report as one HTML page.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=V1,V2",
              help="Try each value of a key, such as strategies.cross.params.fast=5,10; may be repeated.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Worker processes of a sweep; all cores if left out.")
@json_option
def backtest(
    config: Path, journal: Path | None, page: Path | None, settings: tuple[str, ...], jobs: int | None, as_json: bool
) -> int:
    """The same engine over recorded data, with a virtual clock.

    Every venue of the configuration plays a tape. Decisions, risk, orders and journal are those of a run; the same
    tape twice gives the same journal, byte by byte. With --set it is done once for each combination of values.
    """
    from tools.backtest.command import backtest_and_tell

    return backtest_and_tell(config, settings, journal=journal, page=page, jobs=jobs, as_json=as_json)


@click.command()
@config_option
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(0), default=40, show_default=True, help="Worlds in virtual time.")
@click.option("--kills", type=click.IntRange(0), default=0, show_default=True, help="Kills of real processes.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; all cores if left out.")
@json_option
def torture(config: Path, first: int, seeds: int, kills: int, jobs: int | None, as_json: bool) -> int:
    """Your strategies and limits under crashes and faults.

    Every venue of the configuration is replaced: by the simulated exchange in virtual time, by the exchange of its own
    adapter where real processes are killed. Your journal is not touched. It ends with 0 when no invariant was violated,
    with 1 otherwise, and says how to repeat a failure.
    """
    from tools.torture.report import torture_and_tell

    return torture_and_tell(config, first, seeds, kills, jobs, as_json)


@click.command()
@click.argument("adapter", metavar="ADAPTER")
@click.option("-c", "--config", "config", type=click.Path(path_type=Path), metavar="FILE",
              help="Take options and instruments from this configuration's venue with that adapter.")  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="The port; 0 is any free one.", show_default=True
)
@click.option("--faults", type=click.Path(path_type=Path), metavar="FILE", help="What goes wrong, as TOML or JSON.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where its books are.  [default: ADAPTER-exchange]")  # fmt: skip
@click.option("--tape", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Play this recorded market instead of a generated one.")  # fmt: skip
@click.option("--options", "set_to", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="What else can be set of the exchange, as TOML or JSON.")  # fmt: skip
def venue(
    adapter: str, config: Path | None, port: int, faults: Path | None, state: Path | None, tape: Path | None,
    set_to: Path | None,
) -> None:  # fmt: skip
    """Serve the simulated exchange by itself.

    It speaks the venue's wire protocol, on this machine only.
    """
    from tools.serving import serve

    serve(adapter, config, port, faults, state, tape, set_to)
