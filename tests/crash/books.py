"""The engine's journal against the exchange's ledger, to the last decimal. Each difference is one line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import frozen

from adapters.simulated.ledger import fact_of
from adapters.simulated.state import State as ExchangeState
from adapters.simulated.state import apply as apply_fact
from engine.codec import decode, digest
from engine.fold import apply
from engine.order import CANCELED, EXPIRED, FILLED, Order
from engine.state import State
from engine.values import EXACT, VenueName, exact_arithmetic
from journal import chain
from journal.entry import Entry
from journal.journal import Reader

VENUE = VenueName("sim")
CLOCKS_APART_NS = 100_000_000
"""The exchange reads the wall clock, the engine a monotonic one that is anchored to it."""


@frozen
class Books:
    """Both sides, as rows and as what they amount to."""

    rows: list[Entry]
    facts: list[Entry]
    state: State
    exchange: ExchangeState

    def requests(self) -> dict[str, tuple[str, int]]:
        """Client order id → (our order, when it was requested), of submits and replacements."""
        found: dict[str, tuple[str, int]] = {}
        for row in self.rows:
            body = json.loads(row.body) if row.kind in ("SubmitRequested", "ReplaceRequested") else {}
            name = body.get("client_order_id") or body.get("new_client_order_id")
            if name:
                found[name] = (body["order_id"], row.at_ns)
        return found


def read_books(journal: Path, exchange: Path) -> Books:
    """Read and fold both; the chain of both is checked on the way."""
    rows, facts = _verified(journal, "journal"), _verified(exchange, "ledger")
    state, ledger = State(), ExchangeState()
    with exact_arithmetic():
        for row in rows:
            apply(state, decode(row))
        for fact in facts:
            apply_fact(ledger, fact.seq, fact.at_ns, fact_of(fact))
    return Books(rows, facts, state, ledger)


def _verified(directory: Path, name: str) -> list[Entry]:
    with Reader(directory, name) as reader:
        assert reader.integrity() == []
        return list(chain.verify(reader.read(), journal_id=reader.journal_id))


def assert_equal(books: Books) -> None:
    """Engine and exchange say the same of everything; nothing is in doubt."""
    found = [*differences(books)]
    assert not found, "\n".join(["engine and exchange differ:", *found[:40]])


def differences(books: Books) -> Iterator[str]:
    """All of them."""
    yield from _request_faults(books)
    yield from _row_faults(books.rows)
    yield from _unequal("executions", _our_executions(books), _their_executions(books))
    yield from _unequal("balances", books.state.balances.get(VENUE, {}), books.exchange.account.totals)
    yield from _unequal("positions", _our_positions(books), _their_positions(books))
    yield from _unequal("open orders", _our_open(books), _their_open(books))
    yield from _unequal("ends", _our_ends(books), _their_ends(books))
    for order in books.state.orders.values():
        if order.is_in_doubt or order.is_unsettled:
            yield f"in doubt: {order}"


def _request_faults(books: Books) -> Iterator[str]:
    """O1: no order without an earlier durable request; O2: at most one for an intent."""
    requests = books.requests()
    seen: Counter[str] = Counter()
    for fact in books.facts:
        if fact.kind != "OrderAccepted":
            continue
        name = json.loads(fact.body)["client_order_id"]
        order_id, requested_ns = requests.get(name, ("", 0))
        seen[order_id or name] += 1
        if not order_id:
            yield f"O1: the exchange has {name}, which was never requested"
        elif requested_ns > fact.at_ns + CLOCKS_APART_NS:
            yield f"O1: {name} was requested after the exchange had it"
    yield from (f"O2: {count} orders at the exchange for {name}" for name, count in seen.items() if count > 1)


def _row_faults(rows: list[Entry]) -> Iterator[str]:
    """I2 to I4: gapless, batches whole, epochs never going back."""
    for before, after in pairwise(rows):
        if after.seq != before.seq + 1:
            yield f"I2: seq {after.seq} follows {before.seq}"
        if after.batch not in (before.batch, after.seq):
            yield f"I3: seq {after.seq} is of batch {after.batch}, the one before of {before.batch}"
        if after.epoch < before.epoch:
            yield f"I4: epoch {after.epoch} after {before.epoch} at seq {after.seq}"


def _unequal(what: str, ours: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> Iterator[str]:
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            yield f"{what}: {key}: the engine has {ours.get(key)}, the exchange {theirs.get(key)}"


def _our_executions(books: Books) -> dict[str, Any]:
    return {
        key.rpartition("/")[2]: (each.side, each.quantity, each.price, each.fee, each.fee_asset, each.order_id)
        for key, each in books.state.executions.items()
        if not each.busted
    }


def _their_executions(books: Books) -> dict[str, Any]:
    requests = books.requests()
    return {
        each.exec_id: (
            each.side, each.quantity, each.price, each.fee, each.fee_asset,
            requests.get(str(each.client_order_id), ("never requested", 0))[0],
        )
        for each in books.exchange.executions
    }  # fmt: skip


def _our_positions(books: Books) -> dict[str, Any]:
    symbols = {name: instrument.symbol for name, instrument in books.state.instruments.items()}
    held = {symbols[name]: books.state.position(name).quantity for name in books.state.positions}
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def _their_positions(books: Books) -> dict[str, Any]:
    held: dict[str, Decimal] = {}
    for each in books.exchange.executions:
        held[each.symbol] = EXACT.add(held.get(each.symbol, Decimal(0)), each.side.sign * each.quantity)
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def _our_open(books: Books) -> dict[str, Any]:
    return {str(order.venue_order_id or order.order_id): _terms(order) for order in books.state.open_orders()}


def _terms(order: Order) -> tuple[Any, ...]:
    return order.side, order.quantity, order.filled, order.price


def _their_open(books: Books) -> dict[str, Any]:
    return {
        name: (order.accepted.side, order.quantity, order.filled, order.price)
        for name, order in books.exchange.open.items()
    }


def _our_ends(books: Books) -> dict[str, Any]:
    """How every order that the exchange ever had has ended."""
    return {
        str(order.order_id): str(order.status)
        for order in books.state.orders.values()
        if order.status in (FILLED, CANCELED, EXPIRED)
    }


def _their_ends(books: Books) -> dict[str, Any]:
    requests = books.requests()
    return {
        requests.get(str(order.accepted.client_order_id), ("never requested", 0))[0]: str(order.status)
        for order in books.exchange.closed.values()
    }


def stopped_digest(books: Books) -> str:
    """What the process itself said of its state at its clean end; it must be the fold's."""
    assert books.rows[-1].kind == "ProcessStopped", books.rows[-1]
    journaled = str(json.loads(books.rows[-1].body)["state_digest"])
    with exact_arithmetic():
        assert journaled == digest(books.state)
    return journaled
