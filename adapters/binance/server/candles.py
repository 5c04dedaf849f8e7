"""Candles of any interval, joined from the minutes and seconds that are remembered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from attrs import evolve

from adapters.binance.server.recorder import CANDLES_MOST, MINUTE_NS, Bar, Tape, new_bar
from engine.values import SECOND_NS

FILLED_MOST = 2 * CANDLES_MOST
"""Candles of an interval, the empty ones between them too."""

DAY_NS = 86_400 * SECOND_NS
WIDTHS_NS = {
    "1s": SECOND_NS,
    "1m": MINUTE_NS,
    "3m": 3 * MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "30m": 30 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
    "2h": 120 * MINUTE_NS,
    "4h": 240 * MINUTE_NS,
    "6h": 360 * MINUTE_NS,
    "8h": 480 * MINUTE_NS,
    "12h": 720 * MINUTE_NS,
    "1d": DAY_NS,
    "3d": 3 * DAY_NS,
    "1w": 7 * DAY_NS,
    "1M": 31 * DAY_NS,
}
_MONDAY_NS = 4 * DAY_NS  # the epoch was a Thursday


def start_of(interval: str, at_ns: int) -> int:
    """The first instant of the candle that an instant lies in.

    >>> start_of("1w", 0), start_of("1M", 40 * DAY_NS) // DAY_NS
    (-259200000000000, 31)
    """
    if interval == "1M":
        day = datetime.fromtimestamp(at_ns // SECOND_NS, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * SECOND_NS
    width_ns = WIDTHS_NS[interval]
    offset = _MONDAY_NS if interval == "1w" else 0
    return (at_ns - offset) // width_ns * width_ns + offset


def end_of(interval: str, start_ns: int) -> int:
    """The instant behind a candle."""
    if interval != "1M":
        return start_ns + WIDTHS_NS[interval]
    return start_of(interval, start_ns + 32 * DAY_NS)


def candles(tape: Tape, interval: str, until_ns: int) -> list[Bar]:
    """All that are remembered, the forming one of `until_ns` too; where nothing traded the price stands still."""
    found = list(joined(interval, tape.seconds if interval == "1s" else tape.minutes))
    filled: list[Bar] = []
    for bar in found:
        _fill(filled, interval, bar.start_ns)
        filled.append(bar)
    if filled:
        _fill(filled, interval, start_of(interval, until_ns) + 1)
    return filled


def _fill(bars: list[Bar], interval: str, until_ns: int) -> None:
    if not bars:
        return
    while len(bars) < FILLED_MOST and (next_ns := end_of(interval, bars[-1].start_ns)) < until_ns:
        bars.append(new_bar(next_ns, bars[-1].close))


def joined(interval: str, bars: Iterable[Bar]) -> Iterable[Bar]:
    """Bars of an interval from shorter ones."""
    forming: Bar | None = None
    for bar in bars:
        start_ns = start_of(interval, bar.start_ns)
        if forming is not None and forming.start_ns == start_ns:
            forming.join(bar)
            continue
        if forming is not None:
            yield forming
        forming = evolve(bar, start_ns=start_ns)
    if forming is not None:
        yield forming
