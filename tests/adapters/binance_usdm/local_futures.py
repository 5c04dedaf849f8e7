"""The local exchange of USD-M futures for tests, spoken to with plain requests and websockets; and its client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from adapters.binance.access import Access
from adapters.binance.server.options import LOCAL_API_KEY
from adapters.binance_usdm.options import UsdmOptions
from adapters.binance_usdm.server.options import UsdmExchangeOptions
from adapters.binance_usdm.server.server import UsdmServer
from adapters.binance_usdm.translate import Translator
from adapters.binance_usdm.venue import PRODUCT, UsdmVenue
from adapters.registry import ServerSettings
from engine import inputs, outbox
from tests.adapters.binance.local_exchange import BOUND_SECONDS, Json, Local, Socket, write_tape
from tests.adapters.binance.trader import BTC, SECOND, VENUE, credentials
from tests.adapters.simulated.memory_log import MemoryLog

ORDER = "/fapi/v1/order"
STILL = [("100", "101")] * 4

Found = TypeVar("Found")


class Futures(Local):
    """A client of the local exchange that knows nothing but what is documented."""

    def limit(self, side: str, price: Any, quantity: str = "0.1", **params: Any) -> Any:
        """Place a limit order."""
        return self.good("POST", ORDER, **limit(side, price, quantity, **params))

    def market(self, side: str, quantity: str = "0.1", **params: Any) -> Any:
        """Trade at once."""
        params = {"newOrderRespType": "RESULT"} | params
        return self.good("POST", ORDER, symbol="BTCUSDT", side=side, type="MARKET", quantity=quantity, **params)

    def control(self, name: str, status: int = 200, **table: Any) -> Any:
        """One of the exchange's own endpoints."""
        answer = self.session.post(f"{self.url}/holdfast/{name}", json=table, timeout=BOUND_SECONDS)
        assert answer.status_code == status, answer.text
        return answer.json()

    def key(self) -> str:
        """A listen key: the API key alone opens it."""
        answer = self.session.post(f"{self.url}/fapi/v1/listenKey", timeout=BOUND_SECONDS)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["listenKey"])

    @contextmanager
    def user_stream(self) -> Iterator[Socket]:
        """The account's events."""
        with self.ws(f"/private/ws/{self.key()}") as socket:
            time.sleep(0.05)  # nothing says that it has begun
            yield socket


def limit(side: str, price: Any, quantity: str = "0.1", **params: Any) -> Json:
    """The parameters of a limit order."""
    return {
        "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity,
        "price": str(price), "newOrderRespType": "RESULT",
    } | params  # fmt: skip


def orders_of(socket: Socket, count: int) -> list[Json]:
    """The next events of orders."""
    found: list[Json] = []
    while len(found) < count:
        event = socket.next()
        if event["e"] == "ORDER_TRADE_UPDATE":
            found.append(event["o"])
    return found


@contextmanager
def serving(log: MemoryLog | None = None, port: int = 0, directory: str = ".", **options: Any) -> Iterator[Futures]:
    """A local exchange with these options."""
    kept = MemoryLog() if log is None else log
    server = UsdmServer(
        ServerSettings(
            options=UsdmExchangeOptions(**options), symbols={}, directory=directory, port=port,
            open_log=lambda _name: kept, announce=lambda _text: None,
        )
    )  # fmt: skip
    found = Futures(server.start())
    try:
        yield found
    finally:
        found.session.close()
        server.close()
    assert server.failure is None


@contextmanager
def on_tape(
    tmp_path: Path, prices: Iterable[tuple[str, str]] = tuple(STILL), size: str = "1", **options: Any
) -> Iterator[Futures]:
    """A local exchange on a tape that is played by hand; its first quote is shown."""
    tape = write_tape(tmp_path / "btc.csv", prices, size)
    table: Mapping[str, Any] = {"BTCUSDT": {"path": str(tape), "format": "csv:quotes"}}
    with serving(tape=table, speed="step", **options) as found:
        found.step()
        yield found


class Trader:
    """The engine's side of a venue."""

    def __init__(self, venue: UsdmVenue) -> None:
        self.venue = venue
        self.told: list[inputs.Input] = []

    def allows(self, request: outbox.Request) -> bool:
        """The gate is open."""
        return True

    def open(self) -> None:
        """Connect."""
        self.venue.open(self.told.append, self)
        self.wait(inputs.VenueConnected)

    def all(self, kind: type[Found]) -> list[Found]:
        """What was told of one kind."""
        return [told for told in list(self.told) if isinstance(told, kind)]

    def wait(self, kind: type[Found], at_least: int = 1, having: Callable[[Any], bool] = lambda _: True) -> Found:
        """The newest of a kind, once there are so many."""
        end = time.monotonic() + BOUND_SECONDS
        while time.monotonic() < end:
            found = [told for told in self.all(kind) if having(told)]
            if len(found) >= at_least:
                return found[-1]
            time.sleep(0.005)
        raise AssertionError(f"no {kind.__name__} among {[str(told)[:90] for told in self.told]}")

    def snapshot(self, since_ns: int = 0) -> inputs.Snapshot:
        """How the account stands."""
        count = len(self.all(inputs.Snapshot))
        at_ns = time.time_ns()
        since_ns = since_ns or at_ns - 3_600 * SECOND
        self.venue.release(outbox.TakeSnapshot(seq=1, at_ns=at_ns, venue=VENUE, since_ns=since_ns))
        return self.wait(inputs.Snapshot, count + 1)


def options(port: int, **changes: Any) -> UsdmOptions:
    """A client of a local exchange, with short times."""
    url = f"http://127.0.0.1:{port}"
    given = {
        "rest_url": url, "rights_url": url, "stream_url": f"ws://127.0.0.1:{port}", "backoff_first_ns": SECOND // 50,
        "seed": 7,
    }  # fmt: skip
    return UsdmOptions(**{**given, **changes})


@contextmanager
def trader(port: int, **changes: Any) -> Iterator[Trader]:
    """A client of a local exchange; closed at the end."""
    chosen = options(port, **changes)
    access = Access(VENUE, chosen, credentials(), product=PRODUCT)
    venue = UsdmVenue(access, Translator(VENUE, {BTC: "BTCUSDT"}), chosen)
    try:
        yield Trader(venue)
    finally:
        venue.close()


def api_key() -> dict[str, str]:
    """The header that opens the account."""
    return {"X-MBX-APIKEY": LOCAL_API_KEY}


def frame(**fields: Any) -> str:
    """A text of JSON."""
    return json.dumps(fields)
