"""The wall clock that the engine runs by: wall time at the start plus monotonic time since."""

from __future__ import annotations

import time

JUMP_NS = 100_000_000


class WallClock:
    """Never goes back: not below `floor_ns` (the journal's last time), and not when the wall clock does."""

    def __init__(self, floor_ns: int = 0) -> None:
        self._floor_ns = floor_ns
        self._anchor_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        return max(self._anchor_ns + time.monotonic_ns(), self._floor_ns)

    def measure_jump_ns(self) -> int:
        """How far the wall clock has moved against the monotonic one, 0 below 100 ms; anchors anew after a jump."""
        anchor_ns = time.time_ns() - time.monotonic_ns()
        jump_ns = anchor_ns - self._anchor_ns
        if abs(jump_ns) < JUMP_NS:
            return 0
        self._floor_ns = self.now_ns()
        self._anchor_ns = anchor_ns
        return jump_ns
