"""decide: the only switch over inputs. Pure and total: it reads State and yields events, and the caller applies each
one at once, so that what is decided next sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from engine import events, inputs
from engine.access import refuse_credentials, throttle_venue
from engine.bars import Bar
from engine.desk import Desk
from engine.events import Event
from engine.funding import book_funding
from engine.guards import watch_refusals
from engine.held_decision import end_sessions, held_due_ns, keep_held
from engine.market import Market
from engine.operator_decision import cancel_all, obey, verify_kill
from engine.order_decision import decide_report
from engine.order_effects import surprise
from engine.registry import describe_venue
from engine.settings import OnStop
from engine.state import State
from engine.strategy_decision import adopt_settings, ask_strategies, save_memory, strategies_due_ns
from engine.style_decision import work_orders
from engine.subscriptions import find_stream, lose_stream
from engine.system_decision import (
    OVERLAP_NS,
    begin_process,
    check_history,
    complete_start,
    connect_venue,
    due_ns,
    is_at_rest,
    lose_venue,
    measure_clock,
    measure_disk,
    move_system,
    pass_time,
    settle_venue_pauses,
    take_snapshot,
)
from engine.trips import watch_limits
from engine.values import SECOND_NS, OrderId, VenueName

ARCHIVED_AT_ONCE = 100


def decide(state: State, market: Market, desk: Desk, seen: inputs.Input, now_ns: int) -> Iterator[Event]:
    """The events of one input. Apply each before asking for the next."""
    bars = market.observe(seen, now_ns)
    if isinstance(seen, inputs.TimePassed):
        bars = market.close_bars(now_ns)
    yield from _decide_input(state, market, desk, seen, now_ns)
    yield from _keep_orders(state, market, seen, now_ns)
    yield from watch_limits(state, market, seen, now_ns)
    yield from watch_refusals(state, seen)
    if not is_at_rest(state):  # nearly always it is, and the loop below is run for each input
        yield from settle_venue_pauses(state)
        yield from move_system(state, now_ns)
        yield from verify_kill(state, seen, now_ns)
    yield from _ask(state, market, desk, seen, bars, now_ns)


def _ask(
    state: State, market: Market, desk: Desk, seen: inputs.Input, bars: tuple[Bar, ...], now_ns: int
) -> Iterator[Event]:
    about = str(getattr(seen, "instrument", ""))
    refusal, remark = market.refusal(seen), market.remark(seen)
    if refusal is not None:
        yield from surprise(state, about, "market_data_refused", refusal, str(seen), now_ns)
        return
    if remark is not None:
        yield from surprise(state, about, "market_data_odd", remark, str(seen), now_ns)
    yield from ask_strategies(state, market, desk, seen, bars, now_ns)


def _keep_orders(state: State, market: Market, seen: inputs.Input, now_ns: int) -> Iterator[Event]:
    """What the engine itself does with orders: those that it holds, ends in time, or works."""
    if state.held_ids or state.timed_ids:
        yield from keep_held(state, market, seen, now_ns)
    if state.worked_ids:
        yield from work_orders(state, market, seen, now_ns)


def _decide_input(state: State, market: Market, desk: Desk, seen: inputs.Input, now_ns: int) -> Iterator[Event]:
    match seen:
        case (
            inputs.Quote()
            | inputs.TradeTick()
            | inputs.BookDelta()
            | inputs.BookSnapshot()
            | inputs.Candle()
            | inputs.DataDropped()
            | inputs.MarkPrice()
        ):
            return
        case inputs.TimePassed():
            yield from pass_time(state, now_ns)
            yield from _archive(state, now_ns)
            yield from _note_silence(state, market, now_ns)
            yield from end_sessions(state, now_ns)
        case inputs.Report():
            yield from decide_report(state, seen, now_ns)
        case inputs.FundingReported():
            yield from book_funding(state, seen, now_ns)
        case inputs.Snapshot():
            yield from take_snapshot(state, seen, now_ns)
        case inputs.SnapshotFailed():
            venue = state.venues.get(seen.venue)
            if venue is not None and venue.awaited and seen.asked_seq == venue.asked_seq:
                yield events.SnapshotMissed(venue=seen.venue, cause=seen.cause)
        case inputs.VenueConnected():
            yield from connect_venue(state, seen)
        case inputs.VenueLost():
            yield from lose_venue(state, seen)
            if state.settings.orders.on_disconnect is OnStop.CANCEL:
                yield from cancel_all(state, "disconnect", now_ns, venue=seen.venue)
        case inputs.VenueThrottled():
            yield from throttle_venue(state, seen, now_ns)
        case inputs.CredentialsRefused():
            yield from refuse_credentials(state, seen)
        case inputs.StreamLost():
            yield from lose_stream(state, seen)
        case inputs.StreamUp():
            yield from find_stream(state, seen)
        case inputs.ClockMeasured():
            yield from measure_clock(state, seen)
        case inputs.ProtocolSurprise():
            yield from surprise(state, seen.venue, "protocol_surprise", "a frame of unknown shape", seen.raw, now_ns)
        case inputs.OperatorCommand():
            yield from obey(state, seen, now_ns)
        case inputs.ProcessBegan():
            yield from begin_process(state, seen, now_ns)
        case inputs.ConfigurationRead():
            yield from adopt_settings(state, seen.settings)
        case inputs.VenueDescribed():
            yield from describe_venue(state, seen.description)
        case inputs.OrderFound():
            if seen.order.order_id not in state.orders:
                yield events.OrderRecalled(order_id=seen.order.order_id, order=seen.order, executions=seen.executions)
        case inputs.HistoryChecked():
            yield from check_history(seen)
        case inputs.VenuesDescribed():
            yield from complete_start(state, now_ns)
        case inputs.ClockJumped():
            yield events.ClockJumped(jump_ns=seen.jump_ns)
        case inputs.DiskMeasured():
            yield from measure_disk(state, seen)


def finish(state: State, desk: Desk, now_ns: int) -> Iterator[Event]:
    """What is still to be journaled before a clean stop: memories that have changed."""
    for seat in desk.seats.values():
        yield from save_memory(state, desk, seat, now_ns, at_once=True)


def next_due_ns(state: State, market: Market, desk: Desk) -> int | None:
    """When the next `TimePassed` has something to do; computed, so that there are no timers to lose."""
    return earliest(state_due_ns(state), seen_due_ns(state, market, desk))


def state_due_ns(state: State) -> int | None:
    """The part of `next_due_ns` that follows from State alone: it stays until the next event."""
    return earliest(due_ns(state), _archive_due_ns(state), held_due_ns(state))


def seen_due_ns(state: State, market: Market, desk: Desk) -> int | None:
    """The part of `next_due_ns` that moves with every input, events or not."""
    silences_ns = [silent_ns for _venue, silent_ns in _silences(state, market)]
    return earliest(market.next_bar_ns(), strategies_due_ns(state, desk), *silences_ns)


def earliest(*times_ns: int | None) -> int | None:
    """The first of some times; None where there is none."""
    found: int | None = None
    for at_ns in times_ns:
        if at_ns is not None and (found is None or at_ns < found):
            found = at_ns
    return found


def _silences(state: State, market: Market) -> Iterator[tuple[VenueName, int]]:
    """The venues in use, and when their market's silence will be worth a word; each silence once."""
    limit_ns = state.settings.reconcile.data_silent_ns
    for venue, last_ns in market.last_data_ns.items():
        if state.is_ready(venue) and state.said.get(f"data_silent/{venue}", 0) < last_ns:
            yield venue, last_ns + limit_ns


