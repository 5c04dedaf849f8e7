"""Feather files: every row as it was written, what is broken is refused, packed bytes come out as they went in."""

from __future__ import annotations

import struct
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tape import BadLine, TapeUnreadable, read_tape
from adapters.tape.lz4 import Lz4Damaged, unpack_frame
from engine.inputs import Candle
from engine.values import InstrumentName

BTC = InstrumentName("BTC-USDT")
HOUR_NS = 3_600_000_000_000


def feather(columns: dict[str, list[float] | list[int]], packed: bool = False) -> bytes:
    """A file of one record batch. Offsets of FlatBuffers are unsigned: tables are laid out parents first."""
    rows = len(next(iter(columns.values())))
    body, buffers = bytearray(), []
    for values in columns.values():
        kind = "q" if isinstance(values[0], int) else "d"
        raw = struct.pack(f"<{rows}{kind}", *values)
        raw = struct.pack("<q", len(raw)) + plain_frame(raw) if packed else raw
        buffers += [(len(body), 0), (len(body), len(raw))]
        body += raw + b"\0" * (-len(raw) % 8)
    meta = _message(rows, buffers, packed)
    content = bytearray(b"ARROW1\0\0")
    start = len(content)
    content += struct.pack("<Ii", 0xFFFFFFFF, len(meta)) + meta + body
    footer = _footer(columns, start, 8 + len(meta), len(body))
    return bytes(content) + footer + struct.pack("<i", len(footer)) + b"ARROW1"


def _laid(parts: list[tuple[str, object]]) -> bytes:
    """Tables and vectors in the order of the list; a reference names a later part by its number."""
    content, places, holes = bytearray(4), [0] * len(parts), []
    for number, (kind, what) in enumerate(parts):
        content += b"\0" * (-len(content) % 8)
        if kind == "table":
            fields: dict[int, tuple[str, int]] = what  # type: ignore[assignment]
            offsets, inner = [0] * (max(fields, default=-1) + 1), bytearray(4)
            for field, (form, value) in fields.items():
                size = 4 if form == "ref" else struct.calcsize(form)
                inner += b"\0" * (-len(inner) % size)
                offsets[field] = len(inner)
                inner += struct.pack("<I" if form == "ref" else form, 0 if form == "ref" else value)
            vtable = len(content)
            content += struct.pack(f"<{2 + len(offsets)}H", 4 + 2 * len(offsets), len(inner), *offsets)
            content += b"\0" * (-len(content) % 8)
            places[number] = len(content)
            content += inner
            struct.pack_into("<i", content, places[number], places[number] - vtable)
            holes += [(places[number] + offsets[f], v) for f, (form, v) in fields.items() if form == "ref"]
        elif kind == "refs":
            targets: list[int] = what  # type: ignore[assignment]
            places[number] = len(content)
            content += struct.pack("<I", len(targets))
            holes += [(len(content) + 4 * n, target) for n, target in enumerate(targets)]
            content += bytes(4 * len(targets))
        else:
            raw: bytes = what  # type: ignore[assignment]
            content += b"\0" * (4 if kind == "structs" else 0)  # so that what follows the count is aligned
            places[number] = len(content)
            content += raw
    for at, target in holes:
        struct.pack_into("<I", content, at, places[target] - at)
    struct.pack_into("<I", content, 0, places[0])
    content += b"\0" * (-len(content) % 8)
    return bytes(content)


def _message(rows: int, buffers: list[tuple[int, int]], packed: bool) -> bytes:
    nodes = struct.pack("<I", len(buffers) // 2) + struct.pack("<qq", rows, 0) * (len(buffers) // 2)
    places = struct.pack("<I", len(buffers)) + b"".join(struct.pack("<qq", *each) for each in buffers)
    batch: dict[int, tuple[str, int]] = {0: ("<q", rows), 1: ("ref", 2), 2: ("ref", 3)}
    if packed:
        batch[3] = ("ref", 4)
    parts: list[tuple[str, object]] = [
        ("table", {1: ("<B", 3), 2: ("ref", 1)}), ("table", batch), ("structs", nodes), ("structs", places),
        ("table", {}),
    ]  # fmt: skip
    return _laid(parts)


def _footer(columns: dict[str, list[float] | list[int]], start: int, meta: int, body: int) -> bytes:
    block = struct.pack("<I", 1) + struct.pack("<qi4xq", start, meta, body)
    parts: list[tuple[str, object]] = [
        ("table", {1: ("ref", 1), 3: ("ref", 2)}), ("table", {1: ("ref", 3)}), ("structs", block),
        ("refs", [4 + 3 * number for number in range(len(columns))]),
    ]  # fmt: skip
    for number, (name, values) in enumerate(columns.items()):
        is_time = isinstance(values[0], int)
        at = 4 + 3 * number
        parts += [
            ("table", {0: ("ref", at + 1), 2: ("<B", 10 if is_time else 3), 3: ("ref", at + 2)}),
            ("text", struct.pack("<I", len(name)) + name.encode()),
            ("table", {0: ("<h", 3 if is_time else 2)}),
        ]
    return _laid(parts)


def plain_frame(raw: bytes) -> bytes:
    """An LZ4 frame of one block that is not packed."""
    return b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(raw) | 1 << 31) + raw + bytes(4)


