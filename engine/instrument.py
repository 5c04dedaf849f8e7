"""An instrument and its exact rounding: tick, lot and the venue's bounds."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from attrs import frozen

from engine.values import EXACT, Asset, InstrumentName, Side, VenueName, plain


@frozen
class Instrument:
    """What may be traded, under our own name and the venue's symbol.

    `tick` and `lot` are the steps of price and quantity; a bound that is None does not exist. Prices are in units
    of `quote` for one `base`; quantities are in `base`.
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
