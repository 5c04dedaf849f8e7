"""How an adapter is found and what it is given: one entry point in the group `holdfast.adapters`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from attrs import frozen

from engine.ports import EventLog, Venue
from engine.values import InstrumentName, VenueName

GROUP = "holdfast.adapters"

OpenLog = Callable[[str], EventLog]
"""Opens (or makes) a log by its name below the journal directory, such as `exchange/ledger`, and continues it."""


@frozen
class VenueSettings:
    """What the composition root hands to an adapter for one `[venues.NAME]`.

    `options` is an instance of the adapter's own `options` class, `symbols` maps our instrument names to the venue's
    symbols, `directory` is the folder of the configuration file, against which relative paths are read. The venue is
    asked nothing before `throttled_until_ns`: what the journal remembers of its word that we ask too much.
    """

    name: VenueName
    options: Any
    symbols: Mapping[InstrumentName, str]
    directory: str
    open_log: OpenLog
    throttled_until_ns: int = 0


@frozen
class ServerSettings:
    """What `holdfast venue ADAPTER` hands to an adapter: where to listen and where its state and faults are."""

    options: Any
    symbols: Mapping[InstrumentName, str]
    directory: str
    port: int
    open_log: OpenLog
    announce: Callable[[str], None]


@frozen
class Adapter:
    """One kind of venue: its options (an attrs class, read from TOML), how to connect, how to serve its exchange.

    `serve` blocks until the process is asked to end.
    """

    name: str
    options: type
    connect: Callable[[VenueSettings], Venue]
    serve: Callable[[ServerSettings], None] | None = None


def adapters() -> dict[str, Adapter]:
    """All installed adapters by name."""
    return {point.name: point.load() for point in entry_points(group=GROUP)}
