"""The floor runs an exchange on the real clock, in one thread of its own, for any number of connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from queue import Empty, SimpleQueue

from adapters.registry import OpenLog
from adapters.simulated.gateway import Cut, Delivery, Gateway, Request
from adapters.simulated.opening import LEDGER
from engine.ports import EventLog
from engine.values import SECOND_NS

QUEUE_MOST = 1_024
"""Requests that wait for the exchange's thread; beyond it the sender is told that the queue is full."""

IDLE_NS = SECOND_NS // 4
START_SECONDS = 120
CLOSE_SECONDS = 10

Build = Callable[[EventLog, int], Gateway]
Receive = Callable[[Delivery], None]
_Job = Callable[[Gateway, int], None]


class Floor:
    """Everything of the exchange, its log included, happens in its thread; receivers are called from there."""

    def __init__(self, open_log: OpenLog, build: Build, failed: Callable[[Exception], None] | None = None) -> None:
        self._open_log, self._build, self._failed = open_log, build, failed
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._receivers: dict[int, Receive] = {}
        self._numbers = count(1)
        self._opened, self._closing = threading.Event(), threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="simulated exchange", daemon=True)
        self._starting = threading.Lock()

    def start(self) -> None:
        """Open the exchange, once. Raises what opening raised: a locked or damaged log, an unreadable tape."""
        with self._starting:
            if not self._thread.is_alive() and not self._opened.is_set():
                self._thread.start()
        if not self._opened.wait(START_SECONDS):
            raise TimeoutError(f"the simulated exchange did not open within {START_SECONDS} s")
        if self._failure is not None:
            raise self._failure

    def connect(self, receive: Receive) -> int:
        """A new connection; `receive` is called in the exchange's thread and must be quick."""
        connection = next(self._numbers)
        self._receivers[connection] = receive
        self._jobs.put(lambda gateway, _: gateway.connect(connection))
        return connection

    def disconnect(self, connection: int) -> None:
        """Nothing more is received; what was sent still arrives."""
        self._receivers.pop(connection, None)
        self._jobs.put(lambda gateway, _: gateway.disconnect(connection))

    def send(self, connection: int, number: int, request: Request) -> bool:
        """Hand over a request; False where too many are waiting, and then it has not been sent."""
        if self._jobs.qsize() >= QUEUE_MOST or self._failure is not None or self._closing.is_set():
            return False
        self._jobs.put(lambda gateway, at_ns: gateway.send(connection, number, request, at_ns))
        return True

    def work(self, job: Callable[[Gateway, int], None]) -> None:
        """Do something in the exchange's thread, at the instant at which it is reached."""
        self._jobs.put(job)

    def close(self) -> None:
        """End the thread and close the log. Idempotent."""
        self._closing.set()
        self._jobs.put(lambda _, __: None)
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            log = self._open_log(LEDGER)
            gateway = self._build(log, time.time_ns())
        except Exception as error:  # noqa: BLE001 - handed to who starts the exchange
            self._failure = error
            self._opened.set()
            return
        self._opened.set()
        try:
            while not self._closing.is_set():
                self._turn(gateway)
        except Exception as error:
            self._end(error)
            raise
        self._cut_all("the simulated exchange was closed")
        log.close()

    def _turn(self, gateway: Gateway) -> None:
        for delivery in gateway.advance(time.time_ns()):
            receive = self._receivers.get(delivery.connection)
            if isinstance(delivery.frame, Cut):
                self._receivers.pop(delivery.connection, None)
            if receive is not None:
                receive(delivery)
        self._work(gateway)

    def _work(self, gateway: Gateway) -> None:
        """Wait until there is a job or something is due; then do all jobs that there are."""
        next_ns = gateway.next_ns()
        wait_ns = IDLE_NS if next_ns is None else min(IDLE_NS, next_ns - time.time_ns())
        try:
            job = self._jobs.get(timeout=wait_ns / SECOND_NS) if wait_ns > 0 else self._jobs.get_nowait()
            for _ in range(QUEUE_MOST):
                job(gateway, time.time_ns())
                job = self._jobs.get_nowait()
        except Empty:
            return

    def _end(self, error: Exception) -> None:
        """The exchange can't go on: everyone loses the connection, and a restart will read what is true."""
        self._failure = error
        self._cut_all(f"the simulated exchange stopped: {error}")
        if self._failed is not None:
            self._failed(error)

    def _cut_all(self, cause: str) -> None:
        for connection, receive in list(self._receivers.items()):
            receive(Delivery(time.time_ns(), connection, None, Cut(cause)))
        self._receivers.clear()
