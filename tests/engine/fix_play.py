"""Plays a way through a FIX scenario: the whole engine on one side, a venue that says the scenario's rows on the other.

The venue also answers questions, and after a restart shows its list, its executions and its balances: by what it knows
at that point of the scenario, which may be more than what has reached us.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from attrs import define, evolve, field, frozen

from engine import inputs
from engine.codec import decode, encode_state
from engine.fold import apply
from engine.inputs import Balance, Refusal, VenueStatus
from engine.order import TERMINAL_SET, Order, Pending
from engine.outbox import QueryOrder
from engine.state import State
from engine.strategy import Cancel, Intent, Replace
from engine.system import TRADING
from engine.values import (
    Asset,
    ClientOrderId,
    ExecId,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    VenueOrderId,
    exact_arithmetic,
)
from tests.engine.bench import BTC, SETTINGS, T0_NS, TREND, VENUE, d
from tests.engine.fix_scenarios import Step, Way
from tests.engine.world import ScriptedVenue, World, scripted

ANSWERS_MOST = 10
BASE, CASH = Asset("BTC"), Asset("USDT")
OPENING = (Balance(BASE, d(5), d(0)), Balance(CASH, d(10_000_000), d(0)))
SHOWN = {
    "pending_new": "PendingNew", "in_doubt": "PendingNew",
    "new": "New", "partially_filled": "PartiallyFilled", "filled": "Filled", "canceled": "Canceled",
    "expired": "Expired", "rejected": "Rejected", "done_for_day": "DoneForDay", "suspended": "Suspended",
}  # fmt: skip
_CLOSES = {"canceled": "canceled", "expired": "expired", "rejected": "rejected"}
_HALTS = {"done_for_day": "done_for_day", "suspended": "suspended"}


@define
class Known:
    """An order as the venue knows it. It is in its list once it has been answered."""

    order: str
    quantity: Decimal
    executions: dict[str, tuple[Decimal, Decimal]] = field(factory=dict)
    is_answered: bool = False
    ended: str = ""
    halted: str = ""

    @property
    def filled(self) -> Decimal:
        """CumQty."""
        return sum((quantity for quantity, _price in self.executions.values()), Decimal(0))

    @property
    def status(self) -> VenueStatus:
        """OrdStatus."""
        if self.filled >= self.quantity:
            return VenueStatus.FILLED
        return VenueStatus(self.ended or self.halted or ("partially_filled" if self.filled else "new"))


def known_after(steps: Iterable[Step]) -> dict[str, Known]:
    """The venue's books after these messages, by ClOrdID."""
    books: dict[str, Known] = {}
    for step in steps:
        if step.what == "new":
            books.setdefault(step.root, Known(step.order, step.quantity))
        elif step.lane != "ours":
            _learn(books[step.root], step)
    return books


def _learn(known: Known, step: Step) -> None:
    known.is_answered = True
    known.ended = _CLOSES.get(step.what, known.ended)
    known.halted = _HALTS.get(step.what, "" if step.what in ("trade", "restated", "replaced") else known.halted)
    if step.what in ("trade", "correct"):
        known.executions[step.execution] = (step.quantity, step.price)
    elif step.what == "bust":
        del known.executions[step.execution]
    elif step.what in ("replaced", "restated"):
        known.quantity = step.quantity
        known.order = step.order


@frozen
class Outcome:
    """What has to be the same, whatever the messages went through."""

    orders: tuple[tuple[Any, ...], ...]
    executions: tuple[tuple[Any, ...], ...]
    position: Decimal
    cash: Decimal
    terms: tuple[Decimal, ...]
    pauses: tuple[str, ...]


def played(way: Way, order: Iterable[Step]) -> Outcome:
    """How a way ends when its messages arrive in this order."""
    play = Play(way)
    for step in order:
        play.take(step)
    play.check_books()
    return play.outcome()


