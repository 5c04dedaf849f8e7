"""The system's and a venue's states: two small tables side by side, and the pauses that keep trading shut.

The only door into trading leads through reconciling: after a start, a pause and a lost stream.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from engine.inputs import Scope
from engine.tables import SAME, Row, Table


class SystemState(StrEnum):
    """What the whole engine does."""

    STARTING = "starting"
    RECONCILING = "reconciling"
    TRADING = "trading"
    PAUSED = "paused"
    STOPPED = "stopped"


class VenueState(StrEnum):
    """Whether a venue may be used."""

    DOWN = "down"
    RECONCILING = "reconciling"
    READY = "ready"


STARTING, RECONCILING, TRADING, PAUSED, STOPPED = SystemState

SYSTEM = Table(
    "system",
    SystemState,
    STOPPED,
    [
        Row(tuple(SystemState), "process_started", STARTING),
        Row((STARTING,), "venues_described", RECONCILING),
        Row((RECONCILING,), "venues_ready", PAUSED, guard="is_paused"),
        Row((RECONCILING,), "venues_ready", TRADING),
        Row((RECONCILING,), "start_limit_passed", PAUSED),
        Row((TRADING, RECONCILING), "paused", PAUSED),
        Row((PAUSED,), "paused", SAME),
        Row((TRADING,), "venue_lost", RECONCILING),
        Row((RECONCILING, PAUSED), "venue_lost", SAME),
        Row((TRADING,), "difference_found", RECONCILING),
        Row((RECONCILING, PAUSED), "difference_found", SAME),
        Row((PAUSED,), "pauses_ended", RECONCILING),
        Row((STARTING, RECONCILING, TRADING, PAUSED), "process_stopped", STOPPED),
    ],
)

VENUE = Table(
    "venue",
    VenueState,
    VenueState.DOWN,
    [
        Row(tuple(VenueState), "connected", VenueState.RECONCILING),
        Row((VenueState.RECONCILING,), "reconciled", VenueState.READY),
        Row((VenueState.READY,), "reconciled", SAME),
        Row((VenueState.READY, VenueState.RECONCILING), "difference_found", VenueState.RECONCILING),
        Row((VenueState.READY,), "check_ordered", VenueState.RECONCILING),
        Row(tuple(VenueState), "lost", VenueState.DOWN),
        Row(tuple(VenueState), "process_started", VenueState.DOWN),
    ],
)


@frozen(kw_only=True)
class Pause:
    """No new orders within the scope, since `since_ns`. Latched: survives restarts until an operator resumes."""

    scope: Scope
    subject: str
    reason: str
    latched: bool
    since_ns: int
    detail: str = ""

    @property
    def key(self) -> str:
        """What makes it one pause."""
        return pause_key(self.scope, self.subject, self.reason)


def pause_key(scope: Scope, subject: str, reason: str) -> str:
    """The name of a pause in State."""
    return f"{scope}/{subject}/{reason}"
