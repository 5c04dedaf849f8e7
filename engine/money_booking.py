"""What executions and fees do to positions and balances, and what the guard against refusals counts."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal

from engine.account import move, settle, settle_contract
from engine.order import UNSETTLED, Order
from engine.position import Position, charge, execute
from engine.state import Outcome, Recorded, State, position_to_book
from engine.values import Asset, Side

OUTCOMES_MOST = 1_000
"""Outcomes of new orders that the guard against refusals looks at; the oldest go first."""


def book_money(state: State, order: Order, side: Side, quantity: Decimal, price: Decimal) -> None:
    """Book an execution on its strategy's position and on the account's balances."""
    position = position_to_book(state, order.instrument, order.strategy)
    state.positions[order.instrument][order.strategy] = execute(position, side, quantity, price)
    instrument, balances = state.instruments[order.instrument], state.balances.setdefault(order.venue, {})
    if instrument.is_spot:
        settle(balances, instrument, side, quantity, price)
        return
    before = state.nets.get(order.instrument) or Position(multiplier=position.multiplier)
    after = state.nets[order.instrument] = execute(before, side, quantity, price)
    settle_contract(balances, instrument, before, after)


def charge_fee(state: State, order: Order, fee: Decimal | None, asset: Asset | None) -> None:
    """Book a fee on its strategy's position and take it from the account."""
    if fee is None or asset is None:
        return
    position = position_to_book(state, order.instrument, order.strategy)
    state.positions[order.instrument][order.strategy] = charge(position, fee, asset)
    move(state.balances.setdefault(order.venue, {}), asset, -fee)


def note_outcome(state: State, order: Order, at: Recorded, *, is_rejected: bool) -> None:
    """Remember what became of a new order, where that is watched."""
    guards = state.settings.guards
    if guards.max_reject_rate is None or order.status not in UNSETTLED:
        return
    since = bisect_right(state.outcomes, at.at_ns - guards.reject_window_ns, key=lambda outcome: outcome.at_ns)
    kept = state.outcomes[max(since, len(state.outcomes) - OUTCOMES_MOST + 1) :]
    state.outcomes = (*kept, Outcome(at.at_ns, order.venue, order.strategy, is_rejected))
