"""Every case is a test, every adapter with an exchange takes part, what one is not brought into is listed."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.contract.cases import CASES
from tests.contract.counterpart import counterpart, named, with_exchange

NO_CASES = ("test_completeness", "test_broken_clients")

CANNOT: dict[str, set[str]] = {
    "binance": set(),
    "binance_usdm": set(),
    "simulated": {"clock_skew", "credentials_expire_or_are_revoked"},
}
"""Adapter: the cases that it does not take part in. A row that grows is a decision, not an accident."""


def test_every_case_is_a_test_and_every_test_is_a_case() -> None:
    found = [
        node.name.removeprefix("test_")
        for path in sorted(Path(__file__).parent.glob("test_*.py"))
        if path.stem not in NO_CASES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert sorted(found) == sorted(CASES)


def test_every_adapter_with_an_exchange_takes_part() -> None:
    assert named() == with_exchange()
    assert [counterpart(name).adapter for name in named()] == named()


def test_what_is_skipped_is_listed_with_a_reason() -> None:
    assert {name: set(counterpart(name).cannot) for name in named()} == {name: CANNOT[name] for name in named()}
    for name in named():
        for case, reason in counterpart(name).cannot.items():
            assert case in CASES
            assert len(reason.split()) > 3, (name, case)
