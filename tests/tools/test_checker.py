"""The independent checker: silent on what the engine writes, and each check speaks when its invariant breaks."""

from __future__ import annotations

import ast
import copy
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from journal.head import read_head
from tests.house.source import ROOT
from tools.checker import check, examine
from tools.exported import read_lines, rows_of, write_lines, write_rows
from tools.proof.old_journals import KEPT, rebuild
from tools.simulation.campaign import try_seed

Row = dict[str, Any]
CHECKER = ROOT / "tools" / "checker"
HOLDFAST = Path(sys.executable).with_name("holdfast")
DAY, WEEK, SURPRISES = (KEPT / "0.1.0" / name / "rows.jsonl" for name in ("a_day", "a_week", "surprises"))
SECOND_NS = 1_000_000_000
EVENTS_A_SECOND = 5_000
"""A quarter of what is measured on a quiet machine, because the tests run on busy ones."""


class Rows:
    """A journal that is broken by hand; `linked` gives it a chain that fits, by the words of JOURNAL §2."""

    def __init__(self, rows: list[Row]) -> None:
        self.first, *self.events = copy.deepcopy(rows)

    def __getitem__(self, seq: int) -> Row:
        return self.events[seq - 1]

    def find(self, kind: str, number: int = 0, **said: Any) -> Row:
        """The so manieth event of a kind that says this."""
        return [
            row
            for row in self.events
            if row["kind"] == kind and said.items() <= json.loads(row["body"]).items()
        ][number]  # fmt: skip

    def change(self, row: Row, **said: Any) -> Rows:
        """Say something else, in canonical form."""
        row["body"] = canonical(json.loads(row["body"]) | said)
        return self

    def become(self, row: Row, kind: str, subject: str, **said: Any) -> Rows:
        """Another event in the same place."""
        row |= {"kind": kind, "subject": subject, "cause": None, "body": canonical(said)}
        return self

    def silence(self, row: Row) -> Rows:
        """Nothing in the same place."""
        self.become(row, "StrategyAdvanced", "one", memory=None, strategy="one", told_seq=0)
        return self

    def end_at(self, row: Row) -> Rows:
        """Nothing behind it."""
        self.events = self.events[: row["seq"]]
        return self

    def linked(self) -> list[Row]:
        """With a chain that fits."""
        previous = sha256(str(self.first["journal_id"]).encode()).digest()
        for row in self.events:
            head = [row[name] for name in ("seq", "batch", "epoch", "at_ns", "kind", "version", "subject", "cause")]
            text = json.dumps(head, separators=(",", ":"), ensure_ascii=False) + "\n" + row["body"]
            previous = sha256(previous + text.encode()).digest()
            row["chain"] = previous.hex()
        return self.plain()

    def plain(self) -> list[Row]:
        """As they are."""
        return [self.first, *self.events]


def canonical(body: Row) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def of(path: Path) -> Rows:
    return Rows(list(read_lines(path)))


def names(problems: list[str]) -> set[str]:
    return {problem.partition(":")[0] for problem in problems}


# --- silent on what is right ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [DAY, WEEK, SURPRISES], ids=lambda path: path.parent.name)
def test_silent_on_whole_journals(path: Path) -> None:
    rows = list(read_lines(path))
    assert check(rows) == []
    assert Rows(rows).linked() == rows  # so that a problem below is the mutation's, not the linking's


@pytest.mark.parametrize("seed", range(4))
def test_silent_on_worlds_and_their_ledger(seed: int) -> None:
    rows, ledger = world(seed)
    found = examine(rows, ledger)
    assert found.problems == []
    assert found.books["fills"] > 5


def world(seed: int) -> tuple[list[Row], list[Row]]:
    """A simulated world, killed now and then, and the ledger of its exchange."""
    _verdict, made = try_seed(seed, length_ns=8 * SECOND_NS)
    journal = list(rows_of(made.log.entries, made.log.journal_id))
    return journal, list(rows_of(made.ledger.entries, made.ledger.journal_id))


@pytest.fixture(scope="module")
def seen() -> tuple[list[Row], list[Row]]:
    return world(0)


