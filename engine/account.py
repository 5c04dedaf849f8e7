"""Balances of an account, from its opening and from executions only."""

from __future__ import annotations

from decimal import Decimal

from engine.instrument import Instrument
from engine.position import Position
from engine.values import EXACT, ZERO, Asset, Side, plain

Balances = dict[Asset, Decimal]


def settle(balances: Balances, instrument: Instrument, side: Side, quantity: Decimal, price: Decimal) -> None:
    """Move base and quote for an execution of a spot instrument."""
    signed = quantity * side.sign
    move(balances, instrument.base, signed)
    move(balances, instrument.quote, -EXACT.multiply(signed, price))


def settle_contract(balances: Balances, instrument: Instrument, before: Position, after: Position) -> None:
    """Move what an execution of a contract has realised, by the account's net position before and after it."""
    move(balances, instrument.cash, EXACT.subtract(after.realized, before.realized))


def move(balances: Balances, asset: Asset, amount: Decimal) -> None:
    """Add a signed amount to an asset."""
    balances[asset] = plain(EXACT.add(balances.get(asset, ZERO), amount))
