"""Binance Spot: the client, and a local exchange that speaks its wire protocol."""

from __future__ import annotations

from adapters.binance.options import BinanceOptions
from adapters.registry import Adapter, VenueSettings
from engine.ports import Venue

__all__ = ["ADAPTER", "BinanceOptions"]


def _connect(settings: VenueSettings) -> Venue:
    """The venue's client; nothing is opened yet. Raises `ValueError` for options that can't be carried out."""
    from adapters.binance.venue import connect

    return connect(settings)


ADAPTER = Adapter(name="binance", options=BinanceOptions, connect=_connect)
