"""The journal: one writer, one durable transaction a batch, any number of readers."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from journal import chain, preflight, schema
from journal.entry import COLUMNS, Draft, Entry
from journal.errors import CommitUnknown, JournalDamaged, JournalFenced
from journal.head import Head, HeadFile, read_head
from journal.lock import WAIT_SECONDS, Lock, Owner, boot_id
from journal.reader import (
    Reader,
    chain_at,
    check_tail,
    configured,
    damaged,
    read_entries,
    read_meta,
    reading,
    uri,
)
from journal.snapshot import sync_directory

__all__ = ["Journal", "Reader"]

CHECKPOINT_PAGES = 1_000
RESERVE_BYTES = 1 << 20
PAGE_BYTES = 4_096
JOURNAL_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")
"""What fits into a head's slot."""

_INSERT = f"INSERT INTO event({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?)"


class Journal:
    """The one writer of `directory/name.db`. `durable=False` survives the process, not a power cut."""

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "journal",
        identity: dict[str, str | int] | None = None,
        at_ns: int = 0,
        durable: bool = True,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """Take the lock, look at the files, open or create.

        `identity` goes into `meta` of a new journal and must hold a `journal_id`. Raises `JournalLocked`,
        `JournalDamaged`, `JournalUnsuitable`. Nothing can be appended before `claim`.
        """
        self.directory = Path(directory)
        self.path = self.directory / f"{name}.db"
        with reading(self.path):
            _make_directory(self.directory)
            preflight.check_place(self.path)
            self.lock = Lock(self.directory / f"{name}.lock", wait_seconds)
        try:
            with reading(self.path):
                self._open(identity or {}, at_ns, durable)
        except BaseException:
            self._let_go()
            raise

    def _open(self, identity: dict[str, str | int], at_ns: int, durable: bool) -> None:
        is_torn = preflight.check_files(self.path)
        self.remembered = read_head(self.directory / "head")
        if preflight.size_of(self.path):
            self.meta, last = _look(self.path)
        else:
            _check_new(self.path, identity, self.remembered)
            self.meta, last = _create(self.path, identity, at_ns, durable), None
        self.journal_id = str(self.meta["journal_id"])
        self._connection = _open_writer(self.path, durable)
        if is_torn:  # what is left of one torn transaction must not stand behind the next one that is torn
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._head_file = HeadFile(self.directory / "head")
        self.seq = last.seq if last else 0
        self.chain = last.chain if last else chain.genesis(self.journal_id)
        self.at_ns = last.at_ns if last else 0
        self.epoch = 0
        self._last_epoch = last.epoch if last else 0
        self._log_pages = 0
        self._pid = os.getpid()
        self._poisoned = False
        self._reserve = self.directory / "reserve"
        self.keep_reserve()

    def claim(self, at_ns: int) -> int:
        """Raise the epoch: from here on no earlier owner can insert. Returns the new epoch.

        Raises `CommitUnknown` like `append`, and `JournalDamaged` where the epoch went backwards.
        """
        self._check_owner()
        owner = repr(tuple(Owner.this_process()))
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "UPDATE writer SET epoch=epoch+1, owner=?, boot_id=?, acquired_ns=?", (owner, boot_id(), at_ns)
            )
            # Inside the transaction: a moment later it may be the epoch of somebody else.
            row = self._connection.execute("SELECT epoch FROM writer").fetchone()
            if row is None or not isinstance(row[0], int) or row[0] <= self._last_epoch:
                self._connection.execute("ROLLBACK")
                raise damaged(self.path, ValueError(f"the epoch does not follow {self._last_epoch}"))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unknown(error) from error
        self.epoch = int(row[0])
        return self.epoch

    def append(self, drafts: Sequence[Draft]) -> int:
        """Make the drafts durable in one transaction; returns the last seq.

        Raises `CommitUnknown` when the commit raised: nothing more is taken, the process must end itself without
        closing. Raises `ValueError` for no draft, or one that is out of order or not canonical, and where nothing was
        claimed: the writer's bug.
        """
        self._check_owner()
        rows = self._rows(drafts)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("COMMIT")
            self.seq, self.chain, self.at_ns = rows[-1].seq, rows[-1].chain, rows[-1].at_ns
            self._log_pages += 2 + sum(len(row.body) for row in rows) // PAGE_BYTES
            self._head_file.write(Head(self.seq, self.epoch, self.chain.hex(), self.journal_id))
        except (sqlite3.Error, OSError) as error:
            raise self._unknown(error) from error
        except BaseException:
            self._poisoned = True
            raise
        return self.seq

    def _rows(self, drafts: Sequence[Draft]) -> list[Entry]:
        if not drafts or not self.epoch:
            raise ValueError("there is nothing to append" if self.epoch else "claim comes before append")
        return chain.link(drafts, self.seq, self.chain, self.epoch)

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
        """Entries with a greater seq, in order."""
        return read_entries(self._connection, self.path, after, limit)

    def verify(self, after: int = 0) -> int:
        """Check the chain of the entries after a seq; returns how many. Raises `JournalDamaged` at the first break."""
        before, seq = self.chain_at(after), after
        for entry in chain.verify(self.read(after), journal_id=self.journal_id, after_seq=after, after_chain=before):
            seq = entry.seq
        if seq != self.seq:
            raise damaged(self.path, ValueError(f"the events end at seq {seq}, not at {self.seq}"))
        return seq - after

    def checkpoint(self, pages: int = CHECKPOINT_PAGES) -> None:
        """Move the log into the database, in an idle moment and only when about so many pages were written since.

        Raises `CommitUnknown`: every acknowledged event is safe, but nothing more is taken.
        """
        if self._log_pages < pages:
            return
        self._check_owner()
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._head_file.sync()
        except (sqlite3.Error, OSError) as error:
            raise self._unknown(error) from error
        self._log_pages = 0

    def is_owner(self) -> bool:
        """True while this process may write and send: not a forked child, lock in place, not poisoned."""
        return not self._poisoned and os.getpid() == self._pid and self.lock.is_held()

    def keep_reserve(self) -> None:
        """Hold back a little disk space where there is enough, so that a clean stop has room when the disk is full."""
        try:
            if preflight.size_of(self._reserve) < RESERVE_BYTES and self.free_bytes() > 4 * RESERVE_BYTES:
                self._reserve.write_bytes(b"\0" * RESERVE_BYTES)
        except OSError:
            self.free_reserve()

    def free_reserve(self) -> None:
        """Give the reserve back: there is just enough room left to say so and stop."""
        self._reserve.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Free space where the journal lives."""
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """A clean end: everything into the database, head flushed, lock released.

        Nothing is done after `CommitUnknown`, in a forked child, or when the lock was lost. Raises `CommitUnknown`
        where the end was not clean: every acknowledged event is safe, the process must end itself.
        """
        if not self.is_owner():
            return
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._head_file.sync()
        except (sqlite3.Error, OSError) as error:
            raise self._unknown(error) from error
        self._poisoned = True
        self._let_go()

    def _let_go(self) -> None:
        for held in ("_connection", "_head_file"):
            if hasattr(self, held):
                getattr(self, held).close()
        self.lock.release()

    def chain_at(self, seq: int) -> bytes:
        """The chain after a seq; before the first event that is SHA-256 of the journal id."""
        return chain_at(self._connection, self.path, seq, self.journal_id)

    def _check_owner(self) -> None:
        if self._poisoned:
            raise self._fenced("the journal takes nothing after an unknown commit or its close")
        if os.getpid() != self._pid:
            raise self._fenced("a forked child may not write")
        if not self.lock.is_held():
            self._poisoned = True
            raise self._fenced("the lock file was taken away")

    def _unknown(self, error: Exception) -> CommitUnknown:
        self._poisoned = True
        if isinstance(error, sqlite3.IntegrityError):
            # A trigger refused, so nothing is written; and the lock must not stay with one who may not write.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            if "stale epoch" in str(error):
                return self._fenced(str(error))
        return CommitUnknown(
            f"the outcome of a commit after seq {self.seq} is unknown: {error}",
            place=str(self.path),
            hint="The process ends at once; start again, the journal knows what is true.",
        )

    def _fenced(self, message: str) -> JournalFenced:
        return JournalFenced(message, place=str(self.path), hint="End this process.")


def _make_directory(directory: Path) -> None:
    """Make it and what is missing above it; a directory is only there after a power cut when its parent was flushed."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory.parent)


