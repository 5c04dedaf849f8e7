"""What `--json` gives, as plain values: the fields of the interface, decimals as strings, null where unknown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from attrs import frozen

from engine import events
from engine.balances import Funds
from engine.intent_decision import close_ns
from engine.order import Order
from engine.settings import OnStop
from engine.state import Recorded, State, execution_key
from engine.system import Pause, SystemState, VenueState
from engine.values import ZERO, TimeInForce, exact, plain
from journal.entry import Entry
from tools.money import Holding
from tools.view import View

Row = dict[str, Any]


def to_json(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


# --- status -----------------------------------------------------------------------------------------------------


@frozen
class Condition:
    """What an engine does, as far as its journal and its lock show: a state that nobody holds any more is over."""

    state: SystemState
    reason: str
    clean: bool | None


def condition_of(view: View) -> Condition:
    """The system's state; `clean` is None while a process holds the journal."""
    state = view.state
    if view.is_held:
        if view.is_clean:
            return Condition(SystemState.STARTING, "a process holds the journal and has not begun yet", None)
        return Condition(state.system, state.system_reason, None)
    if view.last is None:
        return Condition(SystemState.STOPPED, "nothing has happened yet", True)
    if view.is_clean:
        return Condition(SystemState.STOPPED, state.system_reason, True)
    was = f"the process ended without stopping (last state: {state.system})"
    return Condition(SystemState.STOPPED, was, False)


def outliving(state: State) -> list[str]:
    """Open orders that stay beyond the session in which they were wanted."""
    if state.settings.orders.on_session_end is OnStop.CANCEL:
        return []
    found = []
    for order in state.open_orders():
        ends_ns = close_ns(state, order.instrument, order.created_ns)
        lasts = order.time_in_force.may_rest and order.time_in_force is not TimeInForce.DAY
        if ends_ns is not None and lasts and (order.good_till_ns is None or order.good_till_ns > ends_ns):
            found.append(str(order.order_id))
    return found


def status_row(view: View, positions: list[Holding], last_data_ns: Mapping[str, int]) -> Row:
    """`status --json`; `last_data_ns` is what a live engine says."""
    state, condition = view.state, condition_of(view)
    return {
        "state": str(condition.state),
        "reason": condition.reason,
        "seq": state.seq,
        "at_ns": state.at_ns or None,
        "clean": condition.clean,
        "open_orders": sum(1 for order in state.open_orders() if order.is_open),
        "in_doubt": sum(1 for order in state.orders.values() if order.is_in_doubt),
        "held": sum(1 for order in state.open_orders() if order.held and not order.is_open),
        "outlive_session": outliving(state),
        "venues": {
            name: {
                "connected": condition.clean is None and venue.state is not VenueState.DOWN,
                "state": str(venue.state) if condition.clean is None else str(VenueState.DOWN),
                "last_reconciled_ns": venue.reconciled_ns or None,
                "last_data_ns": last_data_ns.get(name),
            }
            for name, venue in sorted(state.venues.items())
        },
        "pauses": [
            {
                "scope": str(pause.scope),
                "subject": pause.subject or None,
                "reason": pause.reason,
                "latched": pause.latched,
                "since_ns": pause.since_ns,
                "detail": pause.detail,
            }
            for pause in lasting_pauses(view)
        ],
        "positions": [position_row(holding) for holding in positions],
        "mode": str(state.settings.mode),
        "journal_id": view.journal_id,
        "run": state.run or None,
        "epoch": state.epoch,
        "started_ns": state.started_ns or None,
        "pid": view.owner.pid if view.owner and view.is_held else None,
    }


def lasting_pauses(view: View) -> list[Pause]:
    """The pauses that hold; of a run that is over only those with a latch."""
    return [pause for pause in view.state.pauses.values() if pause.latched or condition_of(view).clean is None]


# --- orders, fills, positions, events ---------------------------------------------------------------------------


