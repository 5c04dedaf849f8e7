"""One world of a user's configuration: their strategies, limits and instruments, with everything going wrong."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from adapters.simulated.faults import read_faults
from adapters.simulated.options import SimulatedOptions
from engine.strategy import Strategy
from engine.values import MILLISECOND_NS, SECOND_NS, StrategyName
from tools.config import Configuration, load_strategies, read_configuration
from tools.simulation.campaign import Pace, faults_of, plan_of, try_plan
from tools.simulation.coverage import Way, watching
from tools.simulation.dice import Dice
from tools.simulation.plan import Setting, Site
from tools.simulation.shrink import Case, name_of, shrink

PACE = Pace(
    length_ns=180 * SECOND_NS, market_ns=100 * MILLISECOND_NS, reconcile_ns=0, permille=200, deaths=6, numbers=150
)
"""Three minutes of the strategy's life; how often its market moves and it reconciles is the configuration's to say."""

SHRINKING_MOST = 60


@frozen(kw_only=True)
class Trial:
    """How one seed ended: what was violated and the few faults that it takes, what was met where, what was done."""

    seed: int
    problems: tuple[str, ...] = ()
    fewest: tuple[str, ...] = ()
    faults: int = 0
    deaths: int = 0
    starts: int = 0
    orders: int = 0
    fills: int = 0
    virtual_ns: int = 0
    matrix: Mapping[tuple[str, str], int] = field(factory=dict)
    ways: Mapping[Way, int] = field(factory=dict)


def try_seed(path: Path, seed: int) -> Trial:
    """One world of the configuration at `path`, by its seed. Raises `ConfigurationWrong`."""
    configuration, strategies = _read(path)
    dice = Dice(seed)
    faults = faults_of(dice.fork("faults"), PACE)
    setting = setting_of(configuration, strategies, seed, faults)
    plan = plan_of(dice.fork("plan"), PACE.length_ns, PACE)
    with watching() as ways:
        verdict, world = try_plan(setting, plan, seed, PACE.length_ns)
    fewest: tuple[str, ...] = ()
    if verdict.problems:
        case = Case(setting=setting, plan=plan, seed=seed, length_ns=PACE.length_ns, struck=verdict.struck)
        fewest = tuple(shrink(case, name_of(verdict), SHRINKING_MOST).told())
    return Trial(
        seed=seed, problems=verdict.problems, fewest=fewest, faults=verdict.faults,
        deaths=sum(verdict.deaths.values()), starts=verdict.starts, orders=len(_intended(world.log.entries)),
        fills=verdict.fills, virtual_ns=verdict.virtual_ns, matrix=verdict.matrix, ways=dict(ways),
    )  # fmt: skip


def setting_of(
    configuration: Configuration,
    strategies: Mapping[StrategyName, type[Strategy]],
    seed: int,
    faults: Mapping[str, Any],
) -> Setting:
    """The configuration's world: every venue is a simulated exchange, with the venue's own options where it is one."""
    sites = {}
    for number, (name, venue) in enumerate(configuration.venues.items()):
        options = venue.options if isinstance(venue.options, SimulatedOptions) else SimulatedOptions()
        table = {**faults, "seed": faults["seed"] + number}
        options = evolve(options, url=None, seed=options.seed + seed, faults=read_faults(table))
        sites[name] = Site(symbols=venue.symbols, options=options)
    return Setting(
        settings=configuration.settings, strategies=strategies, sites=sites, directory=str(configuration.directory)
    )


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[Configuration, Mapping[StrategyName, type[Strategy]]]:
    configuration = read_configuration(path)
    return configuration, load_strategies(configuration)


def _intended(entries: Any) -> list[Any]:
    return [entry for entry in entries if entry.kind == "OrderIntended"]
