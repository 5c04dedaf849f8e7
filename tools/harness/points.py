"""The named points at which a process can be struck, and the spans and messages that schedules draw from, as data."""

from __future__ import annotations

from adapters.simulated.faults import SCOPES, Kind

IN_SEND = "in_send"
POINTS: dict[str, tuple[str, str]] = {
    "before_commit": ("before_commit", "commits"),
    "after_commit": ("after_commit", "commits"),
    "before_request": ("before_release", "releases"),
    "after_request": ("after_release", "releases"),
    "commit_lost": ("commit_lost", "commits"),
    "commit_kept": ("commit_kept", "commits"),
    IN_SEND: ("freeze_at_send", "sends"),
}
"""Point: the table of the plan that it stands in, and the counter that its number belongs to.

`commit_lost` and `commit_kept` raise from the append, with nothing or everything written; `in_send` stops the process
in the middle of a send, starts a successor, and wakes the first when the time is up.
"""

SPANS = ("1s", "100ms", "7ms", "2s", "5s", "400ms", "12s")
"""How long a schedule waits; the first are what it shrinks to."""

AFTER = ("1s", "100ms", "3s")
"""How long it waits for what it has just set up to happen."""

DOWN = ("300ms", "10ms", "2s", "8s")
"""How long what was killed stays dead."""

JUMPS_PERMILLE = (-1, 1, -10, 10, -50, 50)
CLOCK_JUMPS = ("200ms", "-200ms", "3s", "-3s")
NTH_MOST = 3
TIMES = (1, 4, 30)

ANY_FAULTS = tuple(SCOPES)
"""Faults of whatever message comes next."""

MESSAGE_FAULTS = tuple(
    (fault, kind.value) for fault, scope in SCOPES.items() for kind in scope[1] if kind != Kind.MARKET
)
"""Faults of one kind of message each; market data that is lost is nothing to recover."""
