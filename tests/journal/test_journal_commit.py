"""A commit that raises is unknown: nothing more is taken, nothing is closed, and the next start reads the truth."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from journal.errors import CommitUnknown, JournalError, JournalFenced
from journal.head import HeadFile
from journal.journal import RESERVE_BYTES, Journal, Reader
from tests.journal.drafts import IDENTITY, append, begin, bury, check_chain, crash, draft, raw, rows


class Failing:
    """A connection whose k-th statement fails: before it had its effect, or after."""

    def __init__(self, connection: sqlite3.Connection, number: int, after: bool, error: BaseException) -> None:
        self.connection, self.left, self.after, self.error = connection, number, after, error
        self.said: list[str] = []

    def execute(self, statement: str, *values: Any) -> Any:
        return self._run(self.connection.execute, statement, *values)

    def executemany(self, statement: str, values: Any) -> Any:
        return self._run(self.connection.executemany, statement, values)

    def _run(self, method: Any, statement: str, *values: Any) -> Any:
        self.said.append(statement)
        self.left -= 1
        if self.left == 0 and not self.after:
            raise self.error
        result = method(statement, *values)
        if self.left == 0:
            raise self.error
        return result

    def close(self) -> None:
        self.connection.close()


def claim(journal: Journal) -> int:
    """One more claim."""
    return journal.claim(2)


def checkpoint(journal: Journal) -> None:
    """Now, whatever the log's size."""
    journal.checkpoint(0)


ERRORS = [sqlite3.OperationalError("disk I/O error"), sqlite3.DatabaseError("malformed"), sqlite3.InterfaceError("odd")]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_each_statement_of_a_commit_can_fail(tmp_path: Path, number: int, after: bool, error: sqlite3.Error) -> None:
    journal = begin(tmp_path / "a")
    append(journal, 2)
    failing = Failing(journal._connection, number, after, error)
    journal._connection = failing  # type: ignore[assignment]
    with pytest.raises(CommitUnknown) as unknown:
        append(journal, 3)
    assert unknown.value.__cause__ is error
    assert not journal.is_owner()
    said = len(failing.said)
    for attempt in (append, claim, checkpoint):
        with pytest.raises(JournalFenced):
            attempt(journal)
    log = (tmp_path / "a" / "journal.db-wal").read_bytes()
    journal.close()
    assert len(failing.said) == said
    assert (tmp_path / "a" / "journal.db-wal").read_bytes() == log
    copy = crash(tmp_path / "a", tmp_path / "b")
    bury(journal)

    again = begin(copy)
    assert again.seq == (5 if (number, after) == (3, True) else 2)
    append(again, 1)
    again.close()
    assert check_chain(rows(copy)) == again.seq


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_claim_can_fail(tmp_path: Path, number: int) -> None:
    journal = Journal(tmp_path / "a", identity=IDENTITY, durable=False)
    journal._connection = Failing(journal._connection, number, False, ERRORS[0])  # type: ignore[assignment]
    with pytest.raises(CommitUnknown):
        journal.claim(1)
    assert not journal.is_owner()
    copy = crash(tmp_path / "a", tmp_path / "b")
    bury(journal)
    again = Journal(copy, durable=False)
    assert again.claim(1) == 1
    again.close()


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_an_interrupted_commit_is_unknown_too(tmp_path: Path, number: int, after: bool) -> None:
    """Ctrl-C between COMMIT and the lines behind it: this process no longer knows where the journal ends."""
    journal = begin(tmp_path)
    failing = Failing(journal._connection, number, after, KeyboardInterrupt())
    journal._connection = failing  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        append(journal, 3)
    assert not journal.is_owner()
    with pytest.raises(JournalFenced):
        append(journal)
    failing.connection.rollback()  # as the end of the process would: here the traceback keeps the cursor alive
    bury(journal)
    again = begin(tmp_path)
    assert again.seq == (3 if (number, after) == (3, True) else 0)
    again.close()


def test_a_head_that_cannot_be_written_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = begin(tmp_path)

    def write(self: HeadFile, head: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HeadFile, "write", write)
    with pytest.raises(CommitUnknown, match="No space"):
        append(journal)
    assert not journal.is_owner()
    bury(journal)


