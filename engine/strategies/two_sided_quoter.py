"""A two-sided quoter: a bid below the market and an ask above it, as long as the inventory allows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.bars import middle
from engine.inputs import Quote
from engine.order import Order
from engine.strategy import Answer, Cancel, Context, Intent, Strategy
from engine.values import Side, exact


class TwoSidedQuoter(Strategy):
    """Params: `quantity` of each order, `ticks` from the middle, `requote` (ticks of drift before an order is moved),
    `max_inventory`, and `short` (false: it offers only what it holds).

    One order a side, post-only: it never takes. The position counts up to `max_inventory` long, and as far short where
    `short` allows. An order that has drifted is canceled, and the next quote replaces it. No memory.
    """

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Keep one order on each side, near where it should be."""
        terms = context.instrument(quote.instrument)
        distance = terms.tick * int(context.params["ticks"])
        drift = terms.tick * int(context.params["requote"])
        orders = context.open_orders(quote.instrument)
        for side in Side:
            price = terms.round_price(middle(quote) - side.sign * distance, side)
            working = [order for order in orders if order.side is side]
            if working:
                yield from (Cancel(order.order_id) for order in working if _has_drifted(order, price, drift))
                continue
            quantity = terms.round_quantity(min(exact(context.params["quantity"]), self._room(context, quote, side)))
            if quantity > 0:
                reason = {"bid": quote.bid, "ask": quote.ask, "ticks": int(context.params["ticks"])}
                yield Intent(
                    instrument=quote.instrument, side=side, quantity=quantity, price=price, post_only=True,
                    reason=reason,
                )  # fmt: skip

    def _room(self, context: Context, quote: Quote, side: Side) -> Decimal:
        """How much more may be bought, or sold."""
        position, most = context.position(quote.instrument), exact(context.params["max_inventory"])
        if side is Side.BUY:
            return most - position
        return position + most if context.params.get("short", False) else position


def _has_drifted(order: Order, price: Decimal, drift: Decimal) -> bool:
    return order.price is not None and order.pending_cancel == "none" and abs(order.price - price) > drift
