"""What the exchange displays of one symbol while a tape of it is played."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import frozen

from adapters.simulated.listing import Terms
from adapters.simulated.market import Print
from adapters.simulated.wire import MarketFrame, Notice
from engine.book import Book, BookFault
from engine.inputs import BookDelta, BookSnapshot, Candle, Level, MarketData, Quote, TradeTick
from engine.values import ZERO, Side

DEPTH = 20
_EVERYTHING = 1 << 30


@frozen
class Seen:
    """What one record leads to, still at the record's own times."""

    frames: tuple[MarketFrame | Notice, ...] = ()
    prints: tuple[Print, ...] = ()
    is_changed: bool = False


class Display:
    """Best bid and ask come from quotes, else from the book, else they are made.

    From a tape of trades alone, or of candles, quotes are made around the price (the close): one tick apart, the
    trade's price on the side that was taken, with the listing's `displayed` quantity on both sides. A candle also
    stands for two trades, at its low and at its high, of half its volume each.
    """

    def __init__(self, terms: Terms, records: Iterable[MarketData]) -> None:
        """`records` are the tape's first ones: what kinds of data it has."""
        self._terms, self._symbol = terms, terms.instrument.symbol
        kinds = {type(record) for record in records}
        self._has_quotes = Quote in kinds
        self._has_books = bool(kinds & {BookSnapshot, BookDelta})
        self._book = Book(terms.instrument.name)
        self._quote: Quote | None = None
        self.version = 0

    def take(self, record: MarketData) -> Seen:
        """The next record is played."""
        match record:
            case Quote():
                return self._show(record, ())
            case TradeTick():
                return self._trade(record)
            case BookSnapshot() | BookDelta():
                return self._change_book(record)
            case Candle():
                return self._candle(record)

    def levels(self, side: Side) -> tuple[Level, ...]:
        """Best first: the best from the quote, with the book's depth behind it."""
        depth = self._book.bids(DEPTH) if side is Side.BUY else self._book.asks(DEPTH)
        quote = self._quote
        if quote is None:
            return depth
        best = (quote.bid, quote.bid_quantity) if side is Side.BUY else (quote.ask, quote.ask_quantity)
        behind = [level for level in depth if (best[0] - level[0]) * side.sign > ZERO]
        return tuple(level for level in (best, *behind) if level[1] > ZERO)

    def book(self, at_ns: int) -> BookSnapshot | None:
        """The whole book, where there is one, as of this instant."""
        if self._book.last_update is None:
            return None
        bids, asks = self._book.bids(_EVERYTHING), self._book.asks(_EVERYTHING)
        return BookSnapshot(self._terms.instrument.name, bids, asks, self._book.last_update, at_ns, at_ns)

    def _show(self, quote: Quote, before: tuple[MarketFrame | Notice, ...], prints: tuple[Print, ...] = ()) -> Seen:
        self._quote = quote
        self.version += 1
        return Seen((*before, quote), prints, True)

    def _trade(self, trade: TradeTick) -> Seen:
        prints = (Print(self._symbol, trade.price, trade.quantity),)
        if self._has_quotes or self._has_books:
            return Seen((trade,), prints)
        return self._show(self._around(trade, trade.price, trade.aggressor, trade.exchange_ns), (trade,), prints)

    def _candle(self, candle: Candle) -> Seen:
        half = self._terms.instrument.round_quantity(candle.volume / 2)
        prints = tuple(Print(self._symbol, price, half) for price in (candle.low, candle.high) if half > ZERO)
        return self._show(self._around(candle, candle.close, None, candle.end_ns), (), prints)

    def _around(self, record: MarketData, price: Decimal, aggressor: Side | None, exchange_ns: int | None) -> Quote:
        instrument, size = self._terms.instrument, self._terms.displayed
        if aggressor is Side.BUY:
            ask = instrument.round_price(price, Side.SELL)
            bid = ask - instrument.tick
        else:
            bid = instrument.round_price(price, Side.BUY)
            ask = bid + instrument.tick
        return Quote(instrument.name, bid, size, ask, size, record.received_ns, exchange_ns)

    def _change_book(self, record: BookSnapshot | BookDelta) -> Seen:
        try:
            if isinstance(record, BookSnapshot):
                self._book.load(record)
            else:
                self._book.change(record)
        except BookFault as fault:
            self.version += 1
            return Seen((record, Notice(str(fault))), (), True)
        self.version += 1
        best = self._book.best()
        if self._has_quotes or best is None:
            return Seen((record,), (), True)
        quote = Quote(record.instrument, *best, record.received_ns, record.exchange_ns)
        return self._show(quote, (record,)) if self._differs(quote) else Seen((record,), (), True)

    def _differs(self, quote: Quote) -> bool:
        was = self._quote
        return was is None or (was.bid, was.bid_quantity, was.ask, was.ask_quantity) != (
            quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity,
        )  # fmt: skip
