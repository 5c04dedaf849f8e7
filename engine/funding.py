"""Funding: payments for holding a contract, booked once and shared among the strategies that hold it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine import events
from engine.events import Event
from engine.inputs import FundingReported
from engine.order_effects import bounded, surprise
from engine.state import NOBODY, State, funding_key
from engine.values import EXACT, InstrumentName, StrategyName, divide, plain


def book_funding(state: State, paid: FundingReported, now_ns: int) -> Iterator[Event]:
    """The event of a payment that is not booked yet. One from before the account was opened is in its opening."""
    venue = state.venues.get(paid.venue)
    if venue is None or not venue.opened_ns or paid.transact_ns <= venue.opened_ns:
        return
    if funding_key(paid.venue, paid.instrument, paid.funding_id) in state.fundings:
        return
    terms = state.instruments.get(paid.instrument)
    if terms is None or terms.venue != paid.venue or terms.is_spot:
        detail = f"a payment of {paid.amount} {paid.asset} for {paid.instrument}, which is no contract that we know"
        yield from surprise(state, paid.venue, "unknown_funding", detail, paid.raw, now_ns)
        return
    shares = _shares(state, paid.instrument, paid.amount)
    if paid.asset != terms.cash:
        shares = {}  # not money of its results: the balance alone moves
        detail = f"a payment in {paid.asset}, but {paid.instrument} settles in {terms.cash}"
        yield from surprise(state, paid.instrument, "funding_asset", detail, paid.raw, now_ns)
    yield events.FundingBooked(
        instrument=paid.instrument, venue=paid.venue, funding_id=paid.funding_id, asset=paid.asset,
        amount=paid.amount, shares=shares, transact_ns=paid.transact_ns, raw=bounded(paid.raw),
    )  # fmt: skip


def _shares(state: State, instrument: InstrumentName, amount: Decimal) -> dict[StrategyName, Decimal]:
    """Each strategy's part, by its part of the account's net position: a strategy on the other side gets what the
    others pay for it. The last one takes what rounding leaves, so that the parts are the whole."""
    held = sorted((name, position.quantity) for name, position in state.positions.get(instrument, {}).items())
    holders = [(name, quantity) for name, quantity in held if quantity]
    net = sum((quantity for _name, quantity in holders), Decimal(0))
    if not net:
        return {NOBODY: amount}
    shares = {name: divide(EXACT.multiply(amount, quantity), net) for name, quantity in holders[:-1]}
    last = holders[-1][0]
    shares[last] = plain(EXACT.subtract(amount, sum(shares.values(), Decimal(0))))
    return shares
