"""What follows from a difference between the books and a venue that has been seen twice: a pause, a word or adoption.

A pause reaches as far as the difference can be attributed: a contract, or the instruments of a base asset that pays for
nothing; an asset that is paid with concerns the whole account.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine import events
from engine.events import Difference, Event
from engine.inputs import Scope, Snapshot
from engine.order_effects import surprise
from engine.settings import OnDrift
from engine.state import NOBODY, State
from engine.system import Pause, pause_key
from engine.values import Asset, InstrumentName, VenueName, exact, plain

DRIFT = "position_drift"
MOVED = "balance_moved"

Place = tuple[Scope, str]


def treat_drift(
    state: State, snapshot: Snapshot, shown: tuple[Difference, ...], found: tuple[Difference, ...], now_ns: int
) -> Iterator[Event]:
    """Act on what this snapshot showed for the second time, just so (`shown`), and end the pauses of what does not
    differ any more: `found` is all that does, also where this snapshot could not tell."""
    venue, policy = snapshot.venue, state.settings.reconcile.on_position_drift
    places = _places(state, venue, found)
    for pause in _pauses(state, venue):
        if (pause.scope, pause.subject) not in places:
            yield events.PauseEnded(scope=pause.scope, subject_name=pause.subject, reason=pause.reason)
    if policy is OnDrift.ADOPT:
        for difference in shown:
            yield from _adopt(state, snapshot, difference, now_ns)
    elif policy is OnDrift.PAUSE:
        for (scope, subject), named in _places(state, venue, shown).items():
            if pause_key(scope, subject, DRIFT) not in state.pauses:
                yield from _note_moved(state, venue, named, now_ns)
                yield events.TradingPaused(
                    scope=scope, subject_name=subject, reason=DRIFT, latched=False, detail=_words(named)
                )
    elif shown:
        yield from surprise(state, venue, DRIFT, _words(shown), "", now_ns)


def _pauses(state: State, venue: VenueName) -> list[Pause]:
    """The pauses for a difference at this venue."""
    return [pause for pause in state.pauses.values() if pause.reason == DRIFT and _is_of(state, pause, venue)]


def _is_of(state: State, pause: Pause, venue: VenueName) -> bool:
    if pause.scope is Scope.VENUE:
        return pause.subject == venue
    terms = state.instruments.get(InstrumentName(pause.subject))
    return pause.scope is Scope.INSTRUMENT and terms is not None and terms.venue == venue


def _places(state: State, venue: VenueName, found: tuple[Difference, ...]) -> dict[Place, tuple[Difference, ...]]:
    """How far each difference reaches."""
    places: dict[Place, tuple[Difference, ...]] = {}
    for difference in found:
        for place in _reach(state, venue, difference):
            places[place] = (*places.get(place, ()), difference)
    return places


def _reach(state: State, venue: VenueName, difference: Difference) -> list[Place]:
    if difference.what != "balance":
        return [(Scope.INSTRUMENT, difference.name)]
    listed = [terms for terms in state.instruments.values() if terms.venue == venue]
    of_base = [terms.name for terms in listed if terms.is_spot and terms.base == difference.name]
    pays = any(difference.name in (terms.quote, terms.cash) for terms in listed)
    return [(Scope.INSTRUMENT, name) for name in of_base] if of_base and not pays else [(Scope.VENUE, venue)]


def _words(found: tuple[Difference, ...]) -> str:
    return "; ".join(f"{_subject(row)}: the venue has {row.venue}, the books {row.ours}" for row in found)


def _subject(difference: Difference) -> str:
    return difference.name if difference.what == "balance" else f"{difference.what} of {difference.name}"


def _note_moved(state: State, venue: VenueName, found: tuple[Difference, ...], now_ns: int) -> Iterator[Event]:
    """A balance that moved without an execution, a fee or a payment that we know: said with its figures."""
    for row in found:
        if row.what == "balance":
            amount = plain(exact(row.venue) - exact(row.ours))
            detail = f"{row.name} moved by {amount:+f} without a fill: the venue has {row.venue}, the books {row.ours}"
            yield from surprise(state, f"{venue}/{row.name}", MOVED, detail, "", now_ns)


def _adopt(state: State, snapshot: Snapshot, row: Difference, now_ns: int) -> Iterator[Event]:
    """A contract's position, or a base asset of one instrument alone, is nobody's position; anything else is only a
    balance. A result can't be adopted: it follows from executions."""
    amount, venue = plain(exact(row.venue) - exact(row.ours)), snapshot.venue
    if row.what == "result":
        yield from surprise(state, row.name, "result_differs", _words((row,)), "", now_ns)
        return
    named = [i.name for i in state.instruments.values() if i.venue == venue and i.is_spot and i.base == row.name]
    price = None
    if row.what == "position":
        named = [InstrumentName(row.name)]
        price = next((shown.average_price for shown in snapshot.positions if shown.instrument == row.name), None)
    if len(named) == 1:
        yield events.PositionAdjusted(
            instrument=named[0], venue=venue, strategy=NOBODY, quantity=amount, reason="adopted", price=price
        )
    else:
        yield events.BalanceAdjusted(venue=venue, asset=Asset(row.name), amount=amount, reason="adopted")
