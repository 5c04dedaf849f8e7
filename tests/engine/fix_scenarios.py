"""Order state changes as FIX writes them down: messages row by row, with what the order has to look like after each.

The rows come from a file of facts out of the specification, and from `OWN`, which runs where that file is missing.
A row is `> what order [order it is about] [quantity] [price] [execution]` for what we ask, `<` for what the venue says,
`<?` for another ending at that place; behind the bar stand OrdStatus, CumQty, LeavesQty and AvgPx.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

FILE = "data/fix_order_state_matrices.json"

PLAYED = {
    "A.1.a": "a fill", "A.1.b": "done for the day", "B.1.a": "a cancel of an untouched order",
    "B.1.b": "a cancel while it executes", "B.1.c": "a cancel that the last fill outruns",
    "C.1.b": "a replacement while it executes", "E.1.b": "canceled unasked", "E.1.c": "restated unasked",
    "F.1.b": "the answers to a resend",
}  # fmt: skip
"""The scenarios of the file, all of them played."""

WITHOUT_FIGURES = {
    "B.1.d": "a cancel before the ack", "D.2.a": "a replacement of an untouched order",
    "C.1.a/C.1.c/C.3.c/A.1.a official text (numbers taken from an independent MIT implementation of the same "
    "scenarios)": "a replacement down to what is executed",
    "E.1.a": "canceled unasked", "I.1.* tables": "what is not taken expires",
}  # fmt: skip
"""What the file names and has no rows for, with the scenario of `OWN` that plays it."""

NOT_PLAYED = {
    "F.1.a": "PossResend of a request: one is never sent twice here",
    "F.2.*": "PossResend in a session: the FIX session layer's matter, there is none here",
    "G.1.*": "several replacements at once: only one is outstanding here; tests/engine/test_order_tables.py has the "
             "late answers to an earlier one",
    "H stock split": "a split changes positions, not orders: PositionAdjusted",
    "K.1.a": "a trading session's end is the venue's matter, told as one of the reports that are played",
    "L.1.a": "orders for several accounts: an order has one here",
}  # fmt: skip
"""What the file names, has no rows for, and does not apply, and why."""

_EXEC_TYPES = {
    "New": "ack", "Trade": "trade", "PendingCancel": "cancel_acked", "PendingReplace": "replace_acked",
    "Replaced": "replaced", "Restated": "restated", "Canceled": "canceled", "DoneForDay": "done_for_day",
    "OrderStatus": "status",
}  # fmt: skip
_REQUESTS = {"NewOrder": "new", "CancelRequest": "cancel", "ReplaceRequest": "replace"}
_QUANTITIES = {"new", "replace", "replaced", "restated", "status"}
_ON_THE_STREAM = {"trade", "correct", "bust", "restated", "done_for_day", "suspended", "expired"}

_DEFAULTS = ["0", "100"]

OURS, REPLIES, STREAM = "ours", "replies", "stream"
Expected = tuple[str, Any]


@frozen
class Step:
    """One message. `root` is the ClOrdID of the order it is about, `order` the ClOrdID that it carries."""

    number: int
    what: str
    order: str
    root: str
    lane: str
    quantity: Decimal = Decimal(0)
    price: Decimal = Decimal(100)
    execution: str = ""
    place: str = ""
    is_other_ending: bool = False
    expected: tuple[Expected, ...] = ()


@frozen
class Way:
    """One way through a scenario, from the first message to an ending."""

    scenario: str
    ending: str
    steps: tuple[Step, ...]


OWN = """
canceled unasked
> new X 30
< ack X                | New 0 30
< trade X 12 99 e1     | PartiallyFilled 12 18 99
< canceled X           | Canceled 12 0 99

a cancel before the ack
> new X 30
> cancel Y X
< ack X                | New 0 30
<? cancel_rejected Y   | New 0 30
< cancel_acked Y       | PendingCancel 0 30
< trade X 7 98 e1      | PendingCancel 7 23 98
<? cancel_rejected Y   | PartiallyFilled 7 23 98
< canceled Y           | Canceled 7 0 98

a replacement of an untouched order
> new X 30
< ack X                | New 0 30
> replace Y X 45
<? replace_rejected Y  | New 0 30
< replace_acked Y      | PendingReplace 0 30
< replaced Y 45        | New 0 45
< trade Y 36 99 e1     | PartiallyFilled 36 9 99
< trade Y 4 89 e2      | PartiallyFilled 40 5 98

a replacement down to what is executed
> new X 30
< ack X                | New 0 30
< trade X 10 99 e1     | PartiallyFilled 10 20 99
> replace Y X 12
<? replace_rejected Y  | PartiallyFilled 10 20 99
< replace_acked Y      | PendingReplace 10 20 99
< trade X 2 93 e2      | PendingReplace 12 18 98
< replaced Y 12        | Filled 12 0 98

a replacement that a fill outruns
> new X 30
< ack X                | New 0 30
< trade X 10 99 e1     | PartiallyFilled 10 20 99
> replace Y X 45
< trade X 20 96 e2     | Filled 30 0 97
<? replace_rejected Y  | Filled 30 0 97
< replaced Y 45        | PartiallyFilled 30 15 97
< trade Y 10 87 e3     | PartiallyFilled 40 5 94.5

a replacement, then a cancel
> new X 30
< ack X                | New 0 30
> replace Y X 20
< replaced Y 20        | New 0 20
< trade Y 5 99 e1      | PartiallyFilled 5 15 99
> cancel Z Y
< cancel_acked Z       | PendingCancel 5 15 99
< canceled Z           | Canceled 5 0 99

