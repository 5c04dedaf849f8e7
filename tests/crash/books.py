"""The engine's journal against the exchange's ledger, after everything has come to rest: by the eyes of the proof."""

from __future__ import annotations

import json
from pathlib import Path

from engine.codec import digest
from engine.values import VenueName, exact_arithmetic
from tools.proof.processes.books import Books, books_of, fold_rows, ledger_faults, read_rows, row_faults

VENUE = VenueName("sim")


def read_books(journal: Path, exchange: Path) -> Books:
    """Read and fold both; the chain of both is checked on the way."""
    rows, problems = read_rows(journal)
    facts, more = read_rows(exchange, "ledger")
    assert problems == more == []
    books = books_of(VENUE, rows, fold_rows(rows), facts)
    assert books.facts == facts, "an execution is not known although everything has come to rest"
    return books


def assert_equal(books: Books) -> None:
    """Engine and exchange say the same of everything; nothing is in doubt."""
    found = [*row_faults(books.rows, ()), *ledger_faults(books)]
    assert not found, "\n".join(["engine and exchange differ:", *found[:40]])


def stopped_digest(books: Books) -> str:
    """What the process itself said of its state at its clean end; it must be the fold's."""
    assert books.rows[-1].kind == "ProcessStopped", books.rows[-1]
    journaled = str(json.loads(books.rows[-1].body)["state_digest"])
    with exact_arithmetic():
        assert journaled == digest(books.state)
    return journaled
