"""The reference model: what the exchange's ledger says, added up by somebody who knows nothing of either program.

Three dicts and a sum. It is kept small on purpose: what it says must be plain to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from attrs import Factory, define

from adapters.simulated import ledger
from engine.events import PositionAdjusted
from engine.state import Recorded, State
from engine.values import ZERO, Asset, InstrumentName, Side, VenueName
from tools.simulation.invariants import is_noticed


@define
class OpenOrder:
    """An order in the exchange's book: the id it was created with, and what may still trade."""

    client_order_id: str
    symbol: str
    side: Side
    base: Asset
    quote: Asset
    quantity: Decimal
    filled: Decimal = ZERO


@define
class LedgerModel:
    """One account: cash by asset, what was bought less what was sold by symbol, open orders, executions."""

    cash: dict[str, Decimal] = Factory(dict)
    held: dict[str, Decimal] = Factory(dict)
    open: dict[str, OpenOrder] = Factory(dict)
    executions: dict[str, tuple[Decimal, Decimal, Decimal]] = Factory(dict)
    adjusted: set[str] = Factory(set)

    def book(self, seq: int, fact: ledger.Fact) -> None:
        """Add one fact of the ledger."""
        match fact:
            case ledger.Deposited():
                self._pay(fact.asset, fact.quantity)
            case ledger.OrderAccepted():
                self.open[str(seq)] = OpenOrder(
                    fact.client_order_id, fact.symbol, fact.side, fact.base, fact.quote, fact.quantity
                )
            case ledger.OrderExecuted():
                self._execute(seq, fact)
            case ledger.OrderReplaced():
                order = self.open[fact.venue_order_id]
                order.quantity = fact.quantity
                self._close_if_done(fact.venue_order_id, order)
            case ledger.OrderReduced():
                order = self.open[fact.venue_order_id]
                order.quantity = fact.quantity
                self._close_if_done(fact.venue_order_id, order)
            case ledger.OrderCanceled() | ledger.OrderExpired():
                del self.open[fact.venue_order_id]

    def note(self, one: Recorded) -> None:
        """A position that an operator's adjustment explains is not compared any more."""
        if isinstance(one.event, PositionAdjusted):
            self.adjusted.add(one.event.instrument)

    def differences(self, state: State, venue: VenueName, symbols: dict[InstrumentName, str]) -> Iterator[str]:
        """Where the engine's books say something else."""
        yield from self._of_executions(state, venue)
        for name, symbol in symbols.items():
            ours, theirs = state.position(name).quantity, self.held.get(symbol, ZERO)
            if ours != theirs and name not in self.adjusted:
                yield f"O3: the position in {name} is {ours} here and {theirs} by the exchange's ledger"
        for asset, theirs in self.cash.items():
            ours = state.balances.get(venue, {}).get(Asset(asset), ZERO)
            if ours != theirs and not is_noticed(state, venue, asset, theirs - ours):
                yield f"O8: {asset} is {ours} here and {theirs} by the exchange's ledger"
        mine = {
            str(order.client_order_id)
            for order in state.open_orders()
            if order.venue == venue and order.is_open and not order.is_unsettled
        }
        open_there = {order.client_order_id for order in self.open.values()}
        for client_id in sorted(mine - open_there):
            yield f"O3: {client_id} is open here and not at the exchange"
        for client_id in sorted(open_there - mine):
            yield f"O3: {client_id} is open at the exchange and not here"

    def _of_executions(self, state: State, venue: VenueName) -> Iterator[str]:
        ours = {
            key.rpartition("/")[2]: (one.quantity, one.price, one.fee)
            for key, one in state.executions.items()
            if key.startswith(f"{venue}/")
        }
        for exec_id in sorted(self.executions.keys() | ours.keys()):
            if ours.get(exec_id) != self.executions.get(exec_id):
                told, booked = self.executions.get(exec_id, "unknown"), ours.get(exec_id, "not booked")
                yield f"O3: execution {exec_id} is {_words(booked)} here and {_words(told)} at the exchange"

    def _execute(self, seq: int, fact: ledger.OrderExecuted) -> None:
        order = self.open[fact.venue_order_id]
        self.executions[f"x{seq}"] = (fact.quantity, fact.price, fact.fee)
        bought = fact.quantity * order.side.sign
        self.held[order.symbol] = self.held.get(order.symbol, ZERO) + bought
        self._pay(order.base, bought)
        self._pay(order.quote, -bought * fact.price)
        self._pay(fact.fee_asset, -fact.fee)
        order.filled += fact.quantity
        self._close_if_done(fact.venue_order_id, order)

    def _close_if_done(self, venue_order_id: str, order: OpenOrder) -> None:
        if order.filled >= order.quantity:
            del self.open[venue_order_id]

    def _pay(self, asset: str, amount: Decimal) -> None:
        self.cash[asset] = self.cash.get(asset, ZERO) + amount


def _words(terms: tuple[Decimal, Decimal, Decimal | None] | str) -> str:
    if isinstance(terms, str):
        return terms
    quantity, price, fee = terms
    return f"{quantity} at {price}, fee {fee}"
