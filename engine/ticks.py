"""Market data as it comes in: quotes, trades, books, recorded bars.

Frozen values; `*_ns` are integer nanoseconds since the Unix epoch. Prices are in the quote asset, quantities in base.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen

from engine.values import InstrumentName, Side


@frozen
class Quote:
    """Best bid and ask. `exchange_ns` is None where the venue's frame carries no time."""

    instrument: InstrumentName
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    received_ns: int
    exchange_ns: int | None = None


@frozen
class TradeTick:
    """A public trade; `aggressor` is the side that took, where the venue tells it."""

    instrument: InstrumentName
    price: Decimal
    quantity: Decimal
    received_ns: int
    exchange_ns: int | None = None
    aggressor: Side | None = None


Level = tuple[Decimal, Decimal]


@frozen
class BookSnapshot:
    """The whole L2 book at `last_update`: levels of (price, quantity), best first."""

    instrument: InstrumentName
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    last_update: int
    received_ns: int
    exchange_ns: int | None = None


@frozen
class BookDelta:
    """Changed levels between updates `first_update` and `last_update`; quantity 0 removes the level."""

    instrument: InstrumentName
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    first_update: int
    last_update: int
    received_ns: int
    exchange_ns: int | None = None


@frozen
class Candle:
    """A finished bar from recorded data, covering `start_ns` up to, not including, `end_ns`."""

    instrument: InstrumentName
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    start_ns: int
    end_ns: int
    received_ns: int


@frozen
class MarkPrice:
    """The venue's own mark price of a contract: what it values positions at."""

    instrument: InstrumentName
    price: Decimal
    received_ns: int
    exchange_ns: int | None = None


@frozen
class DataDropped:
    """Trades or book changes came faster than they could be taken: the forming bars are not complete."""

    instrument: InstrumentName
    count: int


MarketData = Quote | TradeTick | BookSnapshot | BookDelta | Candle
