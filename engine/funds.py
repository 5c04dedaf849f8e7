"""Is what an order needs free? At a spot venue, after what open orders lock at their worst, fees included."""

from __future__ import annotations

from decimal import Decimal

from engine.depth import worst_of
from engine.order import Order
from engine.sight import Denied, Sight
from engine.values import EXACT, ONE, ZERO, Asset, Side, plain


def check_funds(sight: Sight) -> Denied | None:
    """A buy needs its worst price and the fee in the quote asset, a sell its quantity in the base asset; at a spot
    venue only.

    The account's balance at the order's venue is what counts, whatever scope the limit stands in. Fees of a sell come
    out of its proceeds.
    """
    order, terms = sight.order, sight.terms
    if not terms.is_spot:
        return None  # a contract takes margin, which no description tells
    asset = terms.quote if order.side is Side.BUY else terms.base
    needed = _needed(sight)
    locked = locked_amount(sight, asset)
    if needed is None or locked is None:
        return sight.deny("check_funds", asset=asset, unpriced=order.instrument)
    total = sight.state.balances.get(order.venue, {}).get(asset, ZERO)
    free = EXACT.subtract(total, locked)
    if needed > free:
        return sight.deny(
            "check_funds", asset=asset, needed=plain(needed), free=plain(free), total=total, locked=plain(locked)
        )
    sight.saw("check_funds", plain(needed), plain(free))
    return None


def _needed(sight: Sight) -> Decimal | None:
    """By the judged order; where it replaces one, that one's need if it is greater, because either may be in force."""
    needed = _lock_of(sight, sight.order, sight.leaves, sight.worst)
    if needed is not None and sight.replaced is not None:
        before = _lock_of(sight, sight.replaced, sight.replaced.exposure, sight.replaced.price)
        needed = None if before is None else max(needed, before)
    return needed


def locked_amount(sight: Sight, asset: Asset) -> Decimal | None:
    """What other open orders at the venue lock of an asset; None where one of them has no price to judge it by."""
    total = ZERO
    for order in sight.others:
        is_twin = order.group is not None and order.group == sight.order.group
        if order.venue != sight.order.venue or is_twin:
            continue
        terms = sight.state.instruments.get(order.instrument)
        if terms is None or not terms.is_spot or asset != (terms.quote if order.side is Side.BUY else terms.base):
            continue
        lock = _lock_of(sight, order, order.exposure, _worst_of(sight, order))
        if lock is None:
            return None
        total = EXACT.add(total, lock)
    return total


def _worst_of(sight: Sight, order: Order) -> Decimal | None:
    """The worst price of an open order: the higher one where a replacement is outstanding."""
    worst = worst_of(sight.market, order, order.exposure, lambda: order.max_slippage or sight.slippage())
    asked = order.replacement.price if order.replacement is not None else None
    return worst if worst is None or asked is None else max(worst, asked)


def _lock_of(sight: Sight, order: Order, quantity: Decimal, price: Decimal | None) -> Decimal | None:
    if order.side is Side.SELL or not quantity:
        return quantity
    if price is None:
        return None
    fee_rate = sight.state.settings.risk.measures.fee_rate
    return EXACT.multiply(EXACT.multiply(quantity, price), ONE + fee_rate)
