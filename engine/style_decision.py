"""Working an order near the touch: placed, moved, given up or crossed, as its style says.

All of it is events, so that it goes on after a crash from what the journal says.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from engine import events
from engine.events import Event
from engine.inputs import Input, Quote
from engine.instructions import GiveUp, Role, Work
from engine.intent_decision import amended, intended, judge_replace, next_token, request_replace, request_submit
from engine.market import Market
from engine.order import CANCELED, CROSSES, GAVE_UP, INTENT, PENDING_NEW, Order, Pending
from engine.order_decision import CancelAsked, decide_order
from engine.order_effects import surprise
from engine.pricing import is_left_behind, misses_bounds, place_near
from engine.risk import Approved, Denied, Verdict, judge, judge_release
from engine.state import State
from engine.values import EXACT, OrderType, TimeInForce, plain

STYLE = "style"


def work_orders(state: State, market: Market, seen: Input, now_ns: int) -> Iterator[Event]:
    """What worked orders do: those of the instrument that was just quoted move, one at a time; a rest is crossed."""
    for order_id in list(state.worked_ids):
        order = state.orders[order_id]
        assert order.style is not None, "only worked orders are in the list"
        if order.style_outcome == CROSSES and order.status is CANCELED:
            if not order.is_in_doubt:
                yield from _cross(state, market, order, now_ns)
        elif isinstance(seen, Quote) and seen.instrument == order.instrument and not market.was_refused(seen):
            yield from _work(state, market, order, order.style, now_ns)


def _work(state: State, market: Market, order: Order, style: Work, now_ns: int) -> Iterator[Event]:
    if now_ns < state.styled_ns.get(order.instrument, 0) + state.settings.orders.style_every_ns:
        return
    if order.status is INTENT:
        yield from _place(state, market, order, style, now_ns)
    elif _is_quiet(order) and now_ns >= max(order.requested_ns, order.replace_ns) + style.reprice_after_ns:
        yield from _move_on(state, market, order, style, now_ns)


def _is_quiet(order: Order) -> bool:
    """Acknowledged, and nothing outstanding or in doubt: every execution that is known of is booked."""
    outstanding = order.pending_cancel is not Pending.NONE or order.pending_replace is not Pending.NONE
    unclear = order.is_in_doubt or order.status is PENDING_NEW
    return order.is_open and not outstanding and not unclear and not order.style_outcome


def _place(state: State, market: Market, order: Order, style: Work, now_ns: int) -> Iterator[Event]:
    """The market was outside of its bounds when it was wanted: it leaves once it is inside, or is given up in time."""
    missed = misses_bounds(order, market)
    if missed and now_ns >= order.created_ns + style.reprice_after_ns * (style.max_replacements + 1):
        yield events.StyleEnded(order_id=order.order_id, outcome=GAVE_UP, numbers=missed)
        yield events.OrderCanceled(order_id=order.order_id, requested=False, reason="the market stayed out of bounds")
    elif not missed:
        wanted = place_near(order, state.instruments[order.instrument], market.quotes[order.instrument])
        moved = evolve(order, price=wanted)
        verdict = judge_release(state, market, moved, now_ns)
        yield from _say(state, order, verdict, now_ns)
        if isinstance(verdict, Approved):
            if wanted != order.price:
                yield amended(moved, STYLE)
            yield request_submit(state, order.order_id, verdict.numbers)


def _move_on(state: State, market: Market, order: Order, style: Work, now_ns: int) -> Iterator[Event]:
    """Its time at this price is over: replace it where the market has left it, or end it."""
    missed = misses_bounds(order, market)
    if len(order.replacement_ids) >= style.max_replacements:
        crosses = style.give_up is GiveUp.CROSS and not missed
        yield events.StyleEnded(order_id=order.order_id, outcome=CROSSES if crosses else GAVE_UP, numbers=missed)
        yield from decide_order(state, state.orders[order.order_id], CancelAsked(by=STYLE), now_ns)
        return
    wanted = place_near(order, state.instruments[order.instrument], market.quotes[order.instrument])
    if missed or not is_left_behind(order, wanted):
        return
    changed = evolve(order, price=wanted)
    verdict = judge_replace(state, market, order, changed, now_ns)
    yield from _say(state, order, verdict, now_ns)
    if isinstance(verdict, Approved):
        yield request_replace(state, STYLE, changed, seen=verdict.numbers)


def _say(state: State, order: Order, verdict: Verdict, now_ns: int) -> Iterator[Event]:
    """A refusal is tried again at the next quote; it is said once in a while."""
    if isinstance(verdict, Denied):
        detail = f"it stays where it is: {verdict.reason} {verdict.numbers}"
        yield from surprise(state, order.order_id, f"style_{verdict.reason}", detail, "", now_ns)


def _cross(state: State, market: Market, order: Order, now_ns: int) -> Iterator[Event]:
    """The rest of an order that was given up, as a market order within its bounds. Tried once."""
    crossing, missed = _crossing(state, order, now_ns), misses_bounds(order, market)
    verdict = Denied("style", missed) if missed else judge(state, market, crossing, now_ns)
    yield intended(crossing, market, {"crosses": order.order_id})
    if isinstance(verdict, Denied):
        yield events.OrderDenied(order_id=crossing.order_id, reason=verdict.reason, numbers=verdict.numbers)
    else:
        yield request_submit(state, crossing.order_id, verdict.numbers)


def _crossing(state: State, order: Order, now_ns: int) -> Order:
    return Order(
        order_id=next_token(state, 2), strategy=order.strategy, strategy_version=order.strategy_version,
        instrument=order.instrument, venue=order.venue, side=order.side, order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC, quantity=plain(EXACT.subtract(order.quantity, order.filled)), price=None,
        worst_price=order.worst_price, reduce_only=order.reduce_only, parent=order.order_id, role=Role.CROSS,
        created_ns=now_ns, updated_ns=now_ns,
    )  # fmt: skip
