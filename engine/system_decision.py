"""What the system and its venues do next: starts, connections, snapshots, operators, disk and clock."""

from __future__ import annotations

from collections.abc import Iterator

from engine import events, inputs
from engine.access import end_throttles, pause_throttled, throttles_due_ns
from engine.drift import treat_drift
from engine.events import Difference, Event
from engine.funding import book_funding
from engine.inputs import RequestKind, Scope, Section
from engine.order import IN_DOUBT, PENDING_NEW, Order, Pending
from engine.order_decision import decide_order, decide_report
from engine.order_effects import pause_instrument, surprise
from engine.reconciliation import compare, confirmed, doubled, orders_to_query, reports_of
from engine.state import State, Venue
from engine.subscriptions import end_stream_pauses
from engine.system import PAUSED, RECONCILING, STOPPED, SYSTEM, TRADING, Pause, SystemState, VenueState
from engine.values import (
    SECOND_NS,
    VenueName,
)

STARTS_WITHOUT_TRADING_MOST = 5
OVERLAP_NS = 60 * SECOND_NS
PROBE_SLOWEST_NS = 30 * SECOND_NS
PROBES_BEFORE_ALERT = 12


# --- a start ----------------------------------------------------------------------------------------------------


def begin_process(state: State, began: inputs.ProcessBegan, now_ns: int) -> Iterator[Event]:
    """A start: what was outstanding when the last process ended is unknown from here on."""
    lost_tail = began.head_seq is not None and began.head_seq > state.seq
    yield events.ProcessStarted(
        run=began.run, epoch=began.epoch, pid=began.pid, release=began.release, clean=began.clean,
        head_seq=began.head_seq, journal_id=began.journal_id,
    )  # fmt: skip
    if lost_tail:
        detail = f"the head file remembers seq {began.head_seq}: the journal's tail is lost, or it is an old copy"
        yield pause_all("lost_tail", latched=True, detail=detail)
    if state.starts_without_trading > STARTS_WITHOUT_TRADING_MOST:
        detail = f"{state.starts_without_trading - 1} starts in a row never traded"
        yield pause_all("crash_loop", latched=True, detail=detail)
    for order in list(state.open_orders()):
        yield from _doubt_outstanding(state, order, now_ns)


def _doubt_outstanding(state: State, order: Order, now_ns: int) -> Iterator[Event]:
    for request, _sent_ns in _outstanding(order):
        report = inputs.OutcomeUnknown(venue=order.venue, request=request, cause="restart")
        yield from decide_order(state, state.orders[order.order_id], report, now_ns)


def _outstanding(order: Order) -> list[tuple[RequestKind, int]]:
    """The requests about an order that have left and have no outcome yet, and since when."""
    sent = (
        (order.status is PENDING_NEW, RequestKind.NEW, order.requested_ns),
        (order.pending_cancel is Pending.SENT and not order.cancel_held, RequestKind.CANCEL, order.cancel_ns),
        (order.pending_replace is Pending.SENT, RequestKind.REPLACE, order.replace_ns),
    )
    return [(request, ns) for is_sent, request, ns in sent if is_sent]


def complete_start(state: State, now_ns: int) -> Iterator[Event]:
    """All venues are described: compare with them before anything is sent."""
    yield from _move(state, "venues_described", "start")
    for name, _venue in list(state.used_venues()):
        yield from pause_throttled(state, name, now_ns)


# --- venues -----------------------------------------------------------------------------------------------------


def connect_venue(state: State, connected: inputs.VenueConnected) -> Iterator[Event]:
    """Streams are up: compare before use."""
    yield events.VenueConnected(venue=connected.venue)
    yield ask_snapshot(state, connected.venue, "connected")


def lose_venue(state: State, lost: inputs.VenueLost) -> Iterator[Event]:
    """Streams are gone."""
    known = state.venues.get(lost.venue)
    if known is not None and known.state is not VenueState.DOWN:
        yield events.VenueLost(venue=lost.venue, cause=lost.cause)
        yield from end_stream_pauses(state, lost.venue)


