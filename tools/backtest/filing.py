"""A backtest's journal on disk: the entries as they are in memory, in the same commits, with the same chain."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from engine.codec import encode_state
from engine.fold import FOLD_VERSION
from engine.settings import Mode
from engine.values import VenueName
from journal import errors
from journal.entry import Entry
from journal.journal import Journal, Reader
from journal.snapshot import Snapshot, sync_directory, write_snapshot
from tools.backtest.session import Played
from tools.config import ConfigurationConflict
from tools.simulation.log import MemoryLog
from tools.start import move_aside

LEDGER = "ledger"


class NotTheSame(Exception):
    """What was written is not what was played: a bug, never the user's fault."""


def write_journal(played: Played, directory: Path) -> Path | None:
    """Write the journal and the exchanges' ledgers below a directory, or leave the same ones that are there.

    What else is there is moved aside, and where to is returned; nothing is deleted. Raises `ConfigurationConflict`
    where the directory belongs to paper or live, and what `journal.journal.Journal` raises.
    """
    if _is_there(played, directory):
        return None
    aside = move_aside(directory)
    for number, (name, ledger) in enumerate(played.ledgers.items()):
        _write(directory / "exchange", ledger_file(number, name), ledger, {}, played.first_ns)
    meta: dict[str, str | int] = {"mode": str(Mode.BACKTEST), "segment": 1, "base_seq": 0, "base_chain": ""}
    _write(directory, "journal", played.log, meta, played.first_ns)
    last = played.entries[-1]
    snapshot = Snapshot(
        played.log.journal_id, last.seq, last.chain.hex(), played.state_digest, FOLD_VERSION, encode_state(played.state)
    )
    write_snapshot(directory / "snapshots", snapshot)
    return aside


def ledger_file(number: int, venue: VenueName) -> str:
    """The name of an exchange's ledger: that of a run for the first, with the venue's name behind it for the others."""
    return LEDGER if number == 0 else f"{LEDGER}-{venue}"


def _is_there(played: Played, directory: Path) -> bool:
    """Does the directory hold this very journal? Raises `ConfigurationConflict` for one of another mode."""
    try:
        with Reader(directory) as reader:
            mode, last = reader.meta["mode"], reader.last()
    except errors.JournalMissing:
        return False
    if mode != Mode.BACKTEST:
        raise ConfigurationConflict(
            f"the journal in {directory} is bound to mode {mode}; name another directory with --journal"
        )
    return last is not None and (last.seq, last.chain) == (played.log.seq, played.log.chain)


def _write(directory: Path, name: str, log: MemoryLog, meta: dict[str, str | int], at_ns: int) -> None:
    """One file in one go: it is flushed at the end, because a backtest that is cut off is simply played again."""
    identity = {"journal_id": log.journal_id, "created_ns": at_ns, **meta}
    journal = Journal(directory, name=name, identity=identity, at_ns=at_ns, durable=False)
    try:
        journal.claim(at_ns)
        for batch in _batches(log.entries):
            journal.append(batch)
            journal.checkpoint()
        if (journal.seq, journal.chain) != (log.seq, log.chain):
            raise NotTheSame(f"{journal.path} ends with {journal.chain.hex()}, the backtest with {log.chain.hex()}")
    finally:
        journal.close()
    with journal.path.open("rb+") as file:
        os.fsync(file.fileno())
    sync_directory(directory)


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries of each commit."""
    for _, batch in groupby(entries, key=attrgetter("batch")):
        yield list(batch)
