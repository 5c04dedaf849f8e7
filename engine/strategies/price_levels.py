"""Price levels: buy below one price, sell above another."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.inputs import Quote
from engine.strategy import Answer, Context, Strategy
from engine.target import approach
from engine.values import exact


class PriceLevels(Strategy):
    """Params: `buy_below`, `sell_above` (prices of the instrument), `quantity`.

    It buys up to `quantity` while the ask is at or below `buy_below`, and sells all that it holds while the bid is at
    or above `sell_above`. Between the two it wants nothing new, and takes back what was not executed. No memory.
    """

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Compare the price that one would get with the levels."""
        buy_below, sell_above = exact(context.params["buy_below"]), exact(context.params["sell_above"])
        if quote.ask <= buy_below:
            target = exact(context.params["quantity"])
        elif quote.bid >= sell_above:
            target = Decimal(0)
        else:
            target = context.position(quote.instrument)
        reason = {"bid": quote.bid, "ask": quote.ask, "buy_below": buy_below, "sell_above": sell_above}
        yield from approach(context, quote, target, reason)
