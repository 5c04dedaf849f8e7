"""Layer 2: every I/O error. The k-th operation of a run fails, once or from then on, for every k that there is."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from tools.proof.disk.broken import broken_in_opener
from tools.proof.disk.children import NO_APSW, has_apsw, run_child, workspace
from tools.proof.disk.opening import Look, Opener, digest_of, hurried
from tools.proof.disk.operations import Case, Fault, Task
from tools.proof.disk.promise import Promise
from tools.proof.disk.workload import STEPS_UNDER_ERRORS
from tools.proof.outcome import Outcome

LAYER = "errors"
SURPRISE = "surprise "
KINDS = tuple(Fault(1, code, forever) for code in (errno.EIO, errno.ENOSPC) for forever in (False, True))


def try_seed(seed: int, broken: str = "", steps: int = STEPS_UNDER_ERRORS) -> Outcome:
    """Every operation of the seed's workload fails in four ways; `broken` names a build of `broken.BUILDS`."""
    if not has_apsw():
        return Outcome(layer=LAYER, seed=seed, skipped=NO_APSW)
    with workspace() as place, broken_in_opener(broken), hurried():
        directory = str(place / "recorded")
        reply = run_child(Task(kind="errors", seed=seed, steps=steps, broken=broken, directory=directory, faults=KINDS))
        opener = Opener(place / "images", reply.recordings[0].entries, reply.recordings[0].snapshots)
        trial = ErrorTrial(opener)
        for case in reply.cases:
            trial.try_case(case)
    return Outcome(
        layer=LAYER, seed=seed, cases=len(reply.cases), faults=len(reply.cases), problems=tuple(trial.problems),
        counts=trial.counts,
    )  # fmt: skip


class ErrorTrial:
    """Judges what a program did after an error, and opens what is left behind it."""

    def __init__(self, opener: Opener) -> None:
        self.problems: list[str] = []
        self.counts = dict.fromkeys(("images", "duplicates", "ended", "went on", "refused at the start"), 0)
        self._opener = opener
        self._looks: dict[bytes, Look] = {}

    def try_case(self, case: Case, start: Promise | None = None) -> None:
        """One fault."""
        promise = start or Promise()
        for mark in case.marks:
            promise = promise.after(mark)
        where = _words(case)
        self.counts["ended" if case.raised else "went on"] += 1
        self.counts["refused at the start"] += bool(case.raised) and not case.marks
        self.problems += [f"S3 taken after an unknown commit: {taken}; {where}" for taken in case.accepted]
        self.problems += [f"S1 an untyped error: {said}; {where}" for said in case.raised if said.startswith(SURPRISE)]
        for how, files in case.images.items():
            digest = digest_of(files)
            self.counts["duplicates" if digest in self._looks else "images"] += 1
            look = self._looks.get(digest) or self._opener.look(files)
            self._looks[digest] = look
            if fault := promise.fault_of(look):
                self.problems.append(f"{fault}: {look}; {where}, then {how}")


def _words(case: Case) -> str:
    often = "from then on" if case.fault.forever else "once"
    said = ", ".join(_distinct(case.raised)) or "nothing"
    return f"{errno.errorcode[case.fault.code]} {often} at operation {case.fault.number} ({case.fired}), raised {said}"


def _distinct(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(words))
