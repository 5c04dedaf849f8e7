"""The engine's requests as calls of USD-M futures, over REST. Pure.

Paths of orders, executions, positions, income and listen keys are in what this adapter was written from; those of the
account's settings (accountConfig, symbolConfig, positionSide/dual) are Binance's own documents'.
"""

from __future__ import annotations

from adapters.binance.calls import PAGE_MOST, Call, Params, plain
from engine import outbox
from engine.values import SECOND_NS, ClientOrderId, OrderType, TimeInForce, VenueOrderId

MILLISECONDS = 1_000

TYPES: dict[OrderType, str] = {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT"}
"""What is sent to the order book. Conditional orders are another service of Binance's, with states of its own: the
engine holds them itself."""

POST_ONLY = "GTX"
FUNDING = "FUNDING_FEE"


def _call(method: str, path: str, params: Params, weight: int, orders: int = 0) -> Call:
    return Call(method, path, path, params, weight, orders=orders)


def _asked(path: str, weight: int) -> Call:
    return Call("GET", path, path, {}, weight, is_signed=False)


# --- orders -------------------------------------------------------------------------------------------------------


def place(request: outbox.SubmitOrder, symbol: str) -> Call:
    """A new order; its reply shows where it stands, not its executions."""
    params: dict[str, str | int] = {
        "symbol": symbol, "side": request.side.value.upper(), "type": TYPES[request.order_type],
        "quantity": plain(request.quantity), "newClientOrderId": request.client_order_id,
        "newOrderRespType": "RESULT",
    }  # fmt: skip
    if request.order_type.has_price and request.price is not None:
        params["price"] = plain(request.price)
        params["timeInForce"] = POST_ONLY if request.post_only else request.time_in_force.value.upper()
    if request.time_in_force is TimeInForce.GTD and request.good_till_ns is not None:
        params["goodTillDate"] = request.good_till_ns // SECOND_NS * MILLISECONDS
    if request.reduce_only:
        params["reduceOnly"] = "true"
    return _call("POST", "/fapi/v1/order", params, weight=1, orders=1)


def cancel(request: outbox.CancelOrder, symbol: str) -> Call:
    """The end of an order; it keeps its client id."""
    params = {"symbol": symbol, **named(request.client_order_id, request.venue_order_id)}
    return _call("DELETE", "/fapi/v1/order", params, weight=1)


def modify(request: outbox.ReplaceOrder, symbol: str) -> Call:
    """Another quantity (the whole order's) and price in place: the order keeps both of its ids."""
    price = request.old_price if request.price is None else request.price
    assert price is not None, "only what has a price is changed here"
    params: dict[str, str | int] = {
        "symbol": symbol, **named(request.client_order_id, request.venue_order_id),
        "side": request.side.value.upper(), "quantity": plain(request.quantity), "price": plain(price),
    }  # fmt: skip
    return _call("PUT", "/fapi/v1/order", params, weight=1, orders=1)


def named(client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None) -> dict[str, str | int]:
    """By the venue's id where it is known: ours may be another order's by now."""
    if venue_order_id is not None and venue_order_id.isascii() and venue_order_id.isdigit():
        return {"orderId": int(venue_order_id)}
    return {"origClientOrderId": client_order_id or ""}


# --- questions ----------------------------------------------------------------------------------------------------


def order_status(symbol: str, client_order_id: str | None, venue_order_id: VenueOrderId | None) -> Call:
    """An order as it stands."""
    params = {"symbol": symbol, **named(ClientOrderId(client_order_id or ""), venue_order_id)}
    return _call("GET", "/fapi/v1/order", params, weight=1)


def open_orders(symbol: str | None = None) -> Call:
    """The open orders of a symbol, or of the whole account."""
    return _call("GET", "/fapi/v1/openOrders", {"symbol": symbol} if symbol else {}, weight=1 if symbol else 40)


def all_orders(symbol: str, *, since_ms: int | None = None, from_id: int | None = None) -> Call:
    """Orders of a symbol, open or not, oldest first."""
    params: dict[str, str | int] = {"symbol": symbol, "limit": PAGE_MOST}
    if from_id is not None:
        params["orderId"] = from_id
    elif since_ms is not None:
        params["startTime"] = since_ms
    return _call("GET", "/fapi/v1/allOrders", params, weight=5)


def user_trades(
    symbol: str, *, order_id: str | None = None, from_id: int | None = None, since_ms: int | None = None,
    until_ms: int | None = None,
) -> Call:  # fmt: skip
    """Executions of a symbol, oldest first: of an order, from a trade on, or within a time of at most seven days."""
    params: dict[str, str | int] = {"symbol": symbol, "limit": PAGE_MOST}
    told = {"fromId": from_id, "startTime": since_ms, "endTime": until_ms}
    params |= {name: value for name, value in told.items() if value is not None}
    if order_id is not None:
        params["orderId"] = int(order_id)
    return _call("GET", "/fapi/v1/userTrades", params, weight=5)


def income(since_ms: int, symbol: str | None = None) -> Call:
    """Fundings since then, oldest first."""
    params: dict[str, str | int] = {"incomeType": FUNDING, "startTime": since_ms, "limit": PAGE_MOST}
    if symbol is not None:
        params["symbol"] = symbol
    return _call("GET", "/fapi/v1/income", params, weight=30)


def balances() -> Call:
    """What the account has of each asset."""
    return _call("GET", "/fapi/v3/balance", {}, weight=5)


def account() -> Call:
    """Margins of the whole account."""
    return _call("GET", "/fapi/v3/account", {}, weight=5)


def positions() -> Call:
    """What is held, with the venue's own valuation."""
    return _call("GET", "/fapi/v3/positionRisk", {}, weight=5)


def account_settings() -> Call:
    """Rights and position mode."""
    return _call("GET", "/fapi/v1/accountConfig", {}, weight=5)


def symbol_settings() -> Call:
    """Leverage and margin mode of every symbol."""
    return _call("GET", "/fapi/v1/symbolConfig", {}, weight=5)


def server_time() -> Call:
    """The venue's clock."""
    return _asked("/fapi/v1/time", weight=1)


def exchange_info() -> Call:
    """What is traded: all of it, for one symbol can't be asked for."""
    return _asked("/fapi/v1/exchangeInfo", weight=1)


def depth(symbol: str, levels: int) -> Call:
    """A book of so many levels; the venue knows a few sizes alone."""
    taken = next((each for each in (5, 10, 20, 50, 100, 500, 1_000) if levels <= each), 1_000)
    weight = next((cost for most, cost in ((50, 2), (100, 5), (500, 10)) if taken <= most), 20)
    params: dict[str, str | int] = {"symbol": symbol, "limit": taken}
    return Call("GET", "/fapi/v1/depth", "/fapi/v1/depth", params, weight, is_signed=False)


# --- the listen key -----------------------------------------------------------------------------------------------


def begin_listening() -> Call:
    """A listen key, or the same as before with its time begun anew. A signature does no harm."""
    return _call("POST", "/fapi/v1/listenKey", {}, weight=1)


def keep_listening() -> Call:
    """Its hour begins anew."""
    return _call("PUT", "/fapi/v1/listenKey", {}, weight=1)
