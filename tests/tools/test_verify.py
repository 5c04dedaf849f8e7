"""`verify`: a whole journal is ok, and whatever is changed in it, around it or in its meaning is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import events
from engine.codec import digest, encode
from engine.fold import FOLD_VERSION
from engine.state import Recorded
from engine.values import VenueOrderId
from journal.errors import JournalMissing
from journal.head import HeadFile, read_head
from tests.tools.journals import Author, tell
from tools.verify import LEVELS, verify


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    found = Author(tmp_path / "run")
    yield found
    found.close()


def problem(directory: Path, level: int = 2) -> str:
    verdict = verify(directory, level)
    assert not verdict.is_ok
    assert verdict.row()["ok"] is False
    return "\n".join(verdict.problems)


def change(directory: Path, statement: str) -> None:
    """Change the file as somebody who can write it might."""
    with sqlite3.connect(directory / "journal.db") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("held", [True, False])
def test_a_whole_journal_is_ok(author: Author, level: int, held: bool) -> None:
    tell(author)
    author.snapshot()
    author.stop()
    if not held:
        author.close()
    verdict = verify(author.directory, level)
    assert verdict.problems == []
    assert verdict.row() == {
        "ok": True, "level": level, "seq": author.state.seq, "chain": author.journal.chain.hex(),
        "state_digest": digest(author.state), "digests_compared": 2 * (level - 1), "held": held, "problems": [],
    }  # fmt: skip


def test_an_empty_journal_is_ok(author: Author) -> None:
    verdict = verify(author.directory, 2)
    assert (verdict.problems, verdict.seq, verdict.chain) == ([], 0, None)


def test_no_journal_is_not_a_verdict(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing):
        verify(tmp_path, 1)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE event SET body=replace(body, 'pid', 'dip') WHERE seq=1", "the chain breaks at seq 1"),
        ("UPDATE event SET at_ns=at_ns+1 WHERE seq=5", "the chain breaks at seq 5"),
        ("DELETE FROM event WHERE seq=7", "the chain breaks at seq 7"),
        ("UPDATE meta SET value='another' WHERE key='journal_id'", "what it says of itself (meta) does not match"),
        ("UPDATE meta SET value='live' WHERE key='mode'", "what it says of itself (meta) does not match"),
        ("DELETE FROM event WHERE seq>20", "the tail is lost: the head file remembers seq"),
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_a_changed_journal_is_found(author: Author, statement: str, told: str, level: int) -> None:
    tell(author)
    author.close()
    change(author.directory, statement)
    assert told in problem(author.directory, level)


def test_a_damaged_file_is_found_before_it_is_opened(author: Author) -> None:
    tell(author)
    author.close()
    path = author.directory / "journal.db"
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    assert "does not begin like an SQLite database" in problem(author.directory, 1)


def test_another_copy_under_the_same_head_is_found(author: Author) -> None:
    tell(author)
    author.close()
    head = read_head(author.directory / "head")
    assert head is not None
    file = HeadFile(author.directory / "head")
    for _ in range(2):
        file.write(head._replace(chain="0" * 64))
    file.close()
    assert "the journal was replaced by another copy" in problem(author.directory, 1)


def test_a_head_of_another_journal_is_found(author: Author) -> None:
    tell(author)
    author.close()
    head = read_head(author.directory / "head")
    assert head is not None
    file = HeadFile(author.directory / "head")
    for _ in range(2):
        file.write(head._replace(journal_id="another"))
    file.close()
    assert "the head file belongs to journal another" in problem(author.directory, 1)


def test_a_head_behind_the_journal_is_normal(author: Author) -> None:
    tell(author)
    author.close()
    (author.directory / "head").unlink()
    assert verify(author.directory, 1).is_ok


def test_a_move_that_no_table_allows_is_found(author: Author) -> None:
    named = tell(author)
    accepted = events.OrderAccepted(order_id=named["denied"], venue_order_id=VenueOrderId("v1"))
    author.journal.append([encode(Recorded(author.state.seq + 1, author.now_ns, accepted))])
    assert "OrderAccepted can't follow: OrderAccepted can't take order" in problem(author.directory)


@pytest.mark.parametrize(
    "made",
    [
        lambda digested, version: events.ProcessStopped(reason="", state_digest=digested, fold_version=version),
        lambda digested, version: events.StateDigested(state_digest=digested, fold_version=version),
    ],
)
def test_a_replay_that_gives_another_state_is_found(author: Author, made: Callable[[str, int], events.Event]) -> None:
    tell(author)
    author.add(made("f" * 64, FOLD_VERSION - 1))
    assert verify(author.directory, 2).is_ok  # of another fold, so nothing can be said
    author.add(made("f" * 64, FOLD_VERSION))
    assert f"seq {author.state.seq}: the replay gives state" in problem(author.directory)


def test_a_snapshot_that_the_replay_does_not_give_is_found(author: Author) -> None:
    tell(author)
    author.snapshot(lambda snapshot: snapshot._replace(state_digest="f" * 64))
    assert "the snapshot says" in problem(author.directory)


def test_a_snapshot_of_another_history_is_not_evidence(author: Author) -> None:
    tell(author)
    author.snapshot(lambda snapshot: snapshot._replace(chain="f" * 64, state_digest="f" * 64))
    assert verify(author.directory, 2).is_ok
