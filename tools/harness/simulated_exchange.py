"""The exchange that ships, as a `VenueMachine` meets it: over a real loopback socket, and in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.registry import ServerSettings, VenueSettings
from adapters.simulated import ADAPTER, wire
from adapters.simulated.faults import read_faults
from adapters.simulated.link import SocketLink
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.server import ExchangeServer
from adapters.simulated.state import fold
from adapters.simulated.translate import Translator
from adapters.simulated.venue import SimulatedVenue
from engine.ports import Deliver, Gate, Venue
from engine.runner import BATCH_LIMIT, Runner
from engine.values import MILLISECOND_NS, InstrumentName, VenueName
from tools.harness.pace import Pace
from tools.harness.tap import Ledger
from tools.harness.venue_machine import VenueMachine
from tools.simulation.clock import VirtualClock
from tools.simulation.floor import VirtualFloor, VirtualLink
from tools.simulation.log import MemoryLog
from tools.simulation.plan import Site

NAME = VenueName("sim")
SYMBOLS = {InstrumentName("BTC-USDT"): "BTCUSDT"}


class LoopbackMachine(VenueMachine):
    """The server in threads of its own, each client on a websocket of its own."""

    def start_exchange(self) -> None:
        """Listen on a free port."""
        self.ledger_log = MemoryLog("ledger")
        self.ledger_log.claim()
        self.announced: list[str] = []
        self.server = ExchangeServer(
            ServerSettings(SimulatedOptions(), SYMBOLS, ".", 0, lambda name: self.ledger_log, self.announced.append)
        )
        self.url = f"ws://127.0.0.1:{self.server.start()}"

    def stop_exchange(self) -> None:
        """Close it."""
        if hasattr(self, "server"):
            self.server.close()

    def connect(self) -> Venue:
        """A client over a socket."""
        return ADAPTER.connect(
            VenueSettings(NAME, SimulatedOptions(url=self.url), SYMBOLS, ".", lambda name: self.ledger_log)
        )

    def set_faults(self, table: Mapping[str, Any]) -> None:
        """By its own request."""
        SocketLink(self.url).ask(wire.SetFaults(dict(table)))

    def ledger(self) -> Ledger:
        """What its ledger folds to."""
        return ledger_of(self.ledger_log)


class VirtualMachine(VenueMachine):
    """The same exchange and the same client without threads and sockets, in virtual time."""

    def start_exchange(self) -> None:
        """An exchange on a virtual clock."""
        self.clock = VirtualClock()
        self.ledger_log = MemoryLog("ledger")
        self.ledger_log.claim()
        site = Site(symbols=SYMBOLS, options=SimulatedOptions())
        self.floor = VirtualFloor(self.clock, site, ".", self.ledger_log, lambda strike: None)
        self.clients: list[VirtualVenue] = []

    def connect(self) -> Venue:
        """A client that is turned by hand."""
        self.clients.append(VirtualVenue(self.floor, self.clock))
        return self.clients[-1]

    def set_faults(self, table: Mapping[str, Any]) -> None:
        """At the gateway."""
        if self.floor.gateway is not None:
            self.floor.gateway.set_faults(read_faults(table))

    def ledger(self) -> Ledger:
        """What its ledger folds to."""
        return ledger_of(self.ledger_log)

    def pace(self) -> Pace:
        """The virtual clock's."""
        return VirtualPace(self)


class VirtualVenue:
    """The simulated exchange's client without its thread."""

    def __init__(self, floor: VirtualFloor, clock: VirtualClock) -> None:
        translator = Translator(NAME, SYMBOLS)
        timeout_ns = SimulatedOptions().request_timeout_ns
        self.inner = SimulatedVenue(NAME, VirtualLink(floor), translator, timeout_ns, clock.now_ns)
        self.name = self.inner.name
        self.describe, self.release, self.reconnect = self.inner.describe, self.inner.release, self.inner.reconnect
        self.is_open = False

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Attach: the pace turns it."""
        self.inner.attach(deliver, gate)
        self.is_open = True

    def close(self) -> None:
        """The process is gone."""
        self.is_open = False
        self.inner.drop()


class VirtualPace:
    """Turns exchange, client and runner until nothing is left to do, and goes to the next instant."""

    def __init__(self, machine: VirtualMachine) -> None:
        self._machine = machine

    def now_ns(self) -> int:
        """The present instant."""
        return self._machine.clock.now

    def run(self, span_ns: int, runner: Runner) -> None:
        """Let that much time pass."""
        clock = self._machine.clock
        end_ns = clock.now + span_ns
        while True:
            while self._turn(runner):
                pass
            if clock.now >= end_ns:
                return
            next_ns = self._next_ns(runner)
            clock.now = min(next_ns if next_ns > clock.now else clock.now + MILLISECOND_NS, end_ns)

    def _turn(self, runner: Runner) -> bool:
        moved = self._machine.floor.turn()
        for client in self._open():
            moved = client.inner.turn() or moved
        due_ns = runner.due_ns()
        if runner.inbox.depth() or (due_ns is not None and due_ns <= self.now_ns()):
            runner.run_batch(runner.inbox.take(BATCH_LIMIT, 0))
            moved = True
        return moved

    def _next_ns(self, runner: Runner) -> int:
        times = [self._machine.floor.next_ns(), runner.due_ns(), *(each.inner.due_ns() for each in self._open())]
        return min((at_ns for at_ns in times if at_ns is not None), default=self.now_ns() + MILLISECOND_NS)

    def _open(self) -> list[VirtualVenue]:
        return [client for client in self._machine.clients if client.is_open]


def ledger_of(log: MemoryLog) -> Ledger:
    """A ledger's log as the books are compared with it."""
    state = fold(log.read())
    return Ledger(
        executions={str(each.exec_id): (each.quantity, each.price) for each in state.executions},
        balances={str(asset): total for asset, total in state.account.totals.items()},
        open_orders={str(order.client_order_ids[0]) for order in state.open.values()},
    )
