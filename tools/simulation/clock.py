"""Time that passes only when it is told to."""

from __future__ import annotations

BEGIN_NS = 1_700_000_000_000_000_000


class VirtualClock:
    """A clock at `now`, in ns since the Unix epoch."""

    def __init__(self, now: int = BEGIN_NS) -> None:
        self.now = now

    def now_ns(self) -> int:
        """The present instant."""
        return self.now
