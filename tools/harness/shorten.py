"""A schedule that ends badly, made shorter: fewer steps first, then plainer ones, as long as it ends badly alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from engine.values import SECOND_NS
from tools.harness.points import AFTER, DOWN, SPANS
from tools.harness.story import Violation

TIME_MOST_NS = 15 * SECOND_NS
PLAIN = (SPANS[0], AFTER[1], DOWN[0], "1")
"""What an argument is replaced by, where that ends as badly."""

Play = Callable[[Sequence[str]], Exception | None]
"""Plays the steps of a schedule and gives what it raised."""


def shorten(steps: Sequence[str], error: Exception, play: Play) -> tuple[list[str], Exception]:
    """The shortest schedule that is found in `TIME_MOST_NS`, and what it raised."""
    search = _Search(play, kind_of(error), list(steps), error, time.monotonic_ns() + TIME_MOST_NS)
    while search.is_on() and (search.drop() or search.simplify()):
        pass
    return search.steps, search.error


def kind_of(error: Exception) -> str:
    """What makes two bad ends alike: the invariant's name, or the error's type.

    >>> kind_of(Violation(["O3: execution x7 is lost"])), kind_of(ValueError("7"))
    ('O3', 'ValueError')
    """
    if isinstance(error, Violation):
        return error.problems[0].split(":")[0]
    return type(error).__name__


class _Search:
    """The best that is known so far. Each method gives True if it found something better."""

    def __init__(self, play: Play, kind: str, steps: list[str], error: Exception, end_ns: int) -> None:
        self._play, self._kind, self._end_ns = play, kind, end_ns
        self.steps, self.error = steps, error

    def is_on(self) -> bool:
        """Is there time left?"""
        return time.monotonic_ns() < self._end_ns

    def drop(self) -> bool:
        """Leave steps out: many at once, then fewer, then one by one. The first one, `begin`, stays."""
        before = len(self.steps)
        size = max(1, (before - 1) // 2)
        while size:
            start = len(self.steps) - size
            while start >= 1:
                self._try([*self.steps[:start], *self.steps[start + size :]])
                start -= size
            size //= 2
        return len(self.steps) < before

    def simplify(self) -> bool:
        """Make an argument plainer."""
        return any(self._try(simpler) for simpler in list(self._simpler()))

    def _simpler(self) -> Iterator[list[str]]:
        for place, step in enumerate(self.steps):
            word, *given = step.split()
            for plain in (f"run {span}" for span in SPANS[:4] if word == "settle"):
                yield [*self.steps[:place], plain, *self.steps[place + 1 :]]
            for number, value in enumerate(given):
                for plain in ("0",) if word == "begin" else PLAIN:
                    if _is_plainer(plain, value):
                        changed = " ".join([word, *given[:number], plain, *given[number + 1 :]])
                        yield [*self.steps[:place], changed, *self.steps[place + 1 :]]

    def _try(self, steps: list[str]) -> bool:
        if not self.is_on():
            return False
        error = self._play(steps)
        if error is None or kind_of(error) != self._kind:
            return False
        self.steps, self.error = steps, error
        return True


def _is_plainer(plain: str, value: str) -> bool:
    """Is it of the same sort, and further up in the list of what is plain?"""
    if plain == "0":
        return value != "0"
    if plain.isdigit() or value.lstrip("-").isdigit():
        return plain.isdigit() and value.isdigit() and int(value) > int(plain)
    is_span = value[0].isdigit()
    return is_span and (value not in PLAIN or PLAIN.index(plain) < PLAIN.index(value))
