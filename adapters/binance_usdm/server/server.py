"""The local exchange of USD-M futures in a process of its own, or in a test's: REST and streams on one port."""

from __future__ import annotations

from decimal import Decimal

from websockets.sync.server import ServerConnection

from adapters.binance.server.control import PREFIX
from adapters.binance.server.house import House
from adapters.binance.server.rest import answer
from adapters.binance.server.server import BinanceServer, Talker, run
from adapters.binance.server.shapes import ms
from adapters.binance.server.streams import COMBINED, RAW, Hub, Listener
from adapters.binance_usdm.server.control import control
from adapters.binance_usdm.server.feeds import open_feed, speaker
from adapters.binance_usdm.server.house import UsdmHouse
from adapters.binance_usdm.server.listening import PATH, PRIVATE, AccountListener, answer_key
from adapters.binance_usdm.server.routes import BY_PATH
from adapters.door import HOST, HttpAnswer, HttpRequest
from adapters.registry import ServerSettings
from engine.values import ZERO

ROUTES = ("/public", "/market")


class UsdmServer(BinanceServer):
    """Serves one exchange until it is closed."""

    usdm: UsdmHouse

    def _found(self, settings: ServerSettings) -> House:
        self.usdm = UsdmHouse(settings, self._failed)
        return self.usdm

    def _gather(self) -> Hub:
        return Hub(self.house, open_feed, speaker(self._next_funding))

    def _next_funding(self, symbol: str, at_ns: int) -> tuple[Decimal, int]:
        terms = self.usdm.terms[symbol]
        return terms.funding_rate or ZERO, ms((at_ns // terms.funding_every_ns + 1) * terms.funding_every_ns)

    def _places(self, port: int) -> list[str]:
        return [f"http://{HOST}:{port}", f"ws://{HOST}:{port}"]

    def _respond(self, request: HttpRequest) -> HttpAnswer:
        if request.path.startswith(PREFIX):
            return control(self.usdm, request)
        if request.path == PATH:
            return answer_key(self.usdm, request)
        return answer(self.usdm, request, BY_PATH)

    def _talker(self, socket: ServerConnection, path: str) -> Talker | None:
        if path.startswith(PRIVATE):
            return AccountListener(self.usdm, socket, path)
        for route in ROUTES:
            rest = path.removeprefix(route)
            if rest != path and rest.startswith((RAW, COMBINED)):
                return Listener(self.usdm, self._hub, socket, rest)
        return None

    def _tend(self) -> None:
        for each in self._all():
            if isinstance(each, AccountListener):
                each.look()


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises what ended the exchange, such as a ledger that can't be written."""
    run(UsdmServer(settings))
