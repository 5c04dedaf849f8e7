"""A strategy that wants to buy at each quote's bid, at once or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.inputs import Quote
from engine.strategy import Answer, Context, Intent, Strategy
from engine.values import Side, TimeInForce

QUANTITY = Decimal("0.001")


class Asking(Strategy):
    """One order a tick, whose price says which tick it answers. No memory."""

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """Ask."""
        yield Intent(
            instrument=quote.instrument, side=Side.BUY, quantity=QUANTITY, price=quote.bid,
            time_in_force=TimeInForce.IOC, reason={"bid": quote.bid},
        )  # fmt: skip
