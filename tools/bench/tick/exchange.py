"""An exchange that speaks enough of Binance for a start, sends a quote when it is told to, and answers orders at once.

`python -m tools.bench.tick.exchange` says its port and serves until its stdin ends. It stamps by the machine's
monotonic clock, which all its processes share.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qsl

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from adapters.door import Door, HttpAnswer, HttpRequest

SYMBOL = "BTCUSDT"
FIRST_CENTS = 5_000_000
"""The bid of tick 0, in hundredths; each tick is one higher, so that an order's price says which tick it answers."""

WS_API, STREAMS, TICKS, ECHO = "/ws-api/v3", "/stream", "/bench/tick", "/bench/echo"
EVENTS_AFTER_SECONDS = 0.002
"""The account's events of an order come so long after its answer, so that it is the answer whose time is taken."""

PLENTY = 1_000_000
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": PLENTY},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": PLENTY},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": PLENTY},
]
COUNTS = [limit | {"count": 1} for limit in LIMITS]
HEADERS = {"X-MBX-USED-WEIGHT-1M": "1", "X-MBX-ORDER-COUNT-10S": "1", "X-MBX-ORDER-COUNT-1D": "1"}
LISTED = {
    "symbol": SYMBOL, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"], "isSpotTradingAllowed": True, "cancelReplaceAllowed": True,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5.00"},
    ],
}  # fmt: skip
BALANCES = [
    {"asset": "BTC", "free": "10.00000000", "locked": "0.00000000"},
    {"asset": "USDT", "free": "1000000.00000000", "locked": "0.00000000"},
]


def cents_of(price: str) -> int:
    """A price in hundredths, exactly.

    >>> cents_of("50000.01"), cents_of("50000.1"), cents_of("50000")
    (5000001, 5000010, 5000000)
    """
    whole, _, part = price.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0")[:2])


