"""The second pair of eyes: is a journal what the documents say it must be? It shares no line with the engine.

    python -m tools.checker JOURNAL [--ledger LEDGER] [--json]
    python tools/checker JOURNAL                 the same; the folder runs wherever it is copied, with Python 3.11 alone

JOURNAL is a directory with `journal.db`, such a file, or exported rows: JSON lines, first `{"journal_id": …}`, then one
object for each event with the columns of table `event`. LEDGER is the simulated exchange's, in the same forms. Nothing
is ever written. Exit code: 0 ok, 65 not ok, 66 missing, 2 usage.

A problem begins with the invariant's name: I2 to I4 of the chain, O1 to O8 of the orders; `json` and `decimal` for what
is not canonical, `token` for client order ids, `latch` for pauses, `system` for the system's states, `body` for an
event without what its kind has, `kind` for one that is not known here. A note says what could not be judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, localcontext
from typing import NamedTuple

from .form import Chain, Row
from .journal import Journal
from .ledger import compare


class Findings(NamedTuple):
    """`problems` break an invariant, `notes` say what could not be judged, `books` what the journal amounts to."""

    problems: list[str]
    notes: list[str]
    books: Row


def examine(rows: Iterable[Row], ledger: Iterable[Row] | None = None, venue: str = "") -> Findings:
    """Check a journal's rows, the line with its `journal_id` first; and an exchange's ledger against them, that of the
    venue of that name or else of the one whose account it says it is."""
    problems: list[str] = []
    notes: list[str] = []
    with localcontext(Context(prec=50)):
        lines = iter(rows)
        journal = Journal(Chain(problems, next(lines, None)))
        for row in lines:
            journal.take(row)
        journal.end_batch()
        unsettled = [order for order in journal.live.values() if order.waiting or order.is_doubtful]
        if unsettled:
            notes.append(
                f"the journal does not end settled: {len(unsettled)} orders wait for an answer or are in doubt"
            )
        if ledger is not None:
            facts = iter(ledger)
            compare(journal, Chain(problems, next(facts, None), "ledger "), facts, notes, not unsettled, venue)
        return Findings(problems, notes, journal.books())


def check(rows: Iterable[Row], ledger: Iterable[Row] | None = None) -> list[str]:
    """The problems of `examine`."""
    return examine(rows, ledger).problems
