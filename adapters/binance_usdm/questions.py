"""What became of an order: several calls for one answer, read in an order that can't mislead. "Not found" is told with
the sources that were really asked."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, evolve

from adapters.binance.access import Access
from adapters.binance.history import Unreadable
from adapters.binance.questions import TOGETHER, since
from adapters.binance_usdm import wire
from adapters.binance_usdm.history import History
from adapters.binance_usdm.translate import Translator
from adapters.budget import Lane
from engine import inputs, outbox
from engine.capabilities import Source
from engine.inputs import Input


@define
class _Look:
    """What one round of questions about a symbol has found so far; each list is asked for once."""

    symbol: str
    since_ns: int
    asked_venue_ns: int
    open_rows: tuple[wire.OrderRow, ...] | None = None
    searched: tuple[tuple[wire.OrderRow, ...], tuple[wire.TradeRow, ...], tuple[Source, ...]] | None = None


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
            venue_ns = self._history.venue_time()
            look = _Look(symbol, since(requests, venue_ns, self._access.now_ns()), venue_ns)
            if len(requests) >= TOGETHER:
                look.open_rows = self._history.open_orders(symbol)
        except Unreadable as error:
            yield from (self._translator.unanswered(request, error.cause) for request in requests)
            return
        for request in requests:
            try:
                told = self._one(request, look)
            except Unreadable as error:
                told = [self._translator.unanswered(request, error.cause)]
            except ValueError as error:
                told = [self._translator.unanswered(request, f"an order that can't be read: {error}")]
            yield from told

    def _one(self, request: outbox.QueryOrder, look: _Look) -> list[Input]:
        row = self._find(request, look)
        if row is not None:
            return self._stands(request, row, look)
        sources: tuple[Source, ...] = (Source.ORDER_QUERY,)
        if request.at_ns >= request.requested_ns + self._absent_after_ns and request.client_order_id:
            found, others = self._search(request.client_order_id, look)
            if found is not None:
                return self._stands(request, found, look)
            sources += others
        head = self._translator.asked(request)
        return [
            inputs.NotFound(**head, asked_ns=request.at_ns, answered_ns=look.asked_venue_ns, sources=sources)
        ]  # fmt: skip

    def _find(self, request: outbox.QueryOrder, look: _Look) -> wire.OrderRow | None:
        """The order from the open ones where they were read, else by a question of its own: by the venue's id where
        that is known, for a change leaves the order its first client id."""
        known = request.venue_order_id
        for row in look.open_rows or ():
            is_it = str(row.order_id) == known if known else row.client_order_id == request.client_order_id
            if is_it:
                return row
        return self._history.order(look.symbol, request.client_order_id, known)

    def _stands(self, request: outbox.QueryOrder, row: wire.OrderRow, look: _Look) -> list[Input]:
        """Executions first, so that the status finds them booked. A change that was asked for shows in the terms."""
        status = evolve(self._translator.status(row), asked_ns=request.at_ns, answered_ns=look.asked_venue_ns)
        if request.client_order_id:
            status = evolve(status, client_order_id=request.client_order_id)
        told: list[Input] = []
        if row.executed_qty:
            trades = self._history.trades_of(look.symbol, row.order_id)
            told += [self._translator.trade(trade) for trade in trades]
        return [*told, status]

    def _search(self, client_id: str, look: _Look) -> tuple[wire.OrderRow | None, tuple[Source, ...]]:
        """The order in every list that could show it, and the lists that were read whole."""
        if look.searched is None:
            look.open_rows = self._history.open_orders(look.symbol)
            past, is_past_whole = self._history.orders(look.symbol, since_ns=look.since_ns)
            trades, are_trades_whole = self._history.trades_since(look.symbol, look.since_ns)
            sources = [Source.OPEN_ORDERS]
            sources += [Source.HISTORY] if is_past_whole else []
            sources += [Source.EXECUTIONS] if are_trades_whole else []
            look.searched = ((*look.open_rows, *past), trades, tuple(sources))
        rows, trades, sources_read = look.searched
        for row in rows:
            if row.client_order_id == client_id:
                return row, ()
        for trade in trades:
            if self._translator.known.client_id(look.symbol, trade.order_id) == client_id:
                return self._history.order(look.symbol, None, str(trade.order_id)), ()
        return None, sources_read
