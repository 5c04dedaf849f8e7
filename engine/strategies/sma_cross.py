"""A moving-average cross: long while the fast average of closes is above the slow one, flat otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.bars import Bar
from engine.indicators import Sma
from engine.inputs import Quote
from engine.strategy import Answer, Answers, Context, Strategy
from engine.target import approach
from engine.values import exact


class SmaCross(Strategy):
    """Params: `fast` and `slow` (bars), `quantity`. Needs `bars`.

    When a bar closes it decides whether it wants to be long of that instrument; on quotes it works towards that with
    one limit order at a time. Its memory is the wish, with the averages that led to it.
    """

    def on_bar(self, context: Context, bar: Bar) -> Answers:
        """Compare the averages, of the shortest bars where there are several."""
        if bar.interval_ns != context.bars_ns[0]:
            return None
        fast = context.indicator(bar.instrument, bar.interval_ns, Sma(int(context.params["fast"])))
        slow = context.indicator(bar.instrument, bar.interval_ns, Sma(int(context.params["slow"])))
        if fast is not None and slow is not None:
            context.memory[bar.instrument] = {"fast": fast, "slow": slow}
        return None

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Close the distance between what is wanted and what is held."""
        averages = context.memory.get(quote.instrument)
        if averages is None:
            return
        is_long = averages["fast"] > averages["slow"]
        target = exact(context.params["quantity"]) if is_long else Decimal(0)
        yield from approach(context, quote, target, {**averages, "bid": quote.bid, "ask": quote.ask})
