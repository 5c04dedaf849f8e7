"""An operator's commands to a living, a stopped and an absent engine."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from stat import S_IMODE
from typing import Any

from engine.market import Market
from engine.runner import Runner
from engine.state import State
from engine.system import SystemState
from tests.crash.books import assert_equal, read_books
from tests.crash.checks import NOT_DOMAIN
from tests.crash.pair import Pair
from tests.crash.session import Session, configured, is_calm, session_in
from tools.config import read_configuration
from tools.run import Unwatched, run

VENUE = 'seed = 8\nlatency = "5ms"\nrequest_timeout = "200ms"'
RESTARTS = 20


def _status(session: Session) -> dict[str, Any]:
    done = session.command("status", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _said(session: Session, *arguments: str) -> dict[str, Any]:
    done = session.command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _requested(session: Session, after: int) -> list[dict[str, Any]]:
    return [*session.bodies("SubmitRequested", after), *session.bodies("ReplaceRequested", after)]


def test_pause_resume_and_kill(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        session.configure(configured(venue=VENUE))
        process = session.start()
        session.wait_seq(process, 100)
        _check_permissions(session)
        assert _status(session)["state"] == "trading"

        paused = _said(session, "pause", "--reason", "lunch")["seq"]
        session.wait_state(process, lambda state: state.system == "paused", "a pause")
        status = _status(session)
        assert (status["state"], status["reason"]) == ("paused", "operator")
        assert _requested(session, paused) == []
        commanded = session.bodies("OperatorCommanded")[-1]
        assert (commanded["action"], commanded["uid"], commanded["reason"]) == ("pause", os.getuid(), "lunch")
        assert commanded["pid"] not in (0, process.pid)

        resumed = _said(session, "resume")["seq"]
        session.wait_state(process, lambda state: state.system == "trading" and state.seq > resumed + 60, "trading")
        assert _requested(session, resumed)

        _kill_and_prove(session, process.pid)
        killed = session.seq
        session.kill(process)
        # The latch survives kill -9: started again it is still killed, until somebody resumes.
        process = session.start()
        session.wait_state(process, lambda state: state.system == "paused", "the pause to be there again")
        assert _status(session)["reason"] == "kill"
        assert _requested(session, killed) == []
        _said(session, "resume")
        seq = session.seq
        session.wait_state(process, lambda state: state.system == "trading" and state.seq > seq + 30, "trading")
        assert session.stop(process) == 0


def _check_permissions(session: Session) -> None:
    socket = session.journal / "control.sock"
    assert S_IMODE(socket.stat().st_mode) == 0o600
    assert S_IMODE(session.journal.stat().st_mode) == 0o700
    assert S_IMODE((session.journal / "journal.db").stat().st_mode) == 0o600
    assert socket.stat().st_uid == os.getuid()


def _kill_and_prove(session: Session, pid: int) -> None:
    """`holdfast kill` of an engine that answers: it goes on living, and nothing is open any more."""
    seq = session.seq
    done = session.command("kill", "--reason", "fire")
    assert done.returncode == 0, done.stderr
    assert "KillVerified" in session.kinds(seq)
    assert not list(session.state().open_orders())
    assert os.path.exists(f"/proc/{pid}")
    books = read_books(session.journal, session.journal / "exchange")
    assert not books.exchange.open
    assert_equal(books)


def test_kill_ends_an_engine_that_hangs(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        pair = Pair(session, VENUE)
        engine = session.start()
        session.wait_seq(engine, 120)
        engine.send_signal(signal.SIGSTOP)
        done = session.command("kill")
        assert done.returncode == 0, done.stdout + done.stderr
        assert engine.wait(5) == -signal.SIGKILL
        assert f"process {engine.pid}" in done.stdout
        _check_killed(session, pair)


def test_kill_settles_orders_in_doubt(tmp_path: Path) -> None:
    """The cancels that a kill repeats do not keep it from being proven that a lost order never arrived."""
    with session_in(tmp_path) as session:
        lost = '[venues.sim.faults]\nlose_request = { every = 1, on = ["place"] }'
        session.configure(configured(venue=VENUE, rest=lost))
        process = session.start()
        session.wait_state(process, lambda state: len(list(state.open_orders())) >= 3, "orders in doubt")
        done = session.command("kill")
        assert done.returncode == 0, done.stdout + done.stderr
        assert session.stop(process) == 0
        assert {order.status for order in session.state().orders.values()} <= {"void", "denied"}


def test_kill_with_nobody_running(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        pair = Pair(session, VENUE)
        engine = session.start()
        session.wait_seq(engine, 120)
        session.kill(engine)
        done = session.command("kill")
        assert done.returncode == 0, done.stdout + done.stderr
        _check_killed(session, pair)
        # Commands that need an engine say so.
        assert session.command("pause").returncode == 69


def _check_killed(session: Session, pair: Pair) -> None:
    assert session.kinds()[-1] == "ProcessStopped"
    assert "KillVerified" in session.kinds()
    books = read_books(session.journal, session.directory / "served" / "exchange")
    assert not books.exchange.open
    assert_equal(books)
    assert any(pause.reason == "kill" and pause.latched for pause in books.state.pauses.values())
    assert session.stop(pair.exchange) == 0


def test_kill_without_an_exchange_proves_nothing(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        pair = Pair(session, VENUE)
        session.config.write_text(session.config.read_text().replace("[reconcile]", '[reconcile]\nstart_limit = "2s"'))
        engine = session.start()
        session.wait_seq(engine, 60)
        session.kill(engine)
        session.kill(pair.exchange)
        done = session.command("kill")
        assert done.returncode == 69, done.stdout + done.stderr
        assert "KillVerified" not in session.kinds()


class StopOncePaused(Unwatched):
    """Asks the run to stop, as a user would, as soon as it has reconciled and is paused."""

    asked = False

    def tick(self, state: State, market: Market, runner: Runner) -> None:
        """Ask once."""
        if not self.asked and state.system is SystemState.PAUSED:
            self.asked = True
            os.kill(os.getpid(), signal.SIGTERM)


def test_restarts_change_nothing(tmp_path: Path) -> None:
    """S4, with orders open, positions held and a latch set. The restarts are in this process: it is quicker."""
    with session_in(tmp_path) as session:
        session.configure(configured(venue=VENUE))
        process = session.start()
        session.wait_seq(process, 150)
        assert session.stop(process) == 0
        session.configure(configured(venue=VENUE, quiet=True))
        process = session.start()
        session.wait_state(process, is_calm, "everything to be settled")
        _said(session, "pause")
        assert session.stop(process) == 0
        digest, seq = _stopped(session), session.seq
        configuration = read_configuration(session.config)
        for _ in range(RESTARTS):
            assert run(configuration, watcher=StopOncePaused()) == 0
            assert _stopped(session) == digest
        assert session.kinds(seq).count("Reconciled") >= RESTARTS
        assert set(session.kinds(seq)) <= NOT_DOMAIN
        state = session.state()
        assert list(state.open_orders())
        assert state.executions


def _stopped(session: Session) -> str:
    return str(session.bodies("ProcessStopped")[-1]["state_digest"])
