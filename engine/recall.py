"""An archived order, as its events in the journal tell it: the fold of what is about it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from engine.codec import decode
from engine.fold import apply
from engine.inputs import OrderFound
from engine.ports import Stored
from engine.state import State, Venue
from engine.values import OrderId


def lend(present: State) -> State:
    """What folding one order alone needs of the present: settings, instruments, venues."""
    alone = State(settings=present.settings, instruments=dict(present.instruments), journal_id=present.journal_id)
    alone.venues = {name: Venue(description=venue.description) for name, venue in present.venues.items()}
    return alone


def find_order(order_id: OrderId, entries: Iterable[Stored], alone: State) -> OrderFound | None:
    """Fold the entries whose subject is the order, in seq order; None where they do not make an order."""
    order, executions = None, {}
    for entry in entries:
        recorded = decode(entry)
        if recorded.event.kind not in ("OrderArchived", "OrderRecalled", "ArchivedOrderReported"):
            alone.seq = recorded.seq - 1
            apply(alone, recorded)
            order, executions = alone.orders.get(order_id), dict(alone.executions)
    return None if order is None else OrderFound(order=order, executions=executions)
