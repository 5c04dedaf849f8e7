"""A websocket's outgoing side: a queue and a thread, so that a slow client holds nobody up."""

from __future__ import annotations

import threading
import time
from queue import Full, Queue

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

OUTGOING_MOST = 10_000
"""Frames that wait for one client; beyond it the client is cut off, and finds what it missed by asking."""

CLOSE_SECONDS = 2
GOING_AWAY = 1001
TOO_MANY_MESSAGES = 1008


class Outgoing:
    """Texts leave in their order. Used from any thread."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.since = time.monotonic()
        self._queue: Queue[str | None] = Queue(OUTGOING_MOST)
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def put(self, text: str) -> None:
        """Send, or cut the client off where too much waits for it."""
        try:
            self._queue.put_nowait(text)
        except Full:
            self.cut()

    def cut(self) -> None:
        """End the connection without a word."""
        self.socket.close_socket()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; does not wait for the client's."""
        threading.Thread(target=self.socket.close, args=(code, reason), daemon=True).start()

    def end(self) -> None:
        """The connection is over: the thread ends."""
        try:
            self._queue.put_nowait(None)
        except Full:
            self.cut()
        self._thread.join(CLOSE_SECONDS)

    def _write(self) -> None:
        try:
            while (text := self._queue.get()) is not None:
                self.socket.send(text)
        except ConnectionClosed:
            return


class Pace:
    """How many messages came in this second."""

    def __init__(self, most: int) -> None:
        self._most, self._second, self._count = most, 0, 0

    def is_too_fast(self) -> bool:
        """Count one more."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count > self._most
