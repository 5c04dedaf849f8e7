"""The floor: a loop that computes the two averages and compares them, without account, risk, matching or record."""

from __future__ import annotations

import platform
from pathlib import Path

from tools.bench.peers.crossing import FAST, SLOW, WARM_UP, Result, read_closes, tell


def run(path: Path, trades: bool) -> Result:
    """The bars on which the task wants an order; `trades` changes nothing but whether they are told."""
    fast_weight, slow_weight = 2 / (FAST + 1), 2 / (SLOW + 1)
    fast = slow = 0.0
    number, is_long, decided = 0, False, []
    for number, close in enumerate(read_closes(path), start=1):
        fast = close if number == 1 else fast + fast_weight * (close - fast)
        slow = close if number == 1 else slow + slow_weight * (close - slow)
        if number > WARM_UP and (fast > slow) is not is_long:
            is_long = not is_long
            decided.append(number - 1)
    return Result(number, tuple(decided) if trades else (), len(decided) if trades else 0)


if __name__ == "__main__":
    tell(platform.python_version(), run)
