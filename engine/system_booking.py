"""What events about the process, the system, the venues and the strategies do to State."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from engine import events
from engine.account import move
from engine.appliers import applies
from engine.events import Event
from engine.inputs import Section
from engine.limits import OnLimit
from engine.order import IllegalEvent, revised
from engine.position import Position, adjust
from engine.recent import forget, note_venue_error
from engine.state import Recorded, State, StrategyState, Venue, Watermark, touch, watermark_key
from engine.system import SYSTEM, VENUE, Pause, SystemState, VenueState, pause_key
from engine.values import OrderId, VenueName, plain

# --- the process, the system, the venues ------------------------------------------------------------------------


@applies(events.ProcessStarted)
def _start(state: State, at: Recorded, event: events.ProcessStarted) -> None:
    state.journal_id, state.run, state.epoch = event.journal_id, event.run, event.epoch
    state.system, state.system_reason, state.started_ns = SystemState.STARTING, "start", at.at_ns
    state.starts_without_trading = 0 if event.clean else state.starts_without_trading + 1
    state.pauses = {key: pause for key, pause in state.pauses.items() if pause.latched}
    state.venues = {
        name: evolve(
            venue,
            state=_venue_moved(state, name, "process_started"),
            awaited=False,
            asked_ns=0,
            retry_ns=0,
            differences=(),
        )
        for name, venue in state.venues.items()
    }
    state.said = {}


@applies(events.ConfigurationAdopted)
def _adopt(state: State, at: Recorded, event: events.ConfigurationAdopted) -> None:
    state.settings = event.settings
    for name in event.settings.strategies:
        state.strategies.setdefault(name, StrategyState())


@applies(events.VenueDescribed)
def _describe(state: State, at: Recorded, event: events.VenueDescribed) -> None:
    venue = state.venues.get(event.venue, Venue())
    state.venues[event.venue] = evolve(venue, description=event.description)
    state.instruments |= {instrument.name: instrument for instrument in event.description.instruments}


@applies(events.ProcessStopped)
def _stop(state: State, at: Recorded, event: events.ProcessStopped) -> None:
    state.system, state.system_reason, state.digested_seq = SystemState.STOPPED, event.reason, at.seq


@applies(events.StateDigested)
def _digest(state: State, at: Recorded, event: events.StateDigested) -> None:
    state.digested_seq = at.seq


@applies(events.ClockJumped, events.OperatorCommanded)
def _note(state: State, at: Recorded, event: Event) -> None:
    if isinstance(event, events.OperatorCommanded) and event.action == "kill":
        _begin_kill(state, at, flatten=event.flatten)
    if isinstance(event, events.OperatorCommanded) and event.action == "resume":
        state.starts_without_trading = 0


def _begin_kill(state: State, at: Recorded, *, flatten: bool) -> None:
    state.killed_seq, state.kill_verified, state.flatten = at.seq, False, flatten
    for name in state.venues:
        _set_venue(state, name, open_orders_seen=None)  # what was shown before proves nothing


@applies(events.LimitTripped)
def _trip(state: State, at: Recorded, event: events.LimitTripped) -> None:
    if event.action is not OnLimit.PAUSE:
        _begin_kill(state, at, flatten=event.action is OnLimit.KILL_AND_FLATTEN)


@applies(events.EquityMarked)
def _mark_equity(state: State, at: Recorded, event: events.EquityMarked) -> None:
    key = watermark_key(event.scope, event.subject_name, event.asset)
    state.watermarks[key] = Watermark(day=event.day, opening=event.opening, peak=event.peak)


@applies(events.KillVerified)
def _verify_kill(state: State, at: Recorded, event: events.KillVerified) -> None:
    state.kill_verified, state.flatten = True, False


SYSTEM_MOVES = frozenset(
    (state, cell.destination)
    for (state, report), cells in SYSTEM.cells.items()
    for cell in cells
    if report not in ("process_started", "process_stopped")
)


@applies(events.SystemChanged)
def _change_system(state: State, at: Recorded, event: events.SystemChanged) -> None:
    if (state.system, event.state) not in SYSTEM_MOVES:
        raise IllegalEvent(f"the system can't go from {state.system} to {event.state}")
    state.system, state.system_reason = SystemState(event.state), event.reason
    if state.system is SystemState.TRADING:
        state.starts_without_trading = 0
    if state.system is SystemState.RECONCILING:
        state.reconciling_since_ns = at.at_ns


@applies(events.TradingPaused)
def _pause(state: State, at: Recorded, event: events.TradingPaused) -> None:
    pause = Pause(
        scope=event.scope, subject=event.subject_name, reason=event.reason,
        latched=event.latched, since_ns=at.at_ns, detail=event.detail,
    )  # fmt: skip
    if pause.key not in state.pauses or pause.latched:
        state.pauses[pause.key] = pause


@applies(events.PauseEnded)
def _end_pause(state: State, at: Recorded, event: events.PauseEnded) -> None:
    del state.pauses[pause_key(event.scope, event.subject_name, event.reason)]
    forget(state, event.scope, event.subject_name, event.reason)


@applies(events.VenueConnected)
def _connect(state: State, at: Recorded, event: events.VenueConnected) -> None:
    moved = _venue_moved(state, event.venue, "connected")
    _set_venue(state, event.venue, state=moved, awaited=False, asked_ns=0, retry_ns=0)


@applies(events.VenueLost)
def _lose(state: State, at: Recorded, event: events.VenueLost) -> None:
    moved = _venue_moved(state, event.venue, "lost")
    _set_venue(state, event.venue, state=moved, awaited=False, asked_ns=0, open_orders_seen=None)


CHECKS = frozenset({"resumed", "max_venue_errors"})
"""Why a venue that is ready has to be compared with the books before it is used again."""


@applies(events.SnapshotRequested)
def _ask(state: State, at: Recorded, event: events.SnapshotRequested) -> None:
    known = state.venues[event.venue].state
    if event.why in CHECKS and known is VenueState.READY:
        known = _venue_moved(state, event.venue, "check_ordered")
    _set_venue(state, event.venue, state=known, asked_seq=at.seq, asked_ns=at.at_ns, awaited=True)


@applies(events.SnapshotMissed)
def _miss(state: State, at: Recorded, event: events.SnapshotMissed) -> None:
    _set_venue(state, event.venue, awaited=False, retry_ns=at.at_ns + state.settings.reconcile.retry_ns)
    note_venue_error(state, event.venue, at.at_ns)


@applies(events.AccountSeen)
def _see_account(state: State, at: Recorded, event: events.AccountSeen) -> None:
    retry_ns = at.at_ns + state.settings.reconcile.retry_ns
    _set_venue(state, event.venue, opening=event.balances, awaited=False, retry_ns=retry_ns)


@applies(events.AccountOpened)
def _open_account(state: State, at: Recorded, event: events.AccountOpened) -> None:
    state.balances[event.venue] = {b.asset: plain(b.free + b.locked) for b in event.balances}
    _set_venue(state, event.venue, opened_ns=event.taken_ns, opening=None)


@applies(events.Reconciled)
def _reconcile(state: State, at: Recorded, event: events.Reconciled) -> None:
    before, shows_all = state.venues[event.venue], Section.OPEN_ORDERS in event.complete
    _set_venue(
        state,
        event.venue,
        state=_venue_moved(state, event.venue, "reconciled" if event.ready else "difference_found"),
        awaited=False,
        reconciled_ns=at.at_ns,
        reconciled_asked_ns=event.asked_ns if Section.EXECUTIONS in event.complete else before.reconciled_asked_ns,
        retry_ns=at.at_ns + state.settings.reconcile.retry_ns if _is_unfinished(event) else 0,
        differences=event.differences if Section.BALANCES in event.complete else before.differences,
        open_orders_seen=event.open_orders if shows_all and event.asked_seq > state.killed_seq else None,
    )


def _is_unfinished(event: events.Reconciled) -> bool:
    """Is the venue asked again soon: not ready, not complete, or with a difference that is shown for the first time?"""
    fresh = any(difference not in event.confirmed for difference in event.differences)
    return not event.ready or fresh or bool(set(Section) - set(event.complete))


def _venue_moved(state: State, name: VenueName, report: str) -> VenueState:
    """Where the venue's table leads."""
    before = state.venues.get(name, Venue()).state
    for cell in VENUE.find(before, report):
        return VenueState(cell.destination)
    raise IllegalEvent(f"the venue {name} is {before}: {report} has no row there")


