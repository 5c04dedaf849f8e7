"""Equity by time: what every strategy's positions are worth, from fills, fees and the prices one could close at.

Money is exact here. A long is marked at the bid, a short at the ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from heapq import merge
from operator import attrgetter

from attrs import Factory, define, frozen

from engine.instrument import Instrument
from engine.position import Position, execute
from engine.values import EXACT, ONE, ZERO, Asset, InstrumentName, StrategyName, exact_arithmetic, plain
from tools.backtest.facts import Fill
from tools.backtest.session import Sample
from tools.backtest.trips import Trips

Who = StrategyName | None
"""A strategy, or None for the whole account."""


@frozen
class Point:
    """The result so far at an instant (realised, less fees, plus what is open), and the money at stake."""

    at_ns: int
    result: Decimal
    at_stake: Decimal


@define
class Book:
    """One strategy's holding of an instrument, and what it is worth."""

    position: Position = Factory(Position)
    fees: Decimal = ZERO
    result: Decimal = ZERO
    at_stake: Decimal = ZERO

    def value(self, mark: Mark) -> None:
        """What it is worth at a mark."""
        quantity = self.position.quantity
        if quantity:
            price = mark.bid if quantity > 0 else mark.ask
            open_result = self.position.unrealized(price)
            self.at_stake = EXACT.multiply(EXACT.multiply(abs(quantity), price), self.position.multiplier)
        else:
            open_result = self.at_stake = ZERO
        self.result = EXACT.add(EXACT.subtract(self.position.realized, self.fees), open_result)


@frozen
class Mark:
    """What one could close at."""

    bid: Decimal
    ask: Decimal


@define
class Curves:
    """The curves of one quote asset: `points` by strategy, under None the account's; `turnover` and `fees` too."""

    asset: Asset
    points: dict[Who, list[Point]] = Factory(dict)
    turnover: dict[Who, Decimal] = Factory(dict)
    fees: dict[Who, Decimal] = Factory(dict)
    trips: Trips = Factory(Trips)
    books: dict[tuple[StrategyName, InstrumentName], Book] = Factory(dict)
    _marks: dict[InstrumentName, Mark] = Factory(dict)
    _now_ns: int = 0

    def mark(self, sample: Sample) -> None:
        """A price moved."""
        mark = self._marks[sample.instrument] = Mark(sample.bid, sample.ask)
        self._now_ns = sample.at_ns
        for (strategy, instrument), book in self.books.items():
            if instrument == sample.instrument and book.position.quantity:
                book.value(mark)
                self._note(strategy)

    def execute(self, fill: Fill, fee: Decimal, multiplier: Decimal = ONE) -> None:
        """A fill, with its fee in the quote asset and its contract's multiplier."""
        self._now_ns = fill.at_ns
        key = fill.strategy, fill.instrument
        book = self.books.setdefault(key, Book(Position(multiplier=multiplier)))
        book.position = execute(book.position, fill.side, fill.quantity, fill.price)
        book.fees = EXACT.add(book.fees, fee)
        book.value(self._marks.get(fill.instrument) or Mark(fill.price, fill.price))
        money = EXACT.multiply(EXACT.multiply(fill.quantity, fill.price), multiplier)
        for who in (fill.strategy, None):
            self.turnover[who] = EXACT.add(self.turnover.get(who, ZERO), money)
            self.fees[who] = EXACT.add(self.fees.get(who, ZERO), fee)
        self.trips.take(fill, fee, multiplier)
        self._note(fill.strategy)

    def close(self, end_ns: int) -> None:
        """The last point of each curve."""
        self._now_ns = end_ns
        for strategy in {strategy for strategy, _ in self.books}:
            self._note(strategy)

    def _note(self, strategy: StrategyName) -> None:
        for who in (strategy, None):
            books = [book for (name, _), book in self.books.items() if who in (None, name)]
            result, at_stake = ZERO, ZERO
            for book in books:
                result, at_stake = EXACT.add(result, book.result), EXACT.add(at_stake, book.at_stake)
            points = self.points.setdefault(who, [])
            if points and points[-1].at_ns == self._now_ns:
                points.pop()
            points.append(Point(self._now_ns, plain(result), plain(at_stake)))


Charge = Callable[[Fill], Decimal]


def curves_of(
    fills: Iterable[Fill], samples: Iterable[Sample], instruments: Mapping[InstrumentName, Instrument], end_ns: int
) -> dict[Asset, Curves]:
    """The curves by quote asset."""
    found: dict[Asset, Curves] = {}
    with exact_arithmetic():
        for each in _in_time(fills, samples):
            terms = instruments[each.instrument]
            curves = found.setdefault(terms.quote, Curves(terms.quote))
            if isinstance(each, Sample):
                curves.mark(each)
            else:
                curves.execute(each, fee_in_quote(each, terms), terms.multiplier)
        for curves in found.values():
            curves.close(end_ns)
    return found


def fee_in_quote(fill: Fill, terms: Instrument) -> Decimal:
    """A fee in the quote asset; one in the base asset is worth the fill's price. Raises `ValueError` for another's."""
    if fill.fee_asset in (terms.quote, "") or not fill.fee:
        return fill.fee
    if fill.fee_asset == terms.base:
        return EXACT.multiply(fill.fee, fill.price)
    raise ValueError(f"a fee in {fill.fee_asset}, which is neither {terms.base} nor {terms.quote}")


def _in_time(fills: Iterable[Fill], samples: Iterable[Sample]) -> Iterator[Fill | Sample]:
    return merge(samples, fills, key=attrgetter("at_ns"))
