"""The command `holdfast`: one function per command, and one place where errors become exit codes.

Heavy modules are imported inside the commands, so that `holdfast --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DEFAULT_CONFIG = "holdfast.toml"
EXIT_CLEAN, EXIT_BUG, EXIT_DAMAGED, EXIT_INTERRUPTED = 0, 1, 65, 130

Command = Callable[..., Any]


class Duration(click.ParamType[int]):
    """`250ms`, `5s`, `2m`, `1h` → nanoseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Nanoseconds, or a usage error that says how to write one."""
        from engine.values import duration

        try:
            return int(duration(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _config(command: Command) -> Command:
    return click.option(
        "-c", "--config", "config", type=click.Path(path_type=Path), default=Path(DEFAULT_CONFIG), metavar="FILE",
        help=f"The configuration.  [default: {DEFAULT_CONFIG}]",
    )(command)  # fmt: skip


def _json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")(command)


def _reason(command: Command) -> Command:
    return click.option("--reason", default="", metavar="TEXT", help="Why; it is kept in the journal.")(command)


def _say_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from tools.version import RELEASE

        click.echo(f"holdfast {RELEASE}")
        ctx.exit()


class _InOrder(click.Group):
    """Commands in the order of a day's work instead of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_say_version, help="The release.")
def cli() -> None:
    """A crash-safe order-execution engine: the journal remembers, starting is recovering.

    Begin with `holdfast init` and `holdfast run`.
    """


