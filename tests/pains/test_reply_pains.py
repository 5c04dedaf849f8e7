"""Requests whose reply never comes: pains 2 to 6, 15 and 17, with the exchange's own ledger as the witness."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.simulated import wire
from engine import events
from engine.inputs import RequestKind
from engine.order import TERMINAL
from engine.settings import Limits, Risk
from engine.strategy import Answers, Cancel, Context, Intent
from engine.values import MILLISECOND_NS, Duration, Side
from tests.pains.small_world import (
    BTC,
    ONE,
    Script,
    accepted_of,
    eager,
    engine_of,
    events_of,
    exchange_of,
    executed_of,
    finish,
    make_world,
    restarts,
    resting,
    run_for,
    run_until_asked,
    seeds,
    set_faults,
    state_of,
    statuses_of,
    submits_of,
)
from tools.simulation.clock import BEGIN_NS
from tools.simulation.floor import VirtualFloor
from tools.simulation.world import World

EACH_PLACE = {"every": 1, "on": ["place"]}
PARTS = 4
"""The seeds of a campaign are dealt out to so many tests, for as many cores."""


def assert_one_order_each(world: World) -> None:
    """What left the engine is at the exchange once, and nothing else is."""
    left = [str(request.order_id) for request in submits_of(world)]
    assert left
    assert accepted_of(world) == dict.fromkeys(left, 1)


def doubted_of(world: World) -> list[str]:
    """The orders that were in doubt, after the check that a fact of the exchange ended each doubt."""
    doubted: list[str] = []
    about = [one.event for one in events_of(world, events.OrderEvent)]
    for number, event in enumerate(about):
        if isinstance(event, events.OutcomeUnknown) and event.request is RequestKind.NEW:
            after = [e for e in about[number + 1 :] if e.order_id == event.order_id and e.kind != "OrderQueried"]
            assert after[0].kind in ("OrderAccepted", "FillBooked"), after[0]
            doubted.append(event.order_id)
    return doubted


# --- 2 and 6: accepted, and the reply is lost -------------------------------------------------------------------

LOST = {
    "lost": {"lose_reply": EACH_PLACE},
    "an error": {"error_reply": EACH_PLACE},
    "too late": {"delay_reply": EACH_PLACE | {"by": "3s"}},
}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("how", LOST)
def test_pain_02_a_post_that_timed_out_is_one_order(how: str, part: int) -> None:
    """POST timed out, the order was accepted, the bot ordered again. Here every single reply is lost, on other seeds
    with every commit: one venue order per intent, in doubt until the venue has shown it. The whole campaign is
    `PAIN_SEEDS=10000 pytest tests/pains -n auto -k "pain_02 or pain_06"`."""
    doubts = 0
    for seed in seeds(32)[part::PARTS]:
        world = make_world(seed, {ONE: eager(2, ends_far=True)}, LOST[how])
        run_for(world, 4)
        assert finish(world) == [], f"seed {seed}"
        assert_one_order_each(world)
        assert set(statuses_of(world)) <= {"new", "partially_filled", "filled"}
        doubts += len(doubted_of(world))
    assert doubts > 0


@pytest.mark.parametrize("part", range(PARTS))
def test_pain_06_a_stream_that_drops_in_a_submit_is_one_order(part: int) -> None:
    """The websocket dropped, the bot booked a failure, the order was live. Here the line is cut once each submit has
    been carried out: the reply, the acknowledgement and the fills are lost with it, and one order is there."""
    doubts = 0
    for seed in seeds(48)[part::PARTS]:
        world = make_world(seed, {ONE: eager(2, ends_far=True)}, {"disconnect": EACH_PLACE})
        run_for(world, 4)
        assert finish(world) == [], f"seed {seed}"
        assert_one_order_each(world)
        assert set(statuses_of(world)) <= {"new", "partially_filled", "filled"}
        doubts += len(doubted_of(world))
    assert doubts > 0


# --- 3: an outage longer than every budget ----------------------------------------------------------------------


def until_holding(quantity: str = "0.01") -> Script:
    """Buys through the ask on every quote as long as it holds nothing and has nothing open."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote" or context.open_orders() or context.position(BTC):
            return None
        return [Intent(instrument=BTC, side=Side.BUY, quantity=quantity, price=argument.ask + 50)]

    return script


