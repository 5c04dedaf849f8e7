"""A venue's snapshot against the books: which reports it implies, which orders it leaves open, what differs.

Invariants, each a test:
 1. The rows' order does not matter: they are sorted before they are used.
 2. A snapshot says nothing about an order requested after `asked_seq`, nor about an asset with an event since then.
 3. A section that is not complete is not believed: nothing is concluded from what it lacks.
 4. Positions change by executions only; a difference is never mended silently.
 5. A difference counts when two successive complete snapshots show it with the subject quiet.
 6. The same snapshot twice makes its events once.
 7. What is off by no more than its tolerance is told, and nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from attrs import frozen

from engine.events import Difference
from engine.inputs import Section, Snapshot, StatusReport, Trade
from engine.order import Order
from engine.position import Position
from engine.state import State
from engine.values import ZERO, Asset, OrderId, VenueName, divide, exact, plain

_TWO = Decimal(2)


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


@frozen
class Comparison:
    """A snapshot against the books: what it `shown` otherwise than they say, what is off by no more than the tolerance,
    and what the last snapshot had shown and this one can't tell (`carried`)."""

    shown: tuple[Difference, ...] = ()
    tolerated: tuple[Difference, ...] = ()
    carried: tuple[Difference, ...] = ()

    @property
    def found(self) -> tuple[Difference, ...]:
        """All that is known to differ, sorted."""
        return tuple(sorted((*self.shown, *self.carried), key=_by_name))


def compare(state: State, snapshot: Snapshot, before: tuple[Difference, ...]) -> Comparison:
    """Balances, positions and results that are not what the books say."""
    balances, positions = Section.BALANCES in snapshot.complete, Section.POSITIONS in snapshot.complete
    noisy = _noisy_names(state, snapshot)
    rows: list[tuple[Difference, Decimal]] = []
    if balances:
        rows += _balances(state, snapshot)
    if positions:
        rows += _positions(state, snapshot)
    off = [(row, abs(_excess(row)), most) for row, most in rows if row.name not in noisy]
    shown = (row for row, gap, most in off if gap > most)
    tolerated = (row for row, gap, most in off if 0 < gap <= most)
    told = {"balance": balances, "position": positions, "result": positions}
    carried = (row for row in before if row.name in noisy or not told.get(row.what, True))
    return Comparison(*(tuple(sorted(rows, key=_by_name)) for rows in (shown, tolerated, carried)))


def _by_name(difference: Difference) -> tuple[str, str]:
    return difference.name, difference.what


def _excess(difference: Difference) -> Decimal:
    """How much more the venue has."""
    return plain(exact(difference.venue) - exact(difference.ours))


def _balances(state: State, snapshot: Snapshot) -> Iterator[tuple[Difference, Decimal]]:
    """Every asset's total, theirs and ours, with its tolerance."""
    ours = state.balances.get(snapshot.venue, {})
    theirs = {balance.asset: plain(balance.free + balance.locked) for balance in snapshot.balances}
    for asset in ours | theirs:
        row = Difference("balance", asset, str(theirs.get(asset, ZERO)), str(ours.get(asset, ZERO)))
        if row.venue != row.ours:
            yield row, tolerance(state, snapshot.venue, asset)


def _positions(state: State, snapshot: Snapshot) -> Iterator[tuple[Difference, Decimal]]:
    """Every contract's position and, where the venue computes one, its result, theirs and ours, with the tolerance."""
    shown = {row.instrument: row for row in snapshot.positions}
    for name, terms in state.instruments.items():
        if terms.venue != snapshot.venue or terms.is_spot:
            continue
        row, net = shown.get(name), state.nets.get(name, Position())
        theirs = row.quantity if row is not None else ZERO
        if theirs or net.quantity:
            yield (
                Difference("position", name, str(plain(theirs)), str(net.quantity)),
                _configured(state, name, divide(terms.lot, _TWO)),
            )
        if row is not None and row.unrealized is not None and row.mark_price is not None and theirs == net.quantity:
            ours = net.unrealized(row.mark_price)
            most = _configured(state, terms.cash, divide(terms.notional(terms.lot, row.mark_price), _TWO))
            yield Difference("result", name, str(plain(row.unrealized)), str(ours)), most


def tolerance(state: State, venue: VenueName, asset: Asset) -> Decimal:
    """How far a balance may be off: as configured, else half the least lot of it, or the worth of half a lot that moves
    by one tick; nothing for an asset that no instrument names."""
    steps: list[Decimal] = []
    for terms in state.instruments.values():
        if terms.venue == venue and terms.is_spot and terms.base == asset:
            steps.append(terms.lot)
        elif terms.venue == venue and terms.cash == asset:
            steps.append(terms.notional(terms.lot, terms.tick))
    return _configured(state, asset, divide(min(steps, default=ZERO), _TWO))


def _configured(state: State, name: str, otherwise: Decimal) -> Decimal:
    tolerances: dict[str, Decimal] = state.settings.reconcile.tolerances
    return tolerances.get(name, otherwise)


def _noisy_names(state: State, snapshot: Snapshot) -> set[str]:
    """Assets and contracts with an event since the question, or with an order whose executions may not all be known."""
    names: set[str] = {*state.balances.get(snapshot.venue, {}), *(b.asset for b in snapshot.balances)}
    names |= {name for name, terms in state.instruments.items() if not terms.is_spot}
    noisy = {name for name in names if state.last_event_seq.get(f"{snapshot.venue}/{name}", 0) > snapshot.asked_seq}
    for order in state.open_orders():
        if order.venue == snapshot.venue and order.is_in_doubt:
            instrument = state.instruments[order.instrument]
            noisy |= {instrument.base, instrument.quote, instrument.cash, instrument.name}
    return noisy


def confirmed(before: tuple[Difference, ...], now: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Differences that the last snapshot showed as well, just as large: what is traded meanwhile moves both figures,
    and a result moves with its mark."""
    known = {(difference.what, difference.name, _excess(difference)) for difference in before}
    return tuple(row for row in now if (row.what, row.name, _excess(row)) in known)
