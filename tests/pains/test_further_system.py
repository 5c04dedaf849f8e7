"""More of the same kind, about the system as a whole: storms, zombies, clocks, growing maps and dropped requests."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import attrs
import pytest
from attrs import evolve

from adapters.simulated import wire
from adapters.simulated.translate import Translator
from adapters.simulated.venue import SimulatedVenue
from engine import events, inputs
from engine.inputs import RequestKind
from engine.order import Order
from engine.settings import Evaluate, Limits, Orders, Risk
from engine.state import State
from engine.strategy import Answers, Context, Intent
from engine.values import SECOND_NS, Duration, ExecId, Side
from tests.engine.bench import BTC as BENCH_BTC
from tests.engine.bench import SETTINGS, TREND, d
from tests.engine.world import World as OneProcess
from tests.engine.world import scripted
from tests.pains.small_world import (
    ONE,
    accepted_of,
    eager,
    engine_of,
    events_of,
    finish,
    make_world,
    resting,
    restless,
    run_for,
    run_until_asked,
    seeds,
    set_faults,
    state_of,
    submits_of,
)
from tools.simulation.floor import VirtualFloor, VirtualLink
from tools.simulation.world import VENUE, Plan

MINUTES = 60
EACH_PLACE = {"every": 1, "on": ["place"]}


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a client connects, and what it asks."""
    counted: Counter[str] = Counter()
    connect, send = VirtualFloor.connect, VirtualFloor.send

    def count_connect(floor: VirtualFloor, receive: Any) -> int:
        counted["connect"] += 1
        return connect(floor, receive)

    def count_send(floor: VirtualFloor, connection: int, number: int, request: wire.Ask) -> None:
        counted[type(request).__name__] += 1
        send(floor, connection, number, request)

    monkeypatch.setattr(VirtualFloor, "connect", count_connect)
    monkeypatch.setattr(VirtualFloor, "send", count_send)
    return counted


# --- 8: storms --------------------------------------------------------------------------------------------------


def test_further_08_a_dead_exchange_is_tried_every_two_seconds(traffic: Counter[str]) -> None:
    """Recovery became a storm, and the address was banned (hummingbot#1291, frostybot-js#67). Here the exchange is gone
    for ten minutes while orders are in doubt: it is tried every two seconds at most, and nothing is asked."""
    world = make_world(8, {ONE: resting(orders=5)}, {"lose_reply": EACH_PLACE})
    run_until_asked(world, 5)
    world.floor.end()
    traffic.clear()
    run_for(world, 10 * MINUTES)
    assert 0 < traffic["connect"] <= 10 * MINUTES // 2 + 10
    assert {kind for kind in traffic if kind != "connect"} == set()
    world.floor.begin()
    assert finish(world) == []


