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
        if self.boot_id != boot_id():
            return False
        if self.started_ticks:
            return self.started_ticks == started_ticks(self.pid)
        return _answers(self.pid)


class Lock:
    """Held from construction until `release` or the end of the process; neither a fork nor a new program has it."""

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        """Raises `JournalLocked` when the time is over, and `OSError` where the file can't be written."""
        self.path = path
        self._file = _take(path, wait_seconds)
        _held_here.add(self)
        try:
            self._name_owner()
        except OSError:
            self.release()
            raise

    def _name_owner(self) -> None:
        # Over the old name, and only then cut: a full disk has room for that.
        text = json.dumps(Owner.this_process()._asdict(), sort_keys=True).encode() + b"\n"
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))

    def is_held(self) -> bool:
        """True while the file that was locked is still the one at that path."""
        return self._file >= 0 and _is_at(self._file, self.path)

    def release(self) -> None:
        """Let go. The file stays: unlinking it would let two owners in."""
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # also where a copy of the descriptor lives on for a moment
        self.forget()

    def forget(self) -> None:
        """Let go of the file alone, as a forked child must: the lock is its parent's."""
        _held_here.discard(self)
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


_held_here: set[Lock] = set()


def _forget_in_child() -> None:
    """A forked child shares the open file: it would hold the lock on when its parent is gone."""
    for lock in list(_held_here):
        lock.forget()


os.register_at_fork(after_in_child=_forget_in_child)


def read_owner(path: Path) -> Owner | None:
    """Who last took the lock, or None where nobody did or the file can't be read."""
    try:
        return Owner(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def is_locked(path: Path) -> bool:
    """True where some process holds the lock now, or where it can't be asked."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
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
    """When the process started, in clock ticks since boot; 0 where there is no such process, or only its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    state, *fields = stat.rpartition(")")[2].split()
    return 0 if state in "ZX" else int(fields[18])


def _answers(pid: int) -> bool:
    """For systems that do not say when a process started."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0


def _take(path: Path, wait_seconds: float) -> int:
    deadline = time.monotonic() + wait_seconds
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):  # while we waited, the directory may have been moved aside
                return file
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(file)
                raise _held(path) from None
        except OSError:
            os.close(file)
            raise
        os.close(file)
        time.sleep(RETRY_SECONDS)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except OSError:
        return False


def _held(path: Path) -> JournalLocked:
    owner = read_owner(path)
    who = f"process {owner.pid} on {owner.host}" if owner else "another process"
    return JournalLocked(
        f"{who} holds the journal",
        place=str(path),
        hint="Stop it first, or watch it with `holdfast status`.",
    )
