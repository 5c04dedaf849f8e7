"""The options of `[venues.NAME]` with `adapter = "simulated"`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from attrs import Factory, field, frozen

from adapters.simulated.faults import Faults
from adapters.simulated.generator import STEP_NS
from adapters.simulated.listing import Listing
from engine.instrument import Instrument
from engine.values import MILLISECOND_NS, ONE, SECOND_NS, ZERO, Duration, OrderType, TimeInForce, exact

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class FeeIn(StrEnum):
    """In which asset a fee is taken: always the quote asset, or the asset that is received."""

    QUOTE = "quote"
    RECEIVED = "received"


class AckOn(StrEnum):
    """Where a new order's acceptance is told: in the reply alone, or on the stream too."""

    REPLY = "reply"
    BOTH = "both"


@frozen
class FeeRates:
    """Fractions of what is traded; a maker's may be negative."""

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")

    def __attrs_post_init__(self) -> None:
        if not (-ONE < self.maker < ONE and ZERO <= self.taker < ONE):
            raise ValueError("fees are fractions below 1 (0.001 is 0.1 %); only a maker's may be negative")

    @property
    def worst(self) -> Decimal:
        """The rate that an order's reserve must cover."""
        return max(self.maker, self.taker)


@frozen(kw_only=True)
class TapeFile:
    """A recorded file and, where it can't be recognised, its format."""

    path: str
    format: str | None = None


def read_tapes(value: Any) -> Mapping[str, TapeFile] | None:
    """`"FILE"`, `{ path, format }` (both for the only symbol, key ""), or a table of them by symbol."""
    if value is None:
        return None
    if isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("path"), str)):
        return {"": _read_tape_file(value)}
    if isinstance(value, Mapping) and value:
        return {str(symbol): _read_tape_file(entry) for symbol, entry in value.items()}
    raise ValueError('tape is "FILE", { path = "FILE", format = "..." } or a table of these by symbol')


def _read_tape_file(value: Any) -> TapeFile:
    if isinstance(value, TapeFile):
        return value
    if isinstance(value, str):
        return TapeFile(path=value)
    if not isinstance(value, Mapping) or not isinstance(value.get("path"), str) or set(value) - {"path", "format"}:
        raise ValueError('a tape is "FILE" or { path = "FILE", format = "..." }')
    return TapeFile(path=value["path"], format=value.get("format"))


_LATENCY_NS = Duration(2 * MILLISECOND_NS)
_EVERY_NS = Duration(STEP_NS)
_TIMEOUT_NS = Duration(SECOND_NS)
_NO_FAULTS = Faults()


@frozen(kw_only=True)
class SimulatedOptions:
    """Everything that can be set of the exchange, and of how its client reaches it.

    `every_ns` is how often a generated market moves, a multiple of 100 ms; `slippage` the part of the price by which
    every order that takes fares worse than what is displayed, rounded up to a tick. `order_types` and `times_in_force`
    are those that the exchange takes: what is left out the engine holds or ends itself. With `url` the exchange runs in
    another process (`holdfast venue simulated`) and its options there count.
    """

    seed: int = 7
    tape: Any = field(default=None, converter=read_tapes)
    speed: str = "1"
    every_ns: Duration = _EVERY_NS
    latency_ns: Duration = _LATENCY_NS
    request_timeout_ns: Duration = _TIMEOUT_NS
    fees: FeeRates = FeeRates()
    fee_in: FeeIn = FeeIn.QUOTE
    slippage: Decimal = ZERO
    ack_on: AckOn = AckOn.REPLY
    balances: dict[str, Decimal] = Factory(dict)
    order_types: tuple[OrderType, ...] = tuple(OrderType)
    times_in_force: tuple[TimeInForce, ...] = tuple(TimeInForce)
    links: bool = True
    instruments: dict[str, Listing] = Factory(dict)
    faults: Faults = _NO_FAULTS
    url: str | None = None

    def spread_of(self, instrument: Instrument) -> Decimal:
        """The distance of the bid and ask that are made where a tape has none."""
        said = self.instruments.get(instrument.symbol, Listing()).spread
        return instrument.tick if said is None else said

    def __attrs_post_init__(self) -> None:
        if self.speed not in ("step", "recorded") and exact(self.speed) <= 0:
            raise ValueError(f'speed {self.speed!r} must be above 0, or "step"')
        if self.every_ns <= 0 or self.every_ns % STEP_NS:
            raise ValueError(f"every is a multiple of 100ms, not {self.every_ns} ns")
        if not ZERO <= self.slippage < ONE:
            raise ValueError("slippage is a fraction from 0 to below 1 (0.0001 is one basis point)")
        if self.url is not None:
            _check_url(self.url)
        for asset, amount in self.balances.items():
            if amount < 0:
                raise ValueError(f"the balance of {asset} is below 0")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "ws" or parts.hostname not in LOOPBACK or parts.port is None:
        raise ValueError(f"url {url!r} must be ws://127.0.0.1:PORT; the simulated exchange is local only")