COLUMNS: dict[str, list[float] | list[int]] = {
    "date": [1_700_000_000_000_000_000, 1_700_003_600_000_000_000], "open": [10.1, 11.5], "high": [12.25, 11.5],
    "low": [9.0, 11.0], "close": [11.0, 11.25], "volume": [0.1, 1e-07],
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_every_row_is_a_candle_with_the_decimals_that_were_written(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "bars.feather"
    path.write_bytes(feather(COLUMNS, packed))
    first, second = read_tape(path, BTC, "feather:1h")
    assert isinstance(first, Candle)
    assert isinstance(second, Candle)
    assert [str(p) for p in (first.open, first.high, first.low, first.close, first.volume)] == [
        "10.1", "12.25", "9", "11", "0.1",
    ]  # fmt: skip
    assert (second.start_ns, second.end_ns - second.start_ns) == (1_700_003_600_000_000_000, HOUR_NS)
    assert second.volume == Decimal("0.0000001")


def test_what_is_no_number_is_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "bars.feather"
    path.write_bytes(feather({**COLUMNS, "close": [float("nan"), 11.25]}))
    bad, good = read_tape(path, BTC, "feather:1h")
    assert isinstance(bad, BadLine)
    assert "'nan' is not a number" in bad.reason
    assert isinstance(good, Candle)


@pytest.mark.parametrize("form", [None, "feather", "csv:bars:1h", "feather:soon"])
def test_the_length_of_a_bar_has_to_be_told(tmp_path: Path, form: str | None) -> None:
    path = tmp_path / "bars.feather"
    path.write_bytes(feather(COLUMNS))
    with pytest.raises(TapeUnreadable):
        read_tape(path, BTC, form)


def test_a_file_that_is_cut_or_lacks_a_column_is_refused_at_the_call(tmp_path: Path) -> None:
    path, whole = tmp_path / "bars.feather", feather(COLUMNS, True)
    for content in (*(whole[:size] for size in range(6, len(whole), 97)), feather({"date": [1], "open": [1.0]})):
        path.write_bytes(content)
        with pytest.raises(TapeUnreadable):
            read_tape(path, BTC, "feather:1h")


@given(st.data())
def test_a_flipped_byte_never_ends_in_anything_but_a_refusal_or_rows(data: st.DataObject) -> None:
    whole = bytearray(feather(COLUMNS, True))
    place = data.draw(st.integers(6, len(whole) - 7))
    whole[place] ^= data.draw(st.integers(1, 255))
    with tempfile.NamedTemporaryFile(suffix=".feather") as file:
        Path(file.name).write_bytes(bytes(whole))
        try:
            rows = list(read_tape(Path(file.name), BTC, "feather:1h"))
        except TapeUnreadable:
            return
        assert all(isinstance(row, (Candle, BadLine)) for row in rows)


def block(*sequences: tuple[bytes, int, int]) -> bytes:
    """LZ4 sequences of (literals, distance, length of the match); distance 0 ends the block."""
    found = bytearray()
    for literals, distance, length in sequences:
        more = length - 4 if distance else 0
        found.append(min(len(literals), 15) << 4 | min(more, 15))
        found += _rest(len(literals)) + literals
        if distance:
            found += struct.pack("<H", distance) + _rest(more)
    return bytes(found)


def _rest(length: int) -> bytes:
    if length < 15:
        return b""
    whole, last = divmod(length - 15, 255)
    return b"\xff" * whole + bytes([last])


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.integers(1, 400), st.integers(4, 700)), max_size=6),
    st.binary(max_size=20),
)
def test_matches_copy_what_was_unpacked_also_where_they_reach_into_themselves(
    drawn: list[tuple[bytes, int, int]], tail: bytes
) -> None:
    expected, sequences = bytearray(), []
    for literals, furthest, length in drawn:
        expected += literals
        distance = min(furthest, len(expected))
        sequences.append((literals, distance, length))
        for _ in range(length):
            expected.append(expected[-distance])
    expected += tail
    packed = block(*sequences, (tail, 0, 0))
    frame = b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(packed)) + packed + bytes(4)
    assert unpack_frame(frame, len(expected)) == bytes(expected)
    with pytest.raises(Lz4Damaged):
        unpack_frame(frame, len(expected) + 1)


def test_the_recorded_file_reads_to_its_end(shared: Path) -> None:
    path = shared / "data" / "market" / "btc_usdt_1h" / "BTC_USDT-1h.feather"
    found = list(read_tape(path, BTC, "feather:1h"))
    assert len(found) == 58_419
    assert all(isinstance(each, Candle) for each in found)
    assert isinstance(found[0], Candle)
    assert str(found[0].open) == "4261.48"
