"""Averages, sums and extremes that take one number at a time. Sums are kept exactly; only the answer is divided.

What has no end of its digits is rounded half-even to 18 places (`values.divide`): the answer of a simple average, and
each step of an exponential or Wilder average, so that both are the same on every machine. All are None until as many
values have come as they look back on.
"""

from __future__ import annotations

from collections import deque
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, FloatOperation, InvalidOperation, Overflow
from operator import ge, le

from engine.values import EXACT, QUOTIENT_PLACES, ZERO, divide, plain

LENGTH_MOST = 1_000
"""Values that an average may look back on."""

SUMS = Context(prec=400, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation])
"""Wide enough for the exact sum of squares of any prices, so that what is added and taken away again leaves nothing."""

_TWO = Decimal(2)


def check_length(length: int) -> None:
    """Refuse a length that is not a whole number from 1 to `LENGTH_MOST`; raises `ValueError`."""
    if type(length) is not int or not 1 <= length <= LENGTH_MOST:
        raise ValueError(f"{length!r} values are looked back on; write a length of 1 or more, at most {LENGTH_MOST}")


class SimpleAverage:
    """The mean of the last `length` values, None until so many have come.

    >>> average = SimpleAverage(2)
    >>> average.add(Decimal(1)), average.add(Decimal(2)), average.add(Decimal(4))
    (None, Decimal('1.5'), Decimal('3'))
    """

    def __init__(self, length: int) -> None:
        check_length(length)
        self.length = length
        self._count = Decimal(length)
        self._values: deque[Decimal] = deque()
        self._sum = ZERO

    def add(self, value: Decimal) -> Decimal | None:
        """Take the next value; the mean of the last `length`, to 18 places, once there are as many."""
        self._values.append(value)
        self._sum = SUMS.add(self._sum, value)
        if len(self._values) > self.length:
            self._sum = SUMS.subtract(self._sum, self._values.popleft())
        return self.value

    @property
    def value(self) -> Decimal | None:
        """The present mean, None while there are fewer than `length` values."""
        return divide(self._sum, self._count) if len(self._values) == self.length else None


class Smoothed:
    """An average without an end: the mean of the first `length` values, then `kept` parts of itself and `taken` parts
    of the next value, out of both together; rounded at each step."""

    def __init__(self, length: int, taken: int, kept: int) -> None:
        check_length(length)
        self.value: Decimal | None = None
        self._first: SimpleAverage | None = SimpleAverage(length)
        self._taken, self._kept, self._both = Decimal(taken), Decimal(kept), Decimal(taken + kept)

    def add(self, value: Decimal) -> Decimal | None:
        """Take the next value; the average, once it has begun."""
        if self.value is not None:
            parts = EXACT.add(EXACT.multiply(self._taken, value), EXACT.multiply(self._kept, self.value))
            self.value = divide(parts, self._both)
        elif self._first is not None:
            self.value = self._first.add(value)
            self._first = None if self.value is not None else self._first
        return self.value


def exponential(length: int) -> Smoothed:
    """The exponential average of weight 2 / (length + 1)."""
    return Smoothed(length, 2, length - 1)


def wilder(length: int) -> Smoothed:
    """Wilder's average, of weight 1 / length."""
    return Smoothed(length, 1, length - 1)


class Deviation:
    """Mean and standard deviation (of the population: divided by `length`) of the last `length` values.

    The deviation is √(n Σx² − (Σx)²) / n of exact sums: the root to 50 digits, the answer to 18 places.
    """

    def __init__(self, length: int) -> None:
        check_length(length)
        self.length = length
        self._count = Decimal(length)
        self._values: deque[Decimal] = deque()
        self._sum, self._squares = ZERO, ZERO

    def add(self, value: Decimal) -> tuple[Decimal, Decimal] | None:
        """Take the next value; mean and deviation, once there are `length` values."""
        self._values.append(value)
        self._sum = SUMS.add(self._sum, value)
        self._squares = SUMS.add(self._squares, SUMS.multiply(value, value))
        if len(self._values) > self.length:
            gone = self._values.popleft()
            self._sum = SUMS.subtract(self._sum, gone)
            self._squares = SUMS.subtract(self._squares, SUMS.multiply(gone, gone))
        if len(self._values) < self.length:
            return None
        spread = SUMS.subtract(SUMS.multiply(self._count, self._squares), SUMS.multiply(self._sum, self._sum))
        return divide(self._sum, self._count), divide(EXACT.sqrt(spread), self._count)


class Extreme:
    """The highest of the last `length` values, or with `sign` -1 the lowest; one comparison a value on average."""

    def __init__(self, length: int, sign: int) -> None:
        check_length(length)
        self.length, self._seen = length, 0
        self._is_as_far_out = ge if sign > 0 else le
        # Candidates in falling order: a value is forgotten once a later one is as far out.
        self._candidates: deque[tuple[int, Decimal]] = deque()

    def add(self, value: Decimal) -> Decimal | None:
        """Take the next value; the extreme, once there are `length` values."""
        while self._candidates and self._is_as_far_out(value, self._candidates[-1][1]):
            self._candidates.pop()
        self._candidates.append((self._seen, value))
        self._seen += 1
        if self._candidates[0][0] <= self._seen - 1 - self.length:
            self._candidates.popleft()
        return self._candidates[0][1] if self._seen >= self.length else None


def around(mean: Decimal, deviation: Decimal, width: Decimal) -> tuple[Decimal, Decimal]:
    """`width` deviations below and above the mean, to 18 places."""
    distance = EXACT.multiply(deviation, width)
    below, above = EXACT.subtract(mean, distance), EXACT.add(mean, distance)
    return plain(below.quantize(QUOTIENT_PLACES, context=EXACT)), plain(above.quantize(QUOTIENT_PLACES, context=EXACT))


def typical(high: Decimal, low: Decimal, close: Decimal) -> Decimal:
    """(high + low + close) / 3."""
    return divide(EXACT.add(EXACT.add(high, low), close), Decimal(3))
