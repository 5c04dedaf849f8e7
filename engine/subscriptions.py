"""The subscriptions of market data at a venue: one that is missing shuts what it was about, and nothing else.

A connection that is lost is another matter (`lose_venue`): it takes all of them with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine import events, inputs
from engine.events import Event
from engine.inputs import Scope
from engine.state import MissingStream, State
from engine.system import pause_key
from engine.values import InstrumentName, VenueName

STREAM_LOST = "stream_lost"

Place = tuple[Scope, str]


def lose_stream(state: State, told: inputs.StreamLost) -> Iterator[Event]:
    """A subscription is missing: its instrument is paused, or where it is everybody's the venue."""
    venue, missing = state.venues.get(told.venue), MissingStream(told.stream, told.instrument)
    if venue is None or missing in venue.missing_streams:
        return
    yield events.StreamLost(venue=told.venue, stream=told.stream, instrument=told.instrument, cause=told.cause)
    scope, subject = _place(told.venue, told.instrument)
    if pause_key(scope, subject, STREAM_LOST) not in state.pauses:
        detail = f"{told.stream}: {told.cause}"
        yield events.TradingPaused(scope=scope, subject_name=subject, reason=STREAM_LOST, latched=False, detail=detail)


def find_stream(state: State, told: inputs.StreamUp) -> Iterator[Event]:
    """A subscription is there again; the pause ends with the last one that was missing."""
    venue, found = state.venues.get(told.venue), MissingStream(told.stream, told.instrument)
    if venue is not None and found in venue.missing_streams:
        yield events.StreamRestored(venue=told.venue, stream=told.stream, instrument=told.instrument)
        yield from end_stream_pauses(state, told.venue)


def end_stream_pauses(state: State, name: VenueName) -> Iterator[Event]:
    """Pauses for which no subscription is missing any more: found again, or lost with the whole connection."""
    venue = state.venues[name]
    still = {_place(name, missing.instrument) for missing in venue.missing_streams}
    for pause in list(state.pauses.values()):
        is_ours = pause.reason == STREAM_LOST and _is_of(state, pause.scope, pause.subject, name)
        if is_ours and (pause.scope, pause.subject) not in still:
            yield events.PauseEnded(scope=pause.scope, subject_name=pause.subject, reason=STREAM_LOST)


def _place(venue: VenueName, instrument: InstrumentName | None) -> Place:
    return (Scope.VENUE, venue) if instrument is None else (Scope.INSTRUMENT, instrument)


def _is_of(state: State, scope: Scope, subject: str, venue: VenueName) -> bool:
    if scope is Scope.VENUE:
        return subject == venue
    terms = state.instruments.get(InstrumentName(subject))
    return terms is not None and terms.venue == venue