def ask_snapshot(state: State, venue: VenueName, why: str) -> Event:
    """Executions are asked for with an overlap: what is known already is booked once."""
    known = state.venues[venue]
    if not known.opened_ns:
        return events.SnapshotRequested(venue=venue, why=why, since_ns=state.at_ns)
    since_ns = known.reconciled_asked_ns or known.opened_ns
    return events.SnapshotRequested(venue=venue, why=why, since_ns=max(since_ns - OVERLAP_NS, known.opened_ns))


def take_snapshot(state: State, snapshot: inputs.Snapshot, now_ns: int) -> Iterator[Event]:
    """Book what the snapshot shows, ask about what it does not show, and say what came of it."""
    venue = state.venues.get(snapshot.venue)
    if venue is None or not venue.awaited or venue.asked_seq != snapshot.asked_seq:
        detail = f"an answer to seq {snapshot.asked_seq}, which is not awaited"
        yield from surprise(state, snapshot.venue, "stale_snapshot", detail, "", now_ns)
        return
    if not venue.opened_ns:
        opened = _open_account(state, venue, snapshot)
        yield opened
        if not isinstance(opened, events.AccountOpened):
            return
    seq_before, executions_before = state.seq, len(state.executions)
    in_doubt_before = sum(1 for order in state.open_orders() if order.is_in_doubt)
    for report in reports_of(snapshot):
        yield from decide_report(state, report, now_ns)
    for paid in sorted(snapshot.fundings, key=lambda paid: (paid.transact_ns, paid.instrument, paid.funding_id)):
        yield from book_funding(state, paid, now_ns)
    for order, ids in doubled(state, snapshot):
        detail = f"the venue works {len(ids)} orders under its id: {', '.join(ids)}"
        yield from surprise(state, order.order_id, "doubled_order", detail, "", now_ns)
        if state.paused_by(instrument=order.instrument) is None:
            yield pause_instrument(order, "doubled_order", detail)
    for order in orders_to_query(state, snapshot):
        if order.queried_ns <= snapshot.asked_ns:
            yield events.OrderQueried(order_id=order.order_id, why="not in the list of open orders")
    compared = compare(state, snapshot, venue.differences)
    found = compared.found
    shown = confirmed(venue.differences, compared.shown)
    lasting = (*shown, *confirmed(venue.confirmed, compared.carried))
    yield from treat_drift(state, snapshot, shown, found, now_ns)
    in_doubt_after = sum(1 for order in state.open_orders() if order.is_in_doubt)
    yield events.Reconciled(
        venue=snapshot.venue, asked_seq=snapshot.asked_seq, asked_ns=snapshot.asked_ns, taken_ns=snapshot.taken_ns,
        complete=tuple(sorted(snapshot.complete)), open_orders=len(snapshot.open_orders),
        executions=len(snapshot.executions), executions_booked=len(state.executions) - executions_before,
        orders_settled=max(in_doubt_before - in_doubt_after, 0) if state.seq > seq_before else 0,
        differences=found, confirmed=lasting, ready=_is_explained(venue, snapshot, found, lasting),
        tolerated=compared.tolerated, balances=_news(venue, snapshot), margin=snapshot.margin,
        liquidation_prices={
            row.instrument: row.liquidation_price for row in sorted(snapshot.positions, key=lambda row: row.instrument)
            if row.liquidation_price is not None
        },
    )  # fmt: skip


def _open_account(state: State, venue: Venue, snapshot: inputs.Snapshot) -> Event:
    """The first books of an account: what two successive snapshots show alike, so that a stale one opens nothing."""
    balances = tuple(sorted(snapshot.balances, key=lambda b: b.asset))
    positions = _positions_held(state, snapshot)
    for section in (Section.BALANCES, Section.POSITIONS):
        if section in venue.wanted_sections - set(snapshot.complete):
            return events.SnapshotMissed(venue=snapshot.venue, cause=f"{section} are not complete")
    if venue.opening != balances or venue.opening_positions != positions:
        return events.AccountSeen(venue=snapshot.venue, balances=balances, positions=positions)
    account = venue.description.account if venue.description else ""
    return events.AccountOpened(
        venue=snapshot.venue, account=account, taken_ns=snapshot.taken_ns, balances=balances, positions=positions
    )


