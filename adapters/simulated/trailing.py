"""Stops that follow the market at a part of its price, from the start or from a price that it has to come to first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from attrs import evolve

from adapters.simulated.ledger import Fact, StopMoved, TrailSet
from adapters.simulated.state import Order, State
from engine.values import EXACT, ZERO, Side, plain

BIPS = Decimal(1).scaleb(-4)


def distance(price: Decimal, bips: int, side: Side) -> Decimal:
    """Where the stop of an order of `side` stands that follows `price`.

    >>> distance(Decimal(42_000), 500, Side.BUY), distance(Decimal(42_000), 500, Side.SELL)
    (Decimal('44100'), Decimal('39900'))
    """
    return plain(EXACT.multiply(price, 1 + EXACT.multiply(bips * side.sign, BIPS)))


def begins(state: State, order: Order) -> bool:
    """May the order go off? One whose trail has not begun may not."""
    trail = state.trails.get(order.venue_order_id)
    return trail is None or trail.begins_at is None


def follow(state: State, order: Order, seen: Sequence[Decimal]) -> Iterator[Fact]:
    """What follows from the prices at which the market was: a trail begins, a stop moves. Stops never go back."""
    trail, terms = state.trails[order.venue_order_id], order.accepted
    if not seen:
        return
    best = min(seen) if terms.side is Side.BUY else max(seen)
    if trail.begins_at is not None:
        sign = -terms.side.sign if terms.order_type.takes_profit else terms.side.sign
        reached = [price for price in seen if (price - trail.begins_at) * sign >= ZERO]
        if not reached:
            return
        best = reached[0]
        yield evolve(trail, begins_at=None)
    wanted = distance(best, trail.bips, terms.side)
    has_begun_now = trail.begins_at is not None
    if order.stop_price is None or has_begun_now or (order.stop_price - wanted) * terms.side.sign > ZERO:
        yield StopMoved(venue_order_id=order.venue_order_id, stop_price=wanted)


__all__ = ["TrailSet", "begins", "distance", "follow"]
