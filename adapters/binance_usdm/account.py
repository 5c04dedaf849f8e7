"""The account's events: listened to under a listen key, which is asked for before each connection and kept alive.

The facts that this rests on name the key's life (60 minutes), its renewal and `listenKeyExpired`; that the key stands
in the path of the private route is inferred from how streams are addressed. There is no reply to wait for: the venue
refuses a connection that it does not serve, and a key that was given just now is served.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.binance.access import Access, NoResult
from adapters.binance.wire import WireError, decode
from adapters.binance_usdm import calls, wire
from adapters.binance_usdm.translate import FundingPaid, SettingsChanged, Translator
from adapters.budget import Lane
from adapters.rest import HttpLine
from adapters.stream import Line, LineDown
from engine import inputs
from engine.values import SECOND_NS

KEY_PATIENCE_NS = 5 * SECOND_NS
KEY_TRIES = 3
UNKNOWN_KEY = -1125
EXPIRED = "listenKeyExpired"
SHUTDOWN = "serverShutdown"

Aside = FundingPaid | SettingsChanged


class AccountFeed:
    """Listens to a `Line`, which is set once both exist. `aside` takes what needs questions of its own; `connections`
    counts how often the account's events began to arrive."""

    def __init__(self, access: Access, translator: Translator, aside: Callable[[Aside], None]) -> None:
        self._access, self._translator, self._aside = access, translator, aside
        self._key_line: HttpLine = access.http_line()
        self._house_line: HttpLine = access.http_line()
        self._is_up = False
        self.connections = 0
        self._kept_ns = 0
        self.line: Line | None = None

    def url(self) -> str:
        """Where a new connection listens; raises `LineDown` where the venue gives no key for now. For one thread."""
        asked_ns = self._access.now_ns()
        call = calls.begin_listening()
        result = self._access.ask(self._key_line, call, Lane.URGENT, KEY_PATIENCE_NS, KEY_TRIES)
        if isinstance(result, NoResult) or not result.is_good:
            raise LineDown("no listen key")
        try:
            key = decode(result.text, wire.ListenKey).listen_key
        except WireError:
            self._access.tell(self._translator.surprise(result.text))
            raise LineDown("no listen key") from None
        self._kept_ns = asked_ns
        return f"{self._access.options.urls.stream}/private/ws/{key}"

    def keep_alive(self, every_ns: int) -> None:
        """The key's hour begins anew, if it is time; for the housekeeper."""
        line = self.line
        session = None if line is None else line.serving
        if line is None or session is None or self._access.now_ns() - self._kept_ns < every_ns:
            return
        asked_ns = self._access.now_ns()
        result = self._access.ask(self._house_line, calls.keep_listening(), Lane.URGENT)
        if isinstance(result, NoResult):
            self._kept_ns += KEY_PATIENCE_NS  # again in a while: half of its hour is left
        elif result.is_good:
            self._kept_ns = asked_ns
        elif result.fault is not None and result.fault.code == UNKNOWN_KEY:
            line.drop(session, "the listen key is gone")
        else:
            self._kept_ns += KEY_PATIENCE_NS

    # --- the line's thread ------------------------------------------------------------------------------------------

    def opened(self, session: int) -> None:
        """It serves from its beginning."""
        assert self.line is not None, "a feed has its line before anything is opened"
        self.line.serve(session)
        if not self._is_up:
            self._is_up = True
            self._access.tell(inputs.VenueConnected(self._access.venue))
            self.connections += 1

    def received(self, session: int, text: str) -> None:
        """An event."""
        assert self.line is not None, "a feed has its line before anything is opened"
        try:
            name = decode(text, wire.Head).e
        except WireError:
            name = None
        if name == EXPIRED:
            self.line.drop(session, "the listen key has expired")
            return
        if name == SHUTDOWN:
            self.line.renew()
            return
        for told in self._translator.event(text):
            if isinstance(told, (FundingPaid, SettingsChanged)):
                self._aside(told)
            else:
                self._access.tell(told)

    def lost(self, session: int, cause: str, *, was_serving: bool) -> None:
        """Without another connection the account's events are missing."""
        if was_serving:
            self._is_up = False
            self._access.tell(inputs.VenueLost(self._access.venue, cause))
