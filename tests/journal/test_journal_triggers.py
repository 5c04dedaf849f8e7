"""The database itself refuses what the writer would never do; and an owner of yesterday can't write today."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from journal.errors import CommitUnknown, JournalDamaged, JournalFenced
from journal.journal import Journal, Reader
from journal.lock import Lock
from tests.journal.drafts import ID, append, begin, bury, check_chain, drafts, raw, rows

VALUES = "VALUES({seq},{seq},{epoch},0,'K',1,'',NULL,'{{}}',x'00')"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A journal of five events, closed."""
    journal = begin(tmp_path)
    append(journal, 5)
    journal.close()
    return tmp_path


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE event SET body='{}' WHERE seq=2", "never changed"),
        ("UPDATE event SET seq=seq+10", "never changed"),
        ("DELETE FROM event WHERE seq=5", "never deleted"),
        ("DELETE FROM event", "never deleted"),
        ("INSERT INTO event " + VALUES.format(seq=7, epoch=1), "must follow"),
        ("INSERT INTO event " + VALUES.format(seq=5, epoch=1), "must follow"),
        ("INSERT INTO event " + VALUES.format(seq=0, epoch=1), "must follow"),
        ("INSERT INTO event " + VALUES.format(seq="NULL", epoch=1), "must follow"),
        ("INSERT INTO event " + VALUES.format(seq=6, epoch=0), "stale epoch"),
        ("INSERT INTO event " + VALUES.format(seq=6, epoch=2), "stale epoch"),
        ("INSERT OR REPLACE INTO event " + VALUES.format(seq=5, epoch=1), "never deleted|must follow"),
        ("REPLACE INTO event " + VALUES.format(seq=2, epoch=1), "never deleted|must follow"),
        ("INSERT INTO event " + VALUES.format(seq=5, epoch=1) + " ON CONFLICT DO UPDATE SET body='{}'", "."),
        ("INSERT INTO event " + VALUES.format(seq="'six'", epoch=1), "."),
        ("INSERT INTO writer VALUES(2, 9, '', '', 0)", "."),
    ],
)
@pytest.mark.parametrize("recursive", [0, 1])
def test_a_raw_connection_is_refused(written: Path, statement: str, words: str, recursive: int) -> None:
    before = rows(written)
    with raw(written) as connection:
        connection.execute(f"PRAGMA recursive_triggers={recursive}")
        with pytest.raises(sqlite3.IntegrityError, match=words):
            connection.execute(statement)
    assert rows(written) == before


def test_a_raw_connection_that_knows_everything_can_insert(written: Path) -> None:
    """So the refusals above are not for another reason."""
    with raw(written) as connection:
        connection.execute("INSERT INTO event " + VALUES.format(seq=6, epoch=1))
    assert len(rows(written)) == 6


def test_an_owner_whose_lock_file_is_gone_is_fenced(tmp_path: Path) -> None:
    old = begin(tmp_path)
    append(old)
    (tmp_path / "journal.lock").unlink()
    new = begin(tmp_path)
    assert not old.is_owner()
    assert new.is_owner()
    with pytest.raises(JournalFenced):
        append(old)
    with pytest.raises(JournalFenced):
        old.claim(2)
    append(new)
    assert [entry.epoch for entry in new.read()] == [1, 2]
    old.close()
    append(new)
    bury(old)
    new.close()
    assert check_chain(rows(tmp_path)) == 3


def test_a_fenced_owner_does_not_checkpoint(tmp_path: Path) -> None:
    old = begin(tmp_path)
    append(old, 3)
    (tmp_path / "journal.lock").unlink()
    size = (tmp_path / "journal.db-wal").stat().st_size
    with pytest.raises(JournalFenced):
        old.checkpoint(0)
    old.close()
    assert (tmp_path / "journal.db-wal").stat().st_size == size
    bury(old)


@pytest.fixture
def rivals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Journal, Journal]:
    """Two owners on a system whose locks say yes to everybody: only the epoch stands between them."""
    monkeypatch.setattr(Lock, "is_held", lambda self: True)
    old = begin(tmp_path)
    append(old)
    (tmp_path / "journal.lock").unlink()
    return old, begin(tmp_path)


def test_with_the_lock_defeated_the_epoch_fences(rivals: tuple[Journal, Journal]) -> None:
    old, new = rivals
    with pytest.raises(JournalFenced, match="stale epoch"):
        append(old, 2)
    assert not old.is_owner()
    with pytest.raises(JournalFenced):
        append(old)
    append(new, 2)  # at once: the fenced one keeps no lock of SQLite's
    old.close()
    append(new)
    bury(old)
    assert check_chain(rows(new.directory)) == 4
    assert [row[2] for row in rows(new.directory)] == [1, 2, 2, 2]
    new.close()


def test_a_journal_that_grew_behind_its_back_is_not_continued(rivals: tuple[Journal, Journal]) -> None:
    old, new = rivals
    append(new)
    old.claim(9)
    with pytest.raises(CommitUnknown, match="seq must follow"):
        append(old)
    bury(old)
    assert len(rows(new.directory)) == 2
    bury(new)


class Rival:
    """A connection on which somebody else claims right after each COMMIT."""

    def __init__(self, connection: sqlite3.Connection, directory: Path) -> None:
        self._connection, self._directory = connection, directory

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        cursor = self._connection.execute(statement, *values)
        if statement == "COMMIT":
            with raw(self._directory) as other:
                other.execute("UPDATE writer SET epoch=epoch+1")
        return cursor

    def executemany(self, statement: str, values: Any) -> sqlite3.Cursor:
        return self._connection.executemany(statement, values)

    def close(self) -> None:
        self._connection.close()


def test_a_claim_never_takes_the_epoch_of_another(tmp_path: Path) -> None:
    journal = Journal(tmp_path, identity={"journal_id": ID}, durable=False)
    journal._connection = Rival(journal._connection, tmp_path)  # type: ignore[assignment]
    assert journal.claim(1) == 1
    with pytest.raises(JournalFenced):
        journal.append(drafts(1, 1))
    bury(journal)


def test_an_epoch_that_went_backwards_is_refused(written: Path) -> None:
    with raw(written) as connection:
        connection.execute("UPDATE writer SET epoch=0")
    journal = Journal(written, durable=False)
    with pytest.raises(JournalDamaged, match="epoch"):
        journal.claim(1)
    journal.close()


@pytest.mark.parametrize(
    "statement",
    ["DROP TRIGGER event_has_no_gap", "CREATE TABLE other(x)",
     "CREATE TRIGGER quiet BEFORE INSERT ON event BEGIN SELECT RAISE(IGNORE); END"],
)  # fmt: skip
def test_a_changed_schema_is_refused_by_the_writer(written: Path, statement: str) -> None:
    with raw(written) as connection:
        connection.execute(statement)
    before = (written / "journal.db").read_bytes()
    with pytest.raises(JournalDamaged, match="not as it was made"):
        Journal(written)
    assert (written / "journal.db").read_bytes() == before
    with Reader(written) as reader:
        assert len(list(reader.read())) == 5
