"""Damaged bytes in the database and in the head: the same entries, or a refusal; never silently used."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from journal.errors import JournalDamaged, JournalError, JournalUnsuitable
from journal.head import SLOT_BYTES, Head, HeadFile, read_head
from journal.journal import Journal, Reader
from tests.journal.drafts import ID, append, begin, bury, check_chain, flipped, raw, rows


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A journal of fifty events on several pages, closed."""
    journal = begin(tmp_path / "closed")
    for _ in range(25):
        append(journal, 2, 150)
    journal.close()
    return tmp_path / "closed"


@pytest.mark.parametrize("mask", [0xFF, 0x01, 0x10])
def test_a_flipped_byte_of_the_database(closed: Path, mask: int) -> None:
    path = closed / "journal.db"
    whole, wanted = path.read_bytes(), rows(closed)
    chance = random.Random(mask)
    places = [*range(100), *(chance.randrange(100, len(whole)) for _ in range(250))]
    refused = harmless = noticed = 0
    for place, content in flipped(whole, places, mask):
        path.write_bytes(content)
        try:
            journal = Journal(closed, durable=False, wait_seconds=0)
        except (JournalDamaged, JournalUnsuitable):
            refused += 1
            assert path.read_bytes() == content, place
            continue
        try:
            assert journal.verify() == len(wanted), place
            assert [tuple(entry) for entry in journal.read()] == wanted, place
            harmless += 1
        except JournalDamaged:
            noticed += 1
        finally:
            bury(journal)
    assert min(refused, noticed) > 0
    assert refused + noticed + harmless == len(places)


def test_a_flipped_byte_is_never_an_error_of_sqlite_for_a_reader(closed: Path) -> None:
    path = closed / "journal.db"
    whole, wanted = path.read_bytes(), rows(closed)
    chance = random.Random(1)
    typed = 0
    for place, content in flipped(whole, (chance.randrange(len(whole)) for _ in range(200)), 0x81):
        path.write_bytes(content)
        try:
            with Reader(closed) as reader:
                reader.changed()
                reader.about("BTC-USDT")
                reader.last()
                found = [tuple(entry) for entry in reader.read()]
                if found != wanted:  # level 1 of `verify` says so
                    with pytest.raises(AssertionError):
                        assert check_chain(found) == len(wanted), place
                assert all(isinstance(problem, str) for problem in reader.integrity())
        except JournalError:
            typed += 1
    assert typed > 0


def test_text_that_became_bytes_is_damage(closed: Path) -> None:
    """One bit of a record's header turns text into a blob; no column type of SQLite's stands in the way on disk."""
    path = closed / "journal.db"
    with raw(closed) as connection:
        size = len(connection.execute("SELECT body FROM event WHERE seq=50").fetchone()[0])
    whole = path.read_bytes()
    kind = 13 + 2 * size
    header = bytes([0x80 | kind >> 7, kind & 0x7F])
    blob = bytes([0x80 | (kind - 1) >> 7, (kind - 1) & 0x7F])
    assert header in whole
    path.write_bytes(whole.replace(header, blob))
    with pytest.raises(JournalDamaged):
        Journal(closed)
    with Reader(closed) as reader:
        assert isinstance(next(reader.read(49)).body, bytes)


def test_rows_that_are_gone_are_damage(closed: Path) -> None:
    journal = Journal(closed, durable=False)
    journal.seq = 51
    with pytest.raises(JournalDamaged, match="end at seq 50"):
        journal.verify()
    with pytest.raises(JournalDamaged):
        journal.chain_at(51)
    with pytest.raises(JournalDamaged):
        journal.verify(60)
    bury(journal)


def heads(path: Path, count: int) -> list[Head]:
    """Write so many heads."""
    written = [Head(seq, 1 + seq // 3, f"{seq:02x}" * 16, ID) for seq in range(1, count + 1)]
    file = HeadFile(path)
    for head in written:
        file.write(head)
    file.sync()
    file.close()
    return written


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_newest_head_is_read(tmp_path: Path, count: int) -> None:
    path = tmp_path / "head"
    assert read_head(path) is None
    assert read_head(path) is None
    newest = heads(path, count)[-1]
    assert read_head(path) == newest
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("count", [2, 3])
def test_a_damaged_head_is_the_one_before_or_none(tmp_path: Path, count: int) -> None:
    path = tmp_path / "head"
    *_, before, newest = heads(path, count)
    whole = path.read_bytes()
    for mask in (0x01, 0x20, 0xFF):
        for _, content in flipped(whole, range(len(whole)), mask):
            path.write_bytes(content)
            assert read_head(path) in (before, newest)
    slot = (count - 1) % 2 * SLOT_BYTES
    path.write_bytes(whole[:slot] + bytes(SLOT_BYTES) + whole[slot + SLOT_BYTES :])
    assert read_head(path) == before
    for content in (b"", bytes(256), b"x" * 300, b"\n" * 256):
        path.write_bytes(content)
        assert read_head(path) is None
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert read_head(path) in (None, before, newest)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_new_process_keeps_the_newest_head_until_it_has_written_its_own(tmp_path: Path, count: int) -> None:
    path = tmp_path / "head"
    newest = heads(path, count)[-1]
    file = HeadFile(path)
    own = Head(count + 1, 9, "f" * 32, ID)
    file.write(own)
    file.close()
    slots = [path.read_bytes()[start : start + SLOT_BYTES] for start in (0, SLOT_BYTES)]
    assert read_head(path) == own
    path.write_bytes(b"".join(slot if b" 9 " not in slot else bytes(SLOT_BYTES) for slot in slots))
    assert read_head(path) == newest  # as if that write had been torn


@pytest.mark.parametrize("content", [b"", b"\xff" * 256, None])
def test_a_journal_without_its_head_goes_on(closed: Path, content: bytes | None) -> None:
    (closed / "head").unlink() if content is None else (closed / "head").write_bytes(content)
    journal = begin(closed)
    assert journal.remembered is None
    append(journal)
    journal.close()
    head = read_head(closed / "head")
    assert head
    assert head.seq == 51


def test_a_journal_from_an_older_backup_is_behind_its_head(closed: Path) -> None:
    backup = (closed / "journal.db").read_bytes()
    journal = begin(closed)
    append(journal, 5)
    journal.close()
    (closed / "journal.db").write_bytes(backup)
    journal = Journal(closed)
    assert journal.remembered
    assert (journal.seq, journal.remembered.seq) == (50, 55)
    journal.close()
