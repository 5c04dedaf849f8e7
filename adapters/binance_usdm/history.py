"""Lists read to their end over REST: orders, executions, fundings. What could not be read whole is said."""

from __future__ import annotations

from adapters.binance.access import Access
from adapters.binance.calls import PAGE_MOST
from adapters.binance.history import LOOKUPS_MOST, PAGES_MOST, Asker, Unreadable
from adapters.binance_usdm import calls, wire
from adapters.binance_usdm.translate import Translator
from adapters.budget import Lane
from engine.values import MILLISECOND_NS, SECOND_NS, VenueOrderId

WINDOW_NS = 7 * 86_400 * SECOND_NS
WINDOWS_MOST = 20
"""Executions are told for seven days at a time and three months back; more is not complete."""


class History(Asker):
    """For one thread; raises `Unreadable` where a question got no usable answer."""

    def __init__(self, access: Access, translator: Translator, lane: Lane) -> None:
        super().__init__(access, translator, lane)
        self._translator = translator

    # --- orders -----------------------------------------------------------------------------------------------------

    def order(self, symbol: str, client_order_id: str | None, venue_order_id: str | None) -> wire.OrderRow | None:
        """One order as it stands; None where the venue does not know it (or not yet)."""
        named = VenueOrderId(venue_order_id) if venue_order_id else None
        return self.find(calls.order_status(symbol, client_order_id, named), wire.OrderRow)

    def open_orders(self, symbol: str | None = None) -> tuple[wire.OrderRow, ...]:
        """All open orders, of one symbol or of all in one call."""
        return self._note(self.ask(calls.open_orders(symbol), tuple[wire.OrderRow, ...]))

    def orders(
        self, symbol: str, *, since_ns: int | None = None, from_id: int | None = None
    ) -> tuple[tuple[wire.OrderRow, ...], bool]:
        """Orders since then or from that id on, whatever became of them, and whether these are all."""
        since_ms = None if since_ns is None else since_ns // MILLISECOND_NS
        call = calls.all_orders(symbol, since_ms=since_ms, from_id=from_id)
        found: list[wire.OrderRow] = []
        for _page in range(PAGES_MOST):
            rows = self.ask(call, tuple[wire.OrderRow, ...])
            found += rows
            if len(rows) < PAGE_MOST:
                return self._note(tuple(found)), True
            call = calls.all_orders(symbol, from_id=rows[-1].order_id + 1)
        return tuple(found), False

    def _note(self, rows: tuple[wire.OrderRow, ...]) -> tuple[wire.OrderRow, ...]:
        for row in rows:
            self._translator.order_head(row)
        return rows

    # --- executions -------------------------------------------------------------------------------------------------

    def trades_of(self, symbol: str, order_id: int) -> tuple[wire.TradeRow, ...]:
        """All executions of one order."""
        rows = self.ask(calls.user_trades(symbol, order_id=str(order_id)), tuple[wire.TradeRow, ...])
        if len(rows) >= PAGE_MOST:
            raise Unreadable("more executions than are read")
        return rows

    def trades_since(self, symbol: str, since_ns: int) -> tuple[tuple[wire.TradeRow, ...], bool]:
        """All executions of a symbol since then, each known by its client id; and whether these are all."""
        page = self._first_page(symbol, since_ns)
        if page is None:
            return (), False
        found, is_whole = list(page[0]), page[1]
        for _page in range(0 if is_whole else PAGES_MOST):
            rows = self.ask(calls.user_trades(symbol, from_id=found[-1].id + 1), tuple[wire.TradeRow, ...])
            found += rows
            is_whole = len(rows) < PAGE_MOST
            if is_whole:
                break
        nameless = self._nameless(symbol, found)
        return tuple(row for row in found if row.order_id not in nameless), is_whole and not nameless

    def _first_page(self, symbol: str, since_ns: int) -> tuple[tuple[wire.TradeRow, ...], bool] | None:
        """The first that are found, window by window, for the venue looks no further at once; and whether there are no
        others. None for too many windows."""
        begin_ns, now_ns = since_ns, self._access.venue_ns()
        for _window in range(WINDOWS_MOST):
            end_ns = begin_ns + WINDOW_NS - MILLISECOND_NS
            until_ms = None if end_ns >= now_ns else end_ns // MILLISECOND_NS
            call = calls.user_trades(symbol, since_ms=begin_ns // MILLISECOND_NS, until_ms=until_ms)
            rows = self.ask(call, tuple[wire.TradeRow, ...])
            if rows or until_ms is None:
                return rows, until_ms is None and len(rows) < PAGE_MOST
            begin_ns = end_ns
        return None

    def _nameless(self, symbol: str, rows: list[wire.TradeRow]) -> set[int]:
        """Finds the client ids of the orders that executed; gives those that could not be found."""
        unknown = self._unknown(symbol, {row.order_id for row in rows})
        if len(unknown) > 1:
            self.orders(symbol, from_id=min(unknown))
            unknown = self._unknown(symbol, unknown)
        for order_id in sorted(unknown)[:LOOKUPS_MOST]:
            row = self.order(symbol, None, str(order_id))
            if row is not None:
                self._translator.order_head(row)
        return self._unknown(symbol, unknown)

    def _unknown(self, symbol: str, order_ids: set[int]) -> set[int]:
        return {each for each in order_ids if self._translator.known.client_id(symbol, each) is None}

    # --- fundings ---------------------------------------------------------------------------------------------------

    def fundings(self, since_ns: int, symbol: str | None = None) -> tuple[tuple[wire.IncomeRow, ...], bool]:
        """Payments since then, each once, and whether these are all."""
        found: dict[str, wire.IncomeRow] = {}
        since_ms = since_ns // MILLISECOND_NS
        for _page in range(PAGES_MOST):
            rows = self.ask(calls.income(since_ms, symbol), tuple[wire.IncomeRow, ...])
            found |= {str(row.tran_id): row for row in rows if row.income_type == calls.FUNDING}
            if len(rows) < PAGE_MOST:
                return tuple(found.values()), True
            if rows[-1].time <= since_ms:
                break  # more in one millisecond than a page holds
            since_ms = rows[-1].time
        return tuple(found.values()), False
