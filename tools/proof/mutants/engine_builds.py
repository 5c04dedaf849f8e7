"""Broken builds of engine, outbox, reconciliation and tables: each a patch of this process, by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from attrs import evolve

from engine import codec, decision, events, held_decision, order_decision, order_guards, runner, system_decision
from engine.appliers import APPLIERS
from engine.inputs import RequestKind, Snapshot
from engine.order import Order
from engine.order_effects import EFFECTS
from engine.outbox import Request, SubmitOrder, requests_for
from engine.reconciliation import orders_to_query
from engine.state import State
from engine.values import ZERO, ClientOrderId

Patch = Callable[[], None]


def _replace(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def _guard(name: str, answer: bool) -> None:
    order_guards.GUARDS[name] = lambda look: answer


# --- the shell --------------------------------------------------------------------------------------------------


def send_before_append() -> None:
    """Requests leave before they are committed."""
    commit = runner.Runner._commit

    def early(self: runner.Runner) -> None:
        self.gate.allow_until(self.state.seq, 10**18)
        self._release(self._requests)
        self._requests = []
        commit(self)

    _replace(runner.Runner, "_commit", early)


def open_gate() -> None:
    """The gate lets everything pass: what is too old, and what a process sends that was replaced."""
    _replace(runner.SendGate, "allows", lambda self, request: True)


def go_on_after_unknown() -> None:
    """A commit that raised is taken for done: what follows from it is sent."""
    commit = runner.Runner._commit

    def trusting(self: runner.Runner) -> None:
        requests = list(self._requests)
        try:
            commit(self)
        except BaseException:
            self.gate.is_open = True
            self._release(requests)
            raise

    _replace(runner.Runner, "_commit", trusting)


# --- held orders ------------------------------------------------------------------------------------------------


def release_beside_a_twin() -> None:
    """A stop that was triggered leaves while its twin still works."""
    _replace(held_decision, "_beside", lambda state, order: [])


def forget_what_a_twin_executed() -> None:
    """A held leg keeps its size whatever its twin executes."""
    due = held_decision.due_quantity

    def whole(state: State, order: Order) -> Decimal:
        parent = held_decision.parent_of(state, order)
        return parent.filled if parent is not None else due(state, order)

    _replace(held_decision, "due_quantity", whole)


# --- the outbox -------------------------------------------------------------------------------------------------


def _outbox(change: Callable[[list[Request]], list[Request]]) -> None:
    _replace(runner, "requests_for", lambda state, recorded: change(requests_for(state, recorded)))


def send_again_under_a_new_id() -> None:
    """Every new order leaves twice, the second time under an id of its own."""

    def twice(made: list[Request]) -> list[Request]:
        again = [
            evolve(r, client_order_id=ClientOrderId(r.order_id + "-x")) for r in made if isinstance(r, SubmitOrder)
        ]
        return [*made, *again]

    _outbox(twice)


def send_twice() -> None:
    """Every new order leaves twice, under the same id: a venue may take it twice once the first is filled."""
    _outbox(lambda made: [*made, *(request for request in made if isinstance(request, SubmitOrder))])


def send_another_quantity() -> None:
    """The outbox asks for twice of what was approved."""
    _outbox(lambda made: [evolve(r, quantity=r.quantity * 2) if isinstance(r, SubmitOrder) else r for r in made])


# --- the order tables -------------------------------------------------------------------------------------------


def believe_not_found() -> None:
    """One negative answer, however early, is proof of absence."""
    _guard("proves_absence", True)


def believe_our_own_clock() -> None:
    """Absence is judged by our clock alone, whatever it did meanwhile."""
    can = order_guards.can_arrive_no_more

    def by_ours(look: Any, since_ns: int) -> bool:
        blind = evolve(look.report, answered_ns=None)
        return can(evolve(look, report=blind), since_ns)

    _replace(order_guards, "can_arrive_no_more", by_ours)
    _replace(order_decision, "can_arrive_no_more", by_ours)


def believe_a_stale_list() -> None:
    """A row of a list, however old, proves that a replacement had no effect."""
    _replace(order_decision, "can_arrive_no_more", lambda look, since_ns: look.now_ns > since_ns + 1_500_000_000)


def mix_up_replacements() -> None:
    """A late answer about an earlier replacement is taken for the answer to the outstanding one."""
    _guard("answers_another", False)


def book_twice() -> None:
    """Executions are booked whenever they are told."""
    _guard("is_known", False)
    _guard("contradicts", False)


def _doubt(kind: RequestKind, end: Callable[[Order], events.OrderEvent]) -> None:
    doubt = EFFECTS["doubt"]

    def effect(look: Any) -> Iterator[Any]:
        if getattr(look.report, "request", None) is kind:
            yield end(look.order)
        else:
            yield from doubt(look)

    EFFECTS["doubt"] = effect


def believe_a_cancel_timeout() -> None:
    """A cancel without an answer is taken for done."""
    _doubt(
        RequestKind.CANCEL,
        lambda order: events.OrderCanceled(order_id=order.order_id, requested=True, reason="timeout"),
    )


def believe_silence() -> None:
    """A submit without an answer is taken for rejected."""
    _doubt(RequestKind.NEW, lambda order: events.OrderRejected(order_id=order.order_id, reason="timeout"))


def drop_late_fills() -> None:
    """An execution after the end is an anomaly and nothing else."""

    def effect(look: Any) -> Iterator[Any]:
        yield events.AnomalyRecorded(about=look.order.order_id, anomaly="late_fill", detail="too late")

    EFFECTS["book_late"] = effect
    _guard("misses_fills", False)


def doubt_counts_for_nothing() -> None:
    """An order in doubt is no exposure."""
    exposure: Any = Order.exposure.fget  # type: ignore[attr-defined]
    _replace(Order, "exposure", property(lambda self: ZERO if self.is_in_doubt else exposure(self)))


# --- reconciliation ---------------------------------------------------------------------------------------------


def reconcile_nothing() -> None:
    """What a snapshot shows is neither booked nor asked about."""
    _replace(system_decision, "reports_of", lambda snapshot: iter(()))
    _replace(system_decision, "orders_to_query", lambda state, snapshot: [])


def believe_the_list() -> None:
    """An order that the venue's list of open orders does not show is taken for canceled."""
    take = system_decision.take_snapshot

    def believing(state: State, snapshot: Snapshot, now_ns: int) -> Iterator[Any]:
        for order in list(orders_to_query(state, snapshot)):
            yield events.OrderCanceled(order_id=order.order_id, requested=False, reason="not in the list")
        yield from take(state, snapshot, now_ns)

    _replace(decision, "take_snapshot", believing)


