"""The account at the local exchange of USD-M futures: settings, margins, fundings, listen keys, streams."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from adapters.simulated.options import FeeRates
from engine.values import ZERO
from tests.adapters.binance_usdm.local_futures import ORDER, Futures, api_key, limit, on_tape, serving
from tests.adapters.simulated.memory_log import MemoryLog


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Futures]:
    with on_tape(tmp_path) as found:
        yield found


# --- settings -----------------------------------------------------------------------------------------------------


def test_settings_are_read_set_told_and_outlive_the_exchange() -> None:
    log = MemoryLog()
    with serving(log) as local, local.user_stream() as stream:
        assert local.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)["leverage"] == 7
        event = stream.next()
        assert (event["e"], event["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": "BTCUSDT", "l": 7})
        local.good("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
        assert stream.next()["a"]["m"] == "MARGIN_TYPE_CHANGE"
    log.is_closed = False
    with serving(log) as local:
        (row,) = local.good("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT")
        assert (row["leverage"], row["marginType"]) == (7, "ISOLATED")


def test_the_position_mode_changes_only_where_nothing_is_held(local: Futures) -> None:
    placed = local.limit("BUY", 90)
    path = "/fapi/v1/positionSide/dual"
    assert local.bad("POST", path, dualSidePosition="true")[0] == -4068
    local.good("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    local.good("POST", path, dualSidePosition="true")
    assert local.good("GET", "/fapi/v1/accountConfig")["dualSidePosition"] is True
    assert local.bad("POST", ORDER, **limit("BUY", 90))[0] == -4061


# --- margins ------------------------------------------------------------------------------------------------------


def test_what_is_held_sets_margin_aside_and_has_a_price_at_which_it_is_lost(tmp_path: Path) -> None:
    with on_tape(tmp_path, balances={"USDT": 100}, fees=FeeRates(ZERO, ZERO)) as local:
        local.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
        local.market("BUY", "1")
        (row,) = local.good("GET", "/fapi/v3/positionRisk")
        account = local.good("GET", "/fapi/v3/account")
    held = {name: Decimal(row[name]) for name in ("entryPrice", "markPrice", "unRealizedProfit", "liquidationPrice")}
    assert held["entryPrice"] == 101
    assert held["markPrice"] == Decimal("100.5")
    assert held["unRealizedProfit"] == Decimal("-0.5")
    equity_there = 100 + held["liquidationPrice"] - 101
    assert abs(equity_there - held["liquidationPrice"] * Decimal("0.004")) < Decimal("0.001")
    assert account["totalWalletBalance"] == "100.00000000"
    assert account["totalMarginBalance"] == "99.50000000"
    assert account["totalMaintMargin"] == "0.40200000"
    assert account["totalInitialMargin"] == "10.05000000"
    assert account["availableBalance"] == "89.45000000"


def test_older_questions_about_the_account_have_what_settings_say(local: Futures) -> None:
    local.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)
    local.good("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    local.market("BUY", "0.1")
    (held,) = local.good("GET", "/fapi/v2/account")["positions"]
    (risk,) = local.good("GET", "/fapi/v2/positionRisk")
    assert (held["leverage"], held["isolated"], risk["marginType"]) == ("7", True, "isolated")
    (bracket,) = local.good("GET", "/fapi/v1/leverageBracket", symbol="BTCUSDT")[0]["brackets"]
    assert bracket["initialLeverage"] == 125


# --- fundings -----------------------------------------------------------------------------------------------------


def test_a_funding_is_told_without_its_id_and_listed_with_it() -> None:
    with serving(funding_rate=Decimal("0.01"), funding_every_ns=500_000_000) as local, local.user_stream() as stream:
        local.market("BUY", "0.1")
        while (event := stream.next())["e"] != "ACCOUNT_UPDATE" or event["a"]["m"] != "FUNDING_FEE":
            continue
        rows = local.good("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
        assert event["a"]["P"] == []
        assert "tranId" not in str(event)
        assert Decimal(rows[0]["income"]) < 0
        assert len({row["tranId"] for row in rows}) == len(rows)
        assert local.good("GET", "/fapi/v1/income", incomeType="COMMISSION") == []


# --- listen keys --------------------------------------------------------------------------------------------------


def test_a_key_lives_on_when_it_is_asked_for_again_or_kept() -> None:
    with serving(listen_key_life_ns=600_000_000) as local:
        first = local.key()
        for _ in range(4):
            time.sleep(0.2)
            assert local.session.put(f"{local.url}/fapi/v1/listenKey").status_code == 200
        assert local.key() == first
        time.sleep(0.7)
        answer = local.session.put(f"{local.url}/fapi/v1/listenKey")
        assert answer.json()["code"] == -1125
        assert local.key() != first


def test_a_key_that_is_over_is_told_and_ends_its_stream(local: Futures) -> None:
    with local.user_stream() as stream:
        local.control("expire")
        assert stream.next()["e"] == "listenKeyExpired"
        with pytest.raises(ConnectionClosed):
            stream.next()
    with local.ws("/private/ws/nonsense") as other, pytest.raises(ConnectionClosed):
        other.next()


def test_who_has_no_key_gets_no_listen_key(local: Futures) -> None:
    local.session.headers.clear()
    refused = local.session.post(f"{local.url}/fapi/v1/listenKey")
    assert (refused.status_code, refused.json()["code"]) == (401, -2014)
    local.session.headers.update(api_key())
    local.faults(revoke_key=True)
    assert local.session.post(f"{local.url}/fapi/v1/listenKey").json()["code"] == -2015
    local.faults(throttle="5s")
    assert local.session.post(f"{local.url}/fapi/v1/listenKey").status_code == 429


# --- market streams -----------------------------------------------------------------------------------------------


def test_frames_are_raw_and_books_name_the_event_before() -> None:
    with serving() as local, local.ws("/public/ws") as stream:
        stream.connection.send('{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@bookTicker"],"id":1}')
        frames = [stream.next() for _ in range(40)]
    assert {"result": None, "id": 1} in frames
    depths = [frame for frame in frames if frame.get("e") == "depthUpdate"]
    assert len(depths) > 3
    assert all(later["pu"] == earlier["u"] for earlier, later in pairwise(depths))
    assert any(later["U"] > earlier["u"] + 1 for earlier, later in pairwise(depths))
    quotes = [frame for frame in frames if frame.get("e") == "bookTicker"]
    assert {"E", "T", "u", "s", "b", "B", "a", "A"} <= set(quotes[0])


def test_the_mark_is_told_every_second_with_the_next_funding() -> None:
    with serving() as local, local.ws("/market/ws/btcusdt@markPrice@1s") as stream:
        frames = [stream.next() for _ in range(3)]
    assert [frame["e"] for frame in frames] == ["markPriceUpdate"] * 3
    assert 500 <= frames[2]["E"] - frames[1]["E"] <= 1_500
    assert frames[0]["T"] % (8 * 3_600_000) == 0


def test_the_limits_that_are_told_are_those_that_hold() -> None:
    with serving(orders_per_minute=2) as local:
        rows = local.get("/fapi/v1/exchangeInfo")["rateLimits"]
        assert {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 2} in rows
        local.limit("BUY", 50_000)
        answer = local.signed("POST", ORDER, **limit("BUY", 50_000))
        assert answer.headers["X-MBX-ORDER-COUNT-1M"] == "2"
        assert local.bad("POST", ORDER, 429, **limit("BUY", 50_000))[0] == -1015
