"""Layer 4: damaged bytes. Flipped, destroyed, cut, deleted, put back from an older copy, exchanged: the same state
comes out of it, or a refusal, or the head remembers more than is there; never a silently shorter or other history.

Three states are damaged. `killed`: the head is exact, so whatever is lost must be noticed. `closed`: the same, after a
clean stop. `cut`: after a power cut the head is behind, which is normal; so damage to what the very last commit wrote
can't be told from a commit that was never flushed (counted as `unknowable`), but any other may not pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from random import Random

from attrs import frozen

from tools.proof.disk.broken import broken_in_opener
from tools.proof.disk.children import NO_APSW, has_apsw, run_child, workspace
from tools.proof.disk.opening import Look, Opener, hurried
from tools.proof.disk.operations import SECTOR_BYTES, Files, Recording, Task
from tools.proof.disk.power import Platter, overwritten
from tools.proof.disk.promise import Promise, promise_of
from tools.proof.disk.workload import STEPS
from tools.proof.outcome import Outcome

LAYER = "damage"
STRIDE = 509
"""Sizes at which a file is cut lie so far apart; each seed begins at another one, so that 509 seeds try them all."""

DATABASE, LOG, HEAD, LOCK = "journal.db", "journal.db-wal", "head", "journal.lock"
FLIPS = {DATABASE: 90, LOG: 120, HEAD: 40}
FLIPS_OF_ANOTHER = 12
NOTICED = ("open", "verify", "read", "snapshot")


@frozen
class State:
    """What is damaged. Where the head is behind, `tail` is where the bytes of the last commit begin in the log, and
    `before` the last seq before it."""

    name: str
    files: Files
    promise: Promise
    tail: int = 1 << 62
    before: int = -1


@frozen
class Damage:
    """What was done: the file, and the first byte that is not as it was."""

    how: str
    files: Files
    name: str = ""
    place: int = 0


def try_seed(seed: int, broken: str = "", steps: int = STEPS) -> Outcome:
    """Damage the states of the seed's workload; `broken` names a build of `broken.BUILDS`."""
    if not has_apsw():
        return Outcome(layer=LAYER, seed=seed, skipped=NO_APSW)
    with workspace() as place, broken_in_opener(broken), hurried():
        task = Task(kind="record", seed=seed, steps=steps, broken=broken, directory=str(place / "recorded"))
        recording = run_child(task).recordings[0]
        opener = Opener(place / "images", recording.entries, recording.snapshots)
        counts = dict.fromkeys(("same", "refused", "noticed later", "detected by the head", "unknowable"), 0)
        problems: list[str] = []
        for state, damage in damages(recording, seed):
            look = opener.look(damage.files)
            if verdict := _verdict(state, damage, look):
                counts[verdict] += 1
            else:
                problems.append(f"S2 damage is used: {look}; {state.name}: {damage.how}")
    cases = sum(counts.values()) + len(problems)
    return Outcome(layer=LAYER, seed=seed, cases=cases, faults=cases, problems=tuple(problems), counts=counts)


def _verdict(state: State, damage: Damage, look: Look) -> str:
    """The kind of outcome, or nothing where the damage was used, or came out as an error without a type."""
    if look.refused:
        return "refused" if look.stage in NOTICED else "noticed later"
    if look.surprise or look.wrong or look.count < 0 or -1 in look.snapshots:
        return ""
    if look.count == state.promise.acknowledged:
        return "same" if look.epoch > state.promise.epoch else ""
    if look.count < look.head_seq and not look.is_stranger:
        return "detected by the head"
    is_tail = damage.name == LOG and damage.place >= state.tail
    return "unknowable" if is_tail and look.count == state.before else ""


def damages(recording: Recording, seed: int) -> Iterator[tuple[State, Damage]]:
    """Everything that is tried, in order."""
    chance = Random(f"damage:{seed}")
    killed, older = states_of(recording, chance)
    cut = _behind(killed, recording)
    count = len(recording.operations)
    closed = State("closed", _at(recording, count), promise_of(recording, count))
    for state in (killed, cut, closed):
        yield from ((state, damage) for damage in _flips(state.files, chance))
        yield from ((state, damage) for damage in _destroyed(state.files, chance))
    for state in (killed, closed):
        yield from ((state, damage) for damage in _cut_short(state.files, seed))
        yield from ((state, damage) for damage in _whole_files(state.files, older))
    yield from ((killed, damage) for damage in _strangers(killed.files, chance))


