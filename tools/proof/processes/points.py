"""The named points around the commit of a batch that requests something of a venue, and a signal at one of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.runner import Runner
from journal.journal import Journal

POINTS = ("before_append", "after_append", "after_release")
REQUESTS = ("SubmitRequested", "CancelRequested", "ReplaceRequested")
LAST_SECONDS = 0.03
"""What was released, rightly or wrongly, has this long, or twice, to reach the wire."""


def strike_at(point: str, number: int, by: signal.Signals) -> None:
    """From here on this process sends itself that signal at that point of the `number`-th batch with requests."""
    seen = 0

    def strike(here: str) -> None:
        if here == point and seen == number:
            time.sleep(LAST_SECONDS * (1 + number % 2))
            os.kill(os.getpid(), by)

    append: Callable[[Journal, Sequence[Any]], int] = Journal.append
    release: Callable[[Runner, Sequence[Any]], None] = Runner._release

    def append_or_strike(journal: Journal, drafts: Sequence[Any]) -> int:
        nonlocal seen
        asks = journal.path.name == "journal.db" and any(draft.kind in REQUESTS for draft in drafts)
        seen += asks
        if asks:
            strike("before_append")
        seq = append(journal, drafts)
        if asks:
            strike("after_append")
        return seq

    def release_and_strike(runner: Runner, requests: Sequence[Any]) -> None:
        release(runner, requests)
        if requests:
            strike("after_release")

    setattr(Journal, "append", append_or_strike)  # noqa: B010 (methods of the product, replaced in this process alone)
    setattr(Runner, "_release", release_and_strike)  # noqa: B010
