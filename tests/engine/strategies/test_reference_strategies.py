"""The reference strategies through the whole system, on a generated market in virtual time: they do what they say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.simulated.options import SimulatedOptions
from engine import events
from engine.indicators import Bollinger, Rsi, Sma
from engine.series import newest
from engine.settings import BarsFrom, Evaluate, Reconcile, Settings, StrategySettings
from engine.strategies.mean_reversion import MeanReversion
from engine.strategies.price_levels import PriceLevels
from engine.strategies.rsi_threshold import RsiThreshold
from engine.strategies.sma_cross import SmaCross
from engine.strategies.two_sided_quoter import TwoSidedQuoter
from engine.strategy import Strategy
from engine.values import MILLISECOND_NS, SECOND_NS, Duration, Liquidity, Side
from tests.pains.small_world import BTC, ONE, SYMBOL, engine_of, events_of, finish, restarts, run_for, state_of
from tools.simulation.world import VENUE, Plan, Setting, World

QUANTITY = Decimal("0.01")
BARS_NS = Duration(500 * MILLISECOND_NS)


def world_of(kind: type[Strategy], seed: int, params: dict[str, Any], plan: Plan | None = None) -> World:
    settings = StrategySettings(
        strategy_class=f"{kind.__module__}:{kind.__name__}", instruments=(BTC,), tag="one", bars_ns=BARS_NS,
        bars_from=BarsFrom.QUOTES, params=params, evaluate=Evaluate(at_most_every_ns=Duration(100 * MILLISECOND_NS)),
    )  # fmt: skip
    every = Reconcile(every_ns=Duration(2 * SECOND_NS))
    return World(
        Setting(
            settings=Settings(venues={VENUE: "simulated"}, strategies={ONE: settings}, reconcile=every),
            strategies={ONE: kind}, symbols={BTC: SYMBOL},
            options=SimulatedOptions(seed=seed, every_ns=Duration(100 * MILLISECOND_NS)),
        ),
        plan or Plan(), seed,
    )  # fmt: skip


def intents(world: World, side: Side) -> list[events.OrderIntended]:
    return [one.event for one in events_of(world, events.OrderIntended) if one.event.side is side]


def positions(world: World) -> list[Decimal]:
    """The position after each execution."""
    fills = [one.event for one in events_of(world, events.FillBooked)]
    held, found = Decimal(0), []
    for fill in fills:
        held += fill.side.sign * fill.quantity
        found.append(held)
    return found


def figures(order: events.OrderIntended) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in order.reason.items()}


def check_traded(world: World) -> None:
    """Bought and sold, never short, never more than wanted, and the exchange's ledger agrees."""
    assert intents(world, Side.BUY)
    assert intents(world, Side.SELL)
    assert positions(world)
    assert all(0 <= held <= QUANTITY for held in positions(world))
    assert not events_of(world, events.StrategyFailed)
    assert finish(world) == []


def closes(world: World, n: int) -> list[Decimal]:
    (series,) = engine_of(world).market.series.values()
    return [bar.close for bar in newest(series.bars, n)]


def test_the_averages_cross() -> None:
    world = world_of(SmaCross, 3, {"fast": 2, "slow": 6, "quantity": "0.01"})
    run_for(world, 40)
    for side in Side:
        for order in intents(world, side):
            told = figures(order)
            assert (told["fast"] > told["slow"]) is (side is Side.BUY)
            assert order.price == (told["ask"] if side is Side.BUY else told["bid"])
    (series,) = engine_of(world).market.series.values()
    with_naive = {Sma(n): sum(closes(world, n), Decimal(0)) / n for n in (2, 6)}
    for indicator, naive in with_naive.items():
        assert abs(series.indicator(indicator) - naive) < Decimal("1e-15")  # type: ignore[operator]
    check_traded(world)


