"""The way to a position: one limit order at a time, at the other side's price, taken back when the market leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from engine.inputs import Quote
from engine.order import Order
from engine.strategy import Answer, Cancel, Context, Intent
from engine.values import EXACT, Side


def approach(context: Context, quote: Quote, target: Decimal, reason: Mapping[str, Any]) -> Iterator[Answer]:
    """What closes the distance between `target` and what is held of the quote's instrument, one step at a time.

    While an order is open nothing new is wanted: what is in doubt may still execute. An order that now leads away, or
    that the market has left behind, is canceled. Less than one lot is no distance.
    """
    instrument = context.instrument(quote.instrument)
    missing = EXACT.subtract(target, context.position(quote.instrument))
    orders = context.open_orders(quote.instrument)
    if orders:
        yield from (Cancel(order.order_id) for order in orders if is_left_behind(order, quote, missing))
        return
    side = Side.BUY if missing > 0 else Side.SELL
    quantity = instrument.round_quantity(abs(missing))
    if quantity:
        price = quote.ask if side is Side.BUY else quote.bid
        yield Intent(instrument=quote.instrument, side=side, quantity=quantity, price=price, reason=reason)


def is_left_behind(order: Order, quote: Quote, missing: Decimal) -> bool:
    """On the wrong side of what is wanted now, or behind the best price of its own side; and not being canceled."""
    if order.price is None or order.pending_cancel != "none":
        return False
    if not missing or (order.side.sign > 0) != (missing > 0):
        return True
    return order.price < quote.bid if order.side.sign > 0 else order.price > quote.ask
