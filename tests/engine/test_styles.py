"""Orders that are worked near the touch: placed, moved, given up, crossed; within bounds, through a restart."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from engine import inputs
from engine.events import Event
from engine.inputs import Action
from engine.instructions import Role, Work
from engine.order import CANCELED, INTENT, PENDING_NEW, Order
from engine.outbox import CancelOrder, ReplaceOrder
from engine.strategy import Intent
from engine.values import SECOND_NS
from tests.engine.bench import BTC, d, kinds
from tests.engine.test_held_orders import Held, told


def worked(**style: Any) -> Intent:
    """A buy of 2, worked."""
    return Intent(instrument=BTC, side="buy", quantity=2, style=Work(**({"reprice_after_ns": "5s"} | style)))


class Desk(Held):
    """With the one order that is worked."""

    def begin(self, intent: Intent, bid: str = "100", ask: str = "101") -> Order:
        self.want(intent, bid=bid, ask=ask)
        order = self.world.orders()[0]
        if order.status is PENDING_NEW:
            self.ack(order)
        return self.now(order)

    def later(self, bid: str, ask: str, seconds: int = 6, **more: Any) -> list[Event]:
        self.world.clock.ns += seconds * SECOND_NS
        return told(self.world.quote(bid, ask, **more))

    def replaced(self, order: Order) -> None:
        """The venue carries the last replacement out."""
        (asked,) = self.world.venue.take(ReplaceOrder)
        head = self.world.head(self.now(order)) | {"venue_order_id": f"v-{order.order_id}"}
        self.world.tell(inputs.Replaced(
            **head, quantity=asked.quantity, price=asked.price, new_client_order_id=asked.new_client_order_id
        ))  # fmt: skip


@pytest.mark.parametrize(("at", "price"), [("join", "100"), ("mid", "100.5"), ("cross", "101")])
def test_where_it_stands(at: str, price: str) -> None:
    assert Desk().begin(worked(at=at)).price == d(price)


def test_it_is_left_where_it_is_within_the_tolerance_and_before_its_time() -> None:
    desk = Desk()
    order = desk.begin(worked(tolerance="0.01"))
    assert kinds(desk.later("101", "102")) == []
    assert kinds(desk.later("101.5", "102", seconds=1)) == ["ReplaceRequested"]
    desk = Desk()
    order = desk.begin(worked())
    assert kinds(desk.later("101", "102", seconds=4)) == []
    assert kinds(desk.later("101", "102", seconds=2)) == ["ReplaceRequested"]
    (asked,) = desk.world.venue.take(ReplaceOrder)
    assert (asked.price, asked.quantity, asked.order_id) == (d(101), d(2), order.order_id)


def test_nothing_moves_while_an_answer_is_outstanding() -> None:
    desk = Desk()
    desk.begin(worked())
    assert kinds(desk.later("101", "102")) == ["ReplaceRequested"]
    assert "ReplaceRequested" not in kinds(desk.later("103", "104"))


def test_a_partial_fill_is_booked_before_the_next_replacement_is_sized() -> None:
    desk = Desk()
    order = desk.begin(worked())
    desk.fill(order, "0.5")
    desk.later("101", "102")
    desk.replaced(order)
    assert desk.now(order).leaves == d("1.5")
    status = desk.world.status("partially_filled", "1", order=desk.now(order), price=d(101))
    desk.world.tell(status)  # an execution of 0.5 has not come yet
    assert "ReplaceRequested" not in kinds(desk.later("103", "104"))
    desk.fill(order, "0.5")
    assert "ReplaceRequested" in kinds(desk.later("103", "104"))
    (asked,) = desk.world.venue.take(ReplaceOrder)
    assert (asked.quantity, asked.price) == (d(2), d(103))
    assert desk.now(order).leaves == d(1)


def test_after_its_replacements_it_is_given_up() -> None:
    desk = Desk()
    order = desk.begin(worked(max_replacements=1))
    desk.later("101", "102")
    desk.replaced(order)
    assert kinds(desk.later("102", "103")) == ["StyleEnded", "CancelRequested"]
    assert kinds(desk.later("103", "104")) == []
    desk.canceled(order)
    assert kinds(desk.later("103", "104")) == []
    assert desk.now(order).style_outcome == "gave_up"
    assert len(desk.world.orders()) == 1


def test_the_rest_is_crossed_once_the_cancel_is_certain_also_by_the_next_process() -> None:
    desk = Desk()
    order = desk.begin(worked(max_replacements=0, give_up="cross", max_slippage="0.02"))
    desk.fill(order, "0.5")
    assert kinds(desk.later("101", "101.5")) == ["StyleEnded", "CancelRequested"]
    assert len(desk.world.orders()) == 1
    desk.fill(order, "0.5")  # it crosses the cancel
    desk.sent()
    desk.restart()
    desk.quote("101", "101.5")
    made = desk.canceled(order)
    assert "SubmitRequested" in kinds(made)
    (sent,) = desk.sent()
    assert (sent.order_type, sent.time_in_force, sent.quantity, sent.price) == ("limit", "ioc", d(1), d(102))
    crossing = desk.role(Role.CROSS)
    assert (crossing.parent, crossing.order_type) == (order.order_id, "market")
    desk.restart()
    desk.later("101", "101.5")
    assert desk.sent() == []


def test_an_order_that_somebody_else_canceled_is_not_crossed() -> None:
    desk = Desk()
    order = desk.begin(worked(max_replacements=0, give_up="cross"))
    desk.world.command(Action.KILL)
    desk.canceled(order)
    assert "SubmitRequested" not in kinds(desk.later("101", "102"))
    assert len(desk.world.orders()) == 1


def test_what_is_given_up_in_the_moment_of_a_kill_is_not_crossed() -> None:
    desk = Desk()
    order = desk.begin(worked(max_replacements=0, give_up="cross"))
    desk.later("101", "102")
    desk.world.command(Action.KILL)
    desk.sent()
    desk.canceled(order)
    assert desk.sent() == []
    assert desk.role(Role.CROSS).reason == "not_trading"


@pytest.mark.parametrize(
    ("bound", "quote", "inside"),
    [
        ({"max_spread": "0.02"}, ("100", "102.5"), ("100", "102")),
        ({"min_depth": "10"}, ("100", "101"), None),
    ],
)  # fmt: skip
def test_it_waits_for_the_market_to_be_within_its_bounds(bound: dict[str, Any], quote: Any, inside: Any) -> None:
    desk = Desk()
    order = desk.begin(worked(max_replacements=1, **bound), *quote)
    assert (order.status, order.held) == (INTENT, "its style waits for the market")
    if inside:
        assert kinds(desk.later(*inside)) == ["SubmitRequested"]
    else:
        assert "SubmitRequested" in kinds(desk.later("100", "101", ask_quantity=d(10)))
    desk = Desk()
    order = desk.begin(worked(max_replacements=1, **bound), *quote)
    assert kinds(desk.later(*quote)) == []
    assert kinds(desk.later(*quote)) == ["StyleEnded", "OrderCanceled"]
    assert desk.now(order).status is CANCELED
    assert desk.sent() == []


def test_nothing_is_moved_or_crossed_out_of_bounds() -> None:
    desk = Desk()
    order = desk.begin(worked(max_replacements=1, give_up="cross", max_spread="0.02"))
    assert kinds(desk.later("101", "105")) == []
    assert kinds(desk.later("101", "102")) == ["ReplaceRequested"]
    desk.replaced(order)
    made = desk.later("101", "105")
    assert kinds(made) == ["StyleEnded", "CancelRequested"]
    assert made[0].outcome == "gave_up"  # type: ignore[attr-defined]
    assert made[0].numbers["spread"].startswith("0.0396")  # type: ignore[attr-defined]


def test_its_own_limit_and_slippage_are_never_passed() -> None:
    desk = Desk()
    order = desk.begin(worked(max_slippage="0.01", max_replacements=9))
    desk.later("110", "111")
    desk.replaced(order)
    assert desk.now(order).price == d(101)
    desk = Desk()
    order = desk.begin(evolve(worked(max_replacements=9), price=d("100.5")))
    assert order.price == d(100)
    desk.later("110", "111")
    desk.replaced(order)
    assert desk.now(order).price == d("100.5")


def test_orders_of_one_instrument_move_one_after_the_other() -> None:
    desk = Desk()
    desk.want(worked(), worked(at="mid"))
    for order in desk.world.orders():
        desk.ack(order)
    made = desk.later("102", "104")
    assert kinds(made) == ["ReplaceRequested"]
    assert kinds(desk.later("102", "104", seconds=1)) == ["ReplaceRequested"]


def test_a_style_needs_a_limit_order() -> None:
    desk = Desk()
    made = desk.want(evolve(worked(), order_type="market"))
    assert kinds(made) == ["OrderIntended", "OrderDenied"]
    assert made[1].reason == "style"  # type: ignore[attr-defined]
    assert desk.world.venue.take(CancelOrder) == []
    made = desk.want(worked(max_replacements=-1))
    assert "StrategyFailed" in kinds(made)
