"""Where a strategy's class stands: its file, the file's hash, and the class itself.

A class is named `module:Class`, or `my_strategy.py:Mine` relative to the configuration.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from attrs import frozen

from engine.strategy import Strategy
from tools.structure import nearest

TRACEBACK_LINES = 4


class StrategyMissing(Exception):
    """A strategy's file or class can't be found or imported; the text says what to do."""


@frozen
class StrategyFile:
    """A strategy's class by name, and the file that it stands in. `module` is empty for a file named by its path."""

    path: Path
    module: str
    class_name: str
    sha256: str


def find_strategy(written: str, directory: Path) -> StrategyFile:
    """The file that a `class = "..."` names, without running it; raises `StrategyMissing`."""
    where, colon, class_name = written.rpartition(":")
    if not colon or not where or not class_name.isidentifier():
        raise StrategyMissing(f'"{written}" is not module:Class or my_strategy.py:Class')
    if where.endswith(".py"):
        path, module = (directory / where).resolve(), ""
    else:
        path, module = _module_path(where, directory), where
    try:
        return StrategyFile(path, module, class_name, sha256(path.read_bytes()).hexdigest())
    except OSError as error:
        raise StrategyMissing(f"can't read {path}: {error.strerror}") from error


def load_strategy(file: StrategyFile, directory: Path) -> type[Strategy]:
    """The class itself, which runs its file once; raises `StrategyMissing` with the end of a traceback."""
    _add_to_path(directory)
    try:
        module = importlib.import_module(file.module) if file.module else _module_of(file)
    except Exception as error:
        raise StrategyMissing(f"{file.path.name} can't be imported\n{_told(error, file.path)}") from error
    found = getattr(module, file.class_name, None)
    if found is None:
        known = [name for name, value in vars(module).items() if _is_strategy(value)]
        raise StrategyMissing(
            f"there is no class {file.class_name} in {file.path.name}; {nearest(file.class_name, known, 'it has')}"
        )
    if not _is_strategy(found):
        raise StrategyMissing(f"{file.class_name} in {file.path.name} is not a subclass of engine.strategy.Strategy")
    assert isinstance(found, type)
    return found


def _is_strategy(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Strategy) and value is not Strategy


def _module_path(name: str, directory: Path) -> Path:
    _add_to_path(directory)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise StrategyMissing(f"there is no module {name}: {error}") from error
    if spec is None or spec.origin is None or not spec.has_location:
        raise StrategyMissing(f"there is no module {name}; a file is named with its ending, such as {name}.py:Class")
    return Path(spec.origin)


def _module_of(file: StrategyFile) -> ModuleType:
    """The file as a module under a name of its own, run once for each content."""
    name = f"{file.path.stem}_{file.sha256[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _add_to_path(directory: Path) -> None:
    """What stands beside the configuration can be imported, and never hides what is installed."""
    if str(directory) not in sys.path:
        sys.path.append(str(directory))


def _told(error: Exception, path: Path) -> str:
    """The last lines of a traceback that concern the reader: those of the strategy's own file and the error."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    lines = [f"{path.name}, line {frame.lineno}: {frame.line or ''}" for frame in frames[-TRACEBACK_LINES:]]
    lines += [line.rstrip() for line in traceback.format_exception_only(error)]
    return "\n".join(lines[-TRACEBACK_LINES:])
