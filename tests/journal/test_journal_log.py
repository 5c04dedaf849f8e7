"""A write-ahead log that is cut, damaged or mixed up: a torn tail is normal, a lost middle is refused."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from journal import preflight
from journal.entry import Entry
from journal.errors import JournalDamaged, JournalUnsuitable
from journal.head import Head, read_head
from journal.journal import Journal, Reader
from tests.journal.drafts import append, begin, bury, check_chain, flipped, rows

PAGE = 4096
FRAME = PAGE + 24
COMMITS = ((1, 40), (2, 40), (1, 9_000), (3, 40), (1, 40), (2, 5_000), (1, 40))


class Image(NamedTuple):
    """What lies on the disk while the writer lives: `ends` are the log's size and the seq after each commit."""

    database: bytes
    log: bytes
    head: bytes
    entries: list[Entry]
    ends: list[tuple[int, int]]

    def write(self, directory: Path, *, log: bytes | None = None) -> Path:
        """Lay the files out; the shared-memory file is of the process that is gone."""
        directory.mkdir(exist_ok=True)
        for name, content in (
            ("journal.db", self.database), ("journal.db-wal", self.log if log is None else log), ("head", self.head)
        ):  # fmt: skip
            (directory / name).write_bytes(content)
        (directory / "journal.db-shm").unlink(missing_ok=True)
        (directory / "reserve").touch()
        return directory


def photograph(journal: Journal, ends: list[tuple[int, int]]) -> Image:
    """The files as they are now."""
    content = [(journal.directory / name).read_bytes() for name in ("journal.db", "journal.db-wal", "head")]
    return Image(content[0], content[1], content[2], list(journal.read()), ends)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A journal with one claim and seven commits in its log."""
    journal = begin(tmp_path_factory.mktemp("image"), durable=True)
    log = journal.directory / "journal.db-wal"
    ends = [(log.stat().st_size, 0)]
    for count, size in COMMITS:
        append(journal, count, size)
        ends.append((log.stat().st_size, journal.seq))
    found = photograph(journal, ends)
    journal.close()
    return found


class Found(NamedTuple):
    """What a start finds."""

    entries: list[Entry]
    remembered: Head | None


def start(directory: Path) -> Found:
    """Open, check, read, and leave without a trace of a close."""
    journal = Journal(directory, durable=False, wait_seconds=0)
    try:
        journal.verify()
        return Found(list(journal.read()), journal.remembered)
    finally:
        bury(journal)


def frames_of(log: bytes, directory: Path) -> list[preflight.Frame]:
    """The frames of a log, as the package reads them."""
    (directory / "log").write_bytes(log)
    return list(preflight.frames(directory / "log"))


def test_a_commit_is_padded_to_the_sector(image: Image, tmp_path: Path) -> None:
    """With psow=0 the last frame of each commit stands twice, so that the next one begins in a sector of its own."""
    frames = frames_of(image.log, tmp_path)
    commits = [frame.number for frame in frames if frame.commit]
    assert len(commits) == 2 * len(image.ends)
    assert commits[1::2] == [(size - 32) // FRAME for size, _ in image.ends]
    for first, second in zip(commits[::2], commits[1::2], strict=True):
        assert second == first + 1
        assert frames[first - 1].data == frames[second - 1].data
    assert all(frame.intact for frame in frames)


def test_every_truncation_is_a_torn_tail(image: Image, tmp_path: Path) -> None:
    for size in range(0, len(image.log) + 1, 512):
        directory = image.write(tmp_path / "cut", log=image.log[:size])
        # The frame that only pads may be missing: the commit stands before it.
        whole = max((seq for end, seq in image.ends if end - FRAME <= size), default=0)
        if size < image.ends[0][0] - FRAME:
            whole = 0
        found = start(directory)
        assert found.entries == image.entries[:whole], size
        assert found.remembered
        assert found.remembered.seq == len(image.entries)  # so whatever is lost is noticed


def sampled(log: bytes, chance: random.Random) -> Iterator[int]:
    """Places in every frame: each field of its header, and some in its page."""
    for begin_at in range(32, len(log), FRAME):
        yield from (begin_at + field for field in (3, 7, 11, 15, 18, 22))
        yield from (begin_at + 24 + chance.randrange(PAGE) for _ in range(3))


@pytest.mark.parametrize("mask", [0xFF, 0x01])
def test_a_flipped_byte_is_refused_or_noticed(image: Image, tmp_path: Path, mask: int) -> None:
    earlier = image.ends[-2][0]
    caught = missed = 0
    for place, log in flipped(image.log, sampled(image.log, random.Random(mask)), mask):
        directory = image.write(tmp_path / "flip", log=log)
        try:
            preflight.check_files(directory / "journal.db")
        except JournalDamaged:
            caught += 1
            with pytest.raises(JournalDamaged):
                Journal(directory, wait_seconds=0)
            assert (directory / "journal.db-wal").read_bytes() == log
            assert (directory / "journal.db").read_bytes() == image.database
            continue
        missed += place < earlier
        found = start(directory)
        assert found.entries == image.entries[: len(found.entries)], place
        assert found.remembered
        # Never silently fewer: the head remembers more than is there.
        assert len(found.entries) == len(image.entries) or found.remembered.seq > len(found.entries), place
    assert missed == 0
    assert caught > 100


@pytest.mark.parametrize("place", range(32))
def test_a_damaged_header_of_the_log_is_refused(image: Image, tmp_path: Path, place: int) -> None:
    for mask in (0x01, 0x80, 0xFF):
        ((_, log),) = flipped(image.log, [place], mask)
        with pytest.raises(JournalDamaged, match="header"):
            start(image.write(tmp_path / "header", log=log))


def test_a_destroyed_sector_in_the_middle_is_refused(image: Image, tmp_path: Path) -> None:
    """Zeros, with no salt of the log left in them, do not end the look."""
    for sector in range(PAGE, image.ends[-3][0] - 2 * PAGE, PAGE):
        log = image.log[:sector] + bytes(PAGE) + image.log[sector + PAGE :]
        with pytest.raises(JournalDamaged):
            start(image.write(tmp_path / "sector", log=log))


def test_a_destroyed_first_sector_is_refused(image: Image, tmp_path: Path) -> None:
    """Without the header SQLite takes the log for empty; what it holds and the database does not was acknowledged. The
    head alone would notice it, and after a power cut the head may be behind."""
    with pytest.raises(JournalDamaged, match="not in the database"):
        start(image.write(tmp_path / "first", log=bytes(PAGE) + image.log[PAGE:]))


def test_the_last_commit_may_be_torn_in_any_way(image: Image, tmp_path: Path) -> None:
    """After a power cut each of its sectors is there, old, or destroyed: never a false alarm, never half a commit."""
    begin_at, seq = image.ends[-3]
    end_at, chance = image.ends[-2][0], random.Random(5)
    for _ in range(60):
        torn = bytearray(image.log[:end_at])
        for sector in range(begin_at, end_at, 512):
            if chance.random() < 0.3:
                size = min(512, end_at - sector)
                torn[sector : sector + size] = chance.choice([bytes(size), chance.randbytes(size)])
        found = start(image.write(tmp_path / "torn", log=bytes(torn)))
        assert len(found.entries) in (seq, image.ends[-2][1])
        assert found.entries == image.entries[: len(found.entries)]


def test_a_torn_padding_is_no_damage(image: Image, tmp_path: Path) -> None:
    """The commit's frame is bad, and so is its repetition."""
    end_at, seq = image.ends[-1]
    torn = bytearray(image.log)
    torn[end_at - 2 * FRAME + 100] ^= 0xFF
    torn[end_at - FRAME + 200] ^= 0xFF
    found = start(image.write(tmp_path, log=bytes(torn)))
    assert (len(found.entries), seq) == (image.ends[-2][1], len(image.entries))


