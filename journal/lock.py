"""The writer's lock: `flock` on a file of its own, which names its owner.

Never on the database: closing any descriptor of a database by hand drops the locks that SQLite holds on it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

from journal.errors import JournalLocked

WAIT_SECONDS = 2.0
RETRY_SECONDS = 0.05


class Owner(NamedTuple):
    """Who holds the lock: enough to be sure that a pid is still the same process."""

    pid: int
    boot_id: str
    started_ticks: int
    host: str

    @classmethod
    def this_process(cls) -> Owner:
        """The calling process."""
        return cls(os.getpid(), boot_id(), started_ticks(os.getpid()), os.uname().nodename)

    def is_alive(self) -> bool:
        """True where this very process still runs on this machine."""
        return self.boot_id == boot_id() and self.started_ticks == started_ticks(self.pid)


class Lock:
    """Held from construction until `release` or the end of the process; children do not inherit it."""

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(self._file, path, wait_seconds)
        except JournalLocked:
            os.close(self._file)
            raise
        text = json.dumps(Owner.this_process()._asdict(), sort_keys=True).encode() + b"\n"
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text, 0)

    def is_held(self) -> bool:
        """True while the file that was locked is still the one at that path."""
        try:
            there, here = os.stat(self.path), os.fstat(self._file)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def release(self) -> None:
        """Let go. The file stays: unlinking it would let two owners in."""
        os.close(self._file)


def read_owner(path: Path) -> Owner | None:
    """Who last took the lock, or None where nobody did or the file can't be read."""
    try:
        return Owner(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def is_locked(path: Path) -> bool:
    """True where some process holds the lock now."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def boot_id() -> str:
    """Changes with each boot of the machine, so that a pid of an earlier boot is not taken for a living one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def started_ticks(pid: int) -> int:
    """When the process started, in clock ticks since boot; 0 where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])


def _take(file: int, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _held(path) from None
            time.sleep(RETRY_SECONDS)


def _held(path: Path) -> JournalLocked:
    owner = read_owner(path)
    who = f"process {owner.pid} on {owner.host}" if owner else "another process"
    return JournalLocked(
        f"{who} holds the journal",
        place=str(path),
        hint="Stop it first, or watch it with `holdfast status`.",
    )
