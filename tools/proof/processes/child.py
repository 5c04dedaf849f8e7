"""What a forked process becomes: a `holdfast` command, dying at a named point perhaps, perhaps a broken build."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack

from tools.cli import run_command
from tools.proof.processes.broken import BROKEN
from tools.proof.processes.nursery import Asked
from tools.proof.processes.points import strike_at


def _take_out(name: str) -> None:
    """Break this process: a build of this layer, of the engine or of the journal. Raises `KeyError`."""
    if name in BROKEN:
        BROKEN[name].patch()
        return
    from tools.proof.disk.broken import BUILDS
    from tools.proof.mutants import engine_builds

    if hasattr(engine_builds, name):
        getattr(engine_builds, name)()
    else:
        BUILDS[name].patches(ExitStack())


def become(asked: Asked) -> int:
    """Carry the command line out in this process; gives its exit code."""
    sys.path += asked.paths
    if asked.broken:
        _take_out(asked.broken)
    if asked.point:
        strike_at(asked.point, asked.number, signal.Signals(asked.signal))
    return run_command(list(asked.arguments))
