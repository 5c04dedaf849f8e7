"""The engine's requests as Binance's calls, and a call as it travels: over REST, or as a frame of the WS API. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote, urlencode

from attrs import frozen

from adapters.binance.signing import Signer, rest_payload, ws_payload
from adapters.rest import HttpRequest
from adapters.secret import Secret
from engine import outbox
from engine.values import ZERO, ClientOrderId, OrderType, Side, TimeInForce, VenueOrderId

CANCEL_SUFFIX, REPLACE_SUFFIX, LIST_SUFFIX = "-c", "-r", "-l"
"""A cancel names itself after the order it ends: that becomes the order's client id, and is read back from it. A list
is named after its first order."""

BIPS = Decimal(10_000)
"""Binance trails by ten-thousandths of the price."""

PAGE_MOST = 1_000

Params = Mapping[str, str | int]


@frozen
class Call:
    """One question or order. `weight` is what it costs at most of the request weight, `orders` of the order count;
    `params` are without key, time and signature."""

    method: str
    path: str
    name: str
    params: Params
    weight: int
    is_signed: bool = True
    orders: int = 0

    @property
    def costs(self) -> dict[str, int]:
        """What it takes of each kind of limit; that on the bare number of requests lies far behind these."""
        return {"REQUEST_WEIGHT": self.weight, "ORDERS": self.orders}


TYPES: dict[OrderType, str] = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
}
"""Our order types in Binance's words; a post-only limit order is its LIMIT_MAKER. A trailing stop is a STOP_LOSS with a
trailingDelta: it trails by a part of the price, never by a distance."""

POST_ONLY = "LIMIT_MAKER"


# --- orders -------------------------------------------------------------------------------------------------------


def is_sayable(request: outbox.SubmitOrder) -> bool:
    """Has Binance a word for it? A trail is a whole number of BIPS, and at least one."""
    bips = (request.trail_fraction or ZERO) * BIPS
    return request.order_type is not OrderType.TRAILING_STOP or (bips > 0 and not bips % 1)


def place(request: outbox.SubmitOrder, symbol: str) -> Call:
    """A new order, or two as a list; its reply shows what it took at once."""
    if request.twin is not None:
        return place_list(request, request.twin, symbol)
    if request.order_type is OrderType.TRAILING_STOP:
        terms = _trailing(request, symbol)
    else:
        terms = _terms(
            symbol, request.side, request.order_type, request.time_in_force, request.quantity, request.price,
            request.stop_price, is_post_only=request.post_only,
        )  # fmt: skip
    params = {
        **terms,
        "newClientOrderId": request.client_order_id,
        "newOrderRespType": "FULL",
    }  # fmt: skip
    return Call("POST", "/api/v3/order", "order.place", params, weight=1, orders=1)


def place_list(request: outbox.SubmitOrder, twin: outbox.SubmitOrder, symbol: str) -> Call:
    """Two orders of which one ends the other: both are placed, or none. The limit order has to rest: it is placed as a
    LIMIT_MAKER, above the market for a sell and below it for a buy."""
    stop, limit = (request, twin) if request.order_type.has_trigger else (twin, request)
    above, below = (limit, stop) if request.side is Side.SELL else (stop, limit)
    params: dict[str, str] = {
        "symbol": symbol, "side": request.side.value.upper(), "quantity": plain(request.quantity),
        "listClientOrderId": f"{request.client_order_id}{LIST_SUFFIX}", "newOrderRespType": "FULL",
    }  # fmt: skip
    for prefix, leg in (("above", above), ("below", below)):
        terms = _terms(
            symbol, leg.side, leg.order_type, leg.time_in_force, leg.quantity, leg.price, leg.stop_price,
            is_post_only=leg is limit,
        )  # fmt: skip
        terms["clientOrderId"] = leg.client_order_id
        for name in ("type", "clientOrderId", "price", "stopPrice", "timeInForce"):
            if name in terms:
                params[f"{prefix}{name[0].upper()}{name[1:]}"] = terms[name]
    return Call("POST", "/api/v3/orderList/oco", "orderList.place.oco", params, weight=1, orders=2)


def _trailing(request: outbox.SubmitOrder, symbol: str) -> dict[str, str]:
    """A stop that follows from the market's next trade on."""
    bips = (request.trail_fraction or ZERO) * BIPS
    return {
        "symbol": symbol, "side": request.side.value.upper(), "type": TYPES[OrderType.STOP],
        "quantity": plain(request.quantity), "trailingDelta": str(int(bips)),
    }  # fmt: skip


