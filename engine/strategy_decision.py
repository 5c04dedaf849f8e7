"""What strategies are asked, and what is kept of them: callbacks, facts they have to hear, failures, memory.

A callback is exhausted first, on an unchanged state; then its answers are judged and applied in their order, so that
the second sees the first's exposure. A denial concerns its intent alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine import events
from engine.bars import Bar
from engine.desk import Desk, Failure, Seat
from engine.events import Event
from engine.indicators import DAY_NS
from engine.inputs import BookDelta, BookSnapshot, Input, MarketData, Quote, Scope, TradeTick
from engine.intent_decision import treat_answer
from engine.market import Market
from engine.order import Order
from engine.order_decision import CancelAsked, decide_order
from engine.settings import Settings, StrategySettings, unannounced_changes
from engine.state import State
from engine.strategy import Fill
from engine.system import TRADING
from engine.values import SECOND_NS, ExecId

TRIGGERS: dict[type[Any], str] = {
    Quote: "quote", TradeTick: "trade", BookSnapshot: "book", BookDelta: "book",
}  # fmt: skip
"""What a strategy may be asked on, by what comes in."""


def ask_strategies(
    state: State, market: Market, desk: Desk, seen: Input, bars: tuple[Bar, ...], now_ns: int
) -> Iterator[Event]:
    """Tell what has happened, then show what is new, to every strategy that may be asked now."""
    for seat in desk.seats.values():
        if _may_be_asked(state, seat):
            if not seat.started:
                yield from _start(state, market, desk, seat, now_ns)
            if state.strategies[seat.name].untold:
                yield from _tell_facts(state, market, desk, seat, now_ns)
            for callback, argument in _news(state, market, seat, seen, bars, now_ns):
                yield from _ask(state, market, desk, seat, now_ns, callback, *argument)
        else:
            seat.waiting.clear()  # what came while nobody may be asked is old by then
        if seat.unsaved_since_ns:
            yield from save_memory(state, desk, seat, now_ns)


def adopt_settings(state: State, settings: Settings) -> Iterator[Event]:
    """Journal a configuration that differs, and before it the strategies that are others than their version says."""
    if settings == state.settings and state.strategies.keys() >= settings.strategies.keys():
        return
    for change in unannounced_changes(state.settings, settings):
        detail = f"version {change.version} was {change.before} and is {change.now}: its source or parameters changed"
        yield events.AnomalyRecorded(about=change.strategy, anomaly="strategy_changed", detail=detail)
    yield events.ConfigurationAdopted(settings=settings)


def save_memory(state: State, desk: Desk, seat: Seat, now_ns: int, *, at_once: bool = False) -> Iterator[Event]:
    """Journal a memory that has changed, once it has waited for `memory_every`."""
    if not seat.unsaved_since_ns:
        return
    if at_once or now_ns >= seat.unsaved_since_ns + state.settings.strategies[seat.name].memory_every_ns:
        yield _advanced(state, desk, seat, state.strategies[seat.name].told_seq)


def strategies_due_ns(state: State, desk: Desk) -> int | None:
    """When a strategy's timer, memory or throttled news is due."""
    found = []
    for seat in desk.seats.values():
        settings = state.settings.strategies[seat.name]
        if seat.unsaved_since_ns:
            found.append(seat.unsaved_since_ns + settings.memory_every_ns)
        if not _may_be_asked(state, seat):
            continue
        timer_ns = timer_due_ns(settings, seat) if seat.started else None
        found += [] if timer_ns is None else [timer_ns]
        found += [seat.asked_ns.get(asked, 0) + settings.evaluate.at_most_every_ns for asked in seat.waiting]
        if state.strategies[seat.name].untold or not seat.started:
            found.append(0)
    return min(found, default=None)


def _may_be_asked(state: State, seat: Seat) -> bool:
    return state.system is TRADING and state.paused_by(strategy=seat.name) is None


def _start(state: State, market: Market, desk: Desk, seat: Seat, now_ns: int) -> Iterator[Event]:
    seat.started, seat.timer_ns = True, now_ns
    yield from _ask(state, market, desk, seat, now_ns, "on_start")
    if seat.started:  # else it failed, and a new instance will be started
        seat.strategy.seal()


def _tell_facts(state: State, market: Market, desk: Desk, seat: Seat, now_ns: int) -> Iterator[Event]:
    """Facts in seq order, each once; how far it has been told goes into the same commit as its answers. A fill that was
    told is told, whatever becomes of the order's change that is told with it."""
    for fact in state.strategies[seat.name].untold:
        order = state.orders.get(fact.order_id)
        if not _may_be_asked(state, seat):
            return
        told = order is None  # archived before it could be told
        if order is not None and fact.exec_key:
            yield from _ask(state, market, desk, seat, now_ns, "on_fill", _fill_of(state, order, fact.exec_key))
            told = _may_be_asked(state, seat)
        if order is not None and _may_be_asked(state, seat):
            yield from _ask(state, market, desk, seat, now_ns, "on_order", order)
        if told or _may_be_asked(state, seat):
            yield _advanced(state, desk, seat, fact.seq)


