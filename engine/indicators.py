"""Indicators that take one value at a time. Sums are kept exactly; only the answer is divided."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from engine.values import EXACT, ZERO, divide


class SimpleAverage:
    """The mean of the last `length` values, None until so many have come.

    >>> average = SimpleAverage(2)
    >>> average.add(Decimal(1)), average.add(Decimal(2)), average.add(Decimal(4))
    (None, Decimal('1.5'), Decimal('3'))
    """

    def __init__(self, length: int) -> None:
        if length < 1:
            raise ValueError(f"an average of {length} values; write a length of 1 or more")
        self.length = length
        self._values: deque[Decimal] = deque()
        self._sum = ZERO

    def add(self, value: Decimal) -> Decimal | None:
        """Take the next value; the mean of the last `length`, to 18 places, once there are as many."""
        self._values.append(value)
        self._sum = EXACT.add(self._sum, value)
        if len(self._values) > self.length:
            self._sum = EXACT.subtract(self._sum, self._values.popleft())
        return self.value

    @property
    def value(self) -> Decimal | None:
        """The present mean, None while there are fewer than `length` values."""
        return divide(self._sum, Decimal(self.length)) if len(self._values) == self.length else None
