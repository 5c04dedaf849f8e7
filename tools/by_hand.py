"""The commands of an operator: pause, resume, kill, resolve."""

from __future__ import annotations

from pathlib import Path

import click

from tools.options import Command, config_option, json_option, reason_option


def _scope(command: Command) -> Command:
    for name, what in (("strategy", "one strategy"), ("instrument", "one instrument"), ("venue", "one venue")):
        command = click.option(f"--{name}", metavar="NAME", help=f"Only {what}.")(command)
    return command


@click.command()
@config_option
@_scope
@reason_option
@json_option
def pause(config: Path, reason: str, as_json: bool, **scope: str | None) -> None:
    """No new orders from now on; cancels pass. It survives every restart until `resume`."""
    from tools.operating import give

    give(config, {"action": "pause", "reason": reason, **_scoped(scope)}, as_json)


@click.command()
@config_option
@_scope
@reason_option
@json_option
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


@click.command()
@config_option
@click.option("--flatten", is_flag=True, help="Also close the positions.")
@reason_option
def kill(config: Path, flatten: bool, reason: str) -> int:
    """Cancel every open order and prove that none is left.

    It also pauses. Where no engine answers, its process is ended and this one does the work. It ends with 0 only when
    each venue has shown zero open orders. A kill survives every restart until `resume`.
    """
    from tools.operating import kill_all

    return kill_all(config, flatten, reason)


@click.command()
@click.argument("order", metavar="ORDER")
@config_option
@click.option("--as", "resolution", type=click.Choice(("void", "canceled", "filled")), required=True,
              help="What became of it, by your own knowledge.")  # fmt: skip
@click.option("--fill", metavar="QTY@PRICE", help="The execution that goes with `--as filled`.")
@reason_option
@json_option
def resolve(order: str, config: Path, resolution: str, fill: str | None, reason: str, as_json: bool) -> None:
    """Settle an order in doubt by hand.

    It is kept with who did it, and why.
    """
    from tools.operating import read_fill, resolve_order

    resolve_order(config, order, resolution, read_fill(resolution, fill), reason, as_json)
