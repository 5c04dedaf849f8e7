"""What a check of risk looks at, and what it may say: approved or denied, each with the numbers that it saw."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from attrs import Factory, define, frozen

from engine.depth import worst_of
from engine.instrument import Instrument
from engine.limits import Limits
from engine.market import Market
from engine.order import INTENT, Order
from engine.pricing import far_side
from engine.sessions import trading_day
from engine.state import State
from engine.values import EXACT, InstrumentName, StrategyName


@frozen
class Approved:
    """The order may be requested. `numbers` holds what each limit saw and what it was held against: `3 of 5`."""

    numbers: dict[str, str] = Factory(dict)


@frozen
class Denied:
    """The order may not be requested: a stable reason code and the numbers it was judged by."""

    reason: str
    numbers: dict[str, str] = Factory(dict)


Verdict = Approved | Denied

Made = TypeVar("Made")
_UNKNOWN = object()


@define(kw_only=True)
class Sight:
    """The order as it would be, and whose limits are asked: `strategy` and `instrument` None mean the whole account's.

    `replaced` is the order that the judged one would take the place of. One sight serves all scopes of an order: `look`
    turns it to the next, and what does not depend on the scope is computed once.
    """

    state: State
    market: Market
    order: Order
    now_ns: int
    replaced: Order | None = None
    limits: Limits = Factory(Limits)
    scope: str = "account"
    strategy: StrategyName | None = None
    instrument: InstrumentName | None = None
    numbers: dict[str, str] = Factory(dict)
    of_scope: dict[str, Any] = Factory(dict)
    _worst: Decimal | object | None = _UNKNOWN
    _others: tuple[Order, ...] | None = None

    def look(self, scope: str, limits: Limits) -> None:
        """Turn to the limits of this scope; what was computed of the last one is forgotten."""
        self.of_scope.clear()
        self.scope, self.limits = scope, limits
        self.strategy = self.order.strategy if scope == "strategy" else None
        self.instrument = self.order.instrument if scope == "instrument" else None

    @property
    def terms(self) -> Instrument:
        """The order's instrument."""
        return self.state.instruments[self.order.instrument]

    @property
    def price(self) -> Decimal | None:
        """The price to judge by: the order's limit, or for one without a price the touch it would take."""
        if self.order.price is not None:
            return self.order.price
        quote = self.market.quotes.get(self.order.instrument)
        return None if quote is None else far_side(self.order.side, quote)

    @property
    def waits(self) -> bool:
        """Is it an order that does nothing until the market has moved to its stop price?"""
        return self.order.order_type.has_trigger and not self.order.is_triggered

    @property
    def leaves(self) -> Decimal:
        """What the order may still execute."""
        return EXACT.subtract(self.order.quantity, self.order.filled)

    @property
    def worst(self) -> Decimal | None:
        """The worst price at which the order may execute; None where the visible depth does not say."""
        if self._worst is _UNKNOWN:
            self._worst = worst_of(self.market, self.order, self.leaves, self.slippage)
        assert self._worst is None or isinstance(self._worst, Decimal)
        return self._worst

    def slippage(self) -> Decimal | None:
        """The bound that an order without a price has: its own, else the narrowest that is configured for it."""
        if self.order.max_slippage is not None:
            return self.order.max_slippage
        return self.state.settings.risk.slippage(self.order.strategy, self.order.instrument)

    @property
    def notional(self) -> Decimal | None:
        """What the order is worth at its worst price."""
        return None if self.worst is None else self.terms.notional(self.order.quantity, self.worst)

    @property
    def today(self) -> int:
        """The number of the trading day."""
        measures = self.state.settings.risk.measures
        return trading_day(self.now_ns, measures.day_begins, measures.time_zone)

    @property
    def orders(self) -> tuple[Order, ...]:
        """Open orders within the scope of the limits, but the judged one; what the engine holds is not open."""
        if self.scope == "account":
            return self.others
        return tuple(
            order for order in self.others
            if self.strategy in (None, order.strategy) and self.instrument in (None, order.instrument)
        )  # fmt: skip

    @property
    def others(self) -> tuple[Order, ...]:
        """All open orders but the judged one."""
        if self._others is None:
            judged = self.order.order_id
            self._others = tuple(o for o in self.state.open_orders() if o.order_id != judged and o.status is not INTENT)
        return self._others

    def once(self, what: str, compute: Callable[[], Made]) -> Made:
        """What is computed once for all limits of a scope."""
        if what not in self.of_scope:
            self.of_scope[what] = compute()
        found: Made = self.of_scope[what]
        return found

    # --- what a check says

    def saw(self, limit: str, value: object, bound: object) -> None:
        """The limit is kept: remember what it saw."""
        name = limit if self.scope == "account" else f"{self.scope}.{limit}"
        self.numbers[name] = f"{value} of {bound}"

    def deny(self, reason: str, **numbers: object) -> Denied:
        """The limit is broken: the numbers, and whose limit it is where it is not the account's."""
        told = {name: str(value) for name, value in numbers.items()}
        if self.scope != "account":
            told["scope"] = f"{self.scope} {self.strategy or self.instrument}"
        return Denied(reason, told)


Check = Callable[[Sight], Denied | None]
