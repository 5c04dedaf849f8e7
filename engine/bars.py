"""Bars from ticks: open, high, low, close and volume of aligned intervals.

Volatile. A tick belongs to the interval in which it was received, not the one the venue's clock shows: `received_ns`
and the time that closes bars are one clock, so what a bar holds never depends on how late a venue's clock is.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from attrs import define, frozen

from engine.inputs import Quote, TradeTick
from engine.values import EXACT, ZERO, InstrumentName, divide, plain

BARS_AT_ONCE_LIMIT = 1_000
"""Bars that one call closes; a longer silence is a gap."""

_TWO = Decimal(2)


class BarSource(StrEnum):
    """What the prices of a bar are: trades, or the middle between bid and ask."""

    TRADES = "trades"
    QUOTES = "quotes"


@frozen
class Bar:
    """Prices of one instrument from `start_ns` up to, not including, `end_ns`.

    `trades` counts trades, so it is 0 where quotes are the source. A bar is `complete` where the whole of its
    interval was watched.
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


class BarBuilder:
    """Makes the bars of one instrument, aligned to the epoch; `late` counts ticks that came after their bar closed.

    Data of the other source is ignored, so a builder may be fed with everything.
    """

    def __init__(self, instrument: InstrumentName, interval_ns: int, source: BarSource = BarSource.TRADES) -> None:
        if interval_ns < 1:
            raise ValueError(f"an interval of {interval_ns} ns; it must be above zero")
        self.instrument = instrument
        self.interval_ns = interval_ns
        self.source = source
        self.late = 0
        self._forming: _Forming | None = None
        self._watched_from_ns: int | None = None

    @property
    def forming(self) -> Bar | None:
        """The bar of the present interval as it stands (before a tick it repeats the last close); None at first."""
        return None if self._forming is None else self._bar(self._forming)

    @property
    def forming_end_ns(self) -> int | None:
        """When the forming bar ends."""
        return None if self._forming is None else self._ends_ns(self._forming)

    def add_trade(self, tick: TradeTick) -> tuple[Bar, ...]:
        """Take a trade; the bars that it closed."""
        self._check_instrument(tick.instrument)
        if self.source is not BarSource.TRADES:
            return ()
        return self._add(tick.price, tick.quantity, 1, tick.received_ns)

    def add_quote(self, quote: Quote) -> tuple[Bar, ...]:
        """Take a quote at its middle; the bars that it closed."""
        self._check_instrument(quote.instrument)
        if self.source is not BarSource.QUOTES:
            return ()
        return self._add(divide(EXACT.add(quote.bid, quote.ask), _TWO), ZERO, 0, quote.received_ns)

    def close_until(self, now_ns: int) -> tuple[Bar, ...]:
        """Close every bar that has ended by `now_ns`.

        An interval without a tick repeats the last close with volume 0. After `BARS_AT_ONCE_LIMIT` bars the rest up
        to the present interval is a gap, and the bar of that interval is not complete.
        """
        if self._watched_from_ns is None:
            self._watched_from_ns = now_ns
        closed: list[Bar] = []
        while self._forming is not None and self._ends_ns(self._forming) <= now_ns:
            closed.append(self._bar(self._forming))
            next_ns = self._ends_ns(self._forming)
            skipped = len(closed) == BARS_AT_ONCE_LIMIT and next_ns < self._start_ns(now_ns)
            start_ns = self._start_ns(now_ns) if skipped else next_ns
            self._forming = _Forming.empty(start_ns, self._forming.close, complete=not skipped)
        return tuple(closed)

    def mark_incomplete(self) -> None:
        """Ticks were lost: the forming bar is not complete. Say it again in each interval that the loss reaches."""
        if self._forming is None:
            self._watched_from_ns = None
        else:
            self._forming.complete = False

    def _add(self, price: Decimal, volume: Decimal, trades: int, at_ns: int) -> tuple[Bar, ...]:
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
            volume=plain(forming.volume),
            trades=forming.trades,
            complete=forming.complete,
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

    @classmethod
    def empty(cls, start_ns: int, close: Decimal, complete: bool) -> _Forming:
        return cls(start_ns, close, close, close, close, complete)

    def take(self, price: Decimal, volume: Decimal, trades: int) -> None:
        if not self.touched:
            self.open = self.high = self.low = price
            self.touched = True
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume = EXACT.add(self.volume, volume)
        self.trades += trades
