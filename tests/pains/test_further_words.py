"""More of the same kind, about what a venue's words mean: mismatches, ids that lie, orders of somebody else.

In one process, with a venue that says what a test says: what happened to people here, no exchange that ships does.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from adapters.simulated import translate
from adapters.simulated.exchange import Answer, Exchange
from adapters.simulated.wire import OrderAnswer, Query
from engine import events, inputs
from engine.capabilities import ClientIds, Source
from engine.inputs import Action, Refusal, RequestKind
from engine.order import Order
from engine.outbox import CancelOrder, QueryOrder, SubmitOrder
from engine.strategy import Answers, Context, Intent
from engine.values import SECOND_NS, ClientOrderId, OrderType, Side, TimeInForce, VenueOrderId
from tests.engine.bench import BTC, DESCRIPTION, SETTINGS, TREND, d
from tests.engine.world import ScriptedVenue, World, one_order, scripted
from tests.pains.small_world import ONE, eager, events_of, finish, make_world, run_for, seeds, state_of, statuses_of

EVERY_NS = SETTINGS.reconcile.every_ns


def wanting(callback: str, context: Context, argument: Any) -> Answers:
    """Wants an order on every quote on which it has none."""
    if callback != "on_quote" or context.open_orders():
        return None
    return [Intent(instrument=BTC, side=Side.BUY, quantity="1", price=str(argument.bid))]


def wanting_world(**venue: Any) -> World:
    """A world with such a strategy."""
    return World(SETTINGS, {TREND: scripted(wanting)}, [ScriptedVenue(evolve(DESCRIPTION, **venue))])


def anomalies(world: World) -> set[str]:
    """The names of all anomalies."""
    return {event.anomaly for event in world.since(0) if isinstance(event, events.AnomalyRecorded)}


# --- 3: a mismatch ----------------------------------------------------------------------------------------------


def test_further_03_a_difference_stops_trading_until_it_is_gone() -> None:
    """A mismatch was logged and then ignored (bytex#30). Here a balance differs: from its second showing on trading is
    paused, orders are denied however often it is shown, and only its end, seen at the venue, ends the pause."""
    world = wanting_world()
    world.balance("4", "100000")
    for number in range(5):
        world.wait(EVERY_NS)
        world.answer_snapshots()
        if number:
            world.quote(str(90 + number))
    assert [(pause.reason, str(pause.scope)) for pause in world.state.pauses.values()] == [
        ("position_drift", "instrument")
    ]
    assert world.venue.take(SubmitOrder) == []
    world.balance("5", "100000")
    world.wait(EVERY_NS)
    world.answer_snapshots()
    world.quote("99")
    assert (world.state.pauses, len(world.venue.take(SubmitOrder))) == ({}, 1)


def test_further_03_an_order_that_is_not_in_the_list_is_asked_about() -> None:
    """The same for orders: one that the venue's list does not show is a question, and a blocked instrument once the
    answer is odd, never a line in a log."""
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.wait(EVERY_NS)
    world.answer_snapshots()
    assert len(world.venue.take(QueryOrder)) == 1
    world.tell(world.status("canceled", "4"))
    assert (world.only().is_open, world.only().is_in_doubt, world.only().exposure) == (True, True, d(10))


def test_further_03_an_order_that_is_larger_at_the_venue_counts_as_it_is_there() -> None:
    """The venue works 20 where the books have 10: until somebody has looked, twenty may execute."""
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.tell(world.status("new", quantity=d(20)))
    assert "terms_differ" in anomalies(world)
    (question,) = world.venue.take(QueryOrder)[-1:]  # a list may be old: it is asked about before anything is shut
    world.tell(world.status("new", quantity=d(20), asked_ns=question.at_ns, answered_ns=question.at_ns))
    assert world.only().exposure == d(20) or world.state.paused_by(instrument=BTC) is not None


# --- 7: orders of another session -------------------------------------------------------------------------------


def foreign_order(world: World) -> inputs.StatusReport:
    """Somebody else's order in the same instrument, from now on in the venue's list; ours may be added to it."""
    row = inputs.StatusReport(
        venue=world.venue.name, instrument=BTC, client_order_id=ClientOrderId("tws-7"), venue_order_id=None,
        status=inputs.VenueStatus.NEW, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC,
        quantity=d(3), filled=d(0), price=d(90),
    )  # fmt: skip
    world.venue.open_orders = [row]
    world.wait(EVERY_NS)
    world.answer_snapshots()
    assert [str(order.origin) for order in world.orders()] == ["external"]
    return row


def live(world: World, row: inputs.StatusReport, seconds: int) -> list[Order]:
    """So many seconds of a venue that accepts new orders, and knows of no foreign order that could be canceled."""
    for number in range(seconds):
        for cancel in world.venue.take(CancelOrder):
            order = world.state.orders[cancel.order_id]
            if order.origin == "external":
                refused = inputs.CancelRejected(**world.head(order), refusal=Refusal.UNKNOWN_ORDER)
                world.tell(refused)
            else:
                world.tell(inputs.Canceled(**world.head(order)))
        for query in world.venue.take(QueryOrder):
            world.tell(row if query.client_order_id == row.client_order_id else _row_of(world, query))
        for submit in world.venue.take(SubmitOrder):
            world.tell(inputs.Ack(**world.head(world.state.orders[submit.order_id]) | {"venue_order_id": None}))
        world.venue.open_orders = [row] + [world.status("new", order=o) for o in _ours(world) if o.is_open]
        world.wait(SECOND_NS)
        world.answer_snapshots()
        world.quote(str(95 + number % 3))
    return _ours(world)


def _ours(world: World) -> list[Order]:
    return [order for order in world.orders() if order.origin == "ours"]


def _row_of(world: World, query: QueryOrder) -> inputs.StatusReport:
    order = next(order for order in world.orders() if order.client_order_id == query.client_order_id)
    return world.status("new" if order.is_open else str(order.status), order=order)


def test_further_07_an_order_of_another_session_blocks_nobody() -> None:
    """An order of another session could not be cancelled, and blocked the strategy (Lean.IB#232). Here somebody else's
    order rests in the same instrument: it is none of the strategy's open orders, and the strategy's order works."""
    world = wanting_world()
    ours = live(world, foreign_order(world), 10)
    assert [str(order.status) for order in ours] == ["new"]


def test_further_07_a_kill_that_can_not_be_verified_says_so() -> None:
    """A kill asks for its cancel again and again, never claims to be done, and nothing new leaves."""
    world = wanting_world()
    row = foreign_order(world)
    world.command(Action.KILL)
    assert live(world, row, 30) == []
    assert (world.state.kill_verified, world.state.system) == (False, "paused")


def test_further_07_after_resume_the_strategy_trades_beside_it() -> None:
    """Once the operator has said go, what nobody can cancel must not cost the strategy its own orders."""
    world = wanting_world()
    row = foreign_order(world)
    world.command(Action.KILL)
    live(world, row, 5)
    world.command(Action.RESUME)
    ours = live(world, row, 30)
    assert {str(order.status) for order in ours} - {"denied"} == {"new"}


# --- 11: a look-up by client id that does not know filled orders ------------------------------------------------


def test_further_11_a_look_up_that_forgets_filled_orders_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up by client id failed for filled orders (gateapi-go#41), and they were taken for lost. Here the exchange
    is made to do that, its adapter says truly that only one question was answered, and every reply to a submit is
    lost: the orders stay in doubt until the account's report shows their executions; none is proven absent."""
    find = Exchange.find

    def forgets(self: Exchange, query: Query, at_ns: int) -> Answer:
        answer = find(self, query, at_ns)
        assert isinstance(answer.reply, OrderAnswer)
        row = answer.reply.order
        if query.venue_order_id is None and row is not None and not row.status.is_open:
            return Answer(evolve(answer.reply, order=None, executions=()), answer.told)
        return answer

    monkeypatch.setattr(Exchange, "find", forgets)
    monkeypatch.setattr(translate, "SOURCES", (Source.ORDER_QUERY,))
    faults = {"lose_reply": {"every": 1, "on": ["place"]}, "drop": {"every": 1}}
    not_found = 0
    for seed in seeds(8):
        world = make_world(seed, {ONE: eager()}, faults)
        run_for(world, 5)
        doubted = [one.event for one in events_of(world, events.OutcomeUnknown)]
        not_found += len(doubted)
        assert finish(world) == [], f"seed {seed}"
        assert set(statuses_of(world)) <= {"new", "partially_filled", "filled"}, f"seed {seed}"
        assert state_of(world).executions
    assert not_found > 3


# --- 12: one trade id on several orders -------------------------------------------------------------------------


def _both_sides() -> World:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote" or context.memory.get("done"):
            return None
        context.memory["done"] = True
        terms: dict[str, Any] = {"instrument": BTC, "quantity": "2"}  # prices that risk does not take for a self-trade
        return [Intent(side=Side.BUY, price="100", **terms), Intent(side=Side.SELL, price="100.5", **terms)]

    world = World(SETTINGS, {TREND: scripted(script)})
    world.quote()
    for number, order in enumerate(world.orders()):
        world.tell(inputs.Ack(**world.head(order) | {"venue_order_id": VenueOrderId(f"v-{number}")}))
    world.venue.take(QueryOrder)
    return world


def test_further_12_two_orders_that_trade_with_each_other_are_two_executions() -> None:
    """Several orders had one trade id, and all but the first fill were dropped as duplicates (nautilus#3450). The
    identity of an execution is the adapter's to make; with one of its own for each side, both are booked."""
    world = _both_sides()
    buy, sell = world.orders()
    world.tell(world.trade("2", "t1-buy", order=buy), world.trade("2", "t1-sell", order=sell))
    assert [order.filled for order in world.orders()] == [d(2), d(2)]
    assert (world.state.position(BTC).quantity, world.state.pauses) == (d(0), {})


def test_further_12_one_id_for_two_executions_is_not_dropped_in_silence() -> None:
    """Where an adapter passes a shared id on, the second is an anomaly, a question, and exposure that blocks the
    instrument: nobody trades on books that lack an execution."""
    world = _both_sides()
    buy, sell = world.orders()
    world.tell(world.trade("2", "t1", order=buy), world.trade("2", "t1", order=sell))
    assert "execution_contradicts" in anomalies(world)
    assert len(world.venue.take(QueryOrder)) == 1
    world.tell(world.status("filled", "2", order=sell))
    _buy, sell = world.orders()
    assert (sell.filled, sell.exposure, sell.is_in_doubt) == (d(0), d(2), True)


# --- 15: a duplicate that nobody shows --------------------------------------------------------------------------


def test_further_15_a_duplicate_that_is_shown_nowhere_is_settled_by_proof() -> None:
    """The broker said "duplicate" and showed no such order (investAPI#369). Here that is a doubt: the order counts in
    full and blocks its instrument, a negative answer that came too early changes nothing, and a complete one after the
    request's expiry ends it; the next order has an id of its own."""
    world = wanting_world()
    world.quote()
    (first,) = world.venue.take(SubmitOrder)
    world.tell(inputs.Rejected(**world.head(), refusal=Refusal.DUPLICATE_ID))
    for _ in range(3):
        world.tell(world.not_found(), inputs.Rejected(**world.head(), refusal=Refusal.DUPLICATE_ID))
        assert (world.only().status, world.only().exposure) == ("in_doubt", d(1))
    world.wait(DESCRIPTION.absence.after_ns + 1)
    world.tell(world.not_found(sources=(Source.ORDER_QUERY,)))
    assert (world.only().status, world.venue.take(SubmitOrder)) == ("in_doubt", [])
    world.tell(world.not_found())
    assert world.only().status == "void"
    world.quote("99")
    (second,) = world.venue.take(SubmitOrder)
    assert second.client_order_id != first.client_order_id


# --- 16: an id that is only a tag -------------------------------------------------------------------------------


@pytest.mark.parametrize("client_ids", ClientIds)
def test_further_16_nothing_is_sent_twice_whatever_an_id_is_worth(client_ids: ClientIds) -> None:
    """An external id was only a tag, and what was sent again under it became a second order (tastytrade#351). Whatever
    a venue says that an id is worth, a submit without an outcome is not sent again: not after a timeout, a restart,
    a lost line, a failed question or a hundred quotes."""
    world = wanting_world(capabilities=evolve(DESCRIPTION.capabilities, client_ids=client_ids))
    world.quote()
    assert len(world.venue.take(SubmitOrder)) == 1
    world.tell(inputs.OutcomeUnknown(**world.head(), request=RequestKind.NEW, cause="timeout"))
    for number in range(100):
        world.wait(SECOND_NS)
        world.quote(str(80 + number % 20))
        if number % 10 == 0:
            world.tell(inputs.QueryFailed(**world.head(), cause="503"), world.not_found(sources=()))
        if number % 25 == 0:
            world.tell(inputs.VenueLost(world.venue.name, "1006"))
            world.connect()
        if number == 60:
            world.restart(clean=False)
    assert (world.only().status, world.venue.take(SubmitOrder)) == ("in_doubt", [])


def test_further_16_two_orders_under_one_tag_are_noticed_before_they_fill() -> None:
    """Where a tag is all that a venue has, a request that the network doubled is two live orders. The list shows them
    side by side: both may execute."""
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.open_orders = [world.status("new"), world.status("new", venue_order_id=VenueOrderId("v-2"))]
    world.wait(EVERY_NS)
    world.answer_snapshots()
    exposure = sum((order.exposure for order in world.orders()), Decimal(0))
    assert exposure == d(20) or world.state.paused_by(instrument=BTC) is not None
