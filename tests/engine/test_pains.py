"""What hurt users of other engines, one test each, as far as it can be shown without processes and sockets."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine import events, inputs
from engine.fold import apply
from engine.inputs import Action, Refusal, RequestKind, Section
from engine.order import TERMINAL, Order
from engine.outbox import CancelOrder, QueryOrder, SubmitOrder, TakeSnapshot
from engine.runner import Died
from engine.settings import OnDrift
from engine.state import State
from engine.strategy import Answers, Cancel, Context, Intent
from engine.values import SECOND_NS, Asset, ClientOrderId, Side, exact, exact_arithmetic
from tests.adapters.simulated.memory_log import MemoryLog
from tests.engine.bench import BTC, ETH, INSTRUMENTS, SETTINGS, TREND, Bench, d, trade
from tests.engine.bench import VENUE as SIM
from tests.engine.world import LONG_NS, World, one_order, scripted


def _eager(quantity: str = "1") -> type[Any]:
    """Orders on every quote as long as it holds nothing and has no order: what "ordering again" is made of."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote" or context.open_orders() or context.position(BTC):
            return None
        return [Intent(instrument=BTC, side=Side.BUY, quantity=quantity, price="100")]

    return scripted(script)


def _eager_world(**changes: Any) -> World:
    world = World(SETTINGS, {TREND: _eager(**changes)})
    world.quote()
    return world


def _unknown(world: World, request: str = "new", order: Order | None = None) -> inputs.OutcomeUnknown:
    return inputs.OutcomeUnknown(**world.head(order), request=RequestKind(request), cause="timeout")


@pytest.mark.parametrize("commit", range(8))
def test_pain_01_a_journal_that_can_not_be_written(commit: int) -> None:
    """Each commit of a run fails once: what is not in the journal has not been sent, and a start finds the rest.
    The real disk's faults are in tests/journal and tests/crash."""
    world = World(SETTINGS, {TREND: _eager()}, start=False)
    world.log.fail_at = commit
    try:
        world.start()
        world.quote()
        world.tell(inputs.Ack(**world.head()))
        world.tell(world.trade("1"))
        world.quote("99", "100")
        died = False
    except Died:
        died = True
    sent = world.venue.take(SubmitOrder)
    durable = State()
    with exact_arithmetic():
        for recorded in world.recorded():
            apply(durable, recorded)
    known = {order.client_order_id for order in durable.orders.values()}
    assert {request.client_order_id for request in sent} <= known
    if died:
        assert not world.gate.is_open
        assert len(world.deaths) == 1
        world.log = MemoryLog(world.log.batches)
        world._boot()
        world.start()
        assert {str(order.status) for order in world.orders()} <= {"in_doubt", "new", "filled"}


@pytest.mark.parametrize("end", ["accepted", "filled", "absent"])
def test_pain_02_a_lost_reply_is_no_reason_to_order_again(end: str) -> None:
    """One request for one intent, whatever the venue made of it; many seeds over sockets are in tests/crash."""
    world = _eager_world()
    (sent,) = world.venue.take(SubmitOrder)
    world.tell(_unknown(world))
    for number in range(10):
        world.wait(SECOND_NS)
        world.quote(str(90 + number), "101")
    assert (world.only().status, world.venue.take(SubmitOrder)) == ("in_doubt", [])
    if end == "accepted":
        world.tell(world.status("new"))
    elif end == "filled":
        world.tell(world.trade("1"), world.status("filled", "1"))
    world.quote("95", "101")
    assert world.venue.take(SubmitOrder) == []
    assert sent.client_order_id == world.only().client_order_id


def test_pain_03_an_outage_longer_than_every_budget_rejects_nothing() -> None:
    world = _eager_world()
    world.venue.take(SubmitOrder)
    world.tell(inputs.VenueLost(SIM, "outage"))
    for _ in range(200):
        world.wait(60 * SECOND_NS)
        world.tell(inputs.QueryFailed(**world.head(), cause="503"))
        assert world.only().status not in TERMINAL
    world.venue.executions = [world.trade("1")]
    world.balance("6", "99900")
    world.connect()
    assert (world.only().status, world.state.position(BTC).quantity) == ("filled", d(1))
    world.quote("95", "101")
    assert (len(world.orders()), world.venue.take(SubmitOrder)) == (1, [])


