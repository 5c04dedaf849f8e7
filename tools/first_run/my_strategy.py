"""A strategy to start from: buy a little below the market, sell a little above it, one order at a time.

A strategy only says what it wants; risk limits decide whether it is sent, and the engine remembers everything. What
must survive a restart goes into `context.memory`: nothing else of a strategy does. Prices and quantities are Decimal.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.inputs import Quote
from engine.strategy import Answer, Answers, Cancel, Context, Fill, Intent, Strategy


class Mine(Strategy):
    """Params: `quantity` of an order, and `ticks` away from the market."""

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """A new best bid or ask: keep one order near it."""
        terms = context.instrument(quote.instrument)
        distance = terms.tick * int(context.params["ticks"])
        holds = context.position(quote.instrument) > 0
        price = quote.ask + distance if holds else quote.bid - distance

        orders = context.open_orders(quote.instrument)
        if not orders:
            yield Intent(
                instrument=quote.instrument,
                side="sell" if holds else "buy",
                quantity=context.position(quote.instrument) if holds else Decimal(context.params["quantity"]),
                price=price,
                order_type="limit",
                time_in_force="gtc",
                reason={"bid": quote.bid, "ask": quote.ask},  # `holdfast orders` and the journal keep it
            )
        for order in orders:
            # The market has moved away by more than twice the distance: take the order back and try again.
            if order.pending_cancel == "none" and order.price and abs(order.price - price) > 2 * distance:
                yield Cancel(order.order_id)

    def on_fill(self, context: Context, fill: Fill) -> Answers:
        """An execution, told once, also when it happened while nobody ran."""
        context.memory["fills"] = context.memory.get("fills", 0) + 1
        return None