what is not taken expires
> new X 30
<? expired X           | Expired 0 0
< ack X                | New 0 30
< trade X 12 99 e1     | PartiallyFilled 12 18 99
< trade X 8 94 e2      | PartiallyFilled 20 10 97
<? trade X 10 91 e3    | Filled 30 0 95
< expired X            | Expired 20 0 97

halted and resumed
> new X 30
< ack X                | New 0 30
< trade X 12 99 e1     | PartiallyFilled 12 18 99
< suspended X          | Suspended 12 18 99
<? done_for_day X      | DoneForDay 12 18 99
< restated X 30        | PartiallyFilled 12 18 99
< trade X 18 99 e2     | Filled 30 0 99

taken back and corrected
> new X 30
< ack X                | New 0 30
< trade X 12 99 e1     | PartiallyFilled 12 18 99
< trade X 18 94 e2     | Filled 30 0 96
< correct X 10 99 e1   | PartiallyFilled 28 2 95.785714285714285714
< bust X e2            | PartiallyFilled 10 20 99
<? bust X e1           | New 0 30
< trade X 20 96 e3     | Filled 30 0 97
"""
"""Scenarios of our own, in numbers of our own."""


def scenarios_of(shared: Path) -> dict[str, tuple[Step, ...]]:
    """The scenarios of the file; a kind of message that is not known is a KeyError."""
    found = json.loads((shared / FILE).read_text("utf-8"))["scenarios"]
    return {scenario["id"]: tuple(_read_rows(scenario["steps"])) for scenario in found}


def ways_in(shared: Path, name: str) -> list[Way]:
    """The ways through a scenario of the file; skips the test where the file is missing."""
    if not (shared / FILE).is_file():
        pytest.skip(f"no FIX scenarios: {shared / FILE} is missing")
    return list(ways_of(name, scenarios_of(shared)[name]))


def unretrieved_of(shared: Path) -> list[str]:
    """The scenarios that the file names, and has no rows for."""
    return list(json.loads((shared / FILE).read_text("utf-8"))["not_retrieved"])


def own_scenarios() -> dict[str, tuple[Step, ...]]:
    """The scenarios of `OWN`."""
    blocks = [block.strip().splitlines() for block in OWN.strip().split("\n\n")]
    return {lines[0]: tuple(_read_lines(lines[1:])) for lines in blocks}


def ways_of(scenario: str, steps: tuple[Step, ...]) -> Iterator[Way]:
    """The main way, and each other ending on it."""
    for number, step in enumerate(steps):
        if step.is_other_ending:
            before = [s for s in steps[:number] if not s.is_other_ending]
            yield _way(scenario, f"{step.place} at {step.number}", [*before, step])
    yield _way(scenario, "the main way", [step for step in steps if not step.is_other_ending])


def _way(scenario: str, ending: str, steps: list[Step]) -> Way:
    return Way(scenario, ending, tuple(evolve(step, number=number) for number, step in enumerate(steps, 1)))


def _read_rows(rows: list[dict[str, Any]]) -> Iterator[Step]:
    roots: dict[str, str] = {}
    replaces: set[str] = set()
    for number, row in enumerate(rows, 1):
        order, what = row["clord"], _what_of(row, replaces)
        roots.setdefault(order, roots.get(row.get("orig") or "", order))
        if what == "replace":
            replaces.add(order)
        is_trade = what == "trade"
        yield Step(
            number, what, order, roots[order], _lane_of(what, order, roots[order]),
            quantity=Decimal(row["last_qty"] if is_trade else row.get("order_qty", 0)),
            price=Decimal(100 - number if is_trade else 100), execution=f"e{number}" if is_trade else "",
            place=f"{row.get('exec_type', row['msg'])}/{row.get('ord_status', '')}",
            is_other_ending=bool(row.get("alt")),
            expected=tuple(_expected_of(row)),
        )  # fmt: skip


def _what_of(row: Mapping[str, Any], replaces: set[str]) -> str:
    if row["dir"] == "in":
        return _REQUESTS[row["msg"]]
    if row["msg"] == "CancelReject":
        return "replace_rejected" if row["clord"] in replaces else "cancel_rejected"
    if row["exec_type"] == "Rejected":
        return "rejected" if row["ord_status"] == "Rejected" else "duplicate"
    return _EXEC_TYPES[row["exec_type"]]


def _expected_of(row: Mapping[str, Any]) -> Iterator[Expected]:
    if row["dir"] == "in":
        return
    yield "ord_status", row["ord_status"]
    for key in ("order_qty", "cum_qty", "leaves_qty", "avg_px"):
        if row.get(key) is not None:
            yield key, Decimal(row[key])


def _lane_of(what: str, order: str, root: str) -> str:
    """Which channel a message comes by: the answers to our requests, or the stream of what happens to an order."""
    if what in _REQUESTS.values():
        return OURS
    unasked = what == "canceled" and order == root
    return STREAM if what in _ON_THE_STREAM or unasked else REPLIES


def _read_lines(lines: list[str]) -> Iterator[Step]:
    roots: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        left, _, right = line.partition("|")
        mark, what, order, *words = left.split()
        if what in ("cancel", "replace"):
            roots[order] = roots[words.pop(0)]
        root = roots.setdefault(order, order)
        execution = words.pop() if what in ("trade", "correct", "bust") else ""
        quantity, price = map(Decimal, (words + _DEFAULTS[len(words) :])[:2])
        yield Step(
            number, what, order, root, _lane_of(what, order, root), quantity, price, execution, place=what,
            is_other_ending=mark == "<?", expected=tuple(_read_expected(right.split())),
        )  # fmt: skip


def _read_expected(words: list[str]) -> Iterator[Expected]:
    if words:
        yield "ord_status", words[0]
        yield from zip(("cum_qty", "leaves_qty", "avg_px"), map(Decimal, words[1:]), strict=False)
