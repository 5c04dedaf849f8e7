"""Balances of an account: total by the books, locked by open orders at their worst, and the venue's figure beside."""

from __future__ import annotations

from decimal import Decimal

from attrs import evolve, frozen

from engine.inputs import Balance
from engine.order import Order
from engine.state import State
from engine.values import EXACT, ZERO, Asset, OrderId, Side, VenueName, plain


@frozen(kw_only=True)
class Funds:
    """One asset of an account.

    `locked` is what open orders may still take of it, those in doubt at their worst, without fees; orders that have no
    price to reckon by are named in `unpriced`. `shown` is the venue's own figure, as seen at `shown_ns` (None and 0
    where it has shown none); `differs` where the last comparison found that it is not the books' and nothing explains
    it. A figure from before the last execution is another one and does not differ.
    """

    venue: VenueName
    asset: Asset
    total: Decimal = ZERO
    locked: Decimal = ZERO
    unpriced: tuple[OrderId, ...] = ()
    shown: Balance | None = None
    shown_ns: int = 0
    differs: bool = False

    @property
    def free(self) -> Decimal:
        """What no open order may take; below zero where more is ordered than there is."""
        return plain(EXACT.subtract(self.total, self.locked))

    @property
    def shown_total(self) -> Decimal | None:
        """Free and locked together, as the venue shows them."""
        return None if self.shown is None else plain(EXACT.add(self.shown.free, self.shown.locked))


def funds(state: State, venue: VenueName) -> dict[Asset, Funds]:
    """Every asset of an account, by name; contracts lock a margin that only the venue knows, so none is reckoned."""
    known = state.venues.get(venue)
    totals = state.balances.get(venue, {})
    shown = {balance.asset: balance for balance in known.shown} if known is not None else {}
    shown_ns = known.shown_ns if known is not None else 0
    differing = {row.name for row in known.differences if row.what == "balance"} if known is not None else set()
    found = {
        asset: Funds(
            venue=venue, asset=asset, total=totals.get(asset, ZERO), shown=shown.get(asset),
            shown_ns=shown_ns if asset in shown else 0, differs=asset in differing,
        )
        for asset in sorted(totals | shown)
    }  # fmt: skip
    for order in state.open_orders():
        if order.venue == venue and order.exposure:
            _lock(state, found, order)
    return found


def funds_of(state: State, venue: VenueName, asset: Asset) -> Funds:
    """One asset of an account; nothing where it has none."""
    return funds(state, venue).get(asset) or Funds(venue=venue, asset=asset)


def _lock(state: State, found: dict[Asset, Funds], order: Order) -> None:
    terms = state.instruments[order.instrument]
    if not terms.is_spot:
        return
    asset = terms.quote if order.side is Side.BUY else terms.base
    before = found.get(asset) or Funds(venue=order.venue, asset=asset)
    price = dearest_price(order)
    if order.side is Side.SELL:
        amount = order.exposure
    elif price is None:
        found[asset] = evolve(before, unpriced=(*before.unpriced, order.order_id))
        return
    else:
        amount = EXACT.multiply(order.exposure, price)
    found[asset] = evolve(before, locked=plain(EXACT.add(before.locked, amount)))


def dearest_price(order: Order) -> Decimal | None:
    """The highest price that a buy may still pay by its own terms, an outstanding replacement's among them; for a stop
    without a limit the price at which it becomes a market order; None for a market order."""
    asked = order.replacement.price if order.replacement is not None else None
    known = [price for price in (order.price, asked) if price is not None]
    return max(known) if known else order.stop_price
