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
from engine.inputs import Input, Quote, Scope
from engine.intent_decision import treat_answer
from engine.market import Market
from engine.order import Order
from engine.order_decision import CancelAsked, decide_order
from engine.settings import StrategySettings
from engine.state import State
from engine.strategy import Fill
from engine.system import TRADING
from engine.values import ExecId


def ask_strategies(
    state: State, market: Market, desk: Desk, seen: Input, bars: tuple[Bar, ...], now_ns: int
) -> Iterator[Event]:
    """Tell what has happened, then show what is new, to every strategy that may be asked now."""
    for seat in desk.seats.values():
        if _may_be_asked(state, seat):
            yield from _start(state, market, desk, seat, now_ns)
            yield from _tell_facts(state, market, desk, seat, now_ns)
            for callback, argument in _news(state, seat, seen, bars, now_ns):
                yield from _ask(state, market, desk, seat, now_ns, callback, *argument)
        yield from save_memory(state, desk, seat, now_ns)


def save_memory(state: State, desk: Desk, seat: Seat, now_ns: int, *, at_once: bool = False) -> Iterator[Event]:
    """Journal a memory that has changed, once it has waited for `memory_every`."""
    if not seat.unsaved_since_ns:
        return
    if at_once or now_ns >= seat.unsaved_since_ns + state.settings.strategies[seat.name].memory_every_ns:
        yield _advanced(state, desk, seat, state.strategies[seat.name].told_seq)


def strategies_due_ns(state: State, desk: Desk) -> int | None:
    """When a strategy's timer or memory is due."""
    found = []
    for seat in desk.seats.values():
        settings = state.settings.strategies[seat.name]
        if seat.unsaved_since_ns:
            found.append(seat.unsaved_since_ns + settings.memory_every_ns)
        if seat.started and settings.evaluate.every_ns and _may_be_asked(state, seat):
            found.append(seat.timer_ns + settings.evaluate.every_ns)
        if _may_be_asked(state, seat) and (state.strategies[seat.name].untold or not seat.started):
            found.append(0)
    return min(found, default=None)


def _may_be_asked(state: State, seat: Seat) -> bool:
    return state.system is TRADING and state.paused_by(strategy=seat.name) is None


def _start(state: State, market: Market, desk: Desk, seat: Seat, now_ns: int) -> Iterator[Event]:
    if not seat.started:
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
    state: State, seat: Seat, seen: Input, bars: tuple[Bar, ...], now_ns: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    settings = state.settings.strategies[seat.name]
    for bar in bars:
        if bar.instrument in settings.instruments and bar.interval_ns == settings.bars_ns:
            yield "on_bar", (bar,)
    if isinstance(seen, Quote) and seen.instrument in settings.instruments and _is_its_turn(settings, seat, now_ns):
        seat.asked_ns = now_ns
        yield "on_quote", (seen,)
    every_ns = settings.evaluate.every_ns
    if every_ns and now_ns >= seat.timer_ns + every_ns:
        seat.timer_ns = now_ns
        yield "on_timer", ()


def _is_its_turn(settings: StrategySettings, seat: Seat, now_ns: int) -> bool:
    evaluate = settings.evaluate
    return evaluate.every_ns is None and now_ns >= seat.asked_ns + evaluate.at_most_every_ns


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
