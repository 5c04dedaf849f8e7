"""The local exchange's JSON has the keys of the official examples, which lie beside the project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.binance.local_exchange import Json, Local, serving

PAYLOADS = "data/payloads/binance"
ORDER = "/api/v3/order"

OPTIONAL = frozenset(
    "stopPrice icebergQty trailingDelta trailingTime strategyId strategyType expiryReason sors preventSor brokered "
    "requireSelfTradePrevention updateTime accountType uid commissionRates eR d D j J W v".split()
)
"""Keys that are there only where they mean something, or that newer answers have."""


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with serving() as found:
        yield found


def _examples(shared: Path, file: str, section: str) -> list[Any]:
    path = shared / PAYLOADS / f"{file}.examples.json"
    if not path.exists():
        pytest.skip(f"no recorded data: {PAYLOADS} is missing")
    return [each["json"] for each in json.loads(path.read_text()) if each["section"] == section and "json" in each]


def _check(ours: Any, theirs: Any, place: str = "") -> None:
    """Every key of the example, with values of its kind; and none beside that is not optional."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), place
        assert set(theirs) - set(ours) - OPTIONAL == set(), f"{place} lacks keys"
        assert set(ours) - set(theirs) - OPTIONAL == set(), f"{place} has more keys"
        for key in set(theirs) & set(ours):
            _check(ours[key], theirs[key], f"{place}.{key}")
    elif isinstance(theirs, list):
        assert isinstance(ours, list), place
        if ours and theirs and "filter" not in place.lower() and theirs[0] != {}:
            _check(ours[0], theirs[0], f"{place}[]")
    elif theirs is not None and ours is not None:
        assert type(ours) is type(theirs), f"{place}: {ours!r} beside {theirs!r}"


PUBLIC = [
    ("Test connectivity", "/api/v3/ping", {}),
    ("Check server time", "/api/v3/time", {}),
    ("Exchange information", "/api/v3/exchangeInfo", {}),
    ("Order book", "/api/v3/depth", {"symbol": "BTCUSDT", "limit": 5}),
    ("Recent trades list", "/api/v3/trades", {"symbol": "BTCUSDT"}),
    ("Compressed/Aggregate trades list", "/api/v3/aggTrades", {"symbol": "BTCUSDT"}),
    ("Kline/Candlestick data", "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 2}),
    ("Current average price", "/api/v3/avgPrice", {"symbol": "BTCUSDT"}),
    ("24hr ticker price change statistics", "/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}),
    ("Symbol price ticker", "/api/v3/ticker/price", {"symbol": "BTCUSDT"}),
    ("Symbol order book ticker", "/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"}),
]


@pytest.mark.parametrize(("section", "path", "params"), PUBLIC, ids=[each[0] for each in PUBLIC])
def test_public_answers(local: Local, shared: Path, section: str, path: str, params: Json) -> None:
    _check(local.get(path, **params), _examples(shared, "rest-api", section)[0])


LIMIT: Json = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
MARKET: Json = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}


@pytest.mark.parametrize("kind", ["ACK", "RESULT", "FULL"])
def test_new_orders(local: Local, shared: Path, kind: str) -> None:
    example = _examples(shared, "rest-api", "New order (TRADE)")[["ACK", "RESULT", "FULL"].index(kind)]
    _check(local.good("POST", ORDER, **MARKET, newOrderRespType=kind), example)


