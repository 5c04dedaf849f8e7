"""Fills that overtake the answer to a replacement which asks for more (FIX C.1, seen from the other channel).

The rest of such an order once counted for nothing: the books had it filled, and the venue went on working it.
"""

from __future__ import annotations

import pytest
from attrs import evolve

from engine import events, inputs
from engine.order import OrderStatus, Pending
from engine.values import ClientOrderId, OrderId, VenueOrderId
from tests.engine.bench import Bench, d, head, kinds, replaced, status, trade

FIRST, ASKED = ClientOrderId("c-first"), ClientOrderId("c-asked")
ANSWER = evolve(replaced("15", "101"), new_client_order_id=ASKED)


def asking_for_15(stand: str = "NEW") -> tuple[Bench, OrderId]:
    """An order of 10 that was asked to be one of 15; an earlier request for 13 had no effect."""
    bench = Bench()
    order = bench.stand(stand)
    for name, quantity in ((FIRST, d(13)), (ASKED, d(15))):
        bench.book(events.ReplaceRequested(
            order_id=order, new_client_order_id=name, quantity=quantity, price=d(101), by="x"
        ))  # fmt: skip
        if name is FIRST:
            bench.book(events.ReplaceRefused(order_id=order, reason="not effective"))
    return bench, order


def filled_before_the_answer() -> tuple[Bench, OrderId]:
    """All 10 were executed, and whether it is one of 15 by now has not been told."""
    bench, order = asking_for_15()
    assert kinds(bench.about(order, trade("10"))) == ["FillBooked"]
    assert bench.order(order).status == "filled"
    return bench, order


@pytest.mark.parametrize("pending", ["sent", "in_doubt"])
@pytest.mark.parametrize("stand", ["NEW", "PAR", "SUS", "SU4", "DFD", "DF4"])
def test_a_fill_beyond_the_old_quantity_says_that_the_replacement_is_in_force(stand: str, pending: str) -> None:
    bench, order = asking_for_15(stand)
    if pending == "in_doubt":
        bench.book(events.OutcomeUnknown(order_id=order, request=inputs.RequestKind.REPLACE, cause="timeout"))
    more = d(12) - bench.order(order).filled
    assert kinds(bench.about(order, trade(str(more)))) == ["OrderReplaced", "FillBooked"]
    after = bench.order(order)
    assert (after.status, after.quantity, after.price, after.leaves) == ("partially_filled", d(15), d(101), d(3))
    assert after.pending_replace is Pending.NONE
    assert not bench.state.pauses
    assert bench.about(order, ANSWER) == [], "the answer tells what is known"
    assert bench.about(order, inputs.ReplaceAcked(**head(), new_client_order_id=ASKED)) == []
    assert bench.order(order) == after


def test_a_fill_of_the_whole_replacement_fills_the_order() -> None:
    bench, order = asking_for_15()
    assert kinds(bench.about(order, trade("15"))) == ["OrderReplaced", "FillBooked"]
    assert (bench.order(order).status, bench.order(order).quantity) == ("filled", d(15))
    assert bench.about(order, ANSWER) == []
    assert not bench.state.pauses


@pytest.mark.parametrize("quantity", ["16", "10", "9"])
def test_other_fills_say_nothing_of_the_replacement(quantity: str) -> None:
    """More than even the replacement asks for is an overfill; the old quantity, or less, may be the old order."""
    bench, order = asking_for_15()
    assert "OrderReplaced" not in kinds(bench.about(order, trade(quantity)))
    assert bench.order(order).quantity == d(10)
    assert bool(bench.state.pauses) == (quantity == "16")


def test_the_answer_opens_a_filled_order_for_the_rest() -> None:
    bench, order = filled_before_the_answer()
    assert kinds(bench.about(order, ANSWER)) == ["OrderReplaced"]
    after = bench.order(order)
    assert (after.status, after.leaves, after.exposure) == ("partially_filled", d(5), d(5))
    assert [open_order.order_id for open_order in bench.state.open_orders()] == [order]
    assert bench.about(order, ANSWER) == [], "told twice"
    assert kinds(bench.about(order, trade("5", "e10"))) == ["FillBooked"]
    assert bench.order(order).status == "filled"