def test_only_one_frame_can_be_padding(image: Image, tmp_path: Path) -> None:
    """Two commits of one page each; the padding of both is bad, so nothing behind the first follows from anything."""
    first, second = image.ends[4][0], image.ends[5][0]
    log = bytearray(image.log[:second])
    log[first - FRAME + 17] ^= 0xFF  # the checksum
    log[second - FRAME + 100] ^= 0xFF
    frames = frames_of(bytes(log), tmp_path)
    assert len({frame.page for frame in frames[-4:]}) == 1
    assert [frame.intact for frame in frames[-4:]] == [True, False, False, False]
    with pytest.raises(JournalDamaged, match="later transaction"):
        start(image.write(tmp_path / "a", log=bytes(log)))


def test_two_torn_commits_one_after_the_other_are_no_damage(tmp_path: Path) -> None:
    """Two power cuts: what is left of the first torn transaction must not look like one behind the second."""
    directory = tmp_path / "journal"
    journal = begin(directory, durable=True)
    append(journal, 2)
    for size in (60_000, 40_000, 20_000):
        log = directory / "journal.db-wal"
        place = log.stat().st_size if log.exists() else 0
        append(journal, 1, size)
        found = photograph(journal, [])
        ((_, torn),) = flipped(found.log, [(place or 32) + 30])  # its first frame did not reach the disk
        bury(journal)
        found.write(directory, log=torn)
        (directory / "head").unlink()
        journal = begin(directory, durable=True)
        assert journal.seq == 2
    journal.close()
    assert check_chain(rows(directory)) == 2


def test_frames_of_an_older_log_are_no_damage(tmp_path: Path) -> None:
    """After a checkpoint the log begins anew over the old frames."""
    journal = begin(tmp_path / "a", durable=True)
    for _ in range(20):
        append(journal, 2, 3_000)
    journal.checkpoint(0)
    checkpointed = photograph(journal, [])
    append(journal)
    append(journal)
    found = photograph(journal, [])
    bury(journal)
    frames = frames_of(found.log, tmp_path)
    assert 2 < sum(frame.is_ours for frame in frames) < len(frames)
    copy = found.write(tmp_path / "b")
    assert not preflight.check_files(copy / "journal.db")
    assert start(copy).entries == found.entries
    # And a torn first transaction of the new log, or a torn header of it, leaves what was checkpointed. The header is
    # flushed before the first frame is written, so behind a torn one stand the old frames.
    torn = found.log[:40] + bytes(8) + found.log[48:]
    begun = start(found.write(tmp_path / "c", log=torn[: 32 + 2 * FRAME] + found.log[32 + 4 * FRAME :]))
    assert len(begun.entries) == 40
    header = struct.pack(">8I", 0x377F0682, 3007000, 4096, 1, 1, 2, 3, 4)
    begun = start(checkpointed.write(tmp_path / "d", log=header + checkpointed.log[32:]))
    assert len(begun.entries) == 40


