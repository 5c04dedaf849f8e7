"""Comma-separated files of trades, quotes or bars, with a header that names the columns.

| kind | columns (others are ignored) |
|---|---|
| trades | time, price, quantity; side (buy or sell: who took), if there is one |
| quotes | time, bid, bid_quantity, ask, ask_quantity |
| bars | time or start (of the bar), open, high, low, close, volume; end, or the interval in the format (csv:bars:1m) |

A time's unit is its name's end (time_ns, time_us, time_ms, time_s) or stands in the format (csv:trades:ms); without one
it is ISO 8601 with a zone (2024-08-08T23:54:00.123Z, 2024-08-08 19:54:00-04:00). There is one clock: what the file
calls time is when the data was received and the exchange's time.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from attrs import evolve, frozen

from adapters.tape.lines import Tape
from adapters.tape.record import (
    BadRecord,
    Parse,
    TapeUnreadable,
    candle,
    number,
    price,
    quantity,
    quote,
    time_ns,
    trade,
    whole,
)
from engine.inputs import Candle, Quote, TradeTick
from engine.values import EXACT, MILLISECOND_NS, SECOND_NS, InstrumentName, Side, duration

USAGE = (
    "csv, csv:trades, csv:quotes, csv:bars:INTERVAL such as csv:bars:1m; a unit of time may follow, as csv:trades:ms"
)
HEADER_LINES = 1

UNITS_NS = {"ns": 1, "us": 1_000, "ms": MILLISECOND_NS, "s": SECOND_NS}
QUANTITIES = ("quantity", "volume", "size", "qty")
COLUMNS = {
    "trades": {"price": ("price",), "quantity": QUANTITIES},
    "quotes": {
        "bid": ("bid",),
        "bid_quantity": ("bid_quantity", "bid_size", "bid_qty"),
        "ask": ("ask",),
        "ask_quantity": ("ask_quantity", "ask_size", "ask_qty"),
    },
    "bars": {
        "open": ("open",),
        "high": ("high",),
        "low": ("low",),
        "close": ("close",),
        "volume": QUANTITIES,
    },
}
TIMES = {"trades": ("time", "timestamp"), "quotes": ("time", "timestamp"), "bars": ("time", "timestamp", "start")}

_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "": None}
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)

Fields = list[str]
Clock = Callable[[str], int]


@frozen
class Wish:
    """What the format's options say: kind of rows, unit of time, interval of bars."""

    kind: str | None = None
    unit: str | None = None
    interval_ns: int | None = None


@frozen
class Row:
    """How one line is read: where each column stands, and how its times are written."""

    instrument: InstrumentName
    width: int
    places: Mapping[str, int]
    clock: Clock
    end_clock: Clock | None = None
    interval_ns: int | None = None

    def fields(self, text: str) -> Fields:
        """The line's fields; raises `BadRecord` unless there are as many as in the header."""
        found = _split(text)
        if len(found) != self.width:
            raise BadRecord(f"{len(found)} fields where the header has {self.width}")
        return found

    def trade(self, text: str) -> TradeTick:
        """A row of trades."""
        fields, places = self.fields(text), self.places
        at_ns = self.clock(fields[places["time"]])
        side = fields[places["side"]].lower() if "side" in places else ""
        if side not in _SIDES:
            raise BadRecord(f"side {side[:40]!r} is neither buy nor sell")
        sold, size = price(fields[places["price"]]), quantity(fields[places["quantity"]])
        return trade(self.instrument, sold, size, at_ns, at_ns, _SIDES[side])

    def quote(self, text: str) -> Quote:
        """A row of quotes."""
        fields, places = self.fields(text), self.places
        at_ns = self.clock(fields[places["time"]])
        bid = price(fields[places["bid"]]), quantity(fields[places["bid_quantity"]])
        ask = price(fields[places["ask"]]), quantity(fields[places["ask_quantity"]])
        return quote(self.instrument, bid, ask, at_ns, at_ns)

    def bar(self, text: str) -> Candle:
        """A row of bars."""
        fields, places = self.fields(text), self.places
        start_ns = self.clock(fields[places["time"]])
        end_ns = start_ns + (self.interval_ns or 0) if self.end_clock is None else self.end_clock(fields[places["end"]])
        prices = [price(fields[places[name]]) for name in ("open", "high", "low", "close")]
        return candle(self.instrument, prices, quantity(fields[places["volume"]]), start_ns, end_ns)


def recognises(tape: Tape) -> bool:
    """True where the first line names the columns of some kind, a time among them."""
    names = _header(tape)
    return any(_has(names, kind) for kind in COLUMNS)


def parser(tape: Tape, instrument: InstrumentName, option: str) -> Parse:
    """Reads rows of the kind that `option` names, else the one whose columns are there.

    Raises `TapeUnreadable` where a column is missing or could be one of two, or a time's unit or a bar's interval is
    not told.
    """
    wish = _wish(tape, option)
    names = _header(tape)
    kind = wish.kind or _kind_of(tape, names)
    columns = {name: _place(tape, names, aliases) for name, aliases in COLUMNS[kind].items()}
    time_place, clock = _time(tape, names, TIMES[kind], wish.unit)
    row = Row(instrument, len(names), {"time": time_place, **columns}, clock)
    if kind == "quotes":
        return row.quote
    if kind == "trades":
        return (evolve(row, places={**row.places, "side": names.index("side")}) if "side" in names else row).trade
    return _with_end(tape, names, row, wish).bar


