"""Rate limits: as Spot's, but orders are counted by ten seconds and by the minute, filled or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.binance.server.weights import MINUTE_NS, TEN_SECONDS_NS, Bucket, Weights, refused
from adapters.binance_usdm.server.options import UsdmExchangeOptions

_WORDS = {TEN_SECONDS_NS: "10 SECOND", MINUTE_NS: "1 MINUTE"}


class UsdmWeights(Weights):
    """Used from the threads of all connections. Times are the exchange's own."""

    def __init__(self, options: UsdmExchangeOptions, clock: Callable[[], int]) -> None:
        super().__init__(options.limits, clock)
        self._usdm = options
        self._orders = {width_ns: Bucket(width_ns) for width_ns in _WORDS}

    def check_orders(self, count: int = 1) -> None:
        """429 with -1015 where so many more orders were too many."""
        now_ns = self._clock()
        with self._lock:
            for width_ns, limit in self._most():
                if self._orders[width_ns].at(now_ns) + count > limit:
                    message = f"Too many new orders; current limit is {limit} orders per {_WORDS[width_ns]}."
                    raise refused(429, message, now_ns, (now_ns // width_ns + 1) * width_ns, code=-1015)

    def headers(self, address: str, with_orders: bool) -> dict[str, str]:
        """The X-MBX headers of an answer."""
        told, now_ns = super().headers(address, with_orders=False), self._clock()
        if with_orders:
            with self._lock:
                told["X-MBX-ORDER-COUNT-10S"] = str(self._orders[TEN_SECONDS_NS].at(now_ns))
                told["X-MBX-ORDER-COUNT-1M"] = str(self._orders[MINUTE_NS].at(now_ns))
        return told

    def limit_rows(self) -> list[dict[str, Any]]:
        """The limits as exchangeInfo tells them."""
        ten, minute = (limit for _width_ns, limit in self._most())
        rows = (
            ("REQUEST_WEIGHT", "MINUTE", 1, self.limits.weight_per_minute), ("ORDERS", "SECOND", 10, ten),
            ("ORDERS", "MINUTE", 1, minute),
        )  # fmt: skip
        names = ("rateLimitType", "interval", "intervalNum", "limit")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _most(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (TEN_SECONDS_NS, self.limits.orders_per_10s), (MINUTE_NS, self._usdm.orders_per_minute)
