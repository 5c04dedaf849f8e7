"""The local exchange's websockets: market streams, the WS API, the user data stream, and how they end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from engine.values import MILLISECOND_NS, Duration
from tests.adapters.binance.local_exchange import Json, Local, Socket, on_tape, serving, signed_params

ORDER = "/api/v3/order"


@pytest.fixture(scope="module")
def shared_local() -> Iterator[Local]:
    with serving() as found:
        yield found


@pytest.fixture
def local(shared_local: Local) -> Local:
    shared_local.faults()
    return shared_local


# --- market streams -------------------------------------------------------------------------------------------------


def test_streams_are_raw_or_combined(local: Local) -> None:
    with local.ws("/ws/btcusdt@bookTicker") as raw:
        assert set(raw.next()) == {"u", "s", "b", "B", "a", "A"}
    with local.ws("/stream?streams=btcusdt@bookTicker/ethusdt@trade") as combined:
        frames = [combined.next() for _ in range(8)]
    assert {frame["stream"] for frame in frames} <= {"btcusdt@bookTicker", "ethusdt@trade"}
    assert all(set(frame) == {"stream", "data"} for frame in frames)


def test_subscriptions_are_confirmed_listed_and_ended(local: Local) -> None:
    with local.ws("/ws") as line:
        line.connection.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}))
        assert line.next() == {"result": None, "id": 1}
        line.connection.send(json.dumps({"method": "SUBSCRIBE", "params": ["nope@trade"], "id": 2}))
        assert _reply(line, 2)["error"]["code"] == 2
        line.connection.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 3}))
        assert _reply(line, 3)["result"] == ["btcusdt@trade"]
        line.connection.send(json.dumps({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 4}))
        assert _reply(line, 4)["result"] is None
        assert line.silent()


def _reply(line: Socket, number: int) -> Json:
    while True:
        frame: Json = line.next()
        if frame.get("id") == number:
            return frame


def test_depth_events_join_the_snapshot_without_a_gap(local: Local) -> None:
    with local.ws("/ws/btcusdt@depth@100ms") as line:
        first = line.next()
        snapshot = local.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
        book = {side: {Decimal(p): q for p, q in snapshot[side]} for side in ("bids", "asks")}
        known, events = snapshot["lastUpdateId"], [first, *(line.next() for _ in range(6))]
        for event in events:
            if event["u"] <= known:
                continue
            assert event["U"] <= known + 1, "a gap"
            for side, key in (("bids", "b"), ("asks", "a")):
                for price, quantity in event[key]:
                    book[side].pop(Decimal(price), None)
                    if Decimal(quantity):
                        book[side][Decimal(price)] = quantity
            known = event["u"]
    assert known == events[-1]["u"] > snapshot["lastUpdateId"]
    assert max(book["bids"]) < min(book["asks"])
    assert (len(book["bids"]), len(book["asks"])) == (5, 5)


def test_a_lost_depth_event_is_a_gap(local: Local) -> None:
    with local.ws("/ws/btcusdt@depth@100ms") as line:
        before = line.next()
        local.faults(skip_depth=[2])
        events = [line.next() for _ in range(4)]
    ids = [(before["U"], before["u"]), *((event["U"], event["u"]) for event in events)]
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(ids)]
    assert sum(gap > 1 for gap in gaps) == 1


def test_candles_are_told_and_closed_once(tmp_path: Path) -> None:
    with serving() as local, local.ws("/ws/btcusdt@kline_1s") as line:
        frames = [line.next()["k"] for _ in range(6)]
        closed = [frame["t"] for frame in frames if frame["x"]]
        assert closed == sorted(set(closed))
        assert len(closed) >= 2
        rows = {row[0]: row for row in local.get("/api/v3/klines", symbol="BTCUSDT", interval="1s", limit=20)}
        last = [frame for frame in frames if frame["x"]][-1]
        assert rows[last["t"]][1:6] == [last["o"], last["h"], last["l"], last["c"], last["v"]]


def test_minutes_before_the_start_are_told(local: Local) -> None:
    rows = local.get("/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=10)
    assert [row[0] - rows[0][0] for row in rows] == [60_000 * n for n in range(10)]
    fives = local.get("/api/v3/klines", symbol="BTCUSDT", interval="5m", limit=2)
    assert len(fives) == 2
    assert all(Decimal(low) <= Decimal(first) <= Decimal(high) for _, first, high, low, *_ in rows)


def test_a_dead_subscription_says_nothing_on_an_open_socket(local: Local) -> None:
    with local.ws("/ws/btcusdt@bookTicker") as dead, local.ws("/ws/ethusdt@bookTicker") as alive:
        assert dead.next()
        assert alive.next()
        local.faults(dead_streams=["btcusdt@bookTicker"])
        while not dead.silent(0.5):
            pass
        assert alive.next()


def test_a_subscription_may_never_be_confirmed(local: Local) -> None:
    local.faults(ignore_subscribe=True)
    with local.ws("/ws") as line:
        line.connection.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1}))
        assert line.silent()


def test_who_speaks_too_fast_is_cut_off(local: Local) -> None:
    with local.ws("/ws") as hasty, pytest.raises(ConnectionClosed):
        _ask_for_ever(hasty)


def _ask_for_ever(hasty: Socket) -> None:
    for number in range(100):
        hasty.connection.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        hasty.next()


def test_streams_announce_a_shutdown(local: Local) -> None:
    with local.ws("/ws") as raw, local.ws("/stream") as combined, local.user_stream() as user:
        local.faults(announce_shutdown=True)
        assert raw.next()["e"] == "serverShutdown"
        assert combined.next()["stream"] == "!serverShutdown"
        assert set(user.next()) == {"event"}


def test_a_websocket_ends_at_its_age(local: Local) -> None:
    local.faults(lifetime="300ms")
    with local.ws("/ws") as line, pytest.raises(ConnectionClosed):
        line.next(3)


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_a_client_that_does_not_answer_pings_is_cut_off() -> None:
    tenth = Duration(100 * MILLISECOND_NS)
    with serving(ping_every_ns=tenth, pong_within_ns=tenth) as local:
        with local.ws("/ws") as polite:
            time.sleep(0.4)
            polite.connection.ping()
            assert polite.silent(0.1)
        with socket.create_connection(("127.0.0.1", local.port), timeout=5) as rude:
            rude.sendall(UPGRADE)
            received = b""
            while chunk := rude.recv(4_096):  # until the exchange closes the connection
                received += chunk
        assert received.startswith(b"HTTP/1.1 101")


# --- the WS API -----------------------------------------------------------------------------------------------------

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "50000",
}


def test_orders_are_placed_asked_for_and_canceled_over_the_ws_api(local: Local) -> None:
    with local.ws() as line:
        placed = line.call("order.place", **signed_params(**LIMIT, newClientOrderId="ws"))
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        assert [row["rateLimitType"] for row in placed["rateLimits"]] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
        named: Json = {"symbol": "BTCUSDT", "origClientOrderId": "ws"}
        assert line.call("v3/order.status", **signed_params(**named))["result"]["clientOrderId"] == "ws"
        gone = line.call("order.cancel", **signed_params(**named, newClientOrderId="ws-c"))["result"]
        assert (gone["status"], gone["clientOrderId"]) == ("CANCELED", "ws-c")
        refused = line.call("order.cancel", **signed_params(**named))
        assert (refused["status"], refused["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})


def test_rate_limits_can_be_left_out(local: Local) -> None:
    with local.ws("/ws-api/v3?returnRateLimits=false") as line:
        assert set(line.call("time")) == {"id", "status", "result"}
    with local.ws() as line:
        assert "rateLimits" in line.call("time")


@pytest.mark.parametrize("method", ["userDataStream.start", "userDataStream.ping", "userDataStream.stop"])
def test_the_listen_key_is_gone(local: Local, method: str) -> None:
    with local.ws() as line:
        assert line.call(method)["status"] == 410
    assert local.session.post(f"{local.url}/api/v3/userDataStream", timeout=5).status_code == 410


def test_what_is_no_request_is_refused(local: Local) -> None:
    with local.ws() as line:
        for text in ("nonsense", "[]", '{"id":1}', '{"id":1,"method":"time","params":[]}'):
            line.connection.send(text)
            assert line.next()["status"] == 400
        assert line.call("no.such")["status"] == 404


def test_times_are_told_in_microseconds_on_demand(local: Local) -> None:
    answer = local.session.get(f"{local.url}/api/v3/time", headers={"X-MBX-TIME-UNIT": "MICROSECOND"}, timeout=5)
    assert answer.json()["serverTime"] > 10**15
    with local.ws("/ws-api/v3?timeUnit=MICROSECOND") as line:
        assert line.call("time")["result"]["serverTime"] > 10**15
    with local.ws("/ws/btcusdt@depth@100ms?timeUnit=MICROSECOND") as line:
        assert line.next()["E"] > 10**15


# --- the user data stream -------------------------------------------------------------------------------------------


def test_an_account_is_subscribed_once(local: Local) -> None:
    with local.user_stream() as line:
        assert line.call("userDataStream.subscribe.signature", **signed_params())["error"]["code"] == -2035
        assert line.call("session.subscriptions")["result"] == [{"subscriptionId": 0}]
        assert line.call("userDataStream.unsubscribe", subscriptionId=0)["status"] == 200
        assert line.call("userDataStream.unsubscribe")["error"]["code"] == -2036
        local.market("BUY", "0.001")
        assert line.silent()


def test_each_change_is_told_with_the_balances_that_follow(local: Local) -> None:
    with local.user_stream() as line:
        order = local.limit("BUY", "50000", "0.001", newClientOrderId="u")
        event, position = line.next(), line.next()
        assert (event["subscriptionId"], event["event"]["x"], event["event"]["i"]) == (0, "NEW", order["orderId"])
        assert position["event"]["e"] == "outboundAccountPosition"
        named: Json = {"symbol": "BTCUSDT", "origClientOrderId": "u"}
        local.good("PUT", "/api/v3/order/amend/keepPriority", newQty="0.0005", newClientOrderId="v", **named)
        local.good("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="v", newClientOrderId="v-c")
        amended, canceled = line.events(2)
    assert (amended["x"], amended["c"], amended["C"], amended["q"]) == ("REPLACED", "v", "u", "0.00050000")
    assert (canceled["x"], canceled["c"], canceled["C"]) == ("CANCELED", "v-c", "v")
    assert event["event"]["I"] < amended["I"] < canceled["I"]


def test_executions_carry_what_is_filled_after_each(tmp_path: Path) -> None:
    with on_tape(tmp_path, [("100", "101"), ("98", "99"), ("97", "98")], size="0.3") as local:
        with local.user_stream() as line:
            order = local.limit("BUY", "99", "0.5", newClientOrderId="m")
            local.step(2)
            told = line.events(3)[1:]
        assert [event["z"] for event in told] == ["0.30000000", "0.50000000"]
        assert [(event["X"], event["m"], event["L"]) for event in told] == [
            ("PARTIALLY_FILLED", True, "99.00000000"), ("FILLED", True, "99.00000000"),
        ]  # fmt: skip
        trades = local.good("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=order["orderId"])
        assert [event["t"] for event in told] == [row["id"] for row in trades]
        assert [event["Z"] for event in told][-1] == "49.50000000"


def test_a_transfer_is_a_balance_update(local: Local) -> None:
    with local.user_stream() as line:
        answer = local.session.post(
            f"{local.url}/holdfast/transfer", json={"asset": "USDT", "quantity": "-5"}, timeout=5
        )
        assert answer.status_code == 200
        event = line.next()["event"]
        assert (event["e"], event["a"], event["d"]) == ("balanceUpdate", "USDT", "-5.00000000")


def test_a_terminated_stream_says_so(local: Local) -> None:
    with local.user_stream() as line:
        local.faults(terminate_user_streams=True)
        frame = line.next()
        assert (frame["subscriptionId"], frame["event"]["e"]) == (0, "eventStreamTerminated")
        local.faults()
        local.market("BUY", "0.001")
        assert line.silent()


def test_a_socket_may_be_cut_with_events_missed(local: Local) -> None:
    with local.user_stream() as line:
        local.faults(disconnect={"at": [1], "on": ["execution"]})
        local.market("BUY", "0.001")
        with pytest.raises(ConnectionClosed):
            line.events(2)
    assert local.good("GET", "/api/v3/myTrades", symbol="BTCUSDT")
