"""What becomes of a strategy's answers: intents, verdicts, requests, orders that the engine holds.

An intent and those linked to it have one verdict; intent and request, or why the order is held, are one commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from attrs import evolve, fields

from engine import events
from engine.capabilities import Capabilities
from engine.desk import Desk
from engine.events import Event
from engine.inputs import Quote
from engine.instructions import Bracket, Leg, Oco, Role
from engine.market import Market
from engine.order import IN_DOUBT, INTENT, REPLACE, Order, Pending, revised
from engine.order_decision import CancelAsked, decide_order
from engine.order_effects import SAY_AGAIN_NS, surprise
from engine.pricing import far_side, misses_bounds, place_near, price_bound, trailed, worst_price
from engine.risk import Denied, Verdict, judge, judge_leg
from engine.sessions import session_end_ns
from engine.state import State
from engine.strategy import Answer, Cancel, Intent, Replace, plain_reason
from engine.token import client_order_id, order_id
from engine.values import (
    SECOND_NS,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    VenueName,
)

DAY_NS = 86_400 * SECOND_NS
WAITS_FOR_ENTRY = "waits for its entry to execute"
NOT_AT_VENUE = "the venue has no such order type"
TWIN_RESTS = "its twin rests at the venue"
WAITS_FOR_BOUNDS = "its style waits for the market"

NOTHING_SEEN: dict[str, str] = {}
"""The numbers of a verdict that had none; never changed."""

_OF_THE_MOMENT = ("reason", "seen", "inputs")
_INTENDED = tuple(field.name for field in fields(events.OrderIntended) if field.name not in _OF_THE_MOMENT)


def treat_answer(
    state: State, market: Market, desk: Desk, name: StrategyName, answer: Answer, now_ns: int
) -> Iterator[Event]:
    """The events of one answer."""
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


# --- intents ----------------------------------------------------------------------------------------------------


def _treat_intent(
    state: State, market: Market, desk: Desk, name: StrategyName, intent: Intent, now_ns: int
) -> Iterator[Event]:
    if intent.key is not None and f"{name}/{intent.key}" in state.keys:
        return  # the same key twice is the same order
    order = revised(_ordered(state, market, name, intent, now_ns), strategy_hash=desk.hash_of(state, name))
    legs = _legs(state, intent, order)
    verdict = _judge_intent(state, market, order, legs, now_ns)
    said_key = f"denied/{name}/{intent.instrument}/{verdict.reason if isinstance(verdict, Denied) else ''}"
    if isinstance(verdict, Denied) and now_ns - state.said.get(said_key, -SAY_AGAIN_NS) < SAY_AGAIN_NS:
        desk.count(said_key)
        return
    yield intended(order, market, plain_reason(intent.reason), desk.looks.told(order.instrument))
    if isinstance(verdict, Denied):
        yield events.OrderDenied(
            order_id=order.order_id, reason=verdict.reason, numbers=verdict.numbers, repeats=desk.counted(said_key)
        )
        return
    twin = legs[0] if legs and legs[0].parent is None else None
    yield from send_or_hold(state, order, _why_held(state, market, order, twin), verdict.numbers)
    for planned in legs:
        leg = evolve(planned, order_id=next_token(state, 2))
        yield intended(leg, market, {"linked_to": order.order_id})
        yield from send_or_hold(state, leg, _why_leg_held(state, leg, order))


def intended(order: Order, market: Market, reason: dict[str, Any], inputs: dict[str, Any] | None = None) -> Event:
    """The intent as it is journaled: the order's terms, why, the quote that was seen, and what else was looked at."""
    terms = {name: getattr(order, name) for name in _INTENDED}
    return events.OrderIntended(
        **terms, reason=reason, seen=market.quotes.get(order.instrument), inputs=inputs if inputs is not None else {}
    )


