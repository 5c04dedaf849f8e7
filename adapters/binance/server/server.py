"""The local exchange in a process of its own, or in a test's: REST, WS API and streams on one port."""

from __future__ import annotations

import signal
import threading
import time

from websockets.sync.server import ServerConnection

from adapters.binance.server.control import PREFIX, control
from adapters.binance.server.faults import BinanceFaults
from adapters.binance.server.house import House
from adapters.binance.server.rest import answer
from adapters.binance.server.streams import COMBINED, RAW, Hub, Listener
from adapters.binance.server.ws_api import PATH, WsApi
from adapters.door import HOST, Door, HttpAnswer, HttpRequest
from adapters.registry import ServerSettings
from engine.values import SECOND_NS

LOOK_SECONDS = 0.05
NORMAL = 1000


class BinanceServer:
    """Serves one exchange until it is closed."""

    def __init__(self, settings: ServerSettings) -> None:
        """Raises `ValueError` for options that are not this exchange's."""
        self._settings = settings
        self.house = House(settings, self._failed)
        self._hub = Hub(self.house)
        self._door: Door | None = None
        self._talking: set[WsApi | Listener] = set()
        self._lock = threading.Lock()
        self._steward = threading.Thread(target=self._look_after, name="binance steward", daemon=True)
        self.ended = threading.Event()
        self.failure: Exception | None = None

    def start(self) -> int:
        """Open the exchange, listen, announce; gives the port. Raises what opening raises, and `OSError`."""
        options = self.house.options
        self.house.floor.start()
        self._hub.start()
        self.house.changed.append(self._change)
        if options.faults != BinanceFaults():
            self.house.begin_faults(options.faults)
        self._door = Door(
            self._settings.port, self._respond, self._talk, ping_seconds=options.ping_every_ns / SECOND_NS,
            pong_seconds=options.pong_within_ns / SECOND_NS,
        )  # fmt: skip
        self._door.start()
        self._steward.start()
        port = self._door.port
        self._settings.announce(f"listening on http://{HOST}:{port}, ws://{HOST}:{port} and ws://{HOST}:{port}{PATH}")
        self._settings.announce(f"api key {options.api_key}, secret {options.api_secret}")
        return port

    def close(self) -> None:
        """End all connections, the exchange and its log. Idempotent."""
        self.ended.set()
        if self._door is not None:
            self._door.close()
        self.house.floor.close()
        if self._steward.is_alive():
            self._steward.join(1)

    def _failed(self, error: Exception) -> None:
        self.failure = error
        self.ended.set()

    def _respond(self, request: HttpRequest) -> HttpAnswer:
        if request.path.startswith(PREFIX):
            return control(self.house, request)
        return answer(self.house, request)

    def _talk(self, socket: ServerConnection, path: str) -> None:
        where = path.partition("?")[0]
        talking: WsApi | Listener
        if where.startswith(PATH):
            talking = WsApi(self.house, socket, path)
        elif where.startswith((RAW, COMBINED)):
            talking = Listener(self.house, self._hub, socket, path)
        else:
            return
        with self._lock:
            self._talking.add(talking)
        try:
            talking.serve()
        finally:
            with self._lock:
                self._talking.discard(talking)

    def _all(self) -> list[WsApi | Listener]:
        with self._lock:
            return list(self._talking)

    def _change(self, faults: BinanceFaults) -> None:
        for each in self._all():
            each.change(faults)

    def _look_after(self) -> None:
        """Websockets end at their age."""
        while not self.ended.wait(LOOK_SECONDS):
            lifetime = (self.house.faults.lifetime_ns or self.house.options.lifetime_ns) / SECOND_NS
            for each in self._all():
                if time.monotonic() - each.outgoing.since > lifetime:
                    each.outgoing.close(NORMAL, "24 hours")


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises what ended the exchange, such as a ledger that can't be written."""
    server = BinanceServer(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.ended.set())
    server.start()
    server.ended.wait()
    server.close()
    if server.failure is not None:
        raise server.failure
