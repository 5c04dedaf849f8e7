"""A report about an order → events, by the tables of `order.py`. Total: what fits no row is an anomaly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from engine import events, inputs
from engine.events import Event
from engine.inputs import Scope
from engine.order import (
    CANCEL,
    LIFE,
    PENDING_NEW,
    REPLACE,
    Order,
    Origin,
    Pending,
)
from engine.order_effects import EFFECTS, SAY_AGAIN_NS, bounded, pause_instrument, surprise, surprise_order
from engine.order_guards import GUARDS, Look, OperatorResolved, can_arrive_no_more
from engine.state import State
from engine.tables import Cell, Table
from engine.token import TOKEN_LENGTH, journal_mark, order_id, parse_token
from engine.values import InstrumentName, OrderId, OrderType, TimeInForce


@frozen(kw_only=True)
class CancelAsked:
    """A strategy's, an operator's or the engine's own wish to cancel."""

    by: str
    raw: str = ""


@frozen(kw_only=True)
class NotEffective:
    """A query after the request's expiry shows that a cancel or replacement in doubt had no effect."""

    by: str = "engine"
    raw: str = ""


_REQUESTS = {"new": "outcome_unknown_new", "cancel": "outcome_unknown_cancel", "replace": "outcome_unknown_replace"}

REPORT_NAMES: dict[type[Any], Callable[[Any], str]] = {
    inputs.Ack: lambda r: "ack",
    inputs.PendingNewAck: lambda r: "pending_new_ack",
    inputs.Rejected: lambda r: "rejected",
    inputs.Trade: lambda r: "trade",
    inputs.TradeCorrect: lambda r: "trade_correct",
    inputs.TradeCancel: lambda r: "trade_cancel",
    inputs.FeeReported: lambda r: "fee_reported",
    inputs.CancelAcked: lambda r: "cancel_acked",
    inputs.Canceled: lambda r: "canceled",
    inputs.CancelRejected: lambda r: "cancel_rejected",
    inputs.ReplaceAcked: lambda r: "replace_acked",
    inputs.Replaced: lambda r: "replaced",
    inputs.ReplaceRejected: lambda r: "replace_rejected",
    inputs.Expired: lambda r: "expired",
    inputs.DoneForDay: lambda r: "done_for_day",
    inputs.Suspended: lambda r: "suspended",
    inputs.Restated: lambda r: "restated",
    inputs.Triggered: lambda r: "triggered",
    inputs.OutcomeUnknown: lambda r: _REQUESTS[r.request],
    inputs.StatusReport: lambda r: "status_open" if r.status.is_open else "status_closed",
    inputs.NotFound: lambda r: "not_found",
    OperatorResolved: lambda r: "operator_resolved",
    CancelAsked: lambda r: "cancel_requested",
}


def report_name(order: Order, report: Any) -> str:
    """The name of a report in the tables: that an open order is halted says its status too, if no execution is missing
    that has to be known first."""
    halted = isinstance(report, inputs.StatusReport) and report.status in ("suspended", "done_for_day")
    if halted and order.is_open and report.filled <= order.filled:
        return str(report.status)
    return REPORT_NAMES[type(report)](report)


def decide_report(state: State, report: Any, now_ns: int) -> Iterator[Event]:
    """The events of one venue report; an order that nobody knows becomes an external one."""
    order = state.order_of(report.client_order_id, report.venue, report.venue_order_id, report.instrument)
    if order is None:
        yield from _meet_stranger(state, report, now_ns)
        order = state.order_of(report.client_order_id, report.venue, report.venue_order_id, report.instrument)
    if order is not None:
        yield from decide_order(state, order, report, now_ns)


def decide_order(state: State, order: Order, report: Any, now_ns: int) -> Iterator[Event]:
    """The events of a report about a known order, by the first row whose guard holds; none is an anomaly."""
    if isinstance(report, inputs.QueryFailed):
        return  # proves nothing; the next probe is a matter of time
    if isinstance(report, inputs.StatusReport) and _is_reduced_by_twin(state, order, report):
        restated = inputs.Restated(
            venue=report.venue, quantity=report.quantity, venue_order_id=report.venue_order_id,
            transact_ns=report.transact_ns, raw=report.raw,
        )  # fmt: skip
        yield from _by_table(Look(state, order, restated, now_ns), "restated")
        order = state.orders[order.order_id]
    look = Look(state, order, report, now_ns)
    name = report_name(order, report)
    if _is_possible(report):
        yield from _by_table(look, name)
    else:
        yield from surprise_order(look, f"impossible_{name}", f"{name} of {report.quantity}")
    if isinstance(report, inputs.StatusReport):
        yield from _settle_by_status(state, order.order_id, report, now_ns)
    yield from _release_cancel(state, order.order_id, now_ns)


