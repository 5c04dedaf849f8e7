"""Limits of the flow of orders: how many are open, how fast they come, what came back, and when to hold still."""

from __future__ import annotations

from bisect import bisect_right

from engine.recent import MINUTE_NS, count_since, times_of
from engine.sight import Denied, Sight
from engine.values import SECOND_NS


def max_open_orders(sight: Sight) -> Denied | None:
    """Orders that may be live at once."""
    limit = sight.limits.max_open_orders
    assert limit is not None
    count = len(sight.orders)
    if count >= limit:
        return sight.deny("max_open_orders", open=count, limit=limit)
    sight.saw("max_open_orders", count, limit)
    return None


def max_orders_per_minute(sight: Sight) -> Denied | None:
    """Requests that create or replace an order, over the last 60 s."""
    return _rate(sight, "max_orders_per_minute", sight.limits.max_orders_per_minute, MINUTE_NS)


def max_orders_per_second(sight: Sight) -> Denied | None:
    """Requests that create or replace an order, over the last second."""
    return _rate(sight, "max_orders_per_second", sight.limits.max_orders_per_second, SECOND_NS)


def _rate(sight: Sight, name: str, limit: int | None, within_ns: int) -> Denied | None:
    assert limit is not None
    since_ns = sight.now_ns - within_ns
    if sight.scope == "account":
        times = sight.state.submitted_ns
        count = len(times) - bisect_right(times, since_ns)
    else:
        count = count_since(sight.state, "request", sight.strategy, sight.instrument, since_ns)
    if count >= limit:
        return sight.deny(name, orders=count, limit=limit)
    sight.saw(name, count, limit)
    return None


def max_rejects(sight: Sight) -> Denied | None:
    """Orders that the venue refused for good, within `rejects_within`."""
    limits = sight.limits
    assert limits.max_rejects is not None
    since_ns = sight.now_ns - limits.rejects_within_ns
    count = count_since(sight.state, "reject", sight.strategy, sight.instrument, since_ns)
    if count >= limits.max_rejects:
        return sight.deny(
            "max_rejects", rejects=count, limit=limits.max_rejects, within_ns=int(limits.rejects_within_ns)
        )
    sight.saw("max_rejects", count, limits.max_rejects)
    return None


def max_repeated_executions(sight: Sight) -> Denied | None:
    """Orders that executed, within `repeated_executions_within`, since an operator last resumed."""
    limits = sight.limits
    assert limits.max_repeated_executions is not None
    since_ns = sight.now_ns - limits.repeated_executions_within_ns
    count = count_since(sight.state, "execution", sight.strategy, sight.instrument, since_ns)
    if count >= limits.max_repeated_executions:
        return sight.deny("max_repeated_executions", executions=count, limit=limits.max_repeated_executions)
    sight.saw("max_repeated_executions", count, limits.max_repeated_executions)
    return None


def cool_down_after_fill(sight: Sight) -> Denied | None:
    """Time since the last execution."""
    return _cool_down(sight, "cool_down_after_fill", "fill", sight.limits.cool_down_after_fill_ns)


def cool_down_after_loss(sight: Sight) -> Denied | None:
    """Time since the last execution that closed at a loss, before fees."""
    return _cool_down(sight, "cool_down_after_loss", "loss", sight.limits.cool_down_after_loss_ns)


def _cool_down(sight: Sight, name: str, what: str, limit_ns: int | None) -> Denied | None:
    assert limit_ns is not None
    found = times_of(sight.state, what, sight.strategy, sight.instrument)
    last_ns = max((times[-1] for times in found if times), default=None)
    if last_ns is None:
        sight.saw(name, "none", limit_ns)
        return None
    since_ns = sight.now_ns - last_ns
    if since_ns < limit_ns:
        return sight.deny(name, since_ns=since_ns, limit_ns=int(limit_ns))
    sight.saw(name, since_ns, limit_ns)
    return None
