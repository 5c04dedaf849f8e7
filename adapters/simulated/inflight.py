"""Requests in flight: each is settled once, by its reply, its timeout or the loss of the connection."""

from __future__ import annotations

import threading

from engine.outbox import Request

REMEMBERED_MOST = 4_096
"""Requests whose late replies are still understood; older ones are forgotten, and a reply to them is a surprise."""


class InFlight:
    """Used from the sending thread and the link's; all requests have the same timeout, so the first is due first."""

    def __init__(self, timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._lock = threading.Lock()
        self._last = 0
        self._known: dict[int, Request] = {}
        self._due: dict[int, int] = {}

    def number(self) -> int:
        """A number that no request had before."""
        with self._lock:
            self._last += 1
            return self._last

    def add(self, request: Request, at_ns: int) -> int:
        """A request is about to be sent; gives its number."""
        number = self.number()
        with self._lock:
            self._known[number], self._due[number] = request, at_ns + self._timeout_ns
            if len(self._known) > REMEMBERED_MOST:
                forgotten = next(iter(self._known))
                del self._known[forgotten]
                self._due.pop(forgotten, None)
        return number

    def settle(self, number: int) -> bool:
        """It has an answer now; False where it had one before."""
        with self._lock:
            return self._due.pop(number, None) is not None

    def find(self, number: int) -> Request | None:
        """The request of that number, settled or not."""
        with self._lock:
            return self._known.get(number)

    def due_ns(self) -> int | None:
        """When the next one times out."""
        if not self._due:
            return None
        with self._lock:
            return next(iter(self._due.values()), None)

    def take_due(self, at_ns: int | None = None) -> list[Request]:
        """Those that timed out (all of them if no instant is given), settled herewith."""
        if not self._due:
            return []
        with self._lock:
            numbers = [number for number, due_ns in self._due.items() if at_ns is None or due_ns <= at_ns]
            for number in numbers:
                del self._due[number]
            return [self._known[number] for number in numbers]
