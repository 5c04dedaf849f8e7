"""Handlers of what changes orders: each reads its parameters and gives the work for the exchange's thread."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from adapters.binance.server import changes, lists, orders
from adapters.binance.server.call import Call
from adapters.binance.server.errand import Errand
from adapters.binance.server.params import Params, missing
from adapters.binance.server.refusal import Refused
from adapters.binance.server.tickets import Ticket, new_id, read_ticket
from adapters.simulated.faults import Kind

MODES = frozenset({"STOP_ON_FAILURE", "ALLOW_FAILURE"})
LIMIT_MODES = frozenset({"DO_NOTHING", "CANCEL_ONLY"})


def place(call: Call) -> Errand:
    """POST /api/v3/order."""
    ticket = read_ticket(call.params)
    call.params.finish()
    call.house.weights.check_orders()
    return call.errand(Kind.PLACE, lambda floor, _: orders.place(floor, ticket))


def test(call: Call) -> Errand:
    """POST /api/v3/order/test."""
    ticket = read_ticket(call.params)
    with_rates = call.params.flag("computeCommissionRates")
    call.params.finish()
    fees = call.house.options.fees
    rates: dict[str, Any] = {}
    if with_rates:
        nothing = {"maker": "0.00000000", "taker": "0.00000000"}
        rates = {
            "standardCommissionForOrder": {"maker": f"{fees.maker:.8f}", "taker": f"{fees.taker:.8f}"},
            "specialCommissionForOrder": nothing,
            "taxCommissionForOrder": nothing,
            "discount": {
                "enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB", "discount": "0.00000000",
            },
        }  # fmt: skip
    return call.errand(None, lambda floor, _: (orders.check_only(floor, ticket)[0] | rates, []))


def cancel(call: Call) -> Errand:
    """DELETE /api/v3/order."""
    named = _named(call.params, "orderId", "origClientOrderId", "newClientOrderId")
    restriction = call.params.choice("cancelRestrictions", changes.RESTRICTIONS, Refused(-1145))
    call.params.finish()
    return call.errand(Kind.CANCEL, lambda floor, _: changes.cancel(floor, evolve(named, restriction=restriction)))


def _named(params: Params, order_id: str, client_id: str, new_client_id: str) -> changes.Named:
    found = changes.Named(
        symbol=params.need("symbol"), order_id=params.whole(order_id), client_id=params.client_id(client_id),
        cancel_id=params.client_id(new_client_id) or new_id(),
    )  # fmt: skip
    if found.order_id is None and found.client_id is None:
        raise Refused(-1102, f"Param '{client_id}' or '{order_id}' must be sent, but both were empty/null!")
    return found


def cancel_all(call: Call) -> Errand:
    """DELETE /api/v3/openOrders."""
    symbol = call.params.need("symbol")
    call.params.finish()
    return call.errand(Kind.CANCEL, lambda floor, _: changes.cancel_all(floor, symbol))


def cancel_replace(call: Call) -> Errand:
    """POST /api/v3/order/cancelReplace."""
    params = call.params
    mode = params.choice(
        "cancelReplaceMode", MODES, Refused(-1102, "Mandatory parameter 'cancelReplaceMode' was wrong.")
    )
    if mode is None:
        raise missing("cancelReplaceMode")
    limit_mode = params.choice("orderRateLimitExceededMode", LIMIT_MODES, missing("orderRateLimitExceededMode"))
    named = _named(params, "cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId")
    restriction = params.choice("cancelRestrictions", changes.RESTRICTIONS, Refused(-1145))
    swap = changes.Swap(
        cancel=evolve(named, restriction=restriction), ticket=read_ticket(params), goes_on=mode == "ALLOW_FAILURE",
        cancels_beyond_limit=limit_mode == "CANCEL_ONLY",
    )  # fmt: skip
    params.finish()
    over: Refused | None = None
    try:
        call.house.weights.check_orders()
    except Refused as refused:
        over = refused
    return call.errand(Kind.REPLACE, lambda floor, _: changes.cancel_replace(floor, swap, over))


def amend(call: Call) -> Errand:
    """PUT /api/v3/order/amend/keepPriority."""
    named = _named(call.params, "orderId", "origClientOrderId", "newClientOrderId")
    quantity = call.params.need_number("newQty")
    call.params.finish()
    return call.errand(Kind.REPLACE, lambda floor, _: changes.amend(floor, named, quantity))


# --- lists ------------------------------------------------------------------------------------------------------

_LEG = {
    "Type": "type", "ClientOrderId": "newClientOrderId", "Price": "price", "StopPrice": "stopPrice",
    "TrailingDelta": "trailingDelta", "TimeInForce": "timeInForce", "IcebergQty": "icebergQty",
    "StrategyId": "strategyId", "StrategyType": "strategyType",
}  # fmt: skip
_SHARED = ("symbol", "side", "quantity", "newOrderRespType", "selfTradePreventionMode")


def place_oco(call: Call) -> Errand:
    """POST /api/v3/orderList/oco."""
    params = call.params
    client_id = params.client_id("listClientOrderId") or new_id()
    ticket = lists.OcoTicket(client_id=client_id, above=_leg(params, "above"), below=_leg(params, "below"))
    params.finish()
    call.house.weights.check_orders(2)
    return call.errand(Kind.PLACE, lambda floor, _: lists.place_oco(floor, ticket))


def _leg(params: Params, prefix: str) -> Ticket:
    given = {name: params.need(name) for name in ("symbol", "side", "quantity")}
    for name in _SHARED[3:]:
        if (value := params.text(name)) is not None:
            given[name] = value
    params.need(f"{prefix}Type")
    for suffix, name in _LEG.items():
        if (value := params.text(f"{prefix}{suffix}")) is not None:
            given[name] = value
    given.setdefault("newOrderRespType", "RESULT")
    return read_ticket(Params(given))


def place_old_oco(call: Call) -> Errand:
    """POST /api/v3/order/oco, deprecated: a limit and a stop leg by their old names."""
    params = call.params
    shared = {name: value for name in _SHARED if (value := params.text(name)) is not None}
    shared.setdefault("newOrderRespType", "RESULT")
    limit = shared | {"type": "LIMIT_MAKER", "price": params.need("price")}
    stop = shared | {"type": "STOP_LOSS", "stopPrice": params.need("stopPrice")}
    if (price := params.text("stopLimitPrice")) is not None:
        stop |= {"type": "STOP_LOSS_LIMIT", "price": price, "timeInForce": params.text("stopLimitTimeInForce") or "GTC"}
    for leg, name in ((limit, "limitClientOrderId"), (stop, "stopClientOrderId")):
        if (value := params.text(name)) is not None:
            leg["newClientOrderId"] = value
    client_id = params.client_id("listClientOrderId") or new_id()
    params.finish()
    call.house.weights.check_orders(2)
    above, below = (limit, stop) if params.need("side") == "SELL" else (stop, limit)
    ticket = lists.OcoTicket(client_id=client_id, above=read_ticket(Params(above)), below=read_ticket(Params(below)))
    return call.errand(Kind.PLACE, lambda floor, _: lists.place_oco(floor, ticket))


def cancel_list(call: Call) -> Errand:
    """DELETE /api/v3/orderList."""
    params = call.params
    params.need("symbol")
    list_id, client_id = params.whole("orderListId"), params.client_id("listClientOrderId")
    cancel_id = params.client_id("newClientOrderId") or new_id()
    params.finish()
    if list_id is None and client_id is None:
        raise missing("orderListId")
    return call.errand(Kind.CANCEL, lambda floor, _: lists.cancel_named(floor, list_id, client_id, cancel_id))


def find_list(call: Call) -> Errand:
    """GET /api/v3/orderList."""
    list_id, client_id = call.params.whole("orderListId"), call.params.client_id("origClientOrderId")
    if list_id is None and client_id is None:
        raise missing("orderListId")
    return call.errand(Kind.QUERY, lambda floor, _: lists.find_list(floor, list_id, client_id))


def all_lists(call: Call) -> Errand:
    """GET /api/v3/allOrderList."""
    limit = call.params.whole("limit") or 500
    return call.errand(Kind.QUERY, lambda floor, _: lists.all_lists(floor, False, limit))


def open_lists(call: Call) -> Errand:
    """GET /api/v3/openOrderList."""
    return call.errand(Kind.SNAPSHOT, lambda floor, _: lists.all_lists(floor, True, 500))
