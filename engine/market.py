"""What the market shows: last quotes and their age, bounded windows, books, bars. Volatile: seen anew after each start.

What can't be is refused with a reason that stays the same, counted, and shown to nobody: neither to a strategy nor to a
limit. The caller journals the refusal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from attrs import Factory, define, evolve

from engine.bars import Bar, BarSource, middle
from engine.book import Book, BookFault, Depth
from engine.data_faults import (
    AHEAD_MOST_NS,
    REORDERED_MOST_NS,
    SAME_INSTANT_NS,
    DataFault,
    Oddity,
    fault_of_candle,
    fault_of_price,
    fault_of_quote,
    fault_of_trade,
)
from engine.inputs import (
    BookDelta,
    BookSnapshot,
    Candle,
    ClockJumped,
    ClockMeasured,
    DataDropped,
    Input,
    MarkPrice,
    Quote,
    StreamLost,
    StreamUp,
    TradeTick,
    VenueConnected,
    VenueDescribed,
    VenueLost,
)
from engine.instrument import Instrument
from engine.series import Frame, Series, newest
from engine.values import DIGITS_MOST, EXACT, ZERO, InstrumentName, VenueName

QUOTES_KEPT = 1_000
"""Last quotes of each instrument."""

TRADES_KEPT = 1_000
"""Last trades of each instrument."""

LEVELS_SHOWN = 20
"""Levels of each side that a strategy may see of a book."""


@define
class Watched:
    """What is seen of one instrument: the windows, the book, and the series over it.

    `quoted_ns` is the exchange time of the last quote that had one of its own.
    """

    venue: VenueName
    tick: Decimal = ZERO
    quotes: deque[Quote] = Factory(lambda: deque(maxlen=QUOTES_KEPT))
    trades: deque[TradeTick] = Factory(lambda: deque(maxlen=TRADES_KEPT))
    series: list[Series] = Factory(list)
    quoted_ns: int = 0
    candle_end_ns: int = 0
    noted: set[Oddity] = Factory(set)

    def is_on_tick(self, price: Decimal) -> bool:
        """True where the price is a whole number of ticks, as far as they are known."""
        if not self.tick or price.adjusted() - self.tick.adjusted() > DIGITS_MOST:
            return True
        return not EXACT.remainder(price, self.tick)


class Market:
    """The newest market data per instrument; fed with every input before it is decided."""

    def __init__(self) -> None:
        self.quotes: dict[InstrumentName, Quote] = {}
        self.last_trades: dict[InstrumentName, TradeTick] = {}
        self.venue_marks: dict[InstrumentName, MarkPrice] = {}
        self.books: dict[InstrumentName, Book] = {}
        self.series: dict[Frame, Series] = {}
        self.clock_offset_ns: dict[VenueName, int] = {}
        self.last_data_ns: dict[VenueName, int] = {}
        self.exchange_ns: dict[InstrumentName, int] = {}
        self._lags_ns: dict[InstrumentName, int] = {}
        self.refused = 0
        self._refusal: tuple[Input, str] | None = None
        self._remark: tuple[Input, str] | None = None
        self._sights: dict[InstrumentName, Watched] = {}
        self._next_bar_ns: int | None = None
        self._has_moved = False

    def watch(self, instrument: Instrument) -> None:
        """From here on data of this instrument is taken."""
        sight = self._sights.setdefault(instrument.name, Watched(instrument.venue))
        if sight.tick != instrument.tick:
            sight.tick = instrument.tick
            sight.noted.discard(Oddity.OFF_TICK)

    def watch_bars(self, instrument: InstrumentName, interval_ns: int, source: BarSource) -> None:
        """From here on bars of this interval are built, of an instrument that is watched."""
        frame = Frame(instrument, interval_ns, source)
        if frame not in self.series:
            self.series[frame] = series = Series(frame)
            self._sights[instrument].series.append(series)

    def observe(self, seen: Input, at_ns: int) -> tuple[Bar, ...]:
        """Take an input; returns the bars that it closed, smaller ones first."""
        self._refusal = self._remark = None
        match seen:
            case Quote():
                return self._observe_quote(seen, at_ns)
            case TradeTick():
                return self._observe_trade(seen, at_ns)
            case BookSnapshot() | BookDelta():
                self._observe_book(seen, at_ns)
            case MarkPrice():
                self._observe_mark(seen, at_ns)
            case Candle():
                return self._observe_candle(seen, at_ns)
            case DataDropped():
                self._mark_incomplete([seen.instrument])
            case StreamLost():
                about = [name for name in self._of_venue(seen.venue) if seen.instrument in (None, name)]
                self._lose(about)
                self._drop_books(about)
            case StreamUp():
                self._find(name for name in self._of_venue(seen.venue) if seen.instrument in (None, name))
            case VenueLost():
                self._lose(self._of_venue(seen.venue))
            case VenueConnected():
                self._find(self._of_venue(seen.venue))
            case ClockJumped():
                self._lags_ns = {name: lag_ns + seen.jump_ns for name, lag_ns in self._lags_ns.items()}
                return self._keep([(s, bar) for s in self.series.values() for bar in s.builder.skip(at_ns)])
            case VenueDescribed():
                for instrument in seen.description.instruments:
                    if instrument.name in self._sights:
                        self.watch(instrument)
            case ClockMeasured():
                self.clock_offset_ns[seen.venue] = seen.offset_ns
        return ()

    def was_refused(self, seen: Input) -> bool:
        """Was this the last input, and one that can't be acted on?"""
        return self.refusal(seen) is not None

    def refusal(self, seen: Input) -> str | None:
        """Why this input, if it was the last one, can't be acted on; None where it was taken."""
        return self._refusal[1] if self._refusal is not None and self._refusal[0] is seen else None

    def remark(self, seen: Input) -> str | None:
        """What is odd about this input, if it was the last one, although it was taken; each oddity is said once."""
        return self._remark[1] if self._remark is not None and self._remark[0] is seen else None

    def close_bars(self, now_ns: int) -> tuple[Bar, ...]:
        """The bars that have ended by now."""
        closed = [(series, bar) for series in self.series.values() for bar in series.builder.close_until(now_ns)]
        return self._keep(closed)

    def next_bar_ns(self) -> int | None:
        """When the next forming bar ends."""
        if self._has_moved:
            ends = [series.builder.forming_end_ns for series in self.series.values()]
            self._next_bar_ns = min((end_ns for end_ns in ends if end_ns is not None), default=None)
            self._has_moved = False
        return self._next_bar_ns

    def newest_quotes(self, instrument: InstrumentName, n: int) -> tuple[Quote, ...]:
        """The last `n` quotes that were taken, oldest first; at most `QUOTES_KEPT`."""
        sight = self._sights.get(instrument)
        return newest(sight.quotes, n) if sight else ()

    def newest_trades(self, instrument: InstrumentName, n: int) -> tuple[TradeTick, ...]:
        """The last `n` public trades, oldest first; at most `TRADES_KEPT`."""
        sight = self._sights.get(instrument)
        return newest(sight.trades, n) if sight else ()

    def depth(self, instrument: InstrumentName, levels: int = LEVELS_SHOWN) -> Depth | None:
        """The best levels of the book, at most `LEVELS_SHOWN`; None where there is no book that can be trusted."""
        book = self.books.get(instrument)
        if book is None or book.last_update is None:
            return None
        levels = min(levels, LEVELS_SHOWN)
        return Depth(instrument, book.bids(levels), book.asks(levels), book.last_update, book.received_ns)

    def quote_age_ns(self, instrument: InstrumentName, now_ns: int) -> int | None:
        """Now minus the quote's exchange time, in our clock (the measured offset of the venue's is taken out); by our
        own receive time where the venue sends none. None where there is no quote. Never below zero: a time ahead
        of ours says only how wrong the clocks are."""
        quote = self.quotes.get(instrument)
        if quote is None:
            return None
        if quote.exchange_ns is None:
            return max(now_ns - quote.received_ns, 0)
        offset = self.clock_offset_ns.get(self._sights[instrument].venue, 0)
        return max(now_ns - (quote.exchange_ns - offset), 0)

    def mark(self, instrument: InstrumentName) -> Decimal | None:
        """The middle of the last quote."""
        quote = self.quotes.get(instrument)
        return None if quote is None else middle(quote)

    # --- what comes in

    def _observe_quote(self, quote: Quote, at_ns: int) -> tuple[Bar, ...]:
        name = quote.instrument
        sight = self._sights.get(name)
        if sight is None:
            return self._refuse(quote, DataFault.NOT_WATCHED)
        fault = fault_of_quote(quote) or self._misdated(quote, sight, at_ns)
        if fault is not None:
            return self._refuse(quote, fault)
        self._witness(sight, quote, at_ns)
        if not (sight.is_on_tick(quote.bid) and sight.is_on_tick(quote.ask)):
            self._note(sight, quote, Oddity.OFF_TICK)
        if quote.exchange_ns is None and name in self._lags_ns:
            quote = evolve(quote, exchange_ns=quote.received_ns - self._lags_ns[name])
        self.quotes[name] = quote
        sight.quotes.append(quote)
        return self._build(sight, BarSource.QUOTES, middle(quote), ZERO, 0, quote.received_ns) if sight.series else ()

    def _observe_trade(self, tick: TradeTick, at_ns: int) -> tuple[Bar, ...]:
        sight = self._sights.get(tick.instrument)
        if sight is None:
            return self._refuse(tick, DataFault.NOT_WATCHED)
        fault = fault_of_trade(tick) or self._from_the_future(tick, sight, at_ns)
        if fault is not None:
            return self._refuse(tick, fault)
        self._witness(sight, tick, at_ns)
        self.last_trades[tick.instrument] = tick
        sight.trades.append(tick)
        return self._build(sight, BarSource.TRADES, tick.price, tick.quantity, 1, tick.received_ns)

    def _observe_book(self, seen: BookSnapshot | BookDelta, at_ns: int) -> None:
        sight = self._sights.get(seen.instrument)
        if sight is None:
            self._refuse(seen, DataFault.NOT_WATCHED)
            return
        self._witness(sight, seen, at_ns)
        book = self.books.setdefault(seen.instrument, Book(seen.instrument))
        try:
            book.load(seen) if isinstance(seen, BookSnapshot) else book.change(seen)
        except BookFault:
            self._refuse(seen, DataFault.BROKEN_BOOK)  # quotes go on

    def _observe_mark(self, told: MarkPrice, at_ns: int) -> None:
        sight = self._sights.get(told.instrument)
        if sight is None:
            self._refuse(told, DataFault.NOT_WATCHED)
            return
        fault = fault_of_price(told.price) or self._from_the_future(told, sight, at_ns)
        if fault is not None:
            self._refuse(told, fault)
            return
        self._witness(sight, told, at_ns)
        self.venue_marks[told.instrument] = told

    def _observe_candle(self, candle: Candle, at_ns: int) -> tuple[Bar, ...]:
        sight = self._sights.get(candle.instrument)
        if sight is None:
            return self._refuse(candle, DataFault.NOT_WATCHED)
        fault = fault_of_candle(candle, sight.candle_end_ns)
        if fault is not None:
            return self._refuse(candle, fault)
        self.last_data_ns[sight.venue] = at_ns
        sight.candle_end_ns = candle.end_ns
        closed: list[tuple[Series, Bar]] = []
        is_taken = all(series.frame.source is not BarSource.TRADES for series in sight.series)
        for series in sight.series:
            bars = series.builder.add_candle(candle)
            if bars is not None:
                is_taken = True
                closed += [(series, bar) for bar in bars]
        return self._keep(closed) if is_taken else self._refuse(candle, DataFault.NO_BAR_FITS)

    def _build(
        self, sight: Watched, source: BarSource, price: Decimal, volume: Decimal, trades: int, at_ns: int
    ) -> tuple[Bar, ...]:
        closed: list[tuple[Series, Bar]] = []
        for series in sight.series:
            if series.frame.source is not source:
                continue
            builder = series.builder
            begins = builder.forming_end_ns is None
            bars = builder.add(price, volume, trades, at_ns)
            self._has_moved = self._has_moved or begins
            if bars:
                closed += [(series, bar) for bar in bars]
        return self._keep(closed) if closed else ()

    def _keep(self, closed: list[tuple[Series, Bar]]) -> tuple[Bar, ...]:
        """In order of their ends, of two that end together the smaller first: a 5m bar follows its fifth 1m bar."""
        if not closed:
            return ()
        self._has_moved = True
        if len(closed) > 1:
            closed.sort(key=lambda found: (found[1].end_ns, found[1].interval_ns))
        for series, bar in closed:
            series.close(bar)
        return tuple(bar for _series, bar in closed)

    def _of_venue(self, venue: VenueName) -> list[InstrumentName]:
        return [name for name, sight in self._sights.items() if sight.venue == venue]

    def _lose(self, instruments: Iterable[InstrumentName]) -> None:
        """What is missed from here on is not known: bars are not complete until it is seen again."""
        for name in instruments:
            for series in self._sights[name].series:
                series.builder.lose()

    def _find(self, instruments: Iterable[InstrumentName]) -> None:
        for name in instruments:
            for series in self._sights[name].series:
                series.builder.find()

    def _drop_books(self, instruments: Iterable[InstrumentName]) -> None:
        """A book that missed a change is none until its next snapshot."""
        for name in instruments:
            self.books.pop(name, None)

    def _mark_incomplete(self, instruments: Iterable[InstrumentName]) -> None:
        for name in instruments:
            for series in self._sights[name].series if name in self._sights else ():
                series.builder.mark_incomplete()

    def _refuse(self, seen: Input, fault: DataFault) -> tuple[Bar, ...]:
        self.refused += 1
        self._refusal = (seen, fault)
        return ()

    def _note(self, sight: Watched, seen: Input, oddity: Oddity) -> None:
        if oddity not in sight.noted:
            sight.noted.add(oddity)
            self._remark = (seen, oddity)

    def _misdated(self, quote: Quote, sight: Watched, at_ns: int) -> DataFault | None:
        """Is it older than the last quote, or from the future? Times that went back further than messages are reordered
        are the venue's new ones: how old they are is for the limits to say."""
        if quote.exchange_ns is None:
            return None
        if quote.exchange_ns >= sight.quoted_ns - SAME_INSTANT_NS:
            fault = self._from_the_future(quote, sight, at_ns)
            sight.quoted_ns = sight.quoted_ns if fault else max(quote.exchange_ns, sight.quoted_ns)
            return fault
        if sight.quoted_ns - quote.exchange_ns < REORDERED_MOST_NS:
            return DataFault.OUT_OF_ORDER
        sight.quoted_ns = quote.exchange_ns
        self._date(quote.instrument, quote.exchange_ns, quote.received_ns)
        sight.noted.discard(Oddity.WENT_BACK)
        self._note(sight, quote, Oddity.WENT_BACK)
        return None

    def _from_the_future(self, seen: Quote | TradeTick | MarkPrice, sight: Watched, at_ns: int) -> DataFault | None:
        """Such a time would make everything that comes later look old, and itself fresh for ever."""
        if seen.exchange_ns is None:
            return None
        ahead_ns = seen.exchange_ns - self.clock_offset_ns.get(sight.venue, 0) - at_ns
        return DataFault.FROM_THE_FUTURE if ahead_ns > AHEAD_MOST_NS else None

    def _witness(
        self, sight: Watched, seen: Quote | TradeTick | MarkPrice | BookSnapshot | BookDelta, at_ns: int
    ) -> None:
        """Remember the newest exchange time of an instrument, and how late it came."""
        self.last_data_ns[sight.venue] = at_ns
        if seen.exchange_ns is not None and seen.exchange_ns > self.exchange_ns.get(seen.instrument, 0):
            self._date(seen.instrument, seen.exchange_ns, seen.received_ns)

    def _date(self, instrument: InstrumentName, exchange_ns: int, received_ns: int) -> None:
        """A quote without a time of its own is as late as what was dated last: it may come when nothing else does."""
        self.exchange_ns[instrument], self._lags_ns[instrument] = exchange_ns, received_ns - exchange_ns
