"""Rate limits: request weight by address, unfilled orders by account, 429 and, for who does not listen, 418."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from attrs import Factory, define

from adapters.binance.server.options import Limits
from adapters.binance.server.refusal import Refused
from engine.values import MILLISECOND_NS, SECOND_NS

MINUTE_NS = 60 * SECOND_NS
TEN_SECONDS_NS = 10 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
RAW_NS = 300 * SECOND_NS
BAN_MOST_NS = 3 * DAY_NS
ADDRESSES_MOST = 1_000

_TOO_MUCH = (
    "Too much request weight used; current limit is {} request weight per 1 MINUTE. Please use WebSocket Streams for "
    "live updates to avoid polling the API."
)
_BANNED = (
    "Way too much request weight used; IP banned until {}. Please use WebSocket Streams for live updates to avoid bans."
)


@define
class Bucket:
    """A count that begins anew at each whole multiple of `width_ns`."""

    width_ns: int
    number: int = -1
    count: int = 0

    def at(self, now_ns: int) -> int:
        """What is counted in the bucket of this instant."""
        if now_ns // self.width_ns != self.number:
            self.number, self.count = now_ns // self.width_ns, 0
        return self.count

    def add(self, now_ns: int, count: int) -> None:
        """Count; never below 0."""
        self.count = max(0, self.at(now_ns) + count)


@define
class _Address:
    weight: Bucket = Factory(lambda: Bucket(MINUTE_NS))
    raw: Bucket = Factory(lambda: Bucket(RAW_NS))
    ignored: int = 0
    bans: int = 0
    banned_until_ns: int = 0


class Weights:
    """Used from the threads of all connections. Times are the exchange's own."""

    def __init__(self, limits: Limits, clock: Callable[[], int]) -> None:
        self.limits, self._clock = limits, clock
        self._lock = threading.Lock()
        self._addresses: dict[str, _Address] = {}
        self._orders = {TEN_SECONDS_NS: Bucket(TEN_SECONDS_NS), DAY_NS: Bucket(DAY_NS)}
        self._throttled_until_ns = self._banned_until_ns = 0

    def throttle(self, until_ns: int) -> None:
        """Everyone gets 429 until then."""
        self._throttled_until_ns = until_ns

    def ban(self, until_ns: int) -> None:
        """Every address gets 418 until then, newcomers too; 0 lifts all bans."""
        with self._lock:
            self._addresses.clear()
            self._banned_until_ns = until_ns

    def charge(self, address: str, weight: int) -> None:
        """Count a request; raises `Refused` with 429 or 418 where it is too much."""
        now_ns = self._clock()
        with self._lock:
            found = self._address(address)
            banned_ns = max(found.banned_until_ns, self._banned_until_ns)
            if banned_ns > now_ns:
                raise refused(418, _BANNED.format(banned_ns // MILLISECOND_NS), now_ns, banned_ns)
            over = found.weight.at(now_ns) + weight > self.limits.weight_per_minute
            over = over or found.raw.at(now_ns) >= self.limits.raw_per_5m
            if not over and self._throttled_until_ns <= now_ns:
                found.weight.add(now_ns, weight)
                found.raw.add(now_ns, 1)
                found.ignored = 0
                return
            free_ns = max(self._throttled_until_ns, (now_ns // MINUTE_NS + 1) * MINUTE_NS if over else 0)
            self._count_ignored(found, now_ns)
            raise refused(429, _TOO_MUCH.format(self.limits.weight_per_minute), now_ns, free_ns)

    def _count_ignored(self, found: _Address, now_ns: int) -> None:
        found.ignored += 1
        if found.ignored > self.limits.patience:
            found.banned_until_ns = now_ns + min(BAN_MOST_NS, self.limits.ban_ns << min(found.bans, 20))
            found.bans, found.ignored = found.bans + 1, 0

    def give_back(self, address: str, weight: int) -> None:
        """A request that succeeded costs nothing: an order's."""
        with self._lock:
            self._address(address).weight.add(self._clock(), -weight)

    def _address(self, address: str) -> _Address:
        if len(self._addresses) >= ADDRESSES_MOST:
            self._addresses.clear()
        return self._addresses.setdefault(address, _Address())

    # --- orders -------------------------------------------------------------------------------------------------

    def check_orders(self, count: int = 1) -> None:
        """429 with -1015 where so many more orders were too many."""
        now_ns = self._clock()
        words = {TEN_SECONDS_NS: "10 SECOND", DAY_NS: "1 DAY"}
        with self._lock:
            for width_ns, limit in self._order_limits():
                if self._orders[width_ns].at(now_ns) + count > limit:
                    message = f"Too many new orders; current limit is {limit} orders per {words[width_ns]}."
                    raise refused(429, message, now_ns, (now_ns // width_ns + 1) * width_ns, code=-1015)

    def count_orders(self, count: int) -> None:
        """New orders, or with a count below 0 what first fills give back."""
        now_ns = self._clock()
        with self._lock:
            for bucket in self._orders.values():
                bucket.add(now_ns, count)

    def _order_limits(self) -> tuple[tuple[int, int], ...]:
        return (TEN_SECONDS_NS, self.limits.orders_per_10s), (DAY_NS, self.limits.orders_per_day)

    # --- what is told -------------------------------------------------------------------------------------------

    def headers(self, address: str, with_orders: bool) -> dict[str, str]:
        """The X-MBX headers of an answer."""
        now_ns = self._clock()
        with self._lock:
            used = str(self._address(address).weight.at(now_ns))
            told = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
            if with_orders:
                told["X-MBX-ORDER-COUNT-10S"] = str(self._orders[TEN_SECONDS_NS].at(now_ns))
                told["X-MBX-ORDER-COUNT-1D"] = str(self._orders[DAY_NS].at(now_ns))
        return told

    def rows(self, address: str, with_orders: bool) -> list[dict[str, Any]]:
        """The rateLimits of a WS API reply."""
        now_ns = self._clock()
        with self._lock:
            used = self._address(address).weight.at(now_ns)
        weight = _row("REQUEST_WEIGHT", "MINUTE", 1, self.limits.weight_per_minute) | {"count": used}
        return [*self.order_rows(), weight] if with_orders else [weight]

    def order_rows(self) -> list[dict[str, Any]]:
        """The unfilled orders that are counted."""
        now_ns = self._clock()
        with self._lock:
            counts = [self._orders[width_ns].at(now_ns) for width_ns in (TEN_SECONDS_NS, DAY_NS)]
        return [row | {"count": count} for row, count in zip(limit_rows(self.limits)[1:3], counts, strict=True)]


def _row(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def limit_rows(limits: Limits) -> list[dict[str, Any]]:
    """The limits as exchangeInfo tells them."""
    return [
        _row("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute),
        _row("ORDERS", "SECOND", 10, limits.orders_per_10s),
        _row("ORDERS", "DAY", 1, limits.orders_per_day),
        _row("RAW_REQUESTS", "MINUTE", 5, limits.raw_per_5m),
    ]


def refused(status: int, message: str, now_ns: int, free_ns: int, code: int = -1003) -> Refused:
    """A refusal for asking too much, until an instant."""
    data = {"serverTime": now_ns // MILLISECOND_NS, "retryAfter": free_ns // MILLISECOND_NS}
    seconds = max(1, -(-(free_ns - now_ns) // SECOND_NS))
    return Refused(code, message, status, data, seconds)
