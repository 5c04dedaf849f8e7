"""More of the same kind, about orders and executions: whose they are, what they are called, and what they may mean."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from adapters.simulated import ledger, wire
from adapters.simulated.translate import Translator
from engine import events, inputs
from engine.inputs import RequestKind
from engine.strategy import Answers, Cancel, Context, Intent, Replace, recall
from engine.values import ClientOrderId, OrderType, Side, TimeInForce
from tests.engine.world import World as OneProcess
from tests.engine.world import one_order
from tests.pains.small_world import (
    BTC,
    ONE,
    OTHER,
    SYMBOL,
    Script,
    events_of,
    executed_of,
    finish,
    make_world,
    place_by_hand,
    restarts,
    resting,
    restless,
    run_for,
    run_until_asked,
    seeds,
    state_of,
)
from tools.simulation.world import World


def filled_there(world: World) -> dict[str, Decimal]:
    """What the exchange's ledger executed, by the client id of the order."""
    names = {
        str(entry.seq): str(fact.client_order_id)
        for entry in world.ledger.entries
        if isinstance(fact := ledger.fact_of(entry), ledger.OrderAccepted)
    }
    found = dict.fromkeys(names.values(), Decimal(0))
    for _at_ns, fact in executed_of(world).values():
        found[names[fact.venue_order_id]] += fact.quantity
    return found


def assert_each_has_its_own(world: World) -> None:
    """Every execution stands at the order, and with the strategy, whose client id the exchange has for it."""
    state, there = state_of(world), filled_there(world)
    for order in state.orders.values():
        if order.client_order_id in there:
            assert order.filled == there[order.client_order_id], order
            assert order.client_order_id.endswith(f"-{order.strategy}")
    for one in events_of(world, events.FillBooked):
        assert one.event.strategy == state.orders[one.event.order_id].strategy, one
    for name in world.setting.strategies:
        own = [o.filled * o.side.sign for o in state.orders.values() if o.strategy == name]
        assert state.position(BTC, name).quantity == sum(own, Decimal(0))


# --- 1 and 2: whose is it? --------------------------------------------------------------------------------------


def counting(inner: Script) -> Script:
    """The same strategy, keeping count of what it is told to hold."""

    def script(callback: str, context: Context, argument: Any) -> Iterator[Any]:
        if callback == "on_fill":
            held = context.memory.get("held", Decimal(0))
            context.memory["held"] = held + argument.quantity * argument.side.sign
        yield from inner(callback, context, argument) or ()

    return script


def test_further_01_restarts_keep_which_strategy_an_order_belongs_to() -> None:
    """A restart lost which strategy an order belonged to (vnpy#1118). Here two strategies trade one instrument while
    their process dies again and again: each is told its own fills, once, and no other's."""
    for seed in seeds(8):
        scripts = {ONE: counting(restless()), OTHER: counting(restless())}
        world = make_world(seed, scripts, {"drop": {"permille": 300}}, plan=restarts(1_200_000_000, 5, 1_100_000_000))
        run_for(world, 8)
        assert finish(world) == [], f"seed {seed}"
        run_for(world, 3)  # what was found at the end is told, and the memory of it is kept
        assert_each_has_its_own(world)
        for name in scripts:
            held = recall(state_of(world).strategies[name].memory).get("held", Decimal(0))
            assert held == state_of(world).position(BTC, name).quantity, f"seed {seed}: {name}"


def _same_price(callback: str, context: Context, argument: Any) -> Answers:
    if callback != "on_quote" or context.memory.get("done"):
        return None
    context.memory["done"] = True
    return [Intent(instrument=BTC, side=Side.BUY, quantity="2", price=argument.bid)]


