"""Market streams: who listens to what, raw or combined."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from adapters.binance.server.dressing import in_microseconds, with_unknown_fields
from adapters.binance.server.faults import BinanceFaults
from adapters.binance.server.feeds import Feed, events, open_feed
from adapters.binance.server.house import House
from adapters.binance.server.recorder import News, Recorder
from adapters.binance.server.shapes import ms
from adapters.binance.server.sockets import TOO_MANY_MESSAGES, Outgoing, Pace
from adapters.simulated import wire
from adapters.simulated.gateway import Delivery

RAW, COMBINED = "/ws", "/stream"
SHUTDOWN = "!serverShutdown"


OpenFeed = Callable[[str, tuple[str, ...]], Feed | None]
Events = Callable[[Feed, News, Recorder], Iterator[Any]]


class Hub:
    """Carries what the market shows to who listens. `hear` is called in the exchange's thread."""

    def __init__(self, house: House, open_feed: OpenFeed = open_feed, events: Events = events) -> None:
        """`open_feed` and `events` are what a product's streams are called, and say."""
        self._house, self._open_feed, self._events = house, open_feed, events
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[Feed, set[Listener]]] = {}

    def start(self) -> None:
        """Listen to the market."""
        connection = self._house.floor.connect(self.hear)
        self._house.floor.send(connection, 0, wire.Hello(symbols=self._house.symbols))

    def add(self, listener: Listener, names: list[str]) -> bool:
        """Listen to streams; False where one of them is not there."""
        feeds = {name: self._open_feed(name, self._house.symbols) for name in names}
        if any(feed is None for feed in feeds.values()):
            return False
        with self._lock:
            for name, feed in feeds.items():
                assert feed is not None
                self._listeners.setdefault(name, (feed, set()))[1].add(listener)
        return True

    def remove(self, listener: Listener, names: list[str]) -> None:
        """Listen no more."""
        with self._lock:
            for name in names:
                feed, listeners = self._listeners.get(name, (None, set()))
                listeners.discard(listener)
                if feed is not None and not listeners:
                    del self._listeners[name]

    def hear(self, delivery: Delivery) -> None:
        """A frame of the market."""
        house = self._house
        news = house.recorder.hear(delivery.frame, delivery.at_ns + house.faults.clock_offset_ns)
        if news is None:
            return
        with self._lock:
            concerned = [
                (feed, tuple(listeners)) for feed, listeners in self._listeners.values()
                if feed.symbol in ("", news.symbol)
            ]  # fmt: skip
        for feed, listeners in concerned:
            with house.recorder.lock:
                told = list(self._events(feed, news, house.recorder))
            for event in told:
                self._tell(feed, event, listeners)

    def _tell(self, feed: Feed, event: Any, listeners: tuple[Listener, ...]) -> None:
        faults = self._house.faults
        if feed.kind == "depth" and self._house.strikes("skip_depth", faults.skip_depth):
            return
        if feed.name in faults.dead_streams or "*" in faults.dead_streams:
            return
        if faults.unknown_fields:
            event = with_unknown_fields(event)
        texts: dict[tuple[bool, bool], str] = {}
        for listener in listeners:
            look = listener.is_combined, listener.in_microseconds
            if look not in texts:
                shown = in_microseconds(event) if look[1] else event
                texts[look] = _written({"stream": feed.name, "data": shown} if look[0] else shown)
            listener.outgoing.put(texts[look])


def _written(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"))


class Listener:
    """One websocket of market streams."""

    def __init__(self, house: House, hub: Hub, socket: ServerConnection, path: str) -> None:
        parts = urlsplit(path)
        options = parse_qs(parts.query)
        self._house, self._hub, self.outgoing = house, hub, Outgoing(socket)
        self.is_combined = parts.path.startswith(COMBINED)
        self.in_microseconds = options.get("timeUnit", [""])[0].upper().startswith("MICROSECOND")
        self._names: list[str] = []
        self._pace = Pace(house.options.limits.messages_per_second)
        named = options.get("streams", [""])[0] if self.is_combined else parts.path.removeprefix(RAW).strip("/")
        self._first = [name for name in named.split("/") if name]

    def serve(self) -> None:
        """Until the client goes, or speaks too fast."""
        try:
            self._subscribe(self._first)
            for text in self.outgoing.socket:
                if self._pace.is_too_fast():
                    self.outgoing.socket.close(TOO_MANY_MESSAGES, "Too many requests")
                    return
                self._take(text)
        except ConnectionClosed:
            pass  # The client is gone; that is all there is to know.
        finally:
            self._hub.remove(self, self._names)
            self.outgoing.end()

    def _take(self, text: str | bytes) -> None:
        try:
            request = json.loads(text)
            method, number = request["method"], request.get("id")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._say({"error": {"code": 3, "msg": f"Invalid JSON: {error}"}})
            return
        params = request.get("params", [])
        if self._house.faults.ignore_subscribe and method == "SUBSCRIBE":
            return
        self._say(self._do(method, params) | {"id": number})

    def _do(self, method: Any, params: Any) -> dict[str, Any]:
        if not isinstance(params, list) or not all(isinstance(each, str | bool) for each in params):
            return _invalid(2, "Invalid request: params is a list of names")
        match method:
            case "SUBSCRIBE":
                if len(self._names) + len(params) > self._house.options.limits.streams_per_connection:
                    return _invalid(2, "Invalid request: too many streams")
                return {"result": None} if self._subscribe(params) else _invalid(2, "Invalid request: invalid stream")
            case "UNSUBSCRIBE":
                self._hub.remove(self, params)
                self._names = [name for name in self._names if name not in params]
                return {"result": None}
            case "LIST_SUBSCRIPTIONS":
                return {"result": self._names}
            case "SET_PROPERTY" if len(params) == 2 and params[0] == "combined":
                self.is_combined = bool(params[1])
                return {"result": None}
            case "GET_PROPERTY" if params == ["combined"]:
                return {"result": self.is_combined}
            case _:
                return _invalid(1, f"Invalid value type or method: {method}")

    def _subscribe(self, names: list[str]) -> bool:
        if not self._hub.add(self, names):
            return False
        self._names += [name for name in names if name not in self._names]
        return True

    def change(self, faults: BinanceFaults) -> None:
        """What new faults do to an open connection."""
        if faults.announce_shutdown:
            event = {"e": "serverShutdown", "E": ms(self._house.clock())}
            self._say({"stream": SHUTDOWN, "data": event} if self.is_combined else event)
        if faults.cut_sockets:
            self.outgoing.cut()

    def _say(self, body: Any) -> None:
        self.outgoing.put(_written(body))


def _invalid(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "msg": message}}
