"""The L2 order book of one instrument, built from a snapshot and diffs whose sequence is checked.

Volatile: it is never journaled, and after any fault it is empty until the next snapshot.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from decimal import Decimal

from attrs import frozen

from engine.inputs import BookDelta, BookSnapshot, Level
from engine.values import InstrumentName

HELD_LIMIT = 1_000
"""Diffs held back while a snapshot is on its way (100 s at ten a second); beyond it the oldest is forgotten, and
a snapshot that would have needed it shows a gap."""


@frozen
class Depth:
    """The best levels of a book as of `received_ns`, best first, each (price, quantity)."""

    instrument: InstrumentName
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    last_update: int
    received_ns: int


class BookFault(Exception):
    """The book can't be trusted and has been emptied. The data's fault: take a new snapshot and load it."""


class BookGap(BookFault):
    """A diff is missing or repeated: `expected` is the update that had to come, `got` the span that came."""

    def __init__(self, instrument: InstrumentName, expected: int, got: tuple[int, int]) -> None:
        found = f"expected update {expected}, got {got[0]} to {got[1]}"
        super().__init__(f"{instrument}: {found}; the book is empty, load a new snapshot")
        self.instrument, self.expected, self.got = instrument, expected, got


class BookCrossed(BookFault):
    """The best bid is not below the best ask."""

    def __init__(self, instrument: InstrumentName, bid: Decimal, ask: Decimal) -> None:
        super().__init__(f"{instrument}: bid {bid} is not below ask {ask}; the book is empty, load a new snapshot")
        self.instrument, self.bid, self.ask = instrument, bid, ask


class BookRefused(BookFault):
    """A snapshot or diff holds a level or a span that can't be."""

    def __init__(self, instrument: InstrumentName, reason: str) -> None:
        super().__init__(f"{instrument}: {reason}; the book is empty, load a new snapshot")
        self.instrument, self.reason = instrument, reason


