"""A WS API connection's session: who is logged on, and its subscriptions to the user data stream."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from attrs import frozen

from adapters.binance.server.accounts import Key
from adapters.binance.server.house import House
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import ms
from adapters.simulated import wire
from adapters.simulated.gateway import Cut, Delivery

SUBSCRIPTIONS_MOST = 65_535
"""In a connection's life; then -2042."""

USER = "user"
"""The user data stream's name among `dead_streams`."""

Send = Callable[[int, dict[str, Any] | None], None]


@frozen
class _Subscription:
    number: int
    api_key: str
    connection: int
    is_by_logon: bool


class Session:
    """Requests are handled in the connection's thread, events and faults in others."""

    def __init__(self, house: House, send: Send) -> None:
        self._house, self._send = house, send
        self._connected_ms = ms(house.clock())
        self._authorized_ms: int | None = None
        self._lock = threading.Lock()
        self._open: dict[int, _Subscription] = {}
        self._next = 0
        self.key: Key | None = None

    @property
    def is_known(self) -> bool:
        """Is anyone logged on or subscribed?"""
        return self.key is not None or bool(self._open)

    def log_on(self, key: Key) -> dict[str, Any]:
        """Ed25519 keys only."""
        if key.verifier.kind != "ed25519":
            raise Refused(-1099)
        self.key, self._authorized_ms = key, ms(self._house.clock())
        return self.status(True)

    def log_out(self, with_limits: bool) -> dict[str, Any]:
        """Ends the subscription that stands on the logon, and no other."""
        self.key, self._authorized_ms = None, None
        for each in [each for each in self._all() if each.is_by_logon]:
            self._close(each)
        return self.status(with_limits)

    def status(self, with_limits: bool) -> dict[str, Any]:
        """Who is logged on."""
        return {
            "apiKey": None if self.key is None else self.key.api_key,
            "authorizedSince": self._authorized_ms,
            "connectedSince": self._connected_ms,
            "returnRateLimits": with_limits,
            "serverTime": ms(self._house.clock()),
            "userDataStream": None if self.key is None else any(each.is_by_logon for each in self._all()),
        }

    def rows(self) -> list[dict[str, Any]]:
        """All subscriptions."""
        return [{"subscriptionId": each.number} for each in self._all()]

    def subscribe(self, key: Key | None) -> dict[str, Any]:
        """To the account of a key, or of who is logged on; -2035 where that is subscribed already."""
        is_by_logon = key is None
        named = self.key if key is None else key
        if named is None:
            raise Refused(-1002, status=401)
        if self._open:  # all keys are of the one account
            raise Refused(-2035)
        if self._next > SUBSCRIPTIONS_MOST:
            raise Refused(-2042, "Subscription ids are used up; connect anew.")
        number, self._next = self._next, self._next + 1
        connection = self._house.floor.connect(lambda delivery: self._hear(number, delivery))
        with self._lock:
            self._open[number] = _Subscription(number, named.api_key, connection, is_by_logon)
        self._house.floor.send(connection, 0, wire.Hello())
        return {"subscriptionId": number}

    def unsubscribe(self, number: int | None) -> dict[str, Any]:
        """One, or all; -2036 where there is none."""
        found = [each for each in self._all() if number in (None, each.number)]
        if not found:
            raise Refused(-2036)
        for each in found:
            self._close(each)
        return {}

    def terminate(self, now_ms: int) -> None:
        """The exchange ends all subscriptions and says so."""
        for each in self._all():
            self._send(each.number, {"e": "eventStreamTerminated", "E": now_ms})
            self._close(each)

    def end(self) -> None:
        """The connection is over, or its key is."""
        self.key, self._authorized_ms = None, None
        for each in self._all():
            self._close(each)

    def _all(self) -> list[_Subscription]:
        with self._lock:
            return list(self._open.values())

    def _close(self, subscription: _Subscription) -> None:
        with self._lock:
            self._open.pop(subscription.number, None)
        self._house.floor.disconnect(subscription.connection)

    def _hear(self, number: int, delivery: Delivery) -> None:
        """In the exchange's thread."""
        if isinstance(delivery.frame, Cut):
            self._send(number, None)
        elif isinstance(delivery.frame, wire.Foreign) and USER not in self._house.faults.dead_streams:
            for event in delivery.frame.body:
                self._send(number, event)
