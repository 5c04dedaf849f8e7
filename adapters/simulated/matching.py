"""Who trades with whom: an incoming order with what is displayed, resting orders with a market that comes to them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from attrs import field, frozen

from adapters.simulated.account import fee_of
from adapters.simulated.book import Offer, match, merge
from adapters.simulated.ledger import OrderExecuted
from adapters.simulated.market import Instant, Market, Print
from adapters.simulated.options import AckOn, FeeIn, FeeRates
from adapters.simulated.scribe import Scribe
from adapters.simulated.state import Order
from adapters.simulated.wire import Executed
from engine.instrument import Instrument
from engine.values import ZERO, Asset, Liquidity, Side, VenueOrderId, plain

_SIDES = (Side.BUY, Side.SELL)


@frozen(kw_only=True)
class Rules:
    """What is traded, what it costs, and what an account begins with."""

    instruments: Mapping[str, Instrument]
    fees: FeeRates = field(factory=FeeRates)
    fee_in: FeeIn = FeeIn.QUOTE
    ack_on: AckOn = AckOn.REPLY
    balances: Mapping[Asset, Decimal] = field(factory=dict)


class Matching:
    """Writes executions; gives them as they are told."""

    def __init__(self, scribe: Scribe, market: Market, rules: Rules) -> None:
        self._scribe, self._market, self._rules = scribe, market, rules

    def trades(self, symbol: str, side: Side, quantity: Decimal, limit: Decimal | None) -> list[Offer]:
        """What an order would trade now, against the market's levels and other clients' orders."""
        state = self._scribe.state
        resting = state.book(symbol).side(side.opposite)
        clients = [Offer(r.price, state.open[r.venue_order_id].leaves, r.venue_order_id) for r in resting]
        return list(match(side, quantity, limit, merge(side, self._displayed(symbol, side.opposite), clients)))

    def take(self, taker: VenueOrderId, trades: list[Offer], at_ns: int) -> list[Executed]:
        """An incoming order trades."""
        told: list[Executed] = []
        for trade in trades:
            level = trade.price if trade.maker is None else None
            told.append(self._execute(taker, trade.quantity, trade.price, Liquidity.TAKER, level, at_ns))
            if trade.maker is not None:
                told.append(self._execute(trade.maker, trade.quantity, trade.price, Liquidity.MAKER, None, at_ns))
        return told

    def rest(self, instant: Instant) -> list[Executed]:
        """Resting orders trade at their own price with what traded through it, or is displayed at it or better."""
        told: list[Executed] = []
        for each in instant.prints:
            for side in _SIDES:
                told += self._trade_through(each, side, instant.at_ns)
        for symbol in instant.changed:
            for side in _SIDES:
                told += self._reach(symbol, side, instant.at_ns)
        return told

    def _displayed(self, symbol: str, side: Side) -> list[Offer]:
        """The market's levels without what was taken of them already."""
        state, version = self._scribe.state, self._market.version(symbol)
        levels = self._market.levels(symbol, side)
        return [Offer(price, state.available(symbol, version, price, quantity)) for price, quantity in levels]

    def _queue(self, symbol: str, side: Side) -> list[Order]:
        state = self._scribe.state
        return [state.open[resting.venue_order_id] for resting in state.book(symbol).side(side)]

    def _trade_through(self, passed: Print, side: Side, at_ns: int) -> list[Executed]:
        told, left = [], passed.quantity
        for order in self._queue(passed.symbol, side):
            assert order.price is not None
            if left <= ZERO or (order.price - passed.price) * side.sign <= ZERO:
                break
            quantity = min(left, order.leaves)
            left -= quantity
            told.append(self._execute(order.venue_order_id, quantity, order.price, Liquidity.MAKER, None, at_ns))
        return told

    def _reach(self, symbol: str, side: Side, at_ns: int) -> list[Executed]:
        told: list[Executed] = []
        for order in self._queue(symbol, side):
            assert order.price is not None
            trades = list(match(side, order.leaves, order.price, self._displayed(symbol, side.opposite)))
            if not trades:
                break
            told += [
                self._execute(order.venue_order_id, trade.quantity, order.price, Liquidity.MAKER, trade.price, at_ns)
                for trade in trades
            ]
        return told

    def _execute(
        self, venue_order_id: VenueOrderId, quantity: Decimal, price: Decimal, liquidity: Liquidity,
        level: Decimal | None, at_ns: int,
    ) -> Executed:  # fmt: skip
        state, rules = self._scribe.state, self._rules
        terms, quantity = state.open[venue_order_id].accepted, plain(quantity)
        fee, fee_asset = fee_of(rules.fees, rules.fee_in, terms, quantity, price, liquidity)
        self._scribe.write(
            at_ns,
            OrderExecuted(
                venue_order_id=venue_order_id, quantity=quantity, price=price, fee=fee, fee_asset=fee_asset,
                liquidity=liquidity, version=self._market.version(terms.symbol), level=level,
            ),
        )  # fmt: skip
        return state.executions[-1]
