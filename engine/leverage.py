"""Limits of contracts that are held with borrowed money: leverage and margin ratio, by what the venue said last.

An order that makes what is held and working no larger passes: nobody is kept in a position that has become too large.
"""

from __future__ import annotations

from decimal import Decimal

from engine.exposure import Worths, gross, worths
from engine.inputs import AccountMargin
from engine.sight import Denied, Sight
from engine.values import EXACT, divide, plain
from engine.worth import Unpriced, asset_of


def max_leverage(sight: Sight) -> Denied | None:
    """What the account's contracts may become worth, over its equity there."""
    limit, margin = sight.limits.max_leverage, _margin(sight)
    assert limit is not None
    if sight.terms.is_spot:
        return None
    before, after = _grown(sight)
    if margin is None or isinstance(before, Unpriced) or isinstance(after, Unpriced):
        return sight.deny("max_leverage", equity="none" if margin is None else margin.equity, limit=limit)
    if after > before and after > EXACT.multiply(limit, margin.equity):
        return sight.deny("max_leverage", exposure=plain(after), equity=margin.equity, limit=limit)
    sight.saw("max_leverage", f"{plain(after)} on {margin.equity}", limit)
    return None


def max_margin_ratio(sight: Sight) -> Denied | None:
    """What must be kept of the account's equity: at 1 the venue liquidates."""
    limit, margin = sight.limits.max_margin_ratio, _margin(sight)
    assert limit is not None
    if sight.terms.is_spot:
        return None
    before, after = _grown(sight)
    is_larger = isinstance(before, Unpriced) or isinstance(after, Unpriced) or after > before
    if margin is None or (is_larger and margin.maintenance > EXACT.multiply(limit, margin.equity)):
        kept, equity = ("none", "none") if margin is None else (margin.maintenance, margin.equity)
        return sight.deny("max_margin_ratio", maintenance=kept, equity=equity, limit=limit)
    ratio = plain(divide(margin.maintenance, margin.equity)) if margin.equity else "none"
    sight.saw("max_margin_ratio", ratio, limit)
    return None


def _margin(sight: Sight) -> AccountMargin | None:
    venue = sight.state.venues.get(sight.order.venue)
    return venue.margin if venue is not None else None


def _grown(sight: Sight) -> tuple[Decimal | Unpriced, Decimal | Unpriced]:
    """What the venue's contracts may be worth without the order and with it."""
    asset = asset_of(sight.state, sight.order.instrument)
    priced, grown = sight.once("exposure", lambda: worths(sight, asset))
    return gross(_of_venue(sight, priced)), gross(_of_venue(sight, grown))


def _of_venue(sight: Sight, found: Worths) -> Worths:
    if isinstance(found, Unpriced):
        return found
    listed = sight.state.instruments
    return {
        name: reach
        for name, reach in found.items()
        if listed[name].venue == sight.order.venue and not listed[name].is_spot
    }
