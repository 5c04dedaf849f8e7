"""A disk that fills up: a pause while there is room to say so, the end of the process when there is none."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash.pair import Pair
from tests.crash.session import PATIENCE_SECONDS, Session, is_trading, session_in

MEGABYTE = 1 << 20
SIZE = 24 * MEGABYTE
VENUE = 'seed = 6\nlatency = "2ms"\nrequest_timeout = "200ms"'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system for the journal directory alone; the exchange's books lie beside it."""
    mounted = tmp_path / "run"
    mounted.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(mounted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    except FileNotFoundError as error:
        pytest.skip(f"a small file system can't be made here: {error}")
    if done.returncode:
        pytest.skip(f"a small file system can't be made here: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", "--lazy", str(mounted)], check=True, timeout=PATIENCE_SECONDS)


def _fill(disk: Path, left_bytes: int) -> Path:
    filler = disk / "filler"
    found = subprocess.run(["df", "--output=avail", "-B1", str(disk)], capture_output=True, text=True, check=True)
    with filler.open("wb") as file, suppress(OSError):  # the engine may have taken some of it meanwhile
        file.write(b"\0" * (int(found.stdout.split()[1]) - left_bytes))
    return filler


def _pair(session: Session, min_free_bytes: int) -> Pair:
    return Pair(session, VENUE, rest=f"[disk]\nmin_free_bytes = {min_free_bytes}")


def test_trading_pauses_while_there_is_room(disk: Path, tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        pair = _pair(session, 8 * MEGABYTE)
        engine = session.start()
        session.wait_seq(engine, 100)
        filler = _fill(disk, 4 * MEGABYTE)
        session.wait_state(engine, lambda state: state.system == "paused", "a pause")
        assert session.state().system_reason == "disk_low"
        filler.unlink()
        session.wait_state(engine, is_trading, "trading again")
        session.wait_seq(engine, session.seq + 50)
        assert session.stop(engine) == 0
        pair.finish()


def test_the_process_ends_when_nothing_can_be_written(disk: Path, tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        pair = _pair(session, 0)
        engine = session.start()
        session.wait_seq(engine, 100)
        filler = _fill(disk, 0)
        assert engine.wait(PATIENCE_SECONDS) == 74, session.told()
        assert "outcome is unknown" in session.told()
        filler.unlink()
        engine = session.start()
        session.wait_state(engine, is_trading, "trading again")
        assert session.stop(engine) == 0
        kinds = pair.finish()
        assert kinds["ProcessStarted"] == 3
