"""What events about the process, the system, the venues and the strategies do to State."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from engine import events
from engine.appliers import applies
from engine.events import Event
from engine.state import Recorded, State, StrategyState, Venue
from engine.system import Pause, SystemState, VenueState, pause_key
from engine.values import OrderId, VenueName, plain

# --- the process, the system, the venues ------------------------------------------------------------------------


@applies(events.ProcessStarted)
def _start(state: State, at: Recorded, event: events.ProcessStarted) -> None:
    state.journal_id, state.run, state.epoch = event.journal_id, event.run, event.epoch
    state.system, state.system_reason, state.started_ns = SystemState.STARTING, "start", at.at_ns
    state.starts_without_trading = 0 if event.clean else state.starts_without_trading + 1
    state.pauses = {key: pause for key, pause in state.pauses.items() if pause.latched}
    state.venues = {
        name: evolve(venue, state=VenueState.DOWN, awaited=False, asked_ns=0, retry_ns=0, differences=())
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
        state.killed_seq, state.kill_verified, state.flatten = at.seq, False, event.flatten
    if isinstance(event, events.OperatorCommanded) and event.action == "resume":
        state.starts_without_trading = 0


@applies(events.KillVerified)
def _verify_kill(state: State, at: Recorded, event: events.KillVerified) -> None:
    state.kill_verified, state.flatten = True, False


@applies(events.SystemChanged)
def _change_system(state: State, at: Recorded, event: events.SystemChanged) -> None:
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


@applies(events.VenueConnected)
def _connect(state: State, at: Recorded, event: events.VenueConnected) -> None:
    _set_venue(state, event.venue, state=VenueState.RECONCILING, awaited=False, asked_ns=0, retry_ns=0)


@applies(events.VenueLost)
def _lose(state: State, at: Recorded, event: events.VenueLost) -> None:
    _set_venue(state, event.venue, state=VenueState.DOWN, awaited=False, asked_ns=0, open_orders_seen=None)


@applies(events.SnapshotRequested)
def _ask(state: State, at: Recorded, event: events.SnapshotRequested) -> None:
    known = state.venues[event.venue].state
    down_to = VenueState.RECONCILING if event.why == "resumed" and known is VenueState.READY else known
    _set_venue(state, event.venue, state=down_to, asked_seq=at.seq, asked_ns=at.at_ns, awaited=True)


@applies(events.SnapshotMissed)
def _miss(state: State, at: Recorded, event: events.SnapshotMissed) -> None:
    _set_venue(state, event.venue, awaited=False, retry_ns=at.at_ns + state.settings.reconcile.retry_ns)


@applies(events.AccountOpened)
def _open_account(state: State, at: Recorded, event: events.AccountOpened) -> None:
    state.balances[event.venue] = {b.asset: plain(b.free + b.locked) for b in event.balances}
    _set_venue(state, event.venue, opened_ns=event.taken_ns)


@applies(events.Reconciled)
def _reconcile(state: State, at: Recorded, event: events.Reconciled) -> None:
    before = state.venues[event.venue]
    _set_venue(
        state,
        event.venue,
        state=_reconciled_state(before.state, event.ready),
        awaited=False,
        reconciled_ns=at.at_ns,
        reconciled_asked_ns=event.asked_ns,
        retry_ns=at.at_ns + state.settings.reconcile.retry_ns if _is_unfinished(event) else 0,
        differences=event.differences,
        open_orders_seen=event.open_orders if event.asked_seq > state.killed_seq else None,
    )


def _is_unfinished(event: events.Reconciled) -> bool:
    """Is the venue asked again soon, because it is not ready, or shows a difference for the first time?"""
    return not event.ready or any(difference not in event.confirmed for difference in event.differences)


def _reconciled_state(before: VenueState, ready: bool) -> VenueState:
    if before is VenueState.DOWN:
        return before
    return VenueState.READY if ready else VenueState.RECONCILING


@applies(events.AnomalyRecorded)
def _record_anomaly(state: State, at: Recorded, event: events.AnomalyRecorded) -> None:
    state.said[f"{event.anomaly}/{event.about}"] = at.at_ns
    order = state.orders.get(OrderId(event.about))
    if order is not None:
        state.orders[order.order_id] = evolve(order, anomalies=order.anomalies + 1)


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
