"""The project's Python files as the rules of the house read them: path, text and syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from attrs import frozen

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "adapters", "journal", "tools")


@frozen
class Source:
    """One Python file; `path` is relative to the repository."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The top-level folder."""
        return self.path.parts[0]

    @property
    def room(self) -> str:
        """The second name of the module: `values` for engine/values.py, `strategies` for engine/strategies/x.py."""
        return self.path.parts[1].removesuffix(".py")

    def fault(self, line: int, what: str) -> str:
        """A fault with its place."""
        return f"{self.path}:{line}: {what}"


def source(path: str, text: str) -> Source:
    """A file that need not exist, to try the rules on."""
    return Source(PurePosixPath(path), text, ast.parse(text))


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below the folders, in the order of their names."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths)


def imports(file: Source) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and dotted name of everything that is imported, inside functions too.

    `from engine import values` and `from engine.values import Side` both begin with engine, values.
    """
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            here = file.path.parts[: -node.level] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                yield node.lineno, (*here, *module, alias.name)


def assert_none(faults: Iterable[str]) -> None:
    """Fails with every fault on its own line."""
    found = list(faults)
    assert not found, "\n".join(["", *found])


def dotted(node: ast.expr) -> str:
    """The written name of what is called: `datetime.now`; empty for anything that has no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""
