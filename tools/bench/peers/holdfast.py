"""The task in holdfast: the very backtest that `holdfast backtest` plays, with decisions, risk, orders and journal."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from attrs import evolve

from adapters.simulated import ADAPTER, SimulatedOptions
from adapters.simulated.listing import Listing
from adapters.simulated.options import FeeRates
from engine.bars import Bar
from engine.events import FillBooked, OrderIntended
from engine.indicators import Ema
from engine.settings import Risk, Settings, StrategySettings
from engine.strategy import Answer, Context, Intent, Strategy
from engine.values import SECOND_NS, Duration, OrderType, Side, TimeInForce
from tools.backtest.filing import write_journal
from tools.backtest.identity import identify
from tools.backtest.session import Played, play
from tools.bench import scene
from tools.bench.peers.crossing import CASH, FAST, FEE, FIRST_S, QUANTITY, SLOW, WARM_UP, Result, tell
from tools.config import Configuration, VenueConfiguration
from tools.version import RELEASE

MINUTE_NS = 60 * SECOND_NS
DISPLAYED = Decimal(100)


class Cross(Strategy):
    """Long while the fast average is above the slow one. Params: `orders`, without which it only looks."""

    def on_bar(self, context: Context, bar: Bar) -> Iterator[Answer]:
        """Compare, and trade where what is wanted is not what is held."""
        fast = context.indicator(bar.instrument, bar.interval_ns, Ema(FAST))
        slow = context.indicator(bar.instrument, bar.interval_ns, Ema(SLOW))
        if fast is None or slow is None or bar.start_ns < (FIRST_S * SECOND_NS + WARM_UP * MINUTE_NS):
            return
        is_long = context.position(bar.instrument) > 0
        if (fast > slow) is not is_long and context.params["orders"]:
            yield Intent(
                instrument=bar.instrument, side=Side.SELL if is_long else Side.BUY, quantity=Decimal(QUANTITY),
                order_type=OrderType.MARKET, time_in_force=TimeInForce.IOC, reason={"fast": fast, "slow": slow},
            )  # fmt: skip


def run(path: Path, trades: bool) -> Result:
    """Play the bars; what the others have not, the journal's way to its file, is done aside."""
    configuration = _configuration(path, trades)
    played = play(configuration, {scene.STRATEGY: Cross}, identify(configuration))
    began_ns = time.process_time_ns()
    write_journal(played, configuration.journal)
    shutil.rmtree(configuration.journal)
    return _result(played, time.process_time_ns() - began_ns)


def _configuration(path: Path, trades: bool) -> Configuration:
    """One strategy on the file's bars, with the account-wide limits that each order is judged by."""
    options = SimulatedOptions(
        tape={"path": path.name, "format": "csv:bars:1m"}, fees=FeeRates(maker=Decimal(FEE), taker=Decimal(FEE)),
        balances={scene.QUOTE: Decimal(CASH)}, instruments={scene.TERMS.symbol: Listing(displayed=DISPLAYED)},
    )  # fmt: skip
    cross = StrategySettings(
        strategy_class="holdfast.Cross", instruments=(scene.INSTRUMENT,), tag="cross",
        bars_ns=Duration(MINUTE_NS), params={"orders": trades},
    )  # fmt: skip
    # When a bar is told, the last quote is of its open.
    limits = evolve(scene.settings().risk.account, max_quote_age_ns=Duration(2 * MINUTE_NS))
    settings = Settings(
        venues={scene.VENUE: "simulated"}, strategies={scene.STRATEGY: cross}, risk=Risk(account=limits)
    )
    venue = VenueConfiguration(adapter=ADAPTER, options=options, symbols={scene.INSTRUMENT: scene.TERMS.symbol})
    directory = path.parent
    return Configuration(
        path=directory / "holdfast.toml", directory=directory, journal=directory / f"{path.stem}-journal",
        settings=settings, venues={scene.VENUE: venue},
    )  # fmt: skip


def _result(played: Played, aside_ns: int) -> Result:
    decided, fills = [], 0
    for entry in played.entries:
        if entry.kind == OrderIntended.__name__:
            decided.append((entry.at_ns - FIRST_S * SECOND_NS) // MINUTE_NS - 1)
        elif entry.kind == FillBooked.__name__:
            fills += 1
    return Result(played.records, tuple(decided), fills, aside_ns)


if __name__ == "__main__":
    tell(RELEASE, run)
