"""How an adapter is found and what it is given: one entry point in the group `holdfast.adapters`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from attrs import fields_dict, frozen

from adapters.environment import ON_THIS_MACHINE, Environment, check_environments
from engine.capabilities import Capabilities
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


ACCOUNT_OPTIONS = ("environment", "allow_withdrawal_rights")
"""Options of every adapter that has environments; those of its URLs are called `..._url`, of its keys as they like."""


@frozen
class Adapter:
    """One kind of venue: its options (an attrs class, read from TOML), how to connect, how to serve its exchange.

    `serve` blocks until the process is asked to end. `environments` are those that its option of that name may say;
    an adapter without any trades on this machine. `capabilities` is what it can at most, for tables of all adapters.
    `exchange` is the class of the options of the exchange that it serves, where they are not the client's.
    Raises `ValueError` for environments that can't be told apart.
    """

    name: str
    options: type
    connect: Callable[[VenueSettings], Venue]
    serve: Callable[[ServerSettings], None] | None = None
    environments: tuple[Environment, ...] = ()
    capabilities: Capabilities | None = None
    exchange: type | None = None

    def __attrs_post_init__(self) -> None:
        check_environments(self.environments)
        missing = [name for name in ACCOUNT_OPTIONS if self.environments and name not in fields_dict(self.options)]
        if missing:
            raise ValueError(f"the adapter {self.name} has environments, and no option {missing[0]}")

    def environment(self, options: Any) -> Environment:
        """The environment that these options name. Raises `KeyError` for one that the adapter does not have."""
        if not self.environments:
            return ON_THIS_MACHINE
        return {environment.name: environment for environment in self.environments}[str(options.environment)]


class Installed(Mapping[str, Adapter]):
    """Adapters by name; each is loaded when it is asked for, so that one that can't be concerns nobody else."""

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._points = {point.name: point for point in points}

    def __getitem__(self, name: str) -> Adapter:
        adapter: Adapter = self._points[name].load()
        return adapter

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


def adapters() -> Mapping[str, Adapter]:
    """All installed adapters by name."""
    return Installed(entry_points(group=GROUP))
