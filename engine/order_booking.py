"""What events about orders do to State: the order, its executions, positions and balances."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve

from engine import events
from engine.appliers import applies
from engine.inputs import RequestKind, Resolution
from engine.money_booking import book_money, charge_fee, note_outcome
from engine.order import (
    CANCELED,
    DONE_FOR_DAY,
    EXPIRED,
    FILLED,
    HALTED,
    IN_DOUBT,
    NEW,
    REJECTED,
    SUSPENDED,
    UNSETTLED,
    VOID,
    WORKING,
    Evidence,
    Execution,
    IllegalEvent,
    Order,
    Origin,
    Pending,
    Replacement,
    moved,
    overlaid,
    revised,
    status_after_fills,
    working_status,
)
from engine.order_keeping import put, tell, unlink, within_a_minute
from engine.recent import add_fee, note_venue_error, remember
from engine.state import (
    NOBODY,
    Recorded,
    State,
    execution_key,
    roll_day,
    touch,
    venue_id_key,
)
from engine.values import EXACT, ZERO, Asset, ClientOrderId, plain

# --- orders -----------------------------------------------------------------------------------------------------


@applies(events.OrderAccepted)
def _accept(state: State, at: Recorded, event: events.OrderAccepted) -> None:
    order = state.orders[event.order_id]
    note_outcome(state, order, at, is_rejected=False)
    status = order.status if order.status in WORKING else working_status(order.filled)
    venue_order_id = order.venue_order_id or event.venue_order_id
    order = moved(order, event.kind, status, at.at_ns, venue_order_id=venue_order_id, evidence=Evidence.CONFIRMED)
    put(state, order)
    tell(state, order, at)


@applies(events.OrderRejected)
def _reject(state: State, at: Recorded, event: events.OrderRejected) -> None:
    if state.orders[event.order_id].filled:
        raise IllegalEvent(f"order {event.order_id} has executions: it was not rejected")
    remember(state, "reject", state.orders[event.order_id], at.at_ns)
    note_outcome(state, state.orders[event.order_id], at, is_rejected=True)
    _close(state, at, event, REJECTED, reason=event.reason)


@applies(events.OrderCanceled)
def _cancel(state: State, at: Recorded, event: events.OrderCanceled) -> None:
    _close(state, at, event, CANCELED, reason=event.reason, evidence=Evidence(event.evidence))


@applies(events.OrderExpired, events.OrderVoided)
def _expire_or_void(state: State, at: Recorded, event: events.OrderEvent) -> None:
    status, evidence = (EXPIRED, Evidence.CONFIRMED) if event.kind == "OrderExpired" else (VOID, Evidence.INFERRED)
    _close(state, at, event, status, evidence=evidence)


def _close(state: State, at: Recorded, event: events.OrderEvent, status: Any, **changes: Any) -> None:
    order = state.orders[event.order_id]
    changes.setdefault("evidence", Evidence.CONFIRMED)
    changes["venue_order_id"] = order.venue_order_id or getattr(event, "venue_order_id", None)
    order = moved(order, event.kind, status, at.at_ns, closed_as=status, **changes)
    put(state, order)
    tell(state, order, at)
    touch(state, order.venue, state.instruments.get(order.instrument), at.seq)


@applies(events.FillBooked)
def _book(state: State, at: Recorded, event: events.FillBooked) -> None:
    key = execution_key(event.venue, event.instrument, event.exec_id)
    if key in state.executions:
        raise IllegalEvent(f"execution {key} is booked")
    order = state.orders[event.order_id]
    note_outcome(state, order, at, is_rejected=False)
    state.executions[key] = Execution(
        order_id=order.order_id, side=event.side, quantity=event.quantity, price=event.price,
        fee=event.fee, fee_asset=event.fee_asset, seq=at.seq,
    )  # fmt: skip
    state.executions_of[order.order_id] = (*state.executions_of.get(order.order_id, ()), key)
    roll_day(state, at.at_ns)
    before = state.position(order.instrument, order.strategy).realized
    book_money(state, order, event.side, event.quantity, event.price)
    _charge(state, order, event.fee, event.fee_asset, at.at_ns)
    _count_execution(state, order, before, at.at_ns)
    changes: dict[str, Any] = {"venue_order_id": order.venue_order_id or event.venue_order_id}
    if order.status is VOID:
        changes["evidence"] = Evidence.CONFIRMED
    order = _refilled(state, order, event, at, changes)
    touch(state, order.venue, state.instruments[order.instrument], at.seq)
    tell(state, order, at, key)


def _count_execution(state: State, order: Order, realized_before: Decimal, at_ns: int) -> None:
    remember(state, "fill", order, at_ns)
    if not order.filled:
        remember(state, "execution", order, at_ns)
    if state.position(order.instrument, order.strategy).realized < realized_before:
        remember(state, "loss", order, at_ns)


@applies(events.FillCorrected)
def _correct(state: State, at: Recorded, event: events.FillCorrected) -> None:
    key, before, order = _own_execution(state, event)
    state.executions[key] = evolve(before, quantity=event.quantity, price=event.price, busted=False)
    if before.busted:
        _charge(state, order, before.fee, before.fee_asset, at.at_ns)
    else:
        book_money(state, order, before.side.opposite, before.quantity, before.price)
    book_money(state, order, before.side, event.quantity, event.price)
    order = _refilled(state, order, event, at, {})
    touch(state, order.venue, state.instruments[order.instrument], at.seq)
    tell(state, order, at)


@applies(events.FillBusted)
def _bust(state: State, at: Recorded, event: events.FillBusted) -> None:
    key, before, order = _own_execution(state, event)
    if before.busted:
        raise IllegalEvent(f"execution {key} is busted")
    state.executions[key] = evolve(before, busted=True)
    book_money(state, order, before.side.opposite, before.quantity, before.price)
    _charge(state, order, -before.fee if before.fee else None, before.fee_asset, at.at_ns)
    order = _refilled(state, order, event, at, {})
    touch(state, order.venue, state.instruments[order.instrument], at.seq)
    tell(state, order, at)


def _own_execution(state: State, event: Any) -> tuple[str, Execution, Order]:
    key = execution_key(event.venue, event.instrument, event.exec_id)
    before, order = state.executions[key], state.orders[event.order_id]
    if before.order_id != order.order_id:
        raise IllegalEvent(f"execution {key} is not one of order {order.order_id}")
    return key, before, order


def _refilled(state: State, order: Order, event: Any, at: Recorded, changes: dict[str, Any]) -> Order:
    """The order with its sums taken anew from its executions."""
    filled = notional = ZERO
    for key in state.executions_of.get(order.order_id, ()):
        execution = state.executions[key]
        if not execution.busted:
            filled = EXACT.add(filled, execution.quantity)
            notional = EXACT.add(notional, EXACT.multiply(execution.quantity, execution.price))
    filled, notional = plain(filled), plain(notional)
    if order.status is VOID:
        status = FILLED if filled >= order.quantity else working_status(filled)
    elif order.status is FILLED and isinstance(event, events.FillBooked):
        status = FILLED
    elif order.status in HALTED and isinstance(event, events.FillBooked):
        status = FILLED if filled >= order.quantity else working_status(filled)
    else:
        status = status_after_fills(order, filled)
    order = moved(order, event.kind, status, at.at_ns, filled=filled, notional=notional, **changes)
    put(state, order)
    return order


def _charge(state: State, order: Order, fee: Decimal | None, asset: Asset | None, at_ns: int) -> None:
    """Book a fee, and count it to its day's."""
    charge_fee(state, order, fee, asset)
    if fee is not None and asset is not None:
        add_fee(state, order, fee, asset, at_ns)


