"""The commands that trade nothing: torture, and a venue of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from tools.options import config_option, json_option


@click.command()
@config_option
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(0), default=40, show_default=True, help="Worlds in virtual time.")
@click.option("--kills", type=click.IntRange(0), default=0, show_default=True, help="Kills of real processes.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; all cores if left out.")
@json_option
def torture(config: Path, first: int, seeds: int, kills: int, jobs: int | None, as_json: bool) -> int:
    """Your strategies and limits under crashes and faults.

    Every venue of the configuration is replaced by the simulated exchange; your journal is not touched. It ends with 0
    when no invariant was violated, with 1 otherwise, and says how to repeat a failure.
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
def venue(adapter: str, config: Path | None, port: int, faults: Path | None, state: Path | None) -> None:
    """Serve the simulated exchange by itself.

    It speaks the venue's wire protocol, on this machine only.
    """
    from tools.serving import serve

    serve(adapter, config, port, faults, state)
