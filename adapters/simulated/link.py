"""Two ways to one exchange: in this process, or over a socket. Both carry the same messages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import Protocol

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from adapters.simulated import wire
from adapters.simulated.floor import Floor
from adapters.simulated.gateway import Cut, Delivery
from engine.ports import VenueUnreachable

ASK_SECONDS = 10
OPEN_SECONDS = 1
CLOSE_SECONDS = 1
PING_SECONDS = 5
FRAME_MOST_BYTES = 64 * 1024 * 1024

Received = Callable[[int | None, wire.Message], None]
"""Called with a request's number (None on the stream) and what came."""

Lost = Callable[[str], None]
"""Called once, with the cause, when the connection is gone."""

Odd = Callable[[str], None]
"""Called with a text that is no message."""


class LinkBusy(Exception):
    """Too much is waiting to be sent; the request has not been sent."""


class Link(Protocol):
    """One connection at a time; `received`, `lost` and `odd` are called from another thread."""

    def start(self) -> None:
        """Get ready; raises what opening an embedded exchange raises."""
        ...

    def connect(self, received: Received, lost: Lost, odd: Odd) -> None:
        """Connect; raises `VenueUnreachable`."""
        ...

    def send(self, number: int, request: wire.Ask) -> None:
        """Send a request; raises `VenueUnreachable` where there is no connection and `LinkBusy`."""
        ...

    def ask(self, request: wire.Ask) -> wire.Message:
        """The answer to one question, on a connection of its own; raises `VenueUnreachable`."""
        ...

    def disconnect(self) -> None:
        """Give the connection up."""
        ...

    def close(self) -> None:
        """End everything. Idempotent."""
        ...


class EmbeddedLink:
    """The exchange runs in this process."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._connection: int | None = None

    def start(self) -> None:
        self._floor.start()

    def connect(self, received: Received, lost: Lost, odd: Odd) -> None:
        def receive(delivery: Delivery) -> None:
            if isinstance(delivery.frame, Cut):
                self._connection = None
                lost(delivery.frame.cause)
            else:
                received(delivery.number, delivery.frame)

        self._connection = self._floor.connect(receive)

    def send(self, number: int, request: wire.Ask) -> None:
        if self._connection is None:
            raise VenueUnreachable("not connected")
        if not self._floor.send(self._connection, number, request):
            raise LinkBusy

    def ask(self, request: wire.Ask) -> wire.Message:
        self._floor.start()
        replies: SimpleQueue[wire.Message] = SimpleQueue()

        def receive(delivery: Delivery) -> None:
            if delivery.number is not None and not isinstance(delivery.frame, Cut):
                replies.put(delivery.frame)

        connection = self._floor.connect(receive)
        try:
            if not self._floor.send(connection, 0, request):
                raise VenueUnreachable("the simulated exchange does not take requests")
            return replies.get(timeout=ASK_SECONDS)
        except Empty:
            raise VenueUnreachable(f"the simulated exchange gave no answer within {ASK_SECONDS} s") from None
        finally:
            self._floor.disconnect(connection)

    def disconnect(self) -> None:
        if self._connection is not None:
            self._floor.disconnect(self._connection)
            self._connection = None

    def close(self) -> None:
        self.disconnect()
        self._floor.close()


class SocketLink:
    """The exchange runs in another process, behind a websocket."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection | None = None
        self._opened = ExitStack()
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Nothing is needed: the exchange may come up later."""

    def connect(self, received: Received, lost: Lost, odd: Odd) -> None:
        self._opened.close()
        self._opened = ExitStack()
        self._socket = socket = self._open(self._opened)

        def read() -> None:
            cause = "closed"
            try:
                for text in socket:
                    _pass_on(text, received, odd)
            except (ConnectionClosed, OSError) as error:
                cause = str(error) or type(error).__name__
            lost(cause)

        self._reader = threading.Thread(target=read, name="simulated exchange link", daemon=True)
        self._reader.start()

    def send(self, number: int, request: wire.Ask) -> None:
        if self._socket is None:
            raise VenueUnreachable("not connected")
        try:
            self._socket.send(wire.encode(request, number))
        except (WebSocketException, OSError) as error:
            raise VenueUnreachable(f"{self._url}: {error}") from None

    def ask(self, request: wire.Ask) -> wire.Message:
        with ExitStack() as opened:
            socket = self._open(opened)
            try:
                socket.send(wire.encode(request, 0))
                while True:
                    number, message = wire.decode(socket.recv(timeout=ASK_SECONDS))
                    if number is not None:
                        return message
            except (WebSocketException, OSError, wire.WireError) as error:
                raise VenueUnreachable(f"{self._url}: {error}") from None

    def disconnect(self) -> None:
        self._opened.close()
        self._socket = None

    def close(self) -> None:
        self.disconnect()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(CLOSE_SECONDS)

    def _open(self, opened: ExitStack) -> ClientConnection:
        """A connection that ends with `opened`."""
        try:
            return opened.enter_context(
                connect(
                    self._url, proxy=None, compression=None, open_timeout=OPEN_SECONDS, close_timeout=CLOSE_SECONDS,
                    ping_interval=PING_SECONDS, ping_timeout=PING_SECONDS, max_size=FRAME_MOST_BYTES,
                )
            )  # fmt: skip
        except (WebSocketException, OSError) as error:
            raise VenueUnreachable(
                f"no simulated exchange answers at {self._url} ({error}); is `holdfast venue simulated` running?"
            ) from None


def _pass_on(text: str | bytes, received: Received, odd: Odd) -> None:
    try:
        number, message = wire.decode(text)
    except wire.WireError:
        odd(text if isinstance(text, str) else text.decode(errors="replace"))
        return
    received(number, message)