def _positions_held(state: State, snapshot: inputs.Snapshot) -> tuple[inputs.VenuePosition, ...]:
    """The contracts of ours that are held; at what price they are marked is another one each time."""
    held = (
        inputs.VenuePosition(row.instrument, row.quantity, row.average_price)
        for row in snapshot.positions
        if row.quantity and row.instrument in state.instruments
    )
    return tuple(sorted(held, key=lambda row: row.instrument))


def _news(venue: Venue, snapshot: inputs.Snapshot) -> tuple[inputs.Balance, ...] | None:
    """The balances, where they are not those that were shown before."""
    balances = tuple(sorted(snapshot.balances, key=lambda balance: balance.asset))
    return balances if Section.BALANCES in snapshot.complete and balances != venue.shown else None


def _is_explained(
    venue: Venue,
    snapshot: inputs.Snapshot,
    found: tuple[Difference, ...],
    lasting: tuple[Difference, ...],
) -> bool:
    """May the venue be used? All sections complete; a new difference keeps it from becoming ready, and a lasting one is
    covered by what the policy made of it."""
    if venue.wanted_sections - set(snapshot.complete):
        return venue.state is VenueState.READY
    fresh = [difference for difference in found if difference not in lasting]
    return venue.state is VenueState.READY or not fresh


def measure_clock(state: State, measured: inputs.ClockMeasured) -> Iterator[Event]:
    """A venue whose clock is off by more than half the request expiry is not used. What was measured may be wrong by
    half the round trip: an answer that came late neither shuts nor opens anything."""
    pause = next((p for p in state.pauses.values() if p.reason == "clock_skew" and p.subject == measured.venue), None)
    limit_ns, doubt_ns = state.settings.orders.expiry_ns // 2, measured.round_trip_ns // 2
    off_ns = abs(measured.offset_ns)
    if off_ns - doubt_ns > limit_ns and pause is None:
        yield events.TradingPaused(
            scope=Scope.VENUE, subject_name=measured.venue, reason="clock_skew", latched=False,
            detail=f"the venue's clock is {measured.offset_ns} ns ahead of ours",
        )  # fmt: skip
    elif off_ns + doubt_ns <= limit_ns and pause is not None:
        yield end_pause(pause)


def measure_disk(state: State, measured: inputs.DiskMeasured) -> Iterator[Event]:
    """Below the threshold trading pauses, while there is still room to say so."""
    least = state.settings.disk.min_free_bytes
    pause = next((p for p in state.pauses.values() if p.reason == "disk_low"), None)
    if measured.free_bytes < least and pause is None:
        detail = f"{measured.free_bytes} bytes are free, at least {least} must be"
        yield pause_all("disk_low", latched=False, detail=detail)
    elif measured.free_bytes >= least + least // 4 and pause is not None:
        yield end_pause(pause)


def check_history(checked: inputs.HistoryChecked) -> Iterator[Event]:
    """The rest of the journal was verified after the start; what can't be proven may not be traded on."""
    if checked.problem:
        yield pause_all("history_damaged", latched=True, detail=checked.problem)


# --- what is due ------------------------------------------------------------------------------------------------


