"""The journal: one writer, one durable transaction a batch, any number of readers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from journal import chain, preflight, schema
from journal.entry import COLUMNS, Draft, Entry
from journal.errors import CommitUnknown, JournalDamaged, JournalError, JournalFenced, JournalMissing, JournalUnsuitable
from journal.head import Head, HeadFile, read_head
from journal.lock import WAIT_SECONDS, Lock, Owner, boot_id, is_locked

READ_ROWS = 2_000
CHECKPOINT_PAGES = 1_000
RESERVE_BYTES = 1 << 20

_INSERT = f"INSERT INTO event({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?)"
_SELECT = f"SELECT {COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"


class Reader:
    """A read-only view, also while the writer runs: short transactions, never a lock that lasts."""

    def __init__(self, directory: Path, name: str = "journal") -> None:
        """Open `directory/name.db`; raises `JournalMissing`, `JournalUnsuitable` or `JournalDamaged`."""
        self.directory = Path(directory)
        self.path = self.directory / f"{name}.db"
        if not self.path.exists():
            raise JournalMissing("there is no journal", place=str(self.path), hint="Start one with `holdfast run`.")
        self._connection = _open_reader(self.path, self.directory / f"{name}.lock")
        self.meta = _read_meta(self._connection, self.path)
        self.journal_id = str(self.meta["journal_id"])

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
        """Entries with a greater seq, in order; `limit` bounds their number."""
        return _read(self._connection, self.path, after, limit)

    def about(self, subject: str) -> list[Entry]:
        """All entries about a subject, in order: a scan of the whole journal."""
        try:
            rows = self._connection.execute(
                f"SELECT {COLUMNS} FROM event WHERE subject = ? ORDER BY seq", (subject,)
            ).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise _damaged(self.path, error) from error
        return [Entry._make(row) for row in rows]

    def last(self) -> Entry | None:
        """The newest entry."""
        return _last(self._connection, self.path)

    def changed(self) -> int:
        """A number that moves when another process has committed."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def integrity(self) -> list[str]:
        """What SQLite's own check finds wrong; nothing is good."""
        try:
            rows = self._connection.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [str(row[0]) for row in rows if row[0] != "ok"]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


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
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = self.directory / f"{name}.db"
        preflight.check_place(self.path)
        self.lock = Lock(self.directory / f"{name}.lock", wait_seconds)
        try:
            self._open(identity or {}, at_ns, durable)
        except BaseException:
            self.lock.release()
            raise

    def _open(self, identity: dict[str, str | int], at_ns: int, durable: bool) -> None:
        preflight.check_files(self.path)
        self._connection = _open_writer(self.path, durable)
        if not self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name='meta'").fetchone():
            schema.create(self._connection, identity, repr(tuple(Owner.this_process())), boot_id(), at_ns)
        self.meta = _read_meta(self._connection, self.path)
        self.journal_id = str(self.meta["journal_id"])
        self.remembered = read_head(self.directory / "head")
        self._head_file = HeadFile(self.directory / "head")
        last = _last(self._connection, self.path)
        self.seq = last.seq if last else 0
        self.chain = last.chain if last else chain.genesis(self.journal_id)
        self.at_ns = last.at_ns if last else 0
        self.epoch = 0
        self._pid = os.getpid()
        self._poisoned = False
        self._reserve = self.directory / "reserve"
        self.keep_reserve()

    def claim(self, at_ns: int) -> int:
        """Raise the epoch: from here on no earlier owner can insert. Returns the new epoch."""
        owner = repr(tuple(Owner.this_process()))
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "UPDATE writer SET epoch=epoch+1, owner=?, boot_id=?, acquired_ns=?", (owner, boot_id(), at_ns)
            )
            self._connection.execute("COMMIT")
            self.epoch = int(self._connection.execute("SELECT epoch FROM writer").fetchone()[0])
        except sqlite3.Error as error:
            raise self._unknown(error) from error
        return self.epoch

    def append(self, drafts: Sequence[Draft]) -> int:
        """Make the drafts durable in one transaction; returns the last seq.

        Raises `CommitUnknown` when the commit raised: nothing more is taken, the process must end itself without
        closing. Raises `ValueError` for a draft that is out of order or not canonical: the writer's bug.
        """
        self._check_owner()
        rows, previous = self._rows(drafts)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unknown(error) from error
        self.seq, self.chain, self.at_ns = rows[-1].seq, previous, rows[-1].at_ns
        try:
            self._head_file.write(Head(self.seq, self.epoch, self.chain.hex(), self.journal_id))
        except OSError as error:
            raise self._unknown(error) from error
        return self.seq

    def _rows(self, drafts: Sequence[Draft]) -> tuple[list[Entry], bytes]:
        rows: list[Entry] = []
        previous, batch, epoch = self.chain, self.seq + 1, self.epoch
        for expected, draft in enumerate(drafts, batch):
            if draft.seq != expected:
                raise ValueError(f"seq {draft.seq} stands where {expected} must be")
            chain.check_body(draft.kind, draft.body)
            head = chain.head_line(
                expected, batch, epoch, draft.at_ns, draft.kind, draft.version, draft.subject, draft.cause
            )
            previous = chain.next_chain(previous, head, draft.body)
            rows.append(
                Entry(expected, batch, epoch, draft.at_ns, draft.kind, draft.version, draft.subject, draft.cause,
                      draft.body, previous)
            )  # fmt: skip
        return rows, previous

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
        """Entries with a greater seq, in order."""
        return _read(self._connection, self.path, after, limit)

    def verify(self, after: int = 0) -> int:
        """Check the chain of the entries after a seq; returns how many. Raises `JournalDamaged` at the first break."""
        before = self.chain_at(after)
        checked = chain.verify(self.read(after), journal_id=self.journal_id, after_seq=after, after_chain=before)
        return sum(1 for _ in checked)

    def checkpoint(self, pages: int = CHECKPOINT_PAGES) -> None:
        """Move the log into the database, in an idle moment and only when it has grown to `pages`."""
        wal = self.path.with_name(self.path.name + "-wal")
        if wal.exists() and wal.stat().st_size > pages * 4096:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                self._head_file.sync()
            except (sqlite3.Error, OSError) as error:
                raise self._unknown(error) from error

    def is_owner(self) -> bool:
        """True while this process may write and send: not a forked child, lock in place, not poisoned."""
        return not self._poisoned and os.getpid() == self._pid and self.lock.is_held()

    def keep_reserve(self) -> None:
        """Hold back a little disk space, so that a clean stop has room when the disk is full."""
        if not self._reserve.exists() and self.free_bytes() > 4 * RESERVE_BYTES:
            self._reserve.write_bytes(b"\0" * RESERVE_BYTES)

    def free_reserve(self) -> None:
        """Give the reserve back: there is just enough room left to say so and stop."""
        self._reserve.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Free space where the journal lives."""
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """A clean end: everything into the database, head flushed, lock released. After `CommitUnknown`: nothing."""
        if self._poisoned or os.getpid() != self._pid:
            return
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()
        self._head_file.sync()
        self._head_file.close()
        self._poisoned = True
        self.lock.release()

    def chain_at(self, seq: int) -> bytes:
        """The chain after a seq; before the first event that is SHA-256 of the journal id."""
        if seq == 0:
            return chain.genesis(self.journal_id)
        row = self._connection.execute("SELECT chain FROM event WHERE seq=?", (seq,)).fetchone()
        if row is None:
            raise JournalDamaged(f"seq {seq} is missing", place=str(self.path), hint="Restore a backup.", seq=seq)
        return bytes(row[0])

    def _check_owner(self) -> None:
        if self._poisoned:
            raise self._fenced("the journal takes nothing after an unknown commit or its close")
        if os.getpid() != self._pid:
            raise self._fenced("a forked child may not write")
        if not self.lock.is_held():
            raise self._unknown(OSError("the lock file was taken away"))

    def _unknown(self, error: Exception) -> CommitUnknown:
        self._poisoned = True
        fenced = isinstance(error, sqlite3.IntegrityError) and "stale epoch" in str(error)
        kind = JournalFenced if fenced else CommitUnknown
        return kind(
            f"the outcome of a commit after seq {self.seq} is unknown: {error}",
            place=str(self.path),
            hint="The process ends at once; start again, the journal knows what is true.",
        )

    def _fenced(self, message: str) -> JournalFenced:
        return JournalFenced(message, place=str(self.path), hint="End this process.")


def _open_writer(path: Path, durable: bool) -> sqlite3.Connection:
    # The file is made by us so that its mode is ours; `psow=0` keeps an acknowledged frame's sector untouched.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)) if not path.exists() else None
    try:
        connection = sqlite3.connect(_uri(path, "psow=0"), uri=True, isolation_level=None, check_same_thread=False)
        schema.configure(connection, _pragmas(durable))
    except sqlite3.DatabaseError as error:
        raise _damaged(path, error) from error
    return connection


def _pragmas(durable: bool) -> tuple[tuple[str, str, str], ...]:
    if durable:
        return schema.WRITER_PRAGMAS
    changed = ("synchronous", "OFF", "survives the process, not a power cut: the exchange that ships is a pretence")
    return tuple(changed if pragma[0] == "synchronous" else pragma for pragma in schema.WRITER_PRAGMAS)


def _open_reader(path: Path, lock: Path) -> sqlite3.Connection:
    wal = path.with_name(path.name + "-wal")
    frozen = not os.access(path.parent, os.W_OK) and not wal.exists() and not is_locked(lock)
    try:
        connection = sqlite3.connect(
            _uri(path, "mode=ro&immutable=1" if frozen else "mode=ro"), uri=True, isolation_level=None
        )
        schema.configure(connection, schema.READER_PRAGMAS)
    except sqlite3.DatabaseError as error:
        raise _damaged(path, error) from error
    return connection


def _uri(path: Path, query: str) -> str:
    return f"{path.absolute().as_uri()}?{query}"


def _read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str | int]:
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != schema.APPLICATION_ID:
            raise JournalUnsuitable(
                "the file is not a holdfast journal", place=str(path), hint="Name another directory."
            )
        if version != schema.USER_VERSION:
            raise JournalUnsuitable(
                f"the journal has format {version}, this release reads {schema.USER_VERSION}",
                place=str(path),
                hint="Use the release that wrote it.",
            )
        return dict(connection.execute("SELECT key, value FROM meta"))
    except sqlite3.DatabaseError as error:
        raise _damaged(path, error) from error


def _read(connection: sqlite3.Connection, path: Path, after: int, limit: int | None) -> Iterator[Entry]:
    left = limit if limit is not None else 1 << 62
    while left > 0:
        try:
            rows = connection.execute(_SELECT, (after, min(left, READ_ROWS))).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise _damaged(path, error, after + 1) from error
        for row in rows:
            yield Entry._make(row)
        if len(rows) < min(left, READ_ROWS):
            return
        after = rows[-1][0]
        left -= len(rows)


def _last(connection: sqlite3.Connection, path: Path) -> Entry | None:
    try:
        row = connection.execute(f"SELECT {COLUMNS} FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    return Entry._make(row) if row else None


def _damaged(path: Path, error: Exception, seq: int | None = None) -> JournalError:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return JournalUnsuitable(
            f"SQLite can't open the journal: {error}", place=str(path), hint="Another program holds the file open."
        )
    where = f" at or after seq {seq}" if seq else ""
    return JournalDamaged(
        f"SQLite can't read the journal{where}: {error}",
        place=str(path),
        hint="Nothing was changed. Restore a backup, or keep the directory as evidence and start with --fresh.",
        seq=seq,
    )
