"""Layer 1: every crash point of the disk. Each image that a power cut can leave of a recorded run is opened."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from attrs import frozen

from tools.proof.disk.broken import broken_in_opener
from tools.proof.disk.children import NO_APSW, has_apsw, run_child, workspace
from tools.proof.disk.opening import Look, Opener, digest_of, hurried
from tools.proof.disk.operations import Recording, Task
from tools.proof.disk.power import Cut, Platter, cuts_at
from tools.proof.disk.promise import Promise, promise_of
from tools.proof.disk.workload import STEPS
from tools.proof.outcome import Outcome

LAYER = "images"
LIKE_ROT = "a whole transaction stands behind it"


@frozen
class Point:
    """A place in the recording, an image that a power cut there can leave, and what had been promised by then."""

    where: str
    cut: Cut
    promise: Promise


def try_seed(seed: int, broken: str = "", steps: int = STEPS) -> Outcome:
    """Record the workload of the seed and try each distinct image; `broken` names a build of `broken.BUILDS`."""
    if not has_apsw():
        return Outcome(layer=LAYER, seed=seed, skipped=NO_APSW)
    with workspace() as place, broken_in_opener(broken), hurried():
        reply = run_child(Task(kind="record", seed=seed, steps=steps, broken=broken, directory=str(place / "recorded")))
        tried = Trial(Opener(place / "images", reply.recordings[0].entries, reply.recordings[0].snapshots))
        tried.try_recording(reply.recordings[0], Random(f"images:{seed}"))
    return tried.outcome(LAYER, seed)


class Trial:
    """Opens each distinct image once, and holds it against every promise under which it can appear."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.problems: list[str] = []
        self.counts = dict.fromkeys(
            (
                "points",
                "images",
                "duplicates",
                "torn",
                "destroyed",
                "refused after destruction",
                "refused as rot",
                "snapshots lost",
            ),
            0,
        )
        self._looks: dict[bytes, Look] = {}
        self._judged: set[tuple[bytes, Promise]] = set()

    def try_recording(self, recording: Recording, chance: Random, start: Promise | None = None) -> None:
        """All images of one recording."""
        for point in points_of(recording, chance, start):
            self.try_point(point)
        self.counts["points"] += len(recording.operations)

    def try_point(self, point: Point) -> None:
        """Open the image, unless it is known, and judge it."""
        digest = digest_of(point.cut.files)
        look = self._looks.get(digest)
        if look is None:
            look = self._looks[digest] = self.opener.look(point.cut.files)
            self.counts["images"] += 1
            self.counts["torn"] += point.cut.is_inside
            self.counts["destroyed"] += point.cut.is_destroyed
        else:
            self.counts["duplicates"] += 1
        if (digest, point.promise) in self._judged:
            return
        self._judged.add((digest, point.promise))
        if point.cut.is_destroyed and look.refused and look.stage in ("open", "verify"):
            # A sector that had been flushed is gone: to say so is all that can be asked.
            self.counts["refused after destruction"] += 1
        elif LIKE_ROT in look.refused:
            # The next commit had arrived whole, and of the padding before it a block had not: no flush orders the two,
            # and nothing tells it from a bit that rotted in an acknowledged commit. It is refused, and said so here.
            self.counts["refused as rot"] += 1
        elif fault := point.promise.fault_of(look):
            self.problems.append(f"{fault}: {look}; {point.where}, {point.cut.how}")
        self.counts["snapshots lost"] += point.promise.snapshot not in (0, *look.snapshots) and not look.refused

    def outcome(self, layer: str, seed: int) -> Outcome:
        """The verdict."""
        images = self.counts["images"]
        return Outcome(
            layer=layer, seed=seed, cases=images, faults=images, problems=tuple(self.problems), counts=self.counts
        )


def points_of(recording: Recording, chance: Random, start: Promise | None = None) -> Iterator[Point]:
    """Every image of every prefix, with what held at that time."""
    platter = Platter(recording.files)
    before = promise_of(recording, 0, start)
    for number, operation in enumerate(recording.operations, start=1):
        platter.take(operation)
        now = promise_of(recording, number, start)
        where = f"after operation {number} ({operation})"
        for cut in cuts_at(platter, operation, chance):
            yield Point(where, cut, before if cut.is_inside else now)
        before = now
