"""What the exchange trades: each symbol's terms, and what an account has of it in the beginning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from attrs import field, frozen

from engine.instrument import Instrument, InstrumentKind
from engine.values import ONE, SECOND_NS, ZERO, Asset, Duration, InstrumentName, VenueName, exact, plain

OPENING_QUOTE = Decimal(100_000)
_Value = TypeVar("_Value", Decimal, int)
_MOST_LOTS = 10_000_000
_MOST_TIMES_PRICE = 100
_QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "GBP")


def _read_time(value: Any) -> int | None:
    """Nanoseconds since the epoch of a written time; raises `ValueError` where it has no zone."""
    if value is None or isinstance(value, int):
        return value
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if found.tzinfo is None:
        raise ValueError(f"{value} has no zone; write it as 2026-12-25T08:00:00Z")
    return int(found.timestamp()) * SECOND_NS


@frozen(kw_only=True)
class Listing:
    """What a configuration may say of a symbol; None is the default for that symbol.

    `price` is around where the generated market moves, `displayed` the quantity it shows at a level (and the size of
    quotes that are made from candles or trades), `spread` the distance of their bid and ask (one tick if left out),
    `volatility_ppm` its movement in a tenth of a second. A contract
    (`kind` other than spot) locks no margin here; with a `funding_rate` its holders pay or receive that fraction of
    what they hold, `funding_every`, while the exchange runs. `expiry` is a time such as 2026-12-25T08:00:00Z.
    """

    base: str | None = None
    quote: str | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    min_notional: Decimal | None = None
    price: Decimal | None = None
    displayed: Decimal | None = None
    spread: Decimal | None = None
    volatility_ppm: int | None = None
    kind: InstrumentKind = InstrumentKind.SPOT
    multiplier: Decimal = ONE
    settlement_asset: str | None = None
    expiry: Any = field(default=None, converter=_read_time)
    is_halted: bool = False
    funding_rate: Decimal | None = None
    funding_every_ns: Duration = Duration(8 * 3600 * SECOND_NS)


@frozen(kw_only=True)
class Terms:
    """All of a symbol's terms, none left open. The instrument is under the exchange's own symbol."""

    instrument: Instrument
    price: Decimal
    displayed: Decimal
    volatility_ppm: int
    funding_rate: Decimal | None = None
    funding_every_ns: int = 8 * 3600 * SECOND_NS
    spread: Decimal = ZERO

    def __attrs_post_init__(self) -> None:
        for number in (self.instrument.tick, self.instrument.lot, self.price, self.displayed):
            if number <= 0:
                raise ValueError(f"{self.instrument.symbol}: tick, lot, price and displayed must be above 0")
        if self.spread < self.instrument.tick or not self.instrument.is_on_tick(self.spread):
            raise ValueError(f"{self.instrument.symbol}: a spread is one or more ticks of {self.instrument.tick}")


_KNOWN = {
    "BTCUSDT": Listing(
        base="BTC", quote="USDT", tick=Decimal("0.01"), lot=Decimal("0.00001"), min_notional=Decimal(5),
        price=Decimal(60_000), displayed=Decimal("0.8"), volatility_ppm=25,
    ),
    "ETHUSDT": Listing(
        base="ETH", quote="USDT", tick=Decimal("0.01"), lot=Decimal("0.0001"), min_notional=Decimal(5),
        price=Decimal(3_000), displayed=Decimal(12), volatility_ppm=30,
    ),
}  # fmt: skip


def terms(symbol: str, said: Listing = Listing()) -> Terms:
    """A symbol's terms: what was said of it, else what is known of it, else what fits most. Raises `ValueError`."""
    known = _KNOWN.get(symbol, Listing())
    base, quote = _split(symbol)
    tick = _first(said.tick, known.tick, Decimal("0.01"))
    lot = _first(said.lot, known.lot, Decimal("0.001"))
    price = _first(said.price, known.price, Decimal(100))
    return Terms(
        instrument=Instrument(
            name=InstrumentName(symbol), venue=VenueName("simulated"), symbol=symbol,
            base=Asset(said.base or known.base or base), quote=Asset(said.quote or known.quote or quote),
            tick=tick, lot=lot,
            min_quantity=_first(said.min_quantity, lot),
            max_quantity=_first(said.max_quantity, plain(lot * _MOST_LOTS)),
            min_price=_first(said.min_price, tick), max_price=_first(said.max_price, price * _MOST_TIMES_PRICE),
            min_notional=known.min_notional if said.min_notional is None else said.min_notional,
            kind=said.kind, multiplier=said.multiplier, expiry_ns=said.expiry, is_halted=said.is_halted,
            settlement_asset=None if said.settlement_asset is None else Asset(said.settlement_asset),
        ),
        funding_rate=said.funding_rate, funding_every_ns=said.funding_every_ns,
        price=price,
        displayed=_first(said.displayed, known.displayed, Decimal(100)),
        volatility_ppm=_first(said.volatility_ppm, known.volatility_ppm, 100),
        spread=_first(said.spread, known.spread, tick),
    )  # fmt: skip


def _first(*given: _Value | None) -> _Value:
    """The first that was given; the last always is."""
    return next(value for value in given if value is not None)


def _split(symbol: str) -> tuple[str, str]:
    """Base and quote asset of a symbol, as far as it tells.

    >>> _split("SOLUSDT"), _split("BTC-EUR"), _split("SPY")
    (('SOL', 'USDT'), ('BTC', 'EUR'), ('SPY', 'USD'))
    """
    for mark in ("-", "/", "_"):
        base, found, quote = symbol.partition(mark)
        if found and base and quote:
            return base, quote
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol.removesuffix(quote), quote
    return symbol, "USD"


def opening_balances(said: Mapping[str, Decimal], traded: Iterable[Terms]) -> dict[Asset, Decimal]:
    """What the account begins with: what was said, else 100,000 of each quote asset and as much worth of each base
    that is traded itself.

    >>> opening_balances({}, [terms("ETHUSDT")])
    {'USDT': Decimal('100000'), 'ETH': Decimal('33')}
    """
    balances: dict[Asset, Decimal] = {}
    for each in traded:
        balances.setdefault(each.instrument.cash, OPENING_QUOTE)
        if each.instrument.is_spot:
            balances.setdefault(each.instrument.base, max(ONE, OPENING_QUOTE // each.price))
    if said:
        return dict.fromkeys(balances, ZERO) | {Asset(asset): exact(amount) for asset, amount in said.items()}
    return balances