def _is_possible(report: Any) -> bool:
    """Nothing executes, or is corrected to, a quantity of nothing: that would be a bust."""
    return not isinstance(report, (inputs.Trade, inputs.TradeCorrect)) or report.quantity > 0


def _by_table(look: Look, name: str) -> Iterator[Event]:
    cell = find_way(look, name)
    if cell is None:
        detail = f"{name} does not fit an order that is {look.order.status}"
        yield from surprise_order(look, f"unexpected_{name}", detail)
    elif cell.effect:
        yield from EFFECTS[cell.effect](look)


def find_way(look: Look, name: str) -> Cell | None:
    """The way that a report takes: the first whose guard holds; None where the tables have no row for it."""
    table, state = table_of(look.order, name)
    for cell in table.find(state, name):
        if not cell.guard or GUARDS[cell.guard](look):
            return cell
    return None


def table_of(order: Order, name: str) -> tuple[Table, str]:
    """Which of the three tables a report is looked up in, and the order's state there."""
    if name in CANCEL.reports:
        return CANCEL, order.pending_cancel
    if name in REPLACE.reports:
        return REPLACE, order.pending_replace
    return LIFE, order.status


def _release_cancel(state: State, order_id: OrderId, now_ns: int) -> Iterator[Event]:
    """A cancel that waited for the outcome of the order's own request leaves now."""
    order = state.orders[order_id]
    if order.cancel_held and order.is_open and order.status is not PENDING_NEW:
        yield from _by_table(Look(state, order, CancelAsked(by="engine"), now_ns), "cancel_requested")


def _settle_by_status(state: State, order_id: OrderId, report: inputs.StatusReport, now_ns: int) -> Iterator[Event]:
    """An order's status settles a replacement or a cancel in doubt, once the request has expired."""
    order = state.orders[order_id]
    if not order.is_open or order.reported_filled > order.filled:
        return
    if not report.status.is_open:
        yield from _settle_by_end(state, order, report, now_ns)
        return
    if order.pending_replace is not Pending.NONE and order.replacement is not None:
        asked = order.replacement
        if (report.quantity, report.price) == (asked.quantity, asked.price):
            replaced = inputs.Replaced(
                venue=report.venue, quantity=report.quantity, price=report.price,
                venue_order_id=report.venue_order_id, transact_ns=report.transact_ns, raw=report.raw,
            )  # fmt: skip
            yield from _by_table(Look(state, order, replaced, now_ns), "replaced")
        elif order.pending_replace is Pending.IN_DOUBT and can_arrive_no_more(
            Look(state, order, report, now_ns), order.replace_ns
        ):
            yield from _by_table(Look(state, order, NotEffective(), now_ns), "replace_not_effective")
    elif order.origin is Origin.OURS and (report.quantity, report.price) != (order.quantity, order.sent_price):
        yield from _doubt_terms(state, order, report, now_ns)
    order = state.orders[order_id]
    if order.pending_cancel is Pending.IN_DOUBT and now_ns > order.cancel_ns + _window_ns(state, order):
        yield from _by_table(Look(state, order, NotEffective(), now_ns), "cancel_not_effective")


def _is_reduced_by_twin(state: State, order: Order, report: inputs.StatusReport) -> bool:
    """The venue keeps the link, and has taken from this order what its twin executed; the word of it was lost. Only an
    answer that is newer than what is known here says so."""
    description = state.venues[order.venue].description
    links = order.group is not None and description is not None and description.capabilities.links
    is_new = report.asked_ns is not None and report.asked_ns >= order.updated_ns
    is_less = order.is_open and report.quantity < order.quantity and report.price == order.sent_price
    return links and is_new and is_less


