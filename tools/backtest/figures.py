"""The figures of a result: drawdown, ratios, trades. Money is exact; only ratios are floats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from attrs import frozen

from engine.values import EXACT, SECOND_NS, ZERO, plain
from tools.backtest.curve import Curves, Point, Who
from tools.backtest.trips import Trip

DAY_NS, HOUR_NS, MINUTE_NS = 86_400 * SECOND_NS, 3_600 * SECOND_NS, 60 * SECOND_NS
YEAR_NS = 365 * DAY_NS
PERIODS = ((DAY_NS, "day"), (HOUR_NS, "hour"), (MINUTE_NS, "minute"))
PERIODS_LEAST = 20
"""Returns are taken over days where there are so many of them, else over hours, else over minutes; of fewer minutes no
ratio is told."""


@frozen(kw_only=True)
class Drawdown:
    """The deepest fall from a peak: as money, as a part of the equity at that peak, and the longest time below one."""

    amount: Decimal = ZERO
    part: float = 0.0
    peak_ns: int = 0
    trough_ns: int = 0
    longest_ns: int = 0


@frozen(kw_only=True)
class Ratios:
    """Mean over deviation of the returns of `count` periods, for a year: every calendar period counts, idle ones too,
    the risk-free rate is zero, Sortino's deviation is that of the losses over all periods. None where nothing moved.
    `error` is Sharpe's standard error."""

    period: str
    count: int
    sharpe: float | None
    sortino: float | None
    error: float | None


@frozen(kw_only=True)
class Figures:
    """Everything that is said of one curve, in `asset`; `capital` is what it began with."""

    asset: str
    capital: Decimal
    net: Decimal
    gross: Decimal
    fees: Decimal
    turnover: Decimal
    fills: int
    trips: int
    wins: int
    losses: int
    average_win: Decimal | None
    average_loss: Decimal | None
    best: Decimal
    worst: Decimal
    profit_factor: float | None
    drawdown: Drawdown
    ratios: Ratios
    in_market: float
    exposure: float
    span_ns: int
    open_trips: int

    @property
    def final(self) -> Decimal:
        """Equity at the end."""
        return plain(self.capital + self.net)

    @property
    def part(self) -> float | None:
        """The result as a part of the capital."""
        return float(self.net / self.capital) if self.capital else None

    @property
    def win_rate(self) -> float | None:
        """The part of trips that gained."""
        return self.wins / self.trips if self.trips else None


def figures_of(curves: Curves, who: Who, capital: Decimal, begin_ns: int, end_ns: int, fills: int) -> Figures:
    """The figures of a strategy, or with None of the account."""
    points = curves.points.get(who, [])
    trips = [trip for trip in curves.trips.done if who in (None, trip.strategy)]
    still_open = [trip for trip in curves.trips.open() if who in (None, trip.strategy)]
    gains, losses = [t.net for t in trips if t.net > 0], [t.net for t in trips if t.net < 0]
    net, fees = points[-1].result if points else ZERO, curves.fees.get(who, ZERO)
    in_market, exposure = _exposure(points, capital, begin_ns, end_ns)
    return Figures(
        asset=curves.asset, capital=capital, net=net, gross=plain(EXACT.add(net, fees)), fees=plain(fees),
        turnover=plain(curves.turnover.get(who, ZERO)), fills=fills, trips=len(trips), wins=len(gains),
        losses=len(losses), average_win=_average(gains), average_loss=_average(losses),
        best=max((t.net for t in trips), default=ZERO), worst=min((t.net for t in trips), default=ZERO),
        profit_factor=float(sum(gains) / -sum(losses)) if losses else None,
        drawdown=drawdown_of(points, capital, begin_ns, end_ns), ratios=ratios_of(points, capital, begin_ns, end_ns),
        in_market=in_market, exposure=exposure, span_ns=end_ns - begin_ns, open_trips=len(still_open),
    )  # fmt: skip


