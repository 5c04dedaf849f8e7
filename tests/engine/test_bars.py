"""Bars against a naive grouping of all ticks, and the edges of time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bars import BARS_AT_ONCE_LIMIT, Bar, BarBuilder, BarSource
from engine.inputs import Quote, TradeTick
from engine.values import InstrumentName

BTC = InstrumentName("BTC-USDT")
MINUTE = 60

prices = st.decimals(min_value="0.01", max_value="99999", places=2)
sizes = st.decimals(min_value="0.00000001", max_value="99999", places=8)
times = st.integers(0, 20 * MINUTE)
ticks = st.lists(st.tuples(times, prices, sizes), max_size=40).map(lambda found: sorted(found, key=lambda row: row[0]))
Ticks = list[tuple[int, Decimal, Decimal]]


def tick(at_ns: int, price: Decimal | int, size: Decimal | int = 1) -> TradeTick:
    return TradeTick(BTC, Decimal(price), Decimal(size), received_ns=at_ns)


def quote(at_ns: int, bid: int, ask: int) -> Quote:
    return Quote(BTC, Decimal(bid), Decimal(1), Decimal(ask), Decimal(1), received_ns=at_ns)


def feed(builder: BarBuilder, found: Sequence[TradeTick | Quote]) -> list[Bar]:
    bars: list[Bar] = []
    for row in found:
        bars += builder.add_trade(row) if isinstance(row, TradeTick) else builder.add_quote(row)
    return bars


def naive(found: Ticks, until_ns: int) -> list[Bar]:
    """Every interval from the first tick's to the last that has ended, from all ticks at once."""
    bars: list[Bar] = []
    if not found:
        return bars
    start = found[0][0] // MINUTE * MINUTE
    while start + MINUTE <= until_ns:
        inside = [row for row in found if start <= row[0] < start + MINUTE]
        walk = [price for _, price, _ in inside] or [bars[-1].close]
        volume = sum((size for _, _, size in inside), Decimal(0))
        ends = (start, start + MINUTE, walk[0], max(walk), min(walk), walk[-1])
        bars.append(Bar(BTC, MINUTE, *ends, volume, len(inside), complete=start >= found[0][0]))
        start += MINUTE
    return bars


@given(ticks, st.integers(0, 5 * MINUTE))
def test_bars_are_the_grouping_of_all_ticks(found: Ticks, quiet_ns: int) -> None:
    builder = BarBuilder(BTC, MINUTE)
    bars = feed(builder, [tick(*row) for row in found])
    until_ns = (found[-1][0] if found else 0) + quiet_ns
    bars += builder.close_until(until_ns)
    assert bars == naive(found, until_ns)
    assert builder.late == 0


@given(ticks, st.lists(times, max_size=20))
def test_closing_by_time_in_between_changes_no_bar(found: Ticks, moments: list[int]) -> None:
    """However time is asked after, it is the ticks alone that make the bars."""
    if not found:
        return
    builder = BarBuilder(BTC, MINUTE)
    later = [moment for moment in moments if moment > found[0][0]]
    rows = sorted([(at_ns, 1, row) for row in found for at_ns in [row[0]]] + [(m, 0, None) for m in later], key=_when)
    bars: list[Bar] = []
    for at_ns, _, row in rows:
        bars += builder.close_until(at_ns) if row is None else builder.add_trade(tick(*row))
    until_ns = 30 * MINUTE
    bars += builder.close_until(until_ns)
    assert bars == naive(found, until_ns)


def _when(row: tuple[int, int, object]) -> tuple[int, int]:
    return row[:2]


@given(ticks, times, prices)
def test_a_late_tick_is_counted_and_changes_nothing(found: Ticks, late_ns: int, price: Decimal) -> None:
    builder = BarBuilder(BTC, MINUTE)
    feed(builder, [tick(*row) for row in found])
    forming = builder.forming
    if forming is None or late_ns >= forming.start_ns:
        return
    assert builder.add_trade(tick(late_ns, price)) == ()
    assert builder.forming == forming
    assert builder.late == 1


def test_the_first_bar_is_complete_only_if_it_was_watched_from_its_start() -> None:
    begun_inside = BarBuilder(BTC, MINUTE)
    begun_inside.add_trade(tick(61, 7))
    assert [bar.complete for bar in begun_inside.close_until(180)] == [False, True]
    watched_before = BarBuilder(BTC, MINUTE)
    assert watched_before.close_until(59) == ()
    watched_before.add_trade(tick(61, 7))
    assert [bar.complete for bar in watched_before.close_until(180)] == [True, True]


def test_a_quiet_interval_repeats_the_last_close() -> None:
    builder = BarBuilder(BTC, MINUTE)
    feed(builder, [tick(0, 7), tick(1, 9), tick(2, 8)])
    assert builder.close_until(59) == ()
    bars = builder.close_until(120)
    eight = Decimal(8)
    assert [(bar.open, bar.high, bar.low, bar.close) for bar in bars[1:]] == [(eight, eight, eight, eight)]
    assert (bars[1].volume, bars[1].trades, bars[1].complete) == (Decimal(0), 0, True)
    assert builder.forming is not None
    assert builder.forming.start_ns == 120


@pytest.mark.parametrize("more", [0, 1, 5_000_000])
def test_a_silence_too_long_is_a_gap_and_the_bar_after_it_is_not_complete(more: int) -> None:
    builder = BarBuilder(BTC, MINUTE)
    builder.add_trade(tick(0, 7))
    now_ns = (BARS_AT_ONCE_LIMIT + more) * MINUTE + 1
    bars = builder.add_trade(tick(now_ns, 9))
    assert [bar.start_ns for bar in bars] == [number * MINUTE for number in range(BARS_AT_ONCE_LIMIT)]
    assert all(bar.complete for bar in bars)
    forming = builder.forming
    assert forming is not None
    assert (forming.start_ns, forming.open) == (now_ns - 1, Decimal(9))
    assert forming.complete is (more == 0)
    assert builder.close_until(now_ns + 2 * MINUTE)[1].complete


def test_a_loss_marks_the_forming_bar_and_no_other() -> None:
    builder = BarBuilder(BTC, MINUTE)
    builder.add_trade(tick(0, 7))
    builder.mark_incomplete()
    builder.add_trade(tick(30, 7))
    assert [bar.complete for bar in builder.close_until(120)] == [False, True]


def test_a_loss_before_the_first_tick_means_that_nothing_was_watched() -> None:
    builder = BarBuilder(BTC, MINUTE)
    builder.close_until(1)
    builder.mark_incomplete()
    builder.add_trade(tick(70, 7))
    assert [bar.complete for bar in builder.close_until(120)] == [False]


def test_quotes_make_bars_of_their_middle() -> None:
    builder = BarBuilder(BTC, MINUTE, BarSource.QUOTES)
    assert feed(builder, [quote(0, 10, 11), quote(1, 20, 22), tick(2, 500), quote(3, 8, 8)]) == []
    (bar,) = builder.close_until(60)
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, ("10.5", "21", "8", "8")))
    assert (bar.volume, bar.trades) == (Decimal(0), 0)


def test_a_builder_from_trades_ignores_quotes() -> None:
    builder = BarBuilder(BTC, MINUTE)
    assert feed(builder, [tick(0, 7), quote(1, 10, 11), quote(500, 10, 11)]) == []
    assert builder.forming is not None
    assert builder.forming.close == 7


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        BarBuilder(BTC, 0)
    with pytest.raises(ValueError, match="ETH-USDT were given data of BTC-USDT"):
        BarBuilder(InstrumentName("ETH-USDT"), MINUTE).add_trade(tick(0, 7))
