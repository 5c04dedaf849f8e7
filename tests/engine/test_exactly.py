"""The one decimal context: it is there inside, whatever is done to it, and gone outside, whatever was raised."""

from __future__ import annotations

from decimal import Decimal, getcontext

import pytest

from engine.values import EXACT, exact_arithmetic


def test_it_is_entered_anew_each_time() -> None:
    outside = getcontext()
    with exact_arithmetic():
        getcontext().prec = 3  # as user code may
        with exact_arithmetic():
            assert getcontext().prec == EXACT.prec == 50
        assert getcontext().prec == 3
    assert getcontext() is outside
    with exact_arithmetic():
        assert getcontext().prec == 50
    assert EXACT.prec == 50


def test_it_ends_with_what_is_raised() -> None:
    outside = getcontext()
    with pytest.raises(KeyError), exact_arithmetic():
        raise KeyError
    assert getcontext() is outside


def test_a_function_may_be_entered_by_itself() -> None:
    @exact_arithmetic()
    def third(again: int) -> Decimal:
        """One third, so many calls deep."""
        getcontext().prec = 2
        deeper = third(again - 1) if again else None
        found = Decimal(1) / Decimal(3)
        assert len(found.as_tuple().digits) == 2
        return found if deeper is None else deeper

    outside = getcontext().prec
    assert third(2) == Decimal("0.33")
    assert third.__name__ == "third"
    assert getcontext().prec == outside
