"""An instrument and its exact rounding: tick, lot and the venue's bounds."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from attrs import frozen

from engine.values import EXACT, ONE, Asset, InstrumentName, Side, VenueName, plain


class InstrumentKind(StrEnum):
    """SecurityType(167), as far as it changes what is booked: a spot trade moves both assets, a contract neither."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    OPTION = "option"


class MarginMode(StrEnum):
    """What a contract's loss may take: what was set aside for it, or all that the account has."""

    ISOLATED = "isolated"
    CROSS = "cross"


@frozen
class PriceBands:
    """How far from the market a limit price may be: parts of the market price, for each side the lowest and highest.

    Zero is no bound.
    """

    buy_low: Decimal
    buy_high: Decimal
    sell_low: Decimal
    sell_high: Decimal

    def of(self, side: Side) -> tuple[Decimal, Decimal]:
        """The lowest and the highest part of a side."""
        return (self.buy_low, self.buy_high) if side is Side.BUY else (self.sell_low, self.sell_high)


@frozen
class Instrument:
    """What may be traded, under our own name and the venue's symbol.

    `tick` and `lot` are the steps of price and quantity; a bound that is None does not exist. Prices are in units
    of `quote` for one `base`; quantities are in `base`, or in contracts of `multiplier` base each. A contract is paid
    in its `settlement_asset` (the quote asset where none is named) and can't be traded from `expiry_ns` on.
    An order that takes at any price has its own lot and bounds where `market_lot`, `min_` and `max_market_quantity`
    name them; `max_orders` and `max_stops` are how many of ours may be open at once, and may wait for a stop price.
    `leverage` and `margin_mode` are what the account has set for a contract; nobody here changes them.
    """

    name: InstrumentName
    venue: VenueName
    symbol: str
    base: Asset
    quote: Asset
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    min_notional: Decimal | None = None
    kind: InstrumentKind = InstrumentKind.SPOT
    multiplier: Decimal = ONE
    settlement_asset: Asset | None = None
    expiry_ns: int | None = None
    is_halted: bool = False
    max_notional: Decimal | None = None
    market_lot: Decimal | None = None
    min_market_quantity: Decimal | None = None
    max_market_quantity: Decimal | None = None
    price_bands: PriceBands | None = None
    max_orders: int | None = None
    max_stops: int | None = None
    leverage: int | None = None
    margin_mode: MarginMode | None = None

    @property
    def cash(self) -> Asset:
        """The asset in which results, funding and notional are counted."""
        return self.settlement_asset or self.quote

    @property
    def is_spot(self) -> bool:
        """Does an execution move the base asset itself?"""
        return self.kind is InstrumentKind.SPOT

    @property
    def is_linear(self) -> bool:
        """Is a price a price of what it is paid in? An inverse contract, paid in its base, is not."""
        return self.cash == self.quote

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What a quantity is worth at a price, in `cash`; signed as the quantity is."""
        return plain(EXACT.multiply(EXACT.multiply(quantity, price), self.multiplier))

    def is_expired(self, now_ns: int) -> bool:
        """May it be traded no more?"""
        return self.expiry_ns is not None and now_ns >= self.expiry_ns

    def round_price(self, price: Decimal, side: Side) -> Decimal:
        """The nearest price on the tick that is no worse for us: down for a buy, up for a sell."""
        return _step(price, self.tick, ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """The nearest quantity on the lot that is not larger."""
        return _step(quantity, self.lot, ROUND_FLOOR)

    def is_on_tick(self, price: Decimal) -> bool:
        """True where the price is a whole number of ticks."""
        return not EXACT.remainder(price, self.tick)

    def is_on_lot(self, quantity: Decimal) -> bool:
        """True where the quantity is a whole number of lots."""
        return not EXACT.remainder(quantity, self.lot)


def _step(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    """`number` moved to a whole multiple of `step`.

    >>> _step(Decimal("57.638000000000005"), Decimal("0.001"), ROUND_FLOOR)
    Decimal('57.638')
    """
    steps = EXACT.divide(number, step).to_integral_value(rounding=rounding)
    return plain(EXACT.multiply(steps, step))
