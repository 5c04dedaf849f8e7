"""A snapshot is a cache: whatever does not match is not used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.snapshot import KEPT, Snapshot, read_snapshots, write_snapshot
from tests.journal.drafts import ID, flipped

SNAPSHOT = Snapshot(ID, 12, "ab" * 32, "cd" * 32, 1, b'{"a":1}\n\x00\xff')


def at(seq: int) -> Snapshot:
    """A snapshot after that event."""
    return SNAPSHOT._replace(seq=seq, blob=b"%d" % seq)


def names(directory: Path) -> list[str]:
    """What lies there."""
    return sorted(path.name for path in directory.iterdir())


@given(st.binary(max_size=300), st.integers(0, 10**16 - 1), st.text())
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, blob: bytes, seq: int, text: str) -> None:
    directory = tmp_path_factory.mktemp("snapshot")
    snapshot = Snapshot(ID, seq, text, text, 3, blob)
    path = write_snapshot(directory, snapshot)
    assert names(directory) == [path.name]
    assert read_snapshots(directory, ID, 3) == [snapshot]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert read_snapshots(tmp_path / "nowhere", ID, 1) == []


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for seq in (5, 900, 1000, 2000):
        write_snapshot(tmp_path / "s", at(seq))
    assert read_snapshots(tmp_path / "s", ID, 1) == [at(2000), at(1000)]
    assert len(names(tmp_path / "s")) == KEPT == 2


def test_those_of_a_history_that_is_gone_do_not_push_out_the_present(tmp_path: Path) -> None:
    """A journal from a backup is at a smaller seq than the snapshots beside it."""
    for seq in (100, 200):
        write_snapshot(tmp_path, at(seq))
    for seq in (10, 20, 30):
        path = write_snapshot(tmp_path, at(seq))
        assert path.exists()
    assert [snapshot.seq for snapshot in read_snapshots(tmp_path, ID, 1)] == [200, 100, 30, 20]


def test_those_of_others_are_ignored(tmp_path: Path) -> None:
    write_snapshot(tmp_path, at(1))
    assert read_snapshots(tmp_path, ID, 1) == [at(1)]
    assert read_snapshots(tmp_path, "another", 1) == []
    assert read_snapshots(tmp_path, ID, 2) == []


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, SNAPSHOT)
    whole = path.read_bytes()
    for mask in (0x01, 0x02, 0x20, 0xFF):
        for place, content in flipped(whole, range(len(whole)), mask):
            path.write_bytes(content)
            assert read_snapshots(tmp_path, ID, 1) == [], place
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert read_snapshots(tmp_path, ID, 1) == []
    path.write_bytes(whole + b"\0")
    assert read_snapshots(tmp_path, ID, 1) == []
    path.write_bytes(whole)
    assert read_snapshots(tmp_path, ID, 1) == [SNAPSHOT]


def test_a_damaged_one_leaves_the_one_before(tmp_path: Path) -> None:
    write_snapshot(tmp_path, at(1))
    write_snapshot(tmp_path, at(2)).write_bytes(b"")
    assert read_snapshots(tmp_path, ID, 1) == [at(1)]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]\n", b"null\nx", b'{"digest":"x"}\n', b"\xff\n", b"[" * 9_999])
def test_what_is_no_snapshot_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0000000000000001.snapshot").write_bytes(content)
    (tmp_path / "0000000000000002.snapshot").mkdir()
    assert read_snapshots(tmp_path, ID, 1) == []


def test_one_under_another_name_is_ignored(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, at(7))
    path.rename(tmp_path / "0000000000000009.snapshot")
    assert read_snapshots(tmp_path, ID, 1) == []


def test_an_unfinished_one_is_ignored_and_goes(tmp_path: Path) -> None:
    whole = write_snapshot(tmp_path, at(3)).read_bytes()
    (tmp_path / "0000000000000008.part").write_bytes(whole)
    assert read_snapshots(tmp_path, ID, 1) == [at(3)]
    write_snapshot(tmp_path, at(4))
    assert names(tmp_path) == ["0000000000000003.snapshot", "0000000000000004.snapshot"]


def test_a_failing_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_snapshot(tmp_path, at(1))

    def fsync(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("journal.snapshot.os.fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        write_snapshot(tmp_path, at(2))
    assert names(tmp_path) == ["0000000000000001.snapshot"]
    assert read_snapshots(tmp_path, ID, 1) == [at(1)]