class Book:
    """Price levels of one instrument, best first.

    `load` and `change` raise a `BookFault`; the book is empty from then on, and the caller should ask for a
    snapshot. Diffs that come meanwhile are held back and applied on top of it.
    """

    def __init__(self, instrument: InstrumentName) -> None:
        self.instrument = instrument
        self.last_update: int | None = None
        self.received_ns = 0
        self._bids = _Ladder()
        self._asks = _Ladder()
        self._held: deque[BookDelta] = deque(maxlen=HELD_LIMIT)
        self._fresh = False

    def load(self, snapshot: BookSnapshot) -> None:
        """Replace the book by `snapshot`, then apply the diffs held back that are newer than it.

        Raises `BookGap` where the snapshot is older than what was held back: take another one.
        """
        self._check_instrument(snapshot.instrument)
        self._empty()
        self._check_levels(snapshot.bids, snapshot.asks, removal=False)
        for ladder, levels in ((self._bids, snapshot.bids), (self._asks, snapshot.asks)):
            ladder.fill(levels)
            if len(ladder.prices) != len(levels):
                self._refuse("a snapshot with the same price twice")
        self._refuse_crossed()
        self.last_update, self._fresh, self.received_ns = snapshot.last_update, True, snapshot.received_ns
        self._apply_held()

    def change(self, delta: BookDelta) -> None:
        """Apply one diff; before a snapshot it is held back (the newest `HELD_LIMIT` of them).

        The first after a snapshot must span `last_update + 1` (older ones are dropped), each following must begin
        there; else `BookGap`. A result with the bid not below the ask raises `BookCrossed`.
        """
        self._check_instrument(delta.instrument)
        if self.last_update is None:
            self._held.append(delta)
        elif not self._is_stale(delta):
            self._check_sequence(delta)
            self._apply(delta)

    def best(self) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
        """Bid, its quantity, ask, its quantity; None where a side is empty."""
        if not self._bids.prices or not self._asks.prices:
            return None
        bid, ask = self._bids.prices[-1], self._asks.prices[0]
        return bid, self._bids.quantities[bid], ask, self._asks.quantities[ask]

    def bids(self, n: int) -> tuple[Level, ...]:
        """The `n` highest bids, best first."""
        return self._bids.levels(list(reversed(self._bids.prices[-n:])) if n > 0 else [])

    def asks(self, n: int) -> tuple[Level, ...]:
        """The `n` lowest asks, best first."""
        return self._asks.levels(self._asks.prices[: max(n, 0)])

    def _check_instrument(self, instrument: InstrumentName) -> None:
        if instrument != self.instrument:
            raise ValueError(f"the book of {self.instrument} was given data of {instrument}")

    def _empty(self) -> None:
        self.last_update, self._fresh = None, False
        self._bids, self._asks = _Ladder(), _Ladder()

    def _apply_held(self) -> None:
        while self._held:
            delta = self._held.popleft()
            if not self._is_stale(delta):
                self._check_sequence(delta)
                self._apply(delta)

    def _is_stale(self, delta: BookDelta) -> bool:
        """Is the diff one that the snapshot already contains?"""
        return self._fresh and self.last_update is not None and delta.last_update <= self.last_update

    def _check_sequence(self, delta: BookDelta) -> None:
        assert self.last_update is not None
        expected = self.last_update + 1
        in_order = delta.first_update <= expected if self._fresh else delta.first_update == expected
        if not in_order:
            self._empty()
            # The next snapshot may lie inside this very diff, so it and those after it are kept for it.
            self._held.appendleft(delta)
            raise BookGap(self.instrument, expected, (delta.first_update, delta.last_update))

    def _apply(self, delta: BookDelta) -> None:
        if delta.first_update > delta.last_update:
            self._refuse(f"a diff from update {delta.first_update} back to {delta.last_update}")
        self._check_levels(delta.bids, delta.asks, removal=True)
        self._bids.change(delta.bids)
        self._asks.change(delta.asks)
        self._refuse_crossed()
        self.last_update, self._fresh, self.received_ns = delta.last_update, False, delta.received_ns

    def _check_levels(self, bids: tuple[Level, ...], asks: tuple[Level, ...], removal: bool) -> None:
        """Refuse a price that is not positive and a quantity that is negative (or zero, if it may not remove)."""
        for side in (bids, asks):
            for price, quantity in side:
                if not (price.is_finite() and price > 0):
                    self._refuse(f"a level with price {price}")
                if not (quantity.is_finite() and quantity >= 0) or not (removal or quantity):
                    self._refuse(f"a level at {price} with quantity {quantity}")

    def _refuse(self, reason: str) -> None:
        self._empty()
        raise BookRefused(self.instrument, reason)

    def _refuse_crossed(self) -> None:
        best = self.best()
        if best is not None and best[0] >= best[2]:
            self._empty()
            raise BookCrossed(self.instrument, best[0], best[2])


class _Ladder:
    """One side: quantities by price, and the prices in ascending order."""

    def __init__(self) -> None:
        self.prices: list[Decimal] = []
        self.quantities: dict[Decimal, Decimal] = {}

    def fill(self, levels: tuple[Level, ...]) -> None:
        self.quantities = dict(levels)
        self.prices = sorted(self.quantities)

    def change(self, levels: tuple[Level, ...]) -> None:
        for price, quantity in levels:
            if not quantity:
                self._remove(price)
                continue
            if price not in self.quantities:
                insort(self.prices, price)
            self.quantities[price] = quantity

    def _remove(self, price: Decimal) -> None:
        # A venue also removes levels that a snapshot of limited depth never showed.
        if self.quantities.pop(price, None) is not None:
            del self.prices[bisect_left(self.prices, price)]

    def levels(self, prices: list[Decimal]) -> tuple[Level, ...]:
        return tuple((price, self.quantities[price]) for price in prices)
