"""The engine's journal against the exchanges' ledgers, to the last decimal. Each difference is one line.

What an exchange executed after the engine's last comparison, and could not tell it any more because both were being
ended, is left aside: the ledger is read up to there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import frozen

from adapters.simulated.ledger import fact_of
from adapters.simulated.state import Order as ExchangeOrder
from adapters.simulated.state import State as ExchangeState
from adapters.simulated.state import apply as apply_fact
from engine.codec import decode, decode_state, digest
from engine.fold import FOLD_VERSION, apply
from engine.order import CANCELED, EXPIRED, FILLED, Order
from engine.state import State
from engine.values import EXACT, ZERO, VenueName, exact, exact_arithmetic
from journal import chain
from journal.entry import Entry
from journal.head import Head
from journal.journal import Reader
from journal.snapshot import read_snapshots
from tools.proof.processes.session import Stop

CLOCKS_APART_NS = 100_000_000
"""An exchange reads the wall clock, the engine a monotonic one that is anchored to it."""

LOUD_PAUSES = ("lost_tail", "history_damaged")
"""Pauses that no kill of a process may lead to."""


ExecName = Callable[[str], str]
"""From an execution's name in the ledger to the one by which the adapter's client tells it."""


@frozen
class Books:
    """One venue's two sides: our rows and what they fold to, its facts up to where they can be compared."""

    venue: VenueName
    rows: Sequence[Entry]
    state: State
    facts: Sequence[Entry]
    exchange: ExchangeState
    exec_name: ExecName

    def requests(self) -> dict[str, tuple[str, int]]:
        """Client order id → (our order, when it was requested), of submits and replacements."""
        named = ((row, _name_requested(row)) for row in self.rows)
        return {name: (json.loads(row.body)["order_id"], row.at_ns) for row, name in named if name}

    def orders_there(self) -> dict[str, list[ExchangeOrder]]:
        """Our order → the exchange's orders for it, as they came: more than one where a replacement is a new order."""
        asked, found = self.requests(), dict[str, list[ExchangeOrder]]()
        both = {**self.exchange.closed, **self.exchange.open}
        for order in sorted(both.values(), key=lambda order: int(order.venue_order_id)):
            name = str(order.accepted.client_order_id)
            found.setdefault(asked.get(name, (name, 0))[0], []).append(order)
        return found


def read_rows(directory: Path, name: str = "journal") -> tuple[list[Entry], list[str]]:
    """All rows, their chain checked on the way, and what SQLite itself finds wrong."""
    with Reader(directory, name) as reader:
        return list(chain.verify(reader.read(), journal_id=reader.journal_id)), reader.integrity()


def fold_rows(rows: Sequence[Entry]) -> State:
    """The state that rows lead to."""
    state = State()
    with exact_arithmetic():
        for row in rows:
            apply(state, decode(row))
    return state


def books_of(
    venue: VenueName, rows: Sequence[Entry], state: State, ledger: Sequence[Entry], exec_name: ExecName = str
) -> Books:
    """Both sides of a venue."""
    facts = _comparable(venue, rows, ledger, exec_name)
    exchange = ExchangeState()
    with exact_arithmetic():
        for fact in facts:
            apply_fact(exchange, fact.seq, fact.at_ns, fact_of(fact))
    return Books(venue, rows, state, facts, exchange, exec_name)


def _comparable(
    venue: VenueName, rows: Sequence[Entry], ledger: Sequence[Entry], exec_name: ExecName
) -> Sequence[Entry]:
    """Up to the first execution that the engine does not have and that came after its last comparison."""
    compared_ns, booked = 0, set()
    for row in rows:
        body = json.loads(row.body) if row.kind in ("Reconciled", "FillBooked") else {}
        if body.get("venue") == venue and row.kind == "Reconciled":
            compared_ns = body["taken_ns"]
        elif body.get("venue") == venue:
            booked.add(body["exec_id"])
    for number, fact in enumerate(ledger):
        if fact.kind == "OrderExecuted" and fact.at_ns > compared_ns and exec_name(f"x{fact.seq}") not in booked:
            return ledger[:number]
    return ledger


# --- the journal by itself ----------------------------------------------------------------------------------------


def row_faults(rows: Sequence[Entry], heads: Sequence[Head]) -> Iterator[str]:
    """I1 to I4: what was acknowledged is there; gapless, batches whole, epochs never going back."""
    for head in heads:
        if head.seq > len(rows) or not rows[head.seq - 1].chain.hex().startswith(head.chain):
            yield f"I1: seq {head.seq} was acknowledged and is not there any more"
    for before, after in pairwise(rows):
        if after.seq != before.seq + 1:
            yield f"I2: seq {after.seq} follows {before.seq}"
        if after.batch not in (before.batch, after.seq):
            yield f"I3: seq {after.seq} is of batch {after.batch}, the one before of {before.batch}"
        if after.epoch < before.epoch:
            yield f"I4: epoch {after.epoch} after {before.epoch} at seq {after.seq}"
        if after.kind == "ProcessStarted" and after.epoch == before.epoch:
            yield f"I4: two processes of epoch {after.epoch} at seq {after.seq}"


