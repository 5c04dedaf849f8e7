"""How long a start takes until the present is known: with and without a snapshot, and where the time goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from engine.codec import decode_state, digest, encode_state
from engine.fold import FOLD_VERSION
from engine.state import State
from engine.values import exact_arithmetic
from journal.snapshot import read_snapshots
from tools.bench import scene
from tools.bench.floor import select_all
from tools.bench.history import write_history
from tools.bench.sheet import Scale, Sheet, ratio
from tools.bench.timing import Times, take_turns
from tools.start import Opened, open_journal

SIZES = {Scale.QUICK: (300, 200, 1), Scale.USUAL: (100_000, 90_000, 2), Scale.LONG: (1_000_000, 990_000, 2)}


def measure_start(directory: Path, scale: Scale) -> Sheet:
    """`open_journal`: lock, look, verify, fold; what only fetches the rows is the floor."""
    size, snapshot_at, rounds = SIZES[scale]
    with_snapshot, without = directory / "start", directory / "start-bare"
    state = write_history(with_snapshot, size, snapshot_at)
    shutil.copytree(with_snapshot, without)
    shutil.rmtree(without / "snapshots")
    snapshot = read_snapshots(with_snapshot / "snapshots", scene.JOURNAL_ID, FOLD_VERSION)[0]
    taken = take_turns(
        {
            "raw SELECT of all rows": lambda: select_all(with_snapshot / "journal.db"),
            "start without a snapshot": lambda: _open(without),
            f"start, snapshot and {size - snapshot_at:,} events": lambda: _open(with_snapshot),
            "of it: read the snapshot": lambda: read_snapshots(
                with_snapshot / "snapshots", scene.JOURNAL_ID, FOLD_VERSION
            ),
            "of it: decode the state": lambda: decode_state(snapshot.blob),
            "of it: digest the state, twice": _exactly(lambda: (digest(state), digest(state))),
            "running: encode the state": lambda: encode_state(state),
        },
        rounds,
        warm_up=0,
    )
    return _sheet(taken, size, state, len(snapshot.blob), _open(with_snapshot))


def _sheet(taken: dict[str, Times], size: int, state: State, blob_bytes: int, opened: Opened) -> Sheet:
    sheet = Sheet("start", f"A start on a journal of {size:,} events", ("", "ms", "× raw SELECT"))
    floor = taken["raw SELECT of all rows"].p50_us
    for name, times in taken.items():
        sheet.add(name, times.p50_us / 1_000, ratio(times.p50_us, floor))
    found = opened.found
    sheet.notes += [
        f"{len(state.orders):,} orders, {len(state.executions):,} executions in State; snapshot {blob_bytes:,} bytes",
        f"with the snapshot: {found.verified:,} events verified, {found.folded:,} folded",
        "target: at most 50 ms to the present from a snapshot and 10,000 events; 100,000 verified in at most 300 ms",
    ]
    return sheet


def _open(directory: Path) -> Opened:
    opened = open_journal(scene.configuration(directory))
    opened.journal.close()
    return opened


def _exactly(call: Callable[[], object]) -> Callable[[], object]:
    def exactly() -> object:
        with exact_arithmetic():
            return call()

    return exactly
