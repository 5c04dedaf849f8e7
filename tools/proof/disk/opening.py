"""Opens what a fault left behind with the real journal, as the next start does, and says what it finds there.

No part of this knows how the files came about: it reads, checks the chain, claims, appends, closes and reads again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from unittest.mock import patch

from attrs import frozen

from journal import preflight
from journal.entry import Entry
from journal.errors import JournalError
from journal.journal import RESERVE_BYTES, Journal, Reader
from journal.snapshot import read_snapshots
from tools.proof.disk.device import UNRECORDED
from tools.proof.disk.operations import Files
from tools.proof.disk.workload import IDENTITY, SNAPSHOTS, draft

UNTYPED = (sqlite3.Error, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError)
"""What must never come out of the journal for what lies on the disk."""

CLAIMED_AT_NS = 9_000
FIELDS = tuple(sorted(IDENTITY.items()))


@frozen(kw_only=True)
class Look:
    """What a start found.

    `count` entries that are the first so many of those that were written, or -1 where they are not. `head_seq` is
    what the head file remembers, -1 where there is none. `refused` is the typed error that ended it, `surprise` any
    other, `stage` where: open, verify, read, snapshot, claim, append, close, again.
    """

    count: int = -1
    head_seq: int = -1
    epoch: int = 0
    refused: str = ""
    surprise: str = ""
    stage: str = ""
    snapshots: tuple[int, ...] = ()
    is_stranger: bool = False
    wrong: str = ""

    def __str__(self) -> str:
        ended = f", {self.stage}: {self.refused or self.surprise}" if self.refused or self.surprise else ""
        return f"{self.count} entries, head {self.head_seq}{ended}{', ' + self.wrong if self.wrong else ''}"


class Opener:
    """Lays out images in one directory, each over the one before, and opens them."""

    def __init__(self, directory: Path, entries: Sequence[Entry], snapshots: Sequence[bytes] = ()) -> None:
        """`entries` is everything that was ever written, `snapshots` every one that could be there."""
        self.directory = directory
        self.entries = [Entry._make(entry) for entry in entries]
        self._snapshots = frozenset(snapshots)
        self._number = 0
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "reserve").write_bytes(bytes(RESERVE_BYTES))

    def look(self, files: Files, *, is_continued: bool = True) -> Look:
        """Open, verify and read; and, where nothing is wrong so far, claim, append and verify. Every fourth time the
        journal is closed too, and read once more."""
        self._number += 1
        self._lay_out(files)
        progress = _Progress()
        try:
            return self._look(progress, is_continued)
        except JournalError as error:
            return progress.end(refused=f"{type(error).__name__}: {error.message}")
        except UNTYPED as error:
            return progress.end(surprise=f"{type(error).__name__}: {error}")

    def _look(self, progress: _Progress, is_continued: bool) -> Look:
        journal = Journal(self.directory, identity=IDENTITY, wait_seconds=0)
        with _released(journal, progress):
            remembered = journal.remembered
            progress.head_seq = remembered.seq if remembered else -1
            progress.is_stranger = bool(remembered and remembered.journal_id != journal.journal_id)
            progress.stage = "verify"
            journal.verify()
            progress.stage = "read"
            found = list(journal.read())
            progress.count = len(found) if found == self.entries[: len(found)] else -1
            progress.wrong = "" if tuple(sorted(journal.meta.items())) == FIELDS else f"meta is {journal.meta}"
            progress.stage = "snapshot"
            progress.snapshots = self._snapshots_of(journal)
            if is_continued:
                self._go_on(journal, found, progress)
        progress.stage = "end"
        return progress.end()

    def _go_on(self, journal: Journal, found: list[Entry], progress: _Progress) -> None:
        progress.stage = "claim"
        progress.epoch = journal.claim(CLAIMED_AT_NS)
        progress.stage = "append"
        first = len(found) + 1
        journal.append([draft(first, 30), draft(first + 1, 30)])
        journal.verify()
        if self._number % 4:
            return
        progress.stage = "close"
        journal.close()
        progress.is_closed = True
        progress.stage = "again"
        with Reader(self.directory) as reader:
            again = list(reader.read())
        if again[:-2] != found or [entry.seq for entry in again[-2:]] != [first, first + 1]:
            progress.wrong = f"{len(again)} entries after {len(found)} and 2 more"

    def _snapshots_of(self, journal: Journal) -> tuple[int, ...]:
        """The seqs of those that are used; -1 for one that nobody wrote."""
        folder = self.directory / SNAPSHOTS
        found = read_snapshots(folder, journal.journal_id, 1)
        written = [(folder / f"{snapshot.seq:016d}.snapshot").read_bytes() in self._snapshots for snapshot in found]
        return tuple(snapshot.seq if known else -1 for snapshot, known in zip(found, written, strict=True))

    def _lay_out(self, files: Files) -> None:
        clear(self.directory)
        for name, content in files.items():
            path = self.directory / name
            if "/" in name:
                path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def clear(directory: Path) -> None:
    """Remove what an earlier image left; the lock and the reserve may stay."""
    with os.scandir(directory) as found:
        for entry in found:
            if entry.is_dir():
                clear(Path(entry.path))
            elif entry.name not in UNRECORDED:
                os.unlink(entry.path)


@contextmanager
def hurried() -> Iterator[None]:
    """The log's checksum, which is a pure function, is computed once for equal bytes: images differ in few pages."""
    with patch.object(preflight, "checksum", lru_cache(4_096)(preflight.checksum)):
        yield


class _Progress:
    """How far a look has come."""

    def __init__(self) -> None:
        self.stage = "open"
        self.count = -1
        self.head_seq = -1
        self.epoch = 0
        self.snapshots: tuple[int, ...] = ()
        self.is_stranger = False
        self.wrong = ""
        self.is_closed = False

    def end(self, refused: str = "", surprise: str = "") -> Look:
        """What was found."""
        known = {name: value for name, value in vars(self).items() if name != "is_closed"}
        return Look(refused=refused, surprise=surprise, **known)


@contextmanager
def _released(journal: Journal, progress: _Progress) -> Iterator[None]:
    """Whatever happens, nothing is held open when the next image is laid out."""
    try:
        yield
    finally:
        if not progress.is_closed:
            journal._let_go()


def digest_of(files: Files) -> bytes:
    """Equal for equal images."""
    found = blake2b(digest_size=16)
    for name, content in files.items():
        found.update(f"{name} {len(content)}\n".encode())
        found.update(content)
    return found.digest()