def test_the_answer_explains_what_was_taken_for_an_overfill() -> None:
    bench, order = filled_before_the_answer()
    assert "TradingPaused" in kinds(bench.about(order, trade("5", "e10")))
    assert kinds(bench.about(order, ANSWER)) == ["OrderReplaced"]
    assert (bench.order(order).status, bench.order(order).quantity) == ("filled", d(15))
    assert bench.about(order, ANSWER) == []


def test_an_answer_to_an_earlier_request_opens_nothing() -> None:
    bench, order = filled_before_the_answer()
    assert bench.about(order, evolve(replaced("13", "101"), new_client_order_id=FIRST)) == []
    assert bench.order(order).status == "filled"


@pytest.mark.parametrize("stand", ["CAN", "EXP"])
def test_a_closed_order_that_late_fills_completed_is_not_opened(stand: str) -> None:
    """The venue had closed it: that was its last word."""
    bench, order = asking_for_15("NEW")
    closed = events.OrderCanceled(order_id=order, requested=True) if stand == "CAN" else events.OrderExpired(
        order_id=order
    )  # fmt: skip
    bench.book(closed)
    bench.about(order, trade("10"))
    assert bench.order(order).status == "filled"
    assert kinds(bench.about(order, ANSWER)) == ["AnomalyRecorded"]
    assert bench.about(order, status("partially_filled", "10", "15", "101")) == []
    assert bench.order(order).status == "filled"


def test_a_list_that_shows_a_rest_is_asked_about_and_the_answer_is_believed() -> None:
    """The replacement's own answer was lost."""
    bench, order = filled_before_the_answer()
    asked_before_ns = bench.now_ns - 1
    shown = status("partially_filled", "10", "15", "101")
    assert kinds(bench.about(order, shown)) == ["AnomalyRecorded", "OrderQueried"]
    assert kinds(bench.about(order, evolve(shown, asked_ns=asked_before_ns))) == [], "asked about already"
    assert bench.order(order).status == "filled"
    bench.wait(1)
    assert kinds(bench.about(order, evolve(shown, asked_ns=bench.now_ns))) == ["OrderReplaced"]
    assert (bench.order(order).status, bench.order(order).leaves) == ("partially_filled", d(5))


def test_a_list_from_before_the_last_fill_opens_nothing() -> None:
    bench, order = filled_before_the_answer()
    assert bench.about(order, status("partially_filled", "4")) == []
    assert bench.order(order).status == "filled"


def test_an_order_that_was_never_replaced_is_not_opened() -> None:
    bench = Bench()
    order = bench.stand("FIL")
    assert bench.about(order, evolve(status("partially_filled", "10", "15"), asked_ns=bench.now_ns)) == []
    assert kinds(bench.about(order, ANSWER)) == ["AnomalyRecorded"]
    assert bench.order(order).status == OrderStatus.FILLED


@pytest.mark.parametrize("halted", [inputs.Suspended, inputs.DoneForDay])
def test_a_reply_that_the_stream_overtook_does_not_wake_a_halted_order(halted: type[inputs.Report]) -> None:
    bench = Bench()
    order = bench.submit()
    bench.about(order, halted(**(head() | {"venue_order_id": None})))
    before = bench.order(order)
    assert kinds(bench.about(order, inputs.Ack(**head()))) == ["OrderAccepted"]
    assert bench.order(order) == evolve(before, venue_order_id=VenueOrderId("v-o1")), "no more"
    assert bench.about(order, inputs.Ack(**head())) == []
    assert kinds(bench.about(order, inputs.Restated(**head(), quantity=d(10)))) == ["OrderRestated"]
    assert bench.order(order).status == "new"
