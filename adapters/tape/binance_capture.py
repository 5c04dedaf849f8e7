"""Captures of Binance Spot streams: one line `<receive ns> <JSON>`.

The JSON is a combined-stream frame (depth diffs, bookTicker, trade) or the REST depth snapshot, as they were on the
wire (binance-spot-api-docs, web-socket-streams.md). Prices are taken from their text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from adapters.tape.lines import Tape
from adapters.tape.record import BadRecord, Parse, TapeUnreadable, price, quantity, quote, time_ns, trade, whole
from engine.inputs import BookDelta, BookSnapshot, Level, MarketData, Quote, TradeTick
from engine.values import MILLISECOND_NS, SECOND_NS, InstrumentName, Side

USAGE = "binance or binance:SYMBOL, such as binance:BTCUSDT"
CLOCK_LIMIT_NS = 3600 * SECOND_NS
"""Receiver's and exchange's clocks may differ by this much; beyond it one of the two times in a line is wrong."""

_RECEIVED_DIGITS = 19

Natural = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(gt=0, lt=2**42)]
WireLevel = tuple[str, str]


class Frame(Struct):
    """A line's JSON: `stream` and `data` of a combined stream, or the fields of a REST depth snapshot."""

    stream: str | None = None
    data: Raw = Raw()
    last_update: Natural | None = field(default=None, name="lastUpdateId")
    bids: list[WireLevel] = []
    asks: list[WireLevel] = []


class Depth(Struct):
    """`<symbol>@depth`: changed levels from update U to u."""

    e: Literal["depthUpdate"]
    E: Milliseconds
    s: str
    U: Natural
    u: Natural
    b: list[WireLevel]
    a: list[WireLevel]


class BookTicker(Struct):
    """`<symbol>@bookTicker`: best bid and ask after update u; the frame carries no time."""

    u: Natural
    s: str
    b: str
    B: str
    a: str
    A: str


class Traded(Struct):
    """`<symbol>@trade`; `m`: was the buyer the maker?"""

    e: Literal["trade"]
    E: Milliseconds
    s: str
    t: Natural
    p: str
    q: str
    m: bool


_FRAME = msgspec.json.Decoder(Frame)
_DATA: dict[str, msgspec.json.Decoder[Depth] | msgspec.json.Decoder[BookTicker] | msgspec.json.Decoder[Traded]] = {
    "depth": msgspec.json.Decoder(Depth),
    "bookTicker": msgspec.json.Decoder(BookTicker),
    "trade": msgspec.json.Decoder(Traded),
}


def recognises(tape: Tape) -> bool:
    """True where one of the first lines is a receive time and a JSON object."""
    return any(
        line[:_RECEIVED_DIGITS].isdigit() and line[_RECEIVED_DIGITS : _RECEIVED_DIGITS + 2] == " {"
        for line in tape.head
    )


def parser(tape: Tape, instrument: InstrumentName, option: str) -> Parse:
    """Reads the frames of one symbol: `option`, or else the instrument's name without punctuation (BTC-USDT: BTCUSDT).

    Raises `TapeUnreadable` where the first lines name symbols, and this is not among them.
    """
    symbol = option or "".join(filter(str.isalnum, instrument)).upper()
    seen = sorted({found for line in tape.head if (found := _symbol_of(line)) is not None})
    if seen and symbol not in seen:
        raise TapeUnreadable(
            f"{tape.path}: begins with {', '.join(seen)}, not {symbol}; name the symbol in the format: binance:SYMBOL"
        )
    return Capture(instrument, symbol).parse


def _symbol_of(line: str) -> str | None:
    try:
        stream = _FRAME.decode(line.partition(" ")[2]).stream
    except msgspec.DecodeError:
        return None
    return stream.partition("@")[0].upper() if stream else None


