"""Orders at the local exchange: answers, refusals, filters, stops, replacements."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.adapters.binance.local_exchange import Json, Local, Socket, on_tape

ORDER = "/api/v3/order"
STILL = [("100", "101")] * 3
LOW: Json = {"price": "90", "quantity": "0.1"}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with on_tape(tmp_path, STILL) as found:
        yield found


def test_the_kind_of_answer_follows_from_the_type_and_can_be_asked_for(local: Local) -> None:
    assert "fills" in local.limit("BUY", 90, "0.1")
    assert set(local.good("POST", ORDER, symbol="BTCUSDT", side="BUY", type="LIMIT_MAKER", **LOW)) == {
        "symbol", "orderId", "orderListId", "clientOrderId", "transactTime",
    }  # fmt: skip
    assert "status" not in local.limit("BUY", 90, "0.1", newOrderRespType="ACK")
    result = local.limit("BUY", 90, "0.1", newOrderRespType="RESULT")
    assert result["status"] == "NEW"
    assert "fills" not in result


def test_a_market_order_fills_and_what_is_left_expires(local: Local) -> None:
    filled = local.market("BUY", "0.4")
    assert (filled["status"], filled["executedQty"], filled["cummulativeQuoteQty"]) == (
        "FILLED", "0.40000000", "40.40000000",
    )  # fmt: skip
    (fill,) = filled["fills"]
    assert (fill["price"], fill["commission"], fill["commissionAsset"]) == ("101.00000000", "0.00040000", "BTC")
    rest = local.market("BUY", "0.9")
    assert (rest["status"], rest["executedQty"], rest["expiryReason"]) == (
        "EXPIRED", "0.60000000", "INSUFFICIENT_LIQUIDITY",
    )  # fmt: skip
    trades = local.good("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    assert [row["id"] for row in trades] == sorted(row["id"] for row in trades)
    assert fill["tradeId"] == trades[0]["id"]


def test_a_market_order_may_name_what_it_spends(local: Local) -> None:
    bought = local.good("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="50")
    assert bought["status"] == "FILLED"
    assert bought["origQuoteOrderQty"] == "50.00000000"
    assert Decimal("49.9") < Decimal(bought["cummulativeQuoteQty"]) <= 50


@pytest.mark.parametrize(("time_in_force", "executed", "reason"), [
    ("IOC", "1.00000000", "UNFILLED_IOC_QUANTITY_EXPIRED"),
    ("FOK", "0.00000000", "UNFILLED_FOK_ORDER_EXPIRED"),
])  # fmt: skip
def test_what_may_not_rest_expires(local: Local, time_in_force: str, executed: str, reason: str) -> None:
    order = local.limit("BUY", 101, "1.5", timeInForce=time_in_force)
    assert (order["status"], order["executedQty"], order["expiryReason"]) == ("EXPIRED", executed, reason)


BASE: Json = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.1",
    "price": "90",
}
STOP: Json = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.1"}


@pytest.mark.parametrize(("changed", "code", "message"), [
    ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
    ({"side": "LONG"}, -1117, "Invalid side."),
    ({"type": "TWAP"}, -1116, "Invalid orderType."),
    ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
    ({"timeInForce": None}, -1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed."),
    ({"price": None}, -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
    ({"price": ""}, -1105, "Parameter 'price' was empty."),
    ({"price": "1e2"}, -1100, "Illegal characters found in parameter 'price'; legal range is "
                              "'^([0-9]{1,20})(\\.[0-9]{1,20})?$'."),
    ({"price": "90.123456789"}, -1111, "Parameter 'price' has too much precision."),
    ({"newClientOrderId": "a:b"}, -1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is "
                                         "'^[a-zA-Z0-9-_]{1,36}$'."),
    ({"strategyType": "5"}, -1134, "strategyType was less than 1000000."),
    ({"stopPrice": "80"}, -1106, "Parameter 'stopPrice' sent when not required."),
    ({"wish": "1"}, -1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
    ({"price": "90.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"price": "10000000"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
    ({"price": "2000", "quantity": "0.01"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ({"quantity": "90", "icebergQty": "0.0001"}, -1013, "Filter failure: ICEBERG_PARTS"),
    ({"quantity": "90", "price": "100000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ({"side": "SELL", "price": "110", "quantity": "50"}, -2010,
     "Account has insufficient balance for requested action."),
    ({"type": "LIMIT_MAKER", "timeInForce": None, "price": "101"}, -2010, "Order would immediately match and take."),
    ({"type": "MARKET", "price": None}, -1106, "Parameter 'timeInForce' sent when not required."),
    (STOP | {"stopPrice": "100.5", "timeInForce": None, "price": None}, -2010, "Order would trigger immediately."),
    (STOP | {"timeInForce": None, "price": None}, -1102,
     "Mandatory parameter 'stopPrice' was not sent, was empty/null, or malformed."),
    (STOP | {"trailingDelta": "5", "timeInForce": None, "price": None}, -1013, "Filter failure: TRAILING_DELTA"),
])  # fmt: skip
def test_a_refusal_has_its_documented_code(local: Local, changed: Json, code: int, message: str) -> None:
    given = {name: value for name, value in (BASE | changed).items() if value is not None}
    assert local.bad("POST", ORDER, **given) == (code, message)
    assert local.good("GET", "/api/v3/openOrders") == []


def test_a_dry_run_has_the_checks_and_no_effect(local: Local) -> None:
    assert local.good("POST", f"{ORDER}/test", **BASE) == {}
    assert "standardCommissionForOrder" in local.good("POST", f"{ORDER}/test", computeCommissionRates="true", **BASE)
    assert local.bad("POST", f"{ORDER}/test", **BASE | {"price": "90.001"})[0] == -1013
    assert local.ledger()["orders"] == []


def test_a_client_id_is_unique_among_open_orders_only(local: Local) -> None:
    first = local.limit("BUY", 90, "0.1", newClientOrderId="mine")
    refused = local.bad("POST", ORDER, newClientOrderId="mine", **BASE)
    assert refused == (-2010, "Duplicate order sent.")
    gone = local.good("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine", newClientOrderId="mine-c")
    assert (gone["origClientOrderId"], gone["clientOrderId"], gone["status"]) == ("mine", "mine-c", "CANCELED")
    again = local.limit("BUY", 101, "0.1", newClientOrderId="mine")
    assert again["status"] == "FILLED"
    third = local.limit("BUY", 90, "0.1", newClientOrderId="mine")
    assert len({first["orderId"], again["orderId"], third["orderId"]}) == 3


def test_a_canceled_order_is_found_by_its_number_and_by_the_cancels_id(local: Local) -> None:
    order = local.limit("BUY", 90, "0.1", newClientOrderId="mine")
    local.good("DELETE", ORDER, symbol="BTCUSDT", orderId=order["orderId"], newClientOrderId="mine-c")
    for named in list[Json](({"orderId": order["orderId"]}, {"origClientOrderId": "mine-c"})):
        assert local.good("GET", ORDER, symbol="BTCUSDT", **named)["status"] == "CANCELED"
    assert local.bad("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine") == (-2013, "Order does not exist.")
    local.faults(finds_old_ids=True)
    assert local.good("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")["clientOrderId"] == "mine-c"
    assert local.good("GET", "/api/v3/allOrders", symbol="BTCUSDT")[0]["clientOrderId"] == "mine-c"


def test_a_cancel_of_what_is_not_open_is_refused(local: Local) -> None:
    filled = local.limit("BUY", 101, "0.1")
    assert local.bad("DELETE", ORDER, symbol="BTCUSDT", orderId=filled["orderId"]) == (-2011, "Unknown order sent.")
    order = local.limit("BUY", 90, "0.1", newClientOrderId="a")
    named: Json = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert local.bad("DELETE", ORDER, **named, cancelRestrictions="ONLY_PARTIALLY_FILLED") == (
        -2011, "Order was not canceled due to cancel restrictions.",
    )  # fmt: skip
    assert local.bad("DELETE", ORDER, **named, cancelRestrictions="X") == (-1145, "Invalid cancelRestrictions")
    assert local.bad("DELETE", ORDER, **named, origClientOrderId="other")[0] == -2039
    assert local.good("DELETE", ORDER, **named, cancelRestrictions="ONLY_NEW")["status"] == "CANCELED"


def test_all_orders_of_a_symbol_are_canceled_at_once(local: Local) -> None:
    for _ in range(3):
        local.limit("BUY", 90, "0.1")
    assert [row["status"] for row in local.good("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")] == ["CANCELED"] * 3
    assert local.bad("DELETE", "/api/v3/openOrders", symbol="BTCUSDT") == (-2011, "Unknown order sent.")


# --- replacing ------------------------------------------------------------------------------------------------------

SWAP = "/api/v3/order/cancelReplace"


@pytest.mark.parametrize(("mode", "cancel", "price", "status", "code", "results"), [
    ("STOP_ON_FAILURE", "a", "91", 200, None, ("SUCCESS", "SUCCESS")),
    ("STOP_ON_FAILURE", "x", "91", 400, -2022, ("FAILURE", "NOT_ATTEMPTED")),
    ("STOP_ON_FAILURE", "a", "101", 409, -2021, ("SUCCESS", "FAILURE")),
    ("ALLOW_FAILURE", "x", "91", 409, -2021, ("FAILURE", "SUCCESS")),
    ("ALLOW_FAILURE", "x", "101", 400, -2022, ("FAILURE", "FAILURE")),
])  # fmt: skip
def test_a_cancel_replace_tells_each_half(
    local: Local, mode: str, cancel: str, price: str, status: int, code: int | None, results: tuple[str, str]
) -> None:
    local.limit("BUY", 90, "0.1", newClientOrderId="a")
    answer = local.signed(
        "POST", SWAP, symbol="BTCUSDT", side="BUY", type="LIMIT_MAKER", cancelReplaceMode=mode, quantity="0.1",
        price=price, cancelOrigClientOrderId=cancel, newClientOrderId="b", cancelNewClientOrderId="a-r",
    )  # fmt: skip
    assert answer.status_code == status
    body = answer.json()
    assert body.get("code") == code
    told = body if code is None else body["data"]
    assert (told["cancelResult"], told["newOrderResult"]) == results
    is_old = cancel == "x"
    is_new = results[1] == "SUCCESS"
    assert {row["clientOrderId"] for row in local.good("GET", "/api/v3/openOrders")} == (
        ({"a"} if is_old else set()) | ({"b"} if is_new else set())
    )


def test_filters_are_looked_at_before_anything_is_canceled(local: Local) -> None:
    local.limit("BUY", 90, "0.1", newClientOrderId="a")
    refused = local.bad(
        "POST", SWAP, cancelReplaceMode="STOP_ON_FAILURE", cancelOrigClientOrderId="a", **BASE | {"price": "90.001"}
    )
    assert refused == (-1013, "Filter failure: PRICE_FILTER")
    assert [row["clientOrderId"] for row in local.good("GET", "/api/v3/openOrders")] == ["a"]


def test_an_order_is_made_smaller_in_its_place(local: Local) -> None:
    order = local.limit("BUY", 90, "0.5", newClientOrderId="a")
    amended = local.good(
        "PUT", "/api/v3/order/amend/keepPriority", symbol="BTCUSDT", orderId=order["orderId"], newQty="0.3",
        newClientOrderId="b",
    )["amendedOrder"]  # fmt: skip
    assert (amended["orderId"], amended["qty"], amended["origClientOrderId"], amended["clientOrderId"]) == (
        order["orderId"], "0.30000000", "a", "b",
    )  # fmt: skip
    named: Json = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    assert local.bad("PUT", "/api/v3/order/amend/keepPriority", newQty="0.4", **named)[0] == -2010
    for tenth in range(9):
        quantity = f"0.{29 - tenth}"
        local.good("PUT", "/api/v3/order/amend/keepPriority", newQty=quantity, newClientOrderId="b", **named)
    assert local.bad("PUT", "/api/v3/order/amend/keepPriority", newQty="0.1", **named)[0] == -2038
    rows = local.good("GET", "/api/v3/order/amendments", **named)
    assert [row["newQty"] for row in rows[:2]] == ["0.30000000", "0.29000000"]


# --- stops ----------------------------------------------------------------------------------------------------------


def test_a_stop_waits_and_then_trades(tmp_path: Path) -> None:
    with on_tape(tmp_path, [("100", "101"), ("97", "98"), ("94", "95"), ("94", "95")]) as local:
        placed = local.good("POST", ORDER, **STOP, stopPrice="95", newOrderRespType="RESULT")
        assert (placed["status"], placed["workingTime"], placed["stopPrice"]) == ("NEW", -1, "95.00000000")
        local.step()
        waiting = local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
        assert (waiting["isWorking"], waiting["status"]) == (False, "NEW")
        with local.user_stream() as stream:
            local.step()
            begun, traded = stream.events(2)
        assert (begun["x"], begun["X"]) == ("NEW", "NEW")
        assert (traded["x"], traded["X"], traded["L"], traded["w"]) == ("TRADE", "FILLED", "94.00000000", False)
        done = local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
        assert (done["isWorking"], done["status"], done["type"]) == (True, "FILLED", "STOP_LOSS")


def test_what_a_triggered_market_order_does_not_find_expires(tmp_path: Path) -> None:
    with on_tape(tmp_path, [("100", "101"), ("94", "95"), ("93", "94")], size="0.3") as local:
        placed = local.good("POST", ORDER, **STOP | {"quantity": "0.5"}, stopPrice="95")
        with local.user_stream() as stream:
            local.step(2)
            *_, traded, ended = stream.events(3)
        assert (traded["X"], traded["z"]) == ("PARTIALLY_FILLED", "0.30000000")
        assert (ended["x"], ended["z"], ended["eR"]) == ("EXPIRED", "0.30000000", "INSUFFICIENT_LIQUIDITY")
        assert local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "EXPIRED"


@pytest.mark.parametrize(("order_type", "side", "stop"), [
    ("STOP_LOSS_LIMIT", "BUY", "103"), ("TAKE_PROFIT_LIMIT", "SELL", "103"), ("TAKE_PROFIT", "SELL", "103"),
    ("STOP_LOSS", "BUY", "103"),
])  # fmt: skip
def test_what_waits_above_the_market_goes_off_there(tmp_path: Path, order_type: str, side: str, stop: str) -> None:
    with on_tape(tmp_path, [("100", "101"), ("102", "102.5"), ("104", "105")]) as local:
        limit: Json = (
            {"timeInForce": "GTC", "price": "106" if side == "BUY" else "103"} if "LIMIT" in order_type else {}
        )
        placed = local.good(
            "POST", ORDER, symbol="BTCUSDT", side=side, type=order_type, quantity="0.1", stopPrice=stop, **limit
        )
        local.step()
        assert not local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["isWorking"]
        local.step()
        assert local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "FILLED"


def test_a_trailing_stop_follows_the_market_by_a_part_of_it(tmp_path: Path) -> None:
    prices = [("100", "101"), ("120", "121"), ("114.01", "115"), ("113.99", "115")]
    with on_tape(tmp_path, prices) as local:
        placed = local.good("POST", ORDER, **STOP, trailingDelta="500", newOrderRespType="RESULT")
        assert placed["trailingDelta"] == 500
        local.step(2)
        assert local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "NEW"
        local.step()
        assert local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "FILLED"


def test_a_trail_begins_where_the_stop_price_is_reached(tmp_path: Path) -> None:
    prices = [("100", "101"), ("109", "110"), ("90", "91"), ("111", "112"), ("107", "108"), ("105", "106")]
    with on_tape(tmp_path, prices) as local:
        placed = local.good(
            "POST", ORDER, symbol="BTCUSDT", side="SELL", type="TAKE_PROFIT", quantity="0.1", stopPrice="110",
            trailingDelta="500",
        )  # fmt: skip
        local.step(4)
        assert local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "NEW"
        local.step()
        filled = local.good("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
        assert (filled["status"], filled["cummulativeQuoteQty"]) == ("FILLED", "10.50000000")


# --- one cancels the other ------------------------------------------------------------------------------------------

OCO: Json = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5", "aboveType": "LIMIT_MAKER", "abovePrice": "110",
    "aboveClientOrderId": "up", "belowType": "STOP_LOSS", "belowStopPrice": "90", "belowClientOrderId": "down",
    "listClientOrderId": "pair",
}  # fmt: skip


def _leg_states(local: Local) -> dict[str, str]:
    return {row["clientOrderId"]: row["status"] for row in local.good("GET", "/api/v3/allOrders", symbol="BTCUSDT")}


@pytest.mark.parametrize(("quote", "filled", "ended"), [(("111", "112"), "up", "down"), (("89", "90"), "down", "up")])
def test_one_leg_ends_the_other(tmp_path: Path, quote: tuple[str, str], filled: str, ended: str) -> None:
    with on_tape(tmp_path, [("100", "101"), quote]) as local, local.user_stream() as stream:
        made = local.good("POST", "/api/v3/orderList/oco", **OCO)
        assert (made["contingencyType"], made["listOrderStatus"], len(made["orderReports"])) == ("OCO", "EXECUTING", 2)
        locked = {row["asset"]: row["locked"] for row in local.good("GET", "/api/v3/account")["balances"]}
        assert locked["BTC"] == "0.50000000"
        local.step()
        assert _leg_states(local) == {filled: "FILLED", ended: "EXPIRED"}
        (over,) = [event for event in _until_done(stream) if event.get("L") == "ALL_DONE"]
        assert (over["e"], over["g"]) == ("listStatus", made["orderListId"])
        assert local.good("GET", "/api/v3/openOrderList") == []


def _until_done(stream: Socket) -> list[Json]:
    found: list[Json] = []
    while not found or found[-1].get("L") != "ALL_DONE":
        found.append(stream.next()["event"])
    return found


def test_canceling_one_leg_cancels_the_list(local: Local) -> None:
    made = local.good("POST", "/api/v3/orderList/oco", **OCO)
    assert local.bad("POST", "/api/v3/orderList/oco", **OCO) == (-2010, "Duplicate order sent.")
    gone = local.good("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="up", newClientOrderId="end")
    assert gone["listOrderStatus"] == "ALL_DONE"
    assert {row["status"] for row in gone["orderReports"]} == {"CANCELED"}
    found = local.good("GET", "/api/v3/orderList", orderListId=made["orderListId"])
    assert [leg["clientOrderId"] for leg in found["orders"]] == ["down", "up"]
    assert local.bad("DELETE", "/api/v3/orderList", symbol="BTCUSDT", orderListId=made["orderListId"])[0] == -2011


@pytest.mark.parametrize("changed", [{"abovePrice": "99"}, {"belowStopPrice": "102"}])
def test_the_prices_of_a_pair_stand_around_the_market(local: Local, changed: dict[str, str]) -> None:
    code, message = local.bad("POST", "/api/v3/orderList/oco", **OCO | changed)
    assert (code, message) == (-2010, "The relationship of the prices for the orders is not correct.")
    assert local.good("GET", "/api/v3/openOrders") == []
