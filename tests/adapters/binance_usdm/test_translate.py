"""The words of USD-M futures in the engine's: pure, with frames of our own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from adapters.binance.answers import Result, result_of
from adapters.binance.wire import Fault, decode
from adapters.binance_usdm import wire
from adapters.binance_usdm.answers import Answers
from adapters.binance_usdm.codes import judge
from adapters.binance_usdm.translate import FundingPaid, SettingsChanged, Translator
from engine import inputs
from engine.inputs import Refusal, VenueStatus
from engine.values import ClientOrderId, ExecId, Liquidity, OrderType, Side, VenueOrderId
from tests.adapters.binance.trader import BTC, TOKEN, VENUE, cancel_order, replace_order, submit_order
from tests.adapters.binance_usdm.local_futures import frame

NEW_TOKEN = ClientOrderId("h20i60b1c0000099")
PLACED = submit_order()


def translator() -> Translator:
    return Translator(VENUE, {BTC: "BTCUSDT"})


def update(**changes: Any) -> str:
    """An ORDER_TRADE_UPDATE."""
    order = {
        "s": "BTCUSDT", "c": TOKEN, "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.2", "p": "50", "ap": "0", "sp": "0",
        "x": "NEW", "X": "NEW", "i": 28, "l": "0", "z": "0", "L": "0", "T": 1_700_000_000_000, "t": 0, "m": False,
        "R": False, "ps": "BOTH", "rp": "0", **changes,
    }  # fmt: skip
    return frame(e="ORDER_TRADE_UPDATE", E=1, T=1, o=order)


FILL = {"l": "0.1", "z": "0.1", "L": "49.5", "t": 77, "n": "0.002", "N": "USDT", "m": True}


# --- events -------------------------------------------------------------------------------------------------------


def test_an_order_of_ours_is_told_by_what_happened_to_it() -> None:
    spoken = translator()
    (new,) = spoken.event(update())
    (trade,) = spoken.event(update(x="TRADE", X="PARTIALLY_FILLED", **FILL))
    (gone,) = spoken.event(update(x="CANCELED", X="CANCELED", z="0.1"))
    assert isinstance(new, inputs.Ack)
    assert (new.client_order_id, new.venue_order_id) == (TOKEN, "28")
    assert isinstance(trade, inputs.Trade)
    assert (trade.exec_id, trade.quantity, trade.price) == (ExecId("77"), Decimal("0.1"), Decimal("49.5"))
    assert (trade.fee, trade.fee_asset, trade.liquidity) == (Decimal("0.002"), "USDT", Liquidity.MAKER)
    assert isinstance(gone, inputs.Canceled)
    assert gone.filled == Decimal("0.1")
    (expired,) = spoken.event(update(x="EXPIRED", X="EXPIRED_IN_MATCH", z="0.1"))
    assert isinstance(expired, inputs.Expired)


@pytest.mark.parametrize("name", [
    "autoclose-1733212345", "adl_autoclose", "settlement_autoclose-1", "delivery_autoclose-1", "web_1", "",
])  # fmt: skip
def test_an_order_that_is_not_ours_is_told_by_its_status(name: str) -> None:
    (new,) = translator().event(update(c=name, o="LIQUIDATION", f="IOC"))
    assert isinstance(new, inputs.StatusReport)
    assert (new.status, new.quantity, new.side) == (VenueStatus.NEW, Decimal("0.2"), Side.BUY)


def test_a_liquidation_is_an_execution_with_its_fee() -> None:
    (trade,) = translator().event(update(c="autoclose-1", S="SELL", x="CALCULATED", X="FILLED", **FILL))
    assert isinstance(trade, inputs.Trade)
    assert (trade.side, trade.fee) == (Side.SELL, Decimal("0.002"))


@pytest.mark.parametrize("execution", ["TRADE", "CALCULATED"])
def test_an_execution_without_a_number_is_asked_for_and_never_made_up(execution: str) -> None:
    (told,) = translator().event(update(x=execution, X="PARTIALLY_FILLED", **FILL | {"t": 0}))
    assert isinstance(told, inputs.StatusReport)
    assert told.filled == Decimal("0.1")


def test_a_change_of_ours_is_told_by_its_own_request() -> None:
    spoken = translator()
    first = replace_order(venue_order_id=VenueOrderId("28"), quantity=Decimal("0.3"), price=Decimal(51))
    second = evolve(first, new_client_order_id=NEW_TOKEN, quantity=Decimal("0.1"), price=Decimal(51))
    spoken.known.replace(first)
    spoken.known.replace(second)
    (told,) = spoken.event(update(x="AMENDMENT", q="0.3", p="51"))
    assert isinstance(told, inputs.Replaced)
    assert (told.new_client_order_id, told.client_order_id) == (first.new_client_order_id, TOKEN)
    (told,) = spoken.event(update(x="AMENDMENT", q="0.10", p="51.00"))
    assert isinstance(told, inputs.Replaced)
    assert told.new_client_order_id == NEW_TOKEN
    (told,) = spoken.event(update(x="AMENDMENT", q="0.4", p="52"))
    assert isinstance(told, inputs.StatusReport)  # somebody else changed it


def test_what_the_account_says_beside_orders() -> None:
    spoken = translator()
    assert spoken.event(frame(e="ACCOUNT_UPDATE", E=1, T=5, a={"m": "FUNDING_FEE", "B": [], "P": []})) == [
        FundingPaid(5)
    ]
    assert spoken.event(frame(e="ACCOUNT_UPDATE", E=1, T=5, a={"m": "ORDER", "B": [], "P": []})) == []
    assert spoken.event(frame(e="ACCOUNT_CONFIG_UPDATE", E=1, T=5, ac={"s": "BTCUSDT", "l": 5})) == [SettingsChanged()]
    assert spoken.event(frame(e="TRADE_LITE", E=1, T=5)) == []
    (told,) = spoken.event(frame(e="MARGIN_CALL", E=1, cw="3", p=[]))
    assert isinstance(told, inputs.ProtocolSurprise)
    assert "MARGIN_CALL" in told.raw


@given(st.one_of(st.text(max_size=40), st.sampled_from([
    '{"e":"ORDER_TRADE_UPDATE"}', update(X="SURPRISE", c="x"), update(x="SURPRISE"), update(x="TRADE", l="NaN", t=3),
    update(x="TRADE", S="UP", l="1", t=3),
    update(x="TRADE", l="1", t=-3, X="ODD"), '{"e":"ACCOUNT_UPDATE","T":1,"a":{}}', '{"e":7}', "[]", "null",
])))  # fmt: skip
def test_no_frame_raises(text: str) -> None:
    told = translator().event(text)
    assert all(isinstance(each, inputs.ProtocolSurprise) for each in told)


# --- answers ------------------------------------------------------------------------------------------------------


def row(**changes: Any) -> str:
    """An order's row."""
    return frame(**{
        "symbol": "BTCUSDT", "orderId": 28, "clientOrderId": TOKEN, "status": "NEW", "type": "LIMIT", "side": "BUY",
        "timeInForce": "GTC", "price": "50", "origQty": "0.2", "executedQty": "0", "updateTime": 1_700_000_000_000,
        **changes,
    })  # fmt: skip


