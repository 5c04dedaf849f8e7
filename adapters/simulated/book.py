"""Price-time matching in one symbol: who stands where in the queue, and what an order would trade against."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from attrs import Factory, define

from engine.values import ZERO, Side, VenueOrderId


class Resting(NamedTuple):
    """A place in the queue; smaller is better."""

    rank: Decimal
    priority: int
    venue_order_id: VenueOrderId
    side: Side

    @classmethod
    def of(cls, side: Side, price: Decimal, priority: int, venue_order_id: VenueOrderId) -> Resting:
        """The place of an order: the higher bid, the lower ask, the earlier first."""
        return cls(price * -side.sign, priority, venue_order_id, side)

    @property
    def price(self) -> Decimal:
        """The order's price."""
        return self.rank * -self.side.sign


@define
class RestingBook:
    """Client orders that rest in one symbol, best first on both sides."""

    bids: list[Resting] = Factory(list)
    asks: list[Resting] = Factory(list)

    def side(self, side: Side) -> list[Resting]:
        """The queue of one side."""
        return self.bids if side is Side.BUY else self.asks

    def add(self, resting: Resting) -> None:
        """Queue up."""
        insort(self.side(resting.side), resting)

    def remove(self, resting: Resting) -> None:
        """Leave the queue; asserts that it stood there."""
        queue = self.side(resting.side)
        place = bisect_left(queue, resting)
        assert queue[place] == resting, f"{resting} does not rest"
        del queue[place]


class Offer(NamedTuple):
    """Something to trade against: the market's level (no `maker`), or a client's resting order. `level` is the price
    that is displayed, where a taker fares worse than that."""

    price: Decimal
    quantity: Decimal
    maker: VenueOrderId | None = None
    level: Decimal | None = None


def crosses(side: Side, limit: Decimal | None, price: Decimal) -> bool:
    """May an order of that side and limit trade at `price`?

    >>> crosses(Side.BUY, Decimal(10), Decimal(10)), crosses(Side.SELL, Decimal(10), Decimal(9))
    (True, False)
    """
    return limit is None or (limit - price) * side.sign >= 0


def merge(side: Side, market: Iterable[Offer], clients: Iterable[Offer]) -> list[Offer]:
    """All offers to an order of `side`, best price first; at one price the market's, which stood there before us."""
    return sorted((*market, *clients), key=lambda offer: offer.price * side.sign)


def match(side: Side, quantity: Decimal, limit: Decimal | None, offers: Iterable[Offer]) -> Iterator[Offer]:
    """What an order trades, offer by offer, each with the quantity that trades."""
    for offer in offers:
        if quantity <= ZERO or not crosses(side, limit, offer.price):
            return
        traded = min(quantity, offer.quantity)
        if traded > ZERO:
            quantity -= traded
            yield offer._replace(quantity=traded)
