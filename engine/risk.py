"""Risk: the verdict on an order before it exists, and the order in which its limits are asked.

In-doubt orders count at their worst case everywhere: an order that may be live counts as live.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import fields

from engine.capabilities import Capabilities
from engine.exposure import max_gross_exposure, max_net_exposure, max_position, reduce_only, self_trade
from engine.flow import (
    cool_down_after_fill,
    cool_down_after_loss,
    max_open_orders,
    max_orders_per_minute,
    max_orders_per_second,
    max_rejects,
    max_repeated_executions,
)
from engine.funds import check_funds
from engine.leverage import max_leverage, max_margin_ratio
from engine.limits import ByIdentity, Limits, Risk
from engine.loss import max_daily_fees, max_daily_loss, max_drawdown
from engine.market import Market
from engine.order import Order
from engine.order_limits import (
    allowed_instruments,
    max_order_notional,
    max_order_quantity,
    max_quote_age,
    max_slippage,
    max_spread,
    min_order_notional,
    price_collar,
)
from engine.sessions import is_holiday, is_in_session
from engine.sight import Approved, Check, Denied, Sight, Verdict
from engine.state import State, intent_fingerprint
from engine.system import TRADING
from engine.terms import TERMS_CHECKS
from engine.values import ZERO, OrderType, TimeInForce, plain

__all__ = ["Approved", "Denied", "Sight", "Verdict", "judge", "judge_leg", "judge_release"]


def judge(state: State, market: Market, order: Order, now_ns: int, *, replaces: Order | None = None) -> Verdict:
    """The verdict on an order (or on what a replacement would make of it): the first reason against it, if any."""
    sight = Sight(state=state, market=market, order=order, now_ns=now_ns, replaced=replaces)
    for check in REPLACE_CHECKS if replaces else NEW_CHECKS:
        if denied := check(sight):
            return denied
    for scope, limits, checks in PLANS.of(state.settings.risk).for_order(order):
        sight.look(scope, limits)
        for check in checks:
            if denied := check(sight):
                return denied
    return Approved(sight.numbers)


def judge_leg(state: State, market: Market, order: Order, now_ns: int) -> Verdict:
    """The verdict on an order that the engine will hold, for as long as it holds it: could it ever be sent?"""
    return _first_denial(
        Sight(state=state, market=market, order=order, now_ns=now_ns), (is_within_capabilities, *TERMS_CHECKS)
    )


def judge_release(state: State, market: Market, order: Order, now_ns: int) -> Verdict:
    """The verdict on a held order whose time has come. One that only reduces is an exit: no limit keeps anyone in a
    position; the system must trade, nothing of the instrument be in doubt, the terms be the instrument's, and it may
    neither come out of session nor trade with one of ours."""
    sight = Sight(state=state, market=market, order=order, now_ns=now_ns)
    if order.reduce_only:
        return _first_denial(sight, EXIT_CHECKS)
    return judge(state, market, order, now_ns)


def _first_denial(sight: Sight, checks: tuple[Check, ...]) -> Verdict:
    return next((denied for check in checks if (denied := check(sight))), Approved())


# --- may anything be sent at all? -------------------------------------------------------------------------------


def is_trading(sight: Sight) -> Denied | None:
    """The system trades, the venue is ready, no pause covers the order."""
    order, state = sight.order, sight.state
    if state.system is not TRADING:
        return Denied("not_trading", {"state": str(state.system)})
    if pause := state.paused_by(venue=order.venue, instrument=order.instrument, strategy=order.strategy):
        return Denied("paused", {"scope": str(pause.scope), "reason": pause.reason})
    if not state.is_ready(order.venue):
        return Denied("venue_not_ready", {"venue": order.venue})
    return None


def is_certain(sight: Sight) -> Denied | None:
    """Nothing of the same instrument is in doubt on that account."""
    for order in sight.state.open_orders():
        if order.instrument == sight.order.instrument and order.is_in_doubt:
            return Denied("instrument_in_doubt", {"order": order.order_id})
    return None


def is_within_capabilities(sight: Sight) -> Denied | None:
    """The venue knows this kind of order, or what the engine makes of it: a stop that it holds is a plain order in the
    end, and an order that ends in time is canceled then."""
    order, description = sight.order, sight.state.venues[sight.order.venue].description
    if description is None:
        return Denied("venue_not_ready", {"venue": order.venue})
    known: Capabilities = description.capabilities
    if order.order_type not in known.order_types and (
        not order.order_type.has_trigger or order.order_type.triggered not in known.order_types
    ):
        return Denied("order_type_not_supported", {"order_type": str(order.order_type)})
    ends = order.time_in_force in (TimeInForce.GTD, TimeInForce.DAY)
    if (TimeInForce.GTC if ends else order.time_in_force) not in known.times_in_force:
        return Denied("time_in_force_not_supported", {"time_in_force": str(order.time_in_force)})
    if order.max_slippage is not None and not {OrderType.LIMIT} <= {*known.order_types}:
        return Denied("order_type_not_supported", {"order_type": "limit", "needed_for": "max_slippage"})
    if order.post_only and not known.post_only:
        return Denied("post_only_not_supported", {})
    return None


def is_new(sight: Sight) -> Denied | None:
    """No equal intent of the same strategy within `duplicate_intent`."""
    limit = sight.state.settings.risk.account.duplicate_intent_ns
    last = sight.state.last_intent.get(intent_fingerprint(sight.order))
    if limit is None or last is None or sight.now_ns - last >= limit:
        return None
    return Denied("duplicate_intent", {"age_ns": str(sight.now_ns - last), "limit_ns": str(int(limit))})


def can_replace(sight: Sight) -> Denied | None:
    """The venue can replace, and the order has nothing outstanding."""
    order, description = sight.order, sight.state.venues[sight.order.venue].description
    if description is None or not description.capabilities.replace:
        return Denied("replace_not_supported", {"venue": order.venue})
    return None


# --- the order beside what there is ---------------------------------------------------------------------------------


def only_reduces(sight: Sight) -> Denied | None:
    """An order that may only reduce is not larger than what there is to reduce."""
    order = sight.order
    if not order.reduce_only:
        return None
    most = reducible(sight.state, order)
    asked = plain(order.quantity - order.filled)
    return None if asked <= most else Denied("reduce_only", {"asked": str(asked), "reducible": str(most)})


def reducible(state: State, order: Order) -> Decimal:
    """What an order may take off its strategy's position, beside the others of its side that work already. Orders that
    cancel each other count once."""
    held = -state.position(order.instrument, order.strategy).quantity * order.side.sign
    whose = (order.strategy, order.instrument, order.side)
    working = sum(
        (o.exposure for o in state.open_orders()
         if (o.strategy, o.instrument, o.side) == whose and o.order_id != order.order_id
         and (order.group is None or o.group != order.group)),
        ZERO,
    )  # fmt: skip
    return max(plain(held - working), ZERO)


def is_judgeable(sight: Sight) -> Denied | None:
    """An order without a price has enough visible depth to say what it may cost: no depth, no market order."""
    if sight.worst is not None:
        return None
    bound = sight.slippage()
    numbers = {"quantity": str(sight.order.quantity), "max_slippage": "none" if bound is None else str(bound)}
    return Denied("no_depth", numbers)


def is_in_trading_session(sight: Sight) -> Denied | None:
    """The instrument is in session, and has no holiday."""
    known = sight.state.settings.instruments.get(sight.order.instrument)
    if known is None or known.trading_session is None or is_in_session(known.trading_session, sight.now_ns):
        return None
    session = known.trading_session
    numbers = {"open": session.open, "close": session.close, "time_zone": session.time_zone}
    return Denied("holidays" if is_holiday(session, sight.now_ns) else "trading_session", numbers)


# --- all of them, in their order ---------------------------------------------------------------------------------


MOMENT_CHECKS: tuple[Check, ...] = (is_judgeable, is_in_trading_session, self_trade)
NEW_CHECKS: tuple[Check, ...] = (
    is_trading, is_certain, is_within_capabilities, is_new, only_reduces, *TERMS_CHECKS, *MOMENT_CHECKS
)  # fmt: skip
REPLACE_CHECKS: tuple[Check, ...] = (is_trading, can_replace, only_reduces, *TERMS_CHECKS, *MOMENT_CHECKS)
EXIT_CHECKS: tuple[Check, ...] = (
    is_trading, is_certain, is_within_capabilities, only_reduces, *TERMS_CHECKS, is_in_trading_session, self_trade
)  # fmt: skip
LIMIT_CHECKS: tuple[Check, ...] = (
    allowed_instruments,
    max_quote_age,
    max_spread,
    max_order_quantity,
    max_order_notional,
    min_order_notional,
    max_slippage,
    price_collar,
    reduce_only,
    max_position,
    max_gross_exposure,
    max_net_exposure,
    max_leverage,
    max_margin_ratio,
    check_funds,
    max_open_orders,
    max_orders_per_second,
    max_orders_per_minute,
    max_rejects,
    max_repeated_executions,
    cool_down_after_fill,
    cool_down_after_loss,
    max_daily_loss,
    max_drawdown,
    max_daily_fees,
)

Scoped = tuple[str, Limits, tuple[Check, ...]]
"""A scope, its limits, and the checks of those that are configured."""


class Plan:
    """Which checks an order meets: only those whose limits are configured, found once for each Risk."""

    def __init__(self, risk: Risk) -> None:
        self._account = _scoped("account", risk.account)
        self._strategies = {name: _scoped("strategy", limits) for name, limits in risk.strategies.items()}
        self._instruments = {name: _scoped("instrument", limits) for name, limits in risk.instruments.items()}

    def for_order(self, order: Order) -> tuple[Scoped, ...]:
        """The scopes that the order stands in, the account first."""
        return (
            *self._account,
            *self._strategies.get(order.strategy, ()),
            *self._instruments.get(order.instrument, ()),
        )


PLANS = ByIdentity(Plan)
_FIELDS = {field.name.removesuffix("_ns"): field for field in fields(Limits)}


def _scoped(scope: str, limits: Limits) -> tuple[Scoped, ...]:
    checks = tuple(check for check in LIMIT_CHECKS if _is_configured(limits, check.__name__))
    return ((scope, limits, checks),) if checks else ()


def _is_configured(limits: Limits, name: str) -> bool:
    """A limit of zero is one: nothing of its kind is allowed."""
    value = getattr(limits, _FIELDS[name].name)
    return bool(value) if isinstance(value, (bool, tuple, dict)) else value is not None