def read(request: Any, text: str, status: int = 200) -> list[inputs.Input]:
    return Answers(translator()).read(request, result_of(status, text, judge))


def test_the_answer_to_a_new_order() -> None:
    (ack,) = read(PLACED, row())
    assert isinstance(ack, inputs.Ack)
    ack, status = read(PLACED, row(status="FILLED", executedQty="0.2"))
    assert isinstance(status, inputs.StatusReport)
    assert status.filled == Decimal("0.2")  # its executions are asked for
    ack, expired = read(PLACED, row(status="EXPIRED", timeInForce="GTX"))
    assert isinstance(ack, inputs.Ack)
    assert isinstance(expired, inputs.Expired)


def test_an_id_that_exists_is_not_rejected() -> None:
    (told,) = read(PLACED, frame(code=-4116, msg="ClientOrderId is duplicated."), 400)
    assert isinstance(told, inputs.Rejected)
    assert told.refusal is Refusal.DUPLICATE_ID


@pytest.mark.parametrize("request_", [PLACED, cancel_order(), replace_order()])
@pytest.mark.parametrize(("status", "text"), [
    (503, frame(code=-1008, msg="Service Unavailable.")), (408, frame(code=-1007, msg="Timeout")),
    (502, "<html></html>"), (403, "<html></html>"), (400, frame(code=-1000, msg="?")), (200, "{"), (200, "{}"),
])  # fmt: skip
def test_what_proves_nothing_is_unknown(request_: Any, status: int, text: str) -> None:
    told = read(request_, text, status)[-1]
    assert isinstance(told, inputs.OutcomeUnknown)


def test_the_answer_to_a_change() -> None:
    asked = replace_order(venue_order_id=VenueOrderId("28"))
    (told,) = read(asked, row(origQty="0.3", price="51"))
    assert isinstance(told, inputs.Replaced)
    assert (told.quantity, told.price, told.keeps_priority) == (Decimal("0.3"), Decimal(51), False)
    (told,) = read(asked, row(status="CANCELED", executedQty="0.3"))
    assert isinstance(told, inputs.Canceled)
    (told,) = read(asked, frame(code=-5027, msg="No need to modify the order."), 400)
    assert isinstance(told, inputs.ReplaceRejected)
    assert told.new_client_order_id == asked.new_client_order_id


def test_a_cancel_that_meets_an_end_tells_the_end() -> None:
    (told,) = read(cancel_order(), row(status="FILLED", executedQty="0.2"))
    assert isinstance(told, inputs.StatusReport)
    (told,) = read(cancel_order(), frame(code=-2011, msg="Unknown order sent."), 400)
    assert isinstance(told, inputs.CancelRejected)
    assert told.refusal is Refusal.UNKNOWN_ORDER
    (told,) = read(cancel_order(), frame(code=-1003, msg="Too many requests"), 429)
    assert isinstance(told, inputs.CancelRejected)
    assert told.refusal is Refusal.THROTTLED


def test_a_result_is_judged_by_its_own_product() -> None:
    fault = Fault(code=-2022, msg="ReduceOnly Order is rejected.")
    assert Result(400, "", fault, judge).verdict is judge(400, -2022)


# --- rows ---------------------------------------------------------------------------------------------------------


def test_the_account_in_rows() -> None:
    spoken = translator()
    position = spoken.position(wire.PositionRow(
        symbol="BTCUSDT", position_amt=Decimal("-0.5"), entry_price=Decimal(100), mark_price=Decimal(90),
        un_realized_profit=Decimal(5), liquidation_price=Decimal(0),
    ))  # fmt: skip
    assert (position.instrument, position.quantity, position.liquidation_price) == (BTC, Decimal("-0.5"), None)
    assert [position.average_price, position.mark_price, position.unrealized] == [100, 90, 5]
    balance = spoken.balance(wire.BalanceRow(asset="USDT", balance=Decimal(10), available_balance=Decimal(7)))
    assert [balance.free, balance.locked] == [7, 3]
    richer = spoken.balance(wire.BalanceRow(asset="USDT", balance=Decimal(10), available_balance=Decimal(12)))
    assert [richer.free, richer.locked] == [10, 0]
    assert spoken.status(decode(row(type="TAKE_PROFIT_MARKET"), wire.OrderRow)).order_type is OrderType.MARKET
