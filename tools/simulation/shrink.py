"""From a world that ended badly to the few faults that it takes: one after another is left out, and what is not missed
stays out. Faults are keyed to the numbers of messages, commits and requests, so leaving one out does not move others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import evolve, frozen

from engine.order import IllegalEvent
from tools.simulation.campaign import Verdict, explicit, try_plan
from tools.simulation.plan import Plan, Setting

T = TypeVar("T")
TRIES_MOST = 400


@frozen(kw_only=True)
class Case:
    """A world that can be tried again: its parts, its message faults by name, and which invariant it violates."""

    setting: Setting
    plan: Plan
    seed: int
    length_ns: int
    struck: tuple[tuple[str, str], ...]

    def try_again(self) -> str:
        """The name of the first invariant that is violated, or nothing."""
        try:
            verdict, _world = try_plan(explicit(self.setting, self.struck), self.plan, self.seed, self.length_ns)
        except (IllegalEvent, AssertionError, RuntimeError) as error:
            return type(error).__name__
        return name_of(verdict)

    def told(self) -> list[str]:
        """What is left, one line each."""
        plan = [f"{name} {key}: {getattr(self.plan, name)[key]}" for name, key in self.plan.mishaps()]
        return [*plan, *(f"{venue}: {strike}" for venue, strike in self.struck)]


def name_of(verdict: Verdict) -> str:
    """The invariant that a world violates first."""
    return verdict.problems[0].partition(":")[0] if verdict.problems else ""


def shrink(case: Case, wanted: str, tries_most: int = TRIES_MOST) -> Case:
    """The smallest case found that still violates the same invariant, within so many tries."""
    tries = 0

    def still(smaller: Case) -> bool:
        nonlocal tries
        tries += 1
        return tries <= tries_most and smaller.try_again() == wanted

    if not still(case):
        return case
    before = None
    while before != case and tries < tries_most:  # what could not be spared at first may be spared now
        before = case
        case = _without_mishaps(_without_strikes(case, still), still)
    return case


def _without_strikes(case: Case, still: Callable[[Case], bool]) -> Case:
    kept = _fewest(case.struck, lambda some: still(evolve(case, struck=tuple(some))))
    return evolve(case, struck=tuple(kept))


def _without_mishaps(case: Case, still: Callable[[Case], bool]) -> Case:
    kept = _fewest(list(case.plan.mishaps()), lambda some: still(evolve(case, plan=_with_only(case.plan, some))))
    return evolve(case, plan=_with_only(case.plan, kept))


def _with_only(plan: Plan, kept: Sequence[tuple[str, int]]) -> Plan:
    for name, key in plan.mishaps():
        if (name, key) not in kept:
            plan = plan.without(name, key)
    return plan


def _fewest(items: Sequence[T], is_enough: Callable[[Sequence[T]], bool]) -> list[T]:
    """Leaves out halves, then quarters, then single ones, as long as what is left is enough."""
    kept, size = list(items), max(len(items) // 2, 1)
    if kept and is_enough([]):
        return []
    while kept and size:
        start = 0
        while start < len(kept):
            smaller = kept[:start] + kept[start + size :]
            if is_enough(smaller):
                kept = smaller
            else:
                start += size
        size = size // 2 if size > 1 else 0
    return kept
