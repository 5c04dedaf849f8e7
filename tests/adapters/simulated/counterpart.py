"""The engine's side of a venue, for tests: what was delivered, a gate, requests, and patience."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from adapters.registry import VenueSettings
from adapters.simulated import ADAPTER
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.venue import SimulatedVenue
from engine import outbox
from engine.inputs import Input
from engine.ports import EventLog
from engine.values import (
    SECOND_NS,
    ClientOrderId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    VenueOrderId,
)
from tests.adapters.simulated.memory_log import MemoryLog

BOUND_SECONDS = 20
NAME = VenueName("sim")
BTC = InstrumentName("BTC-USDT")
SYMBOLS = {BTC: "BTCUSDT", InstrumentName("ETH-USDT"): "ETHUSDT"}

Kind = TypeVar("Kind")
Asked = TypeVar("Asked", bound=outbox.Request)


class Counterpart:
    """Opens a venue and keeps what it delivers, in order."""

    def __init__(self, options: SimulatedOptions, open_log: Callable[[str], EventLog] | None = None) -> None:
        self.log = MemoryLog()
        self.venue = ADAPTER.connect(VenueSettings(NAME, options, SYMBOLS, ".", open_log or (lambda name: self.log)))
        assert isinstance(self.venue, SimulatedVenue)
        self.control: SimulatedVenue = self.venue
        self.seen: list[Input] = []
        self.is_gate_open = True
        self._changed = threading.Condition()
        self._seqs = count(1)

    def __enter__(self) -> Counterpart:
        self.venue.open(self.deliver, self)
        return self

    def __exit__(self, *_: object) -> None:
        self.venue.close()

    def allows(self, request: outbox.Request) -> bool:
        return self.is_gate_open

    def deliver(self, seen: Input) -> None:
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()

    def wait(self, kind: type[Kind], accept: Callable[[Kind], bool] = lambda seen: True, nth: int = 1) -> Kind:
        """The `nth` input of that kind that is accepted; fails after a generous while."""

        def found() -> list[Kind]:
            return [seen for seen in self.seen if isinstance(seen, kind) and accept(seen)]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= nth, BOUND_SECONDS), (kind, self.without_data())
            return found()[nth - 1]

    def all(self, kind: type[Kind]) -> list[Kind]:
        with self._changed:
            return [seen for seen in self.seen if isinstance(seen, kind)]

    def without_data(self) -> list[str]:
        return [str(seen)[:300] for seen in self.seen if type(seen).__name__ not in ("Quote", "TradeTick")]

    def forget(self) -> None:
        with self._changed:
            self.seen.clear()

    # --- requests

    def submit(self, name: str, price: str | None = None, quantity: str = "0.01", **more: Any) -> outbox.SubmitOrder:
        return self._release(
            outbox.SubmitOrder, order_id=OrderId(name), client_order_id=ClientOrderId(name), side=Side.BUY,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT, time_in_force=TimeInForce.GTC,
            post_only=False, quantity=Decimal(quantity), price=None if price is None else Decimal(price),
            **self._expiring(), **more,
        )  # fmt: skip

    def cancel(self, name: str) -> outbox.CancelOrder:
        return self._release(
            outbox.CancelOrder, order_id=OrderId(name), client_order_id=ClientOrderId(name), venue_order_id=None,
            **self._expiring(),
        )  # fmt: skip

    def replace(self, name: str, new: str, quantity: str, price: str | None) -> outbox.ReplaceOrder:
        return self._release(
            outbox.ReplaceOrder, order_id=OrderId(name), client_order_id=ClientOrderId(name), venue_order_id=None,
            new_client_order_id=ClientOrderId(new), side=Side.BUY, order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC, post_only=False, filled=Decimal(0), old_quantity=Decimal(quantity),
            old_price=None, quantity=Decimal(quantity), price=None if price is None else Decimal(price),
            **self._expiring(),
        )  # fmt: skip

    def query(self, name: str | None, venue_order_id: str | None = None) -> outbox.QueryOrder:
        return self._release(
            outbox.QueryOrder, client_order_id=None if name is None else ClientOrderId(name),
            venue_order_id=None if venue_order_id is None else VenueOrderId(venue_order_id),
        )  # fmt: skip

    def snapshot(self, since_ns: int = 0) -> outbox.TakeSnapshot:
        request = outbox.TakeSnapshot(seq=next(self._seqs), at_ns=time.time_ns(), venue=NAME, since_ns=since_ns)
        self.venue.release(request)
        return request

    def _expiring(self) -> dict[str, int]:
        return {"expires_ns": time.time_ns() + 10 * SECOND_NS}

    def _release(self, kind: Callable[..., Asked], **fields: Any) -> Asked:
        request = kind(seq=next(self._seqs), at_ns=time.time_ns(), venue=NAME, instrument=BTC, **fields)
        self.venue.release(request)
        return request


def names(seen: Iterable[object]) -> list[str]:
    """The names of their kinds."""
    return [type(each).__name__ for each in seen]
