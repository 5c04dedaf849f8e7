"""The simulated exchange in virtual time: the real gateway and ledger, without threads; and a link to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from attrs import evolve

from adapters.simulated import wire
from adapters.simulated.faults import Faults, Kind
from adapters.simulated.gateway import Cut, Delivery, Gateway, Strike
from adapters.simulated.link import Lost, Odd, Received
from adapters.simulated.opening import OpenedMarket, open_gateway
from engine.ports import VenueUnreachable
from engine.values import MILLISECOND_NS
from tools.simulation.clock import VirtualClock
from tools.simulation.log import MemoryLog
from tools.simulation.plan import Site

Receive = Callable[[Delivery], None]
ASK_STEPS = 100


class VirtualFloor:
    """An exchange that can die and come back; what was in its queues is lost with it, its ledger is not."""

    def __init__(
        self,
        clock: VirtualClock,
        site: Site,
        directory: str,
        log: MemoryLog,
        struck: Callable[[Strike], None] | None,
        opened: OpenedMarket | None = None,
    ) -> None:
        """`struck` is told of faults; `opened` is the market of the first life, where it was opened already."""
        self.clock, self.log = clock, log
        self._options, self._symbols = site.options, tuple(dict.fromkeys(site.symbols.values()))
        self._directory, self._struck, self._opened = directory, struck, opened
        self._counts: Counter[Kind] = Counter()
        self._receivers: dict[int, Receive] = {}
        self._half_open: dict[int, tuple[int, bool]] = {}
        self._connections = 0
        self.gateway: Gateway | None = None
        self.begin()

    def begin(self) -> None:
        """Open the exchange on its ledger, caught up to now."""
        self.gateway = open_gateway(
            self._options, self._symbols, self._directory, self.log, self.clock.now, self.log.journal_id, self._opened
        )
        self._opened = None  # it was played from: another life begins with its own
        self.gateway.go_on_counting(self._counts)
        self.gateway.struck = self._struck

    def end_faults(self) -> None:
        """From here on every message arrives, also after the next death."""
        self._options = evolve(self._options, faults=Faults())
        if self.gateway is not None:
            self.gateway.set_faults(Faults())

    def end(self) -> None:
        """The exchange's process dies: every connection is cut."""
        self.gateway = None
        for connection in list(self._receivers):
            self._cut(connection, "the exchange died")

    def half_open(self, until_ns: int, *, is_deaf: bool) -> int:
        """Every connection loses one direction until it is given up: the clients are deaf (what they send arrives, they
        hear nothing), or mute as well (nothing arrives anywhere). How many there are."""
        for connection in self._receivers:
            self._half_open[connection] = (until_ns, is_deaf)
        return len(self._receivers)

    def connect(self, receive: Receive) -> int:
        """A new connection; raises `VenueUnreachable` while the exchange is dead."""
        if self.gateway is None:
            raise VenueUnreachable("the exchange is down")
        self._connections += 1
        self._receivers[self._connections] = receive
        self.gateway.connect(self._connections)
        return self._connections

    def disconnect(self, connection: int) -> None:
        """The client is gone; what it sent still arrives."""
        self._receivers.pop(connection, None)
        self._half_open.pop(connection, None)
        if self.gateway is not None:
            self.gateway.disconnect(connection)

    def send(self, connection: int, number: int, request: wire.Ask) -> None:
        """A request leaves the client now; raises `VenueUnreachable`."""
        if self.gateway is None or connection not in self._receivers:
            raise VenueUnreachable("not connected")
        _until_ns, is_deaf = self._half_open.get(connection, (0, True))
        if is_deaf:
            self.gateway.send(connection, number, request, self.clock.now)

    def turn(self) -> bool:
        """Deliver what has come out by now; False if nothing has."""
        given_up: list[int] = []
        if self._half_open:
            given_up = [c for c, (until_ns, _is_deaf) in self._half_open.items() if until_ns <= self.clock.now]
        for connection in given_up:
            self._cut(connection, "keepalive timeout")
        if self.gateway is None:
            return bool(given_up)
        due = self.gateway.advance(self.clock.now)
        for delivery in due:
            if delivery.connection in self._half_open:
                continue
            receive = self._receivers.get(delivery.connection)
            if isinstance(delivery.frame, Cut):
                self._receivers.pop(delivery.connection, None)
            if receive is not None:
                receive(delivery)
        return bool(due) or bool(given_up)

    def next_ns(self) -> int | None:
        """When something comes out next."""
        gateway_ns = None if self.gateway is None else self.gateway.next_ns()
        if not self._half_open:
            return gateway_ns
        times = [until_ns for until_ns, _is_deaf in self._half_open.values()]
        return min(times if gateway_ns is None else [*times, gateway_ns], default=None)

    def _cut(self, connection: int, cause: str) -> None:
        receive = self._receivers.pop(connection, None)
        self._half_open.pop(connection, None)
        if self.gateway is not None:
            self.gateway.disconnect(connection)
        if receive is not None:
            receive(Delivery(self.clock.now, connection, None, Cut(cause)))


class VirtualLink:
    """A client's link to the floor, without a thread. `before_send` may raise, to stop the process there.

    While `is_held`, what comes in waits: the process is stopped, its connections are not.
    """

    def __init__(self, floor: VirtualFloor, before_send: Callable[[], None] = lambda: None) -> None:
        self._floor, self._before_send = floor, before_send
        self._connection: int | None = None
        self._waiting: list[Delivery] = []
        self._pending: tuple[int, wire.Ask] | None = None
        self.is_held = False

    def start(self) -> None:
        """Nothing to start."""

    def connect(self, received: Received, lost: Lost, odd: Odd) -> None:
        """Connect; raises `VenueUnreachable`."""

        def receive(delivery: Delivery) -> None:
            if self.is_held:
                self._waiting.append(delivery)
            elif isinstance(delivery.frame, Cut):
                self._connection = None
                lost(delivery.frame.cause)
            else:
                received(delivery.number, delivery.frame)

        self._receive = receive
        self._connection = self._floor.connect(receive)

    def send(self, number: int, request: wire.Ask) -> None:
        """Send; raises `VenueUnreachable`."""
        if self._connection is None:
            raise VenueUnreachable("not connected")
        if isinstance(request, wire.OrderRequest):
            self._pending = (number, request)
            self._before_send()
            self._pending = None
        self._floor.send(self._connection, number, request)

    def wake(self) -> None:
        """The process goes on: what it was sending is sent, what waited is read."""
        self.is_held = False
        if self._pending is not None and self._connection is not None:
            with suppress(VenueUnreachable):  # the exchange died meanwhile; the cut that waits says so
                self._floor.send(self._connection, *self._pending)
        waiting, self._waiting = self._waiting, []
        for delivery in waiting:
            self._receive(delivery)

    def ask(self, request: wire.Ask) -> wire.Message:
        """The answer to one question; time passes until it is there. Raises `VenueUnreachable`."""
        replies: list[wire.Message] = []

        def receive(delivery: Delivery) -> None:
            if delivery.number is not None and not isinstance(delivery.frame, Cut):
                replies.append(delivery.frame)

        connection = self._floor.connect(receive)
        self._floor.send(connection, 0, request)
        for _ in range(ASK_STEPS):
            self._floor.clock.now += MILLISECOND_NS
            self._floor.turn()
            if replies:
                break
        self._floor.disconnect(connection)
        if not replies:
            raise VenueUnreachable("no answer")
        return replies[0]

    def disconnect(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._floor.disconnect(self._connection)
            self._connection = None

    def close(self) -> None:
        """The same."""
        self.disconnect()
