"""The order state changes that FIX writes down, row by row: OrdStatus, OrderQty, CumQty, LeavesQty and AvgPx."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.fix_play import Play
from tests.engine.fix_scenarios import (
    FILE,
    NOT_PLAYED,
    PLAYED,
    WITHOUT_FIGURES,
    Step,
    Way,
    own_scenarios,
    scenarios_of,
    unretrieved_of,
    ways_of,
)

DIFFERS = {
    ("A.1.b", "DoneForDay/DoneForDay", "leaves_qty"):
        "FIX assumes a day order, of which nothing is left; ours may come back (GTC), so its rest still counts",
    ("B.1.c", "Trade/PendingCancel", "ord_status"):
        "FIX lets PendingCancel outrank Filled; a terminal order has no outstanding cancel here: it lost the race",
}  # fmt: skip
"""Where the order differs from a row, and why."""

NOT_SENT = {
    ("F.1.b", 3): "a request is never sent twice: the answer to the resend is driven as a status",
    ("F.1.b", 5): "a request is never sent twice: the answer to the duplicate is driven as its reject",
}  # fmt: skip
"""What the file has us ask and we never do, by the row's number, and why."""


@pytest.fixture(scope="module")
def scenarios(shared: Path) -> dict[str, tuple[Step, ...]]:
    if not (shared / FILE).is_file():
        pytest.skip(f"no FIX scenarios: {shared / FILE} is missing")
    return scenarios_of(shared)


def follow(way: Way) -> set[tuple[str, str, str]]:
    """Take a way message by message, and compare each row; gives what differs as it is written down that it does."""
    play = Play(way, answers=False)
    differing = set()
    for step in way.steps:
        play.take(step)
        found = play.shown(step)
        for key, expected in step.expected:
            place = (way.scenario, step.place, key)
            if place not in DIFFERS:
                assert found[key] == expected, f"{way.scenario}, {way.ending}: {key} after {step}"
            elif found[key] != expected:
                differing.add(place)
    play.check_books()
    return differing


@pytest.mark.parametrize("name", PLAYED)
def test_each_row_of_each_way_of_the_file(name: str, scenarios: dict[str, tuple[Step, ...]]) -> None:
    differing = set().union(*(follow(way) for way in ways_of(name, scenarios[name])))
    assert differing == {place for place in DIFFERS if place[0] == name}, "a difference that no row has any more"


@pytest.mark.parametrize("name", own_scenarios())
def test_each_row_of_each_way_of_our_own(name: str) -> None:
    for way in ways_of(name, own_scenarios()[name]):
        assert not follow(way)


def test_the_file_holds_no_other_scenario(scenarios: dict[str, tuple[Step, ...]], shared: Path) -> None:
    assert set(scenarios) == set(PLAYED)
    assert set(unretrieved_of(shared)) == set(WITHOUT_FIGURES) | set(NOT_PLAYED)
    assert set(WITHOUT_FIGURES.values()) <= set(own_scenarios())


def test_only_a_resend_is_not_sent(scenarios: dict[str, tuple[Step, ...]]) -> None:
    resent = set()
    for name, steps in scenarios.items():
        asked: set[str] = set()
        for step in steps:
            if step.lane == "ours" and step.order in asked:
                resent.add((name, step.number))
            asked |= {step.order} if step.lane == "ours" else set()
    assert resent == set(NOT_SENT)
