"""The options of `[venues.NAME]` with `adapter = "binance_usdm"`."""

from __future__ import annotations

from attrs import field, frozen

from adapters.binance.options import DEPTH_MOST, RECV_WINDOW_MOST_NS, Urls, optional_key
from adapters.binance_usdm.hosts import BY_NAME
from adapters.keys import KeySource
from engine.values import MILLISECOND_NS, SECOND_NS, Duration

ENVIRONMENTS: dict[str, Urls] = {
    "mainnet": Urls(
        "https://fapi.binance.com", "wss://fstream.binance.com", "wss://ws-fapi.binance.com/ws-fapi/v1"
    ),
    "demo": Urls("https://demo-fapi.binance.com", "wss://fstream.binancefuture.com", ""),
}  # fmt: skip
RIGHTS_URLS = {"mainnet": "https://api.binance.com"}
"""Where the key's own rights are told: Spot's REST, for the key is one for all of Binance's products."""

PUBLIC, MARKET = ("quotes", "depth"), ("trades", "marks")
"""The two routes of market streams, and what comes on each."""

STREAMS = (*PUBLIC, *MARKET)


@frozen(kw_only=True)
class UsdmOptions:
    """Which environment, whose account, and how long anything may take.

    A request is refused by the venue once `recv_window` (or the order's own expiry, if that is sooner) has passed since
    it was made; an order that has no answer within `request_timeout` is in doubt; `matching_limit` is what the venue
    gives its matching engine to answer, before which nothing is taken for absent. The account's events come by a listen
    key that is kept alive every `keep_alive_every`. A connection is followed by another after `connection_life`, before
    the venue ends it. The key's rights are asked for at `rights_url`; a key that may withdraw is refused unless
    `allow_withdrawal_rights`. Leverage, margin mode and position mode are read and compared, and never changed. `seed`
    makes the waits between attempts repeatable.
    """

    environment: str = "demo"
    rest_url: str | None = None
    stream_url: str | None = None
    rights_url: str | None = None
    api_key: KeySource | None = field(default=None, converter=optional_key)
    api_secret: KeySource | None = field(default=None, converter=optional_key)
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
    keep_alive_every_ns: Duration = Duration(30 * 60 * SECOND_NS)
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
            (self.rest_url or documented.rest).rstrip("/"), (self.stream_url or documented.stream).rstrip("/"),
            documented.ws_api,
        )  # fmt: skip

    @property
    def key_rights_url(self) -> str | None:
        """Where the key's rights are asked for; None where nobody tells them."""
        found = self.rights_url or RIGHTS_URLS.get(self.environment)
        return None if found is None else found.rstrip("/")

    def __attrs_post_init__(self) -> None:
        if self.environment not in BY_NAME:
            raise ValueError(f"environment {self.environment!r} is none of {', '.join(BY_NAME)}")
        if not self.streams or set(self.streams) - set(STREAMS):
            raise ValueError(f"streams are some of {', '.join(STREAMS)}")
        if not MILLISECOND_NS <= self.recv_window_ns <= RECV_WINDOW_MOST_NS:
            raise ValueError("recv_window is from 1ms to 60s")
        if not 1 <= self.depth_levels <= DEPTH_MOST:
            raise ValueError(f"depth_levels is from 1 to {DEPTH_MOST}")
        if self.keep_alive_every_ns <= 0:
            raise ValueError("keep_alive_every is above 0")
