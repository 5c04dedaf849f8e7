"""Orders at the local exchange of USD-M futures: answers, refusals, changes in place, reduce-only, the venue's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.binance.local_exchange import Json
from tests.adapters.binance_usdm.local_futures import ORDER, Futures, limit, on_tape, orders_of


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Futures]:
    with on_tape(tmp_path) as found:
        yield found


def test_the_usual_answer_tells_nothing_that_has_happened_since(local: Futures) -> None:
    told = local.market("BUY", "0.4", newOrderRespType="ACK")
    assert (told["status"], told["executedQty"]) == ("NEW", "0")
    told = local.market("BUY", "0.4")
    assert (told["status"], told["executedQty"], told["avgPrice"]) == ("FILLED", "0.40000000", "101.00000000")


def test_an_order_keeps_its_id_when_it_is_canceled(local: Futures) -> None:
    placed = local.limit("BUY", 90, newClientOrderId="mine")
    gone = local.good("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine")
    assert (gone["status"], gone["clientOrderId"], gone["orderId"]) == ("CANCELED", "mine", placed["orderId"])
    assert local.good("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")["status"] == "CANCELED"
    assert local.bad("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine")[0] == -2011


def test_an_id_is_unique_among_open_orders_alone(local: Futures) -> None:
    local.limit("BUY", 90, newClientOrderId="mine")
    assert local.bad("POST", ORDER, **limit("BUY", 90, newClientOrderId="mine"))[0] == -4116
    local.good("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine")
    assert local.limit("BUY", 90, newClientOrderId="mine")["status"] == "NEW"


def test_a_change_keeps_both_ids_and_is_told_as_an_amendment(local: Futures) -> None:
    placed = local.limit("BUY", 90, "0.2", newClientOrderId="mine")
    with local.user_stream() as stream:
        changed = local.good("PUT", ORDER, orderId=placed["orderId"], **_terms(91, "0.3"))
        (event,) = orders_of(stream, 1)
    assert (changed["orderId"], changed["clientOrderId"]) == (placed["orderId"], "mine")
    assert (event["x"], event["c"], event["q"], event["p"]) == ("AMENDMENT", "mine", "0.30000000", "91.00000000")
    assert local.bad("PUT", ORDER, orderId=placed["orderId"], **_terms(91, "0.3"))[0] == -5027


def _terms(price: int, quantity: str) -> Json:
    return {"symbol": "BTCUSDT", "side": "BUY", "quantity": quantity, "price": str(price)}


def test_a_change_that_would_make_a_post_only_order_take_ends_it(local: Futures) -> None:
    placed = local.limit("BUY", 90, timeInForce="GTX")
    assert local.good("PUT", ORDER, orderId=placed["orderId"], **_terms(102, "0.1"))["status"] == "CANCELED"
    assert local.good("GET", "/fapi/v1/userTrades", symbol="BTCUSDT") == []


def test_a_change_to_less_than_was_executed_ends_the_order(local: Futures) -> None:
    placed = local.limit("BUY", 101, "1.5")
    assert placed["executedQty"] == "1.00000000"
    assert local.good("PUT", ORDER, orderId=placed["orderId"], **_terms(100, "0.5"))["status"] == "CANCELED"


@pytest.mark.parametrize(("changes", "code"), [
    ({"timeInForce": "GTX", "price": "102"}, -5022),
    ({"price": "90.001"}, -4014),
    ({"price": "116"}, -4016),
    ({"side": "SELL", "price": "85"}, -4024),
    ({"quantity": "0.000001"}, -4004),
    ({"quantity": "0.0000125"}, -4023),
    ({"quantity": "0.01"}, -4164),
    ({"type": "STOP_MARKET"}, -4120),
    ({"positionSide": "LONG"}, -4061),
    ({"newClientOrderId": "no blanks"}, -4015),
    ({"quantity": "90"}, -2019),
    ({"reduceOnly": "true"}, -2022),
    ({"timeInForce": "GTD"}, -1102),
    ({"symbol": "XYZUSDT"}, -1121),
])  # fmt: skip
def test_what_is_wrong_with_an_order_has_its_code(tmp_path: Path, changes: Json, code: int) -> None:
    with on_tape(tmp_path, balances={"USDT": 400}) as local:
        assert local.bad("POST", ORDER, **(limit("BUY", 90) | changes))[0] == code
        assert local.ledger()["orders"] == []


def test_an_order_with_an_end_ends(local: Futures) -> None:
    end_ms = int(time.time() * 1000) + 250
    with local.user_stream() as stream:
        placed = local.limit("BUY", 90, timeInForce="GTD", goodTillDate=end_ms)
        new, expired = orders_of(stream, 2)
    assert (placed["goodTillDate"], new["gtd"]) == (end_ms, end_ms)
    assert (expired["x"], expired["X"], expired["z"]) == ("EXPIRED", "EXPIRED", "0.00000000")


# --- reduce-only --------------------------------------------------------------------------------------------------


def test_reduce_only_orders_are_never_more_than_the_position(local: Futures) -> None:
    local.market("BUY", "0.5")
    local.limit("SELL", 110, "0.3", reduceOnly="true")
    assert local.bad("POST", ORDER, **limit("SELL", 111, "0.3", reduceOnly="true"))[0] == -2022
    assert local.bad("POST", ORDER, **limit("BUY", 90, "0.1", reduceOnly="true"))[0] == -2022


def test_what_the_position_is_too_small_for_is_ended(local: Futures) -> None:
    local.market("BUY", "0.5")
    first = local.limit("SELL", 110, "0.3", reduceOnly="true")
    second = local.limit("SELL", 111, "0.2", reduceOnly="true")
    with local.user_stream() as stream:
        local.market("SELL", "0.2")
        events = orders_of(stream, 3)
    assert [event["x"] for event in events] == ["NEW", "TRADE", "CANCELED"]
    assert events[-1]["i"] == second["orderId"]
    assert [row["orderId"] for row in local.good("GET", "/fapi/v1/openOrders")] == [first["orderId"]]


# --- the venue's own orders ---------------------------------------------------------------------------------------


def test_a_liquidation_is_an_order_of_the_venue_with_its_fee(local: Futures) -> None:
    local.market("BUY", "0.5")
    with local.user_stream() as stream:
        local.control("liquidate", symbol="BTCUSDT")
        new, executed = orders_of(stream, 2)
    assert new["c"].startswith("autoclose-")
    assert (executed["x"], executed["X"], executed["S"], executed["l"]) == (
        "CALCULATED",
        "FILLED",
        "SELL",
        "0.50000000",
    )
    assert (executed["n"], executed["N"]) == ("0.05000000", "USDT")
    assert local.good("GET", "/fapi/v3/positionRisk") == []
    local.control("liquidate", 400, symbol="BTCUSDT")


def test_others_losses_are_covered_with_a_part_of_the_position(local: Futures) -> None:
    local.market("SELL", "0.5")
    with local.user_stream() as stream:
        local.control("adl", symbol="BTCUSDT", quantity="0.2")
        new, executed = orders_of(stream, 2)
    assert (new["c"], executed["x"], executed["S"], executed["l"]) == ("adl_autoclose", "TRADE", "BUY", "0.20000000")
    (row,) = local.good("GET", "/fapi/v3/positionRisk")
    assert row["positionAmt"] == "-0.30000000"


def test_an_end_is_told_to_executions_that_are_looked_for_too_far_back(local: Futures) -> None:
    local.market("BUY", "0.4")
    now_ms = int(time.time() * 1000)
    week_ms = 7 * 86_400_000
    path = "/fapi/v1/userTrades"
    assert local.bad("GET", path, symbol="BTCUSDT", startTime=now_ms - week_ms - 1, endTime=now_ms)[0] == -4166
    assert local.good("GET", path, symbol="BTCUSDT", startTime=now_ms - week_ms - 60_000) == []
    (row,) = local.good("GET", path, symbol="BTCUSDT", startTime=now_ms - week_ms + 60_000)
    assert (row["qty"], row["commission"], row["commissionAsset"]) == ("0.40000000", "0.04040000", "USDT")
    assert local.bad("GET", path, symbol="BTCUSDT", fromId=1, startTime=now_ms)[0] == -1128
