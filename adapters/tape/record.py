"""What every format makes of a line: a market data value that can be, or a reason why it can't."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, DecimalException
from functools import lru_cache
from pathlib import Path

from attrs import frozen

from engine.inputs import Candle, Level, MarketData, Quote, TradeTick
from engine.values import SECOND_NS, InstrumentName, Side, exact

TEXT_LIMIT = 200
"""Characters of a bad line that are kept."""

FIRST_NS, END_NS = 315_532_800 * SECOND_NS, 4_102_444_800 * SECOND_NS
"""1980 and 2100: a time outside is written in another unit than was thought (seconds read as ms are in 1970)."""

_NUMBER = re.compile(r"-?[0-9]{1,24}(\.[0-9]{0,24})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_CACHED = 1 << 15


class TapeUnreadable(Exception):
    """Nothing of the file can be read. The caller's fault (path, format) or the file's; the text says what to do."""


class BadRecord(ValueError):
    """One line that can't be believed; its text is the reason. The reader turns it into a `BadLine`."""


@frozen
class BadLine:
    """A line that was not believed: where, why, and the first `TEXT_LIMIT` characters of it."""

    path: Path
    number: int
    reason: str
    text: str


Parse = Callable[[str], MarketData | None]
"""One line to one value, or None where the line is not about the instrument; raises `BadRecord`."""


@lru_cache(_CACHED)
def number(text: str) -> Decimal:
    """The exact number that is written; raises `BadRecord` for anything but a plain, finite one.

    >>> number("61737.63000000"), number("1e-05")
    (Decimal('61737.63'), Decimal('0.00001'))
    """
    if _NUMBER.fullmatch(text) is None:
        raise BadRecord(f"{text[:40]!r} is not a number")
    try:
        return exact(text)
    except (ValueError, DecimalException):
        raise BadRecord(f"{text[:40]!r} is not a number of up to 50 digits") from None


def price(text: str) -> Decimal:
    """A price: above zero."""
    found = number(text)
    if found <= 0:
        raise BadRecord(f"a price of {found}")
    return found


def quantity(text: str) -> Decimal:
    """A quantity: zero or above."""
    found = number(text)
    if found < 0:
        raise BadRecord(f"a quantity of {found}")
    return found


def whole(text: str) -> int:
    """A whole number of up to 19 digits, without a sign."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise BadRecord(f"{text[:40]!r} is not a whole number")
    return int(text)


def time_ns(at_ns: int) -> int:
    """A time from 1980 to 2100."""
    if not FIRST_NS <= at_ns < END_NS:
        raise BadRecord(f"a time outside of 1980 to 2100 ({at_ns} ns); is it written in another unit?")
    return at_ns


def quote(instrument: InstrumentName, bid: Level, ask: Level, received_ns: int, exchange_ns: int | None) -> Quote:
    """A quote whose bid is not above its ask; equal (locked) markets happen and are kept."""
    if bid[0] > ask[0]:
        raise BadRecord(f"a crossed quote: bid {bid[0]} above ask {ask[0]}")
    return Quote(instrument, *bid, *ask, received_ns, exchange_ns)


def trade(
    instrument: InstrumentName,
    at_price: Decimal,
    traded: Decimal,
    received_ns: int,
    exchange_ns: int,
    aggressor: Side | None = None,
) -> TradeTick:
    """A trade of more than nothing."""
    if not traded:
        raise BadRecord("a trade of quantity 0")
    return TradeTick(instrument, at_price, traded, received_ns, exchange_ns, aggressor)


def candle(instrument: InstrumentName, prices: list[Decimal], volume: Decimal, start_ns: int, end_ns: int) -> Candle:
    """A bar of [open, high, low, close], known at its end and not before."""
    opened, high, low, close = prices
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise BadRecord(f"open {opened} and close {close} are not between low {low} and high {high}")
    if start_ns >= end_ns:
        raise BadRecord("a bar that ends before it starts")
    return Candle(instrument, opened, high, low, close, volume, start_ns, end_ns, received_ns=end_ns)
