"""A module that stands in for `sqlite3`, over apsw, so that every file operation of SQLite passes through a device.

For a child process only, and before the journal is imported there: two SQLite libraries on one file in one process
corrupt it. Only what the journal uses is here.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

import apsw

from tools.proof.disk.calls import Calls
from tools.proof.disk.device import Device


class Error(Exception):
    """What went wrong; `sqlite_errorcode` as SQLite numbers it."""

    sqlite_errorcode = 0


class InterfaceError(Error):
    """The library was used wrongly."""


class DatabaseError(Error):
    """The database is not as it should be."""


class OperationalError(DatabaseError):
    """Something around the database refused."""


class IntegrityError(DatabaseError):
    """A constraint or a trigger refused."""


class NotSupportedError(DatabaseError):
    """This library can't do that."""


_BY_CODE: dict[int, type[Error]] = {
    **dict.fromkeys((apsw.SQLITE_CORRUPT, apsw.SQLITE_NOTADB), DatabaseError),
    **dict.fromkeys((apsw.SQLITE_CONSTRAINT, apsw.SQLITE_MISMATCH), IntegrityError),
    apsw.SQLITE_MISUSE: InterfaceError,
}

_ON_FAILURE = {
    "open": apsw.SQLITE_CANTOPEN,
    "create": apsw.SQLITE_CANTOPEN,
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "delete": apsw.SQLITE_IOERR_DELETE,
}


class Rows:
    """The rows of one statement, read to their end at once."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first."""
        return self._rows[0] if self._rows else None

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        """All."""
        return self._rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)


class Connection:
    """A connection as `sqlite3.connect(…, isolation_level=None)` makes it."""

    def __init__(self, path: str, **_options: Any) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        try:
            self._connection = apsw.Connection(path, flags=flags)
        except apsw.Error as error:
            raise _translated(error) from error

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement."""
        try:
            return Rows(list(self._connection.execute(statement, tuple(values))))
        except apsw.Error as error:
            raise _translated(error) from error

    def executemany(self, statement: str, values: Iterable[Sequence[Any]]) -> Rows:
        """Run one statement for each."""
        try:
            return Rows(list(self._connection.executemany(statement, [tuple(row) for row in values])))
        except apsw.Error as error:
            raise _translated(error) from error

    def close(self) -> None:
        """SQLite says nothing of what fails while it closes, and neither does `sqlite3`."""
        try:
            self._connection.close()
        except apsw.Error:
            return


def _translated(error: apsw.Error) -> Error:
    code = getattr(error, "extendedresult", None) or getattr(error, "result", None) or apsw.SQLITE_ERROR
    made = _BY_CODE.get(code & 0xFF, OperationalError)(str(error))
    made.sqlite_errorcode = code
    return made


def _failed(kind: str, error: OSError) -> apsw.Error:
    is_full = error.errno == errno.ENOSPC and kind == "write"
    made = apsw.exception_for(apsw.SQLITE_FULL if is_full else _ON_FAILURE[kind])
    if not isinstance(made, apsw.Error):
        raise TypeError(f"no error of SQLite's stands for {kind}")
    return made


class File(apsw.VFSFile):
    """A file of SQLite's; what it does reaches the device first."""

    def __init__(self, device: Device, name: str, path: Any, flags: list[int]) -> None:
        self._device, self._name = device, name
        super().__init__("unix", path, flags)

    def _reach(self, kind: str) -> None:
        try:
            self._device.reach(kind, self._name)
        except OSError as error:
            raise _failed(kind, error) from error

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        """Read."""
        self._reach("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        """Write, or a part of it where the disk is full."""
        content = bytes(data)
        try:
            self._device.reach("write", self._name)
        except OSError as error:
            part = self._device.part_of(error, offset, len(content))
            if part:
                super().xWrite(content[:part], offset)
                self._device.write(self._name, offset, content[:part])
            raise _failed("write", error) from error
        super().xWrite(content, offset)
        self._device.write(self._name, offset, content)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Cut."""
        self._reach("truncate")
        super().xTruncate(newsize)
        self._device.truncate(self._name, newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Flush."""
        self._reach("sync")
        super().xSync(flags)
        self._device.sync(self._name)


class System(apsw.VFS):
    """SQLite's view of the system; the device is the one of `calls`. Chance is the same in each run."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        super().__init__("recorded", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """Open or create."""
        device = self._calls.device
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        inside = device.name_of(path) if path else None
        if inside is None:
            return apsw.VFSFile("unix", name, flags)
        is_new = bool(flags[0] & apsw.SQLITE_OPEN_CREATE) and not (device.directory / inside).exists()
        kind = "create" if is_new else "open"
        try:
            device.reach(kind, inside)
        except OSError as error:
            raise _failed(kind, error) from error
        file = File(device, inside, name, flags)
        if is_new:
            device.create(inside)
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """Delete."""
        device = self._calls.device
        inside = device.name_of(filename)
        if inside is None:
            super().xDelete(filename, syncdir)
            return
        try:
            device.reach("delete", inside)
        except OSError as error:
            raise _failed("delete", error) from error
        super().xDelete(filename, syncdir)
        device.delete(inside)
        if syncdir:
            device.sync_directory(".")

    def xRandomness(self, numbytes: int) -> bytes:  # noqa: N802
        """The same each time: the salts of a log are drawn from it."""
        return bytes((7 * number + 3) % 256 for number in range(numbytes))


def install(calls: Calls) -> System:
    """Make `import sqlite3` give this; keep what is returned for as long as it is used."""
    module = ModuleType("sqlite3")
    for value in (Error, InterfaceError, DatabaseError, OperationalError, IntegrityError, NotSupportedError):
        setattr(module, value.__name__, value)
    for name in "PERM BUSY LOCKED NOMEM READONLY FULL CANTOPEN PROTOCOL AUTH".split():
        setattr(module, f"SQLITE_{name}", getattr(apsw, f"SQLITE_{name}"))
    module.Connection = module.connect = Connection  # type: ignore[attr-defined]
    module.complete_statement = apsw.complete  # type: ignore[attr-defined]
    module.sqlite_version = apsw.sqlite_lib_version()  # type: ignore[attr-defined]
    sys.modules["sqlite3"] = module
    return System(calls)


def reset_chance() -> None:
    """Begin SQLite's chance anew."""
    apsw.randomness(0)
