"""A run without a terminal: one line a fact, no control codes, nothing said twice."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import events
from engine.market import Market
from engine.runner import Figures
from tests.tools.journals import CROSS, SIM, Author, tell
from tools.plain import PlainLines
from tools.start import Found

FOUND = Found(
    journal=Path("run"), journal_id="j", seq=0, clean=True, folded=0, from_snapshot=0, verified=0, seconds=0.0,
    state_digest="",
)  # fmt: skip


@pytest.fixture
def watched(tmp_path: Path) -> tuple[Author, PlainLines, StringIO]:
    """An author whose journal is watched."""
    author, out = Author(tmp_path / "run"), StringIO()
    lines = PlainLines("demo.toml", out)
    lines.begin(FOUND)
    add = author.add

    def listen(*added: Any, **options: int) -> Any:
        recorded = add(*added, **options)
        lines.events(author.state, recorded)
        return recorded

    author.add = listen  # type: ignore[method-assign]
    return author, lines, out


def test_every_line_has_its_time_and_no_control_codes(watched: tuple[Author, PlainLines, StringIO]) -> None:
    author, lines, out = watched
    tell(author)
    author.pause()
    runner: Any = SimpleNamespace(figures=Figures(), clock=SimpleNamespace(now_ns=lambda: author.now_ns))
    lines.tick(author.state, Market(), runner)
    author.stop()
    lines.close(author.state, 0)
    author.close()
    text = out.getvalue()
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    timed = [line for line in text.splitlines() if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z  \S", line)]
    for words in (
        "trading (reconciled)",
        "cross wants to buy 0.02 BTC-USDT at 60001",
        "bought 0.01 BTC-USDT at 60000 (taker, fee 0.1 USDT)",
        "risk said no: max_order_quantity",
        "outcome of the order unknown (timeout)",
        "paused everything (operator), until resumed by an operator: lunch",
        "stopped: signal",
    ):
        assert sum(words in line for line in timed) >= 1, words
    assert "go on:       holdfast run -c demo.toml" in text


def test_a_quiet_reconciliation_is_said_once_for_a_connection(watched: tuple[Author, PlainLines, StringIO]) -> None:
    author, _, out = watched

    def said() -> int:
        return out.getvalue().count("compared with the books")

    author.begin()
    author.reconcile()
    author.reconcile()
    assert said() == 1
    author.reconcile(executions_booked=1)
    assert said() == 2
    author.reconcile()
    assert said() == 2
    author.add(events.VenueLost(venue=SIM, cause="closed"), events.VenueConnected(venue=SIM))
    author.reconcile()
    assert said() == 3
    author.close()


def test_what_only_the_engine_needs_is_not_said(watched: tuple[Author, PlainLines, StringIO]) -> None:
    author, _, out = watched
    author.begin()
    author.trade()
    author.add(events.StrategyAdvanced(strategy=CROSS, told_seq=1, memory={"a": 1}))
    assert "told up to" not in out.getvalue()
    assert "memory" not in out.getvalue()
    author.close()
