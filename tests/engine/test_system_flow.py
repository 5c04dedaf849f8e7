"""The system from start to stop: what opens the door into trading, and what shuts it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from attrs import evolve

from engine import events, inputs
from engine.codec import encode
from engine.decision import next_due_ns
from engine.inputs import Action, Refusal, Resolution, Scope, Section, Snapshot
from engine.order import IllegalEvent
from engine.outbox import CancelOrder, QueryOrder, SubmitOrder, TakeSnapshot
from engine.recall import find_order, lend
from engine.settings import OnDrift, OnStop, Reconcile, Settings
from engine.system import SYSTEM, VENUE, SystemState, VenueState
from engine.system_decision import STARTS_WITHOUT_TRADING_MOST
from engine.values import SECOND_NS, ClientOrderId, Side, VenueName, VenueOrderId
from tests.engine.bench import ALL_SECTIONS, BTC, DESCRIPTION, ETH, SETTINGS, Bench, d, kinds
from tests.engine.bench import VENUE as SIM
from tests.engine.world import LONG_NS, ScriptedVenue, World, one_order

OTHER = VenueName("other")
DOMAIN = ("Order", "Fill", "Fee", "Position", "Balance", "Submit", "Cancel", "Replace", "External", "Account")


def system(world: World) -> str:
    return str(world.state.system)


def verified(world: World) -> bool:
    return world.state.kill_verified


# --- the tables, by hand ----------------------------------------------------------------------------------------

SYSTEM_MOVES = {
    "process_started": "stopped>starting starting>starting reconciling>starting trading>starting paused>starting",
    "venues_described": "starting>reconciling",
    "venues_ready": "reconciling>paused,trading",
    "start_limit_passed": "reconciling>paused",
    "paused": "trading>paused reconciling>paused paused>paused",
    "venue_lost": "trading>reconciling reconciling>reconciling paused>paused",
    "difference_found": "trading>reconciling reconciling>reconciling paused>paused",
    "pauses_ended": "paused>reconciling",
    "process_stopped": "starting>stopped reconciling>stopped trading>stopped paused>stopped",
}
VENUE_MOVES = {
    "connected": "down>reconciling reconciling>reconciling ready>reconciling",
    "reconciled": "reconciling>ready ready>ready",
    "difference_found": "ready>reconciling reconciling>reconciling",
    "check_ordered": "ready>reconciling",
    "lost": "down>down reconciling>down ready>down",
    "process_started": "down>down reconciling>down ready>down",
}


@pytest.mark.parametrize(("table", "expected"), [(SYSTEM, SYSTEM_MOVES), (VENUE, VENUE_MOVES)])
def test_the_rows(table: Any, expected: dict[str, str]) -> None:
    found: dict[str, dict[str, str]] = {}
    for (state, report), cells in table.cells.items():
        found.setdefault(report, {})[state] = ",".join(cell.destination for cell in cells)
    assert found == {report: dict(move.split(">") for move in moves.split()) for report, moves in expected.items()}


def test_the_only_door_into_trading_leads_through_reconciling() -> None:
    into = {state for (state, _), cells in SYSTEM.cells.items() for cell in cells if cell.destination == "trading"}
    assert into == {"reconciling"}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(SystemState, SystemState)))
def test_apply_refuses_a_move_of_the_system_that_has_no_row(before: SystemState, after: SystemState) -> None:
    bench = Bench()
    bench.state.system = before
    rows = {(state, cell.destination) for (state, _), cells in SYSTEM.cells.items() for cell in cells}
    changed = events.SystemChanged(state=after, reason="x")
    if (before, after) in rows and after not in ("starting", "stopped"):
        bench.book(changed)
    else:
        with pytest.raises(IllegalEvent):
            bench.book(changed)


def test_apply_refuses_a_move_of_a_venue_that_has_no_row() -> None:
    bench = Bench()
    bench.book(events.VenueLost(venue=SIM, cause="x"))
    reconciled = next(r.event for r in bench.recorded if r.event.kind == "Reconciled")
    with pytest.raises(IllegalEvent):
        bench.book(reconciled)


# --- a start ----------------------------------------------------------------------------------------------------


def test_a_start_goes_through_reconciling_into_trading() -> None:
    world = World(start=False)
    world.start(connect=False)
    assert (system(world), world.venue.released) == ("reconciling", [])
    world.tell(inputs.VenueConnected(SIM))
    assert (system(world), world.venue_state()) == ("reconciling", "reconciling")
    world.answer_snapshots()
    assert (system(world), world.venue_state()) == ("trading", "ready")
    moves = [event.state for event in world.since(0) if isinstance(event, events.SystemChanged)]
    assert moves == ["reconciling", "trading"]


def test_nothing_leaves_before_trading() -> None:
    world = World(start=False)
    world.start(connect=False)
    world.quote()
    world.tell(inputs.VenueConnected(SIM))
    world.quote()
    assert world.venue.take(SubmitOrder) == []


@pytest.mark.parametrize("missing", ALL_SECTIONS)
def test_an_incomplete_first_snapshot_does_not_open_the_door(missing: Section) -> None:
    world = World(start=False)
    world.venue.complete = tuple(section for section in ALL_SECTIONS if section is not missing)
    world.start()
    assert system(world) == "reconciling"
    world.wait(2 * SECOND_NS)
    world.venue.complete = tuple(Section)
    world.answer_snapshots()
    assert system(world) == "trading"


def test_a_failed_snapshot_is_asked_for_again_and_keeps_the_door_shut() -> None:
    world = World(start=False)
    world.start(connect=False)
    world.tell(inputs.VenueConnected(SIM))
    for _ in range(5):
        (asked,) = world.venue.take(TakeSnapshot)
        world.tell(inputs.SnapshotFailed(venue=SIM, asked_seq=asked.seq, cause="503"))
        assert system(world) == "reconciling"
        world.wait(SETTINGS.reconcile.retry_ns)
    world.answer_snapshots()
    assert system(world) == "trading"


def test_a_silent_venue_is_asked_again() -> None:
    world = World(start=False)
    world.start(connect=False)
    world.tell(inputs.VenueConnected(SIM))
    world.venue.take(TakeSnapshot)
    assert "SnapshotMissed" in kinds(world.wait(SETTINGS.reconcile.answer_limit_ns))
    world.wait(SETTINGS.reconcile.retry_ns)
    assert len(world.venue.take(TakeSnapshot)) == 1


def test_a_snapshot_of_nobody_is_no_accident() -> None:
    world = World()
    nobody = VenueName("nobody")
    world.tell(inputs.SnapshotFailed(venue=nobody, asked_seq=1, cause="?"), inputs.VenueLost(nobody, "?"))
    asked = TakeSnapshot(seq=1, at_ns=1, venue=nobody, since_ns=0)
    assert kinds(world.tell(world.venue.snapshot(asked))) == ["AnomalyRecorded"]


def two_venues() -> tuple[Settings, list[ScriptedVenue]]:
    second = evolve(DESCRIPTION, venue=OTHER, instruments=())
    return evolve(SETTINGS, venues={SIM: "simulated", OTHER: "simulated"}), [ScriptedVenue(), ScriptedVenue(second)]


def test_after_the_start_limit_trading_begins_without_the_venue_that_is_not_ready() -> None:
    settings, venues = two_venues()
    world = World(settings, venues=venues, start=False)
    world.start(connect=False)
    world.tell(inputs.VenueConnected(SIM))
    world.answer_snapshots()
    assert system(world) == "reconciling"
    world.wait(settings.reconcile.start_limit_ns)
    assert system(world) == "trading"
    assert [(pause.scope, pause.subject, pause.reason) for pause in world.state.pauses.values()] == [
        (Scope.VENUE, OTHER, "not_ready")
    ]
    world.tell(inputs.VenueConnected(OTHER))
    world.answer_snapshots()
    assert (system(world), world.state.pauses) == ("trading", {})


def test_without_any_venue_the_start_limit_ends_in_a_pause_that_ends_by_itself() -> None:
    world = World(start=False)
    world.start(connect=False)
    world.wait(SETTINGS.reconcile.start_limit_ns)
    assert (system(world), world.state.system_reason) == ("paused", "no_venue")
    assert world.tell() == []
    world.connect()
    assert (system(world), world.state.pauses) == ("trading", {})


# --- lost and found ---------------------------------------------------------------------------------------------


def test_a_lost_venue_leads_through_reconciling() -> None:
    world = World()
    world.tell(inputs.VenueLost(SIM, "1006"))
    assert (system(world), world.venue_state()) == ("reconciling", "down")
    assert world.tell(inputs.VenueLost(SIM, "1006")) == []
    world.tell(inputs.VenueConnected(SIM))
    assert system(world) == "reconciling"
    world.answer_snapshots()
    assert system(world) == "trading"


def test_one_lost_venue_of_two_stops_both_until_it_has_reconciled() -> None:
    settings, venues = two_venues()
    world = World(settings, venues=venues)
    assert system(world) == "trading"
    world.tell(inputs.VenueLost(OTHER, "x"))
    assert system(world) == "reconciling"


# --- pauses -----------------------------------------------------------------------------------------------------


def test_resume_goes_through_reconciling() -> None:
    world = World()
    world.command(Action.PAUSE)
    assert system(world) == "paused"
    world.command(Action.RESUME)
    assert (system(world), world.venue_state()) == ("reconciling", "reconciling")
    world.answer_snapshots()
    assert system(world) == "trading"


def test_resume_does_not_believe_a_snapshot_that_was_asked_for_before() -> None:
    world = World()
    world.command(Action.PAUSE)
    world.clock.ns += SETTINGS.reconcile.every_ns
    world.tell()
    (before,) = world.venue.take(TakeSnapshot)
    world.command(Action.RESUME)
    assert system(world) == "reconciling"
    world.tell(world.venue.snapshot(before))
    assert system(world) == "reconciling"
    world.answer_snapshots()
    assert system(world) == "trading"


def test_a_late_answer_says_little_of_a_clock() -> None:
    """It may be off by half the round trip: 600 ms of 1.2 s are no skew, and no cure of one either."""
    limit_ns = SETTINGS.orders.expiry_ns // 2
    late = inputs.ClockMeasured(SIM, limit_ns + 1, 2 * SECOND_NS)
    world = World()
    assert world.tell(late) == []
    world.tell(inputs.ClockMeasured(SIM, limit_ns + 2, 2))
    assert {pause.reason for pause in world.state.pauses.values()} == {"clock_skew"}
    assert world.tell(inputs.ClockMeasured(SIM, 0, 2 * limit_ns + 2)) == []
    world.tell(inputs.ClockMeasured(SIM, 0, 2 * limit_ns))
    assert world.state.pauses == {}


def test_an_operators_pause_survives_restarts_and_an_automatic_one_does_not() -> None:
    world = World()
    world.tell(inputs.DiskMeasured(1))
    assert system(world) == "paused"
    world.restart()
    assert system(world) == "trading"
    world.command(Action.PAUSE, reason="holiday")
    world.restart()
    assert (system(world), world.state.system_reason) == ("paused", "operator")
    world.restart()
    assert system(world) == "paused"


@pytest.mark.parametrize(
    ("shut", "opened"),
    [
        (inputs.DiskMeasured(1), inputs.DiskMeasured(10**9)),
        (inputs.ClockMeasured(SIM, 10 * SECOND_NS, 1), inputs.ClockMeasured(SIM, 0, 1)),
    ],
)
def test_an_automatic_pause_ends_by_itself(shut: Any, opened: Any) -> None:
    world = World()
    world.tell(shut)
    assert len(world.state.pauses) == 1
    assert world.tell(shut) == []
    world.tell(opened)
    world.answer_snapshots()
    assert (world.state.pauses, system(world)) == ({}, "trading")


def test_five_starts_that_never_traded_start_paused() -> None:
    world = World(start=False)
    for _ in range(STARTS_WITHOUT_TRADING_MOST + 1):
        world.restart(clean=False, connect=False) if world.log.seq else world.start(clean=False, connect=False)
    world.connect()
    assert (system(world), world.state.system_reason) == ("paused", "crash_loop")
    world.restart(clean=False)
    assert system(world) == "paused"
    world.command(Action.RESUME)
    world.answer_snapshots()
    assert system(world) == "trading"


def test_a_killed_run_that_traded_is_no_crash_loop() -> None:
    world = World()
    for _ in range(3 * STARTS_WITHOUT_TRADING_MOST):
        world.restart(clean=False)
    assert system(world) == "trading"


def test_a_lost_tail_pauses_with_a_latch() -> None:
    world = World()
    world.restart(head_seq=world.log.seq + 5)
    assert (system(world), world.state.system_reason) == ("paused", "lost_tail")


def test_a_stop_is_the_last_event_and_does_not_pause_the_next_start() -> None:
    world = World()
    world.command(Action.STOP)
    world.stop()
    last = world.recorded()[-1].event
    assert isinstance(last, events.ProcessStopped)
    assert (system(world), last.state_digest) == ("stopped", world.digest)
    world.restart()
    assert system(world) == "trading"


# --- restarts ---------------------------------------------------------------------------------------------------


def test_a_hundred_restarts_without_a_change_add_nothing() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()), world.trade("4"))
    world.balance("9", "99600")
    world.venue.open_orders = [world.status("partially_filled", "4")]
    world.venue.executions = [world.trade("4")]
    before, seq = world.digest, world.log.seq
    for _ in range(100):
        world.restart(clean=False)
    made = world.since(seq)
    assert [event.kind for event in made if event.kind.startswith(DOMAIN)] == []
    assert {event.kind for event in made} == {
        "ProcessStarted", "SystemChanged", "VenueConnected", "SnapshotRequested", "Reconciled"
    }  # fmt: skip
    assert (world.digest, system(world)) == (before, "trading")


# --- kill -------------------------------------------------------------------------------------------------------


def test_a_kill_cancels_and_is_verified_and_survives_a_restart() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.open_orders = [world.status("new")]
    world.command(Action.KILL, reason="enough")
    (cancel,) = world.venue.take(CancelOrder)
    assert cancel.client_order_id == world.only().client_order_id
    world.wait(SECOND_NS)
    world.answer_snapshots()
    assert not verified(world), "the venue still shows the order"
    world.tell(inputs.Canceled(**world.head()))
    world.venue.open_orders = []
    world.wait(SECOND_NS)
    world.answer_snapshots()
    assert verified(world)
    for _ in range(3):
        world.restart()
        world.quote("102", "103")
        assert (system(world), world.state.system_reason) == ("paused", "kill")
        assert world.venue.take(SubmitOrder) == []


def test_a_kill_is_not_verified_by_an_incomplete_list() -> None:
    world = World()
    world.venue.complete = (Section.BALANCES, Section.EXECUTIONS)
    world.command(Action.KILL)
    world.wait(2 * SECOND_NS)
    world.answer_snapshots()
    assert not verified(world)
    world.venue.complete = tuple(Section)
    world.wait(2 * SECOND_NS)
    world.answer_snapshots()
    assert verified(world)


@pytest.mark.parametrize("surfaces", ["external", "void"])
def test_a_kill_cancels_what_surfaces_later(surfaces: str) -> None:
    """An order nobody knew of, or one that had been proven absent: the kill is not over before they are."""
    world = one_order()
    row = world.status("new")
    if surfaces == "external":
        world.tell(rejected := inputs.Rejected(**world.head()))
        assert rejected.refusal is Refusal.DEFINITIVE
        row = evolve(row, client_order_id=ClientOrderId("somebody's"), venue_order_id=VenueOrderId("v-7"))
    else:
        world.tell(inputs.OutcomeUnknown(**world.head(), request=inputs.RequestKind.NEW, cause="timeout"))
        world.clock.ns += LONG_NS
        world.tell(world.not_found())
        assert world.only().status == "void"
    world.command(Action.KILL)
    assert world.venue.take(CancelOrder) == []
    world.venue.open_orders = [row]
    world.wait(2 * SECOND_NS)
    world.answer_snapshots()
    assert not verified(world)
    world.wait(2 * SECOND_NS)
    world.answer_snapshots()
    assert len(world.venue.take(CancelOrder)) >= 1


def test_a_kill_repeats_a_cancel_that_was_refused_too_early() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.open_orders = [world.status("new")]
    world.command(Action.KILL)
    assert len(world.venue.take(CancelOrder)) == 1
    world.tell(inputs.CancelRejected(**world.head()))
    world.wait(2 * SECOND_NS)
    world.answer_snapshots()
    assert len(world.venue.take(CancelOrder)) == 1


# --- snapshots --------------------------------------------------------------------------------------------------


def test_a_stale_snapshot_is_ignored() -> None:
    world = World()
    world.wait(SETTINGS.reconcile.every_ns)
    (asked,) = world.venue.take(TakeSnapshot)
    world.tell(world.venue.snapshot(asked))
    before = world.digest
    world.balance("77", "77")
    assert kinds(world.tell(world.venue.snapshot(asked))) == ["AnomalyRecorded"]
    assert world.digest == before


def test_what_an_incomplete_section_lacks_proves_nothing() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.complete = ()
    world.balance("77", "77")
    world.wait(SETTINGS.reconcile.every_ns)
    world.venue.take(QueryOrder)
    made = world.answer_snapshots()
    assert kinds(made) == ["Reconciled"]
    assert isinstance(made[0], events.Reconciled)
    assert made[0].differences == ()
    assert world.venue.take(QueryOrder) == []


def _stranger(world: World, name: str) -> inputs.StatusReport:
    row = world.status("new")
    return evolve(row, client_order_id=ClientOrderId(f"x{name}"), venue_order_id=VenueOrderId(f"w{name}"))


def test_the_order_of_a_snapshots_rows_does_not_matter() -> None:
    found = set()
    for seed in range(6):
        world = one_order()
        world.tell(inputs.Ack(**world.head()))
        world.wait(SETTINGS.reconcile.every_ns)
        (asked,) = world.venue.take(TakeSnapshot)
        trades = [world.trade("1", f"e{n}") for n in range(3)]
        strangers = [_stranger(world, str(n)) for n in range(2)]
        rows = list(itertools.permutations([world.status("partially_filled", "3"), *strangers]))[seed]
        executed = list(itertools.permutations(trades))[seed]
        balances = tuple(reversed(world.venue.balances)) if seed % 2 else world.venue.balances
        seq = world.log.seq
        world.tell(world.venue.snapshot(asked, open_orders=rows, executions=executed, balances=balances))
        found.add(tuple(encode(recorded) for recorded in world.recorded() if recorded.seq > seq))
    assert len(found) == 1


def test_an_order_that_the_list_does_not_show_is_asked_about_unless_it_is_newer() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.wait(SETTINGS.reconcile.every_ns)
    world.answer_snapshots()
    assert [query.client_order_id for query in world.venue.take(QueryOrder)] == [world.only().client_order_id]
    fresh = World()
    fresh.wait(SETTINGS.reconcile.every_ns)
    (asked,) = fresh.venue.take(TakeSnapshot)
    bench_order = one_order()
    assert bench_order.only().requested_seq > 0
    fresh.tell(fresh.venue.snapshot(asked))
    assert fresh.venue.take(QueryOrder) == []


# --- drift ------------------------------------------------------------------------------------------------------


def drifting(policy: OnDrift) -> World:
    world = World(evolve(SETTINGS, reconcile=Reconcile(on_position_drift=policy)))
    world.balance("4", "100000")
    return world


def look(world: World) -> list[events.Event]:
    world.wait(SETTINGS.reconcile.every_ns)
    return world.answer_snapshots()


def test_a_difference_counts_when_it_is_seen_twice() -> None:
    world = drifting(OnDrift.PAUSE)
    assert kinds(look(world)) == ["Reconciled"]
    assert (world.state.pauses, system(world)) == ({}, "trading")
    assert kinds(look(world)) == ["AnomalyRecorded", "TradingPaused", "Reconciled"]
    assert [(pause.scope, pause.subject, pause.reason) for pause in world.state.pauses.values()] == [
        ("instrument", BTC, "position_drift")
    ]
    assert system(world) == "trading"  # what the venue's other instruments are traded on is not touched
    world.balance("5", "100000")
    look(world)
    assert world.state.pauses == {}


def test_what_is_paid_with_concerns_the_whole_account() -> None:
    world = drifting(OnDrift.PAUSE)
    world.balance("5", "99990")
    look(world)
    assert kinds(look(world)) == ["AnomalyRecorded", "TradingPaused", "Reconciled", "SystemChanged"]
    assert [(pause.scope, pause.subject) for pause in world.state.pauses.values()] == [("venue", SIM)]
    assert (system(world), world.state.system_reason) == ("paused", "position_drift")  # the one venue there is
    world.balance("5", "100000")
    look(world)
    assert world.state.pauses == {}
    world.answer_snapshots()
    assert system(world) == "trading"


def test_an_incomplete_snapshot_between_two_neither_confirms_nor_ends_a_drift() -> None:
    world = drifting(OnDrift.PAUSE)
    look(world)
    world.venue.complete = (Section.OPEN_ORDERS,)
    look(world)
    world.venue.complete = tuple(Section)
    look(world)
    assert [pause.reason for pause in world.state.pauses.values()] == ["position_drift"]
    world.venue.complete = (Section.OPEN_ORDERS,)
    look(world)
    assert [pause.reason for pause in world.state.pauses.values()] == ["position_drift"]


def test_a_subject_that_is_not_quiet_is_no_drift() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    for number in range(3):
        world.wait(SETTINGS.reconcile.every_ns)
        (asked,) = world.venue.take(TakeSnapshot)
        world.tell(world.trade("1", f"e{number}"))
        made = world.tell(world.venue.snapshot(asked))
        reconciled = made[-1]
        assert isinstance(reconciled, events.Reconciled)
        assert reconciled.differences == ()


def test_drift_alert() -> None:
    world = drifting(OnDrift.ALERT)
    look(world)
    made = look(world)
    assert kinds(made) == ["AnomalyRecorded", "Reconciled"]
    assert not world.state.pauses
    assert not world.state.position(BTC).quantity


def test_drift_adopt() -> None:
    world = drifting(OnDrift.ADOPT)
    world.balance("4", "99990")
    look(world)
    made = look(world)
    assert kinds(made) == ["PositionAdjusted", "BalanceAdjusted", "Reconciled"]
    assert world.state.position(BTC).quantity == d(-1)
    assert kinds(look(world)) == ["Reconciled"]
    assert world.state.venues[SIM].differences == ()


# --- orders in doubt --------------------------------------------------------------------------------------------


def doubted() -> World:
    world = one_order()
    world.tell(inputs.OutcomeUnknown(**world.head(), request=inputs.RequestKind.NEW, cause="timeout"))
    assert len(world.venue.take(QueryOrder)) == 1
    return world


def test_an_order_in_doubt_is_asked_about_until_an_answer_settles_it() -> None:
    world = doubted()
    for _ in range(20):
        world.wait(LONG_NS)
        assert len(world.venue.take(QueryOrder)) == 1
    assert world.only().status == "in_doubt"
    order_id = world.only().order_id
    said = [
        event.anomaly for event in world.since(0)
        if isinstance(event, events.AnomalyRecorded) and event.about == order_id
    ]  # fmt: skip
    assert said == ["long_in_doubt"]


@pytest.mark.parametrize(
    ("is_now", "filled", "status_after"),
    [("new", "0", "new"), ("canceled", "0", "canceled"), ("expired", "0", "expired"), ("rejected", "0", "rejected")],
)
def test_an_answer_settles_an_order_in_doubt(is_now: str, filled: str, status_after: str) -> None:
    world = doubted()
    world.tell(world.status(is_now, filled))
    assert world.only().status == status_after


def test_an_order_in_doubt_that_was_filled_is_filled_by_its_executions() -> None:
    world = doubted()
    world.tell(world.status("filled", "10"))
    assert (world.only().status, world.only().exposure) == ("in_doubt", d(10))
    world.tell(world.trade("10"), world.status("filled", "10"))
    assert (world.only().status, world.only().filled) == ("filled", d(10))


def test_absence_is_proven_and_a_late_execution_revokes_it() -> None:
    world = doubted()
    world.tell(world.not_found())
    assert world.only().status == "in_doubt"
    world.wait(LONG_NS)
    world.tell(world.not_found())
    assert (world.only().status, world.only().evidence, world.only().exposure) == ("void", "inferred", d(0))
    made = kinds(world.tell(world.trade("3")))
    assert made[:3] == ["FillBooked", "AnomalyRecorded", "TradingPaused"]
    assert (world.only().status, world.state.position(BTC).quantity) == ("partially_filled", d(3))
    assert world.state.paused_by(instrument=BTC) is not None


def test_nothing_is_proven_while_the_stream_is_down() -> None:
    world = doubted()
    world.tell(inputs.VenueLost(SIM, "x"))
    world.clock.ns += LONG_NS
    world.tell(world.not_found())
    assert world.only().status == "in_doubt"


@pytest.mark.parametrize("resolution", Resolution)
def test_an_operator_settles_an_order_in_doubt(resolution: Resolution) -> None:
    world = doubted()
    made = world.command(Action.RESOLVE, order_id=world.only().order_id, resolution=resolution)
    assert kinds(made)[:2] == ["OperatorCommanded", "OrderResolved"]
    assert (world.only().status, world.only().evidence) == (str(resolution), "operator")


def test_a_wrong_resolve_is_an_anomaly_and_no_accident() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    for order_id in (world.only().order_id, "nobody"):
        made = world.command(Action.RESOLVE, order_id=order_id, resolution=Resolution.VOID)
        assert kinds(made) == ["OperatorCommanded", "AnomalyRecorded"]
    assert world.only().status == "new"


def test_a_restart_puts_what_was_outstanding_in_doubt() -> None:
    world = one_order()
    world.restart(connect=False)
    assert world.only().status == "in_doubt"
    assert world.venue.take(SubmitOrder) == []
    assert len(world.venue.take(QueryOrder)) == 1


@pytest.mark.parametrize("policy", OnStop)
def test_open_orders_are_kept_or_canceled_when_the_line_is_lost(policy: OnStop) -> None:
    world = one_order(settings=evolve(SETTINGS, orders=evolve(SETTINGS.orders, on_disconnect=policy)))
    world.tell(inputs.Ack(**world.head()))
    world.venue.take(CancelOrder)
    world.tell(inputs.VenueLost(SIM, "gone"))
    asked = world.venue.take(CancelOrder)
    assert len(asked) == (policy is OnStop.CANCEL)
    if asked:  # it could not leave: it is sent again once the venue can be asked
        world.tell(inputs.OutcomeUnknown(**world.head(), request=inputs.RequestKind.CANCEL, cause="not connected"))
        world.venue.open_orders = [world.status("new")]
        world.connect()
        world.clock.ns += LONG_NS
        world.tell(world.status("new", asked_ns=world.clock.ns))
        assert len(world.venue.take(CancelOrder)) == 1


# --- cancels and replacements that get lost ---------------------------------------------------------------------


def canceling() -> World:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.venue.open_orders = [world.status("new")]
    world.command(Action.KILL)
    world.venue.take(CancelOrder)
    return world


@pytest.mark.parametrize("how", ["unknown", "silence", "restart"])
def test_a_lost_cancel_is_never_believed_and_sent_again_once_it_can_have_no_effect(how: str) -> None:
    world = canceling()
    if how == "unknown":
        world.tell(inputs.OutcomeUnknown(**world.head(), request=inputs.RequestKind.CANCEL, cause="timeout"))
    elif how == "restart":
        world.restart(connect=False)
        world.tell(inputs.VenueConnected(SIM))
    else:
        world.venue.answers = False
        world.wait(SETTINGS.orders.outcome_limit_ns)
    assert (world.only().status, world.only().pending_cancel) == ("new", "in_doubt")
    assert world.only().exposure == d(10)
    assert len(world.venue.take(QueryOrder)) >= 1
    world.clock.ns += LONG_NS
    world.tell(world.status("new"))
    assert len(world.venue.take(CancelOrder)) >= 1


def test_a_cancel_of_an_order_on_its_way_waits_for_its_outcome() -> None:
    world = one_order()
    world.command(Action.KILL)
    assert world.venue.take(CancelOrder) == []
    world.tell(inputs.Ack(**world.head()))
    (cancel,) = world.venue.take(CancelOrder)
    assert cancel.venue_order_id == "v-1"


def test_an_overfill_pauses_the_instrument() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()), world.trade("10"), world.trade("2", "e2"))
    assert (world.only().filled, world.state.position(BTC).quantity) == (d(12), d(12))
    pause = world.state.paused_by(instrument=BTC)
    assert pause is not None
    assert (pause.reason, pause.latched) == ("overfill", True)
    assert "12 executed of 10" in pause.detail
    assert world.state.paused_by(instrument=ETH) is None
    assert system(world) == "trading"


def test_a_foreign_order_of_our_form_pauses_everything() -> None:
    world = World()
    row = one_order().status("new", client_order_id="hzzzzzzzz0000042")
    made = kinds(world.tell(row))
    assert made == ["ExternalOrderSeen", "AnomalyRecorded", "TradingPaused", "SystemChanged"]
    assert (system(world), world.only().origin) == ("paused", "adopted")
    world.restart()
    assert system(world) == "paused"


def test_a_foreign_order_is_known_and_counted_and_pauses_nothing() -> None:
    world = World()
    row = one_order().status("new", client_order_id="by hand")
    assert kinds(world.tell(row)) == ["ExternalOrderSeen"]
    assert world.tell(row) == []
    assert (system(world), world.only().origin, world.only().exposure) == ("trading", "external", d(10))


def test_the_engine_sleeps_when_nothing_is_due() -> None:
    """What is due is done by the next `TimePassed`: otherwise the shell would spin."""
    for world in (World(), doubted(), canceling(), one_order(Side.SELL)):
        world.tell()
        assert world.tell() == []
        due_ns = next_due_ns(world.state, world.market, world.desk)
        assert due_ns is None or due_ns > world.clock.ns


def test_a_venue_that_is_not_configured_any_more_does_not_end_the_process() -> None:
    """Its orders stay in doubt; there is nobody to ask."""
    world = one_order()
    gone = evolve(DESCRIPTION, venue=OTHER, instruments=())
    world.settings = evolve(SETTINGS, venues={OTHER: "simulated"})
    world.venues = {OTHER: ScriptedVenue(gone)}
    world.venue = world.venues[OTHER]
    world.restart()
    assert world.only().status == "in_doubt"
    assert system(world) == "trading"
    world.command(Action.KILL)
    assert world.only().exposure == d(10)


def test_every_recorded_event_has_the_next_seq() -> None:
    world = one_order()
    assert [recorded.seq for recorded in world.recorded()] == list(range(1, world.log.seq + 1))
    assert world.venue_state() == VenueState.READY
    assert isinstance(world.venue.snapshot(TakeSnapshot(seq=1, at_ns=1, venue=SIM, since_ns=0)), Snapshot)


def test_a_flatten_closes_what_is_held_before_the_kill_is_done() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()), world.trade("10", "e1"))
    world.venue.take(SubmitOrder)
    held = world.state.position(world.only().instrument).quantity
    world.command(Action.KILL, flatten=True)
    world.wait(SECOND_NS)
    world.answer_snapshots()
    (closing,) = world.venue.take(SubmitOrder)
    assert (closing.side, closing.quantity, closing.order_type) == ("sell", held, "market")
    assert not verified(world), "the position is still open"
    order = world.state.orders[closing.order_id]
    world.tell(inputs.Ack(**world.head(order)), world.trade("10", "e2", order=order, side=Side.SELL))
    world.wait(SECOND_NS)
    world.answer_snapshots()
    assert verified(world)
    assert world.state.position(order.instrument).quantity == 0
    assert system(world) == "paused"


def test_a_late_fill_of_an_archived_order_is_booked_on_it() -> None:
    """What left State is looked up in the journal, and its earlier executions are not booked again."""
    world = one_order()
    order = world.only()
    world.tell(inputs.Ack(**world.head()), world.trade("4", "e1"), inputs.Canceled(**world.head()))
    late, again = world.trade("3", "e2"), world.trade("4", "e1")
    world.runner._record([events.OrderArchived(order_id=order.order_id)], world.clock.now_ns())
    assert order.order_id not in world.state.orders
    world.tell(late)
    assert world.recorded()[-1].event.kind == "ArchivedOrderReported"
    about = [entry for entry in world.log.read() if entry.subject == order.order_id]
    found = find_order(order.order_id, about, lend(world.state))
    assert found is not None
    world.tell(found)
    assert [request.client_order_id for request in world.venue.take(QueryOrder)] == [order.client_order_id]
    world.tell(again, late)
    assert world.state.orders[order.order_id].filled == 7
    assert world.state.position(order.instrument).quantity == 7
