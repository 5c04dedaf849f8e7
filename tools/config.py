"""`holdfast.toml` → Configuration: every fault is listed, with its line and its key, never only the first."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import frozen

from engine.settings import Settings
from engine.strategy import Strategy
from engine.values import StrategyName, VenueName
from tools.document import Document, VenueConfiguration
from tools.spelling import Backtesting, Heading
from tools.strategy_file import StrategyFile, StrategyMissing, find_strategy, load_strategy
from tools.structure import Text, Wrong
from tools.toml_place import Key, dotted, lines_of

__all__ = [
    "Configuration",
    "ConfigurationConflict",
    "ConfigurationWrong",
    "Fault",
    "VenueConfiguration",
    "configuration_wrong",
    "load_strategies",
    "read_configuration",
    "read_journal_directory",
]

_AS_IT_IS = Backtesting()
_UNCHANGED: Mapping[str, Any] = MappingProxyType({})
_STEP = re.compile(r'"([^"]+)"|([^."]+)')
_POSITION = re.compile(r" \(at line (\d+), column (\d+)\)$")


@frozen
class Fault:
    """One thing that is wrong: `place` is the line and the dotted key."""

    place: str
    message: str


class ConfigurationWrong(Exception):
    """The configuration can't be used: the user's to correct (exit 78). `faults` are all of them, in order of line."""

    def __init__(self, path: Path, faults: tuple[Fault, ...]) -> None:
        self.path = path
        self.faults = faults
        lines = [f"{fault.place}: {fault.message}" for fault in faults]
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n  ".join((f"{path}: {count}", *lines)))


class ConfigurationConflict(Exception):
    """The journal belongs to another mode, account or set of venues than the configuration names (exit 78)."""


@frozen
class Configuration:
    """What a file says. `directory` is the file's own, `journal` the absolute path of the journal directory."""

    path: Path
    directory: Path
    journal: Path
    settings: Settings
    venues: dict[VenueName, VenueConfiguration]
    backtest: Backtesting = _AS_IT_IS


def read_configuration(path: Path, *, load: bool = True, changed: Mapping[str, Any] = _UNCHANGED) -> Configuration:
    """Read and check the whole file; raises `ConfigurationWrong` with every fault.

    With `load` the strategies are imported too, so that theirs are among them; reading commands do without. `changed`
    are values that stand instead of the file's, by dotted key (`strategies.cross.params.fast`).
    """
    path = Path(path).absolute()
    document, lines = _parse(path)
    for key, value in changed.items():
        _change(path, document, key, value)
    reading = Document(document, path.parent)
    configuration = _configuration(path, reading)
    if load:
        _load(reading.files, path.parent, reading.wrong)
    if reading.wrong:
        raise ConfigurationWrong(path, _placed(reading.wrong, lines))
    return configuration


def read_journal_directory(path: Path) -> Path:
    """Where the journal is, whatever else may be wrong with the file: operators' commands must get through.

    Raises `ConfigurationWrong` where even that can't be read.
    """
    path = Path(path).absolute()
    document, lines = _parse(path)
    journal = document.get("journal", Heading().journal)
    if not isinstance(journal, str):
        wrong = [Wrong(("journal",), "a text in quotes is wanted")]
        raise ConfigurationWrong(path, _placed(wrong, lines))
    return (path.parent / journal).resolve()


def load_strategies(configuration: Configuration) -> dict[StrategyName, type[Strategy]]:
    """The class of each strategy; raises `ConfigurationWrong` where one can't be imported."""
    wrong: list[Wrong] = []
    found = _load(_files(configuration, wrong), configuration.directory, wrong)
    if wrong:
        raise configuration_wrong(configuration.path, wrong)
    return found


def configuration_wrong(path: Path, wrong: list[Wrong]) -> ConfigurationWrong:
    """Faults that showed after the file was read, with their lines in it."""
    _, lines = _parse(path)
    return ConfigurationWrong(path, _placed(wrong, lines))


# --- the file ---------------------------------------------------------------------------------------------------


def _parse(path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file; `holdfast init` writes one") from None
    except OSError as error:
        raise _unreadable(path, f"it can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is not UTF-8 at byte {error.start}") from error
    try:
        document = tomllib.loads(text, parse_float=Text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationWrong(path, (_syntax(str(error)),)) from error
    return document, lines_of(text)


def _change(path: Path, document: dict[str, Any], key: str, value: Any) -> None:
    """Put a value where a dotted key says; a name with a dot in it stands in quotes, as in TOML. Raises
    `ConfigurationWrong` for a key that leads into something else than a table."""
    table: Any = document
    *steps, last = [quoted or plain for quoted, plain in _STEP.findall(key)]
    for step in steps:
        table = table.setdefault(step, {}) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        raise ConfigurationWrong(path, (Fault(key, "it leads into a value; only tables hold keys"),))
    table[last] = value


def _unreadable(path: Path, message: str) -> ConfigurationWrong:
    return ConfigurationWrong(path, (Fault(path.name, message),))


def _syntax(message: str) -> Fault:
    found = _POSITION.search(message)
    place = f"line {found[1]}, column {found[2]}" if found else "the end of the file"
    return Fault(place, f"not TOML: {_POSITION.sub('', message).removesuffix(' (at end of document)')}")


def _placed(wrong: list[Wrong], lines: Mapping[Key, int]) -> tuple[Fault, ...]:
    """The faults with their lines, in their order; what is missing stands at the table that lacks it."""
    found: dict[tuple[int, Key], Fault] = {}
    for fault in wrong:
        line = next((lines[fault.key[:n]] for n in range(len(fault.key), 0, -1) if fault.key[:n] in lines), 1)
        found.setdefault((line, fault.key), Fault(f"line {line}, {dotted(fault.key)}", fault.message))
    return tuple(found[place] for place in sorted(found, key=lambda place: (place[0], dotted(place[1]))))


def _configuration(path: Path, reading: Document) -> Configuration:
    reading.check()
    heading = reading.heading()
    venues = reading.venues()
    settings = reading.settings(heading.mode, venues)
    journal = (path.parent / heading.journal).resolve()
    return Configuration(path, path.parent, journal, settings, venues, reading.backtest())


def _files(configuration: Configuration, wrong: list[Wrong]) -> dict[StrategyName, StrategyFile]:
    """The strategies' files as they were when the configuration was read: their hash is in the settings."""
    found: dict[StrategyName, StrategyFile] = {}
    for name, settings in configuration.settings.strategies.items():
        try:
            found[name] = find_strategy(settings.strategy_class, configuration.directory)
            if found[name].sha256 != settings.file_hash:
                raise StrategyMissing(f"{found[name].path.name} has changed meanwhile; start again")
        except StrategyMissing as error:
            wrong.append(Wrong(("strategies", name, "class"), str(error)))
    return found


def _load(
    files: Mapping[StrategyName, StrategyFile], directory: Path, wrong: list[Wrong]
) -> dict[StrategyName, type[Strategy]]:
    found: dict[StrategyName, type[Strategy]] = {}
    for name, file in files.items():
        try:
            found[name] = load_strategy(file, directory)
        except StrategyMissing as error:
            wrong.append(Wrong(("strategies", name, "class"), str(error)))
    return found