def test_an_open_end_is_a_note() -> None:
    found = examine(list(read_lines(SURPRISES)))
    assert found.notes == ["the journal does not end settled: 3 orders wait for an answer or are in doubt"]


def test_it_is_quick(seen: tuple[list[Row], list[Row]]) -> None:
    rows = seen[0]
    begun = time.process_time()
    for _ in range(5):
        check(rows)
    assert 5 * len(rows) / (time.process_time() - begun) > EVENTS_A_SECOND


# --- the form -----------------------------------------------------------------------------------------------------


def _row_of_text(rows: Rows) -> None:
    rows[20]["seq"] = "20"


FORMS: dict[str, tuple[str, Callable[[Rows], Any]]] = {
    "a changed body": ("I2", lambda r: r.change(r[16], raw="other")),
    "a changed time": ("I2", lambda r: r[16].update(at_ns=r[16]["at_ns"] + 1)),
    "a changed link": ("I2", lambda r: r[16].update(chain="0" * 64)),
    "a link that is none": ("I2", lambda r: r[16].update(chain="x")),
    "a row that is gone": ("I2", lambda r: r.events.remove(r.find("StrategyAdvanced"))),
    "two rows in each other's place": ("I2", lambda r: r.events.__setitem__(slice(12, 14), [r[14], r[13]])),
    "a column that is gone": ("I2", lambda r: r[16].pop("cause")),
    "text for a number": ("I2", _row_of_text),
    "no name": ("I2", lambda r: r.first.clear()),
}


@pytest.mark.parametrize("what", FORMS)
def test_a_break_of_the_chain(what: str) -> None:
    """Whatever else is upset by it, the chain is what speaks first."""
    name, change = FORMS[what]
    rows = of(DAY)
    change(rows)
    assert name in names(check(rows.plain()))


def _odd_body(change: Callable[[str], str]) -> Callable[[Rows], None]:
    def odd(rows: Rows) -> None:
        row = rows.find("ClockJumped")
        row["body"] = change(row["body"])

    return odd


def _start_again(rows: Rows) -> None:
    """The last start, in the epoch of the one before."""
    start = rows.find("ProcessStarted", -1)
    rows.change(start, epoch=7)
    for row in rows.events[start["seq"] - 1 :]:
        row["epoch"] = 7


