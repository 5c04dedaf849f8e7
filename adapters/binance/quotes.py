"""Frames of the market streams as the engine's market data. Pure."""

from __future__ import annotations

from adapters.binance import wire
from engine.inputs import BookDelta, BookSnapshot, Quote, TradeTick
from engine.values import MILLISECOND_NS, InstrumentName, Side, plain

SUFFIXES = {"quotes": "bookTicker", "trades": "trade", "depth": "depth@100ms"}
"""How each kind of market data is called in the name of its stream."""


def stream_name(symbol: str, kind: str) -> str:
    """As Binance names it.

    >>> stream_name("BTCUSDT", "depth")
    'btcusdt@depth@100ms'
    """
    return f"{symbol.lower()}@{SUFFIXES[kind]}"


def quote(name: InstrumentName, row: wire.BookTicker, received_ns: int) -> Quote:
    """Best bid and ask; Binance does not say of when."""
    return Quote(
        name, plain(row.bid), plain(row.bid_quantity), plain(row.ask), plain(row.ask_quantity), received_ns, None
    )


def trade(name: InstrumentName, row: wire.PublicTrade, received_ns: int) -> TradeTick:
    """A public trade; whose order rested says who took."""
    aggressor = Side.SELL if row.buyer_is_maker else Side.BUY
    return TradeTick(name, plain(row.price), plain(row.quantity), received_ns, row.at_ms * MILLISECOND_NS, aggressor)


def delta(name: InstrumentName, row: wire.DepthUpdate, received_ns: int) -> BookDelta:
    """Changed levels."""
    return BookDelta(
        name, row.bids, row.asks, row.first_update, row.last_update, received_ns, row.event_ms * MILLISECOND_NS
    )


def book(name: InstrumentName, row: wire.DepthSnapshot, received_ns: int) -> BookSnapshot:
    """A whole book."""
    return BookSnapshot(name, row.bids, row.asks, row.last_update_id, received_ns)
