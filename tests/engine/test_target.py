"""The way to a position: one order at a time, never while something is open, and taken back when it leads nowhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from engine import inputs
from engine.inputs import Quote
from engine.order import Order, Pending
from engine.outbox import CancelOrder, SubmitOrder
from engine.strategy import Answers, Context
from engine.target import approach, is_left_behind
from engine.values import Side
from tests.engine.bench import BTC, T0_NS, TREND, d
from tests.engine.world import World, scripted

QUOTE = Quote(BTC, d(100), d(1), d(101), d(1), T0_NS)


def towards(target: str) -> World:
    """A world whose strategy wants this position, from a first quote on."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        return approach(context, argument, Decimal(target), {"target": target}) if callback == "on_quote" else None

    world = World(kinds={TREND: scripted(script)})
    world.quote()
    return world


@pytest.mark.parametrize(
    ("target", "side", "price", "quantity"),
    [("2", Side.BUY, "101", "2"), ("-2", Side.SELL, "100", "2"), ("0.19", Side.BUY, "101", "0.1")],
)
def test_the_distance_is_closed_at_the_other_side_s_price_in_whole_lots(
    target: str, side: Side, price: str, quantity: str
) -> None:
    (order,) = towards(target).orders()
    assert (order.side, order.price, order.quantity) == (side, d(price), d(quantity))


@pytest.mark.parametrize("target", ["0", "0.09", "-0.09"])
def test_less_than_a_lot_is_no_distance(target: str) -> None:
    assert towards(target).orders() == []


def test_while_an_order_is_open_nothing_new_is_wanted_and_then_only_the_rest() -> None:
    world = towards("2")
    world.tell(inputs.Ack(**world.head()), world.trade("0.5", price="101"))
    for _ in range(3):
        world.quote()
    assert len(world.venue.take(SubmitOrder)) == 1
    world.tell(inputs.Canceled(**world.head()))
    world.quote()
    assert [order.quantity for order in world.orders()] == [d(2), d("1.5")]


def test_an_order_that_the_market_leaves_is_taken_back_once() -> None:
    world = towards("2")
    world.tell(inputs.Ack(**world.head()))
    world.quote("100.5", "101.5")
    assert world.venue.take(CancelOrder) == []
    for bid in ("102", "103", "104"):
        world.quote(bid, "105")
    assert len(world.venue.take(CancelOrder)) == 1


@pytest.mark.parametrize(
    ("side", "price", "missing", "expected"),
    [
        (Side.BUY, "100", "1", False),
        (Side.BUY, "99.5", "1", True),
        (Side.BUY, "100", "-1", True),
        (Side.BUY, "100", "0", True),
        (Side.SELL, "101", "-1", False),
        (Side.SELL, "101.5", "-1", True),
        (Side.SELL, "101", "1", True),
        (Side.SELL, "101", "0", True),
    ],
)
def test_what_is_left_behind(side: Side, price: str, missing: str, expected: bool) -> None:
    (order,) = towards("2").orders()
    order = evolve(order, side=side, price=d(price))
    assert is_left_behind(order, QUOTE, d(missing)) is expected
    assert not is_left_behind(evolve(order, pending_cancel=Pending.SENT), QUOTE, d(missing))
    market: Order = evolve(order, price=None)
    assert not is_left_behind(market, QUOTE, d(missing))
