"""Time, taken in turns: what is compared is run alternately, so that whatever else the machine does meets all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

Call = Callable[[], object]


class Times(NamedTuple):
    """Nanoseconds of each call."""

    taken_ns: tuple[int, ...]

    @property
    def p50_us(self) -> float:
        """The median in microseconds."""
        return median(self.taken_ns) / 1_000

    @property
    def p99_us(self) -> float:
        """What one call in a hundred takes at least, in microseconds."""
        return sorted(self.taken_ns)[len(self.taken_ns) * 99 // 100] / 1_000

    def per_second(self, things: int) -> float:
        """How many things a second, if a call of median length does so many."""
        return things * 1e9 / median(self.taken_ns)


def take_turns(subjects: Mapping[str, Call], rounds: int, warm_up: int = 1) -> dict[str, Times]:
    """Call each subject once a round, each round beginning with another; the first `warm_up` rounds do not count."""
    names = list(subjects)
    taken: dict[str, list[int]] = {name: [] for name in names}
    with _own_garbage_aside():
        for number in range(warm_up + rounds):
            for name in turned(names, number):
                spent_ns = spend(subjects[name])
                if number >= warm_up:
                    taken[name].append(spent_ns)
    return {name: Times(tuple(spent)) for name, spent in taken.items()}


def spend(call: Call) -> int:
    """Nanoseconds that one call takes."""
    began_ns = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - began_ns


def turned(names: Sequence[str], by: int) -> Sequence[str]:
    """The names, begun with another in each round."""
    first = by % len(names)
    return [*names[first:], *names[:first]]


@contextmanager
def _own_garbage_aside() -> Iterator[None]:
    """What a benchmark has made beforehand is not walked by the collector while it measures; what it measures is."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
