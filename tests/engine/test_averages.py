"""The moving average against the plain sum of the last values."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.averages import SimpleAverage

values = st.decimals(min_value="-1e12", max_value="1e12", places=8)
HALF_A_PLACE = Fraction(1, 2 * 10**18)


@given(st.integers(1, 12), st.lists(values, max_size=60))
def test_it_is_the_mean_of_the_last_values_however_many_came_before(length: int, found: list[Decimal]) -> None:
    average = SimpleAverage(length)
    for count, value in enumerate(found, start=1):
        mean = average.add(value)
        assert average.value == mean
        if count < length:
            assert mean is None
            continue
        naive = sum((Fraction(one) for one in found[count - length : count]), Fraction()) / length
        assert mean is not None
        assert abs(Fraction(mean) - naive) <= HALF_A_PLACE


@given(st.integers(1, 12), st.lists(values, min_size=12, max_size=12), values)
def test_a_constant_comes_back_exactly_after_any_past(length: int, past: list[Decimal], constant: Decimal) -> None:
    average = SimpleAverage(length)
    for value in past + [constant] * length:
        average.add(value)
    assert average.value == constant


def test_a_length_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="length of 1 or more"):
        SimpleAverage(0)