@applies(events.FeeBooked)
def _book_fee(state: State, at: Recorded, event: events.FeeBooked) -> None:
    key, before, order = _own_execution(state, event)
    if before.fee is not None:
        raise IllegalEvent(f"execution {key} has its fee")
    state.executions[key] = evolve(before, fee=event.fee, fee_asset=event.fee_asset)
    if not before.busted:
        _charge(state, order, event.fee, event.fee_asset, at.at_ns)
    state.last_event_seq[f"{order.venue}/{event.fee_asset}"] = at.seq


@applies(events.CancelRequested)
def _request_cancel(state: State, at: Recorded, event: events.CancelRequested) -> None:
    put(state, overlaid(
        state.orders[event.order_id], event.kind, Pending.SENT, at.at_ns, cancel_held=event.held, cancel_seq=at.seq,
        cancel_ns=at.at_ns,
    ))  # fmt: skip


@applies(events.CancelAccepted, events.ReplaceAccepted)
def _acknowledge(state: State, at: Recorded, event: events.OrderEvent) -> None:
    order = state.orders[event.order_id]
    pending = order.pending_cancel if isinstance(event, events.CancelAccepted) else order.pending_replace
    put(state, overlaid(order, event.kind, pending, at.at_ns))


@applies(events.ReplaceDenied)
def _deny_replace(state: State, at: Recorded, event: events.ReplaceDenied) -> None:
    put(state, revised(state.orders[event.order_id], updated_ns=at.at_ns))


