"""Who may import whom, the reading order of the engine, and the purity of its core."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.house.source import PACKAGES, ROOT, Source, assert_none, dotted, imports, source, sources

ANY = "*"
STANDARD_LIBRARY = sys.stdlib_module_names | {"_typeshed"}  # the latter exists for mypy alone
OF_THE_ENGINE = ("values", "instrument", "capabilities", "inputs", "outbox", "ports", "book")
"""What an adapter needs of the engine: values, what comes in, what goes out, and the one order book."""

# package: (our own modules, third-party packages); the standard library is open to all, the core excepted
MAY_IMPORT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "journal": (("journal",), ()),
    "engine": (("engine",), ("attrs", "msgspec", "transitions")),
    "adapters": (
        ("adapters", *(f"engine.{room}" for room in OF_THE_ENGINE)),
        ("requests", "websockets", "attrs", "cattrs", "msgspec", "cryptography"),
    ),
    "tools": (PACKAGES, (ANY,)),
}

OPEN_VENUES = {"simulated", "tape"}
"""Venues that others may import: the exchange that every `server.py` speaks for, and the readers of recorded data."""

SIBLINGS = {"binance_usdm": {"binance"}}
"""Products of one company, whose signatures, limits and envelopes are one: these may import those."""

# Each file of the engine imports only from files above it; a folder stands for all its files.
READING_ORDER = """
    values token instrument capabilities instructions sessions limits settings tables order_tables order ticks reports
    inputs order_events events
    system position account
    state recent appliers money_booking order_keeping intent_booking order_booking system_booking fold
    book bars averages indicators series data_faults looks market marks equity balances
    strategy target strategies
    pricing reasons depth sight worth flow exposure leverage funds loss order_limits registry terms risk reconciliation
    order_guards order_effects drift funding guards order_decision access subscriptions
    system_decision operator_decision trips desk
    intent_decision held_decision style_decision strategy_decision decision
    outbox ports codec input_codec recall
    inbox runner
""".split()

SHELL = {"inbox", "runner"}
"""The only files of the engine that may meet the world; `ports` states how, everything else is the core."""

IMPURE_MODULES = set(
    "asyncio concurrent importlib io logging multiprocessing os pathlib queue random secrets select shutil signal "
    "socket sqlite3 subprocess sys tempfile threading time uuid".split()
)
IMPURE_ALLOWED = {
    ("engine/strategy.py", "random"): "a generator that is seeded from the journal, so that a replay draws the same",
}
IMPURE_CALLS = set(
    "open print input eval exec __import__ "
    "datetime.now datetime.utcnow datetime.today date.today datetime.datetime.now datetime.date.today".split()
)


def table_faults(file: Source) -> Iterator[str]:
    """Imports that the table does not list."""
    ours, theirs = MAY_IMPORT[file.package]
    for line, name in imports(file):
        if name[0] in PACKAGES or name[0] == "tests":
            if not any(name[: len(allowed)] == allowed for allowed in (tuple(module.split(".")) for module in ours)):
                yield file.fault(line, f"{file.package} may not import {'.'.join(name[:2])}")
        elif name[0] not in STANDARD_LIBRARY and name[0] not in theirs and ANY not in theirs:
            yield file.fault(line, f"{file.package} may not import {name[0]}")


def venue_faults(file: Source, venues: set[str]) -> Iterator[str]:
    """A venue that imports another venue, or a shared file of the adapters that imports any."""
    open_to_it = OPEN_VENUES | {file.room} | SIBLINGS.get(file.room, set()) if file.room in venues else set()
    for line, name in imports(file):
        if name[0] == "adapters" and len(name) > 1 and name[1] in venues and name[1] not in open_to_it:
            yield file.fault(line, f"{file.room} may not import the venue {name[1]}")


def order_faults(file: Source) -> Iterator[str]:
    """Imports of the engine from itself that look downwards."""
    if file.room == "__init__":
        above: list[str] = []
    elif file.room not in READING_ORDER:
        yield file.fault(1, f"{file.room} has no place in READING_ORDER")
        return
    else:
        above = READING_ORDER[: READING_ORDER.index(file.room)]
    if file.path.name == "__init__.py":
        above = [*above, file.room]
    for line, name in imports(file):
        if name[0] == "engine" and (len(name) == 1 or name[1] not in above):
            yield file.fault(line, f"{'.'.join(name[:2])} does not stand above {file.room}")


def purity_faults(file: Source) -> Iterator[str]:
    """Clock, chance, input and output, threads and logging, by import or by call."""
    for line, name in imports(file):
        if name[0] in IMPURE_MODULES and (str(file.path), name[0]) not in IMPURE_ALLOWED:
            yield file.fault(line, f"the core is pure, without {name[0]}")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and dotted(node.func) in IMPURE_CALLS:
            yield file.fault(node.lineno, f"the core is pure, without {dotted(node.func)}()")


def is_pure(file: Source) -> bool:
    """The core of the engine, and every venue's translation."""
    return (file.package == "engine" and file.room not in SHELL) or file.path.match("adapters/*/translate.py")


