"""Indicators over shared bars: computed once, warm when they may be, and anew where bars are missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.bars import BARS_AT_ONCE_LIMIT, Bar
from engine.indicators import Ema, Gauge, Rsi, Sma
from engine.series import BARS_KEPT, INDICATORS_KEPT, Frame, Series, newest
from engine.values import exact_arithmetic
from tests.engine.bench import BTC, d

MINUTE = 60


def series_of(*closes: int, complete: bool = True) -> Series:
    series = Series(Frame(BTC, MINUTE))
    for close in closes:
        add(series, close, complete=complete)
    return series


def add(series: Series, close: int, *, complete: bool = True) -> None:
    start = series.bars[-1].end_ns if series.bars else 0
    price = d(close)
    series.close(Bar(BTC, MINUTE, start, start + MINUTE, price, price, price, price, d(1), 1, complete))


def test_it_is_computed_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[Gauge] = []
    begin = Sma.begin

    def noted(indicator: Sma) -> Gauge:
        began.append(begin(indicator))
        return began[-1]

    monkeypatch.setattr(Sma, "begin", noted)
    series = series_of(1, 2, 3)
    assert [series.indicator(Sma(2)) for _ in range(5)] == [d("2.5")] * 5
    add(series, 5)
    assert series.indicator(Sma(2)) == 4
    assert len(began) == 1


@given(st.integers(1, 8), st.integers(0, 20), st.lists(st.integers(1, 99), max_size=40))
def test_who_asks_late_sees_what_who_asked_first_sees(length: int, late: int, closes: list[int]) -> None:
    early, other = Series(Frame(BTC, MINUTE)), Series(Frame(BTC, MINUTE))
    for number, close in enumerate(closes):
        early.indicator(Ema(length))
        add(early, close)
        add(other, close)
        if number >= late:
            assert other.indicator(Ema(length)) == early.indicator(Ema(length))


def test_it_is_none_until_warm_and_after_a_restart_again() -> None:
    series = series_of()
    seen = []
    for close in (1, 2, 3, 4):
        seen.append(series.indicator(Sma(3)))
        add(series, close)
    assert [*seen, series.indicator(Sma(3))] == [None, None, None, d(2), d(3)]
    assert series_of().indicator(Sma(3)) is None


def test_after_missing_bars_it_begins_anew() -> None:
    """A silence beyond what is closed at once is a hole: what was before it says nothing about what comes after."""
    series = Series(Frame(BTC, MINUTE))
    with exact_arithmetic():
        for number, price in enumerate((10, 20, 30)):
            for bar in series.builder.add(d(price), d(1), 1, number * MINUTE):
                series.close(bar)
        series.indicator(Sma(2))
        for bar in series.builder.close_until((BARS_AT_ONCE_LIMIT + 10) * MINUTE):
            series.close(bar)
        assert series.builder.gaps == 1
        assert series.indicator(Sma(2)) is None  # nothing of the new time has closed yet
        now = (BARS_AT_ONCE_LIMIT + 10) * MINUTE
        seen: list[Any] = []
        for number in (1, 2):
            for bar in series.builder.add(d(100), d(1), 1, now + number * MINUTE):
                series.close(bar)
            seen.append((series.indicator(Sma(2)), series.indicator(Sma(1)), series.indicator(Rsi(1))))
    assert seen[0] == (None, 30, None)
    assert seen[1] == (65, 100, 100)


def test_after_a_lost_line_it_warms_up_again() -> None:
    """The forming bar and those that time closes meanwhile are not complete, and nothing is said of them."""
    series = Series(Frame(BTC, MINUTE))
    closed: list[Any] = []

    def see(price: int, at_ns: int) -> None:
        with exact_arithmetic():
            for bar in series.builder.add(d(price), d(1), 1, at_ns):
                closed.append(bar)
                series.close(bar)

    for number in range(4):
        see(10 * number + 10, number * MINUTE)
    assert series.indicator(Sma(2)) == 25
    series.builder.lose()
    assert series.indicator(Sma(2)) is None
    see(100, 6 * MINUTE + 1)
    series.builder.find()
    said = []
    for number in range(7, 11):
        see(100, number * MINUTE)
        said.append(series.indicator(Sma(2)))
    assert [bar.complete for bar in closed] == [True] * 3 + [False] * 4 + [True] * 3
    assert said == [None, None, 100, 100]


def test_a_late_question_after_a_hole_sees_only_what_came_after_it() -> None:
    series = series_of(10, 20)
    series.builder.gaps, series.builder.gap_end_ns = 1, series.bars[-1].end_ns
    add(series, 50)
    assert series.indicator(Sma(2)) is None
    add(series, 70)
    assert series.indicator(Sma(2)) == 60
    assert [bar.close for bar in series.bars] == [10, 20, 50, 70]


def test_an_incomplete_bar_counts_unless_complete_ones_are_required() -> None:
    series = series_of(10, 20)
    assert series.indicator(Sma(2), require_complete=True) == 15
    add(series, 30, complete=False)
    assert series.indicator(Sma(2)) == 25
    assert series.indicator(Sma(2), require_complete=True) is None
    add(series, 40)
    assert series.indicator(Sma(2), require_complete=True) is None
    add(series, 50)
    assert series.indicator(Sma(2), require_complete=True) == 45


def test_there_is_a_limit_of_different_ones() -> None:
    series = series_of(1)
    for length in range(1, INDICATORS_KEPT + 1):
        series.indicator(Sma(length))
    series.indicator(Sma(1))
    with pytest.raises(ValueError, match=f"{INDICATORS_KEPT} indicators; no more"):
        series.indicator(Ema(1))


def test_bars_are_bounded() -> None:
    series = series_of(*range(1, BARS_KEPT + 10))
    assert len(series.bars) == BARS_KEPT
    assert [bar.close for bar in newest(series.bars, 2)] == [BARS_KEPT + 8, BARS_KEPT + 9]
    assert len(newest(series.bars, BARS_KEPT + 1)) == BARS_KEPT
    assert evolve(series.bars[0], close=Decimal(1)).complete
