"""Orders on their way out: which call an order is, whether it may leave, and by which door."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from adapters.binance import calls
from adapters.binance.access import Access, NoResult
from adapters.binance.answers import Order, OrderAnswers
from adapters.binance.calls import Call, Validity
from adapters.binance.codes import Verdict
from adapters.binance.translate import Names, Translator
from adapters.budget import Lane as Right
from adapters.lane import Lane
from engine import outbox
from engine.outbox import orders_in
from engine.ports import Gate
from engine.values import MILLISECOND_NS, SECOND_NS

ORDER_THREADS, CANCEL_THREADS = 4, 2
TURN_NS = 20 * MILLISECOND_NS
"""After how long one that waits asks for its turn again."""

ORDER_PATIENCE_NS = 200 * MILLISECOND_NS
"""How long an order waits for its turn at most: later it is not what the strategy wanted."""


NO_CALL: dict[type[Order], str] = {
    outbox.SubmitOrder: "the trail is no whole number of hundredths of a percent",
    outbox.ReplaceOrder: "an order that has executed in part can only be made smaller here",
}
"""Why a request is no call."""

CallOf = Callable[[Order], Call | None]
"""The call that an order is; None for a change that the venue has no safe word for."""


def call_of(translator: Translator, request: Order) -> Call | None:
    """Spot's: a new order beside executions that may still come would be too large, so that is no call."""
    symbol = translator.symbol(request.instrument)
    match request:
        case outbox.SubmitOrder():
            return calls.place(request, symbol) if calls.is_sayable(request) else None
        case outbox.CancelOrder():
            return calls.cancel(request, symbol)
        case outbox.ReplaceOrder():
            if calls.is_amendment(request) and translator.may_amend(request.instrument):
                return calls.amend(request, symbol)
            return None if request.filled else calls.cancel_replace(request, symbol)


class Door(Protocol):
    """How an order that may leave does."""

    def send(self, request: Order, call: Call, validity: Validity) -> None:
        """Send it; its outcome is told, here or when it comes."""
        ...


class RestDoor:
    """Over REST: the thread waits for the answer, on a session of its own."""

    def __init__(self, access: Access, names: Names, answers: OrderAnswers) -> None:
        self._access, self._names, self._answers = access, names, answers
        self._line = access.http_line()

    def send(self, request: Order, call: Call, validity: Validity) -> None:
        """One attempt."""
        result = self._access.send(self._line, call, validity)
        if not isinstance(result, NoResult):
            for told in self._answers.read(request, result):
                self._access.tell(told)
        else:
            for order in orders_in(request):
                if result.is_unsent:
                    self._access.tell(self._answers.refused(order, Verdict.LATER, f"not sent: {result.cause}"))
                else:
                    self._access.tell(self._names.unanswered(order, result.cause))


class OrderEntry:
    """Two lanes, one of them for cancels; the gate is asked last. Every request has an outcome."""

    def __init__(
        self, access: Access, names: Names, answers: OrderAnswers, call_of: CallOf, gate: Gate, socket: Door | None
    ) -> None:
        """`socket` is the WS API's door; without it each thread has its own over REST."""
        self._access, self._names, self._answers, self._call_of = access, names, answers, call_of
        self._gate, self._socket = gate, socket
        orders, cancels = (1, 1) if socket is not None else (ORDER_THREADS, CANCEL_THREADS)
        self._orders: Lane[Order] = Lane(f"{access.venue} orders", self._work, threads=orders)
        self._cancels: Lane[Order] = Lane(f"{access.venue} cancels", self._work, threads=cancels)
        self._doors: dict[int, Door] = {}

    def start(self) -> None:
        """Start the lanes."""
        self._orders.start()
        self._cancels.start()

    def close(self) -> None:
        """End the lanes."""
        self._orders.close()
        self._cancels.close()

    def put(self, request: Order) -> None:
        """Queue it; never blocks."""
        lane = self._cancels if isinstance(request, outbox.CancelOrder) else self._orders
        if not lane.put(request, str(request.order_id)):
            self._unanswered(request, "queue full")

    def _work(self, requests: list[Order]) -> None:
        for request in requests:
            self._send(request)

    def _send(self, request: Order) -> None:
        call = self._call_of(request)
        if call is None:
            self._refuse(request, Verdict.REFUSED, NO_CALL[type(request)])
            return
        wait_ns = self._wait_for_turn(request, call)
        if wait_ns:
            reason = f"our rate budget: {wait_ns // MILLISECOND_NS} ms to wait"
            self._refuse(request, Verdict.THROTTLED, reason)
            return
        if isinstance(request, outbox.ReplaceOrder):
            self._names.known.replace(request)
        validity = self._access.validity(request.expires_ns)
        if validity is None or not self._gate.allows(request):
            self._access.settle(call, None)
            self._unanswered(request, "gate closed")
            return
        self._door().send(request, call, validity)

    def _refuse(self, request: Order, verdict: Verdict, reason: str) -> None:
        for order in orders_in(request):
            self._access.tell(self._answers.refused(order, verdict, reason))

    def _unanswered(self, request: Order, cause: str) -> None:
        for order in orders_in(request):
            self._access.tell(self._names.unanswered(order, cause))

    def _wait_for_turn(self, request: Order, call: Call) -> int:
        """0 when the call was taken. A cancel waits for as long as it may still leave, an order for a moment."""
        is_cancel = isinstance(request, outbox.CancelOrder)
        end_ns = self._access.now_ns() + ORDER_PATIENCE_NS
        while True:
            wait_ns = self._access.take(call, Right.URGENT if is_cancel else Right.ORDERS)
            is_over = self._access.now_ns() >= end_ns and not is_cancel
            if not wait_ns or is_over or not self._gate.allows(request):
                return wait_ns
            if self._access.closing.wait(min(wait_ns, TURN_NS) / SECOND_NS):
                return wait_ns

    def _door(self) -> Door:
        if self._socket is not None:
            return self._socket
        thread = threading.get_ident()
        if thread not in self._doors:
            self._doors[thread] = RestDoor(self._access, self._names, self._answers)
        return self._doors[thread]
