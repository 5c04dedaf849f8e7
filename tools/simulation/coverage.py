"""Which ways through the order tables were taken: every row is worth being met by some world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from engine import order_decision
from engine.order import CANCEL, LIFE, REPLACE
from engine.order_guards import Look
from engine.tables import Cell

Way = tuple[str, str, str, str]
"""Table, state, report, guard."""

NOT_LOOKED_UP = {"risk_denied", "submit_requested", "replace_requested"}
"""Journaled with the verdict, without a look into the tables."""

NEVER_TOLD = {
    "pending_new_ack", "trade_correct", "trade_cancel", "fee_reported", "done_for_day", "suspended", "restated",
    "triggered",
}  # fmt: skip
"""What the simulated exchange has no message for; tests drive these rows."""


@contextmanager
def watching() -> Iterator[Counter[Way]]:
    """Counts the ways that reports take while it is open; in this process only, and nothing is decided otherwise."""
    seen: Counter[Way] = Counter()
    find_way = order_decision.find_way

    def watched(look: Look, name: str) -> Cell | None:
        cell = find_way(look, name)
        if cell is not None:
            table, state = order_decision.table_of(look.order, name)
            seen[table.name, str(state), name, cell.guard] += 1
        return cell

    order_decision.find_way = watched
    try:
        yield seen
    finally:
        order_decision.find_way = find_way


def all_ways() -> set[Way]:
    """Every way through the three tables of an order that an exchange which is simulated can bring about."""
    return {
        (table.name, state, report, cell.guard)
        for table in (LIFE, CANCEL, REPLACE)
        for (state, report), cells in table.cells.items()
        if report not in NOT_LOOKED_UP | NEVER_TOLD and state not in ("suspended", "done_for_day")
        for cell in cells
    }


def untaken(seen: Counter[Way]) -> dict[str, list[str]]:
    """By report: the states in which it was never met, with the guard where one is asked."""
    found: dict[str, list[str]] = {}
    for table, state, report, guard in sorted(all_ways() - set(seen)):
        where = state if table == "life" else f"{table} {state}"
        found.setdefault(report, []).append(f"{where} if {guard}" if guard else where)
    return found
