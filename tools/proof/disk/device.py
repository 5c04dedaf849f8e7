"""The one place through which a recorded run changes its directory: here changes are noted down, and made to fail."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tools.proof.disk.operations import BLOCK_BYTES, Fault, Files, Mark, Operation

UNRECORDED = frozenset({"journal.lock", "reserve"})
"""Not part of what must survive: the lock dies with its process, and the reserve is empty space."""

SPACE = frozenset({"create", "write", "truncate", "sync", "rename", "make_directory", "sync_directory"})
"""What a full disk can refuse."""

CHANGES = SPACE | {"delete"}


class Device:
    """A directory, what was done to it so far, and the fault that waits for one of its operations."""

    def __init__(self, directory: Path, files: Files | None = None, fault: Fault | None = None) -> None:
        """`files` are what lies there already, durably."""
        self.directory = directory
        self.operations: list[Operation] = []
        self.marks: list[Mark] = []
        self.fault = fault
        self.fired = ""
        self.is_dead = False
        self._reached = 0
        self._numbers = {name: number for number, name in enumerate(files or {}, start=1)}
        self._made = len(self._numbers)

    def name_of(self, path: str | os.PathLike[str]) -> str | None:
        """The name inside the directory (`.` is the directory itself), or None for what lies elsewhere."""
        place = Path(os.path.abspath(path))
        return str(place.relative_to(self.directory)) if place.is_relative_to(self.directory) else None

    def mark(self, kind: str, *, seq: int = 0, epoch: int = 0) -> None:
        """Note what the program knows now."""
        self.marks.append(Mark(kind, len(self.operations), seq, epoch))

    def reach(self, kind: str, name: str) -> None:
        """Raises `OSError` where this operation is the one that fails, and where the process is dead already."""
        if self.is_dead and kind in CHANGES:
            raise OSError(errno.EIO, "the process is dead")
        fault = self.fault
        if fault is None or (fault.code == errno.ENOSPC and kind not in SPACE):
            return
        self._reached += 1
        if self._reached == fault.number or (fault.forever and self._reached > fault.number):
            self.fired = self.fired or f"{kind} {name}"
            raise OSError(fault.code, os.strerror(fault.code))

    def part_of(self, error: OSError, offset: int, size: int) -> int:
        """How many bytes of a write that failed reached the file: half of its blocks where the disk became full."""
        if error.errno != errno.ENOSPC:
            return 0
        return max(0, (offset + size // 2) // BLOCK_BYTES * BLOCK_BYTES - offset)

    def create(self, name: str) -> None:
        """A file of that name came into being."""
        self._made += 1
        self._numbers[name] = self._made
        self._note(Operation("create", name, self._made))

    def write(self, name: str, offset: int, content: bytes) -> None:
        """Bytes were written; they are durable only after `sync`."""
        self._note(Operation("write", name, self._numbers.get(name, 0), offset, content))

    def truncate(self, name: str, size: int) -> None:
        """The file got another size."""
        self._note(Operation("truncate", name, self._numbers.get(name, 0), size))

    def sync(self, name: str) -> None:
        """What was written to the file is durable."""
        self._note(Operation("sync", name, self._numbers.get(name, 0)))

    def rename(self, name: str, target: str) -> None:
        """The file has another name."""
        self._numbers[target] = self._numbers.pop(name)
        self._note(Operation("rename", name, target=target))

    def delete(self, name: str) -> None:
        """The name is gone."""
        self._numbers.pop(name, None)
        self._note(Operation("delete", name))

    def make_directory(self, name: str) -> None:
        """There is a new folder."""
        self._note(Operation("make_directory", name))

    def sync_directory(self, name: str) -> None:
        """The names in that folder are durable."""
        self._note(Operation("sync_directory", name))

    def _note(self, operation: Operation) -> None:
        if operation.name not in UNRECORDED:
            self.operations.append(operation)


def read_files(directory: Path) -> Files:
    """Everything that outlives a process: not the shared memory, the lock and the reserve."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in UNRECORDED and not path.name.endswith("-shm")
    }


def write_files(directory: Path, files: Files) -> None:
    """Lay files out in an empty directory."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
