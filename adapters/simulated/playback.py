"""A market that was recorded: tapes played at their own pace, at another, or by hand.

Record time r is played at `started + (r - first) / speed`, and the exchange's times in the records move with it, so
that a capture that was received before its exchange time stays so. Several tapes share one beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from heapq import merge
from itertools import chain, islice
from pathlib import Path

from attrs import evolve

from adapters.simulated.display import BarOpened, BarSwung, Display, Seen
from adapters.simulated.ledger import TapeStarted
from adapters.simulated.listing import Terms
from adapters.simulated.market import Instant, Swing
from adapters.simulated.options import TapeFile
from adapters.simulated.wire import MarketFrame, Notice, Status
from adapters.tape import BadLine, Census, TapeUnreadable, read_tape
from engine.inputs import Candle, Level, MarketData, Quote
from engine.values import InstrumentName, Side, exact

BAD_LINES_TOLD = 100
"""Bad lines that are told with their place; after that they are only counted."""

BAD_LINES_MOST = 10_000
"""Bad lines at the very beginning: a file with more of them is no tape."""

FILES_MOST = 1_000
"""Files of one tape: all of them are open at once, to be merged by time."""

LOOK_AHEAD = 1_000
"""Records of each tape that are looked at to see whether it has quotes, books, or neither."""

BY_HAND = "step"
AS_RECORDED = "recorded"
"""Each record is played at its own time: a clock that stands where the tape begins is needed, as in a backtest."""

Item = MarketData | BadLine
Step = Item | BarOpened | BarSwung
Record = tuple[int, str, Step]
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


def tape_files(directory: Path, tape: TapeFile) -> list[Path]:
    """The files of a tape in the order of their names: one, or all that a pattern such as `spy/*.zip` names.

    Raises `ValueError` for a pattern that names none, or too many.
    """
    if not set(tape.path) & set("*?["):
        return [directory / tape.path]
    named = Path(tape.path)
    found = sorted(Path(named.anchor or directory).glob(str(named.relative_to(named.anchor))))
    if not 0 < len(found) <= FILES_MOST:
        raise ValueError(f"{tape.path} names {len(found)} files; 1 to {FILES_MOST} make a tape")
    return found


def _read(directory: Path, symbol: str, tape: TapeFile) -> Iterator[Item]:
    """The tape's files, merged by time: quotes and trades of a day are often two."""
    try:
        files = tape_files(directory, tape)
        readers = [read_tape(path, InstrumentName(symbol), tape.format) for path in files]
    except TapeUnreadable as error:
        raise ValueError(f"the tape of {symbol}: {error}") from None
    if len(readers) == 1:
        return readers[0]
    timed = [((at_ns, item) for at_ns, _, item in _timed(symbol, reader)) for reader in readers]
    return (item for _, item in merge(*timed, key=lambda record: record[0]))


def _timed(symbol: str, items: Iterator[Item]) -> Iterator[tuple[int, str, Item]]:
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


def _data(records: Iterable[Record]) -> Iterator[MarketData]:
    return (record[2] for record in records if isinstance(record[2], MarketData))


def _with_swings(records: Iterable[Record]) -> Iterator[Record]:
    """Each bar of a tape of bars alone, in three steps of its own time: it opens, it swings, it ends."""
    for record in records:
        if isinstance(candle := record[2], Candle):
            yield candle.start_ns, record[1], BarOpened(candle)
            yield (candle.start_ns + candle.end_ns) // 2, record[1], BarSwung(candle)
        yield record


