"""A market that was recorded: tapes played at their own pace, at another, or by hand.

Record time r is played at `started + (r - first) / speed`, and the exchange's times in the records move with it, so
that a capture that was received before its exchange time stays so. Several tapes share one beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from heapq import merge
from itertools import chain, islice
from pathlib import Path

from attrs import evolve

from adapters.simulated.display import Display, Seen
from adapters.simulated.ledger import TapeStarted
from adapters.simulated.listing import Terms
from adapters.simulated.market import Instant
from adapters.simulated.options import TapeFile
from adapters.simulated.wire import MarketFrame, Notice, Status
from adapters.tape import BadLine, TapeUnreadable, read_tape
from engine.inputs import Level, MarketData, Quote
from engine.values import InstrumentName, Side, exact

BAD_LINES_TOLD = 100
"""Bad lines that are told with their place; after that they are only counted."""

BAD_LINES_MOST = 10_000
"""Bad lines at the very beginning: a file with more of them is no tape."""

LOOK_AHEAD = 1_000
"""Records of each tape that are looked at to see whether it has quotes, books, or neither."""

BY_HAND = "step"

Item = MarketData | BadLine
Record = tuple[int, str, Item]
"""When it was received (a bad line: when the one before it was), of which symbol, and what."""


def open_tapes(tapes: Mapping[str, TapeFile], speed: str, traded: Mapping[str, Terms], directory: Path) -> TapeMarket:
    """A market of one tape for each symbol. Raises `ValueError` saying which tape is missing or can't be read."""
    by_symbol = dict(tapes)
    if "" in by_symbol:
        if len(traded) != 1:
            raise ValueError(f'one tape for {len(traded)} symbols; say whose: tape = {{ SYMBOL = "FILE" }}')
        by_symbol = dict.fromkeys(traded, by_symbol[""])
    if missing := set(traded) - set(by_symbol):
        raise ValueError(f"there is no tape for {', '.join(sorted(missing))}")
    named = ", ".join(f"{symbol} {by_symbol[symbol].path}" for symbol in sorted(traded))
    readers = {symbol: _read(directory, symbol, by_symbol[symbol]) for symbol in sorted(traded)}
    return TapeMarket(f"{named} at {speed}", speed, traded, readers)


def _read(directory: Path, symbol: str, tape: TapeFile) -> Iterator[Item]:
    try:
        return read_tape(directory / tape.path, InstrumentName(symbol), tape.format)
    except TapeUnreadable as error:
        raise ValueError(f"the tape of {symbol}: {error}") from None


def _timed(symbol: str, items: Iterator[Item]) -> Iterator[Record]:
    """Bad lines have no time of their own: they come with the record before them, the first ones with the first.

    Raises `ValueError` where no record comes within `BAD_LINES_MOST` lines, or none at all.
    """
    leading: list[BadLine] = []
    last_ns: int | None = None
    for item in items:
        if not isinstance(item, BadLine):
            last_ns = item.received_ns
            yield from ((last_ns, symbol, bad) for bad in leading)
            leading = []
        if last_ns is None:
            assert isinstance(item, BadLine)
            leading.append(item)
            if len(leading) > BAD_LINES_MOST:
                break
        else:
            yield last_ns, symbol, item
    if last_ns is None:
        first = f"; line {leading[0].number}: {leading[0].reason}" if leading else ""
        raise ValueError(f"the tape of {symbol} holds no market data{first}")