@applies(events.CancelRefused)
def _refuse_cancel(state: State, at: Recorded, event: events.CancelRefused) -> None:
    pending = Pending.IN_DOUBT if event.refusal in ("unknown_order", "throttled") else Pending.NONE
    order = overlaid(state.orders[event.order_id], event.kind, pending, at.at_ns)
    put(state, order)
    tell(state, order, at)


@applies(events.ReplaceRequested)
def _request_replace(state: State, at: Recorded, event: events.ReplaceRequested) -> None:
    order = state.orders[event.order_id]
    replacement = Replacement(
        client_order_id=event.new_client_order_id, quantity=event.quantity, price=event.price,
        stop_price=event.stop_price,
    )  # fmt: skip
    put(state, overlaid(
        order, event.kind, Pending.SENT, at.at_ns, replacement=replacement, replace_seq=at.seq, replace_ns=at.at_ns,
        replacement_ids=(*order.replacement_ids, event.new_client_order_id),
    ))  # fmt: skip
    state.by_client_id[event.new_client_order_id] = event.order_id
    if order.style is not None:
        state.styled_ns[order.instrument] = at.at_ns
    state.submitted_ns = within_a_minute(state.submitted_ns, at.at_ns)
    remember(state, "request", order, at.at_ns)


@applies(events.OrderReplaced)
def _replace(state: State, at: Recorded, event: events.OrderReplaced) -> None:
    order = state.orders[event.order_id]
    quantity = max(event.quantity, order.filled)
    status = FILLED if order.filled and order.filled >= event.quantity else working_status(order.filled)
    order = moved(
        order, event.kind, status, at.at_ns, quantity=quantity, price=event.price, pending_replace=Pending.NONE,
        replacement=None, venue_order_id=event.venue_order_id or order.venue_order_id,
        stop_price=order.stop_price if event.stop_price is None else event.stop_price,
    )  # fmt: skip
    put(state, order)
    tell(state, order, at)


@applies(events.ReplaceRefused)
def _refuse_replace(state: State, at: Recorded, event: events.ReplaceRefused) -> None:
    order = overlaid(state.orders[event.order_id], event.kind, Pending.NONE, at.at_ns, replacement=None)
    put(state, order)
    tell(state, order, at)


@applies(events.OrderSuspended, events.OrderDoneForDay)
def _halt(state: State, at: Recorded, event: events.OrderEvent) -> None:
    order = state.orders[event.order_id]
    halted = {"OrderSuspended": SUSPENDED, "OrderDoneForDay": DONE_FOR_DAY}
    put(state, moved(order, event.kind, halted[event.kind], at.at_ns))


@applies(events.OrderRestated)
def _restate(state: State, at: Recorded, event: events.OrderRestated) -> None:
    order = state.orders[event.order_id]
    status = order.status if order.status in UNSETTLED else working_status(order.filled)
    if order.filled and order.filled >= event.quantity:
        status = FILLED
    quantity = max(event.quantity, order.filled)
    order = moved(order, event.kind, status, at.at_ns, quantity=quantity)
    put(state, order)
    tell(state, order, at)


