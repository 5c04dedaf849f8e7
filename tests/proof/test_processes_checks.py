"""The checks of layer 7 by themselves: children are processes of their own, and each invariant can fail."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from journal.head import Head
from tools.proof.processes.books import (
    Books,
    books_of,
    fold_rows,
    ledger_faults,
    pause_faults,
    read_rows,
    replay_faults,
    row_faults,
    stale_faults,
)
from tools.proof.processes.campaign import settle
from tools.proof.processes.ground import built_in
from tools.proof.processes.kinds import KINDS
from tools.proof.processes.nursery import Asked, Nursery
from tools.proof.processes.session import Session, Stop

PATIENCE_SECONDS = 60
SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session of this file takes place."""
    return tmp_path_factory.mktemp("books")


@pytest.fixture
def journal(directory: Path) -> Path:
    """Its journal."""
    return directory / "run"


@pytest.fixture(scope="module")
def books(directory: Path) -> Books:
    """Both sides of a session that was killed once."""
    ground = built_in(directory, 1)
    ground.write_exchanges()
    with Nursery() as nursery:
        session = Session(nursery, ground, Random(1))
        session.serve_all()
        KINDS["after_release"](session)
        settle(session)
    assert session.problems == []
    rows, found = read_rows(ground.journal)
    ledger, _ = read_rows(ground.books(ground.venues[0]), "ledger")
    assert found == []
    assert [*row_faults(rows, session.heads), *replay_faults(rows, fold_rows(rows), ground.journal)] == []
    made = books_of(ground.venues[0], rows, fold_rows(rows), ledger)
    assert [*ledger_faults(made), *stale_faults(made, [], SECOND_NS)] == []
    return made


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """A nursery for one test."""
    with Nursery() as found:
        yield found


def _engine(nursery: Nursery, directory: Path) -> tuple[Session, int]:
    ground = built_in(directory, 1)
    ground.write_exchanges()
    session = Session(nursery, ground, Random(1))
    session.serve_all()
    engine = session.start()
    session.live(engine)
    return session, engine.pid


def test_a_child_is_a_process_of_its_own(nursery: Nursery, tmp_path: Path) -> None:
    session, pid = _engine(nursery, tmp_path)
    assert os.getsid(pid) == os.getpgid(pid) == pid != os.getpgid(0)
    opened = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert not [name for name in opened if name.startswith("pipe:")], opened
    locks = [name for name in opened if name.endswith(".lock")]
    assert locks == [str(session.ground.journal / "journal.lock")]
    exchange = next(iter(session.exchanges.values()))
    assert exchange.poll() is None
    nursery.close()
    for gone in (pid, exchange.pid):
        with pytest.raises(ProcessLookupError):
            os.kill(gone, 0)


def test_exit_codes_come_through(nursery: Nursery, tmp_path: Path) -> None:
    asked = Asked(("run", "-c", str(tmp_path / "none.toml")), str(tmp_path / "a.out"), str(tmp_path / "a.err"))
    child = nursery.begin(asked)
    assert child.wait(PATIENCE_SECONDS) == 78
    assert "there is no such file" in child.told()
    child.signal(signal.SIGKILL)  # nobody is hit by a signal for one that has ended


def _told(faults: Iterator[str]) -> set[str]:
    return {fault.split(":")[0] for fault in faults}


def test_rows_that_are_not_whole(books: Books) -> None:
    rows = list(books.rows)
    gone = Head(len(rows) + 1, 1, "00", "x")
    assert _told(row_faults(rows, [gone])) == {"I1"}
    assert _told(row_faults(rows, [Head(5, 1, "00" * 16, "x")])) == {"I1"}
    assert _told(row_faults(rows[:5] + rows[6:], [])) >= {"I2"}
    assert _told(row_faults([*rows[:5], rows[5]._replace(batch=3), *rows[6:]], [])) >= {"I3"}
    assert _told(row_faults([*rows[:-1], rows[-1]._replace(epoch=0)], [])) >= {"I4"}
    begun = [number for number, row in enumerate(rows) if row.kind == "ProcessStarted"][1]
    same = [row._replace(epoch=1) for row in rows]
    assert _told(row_faults(same, [])) == {"I4"}
    assert begun


def test_a_fold_that_is_another(books: Books, journal: Path) -> None:
    assert _told(replay_faults(books.rows, books.state, journal)) == set()
    assert _told(replay_faults(books.rows[:-1], books.state, journal)) == {"S1"}
    body = json.loads(books.rows[-1].body) | {"state_digest": "0" * 64}
    rows = [*books.rows[:-1], books.rows[-1]._replace(body=json.dumps(body))]
    assert _told(replay_faults(rows, books.state, journal)) == {"I5"}
    earlier = fold_rows(books.rows[: len(books.rows) // 2])
    assert _told(replay_faults(books.rows, earlier, journal)) == {"I5", "I6"}


def test_requests_while_paused_and_a_loud_pause(books: Books) -> None:
    assert _told(pause_faults(books.rows)) == set()
    first = next(number for number, row in enumerate(books.rows) if row.kind == "SubmitRequested")
    paused = next(row for row in books.rows if row.kind == "OperatorCommanded")
    assert json.loads(paused.body)["action"] == "pause"
    assert _told(pause_faults([paused, books.rows[first]])) == {"O4"}
    resumed = paused._replace(body=json.dumps({"action": "resume"}))
    assert _told(pause_faults([paused, resumed, books.rows[first]])) == set()
    loud = next(row for row in books.rows if row.kind == "TradingPaused")
    loud = loud._replace(body=json.dumps(json.loads(loud.body) | {"reason": "lost_tail"}))
    assert _told(pause_faults([loud])) == {"S2"}


@pytest.mark.parametrize(("kind", "told"), [("SubmitRequested", "O1"), ("FillBooked", "O3")])
def test_rows_that_one_side_lacks(books: Books, kind: str, told: str) -> None:
    accepted = {json.loads(fact.body)["client_order_id"] for fact in books.facts if fact.kind == "OrderAccepted"}
    lacking = next(row for row in books.rows if row.kind == kind and _reached(row.body, accepted))
    assert told in _told(ledger_faults(evolve(books, rows=[row for row in books.rows if row is not lacking])))


def _reached(body: str, accepted: set[str]) -> bool:
    name = json.loads(body).get("client_order_id")
    return name is None or name in accepted


def test_two_orders_for_one_intent_and_one_too_late(books: Books) -> None:
    fact = next(fact for fact in books.facts if fact.kind == "OrderAccepted")
    twice = evolve(books, facts=[*books.facts, fact])
    assert "O2" in _told(ledger_faults(twice))
    row = next(row for row in books.rows if json.loads(fact.body)["client_order_id"] in row.body)
    held = Stop(row.at_ns + 1, fact.at_ns - 1, row.seq - 1)
    assert _told(stale_faults(books, [held], SECOND_NS)) == {"S3"}
    on_its_way = evolve(held, released_seq=row.seq)
    assert _told(stale_faults(books, [on_its_way], 60 * SECOND_NS)) == set()
    assert _told(stale_faults(books, [on_its_way], 0)) == {"S3"}
