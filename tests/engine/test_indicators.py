"""Each indicator against a naive reference, computed from all bars at once in fractions; and when it is warm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine.averages import LENGTH_MOST, Extreme, exponential, wilder
from engine.bars import Bar
from engine.indicators import (
    Atr,
    Bands,
    Bollinger,
    Ema,
    Highest,
    Indicator,
    Lowest,
    Of,
    Rsi,
    Sma,
    Vwap,
    Wilder,
)
from engine.values import InstrumentName, divide

BTC = InstrumentName("BTC-USDT")
MINUTE = 60_000_000_000
HALF_A_PLACE = Fraction(1, 2 * 10**18)
WIDE = Context(prec=120)

prices = st.decimals(min_value="0.0001", max_value="99999999", places=4)
volumes = st.decimals(min_value="0", max_value="99999", places=8)
rows = st.lists(st.tuples(prices, prices, prices, prices, volumes), max_size=40)
lengths = st.integers(1, 9)


def bar(number: int, opened: Decimal, high: Decimal, low: Decimal, close: Decimal, volume: Decimal) -> Bar:
    top, bottom = max(opened, high, low, close), min(opened, high, low, close)
    start = number * MINUTE
    return Bar(BTC, MINUTE, start, start + MINUTE, opened, top, bottom, close, volume, 1, complete=True)


def bars_of(found: Sequence[tuple[Decimal, ...]]) -> list[Bar]:
    return [bar(number, *row) for number, row in enumerate(found)]


def closes(*values: int | str) -> list[Bar]:
    prices = map(Decimal, values)
    return [bar(number, price, price, price, price, Decimal(1)) for number, price in enumerate(prices)]


def fed(indicator: Indicator, bars: Sequence[Bar]) -> list[Any]:
    gauge = indicator.begin()
    values = []
    for one in bars:
        gauge.add(one)
        values.append(gauge.value)
    return values


def check(indicator: Indicator, bars: list[Bar], naive: Callable[[list[Bar]], Any], most: Fraction) -> None:
    """At every bar: nothing before it is warm, then what the reference makes of all bars so far, to `most`."""
    for count, value in enumerate(fed(indicator, bars), start=1):
        if count < indicator.warm_up:
            assert value is None
        else:
            assert value is not None
            assert abs(Fraction(value) - Fraction(naive(bars[:count]))) <= most


# --- against the definition -------------------------------------------------------------------------------------


@given(lengths, rows, st.sampled_from([Of.OPEN, Of.HIGH, Of.LOW, Of.CLOSE, Of.VOLUME]))
def test_a_simple_average_is_the_mean_of_the_last_bars(length: int, found: Any, of: Of) -> None:
    def naive(bars: list[Bar]) -> Fraction:
        return sum((Fraction(getattr(one, of)) for one in bars[-length:]), Fraction()) / length

    check(Sma(length, of), bars_of(found), naive, HALF_A_PLACE)


def _recursive(bars: list[Bar], length: int, taken: int, kept: int) -> Decimal:
    """The textbook's recursion, each step rounded as it is documented."""
    value = divide(sum((one.close for one in bars[:length]), Decimal(0)), Decimal(length))
    for one in bars[length:]:
        value = divide(one.close * taken + value * kept, Decimal(taken + kept))
    return value


@given(lengths, rows)
def test_an_exponential_average_is_its_recursion(length: int, found: Any) -> None:
    check(Ema(length), bars_of(found), lambda bars: _recursive(bars, length, 2, length - 1), Fraction(0))


@given(lengths, rows)
def test_wilder_s_average_is_its_recursion(length: int, found: Any) -> None:
    check(Wilder(length), bars_of(found), lambda bars: _recursive(bars, length, 1, length - 1), Fraction(0))


@given(lengths, rows)
def test_rounding_at_each_step_never_adds_up(length: int, found: Any) -> None:
    """The exact recursion in fractions: an error is shrunk by every later step, so it stays below `length` halves."""
    bars = bars_of(found)
    values = fed(Ema(length), bars)
    exact: Fraction | None = None
    for count, value in enumerate(values, start=1):
        close = Fraction(bars[count - 1].close)
        if count == length:
            exact = sum((Fraction(one.close) for one in bars[:length]), Fraction()) / length
        elif exact is not None:
            exact += (close - exact) * Fraction(2, length + 1)
        if exact is not None:
            assert abs(Fraction(value) - exact) <= HALF_A_PLACE * (length + 1)


@given(lengths, rows)
def test_relative_strength_is_the_share_of_gains(length: int, found: Any) -> None:
    def naive(bars: list[Bar]) -> Decimal:
        changes = [after.close - before.close for before, after in pairwise(bars)]
        gains, losses = wilder(length), wilder(length)
        gain = [gains.add(max(change, Decimal(0))) for change in changes][-1]
        loss = [losses.add(max(-change, Decimal(0))) for change in changes][-1]
        assert gain is not None
        assert loss is not None
        return Decimal(50) if not gain + loss else divide(100 * gain, gain + loss)

    check(Rsi(length), bars_of(found), naive, Fraction(0))


@given(lengths, rows)
def test_the_true_range_is_averaged(length: int, found: Any) -> None:
    def naive(bars: list[Bar]) -> Decimal | None:
        average, value = wilder(length), None
        for number, one in enumerate(bars):
            ranges = [one.high - one.low]
            if number:
                ranges += [abs(one.high - bars[number - 1].close), abs(one.low - bars[number - 1].close)]
            value = average.add(max(ranges))
        return value

    check(Atr(length), bars_of(found), naive, Fraction(0))


