"""Positions at a price: what is open, what it is worth, and what that price is taken from."""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen

from engine.inputs import Quote
from engine.position import Position
from engine.state import State
from engine.values import EXACT, ZERO, InstrumentName, StrategyName, VenueName, divide

_TWO = Decimal(2)


@frozen
class Mark:
    """The price that a position is valued at: `source` is `quote` (its middle) or `fill`, seen at `at_ns`."""

    price: Decimal
    source: str
    at_ns: int


@frozen
class Holding:
    """A position with its instrument. `strategy` is None for the whole account, empty for what belongs to nobody."""

    instrument: InstrumentName
    venue: VenueName
    strategy: StrategyName | None
    position: Position
    quote_asset: str
    mark: Mark | None

    @property
    def unrealized(self) -> Decimal | None:
        """What closing at the mark would realise; None without a mark."""
        if not self.position.quantity:
            return ZERO
        return None if self.mark is None else self.position.unrealized(self.mark.price)

    @property
    def fees(self) -> Decimal:
        """Fees in the quote asset; those in other assets are not money of this one."""
        return self.position.fees.get(self.quote_asset, ZERO)

    @property
    def result(self) -> Decimal:
        """Realised less fees, plus what is open where its price is known."""
        return EXACT.add(EXACT.subtract(self.position.realized, self.fees), self.unrealized or ZERO)


def middle(quote: Quote) -> Decimal:
    """The middle between bid and ask."""
    return divide(EXACT.add(quote.bid, quote.ask), _TWO)


def holdings(state: State, marks: dict[InstrumentName, Mark]) -> list[Holding]:
    """Per instrument: the account first, then each strategy."""
    found: list[Holding] = []
    for name in sorted(state.positions):
        terms = state.instruments[name]
        held: list[tuple[StrategyName | None, Position]] = [(None, state.position(name))]
        held += sorted(state.positions[name].items())
        found += [Holding(name, terms.venue, who, position, terms.quote, marks.get(name)) for who, position in held]
    return found


def result_by_asset(found: list[Holding]) -> dict[str, Decimal]:
    """The accounts' results summed by quote asset."""
    totals: dict[str, Decimal] = {}
    for holding in found:
        if holding.strategy is None:
            totals[holding.quote_asset] = EXACT.add(totals.get(holding.quote_asset, ZERO), holding.result)
    return totals
