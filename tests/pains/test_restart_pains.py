"""Starts, and what they may conclude: pains 10 to 14."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from attrs import evolve

from adapters.simulated.translate import Translator
from engine import events, inputs
from engine.codec import digest
from engine.settings import OnDrift
from engine.strategy import Answers, Context, Intent
from engine.values import SECOND_NS, ExecId, InstrumentName, Side, VenueOrderId
from tests.engine.bench import BTC as BENCH_BTC
from tests.engine.bench import SETTINGS, TREND, d
from tests.engine.world import World as OneProcess
from tests.engine.world import scripted
from tests.pains.small_world import (
    BTC,
    ONE,
    OTHER,
    eager,
    engine_of,
    events_of,
    exchange_of,
    finish,
    make_world,
    restarts,
    resting,
    restless,
    run_for,
    seeds,
    set_faults,
    state_of,
    submits_of,
)
from tools.simulation.clock import BEGIN_NS
from tools.simulation.world import World, fold

DOMAIN = ("Order", "Fill", "Fee", "Position", "Balance", "Submit", "Cancel", "Replace", "External", "Account",
          "Outcome", "Strategy", "Trading", "Anomaly")  # fmt: skip


# --- 10: a hundred restarts -------------------------------------------------------------------------------------


def test_pain_10_a_hundred_restarts_add_nothing() -> None:
    """A restart made duplicate orders and a state that did not load. Here the process is killed a hundred times while
    orders rest at the exchange, some after a fill: no start adds an event about an order, a fill, a position or an
    account, and what it all amounts to is the same each time."""
    quiet_ns, apart_ns = 8 * SECOND_NS, 400_000_000
    plan = restarts(quiet_ns, 100, apart_ns)
    world = make_world(10, {ONE: eager(most=2), OTHER: resting(orders=3)}, plan=plan)
    world.run_until(BEGIN_NS + quiet_ns - 1)
    before, seq = digest(state_of(world)), world.log.seq
    assert len(exchange_of(world).open) >= 3
    for number in range(100):
        world.run_until(BEGIN_NS + quiet_ns + number * apart_ns + apart_ns - 1)
        assert digest(engine_of(world).state) == before
    assert world.tally.starts == 101
    added = [entry.kind for entry in world.log.entries[seq:] if entry.kind.startswith(DOMAIN)]
    assert added == []
    assert finish(world) == []


# --- 11: the same snapshot, the same conclusions ----------------------------------------------------------------


def test_pain_11_the_order_of_a_snapshots_rows_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconciling twice gave two results. Here a world without frames and with deaths is run four times, and the rows
    of every snapshot are shuffled in another way each time: the journals are equal to the byte."""
    chains = set()
    for shuffled in (None, 1, 2, 3):
        with monkeypatch.context() as patch:
            if shuffled is not None:
                _shuffle_rows(patch, Random(shuffled))
            faults = {"drop": {"every": 1, "on": ["execution", "order"]}}
            world = make_world(11, {ONE: in_bursts}, faults, plan=restarts(3 * SECOND_NS, 3, 3 * SECOND_NS))
            run_for(world, 14)
            assert finish(world) == []
            assert max(one.event.executions_booked for one in events_of(world, events.Reconciled)) > 2
            chains.add(world.log.chain)
    assert len(chains) == 1


def in_bursts(callback: str, context: Context, argument: Any) -> Answers:
    """Four orders at once that trade, and two that rest, so that one snapshot shows much that is new."""
    if callback != "on_quote" or context.memory.get("bursts", 0) >= 4 or len(context.open_orders()) > 6:
        return None
    context.memory["bursts"] = context.memory.get("bursts", 0) + 1
    through = [
        Intent(instrument=BTC, side=Side.BUY, quantity=f"0.00{n}", price=argument.ask + 50) for n in (1, 2, 3, 4)
    ]
    return [*through, *(Intent(instrument=BTC, side=Side.BUY, quantity="0.01", price=30_000 + n) for n in range(2))]


def _shuffle_rows(patch: pytest.MonkeyPatch, dice: Random) -> None:
    snapshot = Translator._snapshot

    def shuffled(self: Translator, *asked: Any) -> inputs.Snapshot:
        found = snapshot(self, *asked)
        return evolve(
            found,
            open_orders=tuple(dice.sample(found.open_orders, len(found.open_orders))),
            executions=tuple(dice.sample(found.executions, len(found.executions))),
            balances=tuple(dice.sample(found.balances, len(found.balances))),
        )

    patch.setattr(Translator, "_snapshot", shuffled)


# --- 12: positions ----------------------------------------------------------------------------------------------


def test_pain_12_a_warm_restart_neither_flattens_nor_doubles_a_position() -> None:
    """A warm restart flattened a position, or doubled it. Here processes die while they hold one, in one half of the
    worlds with snapshots that are ten seconds old: at every event the position is the sum of the executions."""
    for seed in seeds(6):
        world = make_world(seed, {ONE: restless()}, plan=restarts(2 * SECOND_NS, 6, 900_000_000))
        run_for(world, 1, 500)  # the account is opened by what is true
        set_faults(world, {"stale": {"permille": 500, "by": "10s"}} if seed % 2 else {})
        run_for(world, 8)
        assert finish(world) == [], f"seed {seed}"
        assert events_of(world, events.PositionAdjusted, events.BalanceAdjusted) == []
        _assert_positions_are_sums(world, seed)


