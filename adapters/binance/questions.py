"""What became of an order, and how the account stands: several calls for one answer, read in an order that can't
mislead. "Not found" is told with the sources that were really asked."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, evolve

from adapters.binance import calls, wire
from adapters.binance.access import Access
from adapters.binance.history import Executions, History, Unreadable
from adapters.binance.ids import is_half_of_replacement, original_id
from adapters.binance.translate import Translator
from adapters.budget import Lane
from engine import inputs, outbox
from engine.capabilities import Source
from engine.inputs import Input, Section
from engine.values import MILLISECOND_NS, SECOND_NS, ZERO, Asset, exact

EARLIER_NS = SECOND_NS
"""Lists are read from so long before the request, and from as much before that as the venue's clock is behind ours."""

TOGETHER = 2
"""So many questions about one symbol are worth one look at all of its open orders."""


def since(requests: list[outbox.QueryOrder], venue_ns: int, now_ns: int) -> int:
    """From when on the venue's lists may show these orders, by its clock, which shows `venue_ns` where ours shows
    `now_ns`."""
    behind_ns = max(now_ns - venue_ns, 0)
    return min(request.requested_ns or request.at_ns for request in requests) - EARLIER_NS - behind_ns


@define
class _Look:
    """What one round of questions about a symbol has found so far; each list is asked for once."""

    symbol: str
    asked_venue_ns: int
    open_rows: tuple[wire.OrderRow, ...] | None = None
    past: tuple[tuple[wire.OrderRow, ...], bool] | None = None
    trades: Executions | None = None


class Questions:
    """For one thread. Every question is answered by what it yields."""

    def __init__(self, access: Access, translator: Translator, absent_after_ns: int) -> None:
        self._access, self._translator, self._absent_after_ns = access, translator, absent_after_ns
        self._history = History(access, translator, Lane.URGENT)

    def answer(self, requests: list[outbox.QueryOrder]) -> Iterator[Input]:
        """The answers to several questions; those about one symbol share what answers for all of them."""
        by_symbol: dict[str, list[outbox.QueryOrder]] = {}
        for request in requests:
            by_symbol.setdefault(self._translator.symbol(request.instrument), []).append(request)
        for symbol, asked in by_symbol.items():
            yield from self._about(symbol, asked)

    def _about(self, symbol: str, requests: list[outbox.QueryOrder]) -> Iterator[Input]:
        try:
            look = _Look(symbol, self._history.venue_time())
            if len(requests) >= TOGETHER:
                look.open_rows = self._history.open_orders(symbol)
        except Unreadable as error:
            yield from (self._translator.unanswered(request, error.cause) for request in requests)
            return
        since_ns = since(requests, look.asked_venue_ns, self._access.now_ns())
        for request in requests:
            try:
                told = self._one(request, look, since_ns)
            except Unreadable as error:
                told = [self._translator.unanswered(request, error.cause)]
            except ValueError as error:
                told = [self._translator.unanswered(request, f"an order that can't be read: {error}")]
            yield from told

    def _one(self, request: outbox.QueryOrder, look: _Look, since_ns: int) -> list[Input]:
        if request.new_client_order_id is not None:
            found = self._find(request.new_client_order_id, None, look)
            if found is not None:
                return self._replaced(request, found, look)
        row = self._find(request.client_order_id, request.venue_order_id, look)
        is_late = request.at_ns >= request.requested_ns + self._absent_after_ns
        if row is None and is_late and request.client_order_id:
            return self._prove(request, look, since_ns)
        if row is None:
            return [self._absent(request, look, (Source.ORDER_QUERY,))]
        if request.new_client_order_id is not None and is_half_of_replacement(row.client_order_id):
            return self._half(request, row, look, since_ns, is_late=is_late)
        return self._stands(request, row, look)

    def _find(self, client_id: str | None, venue_id: str | None, look: _Look) -> wire.OrderRow | None:
        """The order from the open ones where they were read, else by a question of its own."""
        for row in look.open_rows or ():
            if (venue_id is not None and str(row.order_id) == venue_id) or (
                venue_id is None and row.client_order_id == client_id
            ):
                return row
        return self._history.order(look.symbol, client_id, venue_id)

    def _stands(self, request: outbox.QueryOrder, row: wire.OrderRow, look: _Look) -> list[Input]:
        """Executions first, so that the status finds them booked."""
        self._translator.known.note(look.symbol, row.order_id, request.client_order_id)
        status = evolve(
            self._translator.status(row), asked_ns=request.at_ns, answered_ns=look.asked_venue_ns,
            client_order_id=request.client_order_id or self._translator.order_head(row)["client_order_id"],
        )  # fmt: skip
        told: list[Input] = []
        if exact(row.executed_qty or ZERO):
            told += [self._translator.trade(trade) for trade in self._history.trades_of(look.symbol, row.order_id)]
        return [*told, status]

    def _replaced(self, request: outbox.QueryOrder, row: wire.OrderRow, look: _Look) -> list[Input]:
        """The replacement is there: it is in force, whatever became of its reply."""
        self._translator.known.note(look.symbol, row.order_id, request.client_order_id)
        status = self._translator.status(row)
        replaced = inputs.Replaced(
            **self._translator.asked(request, status.raw), quantity=status.quantity, price=status.price,
            new_client_order_id=request.new_client_order_id,
        )  # fmt: skip
        return [evolve(replaced, venue_order_id=status.venue_order_id), *self._stands(request, row, look)]

    def _half(
        self, request: outbox.QueryOrder, row: wire.OrderRow, look: _Look, since_ns: int, *, is_late: bool
    ) -> list[Input]:
        """The order was canceled for its replacement, which nobody shows: only proof says that there is none."""
        if not is_late:
            return [self._translator.unanswered(request, "canceled for a replacement that is not shown yet")]
        assert request.new_client_order_id is not None, "it was canceled for one"
        found, sources = self._search(request.new_client_order_id, look, since_ns)
        if found is not None:
            return self._replaced(request, found, look)
        if set(sources) < {Source.OPEN_ORDERS, Source.HISTORY, Source.EXECUTIONS}:
            return [self._translator.unanswered(request, "the lists that would show its replacement are not complete")]
        return self._stands(request, row, look)

    # --- proof ------------------------------------------------------------------------------------------------------

    def _prove(self, request: outbox.QueryOrder, look: _Look, since_ns: int) -> list[Input]:
        """Every list that could show it, now that a late request would have been refused."""
        sources: tuple[Source, ...] = ()
        for token in (request.new_client_order_id, request.client_order_id):
            if token is None:
                continue
            found, sources = self._search(token, look, since_ns)
            if found is not None and token == request.new_client_order_id:
                return self._replaced(request, found, look)
            if found is not None:
                return self._stands(request, found, look)
        return [self._absent(request, look, (Source.ORDER_QUERY, *sources))]

    def _search(self, token: str, look: _Look, since_ns: int) -> tuple[wire.OrderRow | None, tuple[Source, ...]]:
        """The order in the lists, by its id or by what a cancel made of it; and the lists that were read whole."""
        if look.past is None:
            look.open_rows = self._history.open_orders(look.symbol)
            look.past = self._history.orders_since(look.symbol, since_ns)
            look.trades = self._history.trades_since(look.symbol, since_ns)
        assert look.open_rows is not None, "they are read together"
        assert look.trades is not None, "they are read together"
        past, is_whole = look.past
        for row in (*look.open_rows, *past):
            if token in (row.client_order_id, original_id(row.client_order_id)):
                return row, ()
        for trade in look.trades.rows:
            if self._translator.known.client_id(look.symbol, trade.order_id) == token:
                return self._history.order(look.symbol, None, str(trade.order_id)), ()
        sources = [Source.OPEN_ORDERS]
        sources += [Source.HISTORY] if is_whole else []
        sources += [Source.EXECUTIONS] if look.trades.is_whole else []
        return None, tuple(sources)

    def _absent(self, request: outbox.QueryOrder, look: _Look, sources: tuple[Source, ...]) -> inputs.NotFound:
        return inputs.NotFound(
            **self._translator.asked(request), asked_ns=request.at_ns, answered_ns=look.asked_venue_ns, sources=sources
        )


