"""What a start refuses, untouched and with the reason: a damaged journal, a wrong configuration."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from journal.journal import Reader
from tests.crash.checks import verify
from tests.crash.session import PATIENCE_SECONDS, Session, configured, session_in

VENUE = 'seed = 5\nlatency = "2ms"'
UNTOUCHED = ("journal.db", "journal.db-wal", "head", "snapshots/*", "exchange/ledger.db", "exchange/ledger.db-wal")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session with the busy strategy, not started."""
    with session_in(tmp_path) as found:
        found.configure(configured(venue=VENUE))
        yield found


def test_a_byte_of_the_database(session: Session) -> None:
    _run(session, is_clean=True)
    seq = session.seq // 2
    _flip(session.journal / "journal.db", _body(session, seq))
    _assert_refused(session, f"seq {seq}")


def test_a_byte_of_the_log(session: Session) -> None:
    _run(session, is_clean=False)
    log = session.journal / "journal.db-wal"
    _flip(log, log.read_bytes()[32 : log.stat().st_size // 2][-200:])
    _assert_refused(session, "a later transaction stands behind it")


def test_a_log_that_was_emptied(session: Session) -> None:
    """Nothing in the database shows that the tail is gone, but the head file does: no trading until somebody looks."""
    _run(session, is_clean=False)
    (session.journal / "journal.db-wal").write_bytes(b"")
    process = session.start()
    session.wait_state(process, lambda state: state.system == "paused", "a pause")
    state = session.state()
    assert [(pause.reason, pause.latched) for pause in state.pauses.values() if pause.latched]
    assert session.bodies("SubmitRequested") == []
    assert session.stop(process) == 0


def _run(session: Session, *, is_clean: bool) -> None:
    process = session.start()
    session.wait_seq(process, 150)
    if is_clean:
        assert session.stop(process) == 0
    else:
        session.kill(process)


def _body(session: Session, seq: int) -> bytes:
    with Reader(session.journal) as reader:
        return next(reader.read(seq - 1, 1)).body.encode()


def _flip(path: Path, where: bytes) -> None:
    """One bit in the middle of the place where these bytes stand."""
    content = bytearray(path.read_bytes())
    place = content.index(where) + len(where) // 2
    content[place] ^= 1
    path.write_bytes(content)


def _assert_refused(session: Session, why: str) -> None:
    before = _hashes(session)
    process = session.start()
    assert process.wait(PATIENCE_SECONDS) == 65, session.told()
    said = session.told()
    assert why in said
    assert "Nothing was changed" in said or "Restore a backup" in said
    assert _hashes(session) == before
    assert not verify(session)["ok"]
    assert session.command("verify").returncode == 65
    assert _hashes(session) == before


def _hashes(session: Session) -> dict[str, str]:
    """Of what holds facts; SQLite may leave an empty log behind where it only looked."""
    found = [path for pattern in UNTOUCHED for path in session.journal.glob(pattern)]
    paths = [path for path in found if path.stat().st_size]
    assert paths
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_wrong_configuration_lists_every_fault(session: Session) -> None:
    text = configured(venue='seed = 5\nspeeed = "1"').replace("stop_limit", "stop_limmit")
    session.configure(text.replace("busy.py:Busy", "busy.py:Lazy") + "[risk]\nmax_order_notional = 0.5\n")
    process = session.start()
    assert process.wait(PATIENCE_SECONDS) == 78
    said = session.told()
    for place, hint in (
        ("venues.sim.speeed", "speed"),
        ("orders.stop_limmit", "stop_limit"),
        ("strategies.busy.class", "Busy"),
        ("risk.max_order_notional", "quotes"),
    ):
        assert place in said
        assert hint in said
    assert "4 faults" in said
    assert not session.journal.exists()


def test_an_account_that_is_not_the_journals(session: Session) -> None:
    _run(session, is_clean=True)
    (session.journal / "exchange").rename(session.directory / "another-exchange")
    before = (session.journal / "journal.db").read_bytes()
    process = session.start()
    assert process.wait(PATIENCE_SECONDS) == 78, session.told()
    assert "bound to simulated:" in session.told()
    assert (session.journal / "journal.db").read_bytes() == before
