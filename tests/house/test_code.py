"""How code is written here: sizes, names, docstrings, exact numbers, no swallowed faults and nothing left undone."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.house.source import PACKAGES, Source, assert_none, dotted, source, sources

LINES_OF_A_FILE = 450
LINES_OF_A_FUNCTION = 70
NAMELESS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XXX)\b")
BROAD = {"Exception", "BaseException"}

EXACT_ROOMS = ("engine", "adapters/simulated", "journal")
"""Where no float may be made: numbers there are Decimal or int."""
FLOATS_ALLOWED = {
    "journal/lock.py": "seconds to wait for another writer",
}


def size_faults(file: Source) -> Iterator[str]:
    """Files and functions that nobody reads in one go."""
    length = len(file.text.splitlines())
    if length > LINES_OF_A_FILE:
        yield file.fault(1, f"{length} lines, more than {LINES_OF_A_FILE}")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LINES_OF_A_FUNCTION:
                yield file.fault(node.lineno, f"{node.name} has {length} lines, more than {LINES_OF_A_FUNCTION}")


def name_faults(file: Source) -> Iterator[str]:
    """Names of files that say nothing."""
    for part in file.path.with_suffix("").parts:
        if part.lower().rpartition("_")[2] in NAMELESS:
            yield file.fault(1, f"{part} names nothing; say what it holds")


def docstring_faults(file: Source) -> Iterator[str]:
    """Modules, public classes and public functions that do not say what they are."""
    if not ast.get_docstring(file.tree):
        yield file.fault(1, "the module has no docstring")
    for node in file.tree.body:
        if (
            isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ):
            yield file.fault(node.lineno, f"{node.name} has no docstring")


def swallow_faults(file: Source) -> Iterator[str]:
    """A bare `except:`, and a broad one that does nothing."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = {dotted(kind) for kind in _kinds(node.type)}
            if node.type is None:
                yield file.fault(node.lineno, "a bare except")
            elif caught & BROAD and all(_does_nothing(statement) for statement in node.body):
                yield file.fault(node.lineno, "any exception is swallowed")
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("suppress"):
            caught = {dotted(kind) for kind in node.args}
            yield from [file.fault(node.lineno, "any exception is swallowed")] if caught & BROAD else []


def _kinds(caught: ast.expr | None) -> list[ast.expr]:
    if caught is None:
        return []
    return list(caught.elts) if isinstance(caught, ast.Tuple) else [caught]


def _does_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass | ast.Continue) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def unfinished_faults(file: Source) -> Iterator[str]:
    """Notes of work to come, and stubs."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        if UNFINISHED.search(line):
            yield file.fault(number, "something is left to do")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if dotted(raised) == "NotImplementedError":
                yield file.fault(node.lineno, "a stub")


def float_faults(file: Source) -> Iterator[str]:
    """A float literal or a call of `float`."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield file.fault(node.lineno, f"the float {node.value}")
        elif isinstance(node, ast.Call) and dotted(node.func) == "float":
            yield file.fault(node.lineno, "a float is made")


def division_faults(file: Source) -> Iterator[str]:
    """The operator `/`: of ints it makes a float, of Decimals a number that nobody rounds; engine.values divides."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield file.fault(node.lineno, "`/` divides; use engine.values.divide, or // of ints")


def exact_sources() -> list[Source]:
    """The files that may make no float."""
    return [
        file
        for file in sources(*PACKAGES)
        if any(file.path.is_relative_to(room) for room in EXACT_ROOMS) and str(file.path) not in FLOATS_ALLOWED
    ]


@pytest.mark.parametrize(
    "rule",
    [size_faults, name_faults, docstring_faults, swallow_faults, unfinished_faults],
    ids=lambda rule: rule.__name__,
)
def test_code_of_the_packages(rule: Callable[[Source], Iterator[str]]) -> None:
    assert_none(fault for file in sources(*PACKAGES) for fault in rule(file))


def test_tests_have_names_and_swallow_nothing() -> None:
    faults = [fault for file in sources("tests") for rule in (name_faults, swallow_faults) for fault in rule(file)]
    assert_none(faults)


def test_no_float_near_money() -> None:
    assert_none(fault for file in exact_sources() for fault in float_faults(file))


def test_the_engine_divides_in_one_place() -> None:
    # The inbox hands its waiting time to the operating system, which wants seconds.
    core = (file for file in sources("engine") if file.path.name != "inbox.py")
    assert_none(fault for file in core for fault in division_faults(file))


def test_every_float_that_is_allowed_is_there() -> None:
    found = {str(file.path) for file in sources(*PACKAGES) if any(float_faults(file))}
    assert [path for path in FLOATS_ALLOWED if path not in found] == []


LONG_FUNCTION = "def f() -> None:\n" + "    pass\n" * LINES_OF_A_FUNCTION


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (size_faults, "engine/x.py", "\n" * (LINES_OF_A_FILE + 1)),
        (size_faults, "engine/x.py", LONG_FUNCTION),
        (size_faults, "engine/x.py", "async " + LONG_FUNCTION),
        (name_faults, "engine/utils.py", ""),
        (name_faults, "tools/order_manager.py", ""),
        (name_faults, "adapters/common/wire.py", ""),
        (docstring_faults, "engine/x.py", "A = 1"),
        (docstring_faults, "engine/x.py", "'''Says.'''\ndef f() -> None: ..."),
        (docstring_faults, "engine/x.py", "'''Says.'''\nclass C: ..."),
        (swallow_faults, "engine/x.py", "try: f()\nexcept: g()"),
        (swallow_faults, "engine/x.py", "try: f()\nexcept Exception: pass"),
        (swallow_faults, "engine/x.py", "try: f()\nexcept (OSError, BaseException) as e: ..."),
        (swallow_faults, "engine/x.py", "with suppress(Exception): f()"),
        (unfinished_faults, "engine/x.py", "a = 1  # TODO: two"),
        (unfinished_faults, "engine/x.py", "raise NotImplementedError"),
        (float_faults, "engine/x.py", "a = 0.1"),
        (float_faults, "engine/x.py", "a = -1e3"),
        (float_faults, "engine/x.py", "a = float('1')"),
        (division_faults, "engine/x.py", "a = b / c"),
        (division_faults, "engine/x.py", "a /= c"),
    ],
)
def test_a_fault_is_seen(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert len(list(rule(source(path, text)))) == 1


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (size_faults, "engine/x.py", "def f() -> None:\n" + "    pass\n" * (LINES_OF_A_FUNCTION - 1)),
        (name_faults, "engine/database.py", ""),
        (docstring_faults, "engine/x.py", "'''Says.'''\ndef _f() -> None: ..."),
        (swallow_faults, "engine/x.py", "try: f()\nexcept OSError: pass"),
        (swallow_faults, "engine/x.py", "try: f()\nexcept Exception as e: report(e)"),
        (unfinished_faults, "engine/x.py", "try: f()\nexcept NotImplementedError as e: raise Unreadable from e"),
        (float_faults, "engine/x.py", "isinstance(a, float)"),
        (division_faults, "engine/x.py", "a = b // c"),
    ],
)
def test_good_code_has_no_fault(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(rule(source(path, text))) == []
