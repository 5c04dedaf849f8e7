"""How fast the present is read out of the past: every stage of a replay beside a raw SELECT of the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.codec import decode
from engine.fold import apply
from engine.state import Recorded, State
from engine.values import exact_arithmetic
from journal import chain
from journal.entry import Entry
from journal.journal import Reader
from tools.bench import scene
from tools.bench.floor import select_all
from tools.bench.history import write_history
from tools.bench.sheet import Scale, Sheet
from tools.bench.timing import take_turns

SIZES = {Scale.QUICK: (200, 1), Scale.USUAL: (30_000, 5), Scale.LONG: (250_000, 7)}


def measure_replay(directory: Path, scale: Scale) -> Sheet:
    """Read, verify, decode and apply: alone, and all of it."""
    size, rounds = SIZES[scale]
    place = directory / "replay"
    write_history(place, size)
    with Reader(place) as reader:
        entries = list(reader.read())
        recorded = [decode(entry) for entry in entries]
        taken = take_turns(
            {
                "raw SELECT": lambda: select_all(reader.path),
                "read": lambda: _exhaust(reader.read()),
                "read and verify": lambda: _exhaust(_verified(reader.read())),
                "verify alone": lambda: _exhaust(_verified(entries)),
                "decode alone": lambda: _exhaust(decode(entry) for entry in entries),
                "apply alone": lambda: _fold(recorded),
                "replay: all of it": lambda: _fold(decode(entry) for entry in _verified(reader.read())),
            },
            rounds,
        )
    sheet = Sheet(
        "replay",
        f"Replay of {len(entries):,} events, the chain verified",
        ("", "events/s", "of raw SELECT", "µs/event"),
        notes=["target: at least 0.17 of a raw SELECT of the same rows"],
    )
    raw = taken["raw SELECT"].per_second(len(entries))
    for name, times in taken.items():
        per_second = times.per_second(len(entries))
        sheet.add(name, per_second, per_second / raw, 1e6 / per_second)
    return sheet


def _verified(entries: Iterable[Entry]) -> Iterable[Entry]:
    return chain.verify(entries, journal_id=scene.JOURNAL_ID)


def _fold(recorded: Iterable[Recorded]) -> None:
    state = State()
    with exact_arithmetic():
        for each in recorded:
            apply(state, each)


def _exhaust(things: Iterable[object]) -> None:
    for _ in things:
        pass