def test_pain_03_an_outage_of_two_hours_rejects_nothing() -> None:
    """A submit without an acknowledgement was rejected by a timer, and the fill that the venue showed later was
    dropped. Here the venue executes, and is gone for two hours before it could say so."""
    world = make_world(3, {ONE: until_holding()}, {"lose_reply": EACH_PLACE, "drop": {"every": 1}})
    run_until_asked(world)
    run_for(world, 0, 20)
    assert sum(fact.quantity for _at_ns, fact in executed_of(world).values()) == Decimal("0.01")
    world.floor.end()
    for _ in range(120):
        run_for(world, 60)
        (order,) = engine_of(world).state.orders.values()
        assert (order.status not in TERMINAL, order.exposure) == (True, Decimal("0.01"))
    world.floor.begin()
    assert finish(world) == []
    (order,) = state_of(world).orders.values()
    assert (order.status, state_of(world).position(BTC).quantity) == ("filled", Decimal("0.01"))
    assert len(submits_of(world)) == 1, "it was bought again"


# --- 4: a cancel without an answer ------------------------------------------------------------------------------


def impatient(*, waits: bool = True) -> Script:
    """Places one order below the market, cancels it, and wants the next one once that cancel has timed out, or (if it
    does not wait) at once."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote":
            return None
        again = Intent(instrument=BTC, side=Side.BUY, quantity="0.01", price=Decimal(int(argument.bid) // 2))
        open_now = context.open_orders()
        if not open_now:
            placed, context.memory["placed"] = context.memory.get("placed", False), True
            return None if placed else [again]
        if open_now[0].pending_cancel == "none":
            return [Cancel(open_now[0].order_id)]
        return [again] if open_now[0].pending_cancel == "in_doubt" or not waits else None

    return script


@pytest.mark.parametrize("how", ["lose_request", "busy"])
def test_pain_04_an_order_whose_cancel_is_lost_is_not_replaced(how: str) -> None:
    """A cancel timed out, was taken for done, and the strategy refilled: orders stacked up. Here the cancels never
    take effect: the order stays open, it counts in full, and a second one does not leave."""
    world = make_world(4, {ONE: impatient()}, {how: {"every": 1, "on": ["cancel"]}})
    run_until_asked(world)
    for _ in range(100):
        run_for(world, 0, 200)
        (order,) = (o for o in engine_of(world).state.orders.values() if o.client_order_id)
        assert (order.is_open, order.exposure, len(exchange_of(world).open)) == (True, Decimal("0.01"), 1)
    assert len(submits_of(world)) == 1
    if how == "lose_request":
        assert {one.event.reason for one in events_of(world, events.OrderDenied)} == {"instrument_in_doubt"}
    assert finish(world) == []
    assert (len(submits_of(world)), len(exchange_of(world).open)) == (1, 0)


def test_pain_04_exposure_counts_while_the_cancel_is_under_way() -> None:
    """The same strategy does not wait for its cancel to time out: the limit sees the order that may still be live."""
    risk = Risk(account=Limits(max_position={BTC: Decimal("0.01")}))
    world = make_world(4, {ONE: impatient(waits=False)}, {"lose_request": {"every": 1, "on": ["cancel"]}}, risk=risk,
                       balances={"USDT": Decimal(100_000)})  # fmt: skip
    run_until_asked(world)
    for _ in range(50):
        run_for(world, 0, 200)
        assert len(exchange_of(world).open) == 1
    reasons = {one.event.reason for one in events_of(world, events.OrderDenied)}
    assert (len(submits_of(world)), reasons) == (1, {"instrument_in_doubt", "max_position"})


def test_pain_04_a_cancel_that_was_done_silently_is_found_out() -> None:
    """The other half: only the reply is lost. The exposure is freed by what the venue shows, not by the clock."""
    world = make_world(4, {ONE: impatient()}, {"lose_reply": {"every": 1, "on": ["cancel"]}, "drop": {
        "every": 1, "on": ["order", "execution"]}})  # fmt: skip
    run_until_asked(world)
    run_for(world, 10)
    first = next(iter(state_of(world).orders.values()))
    assert (first.status, exchange_of(world).open) == ("canceled", {})
    assert finish(world) == []


# --- 5: the question about it gets no answer --------------------------------------------------------------------

ASKING = ["query", "snapshot"]
UNANSWERED: dict[str, dict[str, Any]] = {
    "server errors": {"fail": {"every": 1, "on": ASKING}},
    "errors after all": {"error_reply": {"every": 1, "on": ASKING}},
    "questions are lost": {"lose_request": {"every": 1, "on": ASKING}},
    "answers are lost": {"lose_reply": {"every": 1, "on": ASKING}},
    "the line is cut": {"disconnect": {"every": 1, "on": ASKING}},
    "stale and partial": {"fail": {"every": 1, "on": ["query"]}, "partial": {"every": 1},
                          "stale": {"every": 1, "by": "600s"}},
    "nobody is there": {},
}  # fmt: skip


@pytest.mark.parametrize("how", UNANSWERED)
def test_pain_05_a_question_without_an_answer_proves_nothing(how: str) -> None:
    """A DNS outage was counted as "order not found" three times over; six live orders were forgotten. Here every
    probe fails in one way for three minutes: the order stays, counts in full, and somebody is told."""
    world = make_world(5, {ONE: resting()}, {"lose_reply": EACH_PLACE})
    run_until_asked(world)
    set_faults(world, UNANSWERED[how] or {"lose_reply": EACH_PLACE})
    if not UNANSWERED[how]:
        run_for(world, 0, 20)
        world.floor.end()
    for _ in range(2 if how == "the line is cut" else 18):
        run_for(world, 10)
        (order,) = engine_of(world).state.orders.values()
        assert (order.status, order.exposure) == ("in_doubt", Decimal("0.01"))
    if how in ("server errors", "errors after all", "questions are lost", "answers are lost"):
        assert "long_in_doubt" in {one.event.anomaly for one in events_of(world, events.AnomalyRecorded)}
    if world.floor.gateway is None:
        world.floor.begin()
    assert finish(world) == []
    assert_one_order_each(world)
    assert statuses_of(world) == ["new"]


# --- 15: an acknowledgement after the timeout -------------------------------------------------------------------


def test_pain_15_an_ack_after_the_timeout_settles_the_order() -> None:
    """A retry went on although the acknowledgement had arrived. Here it comes half a second after the timeout, while
    no question is answered: it is the evidence, and nothing is sent a second time."""
    faults = {"delay_reply": EACH_PLACE | {"by": "1500ms"}, "fail": {"every": 1, "on": ["query"]}}
    for seed in seeds(10):
        world = make_world(seed, {ONE: eager()}, faults)
        run_for(world, 8)
        assert finish(world) == [], f"seed {seed}"
        assert_one_order_each(world)


def test_pain_15_a_request_that_arrives_twice_is_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network delivers every submit twice and loses the reply to the first: all that the engine hears is the
    refusal of a duplicate id. That is evidence that the order exists."""
    send = VirtualFloor.send

    def send_twice(floor: VirtualFloor, connection: int, number: int, request: wire.Ask) -> None:
        for _ in range(2 if isinstance(request, wire.Place) else 1):
            send(floor, connection, number, request)

    monkeypatch.setattr(VirtualFloor, "send", send_twice)
    world = make_world(15, {ONE: resting(orders=3)}, {"lose_reply": {"at": [1, 3, 5], "on": ["place"]}})
    run_for(world, 6)
    assert finish(world) == []
    assert_one_order_each(world)
    assert statuses_of(world) == ["new"] * 3
    assert {one.event.cause for one in events_of(world, events.OutcomeUnknown)} == {"duplicate_id"}


# --- 17: not found, because it has not arrived yet --------------------------------------------------------------


@pytest.mark.parametrize("dies", [False, True])
def test_pain_17_not_found_right_after_sending_is_not_believed(dies: bool) -> None:
    """An order was not found right after it had been sent, or after a restart, and was taken for cancelled. Here
    every submit is under way for 0.8 s while it is asked about all the time, in one case by the next process."""
    asked = 0
    for seed in seeds(8):
        delay = {"delay_request": EACH_PLACE | {"by": "800ms"}}
        timeout_ns = Duration(100 * MILLISECOND_NS)
        world = make_world(seed, {ONE: eager()}, delay, request_timeout_ns=timeout_ns)
        if dies:
            run_until_asked(world)
            plan = restarts(world.clock.now - BEGIN_NS + 50 * MILLISECOND_NS, times=1)
            world = make_world(seed, {ONE: eager()}, delay, plan=plan, request_timeout_ns=timeout_ns)
        run_for(world, 6)
        asked += len(events_of(world, events.OrderQueried))
        assert finish(world) == [], f"seed {seed}"
        assert_one_order_each(world)
        assert set(statuses_of(world)) <= {"new", "partially_filled", "filled"}
    assert asked > 8