def main() -> None:
    """The entry point of the command."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line; returns the exit code and writes errors to stderr."""
    try:
        result = cli.main(arguments, prog_name="holdfast", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLEAN
    except Exception as error:  # noqa: BLE001 (a known error ends with its words and code, any other is told as a bug)
        return _end(error)
    return result if isinstance(result, int) else EXIT_CLEAN


def _end(error: Exception) -> int:
    for kind, code in _exit_codes():
        if isinstance(error, kind):
            _tell(error)
            return code
    traceback.print_exc()
    click.echo("holdfast: this is a bug. What the journal holds is safe on disk; start again to go on.", err=True)
    return EXIT_BUG


def _exit_codes() -> tuple[tuple[type[Exception], int], ...]:
    """Which error ends with which code; the first that fits counts."""
    from engine.input_codec import TapeDamaged
    from engine.ports import VenueUnreachable
    from journal.errors import CommitUnknown, JournalDamaged, JournalLocked, JournalMissing, JournalUnsuitable
    from tools.config import ConfigurationWrong, LiveRefused
    from tools.control import ControlRefused, EngineSilent
    from tools.init import FilesExist
    from tools.start import ConfigurationConflict
    from tools.why import NothingKnown

    return (
        (JournalDamaged, EXIT_DAMAGED),
        (JournalUnsuitable, EXIT_DAMAGED),
        (TapeDamaged, EXIT_DAMAGED),
        (JournalMissing, 66),
        (NothingKnown, 66),
        (VenueUnreachable, 69),
        (EngineSilent, 69),
        (ControlRefused, 69),
        (CommitUnknown, 74),
        (JournalLocked, 75),
        (LiveRefused, 77),
        (ConfigurationWrong, 78),
        (ConfigurationConflict, 78),
        (FilesExist, 78),
        (OSError, 74),
    )


def _tell(error: Exception) -> None:
    from tools.config import ConfigurationWrong

    if isinstance(error, ConfigurationWrong):
        count = "1 fault" if len(error.faults) == 1 else f"{len(error.faults)} faults"
        click.secho(f"{error.path}: {count}", bold=True, err=True)
        for fault in error.faults:
            click.echo(f"  {click.style(fault.place, fg='yellow')}", err=True)
            for line in fault.message.splitlines():
                click.echo(f"      {line}", err=True)
        return
    click.echo(f"{click.style('holdfast:', fg='red', bold=True)} {error}", err=True)


# --- the run ----------------------------------------------------------------------------------------------------


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[DIR]")
@click.option("--strategy", default="sma_cross", metavar="NAME", help="The reference strategy that is configured.")
def init(directory: Path, strategy: str) -> None:
    """Write a configuration and a strategy to start from."""
    from tools.init import STRATEGIES, begin

    if strategy not in STRATEGIES:
        raise click.UsageError(f"there is no strategy {strategy}; there is {', '.join(STRATEGIES)}")
    begun = begin(directory, strategy)
    for path in begun.written:
        click.echo(f"wrote {path}")
    for path in begun.left:
        click.echo(f"left {path} as it is; see that it keeps the journal directory out of the repository")
    config = "" if directory == Path() else f" -c {directory / DEFAULT_CONFIG}"
    click.echo(f"\nIt runs as it is, against a simulated exchange:\n\n    holdfast run{config}\n")


@cli.command()
@_config
@click.option("--for", "for_ns", type=Duration(), metavar="DURATION", help="Stop cleanly after this time, such as 30s.")
@click.option("--fresh", is_flag=True, help="Paper only: move the journal directory aside to NAME.1 and begin anew.")
@click.option("--live", is_flag=True, help="Trade real money; the configuration must say so too.")
def run(config: Path, for_ns: int | None, fresh: bool, live: bool) -> int:
    """Start or continue the unattended run, in the foreground."""
    from tools.config import check_live, read_configuration
    from tools.run import run as go
    from tools.watching import watcher

    configuration = read_configuration(config)
    check_live(configuration, live)
    if not configuration.settings.strategies:
        click.echo("no strategy is configured: the books are kept, nothing is traded", err=True)
    if fresh and configuration.settings.mode != "paper":
        raise click.UsageError(f"--fresh is for paper only, the configuration says {configuration.settings.mode}")
    return go(configuration, for_ns=for_ns, fresh=fresh, watcher=watcher(configuration))


# --- reading ----------------------------------------------------------------------------------------------------


@cli.command()
@_config
@_json
def status(config: Path, as_json: bool) -> None:
    """What the engine does: state, venues, orders, positions."""
    from tools.commands import show_status

    show_status(_journal(config), as_json)


@cli.command()
@_config
@click.option("--open", "only_open", is_flag=True, help="Only those that may still trade, in doubt first.")
@_json
def orders(config: Path, only_open: bool, as_json: bool) -> None:
    """All orders."""
    from tools.commands import show_orders

    show_orders(_journal(config), only_open, as_json)


@cli.command()
@_config
@_json
def fills(config: Path, as_json: bool) -> None:
    """All executions, as they stand after corrections."""
    from tools.commands import show_fills

    show_fills(_journal(config), as_json)


@cli.command()
@_config
@_json
def positions(config: Path, as_json: bool) -> None:
    """Positions and results, per account and per strategy."""
    from tools.commands import show_positions

    show_positions(_journal(config), as_json)


@cli.command()
@_config
@_json
def balances(config: Path, as_json: bool) -> None:
    """What the accounts have of each asset: total, free, locked, and the venue's own figure."""
    from tools.commands import show_balances

    show_balances(_journal(config), as_json)


@cli.command()
@_config
@_json
def results(config: Path, as_json: bool) -> None:
    """What was won and lost, per account and per strategy: realized, open, fees, funding, and the equity curve."""
    from tools.result_table import show_results

    show_results(_journal(config), as_json)


@cli.command()
@_config
@click.option("--after", type=click.IntRange(min=0), metavar="SEQ", help="Only events with a greater seq.")
@click.option("--follow", is_flag=True, help="Go on as more happens; Ctrl-C ends it.")
@_json
def events(config: Path, after: int | None, follow: bool, as_json: bool) -> None:
    """What has happened, event by event."""
    from tools.commands import show_events

    show_events(_journal(config), after, follow, as_json)


@cli.command()
@click.argument("asked", metavar="ORDER|SEQ")
@_config
@_json
def why(asked: str, config: Path, as_json: bool) -> None:
    """The causal chain of an order, in plain words.

    What was seen, wanted, checked, requested and answered. ORDER is an order id, a client order id or a venue's order
    id. An id of our form says where it comes from even without a journal.
    """
    from tools.config import ConfigurationWrong
    from tools.why import show_why

    try:
        directory = _journal(config)
    except ConfigurationWrong:
        if config.exists():
            raise
        directory = Path("run")
    show_why(directory, asked, as_json)


@cli.command()
@_config
@click.option("--level", type=click.IntRange(1, 2), default=2, show_default=True,
              help="1: files, head, chain; 2: also SQLite's own check and a replay from the beginning.")  # fmt: skip
@_json
def verify(config: Path, level: int, as_json: bool) -> int:
    """Is the journal whole, and its replay the same?"""
    from tools.commands import show_verdict

    return EXIT_CLEAN if show_verdict(_journal(config), level, as_json) else EXIT_DAMAGED


@cli.command()
@_config
@_json
def redecide(config: Path, as_json: bool) -> int:
    """Would today's code and strategies decide the same?

    Takes what came in, as kept with `[record] quotes = "all"`, decides it again, and names the first difference.
    """
    from tools.redecide import show_redecided

    return EXIT_CLEAN if show_redecided(config, as_json) else EXIT_DAMAGED


def _journal(config: Path) -> Path:
    from tools.config import read_configuration

    return read_configuration(config, load=False).journal


# --- the operator -----------------------------------------------------------------------------------------------


def _scope(command: Command) -> Command:
    for name, what in (("strategy", "one strategy"), ("instrument", "one instrument"), ("venue", "one venue")):
        command = click.option(f"--{name}", metavar="NAME", help=f"Only {what}.")(command)
    return command


@cli.command()
@_config
@_scope
@_reason
@_json
def pause(config: Path, reason: str, as_json: bool, **scope: str | None) -> None:
    """No new orders from now on; cancels pass. It survives every restart until `resume`."""
    from tools.operating import give

    give(config, {"action": "pause", "reason": reason, **_scoped(scope)}, as_json)


@cli.command()
@_config
@_scope
@_reason
@_json
def resume(config: Path, reason: str, as_json: bool, **scope: str | None) -> None:
    """End pauses and kills.

    Trading begins again once the books agree with the venues.
    """
    from tools.operating import give

    give(config, {"action": "resume", "reason": reason, **_scoped(scope)}, as_json)


def _scoped(scope: dict[str, str | None]) -> dict[str, str]:
    named = {name: subject for name, subject in scope.items() if subject is not None}
    if len(named) > 1:
        raise click.UsageError(f"only one of {', '.join(f'--{name}' for name in named)} at a time")
    return next(({"scope": name, "subject": subject} for name, subject in named.items()), {})


@cli.command()
@_config
@click.option("--flatten", is_flag=True, help="Also close the positions.")
@_reason
def kill(config: Path, flatten: bool, reason: str) -> int:
    """Cancel every open order and prove that none is left.

    It also pauses. Where no engine answers, its process is ended and this one does the work. It ends with 0 only when
    each venue has shown zero open orders. A kill survives every restart until `resume`.
    """
    from tools.operating import kill_all

    return kill_all(config, flatten, reason)


@cli.command()
@click.argument("order", metavar="ORDER")
@_config
@click.option("--as", "resolution", type=click.Choice(("void", "canceled", "filled")), required=True,
              help="What became of it, by your own knowledge.")  # fmt: skip
@click.option("--fill", metavar="QTY@PRICE", help="The execution that goes with `--as filled`.")
@_reason
@_json
def resolve(order: str, config: Path, resolution: str, fill: str | None, reason: str, as_json: bool) -> None:
    """Settle an order in doubt by hand.

    It is kept with who did it, and why.
    """
    from tools.operating import resolve_order

    resolve_order(config, order, resolution, _fill_of(resolution, fill), reason, as_json)


def _fill_of(resolution: str, fill: str | None) -> tuple[str, str] | None:
    if resolution == "filled" and fill is None:
        raise click.UsageError("--as filled needs --fill QTY@PRICE")
    if resolution != "filled" and fill is not None:
        raise click.UsageError(f"--fill does not go with --as {resolution}")
    if fill is None:
        return None
    from engine.values import exact

    quantity, at, price = fill.partition("@")
    try:
        if at and exact(quantity) > 0 and exact(price) > 0:
            return str(exact(quantity)), str(exact(price))
    except ValueError:
        pass  # said below, in the words of the option
    raise click.UsageError(f"--fill {fill}: write it as QTY@PRICE, such as 0.01@60000")


# --- proof ------------------------------------------------------------------------------------------------------


@cli.command()
@_config
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(0), default=40, show_default=True, help="Worlds in virtual time.")
@click.option("--kills", type=click.IntRange(0), default=0, show_default=True, help="Kills of real processes.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; all cores if left out.")
@_json
def torture(config: Path, first: int, seeds: int, kills: int, jobs: int | None, as_json: bool) -> int:
    """Your strategies and limits under crashes and faults.

    Every venue of the configuration is replaced by the simulated exchange; your journal is not touched. It ends with 0
    when no invariant was violated, with 1 otherwise, and says how to repeat a failure.
    """
    from tools.torture.report import torture_and_tell

    return torture_and_tell(config, first, seeds, kills, jobs, as_json)


# --- a venue of one's own ---------------------------------------------------------------------------------------


@cli.command()
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
