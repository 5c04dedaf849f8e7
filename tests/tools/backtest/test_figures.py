"""The figures of a result, against references that are written the long way."""

from __future__ import annotations

import statistics
from decimal import Decimal
from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.instrument import Instrument
from engine.values import ZERO, Asset, InstrumentName, Liquidity, OrderId, Side, StrategyName, VenueName
from tools.backtest.curve import Curves, Point, curves_of
from tools.backtest.drawing import extremes, thinned
from tools.backtest.facts import Fill
from tools.backtest.figures import DAY_NS, drawdown_of, figures_of, ratios_of, returns_of
from tools.backtest.session import Sample

BTC, CROSS, QUICK = InstrumentName("BTC-USDT"), StrategyName("cross"), StrategyName("quick")
TERMS = Instrument(BTC, VenueName("sim"), "BTCUSDT", Asset("BTC"), Asset("USDT"), Decimal("0.01"), Decimal("0.001"))
CAPITAL = Decimal(1000)
S = 10**9

cents = st.integers(9_000, 11_000).map(lambda n: Decimal(n) / 100)
lots = st.integers(1, 3_000).map(lambda n: Decimal(n) / 1000)


def fill(second: int, side: str, quantity: str | Decimal, price: str | Decimal, fee: str | Decimal = "0",
         strategy: StrategyName = CROSS, fee_asset: str = "USDT") -> Fill:  # fmt: skip
    return Fill(
        at_ns=second * S, seq=second, order_id=OrderId(f"o{second}"), strategy=strategy, instrument=BTC,
        side=Side(side), quantity=Decimal(quantity), price=Decimal(price), fee=Decimal(fee), fee_asset=Asset(fee_asset),
        liquidity=Liquidity.TAKER, seen=None,
    )  # fmt: skip


def curves(fills: list[Fill], samples: list[Sample] | None = None, end: int = 1_000) -> Curves:
    return curves_of(fills, samples or [], {BTC: TERMS}, end * S)[Asset("USDT")]


drawn_fills = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), lots, cents, st.integers(0, 50), st.sampled_from([CROSS, QUICK])),
    min_size=1, max_size=30,
)  # fmt: skip


@given(drawn_fills, cents)
def test_the_result_equals_an_independent_ledger_of_cash_and_quantity(
    drawn: list[tuple[object, ...]], last: Decimal
) -> None:
    fills = [fill(n, s, q, p, Decimal(f) / 100, who) for n, (s, q, p, f, who) in enumerate(drawn, 1)]  # type: ignore[arg-type]
    mark = Sample(900 * S, BTC, last, last + Decimal("0.5"))
    found = curves(fills, [mark])
    for who in (CROSS, QUICK):
        mine = [each for each in fills if each.strategy == who]
        if not mine:
            assert who not in found.points
            continue
        cash = sum((-each.side.sign * each.quantity * each.price - each.fee for each in mine), ZERO)
        held = sum((each.side.sign * each.quantity for each in mine), ZERO)
        worth = held * (mark.bid if held > 0 else mark.ask)
        assert abs(found.points[who][-1].result - (cash + worth)) < Decimal("1e-9")
    total = sum((found.points[who][-1].result for who in (CROSS, QUICK) if who in found.points), ZERO)
    assert found.points[None][-1].result == total


@given(drawn_fills)
def test_closed_trades_and_what_is_open_add_up_to_the_result(drawn: list[tuple[object, ...]]) -> None:
    fills = [fill(n, s, q, p, Decimal(f) / 100) for n, (s, q, p, f, _) in enumerate(drawn, 1)]  # type: ignore[arg-type]
    held = sum((each.side.sign * each.quantity for each in fills), ZERO)
    if held:
        fills.append(fill(len(fills) + 1, "sell" if held > 0 else "buy", abs(held), "100"))
    found = curves(fills)
    assert found.trips.open() == []
    assert abs(sum((trip.net for trip in found.trips.done), ZERO) - found.points[None][-1].result) < Decimal("1e-9")
    assert all(trip.start_ns <= (trip.end_ns or 0) for trip in found.trips.done)


def test_a_fill_that_turns_the_position_ends_one_trade_and_begins_another() -> None:
    fills = [fill(1, "buy", "1", "100", "1"), fill(2, "sell", "3", "110", "3"), fill(3, "buy", "2", "105", "2")]
    found = curves(fills).trips.done
    assert [(trip.side, trip.quantity, trip.entry_price, trip.exit_price, trip.fees, trip.net) for trip in found] == [
        (Side.BUY, Decimal(1), Decimal(100), Decimal(110), Decimal(2), Decimal(8)),
        (Side.SELL, Decimal(2), Decimal(110), Decimal(105), Decimal(4), Decimal(6)),
    ]