def order_row(order: Order) -> Row:
    """One of `orders --json`."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "strategy": order.strategy or None,
        "instrument": order.instrument,
        "venue": order.venue,
        "side": str(order.side),
        "order_type": str(order.order_type),
        "time_in_force": str(order.time_in_force),
        "quantity": _text(order.quantity),
        "price": _text(order.price),
        "filled": _text(order.filled),
        "leaves": _text(order.leaves),
        "average_price": _text(order.average_price),
        "status": str(order.status),
        "in_doubt": order.is_in_doubt,
        "pending_cancel": str(order.pending_cancel),
        "pending_replace": str(order.pending_replace),
        "origin": str(order.origin),
        "evidence": str(order.evidence),
        "reason": order.reason or None,
        "strategy_version": order.strategy_version or None,
        "stop_price": _text(order.stop_price),
        "trail": _text(order.trail),
        "trail_fraction": _text(order.trail_fraction),
        "worst_price": _text(order.worst_price),
        "good_till_ns": order.good_till_ns,
        "reduce_only": order.reduce_only,
        "held": order.held or None,
        "role": str(order.role) or None,
        "parent": order.parent,
        "group": order.group,
        "strategy_hash": order.strategy_hash or None,
        "exchange_order_id": None,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
    }


def fill_rows(recorded: Iterable[Recorded]) -> list[Row]:
    """`fills --json`: one for each execution, as it stands after corrections. A busted one has quantity 0."""
    found: dict[str, Row] = {}
    client_ids: dict[str, str | None] = {}
    makers: dict[str, tuple[str, str]] = {}
    for each in recorded:
        event = each.event
        if isinstance(event, (events.SubmitRequested, events.ExternalOrderSeen)):
            client_ids[event.order_id] = event.client_order_id
        elif isinstance(event, events.OrderIntended):
            makers[event.order_id] = (event.strategy_version, event.strategy_hash)
        elif isinstance(event, events.FillBooked):
            maker = makers.get(event.order_id, ("", ""))
            found[_key(event)] = _fill_row(each, event, client_ids.get(event.order_id), maker)
        elif isinstance(event, events.FillCorrected):
            found[_key(event)] |= {
                "quantity": _text(event.quantity), "price": _text(event.price), "corrected": True, "busted": False,
            }  # fmt: skip
        elif isinstance(event, events.FillBusted):
            found[_key(event)] |= {"quantity": _text(ZERO), "busted": True}
        elif isinstance(event, events.FeeBooked):
            found[_key(event)] |= {"fee": _text(event.fee), "fee_asset": event.fee_asset}
    return list(found.values())


FILL_KINDS = frozenset(
    kind.__name__
    for kind in (
        events.OrderIntended, events.SubmitRequested, events.ExternalOrderSeen, events.FillBooked,
        events.FillCorrected, events.FillBusted, events.FeeBooked,
    )
)  # fmt: skip
"""The events that `fill_rows` needs."""


def _fill_row(at: Recorded, event: events.FillBooked, client_order_id: str | None, maker: tuple[str, str]) -> Row:
    return {
        "exec_id": event.exec_id,
        "order_id": event.order_id,
        "client_order_id": client_order_id,
        "venue_order_id": event.venue_order_id,
        "strategy": event.strategy or None,
        "strategy_version": maker[0] or None,
        "strategy_hash": maker[1] or None,
        "instrument": event.instrument,
        "venue": event.venue,
        "side": str(event.side),
        "quantity": _text(event.quantity),
        "price": _text(event.price),
        "fee": _text(event.fee),
        "fee_asset": event.fee_asset,
        "liquidity": str(event.liquidity),
        "at_ns": at.at_ns,
        "transact_ns": event.transact_ns,
        "seq": at.seq,
        "late": event.late,
        "overfill": event.overfill,
        "corrected": False,
        "busted": False,
        "booked_quantity": _text(event.quantity),
        "booked_price": _text(event.price),
    }


def _key(event: events.FillBooked | events.FillCorrected | events.FillBusted | events.FeeBooked) -> str:
    return execution_key(event.venue, event.instrument, event.exec_id)


def position_row(holding: Holding) -> Row:
    """One of `positions --json`: `fees` are those in the quote asset, `fees_by_asset` all of them. `stale` where the
    mark is older than `max_mark_age`."""
    position, mark = holding.position, holding.mark
    return {
        "instrument": holding.instrument,
        "venue": holding.venue,
        "strategy": holding.strategy,
        "quantity": _text(position.quantity),
        "average_price": _text(position.average_price),
        "realized": _text(position.realized),
        "unrealized": _text(holding.unrealized),
        "fees": _text(holding.fees),
        "fees_by_asset": {asset: _text(fee) for asset, fee in sorted(position.fees.items())},
        "quote_asset": holding.quote_asset,
        "mark": _text(mark.price) if mark else None,
        "mark_from": mark.source if mark else None,
        "mark_ns": mark.at_ns if mark else None,
        "stale": holding.is_stale,
        "funding": _text(position.funding),
        "multiplier": _text(position.multiplier),
        "result": _text(holding.result),
        "liquidation_price": _text(holding.liquidation_price),
    }


def balance_row(funds: Funds, account: str) -> Row:
    """One of `balances --json`: total, free and locked by the books, and the venue's own figures as last shown."""
    shown = funds.shown
    return {
        "venue": funds.venue,
        "account": account or None,
        "asset": funds.asset,
        "total": _text(funds.total),
        "free": _text(funds.free),
        "locked": _text(funds.locked),
        "unpriced_orders": list(funds.unpriced),
        "venue_total": _text(funds.shown_total),
        "venue_free": _text(shown.free) if shown else None,
        "venue_locked": _text(shown.locked) if shown else None,
        "shown_ns": funds.shown_ns or None,
        "differs": funds.differs,
    }


def event_row(entry: Entry) -> Row:
    """One of `events --json`: everything that is stored."""
    return {
        "seq": entry.seq,
        "batch": entry.batch,
        "epoch": entry.epoch,
        "at_ns": entry.at_ns,
        "kind": entry.kind,
        "version": entry.version,
        "subject": entry.subject,
        "cause": entry.cause,
        "body": json.loads(entry.body),
        "chain": entry.chain.hex(),
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(plain(exact(number)))


def sorted_orders(state: State) -> list[Order]:
    """The orders that may still trade or of which something is unknown."""
    return in_order_of_doubt(order for order in state.orders.values() if order.is_open or order.is_in_doubt)


def in_order_of_doubt(orders: Iterable[Order]) -> list[Order]:
    """Those in doubt first, then the oldest."""
    return sorted(orders, key=lambda order: (not order.is_in_doubt, order.intended_seq, order.order_id))
