"""Indicators over closed bars: what to compute is a frozen value, and the same value is computed once for everybody.

`context.indicator(instrument, "1m", Rsi(14))` gives the present value, or None until the indicator is warm: until
`warm_up` bars have closed since it began. It begins with the process (nothing of it is journaled, so after a restart it
warms up again) and anew after bars that are missing; a bar that is not complete is taken and counts, unless the
strategy says `require_complete`. Values are fed from closed bars alone, so that no forming bar is ever looked into.
Rounding: half-even to 18 places where a division has no end.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

from engine.averages import (
    SUMS,
    Deviation,
    Extreme,
    SimpleAverage,
    Smoothed,
    around,
    check_length,
    exponential,
    typical,
    wilder,
)
from engine.bars import Bar
from engine.values import EXACT, ZERO, divide, duration, exact

DAY_NS = 86_400 * 1_000_000_000
_HUNDRED = Decimal(100)
_FIFTY = Decimal(50)
_THREE = Decimal(3)


class Of(StrEnum):
    """What of a bar is looked at; `typical` is (high + low + close) / 3."""

    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    CLOSE = "close"
    TYPICAL = "typical"
    VOLUME = "volume"

    def take(self, bar: Bar) -> Decimal:
        """That of a bar."""
        if self is Of.TYPICAL:
            return typical(bar.high, bar.low, bar.close)
        found: Decimal = getattr(bar, self.value)
        return found


@frozen
class Bands:
    """Bollinger's: the mean, and so many standard deviations below and above it."""

    lower: Decimal
    middle: Decimal
    upper: Decimal


Value = Decimal | Bands


class Gauge(Protocol):
    """An indicator at work: takes closed bars, and shows its value once it is warm."""

    value: Value | None

    def add(self, bar: Bar) -> None: ...


def _checked_length(_: object, __: object, length: int) -> None:
    check_length(length)


def _checked_width(_: object, __: object, width: Decimal) -> None:
    if width <= 0:
        raise ValueError(f"bands of {width} deviations; write a width above zero")


def _session(value: int | str) -> int:
    return duration(value) if isinstance(value, str) else value


def _checked_session(_: object, __: object, session_ns: int) -> None:
    if type(session_ns) is not int or session_ns < 1:
        raise ValueError(f'a session of {session_ns!r} ns; write it as "1d" or "8h"')


@frozen
class _Moving:
    length: int = field(validator=_checked_length)
    of: Of = field(default=Of.CLOSE, converter=Of)

    @property
    def warm_up(self) -> int:
        """Bars until there is a value."""
        return self.length


@frozen
class Sma(_Moving):
    """The simple moving average of `length` bars."""

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Averaged(SimpleAverage(self.length), self.of)


@frozen
class Ema(_Moving):
    """The exponential moving average of weight 2 / (length + 1), begun with the mean of the first `length` bars."""

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Averaged(exponential(self.length), self.of)


@frozen
class Wilder(_Moving):
    """Wilder's moving average of weight 1 / length, begun with the mean of the first `length` bars."""

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Averaged(wilder(self.length), self.of)


@frozen
class Highest(_Moving):
    """The highest of the last `length` bars."""

    of: Of = field(default=Of.HIGH, converter=Of)

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Averaged(Extreme(self.length, 1), self.of)


@frozen
class Lowest(_Moving):
    """The lowest of the last `length` bars."""

    of: Of = field(default=Of.LOW, converter=Of)

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Averaged(Extreme(self.length, -1), self.of)


@frozen
class Rsi:
    """Wilder's relative strength, 0 to 100: 100 x gain / (gain + loss) of Wilder averages over `length` changes from
    close to close. 50 where nothing has moved."""

    length: int = field(default=14, validator=_checked_length)

    @property
    def warm_up(self) -> int:
        """Bars until there is a value: one more than changes."""
        return self.length + 1

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Strength(self.length)


@frozen
class Atr:
    """Wilder's average true range over `length` bars; the first bar's true range is its high less its low."""

    length: int = field(default=14, validator=_checked_length)

    @property
    def warm_up(self) -> int:
        """Bars until there is a value."""
        return self.length

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _TrueRange(self.length)


