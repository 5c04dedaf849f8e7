"""The way of a start, up to the first event: lock, look, verify, fold; connect and describe the venues."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from attrs import define, frozen

from adapters.registry import VenueSettings
from engine.capabilities import VenueDescription
from engine.codec import UnknownEvent, decode, decode_state, digest
from engine.fold import FOLD_VERSION, apply
from engine.ports import EventLog, Venue, VenueUnreachable
from engine.settings import Change, unannounced_changes
from engine.state import Recorded, State
from engine.values import SECOND_NS, VenueName, exact_arithmetic
from journal import chain
from journal.entry import Entry
from journal.errors import JournalDamaged
from journal.journal import Journal
from journal.lock import Lock
from journal.snapshot import Snapshot, read_snapshots
from tools.config import Configuration, ConfigurationConflict

VERIFIED_AT_START = 100_000


@frozen(kw_only=True)
class Found:
    """What a start found: for the first words that a run says."""

    journal: Path
    journal_id: str
    seq: int
    clean: bool
    folded: int
    from_snapshot: int
    verified: int
    seconds: float
    state_digest: str
    changed: tuple[Change, ...] = ()


@define
class Opened:
    """A journal that this process owns, folded to the present."""

    journal: Journal
    state: State
    found: Found


def open_journal(configuration: Configuration) -> Opened:
    """Lock, look, verify, fold. Raises what `journal.journal.Journal` raises."""
    began = time.monotonic()
    identity: dict[str, str | int] = {
        "journal_id": uuid.uuid4().hex,
        "mode": str(configuration.settings.mode),
        "segment": 1,
        "base_seq": 0,
        "base_chain": "",
        "created_ns": time.time_ns(),
    }
    journal = Journal(configuration.journal, identity=identity, at_ns=time.time_ns())
    try:
        return _fold(configuration, journal, began)
    except BaseException:
        journal.close()
        raise


def _fold(configuration: Configuration, journal: Journal, began: float) -> Opened:
    if journal.meta["mode"] != configuration.settings.mode:
        raise ConfigurationConflict(
            f"the journal in {configuration.journal} is bound to mode {journal.meta['mode']}; "
            f"the configuration says {configuration.settings.mode}. Name another journal directory."
        )
    snapshots = [
        snapshot
        for snapshot in read_snapshots(configuration.journal / "snapshots", journal.journal_id, FOLD_VERSION)
        if snapshot.seq <= journal.seq and snapshot.chain == journal.chain_at(snapshot.seq).hex()
    ]
    oldest_seq = snapshots[-1].seq if snapshots else 0
    verify_from = max(min(journal.seq - VERIFIED_AT_START, oldest_seq, journal.seq - 1), 0)
    state, from_snapshot = _restore(snapshots)
    verified, last_kind = _read_on(journal, verify_from, state)
    found = Found(
        journal=configuration.journal, journal_id=journal.journal_id, seq=state.seq,
        clean=last_kind in ("", "ProcessStopped"), folded=state.seq - from_snapshot, from_snapshot=from_snapshot,
        verified=verified, seconds=time.monotonic() - began, state_digest=digest(state),
        changed=tuple(unannounced_changes(state.settings, configuration.settings)),
    )  # fmt: skip
    return Opened(journal, state, found)


def _read_on(journal: Journal, verify_from: int, state: State) -> tuple[int, str]:
    """Verify the chain from a seq on, fold what lies behind the state; how many were verified, and the last kind."""
    verified, last_kind = 0, ""
    entries = chain.verify(
        journal.read(verify_from),
        journal_id=journal.journal_id,
        after_seq=verify_from,
        after_chain=journal.chain_at(verify_from),
    )
    with exact_arithmetic():
        for entry in entries:
            verified, last_kind = verified + 1, entry.kind
            if entry.seq > state.seq:
                apply(state, _decoded(entry, journal.path))
    return verified, last_kind


def _decoded(entry: Entry, path: Path) -> Recorded:
    """The event, or a refusal: what this release does not know it may not trade on."""
    try:
        return decode(entry)
    except UnknownEvent as error:
        raise JournalDamaged(
            str(error), place=str(path), hint="Nothing was changed. Use the release that wrote it, or a newer one.",
            seq=entry.seq,
        ) from error  # fmt: skip


def _restore(snapshots: Sequence[Snapshot]) -> tuple[State, int]:
    """The state of the newest snapshot that can be read, else the empty one.

    Its bytes were compared with their hash; that the fold leads there is checked in the background, after the start.
    """
    for snapshot in snapshots:
        try:
            state = decode_state(snapshot.blob)
        except msgspec.MsgspecError:
            continue  # of another shape: a cache, so the journal is read instead
        if state.seq == snapshot.seq:
            return state, snapshot.seq
    return State(), 0


def connect(configuration: Configuration, journal: Journal, state: State) -> dict[VenueName, Venue]:
    """The clients of all configured venues; raises `ConfigurationConflict` for options that can't be carried out."""
    return {name: _connect(configuration, name, journal, state) for name in configuration.venues}


