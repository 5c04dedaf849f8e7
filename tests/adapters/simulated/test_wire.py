"""Every message survives its text."""

from __future__ import annotations

import json
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated import wire
from adapters.simulated.listing import terms
from engine.inputs import Balance, BookDelta, BookSnapshot, Quote, RequestKind, Section, TradeTick, VenueStatus
from engine.values import (
    Asset,
    ClientOrderId,
    ExecId,
    InstrumentName,
    Liquidity,
    OrderType,
    Side,
    TimeInForce,
    VenueOrderId,
    exact,
)

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=12).map(exact)
texts = st.text(max_size=10)
times = st.integers(0, 2**62)
ids = texts.map(ClientOrderId)
KNOWN = {
    Decimal: numbers, int: times, str: texts, InstrumentName: texts, ClientOrderId: ids, Asset: texts,
    ExecId: texts, VenueOrderId: texts, Side: st.sampled_from(Side), OrderType: st.sampled_from(OrderType),
    TimeInForce: st.sampled_from(TimeInForce), Liquidity: st.sampled_from(Liquidity),
    Section: st.sampled_from(Section), RequestKind: st.sampled_from(RequestKind),
    VenueStatus: st.sampled_from(VenueStatus), wire.Reason: st.sampled_from(wire.Reason),
}  # fmt: skip

head = {"symbol": texts, "client_order_id": st.none() | ids, "venue_order_id": st.none() | texts, "at_ns": times}
levels = st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple)
executed = st.builds(
    wire.Executed, **head, exec_id=texts, side=KNOWN[Side], quantity=numbers, price=numbers, fee=numbers,
    fee_asset=texts, liquidity=KNOWN[Liquidity],
)  # fmt: skip
row = st.builds(
    wire.OrderRow, **head, side=KNOWN[Side], order_type=KNOWN[OrderType], time_in_force=KNOWN[TimeInForce],
    quantity=numbers, filled=numbers, price=st.none() | numbers, status=KNOWN[VenueStatus],
)  # fmt: skip
balances = st.lists(st.builds(Balance, texts, numbers, numbers), max_size=2).map(tuple)
messages: st.SearchStrategy[wire.Message] = st.one_of(
    st.builds(wire.Hello, symbols=st.lists(texts).map(tuple)),
    st.builds(
        wire.Place, symbol=texts, client_order_id=ids, side=KNOWN[Side], order_type=KNOWN[OrderType],
        quantity=numbers, price=st.none() | numbers, expires_ns=st.none() | times,
    ),
    st.builds(wire.Cancel, symbol=texts, client_order_id=st.none() | ids, venue_order_id=st.none() | texts),
    st.builds(wire.Replace, symbol=texts, new_client_order_id=ids, quantity=numbers, price=st.none() | numbers),
    st.builds(wire.Query, symbol=texts, venue_order_id=st.none() | texts),
    st.builds(wire.ReadAccount, since_ns=times),
    st.just(wire.ReadLedger()),
    st.just(wire.ReadStatus()),
    st.just(wire.Step()),
    st.builds(wire.SetFaults, st.dictionaries(texts, texts)),
    *(st.builds(kind, **head) for kind in (wire.Accepted, wire.CancelTaken, wire.ReplaceTaken)),
    *(st.builds(kind, **head, filled=numbers) for kind in (wire.Canceled, wire.Expired)),
    st.builds(wire.Refused, **head, request=KNOWN[RequestKind], reason=KNOWN[wire.Reason]),
    executed,
    st.builds(wire.Replaced, **head, new_client_order_id=ids, quantity=numbers, price=st.none() | numbers),
    st.builds(
        wire.OrderAnswer, order=st.none() | row, executions=st.lists(executed, max_size=2).map(tuple), at_ns=times
    ),
    st.builds(
        wire.AccountAnswer, orders=st.lists(row, max_size=2).map(tuple),
        executions=st.lists(executed, max_size=2).map(tuple), balances=balances,
        complete=st.lists(KNOWN[Section]).map(tuple), at_ns=times,
    ),
    st.builds(wire.Welcome, account=texts, instruments=st.just((terms("BTCUSDT").instrument,)), at_ns=times),
    st.builds(wire.Status, at_ns=times, records=times, tape_ended=st.booleans()),
    st.builds(wire.Failed, texts),
    st.builds(wire.Notice, texts),
    st.builds(Quote, texts, numbers, numbers, numbers, numbers, times, st.none() | times),
    st.builds(TradeTick, texts, numbers, numbers, times, aggressor=st.none() | KNOWN[Side]),
    st.builds(BookSnapshot, texts, levels, levels, times, times, times),
    st.builds(BookDelta, texts, levels, levels, times, times, times),
)  # fmt: skip


@given(messages, st.none() | times)
def test_every_message_survives_its_text(message: wire.Message, number: int | None) -> None:
    text = wire.encode(message, number)
    assert wire.decode(text) == (number, message)
    assert wire.encode(wire.decode(text)[1], number) == text


@given(messages)
def test_a_text_is_that_of_plain_values(message: wire.Message) -> None:
    """Whatever the encoder makes of classes: sorted keys, and decimals that no reader has to know exponents for."""
    told = attrs.asdict(message, value_serializer=lambda _, __, value: plainly(value))
    assert wire.canonical(message) == json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def plainly(value: object) -> object:
    return format(value, "f") if isinstance(value, Decimal) else value


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"id":1}', '{"id":1,"type":"Nothing","body":{}}', b"\xff\xfe",
        '{"id":1,"type":"Query","body":{}}', '{"id":"x","type":"Step","body":{}}',
        '{"id":1,"type":"Place","body":{"symbol":"A","client_order_id":"a","side":"up","order_type":"market","quantity":"1"}}',
        '{"id":1,"type":"Place","body":{"symbol":"A","client_order_id":"a","side":"buy","order_type":"market","quantity":"x"}}',
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(text)
