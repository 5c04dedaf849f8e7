"""Binance USD-M futures: the client, and a local exchange that speaks its wire protocol.

What Binance's products share (signatures, limits, envelopes, lanes) is Spot's, beside this folder; what differs stands
here. Some facts of this wire rest on a note and on others' recordings: each file says which.
"""

from __future__ import annotations

from adapters.binance_usdm.hosts import USDM
from adapters.binance_usdm.listing import CAPABILITIES
from adapters.binance_usdm.options import UsdmOptions
from adapters.registry import Adapter, VenueSettings
from engine.ports import Venue

__all__ = ["ADAPTER", "UsdmOptions"]


def _connect(settings: VenueSettings) -> Venue:
    """The venue's client; nothing is opened yet. Raises `ValueError` for options that can't be carried out."""
    from adapters.binance_usdm.venue import connect

    return connect(settings)


ADAPTER = Adapter(
    name="binance_usdm", options=UsdmOptions, connect=_connect, environments=USDM, capabilities=CAPABILITIES
)