class PromptExchange:
    """Listens on a port of its own. `sent` and `arrived` are monotonic nanoseconds by tick."""

    def __init__(self) -> None:
        self._door = Door(0, self._respond, self._talk)
        self._listeners: list[ServerConnection] = []
        self._accounts: list[ServerConnection] = []
        self._placed: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._tell_events, name="events", daemon=True)
        self.sent: dict[int, int] = {}
        self.arrived: dict[int, int] = {}
        self._orders = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._door.port

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._door.start()

    def close(self) -> None:
        """End all connections."""
        self._door.close()

    # --- HTTP -----------------------------------------------------------------------------------------------------

    def _respond(self, request: HttpRequest) -> HttpAnswer:
        arrived_ns = time.monotonic_ns()
        if request.method == "POST" and request.path == "/api/v3/order":
            return _ok(self._place(dict(parse_qsl(request.body)), arrived_ns))
        if request.path == "/bench/stamps":
            return _ok({"sent": self.sent, "arrived": self.arrived})
        found = self._answer(request.path)
        return HttpAnswer(404) if found is None else _ok(found)

    def _answer(self, path: str) -> Any:
        now_ms = time.time_ns() // 1_000_000
        match path.removeprefix("/api/v3/"):
            case "time":
                return {"serverTime": now_ms}
            case "exchangeInfo":
                return {"serverTime": now_ms, "rateLimits": LIMITS, "exchangeFilters": [], "symbols": [LISTED]}
            case "account":
                return {"canTrade": True, "accountType": "SPOT", "uid": 1, "permissions": ["SPOT"],
                        "balances": BALANCES}  # fmt: skip
            case "openOrders" | "allOrders" | "myTrades":
                return []
            case "rateLimit/order":
                return COUNTS[1:]
            case _:
                return None

    def _place(self, params: dict[str, Any], arrived_ns: int) -> dict[str, Any]:
        """An order that takes what is there at once, and there is nothing."""
        self.arrived[cents_of(params["price"]) - FIRST_CENTS] = arrived_ns
        self._orders += 1
        answer = {
            "symbol": SYMBOL, "orderId": self._orders, "orderListId": -1, "clientOrderId": params["newClientOrderId"],
            "transactTime": time.time_ns() // 1_000_000, "price": params["price"], "origQty": params["quantity"],
            "executedQty": "0.00000000", "origQuoteOrderQty": "0.00000000", "cummulativeQuoteQty": "0.00000000",
            "status": "EXPIRED", "timeInForce": "IOC", "type": "LIMIT", "side": "BUY",
            "selfTradePreventionMode": "NONE", "fills": [],
        }  # fmt: skip
        self._placed.put(answer)
        return answer

    # --- websockets -----------------------------------------------------------------------------------------------

    def _talk(self, socket: ServerConnection, path: str) -> None:
        talk = {WS_API: self._serve_orders, STREAMS: self._serve_market, TICKS: self._serve_ticks, ECHO: _echo}
        try:
            talk[path.partition("?")[0]](socket)
        except ConnectionClosed:
            return  # the client is gone

    def _serve_orders(self, socket: ServerConnection) -> None:
        for text in socket:
            arrived_ns = time.monotonic_ns()
            asked = json.loads(text)
            match asked["method"]:
                case "order.place":
                    result: Any = self._place(asked["params"], arrived_ns)
                case "account.rateLimits.orders":
                    result = COUNTS[1:]
                case _:
                    result = {"subscriptionId": 0}
                    self._accounts.append(socket)
            socket.send(_text({"id": asked["id"], "status": 200, "result": result, "rateLimits": COUNTS}))

    def _tell_events(self) -> None:
        """Accepted, and gone again."""
        while True:
            placed = self._placed.get()
            time.sleep(EVENTS_AFTER_SECONDS)
            for status in ("NEW", "EXPIRED"):
                told = _text({"subscriptionId": 0, "event": _event(placed, status)})
                try:
                    self._accounts[-1].send(told)
                except ConnectionClosed:
                    continue  # the client is gone

    def _serve_market(self, socket: ServerConnection) -> None:
        for text in socket:
            socket.send(_text({"result": None, "id": json.loads(text)["id"]}))
            self._listeners.append(socket)

    def _serve_ticks(self, socket: ServerConnection) -> None:
        """Each frame is a tick's number: its quote leaves at once."""
        for text in socket:
            number = int(text)
            bid = FIRST_CENTS + number
            data = {
                "u": number + 1,
                "s": SYMBOL,
                "b": _price(bid),
                "B": "1.00000",
                "a": _price(bid + 1),
                "A": "1.00000",
            }
            frame = _text({"stream": f"{SYMBOL.lower()}@bookTicker", "data": data})
            listener = self._listeners[-1]
            self.sent[number] = time.monotonic_ns()
            listener.send(frame)


def _event(placed: dict[str, Any], status: str) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    return {
        "e": "executionReport", "E": now_ms, "s": SYMBOL, "c": placed["clientOrderId"], "S": "BUY", "o": "LIMIT",
        "f": "IOC", "q": placed["origQty"], "p": placed["price"], "P": "0.00000000", "F": "0.00000000", "g": -1,
        "C": "", "x": status, "X": status, "r": "NONE", "i": placed["orderId"], "l": "0.00000000", "z": "0.00000000",
        "L": "0.00000000", "n": "0", "N": None, "T": now_ms, "t": -1, "I": 1, "w": status == "NEW", "m": False,
        "M": False, "O": now_ms, "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000", "V": "NONE",
    }  # fmt: skip


def _echo(socket: ServerConnection) -> None:
    for text in socket:
        socket.send(text)


def _price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}000000"


def _text(told: Any) -> str:
    return json.dumps(told, separators=(",", ":"))


def _ok(body: Any) -> HttpAnswer:
    return HttpAnswer(200, _text(body).encode(), headers=HEADERS)


def main() -> None:
    """Serve until stdin ends."""
    exchange = PromptExchange()
    exchange.start()
    sys.stdout.write(f"{exchange.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    exchange.close()


if __name__ == "__main__":
    main()
