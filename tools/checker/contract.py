"""What a contract's executions come to: by average cost, over the whole account."""

from __future__ import annotations

from decimal import Decimal

Net = tuple[Decimal, Decimal]
"""What is held, signed, and what it was opened for."""

NOTHING: Net = (Decimal(0), Decimal(0))


def executed(net: Net, quantity: Decimal, price: Decimal) -> tuple[Net, Decimal]:
    """The net position after a signed quantity at a price (its multiplier in it), and what was realised."""
    held, cost = net
    if held * quantity >= 0:
        return (held + quantity, cost + quantity * price), Decimal(0)
    closed = min(abs(held), abs(quantity)) * (1 if quantity > 0 else -1)
    released = cost
    if abs(closed) != abs(held):
        released = (cost * abs(closed) / abs(held)).quantize(Decimal("1E-18"))
    rest = quantity - closed
    return (held + quantity, cost - released + rest * price), -closed * price - released