class TapeMarket:
    """The tapes of all symbols, merged by the time of receipt."""

    def __init__(
        self, name: str, speed: str, traded: Mapping[str, Terms], readers: Mapping[str, Iterator[Item]]
    ) -> None:
        self._name, self._is_by_hand = name, speed == BY_HAND
        self._speed = Fraction(1) if self._is_by_hand else Fraction(str(exact(speed)))
        self._displays: dict[str, Display] = {}
        self._quotes: dict[str, Quote] = {}
        self._notices: dict[str, list[Notice]] = {symbol: [] for symbol in traded}
        streams: list[Iterator[Record]] = []
        for symbol, terms in traded.items():
            records = _timed(symbol, readers[symbol])
            head = list(islice(records, LOOK_AHEAD))
            self._displays[symbol] = Display(terms, (r[2] for r in head if not isinstance(r[2], BadLine)))
            streams.append(chain(head, records))
        self._records = merge(*streams, key=lambda record: record[0])
        self._next = next(self._records, None)
        self._started = TapeStarted(tape=name, first_ns=self._next[0] if self._next else 0, started_ns=0)
        self._played = self._bad = 0

    def begin(self, at_ns: int, now_ns: int, tape: TapeStarted | None, steps: int) -> TapeStarted | None:
        if tape is None or tape.tape != self._name:
            # A moment later, so that the first record is not one of those that were played before.
            self._started = evolve(self._started, started_ns=now_ns + 1)
            return self._started
        self._started = tape
        for _ in range(steps if self._is_by_hand else 0):
            self.step(at_ns)
        self.seek(at_ns)
        return None

    def next_ns(self) -> int | None:
        if self._next is None or self._is_by_hand:
            return None
        return self._started.started_ns + self._scaled(self._next[0] - self._started.first_ns)

    def play(self) -> Instant:
        at_ns = self.next_ns()
        assert at_ns is not None, "nothing is left to be played"
        seen: list[tuple[str, Seen]] = []
        while self._next is not None and self.next_ns() == at_ns:
            seen.append(self._take(at_ns))
        return _instant(at_ns, seen)

    def seek(self, to_ns: int) -> None:
        while (next_ns := self.next_ns()) is not None and next_ns <= to_ns:
            self._take(next_ns)

    def step(self, at_ns: int) -> Instant | None:
        if self._next is None or not self._is_by_hand:
            return None
        seen = []
        while self._next is not None:
            is_record = not isinstance(self._next[2], BadLine)
            seen.append(self._take(at_ns))
            if is_record:
                break
        return _instant(at_ns, seen)

    def levels(self, symbol: str, side: Side) -> tuple[Level, ...]:
        return self._displays[symbol].levels(side)

    def version(self, symbol: str) -> int:
        return self._displays[symbol].version

    def picture(self, symbol: str, at_ns: int) -> tuple[MarketFrame | Notice, ...]:
        found = (self._displays[symbol].book(at_ns), self._quotes.get(symbol))
        return (*self._notices[symbol], *(frame for frame in found if frame is not None))

    def status(self, at_ns: int) -> Status:
        return Status(at_ns=at_ns, records=self._played, bad_lines=self._bad, tape_ended=self._next is None)

    def _scaled(self, span_ns: int) -> int:
        return span_ns * self._speed.denominator // self._speed.numerator

    def _take(self, at_ns: int) -> tuple[str, Seen]:
        assert self._next is not None
        record_ns, symbol, item = self._next
        self._next = next(self._records, None)
        if isinstance(item, BadLine):
            self._bad += 1
            notices = self._tell_bad(item)
            self._notices[symbol] += notices
            return symbol, Seen(notices)
        self._played += 1
        seen = self._displays[symbol].take(item)
        frames = tuple(self._rebase(frame, record_ns, at_ns) for frame in seen.frames)
        for frame in frames:
            if isinstance(frame, Quote):
                self._quotes[symbol] = frame
        return symbol, evolve(seen, frames=frames)

    def _tell_bad(self, bad: BadLine) -> tuple[Notice, ...]:
        if self._bad > BAD_LINES_TOLD:
            return ()
        more = "; further bad lines are only counted" if self._bad == BAD_LINES_TOLD else ""
        return (Notice(f"{bad.path}:{bad.number} {bad.reason}: {bad.text}{more}"),)

    def _rebase(self, frame: MarketFrame | Notice, record_ns: int, at_ns: int) -> MarketFrame | Notice:
        if isinstance(frame, Notice):
            return frame
        if frame.exchange_ns is None:
            return evolve(frame, received_ns=at_ns)
        return evolve(frame, received_ns=at_ns, exchange_ns=at_ns + self._scaled(frame.exchange_ns - record_ns))


def _instant(at_ns: int, seen: list[tuple[str, Seen]]) -> Instant:
    return Instant(
        at_ns,
        frames=tuple(frame for _, each in seen for frame in each.frames),
        prints=tuple(passed for _, each in seen for passed in each.prints),
        changed=tuple(dict.fromkeys(symbol for symbol, each in seen if each.is_changed)),
    )