def _with_end(tape: Tape, names: list[str], row: Row, wish: Wish) -> Row:
    """The row with its bars' end: a column of its own, or the interval that the format names."""
    has_end = any(_base(name) == "end" for name in names)
    if has_end == (wish.interval_ns is not None):
        hint = "drop one of the two" if has_end else "name it, as csv:bars:1m, or add a column end"
        raise TapeUnreadable(f"{tape.path}: when does a bar end? By column or by interval: {hint}")
    if not has_end:
        return evolve(row, interval_ns=wish.interval_ns)
    place, clock = _time(tape, names, ("end",), wish.unit)
    return evolve(row, places={**row.places, "end": place}, end_clock=clock)


def _wish(tape: Tape, option: str) -> Wish:
    wish = Wish()
    for word in filter(None, option.split(":")):
        if word in COLUMNS:
            wish = evolve(wish, kind=word)
        elif word in UNITS_NS or word == "iso":
            wish = evolve(wish, unit=word)
        else:
            wish = evolve(wish, interval_ns=_interval_ns(tape, word))
    return wish


def _interval_ns(tape: Tape, word: str) -> int:
    try:
        interval_ns = duration(word)
    except ValueError:
        interval_ns = None
    if not interval_ns:
        raise TapeUnreadable(f"{tape.path}: csv:{word} is not understood; write {USAGE}")
    return interval_ns


def _header(tape: Tape) -> list[str]:
    if not tape.head:
        return []
    try:
        return [name.lower() for name in _split(tape.head[0].removeprefix("\ufeff"))]
    except BadRecord:
        return []


def _split(text: str) -> Fields:
    """The fields, without quotation marks and without the spaces around them."""
    if '"' not in text and " " not in text:
        return text.split(",")
    try:
        return [field.strip() for field in next(csv.reader([text], strict=True, skipinitialspace=True))]
    except csv.Error as fault:
        raise BadRecord(f"quotation marks: {fault}") from None


def _base(name: str) -> str:
    """A time column's name without its unit: time of time_ms."""
    base, _, unit = name.rpartition("_")
    return base if base and unit in UNITS_NS else name


def _has(names: list[str], kind: str) -> bool:
    """Are all columns of the kind there, under one of their names, and a time?"""
    columns = all(any(alias in names for alias in aliases) for aliases in COLUMNS[kind].values())
    return columns and any(_base(name) in TIMES[kind] for name in names)


def _kind_of(tape: Tape, names: list[str]) -> str:
    kinds = [kind for kind in COLUMNS if _has(names, kind)]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "neither trades nor quotes nor bars"
        raise TapeUnreadable(f"{tape.path}: columns {', '.join(names)} are {found}; write {USAGE}")
    return kinds[0]


def _place(tape: Tape, names: list[str], aliases: tuple[str, ...]) -> int:
    places = [place for place, name in enumerate(names) if name in aliases]
    if len(places) != 1:
        raise TapeUnreadable(f"{tape.path}: {len(places)} columns named {' or '.join(aliases)}; there must be one")
    return places[0]


def _time(tape: Tape, names: list[str], bases: tuple[str, ...], unit: str | None) -> tuple[int, Clock]:
    """Where the time stands, and how it is read."""
    places = [place for place, name in enumerate(names) if _base(name) in bases]
    if len(places) != 1:
        raise TapeUnreadable(f"{tape.path}: {len(places)} columns of time ({' or '.join(bases)}); there must be one")
    name = names[places[0]]
    told = name.rpartition("_")[2] if _base(name) != name else None
    if told and unit and told != unit:
        raise TapeUnreadable(f"{tape.path}: column {name} and unit {unit} in the format contradict each other")
    chosen = told or unit or "iso"
    if not (told or unit) and _all_numbers(tape, places[0]):
        raise TapeUnreadable(f"{tape.path}: column {name} holds numbers of unknown unit; write csv:ns, csv:ms or csv:s")
    return places[0], _iso_ns if chosen == "iso" else _clock(UNITS_NS[chosen])


def _all_numbers(tape: Tape, place: int) -> bool:
    found = list(_column(tape, place))
    return bool(found) and all(text.replace(".", "").isdigit() for text in found)


def _column(tape: Tape, place: int) -> Iterator[str]:
    for text in tape.head[HEADER_LINES:]:
        fields = text.split(",")
        if place < len(fields):
            yield fields[place].strip('" ')


def _clock(unit_ns: int) -> Clock:
    """Reads a number of that unit since 1970, with decimals or without."""

    def read(text: str) -> int:
        if text.isdigit():
            return time_ns(whole(text) * unit_ns)
        at_ns = EXACT.multiply(number(text), Decimal(unit_ns))
        if at_ns != at_ns.to_integral_value():
            raise BadRecord(f"{text[:40]!r} is finer than a nanosecond")
        return time_ns(int(at_ns))

    return read


def _iso_ns(text: str) -> int:
    """Nanoseconds of an ISO 8601 time with a zone.

    >>> _iso_ns("2001-09-09T02:46:40.000000001+01:00")
    1000000000000000001
    """
    found = _ISO.fullmatch(text)
    if found is None:
        raise BadRecord(f"{text[:40]!r} is not a time such as 2024-08-08T23:54:00.123Z")
    day, clock, fraction, zone = found.groups()
    if zone is None:
        raise BadRecord(f"{text[:40]!r} names no zone; add Z or an offset")
    try:
        seconds = int(datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp())
    except ValueError as fault:
        raise BadRecord(f"{text[:40]!r}: {fault}") from None
    return time_ns(seconds * SECOND_NS + int((fraction or "0").ljust(9, "0")))