def send_or_hold(state: State, order: Order, why_held: str, seen: dict[str, str] = NOTHING_SEEN) -> Iterator[Event]:
    """What follows an approved intent in the same commit."""
    if why_held:
        yield events.OrderHeld(order_id=order.order_id, why=why_held)
    else:
        yield request_submit(state, order.order_id, seen)


def request_submit(state: State, order_id: OrderId, seen: dict[str, str] = NOTHING_SEEN) -> Event:
    """The request. Its id is the order's own, which names this event, or for a held order the one that held it. `seen`
    are the numbers of the verdict."""
    order = state.orders[order_id]
    settings = state.settings.strategies.get(order.strategy)
    description = state.venues[order.venue].description
    assert description is not None  # judged: the venue is ready
    tag, length = settings.tag if settings is not None else "", description.capabilities.client_id_length
    return events.SubmitRequested(
        order_id=order_id, client_order_id=client_order_id(order_id, tag, length), verdict=seen
    )


def next_token(state: State, ahead: int) -> OrderId:
    """The token that names the event so many ahead."""
    return OrderId(order_id(state.journal_id, state.run, state.seq + ahead))


def _ordered(state: State, market: Market, name: StrategyName, intent: Intent, now_ns: int) -> Order:
    """The order as it would be. Its token names the seq of the request: the event after the next one."""
    instrument = state.instruments.get(intent.instrument)
    venue = instrument.venue if instrument else VenueName("")
    token = next_token(state, 2)
    order = Order(
        order_id=token, strategy=name, strategy_version=state.settings.strategies[name].version,
        instrument=intent.instrument, venue=venue, side=intent.side, order_type=intent.order_type,
        time_in_force=intent.time_in_force, post_only=intent.post_only, quantity=intent.quantity, price=intent.price,
        key=intent.key, created_ns=now_ns, updated_ns=now_ns, stop_price=intent.stop_price, trail=intent.trail,
        trail_fraction=intent.trail_fraction,
        good_till_ns=intent.expires, reduce_only=intent.reduce_only, max_slippage=_slippage(state, name, intent),
        style=intent.style, group=token if isinstance(intent.linked, Oco) else None, role=_role(intent),
    )  # fmt: skip
    quote = market.quotes.get(intent.instrument)
    if instrument is None:
        return order
    order = revised(order, good_till_ns=_good_till_ns(state, order, now_ns))
    return order if quote is None else _priced(state, order, quote)


def _slippage(state: State, name: StrategyName, intent: Intent) -> Decimal | None:
    """The intent's own bound; a market order without one has that of the limits, so that the venue keeps it."""
    if intent.max_slippage is not None or intent.order_type is not OrderType.MARKET:
        return intent.max_slippage
    return state.settings.risk.slippage(name, intent.instrument)


def _role(intent: Intent) -> Role:
    if isinstance(intent.linked, Bracket):
        return Role.ENTRY
    if isinstance(intent.linked, Oco):
        return Role.STOP if intent.order_type.has_trigger else Role.TARGET
    return Role.PLAIN