def _settle_by_end(state: State, order: Order, report: inputs.StatusReport, now_ns: int) -> Iterator[Event]:
    """Filled at the venue with just what is executed here: it was replaced down to that."""
    asked = order.replacement
    is_down = asked is not None and report.status == "filled" and report.filled == order.filled >= asked.quantity
    if is_down and asked is not None:
        replaced = inputs.Replaced(
            venue=report.venue, quantity=asked.quantity, price=asked.price, venue_order_id=report.venue_order_id,
            transact_ns=report.transact_ns, raw=report.raw,
        )  # fmt: skip
        yield from _by_table(Look(state, order, replaced, now_ns), "replaced")


def _doubt_terms(state: State, order: Order, report: inputs.StatusReport, now_ns: int) -> Iterator[Event]:
    """The venue works other terms than the books. A list may be old, so it is asked about; the answer to a question
    that was asked since the order last changed shuts the instrument until somebody has looked."""
    detail = f"the venue works {report.quantity} at {report.price}, the books {order.quantity} at {order.sent_price}"
    said = list(surprise(state, order.order_id, "terms_differ", detail, report.raw, now_ns))
    yield from said
    if report.asked_ns is None:
        yield from [events.OrderQueried(order_id=order.order_id, why="terms differ")] if said else []
    elif report.asked_ns >= order.updated_ns and state.paused_by(instrument=order.instrument) is None:
        yield pause_instrument(order, "terms_differ", detail)


def _window_ns(state: State, order: Order) -> int:
    description = state.venues[order.venue].description
    return description.absence.after_ns if description else 0


def _meet_stranger(state: State, report: Any, now_ns: int) -> Iterator[Event]:
    """An order of nobody's: booked as external; with our token's form, trading pauses until somebody has looked."""
    archived = _archived_id(state, report)
    if archived is not None:
        if now_ns - state.said.get(f"archived/{archived}", -SAY_AGAIN_NS) >= SAY_AGAIN_NS:
            yield events.ArchivedOrderReported(order_id=archived, raw=bounded(report.raw))
        return
    instrument = state.instruments.get(InstrumentName(str(report.instrument)))
    known = instrument is not None and instrument.venue == report.venue and _is_possible(report)
    known = known and bool(report.client_order_id or report.venue_order_id)
    if not known or not isinstance(report, (inputs.StatusReport, inputs.Trade)) or _is_before_opening(state, report):
        about = report.client_order_id or report.venue_order_id or ""
        if not _is_before_opening(state, report) and not isinstance(report, (inputs.NotFound, inputs.QueryFailed)):
            detail = f"{type(report).__name__} about an order that the journal does not know"
            yield from surprise(state, about, "unknown_order", detail, report.raw, now_ns)
        return
    if isinstance(report, inputs.StatusReport) and not report.status.is_open and not report.filled:
        return
    ours = parse_token(report.client_order_id or "") is not None
    yield events.ExternalOrderSeen(
        order_id=order_id(state.journal_id, state.run, state.seq + 1),
        client_order_id=report.client_order_id, venue_order_id=report.venue_order_id, venue=report.venue,
        instrument=InstrumentName(str(report.instrument)), side=report.side, quantity=report.quantity,
        price=report.price,
        order_type=getattr(report, "order_type", OrderType.LIMIT),
        time_in_force=getattr(report, "time_in_force", TimeInForce.GTC),
        adopted=ours, raw=bounded(report.raw),
    )  # fmt: skip
    if ours:
        detail = f"{report.client_order_id} has the form of our ids, but this journal never requested it"
        yield events.AnomalyRecorded(about=report.venue, anomaly="foreign_order_of_our_form", detail=detail)
        yield events.TradingPaused(
            scope=Scope.ALL, subject_name="", reason="unknown_order_of_our_form", latched=True, detail=detail
        )


def _archived_id(state: State, report: Any) -> OrderId | None:
    """Our own token, of this journal, from an event that lies behind us: the order was archived."""
    token = parse_token(report.client_order_id or "")
    if token is None or token.journal != journal_mark(state.journal_id) or token.seq > state.seq:
        return None
    archived = OrderId(str(report.client_order_id)[:TOKEN_LENGTH])
    return archived if token.seq <= state.archived_to_seq else None


def _is_before_opening(state: State, report: Any) -> bool:
    """An execution from before the account was opened here is in the opening balances."""
    venue = state.venues.get(report.venue)
    opened_ns = venue.opened_ns if venue is not None else 0
    return isinstance(report, inputs.Trade) and report.transact_ns is not None and report.transact_ns <= opened_ns