LINKED: dict[str, tuple[Path, set[str], str, Callable[[Rows], Any]]] = {
    "a cause to come": (SURPRISES, {"I2"}, "its cause", lambda r: r.find("ClockJumped").update(cause=150)),
    "a batch of its own name": (
        SURPRISES, {"I3"}, "is of batch", lambda r: r.find("ClockJumped").update(batch=119),
    ),
    "an older batch": (DAY, {"I3"}, "is of batch", lambda r: r[19].update(batch=16)),
    "an older epoch": (WEEK, {"I4"}, "epoch 7 after 8", lambda r: r.events[-1].update(epoch=7, batch=144)),
    "an epoch without a start": (DAY, {"I4"}, "in epoch 9", lambda r: r.events[-1].update(epoch=9)),
    "a start without an epoch": (
        WEEK, {"I4"}, "ProcessStarted in epoch 7",
        _start_again,
    ),
    "a start that names another epoch": (DAY, {"I4"}, "than it says", lambda r: r.change(r[1], epoch=4)),
    "a start that names another journal": (DAY, {"I4"}, "than it says", lambda r: r.change(r[1], journal_id="x")),
    "time that goes back": (DAY, {"I4"}, "time goes back", lambda r: r[40].update(at_ns=r[1]["at_ns"])),
    "something after the end": (
        DAY, {"I4"}, "stopped",
        lambda r: r.events.append(r[15] | {"seq": 144, "batch": 144, "epoch": 2, "at_ns": r[143]["at_ns"]}),
    ),
    "keys in another order": (
        SURPRISES, {"json"}, "not canonical", _odd_body(lambda body: '{"z":1,"jump_ns":250000000}'),
    ),
    "spaces": (SURPRISES, {"json"}, "not canonical", _odd_body(lambda body: body.replace(":", ": "))),
    "a float": (SURPRISES, {"json"}, "not canonical", _odd_body(lambda body: body.replace("250000000", "2.5"))),
    "not a number": (SURPRISES, {"json"}, "not canonical", _odd_body(lambda body: body.replace("250000000", "NaN"))),
    "a key twice": (
        SURPRISES, {"json"}, "not canonical", _odd_body(lambda body: '{"jump_ns":1,"jump_ns":1}'),
    ),
    "text after it": (SURPRISES, {"json"}, "not canonical", _odd_body(lambda body: body + " ")),
    "no JSON": (SURPRISES, {"json"}, "not canonical", _odd_body(lambda body: "{")),
    "an escape that is not needed": (
        DAY, {"json"}, "not canonical", lambda r: r[143].update(body=r[143]["body"].replace("time", "t\\u0069me")),
    ),
    "a zero too many": (DAY, {"decimal"}, "price is '100.0'", lambda r: r.change(r[16], price="100.0")),
    "an exponent": (DAY, {"decimal"}, "price is '1E+2'", lambda r: r.change(r[16], price="1E+2")),
    "less than nothing": (DAY, {"decimal"}, "fee is '-0'", lambda r: r.change(r[16], fee="-0")),
    "a zero before": (DAY, {"decimal"}, "price is '0100'", lambda r: r.change(r[16], price="0100")),
    "a decimal that is a number": (DAY, {"decimal"}, "price is 100", lambda r: r.change(r[16], price=100)),
    "a decimal within": (
        DAY, {"decimal"}, "bid is '1.0'",
        lambda r: r.change(r[12], seen=json.loads(r[12]["body"])["seen"] | {"bid": "1.0"}),
    ),
    "an unknown kind": (SURPRISES, {"kind"}, "OrderDreamt", lambda r: r.find("ClockJumped").update(kind="OrderDreamt")),
    "an unknown version": (SURPRISES, {"kind"}, "version 2", lambda r: r.find("ClockJumped").update(version=2)),
    "a body without what it needs": (
        SURPRISES, {"body"}, "ClockJumped is not what", _odd_body(lambda body: "{}"),
    ),
}  # fmt: skip


def speaks(path: Path, expected: set[str], text: str, change: Callable[[Rows], Any]) -> None:
    rows = of(path)
    change(rows)
    problems = check(rows.linked())
    assert names(problems) == expected, problems
    assert text in "\n".join(problems)


@pytest.mark.parametrize("what", LINKED)
def test_a_wrong_form(what: str) -> None:
    speaks(*LINKED[what])


# --- the orders ---------------------------------------------------------------------------------------------------


def _after(rows: Rows, kind: str, number: int = 0, **said: Any) -> tuple[Row, str]:
    """A quiet event behind one about an order, and that order."""
    row = rows.find(kind, number, **said)
    quiet = next(each for each in rows.events[row["seq"] :] if each["kind"] == "StrategyAdvanced")
    return quiet, row["subject"]


def _request_denied(rows: Rows) -> None:
    quiet, order = _after(rows, "OrderDenied", reason="max_order_quantity")
    rows.become(quiet, "SubmitRequested", order, order_id=order, client_order_id=order)
    rows.end_at(quiet)


def _request_twice(rows: Rows) -> None:
    quiet, order = _after(rows, "OrderAccepted", 1)
    rows.become(quiet, "SubmitRequested", order, order_id=order, client_order_id=f"{order}-two")
    rows.end_at(quiet)


def _request_in_doubt(rows: Rows) -> None:
    row = rows.find("OrderDenied", reason="instrument_in_doubt")
    order = row["subject"]
    rows.become(row, "SubmitRequested", order, order_id=order, client_order_id=order)
    rows.end_at(row)


def _repeat_client_id(rows: Rows) -> None:
    first = json.loads(rows.find("SubmitRequested")["body"])["client_order_id"]
    again = rows.find("ReplaceRequested")
    rows.change(again, new_client_order_id=first)
    rows.end_at(again)


def _replace_twice(rows: Rows) -> None:
    row = rows.find("ReplaceAccepted")
    order, token = row["subject"], row["subject"][:9] + "000001n"
    rows.become(row, "ReplaceRequested", order, order_id=order, new_client_order_id=token, quantity="1", price="93",
                by="one")  # fmt: skip
    rows.end_at(row)


