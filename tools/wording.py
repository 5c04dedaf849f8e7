"""Plain words: times in UTC, durations, numbers, counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from engine.inputs import Scope
from engine.order import Order
from engine.values import MILLISECOND_NS, SECOND_NS, Side, plain

_MINUTE_NS, _HOUR_NS, _DAY_NS = 60 * SECOND_NS, 3600 * SECOND_NS, 86_400 * SECOND_NS
LINE_LIMIT = 500
PLACES = 8
_LONG_FRACTION = re.compile(r"-?\d+\.\d{9,}")
DONE = {Side.BUY: "bought", Side.SELL: "sold"}


def moment(at_ns: int) -> str:
    """Date and time in UTC, to the millisecond.

    >>> moment(1763688003123000000)
    '2025-11-21 01:20:03.123'
    """
    return f"{_utc(at_ns):%Y-%m-%d %H:%M:%S}.{at_ns % SECOND_NS // MILLISECOND_NS:03d}"


def clock(at_ns: int) -> str:
    """The time of the day in UTC.

    >>> clock(1763688003123000000)
    '01:20:03'
    """
    return f"{_utc(at_ns):%H:%M:%S}"


def lasting(ns: int) -> str:
    """A duration in its two largest units, or to a tenth below a minute.

    >>> lasting(250_000_000), lasting(3_200_000_000), lasting(310 * 10**9), lasting(200_000 * 10**9)
    ('250 ms', '3.2 s', '5 m 10 s', '2 d 7 h')
    """
    if ns < SECOND_NS:
        return f"{max(ns, 0) // MILLISECOND_NS} ms"
    if ns < _MINUTE_NS:
        return f"{ns // SECOND_NS}.{ns % SECOND_NS * 10 // SECOND_NS} s"
    if ns < _HOUR_NS:
        return f"{ns // _MINUTE_NS} m {ns % _MINUTE_NS // SECOND_NS} s"
    if ns < _DAY_NS:
        return f"{ns // _HOUR_NS} h {ns % _HOUR_NS // _MINUTE_NS} m"
    return f"{ns // _DAY_NS} d {ns % _DAY_NS // _HOUR_NS} h"


def number(value: Decimal | None) -> str:
    """A number as it is, or a dash."""
    return "–" if value is None else f"{plain(value):f}"


def evened(values: Sequence[Decimal | None]) -> list[str]:
    """Numbers with equally many places, so that their points stand below each other.

    >>> evened([Decimal("1.5"), Decimal("20"), None])
    ['1.5', '20.0', '–']
    """
    places = max((-int(plain(value).as_tuple().exponent) for value in values if value is not None), default=0)
    return ["–" if value is None else f"{value:.{places}f}" for value in values]


def signed(value: Decimal | None, places: int = 2) -> str:
    """A result with its sign, rounded for the eye only.

    >>> signed(Decimal("1234.567")), signed(Decimal("-0.001")), signed(Decimal(0))
    ('+1,234.57', '0.00', '0.00')
    """
    if value is None:
        return "–"
    rounded = round(value, places)
    return f"{rounded:+,.{places}f}" if rounded else f"{Decimal(0):.{places}f}"


def percent(part: Decimal) -> str:
    """A fraction in percent, as exact as it is.

    >>> percent(Decimal("0.00075")), percent(Decimal(0))
    ('0.075 %', '0 %')
    """
    return f"{number(part * 100)} %"


def count(number_of: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> count(1, "order"), count(2, "order"), count(0, "reply", "replies")
    ('1 order', '2 orders', '0 replies')
    """
    return f"{number_of:,} {one if number_of == 1 else many or one + 's'}"


def listed(words: Iterable[str]) -> str:
    """The words in one line."""
    return ", ".join(words)


def pairs(table: dict[str, object]) -> str:
    """Names and values, long fractions cut for the eye.

    >>> pairs({"limit": "0.1", "quantity": 5, "average": "60054.123456789012345678"})
    'limit 0.1, quantity 5, average 60054.12345679'
    """
    return listed(f"{name} {_cut(value)}" for name, value in table.items())


def _cut(value: object) -> object:
    if isinstance(value, str) and _LONG_FRACTION.fullmatch(value):
        return number(round(Decimal(value), PLACES))
    return value


def one_line(text: str) -> str:
    """Text of others as it may stand on a terminal: no control codes, one line, cut to `LINE_LIMIT`.

    >>> one_line("no\\x1b[31m\\nfunds")
    'no?[31m funds'
    """
    line = " ".join(text[: LINE_LIMIT + 1].split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= LINE_LIMIT else f"{line[:LINE_LIMIT]}…"


def order_words(order: Order) -> str:
    """What an order wants: `buy 0.02 BTC-USDT at 60001`."""
    price = "at the market" if order.price is None else f"at {number(order.price)}"
    return f"{order.side} {number(order.quantity)} {order.instrument} {price}"


def status_words(order: Order) -> str:
    """Where an order is, and what is outstanding."""
    words = [str(order.status).replace("_", " ")]
    for what, pending in (("cancel", order.pending_cancel), ("replace", order.pending_replace)):
        if pending != "none":
            words.append(f"{what} {str(pending).replace('_', ' ')}")
    if order.reported_filled > order.filled:
        words.append("fills missing")
    return listed(words)


def scope_words(scope: Scope, subject: str) -> str:
    """How far a pause reaches."""
    return "everything" if scope is Scope.ALL else f"{scope} {subject}"


def _utc(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC)
