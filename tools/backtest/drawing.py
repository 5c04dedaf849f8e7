"""Curves for the eye: as few points as a picture has columns, and never an extreme lost."""

from __future__ import annotations

from collections.abc import Sequence

Dot = tuple[int, float]
"""When (ns), and what."""


def extremes(dots: Sequence[Dot], columns: int) -> list[list[Dot]]:
    """The first, least, greatest and last dot of each column of time, in their order; a column without a dot repeats
    the last one.

    >>> extremes([(0, 1.0), (1, 5.0), (2, 0.0), (3, 2.0), (4, 2.0), (9, 3.0)], 2)
    [[(0, 1.0), (1, 5.0), (2, 0.0), (4, 2.0)], [(9, 3.0)]]
    """
    if not dots:
        return []
    begin_ns, span_ns = dots[0][0], max(dots[-1][0] - dots[0][0], 1)
    sorted_in: list[list[Dot]] = [[] for _ in range(columns)]
    for dot in dots:
        sorted_in[min((dot[0] - begin_ns) * columns // span_ns, columns - 1)].append(dot)
    found: list[list[Dot]] = []
    for number, column in enumerate(sorted_in):
        if column:
            found.append(_telling(column))
        else:
            found.append([(begin_ns + number * span_ns // columns, found[-1][-1][1])])
    return found


def thinned(dots: Sequence[Dot], most: int) -> list[Dot]:
    """At most about so many dots, with the extremes of each column of time kept; all of them where they are few."""
    if len(dots) <= most:
        return list(dots)
    return [dot for column in extremes(dots, max(most // 4, 1)) for dot in column]


def _telling(column: list[Dot]) -> list[Dot]:
    kept = {column[0], column[-1], min(column, key=lambda dot: dot[1]), max(column, key=lambda dot: dot[1])}
    return sorted(kept)
