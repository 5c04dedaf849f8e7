"""What the account is worth and must keep, reckoned as one cross-margined account in the settlement asset. Pure.

Binance's own figures follow from brackets by the size of a position; here one rate holds for all sizes.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen

from adapters.binance_usdm.server.settings import AccountSettings
from adapters.simulated.account import Contract
from adapters.simulated.exchange import Exchange
from adapters.simulated.state import Order
from engine.values import ZERO, Asset, Side, divide, plain

TWO = Decimal(2)


def mark_of(exchange: Exchange, symbol: str) -> Decimal | None:
    """The middle of the book; None where there is none."""
    bids, asks = exchange.market.levels(symbol, Side.BUY), exchange.market.levels(symbol, Side.SELL)
    return divide(bids[0][0] + asks[0][0], TWO) if bids and asks else None


@frozen
class Holding:
    """One position at its mark."""

    symbol: str
    held: Contract
    mark: Decimal

    @property
    def notional(self) -> Decimal:
        """Its worth at the mark, signed."""
        return plain(self.held.quantity * self.mark * self.held.multiplier)

    @property
    def unrealized(self) -> Decimal:
        """What closing it at the mark would give."""
        return self.held.unrealized(self.mark)


def holdings(exchange: Exchange) -> list[Holding]:
    """All that is held, by symbol."""
    found = []
    for symbol, held in sorted(exchange.state.account.contracts.items()):
        mark = mark_of(exchange, symbol)
        if held.quantity:
            found.append(Holding(symbol, held, held.average_price or ZERO if mark is None else mark))
    return found


@frozen
class Margins:
    """The account in one settlement asset: what is in it, open results included, what must be kept of it, and what is
    set aside for positions and open orders."""

    wallet: Decimal
    equity: Decimal
    maintenance: Decimal
    positions: Decimal
    orders: Decimal

    @property
    def available(self) -> Decimal:
        """What may be set aside for another order; never below zero."""
        return max(ZERO, plain(self.equity - self.positions - self.orders))


def margins(exchange: Exchange, asset: Asset, settings: AccountSettings, rate: Decimal) -> Margins:
    """The account as it stands."""
    rules, wallet = exchange.rules, exchange.state.account.total(asset)
    held = [each for each in holdings(exchange) if rules.instruments[each.symbol].cash == asset]
    equity = wallet + sum((each.unrealized for each in held), ZERO)
    maintenance = sum((abs(each.notional) * rate for each in held), ZERO)
    initial = sum((divide(abs(each.notional), Decimal(settings.leverage_of(each.symbol))) for each in held), ZERO)
    orders = sum((_initial(exchange, order, settings) for order in exchange.state.open.values()), ZERO)
    return Margins(wallet, plain(equity), plain(maintenance), plain(initial), plain(orders))


def _initial(exchange: Exchange, order: Order, settings: AccountSettings) -> Decimal:
    symbol = order.accepted.symbol
    price = order.price or mark_of(exchange, symbol) or ZERO
    held = exchange.state.account.contracts.get(symbol, Contract()).quantity
    closes = held * order.accepted.side.sign < ZERO
    opening = max(ZERO, order.leaves - abs(held)) if closes else order.leaves
    return divide(opening * price, Decimal(settings.leverage_of(symbol)))


def liquidation_price(holding: Holding, equity: Decimal, maintenance: Decimal, rate: Decimal) -> Decimal:
    """The mark at which the account has no more than it must keep, the other positions staying as they are; zero where
    there is none."""
    quantity = holding.held.quantity * holding.held.multiplier
    others = maintenance - abs(holding.notional) * rate
    slope = quantity - abs(quantity) * rate
    price = divide(quantity * holding.mark - equity + others, slope) if slope else ZERO
    return max(ZERO, price)
