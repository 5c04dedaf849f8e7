"""Limits that shut trading by themselves: losses, repeated executions, a venue that errs. Each trip is an event.

A loss is measured from watermarks, which are events too, so that neither the beginning of the day nor the highest mark
is forgotten by a restart. A loss limit that is reached holds until an operator resumes; a daily loss that still stands
then trips again, while a drawdown is measured anew from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from attrs import frozen

from engine import events, inputs
from engine.events import Event
from engine.inputs import Scope
from engine.limits import ByIdentity, Limits, OnLimit, Risk
from engine.market import Market
from engine.operator_decision import cancel_all, is_killing
from engine.recent import count_since
from engine.sessions import trading_day
from engine.state import State, Watermark, watermark_key
from engine.system import PAUSED, TRADING, Pause, VenueState, pause_key
from engine.system_decision import ask_snapshot, end_pause
from engine.values import EXACT, Asset, Duration, InstrumentName, StrategyName, VenueName, plain
from engine.worth import Unpriced, asset_of, equity

PEAK_STEP = Decimal("0.01")
"""A higher mark is journaled once it is higher by this part of the drawdown limit, so that not every tick is one."""


@frozen(kw_only=True)
class Watched:
    """A scope with a limit that may trip."""

    scope: Scope
    subject: str
    limits: Limits

    @property
    def strategy(self) -> StrategyName | None:
        """The strategy whose results count; None where any does."""
        return StrategyName(self.subject) if self.scope is Scope.STRATEGY else None

    @property
    def instrument(self) -> InstrumentName | None:
        """The instrument whose results count; None where any does."""
        return InstrumentName(self.subject) if self.scope is Scope.INSTRUMENT else None

    @property
    def watches_equity(self) -> bool:
        """Is one of its limits about equity?"""
        return self.limits.max_daily_loss is not None or self.limits.max_drawdown is not None

    def is_paused_for(self, state: State, limit: str) -> bool:
        """Did it trip already, and nobody has resumed it?"""
        return pause_key(self.scope, self.subject, limit) in state.pauses


def _watched(risk: Risk) -> tuple[Watched, ...]:
    found = (
        Watched(scope=Scope.ALL if scope == "account" else Scope(scope), subject=subject, limits=limits)
        for scope, subject, limits in risk.scopes()
    )
    return tuple(w for w in found if w.watches_equity or w.limits.max_repeated_executions is not None)


WATCHED = ByIdentity(_watched)


def watch_limits(state: State, market: Market, seen: inputs.Input, now_ns: int) -> Iterator[Event]:
    """What the limits that shut trading make of what has just been seen."""
    risk = state.settings.risk
    if risk.measures.max_venue_errors is not None:
        yield from _watch_venues(state, risk.measures.max_venue_errors, risk.measures.venue_errors_within_ns, now_ns)
    watched = WATCHED.of(risk)
    if not watched or state.system not in (TRADING, PAUSED) or not _may_matter(state, seen):
        return
    for one in watched:
        if one.limits.max_repeated_executions is not None:
            yield from _watch_executions(state, one, now_ns)
        if one.watches_equity:
            yield from _watch_equity(state, market, one, now_ns)


def _may_matter(state: State, seen: inputs.Input) -> bool:
    """Does the input move equity, or count? Of quotes only those of what is, or was, held."""
    if isinstance(seen, inputs.Quote):
        return seen.instrument in state.positions or not state.watermarks
    return not isinstance(seen, inputs.TradeTick | inputs.BookDelta | inputs.BookSnapshot | inputs.DataDropped)


def _watch_executions(state: State, one: Watched, now_ns: int) -> Iterator[Event]:
    limit, since_ns = one.limits.max_repeated_executions, now_ns - one.limits.repeated_executions_within_ns
    count = count_since(state, "execution", one.strategy, one.instrument, since_ns)
    if limit is not None and count >= limit and not one.is_paused_for(state, "max_repeated_executions"):
        numbers = {"executions": str(count), "limit": str(limit)}
        yield from _trip(state, one, "max_repeated_executions", OnLimit.PAUSE, numbers, now_ns)


def _watch_equity(state: State, market: Market, one: Watched, now_ns: int) -> Iterator[Event]:
    """Mark what losses are measured from, in each asset that the scope is measured in; then measure them."""
    measures = state.settings.risk.measures
    today = trading_day(now_ns, measures.day_begins, measures.time_zone)
    for asset in _assets(state, one):
        now = equity(state, market, asset, one.strategy, one.instrument)
        if isinstance(now, Unpriced):
            continue  # orders are denied meanwhile, and say why
        key = watermark_key(one.scope, one.subject, asset)
        mark = _moved_mark(state.watermarks.get(key), now, today, one.limits.max_drawdown)
        if mark is not None:
            yield events.EquityMarked(
                scope=one.scope, subject_name=one.subject, asset=asset, day=mark.day, opening=mark.opening,
                peak=now if mark.peak is None else mark.peak,
            )  # fmt: skip
        yield from _measure(state, one, asset, now, now_ns)


def _assets(state: State, one: Watched) -> list[Asset]:
    names = state.instruments if one.instrument is None else {one.instrument: None}
    return sorted({asset_of(state, name) for name in names if name in state.instruments})


def _moved_mark(before: Watermark | None, now: Decimal, today: int, most: Decimal | None) -> Watermark | None:
    """The mark as it has to be from here on; None where it stays."""
    if before is None:
        return Watermark(day=today, opening=now, peak=now)
    peak = now if before.peak is None else max(before.peak, now)
    step = EXACT.multiply(most, PEAK_STEP) if most is not None else None
    has_risen = step is not None and (before.peak is None or now >= before.peak + step)
    if before.day != today:
        return Watermark(day=today, opening=now, peak=peak)
    return Watermark(day=before.day, opening=before.opening, peak=peak) if has_risen else None


def _measure(state: State, one: Watched, asset: Asset, now: Decimal, now_ns: int) -> Iterator[Event]:
    mark = state.watermarks[watermark_key(one.scope, one.subject, asset)]
    measures = state.settings.risk.measures
    measured = (
        ("max_daily_loss", one.limits.max_daily_loss, mark.opening, measures.on_daily_loss),
        ("max_drawdown", one.limits.max_drawdown, now if mark.peak is None else mark.peak, measures.on_drawdown),
    )
    for name, limit, start, action in measured:
        if limit is None or one.is_paused_for(state, name):
            continue
        loss = plain(EXACT.subtract(start, now))
        if loss > 0 and loss >= limit:
            numbers = {"loss": loss, "limit": limit, "equity": now, "from": start, "asset": asset}
            told = {key: str(number) for key, number in numbers.items()}
            yield from _trip(state, one, name, action, told, now_ns)


def _trip(
    state: State, one: Watched, limit: str, action: OnLimit, numbers: dict[str, str], now_ns: int
) -> Iterator[Event]:
    """The event, the pause that holds, and where it was ordered the kill: that one is always of everything."""
    action = OnLimit.PAUSE if is_killing(state) else action
    detail = ", ".join(f"{name} {number}" for name, number in numbers.items())
    yield events.LimitTripped(scope=one.scope, subject_name=one.subject, limit=limit, action=action, numbers=numbers)
    yield events.TradingPaused(scope=one.scope, subject_name=one.subject, reason=limit, latched=True, detail=detail)
    if action is not OnLimit.PAUSE:
        yield events.TradingPaused(
            scope=Scope.ALL, subject_name="", reason="kill", latched=True, detail=f"{limit}: {detail}"
        )
        yield from cancel_all(state, limit, now_ns)


# --- venues that err --------------------------------------------------------------------------------------------


def _watch_venues(state: State, most: int, within_ns: Duration, now_ns: int) -> Iterator[Event]:
    """A venue with too many errors is paused and compared with the books; the pause ends when that came out well."""
    for name, venue in list(state.used_venues()):
        pause = state.pauses.get(pause_key(Scope.VENUE, name, "max_venue_errors"))
        count = sum(1 for ns in state.venue_errors_ns.get(name, ()) if ns > now_ns - within_ns)
        if pause is None and count >= most:
            yield from _pause_venue(state, name, count, most)
        elif pause is not None and venue.state is VenueState.READY and _is_reconciled_since(state, name, pause):
            yield end_pause(pause)


def _pause_venue(state: State, name: VenueName, count: int, most: int) -> Iterator[Event]:
    numbers = {"errors": str(count), "limit": str(most)}
    yield events.LimitTripped(
        scope=Scope.VENUE, subject_name=name, limit="max_venue_errors", action=OnLimit.PAUSE, numbers=numbers
    )
    yield events.TradingPaused(
        scope=Scope.VENUE, subject_name=name, reason="max_venue_errors", latched=False,
        detail=f"{count} errors, at most {most} are borne",
    )  # fmt: skip
    if state.venues[name].state is VenueState.READY:
        yield ask_snapshot(state, name, "max_venue_errors")


def _is_reconciled_since(state: State, name: VenueName, pause: Pause) -> bool:
    """Was it compared after the pause began, and is nothing in doubt there any more?"""
    in_doubt = any(order.venue == name and order.is_in_doubt for order in state.open_orders())
    return state.venues[name].reconciled_ns > pause.since_ns and not in_doubt
