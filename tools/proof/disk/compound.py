"""Layer 3: a crash, or an error, during the recovery from a crash."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from random import Random

from attrs import evolve

from tools.proof.disk.broken import broken_in_opener
from tools.proof.disk.children import NO_APSW, has_apsw, run_child, workspace
from tools.proof.disk.errors import ErrorTrial
from tools.proof.disk.images import Point, Trial, points_of
from tools.proof.disk.opening import Opener, hurried
from tools.proof.disk.operations import Fault, Recording, Reply, Task
from tools.proof.disk.promise import Promise
from tools.proof.disk.workload import STEPS
from tools.proof.outcome import Outcome

LAYER = "compound"
STRIDE = 3
"""Of the operations of a recovery that fail: every third, another third with each seed."""


def try_seed(seed: int, broken: str = "", steps: int = STEPS) -> Outcome:
    """Recover from three crashes of the seed's workload, and crash, or fail, anywhere in that."""
    if not has_apsw():
        return Outcome(layer=LAYER, seed=seed, skipped=NO_APSW)
    chance = Random(f"compound:{seed}")
    with workspace() as place, broken_in_opener(broken), hurried():
        task = Task(kind="record", seed=seed, steps=steps, broken=broken, directory=str(place / "recorded"))
        bases = choose(run_child(task).recordings[0], chance)
        images = [base.cut.files for base in bases]
        compound = _Compound(place / "images", bases)
        recoveries = run_child(evolve(task, kind="recover", images=images)).recordings
        for base, recording in zip(bases, recoveries, strict=True):
            compound.try_crashes(base, recording, chance)
        kinds = [Fault(1 + (seed + n) % STRIDE, *kind, STRIDE) for n, kind in enumerate(_KINDS)]
        compound.try_errors(bases[0], run_child(evolve(task, kind="errors", images=images[:1], faults=kinds)))
    return compound.outcome(seed)


_KINDS = ((errno.EIO, False), (errno.ENOSPC, True))


def choose(recording: Recording, chance: Random) -> list[Point]:
    """Two crashes inside a write to the log, and one anywhere; none that took a flushed sector with it."""
    points = [point for point in points_of(recording, Random(0)) if not point.cut.is_destroyed]
    torn = [point for point in points if point.cut.is_inside and "write journal.db-wal" in point.where]
    return [*chance.sample(torn, 2), chance.choice(points)]


class _Compound:
    def __init__(self, place: Path, bases: Sequence[Point]) -> None:
        self.problems: list[str] = []
        self.cases = 0
        self.counts = {"recoveries": 0, "recoveries refused": 0, "images": 0, "duplicates": 0, "errors": 0}
        self._place = place
        self._bases = bases

    def try_crashes(self, base: Point, recording: Recording, chance: Random) -> None:
        """Every image of a recovery."""
        if not recording.marks:
            self.counts["recoveries refused"] += 1
            self.problems.append(f"S2 a recovery is refused; {base.where}, {base.cut.how}")
            return
        self.counts["recoveries"] += 1
        trial = Trial(Opener(self._place, recording.entries, recording.snapshots))
        trial.try_recording(recording, chance, self._start(base, recording))
        self._add(base, trial.problems)
        for name in ("images", "duplicates"):
            self.counts[name] += trial.counts[name]
        self.cases += trial.counts["images"]

    def try_errors(self, base: Point, reply: Reply) -> None:
        """Some of a recovery's operations fail."""
        recording = reply.recordings[0]
        if not recording.marks:
            return
        trial = ErrorTrial(Opener(self._place, recording.entries, recording.snapshots))
        for case in reply.cases:
            trial.try_case(case, self._start(base, recording))
        self._add(base, trial.problems)
        self.counts["errors"] += len(reply.cases)
        self.cases += len(reply.cases)

    def _start(self, base: Point, recording: Recording) -> Promise:
        """What the crash promised; what the recovery found at its start must be that."""
        found = recording.marks[0].seq
        if found not in (base.promise.acknowledged, base.promise.attempted):
            self.problems.append(f"I1 the recovery found {found} entries; {base.where}, {base.cut.how}")
        return evolve(base.promise, snapshot=0)

    def _add(self, base: Point, problems: Sequence[str]) -> None:
        self.problems += [f"{problem}; recovering from: {base.where}, {base.cut.how}" for problem in problems]

    def outcome(self, seed: int) -> Outcome:
        """The verdict."""
        return Outcome(
            layer=LAYER, seed=seed, cases=self.cases, faults=self.cases + self.counts["recoveries"],
            problems=tuple(self.problems), counts=self.counts,
        )  # fmt: skip
