"""The Venue port over a link to the simulated exchange: the sending thread, the gate, timeouts, the connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, Full, Queue

from adapters.registry import VenueSettings
from adapters.simulated import wire
from adapters.simulated.floor import Floor
from adapters.simulated.inflight import InFlight
from adapters.simulated.link import EmbeddedLink, Link, LinkBusy, SocketLink
from adapters.simulated.opening import open_gateway, open_market
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.translate import RAW_MOST, Translator
from engine import inputs, outbox
from engine.capabilities import VenueDescription
from engine.inputs import Input
from engine.ports import Deliver, Gate, VenueUnreachable
from engine.values import MILLISECOND_NS, SECOND_NS, VenueName

QUEUE_MOST = 1_024
"""Requests that wait to be sent; one more has an unknown outcome at once."""

HELLO_NS = 10 * SECOND_NS
"""A connection without an answer to our hello in this time is given up."""

BACKOFF_NS = 50 * MILLISECOND_NS
BACKOFF_MOST_NS = 2 * SECOND_NS
STEADY_NS = 10 * SECOND_NS
"""A line that lived so long was a good one: after it the pauses between attempts begin anew."""

CLOCK_EVERY_NS = 60 * SECOND_NS
WAKE_NS = SECOND_NS // 4
CLOSE_SECONDS = 5

_ORDER_REQUESTS = (outbox.SubmitOrder, outbox.CancelOrder, outbox.ReplaceOrder)


def connect(settings: VenueSettings) -> SimulatedVenue:
    """The client of an embedded exchange, or of the one at `url`; nothing is opened yet.

    Raises `ValueError` for options that can't be carried out, such as a tape that can't be read.
    """
    options = settings.options
    if not isinstance(options, SimulatedOptions):
        raise ValueError("the simulated exchange needs its own options")
    symbols = tuple(dict.fromkeys(settings.symbols.values()))
    link: Link
    if options.url is not None:
        link = SocketLink(options.url)
    else:
        open_market(options, symbols, settings.directory)
        link = EmbeddedLink(Floor(settings.open_log, partial(open_gateway, options, symbols, settings.directory)))
    translator = Translator(settings.name, settings.symbols)
    return SimulatedVenue(settings.name, link, translator, options.request_timeout_ns)


class SimulatedVenue:
    """`release` only queues; one thread sends. What the exchange says is delivered in the link's thread."""

    def __init__(
        self,
        name: VenueName,
        link: Link,
        translator: Translator,
        timeout_ns: int,
        clock: Callable[[], int] = time.time_ns,
        clock_every_ns: int = CLOCK_EVERY_NS,
    ) -> None:
        self._name, self._link, self._translator = name, link, translator
        self._timeout_ns, self._clock, self._clock_every_ns = timeout_ns, clock, clock_every_ns
        self._queue: Queue[outbox.Request | None] = Queue(QUEUE_MOST)
        self._in_flight = InFlight(timeout_ns)
        self._closing = threading.Event()
        self._deliver: Deliver | None = None
        self._gate: Gate | None = None
        self._thread: threading.Thread | None = None
        # The connection: its number, whether the exchange has welcomed us on it, our own questions and when they left.
        self._lock = threading.Lock()
        self._session = 0
        self._is_linked = self._is_welcome = False
        self._asked: dict[int, int] = {}
        self._retry_ns, self._backoff_ns, self._measure_ns, self._welcome_ns = 0, BACKOFF_NS, 0, 0

    @property
    def name(self) -> VenueName:
        """The user's name of this account."""
        return self._name

    def describe(self) -> VenueDescription:
        """Asks the exchange; raises `VenueUnreachable`."""
        answer = self._link.ask(wire.Hello())
        if not isinstance(answer, wire.Welcome):
            raise VenueUnreachable(f"the simulated exchange answered {type(answer).__name__} to a hello")
        return self._translator.describe(answer)

    def ask(self, request: wire.Ask) -> wire.Message:
        """A question beside the engine's, such as `wire.ReadLedger`; raises `VenueUnreachable`."""
        return self._link.ask(request)

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Connect, and stay connected until `close`. Raises what opening the embedded exchange raises."""
        self.attach(deliver, gate)
        self._thread = threading.Thread(target=self._run, name=f"venue {self._name}", daemon=True)
        self._thread.start()

    def release(self, request: outbox.Request) -> None:
        """Queue a request; if the queue is full, its outcome is told at once."""
        try:
            self._queue.put_nowait(request)
        except Full:
            self._tell(self._translator.unanswered(request, "queue full"))

    def drop(self) -> None:
        """The process is gone, in a simulation: nothing more is taken or told, what was sent still arrives."""
        self._closing.set()
        self._link.disconnect()

    def reconnect(self, cause: str) -> None:
        """Give the connection up; it is made again after the usual while."""
        self._link.disconnect()
        self._lost(self._session, cause)

    def close(self) -> None:
        """End thread and link. Requests in flight stay without an answer, as at any end of a process."""
        self._closing.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        self._link.close()

    # --- the sending thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            self.turn(self._wait_seconds(self._clock()))

    def turn(self, wait_seconds: float = 0) -> bool:
        """One round: the connection, the timeouts, one waiting request. The thread's work, or a simulation's, which
        has no thread and turns until there is nothing left to send (False)."""
        if not wait_seconds and self._queue.empty() and self._clock() < self.due_ns():
            return False
        self._keep_connected(self._clock())
        for request in self._in_flight.take_due(self._clock()):
            self._tell(self._translator.unanswered(request, "timeout"))
        try:
            waiting = self._queue.get(timeout=wait_seconds) if wait_seconds else self._queue.get_nowait()
        except Empty:
            return False
        if waiting is not None and not self._closing.is_set():
            self._send(waiting)
        return True

    def attach(self, deliver: Deliver, gate: Gate) -> None:
        """What `open` does, without a thread: who drives it calls `turn`."""
        self._link.start()
        self._deliver, self._gate = deliver, gate

    def due_ns(self) -> int:
        """When `turn` has something to do by itself."""
        if not self._is_linked:
            due_ns = self._retry_ns
        elif self._is_welcome:
            due_ns = self._measure_ns
        else:
            due_ns = self._asked_ns() + HELLO_NS + 1
        timeout_ns = self._in_flight.due_ns()
        return due_ns if timeout_ns is None else min(due_ns, timeout_ns)

    def _wait_seconds(self, now_ns: int) -> float:
        return min(max(0, self.due_ns() - now_ns), WAKE_NS) / SECOND_NS

    def _wake(self) -> None:
        with suppress(Full):  # then the thread has something to do anyway
            self._queue.put_nowait(None)

    def _send(self, request: outbox.Request) -> None:
        assert self._gate is not None, "open comes before release"
        if not self._is_welcome:
            self._tell(self._translator.unanswered(request, "not connected"))
            return
        message = self._translator.request(request)
        if isinstance(request, _ORDER_REQUESTS) and not self._gate.allows(request):
            self._tell(self._translator.unanswered(request, "gate closed"))
            return
        number = self._in_flight.add(request, self._clock())
        cause = self._hand_over(number, message)
        if cause is not None and self._in_flight.settle(number):
            self._tell(self._translator.unanswered(request, cause))

    def _hand_over(self, number: int, message: wire.Ask) -> str | None:
        """Send; gives the cause where that failed."""
        try:
            self._link.send(number, message)
        except LinkBusy:
            return "queue full"
        except VenueUnreachable:
            return "disconnect"
        return None

    # --- the connection -----------------------------------------------------------------------------------------

    def _keep_connected(self, now_ns: int) -> None:
        if not self._is_linked and now_ns >= self._retry_ns:
            self._connect(now_ns)
        if self._is_linked and not self._is_welcome and now_ns - self._asked_ns() > HELLO_NS:
            self._link.disconnect()
            self._lost(self._session, "no answer to a hello")
        if self._is_welcome and now_ns >= self._measure_ns:
            self._measure_ns = now_ns + self._clock_every_ns
            self._question(wire.ReadStatus(), now_ns)

    def _asked_ns(self) -> int:
        """When the oldest of our own questions left that has no answer."""
        with self._lock:
            return min(self._asked.values(), default=self._clock())

    def _connect(self, now_ns: int) -> None:
        with self._lock:
            self._session += 1
            self._asked.clear()
            self._is_linked = True
        session = self._session
        try:
            self._link.connect(partial(self._received, session), partial(self._lost, session), self._surprise)
        except VenueUnreachable as error:
            self._lost(session, str(error))
            return
        self._question(wire.Hello(symbols=self._translator.symbols), now_ns)

    def _question(self, message: wire.Ask, now_ns: int) -> None:
        """Ask for ourselves: the answer says what time it is there."""
        number = self._in_flight.number()
        with self._lock:
            self._asked[number] = now_ns
        cause = self._hand_over(number, message)
        if cause is not None:
            self._lost(self._session, cause)

    def _lost(self, session: int, cause: str) -> None:
        """The connection is gone: what was in flight is unknown, and it is tried again after a while."""
        with self._lock:
            if session != self._session or not self._is_linked:
                return
            was_welcome, self._is_linked, self._is_welcome = self._is_welcome, False, False
            if was_welcome and self._clock() - self._welcome_ns >= STEADY_NS:
                self._backoff_ns = BACKOFF_NS
            self._retry_ns = self._clock() + self._backoff_ns
            self._backoff_ns = min(2 * self._backoff_ns, BACKOFF_MOST_NS)
        if was_welcome:
            self._tell(inputs.VenueLost(self._name, cause))
        for request in self._in_flight.take_due():
            self._tell(self._translator.unanswered(request, "disconnect"))
        self._wake()

    # --- the link's thread --------------------------------------------------------------------------------------

    def _received(self, session: int, number: int | None, frame: wire.Message) -> None:
        if session != self._session or self._closing.is_set():
            return
        if number is None:
            self._tell(self._translator.frame(frame, self._clock()))
            return
        if number in self._asked:
            self._answered(number, frame)
            return
        self._in_flight.settle(number)
        request = self._in_flight.find(number)
        told = [self._translator.frame(frame, 0)] if request is None else self._translator.reply(request, frame)
        for told_input in told:
            self._tell(told_input)

    def _answered(self, number: int, frame: wire.Message) -> None:
        """The answer to a question of our own."""
        with self._lock:
            sent_ns = self._asked.pop(number, None)
            if sent_ns is None or not self._is_linked:
                return
            if isinstance(frame, wire.Welcome):
                self._welcome_ns = self._clock()
                self._measure_ns, self._is_welcome = self._welcome_ns + self._clock_every_ns, True
        if isinstance(frame, wire.Welcome):
            self._tell(inputs.VenueDescribed(self._translator.describe(frame)))
            self._tell(inputs.VenueConnected(self._name))
        if isinstance(frame, (wire.Welcome, wire.Status)):
            now_ns = self._clock()
            offset_ns = frame.at_ns - (sent_ns + now_ns) // 2
            self._tell(inputs.ClockMeasured(self._name, offset_ns, now_ns - sent_ns))

    def _surprise(self, text: str) -> None:
        self._tell(inputs.ProtocolSurprise(self._name, text[:RAW_MOST]))

    def _tell(self, told: Input) -> None:
        assert self._deliver is not None, "open comes before everything else"
        self._deliver(told)