def _note_silence(state: State, market: Market, now_ns: int) -> Iterator[Event]:
    """A line can be up and say nothing for hours: that nobody trades then has to be known."""
    for venue, silent_ns in list(_silences(state, market)):
        if now_ns >= silent_ns:
            detail = f"no market data for {state.settings.reconcile.data_silent_ns // SECOND_NS} s"
            yield events.AnomalyRecorded(about=venue, anomaly="data_silent", detail=detail)


def _archive(state: State, now_ns: int) -> Iterator[Event]:
    """Closed orders leave State once they are old, or too many."""
    orders = state.settings.orders
    for order_id, closed_ns in list(islice(_archivable(state), ARCHIVED_AT_ONCE)):
        too_many = len(state.closed_ids) > orders.closed_kept_most
        if not too_many and now_ns < closed_ns + orders.closed_kept_ns:
            return
        if closed_ns >= _settled_until_ns(state):
            return  # a snapshot may still show its executions
        yield events.OrderArchived(order_id=order_id)


def _archivable(state: State) -> Iterator[tuple[OrderId, int]]:
    """Closed orders, the oldest first, but those that an order still follows: its entry, its twins."""
    followed = {order.parent for order in state.open_orders() if order.parent} if state.linked or state.held_ids else ()
    for order_id, closed_ns in state.closed_ids.items():
        group = state.orders[order_id].group
        is_twin = group is not None and any(other in state.open_ids for other in state.linked.get(group, ()))
        if order_id not in followed and not is_twin:
            yield order_id, closed_ns


def _settled_until_ns(state: State) -> int:
    """No snapshot asks for executions from before this time any more."""
    asked = [venue.reconciled_asked_ns for _name, venue in state.used_venues()]
    return min(asked, default=0) - 2 * OVERLAP_NS


def _archive_due_ns(state: State) -> int | None:
    oldest_ns = next((closed_ns for _order_id, closed_ns in _archivable(state)), None)
    if oldest_ns is None or oldest_ns >= _settled_until_ns(state):
        return None
    if len(state.closed_ids) > state.settings.orders.closed_kept_most:
        return 0
    return oldest_ns + state.settings.orders.closed_kept_ns
