"""How time passes in a trial of an adapter: the real clock, or a virtual one that its exchange shares."""

from __future__ import annotations

from typing import Protocol

from engine.runner import Runner
from engine.values import MILLISECOND_NS
from tools.clock import WallClock

WAIT_NS = 20 * MILLISECOND_NS


class Pace(Protocol):
    """A clock, and who drives the engine while it runs."""

    def now_ns(self) -> int:
        """The present instant."""
        ...

    def run(self, span_ns: int, runner: Runner) -> None:
        """Let that much time pass; the runner takes what comes in meanwhile."""
        ...


class RealPace:
    """The machine's own clock; the adapter's threads do the rest."""

    def __init__(self) -> None:
        self._clock = WallClock(0)

    def now_ns(self) -> int:
        """The present instant."""
        return self._clock.now_ns()

    def run(self, span_ns: int, runner: Runner) -> None:
        """Step until the time is up."""
        end_ns = self.now_ns() + span_ns
        while (left_ns := end_ns - self.now_ns()) > 0:
            runner.step(min(left_ns, WAIT_NS))