@applies(events.BalanceAdjusted)
def _adjust_balance(state: State, at: Recorded, event: events.BalanceAdjusted) -> None:
    move(state.balances.setdefault(event.venue, {}), event.asset, event.amount)
    state.last_event_seq[f"{event.venue}/{event.asset}"] = at.seq


@applies(events.PositionAdjusted)
def _adjust_position(state: State, at: Recorded, event: events.PositionAdjusted) -> None:
    held = state.positions.setdefault(event.instrument, {})
    held[event.strategy] = adjust(held.get(event.strategy, Position()), event.quantity)
    instrument = state.instruments[event.instrument]
    move(state.balances.setdefault(event.venue, {}), instrument.base, event.quantity)
    touch(state, event.venue, instrument, at.seq)


@applies(events.AnomalyRecorded)
def _record_anomaly(state: State, at: Recorded, event: events.AnomalyRecorded) -> None:
    state.said[f"{event.anomaly}/{event.about}"] = at.at_ns
    if event.anomaly == "protocol_surprise":
        note_venue_error(state, VenueName(event.about), at.at_ns)
    order = state.orders.get(OrderId(event.about))
    if order is not None:
        state.orders[order.order_id] = revised(order, anomalies=order.anomalies + 1)


# --- strategies -------------------------------------------------------------------------------------------------


@applies(events.StrategyAdvanced)
def _advance(state: State, at: Recorded, event: events.StrategyAdvanced) -> None:
    before = state.strategies.get(event.strategy, StrategyState())
    state.strategies[event.strategy] = evolve(
        before,
        told_seq=event.told_seq,
        untold=tuple(fact for fact in before.untold if fact.seq > event.told_seq),
        memory=before.memory if event.memory is None else event.memory,
    )


@applies(events.StrategyFailed)
def _fail(state: State, at: Recorded, event: events.StrategyFailed) -> None:
    """The pause that follows is an event of its own."""


def _set_venue(state: State, name: VenueName, /, **changes: Any) -> None:
    state.venues[name] = evolve(state.venues.get(name, Venue()), **changes)
