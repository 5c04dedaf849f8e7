"""The tables, and every pragma with its reason."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from hashlib import sha256

APPLICATION_ID = 0x686F6C64  # "hold"
DIGEST = "digest"
DIGEST_LENGTH = 64
USER_VERSION = 1

TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE writer(
  id INTEGER PRIMARY KEY CHECK(id=1),
  epoch INTEGER NOT NULL,
  owner TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  acquired_ns INTEGER NOT NULL) STRICT;
CREATE TABLE event(
  seq INTEGER PRIMARY KEY,
  batch INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  subject TEXT NOT NULL,
  cause INTEGER,
  body TEXT NOT NULL,
  chain BLOB NOT NULL) STRICT;
CREATE TRIGGER event_is_not_updated BEFORE UPDATE ON event
  BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event
  BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END;
CREATE TRIGGER event_has_no_gap BEFORE INSERT ON event
  WHEN new.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event)
  BEGIN SELECT RAISE(ABORT, 'seq must follow the last one'); END;
CREATE TRIGGER event_has_the_epoch BEFORE INSERT ON event
  WHEN new.epoch IS NOT (SELECT epoch FROM writer)
  BEGIN SELECT RAISE(ABORT, 'stale epoch: another process owns this journal'); END;
"""

WRITER_PRAGMAS = (
    ("journal_mode", "WAL", "a commit is one append and one flush"),
    ("synchronous", "FULL", "flush at each commit: NORMAL lost acknowledged events in simulated power cuts"),
    ("fullfsync", "1", "on macOS fsync alone does not reach the disk"),
    ("wal_autocheckpoint", "0", "checkpoints happen in idle moments, not inside a commit"),
    ("recursive_triggers", "1", "without it INSERT OR REPLACE slips past the delete trigger"),
    ("foreign_keys", "1", "the default is off"),
    ("trusted_schema", "0", "a schema from a file runs nothing of its own"),
    ("cell_size_check", "1", "damage is noticed when a page is read"),
    ("mmap_size", "0", "an I/O error must be an error code, not a signal"),
    ("busy_timeout", "0", "nobody else may write: BUSY is a fencing signal"),
)
READER_PRAGMAS = (
    ("query_only", "1", "a reader never writes"),
    ("trusted_schema", "0", "a schema from a file runs nothing of its own"),
    ("cell_size_check", "1", "damage is noticed when a page is read"),
    ("mmap_size", "0", "an I/O error must be an error code, not a signal"),
    ("busy_timeout", "1000", "a reader waits for a checkpoint's short lock"),
)


def configure(connection: sqlite3.Connection, pragmas: tuple[tuple[str, str, str], ...]) -> None:
    """Set the pragmas and read back those on which durability rests; raises `sqlite3.NotSupportedError` if refused."""
    for name, value, _reason in pragmas:
        connection.execute(f"PRAGMA {name}={value}").fetchall()
    for name, value, _reason in pragmas:
        if name in ("journal_mode", "synchronous"):
            found = str(connection.execute(f"PRAGMA {name}").fetchone()[0])
            wanted = {"FULL": "2", "OFF": "0", "WAL": "wal"}[value]
            if found != wanted:
                raise sqlite3.NotSupportedError(f"PRAGMA {name} is {found}, not {wanted}")


def create(connection: sqlite3.Connection, meta: dict[str, str | int], owner: str, boot_id: str, at_ns: int) -> None:
    """Make the tables in one transaction; the epoch stands at 0 until a writer raises it."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    for statement in _statements(TABLES):
        connection.execute(statement)
    connection.executemany("INSERT INTO meta VALUES(?, ?)", sorted({**meta, DIGEST: digest_of(meta)}.items()))
    connection.execute("INSERT INTO writer VALUES(1, 0, ?, ?, ?)", (owner, boot_id, at_ns))
    connection.execute(f"PRAGMA user_version={USER_VERSION}")
    connection.execute("COMMIT")


def digest_of(meta: Mapping[str, str | int]) -> str:
    """SHA-256 over the other values of `meta`, in hex: no chain covers them, and no flipped bit may rename a mode."""
    return sha256(json.dumps(dict(meta), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def changed(connection: sqlite3.Connection) -> set[str]:
    """The names of tables and triggers that are missing, of another text, or too many."""
    found = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    made = {statement.removesuffix(";") for statement in _statements(TABLES)}
    return {" ".join(sql.split("(")[0].split()[:3]) for sql in found ^ made}


def _statements(script: str) -> list[str]:
    """The script's statements; a trigger's inner semicolon does not end it."""
    found: list[str] = []
    pending = ""
    for part in script.split(";"):
        pending += part + ";"
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    return [statement for statement in found if statement != ";"]