def _fill_of(state: State, order: Order, key: str) -> Fill:
    execution = state.executions[key]
    return Fill(
        exec_id=ExecId(key.rpartition("/")[2]), order_id=order.order_id, instrument=order.instrument,
        side=execution.side, quantity=execution.quantity, price=execution.price, fee=execution.fee,
        fee_asset=execution.fee_asset,
    )  # fmt: skip


def _news(
    state: State, market: Market, seat: Seat, seen: Input, bars: tuple[Bar, ...], now_ns: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Bars first, the smaller first; then what it is asked on, throttled for each instrument; then its schedule."""
    settings = state.settings.strategies[seat.name]
    for bar in bars:
        if _wants_bar(settings, bar):
            yield "on_bar", (bar,)
    trigger = TRIGGERS.get(type(seen))
    if (
        trigger is not None
        and trigger in settings.evaluate.triggers
        and isinstance(seen, MarketData)
        and seen.instrument in settings.instruments
    ):
        seat.waiting[f"on_{trigger}", seen.instrument] = seen
    for asked in list(seat.waiting):
        shown = _shown(market, settings, seat, asked, now_ns)
        if shown is not None:
            yield asked[0], (shown,)
    if _is_timer_due(settings, seat, now_ns):
        seat.timer_ns = now_ns
        yield "on_timer", ()


def _wants_bar(settings: StrategySettings, bar: Bar) -> bool:
    return (
        bar.interval_ns in settings.frames_ns and bar.source == str(settings.bars_from)
        and bar.instrument in settings.instruments and (bar.complete or not settings.require_complete)
    )  # fmt: skip


def _shown(market: Market, settings: StrategySettings, seat: Seat, asked: tuple[str, str], now_ns: int) -> Any:
    """The newest that waits for this callback, once it may be called again; of a book as it is by then."""
    last_ns = seat.asked_ns.get(asked)
    if last_ns is not None and now_ns < last_ns + settings.evaluate.at_most_every_ns:
        return None
    waiting = seat.waiting.pop(asked, None)  # a call before this one may have failed, and ended all waiting
    if isinstance(waiting, BookSnapshot | BookDelta):
        waiting = market.depth(waiting.instrument)
    if waiting is not None:
        seat.asked_ns[asked] = now_ns
    return waiting


def _is_timer_due(settings: StrategySettings, seat: Seat, now_ns: int) -> bool:
    due_ns = timer_due_ns(settings, seat)
    return due_ns is not None and now_ns >= due_ns


def timer_due_ns(settings: StrategySettings, seat: Seat) -> int | None:
    """When `on_timer` is next: after the interval, or at one of the times of the day (UTC)."""
    evaluate = settings.evaluate
    if evaluate.every_ns is None and not evaluate.at:
        return None
    found = [] if evaluate.every_ns is None else [seat.timer_ns + evaluate.every_ns]
    found += [next_time_ns(written, seat.timer_ns) for written in evaluate.at]
    return min(found, default=None)


def next_time_ns(written: str, after_ns: int) -> int:
    """The next instant after `after_ns` at which clocks in UTC show "HH:MM".

    >>> next_time_ns("00:01", 0), next_time_ns("00:01", 60_000_000_000)
    (60000000000, 86460000000000)
    """
    hours, _, minutes = written.partition(":")
    of_day_ns = (int(hours) * 60 + int(minutes)) * 60 * SECOND_NS
    day_ns = after_ns - after_ns % DAY_NS
    at_ns = day_ns + of_day_ns
    return at_ns if at_ns > after_ns else at_ns + DAY_NS


def _ask(
    state: State, market: Market, desk: Desk, seat: Seat, now_ns: int, callback: str, *arguments: Any
) -> Iterator[Event]:
    if not _may_be_asked(state, seat):
        return
    answers = desk.ask(seat, state, market, now_ns, callback, *arguments)
    if isinstance(answers, Failure):
        yield from _fail(state, desk, seat, answers, now_ns)
        return
    seq_before = state.seq
    for answer in answers:
        yield from treat_answer(state, market, desk, seat.name, answer, now_ns)
    if state.seq != seq_before and seat.unsaved_since_ns:
        yield _advanced(state, desk, seat, state.strategies[seat.name].told_seq)


def _advanced(state: State, desk: Desk, seat: Seat, told_seq: int) -> Event:
    return events.StrategyAdvanced(strategy=seat.name, told_seq=told_seq, memory=desk.unsaved(seat))


def _fail(state: State, desk: Desk, seat: Seat, failure: Failure, now_ns: int) -> Iterator[Event]:
    """The strategy is paused until an operator resumes it; the others go on. What it kept before counts."""
    yield from save_memory(state, desk, seat, now_ns, at_once=True)
    yield events.StrategyFailed(
        strategy=seat.name, callback=failure.callback, type=failure.type, message=failure.message,
        frames=failure.frames,
    )  # fmt: skip
    yield events.TradingPaused(
        scope=Scope.STRATEGY, subject_name=seat.name, reason="strategy_failed", latched=True,
        detail=f"{failure.type}: {failure.message}",
    )  # fmt: skip
    desk.restart(seat)
    if state.settings.strategies[seat.name].on_error == "cancel":
        for order in list(state.open_orders()):
            if order.strategy == seat.name:
                yield from decide_order(state, order, CancelAsked(by="strategy failed"), now_ns)
