"""The command `holdfast`: one function per command, and one place where errors become exit codes.

Heavy modules are imported inside the commands, so that `holdfast --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import click

from tools.by_hand import kill, pause, resolve, resume
from tools.options import DEFAULT_CONFIG, Duration, config_option, journal_of, json_option
from tools.redacted import redacted_stderr
from tools.rehearsal import backtest, torture, venue

EXIT_CLEAN, EXIT_BUG, EXIT_DAMAGED, EXIT_INTERRUPTED = 0, 1, 65, 130


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
    """Run one command line; returns the exit code and writes errors to stderr, where nothing secret is said."""
    with redacted_stderr():
        return _run_command(arguments)


def _run_command(arguments: list[str]) -> int:
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
    from adapters.keys import KeyMissing
    from adapters.rights import PolicyRefused
    from engine.input_codec import TapeDamaged
    from engine.ports import VenueUnreachable
    from journal.errors import CommitUnknown, JournalDamaged, JournalLocked, JournalMissing, JournalUnsuitable
    from tools.config import ConfigurationConflict, ConfigurationWrong
    from tools.control import ControlRefused, EngineSilent
    from tools.guard import LiveRefused
    from tools.init import FilesExist
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
        (PolicyRefused, 77),
        (ConfigurationWrong, 78),
        (ConfigurationConflict, 78),
        (KeyMissing, 78),
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
@config_option
@click.option("--for", "for_ns", type=Duration(), metavar="DURATION", help="Stop cleanly after this time, such as 30s.")
@click.option("--fresh", is_flag=True, help="Paper only: move the journal directory aside to NAME.1 and begin anew.")
@click.option("--live", is_flag=True, help="Trade real money; the configuration must say so too.")
def run(config: Path, for_ns: int | None, fresh: bool, live: bool) -> int:
    """Start or continue the unattended run, in the foreground."""
    from tools.config import read_configuration
    from tools.guard import check_live
    from tools.run import run as go
    from tools.watching import watcher

    configuration = read_configuration(config)
    check_live(configuration, live)
    if configuration.settings.mode == "backtest":
        raise click.UsageError('mode = "backtest" is played by `holdfast backtest`; to run it, write mode = "paper"')
    if not configuration.settings.strategies:
        click.echo("no strategy is configured: the books are kept, nothing is traded", err=True)
    if fresh and configuration.settings.mode != "paper":
        raise click.UsageError(f"--fresh is for paper only, the configuration says {configuration.settings.mode}")
    return go(configuration, for_ns=for_ns, fresh=fresh, watcher=watcher(configuration))


# --- reading ----------------------------------------------------------------------------------------------------


@cli.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """What the engine does: state, venues, orders, positions."""
    from tools.commands import show_status

    show_status(journal_of(config), as_json)


@cli.command()
@config_option
@click.option("--open", "only_open", is_flag=True, help="Only those that may still trade, in doubt first.")
@json_option
def orders(config: Path, only_open: bool, as_json: bool) -> None:
    """All orders."""
    from tools.commands import show_orders

    show_orders(journal_of(config), only_open, as_json)


@cli.command()
@config_option
@json_option
def fills(config: Path, as_json: bool) -> None:
    """All executions, as they stand after corrections."""
    from tools.commands import show_fills

    show_fills(journal_of(config), as_json)


@cli.command()
@config_option
@json_option
def positions(config: Path, as_json: bool) -> None:
    """Positions and results, per account and per strategy."""
    from tools.commands import show_positions

    show_positions(journal_of(config), as_json)


@cli.command()
@config_option
@json_option
def balances(config: Path, as_json: bool) -> None:
    """What the accounts have of each asset: total, free, locked, and the venue's own figure."""
    from tools.commands import show_balances

    show_balances(journal_of(config), as_json)


@cli.command()
@config_option
@json_option
def results(config: Path, as_json: bool) -> None:
    """What was won and lost, per account and per strategy: realized, open, fees, funding, and the equity curve."""
    from tools.result_table import show_results

    show_results(journal_of(config), as_json)


@cli.command()
@config_option
@click.option("--after", type=click.IntRange(min=0), metavar="SEQ", help="Only events with a greater seq.")
@click.option("--follow", is_flag=True, help="Go on as more happens; Ctrl-C ends it.")
@json_option
def events(config: Path, after: int | None, follow: bool, as_json: bool) -> None:
    """What has happened, event by event."""
    from tools.commands import show_events

    show_events(journal_of(config), after, follow, as_json)


@cli.command()
@click.argument("asked", metavar="ORDER|SEQ")
@config_option
@json_option
def why(asked: str, config: Path, as_json: bool) -> None:
    """The causal chain of an order, in plain words.

    What was seen, wanted, checked, requested and answered. ORDER is an order id, a client order id or a venue's order
    id. An id of our form says where it comes from even without a journal.
    """
    from tools.config import ConfigurationWrong
    from tools.why import show_why

    try:
        directory = journal_of(config)
    except ConfigurationWrong:
        if config.exists():
            raise
        directory = Path("run")
    show_why(directory, asked, as_json)


@cli.command()
@config_option
@click.option("--level", type=click.IntRange(1, 2), default=2, show_default=True,
              help="1: files, head, chain; 2: also SQLite's own check and a replay from the beginning.")  # fmt: skip
@json_option
def verify(config: Path, level: int, as_json: bool) -> int:
    """Is the journal whole, and its replay the same?"""
    from tools.commands import show_verdict

    return EXIT_CLEAN if show_verdict(journal_of(config), level, as_json) else EXIT_DAMAGED


@cli.command()
@config_option
@json_option
def redecide(config: Path, as_json: bool) -> int:
    """Would today's code and strategies decide the same?

    Takes what came in, as kept with `[record] quotes = "all"`, decides it again, and names the first difference.
    """
    from tools.redecide import show_redecided

    return EXIT_CLEAN if show_redecided(config, as_json) else EXIT_DAMAGED


@cli.command()
@config_option
@json_option
def doctor(config: Path, as_json: bool) -> int:
    """Which promises hold here: machine, keys, accounts, venues.

    Asks each venue what a start would ask it. Keys are read and never shown; nothing that trades is sent.
    """
    from tools.doctor.command import doctor_and_tell

    return doctor_and_tell(config, as_json)


for command in (pause, resume, kill, resolve, backtest, torture, venue):
    cli.add_command(command)
