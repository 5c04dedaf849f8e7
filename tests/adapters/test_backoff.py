"""The waits between attempts: they grow, they stay within their bounds, and only a line that lasted begins anew."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from adapters.backoff import Backoff, BackoffLimits

LIMITS = BackoffLimits(first_ns=100, longest_ns=5_000, steady_ns=1_000)


@given(seed=st.integers(), failures=st.integers(1, 80))
def test_a_wait_is_between_half_and_all_of_what_the_failures_allow(seed: int, failures: int) -> None:
    backoff = Backoff(LIMITS, Random(seed))
    waits = [backoff.fail(0) for _ in range(failures)]
    for number, wait_ns in enumerate(waits):
        most_ns = min(100 * 2**number, 5_000)
        assert most_ns // 2 <= wait_ns <= most_ns


def test_a_seed_repeats_the_waits_and_another_does_not() -> None:
    def waits(seed: int) -> list[int]:
        backoff = Backoff(LIMITS, Random(seed))
        return [backoff.fail(0) for _ in range(10)]

    assert waits(1) == waits(1)
    assert waits(1) != waits(2)


@given(up_ns=st.integers(0, 5_000))
def test_only_a_line_that_lasted_begins_anew(up_ns: int) -> None:
    backoff = Backoff(LIMITS, Random(1))
    for _ in range(4):
        backoff.fail(0)
    backoff.succeed(10_000)
    backoff.fail(10_000 + up_ns)
    assert backoff.failures == (1 if up_ns >= LIMITS.steady_ns else 5)


def test_tries_come_to_an_end_where_they_are_counted() -> None:
    backoff = Backoff(BackoffLimits(tries_most=2), Random(1))
    assert [backoff.is_exhausted, backoff.fail(0) > 0, backoff.is_exhausted, backoff.fail(0) > 0] == [
        False, True, False, True,
    ]  # fmt: skip
    assert backoff.is_exhausted
    assert not Backoff(LIMITS, Random(1), failures=1_000).is_exhausted
