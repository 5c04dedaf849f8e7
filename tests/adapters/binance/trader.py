"""A Binance client as the engine holds it: what it is told is kept, and the gate is open unless a test shuts it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

from adapters.binance.access import Access
from adapters.binance.calls import Credentials
from adapters.binance.options import BinanceOptions
from adapters.binance.signing import read_signer
from adapters.binance.translate import Translator
from adapters.binance.venue import BinanceVenue
from adapters.secret import Secret
from engine import inputs, outbox
from engine.values import ClientOrderId, InstrumentName, OrderId, OrderType, Side, TimeInForce, VenueName
from tests.adapters.binance.scripted_peer import API_KEY, SECRET

VENUE = VenueName("binance")
BTC = InstrumentName("BTC-USDT")
TOKEN = "h20i60b1c0000011"
SECOND = 1_000_000_000
PATIENCE_SECONDS = 10

Found = TypeVar("Found")
_SEQS = itertools.count(1)


def options(**changes: Any) -> BinanceOptions:
    """Short times, so that tests are."""
    return BinanceOptions(**{"backoff_first_ns": SECOND // 50, "streams": ("quotes", "trades"), "seed": 7, **changes})


class Trader:
    """The engine's side of a venue."""

    def __init__(self, venue: BinanceVenue) -> None:
        self.venue = venue
        self.told: list[inputs.Input] = []
        self.is_open = True

    def allows(self, request: outbox.Request) -> bool:
        return self.is_open

    def open(self) -> None:
        self.venue.open(self.told.append, self)
        self.wait(inputs.VenueConnected)

    def all(self, kind: type[Found]) -> list[Found]:
        """What was told of one kind."""
        return [told for told in list(self.told) if isinstance(told, kind)]

    def wait(self, kind: type[Found], at_least: int = 1, having: Callable[[Any], bool] = lambda _: True) -> Found:
        """The newest of a kind, once there are so many."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            found = [told for told in self.all(kind) if having(told)]
            if len(found) >= at_least:
                return found[-1]
            time.sleep(0.005)
        raise AssertionError(f"no {kind.__name__} among {[type(told).__name__ for told in self.told]}")

    def submit(self, token: str = TOKEN, **changes: Any) -> outbox.SubmitOrder:
        request = submit_order(token, **changes)
        self.venue.release(request)
        return request


def submit_order(token: str = TOKEN, **changes: Any) -> outbox.SubmitOrder:
    now = time.time_ns()
    terms: dict[str, Any] = {
        "side": Side.BUY, "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "post_only": False,
        "quantity": Decimal("0.2"), "price": Decimal(50), **changes,
    }  # fmt: skip
    return outbox.SubmitOrder(
        seq=next(_SEQS), at_ns=now, expires_ns=now + SECOND, venue=VENUE, order_id=OrderId(token),
        client_order_id=ClientOrderId(token), instrument=BTC, **terms,
    )  # fmt: skip


def cancel_order(token: str = TOKEN, venue_order_id: Any = None) -> outbox.CancelOrder:
    now = time.time_ns()
    return outbox.CancelOrder(
        seq=next(_SEQS), at_ns=now, expires_ns=now + SECOND, venue=VENUE, order_id=OrderId(token),
        client_order_id=ClientOrderId(token), venue_order_id=venue_order_id, instrument=BTC,
    )  # fmt: skip


def replace_order(token: str = TOKEN, **changes: Any) -> outbox.ReplaceOrder:
    now = time.time_ns()
    terms: dict[str, Any] = {
        "venue_order_id": None, "new_client_order_id": ClientOrderId("h20i60b1c0000099"), "side": Side.BUY,
        "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "post_only": False, "filled": Decimal(0),
        "old_quantity": Decimal("0.2"), "old_price": Decimal(50), "quantity": Decimal("0.3"), "price": Decimal(51),
        **changes,
    }  # fmt: skip
    return outbox.ReplaceOrder(
        seq=next(_SEQS), at_ns=now, expires_ns=now + SECOND, venue=VENUE, order_id=OrderId(token),
        client_order_id=ClientOrderId(token), instrument=BTC, **terms,
    )  # fmt: skip


def query_order(token: str = TOKEN, **changes: Any) -> outbox.QueryOrder:
    terms: dict[str, Any] = {"venue_order_id": None, "at_ns": time.time_ns(), "requested_ns": time.time_ns(), **changes}
    return outbox.QueryOrder(
        seq=next(_SEQS), venue=VENUE, client_order_id=ClientOrderId(token), instrument=BTC, **terms
    )


SECRETS = (API_KEY, SECRET)


def access(chosen: BinanceOptions) -> Access:
    """What the parts of a client share, without a client."""
    return Access(VENUE, chosen, credentials())


def credentials() -> Credentials:
    """The local exchange's own."""
    return Credentials(Secret(API_KEY), read_signer(SECRET))


@contextmanager
def trader(chosen: BinanceOptions, throttled_until_ns: int = 0, keys: Credentials | None = None) -> Iterator[Trader]:
    """A client; closed at the end."""
    translator = Translator(VENUE, {BTC: "BTCUSDT"})
    venue = BinanceVenue(Access(VENUE, chosen, keys or credentials(), throttled_until_ns), translator)
    try:
        yield Trader(venue)
    finally:
        venue.close()
