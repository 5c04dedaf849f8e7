"""Guards after the trade, through the simulated exchange: what moves there without an execution of ours acts here, as
far as it reaches, with its figures in the event."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from attrs import evolve

from adapters.simulated import wire
from adapters.simulated.listing import Listing
from engine import events
from engine.balances import funds
from engine.inputs import Action, OperatorCommand, Scope
from engine.instrument import InstrumentKind
from engine.settings import Guards, OnDrift, Reconcile
from engine.strategy import Answers, Context, Intent
from engine.values import SECOND_NS, Asset, Duration, Side
from tests.pains.small_world import BTC, EVERY_NS, ONE, OTHER, SYMBOL, eager, finish, make_world, run_for
from tools.simulation.world import VENUE, World, recorded

HOUR_NS = 3600 * SECOND_NS


def calm(callback: str, context: Context, argument: Any) -> Answers:
    """Wants nothing."""


def once(side: Side, quantity: str, quotes: int = 1) -> Any:
    """One market-like order on the first quote, or on a later one."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback == "on_quote":
            context.memory["seen"] = context.memory.get("seen", 0) + 1
        if callback == "on_quote" and context.memory["seen"] == quotes:
            price = argument.ask * 2 if side is Side.BUY else argument.bid / 2
            tick = context.instrument(BTC).tick
            return [Intent(instrument=BTC, side=side, quantity=quantity, price=price // tick * tick)]
        return None

    return script


def transfer(world: World, asset: str, quantity: str) -> None:
    """Somebody moves money in or out of the account, beside the engine."""
    assert world.floor.gateway is not None
    exchange = world.floor.gateway._exchange
    exchange.transfer(wire.Transfer(Asset(asset), Decimal(quantity)), world.clock.now)


def rules(world: World, **changes: Any) -> None:
    """The settings of a world whose engine has not begun."""
    setting = world.setting
    world.setting = evolve(setting, settings=evolve(setting.settings, **changes))


def told(world: World, kind: type[events.Event]) -> Iterator[Any]:
    """The events of a kind."""
    return (one.event for one in recorded(world.log) if isinstance(one.event, kind))


def pauses(world: World) -> list[tuple[str, str, str]]:
    assert world.engine is not None
    return [(str(p.scope), p.subject, p.reason) for p in world.engine.state.pauses.values()]


def moved(asset: str, quantity: str, **reconcile: Any) -> World:
    """A world that trades, in which a balance has moved and three comparisons have been made since."""
    world = make_world(1, {ONE: eager(2)})
    rules(world, reconcile=Reconcile(every_ns=Duration(EVERY_NS), **reconcile))
    run_for(world, 5)
    transfer(world, asset, quantity)
    run_for(world, 10)
    return world


def test_a_balance_that_moves_without_a_fill_pauses_as_far_as_it_reaches() -> None:
    """A base asset that pays for nothing: its instrument; what is paid with: the account. Back again, and it ends."""
    for asset, place in (("BTC", ("instrument", BTC, "position_drift")), ("USDT", ("venue", VENUE, "position_drift"))):
        world = moved(asset, "0.5")
        assert pauses(world) == [place]
        (paused,) = told(world, events.TradingPaused)
        assert f"{asset}: the venue has " in paused.detail
        (anomaly,) = told(world, events.AnomalyRecorded)
        assert (anomaly.anomaly, anomaly.about) == ("balance_moved", f"{VENUE}/{asset}")
        assert f"{asset} moved by +0.5 without a fill" in anomaly.detail
        transfer(world, asset, "-0.5")
        run_for(world, 10)
        assert pauses(world) == []
        assert finish(world) == []


def test_what_is_inside_the_tolerance_is_told_and_nothing_follows() -> None:
    """By default half a lot, here 0.000005 BTC: just at it, just above it; and as configured."""
    inside, outside = moved("BTC", "0.000005"), moved("BTC", "0.0000051")
    assert (pauses(inside), pauses(outside)) == ([], [("instrument", BTC, "position_drift")])
    tolerated = [row.name for event in told(inside, events.Reconciled) for row in event.tolerated]
    assert tolerated
    assert set(tolerated) == {"BTC"}
    assert not any(event.differences for event in told(inside, events.Reconciled))
    wide = {"USDT": Decimal(10)}
    assert pauses(moved("USDT", "-10", tolerances=wide)) == []
    assert pauses(moved("USDT", "-10.01", tolerances=wide)) == [("venue", VENUE, "position_drift")]


def test_a_drift_is_adopted_once() -> None:
    world = moved("BTC", "0.5", on_position_drift=OnDrift.ADOPT)
    assert [(e.instrument, e.quantity) for e in told(world, events.PositionAdjusted)] == [(BTC, Decimal("0.5"))]
    assert finish(world) == []


# --- refusals ---------------------------------------------------------------------------------------------------


def refused(most: int) -> Any:
    """Orders that the exchange refuses, for want of money, one at a time."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        asked = context.memory.get("asked", 0)
        if callback == "on_quote" and not context.open_orders() and asked < most:
            context.memory["asked"] = asked + 1
            return [Intent(instrument=BTC, side=Side.BUY, quantity="100", price=argument.bid)]
        return None

    return script


def refusing(scripts: dict[Any, Any], rate: str, least: int) -> World:
    world = make_world(2, scripts)
    rules(world, guards=Guards(max_reject_rate=Decimal(rate), min_orders=least))
    run_for(world, 20)
    return world


def test_a_rejection_rate_that_jumps_pauses_the_strategy_until_somebody_resumes() -> None:
    world = refusing({ONE: refused(8), OTHER: calm}, "0.5", 4)
    assert pauses(world) == [("strategy", ONE, "max_reject_rate")]
    (paused,) = told(world, events.TradingPaused)
    assert paused.latched
    assert paused.detail.startswith("4 of 4 orders were refused")
    assert len(list(told(world, events.OrderRejected))) == 4  # the others were denied here
    world.kill_engine()
    run_for(world, 5)
    assert pauses(world) == [("strategy", ONE, "max_reject_rate")]
    assert world.engine is not None
    world.engine.inbox.deliver(
        OperatorCommand(action=Action.RESUME, uid=1, pid=1, scope=Scope.STRATEGY, subject=str(ONE))
    )
    run_for(world, 1)
    assert pauses(world) == []


def test_refusals_of_several_strategies_pause_the_venue() -> None:
    world = refusing({ONE: refused(3), OTHER: refused(3)}, "0.5", 4)
    assert ("venue", VENUE, "max_reject_rate") in pauses(world)


def by_turns(most: int) -> Any:
    """Orders that rest far below the market, and orders that are refused, by turns."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        asked = context.memory.get("asked", 0)
        if callback == "on_quote" and asked < most:
            context.memory["asked"] = asked + 1
            quantity = "100" if asked % 2 else "0.001"
            return [Intent(instrument=BTC, side=Side.BUY, quantity=quantity, price="30000")]
        return None

    return script


def test_just_at_the_rate_nothing_follows() -> None:
    """Half of them refused where half may be; and one more is one too many."""
    world = refusing({ONE: by_turns(6)}, "0.5", 4)
    assert len(list(told(world, events.OrderRejected))) == 3
    assert pauses(world) == []
    assert pauses(refusing({ONE: by_turns(6)}, "0.49", 4)) == [("strategy", ONE, "max_reject_rate")]


def test_fewer_orders_than_the_least_are_no_rate() -> None:
    assert pauses(refusing({ONE: refused(3)}, "0.5", 4)) == []
    assert pauses(refusing({ONE: refused(4)}, "0.5", 4)) == [("strategy", ONE, "max_reject_rate")]


# --- contracts --------------------------------------------------------------------------------------------------

CONTRACT = Listing(
    base="BTC", quote="USDT", tick=Decimal("0.1"), lot=Decimal(1), price=Decimal(60_000), displayed=Decimal(500),
    kind=InstrumentKind.PERPETUAL, multiplier=Decimal("0.001"), settlement_asset="USDT",
    funding_rate=Decimal("0.0001"), funding_every_ns=Duration(10 * SECOND_NS),
)  # fmt: skip


def perpetual(scripts: dict[Any, Any]) -> World:
    """A world whose only instrument is a perpetual contract that pays funding every ten seconds."""
    return make_world(3, scripts, instruments={SYMBOL: CONTRACT})


def test_a_contract_is_booked_as_the_exchange_books_it() -> None:
    """Position, realised result, fees and funding: wallet and position here equal the exchange's own, to the last
    decimal, through fills, funding and a restart of either side."""
    world = perpetual({ONE: once(Side.BUY, "5"), OTHER: once(Side.SELL, "2", 5)})
    run_for(world, 25)
    world.kill_engine()
    world.kill_exchange()
    run_for(world, 25)
    assert finish(world) == []
    assert world.engine is not None
    state, account = world.engine.state, world.floor.gateway._exchange.state.account  # type: ignore[union-attr]
    assert state.nets[BTC].quantity == account.contracts[SYMBOL].quantity == 3
    assert state.nets[BTC].cost == account.contracts[SYMBOL].cost
    assert state.balances[VENUE][Asset("USDT")] == account.totals[Asset("USDT")]
    booked = list(told(world, events.FundingBooked))
    assert len(booked) >= 3
    by_strategy = state.positions[BTC]
    assert sum(p.funding for p in by_strategy.values()) == sum(event.amount for event in booked)
    assert by_strategy[ONE].funding < 0 < by_strategy[OTHER].funding  # the long pays, the short receives
    assert pauses(world) == []


def test_funding_that_was_paid_while_nobody_ran_is_booked_once() -> None:
    """The frame is lost with the engine; the snapshot has it, each time again."""
    world = perpetual({ONE: once(Side.BUY, "5")})
    run_for(world, 5)
    world.kill_engine(25 * SECOND_NS)
    run_for(world, 40)
    exchange = world.floor.gateway._exchange  # type: ignore[union-attr]
    booked = [event.funding_id for event in told(world, events.FundingBooked)]
    assert booked == [paid.funding_id for paid in exchange.state.fundings]
    assert len(booked) >= 4
    assert finish(world) == []


def test_a_contract_that_the_exchange_holds_otherwise_is_paused_by_itself() -> None:
    world = perpetual({ONE: once(Side.BUY, "5")})
    run_for(world, 8)
    account = world.floor.gateway._exchange.state.account  # type: ignore[union-attr]
    held = account.contracts[SYMBOL]
    account.contracts[SYMBOL] = evolve(held, quantity=held.quantity + 1)
    run_for(world, 8)
    assert pauses(world) == [("instrument", BTC, "position_drift")]
    (paused,) = told(world, events.TradingPaused)
    assert f"position of {BTC}: the venue has 6, the books 5" in paused.detail
    account.contracts[SYMBOL] = held
    run_for(world, 8)
    assert pauses(world) == []
    account.contracts[SYMBOL] = evolve(held, cost=held.cost + 29)  # half a contract is worth some 30 USDT
    run_for(world, 8)
    assert pauses(world) == []
    account.contracts[SYMBOL] = evolve(held, cost=held.cost + 31)
    run_for(world, 8)
    detail = [p.detail for p in told(world, events.TradingPaused)][-1]
    assert f"result of {BTC}: the venue has " in detail  # its computed result is not what the executions come to
    account.contracts[SYMBOL] = held
    run_for(world, 8)
    assert pauses(world) == []


# --- balances ---------------------------------------------------------------------------------------------------


def resting(callback: str, context: Context, argument: Any) -> Answers:
    """One order that rests, and what the strategy sees of its funds then."""
    if callback == "on_quote" and not context.memory.get("done"):
        context.memory["done"] = True
        context.memory["before"] = context.balance("USDT").free
        return [Intent(instrument=BTC, side=Side.BUY, quantity="0.1", price="30000")]
    if callback == "on_quote":
        context.memory["after"] = context.balance("USDT").free
    return None


def test_balances_show_total_free_locked_and_the_venues_figure() -> None:
    """What an open order locks here is what it locks at the exchange, less the fee that the exchange reserves."""
    world = make_world(4, {ONE: resting})
    run_for(world, 8)
    assert world.engine is not None
    memory = world.engine.state.strategies[ONE].memory
    assert (memory["before"], memory["after"]) == ({"$decimal": "100000"}, {"$decimal": "97000"})
    found = funds(world.engine.state, VENUE)[Asset("USDT")]
    assert [found.total, found.locked, found.free] == [Decimal(100_000), Decimal(3_000), Decimal(97_000)]
    assert found.shown is not None
    assert [found.shown_total, found.shown.locked] == [Decimal(100_000), Decimal(3_003)]
    assert found.shown_ns > 0
    assert not found.differs
    transfer(world, "USDT", "-1")
    run_for(world, 4)
    found = funds(world.engine.state, VENUE)[Asset("USDT")]
    assert (found.differs, found.shown_total) == (True, found.total - 1)
