"""Mean reversion: buy what has fallen out of its Bollinger bands, sell when it is back at the middle."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from engine.bars import Bar
from engine.indicators import Bollinger
from engine.inputs import Quote
from engine.strategy import Answer, Answers, Context, Strategy
from engine.target import approach
from engine.values import exact


class MeanReversion(Strategy):
    """Params: `length` (bars), `width` (deviations), `quantity`. Needs `bars`.

    Long once a bar closes below the lower band, flat once one closes at or above the middle. Its memory is, by
    instrument, whether it wants to be long, and the figures that led to it.
    """

    def on_bar(self, context: Context, bar: Bar) -> Answers:
        """Compare the close with the bands, of the shortest bars where there are several."""
        if bar.interval_ns != context.bars_ns[0]:
            return None
        wanted = Bollinger(int(context.params["length"]), exact(context.params["width"]))
        bands = context.indicator(bar.instrument, bar.interval_ns, wanted)
        if bands is None:
            return None
        figures: dict[str, Any] = {"close": bar.close, "lower": bands.lower, "middle": bands.middle}
        if bar.close < bands.lower:
            context.memory[bar.instrument] = {"long": True, **figures}
        elif bar.close >= bands.middle:
            context.memory[bar.instrument] = {"long": False, **figures}
        return None

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Close the distance between what is wanted and what is held."""
        wish = context.memory.get(quote.instrument)
        if wish is None:
            return
        target = exact(context.params["quantity"]) if wish["long"] else Decimal(0)
        figures = {name: value for name, value in wish.items() if name != "long"}
        yield from approach(context, quote, target, figures)
