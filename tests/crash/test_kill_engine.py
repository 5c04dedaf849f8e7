"""kill -9 of the engine, of an exchange in a process of its own, and of both: a real socket lies between them."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.crash.dying import POINTS
from tests.crash.pair import Pair
from tests.crash.session import EVENTS_MOST, FAULTS, PATIENCE_SECONDS, Process, Session, is_trading, session_in

KILLS = 5
DEATHS = 3
"""At each of the named points."""


def _pair(session: Session, seed: int, chance: Random, faults: str = "") -> Pair:
    latency = chance.choice((5, 25, 50))
    return Pair(session, f'seed = {seed}\nlatency = "{latency}ms"\nrequest_timeout = "200ms"', faults)


@pytest.mark.parametrize("seed", range(5))
def test_the_engine_is_killed(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with session_in(tmp_path) as session:
        pair = _pair(session, seed, chance, FAULTS.format(seed=seed) if seed % 2 else "")
        for _ in range(KILLS):
            seq = session.seq
            engine = session.start()
            session.wait_seq(engine, seq + chance.randint(1, EVENTS_MOST))
            session.kill(engine)
        kinds = pair.finish()
    assert kinds["ProcessStarted"] == KILLS + 1
    assert kinds["FillBooked"] > 0, kinds


@pytest.mark.parametrize("point", POINTS)
def test_the_engine_dies_around_a_commit(tmp_path: Path, point: str) -> None:
    chance = Random(point)
    with session_in(tmp_path) as session:
        pair = _pair(session, 1, chance)
        for _ in range(DEATHS):
            engine = session.start_to_die(point, chance.randint(1, 25))
            _wait_death(session, engine)
        kinds = pair.finish()
    assert kinds["ProcessStarted"] == DEATHS + 1
    if point == "after_append":  # what was requested and never left is unknown at the next start, each time
        assert kinds["OutcomeUnknown"] >= DEATHS


def _wait_death(session: Session, engine: Process) -> None:
    try:
        code = engine.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired as error:
        pauses = [*session.state().pauses.values()]
        raise AssertionError(f"it goes on without requesting enough, paused by {pauses}") from error
    assert code == -signal.SIGKILL, session.told()


@pytest.mark.parametrize("seed", range(2))
def test_the_exchange_is_killed_alone_and_with_the_engine(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with session_in(tmp_path) as session:
        pair = _pair(session, seed, chance)
        engine = session.start()
        for number in range(KILLS):
            session.wait_seq(engine, session.seq + chance.randint(40, EVENTS_MOST))
            session.kill(pair.exchange)
            if number % 2:
                session.kill(engine)
            pair.serve_again()
            if number % 2:
                engine = session.start()
            session.wait_state(engine, is_trading, "trading with the exchange that is back")
        assert session.stop(engine) == 0
        kinds = pair.finish()
    assert kinds["VenueLost"] >= KILLS // 2


def test_an_outage_longer_than_the_start_limit_does_not_end_an_unattended_run(tmp_path: Path) -> None:
    """69 is for a start that reaches nobody; a run waits, paused with the reason, and goes on by itself."""
    with session_in(tmp_path) as session:
        pair = _pair(session, 0, Random(0))
        limited = session.config.read_text().replace("[reconcile]", '[reconcile]\nstart_limit = "1s"')
        session.config.write_text(limited)
        engine = session.start()
        session.wait_state(engine, is_trading, "trading")
        session.kill(pair.exchange)
        session.wait_state(engine, lambda state: state.system_reason == "no_venue", "a pause for want of a venue")
        pair.serve_again()
        session.wait_state(engine, is_trading, "trading with the exchange that is back")
        assert session.stop(engine) == 0
        pair.finish()
