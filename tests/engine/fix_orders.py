"""In which other orders the messages of a FIX scenario may arrive: each channel keeps its own, and nothing answers a
request before it was made."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engine.fix_scenarios import OURS, REPLIES, STREAM, Step, Way

ORDERS_MOST = 400
"""Of a way with more orders than these, only those are played that swap two neighbours."""


def orders_of(way: Way) -> list[tuple[Step, ...]]:
    """Every order in which the messages may arrive, that of the scenario among them."""
    lanes = {lane: [step for step in way.steps if step.lane == lane] for lane in (OURS, REPLIES, STREAM)}
    found: list[tuple[Step, ...]] = []
    for order in _merge(lanes, ()):
        found.append(order)
        if len(found) > ORDERS_MOST:
            return [way.steps, *_swaps(way)]
    return found


def lagging(way: Way, lag: int) -> Iterator[Step]:
    """A second channel tells everything too, so many messages behind the first: 0 tells each at once again, as many as
    there are tell all of it over again at the end."""
    for at, step in enumerate(way.steps):
        yield step
        if at >= lag and way.steps[at - lag].lane != OURS:
            yield way.steps[at - lag]
    yield from (step for step in way.steps[-lag:] if lag and step.lane != OURS)


def _merge(lanes: dict[str, list[Step]], taken: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    if not any(lanes.values()):
        yield taken
    for lane, steps in lanes.items():
        if steps and _may_come(steps[0], lanes[OURS], taken):
            yield from _merge(lanes | {lane: steps[1:]}, (*taken, steps[0]))


def _may_come(step: Step, unasked: list[Step], taken: tuple[Step, ...]) -> bool:
    """What the venue says follows every request that it had before; only what is known to work can be replaced."""
    if step.lane != OURS:
        return all(request.number > step.number for request in unasked)
    answered = any(other.lane != OURS and other.root == step.root for other in taken)
    return step.what != "replace" or answered


def _swaps(way: Way) -> Iterator[tuple[Step, ...]]:
    for at in range(1, len(way.steps)):
        before, first, second, after = way.steps[: at - 1], way.steps[at - 1], way.steps[at], way.steps[at + 1 :]
        if first.lane != second.lane and OURS not in (first.lane, second.lane):
            yield (*before, second, first, *after)
