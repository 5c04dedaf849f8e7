"""What an operator orders: pause, resume, kill and its verification, flatten, resolve, stop."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine import events, inputs
from engine.events import Event
from engine.inputs import Scope
from engine.instrument import Instrument
from engine.order_decision import CancelAsked, decide_order
from engine.order_effects import surprise
from engine.order_guards import OperatorResolved
from engine.state import State
from engine.system_decision import end_pause, pause_all
from engine.token import order_id
from engine.values import (
    ZERO,
    ClientOrderId,
    OrderId,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    VenueName,
)

FLATTEN_TRIES = 5


def obey(state: State, command: inputs.OperatorCommand, now_ns: int) -> Iterator[Event]:
    """Record who ordered what, then do it."""
    yield events.OperatorCommanded(
        action=command.action, uid=command.uid, pid=command.pid, reason=command.reason, scope=command.scope,
        subject_name=command.subject, flatten=command.flatten,
    )  # fmt: skip
    if command.action in ("pause", "kill"):
        yield events.TradingPaused(
            scope=command.scope, subject_name=command.subject,
            reason="kill" if command.action == "kill" else "operator", latched=True, detail=command.reason,
        )  # fmt: skip
    if command.action == "kill":
        yield from cancel_all(state, "kill", now_ns)
    elif command.action == "stop":
        yield pause_all("stopping", latched=False, detail=command.reason)
        if state.settings.orders.on_stop == "cancel":
            yield from cancel_all(state, "stop", now_ns)
    elif command.action == "resume":
        yield from _resume(state, command)
    elif command.action == "resolve":
        yield from _resolve(state, command, now_ns)


def cancel_all(state: State, by: str, now_ns: int, venue: VenueName | None = None) -> Iterator[Event]:
    """A cancel for every order that may still be live, whoever's it is; with a venue, for what is live there. A cancel
    that can't leave now is in doubt, and is sent again once the venue can be asked."""
    for order in [each for each in state.open_orders() if venue is None or (each.venue == venue and each.is_open)]:
        yield from decide_order(state, order, CancelAsked(by=by), now_ns)


def _resume(state: State, command: inputs.OperatorCommand) -> Iterator[Event]:
    everything = command.scope is Scope.ALL and not command.subject
    for pause in list(state.pauses.values()):
        if everything or (pause.scope, pause.subject) == (command.scope, command.subject):
            yield end_pause(pause)


def _resolve(state: State, command: inputs.OperatorCommand, now_ns: int) -> Iterator[Event]:
    order = state.orders.get(OrderId(command.order_id))
    if order is None or command.resolution is None:
        yield from surprise(state, command.order_id, "unknown_order", "no such order to resolve", "", now_ns)
        return
    resolved = OperatorResolved(
        order_id=order.order_id, resolution=command.resolution, by=f"uid {command.uid}", reason=command.reason,
        quantity=command.quantity, price=command.price,
    )  # fmt: skip
    yield from decide_order(state, order, resolved, now_ns)


def is_killing(state: State) -> bool:
    """Is there a kill that is not done yet? A resume ends it, whatever is still open."""
    return not state.kill_verified and any(pause.reason == "kill" for pause in state.pauses.values())


def verify_kill(state: State, seen: inputs.Input, now_ns: int) -> Iterator[Event]:
    """Until every venue has shown that nothing is open, what a snapshot shows is canceled; then positions are closed
    where that was ordered, and the kill is done."""
    if not is_killing(state):
        return
    if isinstance(seen, inputs.Snapshot):
        yield from cancel_all(state, "kill", now_ns)
    if not _shows_no_orders(state):
        return
    flattening = list(_flatten(state)) if state.flatten else []
    for position in flattening:
        yield from _close_position(state, *position)
    if not flattening:
        yield events.KillVerified(venues=tuple(sorted(state.settings.venues)))


def _shows_no_orders(state: State) -> bool:
    """Has every venue, asked after the kill, shown no open order?"""
    shown = all(venue.open_orders_seen == 0 for _name, venue in state.used_venues())
    return shown and not any(True for _ in state.open_orders())


def _flatten(state: State) -> Iterator[tuple[Instrument, StrategyName, Decimal]]:
    """Positions that an operator's flatten still has to close, by whole lots; each is tried so many times at most."""
    for name, held in sorted(state.positions.items()):
        instrument = state.instruments[name]
        free = state.balances.get(instrument.venue, {}).get(instrument.base, ZERO)
        for strategy, position in sorted(held.items()):
            most = min(position.quantity, free) if position.quantity > 0 else -position.quantity
            quantity = instrument.round_quantity(max(most, ZERO))
            tried = f"{strategy}/{_flatten_key(state, name, FLATTEN_TRIES)}" in state.keys
            if quantity and not tried and quantity >= (instrument.min_quantity or ZERO):
                yield instrument, strategy, quantity if position.quantity > 0 else -quantity


def _close_position(state: State, instrument: Instrument, strategy: StrategyName, quantity: Decimal) -> Iterator[Event]:
    """A market order that only reduces, by order of an operator: the one kind of new order that passes a pause."""
    number = next(n for n in range(1, FLATTEN_TRIES + 1)
                  if f"{strategy}/{_flatten_key(state, instrument.name, n)}" not in state.keys)  # fmt: skip
    token = order_id(state.journal_id, state.run, state.seq + 2)
    yield events.OrderIntended(
        order_id=token, strategy=strategy, strategy_version="", instrument=instrument.name, venue=instrument.venue,
        side=Side.SELL if quantity > 0 else Side.BUY, order_type=OrderType.MARKET, time_in_force=TimeInForce.IOC,
        post_only=False, quantity=abs(quantity), price=None, key=_flatten_key(state, instrument.name, number),
        reason={"operator": "flatten", "killed_seq": state.killed_seq},
    )  # fmt: skip
    yield events.SubmitRequested(order_id=token, client_order_id=ClientOrderId(token))


def _flatten_key(state: State, instrument: str, number: int) -> str:
    return f"flatten-{state.killed_seq}-{instrument}-{number}"
