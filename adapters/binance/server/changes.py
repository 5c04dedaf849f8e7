"""Cancels, cancel-replaces and reductions in place, in the exchange's thread."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve, frozen

from adapters.binance.server import lists
from adapters.binance.server.filters import AMENDMENTS_MOST
from adapters.binance.server.orders import Floor, Frames, Result, check, enter
from adapters.binance.server.refusal import UNKNOWN_ORDER, Refused
from adapters.binance.server.shapes import STATUS, Json, amended, canceled, ms, placed
from adapters.binance.server.terms import Amendment
from adapters.binance.server.tickets import Ticket, new_id
from adapters.simulated.ledger import OrderCanceled, OrderReplaced
from adapters.simulated.state import Order
from adapters.simulated.wire import Canceled, Replaced
from engine.values import ClientOrderId, plain

RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
_NOT_BY_RESTRICTION = "Order was not canceled due to cancel restrictions."


@frozen(kw_only=True)
class Named:
    """Which order, by the venue's id or a client id, and what its cancel is called."""

    symbol: str
    order_id: int | None
    client_id: str | None
    cancel_id: str
    restriction: str | None = None


@frozen(kw_only=True)
class Swap:
    """A cancel and a new order in its place."""

    cancel: Named
    ticket: Ticket
    goes_on: bool
    cancels_beyond_limit: bool


def find_open(floor: Floor, named: Named) -> Order:
    """The open order of that name: -2011 where it is not open, -2039 where the two ids are not of one order."""
    floor.instrument(named.symbol)
    order = floor.register.find(named.order_id, named.client_id)
    if order is None or not order.status.is_open or order.accepted.symbol != named.symbol:
        raise Refused(-2011, UNKNOWN_ORDER)
    if named.order_id is not None and named.client_id not in (None, floor.register.of(order).client_id):
        raise Refused(-2039)
    return order


def cancel(floor: Floor, named: Named) -> Result:
    """Cancel one order, and with it the list that it belongs to."""
    order = find_open(floor, named)
    if named.restriction is not None and STATUS[order.status] != RESTRICTIONS[named.restriction]:
        raise Refused(-2011, _NOT_BY_RESTRICTION)
    list_id = floor.register.of(order).list_id
    if list_id >= 0:
        return lists.cancel_list(floor, list_id, named.cancel_id)
    return end(floor, order, named.cancel_id)


def end(floor: Floor, order: Order, cancel_id: str) -> tuple[Json, Frames]:
    """The order is gone and bears the cancel's id."""
    exchange = floor.register.exchange
    terms = floor.register.rename(order, cancel_id)
    exchange.scribe.write(exchange.now_ns, OrderCanceled(venue_order_id=order.venue_order_id))
    gone = floor.register.state.closed[order.venue_order_id]
    frame = Canceled(**order.head(exchange.now_ns), filled=order.filled)
    return canceled(gone, terms, floor.now_ns), [frame]


def cancel_all(floor: Floor, symbol: str) -> Result:
    """Every open order of a symbol; a list counts as one."""
    floor.instrument(symbol)
    register, reports, told = floor.register, list[Any](), Frames()
    mine = [order for order in register.state.open.values() if order.accepted.symbol == symbol]
    if not mine:
        raise Refused(-2011, UNKNOWN_ORDER)
    cancel_id = new_id()
    for order in mine:
        if order.venue_order_id not in register.state.open:
            continue  # its list is canceled already
        list_id = register.of(order).list_id
        ended = lists.cancel_list(floor, list_id, cancel_id) if list_id >= 0 else end(floor, order, cancel_id)
        reports.append(ended[0])
        told += ended[1]
    return reports, told


def cancel_replace(floor: Floor, both: Swap, is_over_limit: Refused | None) -> Result:
    """Not atomic: the answer says what became of each half. Filters are looked at before anything happens."""
    if is_over_limit is not None and not both.cancels_beyond_limit:
        raise is_over_limit
    check(floor, both.ticket)
    told = Frames()
    gone: Any = None
    new: Any = None
    is_gone = is_new = False
    try:
        gone, frames = cancel(floor, both.cancel)
        is_gone, told = True, told + frames
    except Refused as refused:
        gone = refused.body()
    is_tried = is_gone or both.goes_on
    if is_tried:
        try:
            if is_over_limit is not None:
                raise is_over_limit
            order, terms, frames = enter(floor, both.ticket)
            new, is_new, told = placed(order, terms, both.ticket.response, floor.now_ns), True, told + frames
        except Refused as refused:
            new = {"code": refused.code, "msg": refused.message}
    else:
        floor.count_orders(1)
    results = {
        "cancelResult": "SUCCESS" if is_gone else "FAILURE",
        "newOrderResult": "SUCCESS" if is_new else "FAILURE" if is_tried else "NOT_ATTEMPTED",
        "cancelResponse": gone,
        "newOrderResponse": new,
    }
    if is_gone and is_new:
        return results, told
    limited = is_over_limit is not None and not both.goes_on
    if is_gone or is_new:
        return partly(-2021, "Order cancel-replace partially failed.", 429 if limited else 409, results), told
    return partly(-2022, "Order cancel-replace failed.", 429 if limited else 400, results), told


def partly(code: int, message: str, status: int, results: Json) -> Refused:
    """An answer that is an error, although something may have happened."""
    return Refused(code, message, status, results)


def amend(floor: Floor, named: Named, quantity: Decimal) -> Result:
    """Make an order smaller in its place in the queue; `named.cancel_id` is its new client id."""
    order = find_open(floor, named)
    register, exchange = floor.register, floor.register.exchange
    terms = register.of(order)
    most = next(each for each in floor.filters(named.symbol) if each["filterType"] == "MAX_NUM_ORDER_AMENDS")
    if len(terms.amendments) >= min(AMENDMENTS_MOST, most["maxNumOrderAmends"]):
        raise Refused(-2038)
    if not order.filled < quantity < order.quantity or not floor.instrument(named.symbol).is_on_lot(quantity):
        raise Refused(-2010, "The requested newQty is invalid.")
    if named.cancel_id != terms.client_id and register.state.is_open_id(ClientOrderId(named.cancel_id)):
        raise Refused(-2010, "Duplicate order sent.")
    replaced = OrderReplaced(
        venue_order_id=order.venue_order_id, new_client_order_id=ClientOrderId(named.cancel_id),
        quantity=plain(quantity), price=order.price, reserved_each=order.reserved_each, keeps_priority=True,
    )  # fmt: skip
    exchange.scribe.write(exchange.now_ns, replaced)
    execution_id = register.next_execution()
    amendment = Amendment(
        execution_id=execution_id, old_id=terms.client_id, new_id=named.cancel_id, old_quantity=order.quantity,
        new_quantity=plain(quantity), at_ms=ms(floor.now_ns),
    )  # fmt: skip
    changed = evolve(terms, client_id=named.cancel_id, amendments=(*terms.amendments, amendment))
    register.write(order.venue_order_id, changed)
    frame = Replaced(
        **order.head(exchange.now_ns), new_client_order_id=replaced.new_client_order_id, quantity=replaced.quantity,
        price=order.price, keeps_priority=True,
    )  # fmt: skip
    now = register.state.find(order.venue_order_id, None)
    assert now is not None
    return amended(now, changed, execution_id, floor.now_ns), [frame]
