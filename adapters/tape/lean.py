"""Files of QuantConnect LEAN: equity trade ticks, and second and minute bars of equities and crypto.

Times are milliseconds since midnight, in New York for equities and in UTC for crypto; the date stands in the file's
name (LEAN Data/equity/readme.md, Data/crypto/readme.md). Prices of equities are whole ten-thousandths of a dollar.
A bar is known at its end and not before: that is when its candle or quote is received.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from attrs import frozen

from adapters.tape.lines import Tape
from adapters.tape.record import BadRecord, Parse, TapeUnreadable, candle, number, price, quantity, quote, trade, whole
from engine.inputs import MarketData
from engine.values import EXACT, MILLISECOND_NS, SECOND_NS, InstrumentName, plain

USAGE = "lean:equity or lean:crypto (implied in LEAN's own folders, such as equity/usa/minute/spy/20131007_trade.zip)"

_NAME = re.compile(
    r"(\d{8})_[^_]+_((second|minute)_(trade|quote)|(trade|quote)_tick|tick_(trade|quote))\.csv",
    re.ASCII | re.IGNORECASE,
)
_INTERVALS_NS = {"second": SECOND_NS, "minute": 60 * SECOND_NS}
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_TEN_THOUSANDTH = Decimal("0.0001")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class Market:
    """What differs between LEAN's kinds of securities: the clock of its times and how a price is written."""

    zone: tzinfo
    price: Callable[[str], Decimal]


@lru_cache(1 << 15)
def dollars(text: str) -> Decimal:
    """The dollars of a price in whole ten-thousandths.

    >>> dollars("1674200")
    Decimal('167.42')
    """
    found = price(text)
    if found != found.to_integral_value():
        raise BadRecord(f"price {text[:40]!r} is not in whole ten-thousandths of a dollar; is the file lean:crypto?")
    return plain(EXACT.multiply(found, _TEN_THOUSANDTH))


MARKETS = {"equity": Market(ZoneInfo("America/New_York"), dollars), "crypto": Market(UTC, price)}


def recognises(tape: Tape) -> bool:
    """True for LEAN's file names, such as 20131007_spy_minute_trade.csv."""
    return _NAME.fullmatch(tape.name) is not None


def parser(tape: Tape, instrument: InstrumentName, option: str) -> Parse:
    """Reads one file; `option` is `equity` or `crypto`, else LEAN's own folders tell.

    Raises `TapeUnreadable` for another market, name or kind of file. Quote ticks are refused: each is one side at one
    exchange, and no best bid and ask can be had from it without guessing.
    """
    found = _NAME.fullmatch(tape.name)
    if found is None:
        raise TapeUnreadable(f"{tape.path}: {tape.name!r} is not a name such as 20131007_spy_minute_trade.csv")
    words = found[2].lower().split("_")
    kind = "trade" if "trade" in words else "quote"
    name = option or _market_of(tape)
    market = MARKETS.get(name)
    if market is None:
        raise TapeUnreadable(f"{tape.path}: whose prices and clock are these, {name!r}? Name the format: {USAGE}")
    if "tick" in words:
        if kind == "quote" or name != "equity":
            raise TapeUnreadable(f"{tape.path}: {name} {kind} ticks are not read; use second or minute bars")
        return Day(instrument, market, _date(tape, found[1])).tick
    day = Day(instrument, market, _date(tape, found[1]), _INTERVALS_NS[words[0]])
    return day.trade_bar if kind == "trade" else day.quote_bar


def _market_of(tape: Tape) -> str:
    """`equity` of equity/usa/minute/spy/FILE, if the file lies so."""
    parts = tape.path.absolute().parts
    return parts[-5] if len(parts) > 5 else ""


def _date(tape: Tape, digits: str) -> date:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as fault:
        raise TapeUnreadable(f"{tape.path}: {digits} in the name {tape.name!r} is not a date") from fault


class Day:
    """One day's file of one instrument."""

    def __init__(self, instrument: InstrumentName, market: Market, day: date, interval_ns: int = 0) -> None:
        self._instrument = instrument
        self._price = market.price
        self._interval_ns = interval_ns
        self._hours_ns = [_hour_ns(day, hour, market.zone) for hour in range(24)]

    def tick(self, text: str) -> MarketData:
        """Time, price, shares, exchange, condition, suspicious.

        A tick flagged as suspicious is bad: it may be far from the market and later be reversed, and LEAN's own bars
        leave it out. It is given back as a bad line and not dropped, so that it can be counted.
        """
        at, sold, shares, _, _, suspicious = _fields(text, 6)
        if suspicious != "0":
            flag = (
                "flagged as suspicious by the data's maker" if suspicious == "1" else f"a flag of {suspicious[:40]!r}"
            )
            raise BadRecord(flag)
        at_ns = self._at_ns(at)
        return trade(self._instrument, self._price(sold), quantity(shares), at_ns, at_ns)

    def trade_bar(self, text: str) -> MarketData:
        """Time, open, high, low, close, volume."""
        at, opened, high, low, close, volume = _fields(text, 6)
        prices = [self._price(opened), self._price(high), self._price(low), self._price(close)]
        start_ns = self._at_ns(at)
        return candle(self._instrument, prices, quantity(volume), start_ns, start_ns + self._interval_ns)

    def quote_bar(self, text: str) -> MarketData:
        """Time; open, high, low, close, size of the bid; the same of the ask. The quote is the closing one."""
        at, *fields = _fields(text, 11)
        bid, ask = self._closing(fields[:5]), self._closing(fields[5:])
        end_ns = self._at_ns(at) + self._interval_ns
        return quote(self._instrument, bid, ask, end_ns, end_ns)

    def _closing(self, fields: list[str]) -> tuple[Decimal, Decimal]:
        opened, high, low, close = [self._price(field) for field in fields[:4]]
        if not low <= min(opened, close) <= max(opened, close) <= high:
            raise BadRecord(f"open {opened} and close {close} are not between low {low} and high {high}")
        return close, quantity(fields[4])

    def _at_ns(self, text: str) -> int:
        """Nanoseconds of milliseconds since midnight; they may have decimals (14400009.367).

        The day's 24 hours are those of the wall clock, so a day of a clock change has them too.
        """
        past_ns = whole(text) * MILLISECOND_NS if text.isdigit() else _decimal_ns(text)
        if past_ns >= _DAY_MS * MILLISECOND_NS:
            raise BadRecord(f"{text[:40]!r} ms are more than a day")
        hour, rest_ns = divmod(past_ns, _HOUR_MS * MILLISECOND_NS)
        return self._hours_ns[hour] + rest_ns


def _fields(text: str, count: int) -> list[str]:
    fields = text.split(",")
    if len(fields) != count:
        raise BadRecord(f"{len(fields)} fields instead of {count}")
    return fields


def _decimal_ns(text: str) -> int:
    at_ns = EXACT.multiply(number(text), Decimal(MILLISECOND_NS))
    if at_ns < 0 or at_ns != at_ns.to_integral_value():
        raise BadRecord(f"{text[:40]!r} is not a time in milliseconds")
    return int(at_ns)


def _hour_ns(day: date, hour: int, zone: tzinfo) -> int:
    """The instant at which the wall clock of the zone showed that hour (the first, where it did so twice)."""
    instant = datetime.combine(day, time(hour), zone).astimezone(UTC)
    return (instant - _EPOCH) // timedelta(seconds=1) * SECOND_NS
