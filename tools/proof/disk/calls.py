"""The system calls that the journal makes by itself (head, lock, snapshots, renames), led through a device.

For a process that does nothing else: `install` replaces the functions of `os` for good.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.proof.disk.device import Device

REPLACED = ("open", "close", "pwrite", "ftruncate", "fsync", "fdatasync", "rename", "unlink", "mkdir")


class Calls:
    """Stands in for the functions of `os`, and for the `open` that `pathlib` uses."""

    def __init__(self, device: Device) -> None:
        """Change `device` between two runs."""
        self.device = device
        self._names: dict[int, str] = {}
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in REPLACED}
        self._real_open = io.open

    def install(self) -> None:
        """From here on every call of this process passes."""
        for name in REPLACED:
            setattr(os, name, getattr(self, name))
        io.open = self.open_file  # type: ignore[assignment]

    def open(self, path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        """`os.open`; with options it is not the journal that asks."""
        if options:
            return int(self._real["open"](path, flags, mode, **options))
        name = self.device.name_of(path) if isinstance(path, str | os.PathLike) else None
        is_new = self.opening(name, flags & os.O_CREAT != 0)
        file: int = self._real["open"](path, flags, mode)
        self.opened(file, name, is_new)
        return file

    def opening(self, name: str | None, may_create: bool) -> bool:
        """Before a file is opened; true where it will be made."""
        if name is None:
            return False
        is_new = may_create and not (self.device.directory / name).exists()
        self.device.reach("create" if is_new else "open", name)
        return is_new

    def opened(self, file: int, name: str | None, is_new: bool) -> None:
        """After it."""
        if name is not None:
            self._names[file] = name
            if is_new:
                self.device.create(name)

    def close(self, file: int) -> None:
        """`os.close`."""
        self._names.pop(file, None)
        self._real["close"](file)

    def pwrite(self, file: int, content: bytes, offset: int) -> int:
        """`os.pwrite`."""
        name = self._names.get(file)
        if name is None:
            return int(self._real["pwrite"](file, content, offset))
        written = bytes(content)
        try:
            self.device.reach("write", name)
        except OSError as error:
            part = self.device.part_of(error, offset, len(written))
            if part:
                self._real["pwrite"](file, written[:part], offset)
                self.device.write(name, offset, written[:part])
            raise
        self.device.write(name, offset, written)
        return int(self._real["pwrite"](file, written, offset))

    def ftruncate(self, file: int, size: int) -> None:
        """`os.ftruncate`."""
        if name := self._names.get(file):
            self.device.reach("truncate", name)
            self.device.truncate(name, size)
        self._real["ftruncate"](file, size)

    def fsync(self, file: int) -> None:
        """`os.fsync`, of a file or of a folder."""
        name = self._names.get(file)
        if name is None:
            self._real["fsync"](file)
        elif (self.device.directory / name).is_dir():
            self.device.reach("sync_directory", name)
            self.device.sync_directory(name)
        else:
            self.device.reach("sync", name)
            self.device.sync(name)

    def fdatasync(self, file: int) -> None:
        """`os.fdatasync`."""
        self.fsync(file)

    def rename(self, path: Any, target: Any) -> None:
        """`os.rename`."""
        name, new = self.device.name_of(path), self.device.name_of(target)
        if name is None or new is None:
            self._real["rename"](path, target)
            return
        self.device.reach("rename", name)
        self._real["rename"](path, target)
        self.device.rename(name, new)

    def unlink(self, path: Any, **options: Any) -> None:
        """`os.unlink`; with options it is not the journal that asks."""
        if options:
            self._real["unlink"](path, **options)
            return
        name = self.device.name_of(path)
        if name is not None:
            self.device.reach("delete", name)
        self._real["unlink"](path)
        if name is not None:
            self.device.delete(name)

    def mkdir(self, path: Any, mode: int = 0o777) -> None:
        """`os.mkdir`."""
        name = self.device.name_of(path)
        is_new = name is not None and not Path(path).exists()
        if name is not None and is_new:
            self.device.reach("make_directory", name)
        self._real["mkdir"](path, mode)
        if name is not None and is_new:
            self.device.make_directory(name)

    def open_file(self, path: Any, mode: str = "r", *said: Any, **options: Any) -> Any:
        """`io.open`: files inside the directory are opened as bytes, by one that reports its writes."""
        name = self.device.name_of(path) if isinstance(path, str | os.PathLike) else None
        if name is None or mode not in ("rb", "wb"):
            return self._real_open(path, mode, *said, **options)
        is_new = self.opening(name, mode == "wb")
        raw = _Raw(path, mode, self, name)
        self.opened(raw.fileno(), name, is_new)
        if mode == "rb":
            return io.BufferedReader(raw)
        if not is_new:
            self.device.truncate(name, 0)
        return io.BufferedWriter(raw)


class _Raw(io.FileIO):
    def __init__(self, path: Any, mode: str, calls: Calls, name: str) -> None:
        super().__init__(path, mode)
        self._calls, self._of = calls, name

    def write(self, content: Any) -> int:
        written, device = bytes(content), self._calls.device
        try:
            device.reach("write", self._of)
        except OSError as error:
            part = device.part_of(error, self.tell(), len(written))
            if part:
                device.write(self._of, self.tell(), written[:part])
                super().write(written[:part])
            raise
        device.write(self._of, self.tell(), written)
        return super().write(written)

    def readinto(self, buffer: Any) -> int | None:
        self._calls.device.reach("read", self._of)
        return super().readinto(buffer)

    def readall(self) -> bytes:
        self._calls.device.reach("read", self._of)
        return super().readall()

    def close(self) -> None:
        if not self.closed:
            self._calls._names.pop(self.fileno(), None)
        super().close()
