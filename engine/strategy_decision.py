"""What strategies are asked and what becomes of their answers: intents, verdicts, requests, memory.

A callback is exhausted first, on an unchanged state; then its answers are judged and applied in their order, so that
the second sees the first's exposure. A denial concerns its intent alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from engine import events
from engine.bars import Bar
from engine.desk import Desk, Failure, Seat
from engine.events import Event
from engine.inputs import Input, Quote, Scope
from engine.market import Market
from engine.order import IN_DOUBT, REPLACE, Order, Pending
from engine.order_decision import CancelAsked, decide_order
from engine.order_effects import SAY_AGAIN_NS, surprise
from engine.risk import Denied, Verdict, judge
from engine.settings import StrategySettings
from engine.state import State
from engine.strategy import Answer, Cancel, Fill, Intent, Replace, plain_reason
from engine.system import TRADING
from engine.token import client_order_id, order_id
from engine.values import ExecId, InstrumentName, OrderId, StrategyName, VenueName


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
        yield from _treat(state, market, desk, seat.name, answer, now_ns)
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


# --- answers ----------------------------------------------------------------------------------------------------


def _treat(
    state: State, market: Market, desk: Desk, name: StrategyName, answer: Answer, now_ns: int
) -> Iterator[Event]:
    if isinstance(answer, Intent):
        yield from _treat_intent(state, market, desk, name, answer, now_ns)
        return
    order = state.orders.get(answer.order_id)
    if order is None or order.strategy != name:
        detail = f"{type(answer).__name__} of {answer.order_id!r}, which is not an order of {name}"
        yield from surprise(state, name, "unknown_order", detail, "", now_ns)
    elif isinstance(answer, Cancel):
        yield from decide_order(state, order, CancelAsked(by=name), now_ns)
    else:
        yield from _treat_replace(state, market, name, order, answer, now_ns)


def _treat_intent(
    state: State, market: Market, desk: Desk, name: StrategyName, intent: Intent, now_ns: int
) -> Iterator[Event]:
    if intent.key is not None and f"{name}/{intent.key}" in state.keys:
        return  # the same key twice is the same order
    order = _ordered(state, name, intent, now_ns)
    verdict = _judge_intent(state, market, order, now_ns)
    said_key = f"denied/{name}/{intent.instrument}/{verdict.reason if isinstance(verdict, Denied) else ''}"
    if isinstance(verdict, Denied) and now_ns - state.said.get(said_key, -SAY_AGAIN_NS) < SAY_AGAIN_NS:
        desk.count(said_key)
        return
    yield events.OrderIntended(
        order_id=order.order_id, strategy=name, strategy_version=order.strategy_version, instrument=order.instrument,
        venue=order.venue, side=order.side, order_type=order.order_type, time_in_force=order.time_in_force,
        post_only=order.post_only, quantity=order.quantity, price=order.price, key=order.key,
        reason=plain_reason(intent.reason), seen=market.quotes.get(order.instrument),
    )  # fmt: skip
    if isinstance(verdict, Denied):
        yield events.OrderDenied(
            order_id=order.order_id, reason=verdict.reason, numbers=verdict.numbers, repeats=desk.counted(said_key)
        )
        return
    description = state.venues[order.venue].description
    assert description is not None  # judged: the venue is ready
    tag, length = state.settings.strategies[name].tag, description.capabilities.client_id_length
    yield events.SubmitRequested(order_id=order.order_id, client_order_id=client_order_id(order.order_id, tag, length))


def _ordered(state: State, name: StrategyName, intent: Intent, now_ns: int) -> Order:
    """The order as it would be. Its token names the seq of the request: the event after the next one."""
    instrument = state.instruments.get(intent.instrument)
    return Order(
        order_id=order_id(state.journal_id, state.run, state.seq + 2), strategy=name,
        strategy_version=state.settings.strategies[name].version, instrument=intent.instrument,
        venue=instrument.venue if instrument else VenueName(""), side=intent.side,
        order_type=intent.order_type, time_in_force=intent.time_in_force, post_only=intent.post_only,
        quantity=intent.quantity, price=intent.price, key=intent.key, created_ns=now_ns, updated_ns=now_ns,
    )  # fmt: skip


def _judge_intent(state: State, market: Market, order: Order, now_ns: int) -> Verdict:
    if not _may_use(state, order.strategy, order.instrument):
        return Denied("instrument_not_allowed", {"instrument": order.instrument})
    return judge(state, market, order, now_ns)


def _may_use(state: State, name: StrategyName, instrument: InstrumentName) -> bool:
    return instrument in state.settings.strategies[name].instruments and instrument in state.instruments


def _treat_replace(
    state: State, market: Market, name: StrategyName, order: Order, answer: Replace, now_ns: int
) -> Iterator[Event]:
    changed = evolve(
        order,
        quantity=order.quantity if answer.quantity is None else answer.quantity,
        price=order.price if answer.price is None else answer.price,
    )
    verdict = _judge_replace(state, market, order, changed, now_ns)
    if isinstance(verdict, Denied):
        yield events.ReplaceDenied(order_id=order.order_id, reason=verdict.reason, numbers=verdict.numbers)
        return
    yield _replace_requested(state, name, changed)


def _judge_replace(state: State, market: Market, order: Order, changed: Order, now_ns: int) -> Verdict:
    can = any(cell.effect == "request_replace" for cell in REPLACE.find(order.pending_replace, "replace_requested"))
    if not can or order.status is IN_DOUBT or order.is_unsettled or not order.is_open:
        return Denied("order_not_replaceable", {"status": order.status, "pending_replace": order.pending_replace})
    if order.pending_cancel is not Pending.NONE:
        return Denied("order_not_replaceable", {"pending_cancel": order.pending_cancel})
    return judge(state, market, changed, now_ns, replaces=order)


def _replace_requested(state: State, name: StrategyName, changed: Order) -> Event:
    description = state.venues[changed.venue].description
    assert description is not None  # judged: the venue is ready
    token = OrderId(order_id(state.journal_id, state.run, state.seq + 1))
    tag, length = state.settings.strategies[name].tag, description.capabilities.client_id_length
    return events.ReplaceRequested(
        order_id=changed.order_id, new_client_order_id=client_order_id(token, tag, length),
        quantity=changed.quantity, price=changed.price, by=name,
    )  # fmt: skip
