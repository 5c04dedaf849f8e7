"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DEFAULT_CONFIG = "holdfast.toml"

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


def config_option(command: Command) -> Command:
    """`-c FILE`."""
    return click.option(
        "-c", "--config", "config", type=click.Path(path_type=Path), default=Path(DEFAULT_CONFIG), metavar="FILE",
        help=f"The configuration.  [default: {DEFAULT_CONFIG}]",
    )(command)  # fmt: skip


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")(command)


def reason_option(command: Command) -> Command:
    """`--reason TEXT`."""
    return click.option("--reason", default="", metavar="TEXT", help="Why; it is kept in the journal.")(command)


def journal_of(config: Path) -> Path:
    """The journal directory of a configuration."""
    from tools.config import read_configuration

    return read_configuration(config, load=False).journal
