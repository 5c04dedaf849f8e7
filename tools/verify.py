"""`holdfast verify`: is the journal whole (level 1), and does its replay give the same state again (level 2)?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import Factory, define

from engine.codec import digest
from engine.events import ProcessStopped, StateDigested
from engine.fold import FOLD_VERSION
from engine.state import Recorded, State
from engine.values import exact_arithmetic
from journal import chain, preflight
from journal.entry import Entry
from journal.errors import JournalDamaged
from journal.head import Head, read_head
from journal.journal import Reader
from journal.lock import is_locked
from journal.snapshot import Snapshot, read_snapshots
from tools.rows import Row
from tools.view import LOCK, SNAPSHOTS, Source, fold, read_event

LEVELS = (1, 2)
LOOKS = 3
"""A log that a process is writing is looked at so often before it is called damaged."""


@define
class Verdict:
    """What was found; `problems` in the order of the checks."""

    level: int
    seq: int = 0
    chain: str | None = None
    state_digest: str | None = None
    digests: int = 0
    held: bool = False
    problems: list[str] = Factory(list)

    @property
    def is_ok(self) -> bool:
        """Nothing was found."""
        return not self.problems

    def row(self) -> Row:
        """`verify --json`."""
        return {
            "ok": self.is_ok,
            "level": self.level,
            "seq": self.seq,
            "chain": self.chain,
            "state_digest": self.state_digest,
            "digests_compared": self.digests,
            "held": self.held,
            "problems": self.problems,
        }


def verify(directory: Path, level: int) -> Verdict:
    """All checks up to a level. Raises `JournalMissing`; whatever else is wrong is a problem in the verdict."""
    path = directory / "journal.db"
    verdict = Verdict(level, held=path.exists() and is_locked(directory / LOCK))
    # Read first: a head that is then ahead of the journal can only mean that the journal's tail is gone.
    head = read_head(directory / "head")
    try:
        _look(path, verdict.held)
    except JournalDamaged as error:
        verdict.problems.append(str(error))
        return verdict
    try:
        with Source(directory) as source:
            _check_entries(source, verdict, head)
            if level > 1 and verdict.is_ok:
                verdict.problems += [f"SQLite: {found}" for found in source.reader.integrity()]
                _replay(source, verdict)
            elif verdict.is_ok:
                with exact_arithmetic():
                    verdict.state_digest = digest(source.state())
    except JournalDamaged as error:
        verdict.problems.append(str(error))
    return verdict


def _look(path: Path, is_held: bool) -> None:
    """Pre-flight; again where a process is writing, because a frame may be looked at while it is half written."""
    for look in range(LOOKS):
        try:
            preflight.check_files(path)
        except JournalDamaged:
            if not is_held or look == LOOKS - 1:
                raise
        else:
            return


def _check_entries(source: Source, verdict: Verdict, head: Head | None) -> None:
    reader = source.reader
    try:
        for entry in chain.verify(reader.read(), journal_id=reader.journal_id):
            verdict.seq, verdict.chain = entry.seq, entry.chain.hex()
            verdict.problems += _head_problems(head, entry)
    except JournalDamaged as error:
        verdict.problems.append(str(error))
        return
    verdict.problems += _tail_problems(head, reader, verdict.seq)


def _head_problems(head: Head | None, entry: Entry) -> Iterator[str]:
    if head is not None and head.seq == entry.seq and entry.chain.hex()[: len(head.chain)] != head.chain:
        yield f"seq {entry.seq} is not the event that the head file remembers: the journal was replaced by another copy"


def _tail_problems(head: Head | None, reader: Reader, seq: int) -> Iterator[str]:
    if head is None:
        return
    if head.journal_id != reader.journal_id:
        yield f"the head file belongs to journal {head.journal_id}, this is {reader.journal_id}"
    elif head.seq > seq:
        lost = head.seq - seq
        yield f"the tail is lost: the head file remembers seq {head.seq}, the journal ends at {seq} ({lost} missing)"


def _replay(source: Source, verdict: Verdict) -> None:
    """Fold from the beginning: every move legal, every digest equal to what was journaled or kept in a snapshot."""
    snapshots = {
        snapshot.seq: snapshot
        for snapshot in read_snapshots(source.directory / SNAPSHOTS, source.reader.journal_id, FOLD_VERSION)
    }
    state = State()
    with exact_arithmetic():
        for entry in source.reader.read(0, verdict.seq):
            recorded = read_event(entry)
            verdict.problems += _digest_problems(state, recorded, verdict)
            fold(state, (recorded,))
            verdict.problems += _snapshot_problems(state, snapshots.get(entry.seq), entry, verdict)
        verdict.state_digest = digest(state)


def _digest_problems(state: State, recorded: Recorded, verdict: Verdict) -> Iterator[str]:
    event = recorded.event
    if not isinstance(event, (ProcessStopped, StateDigested)) or event.fold_version != FOLD_VERSION:
        return
    verdict.digests += 1
    found = digest(state)
    if found != event.state_digest:
        yield f"seq {recorded.seq}: the replay gives state {found}, the journal says {event.state_digest}"


def _snapshot_problems(state: State, snapshot: Snapshot | None, entry: Entry, verdict: Verdict) -> Iterator[str]:
    """Only a snapshot of this very journal is compared; any other is a cache that nobody uses."""
    if snapshot is None or snapshot.chain != entry.chain.hex():
        return
    verdict.digests += 1
    found = digest(state)
    if found != snapshot.state_digest:
        yield f"seq {entry.seq}: the replay gives state {found}, the snapshot says {snapshot.state_digest}"
