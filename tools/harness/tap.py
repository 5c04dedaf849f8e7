"""A tap on the Venue port: every request that is released, every input that is told, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from attrs import Factory, define, field

from engine import inputs
from engine.capabilities import VenueDescription
from engine.inputs import Input, Refusal, RequestKind
from engine.outbox import CancelOrder, QueryOrder, ReplaceOrder, Request, SubmitOrder, TakeSnapshot
from engine.ports import Deliver, Gate, Venue
from engine.values import MILLISECOND_NS, ZERO, VenueName

ANSWERS: dict[type[Any], tuple[tuple[type[Any], ...], RequestKind | None]] = {
    SubmitOrder: (
        (inputs.Ack, inputs.PendingNewAck, inputs.Rejected, inputs.Trade, inputs.Canceled, inputs.Expired,
         inputs.StatusReport),
        RequestKind.NEW,
    ),
    CancelOrder: ((inputs.CancelAcked, inputs.Canceled, inputs.CancelRejected), RequestKind.CANCEL),
    ReplaceOrder: ((inputs.ReplaceAcked, inputs.Replaced, inputs.ReplaceRejected), RequestKind.REPLACE),
    QueryOrder: ((inputs.StatusReport, inputs.NotFound, inputs.QueryFailed), None),
    TakeSnapshot: ((inputs.Snapshot, inputs.SnapshotFailed), None),
}  # fmt: skip
"""What answers each request; beside these, `OutcomeUnknown` of the given kind."""

LIVES = (inputs.Ack, inputs.Trade, inputs.Canceled, inputs.Expired)


@define
class Asked:
    """A request on its way: when it was released, and whether it has been answered."""

    request: Request
    at_ns: int
    is_answered: bool = False


@define
class Record:
    """What went through the tap, over all connections of one schedule."""

    now_ns: Callable[[], int]
    asked: list[Asked] = Factory(list)
    executions: dict[str, inputs.Trade] = Factory(dict)
    refused: set[str] = Factory(set)
    snapshots: dict[int, inputs.Snapshot | inputs.SnapshotFailed] = Factory(dict)
    problems: list[str] = Factory(list)
    told: int = 0
    released: int = 0

    def ask(self, request: Request) -> None:
        """A request leaves."""
        self.released += 1
        self.asked.append(Asked(request, self.now_ns()))

    def hear(self, told: Any) -> None:
        """Something is told."""
        self.told += 1
        if not isinstance(told, Input):  # an adapter is not always type-checked
            self.problems.append(f"known: {type(told).__name__} is no input of the engine's: {told!r}"[:300])
            return
        self.problems += self._wrong(told)
        for asked in self.asked:
            asked.is_answered = asked.is_answered or answers(asked.request, told)

    def forget_asked(self) -> None:
        """The process ended: nobody waits for its answers any more."""
        self.asked.clear()

    def overdue(self, bound_ns: int) -> Iterator[str]:
        """Requests that have waited too long for any answer."""
        now_ns = self.now_ns()
        self.asked = [asked for asked in self.asked if not asked.is_answered]
        for asked in self.asked:
            if now_ns - asked.at_ns > bound_ns:
                waited = (now_ns - asked.at_ns) // MILLISECOND_NS
                yield f"answered: {_named(asked.request)} has no answer after {waited} ms, not even OutcomeUnknown"

    def _wrong(self, told: Input) -> Iterator[str]:
        if isinstance(told, inputs.ProtocolSurprise):
            yield f"known: a message that the adapter does not understand: {told.raw[:200]}"
        if isinstance(told, inputs.Snapshot):
            for trade in told.executions:
                yield from self._of_trade(trade, "the snapshot")
            for row in told.open_orders:
                if str(row.client_order_id) in self.refused:
                    yield f"refused: {row.client_order_id} was refused for good, and is open in the snapshot"
        if isinstance(told, inputs.Trade):
            yield from self._of_trade(told, "a report")
        client_id = str(getattr(told, "client_order_id", None) or "")
        if isinstance(told, inputs.Rejected) and told.refusal is Refusal.DEFINITIVE:
            self.refused.add(client_id)
        elif isinstance(told, LIVES) and client_id in self.refused:
            yield f"refused: {client_id} was refused for good, and then told as {type(told).__name__}"

    def _of_trade(self, trade: inputs.Trade, where: str) -> Iterator[str]:
        if not (trade.quantity.is_finite() and trade.quantity > ZERO and trade.price.is_finite()):
            yield f"execution: {trade.exec_id} in {where} is {trade.quantity} at {trade.price}"
        first = self.executions.setdefault(f"{trade.instrument}/{trade.exec_id}", trade)
        for name in ("client_order_id", "side", "quantity", "price", "fee", "fee_asset"):
            was, now = getattr(first, name), getattr(trade, name)
            if None not in (was, now) and was != now:
                yield f"execution: {trade.exec_id} has the {name} {was} first and {now} in {where}"


class Tap:
    """The venue under test, with everything that passes noted."""

    def __init__(self, inner: Venue, record: Record) -> None:
        self._inner, self._record = inner, record

    @property
    def name(self) -> VenueName:
        """The venue's name."""
        return self._inner.name

    def describe(self) -> VenueDescription:
        """What it says of itself."""
        return self._inner.describe()

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Open it. The harness's own questions, which have a seq below zero, are not passed on."""

        def hear(told: Input) -> None:
            self._record.hear(told)
            if isinstance(told, inputs.Snapshot | inputs.SnapshotFailed) and told.asked_seq < 0:
                self._record.snapshots[told.asked_seq] = told
            elif isinstance(told, Input):
                deliver(told)

        self._inner.open(hear, gate)

    def reconnect(self, cause: str) -> None:
        """Give the connection up."""
        self._inner.reconnect(cause)

    def release(self, request: Request) -> None:
        """Release."""
        self._record.ask(request)
        self._inner.release(request)

    def close(self) -> None:
        """Close."""
        self._inner.close()


@define
class Ledger:
    """What an exchange says by its own books: executions by their ids (quantity, price), totals by asset, the client
    ids of its open orders (as they were created)."""

    executions: dict[str, tuple[Decimal, Decimal]] = field(factory=dict)
    balances: dict[str, Decimal] = field(factory=dict)
    open_orders: set[str] = field(factory=set)


def answers(request: Request, told: Input) -> bool:
    """Does this answer that?"""
    kinds, doubt = ANSWERS[type(request)]
    if isinstance(request, TakeSnapshot):
        return isinstance(told, inputs.Snapshot | inputs.SnapshotFailed) and told.asked_seq == request.seq
    is_about = told.request is doubt if isinstance(told, inputs.OutcomeUnknown) else isinstance(told, kinds)
    return is_about and _is_same_order(request, told)


def _is_same_order(request: Any, told: Any) -> bool:
    ours = {request.client_order_id, getattr(request, "new_client_order_id", None)} - {None}
    venue_order_id = getattr(request, "venue_order_id", None)
    return told.client_order_id in ours or (venue_order_id is not None and told.venue_order_id == venue_order_id)


def _named(request: Request) -> str:
    about = getattr(request, "client_order_id", None) or f"asked at seq {request.seq}"
    return f"{type(request).__name__} {about}"
