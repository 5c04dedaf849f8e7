"""What a recorded run does with a journal: appends, checkpoints, snapshots, stops and deaths, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from journal.entry import Entry
from journal.errors import CommitUnknown, JournalError
from journal.journal import Journal
from journal.snapshot import Snapshot, write_snapshot

STEPS = 9
"""Drawn for a recorded workload: short enough for every one of its crash points."""
STEPS_UNDER_ERRORS = 4
IDENTITY: dict[str, str | int] = {"journal_id": "disk", "mode": "paper", "created_ns": 7}
SNAPSHOTS = "snapshots"
START_NS = 1_763_688_000_000_000_000


class Draft(NamedTuple):
    """What a writer hands in."""

    seq: int
    at_ns: int
    kind: str
    version: int
    subject: str
    cause: int | None
    body: str


class Step(NamedTuple):
    """One step: `append` (a batch of bodies of these sizes), `checkpoint`, `snapshot`, `reopen` (after a clean stop)
    or `die` (the process ends here, the next one opens)."""

    kind: str
    sizes: tuple[int, ...] = ()


class Notes(Protocol):
    """Who is told what the program knows."""

    def mark(self, kind: str, *, seq: int = 0, epoch: int = 0) -> None: ...


def draft(seq: int, size: int) -> Draft:
    """A draft whose body is unlike every other one's."""
    text = Random(seq * 7919 + size).choices("abcdefghijklmnopqrstuvwxyz", k=size)
    body = f'{{"number":{seq},"text":"{"".join(text)}"}}'
    return Draft(seq, START_NS + seq, "OrderIntended", 1, f"BTC-{seq % 5}", seq - 1 if seq % 3 else None, body)


def draw_steps(chance: Random, count: int) -> list[Step]:
    """A workload: every kind of step comes up over the seeds, and a checkpoint before the log grows long."""
    steps: list[Step] = []
    pending = 0
    for _ in range(count):
        kind = chance.choices(("append", "checkpoint", "snapshot", "reopen", "die"), (10, 2, 1, 1, 1))[0]
        kind = "checkpoint" if pending > 3 else kind
        if kind == "append":
            batch = chance.choice((1, 1, 2, 3, 5))
            steps.append(Step("append", tuple(chance.choice((20, 60, 300, 1_500, 2_600)) for _ in range(batch))))
        else:
            steps.append(Step(kind))
        pending = 0 if kind in ("checkpoint", "reopen") else pending + 1
    return steps


class Run:
    """One or more lives of a journal in a directory. `raised` and `accepted` tell what an error led to."""

    def __init__(
        self, directory: Path, notes: Notes, bury: Callable[[Journal], None], changes: Callable[[], int] = int
    ) -> None:
        """`bury` lets go of what a dead process held, without a change to a file; `changes` counts those so far."""
        self.directory = directory
        self.notes = notes
        self.raised: list[str] = []
        self.accepted: list[str] = []
        self._bury = bury
        self._changes = changes
        self._journal: Journal | None = None
        self._number = 0

    def drive(self, steps: Sequence[Step], *, is_closed: bool = True) -> list[Entry]:
        """Open, do the steps, close; ends at the first error, as a process does. Returns what the journal holds."""
        try:
            self._open()
            for step in steps:
                self._take(step)
            entries = list(self._held.read())
            self._held.close() if is_closed else self._die()
        except CommitUnknown as error:
            self.raised.append(type(error).__name__)
            self._after_error()
            return []
        except JournalError as error:  # a start that is refused, or a read that failed
            self.raised.append(type(error).__name__)
            if self._journal:
                self._die()
            return []
        return entries

    @property
    def _held(self) -> Journal:
        if self._journal is None:
            raise ValueError("the journal is not open")
        return self._journal

    def _open(self) -> None:
        self._number += 1
        self._journal = None
        journal = Journal(self.directory, identity=IDENTITY, at_ns=self._number, wait_seconds=0)
        self._journal = journal
        self.notes.mark("opened", seq=journal.seq)
        self.notes.mark("claimed", epoch=journal.claim(self._number))

    def _take(self, step: Step) -> None:
        if step.kind == "append":
            self._append(step.sizes)
        elif step.kind == "checkpoint":
            self._held.checkpoint(0)
        elif step.kind == "snapshot":
            self._write_snapshot()
        else:
            self._held.close() if step.kind == "reopen" else self._die()
            self._open()

    def _append(self, sizes: tuple[int, ...]) -> None:
        journal = self._held
        first = journal.seq + 1
        self.notes.mark("appending", seq=journal.seq + len(sizes))
        journal.append([draft(seq, size) for seq, size in enumerate(sizes, first)])
        # Only here may the request leave that this batch implies: "acknowledged" is the send gate.
        self.notes.mark("acknowledged", seq=first + len(sizes) - 1, epoch=journal.epoch)

    def _write_snapshot(self) -> None:
        journal = self._held
        try:
            write_snapshot(self.directory / SNAPSHOTS, snapshot_at(journal.seq, journal.chain))
        except OSError as error:
            self.raised.append(type(error).__name__)
        else:
            self.notes.mark("snapshot", seq=journal.seq)

    def _die(self) -> None:
        self._bury(self._held)
        self._journal = None

    def _after_error(self) -> None:
        """What a program does that goes on by mistake: nothing of it may be taken."""
        journal = self._held
        attempts: dict[str, Callable[[], object]] = {
            "append": lambda: journal.append([draft(journal.seq + 1, 20)]),
            "claim": lambda: journal.claim(99),
            "checkpoint": lambda: journal.checkpoint(0),
            "close": journal.close,
        }
        before = self._changes()
        for name, attempt in attempts.items():
            try:
                attempt()
            except JournalError as error:
                self.raised.append(f"{name}: {type(error).__name__}")
            else:
                self.accepted += [name] if name != "close" else []  # a close may return; it may not change a file
        if journal.is_owner():
            self.accepted.append("is_owner")
        if self._changes() != before:
            self.accepted.append("a change to a file")
        self._die()


def snapshot_at(seq: int, chain: bytes) -> Snapshot:
    """A state that is a function of where it stands."""
    return Snapshot(str(IDENTITY["journal_id"]), seq, chain.hex(), "cd" * 32, 1, b"state %d " % seq * 40)
