"""The exchange in a process of its own, on a loopback websocket that speaks `wire`."""

from __future__ import annotations

import signal
import threading
from functools import partial
from queue import Full, Queue

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection
from websockets.sync.server import serve as listen

from adapters.registry import ServerSettings
from adapters.simulated import wire
from adapters.simulated.floor import Floor
from adapters.simulated.gateway import Cut, Delivery
from adapters.simulated.link import FRAME_MOST_BYTES
from adapters.simulated.opening import DEFAULT_SYMBOLS, open_gateway
from adapters.simulated.options import SimulatedOptions

HOST = "127.0.0.1"
OUTGOING_MOST = 10_000
"""Frames that wait for one slow client; beyond it the client is cut off, and finds what it missed by asking."""

CLOSE_SECONDS = 2
ASKED_SECONDS = 1
"""How often it is looked whether somebody has asked for the end."""


class ExchangeServer:
    """Serves one exchange to any number of clients until it is closed."""

    def __init__(self, settings: ServerSettings) -> None:
        """Raises `ValueError` for options that are not this adapter's."""
        if not isinstance(settings.options, SimulatedOptions):
            raise ValueError("the simulated exchange needs its own options")
        symbols = tuple(dict.fromkeys(settings.symbols.values())) or DEFAULT_SYMBOLS
        build = partial(open_gateway, settings.options, symbols, settings.directory)
        self._settings = settings
        self._floor = Floor(settings.open_log, build, self._failed)
        self._server: Server | None = None
        self._accepting: threading.Thread | None = None
        self.ended = threading.Event()
        self.failure: Exception | None = None

    def start(self) -> int:
        """Open the exchange, listen, announce; gives the port. Raises what opening raises, and `OSError`."""
        self._floor.start()
        self._server = listen(
            self._serve_client, HOST, self._settings.port, compression=None, max_size=FRAME_MOST_BYTES,
        )  # fmt: skip
        port = int(self._server.socket.getsockname()[1])
        self._accepting = threading.Thread(target=self._server.serve_forever, name="simulated server", daemon=True)
        self._accepting.start()
        self._settings.announce(f"listening on ws://{HOST}:{port}")
        return port

    def close(self) -> None:
        """End all connections, the exchange and its log. Idempotent."""
        if self._server is not None:
            self._server.shutdown()
        if self._accepting is not None:
            self._accepting.join(CLOSE_SECONDS)
        self._floor.close()
        self.ended.set()

    def _failed(self, error: Exception) -> None:
        self.failure = error
        self.ended.set()

    def _serve_client(self, socket: ServerConnection) -> None:
        """One client's thread reads; another one writes, so that a slow client holds nobody up."""
        outgoing: Queue[Delivery | None] = Queue(OUTGOING_MOST)
        writer = threading.Thread(target=_write, args=(socket, outgoing), daemon=True)
        writer.start()
        connection = self._floor.connect(partial(_queue, socket, outgoing))
        try:
            for text in socket:
                self._take(connection, text, outgoing)
        except ConnectionClosed:
            pass  # The client is gone; that is all there is to know.
        finally:
            self._floor.disconnect(connection)
            _put(outgoing, None)
            writer.join(CLOSE_SECONDS)

    def _take(self, connection: int, text: str | bytes, outgoing: Queue[Delivery | None]) -> None:
        try:
            number, message = wire.decode(text)
        except wire.WireError as error:
            _put(outgoing, Delivery(0, connection, None, wire.Notice(f"not understood: {error}")))
            return
        if number is None or not isinstance(message, wire.Ask):
            _put(outgoing, Delivery(0, connection, number, wire.Failed("this is not a request")))
        elif not self._floor.send(connection, number, message):
            _put(outgoing, Delivery(0, connection, number, wire.Failed("queue full")))


def _queue(socket: ServerConnection, outgoing: Queue[Delivery | None], delivery: Delivery) -> None:
    if not _put(outgoing, delivery):
        socket.close_socket()


def _put(outgoing: Queue[Delivery | None], delivery: Delivery | None) -> bool:
    try:
        outgoing.put_nowait(delivery)
    except Full:
        return False
    return True


def _write(socket: ServerConnection, outgoing: Queue[Delivery | None]) -> None:
    try:
        while (delivery := outgoing.get()) is not None:
            if isinstance(delivery.frame, Cut):
                socket.close(1001, delivery.frame.cause[:100])
                return
            socket.send(wire.encode(delivery.frame, delivery.number))
    except ConnectionClosed:
        return


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises what ended the exchange, such as a ledger that can't be written."""
    server = ExchangeServer(settings)
    asked: list[bool] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.append(True))
    server.start()
    while not asked and not server.ended.wait(ASKED_SECONDS):
        pass  # a handler that set the event could wait for a lock that this very thread holds
    server.close()
    if server.failure is not None:
        raise server.failure
