"""What the market shows: last quotes and their age, bars. Volatile: it is seen anew after each start."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from attrs import evolve

from engine.bars import Bar, BarBuilder, BarSource
from engine.book import Book, BookFault
from engine.inputs import (
    BookDelta,
    BookSnapshot,
    ClockMeasured,
    DataDropped,
    Input,
    MarkPrice,
    Quote,
    TradeTick,
    VenueLost,
)
from engine.instrument import Instrument
from engine.values import EXACT, InstrumentName, VenueName, divide

BARS_KEPT = 500
_TWO = Decimal(2)


class Market:
    """The newest market data per instrument; fed with every input before it is decided."""

    def __init__(self) -> None:
        self.quotes: dict[InstrumentName, Quote] = {}
        self.last_trades: dict[InstrumentName, TradeTick] = {}
        self.venue_marks: dict[InstrumentName, MarkPrice] = {}
        self.books: dict[InstrumentName, Book] = {}
        self.bars: dict[tuple[InstrumentName, int], deque[Bar]] = {}
        self.clock_offset_ns: dict[VenueName, int] = {}
        self.last_data_ns: dict[VenueName, int] = {}
        self.exchange_ns: dict[InstrumentName, int] = {}
        self.refused = 0
        self._last_refused: Input | None = None
        self._venue_of: dict[InstrumentName, VenueName] = {}
        self._builders: dict[tuple[InstrumentName, int], BarBuilder] = {}

    def watch(self, instrument: Instrument) -> None:
        """From here on data of this instrument is taken."""
        self._venue_of[instrument.name] = instrument.venue

    def watch_bars(self, instrument: InstrumentName, interval_ns: int, source: BarSource) -> None:
        """From here on bars of this interval are built."""
        key = (instrument, interval_ns)
        self._builders.setdefault(key, BarBuilder(instrument, interval_ns, source))
        self.bars.setdefault(key, deque(maxlen=BARS_KEPT))

    def observe(self, seen: Input, at_ns: int) -> tuple[Bar, ...]:
        """Take an input; returns the bars that it closed."""
        match seen:
            case Quote():
                return self._observe_quote(seen, at_ns)
            case TradeTick():
                return self._observe_trade(seen, at_ns)
            case BookSnapshot() | BookDelta():
                self._observe_book(seen, at_ns)
            case MarkPrice():
                self._observe_mark(seen, at_ns)
            case DataDropped():
                self._mark_incomplete(seen.instrument)
            case VenueLost():
                for instrument in [name for name, venue in self._venue_of.items() if venue == seen.venue]:
                    self._mark_incomplete(instrument)
            case ClockMeasured():
                self.clock_offset_ns[seen.venue] = seen.offset_ns
        return ()

    def was_refused(self, seen: Input) -> bool:
        """Was this the last input, and one that can't be acted on?"""
        return self._last_refused is seen

    def close_bars(self, now_ns: int) -> tuple[Bar, ...]:
        """The bars that have ended by now."""
        return self._keep(tuple(bar for b in self._builders.values() for bar in b.close_until(now_ns)))

    def next_bar_ns(self) -> int | None:
        """When the next forming bar ends."""
        ends = [b.forming_end_ns for b in self._builders.values()]
        return min((end_ns for end_ns in ends if end_ns is not None), default=None)

    def quote_age_ns(self, instrument: InstrumentName, now_ns: int) -> int | None:
        """Now minus the quote's exchange time, in our clock (the measured offset of the venue's is taken out); by our
        own receive time where the venue sends none. None where there is no quote. Never below zero: a time ahead
        of ours says only how wrong the clocks are."""
        quote = self.quotes.get(instrument)
        if quote is None:
            return None
        if quote.exchange_ns is None:
            return max(now_ns - quote.received_ns, 0)
        offset = self.clock_offset_ns.get(self._venue_of[instrument], 0)
        return max(now_ns - (quote.exchange_ns - offset), 0)

    def mark(self, instrument: InstrumentName) -> Decimal | None:
        """The middle of the last quote."""
        quote = self.quotes.get(instrument)
        return None if quote is None else divide(EXACT.add(quote.bid, quote.ask), _TWO)

    def _observe_quote(self, quote: Quote, at_ns: int) -> tuple[Bar, ...]:
        if quote.instrument not in self._venue_of or not _is_sane(quote):
            return self._refuse(quote)
        self._witness(quote.instrument, quote.exchange_ns, at_ns)
        if quote.exchange_ns is None and quote.instrument in self.exchange_ns:
            quote = evolve(quote, exchange_ns=self.exchange_ns[quote.instrument])
        self.quotes[quote.instrument] = quote
        found = [b.add_quote(quote) for (name, _), b in self._builders.items() if name == quote.instrument]
        return self._keep(tuple(bar for bars in found for bar in bars))

    def _observe_trade(self, tick: TradeTick, at_ns: int) -> tuple[Bar, ...]:
        if tick.instrument not in self._venue_of or not (tick.price > 0 and tick.quantity > 0):
            return self._refuse(tick)
        self._witness(tick.instrument, tick.exchange_ns, at_ns)
        self.last_trades[tick.instrument] = tick
        found = [b.add_trade(tick) for (name, _), b in self._builders.items() if name == tick.instrument]
        return self._keep(tuple(bar for bars in found for bar in bars))

    def _observe_book(self, seen: BookSnapshot | BookDelta, at_ns: int) -> None:
        if seen.instrument not in self._venue_of:
            self._refuse(seen)
            return
        self._witness(seen.instrument, seen.exchange_ns, at_ns)
        book = self.books.setdefault(seen.instrument, Book(seen.instrument))
        try:
            book.load(seen) if isinstance(seen, BookSnapshot) else book.change(seen)
        except BookFault:
            self._refuse(seen)  # the book is empty until the next snapshot; quotes go on

    def _observe_mark(self, told: MarkPrice, at_ns: int) -> None:
        if told.instrument not in self._venue_of or not told.price > 0:
            self._refuse(told)
            return
        self._witness(told.instrument, told.exchange_ns, at_ns)
        self.venue_marks[told.instrument] = told

    def _mark_incomplete(self, instrument: InstrumentName) -> None:
        for (name, _), builder in self._builders.items():
            if name == instrument:
                builder.mark_incomplete()

    def _refuse(self, seen: Input) -> tuple[Bar, ...]:
        self.refused += 1
        self._last_refused = seen
        return ()

    def _witness(self, instrument: InstrumentName, exchange_ns: int | None, at_ns: int) -> None:
        """Remember the newest exchange time of an instrument: it dates quotes that carry none of their own."""
        self.last_data_ns[self._venue_of[instrument]] = at_ns
        if exchange_ns is not None and exchange_ns > self.exchange_ns.get(instrument, 0):
            self.exchange_ns[instrument] = exchange_ns

    def _keep(self, bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
        for bar in bars:
            self.bars[(bar.instrument, bar.interval_ns)].append(bar)
        return bars


def _is_sane(quote: Quote) -> bool:
    """A crossed, zero or negative quote is never acted on; a locked one (bid = ask) happens."""
    return 0 < quote.bid <= quote.ask and quote.bid_quantity >= 0 and quote.ask_quantity >= 0