def cancel(request: outbox.CancelOrder, symbol: str) -> Call:
    """The end of an order, by the venue's id where it is known: ours may be another order's by now."""
    params = {
        "symbol": symbol,
        **_named(request.client_order_id, request.venue_order_id),
        "newClientOrderId": f"{request.client_order_id}{CANCEL_SUFFIX}",
    }
    return Call("DELETE", "/api/v3/order", "order.cancel", params, weight=1)


def amend(request: outbox.ReplaceOrder, symbol: str) -> Call:
    """A smaller quantity in place, at the same price: the order keeps its place in the queue."""
    params = {
        "symbol": symbol,
        **_named(request.client_order_id, request.venue_order_id),
        "newClientOrderId": request.new_client_order_id,
        "newQty": plain(request.quantity),
    }
    return Call("PUT", "/api/v3/order/amend/keepPriority", "order.amend.keepPriority", params, weight=4)


def cancel_replace(request: outbox.ReplaceOrder, symbol: str) -> Call:
    """Cancel, and only if that worked and nothing had executed, the new order: a fill that crosses it makes it fail."""
    named = _named(
        request.client_order_id, request.venue_order_id, by_id="cancelOrderId", by_ours="cancelOrigClientOrderId"
    )
    params = {
        **_terms(
            symbol, request.side, request.order_type, request.time_in_force, request.quantity, request.price,
            request.stop_price, is_post_only=request.post_only,
        ),
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelRestrictions": "ONLY_NEW",
        **named,
        "cancelNewClientOrderId": f"{request.client_order_id}{REPLACE_SUFFIX}",
        "newClientOrderId": request.new_client_order_id,
        "newOrderRespType": "FULL",
    }  # fmt: skip
    return Call("POST", "/api/v3/order/cancelReplace", "order.cancelReplace", params, weight=1, orders=1)


def is_amendment(request: outbox.ReplaceOrder) -> bool:
    """Does it only make the order smaller?"""
    return (
        request.price in (None, request.old_price)
        and request.quantity < request.old_quantity
        and not request.order_type.has_trigger
    )


def _terms(
    symbol: str, side: Side, order_type: OrderType, time_in_force: TimeInForce, quantity: Decimal,
    price: Decimal | None, stop_price: Decimal | None, *, is_post_only: bool,
) -> dict[str, str]:  # fmt: skip
    kind = POST_ONLY if is_post_only else TYPES[order_type]
    params = {"symbol": symbol, "side": side.value.upper(), "type": kind, "quantity": plain(quantity)}
    if order_type.has_price and not is_post_only:
        params["timeInForce"] = time_in_force.value.upper()
    if price is not None and order_type.has_price:
        params["price"] = plain(price)
    if stop_price is not None and order_type.has_trigger:
        params["stopPrice"] = plain(stop_price)
    return params


def _named(
    client_order_id: ClientOrderId | None, venue_order_id: VenueOrderId | None,
    by_id: str = "orderId", by_ours: str = "origClientOrderId",
) -> dict[str, str | int]:  # fmt: skip
    if venue_order_id is not None and venue_order_id.isascii() and venue_order_id.isdigit():
        return {by_id: int(venue_order_id)}
    return {by_ours: client_order_id or ""}


# --- questions ----------------------------------------------------------------------------------------------------


def order_status(symbol: str, client_order_id: str | None, venue_order_id: VenueOrderId | None) -> Call:
    """An order as it stands."""
    named = _named(ClientOrderId(client_order_id or ""), venue_order_id)
    return Call("GET", "/api/v3/order", "order.status", {"symbol": symbol, **named}, weight=4)


def open_orders(symbol: str | None = None) -> Call:
    """The open orders of a symbol, or of the whole account."""
    params = {"symbol": symbol} if symbol else {}
    return Call("GET", "/api/v3/openOrders", "openOrders.status", params, weight=6 if symbol else 80)


def all_orders(symbol: str, *, since_ms: int | None = None, from_id: int | None = None) -> Call:
    """Orders of a symbol, open or not, oldest first."""
    params: dict[str, str | int] = {"symbol": symbol, "limit": PAGE_MOST}
    if from_id is not None:
        params["orderId"] = from_id
    elif since_ms is not None:
        params["startTime"] = since_ms
    return Call("GET", "/api/v3/allOrders", "allOrders", params, weight=20)