def test_a_busy_database_is_a_rival(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal)
    with raw(tmp_path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CommitUnknown, match="locked"):
            append(journal)
        with pytest.raises(JournalFenced):
            append(journal)
    assert len(rows(tmp_path)) == 1
    bury(journal)


@pytest.mark.parametrize("statement", ["checkpoint", "close"])
@pytest.mark.parametrize("where", ["database", "head"])
def test_a_failing_checkpoint_ends_the_process_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, where: str
) -> None:
    journal = begin(tmp_path / "a")
    append(journal, 3)
    if where == "database":
        journal._connection = Failing(journal._connection, 1, False, ERRORS[0])  # type: ignore[assignment]
    else:

        def sync(self: HeadFile) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(HeadFile, "sync", sync)
    with pytest.raises(CommitUnknown):
        checkpoint(journal) if statement == "checkpoint" else journal.close()
    assert not journal.is_owner()
    assert check_chain(rows(crash(tmp_path / "a", tmp_path / "b"))) == 3
    bury(journal)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, where one can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode:
        pytest.skip(f"a small file system can't be mounted: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def append_without_end(journal: Journal) -> None:
    """Commit after commit."""
    while True:
        append(journal, 4, size=3_000)


def start_and_append(directory: Path) -> None:
    """What a start does first; whatever it raises, its process ends."""
    journal = Journal(directory, wait_seconds=0)
    try:
        journal.claim(1)
        append(journal, 4, size=30_000)
    finally:
        bury(journal)


def test_a_full_disk(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(RESERVE_BYTES))
    directory = small_disk / "journal"
    journal = begin(directory, durable=True)
    with pytest.raises(CommitUnknown, match="full"):
        append_without_end(journal)
    acknowledged = journal.seq
    assert acknowledged > 8
    with pytest.raises(JournalFenced):
        append(journal)
    journal.close()
    bury(journal)
    fill(ballast.with_name("more"))
    with pytest.raises(JournalError) as refused:
        start_and_append(directory)
    assert refused.value.hint
    ballast.unlink()
    again = begin(directory, durable=True)
    assert again.seq in (acknowledged, acknowledged + 4)
    append(again)
    again.close()
    with Reader(directory) as reader:
        assert reader.integrity() == []
    assert check_chain(rows(directory)) == again.seq


def test_a_disk_that_is_full_at_the_close(small_disk: Path) -> None:
    directory = small_disk / "journal"
    journal = begin(directory, durable=True)
    for _ in range(20):
        append(journal, 2, size=3_000)
    fill(small_disk / "ballast")
    with pytest.raises(CommitUnknown):
        journal.close()
    bury(journal)
    (small_disk / "ballast").unlink()
    again = begin(directory, durable=True)
    assert again.seq == journal.seq
    again.close()
    assert check_chain(rows(directory)) == 40


def test_a_full_disk_is_no_place_for_a_new_journal(small_disk: Path) -> None:
    fill(small_disk / "ballast")
    with pytest.raises(JournalError):
        begin(small_disk / "journal")
    (small_disk / "ballast").unlink()
    journal = begin(small_disk / "journal")
    append(journal)
    journal.close()


def test_the_reserve_is_held_where_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    journal = begin(tmp_path / "a")
    reserve = tmp_path / "a" / "reserve"
    assert reserve.stat().st_size == RESERVE_BYTES
    journal.free_reserve()
    journal.free_reserve()
    assert not reserve.exists()
    reserve.write_bytes(b"cut short")
    journal.keep_reserve()
    assert reserve.stat().st_size == RESERVE_BYTES
    journal.close()

    journal = begin(small_disk / "journal")
    assert not (small_disk / "journal" / "reserve").exists()
    assert journal.free_bytes() < 2 << 20
    journal.close()


def test_a_reserve_that_finds_no_room_is_given_back(tmp_path: Path, small_disk: Path) -> None:
    journal = begin(small_disk / "journal")
    journal.free_bytes = lambda: 1 << 40  # type: ignore[method-assign]
    fill(small_disk / "ballast")
    journal.keep_reserve()
    assert not (small_disk / "journal" / "reserve").exists()
    (small_disk / "ballast").unlink()
    journal.append([draft(1)])
    journal.close()
