"""The FIX scenarios with a process that ends in the middle: after every message, while the venue may be further on.

What the venue said in the meantime arrives late, or never; the next process finds it in the venue's list, its
executions and its balances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import evolve

from tests.engine.fix_orders import orders_of
from tests.engine.fix_play import Outcome, Play, played
from tests.engine.fix_scenarios import OURS, PLAYED, Step, Way, own_scenarios, ways_in, ways_of

OWN = own_scenarios()

TOLD_ONCE = {
    "restated": "a list may be old, so its terms are not adopted: an instrument whose terms differ is paused",
    "correct": "an execution changes by a correction only: one that is shown otherwise is an anomaly, and the balance "
               "differs",
    "bust": "what was executed does not disappear because a list lacks it: the balance differs",
}  # fmt: skip
"""What a snapshot can't stand in for, and what is done instead of guessing."""


PAUSES = {
    "E.1.c": "until the restatement arrives, the venue's answer shows terms that the books do not have",
    "taken back and corrected": "an execution that the list has no more arrives late, and its bust later still",
    "a replacement that a fill outruns":
        "all of the old quantity was executed before the answer: until that comes, more is an overfill",
}  # fmt: skip
"""Where a crash may end in a pause of the instrument, and why."""


def crashed(way: Way, order: tuple[Step, ...], at: int, *, knows: int, goes_on_at: int) -> Play:
    """The process ends after so many messages, the venue has so many behind it, and tells the rest from a place on."""
    play = Play(way)
    for step in order[:at]:
        play.take(step)
    play.crash(knows)
    for step in order[goes_on_at:]:
        play.take(step)
    play.check_books()
    return play


def prefixes(way: Way) -> Iterator[tuple[int, int]]:
    """After how many messages the process ends, and how many the venue has behind it then: what we have not asked for
    yet it has not answered."""
    for at in range(1, len(way.steps) + 1):
        furthest = next((step.number - 1 for step in way.steps[at:] if step.lane == OURS), len(way.steps))
        yield from ((at, knows) for knows in range(at, furthest + 1))


def check_late(way: Way) -> None:
    """The messages that the process missed arrive afterwards."""
    expected = played(way, way.steps)
    for at, knows in prefixes(way):
        found = crashed(way, way.steps, at, knows=knows, goes_on_at=at).outcome()
        assert unpaused(way, found) == expected, (
            f"{way.scenario}, {way.ending}: a crash after {at}, the venue at {knows}"
        )


def check_lost(way: Way) -> None:
    """The messages that the process missed never arrive: the venue's list and executions have to do."""
    expected = essence(played(way, way.steps))
    for at, knows in prefixes(way):
        lost = {step.what for step in way.steps[at:knows]}
        if not lost:
            continue
        play = crashed(way, way.steps, at, knows=knows, goes_on_at=knows)
        place = f"{way.scenario}, {way.ending}: a crash after {at}, nothing until {knows}"
        if not lost & set(TOLD_ONCE):
            assert essence(play.outcome()) == expected, place
        elif essence(play.outcome()) != expected:
            assert not play.may_trade(), f"{place}: it trades on"


def unpaused(way: Way, outcome: Outcome) -> Outcome:
    """The outcome without the pauses that are to be expected."""
    return evolve(outcome, pauses=()) if way.scenario in PAUSES else outcome


def essence(outcome: Outcome) -> Outcome:
    """Status, CumQty, LeavesQty, the executions that stand and the money."""
    standing = tuple(execution for execution in outcome.executions if not execution[-1])
    return Outcome(outcome.orders, standing, outcome.position, outcome.cash, (), ())


def check_restarts(way: Way) -> None:
    """A process that ends after every single message."""
    play = Play(way)
    for step in way.steps:
        play.take(step)
        play.crash(step.number)
    play.check_books()
    assert play.outcome() == played(way, way.steps), f"{way.scenario}, {way.ending}"


def check_reordered(way: Way) -> None:
    """Every order in which the messages may arrive, each with a crash somewhere else in it."""
    expected = played(way, way.steps)
    for number, order in enumerate(orders_of(way)):
        at = max(1 + number % len(order), _last_opening(order))
        found = crashed(way, order, at, knows=max(step.number for step in order[:at]), goes_on_at=at).outcome()
        assert unpaused(way, found) == expected, (
            f"{way.scenario}, {way.ending}: {[s.place for s in order]}, a crash after {at}"
        )


def _last_opening(order: tuple[Step, ...]) -> int:
    """Where the last order has been asked for: one that a crash left in doubt keeps others out of its instrument."""
    return max(at for at, step in enumerate(order, 1) if step.what == "new")


CHECKS: list[Callable[[Way], None]] = [check_late, check_lost, check_restarts, check_reordered]


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_crash_in_a_scenario_of_the_file(check: Callable[[Way], None], name: str, shared: Path) -> None:
    for way in ways_in(shared, name):
        check(way)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_crash_in_a_scenario_of_our_own(check: Callable[[Way], None], name: str) -> None:
    for way in ways_of(name, OWN[name]):
        check(way)
