"""The simulated exchange in virtual time: the real gateway and ledger, without threads; and a link to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve

from adapters.simulated import wire
from adapters.simulated.faults import Faults
from adapters.simulated.gateway import Cut, Delivery, Gateway
from adapters.simulated.link import Lost, Odd, Received
from adapters.simulated.opening import open_gateway
from adapters.simulated.options import SimulatedOptions
from engine.ports import VenueUnreachable
from engine.values import MILLISECOND_NS, InstrumentName
from tools.simulation.clock import VirtualClock
from tools.simulation.log import MemoryLog

Receive = Callable[[Delivery], None]
ASK_STEPS = 100


class VirtualFloor:
    """An exchange that can die and come back; what was in its queues is lost with it, its ledger is not."""

    def __init__(
        self, clock: VirtualClock, options: SimulatedOptions, symbols: Mapping[InstrumentName, str], log: MemoryLog
    ) -> None:
        self.clock, self.log = clock, log
        self._options, self._symbols = options, tuple(dict.fromkeys(symbols.values()))
        self._receivers: dict[int, Receive] = {}
        self._connections = 0
        self.gateway: Gateway | None = None
        self.begin()

    def begin(self) -> None:
        """Open the exchange on its ledger, caught up to now."""
        self.gateway = open_gateway(self._options, self._symbols, ".", self.log, self.clock.now, self.log.journal_id)

    def end_faults(self) -> None:
        """From here on every message arrives, also after the next death."""
        self._options = evolve(self._options, faults=Faults())
        if self.gateway is not None:
            self.gateway.set_faults(Faults())

    def end(self) -> None:
        """The exchange's process dies: every connection is cut."""
        self.gateway = None
        for connection, receive in list(self._receivers.items()):
            receive(Delivery(self.clock.now, connection, None, Cut("the exchange died")))
        self._receivers.clear()

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
        if self.gateway is not None:
            self.gateway.disconnect(connection)

    def send(self, connection: int, number: int, request: wire.Ask) -> None:
        """A request leaves the client now; raises `VenueUnreachable`."""
        if self.gateway is None or connection not in self._receivers:
            raise VenueUnreachable("not connected")
        self.gateway.send(connection, number, request, self.clock.now)

    def turn(self) -> bool:
        """Deliver what has come out by now; False if nothing has."""
        if self.gateway is None:
            return False
        due = self.gateway.advance(self.clock.now)
        for delivery in due:
            receive = self._receivers.get(delivery.connection)
            if isinstance(delivery.frame, Cut):
                self._receivers.pop(delivery.connection, None)
            if receive is not None:
                receive(delivery)
        return bool(due)

    def next_ns(self) -> int | None:
        """When something comes out next."""
        return None if self.gateway is None else self.gateway.next_ns()


class VirtualLink:
    """A client's link to the floor, without a thread."""

    def __init__(self, floor: VirtualFloor) -> None:
        self._floor = floor
        self._connection: int | None = None

    def start(self) -> None:
        """Nothing to start."""

    def connect(self, received: Received, lost: Lost, odd: Odd) -> None:
        """Connect; raises `VenueUnreachable`."""

        def receive(delivery: Delivery) -> None:
            if isinstance(delivery.frame, Cut):
                self._connection = None
                lost(delivery.frame.cause)
            else:
                received(delivery.number, delivery.frame)

        self._connection = self._floor.connect(receive)

    def send(self, number: int, request: wire.Ask) -> None:
        """Send; raises `VenueUnreachable`."""
        if self._connection is None:
            raise VenueUnreachable("not connected")
        self._floor.send(self._connection, number, request)

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
