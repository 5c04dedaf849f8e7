"""What errors of USD-M futures mean: nothing that may have been done is ever called refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.binance.codes import REFUSALS, Verdict
from adapters.binance_usdm.codes import judge
from engine.inputs import Refusal

TEXTS_OF_503 = (
    "Unknown error, please check your request or try again later.",
    "Service Unavailable.",
    "Internal error; unable to process your request. Please try again.",
)


@pytest.mark.parametrize("text", TEXTS_OF_503)
def test_a_503_is_unknown_by_each_of_its_texts(text: str) -> None:
    assert judge(503, None, text) is Verdict.UNKNOWN
    assert judge(503, -1008, text) is Verdict.UNKNOWN


@given(status=st.one_of(st.integers(500, 599), st.just(408)), code=st.one_of(st.none(), st.integers(-9999, -1)))
def test_no_server_error_proves_anything(status: int, code: int | None) -> None:
    assert judge(status, code) is Verdict.UNKNOWN


@given(status=st.integers(400, 499).filter(lambda status: status not in (401, 408, 418, 429)))
def test_an_id_that_exists_is_evidence_and_no_refusal(status: int) -> None:
    assert REFUSALS[judge(status, -4116)] is Refusal.DUPLICATE_ID


@given(code=st.integers(-9999, -1))
def test_who_asks_too_much_is_throttled_whatever_the_code(code: int) -> None:
    assert judge(429, code) is judge(418, code) is Verdict.THROTTLED


@pytest.mark.parametrize(("code", "refusal"), [
    (-2022, Refusal.DEFINITIVE),
    (-4118, Refusal.DEFINITIVE),
    (-5022, Refusal.DEFINITIVE),
    (-2019, Refusal.DEFINITIVE),
    (-4120, Refusal.DEFINITIVE),
    (-4061, Refusal.POLICY),
    (-2015, Refusal.POLICY),
    (-2011, Refusal.UNKNOWN_ORDER),
    (-2013, Refusal.UNKNOWN_ORDER),
])  # fmt: skip
def test_codes_and_what_the_engine_calls_them(code: int, refusal: Refusal) -> None:
    assert REFUSALS[judge(400, code)] is refusal


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007, -1008, -9000, -3000])
def test_what_may_have_been_done_is_unknown(code: int) -> None:
    assert judge(400, code) is Verdict.UNKNOWN