def test_it_buys_the_oversold_and_sells_the_overbought() -> None:
    world = world_of(RsiThreshold, 3, {"length": 3, "buy_below": "30", "sell_above": "70", "quantity": "0.01"})
    run_for(world, 60)
    assert all(figures(order)["rsi"] < 30 for order in intents(world, Side.BUY))
    assert all(figures(order)["rsi"] > 70 for order in intents(world, Side.SELL))
    (series,) = engine_of(world).market.series.values()
    assert series.indicator(Rsi(3)) is not None
    check_traded(world)


def test_it_buys_below_the_band_and_sells_at_the_middle() -> None:
    world = world_of(MeanReversion, 5, {"length": 8, "width": "1", "quantity": "0.01"})
    run_for(world, 60)
    for order in intents(world, Side.BUY):
        assert figures(order)["close"] < figures(order)["lower"] < figures(order)["middle"]
    for order in intents(world, Side.SELL):
        assert figures(order)["close"] >= figures(order)["middle"]
    (series,) = engine_of(world).market.series.values()
    assert series.indicator(Bollinger(8, 1)) is not None
    check_traded(world)


def test_it_buys_below_one_price_and_sells_above_another() -> None:
    seed, at = 3, {"buy_below": "1", "sell_above": "9999999", "quantity": "0.01"}
    first = world_of(PriceLevels, seed, at)
    run_for(first, 30)
    assert not events_of(first, events.OrderIntended)
    seen = sorted(quote.bid for quote in engine_of(first).market.newest_quotes(BTC, 1_000))
    low, high = seen[len(seen) // 4], seen[3 * len(seen) // 4]
    world = world_of(PriceLevels, seed, {"buy_below": str(low), "sell_above": str(high), "quantity": "0.01"})
    run_for(world, 60)
    for order in intents(world, Side.BUY):
        assert order.price is not None
        assert order.price == figures(order)["ask"] <= low
    for order in intents(world, Side.SELL):
        assert order.price is not None
        assert order.price == figures(order)["bid"] >= high
    check_traded(world)


@pytest.mark.parametrize("seed", [2, 9])
def test_it_quotes_both_sides_and_never_takes(seed: int) -> None:
    params = {"quantity": "0.01", "ticks": 20, "requote": 30, "max_inventory": "0.03", "short": False}
    world = world_of(TwoSidedQuoter, seed, params)
    run_for(world, 60)
    assert {one.event.liquidity for one in events_of(world, events.FillBooked)} == {Liquidity.MAKER}
    terms = state_of(world).instruments[BTC]
    for side in Side:
        for order in intents(world, side):
            told, middle = figures(order), (figures(order)["bid"] + figures(order)["ask"]) / 2
            assert order.post_only
            assert order.price is not None
            distance = (middle - order.price) * side.sign
            assert 20 * terms.tick <= distance < 21 * terms.tick, told
    assert intents(world, Side.BUY)
    assert intents(world, Side.SELL)
    assert all(0 <= held <= Decimal("0.03") for held in positions(world))
    assert events_of(world, events.CancelRequested)
    assert finish(world) == []


def test_it_offers_what_it_does_not_hold_only_where_it_may() -> None:
    params = {"quantity": "0.01", "ticks": 20, "requote": 30, "max_inventory": "0.03", "short": True}
    world = world_of(TwoSidedQuoter, 2, params)
    run_for(world, 3)
    first = events_of(world, events.OrderIntended)[:2]
    assert {one.event.side for one in first} == set(Side)


def test_after_a_restart_the_wish_is_remembered_and_the_indicators_warm_up_again() -> None:
    """Between the restart and the sixth bar nothing new is concluded, and what was wanted is still worked towards."""
    world = world_of(SmaCross, 3, {"fast": 2, "slow": 6, "quantity": "0.01"}, restarts(10 * SECOND_NS, 1))
    run_for(world, 10)
    before = state_of(world).strategies[ONE].memory
    assert before
    run_for(world, 2)
    (series,) = engine_of(world).market.series.values()
    assert series.indicator(Sma(6)) is None
    assert state_of(world).strategies[ONE].memory == before
    run_for(world, 30)
    assert series.indicator(Sma(6)) is not None
    assert state_of(world).strategies[ONE].memory != before
    assert finish(world) == []
