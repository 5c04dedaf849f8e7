"""What a soak trades with: the exchange's options, the engine's configuration, and what goes wrong when."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import Factory, frozen

from engine.values import VenueName
from tools.proof.processes.exchanges import EXCHANGES, QUICK
from tools.proof.processes.ground import toml
from tools.soak.market import write_tape

ADAPTER, VENUE = "binance", VenueName("binance")
SYMBOLS = {"BTC-USDT": "BTCUSDT", "ETH-USDT": "ETHUSDT"}
QUANTITIES = {"BTC-USDT": "0.002", "ETH-USDT": "0.04"}
TICKS_AWAY = {"BTC-USDT": 1_200, "ETH-USDT": 70}
"""How far the quoter stays from the middle: what the market moves in some seconds of its own."""

SETTLING_SECONDS = 150
"""Of the machine's own time: the market goes on for so long while the end is being settled."""

HOUR_SECONDS = 3_600
CLOSED_KEPT = 200
"""Closed orders that the engine keeps: few, so that its state has its size long before the second half."""


@frozen
class Fault:
    """From a part of the run on, for so long (in seconds of the machine's time), the exchange has these faults."""

    at: float
    for_seconds: float
    table: Mapping[str, Any]


@frozen
class Transfer:
    """At a part of the run somebody takes this quantity of an asset out of the account (below zero), or puts it in."""

    at: float
    asset: str
    quantity: Decimal


Happening = Fault | Transfer

FAULTS = (
    Fault(0.08, 1, {"cut_sockets": True}),
    Fault(0.16, 3, {"lose_reply": {"permille": 200}}),
    Fault(0.25, 3, {"throttle": "2s"}),
    Fault(0.42, 3, {"disconnect": {"permille": 40}}),
    Fault(0.50, 1, {"terminate_user_streams": True}),
    Fault(0.58, 3, {"error_reply": {"permille": 200}, "duplicate": {"permille": 100}}),
    Fault(0.66, 3, {"throttle": "2s"}),
    Fault(0.75, 3, {"lose_reply": {"permille": 200}, "drop": {"permille": 100}}),
    Fault(0.83, 1, {"cut_sockets": True}),
    Fault(0.90, 3, {"lose_request": {"permille": 100}, "delay_reply": {"permille": 200}}),
)
"""Connection losses, throttles and lost replies, each for a moment."""

RESTART_AT = 0.2
"""When the engine is killed and started again: so early that what its new process remembers of orders (4,096 requests,
the closed orders of two minutes) is full before the second half, in which memory is judged."""


@frozen(kw_only=True)
class Plan:
    """One soak: virtual hours, how many times faster than the machine's clock, and what happens meanwhile.

    `strategies` stand beside the reference ones; `reconcile_every` is how often the engine compares its books.
    """

    hours: float = 24
    speed: int = 50
    seed: int = 7
    happenings: tuple[Happening, ...] = FAULTS
    strategies: Mapping[str, Mapping[str, Any]] = Factory(dict)
    reconcile_every: str = "20s"

    @property
    def seconds(self) -> float:
        """How long it trades, by the machine's clock."""
        return self.hours * HOUR_SECONDS / self.speed

    @property
    def tape_seconds(self) -> int:
        """How long the market's recording is, by its own clock."""
        return int(self.hours * HOUR_SECONDS + SETTLING_SECONDS * self.speed)


