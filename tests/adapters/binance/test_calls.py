"""Requests as they travel: signed as the published vectors are, and equal to what other clients build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.binance import calls
from adapters.binance.calls import Call, Credentials, Validity
from adapters.binance.signing import read_signer, read_verifier, rest_payload, ws_payload
from adapters.secret import Secret
from engine.outbox import SubmitOrder
from engine.values import ClientOrderId, OrderType, Side, TimeInForce, VenueOrderId
from tests.adapters.binance.trader import cancel_order, replace_order, submit_order

API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KEYS = Credentials(Secret(API_KEY), read_signer(SECRET))
AT = Validity(1_700_000_000_000, 10_000)
URL = "https://api.binance.com"
ID = ClientOrderId("hx-0001")

OURS_ALONE = {"newOrderRespType", "cancelRestrictions", "cancelNewClientOrderId"}
"""What one side says and the other leaves to the venue's default, or to chance; the meaning of the order is the same
with and without it."""

BUY = {"side": Side.BUY, "quantity": Decimal("0.2"), "price": Decimal(50)}


def vectors(shared: Path) -> list[dict[str, Any]]:
    path = shared / "data" / "vectors" / "client_requests.json"
    if not path.is_file():
        pytest.skip(f"no requests of other clients: {path} is missing")
    return [row for row in json.loads(path.read_text()) if row["venue"] == "binance_spot"]


def placed(request: SubmitOrder) -> Call:
    """The call of an order that Binance has a word for."""
    call = calls.place(request, "BTCUSDT")
    assert call is not None
    return call


def stop_limit() -> Call:
    terms = {**BUY, "order_type": OrderType.STOP_LIMIT, "stop_price": Decimal(100)}
    return placed(submit_order("hx-0001", **terms))


def limit(time_in_force: TimeInForce) -> Call:
    return placed(submit_order("hx-0001", **BUY, time_in_force=time_in_force))


def market_sell() -> Call:
    terms = {"side": Side.SELL, "quantity": Decimal("0.01"), "price": None, "order_type": OrderType.MARKET}
    return placed(submit_order("hx-0001", **terms))


def replaced(quantity: str, price: str, venue_order_id: str | None) -> Call:
    known = VenueOrderId(venue_order_id) if venue_order_id else None
    request = replace_order(
        "hx-0001", quantity=Decimal(quantity), price=Decimal(price), venue_order_id=known,
        new_client_order_id=ClientOrderId("hx-0002"),
    )  # fmt: skip
    return calls.cancel_replace(request, "BTCUSDT")


def same_call(row: Mapping[str, Any]) -> Call | None:
    """The same order in our words; None for one that the engine does not have: a market order by what it costs."""
    asked = row["expect"]["body"]
    if "quoteOrderQty" in asked:
        return None
    if "cancelReplace" in row["expect"]["path"]:
        by_id = "cancelOrderId" in asked
        return replaced("0.3", "51", "28") if by_id else replaced("0.01", "20001", None)
    if "STOP_LOSS_LIMIT" in asked:
        return stop_limit()
    if "MARKET" in asked:
        return market_sell()
    return limit(TimeInForce.FOK if "FOK" in asked else TimeInForce.IOC)


def test_requests_equal_those_of_other_clients(shared: Path) -> None:
    compared = 0
    for row in vectors(shared):
        call, expected = same_call(row), row["expect"]
        if call is None:
            continue
        request = calls.http_request(call, URL, KEYS, AT)
        parts = urlsplit(request.url)
        assert (request.method, parts.hostname, parts.path, parts.query) == (
            expected["method"], expected["host"], expected["path"], expected["query"],
        )  # fmt: skip
        assert request.headers["X-MBX-APIKEY"] == expected["headers"]["X-MBX-APIKEY"]
        assert essence(request.body or "") == essence(expected["body"])
        assert read_verifier(SECRET).verify(rest_payload(expected["body"]), signature(expected["body"]))
        compared += 1
    assert compared == 6


def essence(body: str) -> dict[str, str]:
    return {name: value for name, value in parse_qsl(body) if name not in OURS_ALONE | {"signature"}}


def signature(body: str) -> str:
    return dict(parse_qsl(body))["signature"]


def test_a_published_request_has_its_published_signature() -> None:
    params = {
        "symbol": "LTCBTC", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "0.1",
    }  # fmt: skip
    call = Call("POST", "/api/v3/order", "order.place", params, 1)
    request = calls.http_request(call, URL, KEYS, Validity(1_499_827_319_559, 5_000))
    assert signature(request.body or "") == "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def test_a_published_frame_has_its_published_signature() -> None:
    params = {
        "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000000",
        "price": "52000.00",
    }  # fmt: skip
    text = calls.ws_text(Call("", "", "order.place", params, 1), 7, KEYS, Validity(1_645_423_376_532, 100))
    frame = json.loads(text)
    assert (frame["id"], frame["method"]) == (7, "order.place")
    assert frame["params"]["signature"] == "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"


number = st.decimals(min_value=Decimal("1E-12"), max_value=Decimal("1E12"), places=None, allow_nan=False).filter(
    lambda found: found > 0
)


@given(quantity=number, price=number, stop=number, kind=st.sampled_from(list(calls.TYPES)), post_only=st.booleans())
def test_numbers_are_plain_and_every_signature_is_good(
    quantity: Decimal, price: Decimal, stop: Decimal, kind: OrderType, post_only: bool
) -> None:
    is_maker = post_only and kind is OrderType.LIMIT
    request = submit_order(quantity=quantity, price=price, stop_price=stop, order_type=kind, post_only=is_maker)
    call = placed(request)
    for name in ("quantity", "price", "stopPrice"):
        if name in call.params:
            assert set(str(call.params[name])) <= set("0123456789.")
    assert Decimal(str(call.params["quantity"])) == quantity
    assert ("price" in call.params) is kind.has_price
    assert ("stopPrice" in call.params) is kind.has_trigger
    assert ("timeInForce" in call.params) is (kind.has_price and not is_maker)
    http = calls.http_request(call, URL, KEYS, AT)
    assert read_verifier(SECRET).verify(rest_payload(http.body or ""), signature(http.body or ""))
    params = json.loads(calls.ws_text(call, 1, KEYS, AT))["params"]
    assert read_verifier(SECRET).verify(ws_payload(params), params["signature"])


@pytest.mark.parametrize(
    ("changes", "amends"),
    [
        ({"quantity": Decimal("0.1"), "price": Decimal(50)}, True),
        ({"quantity": Decimal("0.1"), "price": None}, True),
        ({"quantity": Decimal("0.1"), "price": Decimal(51)}, False),
        ({"quantity": Decimal("0.2"), "price": Decimal(50)}, False),
        ({"quantity": Decimal("0.3"), "price": Decimal(50)}, False),
        ({"quantity": Decimal("0.1"), "price": Decimal(50), "order_type": OrderType.STOP_LIMIT}, False),
    ],
)
def test_only_a_smaller_quantity_is_an_amendment(changes: dict[str, Any], amends: bool) -> None:
    assert calls.is_amendment(replace_order(**changes)) is amends


def test_ids_stay_within_what_binance_takes() -> None:
    longest = "h20i60b1c0000011-" + "t" * 16
    assert len(longest) == 33
    for call in (
        placed(submit_order(longest)),
        calls.cancel(cancel_order(longest), "BTCUSDT"),
        calls.cancel_replace(replace_order(longest), "BTCUSDT"),
    ):
        named = [str(value) for name, value in call.params.items() if name.endswith("ClientOrderId")]
        assert named
        assert all(len(name) <= 36 for name in named)
