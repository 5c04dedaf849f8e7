"""What a journal says: its state, folded in memory from the newest valid snapshot and the tail. Read-only.

Nothing here writes or locks; it works while an engine runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import msgspec
from attrs import frozen

from engine import events
from engine.codec import UnknownEvent, decode, decode_state, digest
from engine.fold import FOLD_VERSION, apply
from engine.inputs import Quote
from engine.order import IllegalEvent, Order
from engine.state import Recorded, State
from engine.values import InstrumentName, OrderId, exact_arithmetic
from journal.entry import Entry
from journal.errors import JournalDamaged
from journal.journal import Reader
from journal.lock import Owner, is_locked, read_owner
from journal.snapshot import Snapshot, read_snapshots
from tools.money import Sighting

SNAPSHOTS = "snapshots"
LOCK = "journal.lock"
BACKWARDS_ROWS = 5_000


@frozen
class View:
    """A journal as it stands. `is_held` says whether a process holds it now, `owner` which one took it last."""

    directory: Path
    state: State
    journal_id: str
    last: Entry | None
    is_held: bool
    owner: Owner | None

    @property
    def is_clean(self) -> bool:
        """Did the last run end as it should? An empty journal is clean."""
        return self.last is None or self.last.kind == events.ProcessStopped.__name__


class Source:
    """An open journal. Its methods raise `JournalDamaged`, also for an event that this release can't read."""

    def __init__(self, directory: Path) -> None:
        """Raises `JournalMissing`, `JournalUnsuitable`, `JournalDamaged`."""
        self.directory = directory
        self.reader = Reader(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()

    def view(self) -> View:
        """The present: from a snapshot and the tail."""
        # The lock is asked first: a process that ends meanwhile has then written its last event already.
        is_held = is_locked(self.directory / LOCK)
        state = self.state()
        last = next(self.reader.read(state.seq - 1, 1), None) if state.seq else None
        return View(self.directory, state, self.reader.journal_id, last, is_held, read_owner(self.directory / LOCK))

    def state(self) -> State:
        """The state after the newest event."""
        start = self._start()
        return fold(start, self.recorded(start.seq))

    def recorded(self, after: int = 0) -> Iterator[Recorded]:
        """The events after a seq."""
        return (read_event(entry) for entry in self.reader.read(after))

    def all_orders(self) -> list[Order]:
        """Every order of the journal, also those that have left State, oldest first."""
        start = self._start()
        if start.seq and any(entry.kind == events.OrderArchived.__name__ for entry in self.reader.read(0, start.seq)):
            start = State()
        archived: dict[OrderId, Order] = {}
        state = start
        for recorded in self.recorded(start.seq):
            if isinstance(recorded.event, events.OrderArchived):
                archived[recorded.event.order_id] = state.orders[recorded.event.order_id]
            state = fold(state, (recorded,))
        return sorted((archived | state.orders).values(), key=lambda order: (order.intended_seq, order.order_id))

    def marks(self, wanted: Iterable[InstrumentName]) -> dict[InstrumentName, Sighting]:
        """What each instrument was last seen at: the quote that the newest decision saw, else the newest execution."""
        found: dict[InstrumentName, Sighting] = {}
        fills: dict[InstrumentName, Sighting] = {}
        missing = set(wanted)
        for recorded in self._backwards((events.OrderIntended.__name__, events.FillBooked.__name__)):
            if not missing:
                break
            event = recorded.event
            if isinstance(event, events.OrderIntended) and isinstance(event.seen, Quote):
                found.setdefault(event.instrument, Sighting(recorded.at_ns, quote=event.seen))
                missing.discard(event.instrument)
            elif isinstance(event, events.FillBooked):
                fills.setdefault(event.instrument, Sighting(recorded.at_ns, price=event.price))
        return fills | found

    def _backwards(self, kinds: tuple[str, ...]) -> Iterator[Recorded]:
        """Events of these kinds, newest first."""
        last = self.reader.last()
        upto = last.seq if last else 0
        while upto > 0:
            after = max(upto - BACKWARDS_ROWS, 0)
            entries = [entry for entry in self.reader.read(after, upto - after) if entry.kind in kinds]
            yield from (read_event(entry) for entry in reversed(entries))
            upto = after

    def _start(self) -> State:
        """The newest snapshot that matches the journal in everything, else the beginning."""
        for snapshot in read_snapshots(self.directory / SNAPSHOTS, self.reader.journal_id, FOLD_VERSION):
            entry = next(self.reader.read(snapshot.seq - 1, 1), None)
            if entry is not None and entry.chain.hex() == snapshot.chain:
                state = _state_of(snapshot)
                if state is not None:
                    return state
        return State()


def read_view(directory: Path) -> View:
    """The present of a journal; raises a `JournalError`."""
    with Source(directory) as source:
        return source.view()


def read_state(directory: Path) -> State:
    """The state after the newest event of a journal; raises a `JournalError`."""
    with Source(directory) as source:
        return source.state()


def read_event(entry: Entry) -> Recorded:
    """The event of an entry; raises `JournalDamaged` where this release can't read it."""
    try:
        return decode(entry)
    except (UnknownEvent, msgspec.DecodeError) as error:
        raise unreadable(entry.seq, str(error)) from error


def fold(state: State, recorded: Iterable[Recorded]) -> State:
    """Apply events; raises `JournalDamaged` for one that can't follow."""
    with exact_arithmetic():
        for each in recorded:
            try:
                apply(state, each)
            except (IllegalEvent, LookupError, AssertionError) as error:
                raise unreadable(each.seq, f"{each.event.kind} can't follow: {error}") from error
    return state


def unreadable(seq: int, message: str) -> JournalDamaged:
    """An event whose meaning is not known; nothing may be concluded from the rest."""
    return JournalDamaged(
        message,
        place=f"seq {seq}",
        hint="Use the release that wrote the journal, or a newer one; `holdfast verify` looks at all of it.",
        seq=seq,
    )


def _state_of(snapshot: Snapshot) -> State | None:
    """The state in a snapshot, or None where it is not what it says: a cache is never believed."""
    try:
        state = decode_state(snapshot.blob)
    except msgspec.DecodeError:
        return None
    with exact_arithmetic():
        matches = state.seq == snapshot.seq and digest(state) == snapshot.state_digest
    return state if matches else None
