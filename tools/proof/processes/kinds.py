"""The kinds of death, as a table: each starts an engine, does its harm and leaves no engine behind."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from journal.entry import Entry
from journal.head import read_head
from journal.journal import Reader
from tools.proof.processes.disk import fill
from tools.proof.processes.nursery import Child
from tools.proof.processes.points import POINTS
from tools.proof.processes.session import KILLED, PATIENCE_SECONDS, Session, Unexpected

LOCKED, JOURNAL, DAMAGED = 75, 74, 65
STARTUP_MS = 300
STOPPING_MS = 80
DOWN_MS = 500
RACERS = (2, 4)
PAUSED_SECONDS = 0.4
POLL_SECONDS = 0.02

Kind = Callable[[Session], None]


def at_a_moment(session: Session) -> None:
    """kill -9 after some events."""
    _live_and_kill(session, session.start())


def at_a_point(point: str, session: Session) -> None:
    """kill -9 at a named point; at a moment where the strategy asks for too little to get there."""
    engine = session.start(point)
    code = session.live_until_death(engine)
    if code is None:
        _kill_at_a_moment(session, engine)
    elif code == KILLED:
        session.note_death(f"kill -9 {point}")
    else:
        raise Unexpected(f"S1: {point}: the process ended with {code} before it was killed: {engine.told()}")


def stopped_at_a_moment(session: Session) -> None:
    """SIGSTOP anywhere, for longer than the send limit; then it goes on."""
    engine = session.start()
    session.live(engine)
    _stop(session, engine)
    _wake(session, engine, "stopped and woken at a moment")
    _live_and_kill(session, engine)


def stopped_at_a_point(point: str, session: Session) -> None:
    """SIGSTOP at a named point; what was committed before it may not leave after it."""
    engine, where = _start_to_stop(session, point)
    _wake(session, engine, f"stopped and woken {where}")
    _live_and_kill(session, engine)


def second_start(session: Session) -> None:
    """While the owner is stopped another start is refused; the owner then goes on."""
    engine = session.start()
    session.wait_answer(engine)
    session.live(engine)
    _stop(session, engine)
    session.expect(session.start(), (LOCKED,), "I4: a second start while the owner is stopped")
    session.counts["second starts refused"] += 1
    _wake(session, engine, "stopped and woken at a moment")
    _live_and_kill(session, engine)


def zombie(point: str, session: Session) -> None:
    """A stopped predecessor whose lock file was taken away wakes after a takeover: it writes nothing, sends nothing."""
    engine, where = _start_to_stop(session, point)
    (session.ground.journal / "journal.lock").unlink()
    epoch = session.epoch
    successor = session.start()
    session.live_until(successor, lambda: session.epoch > epoch, "the takeover")
    _wake(session, engine, f"zombie woken {where} after a takeover")
    session.expect(engine, (JOURNAL,), "I4: a predecessor that wakes after a takeover")
    _live_and_kill(session, successor)


def race(session: Session) -> None:
    """Several start at once: one wins, the others end with 75."""
    racers = [session.start() for _ in range(session.chance.randint(*RACERS))]
    end = time.monotonic() + PATIENCE_SECONDS
    while sum(racer.poll() is None for racer in racers) > 1 and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    lost = [racer for racer in racers if racer.poll() is not None]
    for racer in lost:
        session.expect(racer, (LOCKED,), "I4: who loses a race to start")
    if len(lost) != len(racers) - 1:
        raise Unexpected(f"I4: of {len(racers)} that raced to start {len(lost)} have ended")
    session.counts["races to start"] += 1
    _live_and_kill(session, next(racer for racer in racers if racer not in lost))


def exchange(session: Session) -> None:
    """kill -9 of an exchange while the engine trades there; it comes back, and so does trading."""
    engine = session.start()
    session.live(engine)
    session.kill_exchange(session.chance.choice(session.ground.venues))
    time.sleep(session.chance.randrange(DOWN_MS) / 1_000)
    session.serve_all()
    session.live(engine)
    _live_and_kill(session, engine)


def both(session: Session) -> None:
    """kill -9 of engine and exchange, one right after the other."""
    engine = session.start()
    session.live(engine)
    first = session.chance.randrange(2)
    if first:
        session.kill(engine, "engine and exchange killed")
    session.kill_exchange(session.chance.choice(session.ground.venues))
    if not first:
        session.kill(engine, "engine and exchange killed")
    session.serve_all()


def in_a_stop(session: Session) -> None:
    """kill -9 during a clean stop."""
    engine = session.start()
    session.wait_answer(engine)
    session.live(engine)
    engine.signal(signal.SIGTERM)
    time.sleep(session.chance.randrange(STOPPING_MS) / 1_000)
    engine.signal(signal.SIGKILL)
    code = session.expect(engine, (KILLED, 0), "S1: kill -9 during a clean stop")
    session.note_death("kill -9 during a clean stop" if code else "stopped cleanly before the kill came")


def in_a_start(session: Session) -> None:
    """kill -9 within the first moments of a process."""
    engine = session.start()
    time.sleep(session.chance.randrange(STARTUP_MS) / 1_000)
    session.kill(engine, "kill -9 during start-up")


def while_paused(session: Session) -> None:
    """An operator's pause outlives kill -9; nothing new is requested until the resume."""
    engine = session.start()
    session.live(engine)
    session.order({"action": "pause", "reason": "the operator's pause must outlive a kill"})
    time.sleep(session.chance.randrange(50) / 1_000)
    session.kill(engine, "kill -9 while paused")
    engine = session.start()
    resumed = session.counts["crash loops ended by the operator"]
    session.live_until(engine, lambda: session.wait_answer(engine) in ("paused", "trading"), "a pause")
    session.live_until(engine, lambda: False, "the end of a while", PAUSED_SECONDS)
    state = session.wait_answer(engine)
    if state == "trading" and resumed == session.counts["crash loops ended by the operator"]:
        session.problems.append("O4: an operator's pause has not outlived a kill -9: the engine trades")
    session.order({"action": "resume", "reason": "enough"})
    _live_and_kill(session, engine)