def my_trades(
    symbol: str, *, order_id: str | None = None, from_id: int | None = None, since_ms: int | None = None,
    until_ms: int | None = None,
) -> Call:  # fmt: skip
    """Executions of a symbol, oldest first: of an order, from a trade on, or within a time of at most 24 hours."""
    params: dict[str, str | int] = {"symbol": symbol, "limit": PAGE_MOST}
    if order_id is not None:
        params["orderId"] = int(order_id)
    if from_id is not None:
        params["fromId"] = from_id
    if since_ms is not None:
        params["startTime"] = since_ms
    if until_ms is not None:
        params["endTime"] = until_ms
    return Call("GET", "/api/v3/myTrades", "myTrades", params, weight=5 if order_id else 20)


def account() -> Call:
    """Rights and balances; assets of which there is nothing are left out."""
    return Call("GET", "/api/v3/account", "account.status", {"omitZeroBalances": "true"}, weight=20)


def key_rights() -> Call:
    """What the key may do: of the account beside it, and of an environment that has more than trading, over REST."""
    return Call("GET", "/sapi/v1/account/apiRestrictions", "", {}, weight=1)


def order_counts() -> Call:
    """How many orders count to each limit."""
    return Call("GET", "/api/v3/rateLimit/order", "account.rateLimits.orders", {}, weight=40)


def server_time() -> Call:
    """The venue's clock."""
    return Call("GET", "/api/v3/time", "time", {}, weight=1, is_signed=False)


def exchange_info(symbols: tuple[str, ...]) -> Call:
    """What is traded, of these symbols (all of them where none is named)."""
    params = {"symbols": json.dumps(list(symbols), separators=(",", ":"))} if symbols else {}
    return Call("GET", "/api/v3/exchangeInfo", "exchangeInfo", params, weight=20, is_signed=False)


def depth(symbol: str, levels: int) -> Call:
    """A book of so many levels."""
    weight = next((cost for most, cost in ((100, 5), (500, 25), (1_000, 50)) if levels <= most), 250)
    return Call("GET", "/api/v3/depth", "depth", {"symbol": symbol, "limit": levels}, weight, is_signed=False)


# --- how a call travels -------------------------------------------------------------------------------------------


@frozen
class Credentials:
    """Who asks, and what signs for them."""

    api_key: Secret
    signer: Signer


@frozen
class Validity:
    """When a call is made, by the venue's clock, and for how long it may be carried out; in milliseconds."""

    at_ms: int
    window_ms: int


def http_request(call: Call, url: str, credentials: Credentials | None, validity: Validity | None) -> HttpRequest:
    """The call over REST: what it says travels in a form for POST and PUT, else in the query."""
    params = dict(call.params)
    headers: dict[str, str] = {}
    if call.is_signed:
        assert credentials is not None, "a signed call is somebody's"
        assert validity is not None, "a signed call is made at some time"
        params |= {"recvWindow": validity.window_ms, "timestamp": validity.at_ms}
        headers["X-MBX-APIKEY"] = credentials.api_key.reveal()
    text = urlencode(params)
    if call.is_signed and credentials is not None:
        text = f"{text}&signature={quote(credentials.signer.sign(rest_payload(text)), safe='')}"
    if call.method in ("POST", "PUT"):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return HttpRequest(call.method, f"{url}{call.path}", headers, text)
    return HttpRequest(call.method, f"{url}{call.path}{'?' if text else ''}{text}", headers)


def ws_text(call: Call, number: int | str, credentials: Credentials | None, validity: Validity | None) -> str:
    """The call as a frame of the WS API."""
    params: dict[str, str | int] = dict(call.params)
    if call.is_signed:
        assert credentials is not None, "a signed call is somebody's"
        assert validity is not None, "a signed call is made at some time"
        params |= {
            "apiKey": credentials.api_key.reveal(), "recvWindow": validity.window_ms, "timestamp": validity.at_ms,
        }  # fmt: skip
        params["signature"] = credentials.signer.sign(ws_payload(params))
    return json.dumps({"id": number, "method": call.name, "params": params}, separators=(",", ":"))


def plain(number: Decimal) -> str:
    """Without an exponent, which Binance refuses.

    >>> plain(Decimal("1E-7")), plain(Decimal("1E+3"))
    ('0.0000001', '1000')
    """
    return format(number, "f")
