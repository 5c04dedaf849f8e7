"""What is known of order ids: whose client id a venue's order id belongs to, and which replacement is under way.

Trades do not name the client id, and a cancel renames its order: both are found again by the venue's id. Bounded: the
oldest is forgotten first, and is asked about where it is needed.
"""

from __future__ import annotations

import re
import threading

from adapters.binance.calls import CANCEL_SUFFIX, REPLACE_SUFFIX
from engine.outbox import ReplaceOrder
from engine.values import ClientOrderId

ORDERS_MOST = 10_000
REPLACEMENTS_MOST = 4_096

_OURS = re.compile(r"h[0-9a-z]{15}(?:-[0-9a-z]{1,19})?")


class KnownIds:
    """Used from all threads of a venue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[tuple[str, str], ClientOrderId] = {}
        self._replacements: dict[str, ReplaceOrder] = {}

    def note(self, symbol: str, order_id: int | str, client_order_id: str | None) -> None:
        """An order's two ids; the first client id that is heard of stays."""
        if not client_order_id:
            return
        with self._lock:
            self._orders.setdefault((symbol, str(order_id)), ClientOrderId(client_order_id))
            while len(self._orders) > ORDERS_MOST:
                del self._orders[next(iter(self._orders))]

    def client_id(self, symbol: str, order_id: int | str) -> ClientOrderId | None:
        """The client id of an order that was heard of."""
        return self._orders.get((symbol, str(order_id)))

    def replace(self, request: ReplaceOrder) -> None:
        """A replacement is about to be sent, or was when this process last ended."""
        with self._lock:
            self._replacements[request.new_client_order_id] = request
            while len(self._replacements) > REPLACEMENTS_MOST:
                del self._replacements[next(iter(self._replacements))]

    def replacement(self, client_order_id: str) -> ReplaceOrder | None:
        """The replacement that has this client id."""
        return self._replacements.get(client_order_id)


def is_ours(client_order_id: str) -> bool:
    """Has an id the form of those that the engine gives?

    >>> is_ours("h20i60b1c0000011"), is_ours("autoclose-1733212345")
    (True, False)
    """
    return _OURS.fullmatch(client_order_id) is not None


def is_half_of_replacement(client_order_id: str) -> bool:
    """Is a canceled order's id the one that the cancel half of a replacement gives?

    >>> is_half_of_replacement("h20i60b1c0000011-r"), is_half_of_replacement("h20i60b1c0000011-c")
    (True, False)
    """
    return client_order_id.endswith(REPLACE_SUFFIX) and original_id(client_order_id) != client_order_id


def original_id(client_order_id: str) -> str:
    """The client id that a canceled order had before: a cancel of ours puts its mark behind it.

    >>> original_id("h20i60b1c0000011-c"), original_id("h20i60b1c0000011-cross-c"), original_id("web_1-c")
    ('h20i60b1c0000011', 'h20i60b1c0000011-cross', 'web_1-c')
    """
    for suffix in (CANCEL_SUFFIX, REPLACE_SUFFIX):
        before = client_order_id.removesuffix(suffix)
        if before != client_order_id and _OURS.fullmatch(before):
            return before
    return client_order_id