def venues() -> set[str]:
    """The folders below `adapters`."""
    return {path.parent.name for path in (ROOT / "adapters").glob("*/*.py")}


def test_imports_follow_the_table() -> None:
    assert_none(fault for file in sources(*PACKAGES) for fault in table_faults(file))


def test_no_venue_imports_another() -> None:
    assert_none(fault for file in sources("adapters") for fault in venue_faults(file, venues()))


def test_the_engine_is_read_from_top_to_bottom() -> None:
    assert_none(fault for file in sources("engine") for fault in order_faults(file))


def test_the_reading_order_names_only_what_exists() -> None:
    found = {file.room for file in sources("engine")}
    assert [room for room in READING_ORDER if room not in found] == []


def test_every_impurity_that_is_allowed_is_there() -> None:
    found = {(str(file.path), name[0]) for file in sources("engine") for _, name in imports(file)}
    assert [allowed for allowed in IMPURE_ALLOWED if allowed not in found] == []


def test_the_core_is_pure() -> None:
    assert_none(fault for file in sources("engine", "adapters") if is_pure(file) for fault in purity_faults(file))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("journal/x.py", "import attrs"),
        ("journal/x.py", "from engine.values import Side"),
        ("engine/x.py", "import requests"),
        ("engine/x.py", "def f() -> None:\n    import journal.chain"),
        ("engine/x.py", "from tools import cli"),
        ("engine/x.py", "from tests.conftest import ROOT"),
        ("adapters/x.py", "from engine.state import State"),
        ("adapters/x.py", "from engine import state"),
        ("adapters/x.py", "import engine"),
        ("adapters/x.py", "from journal.journal import Journal"),
        ("adapters/x.py", "import click"),
        ("tools/x.py", "from tests.conftest import ROOT"),
    ],
)
def test_an_import_outside_the_table_is_seen(path: str, text: str) -> None:
    assert len(list(table_faults(source(path, text)))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("journal/x.py", "import sqlite3"),
        ("engine/x.py", "from attrs import frozen"),
        ("adapters/x.py", "from engine.book import Book\nfrom engine import values"),
        ("adapters/simulated/x.py", "from ..registry import Adapter"),
        ("tools/x.py", "import anything\nfrom journal.chain import verify"),
    ],
)
def test_an_import_of_the_table_is_allowed(path: str, text: str) -> None:
    assert list(table_faults(source(path, text))) == []


@pytest.mark.parametrize(
    ("path", "imported", "allowed"),
    [
        ("adapters/binance/venue.py", "adapters.kraken.wire", False),
        ("adapters/binance/venue.py", "adapters.binance.wire", True),
        ("adapters/binance/server.py", "adapters.simulated.book", True),
        ("adapters/binance/venue.py", "adapters.rest", True),
        ("adapters/rest.py", "adapters.simulated.book", False),
    ],
)
def test_a_venue_that_imports_a_venue_is_seen(path: str, imported: str, allowed: bool) -> None:
    faults = list(venue_faults(source(path, f"import {imported}"), {"binance", "kraken", "simulated", "tape"}))
    assert (not faults) is allowed


@pytest.mark.parametrize(
    ("path", "text", "allowed"),
    [
        ("engine/state.py", "from engine.values import Side", True),
        ("engine/values.py", "from engine.state import State", False),
        ("engine/values.py", "from engine import state", False),
        ("engine/values.py", "def f() -> None:\n    from .state import State", False),
        ("engine/__init__.py", "from engine.values import Side", False),
        ("engine/nowhere.py", "", False),
        ("engine/strategies/__init__.py", "from engine.strategies.maker import Maker", True),
        ("engine/strategies/maker.py", "from engine.strategies.taker import Taker", False),
    ],
)
def test_an_import_from_below_is_seen(path: str, text: str, allowed: bool) -> None:
    assert (not list(order_faults(source(path, text)))) is allowed


@pytest.mark.parametrize(
    "text",
    ["import time", "from os import environ", "import datetime as d\nd = datetime.now()", "print(1)", "open('x')"],
)
def test_an_impure_line_is_seen(text: str) -> None:
    assert len(list(purity_faults(source("engine/x.py", text)))) == 1