def pass_time(state: State, now_ns: int) -> Iterator[Event]:
    """Snapshots, probes and silences that are due; computed from State, so a restart loses no timer."""
    limit_ns = state.settings.orders.outcome_limit_ns
    yield from end_throttles(state, now_ns)
    for name, venue in list(state.used_venues()):
        if venue.state is VenueState.DOWN:
            continue
        if venue.awaited and now_ns >= venue.asked_ns + state.settings.reconcile.answer_limit_ns:
            yield events.SnapshotMissed(venue=name, cause="no answer")
        elif snapshot_due_ns(state, venue) <= now_ns:
            yield ask_snapshot(state, name, "retry" if venue.retry_ns else "periodic")
    for order in list(state.open_orders()):
        silent = [request for request, ns in _outstanding(order) if now_ns >= ns + limit_ns]
        for request in silent:
            report = inputs.OutcomeUnknown(venue=order.venue, request=request, cause="no outcome")
            yield from decide_order(state, state.orders[order.order_id], report, now_ns)
        may_ask = not silent and needs_probe(order) and state.is_connected(order.venue)
        if may_ask and probe_due_ns(state, order) <= now_ns:
            yield events.OrderQueried(order_id=order.order_id, why="still in doubt")
            if order.queries == PROBES_BEFORE_ALERT:
                detail = f"{order.queries} questions have not settled it"
                yield events.AnomalyRecorded(about=order.order_id, anomaly="long_in_doubt", detail=detail)


def due_ns(state: State) -> int | None:
    """When `pass_time` next has something to do."""
    found = throttles_due_ns(state) + [
        venue.asked_ns + state.settings.reconcile.answer_limit_ns if venue.awaited else snapshot_due_ns(state, venue)
        for _name, venue in state.used_venues()
        if venue.state is not VenueState.DOWN
    ]
    for order in state.open_orders():
        found += [ns + state.settings.orders.outcome_limit_ns for _request, ns in _outstanding(order)]
        if needs_probe(order) and state.is_connected(order.venue):
            found.append(probe_due_ns(state, order))
    if state.system is RECONCILING and any(not _is_settled(state, *used) for used in state.used_venues()):
        found.append(state.reconciling_since_ns + state.settings.reconcile.start_limit_ns)
    return min(found, default=None)


def needs_probe(order: Order) -> bool:
    """Is there something about the order that only a question can settle?"""
    return order.status is IN_DOUBT or order.is_in_doubt


def snapshot_due_ns(state: State, venue: Venue) -> int:
    """When the venue is asked next: soon after a difference or a failure, else in the configured rhythm."""
    killing = not state.kill_verified and any(pause.reason == "kill" for pause in state.pauses.values())
    if venue.retry_ns or killing:
        return max(venue.retry_ns, venue.asked_ns + state.settings.reconcile.retry_ns, venue.throttled_until_ns)
    return max(venue.asked_ns + state.settings.reconcile.every_ns, venue.throttled_until_ns)


def probe_due_ns(state: State, order: Order) -> int:
    """When the order is asked about next: at the policy's pace, slower once it has not helped."""
    venue = state.venues[order.venue]
    every_ns = venue.description.absence.probe_every_ns if venue.description else SECOND_NS
    due_ns = order.queried_ns + min(every_ns << min(max(order.queries - 6, 0), 16), PROBE_SLOWEST_NS)
    return max(due_ns, venue.throttled_until_ns)


# --- the system's own moves -------------------------------------------------------------------------------------


def is_at_rest(state: State) -> bool:
    """Does it trade, with every venue ready and nothing paused (a kill is a pause too)? Then it has no move."""
    if state.system is not TRADING or state.pauses:
        return False
    for name in state.settings.venues:  # those without a venue in State are not in use yet
        venue = state.venues.get(name)
        if venue is not None and venue.state is not VenueState.READY:
            return False
    return True


def move_system(state: State, now_ns: int) -> Iterator[Event]:
    """The moves that follow from what is true now, until there is none left."""
    while True:
        made = False
        for event in _next_move(state, now_ns):
            made = True
            yield event
        if not made:
            return


def _next_move(state: State, now_ns: int) -> Iterator[Event]:
    if state.system is RECONCILING:
        yield from _leave_reconciling(state, now_ns)
    elif state.system is TRADING:
        yield from _leave_trading(state)
    elif state.system is PAUSED and shut_pause(state) is None:
        yield from _move(state, "pauses_ended", "resumed")
        for name, venue in list(state.used_venues()):
            if venue.state is VenueState.READY or (venue.state is VenueState.RECONCILING and not venue.awaited):
                yield ask_snapshot(state, name, "resumed")


