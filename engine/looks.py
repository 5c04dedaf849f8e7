"""What a callback looked at: kept with what it decided, so that a decision shows the numbers that led to it.

Bounded: the first `LOOKS_MOST` different things of a call, of a book its best `LEVELS_TOLD` levels, of a window its
last value.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import attrs

from engine.bars import Bar
from engine.book import Depth
from engine.indicators import Bands, Indicator
from engine.inputs import Quote, TradeTick
from engine.values import InstrumentName, exact

LOOKS_MOST = 32
"""Things that a call is noted to have looked at."""

LEVELS_TOLD = 5
"""Levels of each side of a book that go into the journal."""

_UNITS = ((86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"))


class Looks:
    """Notes what is looked at, in order, each thing once as it was seen last."""

    def __init__(self, callback: str, argument: Any = None) -> None:
        self.callback = callback
        self.more = 0
        self._noted: dict[str, Any] = {}
        if isinstance(argument, Bar):
            self.note(bar_label(argument.instrument, argument.interval_ns), argument)
        elif isinstance(argument, (Quote, TradeTick, Depth)):
            self.note(f"{argument.instrument} {_NAMES[type(argument)]}", argument)

    def note(self, label: str, value: Any) -> None:
        """This was seen; beyond `LOOKS_MOST` it is only counted."""
        if label in self._noted or len(self._noted) < LOOKS_MOST:
            self._noted[label] = value
        else:
            self.more += 1

    def told(self, instrument: InstrumentName) -> dict[str, Any]:
        """All of it as plain values, for an intent of this instrument: its own quote stands there already."""
        found: dict[str, Any] = {"callback": self.callback}
        own = f"{instrument} quote"
        found |= {label: _plain(value) for label, value in self._noted.items() if label != own}
        return found | {"more": self.more} if self.more else found


def bar_label(instrument: str, interval_ns: int) -> str:
    """The name of a bar: instrument and length."""
    return f"{instrument} {length_words(interval_ns)} bar"


@cache
def indicator_words(indicator: Indicator) -> str:
    """An indicator as it is written.

    >>> from engine.indicators import Bollinger, Of, Rsi, Sma
    >>> indicator_words(Rsi(14)), indicator_words(Bollinger(20)), indicator_words(Sma(5, Of.HIGH))
    ('Rsi(14)', 'Bollinger(20, 2, close)', 'Sma(5, high)')
    """
    values = ", ".join(str(getattr(indicator, field.name)) for field in attrs.fields(type(indicator)))
    return f"{type(indicator).__name__}({values})"


@cache
def length_words(interval_ns: int) -> str:
    """A length of bars as a configuration writes it.

    >>> length_words(300_000_000_000), length_words(250_000_000), length_words(5)
    ('5m', '250ms', '5ns')
    """
    for unit_ns, name in _UNITS:
        if interval_ns % unit_ns == 0:
            return f"{interval_ns // unit_ns}{name}"
    return f"{interval_ns}ns" if interval_ns % 1_000_000 else f"{interval_ns // 1_000_000}ms"


_NAMES = {Quote: "quote", TradeTick: "trade", Depth: "book"}
_TOLD: dict[type, tuple[str, ...]] = {
    Bar: ("open", "high", "low", "close", "volume", "end_ns", "complete"),
    Quote: ("bid", "ask", "received_ns"),
    TradeTick: ("price", "quantity", "received_ns"),
    Bands: ("lower", "middle", "upper"),
}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(exact(value))
    if isinstance(value, Depth):
        sides = {"bids": value.bids[:LEVELS_TOLD], "asks": value.asks[:LEVELS_TOLD]}
        told = {
            side: [[str(exact(price)), str(exact(size))] for price, size in levels] for side, levels in sides.items()
        }
        return {**told, "received_ns": value.received_ns}
    names = _TOLD.get(type(value))
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}
