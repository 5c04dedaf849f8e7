"""All broken builds, where they are broken, and who is known to catch them, the fastest first."""

from __future__ import annotations

from attrs import frozen

from tools.proof.disk.broken import BUILDS
from tools.proof.mutants import engine_builds
from tools.proof.processes.broken import BROKEN


@frozen
class Catcher:
    """A layer and the seeds that it tries, one after another, until it notices."""

    layer: str
    seeds: tuple[int, ...] = (0,)


@frozen
class Mutant:
    """One broken build. `area` is what is broken, `what` says how."""

    name: str
    area: str
    what: str
    catchers: tuple[Catcher, ...]


def _of_engine(area: str, name: str, *catchers: Catcher) -> Mutant:
    said = (getattr(engine_builds, name).__doc__ or "").strip().split("\n")[0].removesuffix(".")
    return Mutant(name, area, said[0].lower() + said[1:], catchers)


def _worlds(*first: int) -> Catcher:
    return Catcher("worlds", (*first, *(seed for seed in range(6) if seed not in first)))


MACHINES, PROCESSES = Catcher("machines", (0, 1)), Catcher("processes", (1,))

ENGINE = (
    _of_engine("shell", "send_before_append", PROCESSES, _worlds(0)),
    _of_engine("shell", "open_gate", _worlds(73), PROCESSES),
    _of_engine("shell", "go_on_after_unknown", _worlds(0)),
    _of_engine("outbox", "send_again_under_a_new_id", _worlds(0), MACHINES),
    _of_engine("outbox", "send_twice", _worlds(0), MACHINES, PROCESSES),
    _of_engine("outbox", "send_another_quantity", _worlds(3), MACHINES),
    _of_engine("tables", "believe_a_cancel_timeout", _worlds(0)),
    _of_engine("tables", "believe_silence", _worlds(0), MACHINES, PROCESSES),
    _of_engine("tables", "book_twice", _worlds(0), MACHINES),
    _of_engine("tables", "drop_late_fills", _worlds(198)),
    _of_engine("tables", "doubt_counts_for_nothing", _worlds(0)),
    _of_engine("reconciliation", "reconcile_nothing", _worlds(0), MACHINES, PROCESSES),
    _of_engine("reconciliation", "believe_the_list", _worlds(0), MACHINES),
    _of_engine("starts", "forget_what_was_sent", _worlds(0)),
    _of_engine("starts", "forget_latches", _worlds(4)),
    _of_engine("starts", "snapshot_without_executions", _worlds(0)),
    _of_engine("books", "forget_fees", _worlds(0), MACHINES),
    _of_engine("links", "release_beside_a_twin", _worlds(1)),
    _of_engine("links", "forget_what_a_twin_executed", _worlds(1)),
    _of_engine("pauses", "trade_while_paused", _worlds(68)),
)
ALSO = {
    "late-commit": (PROCESSES,), "error-swallowed": (Catcher("compound", (0, 1)),), "no-fsync": (Catcher("compound"),),
}  # fmt: skip
"""Who else notices what is broken in the journal."""

DISK = tuple(
    Mutant(
        name, "journal.append" if build.side == "child" else "journal", build.what,
        (Catcher(build.layer, (build.seed,)), *ALSO.get(name, ())),
    )
    for name, build in BUILDS.items()
)  # fmt: skip
_IN_BOTH = {mutant.name for mutant in ENGINE}
PROCESS = tuple(
    Mutant(name, "processes", build.what, (PROCESSES,)) for name, build in BROKEN.items() if name not in _IN_BOTH
)
MUTANTS = (*DISK, *ENGINE, *PROCESS)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
