"""What it costs to make events durable: one decision at a time, and a hundred or a thousand events in one commit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain as chained
from itertools import islice
from pathlib import Path
from typing import TypeVar

from engine.codec import encode
from engine.ports import Draft
from journal import chain
from journal.journal import Journal
from tools.bench import scene
from tools.bench.floor import BareTable, rows_of
from tools.bench.ground import write_through
from tools.bench.history import Commit, History
from tools.bench.sheet import Scale, Sheet, ratio
from tools.bench.timing import Times, take_turns

ROUNDS = {Scale.QUICK: 5, Scale.USUAL: 1_500, Scale.LONG: 10_000}
GROUPS = {
    Scale.QUICK: ((10, 2),),
    Scale.USUAL: ((100, 60), (1_000, 15)),
    Scale.LONG: ((100, 400), (1_000, 100), (10_000, 10)),
}
WARM_UP = 5

Thing = TypeVar("Thing")


def measure_decision(directory: Path, scale: Scale) -> Sheet:
    """An intent, its request and the strategy's memory: encoded, chained, committed, flushed."""
    rounds = ROUNDS[scale]
    history = History()
    start = [encode(recorded) for commit in history.begin() for recorded in commit]
    commits = [history.decision(number) for number in range(rounds + WARM_UP)]
    drafts = [[encode(recorded) for recorded in commit] for commit in commits]
    with _journal(directory / "decision") as journal, _file(directory / "decision.log") as file:
        journal.append(start)
        one, same = BareTable(directory / "one.db"), BareTable(directory / "same.db")
        taken = take_turns(
            {
                "holdfast": _each(commits, lambda commit: journal.append([encode(recorded) for recorded in commit])),
                "sqlite3, one row": _each([rows_of(each[:1]) for each in drafts], one.insert),
                "sqlite3, same rows": _each([rows_of(each) for each in drafts], same.insert),
                "write + fdatasync": _each([_bytes(each) for each in drafts], lambda data: write_through(file, data)),
                "encode and chain alone": _each(commits, _encode_and_chain),
            },
            rounds,
            WARM_UP,
        )
        one.close()
        same.close()
    return _decision_sheet(taken, rounds, drafts)


def _decision_sheet(taken: dict[str, Times], rounds: int, drafts: list[list[Draft]]) -> Sheet:
    sheet = Sheet(
        "decision",
        f"One decision made durable: {len(drafts[0])} events, {len(_bytes(drafts[0])):,} bytes, {rounds:,} times",
        ("", "p50 µs", "p99 µs", "× one row", "× same rows", "× fdatasync"),
    )
    floors = [taken[name].p50_us for name in ("sqlite3, one row", "sqlite3, same rows", "write + fdatasync")]
    for name, times in taken.items():
        sheet.add(name, times.p50_us, times.p99_us, *(ratio(times.p50_us, floor) for floor in floors))
    sheet.notes.append("target: at most 1.10 × one bare row, at most 2.0 × write + fdatasync")
    return sheet


def measure_group(directory: Path, scale: Scale) -> Sheet:
    """Many events in one commit, beside `executemany` of the same rows, ready made."""
    sheet = Sheet(
        "group",
        "Group commit: many events in one transaction",
        ("", "events", "p50 ms", "events/s", "of bare", "µs/event"),
        notes=["target: at least 0.75 of bare executemany"],
    )
    for size, rounds in GROUPS[scale]:
        taken = _time_groups(directory / f"group-{size}", size, rounds)
        bare = taken["bare executemany"].per_second(size)
        for name, times in taken.items():
            per_second = times.per_second(size)
            sheet.add(name, size, times.p50_us / 1_000, per_second, per_second / bare, 1e6 / per_second)
    return sheet


def _time_groups(directory: Path, size: int, rounds: int) -> dict[str, Times]:
    directory.mkdir()
    stream = chained.from_iterable(History().commits((rounds + 1) * size))
    groups: list[Commit] = [list(islice(stream, size)) for _ in range(rounds + 1)]
    drafts = [[encode(recorded) for recorded in group] for group in groups]
    rows = [rows_of(each) for each in drafts]
    bare, guarded = BareTable(directory / "bare.db"), BareTable(directory / "guarded.db", guarded=True)
    with _journal(directory / "journal") as journal:
        taken = take_turns(
            {
                "holdfast": _each(groups, lambda group: journal.append([encode(recorded) for recorded in group])),
                "bare executemany": _each(rows, bare.insert),
                "bare, with our triggers": _each(rows, guarded.insert),
                "encode alone": _each(groups, lambda group: [encode(recorded) for recorded in group]),
                "check and chain alone": _each(drafts, _chain),
            },
            rounds,
        )
    bare.close()
    guarded.close()
    return taken


def _encode_and_chain(commit: Commit) -> None:
    _chain([encode(recorded) for recorded in commit])


def _chain(drafts: Sequence[Draft]) -> None:
    previous = b""
    for draft in drafts:
        chain.check_body(draft.kind, draft.body)
        head = chain.head_line(
            draft.seq, draft.seq, 1, draft.at_ns, draft.kind, draft.version, draft.subject, draft.cause
        )
        previous = chain.next_chain(previous, head, draft.body)


def _each(things: Sequence[Thing], act: Callable[[Thing], object]) -> Callable[[], object]:
    """A call that takes the next of the things each time."""
    remaining = iter(things)
    return lambda: act(next(remaining))


def _bytes(drafts: Sequence[Draft]) -> bytes:
    return "\n".join(draft.body for draft in drafts).encode()


@contextmanager
def _journal(directory: Path) -> Iterator[Journal]:
    journal = Journal(directory, identity=scene.identity(), at_ns=scene.START_NS)
    journal.claim(scene.START_NS)
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def _file(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield file
    finally:
        os.close(file)
