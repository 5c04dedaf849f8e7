"""The WS API: the same calls as REST in envelopes, sessions, and the user data stream."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from adapters.binance.server.accounts import Key, Window, check_signature, read_window
from adapters.binance.server.call import Call
from adapters.binance.server.dressing import in_microseconds, with_unknown_fields
from adapters.binance.server.errand import Errand, Unanswered
from adapters.binance.server.faults import BinanceFaults
from adapters.binance.server.house import House, NoReply
from adapters.binance.server.params import Params
from adapters.binance.server.refusal import MESSAGES, Refused
from adapters.binance.server.routes import BY_NAME, GONE_NAMES, Route
from adapters.binance.server.sessions import Session
from adapters.binance.server.shapes import ms
from adapters.binance.server.sockets import Outgoing
from adapters.binance.signing import ws_payload

PATH = "/ws-api/v3"
ADDRESS = "127.0.0.1"
_CODES = {"500": -1000, "502": -1000, "503": -1008, "504": -1007, "truncated": -1000}
_STATUS = {"-1000": 500, "-1006": 500, "-1007": 504, "-1008": 503, "truncated": 200}


class WsApi:
    """One connection. Requests are read in its own thread, answers come from the exchange's."""

    def __init__(self, house: House, socket: ServerConnection, path: str) -> None:
        options = parse_qs(urlsplit(path).query)
        self.house, self.outgoing = house, Outgoing(socket)
        self._in_microseconds = options.get("timeUnit", [""])[0].upper().startswith("MICROSECOND")
        self._with_limits = options.get("returnRateLimits", ["true"])[0].lower() != "false"
        self.session = Session(house, self._event)

    def serve(self) -> None:
        """Until the client goes."""
        try:
            for text in self.outgoing.socket:
                self._take(text)
        except ConnectionClosed:
            pass  # The client is gone; that is all there is to know.
        finally:
            self.session.end()
            self.outgoing.end()

    # --- requests -----------------------------------------------------------------------------------------------

    def _take(self, text: str | bytes) -> None:
        try:
            request = json.loads(text, parse_float=str)
            number, method, given = request.get("id"), request["method"], request.get("params")
            given = {} if given is None else given
            if not isinstance(method, str) or not isinstance(given, dict):
                raise ValueError("method is a text and params an object")
        except (ValueError, KeyError, AttributeError, TypeError):
            self._fail(None, Refused(-1135, "Invalid JSON Request"))
            return
        method = method.removeprefix("v3/")
        route, params = BY_NAME.get(method), Params(given)
        with_limits = params.flag("returnRateLimits", self._with_limits)
        try:
            self._carry_out(number, method, route, params, given, with_limits)
        except Refused as refused:
            self._fail(number, refused, with_limits)

    def _carry_out(
        self, number: Any, method: str, route: Route | None, params: Params, given: dict[str, Any], with_limits: bool
    ) -> None:
        if method in GONE_NAMES:
            raise Refused(-1020, "This method is gone; use userDataStream.subscribe.signature.", 410)
        weight = 2 if route is None else route.weigh(params)
        self.house.weights.charge(ADDRESS, weight)
        if route is None:
            found = self._of_session(method, params, given)
            self._answer(number, None, found, 0, with_limits)
            return
        window = self._sign(params, given)[1] if route.is_signed else None
        found = route.handler(Call(self.house, params, window, is_ws=True))
        if not isinstance(found, Errand):
            self._answer(number, route, found, weight, with_limits)
            return
        self.house.submit(found, lambda body: self._answer(number, route, body, weight, with_limits))

    def _sign(self, params: Params, given: dict[str, Any]) -> tuple[Key, Window]:
        """The key of a signed request: its own, or the one that is logged on."""
        api_key, revoked = params.text("apiKey"), self.house.faults.revoke_key
        if api_key is None and self.session.key is not None:
            key = self.house.keys.find(self.session.key.api_key, revoked)
            window = read_window(params)
        else:
            key = self.house.keys.find(api_key, revoked)
            window = read_window(params)
            check_signature(key, ws_payload(given), params.text("signature"))
        window.check(self.house.clock())
        return key, window

    def _of_session(self, method: str, params: Params, given: dict[str, Any]) -> Any:
        session = self.session
        match method:
            case "session.logon":
                key, _ = self._sign(params, given)
                return session.log_on(key)
            case "session.status":
                return session.status(self._with_limits)
            case "session.logout":
                return session.log_out(self._with_limits)
            case "session.subscriptions":
                return session.rows()
            case "userDataStream.subscribe":
                return session.subscribe(None)
            case "userDataStream.subscribe.signature":
                return session.subscribe(self._sign(params, given)[0])
            case "userDataStream.unsubscribe":
                return session.unsubscribe(params.whole("subscriptionId"))
            case _:
                raise Refused(-1020, "This operation is not supported.", 404)

    # --- answers ------------------------------------------------------------------------------------------------

    def _answer(self, number: Any, route: Route | None, body: Any, weight: int, with_limits: bool) -> None:
        if isinstance(body, NoReply):
            self.outgoing.cut()
        elif isinstance(body, Refused):
            self._fail(number, body, with_limits)
        elif isinstance(body, Unanswered):
            self._break(number, self.house.error_form())
        else:
            is_order = route is not None and route.is_order
            if is_order:
                self.house.weights.give_back(ADDRESS, weight)
            if self.house.faults.unknown_fields:
                body = with_unknown_fields(body)
            self._send({"id": number, "status": 200, "result": body}, with_limits, is_order)

    def _fail(self, number: Any, refused: Refused, with_limits: bool = True) -> None:
        told = {"id": number, "status": refused.status, "error": refused.body()}
        self._send(told, with_limits, refused.code in (-1015, -2010))

    def _break(self, number: Any, form: str) -> None:
        """An answer that does not tell what became of the request."""
        if form == "hang":
            return
        if form == "reset":
            self.outgoing.cut()
            return
        code = int(form) if form.startswith("-") else _CODES[form]
        status = _STATUS.get(form) or int(form)
        told = {"id": number, "status": status, "error": {"code": code, "msg": MESSAGES[code]}}
        text = json.dumps(told, separators=(",", ":"))
        self.outgoing.put(text[: len(text) // 2] if form == "truncated" else text)

    def _send(self, told: dict[str, Any], with_limits: bool, with_orders: bool) -> None:
        if self._in_microseconds:
            told = in_microseconds(told)
        if with_limits:
            told["rateLimits"] = self.house.weights.rows(ADDRESS, with_orders)
        self.outgoing.put(json.dumps(told, separators=(",", ":")))

    # --- events -------------------------------------------------------------------------------------------------

    def _event(self, subscription: int, event: dict[str, Any] | None) -> None:
        """An event of the user stream; None where the connection is lost instead."""
        if event is None:
            self.outgoing.cut()
            return
        if self.house.faults.unknown_fields:
            event = with_unknown_fields(event)
        told = {"subscriptionId": subscription, "event": event}
        told = in_microseconds(told) if self._in_microseconds else told
        self.outgoing.put(json.dumps(told, separators=(",", ":")))

    def change(self, faults: BinanceFaults) -> None:
        """What new faults do to an open connection."""
        now_ms = ms(self.house.clock())
        if faults.revoke_key and self.session.is_known:
            refused = {"code": -2015, "msg": MESSAGES[-2015]}
            self.outgoing.put(json.dumps({"id": None, "status": 401, "error": refused}))
            self.session.end()
        if faults.terminate_user_streams:
            self.session.terminate(now_ms)
        if faults.announce_shutdown:
            self.outgoing.put(json.dumps({"event": {"e": "serverShutdown", "E": now_ms}}))
        if faults.cut_sockets:
            self.outgoing.cut()
