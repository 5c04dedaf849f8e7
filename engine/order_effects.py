"""The effects in the order tables, by name: which events a row journals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from engine import events, inputs
from engine.events import Event
from engine.inputs import RAW_HEAD_BYTES, RAW_LIMIT_BYTES, Refusal, RequestKind, Resolution, Scope
from engine.order import (
    PENDING_NEW,
    Order,
    Origin,
    Pending,
)
from engine.order_guards import Look, OperatorResolved
from engine.state import State
from engine.values import ExecId, Liquidity, plain

SAY_AGAIN_NS = 10_000_000_000
"""Equal anomalies and denials within this time are counted, not journaled."""


Effect = Callable[[Look], Iterator[Event]]


def _accept(look: Look) -> Iterator[Event]:
    report = look.report
    yield events.OrderAccepted(
        order_id=look.order.order_id, venue_order_id=report.venue_order_id, transact_ns=report.transact_ns,
        raw=bounded(report.raw),
    )  # fmt: skip


def _accept_revoked(look: Look) -> Iterator[Event]:
    yield from _accept(look)
    yield from _revoke(look)
    if isinstance(look.report, inputs.StatusReport) and look.report.filled > look.order.filled:
        yield from _probe(look)


def _revoke(look: Look) -> Iterator[Event]:
    """What was proven absent exists: the venue's answers can't be trusted until somebody has looked."""
    yield events.AnomalyRecorded(
        about=look.order.order_id, anomaly="void_revoked",
        detail=f"{look.order.order_id} had been proven absent, yet the venue reports it", raw=bounded(look.report.raw),
    )  # fmt: skip
    yield pause_instrument(look.order, "void_revoked", f"order {look.order.order_id} exists after all")


def _accept_triggered(look: Look) -> Iterator[Event]:
    """It went off at once, and that is told before the ack."""
    yield from _accept(look)
    yield events.OrderTriggered(order_id=look.order.order_id, raw=bounded(look.report.raw))


def _reject(look: Look) -> Iterator[Event]:
    yield events.OrderRejected(
        order_id=look.order.order_id, reason=getattr(look.report, "reason", ""), transact_ns=look.report.transact_ns,
        raw=bounded(look.report.raw), refusal=getattr(look.report, "refusal", Refusal.DEFINITIVE),
    )  # fmt: skip


def _doubt(look: Look) -> Iterator[Event]:
    unknown = isinstance(look.report, inputs.OutcomeUnknown)
    yield events.OutcomeUnknown(
        order_id=look.order.order_id,
        request=look.report.request if unknown else RequestKind.NEW,
        cause=look.report.cause if unknown else "duplicate_id",
        raw=bounded(look.report.raw),
    )
    yield from _query(look, "in doubt")


def _doubt_revoked(look: Look) -> Iterator[Event]:
    yield events.OutcomeUnknown(order_id=look.order.order_id, request=RequestKind.NEW, cause="revoked")
    yield from _revoke(look)
    yield from _probe(look)


def _query(look: Look, why: str) -> Iterator[Event]:
    yield events.OrderQueried(order_id=look.order.order_id, why=why)


def _probe(look: Look) -> Iterator[Event]:
    told = isinstance(look.report, inputs.StatusReport | inputs.Canceled | inputs.Expired)
    reported = look.report.filled if told else None
    if reported is not None and reported == look.order.reported_filled:
        return  # asked about already; the next probe is a matter of time
    yield events.OrderQueried(order_id=look.order.order_id, why="probe", reported_filled=reported)


def _fill(look: Look, *, late: bool = False, overfill: bool = False) -> events.FillBooked:
    order, trade = look.order, look.report
    return events.FillBooked(
        order_id=order.order_id, exec_id=trade.exec_id, venue=order.venue, instrument=order.instrument,
        strategy=order.strategy, side=trade.side, quantity=plain(trade.quantity), price=plain(trade.price),
        fee=None if trade.fee is None else plain(trade.fee), fee_asset=trade.fee_asset, liquidity=trade.liquidity,
        venue_order_id=trade.venue_order_id, late=late, overfill=overfill, transact_ns=trade.transact_ns,
        raw=bounded(trade.raw),
    )  # fmt: skip


def _book(look: Look) -> Iterator[Event]:
    yield _fill(look)


def _book_replaced(look: Look) -> Iterator[Event]:
    """What executes beyond the old quantity tells that the replacement is in force."""
    asked = look.order.replacement
    if asked is not None:
        yield events.OrderReplaced(
            order_id=look.order.order_id, quantity=asked.quantity, price=asked.price,
            venue_order_id=look.report.venue_order_id, transact_ns=look.report.transact_ns,
            stop_price=asked.stop_price, raw=bounded(look.report.raw),
        )  # fmt: skip
    yield _fill(look)


def _ask_rest(look: Look) -> Iterator[Event]:
    detail = f"the venue works {look.report.quantity}, the books have the order filled by {look.order.filled}"
    yield from _surprise_once(look, "works_rest", detail)


def _book_late(look: Look) -> Iterator[Event]:
    yield _fill(look, late=True)
    yield events.AnomalyRecorded(
        about=look.order.order_id, anomaly="late_fill",
        detail=f"an execution of {look.report.quantity} after the order was {look.order.status}",
    )  # fmt: skip


def _book_overfill(look: Look) -> Iterator[Event]:
    if look.order.origin is Origin.EXTERNAL:
        yield _fill(look)
        return
    detail = f"{look.filled_with(look.report.quantity)} executed of {look.order.quantity}"
    yield _fill(look, overfill=True)
    yield events.AnomalyRecorded(about=look.order.order_id, anomaly="overfill", detail=detail)
    yield pause_instrument(look.order, "overfill", f"order {look.order.order_id}: {detail}")


def _book_revoked(look: Look) -> Iterator[Event]:
    yield _fill(look)
    yield from _revoke(look)


def _contradict(look: Look) -> Iterator[Event]:
    trade = look.report
    detail = f"execution {trade.exec_id} was booked with other data than {trade.quantity} at {trade.price}"
    yield from _surprise_once(look, "execution_contradicts", detail)


def _surprise_once(look: Look, anomaly: str, detail: str) -> Iterator[Event]:
    """An anomaly and a question: one question for each that is said, because its answer may surprise again."""
    for said in surprise_order(look, anomaly, detail):
        yield said
        yield from _query(look, "probe")


def _correct(look: Look) -> Iterator[Event]:
    yield events.FillCorrected(
        order_id=look.order.order_id, venue=look.order.venue, instrument=look.order.instrument,
        exec_id=look.report.exec_id, quantity=look.report.quantity, price=look.report.price,
        raw=bounded(look.report.raw),
    )  # fmt: skip


def _bust(look: Look) -> Iterator[Event]:
    yield events.FillBusted(
        order_id=look.order.order_id, venue=look.order.venue, instrument=look.order.instrument,
        exec_id=look.report.exec_id, raw=bounded(look.report.raw),
    )  # fmt: skip


def _book_fee(look: Look) -> Iterator[Event]:
    yield events.FeeBooked(
        order_id=look.order.order_id, venue=look.order.venue, instrument=look.order.instrument,
        exec_id=look.report.exec_id, fee=look.report.fee, fee_asset=look.report.fee_asset,
        raw=bounded(look.report.raw),
    )  # fmt: skip


def _cancel(look: Look) -> Iterator[Event]:
    yield events.OrderCanceled(
        order_id=look.order.order_id, requested=look.order.pending_cancel is not Pending.NONE,
        reason=getattr(look.report, "reason", ""), venue_order_id=look.report.venue_order_id,
        transact_ns=look.report.transact_ns, raw=bounded(look.report.raw),
    )  # fmt: skip


def _cancel_revoked(look: Look) -> Iterator[Event]:
    yield from _cancel(look)
    yield from _revoke(look)


def _cancel_surprised(look: Look) -> Iterator[Event]:
    yield from _cancel(look)
    yield from surprise_order(look, "rejected_after_fill", "the venue rejected an order that has executions")


def _cancel_inferred(look: Look) -> Iterator[Event]:
    yield events.OrderCanceled(
        order_id=look.order.order_id, requested=look.order.pending_cancel is not Pending.NONE,
        reason="the venue knows no such order", evidence="inferred", raw=bounded(look.report.raw),
    )  # fmt: skip


def _cancel_held(look: Look) -> Iterator[Event]:
    yield events.OrderCanceled(order_id=look.order.order_id, requested=True, reason="never sent")


def _simple(kind: type[Any]) -> Effect:
    def effect(look: Look) -> Iterator[Event]:
        yield kind(order_id=look.order.order_id, raw=bounded(look.report.raw))

    return effect


def _expire(look: Look) -> Iterator[Event]:
    yield events.OrderExpired(
        order_id=look.order.order_id,
        venue_order_id=look.report.venue_order_id,
        transact_ns=look.report.transact_ns,
        raw=bounded(look.report.raw),
    )


def _expire_revoked(look: Look) -> Iterator[Event]:
    yield from _expire(look)
    yield from _revoke(look)


def _restate(look: Look) -> Iterator[Event]:
    yield events.OrderRestated(
        order_id=look.order.order_id, quantity=look.report.quantity, raw=bounded(look.report.raw)
    )


def _resume(look: Look) -> Iterator[Event]:
    yield events.OrderRestated(order_id=look.order.order_id, quantity=look.order.quantity, raw=bounded(look.report.raw))


def _replace(look: Look) -> Iterator[Event]:
    report, asked = look.report, look.order.replacement
    is_asked = asked is not None and (asked.quantity, asked.price) == (report.quantity, report.price)
    yield events.OrderReplaced(
        order_id=look.order.order_id, quantity=report.quantity, price=report.price,
        venue_order_id=report.venue_order_id, transact_ns=report.transact_ns, raw=bounded(report.raw),
        stop_price=asked.stop_price if asked is not None and is_asked else None,
        keeps_priority=getattr(report, "keeps_priority", None),
    )  # fmt: skip


def _refuse_replace(look: Look) -> Iterator[Event]:
    reason = getattr(look.report, "reason", "") or "not effective"
    yield events.ReplaceRefused(order_id=look.order.order_id, reason=reason, raw=bounded(look.report.raw))
    yield from _query(look, "replace refused")


def _refuse_cancel(look: Look) -> Iterator[Event]:
    yield events.CancelRefused(
        order_id=look.order.order_id, refusal=look.report.refusal, reason=look.report.reason,
        raw=bounded(look.report.raw),
    )  # fmt: skip
    yield from _query(look, "cancel refused")


def _request_cancel(look: Look) -> Iterator[Event]:
    held = look.order.status is PENDING_NEW
    yield events.CancelRequested(order_id=look.order.order_id, held=held, by=getattr(look.report, "by", "engine"))


def _void(look: Look) -> Iterator[Event]:
    yield events.OrderVoided(
        order_id=look.order.order_id, sources=look.report.sources, asked_ns=look.report.asked_ns,
        raw=bounded(look.report.raw),
    )  # fmt: skip


def _surprise_probe(look: Look) -> Iterator[Event]:
    if isinstance(look.report, inputs.NotFound):
        yield from _surprise_once(look, "vanished", "the venue does not know an order that works")
    else:
        detail = f"no execution {look.report.exec_id} of this order is booked"
        yield from _surprise_once(look, "unknown_execution", detail)


def _resolve(look: Look) -> Iterator[Event]:
    said: OperatorResolved = look.report
    if said.resolution is Resolution.FILLED and said.quantity and said.price:
        order = look.order
        yield events.FillBooked(
            order_id=order.order_id, exec_id=ExecId(f"operator-{look.state.seq + 1}"), venue=order.venue,
            instrument=order.instrument, strategy=order.strategy, side=order.side, quantity=said.quantity,
            price=said.price, fee=None, fee_asset=None, liquidity=Liquidity.UNKNOWN,
        )  # fmt: skip
    if look.state.orders[look.order.order_id].is_open:
        yield events.OrderResolved(
            order_id=look.order.order_id, resolution=said.resolution, by=said.by, reason=said.reason
        )


def surprise_order(look: Look, anomaly: str, detail: str) -> Iterator[Event]:
    """An anomaly about the order a report is about."""
    yield from surprise(look.state, look.order.order_id, anomaly, detail, look.report.raw, look.now_ns)


EFFECTS: dict[str, Effect] = {
    "accept": _accept,
    "accept_revoked": _accept_revoked,
    "accept_triggered": _accept_triggered,
    "reject": _reject,
    "doubt": _doubt,
    "doubt_revoked": _doubt_revoked,
    "probe": _probe,
    "book": _book,
    "book_replaced": _book_replaced,
    "ask_rest": _ask_rest,
    "book_late": _book_late,
    "book_overfill": _book_overfill,
    "book_revoked": _book_revoked,
    "contradict": _contradict,
    "correct": _correct,
    "bust": _bust,
    "book_fee": _book_fee,
    "cancel": _cancel,
    "cancel_revoked": _cancel_revoked,
    "cancel_surprised": _cancel_surprised,
    "cancel_inferred": _cancel_inferred,
    "cancel_held": _cancel_held,
    "expire": _expire,
    "expire_revoked": _expire_revoked,
    "suspend": _simple(events.OrderSuspended),
    "end_day": _simple(events.OrderDoneForDay),
    "restate": _restate,
    "resume": _resume,
    "trigger": _simple(events.OrderTriggered),
    "replace": _replace,
    "accept_replace": _simple(events.ReplaceAccepted),
    "refuse_replace": _refuse_replace,
    "accept_cancel": _simple(events.CancelAccepted),
    "refuse_cancel": _refuse_cancel,
    "request_cancel": _request_cancel,
    "void": _void,
    "surprise_probe": _surprise_probe,
    "resolve": _resolve,
}


def pause_instrument(order: Order, reason: str, detail: str) -> Event:
    """An instrument is shut until somebody has looked."""
    return events.TradingPaused(
        scope=Scope.INSTRUMENT, subject_name=order.instrument, reason=reason, latched=True, detail=detail
    )


def surprise(state: State, about: str, anomaly: str, detail: str, raw: str, now_ns: int) -> Iterator[Event]:
    """An anomaly; an equal one within `SAY_AGAIN_NS` is not journaled again."""
    said_ns = state.said.get(f"{anomaly}/{about}")
    if said_ns is None or now_ns - said_ns >= SAY_AGAIN_NS:
        yield events.AnomalyRecorded(about=about, anomaly=anomaly, detail=detail, raw=bounded(raw))


def bounded(raw: str) -> str:
    """A venue's text for the journal: whole up to 16 KB, else its hash and first 4 KB."""
    data = raw.encode()
    if len(data) <= RAW_LIMIT_BYTES:
        return raw
    head = data[:RAW_HEAD_BYTES].decode(errors="ignore")
    return f"sha256:{sha256(data).hexdigest()} of {len(data)} bytes: {head}"
