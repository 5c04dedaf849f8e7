"""Requests: what leaves the engine for a venue. The outbox makes them from events that are in the journal."""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen

from engine import events
from engine.order import Order
from engine.state import Recorded, State
from engine.values import (
    ClientOrderId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    VenueOrderId,
)


@frozen(kw_only=True)
class SubmitOrder:
    """A new order. `seq` is the event it follows from; `expires_ns` is when the venue must refuse it as too old."""

    seq: int
    at_ns: int
    expires_ns: int
    venue: VenueName
    order_id: OrderId
    client_order_id: ClientOrderId
    instrument: InstrumentName
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    quantity: Decimal
    price: Decimal | None


@frozen(kw_only=True)
class CancelOrder:
    """Cancel an order, named by our client order id and, where known, the venue's id."""

    seq: int
    at_ns: int
    expires_ns: int
    venue: VenueName
    order_id: OrderId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    instrument: InstrumentName


@frozen(kw_only=True)
class ReplaceOrder:
    """Change quantity (the whole order's, executed part included) and price of an order under a new client id."""

    seq: int
    at_ns: int
    expires_ns: int
    venue: VenueName
    order_id: OrderId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    new_client_order_id: ClientOrderId
    instrument: InstrumentName
    quantity: Decimal
    price: Decimal | None


@frozen(kw_only=True)
class QueryOrder:
    """What became of this order? Answered by its executions and a StatusReport, or NotFound, or QueryFailed."""

    seq: int
    at_ns: int
    venue: VenueName
    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId | None
    instrument: InstrumentName


@frozen(kw_only=True)
class TakeSnapshot:
    """Open orders, executions since `since_ns`, balances. Answered by Snapshot or SnapshotFailed."""

    seq: int
    at_ns: int
    venue: VenueName
    since_ns: int


@frozen(kw_only=True)
class RecallOrder:
    """Look an archived order up in the journal; answered by `OrderFound`. It goes to no venue."""

    seq: int
    at_ns: int
    order_id: OrderId


Request = SubmitOrder | CancelOrder | ReplaceOrder | QueryOrder | TakeSnapshot


def requests_for(state: State, recorded: Recorded) -> list[Request]:
    """What an event releases once it is durable. The only place where requests are made."""
    event = recorded.event
    if isinstance(event, events.SubmitRequested):
        return [_submit(state, recorded, state.orders[event.order_id], event.client_order_id)]
    if isinstance(event, events.CancelRequested) and not event.held:
        return [_cancel(state, recorded, state.orders[event.order_id])]
    if isinstance(event, events.ReplaceRequested):
        return [_replace(state, recorded, state.orders[event.order_id], event)]
    if isinstance(event, events.OrderQueried):
        return [_query(recorded, state.orders[event.order_id])]
    if isinstance(event, events.OrderRecalled):
        return [_query(recorded, event.order)]
    if isinstance(event, events.SnapshotRequested):
        return [TakeSnapshot(seq=recorded.seq, at_ns=recorded.at_ns, venue=event.venue, since_ns=event.since_ns)]
    return []


def recalls_for(recorded: Recorded) -> list[RecallOrder]:
    """What an event has to be looked up in the journal."""
    event = recorded.event
    if isinstance(event, events.ArchivedOrderReported):
        return [RecallOrder(seq=recorded.seq, at_ns=recorded.at_ns, order_id=event.order_id)]
    return []


def _submit(state: State, at: Recorded, order: Order, client_order_id: ClientOrderId) -> SubmitOrder:
    return SubmitOrder(
        seq=at.seq, at_ns=at.at_ns, expires_ns=at.at_ns + state.settings.orders.expiry_ns, venue=order.venue,
        order_id=order.order_id, client_order_id=client_order_id, instrument=order.instrument, side=order.side,
        order_type=order.order_type, time_in_force=order.time_in_force, post_only=order.post_only,
        quantity=order.quantity, price=order.price,
    )  # fmt: skip


def _cancel(state: State, at: Recorded, order: Order) -> CancelOrder:
    return CancelOrder(
        seq=at.seq, at_ns=at.at_ns, expires_ns=at.at_ns + state.settings.orders.expiry_ns, venue=order.venue,
        order_id=order.order_id, client_order_id=order.client_order_id or ClientOrderId(""),
        venue_order_id=order.venue_order_id, instrument=order.instrument,
    )  # fmt: skip


def _replace(state: State, at: Recorded, order: Order, event: events.ReplaceRequested) -> ReplaceOrder:
    return ReplaceOrder(
        seq=at.seq, at_ns=at.at_ns, expires_ns=at.at_ns + state.settings.orders.expiry_ns, venue=order.venue,
        order_id=order.order_id, client_order_id=order.client_order_id or ClientOrderId(""),
        venue_order_id=order.venue_order_id, new_client_order_id=event.new_client_order_id,
        instrument=order.instrument, quantity=event.quantity, price=event.price,
    )  # fmt: skip


def _query(at: Recorded, order: Order) -> QueryOrder:
    return QueryOrder(
        seq=at.seq, at_ns=at.at_ns, venue=order.venue, client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id, instrument=order.instrument,
    )  # fmt: skip
