"""Requests that left over a shared connection: each is settled once, by its reply, its timeout or the connection's end.

A reply that comes after that still finds its request.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

REMEMBERED_MOST = 1_024
"""Requests whose late replies are still understood; a reply to an older one is a surprise."""

Asked = TypeVar("Asked")


class Pending(Generic[Asked]):
    """Used from the sending threads and the connection's; all have the same timeout, so the first is due first."""

    def __init__(self, timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._lock = threading.Lock()
        self._last = 0
        self._known: dict[int, Asked] = {}
        self._open: dict[int, tuple[int, int]] = {}

    def add(self, asked: Asked, session: int, now_ns: int) -> int:
        """A request is about to be sent on a session; gives its number."""
        with self._lock:
            self._last += 1
            self._known[self._last], self._open[self._last] = asked, (session, now_ns + self._timeout_ns)
            if len(self._known) > REMEMBERED_MOST:
                forgotten = next(number for number in self._known)
                del self._known[forgotten]
                self._open.pop(forgotten, None)
            return self._last

    def settle(self, number: int) -> bool:
        """It has an outcome now; False where it had one before."""
        with self._lock:
            return self._open.pop(number, None) is not None

    def find(self, number: int) -> Asked | None:
        """The request of that number, settled or not."""
        with self._lock:
            return self._known.get(number)

    def take_due(self, now_ns: int) -> list[Asked]:
        """Those that timed out, settled herewith."""
        if not self._open:
            return []
        with self._lock:
            return self._take([number for number, (_session, due_ns) in self._open.items() if due_ns <= now_ns])

    def take_session(self, session: int) -> list[Asked]:
        """Those that left on a session that is gone, settled herewith."""
        with self._lock:
            return self._take([number for number, (on, _due_ns) in self._open.items() if on == session])

    def _take(self, numbers: list[int]) -> list[Asked]:
        for number in numbers:
            del self._open[number]
        return [self._known[number] for number in numbers]