def pause_faults(rows: Sequence[Entry]) -> Iterator[str]:
    """O4: between an operator's pause of everything and the resume nothing new is requested; and no loud pause."""
    is_paused = False
    for row in rows:
        if row.kind == "OperatorCommanded":
            action = json.loads(row.body)["action"]
            is_paused = action == "pause" or (is_paused and action != "resume")
        elif is_paused and row.kind in ("SubmitRequested", "ReplaceRequested"):
            yield f"O4: seq {row.seq} {row.kind} while the operator's pause held"
        elif row.kind == "TradingPaused" and json.loads(row.body)["reason"] in LOUD_PAUSES:
            yield f"S2: seq {row.seq} pauses for {json.loads(row.body)['reason']}, though only processes were killed"


def replay_faults(rows: Sequence[Entry], state: State, journal: Path) -> Iterator[str]:
    """I5: the fold is what the process said of itself at its end; I6: from the newest snapshot it is the same."""
    if rows[-1].kind != "ProcessStopped":
        yield f"S1: the last event is {rows[-1].kind} after a clean stop"
        return
    live = json.loads(rows[-1].body)["state_digest"]
    with exact_arithmetic():
        found = digest(state)
        if found != live:
            yield f"I5: the journal folds to {found[:16]}, the process said {live[:16]}"
        with Reader(journal) as reader:
            snapshots = read_snapshots(journal / "snapshots", reader.journal_id, FOLD_VERSION)
        if not snapshots:
            yield "I6: a clean stop has left no snapshot"
            return
        short = decode_state(snapshots[0].blob)
        for row in rows[snapshots[0].seq :]:
            apply(short, decode(row))
        if digest(short) != found:
            yield f"I6: from the snapshot at seq {snapshots[0].seq} the journal folds elsewhere"


# --- against the ledger -------------------------------------------------------------------------------------------


def ledger_faults(books: Books) -> Iterator[str]:
    """O1, O2, O3, O7, O8: everything that the two sides say differently."""
    yield from _request_faults(books)
    yield from _booked_twice(books)
    yield from _unequal(books, "O3: execution", _our_executions(books), _their_executions(books))
    yield from _unequal(books, "O8: balance", books.state.balances.get(books.venue, {}), _their_balances(books))
    yield from _unequal(books, "O3: position", _our_positions(books), _their_positions(books))
    yield from _unequal(books, "O3: open order", _our_open(books), _their_open(books))
    yield from _unequal(books, "O3: end", _our_ends(books), _their_ends(books))
    for order in _our_orders(books):
        if order.is_in_doubt or order.is_unsettled:
            yield f"O7: {order.order_id} is {order.status} and nothing settles it"


def stale_faults(books: Books, stops: Sequence[Stop], expiry_ns: int) -> Iterator[str]:
    """S3: what a process had not released when it was stopped for longer than the send limit never arrives, and what
    may have been on its way not after its expiry."""
    asked = {name: row for row in books.rows for name in [_name_requested(row)] if name}
    for fact in books.facts:
        row = asked.get(_name_of(fact))
        for stop in stops if row else ():
            assert row is not None
            if row.at_ns > stop.stopped_ns or fact.at_ns <= stop.woken_ns:
                continue
            age_ms, limit_ms = (fact.at_ns - row.at_ns) // 1_000_000, expiry_ns // 1_000_000
            if row.seq > stop.released_seq:
                yield f"S3: seq {row.seq} {row.kind} was sent {age_ms} ms later by a process that had been stopped"
            elif age_ms > limit_ms:
                yield f"S3: seq {row.seq} {row.kind} was taken {age_ms} ms later; it had expired after {limit_ms} ms"


def _name_requested(row: Entry) -> str:
    """The client order id that a row asks for."""
    if row.kind not in ("SubmitRequested", "ReplaceRequested"):
        return ""
    body = json.loads(row.body)
    return str(body.get("client_order_id") or body["new_client_order_id"])


def _name_of(fact: Entry) -> str:
    """The client order id that a fact says has arrived."""
    if fact.kind not in ("OrderAccepted", "OrderReplaced"):
        return ""
    body = json.loads(fact.body)
    return str(body["client_order_id"] if fact.kind == "OrderAccepted" else body["new_client_order_id"])


