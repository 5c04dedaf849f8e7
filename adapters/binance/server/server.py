"""The local exchange in a process of its own, or in a test's: REST, WS API and streams on one port."""

from __future__ import annotations

import signal
import threading
import time
from typing import Protocol

from websockets.sync.server import ServerConnection

from adapters.binance.server.control import PREFIX, control
from adapters.binance.server.faults import BinanceFaults
from adapters.binance.server.house import House
from adapters.binance.server.rest import answer
from adapters.binance.server.sockets import Outgoing
from adapters.binance.server.streams import COMBINED, RAW, Hub, Listener
from adapters.binance.server.ws_api import PATH, WsApi
from adapters.door import HOST, Door, HttpAnswer, HttpRequest
from adapters.registry import ServerSettings
from engine.values import SECOND_NS

LOOK_SECONDS = 0.05
NORMAL = 1000
ASKED_SECONDS = 1
"""How often it is looked whether somebody has asked for the end."""


class Talker(Protocol):
    """One websocket and what is said on it."""

    @property
    def outgoing(self) -> Outgoing:
        """Where it is said."""
        ...

    def serve(self) -> None:
        """Until it ends."""
        ...

    def change(self, faults: BinanceFaults) -> None:
        """What new faults do to it."""
        ...


class BinanceServer:
    """Serves one exchange until it is closed. Another product has another house, hub and doors."""

    def __init__(self, settings: ServerSettings) -> None:
        """Raises `ValueError` for options that are not this exchange's."""
        self._settings = settings
        self.house = self._found(settings)
        self._hub = self._gather()
        self._door: Door | None = None
        self._talking: set[Talker] = set()
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
        self._settings.announce(f"listening on {', '.join(self._places(port))}")
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

    def _found(self, settings: ServerSettings) -> House:
        return House(settings, self._failed)

    def _gather(self) -> Hub:
        return Hub(self.house)

    def _places(self, port: int) -> list[str]:
        return [f"http://{HOST}:{port}", f"ws://{HOST}:{port}", f"ws://{HOST}:{port}{PATH}"]

    def _failed(self, error: Exception) -> None:
        self.failure = error
        self.ended.set()

    def _respond(self, request: HttpRequest) -> HttpAnswer:
        if request.path.startswith(PREFIX):
            return control(self.house, request)
        return answer(self.house, request)

    def _talk(self, socket: ServerConnection, path: str) -> None:
        talking = self._talker(socket, path)
        if talking is None:
            return
        with self._lock:
            self._talking.add(talking)
        try:
            talking.serve()
        finally:
            with self._lock:
                self._talking.discard(talking)

    def _talker(self, socket: ServerConnection, path: str) -> Talker | None:
        """Who talks on a path; None where nobody does."""
        where = path.partition("?")[0]
        if where.startswith(PATH):
            return WsApi(self.house, socket, path)
        if where.startswith((RAW, COMBINED)):
            return Listener(self.house, self._hub, socket, path)
        return None

    def _all(self) -> list[Talker]:
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
            self._tend()

    def _tend(self) -> None:
        """What else is due, every so often."""


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises what ended the exchange, such as a ledger that can't be written."""
    run(BinanceServer(settings))


def run(server: BinanceServer) -> None:
    """The same for any product's."""
    asked: list[bool] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.append(True))
    server.start()
    while not asked and not server.ended.wait(ASKED_SECONDS):
        pass  # a handler that set the event could wait for a lock that this very thread holds
    server.close()
    if server.failure is not None:
        raise server.failure
