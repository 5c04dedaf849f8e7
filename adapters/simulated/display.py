"""What the exchange displays of one symbol while a tape of it is played."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import frozen

from adapters.simulated.listing import Terms
from adapters.simulated.market import Print, Swing
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
    has_swung: bool = False


@frozen
class BarOpened:
    """A bar of the tape begins: its first price is known, and nothing else of it."""

    candle: Candle


@frozen
class BarSwung:
    """The middle of a bar's time: by now it has been at its low and its high."""

    candle: Candle


class Display:
    """Best bid and ask come from quotes, else from the book, else they are made.

    From a tape of trades alone, or of candles, quotes are made around the price: the listing's `spread` apart, the
    trade's price on the side that was taken, with its `displayed` quantity on both sides. Candles that are all there is
    show their open when they begin and their close when they end, and resting orders meet their low and high in
    between. Beside other data a candle stands for two trades at its end, at its low and its high, of half its volume
    each.
    """

    def __init__(self, terms: Terms, records: Iterable[MarketData]) -> None:
        """`records` are the tape's first ones: what kinds of data it has."""
        self._terms, self._symbol = terms, terms.instrument.symbol
        kinds = {type(record) for record in records}
        self._has_quotes = Quote in kinds
        self._has_books = bool(kinds & {BookSnapshot, BookDelta})
        self.has_bars_only = kinds == {Candle}
        self._book = Book(terms.instrument.name)
        self._quote: Quote | None = None
        self._swung: Candle | None = None
        self.version = 0

    def take(self, record: MarketData | BarOpened | BarSwung) -> Seen:
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
            case BarOpened():
                start_ns = record.candle.start_ns
                return self._show(self._around(start_ns, record.candle.open, None, start_ns), ())
            case BarSwung():
                self._swung = record.candle
                return Seen(has_swung=True)

    def levels(self, side: Side) -> tuple[Level, ...]:
        """Best first: the best from the quote, with the book's depth behind it."""
        depth = self._book.bids(DEPTH) if side is Side.BUY else self._book.asks(DEPTH)
        quote = self._quote
        if quote is None:
            return depth
        best = (quote.bid, quote.bid_quantity) if side is Side.BUY else (quote.ask, quote.ask_quantity)
        behind = [level for level in depth if (best[0] - level[0]) * side.sign > ZERO]
        return tuple(level for level in (best, *behind) if level[1] > ZERO)

    def swing(self) -> Swing:
        """The low and high of the bar that swung last."""
        candle = self._swung
        assert candle is not None, "a bar swings before it is asked for"
        half = self._terms.instrument.round_quantity(candle.volume / 2)
        low, high = (self._around(candle.end_ns, price, None, None) for price in (candle.low, candle.high))
        return Swing(low, high, (Print(self._symbol, candle.low, half), Print(self._symbol, candle.high, half)))

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
        prints = (Print(self._symbol, trade.price, trade.quantity, is_trade=True, aggressor=trade.aggressor),)
        if self._has_quotes or self._has_books:
            return Seen((trade,), prints)
        return self._show(
            self._around(trade.received_ns, trade.price, trade.aggressor, trade.exchange_ns), (trade,), prints
        )

    def _candle(self, candle: Candle) -> Seen:
        if self.has_bars_only:  # its low and high were met by resting orders while it formed
            return self._show(self._around(candle.received_ns, candle.close, None, candle.end_ns), (candle,))
        if self._has_quotes or self._has_books:
            return Seen((candle,), self._ends(candle))
        return self._show(
            self._around(candle.received_ns, candle.close, None, candle.end_ns), (candle,), self._ends(candle)
        )

    def _ends(self, candle: Candle) -> tuple[Print, ...]:
        half = self._terms.instrument.round_quantity(candle.volume / 2)
        return tuple(Print(self._symbol, price, half) for price in (candle.low, candle.high) if half > ZERO)

    def _around(self, at_ns: int, price: Decimal, aggressor: Side | None, exchange_ns: int | None) -> Quote:
        terms = self._terms
        instrument, size, spread = terms.instrument, terms.displayed, terms.spread
        if aggressor is Side.BUY:
            ask = instrument.round_price(price, Side.SELL)
            bid = ask - spread
        else:
            beside = ZERO if aggressor is Side.SELL else (spread - instrument.tick) / 2
            bid = instrument.round_price(price - beside, Side.BUY)
            ask = bid + spread
        return Quote(instrument.name, bid, size, ask, size, at_ns, exchange_ns)

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
