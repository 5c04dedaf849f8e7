"""What Binance's errors mean: certain only where the facts say so, and for everything else unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.binance.codes import CANCEL_RESTRICTED, DUPLICATE, REFUSALS, Verdict, judge

CERTAIN = (
    {-1002, -1013, -1014, -1015, -1016, -1020, -1021, -1022, -1034, -2010, -2011, -2013, -2014, -2015, -2026, -2038}
    | {-2039, -1003}
    | set(range(-1199, -1099))
    | {-1210, -1211}
    | set(range(-1225, -1219))
)


@given(status=st.integers(500, 599), code=st.none() | st.integers(-5_000, 0), text=st.text(max_size=20))
def test_whatever_a_server_error_says_it_is_unknown(status: int, code: int | None, text: str) -> None:
    assert judge(status, code, text) is Verdict.UNKNOWN


@given(code=st.integers(-9_999, 0).filter(lambda code: code not in CERTAIN))
def test_a_code_that_nobody_lists_is_unknown(code: int) -> None:
    assert judge(400, code) is Verdict.UNKNOWN


@given(status=st.sampled_from([200, 302, 400, 403, 404, 409, 410]))
def test_an_answer_without_a_code_is_unknown(status: int) -> None:
    assert judge(status, None) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "text", "verdict"),
    [
        (400, -1013, "Filter failure: LOT_SIZE", "refused"),
        (400, -1100, "Illegal characters found in parameter 'price'", "refused"),
        (400, -1111, "Precision is over the maximum", "refused"),
        (400, -1121, "Invalid symbol.", "refused"),
        (400, -2010, "Account has insufficient balance for requested action.", "refused"),
        (400, -2010, "words of another year", "refused"),
        (400, -2010, DUPLICATE, "exists"),
        (400, -2010, "This action is disabled on this account.", "policy"),
        (400, -2011, "Unknown order sent.", "unknown_order"),
        (400, -2011, CANCEL_RESTRICTED, "other_status"),
        (400, -2013, "Order does not exist.", "not_found"),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", "clock"),
        (400, -1022, "Signature for this request is not valid.", "credentials"),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", "credentials"),
        (401, None, "", "credentials"),
        (429, -1003, "Too many requests", "throttled"),
        (429, -1015, "Too many new orders", "throttled"),
        (418, None, "", "throttled"),
        (403, None, "<html>", "unknown"),
        (400, -1007, "Timeout waiting for response from backend server.", "unknown"),
        (400, -1006, "An unexpected response was received", "unknown"),
        (400, -1000, "An unknown error occurred", "unknown"),
        (400, -1001, "Internal error", "unknown"),
        (400, -1008, "Server is currently overloaded", "unknown"),
    ],
)
def test_the_documented_ones(status: int, code: int | None, text: str, verdict: str) -> None:
    assert judge(status, code, text) == verdict


def test_every_certain_verdict_has_a_word_of_the_engines() -> None:
    assert set(Verdict) - set(REFUSALS) == {Verdict.UNKNOWN}
