"""What must hold of a journal after a clean stop, whatever happened before it."""

from __future__ import annotations

import json
from typing import Any

from engine.codec import decode, decode_state, digest
from engine.fold import FOLD_VERSION, apply
from engine.values import exact_arithmetic
from journal.journal import Reader
from journal.snapshot import read_snapshots
from tests.crash.books import stopped_digest
from tests.crash.session import Session, is_trading
from tools.proof.processes.books import Books

HASH_SEEDS = ("0", "1", "4711")
"""Each process draws its own where none is given, so the runs themselves have different ones too."""

NOT_DOMAIN = {
    "ProcessStarted", "ProcessStopped", "ConfigurationAdopted", "SystemChanged", "VenueConnected", "VenueLost",
    "SnapshotRequested", "Reconciled", "OperatorCommanded", "TradingPaused", "PauseEnded", "StateDigested",
}  # fmt: skip
"""What a start, a comparison and a stop leave behind where nothing has changed."""


def assert_replays(session: Session, books: Books, hash_seeds: tuple[str, ...] = ()) -> None:
    """The live digest is the fold's from the beginning and from the snapshot; `verify` with these hash seeds agrees."""
    live = stopped_digest(books)
    with Reader(session.journal) as reader:
        newest = read_snapshots(session.journal / "snapshots", reader.journal_id, FOLD_VERSION)[0]
    with exact_arithmetic():
        state = decode_state(newest.blob)
        assert digest(state) == newest.state_digest
        for row in books.rows[newest.seq :]:
            apply(state, decode(row))
        assert digest(state) == live
    for seed in hash_seeds:
        verdict = verify(session, PYTHONHASHSEED=seed)
        assert (verdict["ok"], verdict["state_digest"], verdict["seq"]) == (True, live, books.state.seq), verdict


def verify(session: Session, level: str = "2", **environment: str) -> dict[str, Any]:
    """`holdfast verify --json`."""
    done = session.command("verify", "--level", level, "--json", **environment)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_unchanged_by_restart(session: Session) -> None:
    """S4: one more start and stop without any change at the exchange."""
    before = session.bodies("ProcessStopped")[-1]["state_digest"]
    seq = session.seq
    process = session.start()
    session.wait_state(process, is_trading, "trading")
    assert session.stop(process) == 0
    assert session.bodies("ProcessStopped")[-1]["state_digest"] == before
    assert set(session.kinds(seq)) <= NOT_DOMAIN
