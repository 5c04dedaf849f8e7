"""Whatever Binance sends: a surprise, a doubt or a report, and never an exception in a thread."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.binance import wire
from adapters.binance.answers import Answers, result_of
from adapters.binance.feed import Feed
from adapters.binance.session import Session
from adapters.binance.translate import Translator
from engine import inputs
from tests.adapters.binance.test_feed import diff, public_trade, ticker
from tests.adapters.binance.test_venue import report, row
from tests.adapters.binance.trader import (
    BTC,
    SECRETS,
    VENUE,
    access,
    cancel_order,
    options,
    replace_order,
    submit_order,
)

junk = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=8), st.just("NaN"), st.just("-Infinity"),
    st.just("1E+999"), st.just("-1"), st.just([]), st.just({}), st.lists(st.just(["1", "x"]), max_size=2),
)  # fmt: skip


def spoiled(message: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The message with some fields replaced by anything, or gone."""
    return st.builds(
        lambda junked, gone: {name: value for name, value in {**message, **junked}.items() if name not in gone},
        st.dictionaries(st.sampled_from(sorted(message)), junk, max_size=3),
        st.sets(st.sampled_from(sorted(message)), max_size=2),
    )


FILL = {"price": "1", "qty": "1", "commission": "0", "commissionAsset": "BTC", "tradeId": 5}
EXECUTIONS = ["NEW", "TRADE", "CANCELED", "REPLACED", "EXPIRED", "REJECTED", "TRADE_PREVENTION", "NOVELTY"]
HALVES = {
    "cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "cancelResponse": row(), "newOrderResponse": row(),
}  # fmt: skip
AMENDED = {
    "transactTime": 1, "executionId": 1,
    "amendedOrder": {"symbol": "BTCUSDT", "orderId": 1, "price": "1", "qty": "1", "status": "NEW"},
}  # fmt: skip


@given(message=st.sampled_from(EXECUTIONS).flatmap(lambda kind: spoiled(report(x=kind, A="0.1", t=4))))
def test_events_of_the_account(message: dict[str, Any]) -> None:
    for told in Translator(VENUE, {BTC: "BTCUSDT"}).event(json.dumps(message)):
        assert isinstance(told, inputs.Report | inputs.ProtocolSurprise)


@given(
    message=st.one_of(
        spoiled(row(fills=[FILL])), spoiled({**row(), "fills": [FILL], "status": "EXPIRED"}), spoiled(HALVES),
        spoiled(AMENDED), spoiled({"code": -2021, "msg": "a", "data": HALVES}), spoiled({"code": -2010, "msg": "b"}),
        junk,
    ),
    status=st.sampled_from([200, 400, 401, 403, 409, 418, 429, 500]),
    request=st.sampled_from([submit_order(), cancel_order(), replace_order()]),
)  # fmt: skip
def test_answers_to_orders(message: Any, status: int, request: Any) -> None:
    told = Answers(Translator(VENUE, {BTC: "BTCUSDT"})).read(request, result_of(status, json.dumps(message)))
    assert told
    assert all(isinstance(each, inputs.Report | inputs.ProtocolSurprise) for each in told)


@pytest.mark.parametrize(
    "changes",
    [{"executedQty": "NaN"}, {"executedQty": "1E+999"}, {"status": "EXPIRED", "executedQty": "Infinity"},
     {"executedQty": "0.1", "side": "SIDEWAYS"}, {"executedQty": "0.1", "type": "NOVELTY"},
     {"executedQty": "0.1", "timeInForce": "NEVER"}],
)  # fmt: skip
def test_an_answer_that_can_not_be_is_doubt(changes: dict[str, Any]) -> None:
    answers = Answers(Translator(VENUE, {BTC: "BTCUSDT"}))
    told = answers.read(submit_order(), result_of(200, json.dumps(row(**changes))))
    assert [type(each) for each in told] == [inputs.ProtocolSurprise, inputs.OutcomeUnknown]


@given(
    message=st.one_of(
        spoiled({"id": 1, "status": 200, "result": row(), "rateLimits": []}),
        spoiled({"id": None, "status": 400, "error": {"code": -1, "msg": "a"}}),
        spoiled({"id": 1, "status": 418, "error": {"code": -1003, "msg": "a", "data": {"retryAfter": 1}}}),
        spoiled({"id": "counts-1", "status": 200, "result": []}),
        spoiled({"subscriptionId": 0, "event": report()}), spoiled(report()), junk, st.just("no JSON"),
    )
)  # fmt: skip
def test_frames_of_the_ws_api(message: Any) -> None:
    held = access(options())
    session = Session(held, Translator(VENUE, {BTC: "BTCUSDT"}))
    session.received(1, message if isinstance(message, str) else json.dumps(message))


@given(
    message=st.sampled_from([
        ("btcusdt@bookTicker", ticker(1)), ("btcusdt@trade", public_trade(1)), ("btcusdt@depth@100ms", diff(1, 2)),
    ]).flatmap(lambda frame: spoiled({"stream": frame[0], "data": frame[1]}) | spoiled(frame[1]).map(
        lambda data: {"stream": frame[0], "data": data}
    ))
)  # fmt: skip
def test_frames_of_the_market(message: Any) -> None:
    told: list[inputs.Input] = []
    held = access(options(streams=("quotes", "trades", "depth")))
    held.attach(told.append)
    Feed(held, Translator(VENUE, {BTC: "BTCUSDT"}), lambda _symbol, _levels: None).received(1, json.dumps(message))


@given(data=st.data())
def test_what_is_kept_holds_no_key(data: st.DataObject) -> None:
    secret = data.draw(st.sampled_from(SECRETS))
    text = json.dumps(data.draw(spoiled(report(c=secret, x="NOVELTY"))) | {"s": f"X{secret}"})
    translator = Translator(VENUE, {BTC: "BTCUSDT"}, lambda raw: raw.replace(secret, "***"))
    for told in translator.event(text):
        assert secret not in getattr(told, "raw", "")


def test_what_is_no_message_is_no_message() -> None:
    for text in ("", "null", "[]", "{", '{"id":1}', '"e"'):
        (told,) = Translator(VENUE, {}).event(text)
        assert isinstance(told, inputs.ProtocolSurprise)
    assert wire.decode('{"serverTime":1,"x":[]}', wire.ServerTime).server_time == 1