@pytest.mark.parametrize("how", ["fail", "error_reply", "lose_reply"])
def test_further_08_unanswered_questions_become_fewer(how: str, traffic: Counter[str]) -> None:
    """The exchange is there and answers nothing for five minutes, about five orders in doubt: the questions about each
    go from its pace to one in half a minute, the account's report is asked for once a second at most."""
    world = make_world(8, {ONE: resting(orders=5)}, {"lose_reply": EACH_PLACE})
    run_until_asked(world, 5)
    set_faults(world, {how: {"every": 1, "on": ["query", "snapshot"]}})
    traffic.clear()
    run_for(world, 5 * MINUTES)
    assert traffic["connect"] == 0
    assert 0 < traffic["Query"] <= 5 * (15 + 5 * MINUTES // 30)
    assert 0 < traffic["ReadAccount"] <= 5 * MINUTES + 10
    assert finish(world) == []


def test_further_08_a_line_that_is_cut_again_and_again_is_left_alone_for_a_while(traffic: Counter[str]) -> None:
    """The exchange welcomes everybody and cuts the line at the first question, as one that bans does."""
    world = make_world(8, {ONE: resting()})
    run_until_asked(world)
    set_faults(world, {"disconnect": {"every": 1, "on": ["snapshot", "query"]}})
    traffic.clear()
    run_for(world, 30)
    assert traffic["connect"] <= 30


# --- 9: zombies -------------------------------------------------------------------------------------------------

SILENT = {"drop": {"every": 1, "on": ["market", "execution", "order"]}}


def test_further_09_fills_are_found_behind_a_zombie_connection() -> None:
    """A websocket was up and silent for eight hours (passivbot_lighter#3, ibind#129). Here every frame is dropped, the
    market's too, while questions are answered: what is executed is still found by the account's report."""
    world = make_world(9, {ONE: restless(6)})
    run_for(world, 3)
    set_faults(world, SILENT)
    run_for(world, 20)
    state = state_of(world)
    assert sum((fill.quantity for fill in state.executions.values()), Decimal(0)) > 0
    assert finish(world) == []


def test_further_09_nothing_is_sent_on_prices_of_a_zombie() -> None:
    """With `max_quote_age`, what still wants to trade behind it is denied."""
    risk = Risk(account=Limits(max_quote_age_ns=Duration(5 * SECOND_NS)))
    world = make_world(9, {ONE: _by_timer}, risk=risk, evaluate=Evaluate(every_ns=Duration(SECOND_NS)))
    run_for(world, 5)
    set_faults(world, SILENT)
    run_for(world, 6)
    left = len(submits_of(world))
    run_for(world, 60)
    assert (len(submits_of(world)), left > 0) == (left, True)
    assert "max_quote_age" in {one.event.reason for one in events_of(world, events.OrderDenied)}


def _by_timer(callback: str, context: Context, argument: Any) -> Answers:
    """Wants an order every second, far below the last price that it saw."""
    name = context.instruments[0]
    quote = context.quote(name)
    if callback != "on_timer" or quote is None or context.open_orders():
        return None
    return [Intent(instrument=name, side=Side.BUY, quantity="0.01", price=quote.ask, time_in_force="ioc")]


def test_further_09_eight_silent_hours_are_noticed(traffic: Counter[str]) -> None:
    """Nobody noticed for eight hours that there were no orders. The silence of a market that moved ten times a minute
    has to be known within five minutes: by a pause, by a new connection, or by an anomaly at least."""
    world = make_world(9, {ONE: eager(1_000)}, every_ns=Duration(5 * SECOND_NS))
    run_for(world, 60)
    set_faults(world, SILENT)
    traffic.clear()
    run_for(world, 5 * MINUTES)
    system = engine_of(world).state.system
    told = events_of(world, events.AnomalyRecorded, events.TradingPaused, events.VenueLost)
    assert system != "trading" or traffic["connect"] > 0 or told


# --- 10: clocks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_seconds", [-30, -3, 3, 30])
def test_further_10_a_wrong_clock_is_a_pause_and_no_loop(ahead_seconds: int, traffic: Counter[str]) -> None:
    """Every request was refused for its timestamp, and was sent again for ever (zenbot#1014). Here our clock is wrong
    from the start: it is measured by asking, trading pauses and says why, and no order leaves at all."""
    world = make_world(10, {ONE: eager()}, plan=Plan(ahead_ns=ahead_seconds * SECOND_NS))
    run_for(world, 3 * MINUTES)
    assert [pause.reason for pause in engine_of(world).state.pauses.values()] == ["clock_skew"]
    assert (submits_of(world), traffic["Place"]) == ([], 0)


def test_further_10_a_clock_that_goes_wrong_costs_some_orders_and_then_a_pause() -> None:
    """The clock falls back by three seconds in the middle of a run: what is refused until the next measurement, within
    a minute, is refused once each and for good, and counts as orders; then trading pauses, until the clock is right."""
    world = make_world(10, {ONE: eager(100_000)})
    run_for(world, 10)
    world.jump_clock(-3 * SECOND_NS)
    run_for(world, 70)
    assert [pause.reason for pause in engine_of(world).state.pauses.values()] == ["clock_skew"]
    left = len(submits_of(world))
    run_for(world, 5 * MINUTES)
    assert len(submits_of(world)) == left
    assert max(Counter(request.client_order_id for request in submits_of(world)).values()) == 1
    assert finish(world) == []


# --- 13: maps that grow -----------------------------------------------------------------------------------------

KEPT = 5


def _trades_forever() -> OneProcess:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote" or context.open_orders():
            return None
        return [Intent(instrument=BENCH_BTC, side=_side_of(argument), quantity="1", price="100",
                       key=f"k{context.now_ns}")]  # fmt: skip

    settings = evolve(SETTINGS, orders=Orders(closed_kept_most=KEPT))
    return OneProcess(settings, {TREND: scripted(script)})


def _side_of(quote: inputs.Quote) -> Side:
    """Buys and sells by turns, as the bid says."""
    return Side.BUY if quote.bid % 2 else Side.SELL


def _one_more(world: OneProcess, number: int, *, odd: bool) -> Order:
    """An order that is filled, settled and far enough in the past to be archived; `odd` with an anomaly of its own."""
    world.quote(str(91 + number % 2), "101")
    order = next(order for order in world.orders() if order.is_open)
    world.tell(inputs.Ack(**world.head(order) | {"venue_order_id": f"v-{number}"}))
    if odd:
        world.tell(inputs.Canceled(**world.head(order)))
    world.tell(world.trade("1", ExecId(f"e{number}"), order=order))
    if odd:
        world.tell(inputs.OutcomeUnknown(**world.head(order), request=RequestKind.CANCEL, cause="odd"))
    return order


def _sizes(world: OneProcess) -> dict[str, int]:
    found = {field.name: getattr(world.state, field.name) for field in attrs.fields(State)}
    sizes = {name: len(value) for name, value in found.items() if isinstance(value, dict | tuple)}
    return sizes | {"repeats": len(world.desk.repeats)}


def _sizes_after(orders: int, *, odd: bool) -> dict[str, int]:
    world = _trades_forever()
    for number in range(orders):
        _one_more(world, number, odd=odd)
        world.clock.ns += 120 * SECOND_NS
        held = world.state.balances[world.venue.name]
        world.venue.balances = tuple(inputs.Balance(asset, amount, d(0)) for asset, amount in held.items())
        world.answer_snapshots()
    archived = [event for event in world.since(0) if isinstance(event, events.OrderArchived)]
    assert len(archived) > orders - 2 * KEPT
    return _sizes(world)


def test_further_13_what_is_remembered_does_not_grow() -> None:
    """Bookkeeping maps grew without end (nautilus#4523). Here twenty orders are traded, filled and archived, and
    then forty: nothing that the state or the desk remembers is larger after more of them, but the guard
    against doubled intents, which has a limit of its own."""
    few, many = _sizes_after(20, odd=False), _sizes_after(40, odd=False)
    grown = {name: (few[name], many[name]) for name in many if many[name] > few[name]}
    assert set(grown) <= {"last_intent"}
    assert len(few) > 15


def test_further_13_what_was_said_of_archived_orders_is_forgotten() -> None:
    """The same with a late execution after each order's end: an anomaly each."""
    few, many = _sizes_after(20, odd=True), _sizes_after(40, odd=True)
    assert many["said"] <= few["said"]


# --- 14: requests that are dropped in a reconnect ---------------------------------------------------------------


def test_further_14_an_order_that_is_placed_in_a_reconnect_has_an_outcome() -> None:
    """`place_order` did nothing during a reconnect, and said nothing (ibx#116). Here the line is cut all the time, so
    that orders leave while there is none: each has an outcome in the journal, by evidence, and the strategy hears."""
    unsent = doubted = 0
    for seed in seeds(6):
        faults = {"disconnect": {"permille": 250, "on": ["market", "place", "execution"]},
                  "lose_request": {"permille": 200, "on": ["place"]}}  # fmt: skip
        world = make_world(seed, {ONE: restless(20)}, faults)
        run_for(world, 8)
        assert finish(world) == [], f"seed {seed}"
        for request in submits_of(world):
            order = state_of(world).orders[request.order_id]
            assert not order.is_unsettled, f"seed {seed}"
            assert (order.status == "void") is (request.order_id not in accepted_of(world)), f"seed {seed}: {order}"
            unsent += order.status == "void"
        doubted += len(events_of(world, events.OutcomeUnknown))
        run_for(world, 2)
        assert state_of(world).strategies[ONE].untold == (), f"seed {seed}"
    assert unsent > 0
    assert doubted > unsent


def test_further_14_a_submit_without_a_connection_is_not_swallowed() -> None:
    """The adapter itself: what is handed to it while there is no connection, or too late, is told to be unknown."""
    world = make_world(14, {ONE: resting()})
    run_until_asked(world)
    (submit,) = submits_of(world)
    world.floor.end()
    told: list[inputs.Input] = []
    translator, timeout_ns = Translator(VENUE, world.setting.symbols), SECOND_NS
    venue = SimulatedVenue(VENUE, VirtualLink(world.floor), translator, timeout_ns, world.clock.now_ns)
    venue.attach(told.append, engine_of(world).gate)
    venue.release(submit)
    while venue.turn():
        pass
    (unknown,) = told
    assert isinstance(unknown, inputs.OutcomeUnknown)
    assert (unknown.request, unknown.client_order_id) == (RequestKind.NEW, submit.client_order_id)
