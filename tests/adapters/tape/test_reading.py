"""Files as such: compression, damage, limits, and what can't be opened."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path

import pytest

from adapters.tape import BadLine, TapeUnreadable, read_tape
from adapters.tape.lines import LINE_LIMIT_BYTES
from adapters.tape.reading import WAITING_LIMIT, in_order
from engine.inputs import MarketData, TradeTick
from engine.values import InstrumentName

BTC = InstrumentName("BTC-USDT")
HEADER = "time_ns,price,quantity"
FIRST_NS = 1_723_161_240_000_000_000


def rows(number: int) -> list[str]:
    return [f"{FIRST_NS + at},10.5,{at + 1}" for at in range(number)]


def text(number: int) -> bytes:
    return "\n".join([HEADER, *rows(number), ""]).encode()


def zipped(path: Path, *contents: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for number, content in enumerate(contents):
            archive.writestr(f"folder/{number}.csv", content)
    return path


def sizes(found: Iterator[MarketData | BadLine]) -> list[int]:
    return [int(row.quantity) if isinstance(row, TradeTick) else 0 for row in found]


def test_plain_gzip_and_zip_are_the_same_by_content_whatever_their_names(tmp_path: Path) -> None:
    contents = {"plain.gz": text(9), "packed": gzip.compress(text(9))}
    paths = [zipped(tmp_path / "other.csv", text(9))]
    for name, content in contents.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    for path in paths:
        assert sizes(read_tape(path, BTC)) == list(range(1, 10))


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (b"", None, "no readable line"),
        (b"hello\nworld\n", None, "not recognised; name its format: binance or"),
        (b"\xff\xfe\x00", None, "no readable line"),
        (b"PK\x03\x04 torn", "csv", "can't be opened"),
        (text(1), "parquet", "no format 'parquet'; write binance or"),
    ],
)
def test_a_file_that_can_not_be_read_is_refused_at_the_call(
    tmp_path: Path, content: bytes, form: str | None, why: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(TapeUnreadable, match=why):
        read_tape(path, BTC, form)


def test_a_missing_file_a_folder_and_a_zip_of_two_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TapeUnreadable, match=r"can't be opened.*check the path"):
        read_tape(tmp_path / "none.csv", BTC)
    with pytest.raises(TapeUnreadable, match="can't be opened"):
        read_tape(tmp_path, BTC)
    with pytest.raises(TapeUnreadable, match="holds 2 files"):
        read_tape(zipped(tmp_path / "two.zip", text(1), text(1)), BTC)


def test_a_tear_in_the_middle_of_a_gzip_ends_the_tape_with_one_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "torn.gz"
    whole = gzip.compress(text(5_000))
    path.write_bytes(whole[: len(whole) // 2])
    *found, last = sizes(read_tape(path, BTC))
    assert found == list(range(1, len(found) + 1))
    assert len(found) > 1_000
    assert last == 0


def test_a_wrong_checksum_shows(tmp_path: Path) -> None:
    path = tmp_path / "wrong.gz"
    whole = bytearray(gzip.compress(text(9)))
    whole[-6] ^= 1
    path.write_bytes(whole)
    *found, last = read_tape(path, BTC)
    assert sizes(iter(found)) == list(range(1, 10))
    assert isinstance(last, BadLine)
    assert "CRC" in last.reason


def test_a_damaged_zip_shows(tmp_path: Path) -> None:
    path = zipped(tmp_path / "wrong.zip", text(20_000))
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 255
    path.write_bytes(whole)
    found = list(read_tape(path, BTC))
    assert isinstance(found[-1], BadLine)
    assert "damaged" in found[-1].reason


def test_a_line_beyond_the_limit_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    first, second, third = rows(3)
    long = [b"x" * LINE_LIMIT_BYTES, b"y" * (2 * LINE_LIMIT_BYTES + 5)]
    path.write_bytes(b"\n".join([HEADER.encode(), first.encode(), *long, second.encode(), third.encode()]))
    found = list(read_tape(path, BTC))
    assert sizes(iter(found)) == [1, 0, 0, 2, 3]
    assert [(row.number, len(row.text)) for row in found if isinstance(row, BadLine)] == [(3, 200), (4, 200)]


@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_tape_is_read_as_it_is_asked_for(good: int) -> None:
    """Lines, all bad or all but the first, are not gathered before one is given out."""
    path, many = Path("long"), 10_000
    tick = TradeTick(BTC, Decimal(1), Decimal(1), received_ns=FIRST_NS)
    bad = iter([BadLine(path, number, "bad", "") for number in range(many)])
    first = next(in_order(path, chain([((1, ""), tick)] * good, bad)))
    assert isinstance(first, TradeTick if good else BadLine)
    assert len(list(bad)) >= many - WAITING_LIMIT - 1


def test_a_clock_that_was_set_back_makes_the_late_lines_bad_until_it_has_caught_up(tmp_path: Path) -> None:
    path = tmp_path / "back.csv"
    moments = [0, 10, 20, 5, 6, 7, 21, 22]
    path.write_text("\n".join([HEADER, *(f"{FIRST_NS + at},1,{at + 1}" for at in moments)]))
    assert sizes(read_tape(path, BTC)) == [1, 11, 21, 0, 0, 0, 22, 23]


def test_lines_of_the_same_time_are_in_order(tmp_path: Path) -> None:
    path = tmp_path / "same.csv"
    path.write_text("\n".join([HEADER, *(f"{FIRST_NS},1,{size}" for size in range(1, 6))]))
    assert sizes(read_tape(path, BTC)) == [1, 2, 3, 4, 5]


def test_a_tape_that_is_left_early_is_closed(tmp_path: Path) -> None:
    """A file left open is a ResourceWarning, and a warning fails the test."""
    path = tmp_path / "left.gz"
    path.write_bytes(gzip.compress(text(500)))
    tape = read_tape(path, BTC)
    assert isinstance(next(tape), TradeTick)
    del tape
