"""Who may ask the local exchange, when, and how often."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.binance.server.options import LOCAL_API_KEY, Limits
from adapters.binance.signing import read_signer, ws_payload
from engine.values import SECOND_NS, Duration
from tests.adapters.binance.local_exchange import BOUND_SECONDS, Json, Local, serving, sign, signed_params

ACCOUNT = "/api/v3/account"
ORDER = "/api/v3/order"
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")


@pytest.fixture(scope="module")
def shared_local() -> Iterator[Local]:
    with serving() as found:
        yield found


@pytest.fixture
def local(shared_local: Local) -> Local:
    shared_local.faults()
    return shared_local


def _now_ms() -> int:
    return int(time.time() * 1000)


def _raw(
    local: Local, method: str, path: str, query: str, body: str = "", key: str | None = LOCAL_API_KEY
) -> tuple[int, int]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | ({} if key is None else {"X-MBX-APIKEY": key})
    answer = local.session.__class__().request(
        method, f"{local.url}{path}?{query}", data=body or None, headers=headers, timeout=BOUND_SECONDS
    )
    return answer.status_code, answer.json().get("code", 0)


def test_query_and_body_are_signed_together_without_a_sign_between(local: Local) -> None:
    query = urlencode({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"})
    body = urlencode({"quantity": "0.001", "price": "50000", "timestamp": _now_ms()})
    assert _raw(local, "POST", ORDER, query, f"{body}&signature={sign(query + body)}") == (200, 0)
    assert _raw(local, "POST", ORDER, query, f"{body}&signature={sign(f'{query}&{body}')}") == (400, -1022)


def test_a_signed_request_may_travel_in_the_body_alone(local: Local) -> None:
    params: Json = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.001",
        "price": "50000",
    }
    assert local.signed("POST", ORDER, in_body=True, **params).status_code == 200


def test_the_query_wins_where_a_parameter_is_in_both(local: Local) -> None:
    query = urlencode({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "50000"})
    body = urlencode({"quantity": "0.001", "price": "1", "timestamp": _now_ms()})
    assert _raw(local, "POST", ORDER, query, f"{body}&signature={sign(query + body)}") == (200, 0)
    assert local.good("GET", "/api/v3/openOrders")[-1]["price"] == "50000.00000000"


@pytest.mark.parametrize(("key", "status", "code"), [
    (None, 401, -2014), ("häh", 401, -2014), ("nobody", 401, -2015), (LOCAL_API_KEY, 400, -1022),
])  # fmt: skip
def test_who_is_not_known_is_refused(local: Local, key: str | None, status: int, code: int) -> None:
    query = f"timestamp={_now_ms()}"
    sent = None if key is None else key.encode("latin1").decode("latin1")
    assert _raw(local, "GET", ACCOUNT, f"{query}&signature={sign('else')}", key=sent) == (status, code)


def test_a_request_without_signature_or_time_is_refused(local: Local) -> None:
    assert _raw(local, "GET", ACCOUNT, f"timestamp={_now_ms()}") == (400, -1102)
    assert _raw(local, "GET", ACCOUNT, f"signature={sign('')}") == (400, -1102)


def test_a_signature_in_upper_case_is_the_same(local: Local) -> None:
    query = f"timestamp={_now_ms()}"
    assert _raw(local, "GET", ACCOUNT, f"{query}&signature={sign(query).upper()}") == (200, 0)


@pytest.mark.parametrize(("params", "code"), [
    ({"timestamp": lambda: _now_ms() + 1_500}, -1021),
    ({"timestamp": lambda: _now_ms() - 6_000}, -1021),
    ({"timestamp": lambda: _now_ms() - 6_000, "recvWindow": lambda: 10_000}, 0),
    ({"timestamp": lambda: _now_ms() + 500}, 0),
    ({"timestamp": lambda: _now_ms() * 1_000}, 0),
    ({"recvWindow": lambda: "4000.123"}, 0),
    ({"recvWindow": lambda: "4000.1234"}, -1111),
    ({"recvWindow": lambda: 60_001}, -1131),
])  # fmt: skip
def test_a_request_has_its_time(local: Local, params: Json, code: int) -> None:
    given = {name: value() for name, value in params.items()}
    answer = local.signed("GET", ACCOUNT, **given)
    assert (answer.json().get("code", 0), answer.status_code) == (code, 400 if code else 200)


def test_a_late_packet_is_refused_where_it_is_carried_out(local: Local) -> None:
    local.faults(delay_request={"at": [1], "by": "400ms"})
    late = local.bad("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001", recvWindow=200)
    assert late == (-1021, "Timestamp for this request is outside of the recvWindow.")


def test_a_skewed_clock_shifts_the_window_and_the_time_that_is_told(local: Local) -> None:
    local.faults(clock_behind="30s")
    assert abs(local.get("/api/v3/time")["serverTime"] - (_now_ms() - 30_000)) < 2_000
    assert local.bad("GET", ACCOUNT)[1] == "Timestamp for this request was 1000ms ahead of the server's time."
    assert local.good("GET", ACCOUNT, timestamp=_now_ms() - 30_000)["canTrade"] is True
    local.faults(clock_ahead="30s")
    assert local.bad("GET", ACCOUNT)[1] == "Timestamp for this request is outside of the recvWindow."


# --- rights ---------------------------------------------------------------------------------------------------------


def test_rights_are_told_and_kept(local: Local) -> None:
    restrictions = local.good("GET", "/sapi/v1/account/apiRestrictions")
    assert (restrictions["enableWithdrawals"], restrictions["enableSpotAndMarginTrading"]) == (False, True)
    local.faults(rights={"withdrawals": True, "spot_trading": False})
    restrictions = local.good("GET", "/sapi/v1/account/apiRestrictions")
    assert (restrictions["enableWithdrawals"], restrictions["enableSpotAndMarginTrading"]) == (True, False)
    assert local.good("GET", ACCOUNT)["canTrade"] is False
    refused = local.bad("POST", ORDER, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001")
    assert refused == (-2010, "This action is disabled on this account.")


def test_a_key_that_is_revoked_in_mid_run_ends_its_sessions(local: Local) -> None:
    with local.user_stream() as stream:
        local.faults(revoke_key=True)
        assert stream.next() == {
            "id": None, "status": 401,
            "error": {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."},
        }  # fmt: skip
        assert local.bad("GET", ACCOUNT, status=401)[0] == -2015
        assert stream.call("userDataStream.subscribe.signature", **signed_params())["status"] == 401
        local.faults()
        assert stream.call("userDataStream.subscribe.signature", **signed_params())["status"] == 200


@pytest.fixture(scope="module")
def ed25519() -> Iterator[tuple[Local, str]]:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with serving(public_key=public.decode()) as found:
        yield found, private.decode()


def test_a_session_is_logged_on_with_an_ed25519_key(ed25519: tuple[Local, str]) -> None:
    local, private = ed25519
    params = {"apiKey": "holdfast-local-public-key", "timestamp": _now_ms()}
    signature = read_signer(private).sign(ws_payload(params))
    with local.ws() as socket:
        assert socket.call("userDataStream.subscribe")["status"] == 401
        logged = socket.call("session.logon", **params, signature=signature)["result"]
        assert (logged["apiKey"], logged["userDataStream"]) == ("holdfast-local-public-key", False)
        assert socket.call("account.status", timestamp=_now_ms())["status"] == 200
        assert socket.call("account.status")["error"]["code"] == -1102
        assert socket.call("userDataStream.subscribe")["result"] == {"subscriptionId": 0}
        assert socket.call("session.status")["result"]["userDataStream"] is True
        assert socket.call("session.logout")["result"]["apiKey"] is None
        assert socket.call("session.subscriptions")["result"] == []


def test_a_session_is_not_logged_on_with_an_hmac_key(local: Local) -> None:
    with local.ws() as socket:
        refused = socket.call("session.logon", **signed_params())
        assert refused["error"]["code"] == -1099


def test_base64_signatures_travel_percent_encoded(ed25519: tuple[Local, str]) -> None:
    local, private = ed25519
    query = f"timestamp={_now_ms()}"
    signature = urlencode({"signature": read_signer(private).sign(query)})
    assert _raw(local, "GET", ACCOUNT, f"{query}&{signature}", key="holdfast-local-public-key") == (200, 0)
    wrong = urlencode({"signature": read_signer(private).sign(query).swapcase()})
    assert _raw(local, "GET", ACCOUNT, f"{query}&{wrong}", key="holdfast-local-public-key") == (400, -1022)


# --- limits ---------------------------------------------------------------------------------------------------------


def _used(local: Local, method: str, path: str, **params: Any) -> int:
    return int(local.signed(method, path, **params).headers["X-MBX-USED-WEIGHT-1M"])


def _in_one_minute() -> None:
    left = 60 - time.time() % 60
    if left < 3:
        time.sleep(left + 0.1)


def test_weights_are_told_and_orders_that_succeed_cost_none(local: Local) -> None:
    _in_one_minute()
    before = _used(local, "GET", ACCOUNT)
    assert _used(local, "GET", "/api/v3/openOrders") == before + 80
    assert _used(local, "GET", "/api/v3/openOrders", symbol="BTCUSDT") == before + 86
    market: Json = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    placed = local.signed("POST", ORDER, **market)
    assert int(placed.headers["X-MBX-USED-WEIGHT-1M"]) == before + 86
    assert "X-MBX-ORDER-COUNT-10S" in placed.headers
    assert _used(local, "POST", ORDER, **market | {"quantity": "0"}) == before + 87


def test_429_comes_with_retry_after_and_who_goes_on_is_banned() -> None:
    limits = Limits(weight_per_minute=60, patience=2, ban_ns=Duration(SECOND_NS))
    with serving(limits=limits) as local:
        _in_one_minute()
        assert [local.signed("GET", ACCOUNT).status_code for _ in range(3)] == [200] * 3
        first = local.signed("GET", ACCOUNT)
        assert (first.status_code, first.json()["code"]) == (429, -1003)
        assert 1 <= int(first.headers["Retry-After"]) <= 60
        assert [local.signed("GET", ACCOUNT).status_code for _ in range(3)] == [429, 429, 418]
        banned = local.signed("GET", ACCOUNT)
        assert (banned.status_code, banned.headers["Retry-After"]) == (418, "1")
        with local.ws() as socket:
            error = socket.call("ping")
            assert error["status"] == 418
            assert error["error"]["data"]["retryAfter"] > error["error"]["data"]["serverTime"]


def test_a_long_ban_and_a_throttle_can_be_ordered(local: Local) -> None:
    local.faults(ban="3d")
    banned = local.signed("GET", ACCOUNT)
    assert (banned.status_code, int(banned.headers["Retry-After"])) == (418, 3 * 86_400)
    local.faults(throttle="7s")
    throttled = local.signed("GET", ACCOUNT)
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    local.faults()
    assert local.signed("GET", ACCOUNT).status_code == 200


def test_unfilled_orders_are_counted_and_a_first_fill_gives_back() -> None:
    with serving(limits=Limits(orders_per_10s=2, orders_per_day=100)) as local:
        while time.time() % 10 > 6:
            time.sleep(0.1)
        for _ in range(3):
            local.market("BUY", "0.001")  # each is filled at once
        counts = [row["count"] for row in local.good("GET", "/api/v3/rateLimit/order")]
        assert counts == [0, 0]
        for _ in range(2):
            local.limit("BUY", "50000", "0.001")
        order: Json = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
        refused = local.bad("POST", ORDER, status=429, price="50000", **order)
        assert refused == (-1015, "Too many new orders; current limit is 2 orders per 10 SECOND.")
