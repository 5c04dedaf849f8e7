"""Positions: executions → quantity, cost, realised result. Sums are kept, never averages."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import Factory, evolve, frozen

from engine.values import EXACT, ONE, ZERO, Side, divide, plain


@frozen
class Position:
    """A holding: `quantity` signed, `cost` what it was opened for (signed like it), `realized` before fees.

    `fees` are summed by asset, because a fee in another asset is not money of this one. `funding` is what was received
    (or, below zero, paid) for holding it. `multiplier` is its contract's: quantity x price x multiplier is money.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    fees: dict[str, Decimal] = Factory(dict)
    funding: Decimal = ZERO
    multiplier: Decimal = ONE

    @property
    def average_price(self) -> Decimal | None:
        """Average cost of what is open."""
        return divide(self.cost, EXACT.multiply(self.quantity, self.multiplier)) if self.quantity else None

    def value(self, mark: Decimal) -> Decimal:
        """What it is worth at `mark`, signed as the quantity is."""
        return plain(EXACT.multiply(EXACT.multiply(self.quantity, mark), self.multiplier))

    def unrealized(self, mark: Decimal) -> Decimal:
        """What closing at `mark` would realise."""
        return plain(EXACT.subtract(self.value(mark), self.cost))


def execute(position: Position, side: Side, quantity: Decimal, price: Decimal) -> Position:
    """The position after an execution (average cost; a flip closes first, then opens at `price`).

    An execution that the venue takes back is booked as one of the other side at its price: the result is right at
    once, its split into realised and open is by the average.

    >>> p = execute(execute(Position(), Side.BUY, Decimal(2), Decimal(10)), Side.SELL, Decimal(3), Decimal(12))
    >>> p.quantity, p.cost, p.realized
    (Decimal('-1'), Decimal('-12'), Decimal('4'))
    """
    price = EXACT.multiply(price, position.multiplier)
    signed = quantity * side.sign
    opening = not position.quantity or (position.quantity > 0) == (signed > 0)
    if opening:
        return _moved(position, signed, EXACT.multiply(signed, price), ZERO)
    closing = min(quantity, abs(position.quantity)) * side.sign
    released = _share(position, closing)
    gained = -EXACT.multiply(closing, price) - released
    closed = _moved(position, closing, -released, gained)
    rest = EXACT.subtract(signed, closing)
    return _moved(closed, rest, EXACT.multiply(rest, price), ZERO) if rest else closed


def combine(held: Iterable[Position]) -> Position:
    """The sum of positions of one instrument: an account's, over all of its strategies."""
    positions = tuple(held)
    if len(positions) == 1:
        return positions[0]  # as nearly always: one strategy is all that trades the instrument
    total = Position()
    for position in positions:
        fees = dict(total.fees)
        for asset, fee in position.fees.items():
            fees[asset] = plain(EXACT.add(fees.get(asset, ZERO), fee))
        total = Position(
            plain(EXACT.add(total.quantity, position.quantity)),
            plain(EXACT.add(total.cost, position.cost)),
            plain(EXACT.add(total.realized, position.realized)),
            fees,
            plain(EXACT.add(total.funding, position.funding)),
            position.multiplier,
        )
    return total


def adjust(position: Position, quantity: Decimal, price: Decimal | None = None) -> Position:
    """A change of quantity without an execution: at this price where one is known, else at no cost."""
    cost = ZERO if price is None else EXACT.multiply(EXACT.multiply(quantity, price), position.multiplier)
    return _moved(position, quantity, cost, ZERO)


def fund(position: Position, amount: Decimal) -> Position:
    """The position after a funding payment: above zero received, below zero paid."""
    return evolve(position, funding=plain(EXACT.add(position.funding, amount)))


def charge(position: Position, fee: Decimal, asset: str) -> Position:
    """The position after a fee."""
    total = plain(EXACT.add(position.fees.get(asset, ZERO), fee))
    return evolve(position, fees={**position.fees, asset: total})


def _share(position: Position, closing: Decimal) -> Decimal:
    """The cost of the part that is closed; the whole cost when all of it is, so that nothing is left by rounding."""
    if abs(closing) == abs(position.quantity):
        return position.cost
    return divide(EXACT.multiply(position.cost, abs(closing)), abs(position.quantity))


def _moved(position: Position, quantity: Decimal, cost: Decimal, realized: Decimal) -> Position:
    return evolve(
        position,
        quantity=plain(EXACT.add(position.quantity, quantity)),
        cost=plain(EXACT.add(position.cost, cost)),
        realized=plain(EXACT.add(position.realized, realized)),
    )
