"""The FIX scenarios as a network delivers them: twice, later than another channel, and all over again."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from tests.engine.fix_orders import ORDERS_MOST, lagging, orders_of
from tests.engine.fix_play import Play, played
from tests.engine.fix_scenarios import PLAYED, REPLIES, STREAM, Way, own_scenarios, ways_in, ways_of

OWN = own_scenarios()

PAUSES = {
    "a replacement that a fill outruns":
        "all of the old quantity was executed before the answer: until that comes, more is an overfill",
}  # fmt: skip
"""Where one of the orders pauses the instrument, and why."""

EXECUTIONS = ("trade", "correct", "bust")


def check_orders(way: Way) -> None:
    """Every order in which the messages may arrive ends as the scenario does."""
    expected = played(way, way.steps)
    for order in orders_of(way):
        found = played(way, order)
        found = evolve(found, pauses=()) if way.scenario in PAUSES else found
        assert found == expected, f"{way.scenario}, {way.ending}: {[step.place for step in order]}"


def check_copies(way: Way) -> None:
    """What is told twice counts once, at whatever distance."""
    expected = played(way, way.steps)
    play = Play(way)
    for step in way.steps:
        play.take(step)
        if step.what in EXECUTIONS:
            assert play.world.tell(play.report(step)) == [], f"{way.scenario}, {way.ending}: {step} is known"
    for lag in range(len(way.steps) + 1):
        assert played(way, lagging(way, lag)) == expected, f"{way.scenario}, {way.ending}: a copy {lag} behind"


@pytest.mark.parametrize("name", PLAYED)
def test_the_files_messages_in_every_order(name: str, shared: Path) -> None:
    for way in ways_in(shared, name):
        check_orders(way)


@pytest.mark.parametrize("name", OWN)
def test_our_own_messages_in_every_order(name: str) -> None:
    for way in ways_of(name, OWN[name]):
        check_orders(way)


@pytest.mark.parametrize("name", PLAYED)
def test_the_files_messages_twice(name: str, shared: Path) -> None:
    for way in ways_in(shared, name):
        check_copies(way)


@pytest.mark.parametrize("name", OWN)
def test_our_own_messages_twice(name: str) -> None:
    for way in ways_of(name, OWN[name]):
        check_copies(way)


def test_what_is_played_keeps_each_channels_order() -> None:
    """Every order is another one, of the same messages, and each channel's own stays as it is."""
    counts = []
    for name, steps in OWN.items():
        for way in ways_of(name, steps):
            orders = orders_of(way)
            assert len(set(orders)) == len(orders) <= ORDERS_MOST
            assert way.steps in orders
            for order in orders:
                assert sorted(order, key=lambda step: step.number) == list(way.steps)
                for lane in (REPLIES, STREAM):
                    assert [s for s in order if s.lane == lane] == [s for s in way.steps if s.lane == lane]
            counts.append(len(orders))
    assert max(counts) >= 16, "hardly anything is reordered"
