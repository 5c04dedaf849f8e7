"""A strategy that always has something on the wire: it places, changes and takes back orders on every quote."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from engine.inputs import Quote
from engine.order import Order
from engine.strategy import Answer, Cancel, Context, Intent, Replace, Strategy
from engine.values import InstrumentName, Side, divide

NEAR_MOST = 4
WORTH = Decimal(60)
FAR = Decimal("0.95")


class Busy(Strategy):
    """Chance decides what it does.

    What is far below the market (it has a key) stays open through everything, so that there are open orders to compare.
    """

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """One thing or two, at once."""
        orders = context.open_orders(quote.instrument)
        near = [order for order in orders if order.key is None and order.pending_cancel == "none"]
        context.memory["decisions"] = context.memory.get("decisions", 0) + 1
        chance = context.random()
        for _ in range(chance.randint(1, 2)):
            yield from _act(context, quote, chance, near, has_far=len(orders) > len(near))


def _act(context: Context, quote: Quote, chance: Random, near: list[Order], *, has_far: bool) -> Iterator[Answer]:
    terms = context.instrument(quote.instrument)
    quantity = terms.round_quantity(divide(WORTH, quote.ask) * chance.randint(1, 5))
    side = chance.choice((Side.BUY, Side.SELL))
    there, here = (quote.ask, quote.bid) if side is Side.BUY else (quote.bid, quote.ask)
    roll = chance.randrange(100)
    if not has_far:
        number = context.memory["decisions"]  # one that never arrived is tried again under another key
        price = terms.round_price(quote.bid * FAR, Side.BUY)
        yield _intent(quote.instrument, Side.BUY, quantity, price=price, key=f"far-{quote.instrument}-{number}")
    elif roll < 35:
        yield _intent(quote.instrument, side, quantity, price=there, time_in_force="ioc")
    elif roll < 42:
        yield _intent(quote.instrument, side, quantity, order_type="market", time_in_force="ioc")
    elif roll < 65 and len(near) < NEAR_MOST:
        yield _intent(quote.instrument, side, quantity, price=here)
    elif near and roll < 85:
        changed = chance.choice(near)
        more = changed.quantity + terms.lot * chance.randint(0, 3)
        yield Replace(changed.order_id, quantity=more, price=quote.bid if changed.side is Side.BUY else quote.ask)
    elif near:
        yield Cancel(chance.choice(near).order_id)


def _intent(
    instrument: InstrumentName, side: Side, quantity: Decimal, price: Decimal | None = None, *,
    order_type: str = "limit", time_in_force: str = "gtc", key: str | None = None,
) -> Intent:  # fmt: skip
    return Intent(
        instrument=instrument, side=side, quantity=quantity, price=price, order_type=order_type,
        time_in_force=time_in_force, key=key,
    )  # fmt: skip
