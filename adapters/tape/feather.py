"""Feather files (version 2: the Arrow IPC file format) of bars: date, open, high, low, close, volume.

Only what such files hold is read: timestamps and doubles, plain or packed with LZ4. A double is taken as the shortest
decimal that reads back as it, which is what was written before it became a double.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from adapters.tape.lz4 import Lz4Damaged, unpack_frame
from adapters.tape.record import TapeUnreadable

MAGIC = b"ARROW1"
COLUMNS = ("date", "open", "high", "low", "close", "volume")
USAGE = "feather:INTERVAL such as feather:1h"
_TIMESTAMP, _FLOATING_POINT = 10, 3
_UNITS_NS = (1_000_000_000, 1_000_000, 1_000, 1)
_RECORD_BATCH, _LZ4_FRAME, _DOUBLE = 3, 0, 2
_CONTINUED = 0xFFFFFFFF
_DAMAGE = (struct.error, IndexError, UnicodeDecodeError, Lz4Damaged, OverflowError)


def is_feather(path: Path) -> bool:
    """Does the file begin as one? Raises `OSError`."""
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def read_rows(path: Path) -> Iterator[str]:
    """Each row as a line of comma-separated text: the start in ns, then the numbers.

    Raises `TapeUnreadable` for a file of another kind, and where it is damaged.
    """
    try:
        content = path.read_bytes()
        if not content.startswith(MAGIC) or not content.endswith(MAGIC):
            raise TapeUnreadable(f"{path}: no Feather file of version 2, or cut off")
        yield from _rows(path, content)
    except OSError as fault:
        raise TapeUnreadable(f"{path}: can't be read: {fault}") from fault
    except _DAMAGE as fault:
        raise TapeUnreadable(f"{path}: the file is damaged: {fault}") from fault


def _rows(path: Path, content: bytes) -> Iterator[str]:
    (length,) = struct.unpack_from("<i", content, len(content) - len(MAGIC) - 4)
    footer = _Table.root(content, len(content) - len(MAGIC) - 4 - length)
    columns = [_Column.of(path, field) for field in _need(path, footer.table(1)).tables(1)]
    places = [_place(path, columns, name) for name in COLUMNS]
    for start, _, meta_length in footer.structs(3, "<qi4xq", lambda o, m, b: (o, b, m)):
        yield from _batch(path, content, start, meta_length, columns, places)


def _place(path: Path, columns: list[_Column], name: str) -> int:
    found = [place for place, column in enumerate(columns) if column.name.lower() == name]
    if len(found) != 1:
        raise TapeUnreadable(f"{path}: a column {name} is wanted; there are {', '.join(c.name for c in columns)}")
    return found[0]


def _batch(
    path: Path, content: bytes, start: int, meta_length: int, columns: list[_Column], places: list[int]
) -> Iterator[str]:
    skipped = 8 if struct.unpack_from("<I", content, start)[0] == _CONTINUED else 4
    message = _Table.root(content, start + skipped)
    batch = _need(path, message.table(2))
    if message.number(1, "<B") != _RECORD_BATCH:
        raise TapeUnreadable(f"{path}: a part that is no record batch")
    rows, packing = message_rows(batch), batch.table(3)
    if packing is not None and packing.number(0, "<b") != _LZ4_FRAME:
        raise TapeUnreadable(f"{path}: packed with something else than LZ4; write it again with compression='lz4'")
    buffers = list(batch.structs(2, "<qq", lambda offset, length: (offset, length)))
    nulls = list(batch.structs(1, "<qq", lambda _, null_count: (null_count, 0)))
    if any(nulls[place][0] for place in places):
        raise TapeUnreadable(f"{path}: a value is missing (null)")
    body = start + meta_length
    found = []
    for place in places:
        offset, length = buffers[2 * place + 1]
        raw = _unpacked(content[body + offset : body + offset + length], packing is not None)
        found.append(columns[place].texts(raw, rows))
    yield from map(",".join, zip(*found, strict=True))


def message_rows(batch: _Table) -> int:
    """How many rows a record batch says it has."""
    return batch.number(0, "<q")


def _unpacked(raw: bytes, is_packed: bool) -> bytes:
    if not is_packed or not raw:
        return raw
    (length,) = struct.unpack_from("<q", raw)
    return raw[8:] if length == -1 else unpack_frame(raw[8:], length)


@frozen
class _Column:
    """A column's name and how its values are written."""

    name: str
    unit_ns: int | None

    @classmethod
    def of(cls, path: Path, field: _Table) -> _Column:
        name, kind, detail = field.text(0), field.number(2, "<B"), field.table(3)
        if kind == _TIMESTAMP and detail is not None:
            return cls(name, _UNITS_NS[detail.number(0, "<h")])
        if kind == _FLOATING_POINT and detail is not None and detail.number(0, "<h") == _DOUBLE:
            return cls(name, None)
        raise TapeUnreadable(f"{path}: column {name} is neither of timestamps nor of doubles")

    def texts(self, raw: bytes, rows: int) -> list[str]:
        """The values as text; one that is no number (NaN) stays what it is, for the reader of the row to refuse."""
        values = struct.unpack_from(f"<{rows}{'d' if self.unit_ns is None else 'q'}", raw)
        return [repr(v) for v in values] if self.unit_ns is None else [str(v * self.unit_ns) for v in values]


@frozen
class _Table:
    """A table of a FlatBuffer: fields by number, absent ones at their default."""

    content: bytes
    at: int

    @classmethod
    def root(cls, content: bytes, at: int) -> _Table:
        return cls(content, at + struct.unpack_from("<I", content, at)[0])

    def number(self, field: int, form: str) -> int:
        place = self._place(field)
        return int(struct.unpack_from(form, self.content, place)[0]) if place else 0

    def text(self, field: int) -> str:
        place = self._target(field)
        (length,) = struct.unpack_from("<I", self.content, place)
        return self.content[place + 4 : place + 4 + length].decode()

    def table(self, field: int) -> _Table | None:
        return _Table(self.content, self._target(field)) if self._place(field) else None

    def tables(self, field: int) -> Iterator[_Table]:
        place = self._target(field)
        (count,) = struct.unpack_from("<I", self.content, place)
        for number in range(count):
            yield _Table.root(self.content, place + 4 + 4 * number)

    def structs(self, field: int, form: str, read: Callable[..., tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
        place = self._target(field)
        (count,) = struct.unpack_from("<I", self.content, place)
        for number in range(count):
            yield read(*struct.unpack_from(form, self.content, place + 4 + number * struct.calcsize(form)))

    def _target(self, field: int) -> int:
        place = self._place(field)
        if not place:
            raise IndexError(f"field {field} is missing")
        return place + int(struct.unpack_from("<I", self.content, place)[0])

    def _place(self, field: int) -> int:
        table = self.at - int(struct.unpack_from("<i", self.content, self.at)[0])
        if 4 + 2 * field >= struct.unpack_from("<H", self.content, table)[0]:
            return 0
        (offset,) = struct.unpack_from("<H", self.content, table + 4 + 2 * field)
        return self.at + offset if offset else 0


def _need(path: Path, table: _Table | None) -> _Table:
    if table is None:
        raise TapeUnreadable(f"{path}: the file is damaged: a part is missing")
    return table