class Play:
    """One way through a scenario. `knows` is how much of it the venue has behind it."""

    def __init__(self, way: Way, *, answers: bool = True) -> None:
        self.way, self.answers = way, answers
        self.knows = 0
        self.ids: dict[str, OrderId] = {}
        self.wire: dict[str, ClientOrderId] = {}
        self.wishes: list[Any] = []
        self.acknowledged: dict[OrderId, set[str]] = {}
        venue = ScriptedVenue()
        venue.balances = OPENING
        self.world = World(SETTINGS, {TREND: scripted(self._wish)}, [venue])

    def order(self, step: Step) -> Order:
        """The order that a message is about."""
        return self.world.state.orders[self.ids[step.root]]

    def take(self, step: Step) -> None:
        """One message: what we ask of the venue, or what it says."""
        if step.lane == "ours":
            self._ask(step)
        else:
            self._note(step)
            self.world.tell(self.report(step))
        self.knows = max(self.knows, step.number)
        self._answer()

    def crash(self, knows: int) -> None:
        """The process ends without a word; the next finds the venue where it is by now."""
        self.knows = max(self.knows, knows)
        venue, books = self.world.venue, known_after(self.way.steps[: self.knows])
        venue.open_orders = [self._row(root, known) for root, known in books.items() if self._is_listed(known)]
        venue.executions = [self._execution(root, name, *told) for root, known in books.items()
                            for name, told in known.executions.items()]  # fmt: skip
        venue.balances = _balances(books)
        self.world.restart(clean=False)
        self._answer()

    # --- what we ask ---

    def _wish(self, callback: str, context: Any, argument: Any) -> Any:
        return [self.wishes.pop()] if callback == "on_quote" and self.wishes else None

    def _ask(self, step: Step) -> None:
        if step.order in self.wire:
            return  # a request is never sent twice
        kind, wish = self._request(step)
        self.wishes.append(wish)
        made = [event for event in self.world.quote() if event.kind == kind]
        assert len(made) == 1, f"{step}: not asked, {self.world.kinds_since(self.world.log.seq - 5)}"
        self.ids.setdefault(step.root, made[0].order_id)  # type: ignore[attr-defined]
        name = {"SubmitRequested": "client_order_id", "ReplaceRequested": "new_client_order_id"}.get(kind)
        self.wire[step.order] = getattr(made[0], name) if name else self.wire[step.root]
        self.acknowledged[self.ids[step.root]] = set()

    def _request(self, step: Step) -> tuple[str, Any]:
        if step.what == "new":
            return "SubmitRequested", Intent(instrument=BTC, side=Side.BUY, quantity=step.quantity, price=step.price)
        if step.what == "cancel":
            return "CancelRequested", Cancel(self.ids[step.root])
        return "ReplaceRequested", Replace(self.ids[step.root], quantity=step.quantity)

    # --- what the venue says ---

    def report(self, step: Step) -> Any:
        """The scenario's row as our adapters tell it; the same row is the same report each time."""
        # What answers a cancel or a replacement names the order as it was asked for, and the request beside it.
        order = step.root if step.lane == "replies" else step.order
        head = self._head(step.root, order) | {"transact_ns": T0_NS + step.number}
        request: dict[str, Any] = {"new_client_order_id": self.wire[step.order]}
        match step.what:
            case "rejected" | "duplicate":
                refusal = Refusal.DEFINITIVE if step.what == "rejected" else Refusal.DUPLICATE_ID
                return inputs.Rejected(**head, refusal=refusal)
            case "trade":
                told = self._execution(step.root, step.execution, step.quantity, step.price)
                return evolve(told, **head)
            case "correct":
                return inputs.TradeCorrect(
                    **head, exec_id=ExecId(step.execution), quantity=step.quantity, price=step.price
                )
            case "bust":
                return inputs.TradeCancel(**head, exec_id=ExecId(step.execution))
            case "replace_acked":
                return inputs.ReplaceAcked(**head, **request)
            case "replace_rejected":
                return inputs.ReplaceRejected(**head, **request)
            case "replaced":
                return inputs.Replaced(**head, **request, quantity=step.quantity, price=step.price)
            case "restated":
                return inputs.Restated(**head, quantity=step.quantity)
            case "status":
                return self._row(step.root, known_after(self.way.steps[: step.number])[step.root])
        return _BARE[step.what](**head)

    def _head(self, root: str, order: str) -> dict[str, Any]:
        ids = {"client_order_id": self.wire[order], "venue_order_id": VenueOrderId(f"v-{root}")}
        return {"venue": VENUE, "instrument": BTC, **ids}

    def _execution(self, root: str, name: str, quantity: Decimal, price: Decimal) -> inputs.Trade:
        return inputs.Trade(
            **self._head(root, root), transact_ns=T0_NS + 1, exec_id=ExecId(name), side=Side.BUY, quantity=quantity,
            price=price,
        )  # fmt: skip

    def _row(self, root: str, known: Known) -> inputs.StatusReport:
        return inputs.StatusReport(
            **self._head(root, known.order), status=known.status, side=Side.BUY, order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC, quantity=known.quantity, filled=known.filled, price=d(100),
        )  # fmt: skip

    def _is_listed(self, known: Known) -> bool:
        return known.is_answered and known.status.is_open

    def _answer(self) -> None:
        """Every question is answered by what the venue knows by now; what it knows nothing of it says so."""
        venue = self.world.venue
        for _ in range(ANSWERS_MOST):
            asked = venue.take(QueryOrder) if self.answers else []
            if not asked:
                return
            books = known_after(self.way.steps[: self.knows])
            for question in asked:
                self.world.tell(self._reply(question, books))
        raise AssertionError("the questions do not end")

    def _reply(self, question: QueryOrder, books: dict[str, Known]) -> Any:
        root = next(name for name, order in self.ids.items() if order == self._id_of(question))
        now_ns = self.world.clock.ns
        if books[root].is_answered:
            return evolve(self._row(root, books[root]), asked_ns=now_ns)
        sources = self.world.venue.description.absence.sources
        return inputs.NotFound(**self._head(root, root), asked_ns=now_ns, sources=sources)

    def _id_of(self, question: QueryOrder) -> OrderId:
        return self.world.state.by_client_id[ClientOrderId(str(question.client_order_id))]

    # --- what is to be seen ---

    def _note(self, step: Step) -> None:
        if step.what in ("cancel_acked", "replace_acked"):
            self.acknowledged[self.ids[step.root]].add(step.what)

    def shown(self, step: Step) -> dict[str, Any]:
        """The order in FIX words. An outstanding request outranks where the order is: FIX shows it from the venue's
        acknowledgement on, ours is outstanding from the request on."""
        order = self.order(step)
        acknowledged = self.acknowledged[order.order_id]
        status = SHOWN[order.status]
        if order.pending_replace is not Pending.NONE and "replace_acked" in acknowledged:
            status = "PendingReplace"
        if order.pending_cancel is not Pending.NONE and "cancel_acked" in acknowledged:
            status = "PendingCancel"
        return {
            "ord_status": status, "order_qty": order.quantity, "cum_qty": order.filled, "leaves_qty": order.leaves,
            "avg_px": order.average_price,
        }  # fmt: skip

    def outcome(self) -> Outcome:
        """Where the orders, the executions and the money are."""
        state = self.world.state
        rows = [state.orders[order_id] for _root, order_id in sorted(self.ids.items())]
        return Outcome(
            tuple((o.status, o.filled, o.leaves, o.notional) for o in rows),
            tuple(sorted((key, e.quantity, e.price, e.busted) for key, e in state.executions.items())),
            state.position(BTC, TREND).quantity,
            state.balances[VENUE][CASH],
            tuple(o.quantity for o in rows),
            tuple(pause.reason for pause in state.pauses.values()),
        )

    def may_trade(self) -> bool:
        """Would an order for the instrument leave now? (Known differences come to a head with a second snapshot.)"""
        self.world.wait(self.world.settings.reconcile.every_ns)
        self.world.answer_snapshots()
        state = self.world.state
        return state.system is TRADING and state.paused_by(instrument=BTC) is None

    def check_books(self) -> None:
        """The fold of the journal is the living state, and nothing closed has anything outstanding or left."""
        folded = State()
        with exact_arithmetic():
            for entry in self.world.log.read():
                apply(folded, decode(entry))
        assert encode_state(folded) == encode_state(self.world.state)
        for order in self.world.orders():
            executed = [self.world.state.executions[key] for key in folded.executions_of.get(order.order_id, ())]
            assert order.filled == sum(e.quantity for e in executed if not e.busted)
            if order.status in TERMINAL_SET:
                assert {order.pending_cancel, order.pending_replace} == {Pending.NONE}
                assert not order.leaves


_BARE = {
    "ack": inputs.Ack, "cancel_acked": inputs.CancelAcked, "cancel_rejected": inputs.CancelRejected,
    "canceled": inputs.Canceled, "expired": inputs.Expired, "done_for_day": inputs.DoneForDay,
    "suspended": inputs.Suspended,
}  # fmt: skip


def _balances(books: dict[str, Known]) -> tuple[Balance, ...]:
    """The opening balances, and what the executions did to them."""
    told = [execution for known in books.values() for execution in known.executions.values()]
    bought = sum((quantity for quantity, _price in told), Decimal(0))
    paid = sum((quantity * price for quantity, price in told), Decimal(0))
    return (evolve(OPENING[0], free=OPENING[0].free + bought), evolve(OPENING[1], free=OPENING[1].free - paid))
