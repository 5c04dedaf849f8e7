"""The task in backtrader, in an environment of its own: its broker, its indicators, its usual settings."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from tools.bench.peers.crossing import CASH, FAST, FEE, QUANTITY, SLOW, WARM_UP, Result, tell_of

UNIX_SECONDS = 1
"""What backtrader's reader of CSV files calls a time in seconds since the epoch."""


def run(path: Path, trades: bool) -> Result:
    """Everything left at its default (averages computed beforehand in one go), but no observers for a chart."""
    backtrader: Any = import_module("backtrader")
    cerebro = backtrader.Cerebro(stdstats=False)
    cerebro.adddata(
        backtrader.feeds.GenericCSVData(
            dataname=str(path), dtformat=UNIX_SECONDS, timeframe=backtrader.TimeFrame.Minutes,
            datetime=0, open=1, high=2, low=3, close=4, volume=5, openinterest=-1,
        )
    )  # fmt: skip
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(commission=float(FEE))
    cerebro.addstrategy(_strategy(backtrader), trades=trades)
    (played,) = cerebro.run()
    return Result(len(played), tuple(played.decided), played.fills)


def _strategy(backtrader: Any) -> type[Any]:
    """Its class, which can be made only where backtrader is."""

    class Cross(backtrader.Strategy):  # type: ignore[misc]
        """Long while the fast average is above the slow one."""

        def __init__(self, trades: bool) -> None:
            self.trades = trades
            self.fast = backtrader.indicators.ExponentialMovingAverage(self.data.close, period=FAST)
            self.slow = backtrader.indicators.ExponentialMovingAverage(self.data.close, period=SLOW)
            self.decided: list[int] = []
            self.fills = 0

        def next(self) -> None:
            """A bar has closed."""
            number = len(self)
            is_long = self.position.size > 0
            if number > WARM_UP and (self.fast[0] > self.slow[0]) is not is_long and self.trades:
                self.decided.append(number - 1)
                order = self.sell if is_long else self.buy
                order(size=float(QUANTITY))

        def notify_order(self, order: Any) -> None:
            """An order changed."""
            self.fills += order.status == order.Completed

    return Cross


if __name__ == "__main__":
    tell_of("backtrader", ("backtrader",), run)
