"""The market streams: subscribed, confirmed and watched one by one; doubles are dropped, gaps are told."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable

from attrs import define
from msgspec import Raw

from adapters.binance import quotes, wire
from adapters.binance.access import Access
from adapters.binance.depth import DepthFlow
from adapters.binance.translate import Names
from adapters.stream import Line, LineDown, SendUnknown
from engine import inputs
from engine.inputs import BookSnapshot
from engine.values import MILLISECOND_NS, InstrumentName

SEND_EVERY_NS = 250 * MILLISECOND_NS
"""Binance takes five messages a second, pings among them, and ends a connection that sends more."""

SUSPECT_NS = 2_000 * MILLISECOND_NS
"""A stream that is silent although the market has moved gets so long to prove the contrary."""


@define(eq=False)
class Stream:
    """One subscription: whose it is, whether it is there, and what came on it last."""

    kind: str
    symbol: str
    instrument: InstrumentName
    flow: DepthFlow
    is_up: bool = False
    is_told_lost: bool = False
    heard_ns: int = 0
    last_id: int | None = None
    quote: inputs.Quote | None = None
    suspect_ns: int | None = None
    asked_ns: int = 0


class Feed:
    """Listens to a `Line`, which is set once both exist. `fetch` asks for a symbol's book over REST; the answer comes
    by `take_book`."""

    def __init__(
        self, access: Access, names: Names, fetch: Callable[[str, int], None], kinds: tuple[str, ...] | None = None
    ) -> None:
        """`kinds` of market data come on it; all that are configured where none is named."""
        self._access, self._names, self._fetch = access, names, fetch
        self._lock = threading.RLock()
        self._streams: dict[str, Stream] = {
            self.stream_name(symbol, kind): Stream(kind, symbol, names.name(symbol), DepthFlow())
            for symbol in names.symbols
            for kind in (access.options.streams if kinds is None else kinds)
        }
        self._began_ns = access.now_ns()
        self._to_send: deque[tuple[int, list[str]]] = deque()
        self._sent: dict[int, tuple[int, list[str]]] = {}
        self._confirmed: dict[int, set[str]] = {}
        self._last_number, self._sent_ns = 0, 0
        self.line: Line | None = None

    @property
    def url(self) -> str:
        """All streams share a connection; frames say whose they are."""
        return f"{self._access.options.urls.stream}/stream"

    @property
    def names(self) -> tuple[str, ...]:
        """The streams that come on it."""
        return tuple(self._streams)

    def stream_name(self, symbol: str, kind: str) -> str:
        """As the venue names it."""
        return quotes.stream_name(symbol, kind)

    def unwrap(self, text: str) -> wire.Combined:
        """Whose a frame is, and what it holds; raises `WireError`."""
        return wire.decode(text, wire.Combined)

    # --- the line's thread ------------------------------------------------------------------------------------------

    def opened(self, session: int) -> None:
        """Ask for all of them at once."""
        with self._lock:
            self._confirmed[session] = set()
            self._to_send.append((session, list(self._streams)))
        self._send_next()

    def received(self, session: int, text: str) -> None:
        """A frame of a stream, or the reply to a request of ours."""
        try:
            frame = self.unwrap(text)
            if frame.stream is None or not wire.is_there(frame.data):
                self._replied(session, frame, text)
            elif frame.stream in self._streams:
                with self._lock:
                    self._heard(session, self._streams[frame.stream], frame.data)
            elif frame.stream == "!serverShutdown":
                self._line().renew()
            else:
                self._access.tell(self._names.surprise(text))
        except (wire.WireError, ArithmeticError):
            self._access.tell(self._names.surprise(text))

    def lost(self, session: int, cause: str, *, was_serving: bool) -> None:
        """Without another session all of them are missing."""
        with self._lock:
            self._confirmed.pop(session, None)
            if was_serving:
                for stream in self._streams.values():
                    self._lose(stream, cause)

    def _replied(self, session: int, frame: wire.Combined, text: str) -> None:
        """Confirmed, or refused; of a request for several each is asked for anew, to learn which it was."""
        with self._lock:
            asked = self._sent.pop(frame.id, None) if frame.id is not None else None
            if asked is None or asked[0] != session:
                if '"serverShutdown"' in text:
                    self._line().renew()
                else:
                    self._access.tell(self._names.surprise(text))
                return
            names = asked[1]
            if frame.code is None and frame.error is None:
                for name in names:
                    self._confirm(session, name)
            elif len(names) > 1:
                self._to_send.extend((session, [name]) for name in names)
            else:
                self._access.tell(self._names.surprise(text))
                self._lose(self._streams[names[0]], "refused", is_said=True)

    def _confirm(self, session: int, name: str) -> None:
        confirmed = self._confirmed.get(session)
        if confirmed is None or name in confirmed:
            return
        confirmed.add(name)
        stream = self._streams[name]
        stream.heard_ns = self._access.now_ns()
        if not stream.is_up:
            stream.is_up, stream.is_told_lost = True, False
            if stream.kind == "depth":
                self._ask_book(stream)
            self._access.tell(inputs.StreamUp(self._access.venue, stream.kind, stream.instrument))
        if len(confirmed) == len(self._streams):
            self._line().serve(session)

    def _lose(self, stream: Stream, cause: str, *, is_said: bool = False) -> None:
        """A subscription is missing; said once, until it is there again."""
        was_up, stream.is_up = stream.is_up, False
        stream.last_id, stream.suspect_ns = None, None
        stream.flow.lose()
        if (was_up or is_said) and not stream.is_told_lost:
            stream.is_told_lost = True
            self._access.tell(inputs.StreamLost(self._access.venue, stream.kind, stream.instrument, cause))
            for other in self._streams.values():  # the engine gives the book up with any stream of the instrument
                if other.kind == "depth" and other.symbol == stream.symbol:
                    other.flow.lose()
                    self._ask_book(other)

    def say_missing(self) -> None:
        """Say again what is missing: after the venue was lost, nobody remembers."""
        with self._lock:
            for stream in self._streams.values():
                if not stream.is_up and stream.is_told_lost:
                    self._access.tell(
                        inputs.StreamLost(self._access.venue, stream.kind, stream.instrument, "not up yet")
                    )

    # --- what comes on a stream -------------------------------------------------------------------------------------

    def _heard(self, session: int, stream: Stream, data: Raw) -> None:
        now_ns = self._access.now_ns()
        self._confirm(session, self.stream_name(stream.symbol, stream.kind))
        stream.heard_ns, stream.suspect_ns = now_ns, None
        self.understand(stream, data, now_ns)

    def understand(self, stream: Stream, data: Raw, now_ns: int) -> None:
        """What came on a stream."""
        match stream.kind:
            case "quotes":
                row = wire.decode(data, wire.BookTicker)
                self.quote(stream, row.update, quotes.quote(stream.instrument, row, now_ns))
            case "trades":
                trade = wire.decode(data, wire.PublicTrade)
                self.trade(stream, trade.trade_id, quotes.trade(stream.instrument, trade, now_ns))
            case _:
                self.change(stream, quotes.delta(stream.instrument, wire.decode(data, wire.DepthUpdate), now_ns))

    def change(self, stream: Stream, delta: inputs.BookDelta) -> None:
        """A book has changed."""
        for told in stream.flow.change(delta):
            self._access.tell(told)
        if stream.flow.needs_snapshot:
            self._ask_book(stream)

    def quote(self, stream: Stream, update: int, quote: inputs.Quote) -> None:
        """A new best bid or ask; an older one is dropped."""
        if stream.last_id is not None and update < stream.last_id:
            return
        stream.last_id, stream.quote = update, quote
        self._access.tell(quote)

    def trade(self, stream: Stream, number: int, tick: inputs.TradeTick) -> None:
        """Trades are numbered without a gap."""
        last = stream.last_id
        if last is not None and number <= last:
            return
        if last is not None and number > last + 1:
            self._access.tell(inputs.DataDropped(stream.instrument, number - last - 1))
        stream.last_id = number
        self._access.tell(tick)

    # --- books over REST --------------------------------------------------------------------------------------------

    def _ask_book(self, stream: Stream) -> None:
        now_ns = self._access.now_ns()
        if now_ns - stream.asked_ns >= int(self._access.options.confirm_limit_ns):
            stream.asked_ns = now_ns
            self._fetch(stream.symbol, self._access.options.depth_levels)

    def take_book(self, symbol: str, row: wire.DepthSnapshot | None) -> None:
        """A book that was asked for; None where the question had no answer."""
        name = self.stream_name(symbol, "depth")
        with self._lock:
            stream = self._streams.get(name)
            if stream is None:
                return
            stream.asked_ns = 0
            if row is None or not stream.flow.needs_snapshot:
                return
            snapshot: BookSnapshot = quotes.book(stream.instrument, row, self._access.now_ns())
            for told in stream.flow.load(snapshot):
                self._access.tell(told)

    def take_touch(self, symbol: str, row: wire.DepthSnapshot | None) -> None:
        """The book's first levels, asked for because the quotes are silent: have they missed something?"""
        with self._lock:
            stream = self._streams.get(self.stream_name(symbol, "quotes"))
            if stream is None or row is None or not row.bids or not row.asks:
                return
            seen = stream.quote
            is_same = seen is not None and (
                (seen.bid, seen.bid_quantity, seen.ask, seen.ask_quantity) == (*row.bids[0], *row.asks[0])
            )
            if is_same:
                stream.heard_ns = self._access.now_ns()
            elif stream.suspect_ns is None:
                stream.suspect_ns = self._access.now_ns()

    # --- the housekeeper's thread -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """Send what waits, say what was not confirmed in time, suspect what is silent, ask for missing books."""
        self._send_next()
        with self._lock:
            now_ns = self._access.now_ns()
            limit_ns = int(self._access.options.confirm_limit_ns)
            for stream in self._streams.values():
                if not stream.is_up and not stream.is_told_lost and now_ns - self._began_ns > limit_ns:
                    self._lose(stream, "not confirmed", is_said=True)
                elif stream.is_up:
                    self._watch(stream, now_ns)

    def _watch(self, stream: Stream, now_ns: int) -> None:
        if stream.kind == "depth" and stream.flow.needs_snapshot:
            self._ask_book(stream)
        if stream.suspect_ns is not None and now_ns - stream.suspect_ns > SUSPECT_NS:
            self._silent(stream)
        silent_ns = now_ns - stream.heard_ns
        if silent_ns <= int(self._access.options.silence_limit_ns):
            return
        if stream.kind == "quotes" and stream.suspect_ns is None:
            stream.heard_ns = now_ns
            self._fetch(stream.symbol, 0)
        elif stream.kind == "depth" and self._has_moved(stream):
            self._silent(stream)

    def _has_moved(self, stream: Stream) -> bool:
        """Have the quotes of the same symbol changed since it was heard of?"""
        other = self._streams.get(self.stream_name(stream.symbol, "quotes"))
        return other is not None and other.quote is not None and other.quote.received_ns > stream.heard_ns + SUSPECT_NS

    def _silent(self, stream: Stream) -> None:
        self._lose(stream, "silent although the market moves")
        session = self._line().serving
        if session is not None:
            self._line().drop(session, f"{stream.kind} of {stream.symbol} are silent")

    def _send_next(self) -> None:
        """At most one message in each while."""
        with self._lock:
            now_ns = self._access.now_ns()
            if not self._to_send or now_ns - self._sent_ns < SEND_EVERY_NS:
                return
            session, names = self._to_send.popleft()
            self._last_number += 1
            number, self._sent_ns = self._last_number, now_ns
            self._sent[number] = (session, names)
        text = json.dumps({"method": "SUBSCRIBE", "params": names, "id": number}, separators=(",", ":"))
        try:
            self._line().send(text, session)
        except (LineDown, SendUnknown):
            self._sent.pop(number, None)  # the line tells that it is lost

    def _line(self) -> Line:
        assert self.line is not None, "a feed has its line before anything is opened"
        return self.line
