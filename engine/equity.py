"""Equity: what was won and lost, realised and open, fees and funding, by the asset in which it is counted.

Pure functions of State and of prices. What has no price is named, never guessed: its part is left out of the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from attrs import define, frozen

from engine.marks import PriceOf
from engine.position import Position
from engine.state import State
from engine.values import EXACT, ONE, ZERO, Asset, InstrumentName, StrategyName, VenueName, plain


@frozen(kw_only=True)
class Equity:
    """A result in one asset since the journal began. `fees` are above zero where they were paid.

    `unpriced` names the open positions and the fees in other assets that have no price now: they are in no sum.
    """

    asset: Asset
    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    funding: Decimal = ZERO
    fees: Decimal = ZERO
    unpriced: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal:
        """Realised, open and funding, less fees."""
        gained = EXACT.add(EXACT.add(self.realized, self.unrealized), self.funding)
        return plain(EXACT.subtract(gained, self.fees))


@define
class _Sum:
    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    funding: Decimal = ZERO
    fees: Decimal = ZERO
    unpriced: set[str] | None = None

    def miss(self, name: str) -> None:
        self.unpriced = (self.unpriced or set()) | {name}


def equity(
    state: State, price_of: PriceOf, *, strategy: StrategyName | None = None, venue: VenueName | None = None
) -> dict[Asset, Equity]:
    """The result by asset: of one strategy, or with None of the whole account (of one venue, or of all).

    An account's open position is its net one: what two strategies hold against each other is closed there. A fee in
    another asset counts at the present price of that asset.
    """
    sums: dict[Asset, _Sum] = {}
    for name, position in _holdings(state, strategy, venue):
        terms = state.instruments[name]
        found = sums.setdefault(terms.cash, _Sum())
        found.realized = EXACT.add(found.realized, position.realized)
        found.funding = EXACT.add(found.funding, position.funding)
        _add_open(found, name, position, price_of)
        for asset, fee in position.fees.items():
            rate = conversion(state, Asset(asset), terms.cash, price_of) if fee else ONE
            if rate is None:
                found.miss(f"fee in {asset}")
            else:
                found.fees = EXACT.add(found.fees, EXACT.multiply(fee, rate))
    return {
        asset: Equity(
            asset=asset, realized=plain(found.realized), unrealized=plain(found.unrealized),
            funding=plain(found.funding), fees=plain(found.fees), unpriced=tuple(sorted(found.unpriced or ())),
        )
        for asset, found in sums.items()
    }  # fmt: skip


def _holdings(
    state: State, strategy: StrategyName | None, venue: VenueName | None
) -> Iterator[tuple[InstrumentName, Position]]:
    for name, held in state.positions.items():
        if venue in (None, state.instruments[name].venue):
            if strategy is None:
                yield name, state.position(name)
            elif strategy in held:
                yield name, held[strategy]


def _add_open(found: _Sum, name: InstrumentName, position: Position, price_of: PriceOf) -> None:
    if not position.quantity:
        found.unrealized = EXACT.subtract(found.unrealized, position.cost)  # what strategies hold against each other
        return
    price = price_of(name, position.quantity)
    if price is None:
        found.miss(name)
    else:
        found.unrealized = EXACT.add(found.unrealized, position.unrealized(price))


def conversion(state: State, asset: Asset, into: Asset, price_of: PriceOf) -> Decimal | None:
    """How much of `into` one `asset` is worth by the spot instrument of the two; None where none has a price."""
    if asset == into:
        return ONE
    for name, terms in state.instruments.items():
        if terms.is_spot and (terms.base, terms.quote) == (asset, into):
            price = price_of(name, ZERO)
            if price is not None:
                return price
    return None
