"""Where our resting orders stand among others' at one price: behind all that was displayed there when they arrived.

Only trades move them up: what others cancel ahead of them is not seen, so it does not count. Not kept in the ledger:
after a restart an order stands at the end of what is displayed then.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from adapters.simulated.state import Order
from engine.inputs import Level
from engine.values import ZERO, VenueOrderId

PLACES_MOST = 10_000
"""Orders whose places are remembered; the oldest ones are forgotten."""


class Queueing:
    """The volume ahead of each of our orders, by its id and the priority it has now."""

    def __init__(self) -> None:
        self._ahead: dict[tuple[VenueOrderId, int], Decimal] = {}

    def join(self, order: Order, levels: Sequence[Level]) -> None:
        """An order arrives, or moves: `levels` are displayed on its own side. One that kept its priority stays."""
        key = order.venue_order_id, order.priority
        if order.price is not None and key not in self._ahead:
            self._ahead[key] = sum((size for price, size in levels if price == order.price), ZERO)
            if len(self._ahead) > PLACES_MOST:
                del self._ahead[next(iter(self._ahead))]

    def trade(self, order: Order, quantity: Decimal, levels: Sequence[Level]) -> Decimal:
        """So much has traded at the order's price: what of it comes to the order."""
        self.join(order, levels)
        key = order.venue_order_id, order.priority
        ahead = self._ahead[key]
        self._ahead[key] = max(ZERO, ahead - quantity)
        return min(order.leaves, max(ZERO, quantity - ahead))
