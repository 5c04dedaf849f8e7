"""The registry of instruments: what a venue lists, what of it has changed, and what may not be traded for that.

Our own names stand for the venue's symbols; both come with the venue's description. What the configuration says of an
instrument has to be what the venue says: where it is not, the instrument is paused until they agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from attrs import fields

from engine import events
from engine.capabilities import VenueDescription
from engine.events import Event, TermChange
from engine.inputs import Scope
from engine.instrument import Instrument
from engine.settings import InstrumentSettings
from engine.state import State
from engine.system import pause_key
from engine.values import InstrumentName, plain

DIFFERS = "instrument_differs"
MULTIPLIER_CHANGED = "multiplier_changed"
OTHER_ACCOUNT = "other_account"

Refusal = tuple[str, dict[str, str]]
"""A stable reason code and the numbers that it was decided by."""


def refusal(state: State, name: InstrumentName, now_ns: int) -> Refusal | None:
    """Why an instrument can't be traded now, whatever the order says; None where it can."""
    terms = state.instruments[name]
    if name in state.unlisted:
        return "instrument_not_listed", {"venue": terms.venue, "symbol": terms.symbol}
    if terms.is_expired(now_ns):
        return "instrument_expired", {"expiry_ns": str(terms.expiry_ns), "now_ns": str(now_ns)}
    if terms.is_halted:
        return "instrument_halted", {"venue": terms.venue, "symbol": terms.symbol}
    if not terms.is_linear:
        return "inverse_not_supported", {"settlement_asset": terms.cash, "quote": terms.quote}
    return None


def describe_venue(state: State, description: VenueDescription) -> Iterator[Event]:
    """Book what a venue says of itself where that is new, tell the terms that changed, and compare with the
    configuration."""
    known = state.venues.get(description.venue)
    before = known.description if known is not None else None
    if before is not None and before.account != description.account:
        yield from _refuse_account(state, before, description)
        return
    if before != description:
        changed = [] if before is None else list(_changes(state, before, description))
        yield events.VenueDescribed(venue=description.venue, description=description)
        yield from changed
        yield from _pause_open_contracts(state, changed)
    for instrument in description.instruments:
        yield from _compare(state, instrument)


def _refuse_account(state: State, before: VenueDescription, now: VenueDescription) -> Iterator[Event]:
    """Another account than the journal's is never traded on."""
    if pause_key(Scope.VENUE, now.venue, OTHER_ACCOUNT) not in state.pauses:
        detail = f"the venue says that this is account {now.account}; the journal is bound to {before.account}"
        yield events.TradingPaused(
            scope=Scope.VENUE, subject_name=now.venue, reason=OTHER_ACCOUNT, latched=True, detail=detail
        )


def _changes(state: State, before: VenueDescription, now: VenueDescription) -> Iterator[events.InstrumentChanged]:
    """By name, what is listed otherwise than it was known; what is new is no change."""
    listed = {instrument.name: instrument for instrument in now.instruments}
    was_listed = {instrument.name for instrument in before.instruments}
    for name in sorted({*was_listed, *(state.unlisted.keys() & listed.keys())}):
        changes: list[TermChange] = []
        if name not in listed:
            changes.append(TermChange("listed", "yes", "no"))
        elif name not in was_listed:
            changes.append(TermChange("listed", "no", "yes"))
        if name in listed and name in state.instruments:
            changes += term_changes(state.instruments[name], listed[name])
        if changes:
            yield events.InstrumentChanged(instrument=name, venue=now.venue, changes=tuple(changes))


def term_changes(before: Instrument, now: Instrument) -> list[TermChange]:
    """The terms that differ, in the order in which an instrument has them."""
    pairs = ((field.name, getattr(before, field.name), getattr(now, field.name)) for field in fields(Instrument))
    return [TermChange(name, _text(old), _text(new)) for name, old, new in pairs if old != new]


def _pause_open_contracts(state: State, changed: list[events.InstrumentChanged]) -> Iterator[Event]:
    """A contract that now stands for another quantity, while some of it is held, is shut until somebody has looked."""
    for event in changed:
        multiplier = next((change for change in event.changes if change.term == "multiplier"), None)
        if multiplier is not None and state.position(event.instrument).quantity:
            detail = (
                f"the multiplier was {multiplier.before} when the position was opened, it is {multiplier.after} now"
            )
            yield events.TradingPaused(
                scope=Scope.INSTRUMENT, subject_name=event.instrument, reason=MULTIPLIER_CHANGED, latched=True,
                detail=detail,
            )  # fmt: skip


def _compare(state: State, instrument: Instrument) -> Iterator[Event]:
    """The configuration's word against the venue's: a pause while they differ."""
    said = state.settings.instruments.get(instrument.name)
    wrong = [] if said is None else [f"{term} is {ours} in the configuration and {theirs} at the venue"
                                     for term, ours, theirs in differing(said, instrument)]  # fmt: skip
    pause = state.pauses.get(pause_key(Scope.INSTRUMENT, instrument.name, DIFFERS))
    if wrong and pause is None:
        yield events.TradingPaused(
            scope=Scope.INSTRUMENT, subject_name=instrument.name, reason=DIFFERS, latched=False,
            detail="; ".join(wrong),
        )  # fmt: skip
    elif pause is not None and not wrong:
        yield events.PauseEnded(scope=Scope.INSTRUMENT, subject_name=instrument.name, reason=DIFFERS)


def differing(said: InstrumentSettings, instrument: Instrument) -> list[tuple[str, str, str]]:
    """(term, the configuration's, the venue's) where both say something and it is not the same."""
    found: list[tuple[str, str, str]] = []
    for field in fields(InstrumentSettings):
        ours = getattr(said, field.name)
        theirs: Any = instrument.cash if field.name == "settlement_asset" else getattr(instrument, field.name, ours)
        if ours is not None and ours != theirs:
            found.append((field.name, _text(ours), _text(theirs)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(plain(value)) if isinstance(value, Decimal) else str(value)
