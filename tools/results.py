"""Results from a journal's facts: by strategy and account, realised by average cost and first-in-first-out, and the
equity curve. Everything is computed when it is read; nothing of it is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal

from attrs import Factory, define, frozen

from engine import events
from engine.equity import Equity, conversion, equity
from engine.fold import apply
from engine.inputs import Quote
from engine.marks import PriceOf
from engine.state import Recorded, State, execution_key
from engine.values import EXACT, ONE, ZERO, Asset, InstrumentName, StrategyName, exact_arithmetic, plain
from tools.money import Sighting

POINTS_MOST = 1_000
"""Points of a curve that are kept: of a longer one the last of every few."""

BOOKED = (
    events.FillBooked, events.FillCorrected, events.FillBusted, events.FeeBooked, events.FundingBooked,
    events.PositionAdjusted,
)  # fmt: skip
"""The events that change a result; a point of the curve follows each."""

Whose = StrategyName | None
"""A strategy, or None for the whole account."""


@frozen
class Point:
    """The equity at an instant, by asset; what had no price then is not in it."""

    at_ns: int
    seq: int
    totals: dict[Asset, Decimal]


@frozen
class Executed:
    """One execution as it stands: a signed quantity, nothing where it was taken back."""

    instrument: InstrumentName
    strategy: StrategyName
    quantity: Decimal
    price: Decimal


@define
class Fees:
    """Fees by asset as they are, and their value in the result's asset at the price of the moment at which each was
    booked; `unpriced` are the assets of which some had no price then."""

    by_asset: dict[Asset, Decimal] = Factory(dict)
    value: Decimal = ZERO
    unpriced: set[Asset] = Factory(set)


@define
class Curve:
    """Points in order; where there are too many, every second is dropped and from then on fewer are taken."""

    points: list[Point] = Factory(list)
    every: int = 1
    _last: Point | None = None
    _seen: int = 0

    def add(self, point: Point) -> None:
        """The next point."""
        self._seen += 1
        self._last = point
        if self._seen % self.every == 0:
            self.points.append(point)
        if len(self.points) > POINTS_MOST:
            del self.points[::2]
            self.every *= 2

    def all(self) -> Sequence[Point]:
        """The points that were kept, and always the newest."""
        if self._last is None or (self.points and self.points[-1] == self._last):
            return tuple(self.points)
        return (*self.points, self._last)


@define
class Results:
    """What a journal's facts come to so far."""

    state: State = Factory(State)
    curves: dict[Whose, Curve] = Factory(lambda: {None: Curve()})
    fees: dict[tuple[Whose, Asset], Fees] = Factory(dict)
    executed: dict[str, Executed] = Factory(dict)
    seen: dict[InstrumentName, Sighting] = Factory(dict)

    def take(self, recorded: Recorded) -> None:
        """The next event, of a journal that is read from its beginning."""
        event = recorded.event
        apply(self.state, recorded)
        if isinstance(event, events.OrderIntended) and isinstance(event.seen, Quote):
            self.seen[event.instrument] = Sighting(recorded.at_ns, quote=event.seen)
        if isinstance(event, events.FillBooked):
            if event.instrument not in self.seen or self.seen[event.instrument].quote is None:
                self.seen[event.instrument] = Sighting(recorded.at_ns, price=event.price)
            self._value_fee(event.strategy, event.instrument, event.fee, event.fee_asset, event.price)
        elif isinstance(event, events.FeeBooked):
            order = self.state.orders[event.order_id]
            self._value_fee(order.strategy, event.instrument, event.fee, event.fee_asset, None)
        self._note_execution(event)
        if isinstance(event, BOOKED):
            self._add_points(recorded)

    def price_of(self, instrument: InstrumentName, quantity: Decimal) -> Decimal | None:
        """The price to value at, by what was last seen."""
        sighting = self.seen.get(instrument)
        found = None if sighting is None else sighting.mark(quantity, self.state.settings.marks)
        return None if found is None else found.price

    def equity(self, whose: Whose) -> dict[Asset, Equity]:
        """The result of a strategy, or of the account, as it stands."""
        return equity(self.state, self.price_of, strategy=whose)

    def first_in_first_out(self, whose: Whose) -> dict[Asset, Decimal]:
        """Realised by asset, each execution closing the oldest that is open, as they stand after corrections."""
        found: dict[Asset, Decimal] = {}
        for name, terms in self.state.instruments.items():
            fills = [
                (each.quantity, EXACT.multiply(each.price, terms.multiplier))
                for each in self.executed.values()
                if each.instrument == name and whose in (None, each.strategy)
            ]
            if fills:
                found[terms.cash] = plain(EXACT.add(found.get(terms.cash, ZERO), first_in_first_out(fills)))
        return found

    def _note_execution(self, event: events.Event) -> None:
        if isinstance(event, events.FillBooked):
            quantity = EXACT.multiply(event.quantity, Decimal(event.side.sign))
            key = execution_key(event.venue, event.instrument, event.exec_id)
            self.executed[key] = Executed(event.instrument, event.strategy, quantity, event.price)
        elif isinstance(event, (events.FillCorrected, events.FillBusted)):
            key = execution_key(event.venue, event.instrument, event.exec_id)
            before = self.executed[key]
            quantity, price = ZERO, before.price
            if isinstance(event, events.FillCorrected):
                sign = self.state.orders[event.order_id].side.sign
                quantity, price = EXACT.multiply(event.quantity, Decimal(sign)), event.price
            self.executed[key] = Executed(before.instrument, before.strategy, quantity, price)

    def _add_points(self, recorded: Recorded) -> None:
        event = recorded.event
        touched: set[Whose] = {None, getattr(event, "strategy", None)}
        if isinstance(event, events.FundingBooked):
            touched |= set(event.shares)
        order = self.state.orders.get(getattr(event, "order_id", None))  # type: ignore[arg-type]
        touched |= {order.strategy} if order is not None else set()
        for whose in sorted(touched, key=lambda name: name or ""):
            totals = {asset: found.total for asset, found in sorted(self.equity(whose).items())}
            self.curves.setdefault(whose, Curve()).add(Point(recorded.at_ns, recorded.seq, totals))

    def _value_fee(
        self, strategy: StrategyName, name: InstrumentName, fee: Decimal | None, asset: Asset | None,
        price: Decimal | None,
    ) -> None:  # fmt: skip
        if fee is None or asset is None:
            return
        terms = self.state.instruments[name]
        rate = price if asset == terms.base and price is not None else self._rate(asset, terms.cash)
        for whose in (None, strategy):
            found = self.fees.setdefault((whose, terms.cash), Fees())
            found.by_asset[asset] = plain(EXACT.add(found.by_asset.get(asset, ZERO), fee))
            if rate is None:
                found.unpriced.add(asset)
            else:
                found.value = plain(EXACT.add(found.value, EXACT.multiply(fee, rate)))

    def _rate(self, asset: Asset, into: Asset) -> Decimal | None:
        look: PriceOf = self.price_of
        return ONE if asset == into else conversion(self.state, asset, into, look)


def read_results(recorded: Iterable[Recorded]) -> Results:
    """The results of a journal, by its events from the first on."""
    found = Results()
    with exact_arithmetic():
        for each in recorded:
            found.take(each)
    return found


def first_in_first_out(fills: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    """The result of executions (signed quantity, price with its multiplier in it), each closing the oldest first.

    >>> first_in_first_out([(Decimal(1), Decimal(10)), (Decimal(1), Decimal(16)), (Decimal(-1), Decimal(17))])
    Decimal('7')
    """
    lots: deque[tuple[Decimal, Decimal]] = deque()
    gained = ZERO
    for quantity, price in fills:
        left = quantity
        while left and lots and (lots[0][0] > 0) != (left > 0):
            held, paid = lots[0]
            closed = min(abs(held), abs(left)) * (1 if held > 0 else -1)
            gained = EXACT.add(gained, EXACT.multiply(closed, EXACT.subtract(price, paid)))
            left = EXACT.add(left, closed)
            if closed == held:
                lots.popleft()
            else:
                lots[0] = (EXACT.subtract(held, closed), paid)
        if left:
            lots.append((left, price))
    return plain(gained)
