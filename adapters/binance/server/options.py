"""What can be set of the local exchange when it starts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import Factory, field, frozen

from adapters.binance.server.faults import BinanceFaults
from adapters.simulated.generator import STEP_NS
from adapters.simulated.listing import Listing
from adapters.simulated.options import AckOn, FeeIn, FeeRates, SimulatedOptions, read_tapes
from engine.values import SECOND_NS, Duration

LOCAL_API_KEY = "holdfast-local-key"
LOCAL_SECRET = "holdfast-local-secret"

_FEES = FeeRates()
_NO_FAULTS = BinanceFaults()


@frozen(kw_only=True)
class Limits:
    """The limits that the exchange tells in exchangeInfo, and how it gets angry.

    Who goes on for `patience` requests after a 429 is banned for `ban_ns`, each time twice as long as before, up to
    three days. `messages_per_second` is what a websocket of market streams may send.
    """

    weight_per_minute: int = 6_000
    orders_per_10s: int = 50
    orders_per_day: int = 160_000
    raw_per_5m: int = 300_000
    patience: int = 10
    ban_ns: Duration = Duration(120 * SECOND_NS)
    messages_per_second: int = 5
    streams_per_connection: int = 1_024


@frozen(kw_only=True)
class ExchangeOptions:
    """Market, fees and balances as the simulated exchange has them; the keys that open the account.

    `public_key` is a PEM text of an Ed25519 or RSA key, which `public_api_key` names. `ping_every_ns`, `pong_within_ns`
    and `lifetime_ns` are of websockets.
    """

    seed: int = 7
    tape: Any = field(default=None, converter=read_tapes)
    speed: str = "1"
    every_ns: Duration = Duration(STEP_NS)
    latency_ns: Duration = Duration(0)
    fees: FeeRates = _FEES
    fee_in: FeeIn = FeeIn.RECEIVED
    slippage: Decimal = Decimal(0)
    balances: dict[str, Decimal] = Factory(dict)
    instruments: dict[str, Listing] = Factory(dict)
    faults: BinanceFaults = _NO_FAULTS
    limits: Limits = Limits()
    api_key: str = LOCAL_API_KEY
    api_secret: str = field(default=LOCAL_SECRET, repr=False)
    public_api_key: str = "holdfast-local-public-key"
    public_key: str | None = None
    ping_every_ns: Duration = Duration(20 * SECOND_NS)
    pong_within_ns: Duration = Duration(60 * SECOND_NS)
    lifetime_ns: Duration = Duration(86_400 * SECOND_NS)

    def simulated(self) -> SimulatedOptions:
        """The same for the simulated exchange below."""
        return SimulatedOptions(
            seed=self.seed, tape=self.tape, speed=self.speed, every_ns=self.every_ns, latency_ns=self.latency_ns,
            fees=self.fees, fee_in=self.fee_in, slippage=self.slippage, balances=self.balances,
            instruments=self.instruments, faults=self.faults, ack_on=AckOn.BOTH,
        )  # fmt: skip