def _leave_reconciling(state: State, now_ns: int) -> Iterator[Event]:
    waiting = [name for name, venue in state.used_venues() if not _is_settled(state, name, venue)]
    pause = shut_pause(state)
    if not waiting:
        usable = any(venue.state is VenueState.READY for _name, venue in state.used_venues())
        if pause is not None:
            yield from _move(state, "venues_ready", pause.reason, is_paused=True)
        elif usable:
            yield from _move(state, "venues_ready", "reconciled")
    elif now_ns >= state.reconciling_since_ns + state.settings.reconcile.start_limit_ns:
        for name in waiting:
            detail = "not ready within the start limit"
            yield events.TradingPaused(
                scope=Scope.VENUE, subject_name=name, reason="not_ready", latched=False, detail=detail
            )
        if len(waiting) == len(state.settings.venues) and pause is None:
            yield pause_all("no_venue", latched=False, detail="no venue became ready within the start limit")
            yield from _move(state, "start_limit_passed", "no_venue")


def _leave_trading(state: State) -> Iterator[Event]:
    pause = shut_pause(state)
    if pause is not None:
        yield from _move(state, "paused", pause.reason)
        return
    for name, venue in state.used_venues():
        if not _is_settled(state, name, venue):
            reason = "venue_lost" if venue.state is VenueState.DOWN else "difference_found"
            yield from _move(state, reason, f"{name}: {reason}")
            return


def settle_venue_pauses(state: State) -> Iterator[Event]:
    """Pauses for want of a venue end when it is ready."""
    for pause in list(state.pauses.values()):
        venue = state.venues.get(VenueName(pause.subject))
        if pause.reason == "not_ready" and venue is not None and venue.state is VenueState.READY:
            yield end_pause(pause)
        if pause.reason == "no_venue" and any(v.state is VenueState.READY for _name, v in state.used_venues()):
            yield end_pause(pause)


def _is_settled(state: State, name: VenueName, venue: Venue) -> bool:
    """Ready, or out of use for a stated reason."""
    return venue.state is VenueState.READY or venue_pause(state, name) is not None


def shut_pause(state: State) -> Pause | None:
    """What keeps everything shut: a pause of all, or one of each venue."""
    of_venues = [venue_pause(state, name) for name, _venue in state.used_venues()]
    return all_pause(state) or (of_venues[0] if all(of_venues) and of_venues else None)


def venue_pause(state: State, name: VenueName) -> Pause | None:
    """The first pause of this venue."""
    return next((p for p in state.pauses.values() if p.scope is Scope.VENUE and p.subject == name), None)


def all_pause(state: State) -> Pause | None:
    """The first pause that covers everything."""
    return next((pause for pause in state.pauses.values() if pause.scope is Scope.ALL), None)


def _move(state: State, report: str, reason: str, *, is_paused: bool = False) -> Iterator[Event]:
    """A move of the system's table; a report that has no row there is our own bug."""
    for cell in SYSTEM.find(state.system, report):
        if not cell.guard or is_paused:
            if cell.destination != state.system:
                yield events.SystemChanged(state=cell.destination, reason=reason)
            return
    raise LookupError(f"the system's table has no row for {report} in {state.system}")


def stop_process(state: State, reason: str, digest: str, fold_version: int) -> Event:
    """The last event of a run."""
    assert SYSTEM.find(state.system, "process_stopped")[0].destination == STOPPED == SystemState.STOPPED
    return events.ProcessStopped(reason=reason, state_digest=digest, fold_version=fold_version)


def pause_all(reason: str, *, latched: bool, detail: str) -> Event:
    """A pause of everything."""
    return events.TradingPaused(scope=Scope.ALL, subject_name="", reason=reason, latched=latched, detail=detail)


def end_pause(pause: Pause) -> Event:
    """The end of a pause."""
    return events.PauseEnded(scope=pause.scope, subject_name=pause.subject, reason=pause.reason)
