"""Lists read to their end over REST: executions, orders, and whose they are. What could not be read whole is said."""

from __future__ import annotations

from typing import TypeVar

from attrs import frozen

from adapters.binance import calls, wire
from adapters.binance.access import Access, NoResult
from adapters.binance.calls import PAGE_MOST, Call
from adapters.binance.codes import Verdict
from adapters.binance.translate import Names, Translator
from adapters.budget import Lane
from adapters.rest import HttpLine
from engine.values import MILLISECOND_NS, SECOND_NS, VenueOrderId

DAY_NS = 86_400 * SECOND_NS
WINDOWS_MOST = 100
PAGES_MOST = 50
LOOKUPS_MOST = 50
"""How far back, how many pages, and how many single orders one question may lead to; more is not complete."""

PATIENCE_NS = 5 * SECOND_NS
TRIES = 3

Answer = TypeVar("Answer")


@frozen
class Executions:
    """Executions of a symbol; `is_whole` where all of them were read and all are known by our ids."""

    rows: tuple[wire.TradeRow, ...]
    is_whole: bool


class Unreadable(Exception):
    """A question has no usable answer; `cause` says why. Nothing is concluded from it."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Asker:
    """For one thread; raises `Unreadable` where a question got no usable answer."""

    def __init__(self, access: Access, names: Names, lane: Lane) -> None:
        self._access, self._names, self._lane = access, names, lane
        self._line: HttpLine = access.http_line()

    def ask(self, call: Call, kind: type[Answer]) -> Answer:
        """One answer; asking again changes nothing, so it is asked a few times."""
        found = self.find(call, kind)
        if found is None:
            raise Unreadable("the venue says that it does not exist")
        return found

    def find(self, call: Call, kind: type[Answer]) -> Answer | None:
        """The same, of something that may not be there: None where the venue says so."""
        result = self._access.ask(self._line, call, self._lane, PATIENCE_NS, TRIES)
        if isinstance(result, NoResult):
            raise Unreadable(result.cause)
        if not result.is_good:
            if result.verdict is Verdict.NOT_FOUND:
                return None
            raise Unreadable(result.cause)
        try:
            return wire.decode(result.text, kind)
        except wire.WireError as error:
            self._access.tell(self._names.surprise(result.text))
            raise Unreadable(f"an answer to {call.name} that can't be read: {error}") from None

    def venue_time(self) -> int:
        """What time it is there, in nanoseconds."""
        found = self._access.measure(self._line, self._lane)
        if isinstance(found, NoResult):
            raise Unreadable(found.cause)
        return found


class History(Asker):
    """Spot's orders and executions. For one thread; raises `Unreadable` where a question got no usable answer."""

    def __init__(self, access: Access, translator: Translator, lane: Lane) -> None:
        super().__init__(access, translator, lane)
        self._translator = translator

    def order(self, symbol: str, client_order_id: str | None, venue_order_id: str | None) -> wire.OrderRow | None:
        """One order as it stands; None where the venue does not know it (or not yet)."""
        named = VenueOrderId(venue_order_id) if venue_order_id else None
        return self.find(calls.order_status(symbol, client_order_id, named), wire.OrderRow)

    def open_orders(self, symbol: str | None = None) -> tuple[wire.OrderRow, ...]:
        """All open orders, of one symbol or of all."""
        rows = self.ask(calls.open_orders(symbol), tuple[wire.OrderRow, ...])
        for row in rows:
            self._translator.order_head(row)
        return rows

    def orders_since(self, symbol: str, since_ns: int) -> tuple[tuple[wire.OrderRow, ...], bool]:
        """Orders since then, whatever became of them, and whether these are all."""
        call = calls.all_orders(symbol, since_ms=since_ns // MILLISECOND_NS)
        return self._orders(symbol, call)

    def orders_from(self, symbol: str, order_id: int) -> tuple[tuple[wire.OrderRow, ...], bool]:
        """The same from an order on."""
        return self._orders(symbol, calls.all_orders(symbol, from_id=order_id))

    def _orders(self, symbol: str, call: Call) -> tuple[tuple[wire.OrderRow, ...], bool]:
        found: list[wire.OrderRow] = []
        for _page in range(PAGES_MOST):
            rows = self.ask(call, tuple[wire.OrderRow, ...])
            found += rows
            if len(rows) < PAGE_MOST:
                for row in found:
                    self._translator.order_head(row)
                return tuple(found), True
            call = calls.all_orders(symbol, from_id=rows[-1].order_id + 1)
        return tuple(found), False

    def trades_of(self, symbol: str, order_id: int) -> tuple[wire.TradeRow, ...]:
        """All executions of one order."""
        found: list[wire.TradeRow] = []
        call = calls.my_trades(symbol, order_id=str(order_id))
        for _page in range(PAGES_MOST):
            rows = self.ask(call, tuple[wire.TradeRow, ...])
            found += rows
            if len(rows) < PAGE_MOST:
                return tuple(found)
            call = calls.my_trades(symbol, order_id=str(order_id), from_id=rows[-1].id + 1)
        raise Unreadable("more executions than are read")

    def trades_since(self, symbol: str, since_ns: int) -> Executions:
        """All executions of a symbol since then, each known by our client id where it has one."""
        first = self._first_page(symbol, since_ns)
        if first is None:
            return Executions((), is_whole=False)
        found, is_last = list(first), len(first) < PAGE_MOST
        found, is_last = self._rest(symbol, found, is_last)
        nameless = self._name(symbol, found)
        rows = tuple(row for row in found if row.order_id not in nameless)
        return Executions(rows, is_whole=is_last and not nameless)

    def _first_page(self, symbol: str, since_ns: int) -> tuple[wire.TradeRow, ...] | None:
        """The first that are found, day by day: the venue looks no further at once. None for too many days."""
        begin_ns, now_ns = since_ns, self._access.venue_ns()
        for _day in range(WINDOWS_MOST):
            if begin_ns > now_ns:
                return ()
            end_ns = begin_ns + DAY_NS - MILLISECOND_NS
            is_newest = end_ns >= now_ns
            until_ms = None if is_newest else end_ns // MILLISECOND_NS
            call = calls.my_trades(symbol, since_ms=begin_ns // MILLISECOND_NS, until_ms=until_ms)
            rows = self.ask(call, tuple[wire.TradeRow, ...])
            if rows or is_newest:
                return rows
            begin_ns = end_ns
        return None

    def _rest(self, symbol: str, found: list[wire.TradeRow], is_last: bool) -> tuple[list[wire.TradeRow], bool]:
        """What follows a first page that came from one day: by trade ids, which leave no gap."""
        if not found:
            return found, is_last
        for _page in range(PAGES_MOST):
            rows = self.ask(calls.my_trades(symbol, from_id=found[-1].id + 1), tuple[wire.TradeRow, ...])
            found += rows
            if len(rows) < PAGE_MOST:
                return found, True
        return found, False

    def _name(self, symbol: str, rows: list[wire.TradeRow]) -> set[int]:
        """Finds the client ids of the orders that executed; gives those that could not be found."""
        unknown = {row.order_id for row in rows if self._translator.known.client_id(symbol, row.order_id) is None}
        if len(unknown) > 1:
            self.orders_from(symbol, min(unknown))
            unknown = {order_id for order_id in unknown if not self._translator.known.client_id(symbol, order_id)}
        for order_id in sorted(unknown)[:LOOKUPS_MOST]:
            row = self.order(symbol, None, str(order_id))
            if row is not None:
                self._translator.order_head(row)
        return {order_id for order_id in unknown if not self._translator.known.client_id(symbol, order_id)}
