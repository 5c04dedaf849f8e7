"""What market data can't be: the reasons, stable and in plain words, for which it is refused.

Adapters hand on what the venue sent; nothing here corrects it. Pure questions about one value each: no one raises, not
even for NaN, whose comparison would.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from engine.inputs import Candle, Quote, TradeTick
from engine.values import MAGNITUDE_MOST, MILLISECOND_NS, SECOND_NS

AHEAD_MOST_NS = 60 * SECOND_NS
"""How far a venue's time may be ahead of ours, its measured offset taken out, before it is no time at all."""

SAME_INSTANT_NS = MILLISECOND_NS
"""Times that lie no further apart are the same instant: few venues' are finer."""

REORDERED_MOST_NS = SECOND_NS
"""A quote that is older than the last by less was overtaken on the way; by more, the venue's times went back."""


class DataFault(StrEnum):
    """Why market data is not acted on."""

    NOT_WATCHED = "an instrument that nobody watches"
    NO_NUMBER = "a price or quantity that is no number of this world"
    NOT_POSITIVE = "a price that is zero or negative"
    NEGATIVE_SIZE = "a negative quantity"
    NO_SIZE = "a trade of nothing"
    CROSSED = "crossed: the bid is above the ask"
    OUT_OF_ORDER = "out of order: older than what was seen before"
    FROM_THE_FUTURE = "a time that is far ahead of ours"
    IMPOSSIBLE_BAR = "a bar whose prices or times contradict each other"
    NO_BAR_FITS = "a bar that is longer than those that were asked for"
    BROKEN_BOOK = "a book that can't be: it is empty until the next snapshot"


class Oddity(StrEnum):
    """What is said of market data that is taken nevertheless."""

    OFF_TICK = "off the instrument's tick: its precision may have changed"
    WENT_BACK = "the venue's times went back: its clock was set back, or its feed lags"


def fault_of_quote(quote: Quote) -> DataFault | None:
    """What is wrong with a quote; a locked one (bid = ask) happens, and so does a side without a quantity."""
    if not (
        is_number(quote.bid) and is_number(quote.ask) and is_number(quote.bid_quantity)
        and is_number(quote.ask_quantity)
    ):  # fmt: skip
        return DataFault.NO_NUMBER
    if quote.bid <= 0:
        return DataFault.NOT_POSITIVE
    if quote.bid > quote.ask:
        return DataFault.NOT_POSITIVE if quote.ask <= 0 else DataFault.CROSSED
    if quote.bid_quantity < 0 or quote.ask_quantity < 0:
        return DataFault.NEGATIVE_SIZE
    return None


def fault_of_trade(tick: TradeTick) -> DataFault | None:
    """What is wrong with a public trade."""
    if not (is_number(tick.price) and is_number(tick.quantity)):
        return DataFault.NO_NUMBER
    if tick.price <= 0:
        return DataFault.NOT_POSITIVE
    if tick.quantity <= 0:
        return DataFault.NEGATIVE_SIZE if tick.quantity else DataFault.NO_SIZE
    return None


def fault_of_price(price: Decimal) -> DataFault | None:
    """What is wrong with a price that stands alone."""
    if not is_number(price):
        return DataFault.NO_NUMBER
    return None if price > 0 else DataFault.NOT_POSITIVE


def fault_of_candle(candle: Candle, last_end_ns: int) -> DataFault | None:
    """What is wrong with a recorded bar, after one that ended at `last_end_ns`."""
    high, low, volume = candle.high, candle.low, candle.volume
    if not (
        is_number(high) and is_number(low) and is_number(volume) and candle.open.is_finite()
        and candle.close.is_finite()
    ):  # fmt: skip
        return DataFault.NO_NUMBER
    if low <= 0:
        return DataFault.NOT_POSITIVE
    if volume < 0:
        return DataFault.NEGATIVE_SIZE
    if not (low <= candle.open <= high and low <= candle.close <= high and candle.start_ns < candle.end_ns):
        return DataFault.IMPOSSIBLE_BAR
    return DataFault.OUT_OF_ORDER if candle.start_ns < last_end_ns else None


def is_number(number: Decimal) -> bool:
    """Is it finite, and of a size that prices and quantities have?"""
    return number.is_finite() and -MAGNITUDE_MOST <= number.adjusted() <= MAGNITUDE_MOST
