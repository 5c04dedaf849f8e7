"""What the limits count: recent requests, refusals and executions, fees of the day, errors of a venue.

Kept only while a limit is configured that asks for it, so that nobody pays for what is not used.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal

from attrs import evolve, frozen

from engine.limits import ByIdentity, Limits, Risk
from engine.order import Order
from engine.sessions import trading_day
from engine.state import State
from engine.values import EXACT, SECOND_NS, ZERO, VenueName, plain

COUNTED_MOST = 1_000
"""Times that are kept of one strategy on one instrument; a limit that counts them may not be greater."""

MINUTE_NS = 60 * SECOND_NS


@frozen
class Tracked:
    """One thing that is counted: for how long, and how many of it."""

    within_ns: int
    most: int


def _tracked(risk: Risk) -> dict[str, Tracked]:
    """What some limit asks for."""
    within: dict[str, int] = {}
    for scope, _subject, limits in risk.scopes():
        for what, ns in _asked_for(scope, limits):
            within[what] = max(within.get(what, 0), ns)
    return {what: Tracked(ns, 1 if what in ("fill", "loss") else COUNTED_MOST) for what, ns in within.items()}


def _asked_for(scope: str, limits: Limits) -> Iterator[tuple[str, int]]:
    has_rate = limits.max_orders_per_minute is not None or limits.max_orders_per_second is not None
    if scope != "account" and has_rate:  # the account's are kept for every journal
        yield "request", MINUTE_NS
    if limits.max_rejects is not None:
        yield "reject", limits.rejects_within_ns
    if limits.max_repeated_executions is not None:
        yield "execution", limits.repeated_executions_within_ns
    if limits.cool_down_after_fill_ns is not None:
        yield "fill", limits.cool_down_after_fill_ns
    if limits.cool_down_after_loss_ns is not None:
        yield "loss", limits.cool_down_after_loss_ns


TRACKED = ByIdentity(_tracked)


def remember(state: State, what: str, order: Order, at_ns: int) -> None:
    """Note that this happened to an order, if a limit asks for it."""
    tracked = TRACKED.of(state.settings.risk).get(what)
    if tracked is None:
        return
    key = f"{what}/{order.strategy}/{order.instrument}"
    times = state.recent.get(key, ())
    kept = times[bisect_right(times, at_ns - tracked.within_ns) :]
    state.recent[key] = (*kept, at_ns)[-tracked.most :]


def times_of(state: State, what: str, strategy: str | None, instrument: str | None) -> Iterator[tuple[int, ...]]:
    """The times that were noted, of all strategies and instruments or of one (None: any)."""
    if strategy is not None and instrument is not None:
        yield state.recent.get(f"{what}/{strategy}/{instrument}", ())
        return
    for key, times in state.recent.items():
        kind, of_strategy, of_instrument = key.split("/")
        if kind == what and strategy in (None, of_strategy) and instrument in (None, of_instrument):
            yield times


def count_since(state: State, what: str, strategy: str | None, instrument: str | None, since_ns: int) -> int:
    """How often it happened after `since_ns`."""
    return sum(len(times) - bisect_right(times, since_ns) for times in times_of(state, what, strategy, instrument))


def add_fee(state: State, order: Order, fee: Decimal, asset: str, at_ns: int) -> None:
    """Count a fee to the day that it was booked on."""
    measures = state.settings.risk.measures
    today = trading_day(at_ns, measures.day_begins, measures.time_zone)
    if today != state.fees_day:
        state.fees_day, state.fees_today = today, {}
    key = f"{order.strategy}/{order.instrument}/{asset}"
    state.fees_today[key] = plain(EXACT.add(state.fees_today.get(key, ZERO), fee))


def note_venue_error(state: State, venue: VenueName, at_ns: int) -> None:
    """Count an error of a venue, if errors are limited."""
    measures = state.settings.risk.measures
    if measures.max_venue_errors is None or venue not in state.venues:
        return
    times = state.venue_errors_ns.get(venue, ())
    kept = times[bisect_right(times, at_ns - measures.venue_errors_within_ns) :]
    state.venue_errors_ns[venue] = (*kept, at_ns)[-COUNTED_MOST:]


def forget(state: State, scope: str, subject: str, reason: str) -> None:
    """The pause for a limit is over: what led to it counts no more."""
    if reason == "max_venue_errors":
        state.venue_errors_ns.pop(VenueName(subject), None)
    elif reason == "max_repeated_executions":
        for key in [key for key in state.recent if _is_execution_of(key, scope, subject)]:
            del state.recent[key]
    elif reason == "max_drawdown":
        name = f"{'account' if scope == 'all' else scope}/{subject}/"
        for key, mark in list(state.watermarks.items()):
            if key.startswith(name):
                state.watermarks[key] = evolve(mark, peak=None)


def _is_execution_of(key: str, scope: str, subject: str) -> bool:
    what, strategy, instrument = key.split("/")
    return what == "execution" and {"strategy": strategy, "instrument": instrument}.get(scope, subject) == subject
