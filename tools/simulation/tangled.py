"""A strategy that ties orders to each other, so that a crash always finds links, stops and styles half-way."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from engine.inputs import Quote
from engine.order import Order
from engine.strategy import Answer, Bracket, Cancel, Context, Intent, Leg, Oco, Replace, Strategy, Work
from engine.values import SECOND_NS, OrderType, Side, TimeInForce

ORDERS_MOST = 6
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP)


class Tangled(Strategy):
    """Params: `quantity`. Brackets, twins, stops, worked orders and orders that end, all near the market."""

    def on_quote(self, context: Context, quote: Quote) -> Iterator[Answer]:
        """One new thing now and then; one of the old ones changed or taken back."""
        dice = context.random()
        orders = context.open_orders(quote.instrument)
        for order in orders:
            yield from self._revise(context, order, dice)
        if len(orders) < ORDERS_MOST and dice.randrange(100) < 50:
            make = dice.choice((self._bracket, self._bracket, self._twins, self._stop, self._worked, self._ending))
            yield from make(context, quote, dice)

    def _revise(self, context: Context, order: Order, dice: Random) -> Iterator[Answer]:
        roll, tick = dice.randrange(100), context.instrument(order.instrument).tick
        if roll < 4:
            yield Cancel(order.order_id)
        elif roll < 8 and order.price is not None:
            yield Replace(order.order_id, price=order.price + tick * dice.randrange(-20, 20))
        elif roll < 12 and order.stop_price is not None:
            yield Replace(order.order_id, stop_price=order.stop_price + tick * dice.randrange(-20, 20))

    def _bracket(self, context: Context, quote: Quote, dice: Random) -> Iterator[Answer]:
        side, tick = dice.choice(tuple(Side)), context.instrument(quote.instrument).tick
        price = quote.ask if side is Side.BUY else quote.bid
        away = tick * (5 + dice.randrange(400)) * side.sign
        stop = Leg(trail=abs(away)) if dice.randrange(4) == 0 else Leg(stop_price=price - away)
        target = Leg(price=price + away) if dice.randrange(4) else None
        yield self._intent(context, quote, side, dice, price=price, linked=Bracket(stop=stop, target=target))

    def _twins(self, context: Context, quote: Quote, dice: Random) -> Iterator[Answer]:
        held, tick = context.position(quote.instrument), context.instrument(quote.instrument).tick
        if not held:
            return
        side, away = Side.SELL if held > 0 else Side.BUY, tick * (5 + dice.randrange(400))
        touch = quote.bid if held > 0 else quote.ask
        yield Intent(
            instrument=quote.instrument, side=side, quantity=abs(held), price=touch - away * side.sign,
            reduce_only=True, linked=Oco(Leg(stop_price=touch + away * side.sign)),
        )  # fmt: skip

    def _stop(self, context: Context, quote: Quote, dice: Random) -> Iterator[Answer]:
        side, kind = dice.choice(tuple(Side)), dice.choice(STOPS)
        tick = context.instrument(quote.instrument).tick
        touch = quote.ask if side is Side.BUY else quote.bid
        away = tick * (5 + dice.randrange(300)) * side.sign * (-1 if kind.takes_profit else 1)
        trails = kind is OrderType.TRAILING_STOP
        yield self._intent(
            context, quote, side, dice, order_type=kind, stop_price=None if trails else touch + away,
            trail=abs(away) if trails else None, price=touch + away + tick * 50 * side.sign if kind.has_price else None,
        )  # fmt: skip

    def _worked(self, context: Context, quote: Quote, dice: Random) -> Iterator[Answer]:
        style = Work(
            at=dice.choice(("join", "mid", "cross")), reprice_after_ns=dice.choice(("2s", "5s")),
            max_replacements=dice.randrange(4), give_up=dice.choice(("cancel", "cross")), max_slippage=Decimal("0.01"),
        )  # fmt: skip
        yield self._intent(context, quote, dice.choice(tuple(Side)), dice, style=style)

    def _ending(self, context: Context, quote: Quote, dice: Random) -> Iterator[Answer]:
        side = dice.choice(tuple(Side))
        yield self._intent(
            context, quote, side, dice, price=quote.bid if side is Side.BUY else quote.ask,
            time_in_force=TimeInForce.GTD, expires=context.now_ns + dice.randrange(1, 20) * SECOND_NS,
        )  # fmt: skip

    def _intent(self, context: Context, quote: Quote, side: Side, dice: Random, **terms: object) -> Intent:
        quantity = Decimal(str(context.params["quantity"])) * (1 + dice.randrange(4))
        fields: dict[str, object] = {"instrument": quote.instrument, "side": side, "quantity": quantity} | terms
        return Intent(**fields)  # type: ignore[arg-type]