class Snapshots:
    """For one thread: open orders of all symbols, executions of ours, balances; what is not whole is not claimed."""

    def __init__(self, access: Access, translator: Translator) -> None:
        self._access, self._translator = access, translator
        self._history = History(access, translator, Lane.RECONCILE)

    def take(self, request: outbox.TakeSnapshot) -> Input:
        """One snapshot, or why there is none."""
        try:
            return self._take(request)
        except Unreadable as error:
            return self._translator.unanswered(request, error.cause)
        except ValueError as error:
            return self._translator.unanswered(request, f"a row that can't be read: {error}")

    def _take(self, request: outbox.TakeSnapshot) -> inputs.Snapshot:
        taken_ns = self._history.venue_time()
        orders = self._history.open_orders()
        since_ns = request.since_ns + taken_ns - self._access.now_ns()  # by the venue's clock
        found = [
            self._history.trades_since(symbol, since_ns - since_ns % MILLISECOND_NS)
            for symbol in self._translator.symbols
        ]
        account = self._history.ask(calls.account(), wire.Account)
        is_whole = all(executions.is_whole for executions in found)
        complete = (Section.OPEN_ORDERS, *((Section.EXECUTIONS,) if is_whole else ()), Section.BALANCES)
        return inputs.Snapshot(
            venue=self._access.venue, asked_seq=request.seq, asked_ns=request.at_ns, taken_ns=taken_ns,
            complete=complete, open_orders=tuple(self._translator.status(row) for row in orders),
            executions=tuple(self._translator.trade(row) for executions in found for row in executions.rows),
            balances=balances_of(account),
        )  # fmt: skip


def balances_of(account: wire.Account) -> tuple[inputs.Balance, ...]:
    """What the account has of each asset."""
    return tuple(inputs.Balance(Asset(row.asset), exact(row.free), exact(row.locked)) for row in account.balances)