def _connect(configuration: Configuration, name: VenueName, journal: Journal, state: State) -> Venue:
    venue, known = configuration.venues[name], state.venues.get(name)
    settings = VenueSettings(
        name=name,
        options=venue.options,
        symbols=venue.symbols,
        directory=str(configuration.directory),
        open_log=log_opener(journal.directory),
        throttled_until_ns=known.throttled_until_ns if known is not None else 0,
    )
    try:
        return venue.adapter.connect(settings)
    except ValueError as error:
        raise ConfigurationConflict(f"[venues.{name}]: {error}") from error


def log_opener(directory: Path) -> Callable[[str], EventLog]:
    """Opens logs in the journal's format below a directory, for an exchange that ships with the product."""

    def open_log(name: str) -> EventLog:
        path = directory / name
        log = Journal(
            path.parent, name=path.name, durable=False, identity={"journal_id": uuid.uuid4().hex}, at_ns=time.time_ns()
        )
        log.claim(time.time_ns())
        return log

    return open_log


def describe(configuration: Configuration, venues: dict[VenueName, Venue], state: State) -> list[VenueDescription]:
    """What every venue can do; one that can't be asked now is taken as it was known. Raises `VenueUnreachable` where
    nothing is known after the start limit."""
    end = time.monotonic() + configuration.settings.reconcile.start_limit_ns / SECOND_NS
    return [_describe(venue, state, end) for venue in venues.values()]


def _describe(venue: Venue, state: State, end: float) -> VenueDescription:
    while True:
        try:
            return venue.describe()
        except VenueUnreachable:
            known = state.venues.get(venue.name)
            if known is not None and known.description is not None:
                return known.description
            if time.monotonic() >= end:
                raise
            time.sleep(0.5)


def check_listed(configuration: Configuration, state: State, descriptions: Sequence[VenueDescription]) -> None:
    """A symbol that a venue has never listed is a slip of the pen; of one that it lists no more, orders are refused."""
    for description in descriptions:
        listed = {instrument.name for instrument in description.instruments}
        for name, symbol in configuration.venues[description.venue].symbols.items():
            if name not in listed and name not in state.instruments:
                raise ConfigurationConflict(
                    f'[instruments."{name}"]: {description.venue} does not list the symbol {symbol}'
                )


def move_aside(journal: Path) -> Path | None:
    """Move a journal directory, exchange included, to `NAME.1` (or the next free number); deletes nothing."""
    if not journal.exists():
        return None
    lock = Lock(journal / "journal.lock")
    number = next(n for n in range(1, 1_000_000) if not journal.with_name(f"{journal.name}.{n}").exists())
    aside = journal.with_name(f"{journal.name}.{number}")
    journal.rename(aside)
    lock.release()
    return aside
