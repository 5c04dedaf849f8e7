"""A venue's rate budget: what may be asked now, by lane. Pure: the clock is passed in, the limits are the venue's own.

A window is as long as the venue says and begins when the venue's clock says so; `now_ns` is therefore the venue's time.
What was used before this process began is unknown, so a budget is empty until the venue has told a count, or a whole
window has passed: until then one question may be asked at a time, and its answer tells the count.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from attrs import define, frozen

from engine.values import SECOND_NS

PROBE_AGAIN_NS = SECOND_NS
"""An unanswered first question is followed by another after so long."""


class Lane(IntEnum):
    """What asks, in the order of its right to the budget; the value is the part of a limit, in percent, up to which it
    may use it. Cancels and questions about orders in doubt always have room, data yields first."""

    DATA = 50
    RECONCILE = 70
    ORDERS = 90
    URGENT = 100


@frozen
class RateLimit:
    """So much of a `kind` (`REQUEST_WEIGHT`, `ORDERS` ...) within each interval, in nanoseconds."""

    kind: str
    interval_ns: int
    limit: int


@define
class _Window:
    """What is known of one limit: the window it was counted in, the venue's count, and what is on its way."""

    limit: int
    begun_ns: int
    index: int | None = None
    used: int = 0
    in_flight: int = 0


class Budget:
    """Asked before each request, told of each answer. Not locked: its owner is.

    `take` gives 0 where the request may leave now, else how long to wait, in nanoseconds; what was taken must be
    `settle`d once, whatever came of it.
    """

    def __init__(self, limits: Iterable[RateLimit], began_ns: int, closed_until_ns: int = 0) -> None:
        self._began_ns, self._closed_until_ns = began_ns, closed_until_ns
        self._windows: dict[tuple[str, int], _Window] = {}
        self._probed_ns: int | None = None
        self.adopt(limits)

    @property
    def closed_until_ns(self) -> int:
        """Until when the venue wants to hear nothing."""
        return self._closed_until_ns

    def adopt(self, limits: Iterable[RateLimit]) -> None:
        """The venue's limits, where they differ from those that were assumed; counts are kept."""
        for limit in limits:
            window = self._windows.setdefault(
                (limit.kind, limit.interval_ns), _Window(limit.limit, begun_ns=self._began_ns)
            )
            window.limit = limit.limit

    def close(self, until_ns: int) -> None:
        """The venue said to stay away until then; an earlier end never shortens a later one."""
        self._closed_until_ns = max(self._closed_until_ns, until_ns)

    def take(self, lane: Lane, costs: dict[str, int], now_ns: int) -> int:
        """May a request that costs so much of each kind leave now? Else the wait in nanoseconds."""
        if now_ns < self._closed_until_ns:
            return self._closed_until_ns - now_ns
        found = [(key, window, costs[key[0]]) for key, window in self._windows.items() if costs.get(key[0])]
        if any(not self._is_known(key, window, now_ns) for key, window, _cost in found):
            return self._probe(found, now_ns)
        waits = [_wait_ns(key, window, cost, lane, now_ns) for key, window, cost in found]
        wait_ns = max(waits, default=0)
        if not wait_ns:
            for _key, window, cost in found:
                window.in_flight += cost
        return wait_ns

    def settle(self, costs: dict[str, int], now_ns: int, *, is_counted: bool) -> None:
        """A request that was taken has its answer; where the venue told no count with it, its cost is added to ours."""
        for key, window in self._windows.items():
            cost = costs.get(key[0], 0)
            window.in_flight = max(0, window.in_flight - cost)
            if not is_counted:
                self._add(key, window, cost, now_ns)

    def learn(self, kind: str, interval_ns: int, used: int, now_ns: int) -> None:
        """The venue's own count of a window, told with an answer just now; of a limit nobody named it says nothing."""
        window = self._windows.get((kind, interval_ns))
        if window is not None:
            window.index, window.used = now_ns // interval_ns, used
            self._probed_ns = None

    def used(self, kind: str, interval_ns: int, now_ns: int) -> int:
        """What is used or on its way in the window of now; for who watches."""
        window = self._windows[kind, interval_ns]
        is_past = window.index is None or now_ns // interval_ns > window.index
        return window.in_flight + (0 if is_past else window.used)

    def _is_known(self, key: tuple[str, int], window: _Window, now_ns: int) -> bool:
        """Has the venue counted, or has a whole window passed since we began?"""
        return window.index is not None or now_ns // key[1] > window.begun_ns // key[1]

    def _add(self, key: tuple[str, int], window: _Window, cost: int, now_ns: int) -> None:
        if self._is_known(key, window, now_ns):
            _turn(key, window, now_ns)
            window.used += cost

    def _probe(self, found: list[tuple[tuple[str, int], _Window, int]], now_ns: int) -> int:
        if self._probed_ns is not None and now_ns < self._probed_ns + PROBE_AGAIN_NS:
            return self._probed_ns + PROBE_AGAIN_NS - now_ns
        self._probed_ns = now_ns
        for _key, window, cost in found:
            window.in_flight += cost
        return 0


def _turn(key: tuple[str, int], window: _Window, now_ns: int) -> None:
    """A new window begins with nothing used; a clock that was set back begins none."""
    index = now_ns // key[1]
    if window.index is None or index > window.index:
        window.index, window.used = index, 0


def _wait_ns(key: tuple[str, int], window: _Window, cost: int, lane: Lane, now_ns: int) -> int:
    _turn(key, window, now_ns)
    if window.used + window.in_flight + cost <= window.limit * lane // 100:
        return 0
    return key[1] - now_ns % key[1]
