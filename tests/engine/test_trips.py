"""Limits that shut trading by themselves: by an event, with a latch that survives, until an operator resumes."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from engine import events, inputs
from engine.inputs import Action, Balance, RequestKind, Scope
from engine.limits import Limits, Measures, OnLimit, Risk
from engine.outbox import CancelOrder, SubmitOrder, TakeSnapshot
from engine.settings import Settings
from engine.strategy import Answers, Context, Intent
from engine.values import SECOND_NS, Asset, Duration, ExecId, OrderType, Side
from tests.engine.bench import BTC, ETH, MAKER, SETTINGS, TREND, d
from tests.engine.bench import VENUE as SIM
from tests.engine.judged import hold, journaled, limited, reason_of, request, trading
from tests.engine.world import ScriptedVenue, World, scripted

DAY_NS = 86_400 * SECOND_NS


def pauses(world: World) -> list[tuple[str, str, str, bool]]:
    return [(p.scope, p.subject, p.reason, p.latched) for p in world.state.pauses.values()]


def trips(world: World) -> list[tuple[str, str, str]]:
    return [(e.scope, e.subject_name, e.limit) for e in journaled(world, events.LimitTripped)]


def keep_balances(world: World) -> None:
    """The venue shows what the books say, so that a reconcile finds nothing."""
    booked = world.state.balances[SIM]
    world.venue.balances = tuple(Balance(asset, booked[asset], d(0)) for asset in sorted(booked))


def resume(world: World) -> None:
    keep_balances(world)
    world.command(Action.RESUME)
    world.answer_snapshots()


# --- losses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["max_daily_loss", "max_drawdown"])
def test_a_loss_pauses_at_its_limit_and_not_before(limit: str) -> None:
    limits: dict[str, Any] = {limit: d(50)}
    world = trading(limited(**limits))
    hold(world, "10")
    world.quote("95.5", "96")
    assert (pauses(world), str(world.state.system)) == ([], "trading")
    world.quote("95", "96")
    assert pauses(world) == [("all", "", limit, True)]
    assert str(world.state.system) == "paused"
    (trip,) = journaled(world, events.LimitTripped)
    assert (trip.limit, trip.action) == (limit, OnLimit.PAUSE)
    assert trip.numbers == {"loss": "50", "limit": "50", "equity": "-50", "from": "0", "asset": "USDT"}
    world.quote("90", "91")
    assert len(trips(world)) == 1  # it holds already


@pytest.mark.parametrize("limit", ["max_daily_loss", "max_drawdown"])
def test_the_latch_and_what_losses_count_from_survive_a_restart(limit: str) -> None:
    limits: dict[str, Any] = {limit: d(50)}
    world = trading(limited(**limits))
    hold(world, "10")
    world.quote("110", "111")  # the highest mark is +100
    keep_balances(world)
    world.restart()
    if limit == "max_drawdown":
        world.quote("105.5", "106")
        assert pauses(world) == []
        world.quote("105", "106")
    else:
        world.quote("95", "96")
    assert pauses(world) == [("all", "", limit, True)]
    world.restart()
    assert pauses(world) == [("all", "", limit, True)]
    assert str(world.state.system) == "paused"
    assert len(trips(world)) == 1


def test_a_short_position_is_closed_at_the_ask() -> None:
    world = trading(limited(max_daily_loss=d(50)))
    hold(world, "10", price="101", side=Side.SELL)
    world.quote("105", "105.5")
    assert pauses(world) == []
    world.quote("100", "106")
    assert pauses(world) == [("all", "", "max_daily_loss", True)]


def test_what_is_realised_and_fees_count_as_well() -> None:
    world = trading(limited(max_daily_loss=d(50)))
    hold(world, "10", fee=d(5), fee_asset=Asset("USDT"))
    hold(world, "10", price="96", side=Side.SELL, fee=d("4.9"), fee_asset=Asset("USDT"))
    assert pauses(world) == []
    world.tell(
        inputs.FeeReported(**world.head(world.orders()[-1]), exec_id=ExecId("none"), fee=d(1), fee_asset=Asset("USDT"))
    )
    assert pauses(world) == []  # an anomaly, and no fee
    hold(world, "0.1", price="100", fee=d("0.1"), fee_asset=Asset("USDT"))
    assert trips(world) == [("all", "", "max_daily_loss")]


def test_a_day_begins_anew_where_and_when_it_is_configured() -> None:
    """T0 is 22:13:20 UTC, 17:13:20 in New York, where this day begins at 17:14."""
    measures = Measures(day_begins="17:14", time_zone="America/New_York")
    world = trading(limited(max_daily_loss=d(50), measures=measures))
    hold(world, "10")
    world.quote("96", "97")
    world.clock.ns += 39 * SECOND_NS
    world.quote("95.5", "96")  # 45 of 50, on the old day
    world.clock.ns += 2 * SECOND_NS
    world.quote("95.5", "96")
    world.quote("91", "92")  # 45 of 50, on the new one
    assert pauses(world) == []
    marks = journaled(world, events.EquityMarked)
    assert [(mark.opening, mark.day - marks[0].day) for mark in marks] == [(d(0), 0), (d(-45), 1)]
    world.quote("90.5", "92")
    assert pauses(world) == [("all", "", "max_daily_loss", True)]


def test_a_daily_loss_that_stands_trips_again_after_a_resume() -> None:
    world = trading(limited(max_daily_loss=d(50)))
    hold(world, "10")
    world.quote("95", "96")
    resume(world)
    assert (str(world.state.system), len(trips(world))) == ("paused", 2)


def test_after_a_resume_a_drawdown_begins_anew() -> None:
    world = trading(limited(max_drawdown=d(50)))
    hold(world, "10")
    world.quote("95", "96")
    resume(world)
    world.quote("90.5", "91")
    assert str(world.state.system) == "trading"
    assert len(trips(world)) == 1
    world.quote("90", "91")
    assert len(trips(world)) == 2


def test_a_resumed_daily_loss_is_over_with_the_day() -> None:
    world = trading(limited(max_daily_loss=d(50)))
    hold(world, "10")
    world.quote("95", "96")
    world.clock.ns += DAY_NS
    world.quote("95", "96")
    assert str(world.state.system) == "paused"  # the latch holds
    resume(world)
    world.quote("95", "96")
    assert (str(world.state.system), reason_of(world, price="95")) == ("trading", "approved")


def test_a_narrower_limit_pauses_its_scope_alone() -> None:
    found = Limits(max_daily_loss=d(50))
    by_strategy, by_instrument = Risk(strategies={TREND: found}), Risk(instruments={BTC: found})
    for risk, scope, subject in ((by_strategy, Scope.STRATEGY, TREND), (by_instrument, Scope.INSTRUMENT, BTC)):
        world = trading(evolve(SETTINGS, risk=risk))
        hold(world, "9.9")
        hold(world, "0.1", strategy=MAKER)
        world.quote("95", "96")
        assert pauses(world) == ([] if scope is Scope.STRATEGY else [(scope, subject, "max_daily_loss", True)])
        world.quote("94.5", "96")
        assert pauses(world) == [(scope, subject, "max_daily_loss", True)]
        assert str(world.state.system) == "trading"
        assert reason_of(world, price="90") == "paused"
        spared: dict[str, Any] = {"strategy": MAKER} if scope is Scope.STRATEGY else {"instrument": ETH}
        assert reason_of(world, price="90", **spared) == "approved"


def test_a_position_without_a_mark_can_not_be_measured_and_nothing_is_approved() -> None:
    world = trading(limited(max_daily_loss=d(50)))
    hold(world, "1", instrument=ETH)
    assert reason_of(world) == "max_daily_loss"
    world.quote(instrument=ETH)
    assert reason_of(world) == "approved"


# --- kill and flatten -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [OnLimit.KILL, OnLimit.KILL_AND_FLATTEN])
def test_a_loss_kills_where_that_is_configured(action: OnLimit) -> None:
    measures = Measures(on_daily_loss=action)
    world = trading(limited("strategy", max_daily_loss=d(50), measures=measures))
    hold(world, "10")
    resting = request(world, "resting", price="90", strategy=MAKER)
    world.tell(inputs.Ack(**world.head(resting)))
    world.venue.take(SubmitOrder)
    world.quote("95", "96")
    assert pauses(world) == [("strategy", TREND, "max_daily_loss", True), ("all", "", "kill", True)]
    assert [cancel.order_id for cancel in world.venue.take(CancelOrder)] == ["resting"]
    world.tell(inputs.Canceled(**world.head(resting)))
    keep_balances(world)
    world.answer_snapshots()
    world.wait(2 * SECOND_NS)
    world.answer_snapshots()
    closing = world.venue.take(SubmitOrder)
    if action is OnLimit.KILL:
        assert closing == []
    else:
        (sale,) = closing
        assert (sale.side, sale.order_type, sale.quantity) == (Side.SELL, OrderType.MARKET, d(10))
        world.tell(world.trade("10", "close", "95", world.state.orders[sale.order_id]))
        keep_balances(world)
        world.wait(2 * SECOND_NS)
        world.answer_snapshots()
        world.wait(2 * SECOND_NS)
        world.answer_snapshots()
        assert world.state.position(BTC).quantity == d(0)
    assert world.state.kill_verified
    world.restart()
    assert ("all", "", "kill", True) in pauses(world)


# --- repeated executions ----------------------------------------------------------------------------------------


def _buys_again(callback: str, context: Context, argument: Any) -> Answers:
    if callback != "on_quote" or context.open_orders():
        return None
    return [Intent(instrument=BTC, side=Side.BUY, quantity="1", price="100")]


def _execute_next(world: World, number: int) -> bool:
    world.quote()
    sent = world.venue.take(SubmitOrder)
    for order in sent:
        world.tell(world.trade("1", f"e{number}", order=world.state.orders[order.order_id]))
    return bool(sent)


def test_an_order_that_executes_again_and_again_is_stopped_until_somebody_looks() -> None:
    settings = limited("strategy", max_repeated_executions=3)
    world = World(settings, {TREND: scripted(_buys_again)})
    assert [_execute_next(world, number) for number in range(5)] == [True, True, True, False, False]
    assert pauses(world) == [("strategy", TREND, "max_repeated_executions", True)]
    world.clock.ns += 3600 * SECOND_NS
    assert not _execute_next(world, 5)
    keep_balances(world)
    world.restart()
    assert not _execute_next(world, 6)
    world.command(Action.RESUME, scope=Scope.STRATEGY, subject=TREND)
    assert [_execute_next(world, number) for number in range(7, 12)] == [True, True, True, False, False]
    assert len(trips(world)) == 2


def test_executions_that_lie_further_apart_are_no_repetition() -> None:
    settings = limited("strategy", max_repeated_executions=3, repeated_executions_within_ns=Duration(10 * SECOND_NS))
    world = World(settings, {TREND: scripted(_buys_again)})
    for number in range(10):
        assert _execute_next(world, number)
        world.clock.ns += 5 * SECOND_NS
    assert trips(world) == []


def test_the_parts_of_one_order_are_one_execution() -> None:
    world = trading(limited("strategy", max_repeated_executions=2))
    order = request(world, quantity="5")
    for number in range(5):
        world.tell(world.trade("1", f"part{number}", order=order))
    assert trips(world) == []


# --- a venue that errs ------------------------------------------------------------------------------------------


def _errors(most: int = 2) -> Settings:
    return limited(measures=Measures(max_venue_errors=most, venue_errors_within_ns=Duration(10 * SECOND_NS)))


def _lose_a_reply(world: World, name: str) -> Any:
    order = request(world, name, instrument=ETH if name == "a" else BTC)
    world.tell(inputs.OutcomeUnknown(**world.head(order), request=RequestKind.NEW, cause="timeout"))
    return world.state.orders[order.order_id]


def test_a_venue_that_errs_is_paused_and_reconciled_before_it_trades_again() -> None:
    world = trading(_errors())
    first = _lose_a_reply(world, "a")
    assert pauses(world) == []
    second = _lose_a_reply(world, "b")
    assert pauses(world) == [("venue", SIM, "max_venue_errors", False)]
    assert str(world.state.system) == "paused"
    assert [asked.venue for asked in world.venue.take(TakeSnapshot)][-1:] == [SIM]
    world.tell(world.status("new", order=first), world.status("new", order=second))
    world.venue.open_orders = [world.status("new", order=order) for order in (first, second)]
    assert pauses(world) != []  # nothing is in doubt, but it has not been compared
    for _ in range(3):
        world.wait(11 * SECOND_NS)
        world.answer_snapshots()
    assert (pauses(world), str(world.state.system)) == ([], "trading")
    assert trips(world) == [("venue", SIM, "max_venue_errors")]
    world.quote()
    assert reason_of(world, price="99") == "approved"


def test_a_venue_stays_paused_while_something_is_in_doubt_there() -> None:
    world = trading(_errors())
    _lose_a_reply(world, "a")
    _lose_a_reply(world, "b")
    for _ in range(3):
        world.wait(11 * SECOND_NS)
        world.answer_snapshots()
    assert pauses(world) == [("venue", SIM, "max_venue_errors", False)]


def test_errors_that_lie_further_apart_pause_nothing() -> None:
    world = trading(_errors())
    _lose_a_reply(world, "a")
    world.clock.ns += 10 * SECOND_NS
    _lose_a_reply(world, "b")
    assert pauses(world) == []


def test_frames_of_unknown_shape_and_missed_snapshots_are_errors_too() -> None:
    world = trading(_errors())
    world.tell(inputs.ProtocolSurprise(SIM, "{"))
    world.wait(61 * SECOND_NS)  # the periodic snapshot is asked for
    world.tell(inputs.ProtocolSurprise(SIM, "{"))
    assert pauses(world) == []
    world.venue.answers = False
    world.tell(inputs.SnapshotFailed(venue=SIM, asked_seq=world.state.venues[SIM].asked_seq, cause="http 500"))
    assert pauses(world) == [("venue", SIM, "max_venue_errors", False)]


def test_a_restart_is_no_error_of_the_venue() -> None:
    world = trading(_errors(1))
    request(world)
    world.restart()
    assert pauses(world) == []


# --- what is not configured costs no event ----------------------------------------------------------------------


def test_without_limits_nothing_is_marked() -> None:
    world = World(SETTINGS, venues=[ScriptedVenue()])
    hold(world, "10")
    for price in ("100", "50", "200"):
        world.quote(price, price)
    assert journaled(world, events.EquityMarked, events.LimitTripped) == []
    assert (world.state.recent, world.state.watermarks, world.state.venue_errors_ns) == ({}, {}, {})


def test_a_rising_market_marks_in_steps() -> None:
    """A step is a hundredth of the limit: 1 here, a tenth of a tick of this position."""
    world = trading(limited(max_drawdown=d(100)))
    hold(world, "0.1")
    for tick in range(100):
        world.quote(str(100 + tick), str(101 + tick))
    marks = journaled(world, events.EquityMarked)
    assert [mark.peak for mark in marks] == [d(0), *(d(n) for n in range(1, 10))]
