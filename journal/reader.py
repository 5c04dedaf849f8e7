"""Reading a journal: the read-only view, and what the writer reads with too."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from journal import chain, preflight, schema
from journal.entry import COLUMNS, Entry
from journal.errors import JournalDamaged, JournalError, JournalMissing, JournalUnsuitable
from journal.lock import is_locked

READ_ROWS = 2_000

_NOT_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH,
    }
)  # fmt: skip
_SELECT = f"SELECT {COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"


class Reader:
    """A read-only view, also while the writer runs: short transactions, never a lock that lasts."""

    def __init__(self, directory: Path, name: str = "journal") -> None:
        """Open `directory/name.db`; raises `JournalMissing`, `JournalUnsuitable` or `JournalDamaged`."""
        self.directory = Path(directory)
        self.path = self.directory / f"{name}.db"
        with reading(self.path):
            if not preflight.size_of(self.path) and not preflight.size_of(preflight.log_of(self.path)):
                raise JournalMissing("there is no journal", place=str(self.path), hint="Start one with `holdfast run`.")
            self._connection = _open_reader(self.path, self.directory / f"{name}.lock")
        try:
            self.meta = read_meta(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise
        self.journal_id = str(self.meta["journal_id"])

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Entry]:
        """Entries with a greater seq, in order; `limit` bounds their number."""
        return read_entries(self._connection, self.path, after, limit)

    def about(self, subject: str) -> list[Entry]:
        """All entries about a subject, in order: a scan of the whole journal."""
        with reading(self.path):
            rows = self._connection.execute(
                f"SELECT {COLUMNS} FROM event WHERE subject = ? ORDER BY seq", (subject,)
            ).fetchall()
        return [Entry._make(row) for row in rows]

    def last(self) -> Entry | None:
        """The newest entry."""
        return last_entry(self._connection, self.path)

    def changed(self) -> int:
        """A number that moves when another process has committed."""
        with reading(self.path):
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


@contextmanager
def reading(path: Path, seq: int | None = None) -> Iterator[None]:
    """What SQLite or the system says becomes an error that says where and what to do."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise damaged(path, error, seq) from error
    except OSError as error:
        raise unusable(path, error) from error


def _open_reader(path: Path, lock: Path) -> sqlite3.Connection:
    if not is_locked(lock):
        try:
            preflight.check_files(path)
        except JournalDamaged:
            if not is_locked(lock):  # else a writer has just begun, and a frame was seen half written
                raise
    frozen = not os.access(path.parent, os.W_OK) and not preflight.log_of(path).exists() and not is_locked(lock)
    query = "mode=ro&immutable=1" if frozen else "mode=ro"
    return configured(sqlite3.connect(uri(path, query), uri=True, isolation_level=None), schema.READER_PRAGMAS)


def uri(path: Path, query: str) -> str:
    """The name by which SQLite opens a file with options."""
    return f"{path.absolute().as_uri()}?{query}"


def read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str | int]:
    """What was written when the journal was made; raises `JournalUnsuitable` for a file that is not ours."""
    with reading(path):
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
        meta = dict(connection.execute("SELECT key, value FROM meta"))
    if not isinstance(meta.get("journal_id"), str):
        raise damaged(path, ValueError("it has no journal_id"))
    return _checked(meta, path)


def _checked(meta: dict[Any, Any], path: Path) -> dict[str, str | int]:
    """The values without their digest; a journal from before there was one is taken as it is."""
    kept = {name: value for name, value in meta.items() if name != schema.DIGEST}
    is_lost = any(isinstance(value, str) and len(value) == schema.DIGEST_LENGTH for value in kept.values())
    is_odd = not all(isinstance(name, str) and isinstance(value, (str, int)) for name, value in meta.items())
    if is_odd or is_lost or meta.get(schema.DIGEST) not in (None, schema.digest_of(kept)):
        raise damaged(path, ValueError("what it says of itself (meta) does not match its digest"))
    return kept


def read_entries(connection: sqlite3.Connection, path: Path, after: int, limit: int | None) -> Iterator[Entry]:
    """Entries with a greater seq, in order; short transactions."""
    left = limit if limit is not None else 1 << 62
    while left > 0:
        with reading(path, after + 1):
            rows = connection.execute(_SELECT, (after, min(left, READ_ROWS))).fetchall()
        for row in rows:
            yield Entry._make(row)
        if len(rows) < min(left, READ_ROWS):
            return
        after = rows[-1][0]
        left -= len(rows)


def last_entry(connection: sqlite3.Connection, path: Path) -> Entry | None:
    """The newest entry."""
    with reading(path):
        row = connection.execute(f"SELECT {COLUMNS} FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return Entry._make(row) if row else None


def check_tail(connection: sqlite3.Connection, path: Path, journal_id: str) -> Entry | None:
    """The newest entry, with its link to the one before proven; raises `JournalDamaged`."""
    last = last_entry(connection, path)
    if last:
        before = chain_at(connection, path, last.seq - 1, journal_id)
        list(chain.verify([last], journal_id=journal_id, after_seq=last.seq - 1, after_chain=before))
    return last


def chain_at(connection: sqlite3.Connection, path: Path, seq: int, journal_id: str) -> bytes:
    """The chain after a seq; before the first event that is SHA-256 of the journal id."""
    if seq == 0:
        return chain.genesis(journal_id)
    with reading(path, seq):
        row = connection.execute("SELECT chain FROM event WHERE seq=?", (seq,)).fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise damaged(path, ValueError("the event is missing"), seq)
    return row[0]


def damaged(path: Path, error: Exception, seq: int | None = None) -> JournalError:
    """The error for what can't be read; `JournalUnsuitable` where the place is to blame."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _NOT_DAMAGE or isinstance(error, sqlite3.NotSupportedError):
        return unusable(path, error)
    where = f" at or after seq {seq}" if seq else ""
    return JournalDamaged(
        f"the journal can't be read{where}: {error}",
        place=str(path),
        hint="Nothing was changed. Restore a backup, or keep the directory as evidence and start with --fresh.",
        seq=seq,
    )


def unusable(path: Path, error: Exception) -> JournalUnsuitable:
    """The error for a place that refuses."""
    return JournalUnsuitable(
        f"the journal can't be used here: {error}",
        place=str(path),
        hint="Look at who else holds the file open, at its permissions, and at the free space.",
    )


def configured(connection: sqlite3.Connection, pragmas: tuple[tuple[str, str, str], ...]) -> sqlite3.Connection:
    """The connection with its pragmas set; closed where that fails."""
    try:
        schema.configure(connection, pragmas)
    except BaseException:
        connection.close()
        raise
    return connection
