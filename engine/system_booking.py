"""What events about the process, the system, the venues and the strategies do to State."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from engine import events
from engine.account import move
from engine.appliers import applies
from engine.events import Event
from engine.inputs import Section, VenuePosition
from engine.instrument import Instrument
from engine.limits import OnLimit
from engine.order import IllegalEvent, revised
from engine.position import Position, adjust, fund
from engine.recent import forget, note_venue_error
from engine.state import (
    NOBODY,
    REJECT_RATE,
    MissingStream,
    Recorded,
    State,
    StrategyState,
    Venue,
    Watermark,
    funding_key,
    position_to_book,
    touch,
    watermark_key,
)
from engine.system import SYSTEM, VENUE, Pause, SystemState, VenueState, pause_key
from engine.values import EXACT, ZERO, OrderId, VenueName, plain

FUNDINGS_REMEMBERED = 10_000
"""Funding payments that a report is compared with, so that none is booked twice; the oldest go first."""

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
            missing_streams=(),
            differences=(),
            confirmed=(),
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
    listed = {instrument.name for instrument in event.description.instruments}
    for name, instrument in state.instruments.items():
        if instrument.venue == event.venue:
            state.unlisted.pop(name, None) if name in listed else state.unlisted.setdefault(name, None)
            _renew_multiplier(state, instrument)


def _renew_multiplier(state: State, instrument: Instrument) -> None:
    """What is flat goes on under the contract's new multiplier; what is open keeps the one that it was opened under."""
    held = state.positions.get(instrument.name, {})
    for strategy, position in held.items():
        if not position.quantity and position.multiplier != instrument.multiplier:
            held[strategy] = evolve(position, multiplier=instrument.multiplier)
    net = state.nets.get(instrument.name)
    if net is not None and not net.quantity:
        state.nets[instrument.name] = evolve(net, multiplier=instrument.multiplier)


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
    if event.reason == REJECT_RATE:
        state.outcomes = ()  # whoever resumed has seen them


@applies(events.VenueThrottled)
def _throttle(state: State, at: Recorded, event: events.VenueThrottled) -> None:
    _set_venue(state, event.venue, throttled_until_ns=event.until_ns)


@applies(events.StreamLost)
def _lose_stream(state: State, at: Recorded, event: events.StreamLost) -> None:
    missing = (*state.venues[event.venue].missing_streams, MissingStream(event.stream, event.instrument))
    _set_venue(state, event.venue, missing_streams=missing)


@applies(events.StreamRestored)
def _restore_stream(state: State, at: Recorded, event: events.StreamRestored) -> None:
    found = MissingStream(event.stream, event.instrument)
    missing = tuple(each for each in state.venues[event.venue].missing_streams if each != found)
    _set_venue(state, event.venue, missing_streams=missing)


@applies(events.VenueConnected)
def _connect(state: State, at: Recorded, event: events.VenueConnected) -> None:
    moved = _venue_moved(state, event.venue, "connected")
    _set_venue(state, event.venue, state=moved, awaited=False, asked_ns=0, retry_ns=0)


@applies(events.VenueLost)
def _lose(state: State, at: Recorded, event: events.VenueLost) -> None:
    moved = _venue_moved(state, event.venue, "lost")
    _set_venue(state, event.venue, state=moved, awaited=False, asked_ns=0, open_orders_seen=None, missing_streams=())


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
    _set_venue(
        state, event.venue, opening=event.balances, opening_positions=event.positions, awaited=False, retry_ns=retry_ns
    )


@applies(events.AccountOpened)
def _open_account(state: State, at: Recorded, event: events.AccountOpened) -> None:
    state.balances[event.venue] = {b.asset: plain(b.free + b.locked) for b in event.balances}
    for row in event.positions:
        _open_position(state, state.instruments[row.instrument], row)
    _set_venue(
        state, event.venue, opened_ns=event.taken_ns, opening=None, opening_positions=(), shown=event.balances,
        shown_ns=at.at_ns,
    )  # fmt: skip


def _open_position(state: State, instrument: Instrument, row: VenuePosition) -> None:
    """A contract that was held before the first event: nobody's, at the venue's average price where it tells one."""
    multiplier = instrument.multiplier
    cost = EXACT.multiply(EXACT.multiply(row.quantity, row.average_price or ZERO), multiplier)
    opened = Position(quantity=plain(row.quantity), cost=plain(cost), multiplier=multiplier)
    state.positions.setdefault(row.instrument, {})[NOBODY] = opened
    state.nets[row.instrument] = opened


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
        retry_ns=at.at_ns + state.settings.reconcile.retry_ns if _is_unfinished(before, event) else 0,
        differences=event.differences if Section.BALANCES in event.complete else before.differences,
        confirmed=event.confirmed,
        tolerated=event.tolerated,
        margin=event.margin if Section.POSITIONS in event.complete else before.margin,
        liquidation_prices=(
            event.liquidation_prices if Section.POSITIONS in event.complete else before.liquidation_prices
        ),
        shown=before.shown if event.balances is None else event.balances,
        shown_ns=at.at_ns if Section.BALANCES in event.complete else before.shown_ns,
        open_orders_seen=event.open_orders if shows_all and event.asked_seq > state.killed_seq else None,
    )


def _is_unfinished(venue: Venue, event: events.Reconciled) -> bool:
    """Is the venue asked again soon: not ready, not complete, or with a difference that is shown for the first time?"""
    fresh = any(difference not in event.confirmed for difference in event.differences)
    return not event.ready or fresh or bool(venue.wanted_sections - set(event.complete))


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
    position = position_to_book(state, event.instrument, event.strategy)
    state.positions[event.instrument][event.strategy] = adjust(position, event.quantity, event.price)
    instrument = state.instruments[event.instrument]
    if instrument.is_spot:
        move(state.balances.setdefault(event.venue, {}), instrument.base, event.quantity)
    else:
        net = state.nets.get(event.instrument) or Position(multiplier=position.multiplier)
        state.nets[event.instrument] = adjust(net, event.quantity, event.price)
    touch(state, event.venue, instrument, at.seq)


@applies(events.FundingBooked)
def _book_funding(state: State, at: Recorded, event: events.FundingBooked) -> None:
    key = funding_key(event.venue, event.instrument, event.funding_id)
    if key in state.fundings:
        raise IllegalEvent(f"funding {key} is booked")
    state.fundings[key] = at.seq
    if len(state.fundings) > FUNDINGS_REMEMBERED:
        del state.fundings[next(iter(state.fundings))]
    for strategy, share in event.shares.items():
        position = position_to_book(state, event.instrument, strategy)
        state.positions[event.instrument][strategy] = fund(position, share)
    move(state.balances.setdefault(event.venue, {}), event.asset, event.amount)
    state.last_event_seq[f"{event.venue}/{event.asset}"] = at.seq


@applies(events.InstrumentChanged)
def _note_change(state: State, at: Recorded, event: events.InstrumentChanged) -> None:
    """The new terms came with `VenueDescribed`; this is how they are read."""


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
