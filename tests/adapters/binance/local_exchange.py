"""The local exchange for tests, spoken to with plain requests and websockets."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests
from websockets.sync.client import ClientConnection, connect

from adapters.binance.server.options import LOCAL_API_KEY, LOCAL_SECRET, ExchangeOptions
from adapters.binance.server.server import BinanceServer
from adapters.registry import ServerSettings
from tests.adapters.simulated.memory_log import MemoryLog

BOUND_SECONDS = 10.0
T0_MS = 1_700_000_000_000

Json = dict[str, Any]


def sign(payload: str, secret: str = LOCAL_SECRET) -> str:
    """HMAC, written down here once more: a second pair of eyes."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Local:
    """A client of the local exchange that knows nothing but what is documented."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.headers["X-MBX-APIKEY"] = LOCAL_API_KEY

    # --- REST ---------------------------------------------------------------------------------------------------

    def get(self, path: str, **params: Any) -> Any:
        """A public question; the JSON of a good answer."""
        answer = self.session.get(f"{self.url}{path}", params=params, timeout=BOUND_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def signed(self, method: str, path: str, *, in_body: bool = False, **params: Any) -> requests.Response:
        """A signed request, in the query or in the form body."""
        params.setdefault("timestamp", int(time.time() * 1000))
        text = urlencode(params)
        text += f"&signature={sign(text)}"
        if in_body:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            url = f"{self.url}{path}"
            return self.session.request(method, url, data=text, headers=form, timeout=BOUND_SECONDS)
        return self.session.request(method, f"{self.url}{path}?{text}", timeout=BOUND_SECONDS)

    def good(self, method: str, path: str, **params: Any) -> Any:
        """A signed request that succeeds."""
        answer = self.signed(method, path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bad(self, method: str, path: str, status: int = 400, **params: Any) -> tuple[int, str]:
        """A signed request that is refused: code and message."""
        answer = self.signed(method, path, **params)
        assert answer.status_code == status, answer.text
        return answer.json()["code"], answer.json()["msg"]

    def limit(self, side: str, price: Any, quantity: str = "0.01", **params: Any) -> Any:
        """Place a limit order."""
        params = {"timeInForce": "GTC"} | params
        return self.good(
            "POST", "/api/v3/order", symbol="BTCUSDT", side=side, type="LIMIT", quantity=quantity, price=str(price),
            **params,
        )  # fmt: skip

    def market(self, side: str, quantity: str = "0.01", **params: Any) -> Any:
        """Trade at once."""
        return self.good(
            "POST", "/api/v3/order", symbol="BTCUSDT", side=side, type="MARKET", quantity=quantity, **params
        )

    # --- its own endpoints --------------------------------------------------------------------------------------

    def faults(self, **table: Any) -> None:
        """These faults and no others."""
        answer = self.session.put(f"{self.url}/holdfast/faults", json=table, timeout=BOUND_SECONDS)
        assert answer.status_code == 200, answer.text

    def ledger(self) -> Any:
        """The exchange's own account."""
        return self.get("/holdfast/ledger")

    def step(self, times: int = 1) -> None:
        """Play the next quotes of the tape."""
        for _ in range(times):
            assert self.session.post(f"{self.url}/holdfast/step", timeout=BOUND_SECONDS).status_code == 200

    # --- websockets ---------------------------------------------------------------------------------------------

    @contextmanager
    def ws(self, path: str = "/ws-api/v3") -> Iterator[Socket]:
        """A websocket."""
        with connect(f"ws://127.0.0.1:{self.port}{path}", open_timeout=BOUND_SECONDS) as connection:
            yield Socket(connection)

    @contextmanager
    def user_stream(self) -> Iterator[Socket]:
        """The account's events."""
        with self.ws() as socket:
            assert socket.call("userDataStream.subscribe.signature", **signed_params())["result"] == {
                "subscriptionId": 0
            }
            yield socket


def signed_params(**params: Any) -> Json:
    """The parameters of a signed WS API request."""
    params = {"apiKey": LOCAL_API_KEY, "timestamp": int(time.time() * 1000)} | params
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return params | {"signature": sign(text)}


class Socket:
    """One websocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._last = 0

    def call(self, method: str, **params: Any) -> Json:
        """A request of the WS API and its reply; events in between are dropped."""
        self._last += 1
        self.connection.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            reply: Json = self.next()
            if reply.get("id") == self._last:
                return reply

    def next(self, seconds: float = BOUND_SECONDS) -> Any:
        """The next frame."""
        return json.loads(self.connection.recv(timeout=seconds))

    def events(self, count: int) -> list[Json]:
        """The next executionReports of the user stream."""
        found: list[Json] = []
        while len(found) < count:
            event = self.next()["event"]
            if event["e"] == "executionReport":
                found.append(event)
        return found

    def silent(self, seconds: float = 0.4) -> bool:
        """Does nothing come for so long?"""
        try:
            self.connection.recv(timeout=seconds)
        except TimeoutError:
            return True
        return False


def write_tape(path: Path, prices: Iterable[tuple[str, str]], size: str = "1") -> Path:
    """A tape of quotes (bid, ask), a second apart."""
    lines = ["time_ms,bid,bid_quantity,ask,ask_quantity"]
    lines += [f"{T0_MS + 1000 * n},{bid},{size},{ask},{size}" for n, (bid, ask) in enumerate(prices)]
    path.write_text("\n".join(lines) + "\n")
    return path


@contextmanager
def serving(log: MemoryLog | None = None, directory: str = ".", **options: Any) -> Iterator[Local]:
    """A local exchange with these options."""
    kept = MemoryLog() if log is None else log
    server = BinanceServer(
        ServerSettings(
            options=ExchangeOptions(**options), symbols={}, directory=directory, port=0,
            open_log=lambda _name: kept, announce=lambda _text: None,
        )
    )  # fmt: skip
    port = server.start()
    local = Local(port)
    try:
        yield local
    finally:
        local.session.close()
        server.close()
    assert server.failure is None


@contextmanager
def on_tape(tmp_path: Path, prices: Iterable[tuple[str, str]], size: str = "1", **options: Any) -> Iterator[Local]:
    """A local exchange on a tape that is played by hand; its first quote is shown."""
    tape = write_tape(tmp_path / "btc.csv", prices, size)
    table: Mapping[str, Any] = {"BTCUSDT": {"path": str(tape), "format": "csv:quotes"}}
    with serving(tape=table, speed="step", **options) as local:
        local.step()
        yield local
