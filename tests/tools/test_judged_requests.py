"""What a judge sends is compared with what the adapter sends: equal where they mean the same, and nowhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from adapters.binance import calls
from adapters.binance.calls import Call, Credentials, Validity
from adapters.binance.signing import read_signer
from adapters.door import Door, HttpAnswer, HttpRequest
from adapters.secret import Secret
from engine.values import OrderType, VenueOrderId
from tests.adapters.binance.trader import cancel_order, replace_order, submit_order
from tools.judges.recorder import recording
from tools.judges.same_requests import OURS_ALONE, compare

KEYS = Credentials(Secret("key"), read_signer("secret"))
AT = Validity(1_700_000_000_000, 5_000)
SYMBOL = "BTCUSDT"

OURS: dict[str, Call] = {
    "limit": calls.place(submit_order(), SYMBOL),
    "maker": calls.place(submit_order(post_only=True), SYMBOL),
    "market": calls.place(submit_order(order_type=OrderType.MARKET, price=None), SYMBOL),
    "stop": calls.place(submit_order(order_type=OrderType.STOP, price=None, stop_price=submit_order().price), SYMBOL),
    "cancel": calls.cancel(cancel_order(), SYMBOL),
    "cancel by number": calls.cancel(evolve(cancel_order(), venue_order_id=VenueOrderId("28")), SYMBOL),
    "replace": calls.cancel_replace(replace_order(), SYMBOL),
    "amend": calls.amend(replace_order(), SYMBOL),
    "query": calls.order_status(SYMBOL, "h20i60b1c0000011", None),
    "open orders": calls.open_orders(),
    "open orders of one": calls.open_orders(SYMBOL),
    "all orders": calls.all_orders(SYMBOL, since_ms=1),
    "trades": calls.my_trades(SYMBOL, from_id=7),
    "account": calls.account(),
    "rights": calls.key_rights(),
    "counts": calls.order_counts(),
    "time": calls.server_time(),
    "symbols": calls.exchange_info((SYMBOL, "ETHUSDT")),
    "book": calls.depth(SYMBOL, 1_000),
}


def sent(call: Call, **changes: str | None) -> HttpRequest:
    """As it arrives; with parameters changed, added or (None) left out."""
    http = calls.http_request(call, "http://127.0.0.1", KEYS, AT)
    parts = urlsplit(http.url)
    body, query = dict(parse_qsl(http.body or "")), dict(parse_qsl(parts.query))
    params = {**query, **body, **changes}
    text = urlencode({name: value for name, value in params.items() if value is not None})
    return HttpRequest(http.method, parts.path, "" if body else text, text if body else "", {}, "127.0.0.1")


@pytest.mark.parametrize("name", OURS)
def test_our_own_requests_are_ours(name: str) -> None:
    found = compare([sent(OURS[name])])
    assert (found.differences, found.foreign.total(), found.same.total()) == ((), 0, 1)


@given(name=st.sampled_from(["limit", "maker", "market", "stop", "cancel", "replace", "amend"]), data=st.data())
def test_a_request_that_means_something_else_is_not_ours(name: str, data: st.DataObject) -> None:
    """One more parameter, or one of the order's own missing or of another form, and it is told. Ids and symbols are
    names: another one is another order's, but not another kind of request."""
    call = OURS[name]
    meaning = sorted(set(call.params) - set(OURS_ALONE))
    changed = data.draw(st.sampled_from([*meaning, "icebergQty", "selfTradePreventionMode", "strategyId"]))
    if changed == "symbol" or changed.endswith("OrderId"):
        value = None
    elif changed in call.params:
        value = data.draw(st.sampled_from([None, f" {call.params[changed]}", f"{call.params[changed]}?"]))
    else:
        value = "1"
    found = compare([sent(call, **{changed: value})])
    assert found.same.total() == 0


def test_a_value_that_was_written_otherwise_is_told() -> None:
    found = compare([sent(OURS["limit"], quantity="00.2")])
    assert found.differences == ("POST /api/v3/order: quantity is 00.2, the adapter's is 0.2",)


def test_what_each_may_add_is_no_difference() -> None:
    for changes in ({"newOrderRespType": "ACK"}, {"newOrderRespType": None}, {"newClientOrderId": None}):
        assert compare([sent(OURS["limit"], **changes)]).same.total() == 1
    assert compare([sent(OURS["trades"], limit="5")]).same.total() == 1
    assert compare([sent(OURS["limit"], quoteOrderQty="10", quantity=None)]).foreign.total() == 1


def test_recorded_requests_of_other_clients_are_ours(shared: Path) -> None:
    path = shared / "data" / "vectors" / "client_requests.json"
    if not path.is_file():
        pytest.skip(f"no requests of other clients: {path} is missing")
    rows = [row["expect"] for row in json.loads(path.read_text()) if row["venue"] == "binance_spot"]
    found = compare(HttpRequest(row["method"], row["path"], row["query"], row["body"], {}, "") for row in rows)
    assert found.differences == ()
    assert (found.same.total(), found.foreign.total()) == (6, 1)


# --- the recorder ---------------------------------------------------------------------------------------------------


@pytest.fixture
def behind() -> Iterator[tuple[Door, list[HttpRequest]]]:
    """An exchange that answers everything by 429."""
    heard: list[HttpRequest] = []

    def respond(request: HttpRequest) -> HttpAnswer:
        heard.append(request)
        return HttpAnswer(429, b'{"code":-1003}', {"Retry-After": "7", "X-MBX-USED-WEIGHT-1M": "9"})

    door = Door(0, respond, lambda *_: None)
    door.start()
    yield door, heard
    door.close()


def test_requests_are_passed_on_as_they_are_and_answers_back(behind: tuple[Door, list[HttpRequest]]) -> None:
    door, heard = behind
    with recording(f"http://127.0.0.1:{door.port}") as (url, recorder):
        answer = requests.post(f"{url}/api/v3/order?a=%2F1", data="b=%20", headers={"X-MBX-APIKEY": "key"}, timeout=10)
    assert (answer.status_code, answer.content) == (429, b'{"code":-1003}')
    assert (answer.headers["Retry-After"], answer.headers["X-MBX-USED-WEIGHT-1M"]) == ("7", "9")
    assert [(each.method, each.path, each.query, each.body) for each in heard] == [
        ("POST", "/api/v3/order", "a=%2F1", "b=%20")
    ]
    assert heard[0].headers["x-mbx-apikey"] == "key"
    assert [each.query for each in recorder.requests] == ["a=%2F1"]


def test_an_exchange_that_is_gone_is_a_bad_gateway(behind: tuple[Door, list[HttpRequest]]) -> None:
    door, _ = behind
    door.close()
    with recording(f"http://127.0.0.1:{door.port}") as (url, _recorder):
        assert requests.get(f"{url}/api/v3/time", timeout=10).status_code == 502
    assert not [thread for thread in threading.enumerate() if thread.name == "door"]