@applies(events.OutcomeUnknown)
def _doubt(state: State, at: Recorded, event: events.OutcomeUnknown) -> None:
    order = state.orders[event.order_id]
    if event.cause != "restart":  # that was our own end, not an error of the venue
        note_venue_error(state, order.venue, at.at_ns)
    if event.request == RequestKind.NEW:
        order = moved(order, event.kind, IN_DOUBT, at.at_ns)
    elif event.request == RequestKind.CANCEL:
        order = overlaid(order, f"{event.kind} {event.request}", Pending.IN_DOUBT, at.at_ns, cancel_held=False)
    else:
        order = overlaid(order, f"{event.kind} {event.request}", Pending.IN_DOUBT, at.at_ns)
    put(state, order)


@applies(events.OrderQueried)
def _query(state: State, at: Recorded, event: events.OrderQueried) -> None:
    order = state.orders[event.order_id]
    reported = max(order.reported_filled, event.reported_filled or ZERO)
    put(state, revised(order, queries=order.queries + 1, queried_ns=at.at_ns, reported_filled=reported))


@applies(events.OrderResolved)
def _resolve(state: State, at: Recorded, event: events.OrderResolved) -> None:
    status = {Resolution.VOID: VOID, Resolution.CANCELED: CANCELED, Resolution.FILLED: FILLED}[event.resolution]
    _close(state, at, event, status, evidence=Evidence.OPERATOR, reason=event.reason)


@applies(events.ExternalOrderSeen)
def _see_external(state: State, at: Recorded, event: events.ExternalOrderSeen) -> None:
    put(state, Order(
        order_id=event.order_id, strategy=NOBODY, instrument=event.instrument, venue=event.venue, side=event.side,
        order_type=event.order_type, time_in_force=event.time_in_force, quantity=event.quantity, price=event.price,
        client_order_id=event.client_order_id, venue_order_id=event.venue_order_id, status=NEW,
        origin=Origin.ADOPTED if event.adopted else Origin.EXTERNAL, created_ns=at.at_ns, updated_ns=at.at_ns,
        intended_seq=at.seq, requested_seq=at.seq, requested_ns=at.at_ns,
    ))  # fmt: skip
    if event.client_order_id:
        state.by_client_id[event.client_order_id] = event.order_id


@applies(events.ArchivedOrderReported)
def _note_archived(state: State, at: Recorded, event: events.ArchivedOrderReported) -> None:
    state.said[f"archived/{event.order_id}"] = at.at_ns


@applies(events.OrderRecalled)
def _recall(state: State, at: Recorded, event: events.OrderRecalled) -> None:
    """Back as it was: its executions are in the positions already, and known again."""
    if event.order_id in state.orders:
        raise IllegalEvent(f"order {event.order_id} has not left State")
    put(state, revised(event.order, updated_ns=at.at_ns))
    if event.order.client_order_id:
        state.by_client_id[event.order.client_order_id] = event.order_id
    state.executions |= event.executions
    state.executions_of[event.order_id] = tuple(event.executions)


@applies(events.OrderArchived)
def _archive(state: State, at: Recorded, event: events.OrderArchived) -> None:
    order = state.orders.pop(event.order_id)
    if order.is_open:
        raise IllegalEvent(f"order {order.order_id} is open and can't be archived")
    del state.closed_ids[order.order_id]
    unlink(state, order)
    state.archived_to_seq = max(state.archived_to_seq, order.requested_seq)
    for client_id in (order.client_order_id, *order.replacement_ids):
        state.by_client_id.pop(client_id or ClientOrderId(""), None)
    if order.venue_order_id:
        key = venue_id_key(order.venue, order.instrument, order.venue_order_id)
        if state.by_venue_id.get(key) == order.order_id:
            del state.by_venue_id[key]
    if order.key is not None:
        state.keys.pop(f"{order.strategy}/{order.key}", None)
    for execution in state.executions_of.pop(order.order_id, ()):
        del state.executions[execution]
    for said in [key for key in state.said if key.endswith(f"/{order.order_id}")]:
        del state.said[said]
