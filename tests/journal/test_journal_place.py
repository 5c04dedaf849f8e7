"""Where a journal may lie, whose file it is, and how it comes into being."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from journal import preflight, schema
from journal.errors import JournalDamaged, JournalMissing, JournalUnsuitable
from journal.journal import Journal, Reader
from journal.lock import is_locked
from tests.journal.drafts import IDENTITY, append, begin, check_chain, raw, rows

MODES = {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600, "journal.lock": 0o600, "head": 0o600}


def test_files_are_of_the_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    before = os.umask(0)
    try:
        journal = begin(directory)
    finally:
        os.umask(before)
    append(journal)
    assert {name: stat.S_IMODE((directory / name).stat().st_mode) for name in MODES} == MODES
    assert [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory.parent)] == [0o700, 0o700]
    journal.close()


@pytest.mark.parametrize("durable", [True, False])
def test_pragmas_are_in_force(tmp_path: Path, durable: bool) -> None:
    journal = begin(tmp_path, durable=durable)
    wanted: dict[str, object] = {
        "journal_mode": "wal", "synchronous": 2 if durable else 0, "fullfsync": 1, "wal_autocheckpoint": 0,
        "recursive_triggers": 1, "foreign_keys": 1, "trusted_schema": 0, "cell_size_check": 1, "mmap_size": 0,
        "busy_timeout": 0,
    }  # fmt: skip
    assert set(wanted) == {name for name, _, _ in schema.WRITER_PRAGMAS}
    connection = journal._connection
    assert {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted
    append(journal, 1, 5_000_000)
    append(journal)  # with SQLite's own limit of a thousand pages, they would be in the database now
    assert (tmp_path / "journal.db").stat().st_size < 100_000
    journal.close()
    with Reader(tmp_path) as reader:
        found = {
            name: reader._connection.execute(f"PRAGMA {name}").fetchone()[0] for name, _, _ in schema.READER_PRAGMAS
        }
        assert {name: str(value) for name, value in found.items()} == {n: v for n, v, _ in schema.READER_PRAGMAS}
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._connection.execute("DELETE FROM event")


def test_a_pragma_that_is_refused_is_an_unsuitable_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path).close()
    with (
        closing(sqlite3.connect(":memory:", isolation_level=None)) as connection,
        pytest.raises(sqlite3.NotSupportedError, match="journal_mode is memory"),
    ):
        schema.configure(connection, schema.WRITER_PRAGMAS)

    def refuse(connection: sqlite3.Connection, wanted: object) -> None:
        raise sqlite3.NotSupportedError("PRAGMA journal_mode is delete")

    monkeypatch.setattr(schema, "configure", refuse)
    with pytest.raises(JournalUnsuitable, match="journal_mode"):
        Journal(tmp_path)
    with pytest.raises(JournalUnsuitable, match="journal_mode"):
        Reader(tmp_path)


def test_links_are_refused(tmp_path: Path) -> None:
    directory = tmp_path / "real"
    begin(directory).close()
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "journal.db").symlink_to(directory / "journal.db")
    with pytest.raises(JournalUnsuitable, match="symbolic link"):
        Journal(linked)
    (linked / "journal.db").unlink()
    (linked / "journal.db").symlink_to(tmp_path / "nowhere")
    with pytest.raises(JournalUnsuitable, match="symbolic link"):
        Journal(linked, identity=IDENTITY)
    assert not (tmp_path / "nowhere").exists()
    (linked / "other.db").hardlink_to(directory / "journal.db")
    with pytest.raises(JournalUnsuitable, match="hard link"):
        Journal(directory)
    (linked / "other.db").unlink()
    begin(directory).close()


def mounts(directory: Path, kind: str, path: Path) -> Path:
    """A mount table in which the directory lies on a file system of that kind."""
    device = directory.stat().st_dev
    path.write_text(
        "22 27 0:9999 / /proc rw,relatime - proc proc rw\n"
        f"23 27 {os.major(device)}:{os.minor(device)} / /mnt/a\\040b rw shared:1 master:2 - {kind} server:/x rw\n"
    )
    return path


@pytest.mark.parametrize("kind", sorted(preflight.NETWORK_FILE_SYSTEMS))
def test_network_file_systems_are_refused(tmp_path: Path, kind: str) -> None:
    table = mounts(tmp_path, kind, tmp_path / "mounts")
    assert preflight.file_system(tmp_path, table) == kind
    with pytest.raises(JournalUnsuitable, match=f"{kind} is a network file system"):
        preflight.check_place(tmp_path / "journal.db", table)


def test_local_file_systems_are_good(tmp_path: Path) -> None:
    for kind in ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "apfs"):
        preflight.check_place(tmp_path / "journal.db", mounts(tmp_path, kind, tmp_path / "mounts"))
    assert preflight.file_system(tmp_path, tmp_path / "nowhere") == "unknown"
    (tmp_path / "mounts").write_text("22 27 0:9999 / /proc rw - proc proc rw\n")
    assert preflight.file_system(tmp_path, tmp_path / "mounts") == "unknown"
    assert preflight.file_system(tmp_path)


def test_the_place_is_checked_by_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "file_system", lambda directory, table: "nfs4")
    with pytest.raises(JournalUnsuitable, match="nfs4"):
        Journal(tmp_path / "a", identity=IDENTITY)
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("table", ["mine", "meta", "event"])
def test_a_foreign_database_is_refused_and_left_as_it_is(tmp_path: Path, mode: str, table: str) -> None:
    foreign = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    foreign.execute(f"PRAGMA journal_mode={mode}")
    foreign.execute(f"CREATE TABLE {table}(key, value)")
    foreign.execute(f"INSERT INTO {table} VALUES('journal_id', 'x')")
    for is_open in (True, False):
        before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path) if name.endswith(("db", "wal"))}
        with pytest.raises(JournalUnsuitable, match="not a holdfast journal"):
            Journal(tmp_path, identity=IDENTITY)
        with pytest.raises(JournalUnsuitable, match="not a holdfast journal"):
            Reader(tmp_path)
        assert {name: (tmp_path / name).read_bytes() for name in before} == before
        assert not is_locked(tmp_path / "journal.lock")
        assert not (tmp_path / "head").exists()
        if is_open:
            foreign.close()
    with raw(tmp_path) as again:
        assert again.execute("PRAGMA journal_mode").fetchone()[0] == mode
        assert again.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 1


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    for content in (b"x", b"SQLite format 3\0", b"hello " * 1000):
        (tmp_path / "journal.db").write_bytes(content)
        with pytest.raises(JournalDamaged, match="does not begin like"):
            Journal(tmp_path, identity=IDENTITY)
        assert (tmp_path / "journal.db").read_bytes() == content


def test_a_newer_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal)
    journal.close()
    with raw(tmp_path) as connection:
        connection.execute(f"PRAGMA user_version={schema.USER_VERSION + 1}")
    before = (tmp_path / "journal.db").read_bytes()
    for opener in (Journal, Reader):
        with pytest.raises(JournalUnsuitable, match=r"format 2.*release that wrote it"):
            opener(tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == before


def test_an_empty_file_is_a_new_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()
    with pytest.raises(JournalMissing):
        Reader(tmp_path)
    journal = begin(tmp_path)
    append(journal)
    journal.close()
    assert check_chain(rows(tmp_path)) == 1


def test_there_is_nothing_to_read_before_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing):
        Reader(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "identity", [None, {}, {"mode": "paper"}, {"journal_id": ""}, {"journal_id": "a b"}, {"journal_id": "x" * 33}]
)
def test_a_new_journal_needs_a_name_that_fits(tmp_path: Path, identity: dict[str, str | int] | None) -> None:
    with pytest.raises(ValueError, match="journal_id"):
        Journal(tmp_path, identity=identity)
    assert not (tmp_path / "journal.db").exists()
    begin(tmp_path).close()


def test_an_old_journal_keeps_its_name(tmp_path: Path) -> None:
    begin(tmp_path).close()
    journal = Journal(tmp_path, identity={"journal_id": "another", "mode": "live"})
    assert journal.meta == IDENTITY
    journal.close()


class Dying(sqlite3.Connection):
    """A connection whose process ends before its n-th statement."""

    left = 0

    def execute(self, *said: object) -> sqlite3.Cursor:
        Dying.left -= 1
        if Dying.left == 0:
            raise SystemExit
        return super().execute(*said)  # type: ignore[arg-type]


def test_a_journal_is_whole_or_it_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the making of a journal is interrupted, the next start makes one."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *said, **options: connect(*said, factory=Dying, **options))
    interrupted = 0
    for number in range(1, 100):
        directory = tmp_path / str(number)
        Dying.left = number
        try:
            journal = Journal(directory, identity=IDENTITY, durable=False)
        except SystemExit:
            interrupted += 1
            Dying.left = -1
            assert not (directory / "journal.db").exists() or preflight.check_files(directory / "journal.db") is False
            journal = Journal(directory, identity=IDENTITY, durable=False, wait_seconds=0)
        else:
            Dying.left = -1
            journal.close()
            break
        assert journal.claim(1) == 1
        append(journal)
        journal.close()
        assert [name for name in os.listdir(directory) if "part" in name] == []
        assert check_chain(rows(directory)) == 1
        shutil.rmtree(directory)
    assert interrupted > 25


def test_two_journals_have_two_names(tmp_path: Path) -> None:
    ledger = Journal(tmp_path, name="ledger", identity={"journal_id": "l"}, durable=False)
    assert (tmp_path / "ledger.db").exists()
    assert (tmp_path / "ledger.lock").exists()
    ledger.claim(1)
    append(ledger)
    ledger.close()
    with Reader(tmp_path, "ledger") as reader:
        assert reader.journal_id == "l"
        assert len(list(reader.read())) == 1
