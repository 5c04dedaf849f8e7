"""Whether the account's events still come: an order that was accepted must be heard of there too. A subscription may be
dead although its connection is not, and nothing else on it would say so."""

from __future__ import annotations

import threading

from engine.inputs import Input, Report

HEARD_MOST = 4_096
"""Orders that were heard of last; events of older ones are not waited for."""


class Witness:
    """Told of every report and of every event; used from several threads. Limits are in nanoseconds."""

    def __init__(self, limit_ns: int) -> None:
        self._limit_ns = limit_ns
        self._lock = threading.Lock()
        self._heard: dict[str, None] = {}
        self._awaited: dict[str, int] = {}

    def accepted(self, told: Input, now_ns: int) -> None:
        """An order is accepted, by an answer: its event is due, if it has not come already."""
        if not isinstance(told, Report) or told.venue_order_id is None:
            return
        with self._lock:
            order = f"{told.instrument}/{told.venue_order_id}"
            if order not in self._heard:
                self._awaited.setdefault(order, now_ns + self._limit_ns)

    def heard(self, told: Input) -> None:
        """An event told of an order."""
        if not isinstance(told, Report) or told.venue_order_id is None:
            return
        with self._lock:
            order = f"{told.instrument}/{told.venue_order_id}"
            self._awaited.pop(order, None)
            self._heard[order] = None
            if len(self._heard) > HEARD_MOST:
                del self._heard[next(iter(self._heard))]

    def is_overdue(self, now_ns: int) -> bool:
        """Is an event missing? Said once: what was due is not waited for any more."""
        if not self._awaited:
            return False
        with self._lock:
            if now_ns < min(self._awaited.values(), default=now_ns + 1):
                return False
            self._awaited.clear()
            return True

    def forget(self) -> None:
        """The connection is gone: what was due on it does not come."""
        with self._lock:
            self._awaited.clear()
