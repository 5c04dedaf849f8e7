"""A strategy that never sits still, so that a crash always finds something in flight."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.inputs import Quote
from engine.order import Order
from engine.strategy import Answer, Answers, Cancel, Context, Fill, Intent, Replace, Strategy
from engine.values import OrderType, Side, TimeInForce

ORDERS_MOST = 4


class Restless(Strategy):
    """Params: `quantity`. Places, cancels and replaces by chance; chance comes from the context, so a replay agrees."""

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Something, on most quotes."""
        dice = context.random()
        orders = context.open_orders(quote.instrument)
        for order in orders:
            yield from self._revise(context, order, dice.randrange(100))
        if len(orders) < ORDERS_MOST and dice.randrange(100) < 60:
            yield self._intent(context, quote, dice.randrange(10_000))

    def on_fill(self, context: Context, fill: Fill) -> Answers:
        """Count, in memory: it must come back after every crash."""
        context.memory["fills"] = context.memory.get("fills", 0) + 1
        context.memory["bought"] = context.memory.get("bought", Decimal(0)) + fill.quantity * fill.side.sign
        return None

    def _revise(self, context: Context, order: Order, dice: int) -> Iterator[Answer]:
        if dice < 15:
            yield Cancel(order.order_id)
        elif dice < 25 and order.price is not None:
            tick = context.instrument(order.instrument).tick
            yield Replace(order.order_id, price=order.price + tick * (dice - 20), quantity=order.quantity * 2)

    def _intent(self, context: Context, quote: Quote, dice: int) -> Intent:
        terms = context.instrument(quote.instrument)
        side = Side.BUY if dice % 2 else Side.SELL
        aggressive = dice % 3
        touch = (quote.ask if side is Side.BUY else quote.bid) if aggressive == 0 else quote.bid
        price = touch - side.sign * terms.tick * (dice % 40) * (aggressive == 2)
        market = dice % 11 == 0
        kinds = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
        return Intent(
            instrument=quote.instrument,
            side=side,
            quantity=terms.round_quantity(Decimal(str(context.params["quantity"])) * (1 + dice % 5)),
            order_type=OrderType.MARKET if market else OrderType.LIMIT,
            price=None if market else price,
            time_in_force=TimeInForce.IOC if market else kinds[dice % 4],
            post_only=not market and kinds[dice % 4] is TimeInForce.GTC and dice % 7 == 0,
            reason={"dice": dice},
        )