@frozen
class Bollinger:
    """`Bands` of `width` standard deviations (of the population) around the mean of `length` bars."""

    length: int = field(default=20, validator=_checked_length)
    width: Decimal = field(default=Decimal(2), converter=exact, validator=_checked_width)
    of: Of = field(default=Of.CLOSE, converter=Of)

    @property
    def warm_up(self) -> int:
        """Bars until there is a value."""
        return self.length

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Banded(self.length, self.width, self.of)


@frozen
class Vwap:
    """The average price of a session, weighted by volume: Σ typical price x volume / Σ volume.

    Sessions are `session_ns` long (a duration such as "1d" will do) and begin `begins_ns` after midnight UTC. A session
    that was joined in its middle has no value, unless `joined` says that it counts from there. Bars of quotes have no
    volume, so they have no value either.
    """

    session_ns: int = field(default=DAY_NS, converter=_session, validator=_checked_session)
    begins_ns: int = field(default=0, converter=_session)
    joined: bool = False

    @property
    def warm_up(self) -> int:
        """Bars until there is a value, from the beginning of a session on."""
        return 1

    def begin(self) -> Gauge:
        """A new one, without a past."""
        return _Weighted(self)


Indicator = Sma | Ema | Wilder | Rsi | Atr | Bollinger | Vwap | Highest | Lowest


# --- at work ----------------------------------------------------------------------------------------------------


class _Averaged:
    """Something that takes numbers, fed with one of each bar."""

    def __init__(self, inner: SimpleAverage | Smoothed | Extreme, of: Of) -> None:
        self.value: Value | None = None
        self._inner, self._of = inner, of

    def add(self, bar: Bar) -> None:
        self.value = self._inner.add(self._of.take(bar))


class _Strength:
    def __init__(self, length: int) -> None:
        self.value: Value | None = None
        self._gains, self._losses = wilder(length), wilder(length)
        self._close: Decimal | None = None

    def add(self, bar: Bar) -> None:
        before, self._close = self._close, bar.close
        if before is None:
            return
        change = EXACT.subtract(bar.close, before)
        gain, loss = self._gains.add(max(change, ZERO)), self._losses.add(max(EXACT.minus(change), ZERO))
        if gain is None or loss is None:
            return
        both = EXACT.add(gain, loss)
        self.value = divide(EXACT.multiply(_HUNDRED, gain), both) if both else _FIFTY


class _TrueRange:
    def __init__(self, length: int) -> None:
        self.value: Value | None = None
        self._average = wilder(length)
        self._close: Decimal | None = None

    def add(self, bar: Bar) -> None:
        high, low = bar.high, bar.low
        if self._close is not None:
            high, low = max(high, self._close), min(low, self._close)
        self._close = bar.close
        self.value = self._average.add(EXACT.subtract(high, low))


class _Banded:
    def __init__(self, length: int, width: Decimal, of: Of) -> None:
        self.value: Value | None = None
        self._deviation, self._width, self._of = Deviation(length), width, of

    def add(self, bar: Bar) -> None:
        found = self._deviation.add(self._of.take(bar))
        if found is not None:
            mean, deviation = found
            lower, upper = around(mean, deviation, self._width)
            self.value = Bands(lower, mean, upper)


class _Weighted:
    def __init__(self, of: Vwap) -> None:
        self.value: Value | None = None
        self._of = of
        self._session: int | None = None
        self._counts = of.joined
        self._turnover, self._volume = ZERO, ZERO

    def add(self, bar: Bar) -> None:
        session, into_ns = divmod(bar.start_ns - self._of.begins_ns, self._of.session_ns)
        if session != self._session:
            # A later session is watched from its beginning, the first one only if this bar begins it.
            self._counts = self._of.joined or self._session is not None or (into_ns == 0 and bar.complete)
            self._session, self._turnover, self._volume, self.value = session, ZERO, ZERO, None
        thrice = EXACT.add(EXACT.add(bar.high, bar.low), bar.close)
        self._turnover = SUMS.add(self._turnover, SUMS.multiply(thrice, bar.volume))
        self._volume = SUMS.add(self._volume, bar.volume)
        if self._counts and self._volume:
            self.value = divide(self._turnover, EXACT.multiply(_THREE, self._volume))
