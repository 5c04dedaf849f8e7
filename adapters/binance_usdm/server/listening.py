"""The account's events under a listen key: how the key is got, and who listens."""

from __future__ import annotations

import json
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from adapters.binance.server.dressing import with_unknown_fields
from adapters.binance.server.faults import BinanceFaults
from adapters.binance.server.refusal import Refused
from adapters.binance.server.rest import refusal
from adapters.binance.server.sessions import USER
from adapters.binance.server.shapes import ms
from adapters.binance.server.sockets import Outgoing
from adapters.binance_usdm.server.house import UsdmHouse
from adapters.door import HttpAnswer, HttpRequest
from adapters.simulated import wire
from adapters.simulated.gateway import Cut, Delivery

PATH = "/fapi/v1/listenKey"
PRIVATE = "/private/ws/"
EXPIRED = 1000


def answer_key(house: UsdmHouse, request: HttpRequest) -> HttpAnswer:
    """POST, PUT and DELETE /fapi/v1/listenKey: the API key alone opens it."""
    try:
        house.weights.charge(request.address, 1)
        house.keys.find(request.headers.get("x-mbx-apikey"), house.faults.revoke_key)
        body = _answer(house, request.method)
    except Refused as refused:
        return refusal(house, request, refused)
    text = json.dumps(body, separators=(",", ":")).encode()
    return HttpAnswer(200, text, house.weights.headers(request.address, with_orders=False))


def _answer(house: UsdmHouse, method: str) -> dict[str, Any]:
    match method:
        case "POST":
            return {"listenKey": house.listen_keys.begin()}
        case "PUT" if house.listen_keys.keep():
            return {}
        case "DELETE":
            house.listen_keys.end()
            return {}
        case _:
            raise Refused(-1125, "This listenKey does not exist.")


class AccountListener:
    """One websocket of the account's events."""

    def __init__(self, house: UsdmHouse, socket: ServerConnection, path: str) -> None:
        self._house, self.outgoing = house, Outgoing(socket)
        self._key = path.partition("?")[0].removeprefix(PRIVATE)
        self._connection: int | None = None
        self._is_over = False

    def serve(self) -> None:
        """Until the client goes or its key is over. A key that does not open anything listens to nothing."""
        floor = self._house.floor
        if not self._house.listen_keys.opens(self._key):
            self.outgoing.end()
            return
        self._connection = floor.connect(self._hear)
        self._house.cuts.add(self.outgoing.cut)
        try:
            floor.send(self._connection, 0, wire.Hello())
            for _text in self.outgoing.socket:
                continue  # nothing is asked on it
        except ConnectionClosed:
            pass  # The client is gone; that is all there is to know.
        finally:
            self._house.cuts.discard(self.outgoing.cut)
            floor.disconnect(self._connection)
            self.outgoing.end()

    def look(self) -> None:
        """Every so often: a key that is over ends it, and says so."""
        if self._is_over:  # it was told the last time
            self.outgoing.close(EXPIRED, "listen key expired")
        elif self._connection is not None and not self._house.listen_keys.opens(self._key):
            self._is_over = True
            self._say({"e": "listenKeyExpired", "E": ms(self._house.clock()), "listenKey": self._key})

    def change(self, faults: BinanceFaults) -> None:
        """What new faults do to it."""
        if faults.terminate_user_streams:
            self._house.listen_keys.end()
        if faults.announce_shutdown:
            self._say({"e": "serverShutdown", "E": ms(self._house.clock())})
        if faults.cut_sockets or faults.revoke_key:
            self.outgoing.cut()

    def _hear(self, delivery: Delivery) -> None:
        """In the exchange's thread."""
        if isinstance(delivery.frame, Cut):
            self.outgoing.cut()
        elif isinstance(delivery.frame, wire.Foreign) and USER not in self._house.faults.dead_streams:
            for event in delivery.frame.body:
                self._say(with_unknown_fields(event) if self._house.faults.unknown_fields else event)

    def _say(self, body: Any) -> None:
        self.outgoing.put(json.dumps(body, separators=(",", ":")))
