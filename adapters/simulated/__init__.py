"""The exchange that ships with holdfast: its own ledger, its own market, and all that can go wrong with it."""

from __future__ import annotations

from attrs import evolve

from adapters.registry import Adapter, ServerSettings, VenueSettings
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.translate import CAPABILITIES
from engine.ports import Venue

__all__ = ["ADAPTER", "SimulatedOptions"]


def _connect(settings: VenueSettings) -> Venue:
    """The venue's client; nothing is opened yet. Raises `ValueError` for options that can't be carried out."""
    from adapters.simulated.venue import connect

    return connect(settings)


def _serve(settings: ServerSettings) -> None:
    from adapters.simulated.server import serve

    serve(settings)


ADAPTER = Adapter(
    name="simulated",
    options=SimulatedOptions,
    connect=_connect,
    serve=_serve,
    capabilities=evolve(CAPABILITIES, links=True),
)