def _check_new(path: Path, identity: dict[str, str | int], remembered: Head | None) -> None:
    if remembered and remembered.seq:
        raise JournalDamaged(
            f"the head file remembers seq {remembered.seq} of {remembered.journal_id}, but the database is gone",
            place=str(path),
            hint="Nothing was changed. Restore a backup, or start with --fresh.",
        )
    if not JOURNAL_ID.fullmatch(str(identity.get("journal_id", ""))):
        raise ValueError(f"a new journal needs a journal_id of up to 32 letters and digits, not {identity}")


def _create(path: Path, identity: dict[str, str | int], at_ns: int, durable: bool) -> dict[str, str | int]:
    """Under another name first: a journal is whole, or it does not exist."""
    part = path.with_name(path.name + ".part")
    for leftover in path.parent.glob(part.name + "*"):
        leftover.unlink()
    connection = _open_writer(part, durable)
    try:
        schema.create(connection, identity, repr(tuple(Owner.this_process())), boot_id(), at_ns)
        meta = read_meta(connection, part)
        # The close would do it too, but says nothing when it fails; and the log would be left behind by the rename.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
    part.rename(path)
    sync_directory(path.parent)
    return meta


def _look(path: Path) -> tuple[dict[str, str | int], Entry | None]:
    """Whose file is it, and where does it end? Asked read-only: what is not ours, or damaged, stays as it is."""
    with closing(sqlite3.connect(uri(path, "mode=ro"), uri=True, isolation_level=None)) as connection:
        schema.configure(connection, schema.READER_PRAGMAS)
        meta = read_meta(connection, path)
        if changed := schema.changed(connection):
            raise damaged(path, ValueError(f"not as it was made: {', '.join(sorted(changed))}"))
        return meta, check_tail(connection, path, str(meta["journal_id"]))


def _open_writer(path: Path, durable: bool) -> sqlite3.Connection:
    # The file is made by us so that its mode is ours; `psow=0` keeps an acknowledged frame's sector untouched.
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(uri(path, "psow=0"), uri=True, isolation_level=None, check_same_thread=False)
    return configured(connection, _pragmas(durable))


def _pragmas(durable: bool) -> tuple[tuple[str, str, str], ...]:
    if durable:
        return schema.WRITER_PRAGMAS
    changed = ("synchronous", "OFF", "survives the process, not a power cut: the exchange that ships is a pretence")
    return tuple(changed if pragma[0] == "synchronous" else pragma for pragma in schema.WRITER_PRAGMAS)