@given(lengths, st.integers(1, 4), rows)
def test_bands_are_deviations_around_the_mean(length: int, width: int, found: Any) -> None:
    """The variance as the mean of squared distances, which the product never computes; the root of it in 120 digits."""
    bars = bars_of(found)
    for count, value in enumerate(fed(Bollinger(length, width), bars), start=1):
        if count < length:
            assert value is None
            continue
        window = [Fraction(one.close) for one in bars[count - length : count]]
        mean = sum(window, Fraction()) / length
        variance = sum(((one - mean) ** 2 for one in window), Fraction()) / length
        root = Fraction(WIDE.sqrt(WIDE.divide(Decimal(variance.numerator), Decimal(variance.denominator))))
        most = HALF_A_PLACE * (width + 2)
        assert isinstance(value, Bands)
        for told, wanted in (
            (value.lower, mean - width * root),
            (value.middle, mean),
            (value.upper, mean + width * root),
        ):
            assert abs(Fraction(told) - wanted) <= most


@given(lengths, rows)
def test_extremes_are_those_of_the_last_bars(length: int, found: Any) -> None:
    bars = bars_of(found)
    check(Highest(length), bars, lambda seen: max(one.high for one in seen[-length:]), Fraction(0))
    check(Lowest(length), bars, lambda seen: min(one.low for one in seen[-length:]), Fraction(0))
    check(Highest(length, Of.CLOSE), bars, lambda seen: max(one.close for one in seen[-length:]), Fraction(0))


@given(st.integers(2, 9), rows)
def test_a_session_s_average_price_is_weighted_by_volume(minutes: int, found: Any) -> None:
    bars = bars_of(found)
    values = fed(Vwap(minutes * MINUTE), bars)
    for count, value in enumerate(values, start=1):
        session = [one for one in bars[:count] if one.start_ns // (minutes * MINUTE) == (count - 1) // minutes]
        volume = sum((Fraction(one.volume) for one in session), Fraction())
        if not volume:
            assert value is None
            continue
        turnover = sum(
            (Fraction(one.high + one.low + one.close) / 3 * Fraction(one.volume) for one in session), Fraction()
        )
        assert abs(Fraction(value) - turnover / volume) <= HALF_A_PLACE


# --- what a definition leaves open ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "strength"),
    [(("5", "5", "5"), "50"), (("5", "6", "7"), "100"), (("7", "6", "5"), "0"), (("5", "6", "5"), "50")],
)
def test_relative_strength_at_its_edges(values: tuple[str, ...], strength: str) -> None:
    assert fed(Rsi(2), closes(*values))[-1] == Decimal(strength)


def test_numbers_from_a_textbook() -> None:
    """The table of closes that is commonly printed to explain the RSI: 70.46 (rounded there from rounded steps)."""
    printed = (
        "44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931 46.0328 45.6140 "
        "46.2820 46.2820 46.0028"
    ).split()
    values = fed(Rsi(14), closes(*printed))
    assert values[:14] == [None] * 14
    assert abs(values[14] - Decimal("70.53")) < Decimal("0.01")
    assert abs(values[15] - Decimal("66.32")) < Decimal("0.01")


def test_what_left_the_window_leaves_nothing_behind() -> None:
    """Sums of squares of numbers with 40 digits: taken away again to the last one."""
    huge = ["1" + "0" * 29 + ".0000000001", "0.0000000000000000000000000001", "3"]
    values = fed(Bollinger(2), closes(*huge, 7, 7, 7))
    assert values[-1] == Bands(Decimal(7), Decimal(7), Decimal(7))
    assert fed(Sma(2), closes(*huge, 7, 7))[-1] == 7


def test_a_session_that_was_joined_in_its_middle_has_no_average_price() -> None:
    late = bars_of([(Decimal(5),) * 5] * 9)[3:]
    hour = Vwap("5m")
    assert fed(hour, late) == [None, None, 5, 5, 5, 5]
    assert fed(Vwap("5m", joined=True), late)[0] == 5
    assert fed(Vwap("5m", begins_ns="3m"), late)[0] == 5


def test_a_session_whose_first_bar_was_not_watched_wholly_has_none_either() -> None:
    first = bars_of([(Decimal(5),) * 5])[0]
    assert fed(Vwap("5m"), [evolve(first, complete=False)]) == [None]


@pytest.mark.parametrize("length", [0, -1, LENGTH_MOST + 1, True, "5"])
@pytest.mark.parametrize("kind", [Sma, Ema, Wilder, Rsi, Atr, Bollinger, Highest, Lowest])
def test_a_length_that_can_not_be_is_refused(kind: Any, length: Any) -> None:
    with pytest.raises(ValueError, match="length of 1 or more"):
        kind(length)


def test_what_else_is_refused() -> None:
    with pytest.raises(ValueError, match="width above zero"):
        Bollinger(20, 0)
    with pytest.raises(TypeError, match="write the number as a string"):
        Bollinger(20, 2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="write it as"):
        Vwap(0)
    with pytest.raises(ValueError, match="midday"):
        Sma(5, "midday")


def test_equal_ones_are_one_key() -> None:
    """What is computed once is looked up by what it is."""
    assert Bollinger(20, "2") == Bollinger(20, 2)
    assert len({Sma(5), Sma(5, "close"), Ema(5), Wilder(5), Sma(6), Sma(5, Of.OPEN)}) == 5


@pytest.mark.parametrize("length", [1, 50])
def test_an_extreme_keeps_no_more_than_its_length(length: int) -> None:
    extreme = Extreme(length, 1)
    for number in range(10 * length):
        extreme.add(Decimal(-number))
        assert len(extreme._candidates) <= length


def test_no_smoothed_average_keeps_its_past() -> None:
    average = exponential(3)
    for number in range(10):
        average.add(Decimal(number))
    assert average._first is None
