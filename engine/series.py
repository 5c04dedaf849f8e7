"""A series: the closed bars of one instrument and time frame, and the indicators over them. Volatile, and shared.

Whoever asks for the same instrument, time frame and indicator gets the same object: it is computed once. What is kept
is bounded: `BARS_KEPT` bars and `INDICATORS_KEPT` indicators in each series.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, TypeVar

from engine.bars import Bar, BarBuilder, BarSource
from engine.indicators import Gauge, Indicator, Value
from engine.values import InstrumentName

Kept = TypeVar("Kept")

BARS_KEPT = 500
"""Closed bars of each series."""

INDICATORS_KEPT = 64
"""Different indicators of each series."""


class Frame(NamedTuple):
    """Which bars: of an instrument, so long, made of trades or of quotes."""

    instrument: InstrumentName
    interval_ns: int
    source: BarSource = BarSource.TRADES


class Series:
    """Bars as they close, the one that is forming, and indicators.

    An indicator that is asked for the first time is fed with the bars that are kept, as if it had been there before.
    After missing bars, and after a time in which nothing was seen, all indicators begin anew: an average over a hole is
    the average of something else.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.builder = BarBuilder(frame.instrument, frame.interval_ns, frame.source)
        self.bars: deque[Bar] = deque(maxlen=BARS_KEPT)
        self.complete_bars = 0
        self._gauges: dict[Indicator, Gauge] = {}
        self._gaps = 0
        self._unbroken = 0

    def close(self, bar: Bar) -> None:
        """Take a bar that has closed."""
        if self.builder.gaps != self._gaps and bar.start_ns >= self.builder.gap_end_ns:
            self._gaps = self.builder.gaps
            self._unbroken = self.complete_bars = 0
            self._gauges = {indicator: indicator.begin() for indicator in self._gauges}
        self.bars.append(bar)
        self._unbroken += 1
        self.complete_bars = self.complete_bars + 1 if bar.complete else 0
        for gauge in self._gauges.values():
            gauge.add(bar)

    def indicator(self, indicator: Indicator, *, require_complete: bool = False) -> Value | None:
        """The present value, or None until it is warm, and from a hole in what was seen until it is warm again; with
        `require_complete` also None until `warm_up` bars in a row were complete. Raises `ValueError` beyond
        `INDICATORS_KEPT` different ones."""
        gauge = self._gauges.get(indicator)
        if gauge is None:
            gauge = self._begin(indicator)
        if self.builder.is_lost or self.builder.gaps != self._gaps:
            return None
        if require_complete and self.complete_bars < indicator.warm_up:
            return None
        return gauge.value

    def _begin(self, indicator: Indicator) -> Gauge:
        if len(self._gauges) >= INDICATORS_KEPT:
            raise ValueError(f"{self.frame.instrument} has {INDICATORS_KEPT} indicators; no more are kept")
        gauge = self._gauges[indicator] = indicator.begin()
        past = list(self.bars)
        for bar in past[max(len(past) - self._unbroken, 0) :]:
            gauge.add(bar)
        return gauge


def newest(kept: deque[Kept], n: int) -> tuple[Kept, ...]:
    """The last `n` of what is kept, oldest first."""
    return tuple(kept[place] for place in range(max(len(kept) - n, 0), len(kept)))
