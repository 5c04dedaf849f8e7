"""kill -9 of a run whose exchange is embedded: both die together, again and again, and agree to the last decimal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.crash.books import assert_equal, read_books
from tests.crash.checks import HASH_SEEDS, assert_replays, assert_unchanged_by_restart
from tests.crash.session import EVENTS_MOST, FAULTS, Session, configured, is_calm, session_in

KILLS = 5


@pytest.mark.parametrize(
    ("faults", "seed"),
    [
        *(pytest.param("", seed, id=f"clean-{seed}") for seed in range(5)),
        *(pytest.param(FAULTS, seed, id=f"faults-{seed}") for seed in range(3)),
    ],
)
def test_killed_again_and_again(tmp_path: Path, faults: str, seed: int) -> None:
    chance = Random(f"{seed} {faults}")
    venue = f'seed = {seed}\nlatency = "{chance.choice((5, 25, 50))}ms"\nrequest_timeout = "200ms"'
    with session_in(tmp_path) as session:
        session.configure(configured(venue=venue, rest=faults.format(seed=seed)))
        for _ in range(KILLS):
            _kill_once(session, chance)
        # Without faults and without new orders everything is settled within bounded time: the liveness phase.
        session.configure(configured(venue=venue, quiet=True))
        process = session.start()
        session.wait_state(process, is_calm, "everything to be settled")
        assert session.stop(process) == 0
        _check(session, HASH_SEEDS if seed == 0 else ())
        if seed == 0:
            assert_unchanged_by_restart(session)


def _kill_once(session: Session, chance: Random) -> None:
    seq = session.seq
    process = session.start()
    session.wait_seq(process, seq + chance.randint(1, EVENTS_MOST))
    session.kill(process)


def _check(session: Session, hash_seeds: tuple[str, ...]) -> None:
    books = read_books(session.journal, session.journal / "exchange")
    assert_equal(books)
    kinds = Counter(row.kind for row in books.rows)
    assert kinds["ProcessStarted"] == KILLS + 1
    assert kinds["ProcessStopped"] == 1
    assert min(kinds["FillBooked"], kinds["CancelRequested"] + kinds["ReplaceRequested"]) > 0, kinds
    assert_replays(session, books, hash_seeds)
