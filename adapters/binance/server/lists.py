"""Order lists, in the exchange's thread: one cancels the other, and what follows an order's last fill."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from adapters.binance.server.orders import Floor, Frames, Result, check, enter
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import Json, canceled, ms, order_list, placed
from adapters.binance.server.terms import ListTerms
from adapters.binance.server.tickets import Ticket
from adapters.simulated.ledger import OrderCanceled
from adapters.simulated.wire import Canceled, Foreign
from engine.values import Side

LIMITS = frozenset({"LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"})
_BAD_PRICES = "The relationship of the prices for the orders is not correct."
_NO_LIST = "Order list does not exist."


@frozen(kw_only=True)
class OcoTicket:
    """The leg above and the leg below the market; the list's own client id."""

    client_id: str
    above: Ticket
    below: Ticket


def group_of(list_id: int) -> str:
    """The name under which the simulated exchange links the legs."""
    return f"list{list_id}"


def place_oco(floor: Floor, ticket: OcoTicket) -> Result:
    """Both legs, or none: what one executes or triggers ends the other."""
    register = floor.register
    _check_prices(floor, ticket)
    known = register.list_of(None, ticket.client_id)
    if known is not None and register.is_list_open(known):
        raise Refused(-2010, "Duplicate order sent.")
    for leg in (ticket.below, ticket.above):
        check(floor, leg)
        if register.state.is_open_id(leg.client_id):  # type: ignore[arg-type]
            raise Refused(-2010, "Duplicate order sent.")
    if ticket.below.client_id == ticket.above.client_id:
        raise Refused(-2010, "Duplicate order sent.")
    list_id = register.next_list()
    reports: list[Json] = []
    told, legs = Frames(), list[str]()
    for leg in (ticket.below, ticket.above):
        order, terms, frames = enter(floor, leg, group_of(list_id), list_id)
        reports.append(placed(order, terms, leg.response, floor.now_ns))
        told += frames
        legs.append(order.venue_order_id)
    made = ListTerms(
        list_id=list_id, client_id=ticket.client_id, contingency="OCO", symbol=ticket.above.symbol,
        created_ms=ms(floor.now_ns), legs=tuple(legs),
    )  # fmt: skip
    register.write_list(made)
    return _shown(floor, made, "EXEC_STARTED") | {"orderReports": reports}, [_told(floor, made), *told]


def _check_prices(floor: Floor, ticket: OcoTicket) -> None:
    above, below = ticket.above, ticket.below
    if (above.type in LIMITS) is (below.type in LIMITS):
        raise Refused(-1158, "The order types of the legs are not a pair that an OCO can have.")
    is_sell = above.side is Side.SELL
    if (above.type in LIMITS) is not is_sell:
        raise Refused(-2010, _BAD_PRICES)
    floor.instrument(above.symbol)
    touch = floor.touch(above.symbol, above.side)
    high, low = (each.price if each.stop_price is None else each.stop_price for each in (above, below))
    if high is None or low is None or touch is None:
        return  # it trails; the filters and the trigger check look at the rest
    if not low < touch < high:
        raise Refused(-2010, _BAD_PRICES)


def cancel_list(floor: Floor, list_id: int, cancel_id: str) -> Result:
    """Every leg that is open."""
    register, exchange = floor.register, floor.register.exchange
    terms = register.list_of(list_id, None)
    if terms is None or not register.is_list_open(terms):
        raise Refused(-2011, "Unknown order list sent.")
    reports: list[Any] = []
    told: Frames = []
    for order in register.legs(terms):
        if order.status.is_open:
            renamed = register.rename(order, cancel_id)
            exchange.scribe.write(exchange.now_ns, OrderCanceled(venue_order_id=order.venue_order_id))
            reports.append(canceled(register.state.closed[order.venue_order_id], renamed, floor.now_ns))
            told.append(Canceled(**order.head(exchange.now_ns), filled=order.filled))
    return _shown(floor, terms, "ALL_DONE") | {"orderReports": reports}, told


def cancel_named(floor: Floor, list_id: int | None, client_id: str | None, cancel_id: str) -> Result:
    """The list of that name."""
    terms = floor.register.list_of(list_id, client_id)
    return cancel_list(floor, -1 if terms is None else terms.list_id, cancel_id)


def find_list(floor: Floor, list_id: int | None, client_id: str | None) -> Result:
    """One list: -2018 where there is none."""
    terms = floor.register.list_of(list_id, client_id)
    if terms is None:
        raise Refused(-2018, _NO_LIST)
    return _shown(floor, terms, None), []


def all_lists(floor: Floor, is_open_only: bool, limit: int) -> Result:
    """Every list that is remembered."""
    register = floor.register
    found = [each for each in register.lists() if not is_open_only or register.is_list_open(each)]
    return [_shown(floor, each, None) for each in found[-limit:]], []


def _shown(floor: Floor, terms: ListTerms, status: str | None) -> Json:
    register = floor.register
    legs = [(order, register.of(order)) for order in register.legs(terms)]
    done = not register.is_list_open(terms)
    return order_list(terms, legs, status or ("ALL_DONE" if done else "EXEC_STARTED"), done)


def _told(floor: Floor, terms: ListTerms) -> Foreign:
    return Foreign((status_event(floor, terms),))


def status_event(floor: Floor, terms: ListTerms) -> Json:
    """`listStatus` as the user stream tells it."""
    shown = _shown(floor, terms, None)
    return {
        "e": "listStatus",
        "E": ms(floor.now_ns),
        "s": terms.symbol,
        "g": terms.list_id,
        "c": terms.contingency,
        "l": shown["listStatusType"],
        "L": shown["listOrderStatus"],
        "r": "NONE",
        "C": terms.client_id,
        "T": ms(floor.now_ns),
        "O": [{"s": each["symbol"], "i": each["orderId"], "c": each["clientOrderId"]} for each in shown["orders"]],
    }