def test_orders_and_their_ends(local: Local, shared: Path) -> None:
    local.good("POST", ORDER, **LIMIT, price="50000", newClientOrderId="s")
    named: Json = {"symbol": "BTCUSDT", "origClientOrderId": "s"}
    asked = {"Query order (USER_DATA)": ORDER, "Current open orders (USER_DATA)": "/api/v3/openOrders",
             "All orders (USER_DATA)": "/api/v3/allOrders"}  # fmt: skip
    for section, path in asked.items():
        params = named if path == ORDER else {"symbol": "BTCUSDT"}
        _check(local.good("GET", path, **params), _examples(shared, "rest-api", section)[0])
    amended = local.good("PUT", "/api/v3/order/amend/keepPriority", newQty="0.0005", newClientOrderId="t", **named)
    _check(amended, _examples(shared, "rest-api", "Order Amend Keep Priority (TRADE)")[0])
    rows = local.good("GET", "/api/v3/order/amendments", symbol="BTCUSDT", orderId=amended["amendedOrder"]["orderId"])
    _check(rows, _examples(shared, "rest-api", "Query Order Amendments (USER_DATA)")[0])
    gone = local.good("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="t")
    _check(gone, _examples(shared, "rest-api", "Cancel order (TRADE)")[0])
    swapped = local.signed(
        "POST", "/api/v3/order/cancelReplace", cancelReplaceMode="STOP_ON_FAILURE", cancelOrigClientOrderId="nope",
        price="50000", **LIMIT,
    )  # fmt: skip
    _check(swapped.json(), _examples(shared, "rest-api", "Cancel an Existing Order and Send a New Order (TRADE)")[0])


def test_pairs(local: Local, shared: Path) -> None:
    made = local.good(
        "POST", "/api/v3/orderList/oco", symbol="BTCUSDT", side="SELL", quantity="0.01", aboveType="LIMIT_MAKER",
        abovePrice="90000", belowType="STOP_LOSS", belowStopPrice="30000",
    )  # fmt: skip
    _check(made, _examples(shared, "rest-api", "New Order list - OCO (TRADE)")[0])
    found = local.good("GET", "/api/v3/orderList", orderListId=made["orderListId"])
    _check(found, _examples(shared, "rest-api", "Query Order list (USER_DATA)")[0])
    gone = local.good("DELETE", "/api/v3/orderList", symbol="BTCUSDT", orderListId=made["orderListId"])
    _check(gone, _examples(shared, "rest-api", "Cancel Order list (TRADE)")[0])


def test_the_account(local: Local, shared: Path) -> None:
    local.good("POST", ORDER, **MARKET)
    asked = {
        "Account information (USER_DATA)": ("/api/v3/account", {}),
        "Account trade list (USER_DATA)": ("/api/v3/myTrades", {"symbol": "BTCUSDT"}),
        "Query Unfilled Order Count (USER_DATA)": ("/api/v3/rateLimit/order", {}),
        "Query Commission Rates (USER_DATA)": ("/api/v3/account/commission", {"symbol": "BTCUSDT"}),
        "Query relevant filters (USER_DATA)": ("/api/v3/myFilters", {"symbol": "BTCUSDT"}),
    }  # fmt: skip
    for section, (path, params) in asked.items():
        _check(local.good("GET", path, **params), _examples(shared, "rest-api", section)[0], section)


def test_the_account_s_events(local: Local, shared: Path) -> None:
    with local.user_stream() as socket:
        local.good("POST", ORDER, **LIMIT, price="50000")
        report, position = socket.next(), socket.next()
        _check(report, _examples(shared, "user-data-stream", "Order Update")[0])
        _check(position, _examples(shared, "user-data-stream", "Account Update")[0])
        transfer = {"asset": "USDT", "quantity": "5"}
        local.session.post(f"{local.url}/holdfast/transfer", json=transfer, timeout=5)
        _check(socket.next(), _examples(shared, "user-data-stream", "Balance Update")[0])


STREAMS = {
    "btcusdt@trade": "Trade Streams",
    "btcusdt@aggTrade": "Aggregate Trade Streams",
    "btcusdt@kline_1m": "Kline/Candlestick Streams for UTC",
    "btcusdt@miniTicker": "Individual Symbol Mini Ticker Stream",
    "btcusdt@ticker": "Individual Symbol Ticker Streams",
    "btcusdt@bookTicker": "Individual Symbol Book Ticker Streams",
    "btcusdt@avgPrice": "Average Price",
    "btcusdt@depth5": "Partial Book Depth Streams",
    "btcusdt@depth@100ms": "Diff. Depth Stream",
}


def test_market_streams(local: Local, shared: Path) -> None:
    wanted = dict(STREAMS)
    with local.ws(f"/stream?streams={'/'.join(STREAMS)}") as socket:
        while wanted:
            frame = socket.next()
            if (section := wanted.pop(frame["stream"], None)) is not None:
                _check(frame["data"], _examples(shared, "web-socket-streams", section)[0], frame["stream"])
