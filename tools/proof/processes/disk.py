"""A small file system that can be filled up, for a journal directory alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE_BYTES = 24 << 20
COMMAND_SECONDS = 60


@contextmanager
def small_disk(directory: Path) -> Iterator[str]:
    """Mount a small file system there for the while; yields why not where that can't be done, else nothing."""
    directory.mkdir(mode=0o700)
    refused = _run("mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},mode=0700", "tmpfs", str(directory))
    try:
        yield refused
    finally:
        if not refused:
            _run("umount", "--lazy", str(directory))


def fill(directory: Path) -> Path:
    """Write until nothing more can be written; gives the file, whose end is the end of it."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            free = os.statvfs(directory)
            file.write(b"\0" * max(free.f_bavail * free.f_frsize, free.f_frsize))
    return filler


def _run(*command: str) -> str:
    """What went wrong with a command; empty where nothing did."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    return f"{command[0]} is refused" if done.returncode else ""