def test_a_log_without_its_database_is_refused(image: Image, tmp_path: Path) -> None:
    """SQLite would delete it."""
    for gone in (False, True):
        directory = image.write(tmp_path / "lost")
        database = directory / "journal.db"
        database.unlink() if gone else database.write_bytes(b"")
        with pytest.raises(JournalDamaged, match="missing or empty"):
            Journal(directory, identity={"journal_id": "new"})
        with pytest.raises(JournalDamaged, match="missing or empty"):
            Reader(directory)
        assert (directory / "journal.db-wal").read_bytes() == image.log


def test_a_lost_log_is_noticed_by_the_head(image: Image, tmp_path: Path) -> None:
    directory = image.write(tmp_path)
    (directory / "journal.db-wal").unlink()
    found = start(directory)
    assert found.entries == []
    assert found.remembered
    assert found.remembered.seq == len(image.entries)


def test_the_log_of_another_journal_is_refused_or_noticed(image: Image, tmp_path: Path) -> None:
    other = begin(tmp_path / "other", durable=True)
    append(other, 9, 2_000)
    other.checkpoint(0)
    append(other)
    strange = photograph(other, [])
    other.close()
    for mixed in (image._replace(log=strange.log), strange._replace(log=image.log)):
        wanted = (image.entries, strange.entries)
        try:
            found = start(mixed.write(tmp_path / "mixed"))
        except (JournalDamaged, JournalUnsuitable):
            continue
        assert found.remembered
        assert found.entries in wanted or found.remembered.seq > len(found.entries)


def test_a_reader_looks_first_too(image: Image, tmp_path: Path) -> None:
    ((_, log),) = flipped(image.log, [image.ends[2][0] - FRAME - 100])
    directory = image.write(tmp_path, log=log)
    with pytest.raises(JournalDamaged, match="later transaction"):
        Reader(directory)
    assert (directory / "journal.db-wal").read_bytes() == log


def test_a_reader_does_not_settle_the_log_of_a_dead_writer(image: Image, tmp_path: Path) -> None:
    directory = image.write(tmp_path)
    with Reader(directory) as reader:
        assert list(reader.read()) == image.entries
    assert (directory / "journal.db-wal").read_bytes() == image.log
    assert (directory / "journal.db").read_bytes() == image.database
    assert start(directory).entries == image.entries


def test_a_cut_database_is_refused(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal, 40, 2_000)
    journal.close()
    whole = (tmp_path / "journal.db").read_bytes()
    for size in [*range(1, 1024, 100), *range(1024, len(whole), 1024), len(whole) - 1]:
        (tmp_path / "journal.db").write_bytes(whole[:size])
        with pytest.raises(JournalDamaged):
            Journal(tmp_path)
        with pytest.raises(JournalDamaged):
            Reader(tmp_path)
        assert (tmp_path / "journal.db").stat().st_size == size


def test_an_emptied_database_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    append(journal, 3)
    journal.close()
    for gone in (False, True):
        (tmp_path / "journal.db").unlink() if gone else (tmp_path / "journal.db").write_bytes(b"")
        with pytest.raises(JournalDamaged, match="remembers seq 3"):
            Journal(tmp_path, identity={"journal_id": "new"})
    assert read_head(tmp_path / "head")


def test_a_rollback_journal_beside_the_database_is_refused(tmp_path: Path) -> None:
    begin(tmp_path).close()
    (tmp_path / "journal.db-journal").write_bytes(b"x" * 512)
    with pytest.raises(JournalUnsuitable, match="rollback journal"):
        Journal(tmp_path)
    assert (tmp_path / "journal.db-journal").stat().st_size == 512


def test_what_is_left_of_a_transaction_that_was_not_ended_is_a_torn_tail(image: Image, tmp_path: Path) -> None:
    """Whole frames without their commit, or a part of a frame: cleared away before the next commit stands in front of
    them, because a power cut in that one would make them look like a later transaction."""
    ends = [end_at for end_at, _seq in image.ends]
    begin_at = next(a for a, b in pairwise(ends) if b - a >= 4 * FRAME)  # a transaction of several frames
    for length in (begin_at + FRAME, begin_at + FRAME + 500, begin_at + 500):
        copy = image.write(tmp_path / str(length), log=image.log[:length])
        assert preflight.check_files(copy / "journal.db"), length
    assert not preflight.check_files(image.write(tmp_path / "whole", log=image.log[:begin_at]) / "journal.db")
