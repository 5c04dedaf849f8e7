"""`holdfast venue`: an exchange that ships with holdfast, in a process of its own."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import attrs
import click

from adapters.registry import Adapter, ServerSettings, adapters
from engine.values import InstrumentName
from tools.config import Configuration, ConfigurationWrong, Fault, read_configuration
from tools.spelling import SPELLING
from tools.start import log_opener
from tools.structure import Structure, Text, Wrong, nearest
from tools.toml_place import dotted


def serve(
    name: str, config: Path | None, port: int, faults: Path | None, state: Path | None, tape: Path | None = None,
    set_to: Path | None = None,
) -> None:  # fmt: skip
    """Serve until the process is asked to end; raises `ConfigurationWrong` and what opening raises."""
    adapter = _adapter(name)
    assert adapter.serve is not None
    kind = adapter.exchange or adapter.options
    options: Any = kind() if set_to is None else _read(set_to, kind, _parse(set_to))
    symbols: dict[InstrumentName, str] = {}
    directory = Path.cwd()
    if config is not None:
        configuration = read_configuration(config, load=False)
        configured, symbols = _configured(configuration, name)
        options = configured if adapter.exchange is None and set_to is None else options
        directory = configuration.directory
    if faults is not None:
        options = attrs.evolve(options, faults=_read_faults(faults, kind))
    if tape is not None:
        options = attrs.evolve(options, tape=str(tape.absolute()))
    kept = state or Path(f"{name}-exchange")
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    adapter.serve(
        ServerSettings(
            options=options,
            symbols=symbols,
            directory=str(directory),
            port=port,
            open_log=log_opener(kept.absolute()),
            announce=click.echo,
        )
    )


def _adapter(name: str) -> Adapter:
    installed = adapters()
    if name not in installed:
        raise click.UsageError(f'there is no adapter "{name}"; {nearest(name, installed, "there is")}')
    if installed[name].serve is None:
        raise click.UsageError(f"the adapter {name} has no exchange of its own to serve")
    return installed[name]


def _configured(configuration: Configuration, name: str) -> tuple[Any, dict[InstrumentName, str]]:
    """Options and symbols of the one venue with that adapter."""
    found = [venue for venue in configuration.venues.values() if venue.adapter.name == name]
    if len(found) != 1:
        raise click.UsageError(f"{configuration.path} has {len(found)} venues with the adapter {name}; one is wanted")
    # What the options say of reaching an exchange elsewhere is not for the exchange itself.
    options = attrs.evolve(found[0].options, url=None) if hasattr(found[0].options, "url") else found[0].options
    return options, found[0].symbols


def _read_faults(path: Path, options: type) -> Any:
    kinds = {field.name: field.type for field in attrs.fields(attrs.resolve_types(options))}
    if "faults" not in kinds:
        raise click.UsageError("this exchange knows no faults")
    table = _parse(path)
    return _read(path, kinds["faults"], table.get("faults", table) if isinstance(table, dict) else table)


def _read(path: Path, kind: Any, table: Any) -> Any:
    """A file's table as a value of that kind; raises `ConfigurationWrong` with every fault in it."""
    wrong: list[Wrong] = []
    found = Structure(SPELLING).read(kind, table, (), wrong)
    if wrong:
        raise ConfigurationWrong(path, tuple(Fault(dotted(fault.key), fault.message) for fault in wrong))
    return found


def _parse(path: Path) -> Any:
    """The table of a file."""
    try:
        text = path.read_text()
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text, parse_float=Text)
    except (OSError, ValueError) as error:
        raise ConfigurationWrong(path, (Fault(path.name, str(error)),)) from error
    return table
