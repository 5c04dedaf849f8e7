"""The engine at work in a case: a real runner, the adapter's own threads and sockets, the real clock.

What is waited for is a condition with a limit. The journal is in memory, chained as on disk.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from attrs import Factory, define, evolve

from adapters.simulated.state import State as ExchangeState
from engine.inputs import Action, OperatorCommand, Scope
from engine.order import FILLED, NEW, UNSETTLED_SET, Order, OrderStatus
from engine.outbox import Request, SubmitOrder
from engine.ports import Venue
from engine.settings import Reconcile, Settings
from engine.state import State
from engine.strategy import Answer, Cancel, Intent, Replace
from engine.system import SystemState
from engine.values import MILLISECOND_NS, SECOND_NS, Duration, OrderId, Side
from tools.harness.pace import RealPace
from tools.harness.story import Violation
from tools.harness.tap import Record
from tools.harness.venue_trial import VenueTrial

INSTRUMENT = "BTC-USDT"
STEP_NS = 5 * MILLISECOND_NS
LIMIT_NS = 30 * SECOND_NS
"""How long anything may take before it counts as failed: generous, because the machine may be busy."""

ANSWER_WITHIN_NS = 15 * SECOND_NS
FAR_PERMILLE = -20
RESTS_MOST = 30
CROSSING_PERMILLE = 5


@define
class Sent(Record):
    """Keeps every request with when it was released, and counts the kinds of what is told."""

    requests: list[tuple[Request, int]] = Factory(list)
    kinds: Counter[str] = Factory(Counter)

    def hear(self, told: Any) -> None:
        """Something is told."""
        Record.hear(self, told)
        self.kinds[type(told).__name__] += 1

    def ask(self, request: Request) -> None:
        """A request leaves."""
        Record.ask(self, request)
        self.requests.append((request, self.now_ns()))


class Trading(VenueTrial):
    """The engine, with a strategy that wants what it is told to want."""

    def __init__(
        self, connect: Callable[[State], Venue], reconcile_every_ns: int = SECOND_NS, limit_ns: int = LIMIT_NS
    ) -> None:
        super().__init__(lambda: connect(self.state), RealPace(), (INSTRUMENT,), ANSWER_WITHIN_NS)
        self.record: Sent = Sent(self.pace.now_ns)
        self.began_ns, self.limit_ns = 0, LIMIT_NS
        self._reconcile_every_ns = reconcile_every_ns

    def start(self) -> None:
        """Begin, and wait until it trades and knows a price."""
        self.begin()
        self.wait(lambda: self.is_trading() and self.price() is not None, "trading with a price")

    # --- what it does ---------------------------------------------------------------------------------------------

    def wait(self, holds: Callable[[], object], what: str, limit_ns: int | None = None) -> None:
        """Until something is true; raises `Violation` where it is not in that time."""
        with self.telling(f"wait for {what}"):
            limit_ns = limit_ns or self.limit_ns
            end_ns = self.pace.now_ns() + limit_ns
            while not holds():
                if self.pace.now_ns() > end_ns:
                    raise Violation([f"S1: {what}: not within {limit_ns // SECOND_NS} s; {self.told_orders()}"])
                self._pass(STEP_NS)

    def ask(self, intent: Intent | None) -> OrderId:
        """The strategy wants this; gives the order that it becomes."""
        assert intent is not None, "there is no price yet"
        before = set(self.state.orders)
        self._ask(f"{intent.side} {intent.quantity} at {intent.price}", intent)
        self.wait(lambda: set(self.state.orders) - before, "the order to be intended")
        return (set(self.state.orders) - before).pop()

    def rest(self, side: Side = Side.BUY, lots: int = 2, *, away: int = FAR_PERMILLE, **more: object) -> OrderId:
        """An order far from the market, or `away` thousandths from it, once there is a price."""
        self.wait(lambda: self.price() is not None, "a price")
        return self.ask(self.submit(side, away, lots, **more))

    def take(self, side: Side = Side.BUY, lots: int = 2, **more: object) -> OrderId:
        """An order that trades at once."""
        return self.ask(self.submit(side, CROSSING_PERMILLE, lots, **more))

    def want_at_once(self, intent: Intent | None) -> None:
        """The strategy wants this as soon as it is asked again; that is not waited for."""
        assert intent is not None, "there is no price yet"
        with self.telling(f"want {intent.side} {intent.quantity} at {intent.price}"):
            self._queue.append(intent)

    def cancel_order(self, order_id: OrderId) -> None:
        """The strategy takes it back."""
        self._ask(f"cancel {order_id}", Cancel(order_id))

    def replace_order(self, order_id: OrderId, quantity: Decimal, price: Decimal | None = None) -> None:
        """The strategy changes it."""
        self._ask(f"replace {order_id}", Replace(order_id, quantity=quantity, price=price))

    def send_again(self, order_id: OrderId) -> None:
        """The request for an order reaches the wire a second time, beside the engine: what a library that retries, or
        an operator with the same id, would do."""
        assert self.venue is not None
        client_order_id = self.order(order_id).client_order_id
        asked = [request for request, _at_ns in self.record.requests if isinstance(request, SubmitOrder)]
        first = next(each for each in asked if each.client_order_id == client_order_id)
        now_ns = self.pace.now_ns()
        with self.telling(f"send {order_id} again"):
            again = evolve(first, at_ns=now_ns, expires_ns=now_ns + first.expires_ns - first.at_ns)
            self.venue.release(again)

    def rest_until_executed(self, ledger: Callable[[], ExchangeState]) -> OrderId:
        """Rest at the bid until the exchange has executed such an order whole, by its own books; gives that one. One
        that trades at once is no use."""
        resting: dict[str, OrderId] = {}
        for _ in range(RESTS_MOST):
            order_id = self.rest(away=0)
            if self.until(order_id, NEW, FILLED) is NEW:
                resting[str(self.order(order_id).client_order_id)] = order_id
            self.run("200ms")
            closed = [str(each.accepted.client_order_id) for each in ledger().closed.values()]
            found = [resting[name] for name in closed if name in resting]
            if found:
                return found[0]
        raise Violation([f"S1: the market has executed none of {len(resting)} orders; {self.told_orders()}"])

    def resume(self, scope: Scope, subject: str) -> None:
        """An operator says that it may go on."""
        assert self.runner is not None
        words: dict[str, Any] = {
            "action": Action.RESUME,
            "scope": scope,
            "subject": subject,
            "reason": "somebody has looked",
        }
        with self.telling(f"resume {subject}"):
            self.runner.inbox.deliver(OperatorCommand(uid=os.getuid(), pid=os.getpid(), **words))

    # --- what is so -----------------------------------------------------------------------------------------------

    def order(self, order_id: OrderId) -> Order:
        """As the books have it."""
        return self.state.orders[order_id]

    def status(self, order_id: OrderId) -> OrderStatus:
        """Where it is."""
        return self.order(order_id).status

    def orders(self) -> list[Order]:
        """All that the books have."""
        return list(self.state.orders.values())

    def unsettled(self) -> list[Order]:
        """Those whose own request has no known outcome."""
        return [order for order in self.orders() if order.status in UNSETTLED_SET]

    def until(self, order_id: OrderId, *statuses: OrderStatus, limit_ns: int | None = None) -> OrderStatus:
        """Wait until an order is in one of these."""
        self.wait(lambda: self.status(order_id) in statuses, f"{order_id} to be {' or '.join(statuses)}", limit_ns)
        return self.status(order_id)

    def is_trading(self) -> bool:
        """May new orders leave?"""
        return self.state.system is SystemState.TRADING

    def is_paused(self, reason: str) -> bool:
        """Does such a pause hold?"""
        return any(pause.reason == reason for pause in self.state.pauses.values())

    def kinds(self, order_id: OrderId) -> list[str]:
        """The kinds of all events about an order, in order."""
        return [entry.kind for entry in self.log.entries if entry.subject == order_id]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of all events of a kind."""
        return [json.loads(entry.body) for entry in self.log.entries if entry.kind == kind]

    def told(self, kind: str) -> bool:
        """Did the adapter ever tell such an input?"""
        return self.record.kinds[kind] > 0

    def lowered(self, order_id: OrderId) -> Decimal:
        """A price a little below that of an order."""
        price = self.order(order_id).price
        assert price is not None
        return price - 10 * self.instrument().tick

    def was_in_doubt(self, order_id: OrderId) -> bool:
        """Was the outcome of the order's own request ever unknown?"""
        unknown = self.bodies("OutcomeUnknown")
        return any(body["order_id"] == order_id and body["request"] == "new" for body in unknown)

    def told_orders(self) -> str:
        """System and orders, for a failure's message."""
        pauses = [f"{pause.reason}: {pause.detail}" for pause in self.state.pauses.values()]
        orders = [
            f"{o.order_id} {o.status}, cancel {o.pending_cancel}, replace {o.pending_replace}, {o.filled}/{o.quantity}"
            for o in self.state.orders.values()
        ]
        return f"{self.state.system} ({self.state.system_reason}) {pauses}; {'; '.join(orders)}"

    # --- how ------------------------------------------------------------------------------------------------------

    def _ask(self, words: str, answer: Answer) -> None:
        with self.telling(words):
            self._queue.append(answer)
        self.wait(lambda: not self._queue, "the strategy to be asked")

    def _begin(self) -> None:
        self.began_ns = self.pace.now_ns()
        super()._begin()

    def _settings(self) -> Settings:
        reconcile = Reconcile(every_ns=Duration(self._reconcile_every_ns), retry_ns=Duration(SECOND_NS // 5))
        return evolve(super()._settings(), reconcile=reconcile)