def _pause(rows: Rows, scope: str, subject: str) -> None:
    rows.become(rows[15], "TradingPaused", "", scope=scope, subject_name=subject, reason="x", latched=True, detail="")
    rows.end_at(rows[21])


def _leave_end(kind: str, **said: Any) -> Callable[[Rows], None]:
    def leave(rows: Rows) -> None:
        quiet, order = _after(rows, "OrderCanceled")
        rows.become(quiet, kind, order, order_id=order, **said)
        rows.end_at(quiet)

    return leave


def _unknown_order(rows: Rows) -> None:
    row = rows.find("CancelAccepted")
    rows.change(row, order_id="hcn9s0aaa0000zzz")


def _beyond(rows: Rows, **said: Any) -> None:
    row = rows.find("FillBooked", 1)
    rows.change(row, quantity="0.4", **said)
    rows.end_at(row)


def _forget_overfill(rows: Rows) -> None:
    row = rows.find("AnomalyRecorded", anomaly="overfill")
    rows.silence(row)
    rows.end_at(row)


def _early_proof(rows: Rows) -> None:
    row = rows.find("OrderVoided")
    rows.change(row, asked_ns=json.loads(row["body"])["asked_ns"] - 2 * SECOND_NS)


def _nobody_asked(rows: Rows) -> None:
    order = rows.find("OrderVoided")["subject"]
    for row in rows.events:
        if row["kind"] == "OrderQueried" and row["subject"] == order:
            rows.silence(row)


def _nobody_asked_about_replacement(rows: Rows) -> None:
    row = rows.find("ReplaceRefused", raw="")
    for other in rows.events[: row["seq"]]:
        if other["kind"] == "OrderQueried" and other["subject"] == row["subject"]:
            rows.silence(other)


def _no_outcome(rows: Rows) -> None:
    row = rows.find("OutcomeUnknown", cause="restart")
    rows.silence(row)
    rows.end_at(next(each for each in rows.events[row["seq"] :] if each["batch"] != row["batch"]))


def _other_run(rows: Rows) -> None:
    row = rows.find("ReplaceRequested")
    rows.change(row, new_client_order_id="hcn9s0bbb000001m-one")
    rows.end_at(row)


