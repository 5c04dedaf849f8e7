"""From a user's class and a few tables, spelled as in `holdfast.toml`, to the setting of a world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from adapters.simulated.options import SimulatedOptions
from engine.limits import Limits, Measures, Risk
from engine.settings import Orders, Reconcile, Settings, StrategySettings
from engine.strategy import Strategy
from engine.values import InstrumentName, StrategyName
from tools.config import load_strategies, read_configuration
from tools.document import MEASURES
from tools.simulation.plan import VENUE, Setting, Site
from tools.spelling import SPELLING, default_tag
from tools.structure import Structure, Wrong
from tools.toml_place import dotted

RECONCILE = {"every": "5s"}
VENUE_OPTIONS = {"every": "500ms"}
"""The market moves twice a second and the books are compared every 5 s, unless it is said otherwise: that is quick to
play, and a lost frame is found within a few steps."""

DEFAULT_INSTRUMENTS = ("BTC-USDT",)


@frozen(kw_only=True)
class Subject:
    """What is put to the test. The tables are spelled as in `holdfast.toml`, with decimals as text.

    `instruments` are our names, each traded as its name without the dash, or a table of names and symbols. `strategy`
    holds more of `[strategies.NAME]` (`bars`, `evaluate`), `venue` the simulated exchange's options.
    """

    kind: type[Strategy]
    instruments: Sequence[str] | Mapping[str, str] = DEFAULT_INSTRUMENTS
    params: Mapping[str, Any] = field(factory=dict)
    risk: Mapping[str, Any] = field(factory=dict)
    orders: Mapping[str, Any] = field(factory=dict)
    reconcile: Mapping[str, Any] = field(factory=dict)
    strategy: Mapping[str, Any] = field(factory=dict)
    venue: Mapping[str, Any] = field(factory=dict)

    @property
    def name(self) -> StrategyName:
        """What the strategy is called in the journal."""
        return StrategyName(self.kind.__name__.lower()[:40])

    def symbols(self) -> dict[InstrumentName, str]:
        """What the exchange calls the instruments."""
        if isinstance(self.instruments, Mapping):
            return {InstrumentName(name): symbol for name, symbol in self.instruments.items()}
        return {InstrumentName(name): name.replace("-", "") for name in self.instruments}


def setting_of(subject: Subject) -> Setting:
    """The setting; raises `ValueError` with every fault of the tables."""
    structure, wrong = Structure(SPELLING), list[Wrong]()

    def read(kind: type[Any], value: Any, *at: str) -> Any:
        return structure.read(kind, value, at, wrong)

    def limits(section: str) -> dict[str, Limits]:
        tables = subject.risk.get(section, {})
        return {name: read(Limits, table, "risk", section, name) for name, table in tables.items()}

    account = {key: value for key, value in subject.risk.items() if key not in ("strategies", "instruments", *MEASURES)}
    risk = Risk(
        measures=read(Measures, {key: subject.risk[key] for key in MEASURES if key in subject.risk}, "risk"),
        account=read(Limits, account, "risk"),
        strategies={StrategyName(name): found for name, found in limits("strategies").items()},
        instruments={InstrumentName(name): found for name, found in limits("instruments").items()},
    )
    orders = read(Orders, dict(subject.orders), "orders")
    reconcile = read(Reconcile, RECONCILE | dict(subject.reconcile), "reconcile")
    strategy = read(StrategySettings, _strategy_table(subject), "strategy")
    options = read(SimulatedOptions, VENUE_OPTIONS | dict(subject.venue), "venue")
    if wrong:
        raise ValueError("; ".join(f"{dotted(fault.key)}: {fault.message}" for fault in wrong))
    settings = Settings(
        venues={VENUE: "simulated"}, strategies={subject.name: strategy}, orders=orders, reconcile=reconcile,
        risk=risk,
    )  # fmt: skip
    return Setting(
        settings=settings, strategies={subject.name: subject.kind}, symbols=subject.symbols(), options=options
    )


def setting_in(path: Path) -> Setting:
    """The setting that a `holdfast.toml` describes, run on the exchange that ships.

    Raises `ConfigurationWrong` with every fault, and `ValueError` for a venue that is not simulated here.
    """
    configuration = read_configuration(path)
    sites = {}
    for name, venue in configuration.venues.items():
        if not isinstance(venue.options, SimulatedOptions) or venue.options.url is not None:
            raise ValueError(f"[venues.{name}] is not an exchange that is simulated here, so it can't be killed here")
        sites[name] = Site(symbols=venue.symbols, options=venue.options)
    return Setting(
        settings=configuration.settings, strategies=load_strategies(configuration), sites=sites,
        directory=str(configuration.directory),
    )  # fmt: skip


def with_market_seed(setting: Setting, seed: int) -> Setting:
    """The same with another generated market at every exchange."""
    sites = {
        name: evolve(site, options=evolve(site.options, seed=site.options.seed + seed))
        for name, site in setting.exchanges().items()
    }
    return evolve(setting, sites=sites)


def _strategy_table(subject: Subject) -> dict[str, Any]:
    name = subject.kind.__name__
    return {
        "class": f"{subject.kind.__module__}:{name}", "tag": default_tag(name),
        "instruments": [str(name) for name in subject.symbols()], "params": dict(subject.params),
        **subject.strategy,
    }  # fmt: skip