class TapeMarket:
    """The tapes of all symbols, merged by the time of receipt."""

    def __init__(
        self, name: str, speed: str, traded: Mapping[str, Terms], readers: Mapping[str, Iterator[Item]]
    ) -> None:
        self._name, self._is_by_hand = name, speed == BY_HAND
        self._is_as_recorded = speed == AS_RECORDED
        pace = Fraction(1) if speed in (BY_HAND, AS_RECORDED) else Fraction(str(exact(speed)))
        self._faster, self._slower = pace.numerator, pace.denominator
        self.census = {symbol: Census() for symbol in traded}
        self._displays: dict[str, Display] = {}
        self._quotes: dict[str, Quote] = {}
        self._notices: dict[str, list[Notice]] = {symbol: [] for symbol in traded}
        streams: list[Iterator[Record]] = []
        for symbol, terms in traded.items():
            records = _timed(symbol, readers[symbol])
            head = list(islice(records, LOOK_AHEAD))
            display = self._displays[symbol] = Display(terms, _data(head))
            played = chain(head, records)
            streams.append(_with_swings(played) if display.has_bars_only else played)
        self._records = merge(*streams, key=lambda record: record[0])
        self._next = next(self._records, None)
        self._start(TapeStarted(tape=name, first_ns=self._next[0] if self._next else 0, started_ns=0))
        self._played = self._bad = 0

    def begin(self, at_ns: int, now_ns: int, tape: TapeStarted | None, steps: int) -> TapeStarted | None:
        if tape is None or tape.tape != self._name:
            # A moment later, so that the first record is not one of those that were played before.
            started_ns = self._started.first_ns if self._is_as_recorded else now_ns + 1
            self._start(evolve(self._started, started_ns=started_ns))
            return self._started
        self._start(tape)
        for _ in range(steps if self._is_by_hand else 0):
            self.step(at_ns)
        self.seek(at_ns)
        return None

    @property
    def first_ns(self) -> int:
        """When the first record was received."""
        return self._started.first_ns

    def next_ns(self) -> int | None:
        return self._next_ns  # kept, because it is asked for several times for each record

    def play(self) -> Instant:
        at_ns = self._next_ns
        assert at_ns is not None, "nothing is left to be played"
        seen: list[tuple[str, Seen]] = []
        while self._next_ns == at_ns:
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
            is_record = isinstance(self._next[2], MarketData)
            seen.append(self._take(at_ns))
            if is_record:
                break
        return _instant(at_ns, seen)

    def levels(self, symbol: str, side: Side) -> tuple[Level, ...]:
        return self._displays[symbol].levels(side)

    def version(self, symbol: str) -> int:
        return self._displays[symbol].version

    def swing(self, symbol: str) -> Swing:
        return self._displays[symbol].swing()

    def picture(self, symbol: str, at_ns: int) -> tuple[MarketFrame | Notice, ...]:
        found = (self._displays[symbol].book(at_ns), self._quotes.get(symbol))
        return (*self._notices[symbol], *(frame for frame in found if frame is not None))

    def status(self, at_ns: int) -> Status:
        return Status(at_ns=at_ns, records=self._played, bad_lines=self._bad, tape_ended=self._next is None)

    def _start(self, started: TapeStarted) -> None:
        self._started = started
        self._next_ns = self._time_of_next()

    def _time_of_next(self) -> int | None:
        if self._next is None or self._is_by_hand:
            return None
        return self._started.started_ns + self._scaled(self._next[0] - self._started.first_ns)

    def _scaled(self, span_ns: int) -> int:
        return span_ns * self._slower // self._faster

    def _take(self, at_ns: int) -> tuple[str, Seen]:
        assert self._next is not None
        record_ns, symbol, item = self._next
        self._next = next(self._records, None)
        self._next_ns = self._time_of_next()
        if isinstance(item, BadLine):
            self._bad += 1
            self.census[symbol].count_bad(item)
            notices = self._tell_bad(item)
            self._notices[symbol] += notices
            return symbol, Seen(notices)
        if isinstance(item, MarketData):
            self._played += 1
            self.census[symbol].count(item)
        seen = self._displays[symbol].take(item)
        if at_ns != record_ns:
            frames = tuple(self._rebase(frame, record_ns, at_ns) for frame in seen.frames)
            seen = evolve(seen, frames=frames)
        for frame in seen.frames:
            if isinstance(frame, Quote):
                self._quotes[symbol] = frame
        return symbol, seen

    def _tell_bad(self, bad: BadLine) -> tuple[Notice, ...]:
        if self._bad > BAD_LINES_TOLD:
            return ()
        more = "; further bad lines are only counted" if self._bad == BAD_LINES_TOLD else ""
        return (Notice(f"{bad.path}:{bad.number} {bad.reason}: {bad.text}{more}"),)

    def _rebase(self, frame: MarketFrame | Notice, record_ns: int, at_ns: int) -> MarketFrame | Notice:
        if isinstance(frame, Notice):
            return frame
        if isinstance(frame, Candle):
            start_ns = at_ns - self._scaled(frame.end_ns - frame.start_ns)
            return evolve(frame, start_ns=start_ns, end_ns=at_ns, received_ns=at_ns)
        if frame.exchange_ns is None:
            return evolve(frame, received_ns=at_ns)
        return evolve(frame, received_ns=at_ns, exchange_ns=at_ns + self._scaled(frame.exchange_ns - record_ns))


def _instant(at_ns: int, seen: list[tuple[str, Seen]]) -> Instant:
    if len(seen) == 1:  # as nearly always
        symbol, one = seen[0]
        return Instant(
            at_ns, one.frames, one.prints, (symbol,) if one.is_changed else (), (symbol,) if one.has_swung else ()
        )
    return Instant(
        at_ns,
        frames=tuple(frame for _, each in seen for frame in each.frames),
        prints=tuple(passed for _, each in seen for passed in each.prints),
        changed=tuple(dict.fromkeys(symbol for symbol, each in seen if each.is_changed)),
        swings=tuple(symbol for symbol, each in seen if each.has_swung),
    )
