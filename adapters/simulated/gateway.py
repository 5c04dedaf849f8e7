"""Between the exchange and its clients: latency and faults, on the same deterministic time as the exchange's own.

A request that is sent arrives a latency later, is carried out, and its reply and the frames that it leads to come
out a latency after that. What may go wrong on the way is the faults' to say, by the number of each message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

from attrs import define, evolve, frozen

from adapters.simulated import wire
from adapters.simulated.exchange import Answer, Exchange, Told
from adapters.simulated.faults import Fate, Faults, Kind, fate_of, read_faults, strikes
from engine.inputs import BookDelta, BookSnapshot, Candle, Quote, Section, TradeTick
from engine.values import SECOND_NS

REORDER_MOST_NS = SECOND_NS
"""A reordered frame goes out behind the next one, or after this time if none comes."""

_REQUEST_KINDS: dict[type[wire.Ask], Kind] = {
    wire.Place: Kind.PLACE,
    wire.Cancel: Kind.CANCEL,
    wire.Replace: Kind.REPLACE,
    wire.Query: Kind.QUERY,
    wire.ReadAccount: Kind.SNAPSHOT,
}
_MARKET_FRAMES = (Quote, TradeTick, BookSnapshot, BookDelta, Candle)
_FINE = Fate()


@frozen
class Cut:
    """The connection is lost."""

    cause: str


class Delivery(NamedTuple):
    """What comes out at a client: `number` is the request's that it answers, None on the stream."""

    at_ns: int
    connection: int
    number: int | None
    frame: wire.Frame | Cut


@frozen
class _Arrival:
    connection: int
    number: int
    request: Request
    fate: Fate


@define
class _Line:
    """One client: what it is told, and what its stream holds back."""

    symbols: frozenset[str] = frozenset()
    is_told: bool = False
    stream_ns: int = 0
    held: wire.Frame | None = None
    held_until_ns: int = 0


class Task(Protocol):
    """A request in the words of another exchange's wire: it meets the faults of its kind like our own."""

    @property
    def kind(self) -> Kind | None:
        """Which kind of message it is; None for one that nothing happens to."""
        ...

    def carry_out(self, exchange: Exchange, fate: Fate, at_ns: int) -> Answer:
        """What follows from it at an instant; `fate` says whether it is refused unseen, fails or is told the past."""
        ...


Request = wire.Ask | Task
Message = Request | wire.Frame
Dress = Callable[[int, wire.Frame], wire.Frame]
"""What a frame about an order looks like in the words of another wire, as of the instant at which it is told."""


@frozen
class Strike:
    """One fault that happened to one message, the `counter`-th of its kind."""

    fault: str
    kind: Kind
    counter: int
    message: Message


