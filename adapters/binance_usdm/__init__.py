"""Binance USD-M futures: the client, and a local exchange that speaks its wire protocol.

What Binance's products share (signatures, limits, envelopes, lanes) is Spot's, beside this folder; what differs stands
here. Some facts of this wire rest on a note and on others' recordings: each file says which.
"""

from __future__ import annotations

from adapters.binance_usdm.hosts import USDM
from adapters.binance_usdm.listing import CAPABILITIES
from adapters.binance_usdm.options import UsdmOptions
from adapters.binance_usdm.server.options import UsdmExchangeOptions
from adapters.registry import Adapter, ServerSettings, VenueSettings
from engine.ports import Venue

__all__ = ["ADAPTER", "UsdmExchangeOptions", "UsdmOptions"]


def _connect(settings: VenueSettings) -> Venue:
    """The venue's client; nothing is opened yet. Raises `ValueError` for options that can't be carried out."""
    from adapters.binance_usdm.venue import connect

    return connect(settings)


def _serve(settings: ServerSettings) -> None:
    from adapters.binance_usdm.server.server import serve

    serve(settings)


ADAPTER = Adapter(
    name="binance_usdm",
    options=UsdmOptions,
    connect=_connect,
    serve=_serve,
    exchange=UsdmExchangeOptions,
    environments=USDM,
    capabilities=CAPABILITIES,
)
