"""What a world is made of, what shall go wrong in it beside its messages, and what did: all of it data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import Factory, define, evolve, field, fields, frozen

from adapters.simulated.faults import Faults
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.venue import CLOCK_EVERY_NS
from engine.inputs import OperatorCommand
from engine.outbox import Request
from engine.settings import Settings
from engine.strategy import Strategy
from engine.values import InstrumentName, StrategyName, VenueName

VENUE = VenueName("sim")


@frozen(kw_only=True)
class Site:
    """One exchange: what our instruments are called there, its options, and how often its clock is asked for."""

    symbols: Mapping[InstrumentName, str]
    options: SimulatedOptions
    clock_every_ns: int = CLOCK_EVERY_NS


@frozen(kw_only=True)
class Setting:
    """What a world is made of. `symbols` and `options` are those of the only exchange, `sim`; with several exchanges,
    `sites` has each of them. `directory` is where the tapes of relative paths lie."""

    settings: Settings
    strategies: Mapping[StrategyName, type[Strategy]]
    symbols: Mapping[InstrumentName, str] = field(factory=dict)
    options: SimulatedOptions = field(factory=SimulatedOptions)
    sites: Mapping[VenueName, Site] = field(factory=dict)
    directory: str = "."

    def exchanges(self) -> Mapping[VenueName, Site]:
        """All exchanges by the venue's name."""
        return self.sites or {VENUE: Site(symbols=self.symbols, options=self.options)}

    def with_faults(self, faults: Mapping[VenueName, Faults]) -> Setting:
        """The same with other message faults."""
        changed = {
            name: evolve(site, options=evolve(site.options, faults=faults[name])) if name in faults else site
            for name, site in self.exchanges().items()
        }
        return evolve(self, sites=changed)


@frozen(kw_only=True)
class Plan:
    """What happens when: numbers of the engine's commits, releases and sends, counted over the whole life of the world,
    or instants in ns, each with a duration in ns.

    `before_commit`, `after_commit`, `before_release`, `after_release`: the engine dies there and is down so long.
    `commit_lost`, `commit_kept`: the append raises, with nothing or everything written. `engine_at`, `exchange_at`:
    they die. `freeze_at_send`: the process is stopped in the middle of a send and wakes after so long, while a
    successor takes over. `mute_at`, `deaf_at`: connections are half open, nothing arrives there or here, until they are
    given up.
    `clock_at`: the engine's wall clock moves by so much. `ahead_ns`: by how much it is wrong from the beginning.
    """

    before_commit: Mapping[int, int] = field(factory=dict)
    after_commit: Mapping[int, int] = field(factory=dict)
    commit_lost: Mapping[int, int] = field(factory=dict)
    commit_kept: Mapping[int, int] = field(factory=dict)
    before_release: Mapping[int, int] = field(factory=dict)
    after_release: Mapping[int, int] = field(factory=dict)
    freeze_at_send: Mapping[int, int] = field(factory=dict)
    engine_at: Mapping[int, int] = field(factory=dict)
    exchange_at: Mapping[int, int] = field(factory=dict)
    mute_at: Mapping[int, int] = field(factory=dict)
    deaf_at: Mapping[int, int] = field(factory=dict)
    clock_at: Mapping[int, int] = field(factory=dict)
    commands_at: Mapping[int, OperatorCommand] = field(factory=dict)
    ahead_ns: int = 0
    snapshot_every: int = 0

    def mishaps(self) -> Iterator[tuple[str, int]]:
        """All that may happen, each as the name of its table and its key there."""
        for each in fields(Plan):
            table = getattr(self, each.name)
            if isinstance(table, Mapping):
                yield from ((each.name, key) for key in table)

    def without(self, name: str, key: int) -> Plan:
        """The same plan, one mishap less."""
        changed: dict[str, Any] = {name: {k: v for k, v in getattr(self, name).items() if k != key}}
        return evolve(self, **changed)


@define
class Tally:
    """What has happened to a world. `matrix` counts (fault, state of an order that it met), `struck` names the faults
    of messages, `after_the_end` what a process did that may not do anything any more."""

    starts: int = 0
    commits: int = 0
    releases: int = 0
    sends: int = 0
    faults: int = 0
    deaths: dict[str, int] = Factory(dict)
    left: list[Request] = Factory(list)
    matrix: Counter[tuple[str, str]] = Factory(Counter)
    struck: list[tuple[VenueName, str]] = Factory(list)
    after_the_end: list[str] = Factory(list)
