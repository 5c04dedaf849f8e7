"""Reading a recorded file: find its format, read line by line, keep to the order of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from attrs import frozen

from adapters.tape import binance_capture, csv_file, feather, lean
from adapters.tape.lines import Line, Tape, look, open_tape, read_lines
from adapters.tape.record import TEXT_LIMIT, BadLine, BadRecord, Parse, TapeUnreadable
from engine.inputs import Candle, MarketData
from engine.values import InstrumentName

LOOK_AHEAD = 2
"""Lines behind one that together prove that it jumped ahead."""

WAITING_LIMIT = 100
"""Lines, good and bad, that wait for the order of time to be clear."""

Item = MarketData | BadLine
Row = tuple[Line, MarketData]


@frozen
class Format:
    """One kind of recording: how a user names it, how it is recognised, how its lines are read."""

    usage: str
    recognises: Callable[[Tape], bool]
    parser: Callable[[Tape, InstrumentName, str], Parse]
    header_lines: int = 0


FORMATS = {
    "binance": Format(binance_capture.USAGE, binance_capture.recognises, binance_capture.parser),
    "lean": Format(lean.USAGE, lean.recognises, lean.parser),
    "csv": Format(csv_file.USAGE, csv_file.recognises, csv_file.parser, csv_file.HEADER_LINES),
}


def read_tape(path: Path, instrument: InstrumentName, format: str | None = None) -> Iterator[Item]:  # noqa: A002
    """The market data of one recorded file, in its order, each line that can't be believed as a `BadLine`.

    `format` is `NAME` or `NAME:OPTIONS`; without it the format is recognised by name and first lines, and the file is
    refused where that is not certain. Plain, gzip and zip (one recording in it) files are read as a stream. Raises
    `TapeUnreadable` at the call, never later; what is damaged further on is a `BadLine`, and reading goes on after it.

    Order: `received_ns` never falls, and rises from bar to bar. A line that is earlier than the one before is bad. A
    line that jumped ahead, so that the next two would both be late, is bad itself, and those two are not.
    """
    if _is_feather(path):
        return _read_feather(path, instrument, format or "")
    tape = look(path)
    name, option = _choose(tape, format)
    form = FORMATS[name]
    return _read(path, form.parser(tape, instrument, option), form.header_lines)


def _is_feather(path: Path) -> bool:
    try:
        return feather.is_feather(path)
    except OSError as fault:
        raise TapeUnreadable(f"{path}: can't be opened: {fault}; check the path and the file") from fault


def _read_feather(path: Path, instrument: InstrumentName, named: str) -> Iterator[Item]:
    """Bars of a file of columns: it is read whole, and its rows are told as lines are."""
    name, _, interval = named.partition(":")
    if name != "feather" or not interval:
        raise TapeUnreadable(f"{path}: when does a bar of this Feather file end? Write {feather.USAGE}")
    tape = Tape(path, path.name, ("time_ns,open,high,low,close,volume",))
    parse = csv_file.parser(tape, instrument, f"bars:{interval}")
    lines = enumerate(list(feather.read_rows(path)), start=1)
    return in_order(path, _rows(path, lines, parse))


def _choose(tape: Tape, named: str | None) -> tuple[str, str]:
    """The format's name and its options."""
    ways = "; ".join([*(form.usage for form in FORMATS.values()), feather.USAGE])
    if named is not None:
        name, _, option = named.partition(":")
        if name not in FORMATS:
            raise TapeUnreadable(f"{tape.path}: there is no format {name!r}; write {ways}")
        return name, option
    found = [name for name, form in FORMATS.items() if form.recognises(tape)]
    if len(found) != 1:
        fault = "its format is not recognised" if tape.head else "it has no readable line"
        raise TapeUnreadable(f"{tape.path}: {fault}; name its format: {ways}")
    return found[0], ""


def _read(path: Path, parse: Parse, header_lines: int) -> Iterator[Item]:
    with open_tape(path) as (_, stream):
        lines = (line for line in read_lines(path, stream) if isinstance(line, BadLine) or line[0] > header_lines)
        yield from in_order(path, _rows(path, lines, parse))


def _rows(path: Path, lines: Iterable[Line | BadLine], parse: Parse) -> Iterator[Row | BadLine]:
    for line in lines:
        if isinstance(line, BadLine):
            yield line
            continue
        try:
            found = parse(line[1])
        except BadRecord as fault:
            yield _bad(path, line, str(fault))
            continue
        if found is not None:
            yield line, found


def in_order(path: Path, rows: Iterator[Row | BadLine]) -> Iterator[Item]:
    """The rows, those out of the order of time made bad; each waits until `LOOK_AHEAD` good ones stand behind it."""
    waiting: deque[Row | BadLine] = deque()
    before: MarketData | None = None
    good = 0
    for row in chain(rows, (None,)):
        if row is not None:
            waiting.append(row)
            good += not isinstance(row, BadLine)
        while waiting and (row is None or good > LOOK_AHEAD or len(waiting) > WAITING_LIMIT):
            first = waiting.popleft()
            if isinstance(first, BadLine):
                yield first
                continue
            good -= 1
            reason = _disorder(before, first[1], waiting)
            if reason is not None:
                yield _bad(path, first[0], reason)
            else:
                before = first[1]
                yield before


def _disorder(before: MarketData | None, found: MarketData, after: Iterable[Row | BadLine]) -> str | None:
    """Why `found` does not stand between its neighbours, if it does not."""
    if before is not None and not _follows(before, found):
        return f"out of order: {found.received_ns} ns comes after {before.received_ns} ns"
    strays = 0
    for row in after:
        if isinstance(row, BadLine):
            continue
        if row[1].received_ns >= found.received_ns or (before is not None and not _follows(before, row[1])):
            return None
        strays += 1
    return None if strays < LOOK_AHEAD else f"out of order: {found.received_ns} ns is ahead of the lines after it"


def _follows(before: MarketData, found: MarketData) -> bool:
    if isinstance(found, Candle) and isinstance(before, Candle):
        return found.start_ns >= before.end_ns
    return found.received_ns >= before.received_ns


def _bad(path: Path, line: Line, reason: str) -> BadLine:
    return BadLine(path, line[0], reason, line[1][:TEXT_LIMIT])
