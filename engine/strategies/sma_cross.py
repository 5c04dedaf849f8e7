"""A moving-average cross: long while the fast average of closes is above the slow one, flat otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from engine.bars import Bar
from engine.indicators import SimpleAverage
from engine.inputs import Quote
from engine.order import Order
from engine.strategy import Answer, Answers, Cancel, Context, Intent, Strategy
from engine.values import Side, exact


class SmaCross(Strategy):
    """Params: `fast` and `slow` (bars), `quantity`. Wants at most one order at a time.

    On a bar it decides whether it wants to be long; on a quote it works towards that with a limit order at the other
    side's price, and takes an order back that the market has left behind. Its memory is the closes and the wish.
    """

    def on_bar(self, context: Context, bar: Bar) -> Answers:
        """Take the close, compare the averages."""
        slow = int(context.params["slow"])
        closes = [*context.memory.get("closes", []), bar.close][-slow:]
        context.memory["closes"] = closes
        fast_average, slow_average = _average(closes, int(context.params["fast"])), _average(closes, slow)
        if fast_average is not None and slow_average is not None:
            context.memory["want_long"] = fast_average > slow_average
            context.memory["averages"] = [fast_average, slow_average]
        return None

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Close the distance between what is wanted and what is held."""
        wish = context.memory.get("want_long")
        if wish is None:
            return
        target = exact(context.params["quantity"]) if wish else Decimal(0)
        missing = target - context.position(quote.instrument)
        orders = context.open_orders(quote.instrument)
        if orders:
            yield from (Cancel(order.order_id) for order in orders if _is_left_behind(order, quote, missing))
        elif missing:
            yield self._intent(context, quote, missing)

    def _intent(self, context: Context, quote: Quote, missing: Decimal) -> Intent:
        fast, slow = context.memory["averages"]
        buys = missing > 0
        reason: dict[str, Any] = {"fast": fast, "slow": slow, "bid": quote.bid, "ask": quote.ask}
        return Intent(
            instrument=quote.instrument,
            side=Side.BUY if buys else Side.SELL,
            quantity=abs(missing),
            price=quote.ask if buys else quote.bid,
            reason=reason,
        )


def _average(closes: list[Decimal], length: int) -> Decimal | None:
    average = SimpleAverage(length)
    for close in closes[-length:]:
        average.add(close)
    return average.value


def _is_left_behind(order: Order, quote: Quote, missing: Decimal) -> bool:
    """On the wrong side of what is wanted now, or behind the best price of its own side."""
    if order.price is None or order.pending_cancel != "none":
        return False
    if (order.side.sign > 0) != (missing > 0):
        return True
    return order.price < quote.bid if order.side.sign > 0 else order.price > quote.ask
