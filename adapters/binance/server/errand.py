"""A request on its way to the exchange's thread, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from adapters.binance.server.accounts import Window
from adapters.binance.server.orders import Floor, Frames, Result
from adapters.binance.server.refusal import Refused
from adapters.simulated.exchange import Answer, Exchange
from adapters.simulated.faults import Fate, Kind
from adapters.simulated.wire import Foreign

Work = Callable[[Floor, Fate], Result]


@frozen
class Unanswered:
    """The exchange failed: `is_done` tells whether the request was carried out, which the client is not told."""

    is_done: bool = False
    body: Any = None


@frozen
class Errand:
    """Work for the exchange. It is carried out in its window or refused with -1021."""

    kind: Kind | None
    work: Work
    floor: Callable[[], Floor]
    window: Window | None = None
    taken: Callable[[], None] = field(default=lambda: None)

    def carry_out(self, exchange: Exchange, fate: Fate, at_ns: int) -> Answer:
        """Its result, its refusal, or nothing where the exchange fails before it begins."""
        if fate.busy or fate.fail:
            return Answer(Foreign(Unanswered()), exchange.advance(at_ns))

        def work() -> tuple[Foreign, Frames]:
            floor = self.floor()
            try:
                if self.window is not None:
                    self.window.check(floor.now_ns)
                body, told = self.work(floor, fate)
            except Refused as refused:
                return Foreign(refused), []
            if not isinstance(body, Refused):
                self.taken()
            return Foreign(body), told

        return exchange.transact(work, at_ns)
