"""Positions at a price: what is open, what it is worth, and what that price is taken from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from attrs import frozen

from engine.inputs import Quote
from engine.market import Market
from engine.marks import Mark, is_stale, mark, mark_of_quote
from engine.position import Position
from engine.settings import Marks
from engine.state import State
from engine.values import EXACT, ZERO, InstrumentName, StrategyName, VenueName


@frozen
class Sighting:
    """What an instrument was last seen at: a quote, or where there is none the price of an execution, at `at_ns`."""

    at_ns: int
    quote: Quote | None = None
    price: Decimal | None = None

    def mark(self, quantity: Decimal, settings: Marks) -> Mark | None:
        """The price that a signed quantity is valued at."""
        if self.quote is not None:
            return mark_of_quote(self.quote, quantity, settings.side, self.at_ns)
        return None if self.price is None else Mark(self.price, "fill", self.at_ns)


@frozen
class Holding:
    """A position with its instrument. `strategy` is None for the whole account, empty for what belongs to nobody.

    `quote_asset` is what its result is counted in, `is_stale` says that its mark is older than `max_mark_age`;
    `liquidation_price` is the venue's, as it said it last, of the whole account's position.
    """

    instrument: InstrumentName
    venue: VenueName
    strategy: StrategyName | None
    position: Position
    quote_asset: str
    mark: Mark | None
    is_stale: bool = False
    liquidation_price: Decimal | None = None

    @property
    def unrealized(self) -> Decimal | None:
        """What closing at the mark would realise; None without a mark."""
        if not self.position.quantity:
            return EXACT.subtract(ZERO, self.position.cost)
        return None if self.mark is None else self.position.unrealized(self.mark.price)

    @property
    def fees(self) -> Decimal:
        """Fees in the quote asset; those in other assets are not money of this one."""
        return self.position.fees.get(self.quote_asset, ZERO)

    @property
    def result(self) -> Decimal:
        """Realised and funding less fees, plus what is open where its price is known."""
        booked = EXACT.add(self.position.realized, self.position.funding)
        return EXACT.add(EXACT.subtract(booked, self.fees), self.unrealized or ZERO)


def holdings(state: State, seen: Mapping[InstrumentName, Sighting], now_ns: int | None = None) -> list[Holding]:
    """Per instrument: the account first, then each strategy. Marks are as old as they are at `now_ns`, by default at
    the newest event."""
    settings, at_ns = state.settings.marks, state.at_ns if now_ns is None else now_ns
    found: list[Holding] = []
    for name, who, position in _held(state):
        sighting = seen.get(name)
        at = None if sighting is None else sighting.mark(position.quantity, settings)
        found.append(_holding(state, name, who, position, at, at_ns))
    return found


def live_holdings(state: State, market: Market, now_ns: int) -> list[Holding]:
    """The same by what the living engine's market shows."""
    settings = state.settings.marks
    return [
        _holding(state, name, who, position, mark(market, name, position.quantity, settings), now_ns)
        for name, who, position in _held(state)
    ]


def _held(state: State) -> list[tuple[InstrumentName, StrategyName | None, Position]]:
    found: list[tuple[InstrumentName, StrategyName | None, Position]] = []
    for name in sorted(state.positions):
        found.append((name, None, state.position(name)))
        found += [(name, who, position) for who, position in sorted(state.positions[name].items())]
    return found


def _holding(
    state: State, name: InstrumentName, who: StrategyName | None, position: Position, at: Mark | None, now_ns: int
) -> Holding:
    terms = state.instruments[name]
    stale = at is not None and is_stale(at, now_ns, state.settings.marks)
    venue = state.venues.get(terms.venue)
    liquidation = venue.liquidation_prices.get(name) if venue is not None and who is None else None
    return Holding(name, terms.venue, who, position, terms.cash, at, stale, liquidation)


def result_by_asset(found: list[Holding]) -> dict[str, Decimal]:
    """The accounts' results summed by the asset that they are counted in."""
    totals: dict[str, Decimal] = {}
    for holding in found:
        if holding.strategy is None:
            totals[holding.quote_asset] = EXACT.add(totals.get(holding.quote_asset, ZERO), holding.result)
    return totals
