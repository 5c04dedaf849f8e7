"""A journal that can not be written: pain 1, with the real Journal on real files under a whole virtual world."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from engine.settings import Orders
from engine.values import SECOND_NS
from tests.pains.disk_log import HEAD, DiskLog, Fault
from tests.pains.small_world import (
    BTC,
    ONE,
    accepted_of,
    eager,
    engine_of,
    executed_of,
    finish,
    make_world,
    run_for,
    state_of,
    submits_of,
)
from tools.simulation.world import World

FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")
ERRORS: dict[str, Exception] = {
    "locked": sqlite3.OperationalError("database is locked"),
    "full": sqlite3.OperationalError("database or disk is full"),
    "broken": sqlite3.OperationalError("disk I/O error"),
}
BEGIN, INSERT, COMMIT = 1, 2, 3
PLACES = [
    (BEGIN, False, "locked"), (INSERT, False, "full"), (INSERT, True, "broken"),
    (COMMIT, False, "locked"), (COMMIT, False, "full"), (COMMIT, True, "broken"),
]  # fmt: skip
COMMITS_OF_A_WORLD = 12
"""A start, a fill or two and the memory between them: no world of this test commits more often before it rests."""


@pytest.fixture(autouse=True)
def _no_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journal.journal.RESERVE_BYTES", 0)


def try_fault(directory: Path, fault: Fault) -> DiskLog:
    """A world in which one commit fails; whatever is violated raises. Gives its journal."""
    world = make_world(1, {ONE: eager(most=2)}, orders=Orders(closed_kept_most=10))
    place = directory / f"{fault.commit}-{fault.statement}-{fault.after}"
    log = DiskLog(place, world.log.journal_id, fault, world.tally.left)
    world.log = log
    for _ in range(35):
        run_for(world, 0, 100)
        left = {str(request.order_id) for request in submits_of(world)}
        assert left <= requested_of(world), "sent before it was durable"
    # S3 is looked at here: the world knows of the faults of its own plan only.
    assert [problem for problem in finish(world) if not problem.startswith("S3")] == [], fault
    assert len(set(log.sent)) == log.fired, "S3: something was sent after an unknown commit"
    assert set(accepted_of(world)) <= requested_of(world), "the venue holds an order without an intent"
    assert sum(accepted_of(world).values()) == len(accepted_of(world)) <= 2
    assert world.tally.deaths.keys() == ({_death(world)} if log.fired else set())
    assert state_of(world).position(BTC).quantity == sum(f.quantity for _, f in executed_of(world).values())
    log.close()
    return log


def requested_of(world: World) -> set[str]:
    """The orders whose request is in the journal on the disk."""
    return {entry.subject for entry in world.log.entries if entry.kind == "SubmitRequested"}


def _death(world: World) -> str:
    (how,) = world.tally.deaths
    assert "unknown commit" in how
    assert world.tally.deaths[how] == 1
    return how


@pytest.mark.parametrize(("statement", "after", "error"), PLACES)
def test_pain_01_each_write_of_each_commit_can_fail(tmp_path: Path, statement: int, after: bool, error: str) -> None:
    """The order was filled at the exchange, the database was locked, the row was lost and nobody managed the position.
    Here the lock, a full disk or an I/O error meets each commit in turn, before or after the statement had its effect:
    nothing that is not on the disk has left, the process ends itself, and the next one finds the order by its id."""
    fired = 0
    for commit in range(2, COMMITS_OF_A_WORLD):
        fired += try_fault(tmp_path, Fault(commit, statement, after, ERRORS[error])).fired
    assert fired >= 8


@pytest.mark.parametrize("error", [FULL, BROKEN], ids=["ENOSPC", "EIO"])
def test_pain_01_the_head_file_can_fail_too(tmp_path: Path, error: OSError) -> None:
    """Behind the commit the head file is written: the events are durable, what they would release does not leave, and
    the next start asks about it."""
    fired = 0
    for commit in range(4, COMMITS_OF_A_WORLD, 3):
        fired += try_fault(tmp_path, Fault(commit, HEAD, True, error)).fired
    assert fired == 3


def test_pain_01_nothing_leaves_a_process_whose_commit_failed(tmp_path: Path) -> None:
    """The commit of the very first submit is kept although it raised: the order is known, in doubt, and absent."""
    world = make_world(1, {ONE: eager(most=1)})
    plain = DiskLog(tmp_path / "plain", world.log.journal_id, Fault(0, BEGIN, False, FULL))
    world.log = plain
    while not submits_of(world):
        run_for(world, 0, 10)
    requested = next(entry for entry in plain.entries if entry.kind == "SubmitRequested")
    commit = len({entry.batch for entry in plain.entries[: requested.seq]})
    plain.close()

    world = make_world(1, {ONE: eager(most=1)})
    log = DiskLog(tmp_path / "kept", world.log.journal_id, Fault(commit, COMMIT, True, ERRORS["broken"]))
    world.log = log
    while not log.fired:
        run_for(world, 0, 10)
    assert (world.tally.left, [entry.kind for entry in log.entries].count("SubmitRequested")) == ([], 1)
    run_for(world, 0, 350)
    (order,) = engine_of(world).state.orders.values()
    assert (order.status, order.exposure > 0, submits_of(world)) == ("in_doubt", True, [])
    run_for(world, 8)
    assert (accepted_of(world), state_of(world).orders[order.order_id].status) == ({}, "void")
    assert [problem for problem in finish(world, 20 * SECOND_NS) if not problem.startswith("S3")] == []
    log.close()