def tail_lost(session: Session) -> None:
    """A copy of a killed engine's journal whose newest events are gone: its start must refuse, or pause until somebody
    has looked, and may request nothing. The journal itself goes on as it is."""
    engine = session.start()
    session.wait_answer(engine)
    session.live(engine, least=30)
    _kill_at_a_moment(session, engine)
    copy = session.ground.directory / "copy"
    lost = _copy_without_tail(session.ground.journal, copy, session.chance.randrange(100))
    if not lost:
        session.counts["copies that had lost nothing"] += 1
        return
    config = session.ground.write_engine(session.ports, copy.name, "copy.toml")
    stranger = session.start(config=config)
    _watch_copy(session, stranger, copy, lost)
    stranger.signal(signal.SIGKILL)
    stranger.wait(PATIENCE_SECONDS)
    shutil.rmtree(copy)
    session.counts["lost tails noticed"] += 1


def _copy_without_tail(journal: Path, copy: Path, percent: int) -> int:
    """Copy what a start reads, with so much of the log; how many events the copy lacks."""
    copy.mkdir(mode=0o700)
    for name in ("journal.db", "head"):
        shutil.copy(journal / name, copy)
    log = journal / "journal.db-wal"
    kept = log.read_bytes()[: log.stat().st_size * percent // 100] if log.exists() else b""
    (copy / log.name).write_bytes(kept)
    with Reader(copy) as reader:
        last = reader.last()
    head = read_head(copy / "head")
    return (head.seq if head else 0) - (last.seq if last else 0)


def _watch_copy(session: Session, stranger: Child, copy: Path, lost: int) -> None:
    """Until it has ended, or paused, or done what it must not."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if stranger.poll() is not None:
            session.expect(stranger, (DAMAGED,), "S2: a start on a journal whose tail is lost")
            return
        made = _made_by(stranger, copy)
        if any(row.kind == "TradingPaused" and json.loads(row.body)["reason"] == "lost_tail" for row in made):
            return
        if any(row.kind in ("SystemChanged", "SubmitRequested") for row in made):
            raise Unexpected(f"S2: {lost} events are lost, and a start on what is left does not pause for it")
        time.sleep(POLL_SECONDS)
    raise Unexpected(f"S2: {lost} events are lost, and a start on what is left neither refuses nor pauses")


def _made_by(process: Child, journal: Path) -> list[Entry]:
    """The events of that process's life."""
    with Reader(journal) as reader:
        rows = list(reader.read())
    for number, row in enumerate(rows):
        if row.kind == "ProcessStarted" and json.loads(row.body)["pid"] == process.pid:
            return rows[number:]
    return []


def disk_full(session: Session) -> None:
    """Nothing more can be written: the process ends itself with 74, and goes on once there is room again."""
    engine = session.start()
    session.wait_answer(engine)
    session.live(engine)
    filler = fill(session.ground.journal)
    code = session.live_until_death(engine)
    filler.unlink()
    if code is None:  # its log had room enough
        _kill_at_a_moment(session, engine)
        return
    session.expect(engine, (JOURNAL,), "S3: a full disk")
    session.note_death("full disk noticed")
    _live_and_kill(session, session.start())


def cleanly(session: Session) -> None:
    """A clean stop, so that the next start goes on from a snapshot; not a death."""
    engine = session.start()
    session.wait_answer(engine)
    session.live(engine)
    engine.signal(signal.SIGTERM)
    session.expect(engine, (0,), "S1: a clean stop")
    session.counts["stopped cleanly"] += 1


KINDS: Mapping[str, Kind] = {
    "at_a_moment": at_a_moment,
    **{point: partial(at_a_point, point) for point in POINTS},
    "stopped_at_a_moment": stopped_at_a_moment,
    **{f"stopped_{point}": partial(stopped_at_a_point, point) for point in POINTS},
    "second_start": second_start,
    "zombie_before_append": partial(zombie, "before_append"),
    "zombie_after_append": partial(zombie, "after_append"),
    "race": race,
    "exchange": exchange,
    "both": both,
    "in_a_stop": in_a_stop,
    "in_a_start": in_a_start,
    "while_paused": while_paused,
    "tail_lost": tail_lost,
    "disk_full": disk_full,
    "cleanly": cleanly,
}
"""Name: what is done."""

OFTEN = ("at_a_moment", "at_a_moment", *POINTS, "in_a_start", "both")
"""What is done most; the others are done in turns."""

LAST = ("in_a_stop", "cleanly")
"""These may leave a snapshot, after which each start checks the whole history in the background: at the end, then."""


def _live_and_kill(session: Session, engine: Child) -> None:
    session.live(engine)
    _kill_at_a_moment(session, engine)


def _kill_at_a_moment(session: Session, engine: Child) -> None:
    session.kill(engine, "kill -9 at a moment")


def _stop(session: Session, engine: Child) -> None:
    engine.signal(signal.SIGSTOP)
    session.live_until(engine, engine.is_stopped, "the engine to stop")


def _start_to_stop(session: Session, point: str) -> tuple[Child, str]:
    """An engine that has stopped itself at a named point, or is stopped at a moment where it does not get there."""
    engine = session.start(point, signal.SIGSTOP)
    if session.live_until(engine, engine.is_stopped, "the engine to stop itself", session.pace.point_seconds):
        return engine, point
    session.wait_answer(engine)
    _stop(session, engine)
    return engine, "at a moment"


def _wake(session: Session, engine: Child, how: str) -> None:
    session.hold(holds_batch="after_append" in how)
    engine.signal(signal.SIGCONT)
    session.counts[how] += 1
