"""What the account owns of each asset, and what a trade costs."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from attrs import Factory, define, frozen

from adapters.simulated.ledger import OrderAccepted
from adapters.simulated.options import FeeIn, FeeRates
from adapters.simulated.wire import Executed
from engine.values import EXACT, ONE, ZERO, Asset, Liquidity, Side, divide, plain

FEE_PLACES = Decimal(1).scaleb(-8)


@frozen
class Contract:
    """What is held of a contract, signed, and what it was opened for."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    multiplier: Decimal = ONE

    @property
    def average_price(self) -> Decimal | None:
        """What one was opened at."""
        return divide(self.cost, self.quantity * self.multiplier) if self.quantity else None

    def unrealized(self, mark: Decimal) -> Decimal:
        """What closing it at a price would give."""
        return plain(self.quantity * mark * self.multiplier - self.cost)


@define
class Account:
    """Totals by asset, and contracts by symbol; what is locked follows from the open orders."""

    totals: dict[Asset, Decimal] = Factory(dict)
    contracts: dict[str, Contract] = Factory(dict)

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

    def trade_contract(self, terms: OrderAccepted, executed: Executed) -> None:
        """Book one execution of a contract: what it closes is paid at once, by the average that it was opened at."""
        assert terms.settles_in is not None
        before = self.contracts.get(terms.symbol, Contract())
        quantity = executed.side.sign * executed.quantity
        price = EXACT.multiply(executed.price, terms.multiplier)
        closed = min(abs(before.quantity), _against(before.quantity, quantity))
        share = divide(EXACT.multiply(before.cost, closed), abs(before.quantity)) if closed else ZERO
        released = before.cost if closed == abs(before.quantity) else share
        sign = 1 if before.quantity > 0 else -1
        opened = quantity + sign * closed
        self.contracts[terms.symbol] = Contract(
            quantity=plain(before.quantity + quantity), cost=plain(before.cost - released + opened * price),
            multiplier=terms.multiplier,
        )  # fmt: skip
        self.add(terms.settles_in, sign * closed * price - released)
        self.add(executed.fee_asset, -executed.fee)


def _against(held: Decimal, quantity: Decimal) -> Decimal:
    """How much of a quantity goes against what is held."""
    return abs(quantity) if held * quantity < ZERO else ZERO


def fee_of(
    rates: FeeRates, fee_in: FeeIn, order: OrderAccepted, quantity: Decimal, price: Decimal, liquidity: Liquidity
) -> tuple[Decimal, Asset]:
    """The fee of an execution and its asset; down to 8 places, so that what was reserved always covers it."""
    rate = rates.maker if liquidity is Liquidity.MAKER else rates.taker
    in_base = fee_in is FeeIn.RECEIVED and order.side is Side.BUY and order.settles_in is None
    value = EXACT.multiply(EXACT.multiply(quantity, price), order.multiplier)
    amount = EXACT.multiply(quantity if in_base else value, rate)
    fee = plain(amount.quantize(FEE_PLACES, rounding=ROUND_FLOOR, context=EXACT))
    return fee, order.base if in_base else order.settles_in or order.quote


def reserve_of(rates: FeeRates, fee_in: FeeIn, side: Side, price: Decimal) -> Decimal:
    """What one unit of an order at `price` costs at most: of the quote asset its price and fee, of the base itself."""
    if side is Side.SELL:
        return ONE
    rate = ZERO if fee_in is FeeIn.RECEIVED else rates.worst
    return plain(EXACT.multiply(price, EXACT.add(ONE, rate)))
