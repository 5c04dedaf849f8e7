"""Limits of the result: daily loss, drawdown and the day's fees, each with what the order itself may cost at once."""

from __future__ import annotations

from decimal import Decimal

from engine.sight import Denied, Sight
from engine.state import watermark_key
from engine.values import EXACT, ZERO, Asset, InstrumentName, Side, plain
from engine.worth import Unpriced, asset_of, convert, equity, sum_in


def max_daily_loss(sight: Sight) -> Denied | None:
    """What equity has fallen since the day began, and what the order may lose at once."""
    limit = sight.limits.max_daily_loss
    assert limit is not None
    return _loss(sight, "max_daily_loss", limit, from_peak=False)


def max_drawdown(sight: Sight) -> Denied | None:
    """What equity has fallen from its highest mark, and what the order may lose at once."""
    limit = sight.limits.max_drawdown
    assert limit is not None
    return _loss(sight, "max_drawdown", limit, from_peak=True)


def _loss(sight: Sight, name: str, limit: Decimal, *, from_peak: bool) -> Denied | None:
    asset = asset_of(sight.state, sight.order.instrument)
    now = sight.once("equity", lambda: equity(sight.state, sight.market, asset, sight.strategy, sight.instrument))
    at_once = sight.once("cost", lambda: cost_at_once(sight, asset))
    if isinstance(now, Unpriced) or isinstance(at_once, Unpriced):
        missing = now if isinstance(now, Unpriced) else at_once
        assert isinstance(missing, Unpriced)
        return sight.deny(name, unpriced=missing.name, asset=asset, limit=limit)
    mark = sight.state.watermarks.get(watermark_key(sight.scope, sight.strategy or sight.instrument or "", asset))
    start = now
    if mark is not None and from_peak and mark.peak is not None:
        start = max(mark.peak, now)
    elif mark is not None and not from_peak and mark.day == sight.today:
        start = mark.opening
    loss = plain(EXACT.add(EXACT.subtract(start, now), at_once))
    if loss >= limit:
        return sight.deny(name, loss=loss, order=plain(at_once), equity=now, asset=asset, limit=limit)
    sight.saw(name, loss, limit)
    return None


def cost_at_once(sight: Sight, asset: Asset) -> Decimal | Unpriced:
    """What equity falls by if the order executes now at its worst price: to beyond where it would be marked, and fees.

    What it closes was marked at the price that closes it; what it opens is marked at the other side of the quote.
    """
    order, worst = sight.order, sight.worst
    quote = sight.market.quotes.get(order.instrument)
    if worst is None or quote is None:
        return Unpriced(order.instrument)
    sign = order.side.sign
    held = sight.state.position(order.instrument, sight.strategy).quantity
    closing = min(sight.leaves, abs(held)) if held * sign < 0 else ZERO
    taken, marked = (quote.ask, quote.bid) if order.side is Side.BUY else (quote.bid, quote.ask)
    cost = EXACT.multiply(closing, max((worst - taken) * sign, ZERO))
    cost = EXACT.add(cost, EXACT.multiply(sight.leaves - closing, max((worst - marked) * sign, ZERO)))
    if sight.waits:
        cost = ZERO  # nothing is lost at once
    cost = EXACT.add(EXACT.multiply(cost, sight.terms.multiplier), expected_fee(sight, worst))
    return convert(sight.state, sight.market, cost, sight.terms.cash, asset)


def expected_fee(sight: Sight, worst: Decimal) -> Decimal:
    """The fee of the whole order at its worst price, by the configured rate, in the quote asset."""
    rate = sight.state.settings.risk.measures.fee_rate
    return EXACT.multiply(sight.terms.notional(sight.leaves, worst), rate)


def max_daily_fees(sight: Sight) -> Denied | None:
    """Fees booked since the day began, and what this order may add."""
    limit = sight.limits.max_daily_fees
    assert limit is not None
    asset = asset_of(sight.state, sight.order.instrument)
    paid = sum_in(sight.state, sight.market, _fees_today(sight, asset), asset)
    worst = sight.worst
    more = (
        Unpriced(sight.order.instrument) if worst is None
        else convert(sight.state, sight.market, expected_fee(sight, worst), sight.terms.cash, asset)
    )  # fmt: skip
    if isinstance(paid, Unpriced) or isinstance(more, Unpriced):
        missing = paid if isinstance(paid, Unpriced) else more
        assert isinstance(missing, Unpriced)
        return sight.deny("max_daily_fees", unpriced=missing.name, asset=asset, limit=limit)
    total = plain(EXACT.add(paid, more))
    if total > limit:
        return sight.deny("max_daily_fees", paid=plain(paid), order=plain(more), asset=asset, limit=limit)
    sight.saw("max_daily_fees", total, limit)
    return None


def _fees_today(sight: Sight, asset: Asset) -> dict[str, Decimal]:
    """By asset, within the scope, of the instruments whose limits are measured in this asset."""
    found: dict[str, Decimal] = {}
    if sight.state.fees_day != sight.today:
        return found
    for key, amount in sight.state.fees_today.items():
        strategy, instrument, fee_asset = key.split("/", 2)
        in_scope = sight.strategy in (None, strategy) and sight.instrument in (None, instrument)
        terms = sight.state.instruments.get(InstrumentName(instrument))
        if in_scope and terms is not None and asset_of(sight.state, terms.name) == asset:
            found[fee_asset] = EXACT.add(found.get(fee_asset, ZERO), amount)
    return found
