"""Requests: what leaves the engine for a venue. The outbox makes them from events that are in the journal."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from attrs import evolve, frozen

from engine import events
from engine.capabilities import Capabilities
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
    """A new order. `seq` is the event it follows from; `expires_ns` is when the venue must refuse it as too old.

    `twin` is the other order of its group, to be placed in the same request, where the venue takes such lists: both are
    placed or none, and each has its own answer.
    """

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
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    trail_fraction: Decimal | None = None
    good_till_ns: int | None = None
    reduce_only: bool = False
    group: OrderId | None = None
    twin: SubmitOrder | None = None


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
    """Change quantity (the whole order's, executed part included) and price of an order under a new client id.

    `filled`, `old_quantity` and `old_price` are the books' at the time of the request: a venue that can only cancel and
    place anew has to know them.
    """

    seq: int
    at_ns: int
    expires_ns: int
    venue: VenueName
    order_id: OrderId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    new_client_order_id: ClientOrderId
    instrument: InstrumentName
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    filled: Decimal
    old_quantity: Decimal
    old_price: Decimal | None
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None = None


@frozen(kw_only=True)
class QueryOrder:
    """What became of this order? Answered by its executions and a StatusReport, or NotFound, or QueryFailed.

    `requested_ns` is when the newest request was journaled that may still have an effect; `new_client_order_id` names
    a replacement that is outstanding, for venues where that is an order of its own.
    """

    seq: int
    at_ns: int
    venue: VenueName
    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId | None
    instrument: InstrumentName
    requested_ns: int = 0
    new_client_order_id: ClientOrderId | None = None


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
Asked = TypeVar("Asked", bound=Request)


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


def paired(state: State, requests: list[Request]) -> list[Request]:
    """The same requests, those of one group in one where their venue takes lists; each stands where its first stood."""
    found: list[Request] = []
    places: dict[OrderId, int] = {}
    for request in requests:
        if isinstance(request, SubmitOrder) and request.group is not None and _takes_lists(state, request.venue):
            first = found[places[request.group]] if request.group in places else None
            if isinstance(first, SubmitOrder):
                found[places[request.group]] = evolve(first, twin=evolve(request, group=None), group=None)
                continue
            places[request.group] = len(found)
        found.append(request)
    return found


def orders_in(request: Asked) -> tuple[Asked | SubmitOrder, ...]:
    """The requests whose outcomes are told apart: of a list its two orders."""
    twin = request.twin if isinstance(request, SubmitOrder) else None
    return (request,) if twin is None else (request, twin)


def _takes_lists(state: State, venue: VenueName) -> bool:
    description = state.venues[venue].description
    return description is not None and description.capabilities.lists


def recalls_for(recorded: Recorded) -> list[RecallOrder]:
    """What an event has to be looked up in the journal."""
    event = recorded.event
    if isinstance(event, events.ArchivedOrderReported):
        return [RecallOrder(seq=recorded.seq, at_ns=recorded.at_ns, order_id=event.order_id)]
    return []


def _submit(state: State, at: Recorded, order: Order, client_order_id: ClientOrderId) -> SubmitOrder:
    can = _capabilities(state, order)
    waits = order.sent_type.has_trigger
    return SubmitOrder(
        seq=at.seq, at_ns=at.at_ns, expires_ns=at.at_ns + state.settings.orders.expiry_ns, venue=order.venue,
        order_id=order.order_id, client_order_id=client_order_id, instrument=order.instrument, side=order.side,
        order_type=order.sent_type, time_in_force=_sent_time_in_force(order, can), post_only=order.post_only,
        quantity=order.quantity, price=order.sent_price, stop_price=order.stop_price if waits else None,
        trail=order.trail if waits else None, trail_fraction=order.trail_fraction if waits else None,
        good_till_ns=order.good_till_ns,
        reduce_only=order.reduce_only and can is not None and can.reduce_only,
        group=order.group if can is not None and (can.links or can.lists) and not order.is_triggered else None,
    )  # fmt: skip


def _sent_time_in_force(order: Order, can: Capabilities | None) -> TimeInForce:
    """A bounded market order takes what is there and goes; an end that the venue can't keep is kept by the engine."""
    if order.price is None and order.sent_type is OrderType.LIMIT:
        return TimeInForce.IOC
    ends = order.time_in_force in (TimeInForce.GTD, TimeInForce.DAY)
    is_kept = ends and can is not None and order.time_in_force not in can.times_in_force
    return TimeInForce.GTC if is_kept else order.time_in_force


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
        instrument=order.instrument, side=order.side, order_type=order.sent_type,
        time_in_force=_sent_time_in_force(order, _capabilities(state, order)), post_only=order.post_only,
        filled=order.filled, old_quantity=order.quantity, old_price=order.sent_price, quantity=event.quantity,
        price=event.price, stop_price=event.stop_price,
    )  # fmt: skip


def _query(at: Recorded, order: Order) -> QueryOrder:
    replacement = order.replacement
    return QueryOrder(
        seq=at.seq, at_ns=at.at_ns, venue=order.venue, client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id, instrument=order.instrument,
        requested_ns=order.requested_ns if replacement is None else max(order.requested_ns, order.replace_ns),
        new_client_order_id=None if replacement is None else replacement.client_order_id,
    )  # fmt: skip


def _capabilities(state: State, order: Order) -> Capabilities | None:
    description = state.venues[order.venue].description
    return None if description is None else description.capabilities