def _request_faults(books: Books) -> Iterator[str]:
    """O1: nothing arrived that was not requested before; O2: nothing twice, and never two that may trade for one."""
    asked = books.requests()
    seen: Counter[str] = Counter()
    for fact in books.facts:
        name = _name_of(fact)
        if not name:
            continue
        order_id, requested_ns = asked.get(name, ("", 0))
        seen[name] += fact.kind == "OrderAccepted"
        if not order_id:
            yield f"O1: {books.venue} has {name}, which was never requested"
        elif requested_ns > fact.at_ns + CLOCKS_APART_NS:
            yield f"O1: {name} was requested after {books.venue} had it"
    yield from (f"O2: {count} orders at {books.venue} for {name}" for name, count in seen.items() if count > 1)
    yield from _doubled(books)


def _doubled(books: Books) -> Iterator[str]:
    """O2: where a replacement is a new order, the one before it has ended when the new one begins."""
    ended_ns = {
        json.loads(fact.body)["venue_order_id"]: fact.at_ns
        for fact in books.facts
        if fact.kind in ("OrderExecuted", "OrderCanceled", "OrderExpired")
    }
    accepted_ns = {str(fact.seq): fact.at_ns for fact in books.facts if fact.kind == "OrderAccepted"}
    for order_id, orders in books.orders_there().items():
        for before, after in pairwise(orders):
            is_open = before.venue_order_id in books.exchange.open
            if is_open or ended_ns.get(before.venue_order_id, 0) > accepted_ns.get(after.venue_order_id, 0):
                yield f"O2: {order_id} has two orders at {books.venue} that may trade: {after.venue_order_id} is new"


def _booked_twice(books: Books) -> Iterator[str]:
    """Counted in the rows, without the fold."""
    bodies = [json.loads(row.body) for row in books.rows if row.kind == "FillBooked"]
    booked = Counter(body["exec_id"] for body in bodies if body["venue"] == books.venue)
    yield from (f"O3: execution {name} is booked {count} times" for name, count in booked.items() if count > 1)


def _unequal(books: Books, what: str, ours: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> Iterator[str]:
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            yield f"{what} {key}: the engine has {ours.get(key)}, {books.venue} has {theirs.get(key)}"


def _our_orders(books: Books) -> list[Order]:
    return [order for order in books.state.orders.values() if order.venue == books.venue]


def _our_executions(books: Books) -> dict[str, Any]:
    """As they were booked: from the rows, because an execution leaves the state with its order."""
    found: dict[str, Any] = {}
    for row in books.rows:
        if row.kind == "FillBooked":
            body = json.loads(row.body)
            if body["venue"] == books.venue:
                figures = tuple(exact(body[key]) if body[key] else None for key in ("quantity", "price", "fee"))
                found[body["exec_id"]] = (body["side"], *figures, body["fee_asset"], body["order_id"])
    return found


def _their_executions(books: Books) -> dict[str, Any]:
    asked = books.requests()
    return {
        books.exec_name(str(each.exec_id)): (
            str(each.side), each.quantity, each.price, each.fee, str(each.fee_asset),
            asked.get(str(each.client_order_id), ("never requested", 0))[0],
        )
        for each in books.exchange.executions
    }  # fmt: skip


def _their_balances(books: Books) -> Mapping[Any, Any]:
    return books.exchange.account.totals


def _our_positions(books: Books) -> dict[str, Any]:
    named = {name: each.symbol for name, each in books.state.instruments.items() if each.venue == books.venue}
    held = {symbol: books.state.position(name).quantity for name, symbol in named.items()}
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def _their_positions(books: Books) -> dict[str, Any]:
    held: dict[str, Decimal] = {}
    for each in books.exchange.executions:
        held[each.symbol] = EXACT.add(held.get(each.symbol, Decimal(0)), each.side.sign * each.quantity)
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def _our_open(books: Books) -> dict[str, Any]:
    return {
        str(order.order_id): (order.side, order.quantity, order.filled, order.price)
        for order in books.state.open_orders()
        if order.venue == books.venue
    }


def _their_open(books: Books) -> dict[str, Any]:
    """By our order. What its earlier orders executed is part of the whole."""
    found: dict[str, Any] = {}
    for order_id, (*earlier, last) in books.orders_there().items():
        if last.venue_order_id in books.exchange.open:
            executed = EXACT.add(sum((order.filled for order in earlier), ZERO), ZERO)
            whole, filled = EXACT.add(executed, last.quantity), EXACT.add(executed, last.filled)
            found[order_id] = (last.accepted.side, whole, filled, last.price)
    return found


def _our_ends(books: Books) -> dict[str, Any]:
    """How every order that the exchange ever had has ended."""
    ended = (FILLED, CANCELED, EXPIRED)
    return {str(order.order_id): str(order.status) for order in _our_orders(books) if order.status in ended}


def _their_ends(books: Books) -> dict[str, Any]:
    """Of those that our state still holds: what is long closed leaves it."""
    archived = {row.subject for row in books.rows if row.kind == "OrderArchived"}
    return {
        order_id: str(orders[-1].status)
        for order_id, orders in books.orders_there().items()
        if orders[-1].venue_order_id not in books.exchange.open and order_id not in archived
    }
