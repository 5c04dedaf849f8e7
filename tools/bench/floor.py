"""The floor under the journal: SQLite with the same pragmas and columns, and nothing of ours on top."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from journal import schema
from journal.entry import COLUMNS, Entry
from tools.bench import scene

TABLE = """CREATE TABLE event(seq INTEGER PRIMARY KEY, batch INTEGER NOT NULL, epoch INTEGER NOT NULL,
  at_ns INTEGER NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, subject TEXT NOT NULL, cause INTEGER,
  body TEXT NOT NULL, chain BLOB NOT NULL) STRICT"""
INSERT = f"INSERT INTO event({COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?,?)"
SELECT = f"SELECT {COLUMNS} FROM event ORDER BY seq"
CHAIN = b"\0" * 32


class BareTable:
    """One table in one file, written as durably as the journal; `guarded` with the journal's own triggers."""

    def __init__(self, path: Path, guarded: bool = False) -> None:
        uri = f"{path.absolute().as_uri()}?psow=0"
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        schema.configure(self._connection, schema.WRITER_PRAGMAS)
        if guarded:
            schema.create(self._connection, scene.identity(), "bench", "", scene.START_NS)
        else:
            self._connection.execute(TABLE)

    def insert(self, rows: Sequence[Entry]) -> None:
        """All rows in one durable transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(INSERT, rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def select_all(path: Path) -> int:
    """Read every row of a journal as plain tuples, 2,000 at a time; returns how many."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        found = connection.execute(SELECT)
        count = 0
        while rows := found.fetchmany(2_000):
            count += len(rows)
        return count
    finally:
        connection.close()


def rows_of(drafts: Iterable[Sequence[object]]) -> list[Entry]:
    """What is stored of drafts, with a chain of zeros: made beforehand, so that the floor only inserts."""
    return [
        Entry(seq, seq, 0, at_ns, kind, version, subject, cause, body, CHAIN)  # type: ignore[arg-type]
        for seq, at_ns, kind, version, subject, cause, body in drafts
    ]
