"""Orders in the exchange's thread: what is looked at before, then the simulated exchange's desk."""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen

from adapters.binance.server.orders import Floor, Frames, Result
from adapters.binance.server.refusal import UNKNOWN_ORDER, Refused
from adapters.binance.server.shapes import ms
from adapters.binance.server.terms import Terms
from adapters.binance_usdm.server.margins import margins, mark_of
from adapters.binance_usdm.server.settings import AccountSettings
from adapters.binance_usdm.server.shapes import acknowledged, order_row
from adapters.binance_usdm.server.tickets import ONE_WAY, POST_ONLY, TIMES, TYPES, Ticket
from adapters.simulated import wire
from adapters.simulated.account import Contract
from adapters.simulated.ledger import OrderCanceled
from adapters.simulated.state import Order
from adapters.simulated.wire import Reason
from engine.instrument import Instrument
from engine.values import ZERO, ClientOrderId, Side, divide, plain

HIGHEST, LOWEST = Decimal("1.1500"), Decimal("0.8500")
"""How far beyond the mark a limit price may be, as parts of it: for a buy, and for a sell."""

_REASONS: dict[Reason, tuple[int, str]] = {
    Reason.PRICE_OFF_TICK: (-4014, "Price not increased by tick size."),
    Reason.PRICE_TOO_LOW: (-4013, "Price less than min price."),
    Reason.PRICE_TOO_HIGH: (-4002, "Price greater than max price."),
    Reason.QUANTITY_OFF_LOT: (-4023, "Qty not increased by step size."),
    Reason.QUANTITY_TOO_SMALL: (-4004, "Quantity less than min quantity."),
    Reason.QUANTITY_TOO_LARGE: (-4005, "Quantity greater than max quantity."),
    Reason.NOTIONAL_TOO_SMALL: (
        -4164, "Order's notional must be no smaller than 5.0 (unless you choose reduce only)"
    ),
    Reason.TOO_MANY_ORDERS: (-2025, "Reach max open order limit."),
    Reason.INSUFFICIENT_FUNDS: (-2019, "Margin is insufficient."),
    Reason.DUPLICATE_ID: (-4116, "ClientOrderId is duplicated."),
    Reason.POST_ONLY_WOULD_TAKE: (
        -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will "
        "not be recorded in the order history"
    ),
    Reason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reason.BAD_CLIENT_ID: (-4015, "Client order id is not valid."),
    Reason.REQUEST_EXPIRED: (-4105, "Good till date is invalid."),
}  # fmt: skip


def refusal_of(reason: Reason) -> Refused:
    """A reason of the simulated exchange in the words of USD-M futures."""
    code, message = _REASONS.get(reason, (-1000, "An unknown error occurred while processing the request."))
    return Refused(code, message)


@frozen(kw_only=True)
class Account:
    """What an order is judged by beside the market."""

    settings: AccountSettings
    maintenance_rate: Decimal


def held_of(floor: Floor, symbol: str) -> Decimal:
    """What is held of a contract, signed."""
    return floor.register.state.account.contracts.get(symbol, Contract()).quantity


# --- new orders ---------------------------------------------------------------------------------------------------


def place(floor: Floor, ticket: Ticket, account: Account) -> Result:
    """A new order: the JSON that its response kind asks for."""
    order, terms, told = enter(floor, ticket, account)
    return (order_row if ticket.response == "RESULT" else acknowledged)(order, terms), told


def check_only(floor: Floor, ticket: Ticket, account: Account) -> Result:
    """All checks, and nothing else."""
    check(floor, ticket, account)
    return {}, []


def enter(floor: Floor, ticket: Ticket, account: Account) -> tuple[Order, Terms, Frames]:
    """The order, checked, accepted and noted; raises `Refused`, and then it has had no effect."""
    check(floor, ticket, account)
    exchange = floor.register.exchange
    request = wire.Place(
        symbol=ticket.symbol, client_order_id=ClientOrderId(ticket.client_id), side=ticket.side,
        order_type=TYPES[ticket.type], time_in_force=TIMES[ticket.time_in_force],
        post_only=ticket.time_in_force == POST_ONLY, quantity=plain(ticket.quantity),
        price=None if ticket.price is None else plain(ticket.price), good_till_ns=ticket.good_till_ns,
    )  # fmt: skip
    reply, told = exchange.desk.carry_out(request, exchange.now_ns)
    if not isinstance(reply, wire.Accepted):
        assert isinstance(reply, wire.Refused), f"{reply} answers a new order"
        raise refusal_of(reply.reason)
    assert reply.venue_order_id is not None, "what is accepted has an id"
    terms = Terms(
        client_id=ticket.client_id, type=ticket.type, time_in_force=ticket.time_in_force,
        created_ms=ms(floor.now_ns), reduce_only=ticket.reduce_only, good_till_ms=ticket.good_till_ms,
    )  # fmt: skip
    floor.register.write(reply.venue_order_id, terms)
    order = floor.register.state.find(reply.venue_order_id, None)
    assert order is not None, "it has just been accepted"
    floor.count_orders(1)
    return order, terms, [*told]


def check(floor: Floor, ticket: Ticket, account: Account) -> None:
    """Everything that is looked at before the order book is."""
    instrument = floor.instrument(ticket.symbol)
    if not floor.can_trade:
        raise Refused(-2015, status=401)
    if (ticket.position_side != ONE_WAY) is not account.settings.is_hedge:
        raise Refused(-4061, "Order's position side does not match user's setting.")
    if floor.status(ticket.symbol) != "TRADING":
        raise Refused(-4108, "This symbol is not trading now.")
    if floor.register.state.is_open_id(ClientOrderId(ticket.client_id)):
        raise refusal_of(Reason.DUPLICATE_ID)
    _check_band(floor, ticket)
    if ticket.reduce_only:
        _check_reduces(floor, ticket)
    else:
        _check_margin(floor, ticket, instrument, account)