# --- starts and state -------------------------------------------------------------------------------------------


def forget_what_was_sent() -> None:
    """A start does not doubt what the last process had sent."""
    _replace(system_decision, "_outstanding", lambda order: [])


def forget_latches() -> None:
    """A pause that an operator ordered does not survive a restart."""
    start = APPLIERS[events.ProcessStarted]

    def forgetful(state: State, at: Any, event: Any) -> None:
        start(state, at, event)
        for key in [key for key, pause in state.pauses.items() if pause.reason in ("operator", "killed")]:
            del state.pauses[key]

    APPLIERS[events.ProcessStarted] = forgetful


def snapshot_without_executions() -> None:
    """A snapshot leaves out the executions that are known."""
    decode = codec.decode_state

    def poorer(blob: bytes) -> State:
        state = decode(blob)
        state.executions.clear()
        return state

    for module in _importers("decode_state"):
        _replace(module, "decode_state", poorer)


def forget_fees() -> None:
    """Fees are not taken from the balance."""
    fill = EFFECTS["book"]

    def effect(look: Any) -> Iterator[Any]:
        for event in fill(look):
            yield evolve(event, fee=Decimal(0)) if isinstance(event, events.FillBooked) else event

    EFFECTS["book"] = effect


def trade_while_paused() -> None:
    """The system goes back to trading although a pause holds."""
    _replace(system_decision, "shut_pause", lambda state: None)


def _importers(name: str) -> Sequence[Any]:
    return [module for module in list(sys.modules.values()) if getattr(module, name, None) is getattr(codec, name)]