def test_further_02_what_was_filled_while_nobody_ran_goes_to_the_right_sibling() -> None:
    """A stop that was filled offline was credited to a sibling order (banbot#162). There are no stops here yet: two
    strategies have equal orders, side, quantity and price, and the exchange fills of one and the other while the
    process is dead. Each start finds them by their own ids."""
    uneven = 0
    for seed in seeds(16):
        world = make_world(seed, {ONE: _same_price, OTHER: _same_price}, balances={"USDT": Decimal(10**7)})
        run_until_asked(world, 2)
        run_for(world, 0, 10)
        world.kill_engine(_offline_ns(seed))
        before = filled_there(world)
        run_for(world, 0, _offline_ns(seed) // 1_000_000 - 1)
        assert world.engine is None
        there = filled_there(world)
        uneven += there != before and len(set(there.values())) == 2
        assert finish(world) == [], f"seed {seed}"
        assert_each_has_its_own(world)
    assert uneven > 0, "nothing ever happened to one of the two alone"


def _offline_ns(seed: int) -> int:
    return (1 + seed % 8) * 500_000_000


# --- 4: an execution while a replacement is under way -----------------------------------------------------------

REPLACING = ("acked", "fill", "replaced")


@pytest.mark.parametrize("order", list(itertools.permutations(REPLACING)))
def test_further_04_a_fill_while_a_replacement_is_under_way_counts(order: tuple[str, ...]) -> None:
    """A partial fill during a modify became "UpdateSubmitted", and was lost (Lean.TradeStation#84). Here it comes
    before, between and after the two answers to a replacement: it is an execution each time, and the status and the
    outstanding replacement are told apart."""
    world = _replacing()
    reports = {
        "acked": inputs.ReplaceAcked(**world.head()), "fill": world.trade("4"),
        "replaced": inputs.Replaced(**world.head(), quantity=Decimal(8), price=Decimal(100)),
    }  # fmt: skip
    for number, name in enumerate(order):
        world.tell(reports[name])
        now = world.only()
        assert now.filled == (4 if "fill" in order[: number + 1] else 0)
        assert (now.pending_replace == "none") is ("replaced" in order[: number + 1])
        assert str(now.status) == ("partially_filled" if now.filled else "new")
        assert now.exposure == (10 if now.pending_replace == "sent" else 8) - now.filled
    assert world.state.position(BTC).quantity == 4


def _replacing(quantity: str = "8") -> OneProcess:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    with pytest.MonkeyPatch.context() as patch:
        seat = world.desk.seats[world.only().strategy]
        again = Replace(world.only().order_id, quantity=quantity, price="100")
        patch.setattr(type(seat.strategy), "SCRIPT", staticmethod(lambda callback, context, argument: [again]))
        world.quote("99")
    assert world.only().pending_replace == "sent"
    return world


@pytest.mark.parametrize("wanted", ["4", "3"])
def test_further_04_a_replacement_down_to_what_is_executed_ends_the_order(wanted: str) -> None:
    """Four of ten are executed while a replacement to four, or to three, is under way; its report is lost. The venue
    shows the order as filled: it is over, and does not block its instrument for ever."""
    world = _replacing(wanted)
    world.tell(world.trade("4"), inputs.OutcomeUnknown(**world.head(), request=RequestKind.REPLACE, cause="timeout"))
    for _ in range(5):
        world.wait(30_000_000_000)
        world.tell(world.status("filled", "4", quantity=Decimal(4)))
    assert (str(world.only().status), world.only().is_in_doubt, world.only().exposure) == ("filled", False, Decimal(0))


def replacing(callback: str, context: Context, argument: Any) -> Iterator[Any]:
    """Keeps one order at the touch by replacing it, a little larger each time."""
    if callback != "on_quote":
        return
    orders = context.open_orders()
    if not orders and context.memory.get("asked", 0) < 6:
        context.memory["asked"] = context.memory.get("asked", 0) + 1
        yield Intent(instrument=BTC, side=Side.BUY, quantity="0.3", price=argument.bid)
    for order in orders:
        if order.pending_replace == "none" and not order.is_in_doubt and not order.is_unsettled:
            yield Replace(order.order_id, quantity=order.quantity + Decimal("0.05"), price=argument.bid)


def test_further_04_replacements_under_way_lose_no_execution() -> None:
    """The same against the exchange: its answers to replacements are late or lost, while the market trades."""
    met = 0
    for seed in seeds(8):
        faults = {"delay_reply": {"every": 2, "on": ["replace"], "by": "600ms"},
                  "drop": {"permille": 600, "on": ["order"]},
                  "lose_reply": {"permille": 200, "on": ["replace"]}}  # fmt: skip
        world = make_world(seed, {ONE: replacing}, faults)
        run_for(world, 8)
        met += _fills_in_replacements(world)
        assert finish(world) == [], f"seed {seed}"
        assert_each_has_its_own(world)
    assert met > 0


def _fills_in_replacements(world: World) -> int:
    """How many executions were booked between the request and the outcome of a replacement."""
    under_way: set[str] = set()
    met = 0
    for one in events_of(world, events.OrderEvent):
        if one.event.kind == "ReplaceRequested":
            under_way.add(one.event.order_id)
        elif one.event.kind in ("OrderReplaced", "ReplaceRefused"):
            under_way.discard(one.event.order_id)
        met += one.event.kind == "FillBooked" and one.event.order_id in under_way
    return met


# --- 5: a cancel's report under the cancel's own id -------------------------------------------------------------


def cancelling(callback: str, context: Context, argument: Any) -> Answers:
    """Places an order far away, and cancels it."""
    if callback != "on_quote":
        return None
    if not context.memory.get("done"):
        return resting()(callback, context, argument)
    return [Cancel(order.order_id) for order in context.open_orders() if order.pending_cancel == "none"]


def test_further_05_a_cancel_report_under_the_cancels_own_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Binance names a canceled order `C` and the cancel itself `c`; who read the wrong one never closed the order
    (nautilus#4923). Here an adapter gets it wrong: each report of a cancel names an id of the cancel's own. It closes
    nobody's order and is an anomaly; the order counts as open until the venue's list shows that it is gone."""
    frame = Translator.frame

    def misread(self: Translator, told: wire.Message, received_ns: int) -> inputs.Input:
        found = frame(self, told, received_ns)
        if isinstance(found, inputs.Canceled):
            return evolve(found, client_order_id=ClientOrderId("cancel-of-its-own"))
        return found

    monkeypatch.setattr(Translator, "frame", misread)
    world = make_world(5, {ONE: cancelling, OTHER: resting(orders=2)})
    run_for(world, 6)
    assert "unknown_order" in {one.event.anomaly for one in events_of(world, events.AnomalyRecorded)}
    assert finish(world) == []
    statuses = [(str(order.strategy), str(order.status)) for order in state_of(world).orders.values()]
    assert sorted(statuses) == [(ONE, "canceled"), (OTHER, "new"), (OTHER, "new")]


# --- 6: orders that are not ours --------------------------------------------------------------------------------


def _liquidation(quantity: str) -> wire.Place:
    return wire.Place(
        symbol=SYMBOL, client_order_id=ClientOrderId("liquidation"), side=Side.SELL, order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC, quantity=Decimal(quantity),
    )  # fmt: skip


@pytest.mark.parametrize("alive", [True, False])
def test_further_06_what_the_broker_sells_is_booked(alive: bool) -> None:
    """The broker liquidated a position, and the books never heard of it (Lean#5839, Lean.IB#156). Here somebody else
    sells on the same account, while the engine runs and while it is dead: it is booked as nobody's order, the account's
    position and balances are the exchange's, and the strategy's own position is what it traded."""
    world = make_world(6, {ONE: _same_price}, balances={"USDT": Decimal(10**6), "BTC": Decimal(3)})
    run_for(world, 4)
    if not alive:
        world.kill_engine(3_000_000_000)
    place_by_hand(world, _liquidation("0.05"))
    run_for(world, 5)
    assert [problem for problem in finish(world) if "liquidation" not in problem] == []
    state, there = state_of(world), filled_there(world)
    assert there["liquidation"] == Decimal("0.05")
    own = sum((quantity for name, quantity in there.items() if name != "liquidation"), Decimal(0))
    assert state.position(BTC, ONE).quantity == own
    assert state.position(BTC).quantity == own - Decimal("0.05")
    assert [str(order.origin) for order in state.orders.values() if order.strategy == ""] == ["external"]
