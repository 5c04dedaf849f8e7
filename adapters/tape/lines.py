"""The lines of a recorded file, plain, gzip or zip, one at a time and in bounded memory."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from attrs import frozen

from adapters.tape.record import TEXT_LIMIT, BadLine, TapeUnreadable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LINE_LIMIT_BYTES = 4 * 1024 * 1024
"""A longer line is bad; a depth snapshot of 5,000 levels a side is below 0.5 MiB."""

HEAD_LINES = 10
"""How far a format is looked for."""

_BUFFER_BYTES = 1 << 18
_DAMAGE = (EOFError, OSError, zlib.error, zipfile.BadZipFile)

Line = tuple[int, str]


class Unpacked(Protocol):
    """A source of bytes that gives what it has, without waiting for more."""

    def read1(self, size: int, /) -> bytes: ...


@frozen
class Tape:
    """A file as it begins: its path, the name inside a zip (or its own), and its first lines that are text."""

    path: Path
    name: str
    head: tuple[str, ...]


def look(path: Path) -> Tape:
    """Open, read the first lines and close. Raises `TapeUnreadable`."""
    with open_tape(path) as (name, stream):
        first = islice(read_lines(path, stream), HEAD_LINES)
        return Tape(path, name, tuple(line[1] for line in first if not isinstance(line, BadLine)))


@contextmanager
def open_tape(path: Path) -> Iterator[tuple[str, io.BufferedReader]]:
    """The name and bytes of the one recording in a file. Raises `TapeUnreadable`."""
    with ExitStack() as stack:
        try:
            name, stream = _open(path, stack)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as fault:
            raise TapeUnreadable(f"{path}: can't be opened: {fault}; check the path and the file") from fault
        yield name, stack.enter_context(io.BufferedReader(_Chunks(stream), _BUFFER_BYTES))


class _Chunks(io.RawIOBase):
    """The bytes as they are unpacked, so that those before a tear are given out and not lost with it."""

    def __init__(self, source: Unpacked) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        chunk = self._source.read1(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)


def _open(path: Path, stack: ExitStack) -> tuple[str, Unpacked]:
    plain = stack.enter_context(path.open("rb"))
    mark = plain.read(4)
    plain.seek(0)
    if mark[:2] == b"\x1f\x8b":
        return path.name.removesuffix(".gz"), stack.enter_context(gzip.GzipFile(fileobj=plain))
    if mark[:2] == b"PK":
        archive = stack.enter_context(zipfile.ZipFile(plain))
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise TapeUnreadable(f"{path}: holds {len(members)} files; a zip must hold one recording, unpack it")
        member = cast(zipfile.ZipExtFile, stack.enter_context(archive.open(members[0])))
        return Path(members[0].filename).name, member
    return path.name, plain


def read_lines(path: Path, stream: io.BufferedReader) -> Iterator[Line | BadLine]:
    """Every line with its number, without its end. Damage (a torn gzip, a wrong checksum) is the last, bad line."""
    number = 0
    while True:
        number += 1
        try:
            raw = stream.readline(LINE_LIMIT_BYTES)
            if len(raw) == LINE_LIMIT_BYTES and not raw.endswith(b"\n"):
                _skip_line(stream)
                yield BadLine(path, number, f"longer than {LINE_LIMIT_BYTES} bytes", _excerpt(raw))
                continue
        except _DAMAGE as fault:
            yield BadLine(path, number, f"the file is damaged here, nothing after it can be read: {fault}", "")
            return
        if not raw:
            return
        try:
            yield number, raw.decode().rstrip("\r\n")
        except UnicodeDecodeError as fault:
            yield BadLine(path, number, f"not UTF-8 text: {fault.reason}", _excerpt(raw))


def count_lines(path: Path) -> int:
    """How many lines a file has, as far as it can be unpacked: a measure of its length, of nothing else."""
    with open_tape(path) as (_, stream):
        total = 0
        try:
            while chunk := stream.read(_BUFFER_BYTES):
                total += chunk.count(b"\n")
        except _DAMAGE:
            return total  # it is told by who reads the lines
        return total


def _skip_line(stream: io.BufferedReader) -> None:
    while (rest := stream.readline(LINE_LIMIT_BYTES)) and not rest.endswith(b"\n"):
        pass


def _excerpt(raw: bytes) -> str:
    return raw[:TEXT_LIMIT].decode(errors="replace")