class Gateway:
    """The exchange as its clients reach it. One thread at a time; every method names its instant.

    `struck` is told of every fault that happens; it decides nothing. `dress` puts what is told about orders into the
    words of another wire.
    """

    def __init__(self, exchange: Exchange, latency_ns: int, faults: Faults) -> None:
        self._exchange, self._latency_ns, self._faults = exchange, latency_ns, faults
        self._is_faultless = faults == Faults()
        self.struck: Callable[[Strike], None] | None = None
        self.dress: Dress | None = None
        self._counts: Counter[Kind] = Counter()
        self._lines: dict[int, _Line] = {}
        self._arrivals: list[tuple[int, int, _Arrival]] = []
        self._outgoing: list[tuple[int, int, Delivery]] = []
        self._order = 0

    @property
    def exchange(self) -> Exchange:
        """What it stands before; for who works in its thread."""
        return self._exchange

    def connect(self, connection: int) -> None:
        """A new client; it is told nothing before its `Hello` has arrived."""
        self._lines[connection] = _Line()

    def disconnect(self, connection: int) -> None:
        """The client is gone, and with it all that was on its way to it. Its requests still arrive."""
        self._lines.pop(connection, None)

    def send(self, connection: int, number: int, request: Request, at_ns: int) -> None:
        """A client's request leaves it at an instant."""
        fate = self._fate(_kind_of_request(request), request)
        if not fate.lose_request:
            arrives_ns = at_ns + self._latency_ns + fate.delay_request_ns
            self._order += 1
            heappush(self._arrivals, (arrives_ns, self._order, _Arrival(connection, number, request, fate)))

    def set_faults(self, faults: Faults) -> None:
        """From now on these; counting begins anew. Market data that lags behind is not sent any more."""
        self._faults, self._counts = faults, Counter()
        self._is_faultless = faults == Faults()
        self._outgoing = [entry for entry in self._outgoing if not isinstance(entry[2].frame, _MARKET_FRAMES)]
        self._outgoing.sort()

    def go_on_counting(self, counts: Counter[Kind]) -> None:
        """Number messages on from there: an exchange that was restarted does not meet the same faults again."""
        self._counts = counts

    def advance(self, to_ns: int) -> list[Delivery]:
        """Everything that comes out up to and with an instant, in order."""
        while self._arrivals and self._arrivals[0][0] <= to_ns:
            at_ns, _, arrival = heappop(self._arrivals)
            self._arrive(arrival, at_ns)
        self._tell(self._exchange.advance(to_ns))
        for connection, line in self._lines.items():
            if line.held is not None and line.held_until_ns <= to_ns:
                self._release(connection, line, line.held_until_ns)
        due: list[Delivery] = []
        while self._outgoing and self._outgoing[0][0] <= to_ns:
            delivery = heappop(self._outgoing)[2]
            if delivery.connection in self._lines:
                due.append(delivery)
                if isinstance(delivery.frame, Cut):
                    del self._lines[delivery.connection]
        return due

    def next_ns(self) -> int | None:
        """When something happens next; None where nothing does by itself."""
        next_ns = self._exchange.next_ns
        for heap in (self._arrivals, self._outgoing):
            if heap and (next_ns is None or heap[0][0] < next_ns):
                next_ns = heap[0][0]
        for line in self._lines.values():
            if line.held is not None and (next_ns is None or line.held_until_ns < next_ns):
                next_ns = line.held_until_ns
        return next_ns

    # --- requests -----------------------------------------------------------------------------------------------

    def _arrive(self, arrival: _Arrival, at_ns: int) -> None:
        fate = arrival.fate
        answer = self._answer(arrival.request, fate, at_ns)
        at_ns = max(at_ns, self._exchange.now_ns)
        line = self._lines.get(arrival.connection)
        if line is not None and isinstance(arrival.request, wire.Hello):
            line.symbols, line.is_told = frozenset(arrival.request.symbols), True
        if fate.disconnect:
            self._put(at_ns, arrival.connection, None, Cut("the exchange closed the connection"))
        elif not fate.lose_reply:
            reply = wire.Failed("server error") if fate.error_reply else answer.reply
            reply_ns = at_ns + self._latency_ns + fate.delay_reply_ns
            for _ in range(1 + fate.duplicate_reply):
                self._put(reply_ns, arrival.connection, arrival.number, reply)
        if line is not None and isinstance(arrival.request, wire.Hello):
            for _, frame in self._exchange.picture(sorted(line.symbols)):
                self._put(at_ns + self._latency_ns + self._faults.lag_ns, arrival.connection, None, frame)
        self._tell(answer.told)

    def _answer(self, request: Request, fate: Fate, at_ns: int) -> Answer:
        exchange = self._exchange
        match request:
            case wire.Place() | wire.Cancel() | wire.Replace():
                return (
                    exchange.refuse(request, wire.Reason.BUSY, at_ns)
                    if fate.busy
                    else exchange.carry_out(request, at_ns)
                )
            case wire.Query() | wire.ReadAccount() if fate.fail:
                return Answer(wire.Failed("server error"), exchange.advance(at_ns))
            case wire.Query():
                return exchange.find(request, at_ns)
            case wire.ReadAccount():
                return self._account(request, fate, at_ns)
            case wire.ReadLedger():
                return exchange.account(0, at_ns)
            case wire.Hello():
                return exchange.welcome(at_ns)
            case wire.Step():
                return exchange.step(at_ns)
            case wire.ReadStatus():
                return Answer(exchange.status(), exchange.advance(at_ns))
            case wire.Transfer():
                return exchange.transfer(request, at_ns)
            case wire.SetFaults():
                return self._change_faults(request, at_ns)
            case _:
                return request.carry_out(exchange, fate, at_ns)

    def _account(self, request: wire.ReadAccount, fate: Fate, at_ns: int) -> Answer:
        answer = self._exchange.account(request.since_ns, at_ns)
        found = answer.reply
        if fate.stale_ns:
            found = self._exchange.account_as_of(at_ns - fate.stale_ns, request.since_ns)
        if fate.partial and isinstance(found, wire.AccountAnswer):
            complete = tuple(section for section in found.complete if section is not Section.EXECUTIONS)
            found = evolve(found, executions=found.executions[: len(found.executions) // 2], complete=complete)
        return Answer(found, answer.told)

    def _change_faults(self, request: wire.SetFaults, at_ns: int) -> Answer:
        told = self._exchange.advance(at_ns)
        try:
            self.set_faults(read_faults(request.faults))
        except ValueError as error:
            return Answer(wire.Failed(str(error)), told)
        return Answer(self._exchange.status(), told)

    # --- frames -------------------------------------------------------------------------------------------------

    def _tell(self, told: list[Told]) -> None:
        """Everyone who said hello is told; a frame has one fate for all of them."""
        for at_ns, frame in told:
            fate = _FINE if self._is_faultless else self._fate(_kind_of(frame), frame)
            if fate.drop and not fate.disconnect:
                continue
            symbol = frame.instrument if isinstance(frame, _MARKET_FRAMES) else None
            shown = frame if self.dress is None or symbol is not None else self.dress(at_ns, frame)
            for connection, line in self._lines.items():
                if line.is_told and (symbol is None or symbol in line.symbols):
                    self._stream(connection, line, at_ns, shown, fate, is_market=symbol is not None)

    def _stream(
        self, connection: int, line: _Line, at_ns: int, frame: wire.Frame, fate: Fate, *, is_market: bool
    ) -> None:
        at_ns += self._latency_ns + fate.delay_ns
        if is_market:
            at_ns += self._faults.lag_ns
        else:
            # A stream is one line: what is behind a delayed frame waits too.
            line.stream_ns = at_ns = max(at_ns, line.stream_ns)
        if fate.disconnect:
            self._put(at_ns, connection, None, Cut("the exchange closed the connection"))
            return
        if fate.reorder and line.held is None:
            line.held, line.held_until_ns = frame, at_ns + REORDER_MOST_NS
            return
        for _ in range(1 + fate.duplicate):
            self._put(at_ns, connection, None, frame)
        if not is_market:
            self._release(connection, line, at_ns)

    def _release(self, connection: int, line: _Line, at_ns: int) -> None:
        """What was held back goes behind what went before it."""
        if line.held is not None:
            self._put(at_ns, connection, None, line.held)
            line.held = None

    def _fate(self, kind: Kind | None, message: Message) -> Fate:
        if kind is None or self._is_faultless:
            return _FINE
        self._counts[kind] += 1
        counter = self._counts[kind]
        found = strikes(self._faults, kind, counter)
        if self.struck is not None:
            for fault in found:
                self.struck(Strike(fault, kind, counter, message))
        return fate_of(self._faults, found)

    def _put(self, at_ns: int, connection: int, number: int | None, frame: wire.Frame | Cut) -> None:
        self._order += 1
        heappush(self._outgoing, (at_ns, self._order, Delivery(at_ns, connection, number, frame)))


def _kind_of_request(request: Request) -> Kind | None:
    return request.kind if hasattr(request, "kind") else _REQUEST_KINDS.get(type(request))


def _kind_of(frame: wire.Frame) -> Kind | None:
    if isinstance(frame, _MARKET_FRAMES):
        return Kind.MARKET
    if isinstance(frame, wire.Executed):
        return Kind.EXECUTION
    return Kind.ORDER if isinstance(frame, wire.OrderFrame) else None
