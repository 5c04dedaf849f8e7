"""Binance Spot: the client, and a local exchange that speaks its wire protocol."""

from __future__ import annotations

from adapters.binance.hosts import SPOT
from adapters.binance.listing import capabilities
from adapters.binance.options import BinanceOptions
from adapters.binance.server.options import ExchangeOptions
from adapters.registry import Adapter, ServerSettings, VenueSettings
from engine.ports import Venue

__all__ = ["ADAPTER", "BinanceOptions", "ExchangeOptions"]


def _connect(settings: VenueSettings) -> Venue:
    """The venue's client; nothing is opened yet. Raises `ValueError` for options that can't be carried out."""
    from adapters.binance.venue import connect

    return connect(settings)


def _serve(settings: ServerSettings) -> None:
    from adapters.binance.server.server import serve

    serve(settings)


ADAPTER = Adapter(
    name="binance",
    options=BinanceOptions,
    connect=_connect,
    serve=_serve,
    exchange=ExchangeOptions,
    environments=SPOT,
    capabilities=capabilities(()),
)
