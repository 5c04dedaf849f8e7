"""REST: a request becomes a call, its result an answer with Binance's headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapters.binance.server.accounts import check_signature, read_window
from adapters.binance.server.call import Call
from adapters.binance.server.dressing import in_microseconds, with_unknown_fields
from adapters.binance.server.errand import Errand, Unanswered
from adapters.binance.server.house import House, NoReply
from adapters.binance.server.params import Params, parse_form
from adapters.binance.server.refusal import MESSAGES, Refused
from adapters.binance.server.routes import BY_PATH, GONE, Route
from adapters.binance.signing import rest_payload
from adapters.door import HttpAnswer, HttpRequest

WAF_PAGE = b"<html><head><title>403 Forbidden</title></head><body><center><h1>403 Forbidden</h1></center></body></html>"
GATEWAY_PAGE = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
HTML = "text/html"
UNSUPPORTED = -1020

_STATUS_OF_CODE = {-1000: 500, -1006: 500, -1007: 504, -1008: 503}


def answer(house: House, request: HttpRequest, routes: Mapping[tuple[str, str], Route] = BY_PATH) -> HttpAnswer:
    """The answer to a REST request, by the routes of a product."""
    if house.strikes("waf", house.faults.waf):
        return HttpAnswer(403, WAF_PAGE, content_type=HTML)
    route = routes.get((request.method, request.path))
    if route is None:
        return _no_route(request)
    params = Params(parse_form(request.query) | _only_new(request))
    weight = route.weigh(params)
    try:
        house.weights.charge(request.address, weight)
        body = _carry_out(house, route, params, request)
    except Refused as refused:
        return refusal(house, request, refused)
    except NoReply:
        return HttpAnswer(0, hangs_up=True)
    if isinstance(body, Refused):
        return refusal(house, request, body)
    if isinstance(body, Unanswered):
        return broken(house.error_form())
    if route.is_order:
        house.weights.give_back(request.address, weight)
    return HttpAnswer(200, _encode(house, request, body), house.weights.headers(request.address, route.is_order))


def _only_new(request: HttpRequest) -> dict[str, str]:
    """The form's parameters that the query does not have: the query wins."""
    query = parse_form(request.query)
    return {name: value for name, value in parse_form(request.body).items() if name not in query}


def _carry_out(house: House, route: Route, params: Params, request: HttpRequest) -> Any:
    window = None
    if route.is_signed:
        key = house.keys.find(request.headers.get("x-mbx-apikey"), house.faults.revoke_key)
        signature = params.given.get("signature")
        window = read_window(params)
        check_signature(key, rest_payload(request.query, request.body), signature)
        window.check(house.clock())
    found = route.handler(Call(house, params, window))
    return house.ask(found) if isinstance(found, Errand) else found


def _no_route(request: HttpRequest) -> HttpAnswer:
    if (request.method, request.path) in GONE:
        return HttpAnswer(410, _json({"code": -1020, "msg": "This endpoint is gone; use the WebSocket API."}))
    return HttpAnswer(404, _json({"code": -1000, "msg": f"Path {request.path}, Method {request.method} is invalid"}))


def refusal(house: House, request: HttpRequest, refused: Refused) -> HttpAnswer:
    """A refusal as REST tells it, with how long to stay away where that is told."""
    headers = house.weights.headers(request.address, with_orders=False)
    if refused.retry_seconds is not None:
        headers["Retry-After"] = str(refused.retry_seconds)
    body = refused.body()
    if refused.status in (418, 429) and refused.code in (-1003, -1015):
        body.pop("data", None)  # only the WS API tells the instant
    return HttpAnswer(refused.status, _json(body), headers)


def _encode(house: House, request: HttpRequest, body: Any) -> bytes:
    if house.faults.unknown_fields:
        body = with_unknown_fields(body)
    if request.headers.get("x-mbx-time-unit", "").upper() in ("MICROSECOND", "MICROSECONDS"):
        body = in_microseconds(body)
    return _json(body)


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def broken(form: str) -> HttpAnswer:
    """An answer that does not tell what became of the request."""
    if form == "hang":
        return HttpAnswer(0, hangs_up=True)
    if form == "502":
        return HttpAnswer(502, GATEWAY_PAGE, content_type=HTML)
    if form in ("truncated", "reset"):
        whole = _json({"symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": "x", "status": "NEW"})
        return HttpAnswer(200, whole, sent=len(whole) // 2, resets=form == "reset")
    code = int(form) if form.startswith("-") else {"500": -1000, "503": -1008, "504": -1007}[form]
    status = _STATUS_OF_CODE[code] if form.startswith("-") else int(form)
    return HttpAnswer(status, _json({"code": code, "msg": MESSAGES[code]}))
