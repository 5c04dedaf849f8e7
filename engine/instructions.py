"""What an intent can ask for beyond one order: a style in which it is worked, and orders that are linked to it.

Values that a strategy gives and the journal keeps. Prices are in the quote asset, tolerances fractions of the touch.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from engine.values import SECOND_NS, ZERO, Duration, OrderType, duration, exact

REPLACEMENTS_MOST = 1_000
"""More replacements than this are no style but a mistake."""


def maybe_exact(value: Any) -> Decimal | None:
    """`exact`, where there is a value."""
    return None if value is None else exact(value)


def _span(value: Any) -> Duration:
    return duration(value) if isinstance(value, str) else Duration(int(value))


class Touch(StrEnum):
    """Where a worked order stands: with its own side's best, in the middle, or at the other side's best."""

    JOIN = "join"
    MID = "mid"
    CROSS = "cross"


class GiveUp(StrEnum):
    """What becomes of the rest when the replacements are used up."""

    CANCEL = "cancel"
    CROSS = "cross"


@frozen(kw_only=True)
class Work:
    """Work a limit order near the touch, and move it when the market has left it behind.

    The order stands at `at`. Once the market is further from it than `tolerance`, and `reprice_after_ns` (an int, or
    "5s") has passed since it was placed or last moved, it is replaced, `max_replacements` times at most; after that,
    as much later, it is canceled and its rest given up, or crossed with a market order. Nothing is placed, moved or
    crossed while the spread is above `max_spread` or less than `min_depth` is displayed at the touch, nor further from
    the first price than `max_slippage`. A limit price in the intent is a bound that is never passed.
    """

    at: Touch = field(default=Touch.JOIN, converter=Touch)
    tolerance: Decimal = field(default=ZERO, converter=exact)
    reprice_after_ns: Duration = field(default=Duration(5 * SECOND_NS), converter=_span)
    max_replacements: int = 10
    give_up: GiveUp = field(default=GiveUp.CANCEL, converter=GiveUp)
    max_spread: Decimal | None = field(default=None, converter=maybe_exact)
    min_depth: Decimal | None = field(default=None, converter=maybe_exact)
    max_slippage: Decimal | None = field(default=None, converter=maybe_exact)


def check_style(style: Work) -> None:
    """Raises `ValueError` for a style that can't be worked, saying what to write."""
    if not 0 <= style.max_replacements <= REPLACEMENTS_MOST:
        raise ValueError(f"{style.max_replacements} replacements; write 0 to {REPLACEMENTS_MOST}")
    if style.reprice_after_ns <= 0:
        raise ValueError("reprice_after_ns must be above zero")
    for name in ("tolerance", "max_spread", "min_depth", "max_slippage"):
        if (getattr(style, name) or ZERO) < 0:
            raise ValueError(f"{name} of a style is below zero")


class Role(StrEnum):
    """What an order is among those that it is linked to."""

    PLAIN = ""
    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    CROSS = "cross"


@frozen(kw_only=True)
class Leg:
    """One linked order, by its prices: `price` alone is a limit order, `stop_price` a stop (with `price` a stop-limit),
    `trail` (or `trail_fraction`, a part of the price) a trailing stop that begins at `stop_price` or at that distance
    from the market."""

    price: Decimal | None = field(default=None, converter=maybe_exact)
    stop_price: Decimal | None = field(default=None, converter=maybe_exact)
    trail: Decimal | None = field(default=None, converter=maybe_exact)
    trail_fraction: Decimal | None = field(default=None, converter=maybe_exact)

    @property
    def order_type(self) -> OrderType:
        """OrdType(40) of such an order."""
        if self.trail is not None or self.trail_fraction is not None:
            return OrderType.TRAILING_STOP
        if self.stop_price is not None:
            return OrderType.STOP if self.price is None else OrderType.STOP_LIMIT
        return OrderType.LIMIT

    @property
    def role(self) -> Role:
        """A leg that waits for a stop price protects, the other takes the profit."""
        return Role.STOP if self.order_type.has_trigger else Role.TARGET

    def __attrs_post_init__(self) -> None:
        if all(said is None for said in (self.price, self.stop_price, self.trail, self.trail_fraction)):
            raise ValueError("a leg has a price, a stop_price or a trail")


@frozen
class Oco:
    """One cancels the other: `other` has the same side and quantity; what one of the two executes, the other loses."""

    other: Leg


@frozen(kw_only=True)
class Bracket:
    """Exits for what the order executes: on its opposite side, live once it has executed, each cancelling the other."""

    stop: Leg | None = None
    target: Leg | None = None

    def __attrs_post_init__(self) -> None:
        if self.stop is None and self.target is None:
            raise ValueError("a bracket has a stop, a target or both")

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs that there are, the protecting one first."""
        return tuple(leg for leg in (self.stop, self.target) if leg is not None)


Linked = Oco | Bracket
