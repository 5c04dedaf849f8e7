"""The task in nautilus_trader, in an environment of its own: its engine, account, risk and indicators, its log off."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from tools.bench.peers.crossing import CASH, FAST, FEE, QUANTITY, SLOW, WARM_UP, Result, tell_of

PARTS = tuple(
    "backtest.engine config indicators model.currencies model.data model.enums model.identifiers model.instruments "
    "model.objects persistence.wranglers trading.strategy".split()
)


def run(path: Path, trades: bool) -> Result:
    """Read as its users read, by pandas and its own wrangler; no statistics afterwards."""
    config, backtest = _part("config"), _part("backtest.engine")
    engine = backtest.BacktestEngine(
        config.BacktestEngineConfig(logging=config.LoggingConfig(bypass_logging=True), run_analysis=False)
    )
    instrument = _instrument()
    _add_venue(engine, instrument)
    bar_type = _part("model.data").BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
    engine.add_data(_bars(path, bar_type, instrument))
    cross = _strategy()(bar_type, instrument, trades)
    engine.add_strategy(cross)
    engine.run()
    found = Result(cross.bars, tuple(cross.decided), cross.fills)
    engine.dispose()
    return found


def _part(name: str) -> Any:
    """A module of its; found by name, because it is not installed where this file is checked."""
    return import_module(f"nautilus_trader.{name}")


def _instrument() -> Any:
    currencies, identifiers, objects = _part("model.currencies"), _part("model.identifiers"), _part("model.objects")
    return _part("model.instruments").CurrencyPair(
        instrument_id=identifiers.InstrumentId.from_str("BTCUSDT.BENCH"), raw_symbol=identifiers.Symbol("BTCUSDT"),
        base_currency=currencies.BTC, quote_currency=currencies.USDT, price_precision=2, size_precision=5,
        price_increment=objects.Price.from_str("0.01"), size_increment=objects.Quantity.from_str("0.00001"),
        ts_event=0, ts_init=0, maker_fee=Decimal(FEE), taker_fee=Decimal(FEE),
    )  # fmt: skip


def _add_venue(engine: Any, instrument: Any) -> None:
    currencies, enums, money = _part("model.currencies"), _part("model.enums"), _part("model.objects").Money
    engine.add_venue(
        venue=instrument.id.venue, oms_type=enums.OmsType.NETTING, account_type=enums.AccountType.CASH,
        starting_balances=[money(CASH, currencies.USDT), money(0, currencies.BTC)],
    )  # fmt: skip
    engine.add_instrument(instrument)


def _bars(path: Path, bar_type: Any, instrument: Any) -> Any:
    pandas: Any = import_module("pandas")
    frame = pandas.read_csv(path)
    frame.index = pandas.to_datetime(frame.pop("time_s"), unit="s", utc=True)
    frame.index.name = "timestamp"
    return _part("persistence.wranglers").BarDataWrangler(bar_type, instrument).process(frame)


def _strategy() -> type[Any]:
    """Its class, which can be made only where nautilus_trader is."""
    average, side = _part("indicators").ExponentialMovingAverage, _part("model.enums").OrderSide
    base: Any = _part("trading.strategy").Strategy

    class Cross(base):  # type: ignore[misc]
        """Long while the fast average is above the slow one."""

        def __init__(self, bar_type: Any, instrument: Any, trades: bool) -> None:
            super().__init__()
            self.bar_type, self.instrument, self.trades = bar_type, instrument, trades
            self.fast, self.slow = average(FAST), average(SLOW)
            self.quantity = instrument.make_qty(Decimal(QUANTITY))
            self.decided: list[int] = []
            self.bars = self.fills = 0

        def on_start(self) -> None:
            """Ask for bars and have the averages fed."""
            self.register_indicator_for_bars(self.bar_type, self.fast)
            self.register_indicator_for_bars(self.bar_type, self.slow)
            self.subscribe_bars(self.bar_type)

        def on_bar(self, bar: Any) -> None:
            """A bar has closed."""
            self.bars += 1
            is_long = self.portfolio.is_net_long(self.instrument.id)
            if self.bars > WARM_UP and (self.fast.value > self.slow.value) is not is_long and self.trades:
                self.decided.append(self.bars - 1)
                wanted = side.SELL if is_long else side.BUY
                self.submit_order(self.order_factory.market(self.instrument.id, wanted, self.quantity))

        def on_order_filled(self, event: Any) -> None:
            """An order was executed."""
            self.fills += 1

    return Cross


if __name__ == "__main__":
    tell_of("nautilus_trader", ("pandas", *(f"nautilus_trader.{part}" for part in PARTS)), run)
