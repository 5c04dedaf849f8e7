"""How long to wait before the next attempt: exponentially longer, with jitter, up to a cap. Pure: the clock and the
seeded chance are passed in."""

from __future__ import annotations

from random import Random

from attrs import define, frozen

from engine.values import MILLISECOND_NS, SECOND_NS

DOUBLINGS_MOST = 32
"""Attempts after which the wait can't grow any more, whatever its cap."""


@frozen(kw_only=True)
class BackoffLimits:
    """The first wait and the longest, in nanoseconds; a line that was up for `steady_ns` was a good one, after which
    the waits begin anew; `tries_most` attempts are made (None: until somebody ends it)."""

    first_ns: int = 200 * MILLISECOND_NS
    longest_ns: int = 30 * SECOND_NS
    steady_ns: int = 30 * SECOND_NS
    tries_most: int | None = None


@define
class Backoff:
    """The waits between attempts at one thing. Each is between half and all of what the number of failures allows, so
    that many who lost the same line do not come back in the same instant."""

    limits: BackoffLimits
    chance: Random
    failures: int = 0
    _up_ns: int | None = None

    @property
    def is_exhausted(self) -> bool:
        """Have all attempts been made?"""
        return self.limits.tries_most is not None and self.failures >= self.limits.tries_most

    def succeed(self, now_ns: int) -> None:
        """It is up. The next wait is not shorter for that: only a line that lasts is a good one."""
        self._up_ns = now_ns

    def fail(self, now_ns: int) -> int:
        """The attempt failed, or what was up is down; gives the wait in nanoseconds."""
        if self._up_ns is not None and now_ns - self._up_ns >= self.limits.steady_ns:
            self.failures = 0
        self._up_ns = None
        most_ns = min(self.limits.first_ns << min(self.failures, DOUBLINGS_MOST), self.limits.longest_ns)
        self.failures += 1
        return self.chance.randint(most_ns // 2, most_ns)
