"""Starts the child process in which apsw may be loaded, and finds a place for the files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.proof.disk.operations import Reply, Task, decode_reply, encode

ROOT = Path(__file__).parents[3]
MEMORY = Path("/dev/shm")
NO_APSW = "apsw is not installed"


def has_apsw() -> bool:
    """True where a recording can be made; apsw is looked for, not loaded."""
    return find_spec("apsw") is not None


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory in memory where there is such a place: the device's own reliability is not what is tried here."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="holdfast-disk-", dir=memory) as place:
        yield Path(place).resolve()


def run_child(task: Task) -> Reply:
    """Have a task done; raises `RuntimeError` with what the child said where it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.proof.disk.recorder"],
        input=encode(task),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
    )
    if done.returncode:
        raise RuntimeError(f"the recording process ended with {done.returncode}: {done.stderr.decode()[-2_000:]}")
    return decode_reply(done.stdout)