def test_a_contracts_multiplier_counts_in_every_figure() -> None:
    fills = [fill(1, "buy", "2", "100", "1"), fill(2, "sell", "1", "110", "1")]
    contract = evolve(TERMS, multiplier=Decimal(10))
    mark = Sample(900 * S, BTC, Decimal(105), Decimal(106))
    found = curves_of(fills, [mark], {BTC: contract}, 1_000 * S)[Asset("USDT")]
    assert found.points[None][-1].result == Decimal(100 + 50 - 2)
    assert found.points[None][-1].at_stake == Decimal(1050)
    assert found.turnover[None] == Decimal(3100)
    closed = curves_of([*fills, fill(3, "sell", "1", "105")], [mark], {BTC: contract}, 1_000 * S)[Asset("USDT")]
    assert [trip.net for trip in closed.trips.done] == [Decimal(148)]


def test_a_fee_in_the_base_asset_is_worth_the_fills_price_and_another_is_refused() -> None:
    found = curves([fill(1, "buy", "1", "100", "0.001", fee_asset="BTC"), fill(2, "sell", "1", "100")])
    assert found.points[None][-1].result == Decimal("-0.1")
    with pytest.raises(ValueError, match="a fee in BNB"):
        curves([fill(1, "buy", "1", "100", "1", fee_asset="BNB")])


def points(*results: int, every: int = 1) -> list[Point]:
    return [Point(n * every * S, Decimal(result), ZERO) for n, result in enumerate(results)]


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=50))
def test_the_deepest_fall_is_the_greatest_difference_of_any_two_in_order(results: list[int]) -> None:
    found = drawdown_of(points(*results), CAPITAL, 0, len(results) * S)
    whole = [0, *results]
    assert found.amount == max(whole[i] - whole[j] for i in range(len(whole)) for j in range(i, len(whole)))


def test_the_longest_time_below_a_peak_ends_where_the_peak_is_reached_again_or_never() -> None:
    assert drawdown_of(points(0, 5, 3, 4, 5, 9, 8, 9), CAPITAL, 0, 7 * S).longest_ns == 3 * S
    assert drawdown_of(points(0, 5, 3, 5, 1, 1, 1, 1, 1), CAPITAL, 0, 20 * S).longest_ns == 17 * S
    assert drawdown_of(points(1, 2, 3), CAPITAL, 0, 5 * S).longest_ns == 0
    assert drawdown_of([], CAPITAL, 0, 5 * S).longest_ns == 0


def test_ratios_are_those_of_the_statistics_module_over_calendar_days() -> None:
    results = [10, -5, 30, 20, 25, 60, 50, 40, 45, 70] * 4
    found_points = [Point(n * DAY_NS + DAY_NS // 2, Decimal(r), ZERO) for n, r in enumerate(results)]
    end_ns = len(results) * DAY_NS
    returns = returns_of(found_points, CAPITAL, 0, end_ns, DAY_NS)
    equity = [1000, *(1000 + r for r in results)]
    expected = [(b - a) / a for a, b in pairwise(equity)]
    assert returns == pytest.approx(expected)
    found = ratios_of(found_points, CAPITAL, 0, end_ns)
    mean = statistics.fmean(expected)
    assert found.period == "day"
    assert found.count == len(results)
    assert found.sharpe == pytest.approx(mean / statistics.stdev(expected) * 365**0.5)
    losses = (sum(min(each, 0) ** 2 for each in expected) / len(expected)) ** 0.5
    assert found.sortino == pytest.approx(mean / losses * 365**0.5)


def test_a_curve_that_never_moves_has_no_ratios_and_no_figures_divide_by_zero() -> None:
    found = figures_of(curves([fill(1, "buy", "1", "100"), fill(2, "sell", "1", "100")]), CROSS, ZERO, 0, 1_000 * S, 2)
    assert (found.net, found.part, found.ratios.sharpe, found.profit_factor) == (ZERO, None, None, None)
    assert (found.trips, found.wins, found.losses) == (1, 0, 0)


def test_time_in_the_market_is_the_time_with_a_position() -> None:
    samples = [Sample(0, BTC, Decimal(100), Decimal(100))]
    found = curves([fill(200, "buy", "2", "100"), fill(700, "sell", "2", "100")], samples)
    figures = figures_of(found, None, CAPITAL, 0, 1_000 * S, 2)
    assert figures.in_market == pytest.approx(0.5)
    assert figures.exposure == pytest.approx(0.5 * 200 / 1000)
    assert figures.turnover == Decimal(400)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=500), st.integers(1, 40))
def test_thinning_keeps_the_ends_the_least_and_the_greatest(values: list[float], columns: int) -> None:
    dots = list(enumerate(values))
    kept = [dot for column in extremes(dots, columns) for dot in column]
    assert (kept[0], kept[-1][1]) == (dots[0], dots[-1][1])
    assert (min(v for _, v in kept), max(v for _, v in kept)) == (min(values), max(values))
    assert [at for at, _ in kept] == sorted(at for at, _ in kept)
    assert len(thinned(dots, 4 * columns)) <= max(4 * columns, len(dots))
