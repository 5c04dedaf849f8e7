"""Guards after the trade: what is watched of the venues' answers, and the pause that follows when it jumps.

The other guards stand where their evidence comes in: fills against orders in `order_effects`, positions, balances and
results against the venue in `drift`.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine import events
from engine.events import Event
from engine.inputs import Input, Rejected, Scope
from engine.state import REJECT_RATE, Outcome, State
from engine.system import pause_key
from engine.values import EXACT, StrategyName, VenueName


def watch_refusals(state: State, seen: Input) -> Iterator[Event]:
    """After a refusal: where too many of the last orders were refused, the strategy whose orders they were is paused,
    or the venue where they were several strategies'. It lasts until an operator resumes, and counting begins anew."""
    limit = state.settings.guards.max_reject_rate
    if limit is None or not isinstance(seen, Rejected) or not state.outcomes or not state.outcomes[-1].is_rejected:
        return
    last = state.outcomes[-1]
    for scope, subject, outcomes in _scopes(state, last.venue, last.strategy):
        refused = [outcome for outcome in outcomes if outcome.is_rejected]
        strategies = {outcome.strategy for outcome in refused}
        if scope is Scope.VENUE and len(strategies) < 2:
            continue  # one strategy's own
        is_paused = pause_key(scope, subject, REJECT_RATE) in state.pauses
        if not is_paused and _exceeds(len(refused), len(outcomes), limit, state.settings.guards.min_orders):
            yield _pause(scope, subject, refused, outcomes, limit)


def _scopes(state: State, venue: VenueName, strategy: StrategyName) -> Iterator[tuple[Scope, str, list[Outcome]]]:
    yield Scope.STRATEGY, strategy, [outcome for outcome in state.outcomes if outcome.strategy == strategy]
    yield Scope.VENUE, venue, [outcome for outcome in state.outcomes if outcome.venue == venue]


def _exceeds(refused: int, orders: int, limit: Decimal, least: int) -> bool:
    return orders >= least and Decimal(refused) > EXACT.multiply(limit, Decimal(orders))


def _pause(scope: Scope, subject: str, refused: list[Outcome], outcomes: list[Outcome], limit: Decimal) -> Event:
    since_ns, until_ns = outcomes[0].at_ns, outcomes[-1].at_ns
    detail = f"{len(refused)} of {len(outcomes)} orders were refused, {since_ns} to {until_ns} ns; the limit is {limit}"
    return events.TradingPaused(scope=scope, subject_name=subject, reason=REJECT_RATE, latched=True, detail=detail)