class Capture:
    """The lines of one symbol.

    A bookTicker carries no time of its own. Its quote gets the newest exchange time (E) of any frame of the symbol
    before it on the tape, so that its age can be judged, and None before the first. A depth snapshot names no symbol:
    it is taken for ours unless the tape has shown another symbol, then it is refused.
    """

    def __init__(self, instrument: InstrumentName, symbol: str) -> None:
        self._instrument = instrument
        self._symbol = symbol
        self._newest_ns: int | None = None
        self._alone = True

    def parse(self, text: str) -> MarketData | None:
        """One line; None for a frame of another symbol; raises `BadRecord`."""
        received, _, body = text.partition(" ")
        if len(received) != _RECEIVED_DIGITS:
            raise BadRecord(f"does not begin with a receive time of {_RECEIVED_DIGITS} digits")
        received_ns = time_ns(whole(received))
        try:
            frame = _FRAME.decode(body)
            if frame.stream is None:
                return self._snapshot(frame, received_ns)
            return self._market(frame.stream, frame.data, received_ns)
        except msgspec.DecodeError as fault:
            raise BadRecord(str(fault)) from None

    def _market(self, stream: str, data: Raw, received_ns: int) -> MarketData | None:
        symbol, _, channel = stream.partition("@")
        decoder = _DATA.get(channel.partition("@")[0])
        if decoder is None:
            raise BadRecord(f"a stream of unknown kind: {stream[:40]!r}")
        found = decoder.decode(data)
        if found.s.lower() != symbol.lower():
            raise BadRecord(f"stream {stream[:40]!r} with data of {found.s[:40]!r}")
        if found.s != self._symbol:
            self._alone = False
            return None
        if isinstance(found, BookTicker):
            return self._quote(found, received_ns)
        return self._delta(found, received_ns) if isinstance(found, Depth) else self._trade(found, received_ns)

    def _quote(self, found: BookTicker, received_ns: int) -> Quote:
        bid, ask = (price(found.b), quantity(found.B)), (price(found.a), quantity(found.A))
        return quote(self._instrument, bid, ask, received_ns, self._newest_ns)

    def _trade(self, found: Traded, received_ns: int) -> TradeTick:
        exchange_ns = _exchange_ns(found.E, received_ns)
        aggressor = Side.SELL if found.m else Side.BUY
        tick = trade(self._instrument, price(found.p), quantity(found.q), received_ns, exchange_ns, aggressor)
        self._observe(exchange_ns)
        return tick

    def _delta(self, found: Depth, received_ns: int) -> BookDelta:
        exchange_ns = _exchange_ns(found.E, received_ns)
        if found.u < found.U:
            raise BadRecord(f"a diff from update {found.U} back to {found.u}")
        bids, asks = _levels(found.b), _levels(found.a)
        self._observe(exchange_ns)
        return BookDelta(self._instrument, bids, asks, found.U, found.u, received_ns, exchange_ns)

    def _snapshot(self, frame: Frame, received_ns: int) -> BookSnapshot:
        if frame.last_update is None:
            raise BadRecord("neither a stream's frame nor a depth snapshot")
        if not self._alone:
            raise BadRecord("a depth snapshot, which names no symbol, on a tape of several symbols")
        bids, asks = _levels(frame.bids), _levels(frame.asks)
        if not all(size for _, size in bids + asks):
            raise BadRecord("a depth snapshot with an empty level")
        if not (_rises(asks) and _rises(bids[::-1])):
            raise BadRecord("a depth snapshot whose levels are not best first")
        if bids and asks and bids[0][0] >= asks[0][0]:
            raise BadRecord(f"a crossed depth snapshot: bid {bids[0][0]}, ask {asks[0][0]}")
        return BookSnapshot(self._instrument, bids, asks, frame.last_update, received_ns)

    def _observe(self, exchange_ns: int) -> None:
        self._newest_ns = max(exchange_ns, self._newest_ns or 0)


def _exchange_ns(milliseconds: int, received_ns: int) -> int:
    exchange_ns = milliseconds * MILLISECOND_NS
    if abs(exchange_ns - received_ns) > CLOCK_LIMIT_NS:
        raise BadRecord("receive time and exchange time are more than an hour apart; one of them is wrong")
    return exchange_ns


def _levels(found: Sequence[WireLevel]) -> tuple[Level, ...]:
    return tuple((price(at), quantity(size)) for at, size in found)


def _rises(levels: Sequence[Level]) -> bool:
    return all(before[0] < after[0] for before, after in pairwise(levels))