@frozen
class Scene:
    """The files of one soak, below one directory."""

    directory: Path

    @property
    def config(self) -> Path:
        """The engine's configuration."""
        return self.directory / "holdfast.toml"

    @property
    def journal(self) -> Path:
        """The engine's journal directory."""
        return self.directory / "run"

    @property
    def books(self) -> Path:
        """The directory of the exchange's own ledger."""
        return self.directory / "books"

    @property
    def exchange_config(self) -> Path:
        """Which symbols the exchange trades."""
        return self.directory / "exchange.toml"

    @property
    def exchange_options(self) -> Path:
        """The exchange's tapes and their speed."""
        return self.directory / "options.toml"

    def write_exchange(self, plan: Plan) -> int:
        """The market and what the exchange is started with; gives the number of records."""
        records, tapes = 0, {}
        for symbol in SYMBOLS.values():
            tapes[symbol] = f"{symbol}.gz"
            records += write_tape(self.directory / tapes[symbol], symbol, plan.tape_seconds, plan.seed)
        tables = {"tape": tapes, "speed": str(plan.speed), "balances": BALANCES, "limits": {"orders_per_10s": 400}}
        self.exchange_options.write_text(_flat(tables))
        document = {"mode": "paper", "venues": {VENUE: {"adapter": ADAPTER}}, "instruments": _instruments()}
        self.exchange_config.write_text(toml(document))
        return records

    def write_engine(self, plan: Plan, port: int) -> None:
        """The engine's configuration once the exchange listens."""
        self.config.write_text(toml(_document(plan, port)))


BALANCES = {"USDT": "1000000", "BTC": "5", "ETH": "100"}
LIMITS = {
    "max_order_quantity": {"BTC-USDT": "0.1", "ETH-USDT": "2"},
    "max_order_notional": "10000",
    "max_position": {"BTC-USDT": "1", "ETH-USDT": "20"},
    "max_open_orders": 20,
    "max_orders_per_minute": 2_000,
    "max_daily_loss": "100000",
    "price_collar": "5%",
    "max_quote_age": "5s",
}


def _document(plan: Plan, port: int) -> dict[str, Any]:
    reach = dict(EXCHANGES[ADAPTER].reach(port))
    return {
        "mode": "paper",
        "journal": "run",
        "venues": {VENUE: {"adapter": ADAPTER, **QUICK, **reach, "seed": plan.seed}},
        "instruments": _instruments(),
        "strategies": {**_reference_strategies(), **plan.strategies},
        "orders": {"closed_kept_most": CLOSED_KEPT, "stop_limit": "10s"},
        "reconcile": {"every": plan.reconcile_every, "retry": "1s"},
        "record": {"quotes": "deciding"},
        "risk": LIMITS,
        "disk": {"min_free_bytes": 0},
    }


def _reference_strategies() -> dict[str, dict[str, Any]]:
    """All four trade both instruments: one quotes, three take."""
    asked = {"evaluate": {"on": "quote", "at_most_every": "100ms"}}
    chosen: dict[str, dict[str, Any]] = {
        "quoter": {
            "class": "engine.strategies.two_sided_quoter:TwoSidedQuoter",
            "params": {"short": True},
        },
        "cross": {"class": "engine.strategies.sma_cross:SmaCross", "bars": "1s", "params": {"fast": 3, "slow": 9}},
        "rsi": {
            "class": "engine.strategies.rsi_threshold:RsiThreshold", "bars": "1s",
            "params": {"length": 7, "buy_below": 40, "sell_above": 60},
        },
        "reversion": {
            "class": "engine.strategies.mean_reversion:MeanReversion", "bars": "1s",
            "params": {"length": 10, "width": "1.5"},
        },
    }  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    for name, table in chosen.items():
        for instrument, quantity in QUANTITIES.items():
            params = {**table["params"], "quantity": quantity}
            if name == "quoter":
                distance = TICKS_AWAY[instrument]
                params |= {"ticks": distance, "requote": distance, "max_inventory": str(5 * Decimal(quantity))}
            base = instrument[:3].lower()
            own = {**table, "instruments": [instrument], "params": params, "tag": name[:4] + base, **asked}
            found[f"{name}_{base}"] = own
    return found


def _instruments() -> dict[str, dict[str, str]]:
    return {name: {"venue": VENUE, "symbol": symbol} for name, symbol in SYMBOLS.items()}


def _flat(document: Mapping[str, Any]) -> str:
    """A document whose tables stand in a line each."""
    return "".join(line + "\n" for line in toml({"options": document}).splitlines() if not line.startswith("["))
