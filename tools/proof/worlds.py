"""Layer 5: worlds in virtual time. Most are hurricanes, some storms, some quiet days; the seed says which."""

from __future__ import annotations

from tools.proof.outcome import Outcome
from tools.simulation.campaign import DAY, HURRICANE, STORM, Pace, Verdict
from tools.simulation.campaign import try_seed as try_world
from tools.simulation.plan import Setting
from tools.simulation.shrink import Case, name_of, shrink
from tools.simulation.world import World

PACES = (*(8 * (HURRICANE,)), STORM, DAY)
TANGLED = (1, 7)
"""Seeds that end so have a strategy that links its orders."""

SHRINKING_MOST = 60


def pace_of(seed: int) -> Pace:
    """The pace of a seed's world."""
    return PACES[seed % len(PACES)]


def is_tangled(seed: int) -> bool:
    """Does the seed's strategy link its orders to each other?"""
    return seed % len(PACES) in TANGLED


def try_seed(seed: int) -> Outcome:
    """One world: a case; its faults are those of its messages, deaths, half-open lines, clocks and operators."""
    verdict, world = try_world(seed, pace=pace_of(seed), is_tangled=is_tangled(seed))
    counts = {
        "starts": verdict.starts, "deaths": sum(verdict.deaths.values()), "events": verdict.events,
        "orders": verdict.orders, "fills": verdict.fills, "virtual_ns": verdict.virtual_ns,
    }  # fmt: skip
    return Outcome(
        layer="worlds", seed=seed, cases=1, faults=verdict.faults, problems=_told(verdict, world), counts=counts
    )


def _told(verdict: Verdict, world: World) -> tuple[str, ...]:
    """What was violated, and the few faults that it takes."""
    if not verdict.problems:
        return ()
    case = case_of(world.setting, world, verdict, pace_of(verdict.seed).length_ns)
    fewest = shrink(case, name_of(verdict), SHRINKING_MOST)
    return (*verdict.problems[:5], "it takes: " + "; ".join(fewest.told()))


def case_of(setting: Setting, world: World, verdict: Verdict, length_ns: int) -> Case:
    """A world's parts, to be tried again."""
    return Case(setting=setting, plan=world.plan, seed=verdict.seed, length_ns=length_ns, struck=verdict.struck)
