"""A run that kills, or stops, itself at a named point around the commit of a batch that requests a new order.

`python tests/crash/dying.py CONFIG POINT NUMBER SIGNAL`: NUMBER says around which of those commits.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.runner import Runner
from journal.journal import Journal
from tools.config import read_configuration
from tools.run import run

POINTS = ("before_append", "after_append", "after_release")
LAST_SECONDS = 0.03
"""What was released, by right or wrongly, has this long to reach the wire."""


def die_at(point: str, number: int, by: signal.Signals) -> None:
    """From here on: that signal at that point of the `number`-th batch that requests a new order.

    A new order leaves with its commit; the cancel of an order without an answer waits, and nothing would be on its way.
    """
    seen = 0

    def die(here: str) -> None:
        if here == point and seen == number:
            time.sleep(LAST_SECONDS * (number % 3))
            os.kill(os.getpid(), by)

    append: Callable[[Journal, Sequence[Any]], int] = Journal.append
    release: Callable[[Runner, Sequence[Any]], None] = Runner._release

    def append_or_die(journal: Journal, drafts: Sequence[Any]) -> int:
        nonlocal seen
        asks = journal.path.name == "journal.db" and any(draft.kind == "SubmitRequested" for draft in drafts)
        seen += asks
        if asks:
            die("before_append")
        seq = append(journal, drafts)
        if asks:
            die("after_append")
        return seq

    def release_and_die(runner: Runner, requests: Sequence[Any]) -> None:
        release(runner, requests)
        die("after_release")

    setattr(Journal, "append", append_or_die)  # noqa: B010 (methods of the product are replaced in this process alone)
    setattr(Runner, "_release", release_and_die)  # noqa: B010


if __name__ == "__main__":
    die_at(sys.argv[2], int(sys.argv[3]), signal.Signals(int(sys.argv[4])))
    sys.exit(run(read_configuration(Path(sys.argv[1]))))
