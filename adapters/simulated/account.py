"""What the account owns of each asset, and what a trade costs."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from attrs import Factory, define

from adapters.simulated.ledger import OrderAccepted
from adapters.simulated.options import FeeIn, FeeRates
from adapters.simulated.wire import Executed
from engine.values import EXACT, ONE, ZERO, Asset, Liquidity, Side, plain

FEE_PLACES = Decimal(1).scaleb(-8)


@define
class Account:
    """Totals by asset; what is locked follows from the open orders."""

    totals: dict[Asset, Decimal] = Factory(dict)

    def total(self, asset: Asset) -> Decimal:
        """Free and locked together."""
        return self.totals.get(asset, ZERO)

    def add(self, asset: Asset, quantity: Decimal) -> None:
        """Give, or with a negative quantity take."""
        self.totals[asset] = plain(EXACT.add(self.total(asset), quantity))

    def trade(self, base: Asset, quote: Asset, executed: Executed) -> None:
        """Book one execution and its fee."""
        sign = executed.side.sign
        self.add(base, sign * executed.quantity)
        self.add(quote, -sign * EXACT.multiply(executed.quantity, executed.price))
        self.add(executed.fee_asset, -executed.fee)


def fee_of(
    rates: FeeRates, fee_in: FeeIn, order: OrderAccepted, quantity: Decimal, price: Decimal, liquidity: Liquidity
) -> tuple[Decimal, Asset]:
    """The fee of an execution and its asset; down to 8 places, so that what was reserved always covers it."""
    rate = rates.maker if liquidity is Liquidity.MAKER else rates.taker
    in_base = fee_in is FeeIn.RECEIVED and order.side is Side.BUY
    amount = EXACT.multiply(quantity if in_base else EXACT.multiply(quantity, price), rate)
    fee = plain(amount.quantize(FEE_PLACES, rounding=ROUND_FLOOR, context=EXACT))
    return fee, order.base if in_base else order.quote


def reserve_of(rates: FeeRates, fee_in: FeeIn, side: Side, price: Decimal) -> Decimal:
    """What one unit of an order at `price` costs at most: of the quote asset its price and fee, of the base itself."""
    if side is Side.SELL:
        return ONE
    rate = ZERO if fee_in is FeeIn.RECEIVED else rates.worst
    return plain(EXACT.multiply(price, EXACT.add(ONE, rate)))
