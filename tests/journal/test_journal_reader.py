"""Readers beside the writer, checkpoints under their eyes, and places that can't be written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from journal.errors import JournalUnsuitable
from journal.journal import CHECKPOINT_PAGES, Journal, Reader
from journal.lock import is_locked
from tests.journal.drafts import append, begin, bury, check_chain, child, crash, draft, raw, rows

READ = """
from pathlib import Path
from journal.journal import Reader
with Reader(Path({directory!r})) as reader:
    for line in sys.stdin:
        print(reader.changed(), [entry.seq for entry in reader.read()], flush=True)
"""


def log_size(journal: Journal) -> int:
    """Bytes of the write-ahead log."""
    return (journal.directory / "journal.db-wal").stat().st_size


def test_a_reader_sees_each_commit_of_another_process(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal)
    with subprocess.Popen(
        child(READ.format(directory=str(tmp_path))), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout

        def ask() -> list[str]:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().split(" ", 1)

        said = [ask(), ask()]
        append(journal, 2)
        said.append(ask())
        journal.checkpoint(0)
        append(journal)
        said.append(ask())
        journal.close()
        said.append(ask())
        process.stdin.close()
    assert [seqs.strip() for _, seqs in said] == ["[1]", "[1]", "[1, 2, 3]", "[1, 2, 3, 4]", "[1, 2, 3, 4]"]
    numbers = [number for number, _ in said]
    assert numbers[0] == numbers[1] != numbers[2] != numbers[3]


def test_a_reader_in_the_writers_process_does_not_cost_it_its_locks(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal)
    for _ in range(3):
        with Reader(tmp_path) as reader:
            assert len(list(reader.read())) == journal.seq
        append(journal)
    done = subprocess.run(
        child(
            "import sqlite3\n"
            f"connection = sqlite3.connect({str(tmp_path / 'journal.db')!r}, timeout=0)\n"
            "connection.execute('PRAGMA locking_mode=EXCLUSIVE')\n"
            "connection.execute('BEGIN EXCLUSIVE')\n"
        ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "database is locked" in done.stderr
    append(journal)
    journal.close()
    assert check_chain(rows(tmp_path)) == 5


def test_what_is_about_one_subject(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal, 2)
    journal.append([draft(3)._replace(subject="é")])
    with Reader(tmp_path) as reader:
        assert [entry.seq for entry in reader.about("é")] == [3]
        assert [entry.seq for entry in reader.about("BTC-USDT")] == [1, 2]
        assert reader.about("") == []
        assert reader.integrity() == []
        assert reader.last() == list(reader.read())[-1]
    journal.close()


def test_a_passive_checkpoint_loses_nothing(tmp_path: Path) -> None:
    journal = begin(tmp_path / "a", durable=True)
    with raw(tmp_path / "a") as watching:
        watching.execute("BEGIN")
        assert watching.execute("SELECT count(*) FROM event").fetchone() == (0,)
        for number in range(6):
            append(journal, 2, 2_000)
            journal.checkpoint(0)
            copy = crash(tmp_path / "a", tmp_path / f"copy{number}")
            assert check_chain(rows(copy)) == journal.seq
        assert watching.execute("SELECT count(*) FROM event").fetchone() == (0,)
    journal.close()
    assert check_chain(rows(tmp_path / "a")) == 12


def test_a_checkpoint_waits_until_the_log_has_grown(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    statements: list[str] = []
    journal._connection.set_trace_callback(statements.append)

    def checkpoints() -> int:
        return sum("wal_checkpoint" in statement for statement in statements)

    journal.checkpoint()
    append(journal, 10, 2_000)
    journal.checkpoint()
    assert checkpoints() == 0
    while log_size(journal) < (CHECKPOINT_PAGES + 100) * 4_096:
        append(journal, 20, 8_000)
    journal.checkpoint()
    assert checkpoints() == 1
    # The file keeps its size, so its size says nothing from here on: an idle moment costs nothing.
    for _ in range(5):
        append(journal)
        journal.checkpoint()
    assert checkpoints() == 1
    journal._connection.set_trace_callback(None)
    journal.close()


def test_the_close_leaves_one_file(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal, 3)
    journal.close()
    assert sorted(os.listdir(tmp_path)) == ["head", "journal.db", "journal.lock", "reserve"]
    assert not is_locked(tmp_path / "journal.lock")


@pytest.mark.parametrize("busy", [False, True])
def test_a_close_under_the_eyes_of_a_reader(tmp_path: Path, busy: bool) -> None:
    journal = begin(tmp_path)
    append(journal, 3)
    with Reader(tmp_path) as reader:
        if busy:  # in the middle of a read, so that the newest events can live in the log alone
            reader._connection.execute("BEGIN")
            assert len(list(reader.read())) == 3
            append(journal, 2)
        journal.close()
        assert len(list(reader.read())) == 3
        if busy:
            assert (tmp_path / "journal.db-wal").stat().st_size > 0
            reader._connection.execute("COMMIT")
            assert len(list(reader.read())) == 5
    again = begin(tmp_path)
    assert again.seq == (5 if busy else 3)
    append(again)
    again.close()
    assert check_chain(rows(tmp_path)) == again.seq


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A closed journal in a directory that can't be written, also not by root."""
    directory = tmp_path / "frozen"
    directory.mkdir()
    is_root = os.geteuid() == 0
    if is_root:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(directory)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("root can write everywhere, and nothing can be mounted here")
    journal = begin(directory)
    append(journal, 3)
    journal.close()
    (directory / "reserve").unlink(missing_ok=True)
    if is_root:
        subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
    else:
        directory.chmod(0o500)
    yield directory
    if is_root:
        subprocess.run(["umount", "-l", str(directory)], check=True)
    else:
        directory.chmod(0o700)


def test_a_directory_that_cannot_be_written_is_read_as_it_is(frozen: Path) -> None:
    before = sorted(os.listdir(frozen))
    with Reader(frozen) as reader:
        assert len(list(reader.read())) == 3
        assert reader.integrity() == []
    assert sorted(os.listdir(frozen)) == before


def test_a_directory_that_cannot_be_written_takes_no_writer(frozen: Path) -> None:
    with pytest.raises(JournalUnsuitable):
        Journal(frozen)


def test_a_reader_takes_the_short_cut_only_where_nobody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `immutable` SQLite looks at no log and no lock."""
    journal = begin(tmp_path)
    append(journal, 3)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with Reader(tmp_path) as reader:
        assert len(list(reader.read())) == 3
        append(journal)
        assert len(list(reader.read())) == 4
    copy = crash(tmp_path, tmp_path / "copy")
    with Reader(copy) as reader:
        assert len(list(reader.read())) == 4
    journal.close()


def test_a_lock_that_cannot_be_asked_counts_as_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path).close()

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("journal.lock.os.open", refuse)
    assert is_locked(tmp_path / "journal.lock")


def test_a_database_that_another_program_holds_is_unsuitable(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal)
    journal.close()
    with raw(tmp_path) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE writer SET acquired_ns=5")
        with pytest.raises(JournalUnsuitable, match="locked"):
            Journal(tmp_path)
        other.execute("COMMIT")
    again = begin(tmp_path)
    bury(again)