def states_of(recording: Recording, chance: Random) -> tuple[State, Files]:
    """The files after a kill behind one of the later commits that stand in the log, and an older state of them."""
    points = [mark.after for mark in recording.marks if mark.kind == "acknowledged"]
    later = points[len(points) // 2 :]
    logged = [after for after in later if len(_at(recording, after).get(LOG, b"")) > 2 * SECTOR_BYTES]
    end = chance.choice(logged or later)
    older = _at(recording, chance.choice([after for after in points if after < end] or points[:1]))
    return State("killed", _at(recording, end), promise_of(recording, end)), older


def _behind(killed: State, recording: Recording) -> State:
    """The same after a power cut that lost only what the head file had not been told to keep."""
    end = max(mark.after for mark in recording.marks if promise_of(recording, mark.after) == killed.promise)
    platter = _platter(recording, end)
    kept = platter.image([operation for operation in platter.pending if operation.name != HEAD])
    begun = max(mark.after for mark in recording.marks if mark.kind == "appending" and mark.after < end)
    last = [*_platter(recording, begun).pending, *recording.operations[begun:end]]
    tail = min(operation.offset for operation in last if operation.kind == "write" and operation.name == LOG)
    before = promise_of(recording, begun).acknowledged
    files = {**killed.files, HEAD: kept.get(HEAD, b"")}
    return State("cut", files, killed.promise, tail, before)


def _at(recording: Recording, count: int) -> Files:
    platter = _platter(recording, count)
    return platter.image(platter.pending)


def _platter(recording: Recording, count: int) -> Platter:
    platter = Platter(recording.files)
    for operation in recording.operations[:count]:
        platter.take(operation)
    return platter


def _flips(files: Files, chance: Random) -> Iterator[Damage]:
    for name, content in files.items():
        for _ in range(FLIPS.get(name, FLIPS_OF_ANOTHER) if content else 0):
            place, mask = chance.randrange(len(content)), chance.choice((1, 2, 4, 8, 16, 32, 64, 128, 0xFF, 0x55))
            changed = overwritten(content, place, bytes([content[place] ^ mask]))
            yield Damage(f"byte {place} of {name} ^ {mask:#x}", {**files, name: changed}, name, place)


def _destroyed(files: Files, chance: Random) -> Iterator[Damage]:
    for name, content in files.items():
        for place in range(0, len(content), SECTOR_BYTES):
            size = min(SECTOR_BYTES, len(content) - place)
            for how, lost in (("zeros", bytes(size)), ("garbage", chance.randbytes(size))):
                changed = {**files, name: overwritten(content, place, lost)}
                yield Damage(f"{how} in sector {place} of {name}", changed, name, place)


def _cut_short(files: Files, seed: int) -> Iterator[Damage]:
    for name, content in files.items():
        for size in range(seed % STRIDE, len(content), STRIDE):
            yield Damage(f"{name} is cut to {size} bytes", {**files, name: content[:size]}, name, size)


def _whole_files(files: Files, older: Files) -> Iterator[Damage]:
    for name in files:
        yield Damage(f"{name} is gone", {other: content for other, content in files.items() if other != name}, name)
        yield Damage(f"{name} is empty", {**files, name: b""}, name)
        yield Damage(f"{name} stands in it twice", {**files, name: files[name] * 2}, name)
    for name in older.keys() & {DATABASE, LOG}:
        yield Damage(f"{name} is an older copy", {**files, name: older[name]}, name)
    both = {name: content for name, content in older.items() if name in (DATABASE, LOG)}
    rest = {name: content for name, content in files.items() if name not in (DATABASE, LOG)}
    yield Damage("database and log are older copies", {**rest, **both}, DATABASE)
    # Not the log and the head with each other: with the tail and the head both lost, nothing in the directory can know.
    for one, other in sorted(set(combinations(sorted(files), 2)) - {(HEAD, LOG)}):
        yield Damage(f"{one} and {other} are exchanged", {**files, one: files[other], other: files[one]}, one)


def _strangers(files: Files, chance: Random) -> Iterator[Damage]:
    """What may lie beside the journal without being part of it."""
    for name in (LOCK, f"{DATABASE}-shm", f"{DATABASE}.part", f"{DATABASE}.part-wal", f"{DATABASE}-journal"):
        for content in (b"", b"\0" * 100, chance.randbytes(40_000)):
            yield Damage(f"{len(content)} strange bytes in {name}", {**files, name: content}, name)
