"""Whether a venue may be asked at all: it has said that we ask too much, or it does not take our key.

A throttle ends by itself; it is in the journal, so that a restart does not ask either. A key that was refused is for an
operator to put right.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine import events, inputs
from engine.events import Event
from engine.inputs import Scope
from engine.state import State
from engine.system import pause_key
from engine.values import SECOND_NS, VenueName

THROTTLED = "throttled"
CREDENTIALS_REFUSED = "credentials_refused"

LATER_NS = SECOND_NS
"""A throttle that lasts this much longer than the one that is known is worth an event."""


def throttle_venue(state: State, told: inputs.VenueThrottled, now_ns: int) -> Iterator[Event]:
    """Nothing is asked before the venue's own time; no new orders meanwhile."""
    venue = state.venues.get(told.venue)
    if venue is None or told.until_ns <= now_ns or told.until_ns < venue.throttled_until_ns + LATER_NS:
        return
    yield events.VenueThrottled(venue=told.venue, until_ns=told.until_ns, cause=told.cause)
    yield from pause_throttled(state, told.venue, now_ns)


def pause_throttled(state: State, name: VenueName, now_ns: int) -> Iterator[Event]:
    """The pause of a throttle that holds: begun when it is told, and again at a start."""
    until_ns = state.venues[name].throttled_until_ns
    if until_ns > now_ns and pause_key(Scope.VENUE, name, THROTTLED) not in state.pauses:
        detail = f"the venue takes nothing for {(until_ns - now_ns) // SECOND_NS + 1} s"
        yield events.TradingPaused(scope=Scope.VENUE, subject_name=name, reason=THROTTLED, latched=False, detail=detail)


def end_throttles(state: State, now_ns: int) -> Iterator[Event]:
    """Throttles whose time has come."""
    for name, venue in state.used_venues():
        if pause_key(Scope.VENUE, name, THROTTLED) in state.pauses and venue.throttled_until_ns <= now_ns:
            yield events.PauseEnded(scope=Scope.VENUE, subject_name=name, reason=THROTTLED)


def throttles_due_ns(state: State) -> list[int]:
    """When throttles end."""
    if not state.pauses:
        return []
    return [
        venue.throttled_until_ns
        for name, venue in state.used_venues()
        if pause_key(Scope.VENUE, name, THROTTLED) in state.pauses
    ]


def refuse_credentials(state: State, told: inputs.CredentialsRefused) -> Iterator[Event]:
    """Without a key nothing can be sent, canceled or asked: the venue is shut until somebody has looked."""
    if told.venue in state.venues and pause_key(Scope.VENUE, told.venue, CREDENTIALS_REFUSED) not in state.pauses:
        yield events.TradingPaused(
            scope=Scope.VENUE, subject_name=told.venue, reason=CREDENTIALS_REFUSED, latched=True, detail=told.detail
        )
