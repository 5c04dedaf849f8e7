"""Positions: executions → quantity, cost, realised result. Sums are kept, never averages."""

from __future__ import annotations

from decimal import Decimal

from attrs import Factory, evolve, frozen

from engine.values import EXACT, ZERO, Side, divide, plain


@frozen
class Position:
    """A holding: `quantity` signed, `cost` what it was opened for (signed like it), `realized` before fees.

    `fees` are summed by asset, because a fee in another asset is not money of this one.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    fees: dict[str, Decimal] = Factory(dict)

    @property
    def average_price(self) -> Decimal | None:
        """Average cost of what is open."""
        return divide(self.cost, self.quantity) if self.quantity else None

    def unrealized(self, mark: Decimal) -> Decimal:
        """What closing at `mark` would realise."""
        return plain(EXACT.subtract(EXACT.multiply(self.quantity, mark), self.cost))


def execute(position: Position, side: Side, quantity: Decimal, price: Decimal) -> Position:
    """The position after an execution (average cost; a flip closes first, then opens at `price`).

    >>> p = execute(execute(Position(), Side.BUY, Decimal(2), Decimal(10)), Side.SELL, Decimal(3), Decimal(12))
    >>> p.quantity, p.cost, p.realized
    (Decimal('-1'), Decimal('-12'), Decimal('4'))
    """
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


def adjust(position: Position, quantity: Decimal) -> Position:
    """A change of quantity without an execution, at no cost."""
    return _moved(position, quantity, ZERO, ZERO)


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
