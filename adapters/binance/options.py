"""The options of `[venues.NAME]` with `adapter = "binance"`."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from adapters.keys import KeySource, key_source
from engine.values import MILLISECOND_NS, SECOND_NS, Duration


@frozen
class Urls:
    """Where an environment answers: REST, market streams, and the WS API for orders and the account's events."""

    rest: str
    stream: str
    ws_api: str


ENVIRONMENTS: dict[str, Urls] = {
    "mainnet": Urls(
        "https://api.binance.com", "wss://stream.binance.com:9443", "wss://ws-api.binance.com:443/ws-api/v3"
    ),
    "testnet": Urls(
        "https://testnet.binance.vision",
        "wss://stream.testnet.binance.vision",
        "wss://ws-api.testnet.binance.vision/ws-api/v3",
    ),
    "demo": Urls(
        "https://demo-api.binance.com", "wss://demo-stream.binance.com", "wss://demo-ws-api.binance.com/ws-api/v3"
    ),
}

ORDER_ENTRY = ("ws", "rest")
STREAMS = ("quotes", "trades", "depth")
RECV_WINDOW_MOST_NS = 60 * SECOND_NS
DEPTH_MOST = 5_000


def optional_key(value: Any) -> KeySource | None:
    """Where a key is, where one is named; raises `ValueError` for what is no place."""
    return None if value is None else key_source(value)


@frozen(kw_only=True)
class BinanceOptions:
    """Which Binance, whose account, and how long anything may take.

    A request is refused by the venue once `recv_window` (or the order's own expiry, if that is sooner) has passed since
    it was made; an order that has no answer within `request_timeout` is in doubt; `matching_limit` is what the venue
    gives its matching engine to answer, before which nothing is taken for absent. A connection is followed by another
    after `connection_life`, before the venue ends it. A key that may withdraw is refused unless
    `allow_withdrawal_rights`. `seed` makes the waits between attempts repeatable.
    """

    environment: str = "testnet"
    rest_url: str | None = None
    stream_url: str | None = None
    ws_api_url: str | None = None
    api_key: KeySource | None = field(default=None, converter=optional_key)
    api_secret: KeySource | None = field(default=None, converter=optional_key)
    order_entry: str = "ws"
    streams: tuple[str, ...] = STREAMS
    depth_levels: int = 1_000
    recv_window_ns: Duration = Duration(5 * SECOND_NS)
    request_timeout_ns: Duration = Duration(5 * SECOND_NS)
    connect_timeout_ns: Duration = Duration(3 * SECOND_NS)
    matching_limit_ns: Duration = Duration(10 * SECOND_NS)
    clock_every_ns: Duration = Duration(60 * SECOND_NS)
    confirm_limit_ns: Duration = Duration(5 * SECOND_NS)
    silence_limit_ns: Duration = Duration(60 * SECOND_NS)
    connection_life_ns: Duration = Duration(23 * 3_600 * SECOND_NS)
    allow_withdrawal_rights: bool = False
    seed: int | None = None
    backoff_first_ns: Duration = Duration(200 * MILLISECOND_NS)
    backoff_longest_ns: Duration = Duration(30 * SECOND_NS)
    backoff_steady_ns: Duration = Duration(30 * SECOND_NS)

    @property
    def urls(self) -> Urls:
        """The environment's addresses, and those that stand in their place."""
        documented = ENVIRONMENTS[self.environment]
        return Urls(
            (self.rest_url or documented.rest).rstrip("/"),
            (self.stream_url or documented.stream).rstrip("/"),
            self.ws_api_url or documented.ws_api,
        )

    def __attrs_post_init__(self) -> None:
        if self.environment not in ENVIRONMENTS:
            raise ValueError(f"environment {self.environment!r} is none of {', '.join(ENVIRONMENTS)}")
        if self.order_entry not in ORDER_ENTRY:
            raise ValueError(f"order_entry {self.order_entry!r} is none of {', '.join(ORDER_ENTRY)}")
        if not self.streams or set(self.streams) - set(STREAMS):
            raise ValueError(f"streams are some of {', '.join(STREAMS)}")
        if not MILLISECOND_NS <= self.recv_window_ns <= RECV_WINDOW_MOST_NS:
            raise ValueError("recv_window is from 1ms to 60s")
        if not 1 <= self.depth_levels <= DEPTH_MOST:
            raise ValueError(f"depth_levels is from 1 to {DEPTH_MOST}")
