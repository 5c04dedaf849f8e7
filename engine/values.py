"""Values of trading: sides, order types, identifiers and exact decimals.

Money, prices and quantities are `Decimal`, made from strings or ints; a float is refused by type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    Overflow,
    getcontext,
    localcontext,
    setcontext,
)
from enum import StrEnum
from functools import wraps
from typing import NewType, ParamSpec, TypeVar

VenueName = NewType("VenueName", str)
InstrumentName = NewType("InstrumentName", str)
StrategyName = NewType("StrategyName", str)
Asset = NewType("Asset", str)
OrderId = NewType("OrderId", str)
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)
ExecId = NewType("ExecId", str)

Duration = NewType("Duration", int)
"""Nanoseconds; written `250ms`, `5s`, `2m`, `1h`, `7d` in a configuration, under the field's name without `_ns`."""

ZERO = Decimal(0)
ONE = Decimal(1)

EXACT = Context(
    prec=50,
    rounding=ROUND_HALF_EVEN,
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)
QUOTIENT_PLACES = Decimal(1).scaleb(-18)

DIGITS_MOST = 40
MAGNITUDE_MOST = 30

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000
_UNITS_NS = {"ms": MILLISECOND_NS, "s": SECOND_NS, "m": 60 * SECOND_NS, "h": 3600 * SECOND_NS, "d": 86400 * SECOND_NS}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


class Side(StrEnum):
    """Side(54)."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: what an execution does to a position."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """OrdType(40).

    A stop waits until the market has moved to its stop price against the order's side (a sell below, a buy above), a
    take-profit until it has moved there in its favour; then it is a market order, or with a limit price a limit order.
    A trailing stop's stop price follows the market at a distance and never goes back.
    """

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT = "take_profit"
    TAKE_PROFIT_LIMIT = "take_profit_limit"
    TRAILING_STOP = "trailing_stop"

    @property
    def has_price(self) -> bool:
        """Does it trade at a limit price?"""
        return self in _PRICED

    @property
    def has_trigger(self) -> bool:
        """Does it wait for the market to move somewhere first?"""
        return self not in (OrderType.MARKET, OrderType.LIMIT)

    @property
    def takes_profit(self) -> bool:
        """Does it wait for a move in its favour?"""
        return self in (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)

    @property
    def triggered(self) -> OrderType:
        """What it is once it has been triggered."""
        return OrderType.LIMIT if self.has_price else OrderType.MARKET


_PRICED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


class TimeInForce(StrEnum):
    """TimeInForce(59). GTD ends at ExpireTime(126), DAY with the trading day."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"
    DAY = "day"

    @property
    def may_rest(self) -> bool:
        """May an order wait for somebody to trade with?"""
        return self not in (TimeInForce.IOC, TimeInForce.FOK)


class Liquidity(StrEnum):
    """LastLiquidityInd(851): did the order rest (maker) or take (taker)?"""

    MAKER = "maker"
    TAKER = "taker"
    UNKNOWN = "unknown"


Told = ParamSpec("Told")
Made = TypeVar("Made")


class _Exactly:
    """Entered several times for each record of a tape; a generator in its place takes three times as long."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = getcontext()
        setcontext(EXACT.copy())

    def __exit__(self, *raised: object) -> None:
        setcontext(self._before)

    def __call__(self, function: Callable[Told, Made]) -> Callable[Told, Made]:
        @wraps(function)
        def exactly(*args: Told.args, **kwargs: Told.kwargs) -> Made:
            with localcontext(EXACT):
                return function(*args, **kwargs)

        return exactly


def exact_arithmetic() -> _Exactly:
    """The one decimal context of decide, apply and every fold; entered anew because user code may change it.

    It stands in a `with`, or as a decorator over a function.
    """
    return _Exactly()


def exact(value: str | int | Decimal) -> Decimal:
    """A finite Decimal in plain notation (no exponent, no -0, no trailing zeros).

    Raises `TypeError` for a float or bool (write the number as a string) and `ValueError` for anything that is
    not a finite number.

    >>> exact("1E+3"), exact("0.50"), exact("-0")
    (Decimal('1000'), Decimal('0.5'), Decimal('0'))
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise TypeError(f'{value!r} is a {type(value).__name__}; write the number as a string, such as "0.001"')
    try:
        number = Decimal(value, EXACT)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    if number and (len(number.as_tuple().digits) > DIGITS_MOST or abs(number.adjusted()) > MAGNITUDE_MOST):
        raise ValueError(f"{str(value)[:60]!r} has more digits than any price or quantity")
    return plain(number)


def plain(number: Decimal) -> Decimal:
    """The same number in the one notation that is stored, so that equal numbers have equal bytes.

    >>> plain(Decimal("100.00")), plain(Decimal("1E+2"))
    (Decimal('100'), Decimal('100'))
    """
    if not number:
        return ZERO
    reduced = number.normalize(EXACT)
    if "E+" in str(reduced):
        return reduced.quantize(ONE, context=EXACT)
    return reduced


def divide(numerator: Decimal, denominator: Decimal) -> Decimal:
    """The only division of money: half-even, to 18 places.

    >>> divide(Decimal(1), Decimal(3))
    Decimal('0.333333333333333333')
    """
    quotient = EXACT.divide(numerator, denominator)
    return plain(quotient.quantize(QUOTIENT_PLACES, context=EXACT))


def duration(text: str) -> Duration:
    """Nanoseconds of a written duration; raises `ValueError` saying how to write one.

    >>> duration("250ms"), duration("2m")
    (250000000, 120000000000)
    """
    found = _DURATION.fullmatch(str(text))
    if found is None:
        raise ValueError(f"{text!r} is not a duration; write it as 250ms, 5s, 2m, 1h or 7d")
    return Duration(int(Decimal(found[1]) * _UNITS_NS[found[2]]))
