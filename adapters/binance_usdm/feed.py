"""The market streams of one route: as Spot's, but raw frames that name their event and symbol themselves."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from adapters.binance.access import Access
from adapters.binance.feed import Feed as SpotFeed
from adapters.binance.feed import Stream
from adapters.binance.translate import Names
from adapters.binance.wire import Combined, decode
from adapters.binance_usdm import wire
from engine import inputs
from engine.inputs import BookDelta, MarkPrice, Quote, TradeTick
from engine.values import MILLISECOND_NS, InstrumentName, Side, plain

NAMES = {"quotes": "bookTicker", "depth": "depth@100ms", "trades": "aggTrade", "marks": "markPrice@1s"}
"""How each kind of market data is called in the name of its stream."""

KINDS = {"bookTicker": "quotes", "depthUpdate": "depth", "aggTrade": "trades", "markPriceUpdate": "marks"}
"""Which kind an event is."""

SHUTDOWN = "serverShutdown"


class Feed(SpotFeed):
    """`route` is the part of the stream's address: public for books and quotes, market for what follows from trades."""

    def __init__(
        self, access: Access, names: Names, fetch: Callable[[str, int], None], route: str, kinds: tuple[str, ...]
    ) -> None:
        super().__init__(access, names, fetch, kinds)
        self._route = route

    @property
    def url(self) -> str:
        """All streams of a route share a connection."""
        return f"{self._access.options.urls.stream}/{self._route}/ws"

    def stream_name(self, symbol: str, kind: str) -> str:
        """As the venue names it."""
        return f"{symbol.lower()}@{NAMES[kind]}"

    def unwrap(self, text: str) -> Combined:
        """The frame as if it came on a combined stream; raises `WireError`."""
        head = decode(text, wire.Head)
        if head.e == SHUTDOWN:
            return Combined(f"!{SHUTDOWN}", Raw(text.encode()))
        if head.e in KINDS and head.s is not None:
            return Combined(self.stream_name(head.s, KINDS[head.e]), Raw(text.encode()))
        return Combined(id=head.id, code=head.code, error=head.error)

    def understand(self, stream: Stream, data: Raw, now_ns: int) -> None:
        """What came on a stream."""
        match stream.kind:
            case "quotes":
                row = decode(data, wire.BookTicker)
                self.quote(stream, row.update, quote(stream.instrument, row, now_ns))
            case "trades":
                trade = decode(data, wire.AggregateTrade)
                self.trade(stream, trade.trade_id, tick(stream.instrument, trade, now_ns))
            case "marks":
                self._access.tell(mark(stream.instrument, decode(data, wire.Mark), now_ns))
            case _:
                self.change(stream, delta(stream.instrument, decode(data, wire.DepthUpdate), now_ns))


def quote(name: InstrumentName, row: wire.BookTicker, received_ns: int) -> Quote:
    """Best bid and ask."""
    at_ns = None if row.at_ms is None else row.at_ms * MILLISECOND_NS
    return inputs.Quote(
        name, plain(row.bid), plain(row.bid_quantity), plain(row.ask), plain(row.ask_quantity), received_ns, at_ns
    )


def tick(name: InstrumentName, row: wire.AggregateTrade, received_ns: int) -> TradeTick:
    """What one order took at one price; whose order rested says who took."""
    aggressor = Side.SELL if row.buyer_is_maker else Side.BUY
    return TradeTick(name, plain(row.price), plain(row.quantity), received_ns, row.at_ms * MILLISECOND_NS, aggressor)


def mark(name: InstrumentName, row: wire.Mark, received_ns: int) -> MarkPrice:
    """What positions are valued at."""
    return MarkPrice(name, plain(row.price), received_ns, row.event_ms * MILLISECOND_NS)


def delta(name: InstrumentName, row: wire.DepthUpdate, received_ns: int) -> BookDelta:
    """Changed levels. Update ids leave gaps here, so an event follows on the one that it names (`pu`), and is told as
    if it began right behind it: the same test for a gap then holds, and the same for where a snapshot lies."""
    return BookDelta(
        name, row.bids, row.asks, row.previous + 1, row.last_update, received_ns, row.event_ms * MILLISECOND_NS
    )