def test_pain_04_a_lost_cancel_does_not_free_its_exposure() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.command(Action.KILL)
    world.tell(_unknown(world, "cancel"))
    for _ in range(20):
        world.wait(LONG_NS)
        world.tell(inputs.QueryFailed(**world.head(), cause="timeout"))
    order = world.only()
    assert (order.status, order.pending_cancel, order.exposure) == ("new", "in_doubt", d(10))


def test_pain_04_a_replacement_for_a_cancel_in_doubt_is_denied() -> None:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote":
            return None
        if argument.bid == d(100):
            return [Intent(instrument=BTC, side=Side.BUY, quantity="5", price="100")]
        if argument.bid == d(99):
            return [Cancel(order.order_id) for order in context.open_orders()]
        return [Intent(instrument=BTC, side=Side.BUY, quantity="5", price="98")]

    world = World(SETTINGS, {TREND: scripted(script)})
    world.quote("100")
    world.tell(inputs.Ack(**world.head()))
    world.quote("99")
    world.tell(_unknown(world, "cancel"))
    made = world.quote("98")
    denied = [event for event in made if isinstance(event, events.OrderDenied)]
    assert [event.reason for event in denied] == ["instrument_in_doubt"]


def test_pain_05_an_unreachable_venue_is_not_an_answer() -> None:
    """DNS, TLS, 5xx, 429: the adapter says QueryFailed; only complete negative answers may be counted."""
    world = one_order()
    world.tell(_unknown(world))
    for cause in ("dns", "tls", "503", "429") * 25:
        world.wait(LONG_NS)
        world.tell(inputs.QueryFailed(**world.head(), cause=cause))
        world.tell(world.not_found(sources=()))
        assert (world.only().status, world.only().exposure) == ("in_doubt", d(10))


def test_pain_06_a_stream_that_drops_in_a_submit_leaves_a_doubt() -> None:
    world = one_order()
    world.tell(_unknown(world), inputs.VenueLost(SIM, "1006"))
    assert world.only().status == "in_doubt"
    world.venue.open_orders = [world.status("new")]
    world.connect()
    assert (world.only().status, len(world.orders())) == ("new", 1)


@pytest.mark.parametrize("seen_by", ["status", "snapshot"])
def test_pain_07_a_fill_frame_that_never_comes_is_found(seen_by: str) -> None:
    """By the venue's own count, or by the executions of the next snapshot; the bound with heartbeats alive is
    shown over the wire."""
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.take(QueryOrder)
    if seen_by == "status":
        world.tell(world.status("partially_filled", "4"))
        assert (world.only().filled, world.only().is_in_doubt) == (d(0), True)
        assert len(world.venue.take(QueryOrder)) == 1
        world.tell(world.trade("4"), world.status("partially_filled", "4"))
    else:
        world.venue.executions = [world.trade("4")]
        world.venue.open_orders = [world.status("partially_filled", "4")]
        world.balance("9", "99600")
        world.wait(SETTINGS.reconcile.every_ns)
        world.answer_snapshots()
    assert (world.only().filled, world.only().is_in_doubt) == (d(4), False)


def test_pain_07_executions_that_an_incomplete_snapshot_left_out_are_asked_for_again() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    traded_ns = world.clock.ns
    world.venue.complete = (Section.OPEN_ORDERS, Section.BALANCES)
    for _ in range(3):
        world.wait(SETTINGS.reconcile.every_ns)
        world.answer_snapshots()
    world.venue.complete = tuple(Section)
    world.wait(SETTINGS.reconcile.every_ns)
    (asked,) = world.venue.take(TakeSnapshot)
    assert asked.since_ns <= traded_ns


@given(st.permutations(range(4)), st.integers(1, 3))
def test_pain_08_replayed_fills_are_counted_once(order: list[int], times: int) -> None:
    """Shuffled, repeated, again after a restart, over a position that flips."""
    world = one_order(quantity="4")
    world.tell(inputs.Ack(**world.head()))
    fills = [world.trade("1", f"e{number}") for number in range(4)]
    for _ in range(times):
        world.tell(*(fills[number] for number in order))
    world.venue.executions = fills
    world.balance("9", "99600")
    world.restart()
    world.tell(*fills)
    assert (world.only().filled, world.state.position(BTC).quantity) == (d(4), d(4))


def test_pain_08_a_fill_that_flips_the_position_is_one_fill() -> None:
    bench = Bench()
    bench.work("o1", side=Side.BUY, quantity="3")
    bench.work("o2", side=Side.SELL, quantity="5")
    bench.report(trade("3", "b1"))
    for _ in range(3):
        bench.report(trade("5", "s1", side=Side.SELL, about="o2"))
    assert bench.state.position(BTC).quantity == d(-2)


