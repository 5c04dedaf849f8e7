"""A venue's snapshot against the books: which reports it implies, which orders it leaves open, what differs.

Invariants, each a test:
 1. The rows' order does not matter: they are sorted before they are used.
 2. A snapshot says nothing about an order requested after `asked_seq`, nor about an asset with an event since then.
 3. A section that is not complete is not believed: nothing is concluded from what it lacks.
 4. Positions change by executions only; a difference is never mended silently.
 5. A difference counts when two successive complete snapshots show it with the subject quiet.
 6. The same snapshot twice makes its events once.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.events import Difference
from engine.inputs import Section, Snapshot, StatusReport, Trade
from engine.order import Order
from engine.state import State
from engine.values import ZERO, Asset, OrderId, plain


def reports_of(snapshot: Snapshot) -> Iterator[Trade | StatusReport]:
    """The reports that a snapshot implies, executions first, in an order of their own."""
    yield from sorted(snapshot.executions, key=lambda t: (t.transact_ns or 0, t.exec_id, t.venue_order_id or ""))
    yield from sorted(snapshot.open_orders, key=lambda r: (r.client_order_id or "", r.venue_order_id or ""))


def orders_to_query(state: State, snapshot: Snapshot) -> list[Order]:
    """Our open orders that the complete list of open orders does not show; in flight ones are not asked about."""
    if Section.OPEN_ORDERS not in snapshot.complete:
        return []
    shown = {
        order.order_id
        for row in snapshot.open_orders
        if (order := state.order_of(row.client_order_id, row.venue, row.venue_order_id, row.instrument))
    }
    return [
        order
        for order in state.open_orders()
        if order.venue == snapshot.venue
        and order.order_id not in shown
        and 0 < order.requested_seq <= snapshot.asked_seq
        and order.status != "pending_new"
    ]


def doubled(state: State, snapshot: Snapshot) -> list[tuple[Order, list[str]]]:
    """Orders of ours that stand in the list more than once, with the venue's ids: where our id is only a tag, a request
    that was doubled on its way is two live orders."""
    ids: dict[str, set[str]] = {}
    for row in snapshot.open_orders:
        order = state.order_of(row.client_order_id, row.venue, None, row.instrument)
        if order is not None and row.venue_order_id and row.status.is_open:
            ids.setdefault(order.order_id, set()).add(row.venue_order_id)
    return [(state.orders[OrderId(name)], sorted(found)) for name, found in sorted(ids.items()) if len(found) > 1]


def differences(state: State, snapshot: Snapshot, before: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Balances that are not what the books say, sorted by asset; of an asset that is not quiet, what `before` said."""
    if Section.BALANCES not in snapshot.complete:
        return ()
    ours = state.balances.get(snapshot.venue, {})
    theirs = {balance.asset: plain(balance.free + balance.locked) for balance in snapshot.balances}
    noisy = _noisy_assets(state, snapshot)
    found = [
        Difference("balance", asset, str(theirs.get(asset, ZERO)), str(ours.get(asset, ZERO)))
        for asset in set(ours) | set(theirs)
        if asset not in noisy and theirs.get(asset, ZERO) != ours.get(asset, ZERO)
    ]
    found += [difference for difference in before if difference.name in noisy]
    return tuple(sorted(found, key=lambda difference: difference.name))


def _noisy_assets(state: State, snapshot: Snapshot) -> set[Asset]:
    """Assets with an event since the question, or with an order whose executions may not all be known."""
    noisy = {
        asset
        for asset in {*state.balances.get(snapshot.venue, {}), *(b.asset for b in snapshot.balances)}
        if state.last_event_seq.get(f"{snapshot.venue}/{asset}", 0) > snapshot.asked_seq
    }
    for order in state.open_orders():
        if order.venue == snapshot.venue and order.is_in_doubt:
            instrument = state.instruments[order.instrument]
            noisy |= {instrument.base, instrument.quote}
    return noisy


def confirmed(before: tuple[Difference, ...], now: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Differences that the last snapshot showed as well, just so."""
    return tuple(difference for difference in now if difference in before)
