"""What positions and fees are worth in one asset: equity, and money converted at an observed or a configured mark.

Nothing is guessed: where there is no mark, the answer is `Unpriced`, and whoever asked says no.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from attrs import frozen

from engine.market import Market
from engine.position import Position
from engine.state import State
from engine.values import EXACT, ONE, ZERO, Asset, InstrumentName, StrategyName, divide, plain


@frozen
class Unpriced:
    """There is no mark for this instrument or asset."""

    name: str


Worth = Decimal | Unpriced


def rate(state: State, market: Market, asset: str, into: str) -> Worth:
    """What one unit of an asset is worth in another: by the mark of an instrument that trades the two, else by the
    configured conversion into the account's currency."""
    if asset == into:
        return ONE
    for name, instrument in state.instruments.items():
        if (instrument.base, instrument.quote) in ((asset, into), (into, asset)):
            mark = market.mark(name)
            if mark:
                return mark if instrument.base == asset else divide(ONE, mark)
    measures = state.settings.risk.measures
    if into == measures.currency and asset in measures.conversions:
        return measures.conversions[Asset(asset)]
    return Unpriced(asset)


def mark_in(state: State, market: Market, name: InstrumentName, into: str) -> Worth:
    """What one unit of an instrument is worth in an asset: the middle of its last quote, converted."""
    instrument = state.instruments[name]
    mark = market.mark(name)
    if mark is None:
        return rate(state, market, instrument.base, into)
    quoted = rate(state, market, instrument.quote, into)
    return quoted if isinstance(quoted, Unpriced) else EXACT.multiply(mark, quoted)


def closing_price(market: Market, name: InstrumentName, quantity: Decimal) -> Decimal | None:
    """What a position could be closed at: the bid for a long one, the ask for a short one."""
    quote = market.quotes.get(name)
    return None if quote is None else (quote.bid if quantity > 0 else quote.ask)


def asset_of(state: State, name: InstrumentName) -> Asset:
    """The asset that an instrument's limits are measured in: the account's currency, else what it is settled in."""
    return state.settings.risk.measures.currency or state.instruments[name].cash


def holdings(
    state: State, asset: str, strategy: StrategyName | None, instrument: InstrumentName | None
) -> Iterator[tuple[InstrumentName, Position]]:
    """The positions within a scope whose limits are measured in this asset: a strategy's, or the account's net ones."""
    for name in state.positions:
        if instrument in (None, name) and asset_of(state, name) == asset:
            yield name, state.position(name, strategy)


def equity(
    state: State, market: Market, asset: str, strategy: StrategyName | None, instrument: InstrumentName | None
) -> Worth:
    """Realised and unrealised result less fees, of all positions within a scope, in an asset."""
    total = ZERO
    for name, position in holdings(state, asset, strategy, instrument):
        worth = _worth_of(state, market, name, position, asset)
        if isinstance(worth, Unpriced):
            return worth
        total = EXACT.add(total, worth)
    return plain(total)


def _worth_of(state: State, market: Market, name: InstrumentName, position: Position, asset: str) -> Worth:
    """One position's part of the equity. What strategies hold against each other has a cost and no quantity."""
    found = EXACT.subtract(EXACT.add(position.realized, position.funding), position.cost)
    quote = state.instruments[name].cash
    if position.quantity:
        price = closing_price(market, name, position.quantity)
        if price is None:
            configured = rate(state, market, state.instruments[name].base, quote)
            if isinstance(configured, Unpriced):
                return Unpriced(name)
            price = configured
        found = EXACT.add(found, position.value(price))
    result = convert(state, market, found, quote, asset)
    fees = sum_in(state, market, position.fees, asset)
    if isinstance(result, Unpriced) or isinstance(fees, Unpriced):
        return result if isinstance(result, Unpriced) else fees
    return EXACT.subtract(result, fees)


def convert(state: State, market: Market, amount: Decimal, asset: str, into: str) -> Worth:
    """An amount in another asset; nothing is worth nothing in any."""
    if not amount or asset == into:
        return amount
    found = rate(state, market, asset, into)
    return found if isinstance(found, Unpriced) else EXACT.multiply(amount, found)


def sum_in(state: State, market: Market, amounts: dict[str, Decimal], into: str) -> Worth:
    """Amounts by asset, summed in one."""
    total = ZERO
    for asset, amount in amounts.items():
        worth = convert(state, market, amount, asset, into)
        if isinstance(worth, Unpriced):
            return worth
        total = EXACT.add(total, worth)
    return total