def _token(text: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        row = rows.find("ReplaceRequested")
        rows.change(row, new_client_order_id=text)
        rows.end_at(row)

    return change


def _other_order(rows: Rows) -> None:
    row = rows.find("SubmitRequested", 1)
    rows.change(row, client_order_id="hcn9s0aaa000000d-two")
    rows.end_at(row)


def _unready(rows: Rows) -> None:
    rows.change(rows.find("Reconciled"), ready=False)
    rows.end_at(rows[13])


def _flatten(rows: Rows, **said: Any) -> None:
    row = rows.find("OrderIntended", strategy="one", order_type="market")
    rows.change(row, **said)
    rows.end_at(rows[row["seq"] + 3])


def _unsafe_kill(rows: Rows) -> None:
    fill = rows.find("FillBooked", 3)
    rows.silence(fill)
    rows.end_at(rows.find("KillVerified"))


def _quiet_resume(rows: Rows, **said: Any) -> None:
    row = rows.find("OperatorCommanded", action="resume")
    rows.change(row, **(said or {"action": "pause"}))


ORDERS: dict[str, tuple[Path, set[str], str, Callable[[Rows], Any]]] = {
    "O1 an order that nobody knows": (DAY, {"O1"}, "does not know", _unknown_order),
    "O1 a denied intent is requested": (DAY, {"O1", "token"}, "which is denied", _request_denied),
    "O1 an intent without a verdict": (DAY, {"O1"}, "has no verdict", lambda r: r.silence(r.find("OrderDenied"))),
    "O1 a request without an intent": (
        DAY, {"O1"}, "SubmitRequested about", lambda r: [r.silence(r[12]), r.end_at(r[13])],
    ),
    "O1 a fill of what was never requested": (
        DAY, {"O1", "O7"}, "FillBooked about", lambda r: [r.silence(r[13]), r.silence(r[14]), r.end_at(r[16])],
    ),
    "O2 an intent is requested twice": (DAY, {"O2", "token"}, "SubmitRequested about", _request_twice),
    "O2 a client order id twice": (DAY, {"O2", "token"}, "was requested before", _repeat_client_id),
    "O2 two replacements at once": (DAY, {"O2"}, "another request about it is outstanding", _replace_twice),
    "O2 the same order intended twice": (
        DAY, {"O2", "O1", "token"}, "exists", lambda r: [r.change(r[20], order_id=r[12]["subject"]), r.end_at(r[20])],
    ),
    "token of another run": (DAY, {"token"}, "run 0aaa", _other_run),
    "token of another event": (DAY, {"token"}, "seq 58", _token("hcn9s0aaa000001n-one")),
    "token of another journal": (DAY, {"token"}, "journal cn9s", _token("hcn9t0aaa000001m-one")),
    "token of another form": (DAY, {"token"}, "web_1", _token("web_1")),
    "token of another order": (DAY, {"token"}, "does not begin with", _other_order),
    "O3 an execution twice": (
        DAY, {"O3"}, "is booked before", lambda r: r.change(r.find("FillBooked", 1), exec_id="e1-1"),
    ),
    "O3 an execution of nothing": (DAY, {"O3"}, "or of nothing", lambda r: r.change(r[16], quantity="0")),
    "O3 the other side": (DAY, {"O3"}, "is not of the order's side", lambda r: r.change(r[16], side="sell")),
    "O3 another instrument": (DAY, {"O3"}, "is not of the order's side", lambda r: r.change(r[16], instrument="X-Y")),
    "O3 beyond the quantity": (DAY, {"O3"}, "is executed beyond 0.5", _beyond),
    "O3 beyond the quantity, marked, unsaid": (
        DAY, {"O3"}, "is executed beyond 0.5", lambda r: _beyond(r, overfill=True),
    ),
    "O3 an overfill without its anomaly": (SURPRISES, {"O3"}, "no anomaly says so", _forget_overfill),
    "O3 a correction of what is not booked": (
        SURPRISES, {"O3"}, "FillCorrected of execution",
        lambda r: [r.change(r.find("FillCorrected"), exec_id="e9"), r.end_at(r.find("FillCorrected"))],
    ),
    "O3 a bust of what is not booked": (
        SURPRISES, {"O3"}, "FillBusted of execution",
        lambda r: [r.change(r.find("FillBusted"), exec_id="e9"), r.end_at(r.find("FillBusted"))],
    ),
    "O3 it comes back with less": (
        WEEK, {"O3"}, "comes back with other executions",
        lambda r: r.change(r.find("OrderRecalled"), executions={}),
    ),
    "O4 a pause of all": (DAY, {"O4"}, "pause ('all', '', 'x')", lambda r: _pause(r, "all", "")),
    "O4 a pause of the venue": (DAY, {"O4"}, "pause ('venue'", lambda r: _pause(r, "venue", "north")),
    "O4 a pause of the instrument": (DAY, {"O4"}, "('instrument'", lambda r: _pause(r, "instrument", "BTC-USDT")),
    "O4 a pause of the strategy": (DAY, {"O4"}, "pause ('strategy'", lambda r: _pause(r, "strategy", "one")),
    "O4 not trading": (
        DAY, {"O4"}, "while reconciling", lambda r: [r.silence(r.find("SystemChanged", 1)), r.end_at(r[13])],
    ),
    "O4 a venue that is not ready": (DAY, {"O4"}, "venue ready False", _unready),
    "O4 an instrument in doubt": (DAY, {"O4"}, "is in doubt", _request_in_doubt),
    "O4 nobody ordered to flatten": (
        WEEK, {"O4"}, "flattens without an order", lambda r: r.change(r.find("OperatorCommanded", action="kill"),
                                                                     flatten=False),
    ),
    "O4 flattens more than there is": (
        WEEK, {"O4"}, "does not reduce 0.4", lambda r: _flatten(r, quantity="0.7"),
    ),
    "O4 flattens the wrong way": (WEEK, {"O4"}, "does not reduce 0.4", lambda r: _flatten(r, side="buy")),
    "O4 a kill that is not done": (WEEK, {"O4"}, "a kill is called done", _unsafe_kill),
    "O6 a canceled order is accepted": (
        DAY, {"O6"}, "OrderAccepted about",
        _leave_end("OrderAccepted", venue_order_id=None, transact_ns=None, raw="x"),
    ),
    "O6 a canceled order is canceled again": (
        DAY, {"O6"}, "OrderCanceled about",
        _leave_end("OrderCanceled", evidence="confirmed", requested=False, raw="x"),
    ),
    "O6 a canceled order is asked to be canceled": (
        DAY, {"O6"}, "CancelRequested about", _leave_end("CancelRequested", by="one", held=False),
    ),
    "O6 a canceled order becomes unknown": (
        DAY, {"O6"}, "OutcomeUnknown about", _leave_end("OutcomeUnknown", request="new", cause="timeout", raw=""),
    ),
    "O6 a late execution that is not called so": (
        DAY, {"O6"}, "is not called late", lambda r: r.change(r.find("FillBooked", late=True), late=False),
    ),
    "O6 rejected with executions": (
        DAY, {"O6"}, "is called rejected", lambda r: r.find("OrderCanceled").update(kind="OrderRejected"),
    ),
    "O7 absent too early": (DAY, {"O7"}, "absent without proof", _early_proof),
    "O7 absent by too few questions": (
        DAY, {"O7"}, "absent without proof", lambda r: r.change(r.find("OrderVoided"), sources=["order_query"]),
    ),
    "O7 absent and nobody asked": (DAY, {"O7"}, "absent without proof", _nobody_asked),
    "O7 absent without a doubt": (
        DAY, {"O7"}, "OrderVoided about",
        lambda r: [
            r.silence(r.find("OutcomeUnknown", cause="server error")), r.end_at(r.find("OrderVoided")),
        ],
    ),
    "O7 accepted without a word of the venue": (
        DAY, {"O7"}, "without what the venue said", lambda r: r.change(r.find("OrderAccepted", venue_order_id="v96"),
                                                                       raw=""),
    ),
    "O7 resolved by nobody": (
        SURPRISES, {"O7"}, "an operator whom nobody saw",
        lambda r: r.change(r.find("OperatorCommanded", action="resolve"), action="pause"),
    ),
    "O7 filled by nobody": (
        SURPRISES, {"O7"}, "an operator whom nobody saw",
        lambda r: r.change(r.find("OperatorCommanded", 2, action="resolve"), action="pause"),
    ),
    "O7 vanished once": (
        SURPRISES, {"O7"}, "nobody had missed it", lambda r: r.silence(r.find("AnomalyRecorded", anomaly="vanished")),
    ),
    "O7 a replacement without effect": (DAY, {"O7"}, "had no effect, and nobody", _nobody_asked_about_replacement),
    "O7 a start that forgets what was sent": (DAY, {"O7"}, "has no outcome", _no_outcome),
    "O7 another subject": (DAY, {"O7"}, "subject or cause", lambda r: r[14].update(subject="x")),
    "O7 another cause": (DAY, {"O7"}, "subject or cause", lambda r: r[14].update(cause=3)),
    "latch ends by itself": (DAY, {"latch"}, "nobody resumed", _quiet_resume),
    "latch of another scope": (
        DAY, {"latch"}, "nobody resumed", lambda r: _quiet_resume(r, scope="venue", subject_name="south"),
    ),
    "latch that never was": (
        DAY, {"latch"}, "nobody resumed",
        lambda r: r.become(r[15], "PauseEnded", "", scope="all", subject_name="", reason="x"),
    ),
    "latch is lost by a start": (
        WEEK, {"O4"}, "trading begins with the pause", lambda r: r.change(r.events[-1], state="trading"),
    ),
    "system by another door": (
        DAY, {"system"}, "from starting to paused", lambda r: [r.change(r[4], state="paused"), r.end_at(r[4])],
    ),
    "body without its price": (DAY, {"body"}, "FillBooked is not what", lambda r: r[16].update(
        body=canonical({k: v for k, v in json.loads(r[16]["body"]).items() if k != "price"}))),
}  # fmt: skip


@pytest.mark.parametrize("what", ORDERS)
def test_a_broken_invariant(what: str) -> None:
    speaks(*ORDERS[what])


# --- the ledger -----------------------------------------------------------------------------------------------------


def _of(rows: Rows, kind: str, number: int = 0) -> Row:
    return rows.find(kind, number)


def _lost(journal: Rows, ledger: Rows) -> None:
    """The second execution of an order that nobody ever asked about."""
    asked = {row["subject"] for row in journal.events if row["kind"] == "OrderQueried"}
    fills = [row for row in journal.events if row["kind"] == "FillBooked" and row["subject"] not in asked]
    journal.silence(next(row for one, row in pairwise(fills) if one["subject"] == row["subject"]))


def _accepted_twice(journal: Rows, ledger: Rows) -> None:
    first, other = _of(ledger, "OrderAccepted"), _of(ledger, "OrderRefused")
    other |= {"kind": "OrderAccepted", "body": first["body"], "subject": first["subject"]}


def _early(journal: Rows, ledger: Rows) -> None:
    _of(ledger, "OrderAccepted")["at_ns"] -= SECOND_NS


def _other_side(journal: Rows, ledger: Rows) -> None:
    row = _of(ledger, "OrderAccepted")
    ledger.change(row, side={"buy": "sell", "sell": "buy"}[json.loads(row["body"])["side"]])


LEDGERS: dict[str, tuple[set[str], str, Callable[[Rows, Rows], Any]]] = {
    "O1 an order that was never requested": (
        {"O1"}, "was never requested",
        lambda _, book: book.change(_of(book, "OrderAccepted", 40), client_order_id="hxxxx0000000001x"),
    ),
    "O1 requested later": ({"O1"}, "after the exchange had it", _early),
    "O1 the other side": (
        {"O1", "O8"}, "another order at the exchange",
        _other_side,
    ),
    "O1 a replacement that was never requested": (
        {"O1"}, "the replacement", lambda _, book: book.change(_of(book, "OrderReplaced"), new_client_order_id="x"),
    ),
    "O1 a cancel that was never requested": (
        {"O1"}, "nobody requested that", lambda _, book: _of(book, "OrderExpired").update(kind="OrderCanceled"),
    ),
    "O3 an execution of another price": (
        {"O3", "O8"}, "is another in the journal", lambda _, book: book.change(_of(book, "OrderExecuted"), price="1"),
    ),
    "O3 an execution of another fee": (
        {"O3", "O8"}, "is another in the journal", lambda _, book: book.change(_of(book, "OrderExecuted"), fee="1"),
    ),
    "O3 an execution is lost": ({"O3"}, "is lost", _lost),
    "O3 an execution is made up": (
        {"O3", "O8"}, "is made up",
        lambda _, book: book.become(_of(book, "OrderExecuted"), "TapeStepped", "exchange"),
    ),
    "O8 another deposit": ({"O8"}, "in the ledger", lambda _, book: book.change(_of(book, "Deposited"), quantity="7")),
    "I2 of the ledger": ({"I2"}, "ledger seq", lambda _, book: book.events[3].update(cause=99)),
    "body of the ledger": (
        {"body"}, "OrderCanceled is not what", lambda _, book: book.become(
            book.events[3], "OrderCanceled", "1", venue_order_id="999999"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LEDGERS)
def test_a_ledger_that_says_otherwise(what: str, seen: tuple[list[Row], list[Row]]) -> None:
    expected, text, change = LEDGERS[what]
    journal, ledger = Rows(seen[0]), Rows(seen[1])
    change(journal, ledger)
    problems = check(journal.linked(), ledger.linked())
    assert expected <= names(problems), problems
    assert text in "\n".join(problems)


# --- the command ----------------------------------------------------------------------------------------------------


def run_checker(*arguments: object, folder: Path = CHECKER) -> subprocess.CompletedProcess[str]:
    """In a Python that has nothing but its standard library."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(folder), *map(str, arguments)], capture_output=True, text=True, check=False,
        timeout=60, cwd="/",
    )  # fmt: skip


def test_it_needs_nothing_but_the_standard_library() -> None:
    for path in CHECKER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert str(node.module).partition(".")[0] in sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, f"{path.name} imports from outside its folder"


def test_it_runs_wherever_it_is_copied(tmp_path: Path) -> None:
    copied = shutil.copytree(CHECKER, tmp_path / "looker", ignore=shutil.ignore_patterns("__pycache__"))
    done = run_checker(DAY, folder=copied)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"OK  {DAY}: 143 events, 14 orders, 9 fills\n"


def test_it_reads_rows_files_and_directories_alike(tmp_path: Path) -> None:
    journal = rebuild(list(read_lines(DAY)), tmp_path / "run")
    assert write_rows(journal, "journal", tmp_path / "rows.jsonl") == 143
    assert (tmp_path / "rows.jsonl").read_bytes() == DAY.read_bytes()
    told = [run_checker("--json", path) for path in (journal, journal / "journal.db", tmp_path / "rows.jsonl")]
    assert [json.loads(done.stdout)["ok"] for done in told] == [True, True, True]
    assert len({done.stdout for done in told}) == 1


def test_it_leaves_no_trace(tmp_path: Path) -> None:
    """Also where the log is still there, as a kill leaves it."""
    journal = rebuild(list(read_lines(DAY)), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in journal.iterdir()}
    assert run_checker(journal).returncode == 0
    assert {path.name: path.read_bytes() for path in journal.iterdir()} == before
    with_log = tmp_path / "killed"
    writer = sqlite3.connect(journal / "journal.db")
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE writer SET owner='x'")
    writer.commit()
    shutil.copytree(journal, with_log)
    writer.close()
    kept = {name: (with_log / name).read_bytes() for name in ("journal.db", "journal.db-wal")}
    assert run_checker(with_log).returncode == 0
    assert {name: (with_log / name).read_bytes() for name in kept} == kept


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    rows = of(DAY)
    rows.change(rows[16], raw="other")
    write_lines(rows.plain(), tmp_path / "rows.jsonl")
    done = run_checker(tmp_path / "rows.jsonl")
    assert done.returncode == 65
    assert "NOT OK" in done.stdout
    assert "problem: I2: seq 16: the stored bytes do not match the chain" in done.stdout
    told = json.loads(run_checker(tmp_path / "rows.jsonl", "--json").stdout)
    assert told["problems"] == ["I2: seq 16: the stored bytes do not match the chain"]
    assert told["ok"] is False


@pytest.mark.parametrize("text", ["", "no rows", '{"journal_id":"x"}\n{"seq":1}\n', "[1]\n", '{"journal_id":"x"}\n5\n'])
def test_what_can_not_be_read_is_not_ok(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.jsonl").write_text(text, "utf-8")
    done = run_checker(tmp_path / "rows.jsonl")
    assert (done.returncode, done.stderr) == (65, "")


def test_exit_codes_for_what_is_missing_or_misspelt(tmp_path: Path) -> None:
    assert run_checker(tmp_path / "nowhere").returncode == 66
    assert run_checker(tmp_path).returncode == 66
    assert run_checker(DAY, "--ledger", tmp_path).returncode == 66
    assert run_checker().returncode == 2
    assert run_checker(DAY, "--no-such-option").returncode == 2


def test_it_agrees_with_a_real_run(tmp_path: Path) -> None:
    """A demo session, killed in the middle, gone on with and stopped; journal and exchange by their files alone."""
    begun = [str(HOLDFAST), "init", str(tmp_path / "demo")]
    subprocess.run(begun, cwd=ROOT, check=True, capture_output=True, timeout=60)
    command = [str(HOLDFAST), "run", "-c", str(tmp_path / "demo" / "holdfast.toml"), "--for"]
    journal = tmp_path / "demo" / "run"
    with subprocess.Popen([*command, "60s"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and ((head := read_head(journal / "head")) is None or head.seq < 20):
            time.sleep(0.05)
        process.kill()
    killed = run_checker(journal, "--ledger", journal)
    assert killed.returncode == 0, killed.stdout
    subprocess.run([*command, "5s"], cwd=ROOT, check=True, capture_output=True, timeout=60)
    stopped = run_checker(journal, "--ledger", journal, "--json")
    assert stopped.returncode == 0, stopped.stdout
    assert json.loads(stopped.stdout)["books"]["events"] > 20
