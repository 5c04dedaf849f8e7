"""The official example payloads, all of them: what the client reads of Binance is read, and means what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.binance import quotes, wire
from adapters.binance.answers import Answers, Result, result_of
from adapters.binance.listing import counts_of, instrument, limits_of
from adapters.binance.translate import Translator
from engine import inputs
from engine.values import InstrumentName
from tests.adapters.binance.trader import BTC, VENUE, replace_order, submit_order

FILES = ("rest-api", "user-data-stream", "web-socket-api", "web-socket-streams")

ANSWERS: dict[str, Any] = {
    "Check server time": wire.ServerTime,
    "Exchange information": wire.ExchangeInfo,
    "Order book": wire.DepthSnapshot,
    "New order (TRADE)": wire.OrderRow,
    "Cancel order (TRADE)": wire.OrderRow,
    "New order using SOR (TRADE)": wire.OrderRow,
    "Account information (USER_DATA)": wire.Account,
    "Query order (USER_DATA)": wire.OrderRow,
    "Current open orders (USER_DATA)": tuple[wire.OrderRow, ...],
    "All orders (USER_DATA)": tuple[wire.OrderRow, ...],
    "Account trade list (USER_DATA)": tuple[wire.TradeRow, ...],
    "Query Unfilled Order Count (USER_DATA)": tuple[wire.RateCount, ...],
}


@pytest.fixture(scope="module")
def payloads(shared: Path) -> dict[str, list[dict[str, Any]]]:
    """The examples by file; skipped where they are not there."""
    folder = shared / "data" / "payloads" / "binance"
    if not folder.is_dir():
        pytest.skip(f"no example payloads: {folder} is missing")
    return {name: json.loads((folder / f"{name}.examples.json").read_text()) for name in FILES}


def examples(payloads: dict[str, list[dict[str, Any]]], name: str) -> list[tuple[str, Any]]:
    return [(example["section"], example["json"]) for example in payloads[name] if "json" in example]


def test_every_answer_that_is_asked_for_is_read(payloads: dict[str, list[dict[str, Any]]]) -> None:
    seen = set()
    for section, body in examples(payloads, "rest-api"):
        if isinstance(body, dict) and "code" in body:
            assert wire.decode(json.dumps(body), wire.Fault).code < 0
        elif section in ANSWERS:
            seen.add(section)
            assert wire.decode(json.dumps(body), ANSWERS[section]) is not None
    assert seen == set(ANSWERS)


def test_orders_of_all_answers_are_reports(payloads: dict[str, list[dict[str, Any]]]) -> None:
    translator = Translator(VENUE, {InstrumentName("LTC-BTC"): "LTCBTC"})
    answers, told = Answers(translator), []
    for section, body in examples(payloads, "rest-api"):
        if section == "New order (TRADE)" and "code" not in body:
            told.append(answers.read(submit_order(), result_of(200, json.dumps(body))))
    assert [type(each[0]) for each in told] == [inputs.Ack] * 3
    assert [len(each) for each in told] == [1, 2, 6]
    assert isinstance(told[1][1], inputs.StatusReport)
    assert {type(each) for each in told[2][1:]} == {inputs.Trade}


def test_the_replies_to_replacements_are_told_apart(payloads: dict[str, list[dict[str, Any]]]) -> None:
    answers = Answers(Translator(VENUE, {BTC: "BTCUSDT"}))
    outcomes = []
    for section, body in examples(payloads, "rest-api"):
        if section.startswith("Cancel an Existing Order") and isinstance(body.get("data", {}), dict):
            halves = body.get("data", {})
            mixed = "SUCCESS" in (halves.get("cancelResult"), halves.get("newOrderResult"))
            status = 409 if mixed else 429 if body["code"] == -1015 else 400
            told = answers.read(replace_order(), result_of(status, json.dumps(body)))
            outcomes.append(type(told[0]).__name__)
    assert outcomes.count("Canceled") == 2
    assert outcomes.count("OutcomeUnknown") == 1
    assert set(outcomes) == {"Canceled", "OutcomeUnknown", "ReplaceRejected"}


def test_amendments_are_replacements(payloads: dict[str, list[dict[str, Any]]]) -> None:
    answers = Answers(Translator(VENUE, {BTC: "BTCUSDT"}))
    found = [body for section, body in examples(payloads, "rest-api") if section.startswith("Order Amend Keep")]
    for body in found:
        (replaced,) = answers.read(replace_order(), result_of(200, json.dumps(body)))
        assert isinstance(replaced, inputs.Replaced)
        assert replaced.keeps_priority
    assert len(found) == 2


def test_the_rules_of_symbols_are_read_without_their_filters(payloads: dict[str, list[dict[str, Any]]]) -> None:
    (body,) = (body for section, body in examples(payloads, "rest-api") if section == "Exchange information")
    info = wire.decode(json.dumps(body), wire.ExchangeInfo)
    assert limits_of(info.rate_limits) == []
    terms = instrument(VENUE, BTC, info.symbols[0])
    assert (terms.base, terms.quote, terms.min_notional) == ("ETH", "BTC", None)


def test_every_event_of_the_account_is_understood(payloads: dict[str, list[dict[str, Any]]]) -> None:
    translator = Translator(VENUE, {InstrumentName("ETH-BTC"): "ETHBTC"})
    told: list[inputs.Input] = []
    for _section, body in examples(payloads, "user-data-stream"):
        if "event" not in body:
            continue  # a piece of an event that another example shows whole
        text = bytes(wire.decode(json.dumps(body), wire.Reply).event).decode()
        if wire.decode(text, wire.EventName).e != "eventStreamTerminated":
            told += translator.event(text)
    assert [type(each) for each in told] == [inputs.Ack]
    (acked,) = told
    assert isinstance(acked, inputs.Ack)
    assert (acked.venue, acked.instrument, acked.client_order_id, acked.venue_order_id, acked.transact_ns) == (
        VENUE, "ETH-BTC", "mUvoqJxFIILMdfAW5iGSOW", "4293153", 1_499_405_658_657_000_000,
    )  # fmt: skip


def test_every_reply_of_the_ws_api_is_read(payloads: dict[str, list[dict[str, Any]]]) -> None:
    answers = Answers(Translator(VENUE, {BTC: "BTCUSDT"}))
    outcomes = []
    for _section, body in examples(payloads, "web-socket-api"):
        if "status" not in body:
            continue
        reply = wire.decode(json.dumps(body), wire.Reply)
        assert counts_of(reply.rate_limits)
        text = json.dumps(body) if reply.error else bytes(reply.result).decode()
        result = Result(reply.status or 0, text, reply.error)
        outcomes.append((reply.status, type(answers.read(submit_order(), result)[0]).__name__))
    assert (200, "Ack") in outcomes
    assert (400, "Rejected") in outcomes
    assert (418, "Rejected") in outcomes


def test_the_streams_that_are_watched_are_read(payloads: dict[str, list[dict[str, Any]]]) -> None:
    found = dict(examples(payloads, "web-socket-streams"))
    quote = wire.decode(json.dumps(found["Individual Symbol Book Ticker Streams"]), wire.BookTicker)
    trade = wire.decode(json.dumps(found["Trade Streams"]), wire.PublicTrade)
    depth = wire.decode(json.dumps(found["Diff. Depth Stream"]), wire.DepthUpdate)
    assert quotes.quote(BTC, quote, 1).exchange_ns is None
    assert quotes.trade(BTC, trade, 1).exchange_ns == trade.at_ms * 1_000_000
    assert quotes.delta(BTC, depth, 1).last_update == depth.last_update
    for section, body in examples(payloads, "web-socket-streams"):
        if section == "Server Shutdown" and "stream" in body:
            assert wire.decode(json.dumps(body), wire.Combined).stream == "!serverShutdown"
