"""An RSI threshold: long once the market is oversold, flat once it is overbought."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.bars import Bar
from engine.indicators import Rsi
from engine.inputs import Quote
from engine.strategy import Answer, Answers, Context, Strategy
from engine.target import approach
from engine.values import exact


class RsiThreshold(Strategy):
    """Params: `length` (bars), `buy_below` and `sell_above` (0 to 100), `quantity`. Needs `bars`.

    Between the two it stays what it is. Its memory is, by instrument, whether it wants to be long, and the strength
    that led to it.
    """

    def on_bar(self, context: Context, bar: Bar) -> Answers:
        """Compare the strength with the thresholds, of the shortest bars where there are several."""
        if bar.interval_ns != context.bars_ns[0]:
            return None
        strength = context.indicator(bar.instrument, bar.interval_ns, Rsi(int(context.params["length"])))
        if strength is not None and strength < exact(context.params["buy_below"]):
            context.memory[bar.instrument] = {"long": True, "rsi": strength}
        elif strength is not None and strength > exact(context.params["sell_above"]):
            context.memory[bar.instrument] = {"long": False, "rsi": strength}
        return None

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Close the distance between what is wanted and what is held."""
        wish = context.memory.get(quote.instrument)
        if wish is None:
            return
        target = exact(context.params["quantity"]) if wish["long"] else Decimal(0)
        yield from approach(context, quote, target, {"rsi": wish["rsi"], "bid": quote.bid, "ask": quote.ask})
