"""What the exchange refuses, and why."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from adapters.simulated.wire import Place, Reason
from engine.instrument import Instrument
from engine.values import OrderType, TimeInForce

CLIENT_ID_LENGTH = 36
OPEN_ORDERS_MOST = 1_000

_PRICE_CHECKS: tuple[tuple[Reason, Callable[[Instrument, Decimal], bool]], ...] = (
    (Reason.PRICE_TOO_LOW, lambda of, price: price <= 0 or (of.min_price is not None and price < of.min_price)),
    (Reason.PRICE_TOO_HIGH, lambda of, price: of.max_price is not None and price > of.max_price),
    (Reason.PRICE_OFF_TICK, lambda of, price: not of.is_on_tick(price)),
)
_QUANTITY_CHECKS: tuple[tuple[Reason, Callable[[Instrument, Decimal], bool]], ...] = (
    (
        Reason.QUANTITY_TOO_SMALL,
        lambda of, quantity: quantity <= 0 or (of.min_quantity is not None and quantity < of.min_quantity),
    ),
    (Reason.QUANTITY_TOO_LARGE, lambda of, quantity: of.max_quantity is not None and quantity > of.max_quantity),
    (Reason.QUANTITY_OFF_LOT, lambda of, quantity: not of.is_on_lot(quantity)),
)


def is_expired(expires_ns: int | None, at_ns: int) -> bool:
    """Did the request come too late to be carried out?"""
    return expires_ns is not None and expires_ns < at_ns


def check_client_id(client_order_id: str) -> Reason | None:
    """A client id has 1 to 36 printable ASCII characters."""
    good = 0 < len(client_order_id) <= CLIENT_ID_LENGTH and client_order_id.isascii() and client_order_id.isprintable()
    return None if good else Reason.BAD_CLIENT_ID


def check_kind(request: Place) -> Reason | None:
    """Prices, stop prices, trails and ends where the kind of order has them; only what may rest can be post-only, or
    wait for a stop price."""
    kind, rests = request.order_type, request.time_in_force.may_rest
    trails = kind is OrderType.TRAILING_STOP
    if kind.has_price is (request.price is None) or trails is (request.trail is None):
        return Reason.NOT_SUPPORTED
    if (request.stop_price is not None) is not kind.has_trigger and not trails:
        return Reason.NOT_SUPPORTED
    if (request.time_in_force is TimeInForce.GTD) is (request.good_till_ns is None):  # an end, and none without
        return Reason.NOT_SUPPORTED
    if not rests and (request.post_only or kind.has_trigger):
        return Reason.NOT_SUPPORTED
    return Reason.NOT_SUPPORTED if request.post_only and kind is not OrderType.LIMIT else None


def check_stop(instrument: Instrument, request: Place) -> Reason | None:
    """A stop price and a trail are prices: above zero, on the tick."""
    for price in (request.stop_price, request.trail):
        if price is not None and not (price.is_finite() and price > 0):
            return Reason.PRICE_TOO_LOW
        if price is not None and not instrument.is_on_tick(price):
            return Reason.PRICE_OFF_TICK
    return None


def check_numbers(instrument: Instrument, quantity: Decimal, price: Decimal | None, about: Decimal) -> Reason | None:
    """Bounds and steps; `about` is the price that the notional is reckoned at (0: it can't be told)."""
    if not quantity.is_finite() or not (price is None or price.is_finite()):
        return Reason.NOT_SUPPORTED
    for reason, fails in _QUANTITY_CHECKS:
        if fails(instrument, quantity):
            return reason
    if price is not None:
        for reason, fails in _PRICE_CHECKS:
            if fails(instrument, price):
                return reason
    if instrument.min_notional is not None and about and quantity * about < instrument.min_notional:
        return Reason.NOTIONAL_TOO_SMALL
    return None
