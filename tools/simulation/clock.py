"""Time that passes only when it is told to; and each process's own idea of it."""

from __future__ import annotations

BEGIN_NS = 1_700_000_000_000_000_000


class VirtualClock:
    """A clock at `now`, in ns since the Unix epoch: the world's, and the exchange's."""

    def __init__(self, now: int = BEGIN_NS) -> None:
        self.now = now

    def now_ns(self) -> int:
        """The present instant."""
        return self.now


class ProcessClock:
    """What a process takes for the time: like `tools.clock.WallClock`, on a wall that may be wrong by `ahead_ns`.

    It never goes back: not below `floor_ns`, and not when its wall does.
    """

    def __init__(self, world: VirtualClock, ahead_ns: int, floor_ns: int = 0) -> None:
        self._world, self._ahead_ns, self._floor_ns = world, ahead_ns, floor_ns

    def now_ns(self) -> int:
        """The present instant, as this process sees it."""
        return max(self._world.now + self._ahead_ns, self._floor_ns)

    def jump(self, by_ns: int) -> None:
        """The wall moves by so much; later readings are anchored to it anew."""
        self._floor_ns = self.now_ns()
        self._ahead_ns += by_ns

    def in_the_world(self, at_ns: int) -> int:
        """When in the world this clock will show an instant."""
        return at_ns - self._ahead_ns