def _check_band(floor: Floor, ticket: Ticket) -> None:
    """-4016 for a buy far above the mark, -4024 for a sell far below it."""
    mark = mark_of(floor.register.exchange, ticket.symbol)
    if mark is None or ticket.price is None:
        return
    if ticket.side is Side.BUY and ticket.price > mark * HIGHEST:
        raise Refused(-4016, f"Limit price can't be higher than {mark * HIGHEST:f}.")
    if ticket.side is Side.SELL and ticket.price < mark * LOWEST:
        raise Refused(-4024, f"Limit price can't be lower than {mark * LOWEST:f}.")


def _check_reduces(floor: Floor, ticket: Ticket) -> None:
    """-2022 for what would open or grow a position, with the reduce-only orders that are open already."""
    held = held_of(floor, ticket.symbol)
    others = sum((order.leaves for order in reducing(floor, ticket.symbol, ticket.side)), ZERO)
    if held * ticket.side.sign >= ZERO or ticket.quantity + others > abs(held):
        raise Refused(-2022, "ReduceOnly Order is rejected.")


def _check_margin(floor: Floor, ticket: Ticket, instrument: Instrument, account: Account) -> None:
    exchange, held = floor.register.exchange, held_of(floor, ticket.symbol)
    closes = held * ticket.side.sign < ZERO
    opening = max(ZERO, ticket.quantity - abs(held)) if closes else ticket.quantity
    price = ticket.price or mark_of(exchange, ticket.symbol) or ZERO
    needed = divide(opening * price, Decimal(account.settings.leverage_of(ticket.symbol)))
    found = margins(exchange, instrument.cash, account.settings, account.maintenance_rate)
    if needed > found.available:
        raise refusal_of(Reason.INSUFFICIENT_FUNDS)


# --- the end and the change of orders -----------------------------------------------------------------------------


def find_open(floor: Floor, symbol: str, order_id: int | None, client_id: str | None, code: int = -2011) -> Order:
    """The open order of that name; `code` where it is not open."""
    floor.instrument(symbol)
    order = floor.register.find(order_id, client_id)
    if order is None or not order.status.is_open or order.accepted.symbol != symbol:
        raise Refused(code, UNKNOWN_ORDER if code == -2011 else None)
    return order


def cancel(floor: Floor, symbol: str, order_id: int | None, client_id: str | None) -> Result:
    """Cancel one order; it keeps its id."""
    return end(floor, find_open(floor, symbol, order_id, client_id))


def cancel_all(floor: Floor, symbol: str) -> Result:
    """Every open order of a symbol."""
    floor.instrument(symbol)
    told = Frames()
    for order in [each for each in floor.register.state.open.values() if each.accepted.symbol == symbol]:
        told += end(floor, order)[1]
    return {"code": 200, "msg": "The operation of cancel all open order is done."}, told


def end(floor: Floor, order: Order) -> Result:
    """The order is gone."""
    exchange = floor.register.exchange
    exchange.scribe.write(exchange.now_ns, OrderCanceled(venue_order_id=order.venue_order_id))
    gone = floor.register.state.closed[order.venue_order_id]
    frame = wire.Canceled(**order.head(exchange.now_ns), filled=order.filled)
    return order_row(gone, floor.register.of(gone)), [frame]


def modify(floor: Floor, order: Order, side: Side, quantity: Decimal, price: Decimal) -> Result:
    """Another quantity and price under the same ids. What has executed as much is ended by it, and so is a post-only
    order that would take."""
    terms = floor.register.of(order)
    if terms.type != "LIMIT":
        raise Refused(-4028, "Only limit orders are modified.")
    if side is not order.accepted.side:
        raise Refused(-1102, "Mandatory parameter 'side' was not sent, was empty/null, or malformed.")
    if (quantity, price) == (order.quantity, order.price):
        raise Refused(-5027, "No need to modify the order.")
    if quantity <= order.filled:
        return end(floor, order)
    exchange = floor.register.exchange
    request = wire.Replace(
        symbol=order.accepted.symbol, venue_order_id=order.venue_order_id, quantity=plain(quantity),
        new_client_order_id=ClientOrderId(terms.client_id), price=plain(price),
    )  # fmt: skip
    reply, told = exchange.desk.carry_out(request, exchange.now_ns)
    if isinstance(reply, wire.Refused):
        if reply.reason is Reason.POST_ONLY_WOULD_TAKE:
            return end(floor, order)
        raise refusal_of(reply.reason)
    now = floor.register.state.find(order.venue_order_id, None)
    assert now is not None, "it has just been changed"
    return order_row(now, terms), [*told]


# --- reduce-only --------------------------------------------------------------------------------------------------


def reducing(floor: Floor, symbol: str, side: Side) -> list[Order]:
    """The open reduce-only orders of one side, oldest first."""
    register = floor.register
    return [
        order
        for order in register.state.open.values()
        if order.accepted.symbol == symbol and order.accepted.side is side and register.of(order).reduce_only
    ]


def beyond_position(floor: Floor, symbol: str) -> list[Order]:
    """The reduce-only orders that the position is too small for by now, newest first to go."""
    held, found = held_of(floor, symbol), list[Order]()
    for side in Side:
        left = abs(held) if held * side.sign < ZERO else ZERO
        for order in reducing(floor, symbol, side):
            left -= order.leaves
            if left < ZERO:
                found.append(order)
                left += order.leaves
    return found
