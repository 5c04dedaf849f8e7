"""After a start from a short cut: verify and fold the journal from its beginning, in a process of its own.

The fold of the whole must give the digest of the short cut, and every digest journaled on the way.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from engine import events
from engine.codec import decode, digest
from engine.fold import FOLD_VERSION, apply
from engine.state import State
from engine.values import exact_arithmetic
from journal import chain
from journal.errors import JournalError
from journal.journal import Reader

PRIORITY = 10
LOOK_SECONDS = 0.2
LOOK_EVENTS = 5_000


def recheck(journal: Path, upto_seq: int, state_digest: str, is_over: Callable[[], bool]) -> str:
    """What is wrong with the history up to a seq; empty if nothing is, or if the run `is_over` before it is known.

    Runs a child at low priority; it does not outlive the run.
    """
    command = [sys.executable, "-m", "tools.recheck", str(journal), str(upto_seq), state_digest]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        while True:
            try:
                said, failed = child.communicate(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if is_over():
                    child.terminate()
                    return ""
            else:
                problem = said.strip() or f"the check itself failed: {failed.strip()[-1_000:]}"
                return problem if child.returncode else ""


def find_problem(journal: Path, upto_seq: int, state_digest: str) -> str:
    """The same, in this process."""
    state, parent = State(), os.getppid()
    try:
        with Reader(journal) as reader, exact_arithmetic():
            entries = reader.read(0, upto_seq)
            for entry in chain.verify(entries, journal_id=reader.journal_id):
                recorded = decode(entry)
                if entry.seq % LOOK_EVENTS == 0 and os.getppid() != parent:
                    return ""  # whoever asked is gone
                if problem := _digest_problem(state, recorded.event):
                    return problem
                apply(state, recorded)
    except JournalError as error:
        return str(error)
    found = digest(state)
    if found != state_digest:
        return f"the fold from the beginning gives {found[:16]} at seq {state.seq}, the short cut {state_digest[:16]}"
    return ""


def _digest_problem(state: State, event: events.Event) -> str:
    """Does a journaled digest differ from the fold before it?"""
    if not isinstance(event, events.ProcessStopped | events.StateDigested) or event.fold_version != FOLD_VERSION:
        return ""
    found = digest(state)
    if found == event.state_digest:
        return ""
    return f"seq {state.seq + 1} says digest {event.state_digest[:16]}, the fold gives {found[:16]}"


def main() -> int:
    """`python -m tools.recheck DIRECTORY SEQ DIGEST`: prints the problem, exits 1 if there is one."""
    os.nice(PRIORITY)
    problem = find_problem(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    sys.stdout.write(problem + "\n")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
