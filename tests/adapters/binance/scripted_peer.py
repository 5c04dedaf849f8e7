"""A peer that says what a test wants it to say: REST on one port, websockets on another, both on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from adapters.binance.signing import read_verifier, rest_payload, ws_payload

API_KEY, SECRET = "holdfast-local-key", "holdfast-local-secret"

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]] | None
"""Status, JSON (or text as it is), headers; None: no answer, the connection is cut."""

RULES: dict[str, Any] = {
    "timezone": "UTC",
    "serverTime": 0,
    "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 160000},
    ],
    "exchangeFilters": [],
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
                           "TAKE_PROFIT_LIMIT"],
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "ocoAllowed": True,
            "isSpotTradingAllowed": True,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "50.0", "stepSize": "0.00000000"},
                {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True, "maxNotional": "9000000.0",
                 "applyMaxToMarket": False, "avgPriceMins": 5},
                {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
                 "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5},
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
            ],
        }
    ],
}  # fmt: skip

ACCOUNT: dict[str, Any] = {
    "canTrade": True,
    "canWithdraw": False,
    "canDeposit": True,
    "accountType": "SPOT",
    "permissions": ["SPOT"],
    "uid": 354937868,
    "balances": [{"asset": "USDT", "free": "1000.00000000", "locked": "0.00000000"}],
}


COUNTS: list[dict[str, Any]] = [
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50, "count": 0},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 160000, "count": 0},
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 1},
]


def _absent(_: dict[str, str]) -> Answer:
    return 404, {"code": -5000, "msg": "Path is invalid"}


class Peer:
    """Answers by name: REST by "GET /api/v3/order", the WS API by "order.place". Both keep what they were asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[dict[str, str]], Answer]] = {
            "GET /api/v3/time": lambda _: (200, {"serverTime": time.time_ns() // 1_000_000}),
            "GET /api/v3/exchangeInfo": lambda _: (200, RULES),
            "GET /api/v3/account": lambda _: (200, ACCOUNT),
            "account.rateLimits.orders": lambda _: (200, COUNTS),
            "GET /api/v3/openOrders": lambda _: (200, []),
            "GET /api/v3/allOrders": lambda _: (200, []),
            "GET /api/v3/myTrades": lambda _: (200, []),
            "GET /api/v3/depth": lambda _: (200, {"lastUpdateId": 1, "bids": [], "asks": []}),
            "userDataStream.subscribe.signature": lambda _: (200, {"subscriptionId": 0}),
        }
        self.asked: deque[tuple[str, dict[str, str]]] = deque(maxlen=1_000)
        self.accounts: list[ServerConnection] = []
        self.markets: list[ServerConnection] = []
        self.forged: list[str] = []
        self.confirms = True
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._ws: Server = serve(self._connected, "127.0.0.1", 0, compression=None)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        threading.Thread(target=self._ws.serve_forever, daemon=True).start()

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self._ws.socket.getsockname()[1]}"

    @property
    def ws_api_url(self) -> str:
        return f"{self.stream_url}/ws-api/v3"

    def count(self, name: str) -> int:
        """How often it was asked."""
        return sum(1 for asked, _params in list(self.asked) if asked == name)

    def params(self, name: str) -> dict[str, str]:
        """What it was asked last."""
        return next(params for asked, params in reversed(list(self.asked)) if asked == name)

    def event(self, **fields: Any) -> None:
        """An event of the account, on every connection."""
        self._send(self.accounts, {"subscriptionId": 0, "event": fields})

    def market(self, stream: str, data: Any) -> None:
        """A frame of a stream, on every connection."""
        self._send(self.markets, {"stream": stream, "data": data})

    def cut(self, connections: list[ServerConnection]) -> None:
        """End the connections without a word."""
        for connection in list(connections):
            connection.socket.close()
        connections.clear()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._ws.shutdown()

    def _send(self, connections: list[ServerConnection], frame: Any) -> None:
        for connection in list(connections):
            connection.send(json.dumps(frame))

    def _connected(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        is_account = connection.request.path.startswith("/ws-api")
        (self.accounts if is_account else self.markets).append(connection)
        try:
            for text in connection:
                (self._call if is_account else self._subscribe)(connection, json.loads(text))
        except (ConnectionClosed, OSError):
            return

    def _subscribe(self, connection: ServerConnection, frame: dict[str, Any]) -> None:
        self.asked.append((frame["method"], {"params": frame["params"]}))
        if self.confirms:
            connection.send(json.dumps({"result": None, "id": frame["id"]}))

    def _call(self, connection: ServerConnection, frame: dict[str, Any]) -> None:
        name, params = frame["method"], frame["params"]
        self.asked.append((name, params))
        if not read_verifier(SECRET).verify(ws_payload(params), params["signature"]):
            self.forged.append(name)
        answer = self.answers[name](params)
        if answer is None:
            return
        body = {"result": answer[1]} if answer[0] == 200 else {"error": answer[1]}
        connection.send(json.dumps({"id": frame["id"], "status": answer[0], **body, "rateLimits": COUNTS}))


def _handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            params = dict(parse_qsl(parts.query)) | dict(parse_qsl(body))
            name = f"{self.command} {parts.path}"
            peer.asked.append((name, params))
            if "signature" in params:
                is_good = read_verifier(SECRET).verify(rest_payload(parts.query, body), params["signature"])
                if not is_good or self.headers["X-MBX-APIKEY"] != API_KEY:
                    peer.forged.append(name)
            answer = peer.answers.get(name, _absent)(params)
            if answer is None:
                self.close_connection = True
                return
            text = answer[1] if isinstance(answer[1], str) else json.dumps(answer[1])
            self.send_response(answer[0])
            self.send_header("X-MBX-USED-WEIGHT-1M", "1")
            for header, value in (answer[2] if len(answer) == 3 else {}).items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 (the library calls them so)

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    return Handler