def test_pain_09_no_fill_is_inferred() -> None:
    world = one_order()
    world.tell(world.status("filled", "10"))
    assert (world.only().filled, world.state.position(BTC).quantity, world.only().exposure) == (d(0), d(0), d(10))
    world.tell(world.trade("10", "the-real-one"))
    world.tell(world.status("filled", "10"))
    assert (world.only().filled, world.only().status, world.state.pauses) == (d(10), "filled", {})


def test_pain_10_restarts_create_nothing() -> None:
    """A hundred of them, with fills, are in test_system_flow."""
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.open_orders = [world.status("new")]
    before = world.digest
    for _ in range(20):
        world.restart()
    assert (world.digest, len(world.orders()), world.only().status) == (before, 1, "new")


def test_pain_11_reconciling_twice_gives_the_same() -> None:
    """The rows of a snapshot in any order: see test_system_flow; reports in any order: see test_invariants."""
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.open_orders = [world.status("new")]
    digests = set()
    for _ in range(5):
        world.wait(SETTINGS.reconcile.every_ns)
        world.answer_snapshots()
        digests.add(world.digest)
    assert len(digests) == 1


@pytest.mark.parametrize("policy", OnDrift)
def test_pain_12_a_position_changes_by_a_fill_or_an_event_that_says_so(policy: OnDrift) -> None:
    world = World(evolve(SETTINGS, reconcile=evolve(SETTINGS.reconcile, on_position_drift=policy)))
    world.balance("77", "1")
    for _ in range(4):
        world.restart()
        for _ in range(2):
            world.wait(SETTINGS.reconcile.every_ns)
            world.answer_snapshots()
    adjusted = [event for event in world.since(0) if isinstance(event, events.PositionAdjusted)]
    assert world.state.position(BTC).quantity == sum(event.quantity for event in adjusted)
    assert bool(adjusted) == (policy is OnDrift.ADOPT)


@pytest.mark.parametrize("fault", ["failed", "silent", "no orders", "no executions", "no balances"])
def test_pain_13_nothing_leaves_before_reconciling_has_succeeded(fault: str) -> None:
    world = World(SETTINGS, {TREND: _eager()}, start=False)
    missing = {"no orders": Section.OPEN_ORDERS, "no executions": Section.EXECUTIONS, "no balances": Section.BALANCES}
    world.venue.complete = tuple(section for section in Section if section is not missing.get(fault))
    world.start(connect=False)
    world.tell(inputs.VenueConnected(SIM))
    for _ in range(30):
        for asked in world.venue.take(TakeSnapshot):
            if fault == "failed":
                world.tell(inputs.SnapshotFailed(venue=SIM, asked_seq=asked.seq, cause="500"))
            elif fault != "silent":
                world.tell(world.venue.snapshot(asked))
        world.wait(SECOND_NS)
        world.quote()
        assert world.state.system == "reconciling"
    assert world.venue.take(SubmitOrder) == []


def test_pain_14_a_venues_id_that_is_given_out_again_credits_nobody_else() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()), inputs.Canceled(**world.head()))
    ours = world.only()
    assert ours.venue_order_id == "v-1"
    again = evolve(world.trade("3"), client_order_id=ClientOrderId("another-session"))
    world.tell(again)
    assert (world.state.orders[ours.order_id].filled, world.state.position(BTC, TREND).quantity) == (d(0), d(0))
    elsewhere = evolve(world.trade("3", "e2", order=ours), client_order_id=None, instrument=ETH)
    world.tell(elsewhere)
    assert (world.state.orders[ours.order_id].filled, world.state.position(ETH).quantity) == (d(0), d(3))


def test_pain_15_a_duplicate_id_is_evidence_of_acceptance() -> None:
    for first in ("unknown", "ack", "nothing"):
        world = one_order()
        if first == "unknown":
            world.tell(_unknown(world))
        elif first == "ack":
            world.tell(inputs.Ack(**world.head()))
        world.tell(inputs.Rejected(**world.head(), refusal=Refusal.DUPLICATE_ID))
        assert world.only().is_open, first
        world.tell(world.status("new"))
        assert (world.only().status, len(world.venue.take(SubmitOrder))) == ("new", 1)


