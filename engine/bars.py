"""Bars from ticks: open, high, low, close and volume of aligned intervals.

Volatile. A tick belongs to the interval in which it was received, not the one the venue's clock shows: `received_ns`
and the time that closes bars are one clock, so what a bar holds never depends on how late a venue's clock is. Recorded
candles say themselves which time they cover, and are folded into longer bars by it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from attrs import define, frozen

from engine.inputs import Candle, Quote, TradeTick
from engine.values import EXACT, ZERO, InstrumentName, divide, plain

BARS_AT_ONCE_LIMIT = 1_000
"""Bars that one call closes; a longer silence is a gap."""

_TWO = Decimal(2)


class BarSource(StrEnum):
    """What the prices of a bar are: trades (or recorded candles of them), or the middle between bid and ask."""

    TRADES = "trades"
    QUOTES = "quotes"


@frozen
class Bar:
    """Prices of one instrument from `start_ns` up to, not including, `end_ns`.

    `trades` counts trades, so it is 0 where quotes or candles are the source. A bar is `complete` where the whole of
    its interval was watched, or covered by candles.
    """

    instrument: InstrumentName
    interval_ns: int
    start_ns: int
    end_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    complete: bool
    source: BarSource = BarSource.TRADES


class BarBuilder:
    """Makes the bars of one instrument, aligned to the epoch; `late` counts ticks that came after their bar closed,
    `gaps` the holes in which bars are missing, the last of which ended at `gap_end_ns`.

    While `is_lost` nothing is seen: the line or the subscription is gone.

    Data of the other source is ignored, so a builder may be fed with everything.
    """

    def __init__(self, instrument: InstrumentName, interval_ns: int, source: BarSource = BarSource.TRADES) -> None:
        if interval_ns < 1:
            raise ValueError(f"an interval of {interval_ns} ns; it must be above zero")
        self.instrument = instrument
        self.interval_ns = interval_ns
        self.source = source
        self.late = 0
        self.gaps = 0
        self.gap_end_ns = 0
        self._by_candles = False
        self.is_lost = False
        self._forming: _Forming | None = None
        self._watched_from_ns: int | None = None

    @property
    def forming(self) -> Bar | None:
        """The bar of the present interval as it stands (before a tick it repeats the last close); None at first."""
        return None if self._forming is None else self._bar(self._forming)

    @property
    def forming_end_ns(self) -> int | None:
        """When time will close the forming bar; None where there is none, or the next candle closes it."""
        return None if self._forming is None or self._by_candles else self._ends_ns(self._forming)

    def add_trade(self, tick: TradeTick) -> tuple[Bar, ...]:
        """Take a trade; the bars that it closed."""
        self._check_instrument(tick.instrument)
        if self.source is not BarSource.TRADES:
            return ()
        return self.add(tick.price, tick.quantity, 1, tick.received_ns)

    def add_quote(self, quote: Quote) -> tuple[Bar, ...]:
        """Take a quote at its middle; the bars that it closed."""
        self._check_instrument(quote.instrument)
        if self.source is not BarSource.QUOTES:
            return ()
        return self.add(middle(quote), ZERO, 0, quote.received_ns)

    def add_candle(self, candle: Candle) -> tuple[Bar, ...] | None:
        """Fold a candle in; the bars that it closed, or None where it does not lie within one of these bars.

        From here on candles close the bars, not time. A hole between candles is no gap: nothing was traded there, or
        the market was closed.
        """
        self._check_instrument(candle.instrument)
        forming, start_ns = self._forming, self._start_ns(candle.start_ns)
        has_other_data = self.source is not BarSource.TRADES or (forming is not None and not self._by_candles)
        if has_other_data or candle.end_ns > start_ns + self.interval_ns:
            return None
        self._by_candles = True
        cut = () if forming is None or forming.start_ns == start_ns else (self._bar(forming),)
        if forming is None or cut:
            forming = _Forming.empty(start_ns, candle.open, complete=False)
        forming.take_candle(candle)
        forming.complete = forming.covered_ns == self.interval_ns
        if candle.end_ns == self._ends_ns(forming):
            self._forming = None
            return (*cut, self._bar(forming))
        self._forming = forming
        return cut

    def close_until(self, now_ns: int) -> tuple[Bar, ...]:
        """Close every bar that has ended by `now_ns`.

        An interval without a tick repeats the last close with volume 0. After `BARS_AT_ONCE_LIMIT` bars the rest up
        to the present interval is a gap, and the bar of that interval is not complete.
        """
        if self._watched_from_ns is None and not self.is_lost:
            self._watched_from_ns = now_ns
        closed: list[Bar] = []
        if self._by_candles:
            return ()
        while self._forming is not None and self._ends_ns(self._forming) <= now_ns:
            closed.append(self._bar(self._forming))
            next_ns = self._ends_ns(self._forming)
            skipped = len(closed) == BARS_AT_ONCE_LIMIT and next_ns < self._start_ns(now_ns)
            start_ns = self._start_ns(now_ns) if skipped else next_ns
            if skipped:
                self.gaps, self.gap_end_ns = self.gaps + 1, start_ns
            is_watched = not skipped and not self.is_lost
            self._forming = _Forming.empty(start_ns, self._forming.close, complete=is_watched)
        return tuple(closed)

    def skip(self, now_ns: int) -> tuple[Bar, ...]:
        """The clock has jumped: what lies between was never watched. The forming bar, not complete, if it ended."""
        if self._by_candles or self._forming is None:
            return ()
        self._forming.complete = False
        if self._ends_ns(self._forming) > now_ns:
            return ()
        cut = self._bar(self._forming)
        self.gaps, self.gap_end_ns = self.gaps + 1, self._start_ns(now_ns)
        self._forming = _Forming.empty(self.gap_end_ns, cut.close, complete=False)
        return (cut,)

    def mark_incomplete(self) -> None:
        """Ticks were lost: the forming bar is not complete. Say it again in each interval that the loss reaches."""
        if self._forming is None:
            self._watched_from_ns = None
        else:
            self._forming.complete = False

    def lose(self) -> None:
        """Nothing is seen until `find`: neither the forming bar nor those that time closes meanwhile are complete."""
        self.is_lost = not self._by_candles
        self.mark_incomplete()

    def find(self) -> None:
        """It is seen again. What was missed is a gap, which ends with the bar that is forming now."""
        if not self.is_lost:
            return
        self.is_lost = False
        if self._forming is not None:
            self._forming.complete = False
            self.gaps, self.gap_end_ns = self.gaps + 1, self._ends_ns(self._forming)

    def add(self, price: Decimal, volume: Decimal, trades: int, at_ns: int) -> tuple[Bar, ...]:
        """Take a price of the source; the bars that it closed."""
        if self._by_candles:
            return ()
        forming = self._forming
        if forming is not None and forming.start_ns <= at_ns < forming.start_ns + self.interval_ns:
            forming.take(price, volume, trades)
            return ()
        closed = self.close_until(at_ns)
        if self._forming is None:
            start_ns = self._start_ns(at_ns)
            watched = self._watched_from_ns is not None and self._watched_from_ns <= start_ns
            self._forming = _Forming.empty(start_ns, price, complete=watched)
        if at_ns < self._forming.start_ns:
            self.late += 1
        else:
            self._forming.take(price, volume, trades)
        return closed

    def _bar(self, forming: _Forming) -> Bar:
        return Bar(
            instrument=self.instrument,
            interval_ns=self.interval_ns,
            start_ns=forming.start_ns,
            end_ns=self._ends_ns(forming),
            open=forming.open,
            high=forming.high,
            low=forming.low,
            close=forming.close,
            volume=plain(forming.volume) if forming.volume else ZERO,
            trades=forming.trades,
            complete=forming.complete,
            source=self.source,
        )

    def _start_ns(self, at_ns: int) -> int:
        return at_ns - at_ns % self.interval_ns

    def _ends_ns(self, forming: _Forming) -> int:
        return forming.start_ns + self.interval_ns

    def _check_instrument(self, instrument: InstrumentName) -> None:
        if instrument != self.instrument:
            raise ValueError(f"the bars of {self.instrument} were given data of {instrument}")


@define
class _Forming:
    """The bar of the present interval; `touched` once a tick has come."""

    start_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    complete: bool
    volume: Decimal = ZERO
    trades: int = 0
    touched: bool = False
    covered_ns: int = 0

    @classmethod
    def empty(cls, start_ns: int, close: Decimal, complete: bool) -> _Forming:
        return cls(start_ns, close, close, close, close, complete)

    def take(self, price: Decimal, volume: Decimal, trades: int) -> None:
        if not self.touched:
            self.open = self.high = self.low = price
            self.touched = True
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        if volume:
            self.volume = EXACT.add(self.volume, volume)
        self.trades += trades

    def take_candle(self, candle: Candle) -> None:
        if not self.touched:
            self.open, self.high, self.low = candle.open, candle.high, candle.low
            self.touched = True
        else:
            self.high = max(self.high, candle.high)
            self.low = min(self.low, candle.low)
        self.close = candle.close
        self.volume = EXACT.add(self.volume, candle.volume)
        self.covered_ns += candle.end_ns - candle.start_ns


def middle(quote: Quote) -> Decimal:
    """The price halfway between bid and ask."""
    return divide(EXACT.add(quote.bid, quote.ask), _TWO)