def _good_till_ns(state: State, order: Order, now_ns: int) -> int | None:
    """Where the venue does not know the trading day's end, the engine keeps it: the session's close, else midnight."""
    description = state.venues[order.venue].description
    if order.time_in_force is not TimeInForce.DAY or description is None:
        return order.good_till_ns
    if TimeInForce.DAY in description.capabilities.times_in_force:
        return None
    return close_ns(state, order.instrument, now_ns) or (now_ns // DAY_NS + 1) * DAY_NS


def close_ns(state: State, instrument: InstrumentName, at_ns: int) -> int | None:
    """When the instrument's session closes that is open at an instant; None where there is none."""
    known = state.settings.instruments.get(instrument)
    if known is None or known.trading_session is None:
        return None
    return session_end_ns(known.trading_session, at_ns)


def _priced(state: State, order: Order, quote: Quote) -> Order:
    """The prices that follow from the market: a market order's bound, a style's place, a trail's beginning."""
    terms = state.instruments[order.instrument]
    if order.style is not None and order.order_type is OrderType.LIMIT:
        first = place_near(order, terms, quote)
        bounded = evolve(order, worst_price=price_bound(order, terms, first))
        return evolve(bounded, price=place_near(bounded, terms, quote))
    if order.order_type is OrderType.MARKET and order.max_slippage is not None:
        return evolve(order, worst_price=worst_price(order, terms, quote))
    if order.order_type is OrderType.TRAILING_STOP and order.stop_price is None and order.trails_by is not None:
        return evolve(order, stop_price=trailed(order, terms, far_side(order.side, quote)))
    return order


def _legs(state: State, intent: Intent, order: Order) -> list[Order]:
    """The linked orders as they would be; their tokens are given when they are made."""
    if intent.linked is None or intent.instrument not in state.instruments:
        return []
    if isinstance(intent.linked, Oco):
        return [_leg(order, intent.linked.other, order.side, order.group, parent=None)]
    group = order.order_id if len(intent.linked.legs) > 1 else None
    return [_leg(order, leg, order.side.opposite, group, parent=order.order_id) for leg in intent.linked.legs]


def _leg(order: Order, leg: Leg, side: Side, group: OrderId | None, parent: OrderId | None) -> Order:
    return evolve(
        order, side=side, order_type=leg.order_type, price=leg.price, stop_price=leg.stop_price, trail=leg.trail,
        trail_fraction=leg.trail_fraction,
        time_in_force=TimeInForce.GTC, good_till_ns=None, post_only=False, key=None, style=None, max_slippage=None,
        worst_price=None, reduce_only=parent is not None or order.reduce_only, parent=parent, group=group,
        role=leg.role,
    )  # fmt: skip


def _judge_intent(state: State, market: Market, order: Order, legs: list[Order], now_ns: int) -> Verdict:
    if not _may_use(state, order.strategy, order.instrument):
        return Denied("instrument_not_allowed", {"instrument": order.instrument})
    if any(leg.parent is None and leg.role is order.role for leg in legs):
        return Denied("linked", {"twins": order.role, "needs": "one stop and one limit order"})
    verdict = judge(state, market, order, now_ns)
    for leg in legs if not isinstance(verdict, Denied) else ():
        found = judge_leg(state, market, leg, now_ns)
        if isinstance(found, Denied):
            return Denied(found.reason, {**found.numbers, "leg": leg.role})
    return verdict


def _may_use(state: State, name: StrategyName, instrument: InstrumentName) -> bool:
    return instrument in state.settings.strategies[name].instruments and instrument in state.instruments


def is_linked_at_venue(state: State, *group: Order | None) -> bool:
    """Does the venue keep these orders' link by itself, and know each of their types?"""
    orders = [order for order in group if order is not None]
    can = _capabilities(state, orders[0])
    return can is not None and can.links and all(is_known(can, order) for order in orders)


def is_known(can: Capabilities, order: Order) -> bool:
    """Does the venue know this kind of order, so that the engine need not hold it?"""
    return can.knows(order.order_type, trails_by=order.trails_by)


def is_list(state: State, order: Order, twin: Order | None) -> bool:
    """Can the two be placed as one list? Then they leave in one commit, of one size for good: the exits of a bracket,
    which follow what their entry executes, can't."""
    can = _capabilities(state, order)
    if can is None or not can.lists or twin is None or order.parent is not None:
        return False
    return all(
        each.order_type in can.order_types and each.order_type is not OrderType.TRAILING_STOP
        and each.style is None and each.time_in_force is TimeInForce.GTC
        for each in (order, twin)
    )  # fmt: skip


def _capabilities(state: State, order: Order) -> Capabilities | None:
    description = state.venues[order.venue].description
    return description.capabilities if description is not None else None


def _why_held(state: State, market: Market, order: Order, twin: Order | None) -> str:
    """Why the order can't leave yet; empty where it can."""
    description = state.venues[order.venue].description
    assert description is not None  # judged: the venue is ready
    if order.role is Role.STOP and not (is_linked_at_venue(state, order, twin) or is_list(state, order, twin)):
        return TWIN_RESTS
    if not is_known(description.capabilities, order):
        return NOT_AT_VENUE
    if order.style is not None and misses_bounds(order, market):
        return WAITS_FOR_BOUNDS
    return ""


def _why_leg_held(state: State, leg: Order, order: Order) -> str:
    """A leg of an entry waits for it; of twins the limit order rests at the venue, and the engine keeps the stop."""
    if leg.parent is not None:
        return WAITS_FOR_ENTRY
    is_linked = is_linked_at_venue(state, leg, order) or is_list(state, leg, order)
    return TWIN_RESTS if leg.role is Role.STOP and not is_linked else ""


# --- replacements -----------------------------------------------------------------------------------------------


def _treat_replace(
    state: State, market: Market, name: StrategyName, order: Order, answer: Replace, now_ns: int
) -> Iterator[Event]:
    changed = evolve(
        order,
        quantity=order.quantity if answer.quantity is None else answer.quantity,
        price=order.price if answer.price is None else answer.price,
        stop_price=order.stop_price if answer.stop_price is None else answer.stop_price,
    )
    if order.status is INTENT and order.held:
        yield from _amend(state, market, name, changed, now_ns)
        return
    verdict = judge_replace(state, market, order, changed, now_ns)
    if isinstance(verdict, Denied):
        yield events.ReplaceDenied(order_id=order.order_id, reason=verdict.reason, numbers=verdict.numbers)
        return
    yield request_replace(state, name, changed, answer.stop_price, verdict.numbers)


def _amend(state: State, market: Market, name: str, changed: Order, now_ns: int) -> Iterator[Event]:
    verdict = judge_leg(state, market, changed, now_ns)
    if isinstance(verdict, Denied):
        yield events.ReplaceDenied(order_id=changed.order_id, reason=verdict.reason, numbers=verdict.numbers)
    else:
        yield amended(changed, name)


def amended(changed: Order, why: str) -> Event:
    """The new terms of an order that the engine holds."""
    return events.OrderAmended(
        order_id=changed.order_id, quantity=changed.quantity, price=changed.price, stop_price=changed.stop_price,
        why=why,
    )  # fmt: skip


def judge_replace(state: State, market: Market, order: Order, changed: Order, now_ns: int) -> Verdict:
    """The verdict on a replacement: the order can be replaced now, and what it would become is within the limits."""
    can = any(cell.effect == "request_replace" for cell in REPLACE.find(order.pending_replace, "replace_requested"))
    if not can or order.status is IN_DOUBT or order.is_unsettled or not order.is_open:
        return Denied("order_not_replaceable", {"status": order.status, "pending_replace": order.pending_replace})
    if order.pending_cancel is not Pending.NONE:
        return Denied("order_not_replaceable", {"pending_cancel": order.pending_cancel})
    return judge(state, market, changed, now_ns, replaces=order)


def request_replace(
    state: State, by: str, changed: Order, stop_price: Decimal | None = None, seen: dict[str, str] = NOTHING_SEEN
) -> Event:
    """The request for a replacement, under a token of its own."""
    description = state.venues[changed.venue].description
    assert description is not None  # judged: the venue is ready
    settings = state.settings.strategies.get(changed.strategy)
    tag, length = settings.tag if settings is not None else "", description.capabilities.client_id_length
    return events.ReplaceRequested(
        order_id=changed.order_id, new_client_order_id=client_order_id(next_token(state, 1), tag, length),
        quantity=changed.quantity, price=changed.price, by=by, stop_price=stop_price, verdict=seen,
    )  # fmt: skip