@pytest.mark.parametrize("order", list(itertools.permutations(["fill", "cancel ack", "canceled"])))
def test_pain_16_a_fill_around_a_cancel_counts(order: tuple[str, ...]) -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.command(Action.KILL)
    reports = {
        "fill": world.trade("4"), "cancel ack": inputs.CancelAcked(**world.head()),
        "canceled": inputs.Canceled(**world.head()),
    }  # fmt: skip
    for name in order:
        world.tell(reports[name])
    assert (world.only().status, world.only().filled) == ("canceled", d(4))
    assert (world.only().exposure, world.state.position(BTC).quantity) == (d(0), d(4))


@pytest.mark.parametrize("when", ["right after", "after a restart", "much later"])
def test_pain_17_not_found_is_never_canceled_without_proof(when: str) -> None:
    world = one_order()
    world.tell(_unknown(world) if when == "right after" else inputs.Ack(**world.head()))
    if when == "after a restart":
        world.restart()
    elif when == "much later":
        world.wait(SETTINGS.reconcile.every_ns)
    for _ in range(20):
        world.wait(SECOND_NS)
        world.tell(world.not_found(sources=(), asked_ns=world.clock.ns))
    assert world.only().is_open
    assert world.only().exposure == d(10)


@pytest.mark.parametrize("order", list(itertools.permutations(["reply", "new", "fill 1", "fill 2"])))
def test_pain_18_a_late_ack_resurrects_nothing(order: tuple[str, ...]) -> None:
    world = one_order()
    reports = {
        "reply": inputs.Ack(**world.head()), "new": world.status("new", "0"), "fill 1": world.trade("4", "e1"),
        "fill 2": world.trade("6", "e2"),
    }  # fmt: skip
    for name in order:
        world.tell(reports[name])
    assert (world.only().status, world.only().filled, world.only().leaves) == ("filled", d(10), d(0))


@pytest.mark.parametrize("moment", ["before ack", "working", "in doubt", "lost", "strategy fails"])
def test_pain_19_after_a_kill_nothing_new_leaves(moment: str) -> None:
    """And every order that may be live gets a cancel; kill -9 at random points is in tests/crash."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if moment == "strategy fails" and context.open_orders():
            raise RuntimeError("in the middle")
        if callback == "on_quote":
            return [Intent(instrument=BTC, side=Side.BUY, quantity="1", price=str(argument.bid))]
        return None

    world = World(SETTINGS, {TREND: scripted(script)})
    world.quote()
    order = world.only()
    if moment in ("working", "strategy fails"):
        world.tell(inputs.Ack(**world.head()))
    elif moment == "in doubt":
        world.tell(_unknown(world))
    elif moment == "lost":
        world.tell(inputs.Ack(**world.head()), inputs.VenueLost(SIM, "x"))
    world.venue.take(SubmitOrder)
    world.command(Action.KILL)
    world.venue.open_orders = [world.status("new", order=order)]
    world.connect()
    if moment == "before ack":
        world.tell(inputs.Ack(**world.head()))
    assert len(world.venue.take(CancelOrder)) >= 1
    world.tell(inputs.Canceled(**world.head()))
    world.venue.open_orders = []
    for _ in range(3):
        world.wait(2 * SECOND_NS)
        world.answer_snapshots()
        world.quote("97", "101")
    world.restart(clean=False)
    world.quote("96", "101")
    assert world.state.kill_verified
    assert (world.state.system, world.venue.take(SubmitOrder)) == ("paused", [])


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)), min_size=1, max_size=8))
def test_pain_20_nothing_is_lost_in_decimals(parts: list[tuple[int, int]]) -> None:
    """Σ of the partial fills is the position, to the last place; what is rounded is rounded to the safe side."""
    bench = Bench()
    total = d(0)
    bench.work("o1", quantity="100000000000")
    fees = d(0)
    for number, (units, price) in enumerate(parts):
        quantity = exact(f"0.{units:09}") if units < 10**9 else d(1)
        bench.report(trade(str(quantity), f"e{number}", str(exact(f"{price}")), fee=exact(f"0.{units:09}"),
                           fee_asset=Asset("BTC")))  # fmt: skip
        total += quantity
        fees += exact(f"0.{units:09}")
    position = bench.state.position(BTC)
    assert position.quantity == total
    assert bench.state.balances[SIM][Asset("BTC")] == d(5) + total - fees, "a fee in the base asset reduces the balance"
    rounded = INSTRUMENTS[0].round_quantity(total)
    assert 0 <= total - rounded < INSTRUMENTS[0].lot