def _assert_positions_are_sums(world: World, seed: int) -> None:
    total = d(0)
    for one in events_of(world, events.FillBooked):
        total += one.event.quantity * one.event.side.sign
        assert fold(world.log, one.seq).position(BTC).quantity == total, f"seed {seed}, seq {one.seq}"
    assert state_of(world).position(BTC).quantity == total


def test_pain_12_a_difference_at_a_restart_changes_no_position() -> None:
    """The venue shows another balance at four starts in a row: trading is paused, and the position is what it was."""
    world = OneProcess(evolve(SETTINGS, reconcile=evolve(SETTINGS.reconcile, on_position_drift=OnDrift.PAUSE)))
    world.balance("77", "1")
    for _ in range(4):
        world.restart()
        for _ in range(2):
            world.wait(SETTINGS.reconcile.retry_ns)
            world.answer_snapshots()
        assert (world.state.system, world.state.position(BENCH_BTC).quantity) == ("paused", d(0))
        assert {pause.reason for pause in world.state.pauses.values()} == {"position_drift"}


# --- 13: reconciling that does not succeed ----------------------------------------------------------------------

SNAPSHOTS = {"every": 1, "on": ["snapshot"]}
FAILING: dict[str, dict[str, Any]] = {
    "fails": {"fail": SNAPSHOTS},
    "is answered by an error": {"error_reply": SNAPSHOTS},
    "times out": {"lose_reply": SNAPSHOTS},
    "never arrives": {"lose_request": SNAPSHOTS},
    "comes too late": {"delay_reply": SNAPSHOTS | {"by": "5s"}},
    "is partial": {"partial": {"every": 1}},
    "cuts the line": {"disconnect": SNAPSHOTS},
}
CUTS = ("cuts the line",)
"""Here every attempt begins with a new connection: some seconds of it are as good as a minute."""


@pytest.mark.parametrize("how", FAILING)
def test_pain_13_nothing_leaves_while_the_report_fails_at_a_start(how: str) -> None:
    """Trading began although reconciling had failed. Here the account's report fails in one way from the first start
    on: for forty seconds the system stays in reconciling, and no order leaves; once it is answered, trading begins."""
    world = make_world(13, {ONE: eager()}, FAILING[how])
    for _ in range(4 if how in CUTS else 40):
        run_for(world, 1)
        assert engine_of(world).state.system == "reconciling"
    assert submits_of(world) == []
    assert finish(world) == []
    assert (engine_of(world).state.system, len(submits_of(world)) > 0) == ("trading", True)


@pytest.mark.parametrize("how", FAILING)
def test_pain_13_nothing_leaves_while_the_report_fails_after_a_lost_line(how: str) -> None:
    """The same in the middle of a run: the line is cut once, and from then on the report fails; after the start limit
    the system is paused and says so, and trades by itself once the report is whole."""
    world = make_world(13, {ONE: restless(1_000)})
    run_for(world, 5)
    left = len(submits_of(world))
    assert left > 0
    cut = {"disconnect": {"at": [1], "on": ["market"]}}
    set_faults(world, {"disconnect": {"every": 1, "on": ["snapshot", "market"]}} if how in CUTS else cut | FAILING[how])
    run_for(world, 0, 600)
    left = len(submits_of(world))
    for _ in range(4 if how in CUTS else 90):
        run_for(world, 1)
        assert engine_of(world).state.system in ("reconciling", "paused")
    assert len(submits_of(world)) == left
    assert finish(world) == []
    run_for(world, 2)
    assert len(submits_of(world)) > left


# --- 14: ids that are given out again ---------------------------------------------------------------------------


def test_pain_14_a_new_session_counts_its_ids_from_one_again() -> None:
    """After a gateway's restart broker order ids began anew, and fills were credited to the wrong order. Here two
    sessions give their orders the same venue id: each execution goes to the order of its client id, one that names
    the venue id alone to the order that has it now, and a replay of the old session's fill counts nothing."""

    def script(callback: str, context: Context, argument: Any) -> Iterator[Intent] | Answers:
        if callback != "on_quote" or context.open_orders():
            return None
        return [Intent(instrument=BENCH_BTC, side=Side.BUY, quantity="2", price="100")]

    world = OneProcess(SETTINGS, {TREND: scripted(script)})
    world.quote()
    old = world.only()
    world.tell(inputs.Ack(**world.head(old)))
    fill = world.trade("2", "1-e1", order=old)
    world.tell(fill)
    world.balance("7", "99800")
    world.restart()
    world.quote()
    new = next(order for order in world.orders() if order.order_id != old.order_id)
    world.tell(inputs.Ack(**world.head(new) | {"venue_order_id": old.venue_order_id or VenueOrderId("v-1")}))
    world.tell(evolve(fill, exec_id=ExecId("2-e1"), quantity=d(1), client_order_id=new.client_order_id))
    world.tell(evolve(fill, exec_id=ExecId("2-e2"), quantity=d(1), client_order_id=None))
    world.tell(fill, evolve(fill, client_order_id=old.client_order_id))
    filled = {order.order_id: order.filled for order in world.orders()}
    assert filled == {old.order_id: d(2), new.order_id: d(2)}
    assert world.state.position(InstrumentName(BENCH_BTC), TREND).quantity == d(4)
