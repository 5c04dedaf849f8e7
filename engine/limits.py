"""Risk limits as data. A limit's name in the configuration is its reason code in the event.

The articles are those of RTS 6 (Commission Delegated Regulation (EU) 2017/589) and of SEC Rule 15c3-5. To name them
says what a limit is meant for; it does not make a private trader subject to them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from attrs import Factory, frozen

from engine.sessions import MIDNIGHT
from engine.values import SECOND_NS, ZERO, Asset, Duration, InstrumentName, StrategyName

A_MINUTE = Duration(60 * SECOND_NS)


class OnLimit(StrEnum):
    """What a loss limit leads to once it is reached; each holds until an operator resumes."""

    PAUSE = "pause"
    KILL = "kill"
    KILL_AND_FLATTEN = "kill_and_flatten"


class CollarFrom(StrEnum):
    """What a price collar is measured from: the touch of the last quote, or the last public trade."""

    TOUCH = "touch"
    TRADE = "trade"


@frozen(kw_only=True)
class Limits:
    """Limits of one scope: the whole account, a strategy or an instrument. None, no entry or False is no limit.

    Quantities are in the instrument's base, money in its quote asset (or in `Measures.currency`, where that is given),
    fractions as 0.02 for 2 %. An order in doubt counts at its worst wherever orders are counted.

    Of one order:
     * `max_order_quantity` RTS 6 Art. 15(1)(c), maximum order volumes; SEC 15c3-5(c)(1)(ii).
     * `max_order_notional` RTS 6 Art. 15(1)(b), maximum order values; SEC 15c3-5(c)(1)(ii).
     * `min_order_notional` the least value worth an order's fees.
     * `price_collar` RTS 6 Art. 15(1)(a), price collars; SEC 15c3-5(c)(1)(ii): no further than this fraction from
       `price_collar_from`, on the side that hurts; an order without a price is judged at its worst price.
     * `max_slippage` the bound of an order without a price that has none of its own, and the most that it may have.
     * `max_quote_age_ns`, `max_spread` the quote is young enough, and its spread a small enough fraction of the middle.
     * `allowed_instruments` RTS 6 Art. 15(5), permission to trade an instrument; SEC 15c3-5(c)(2)(ii).
     * `reduce_only` orders may only reduce the strategy's position, working orders counted.

    Of what is held and working:
     * `max_position` RTS 6 Art. 15(4), market risk: the position if every open order of the side executes.
     * `max_gross_exposure`, `max_net_exposure` RTS 6 Art. 15(4); SEC 15c3-5(c)(1)(i): the sum over instruments of
       |position and working orders| x mark, and the signed sum. An order that makes neither larger passes.
     * `max_leverage` what the contracts of a venue may become worth, over the account's equity there;
       `max_margin_ratio` the part of that equity which must be kept, above which nothing may grow.
     * `check_funds` RTS 6 Art. 15(4), capital; SEC 15c3-5(c)(1)(i): what the order needs is free at a spot venue, with
       fees, after all that open orders lock.
     * `max_open_orders` orders that may be live at once.

    Of the flow of orders:
     * `max_orders_per_second`, `max_orders_per_minute` RTS 6 Art. 15(1)(d), maximum messages limits: requests that
       create or replace an order. Cancels always pass.
     * `duplicate_intent_ns` SEC 15c3-5(c)(1)(ii), duplicative orders: the time in which an equal intent is refused.
     * `max_rejects` refusals by the venue within `rejects_within_ns`.
     * `max_repeated_executions` RTS 6 Art. 15(3), repeated automated execution throttles: orders that executed within
       `repeated_executions_within_ns`. It pauses its scope until an operator resumes.
     * `cool_down_after_fill_ns`, `cool_down_after_loss_ns` the time without a new order after an execution, or after
       one that closed at a loss.

    Of the result:
     * `max_daily_loss`, `max_drawdown` RTS 6 Art. 15(4), risk tolerance: what equity (realised and unrealised less
       fees) has fallen since the day began, or since its highest mark. They pause their scope, or kill.
     * `max_daily_fees` fees since the day began, with what the order may cost.
    """

    max_order_quantity: dict[InstrumentName, Decimal] = Factory(dict)
    max_order_notional: Decimal | None = None
    max_position: dict[InstrumentName, Decimal] = Factory(dict)
    max_open_orders: int | None = None
    max_orders_per_minute: int | None = None
    max_daily_loss: Decimal | None = None
    price_collar: Decimal | None = None
    max_quote_age_ns: Duration | None = None
    duplicate_intent_ns: Duration | None = None
    min_order_notional: Decimal | None = None
    price_collar_from: CollarFrom = CollarFrom.TOUCH
    max_slippage: Decimal | None = None
    max_spread: Decimal | None = None
    allowed_instruments: tuple[InstrumentName, ...] = ()
    reduce_only: bool = False
    max_gross_exposure: Decimal | None = None
    max_net_exposure: Decimal | None = None
    check_funds: bool = False
    max_orders_per_second: int | None = None
    max_rejects: int | None = None
    rejects_within_ns: Duration = A_MINUTE
    max_repeated_executions: int | None = None
    repeated_executions_within_ns: Duration = A_MINUTE
    cool_down_after_fill_ns: Duration | None = None
    cool_down_after_loss_ns: Duration | None = None
    max_drawdown: Decimal | None = None
    max_daily_fees: Decimal | None = None
    max_leverage: Decimal | None = None
    max_margin_ratio: Decimal | None = None


NOT_LIMITS = frozenset({"price_collar_from", "rejects_within_ns", "repeated_executions_within_ns"})
"""Fields of `Limits` that say how another one is measured."""


@frozen(kw_only=True)
class Measures:
    """How the account's risk is measured, and what a limit that is reached leads to.

    A day begins at `day_begins` by the clock of `time_zone`. With `currency` money of every quote asset is converted
    into it, at the mark of an instrument that trades the two, else by `conversions` (what one unit is worth); where
    there is neither, nothing that needs it is approved. `fee_rate` is the fraction of an order's value that its fee may
    be. `max_venue_errors` outcomes unknown, snapshots missed or frames of unknown shape within `venue_errors_within_ns`
    pause a venue until it has been reconciled.
    """

    on_daily_loss: OnLimit = OnLimit.PAUSE
    on_drawdown: OnLimit = OnLimit.PAUSE
    day_begins: str = MIDNIGHT
    time_zone: str = "UTC"
    currency: Asset | None = None
    conversions: dict[Asset, Decimal] = Factory(dict)
    fee_rate: Decimal = ZERO
    max_venue_errors: int | None = None
    venue_errors_within_ns: Duration = A_MINUTE


@frozen(kw_only=True)
class Risk:
    """Account-wide limits, and narrower ones by strategy and by instrument; an intent must pass all that apply."""

    account: Limits = Factory(Limits)
    strategies: dict[StrategyName, Limits] = Factory(dict)
    instruments: dict[InstrumentName, Limits] = Factory(dict)
    measures: Measures = Factory(Measures)

    def slippage(self, strategy: str, instrument: str) -> Decimal | None:
        """The narrowest bound that is configured for an order without a price; None where there is none."""
        narrower = (self.strategies.get(StrategyName(strategy)), self.instruments.get(InstrumentName(instrument)))
        bounds = (limits.max_slippage for limits in (self.account, *narrower) if limits is not None)
        return min((bound for bound in bounds if bound is not None), default=None)

    def scopes(self) -> tuple[tuple[str, str, Limits], ...]:
        """Every scope that has limits: its name (account, strategy, instrument), its subject, and the limits."""
        return (
            ("account", "", self.account),
            *(("strategy", name, limits) for name, limits in self.strategies.items()),
            *(("instrument", name, limits) for name, limits in self.instruments.items()),
        )


Made = TypeVar("Made")
KEPT_MOST = 64
"""Settings objects whose compiled form is kept at once; a process has one, a test suite many."""


class ByIdentity(Generic[Made]):
    """What a pure function makes of a Risk, kept for as long as the same object is asked about.

    A Risk is frozen, so the object stands for its content; that saves judging which limits are configured every time.
    """

    def __init__(self, make: Callable[[Risk], Made]) -> None:
        self._make = make
        self._kept: dict[int, tuple[Risk, Made]] = {}

    def of(self, risk: Risk) -> Made:
        """What was made of this object."""
        found = self._kept.get(id(risk))
        if found is None:  # the kept object can't be collected, so its id is never another's
            if len(self._kept) >= KEPT_MOST:
                self._kept.clear()
            found = self._kept[id(risk)] = (risk, self._make(risk))
        return found[1]