def drawdown_of(points: Sequence[Point], capital: Decimal, begin_ns: int, end_ns: int) -> Drawdown:
    """The deepest and the longest, both from the curve's beginning at zero."""
    peak, peak_ns, deepest, longest_ns, is_below = ZERO, begin_ns, Drawdown(), 0, False
    for point in points:
        is_below, was_below = point.result < peak, is_below
        if not is_below:
            longest_ns = max(longest_ns, point.at_ns - peak_ns if was_below else 0)
            peak, peak_ns = point.result, point.at_ns
        elif peak - point.result > deepest.amount:
            base = capital + peak
            deepest = Drawdown(
                amount=plain(peak - point.result), part=float((peak - point.result) / base) if base > 0 else 0.0,
                peak_ns=peak_ns, trough_ns=point.at_ns,
            )  # fmt: skip
    if is_below:
        longest_ns = max(longest_ns, end_ns - peak_ns)
    return Drawdown(
        amount=deepest.amount, part=deepest.part, peak_ns=deepest.peak_ns, trough_ns=deepest.trough_ns,
        longest_ns=longest_ns,
    )  # fmt: skip


def ratios_of(points: Sequence[Point], capital: Decimal, begin_ns: int, end_ns: int) -> Ratios:
    """Sharpe and Sortino of the returns on equity."""
    span_ns = end_ns - begin_ns
    period_ns, name = next((p for p in PERIODS if span_ns // p[0] >= PERIODS_LEAST), PERIODS[-1])
    returns = returns_of(points, capital, begin_ns, end_ns, period_ns)
    count, a_year = len(returns), math.sqrt(YEAR_NS / period_ns)
    if count < PERIODS_LEAST:
        return Ratios(period=name, count=count, sharpe=None, sortino=None, error=None)
    mean = math.fsum(returns) / count
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in returns) / (count - 1))
    downward = math.sqrt(math.fsum(min(each, 0.0) ** 2 for each in returns) / count)
    sharpe = mean / deviation if deviation else None
    return Ratios(
        period=name, count=count, sharpe=None if sharpe is None else sharpe * a_year,
        sortino=mean / downward * a_year if downward else None,
        error=None if sharpe is None else math.sqrt((1 + sharpe**2 / 2) / count) * a_year,
    )  # fmt: skip


def returns_of(points: Sequence[Point], capital: Decimal, begin_ns: int, end_ns: int, period_ns: int) -> list[float]:
    """The return of each whole or begun period, on the equity at its beginning."""
    found: list[float] = []
    before = now = capital
    boundary_ns = begin_ns - begin_ns % period_ns + period_ns
    place = 0
    while boundary_ns - period_ns < end_ns:
        while place < len(points) and points[place].at_ns < boundary_ns:
            now = capital + points[place].result
            place += 1
        found.append(float((now - before) / before) if before > 0 else 0.0)
        before = now
        boundary_ns += period_ns
    return found


def _exposure(points: Sequence[Point], capital: Decimal, begin_ns: int, end_ns: int) -> tuple[float, float]:
    """The part of the time with a position, and the average money at stake as a part of the capital."""
    span_ns = max(end_ns - begin_ns, 1)
    held_ns, weighted = 0, ZERO
    for place, point in enumerate(points):
        if point.at_stake:
            lasted_ns = (points[place + 1].at_ns if place + 1 < len(points) else end_ns) - point.at_ns
            held_ns += lasted_ns
            weighted += point.at_stake * lasted_ns
    return held_ns / span_ns, float(weighted / span_ns / capital) if capital > 0 else 0.0


def _average(results: Sequence[Decimal]) -> Decimal | None:
    return plain(sum(results, ZERO) / len(results)) if results else None


def trip_span(trips: Sequence[Trip]) -> int | None:
    """The average time of a round trip, in ns."""
    spans = [trip.end_ns - trip.start_ns for trip in trips if trip.end_ns is not None]
    return sum(spans) // len(spans) if spans else None
