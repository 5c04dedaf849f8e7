"""Small tapes, strategies and configurations for the tests of the backtest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from adapters import simulated
from engine.codec import decode
from engine.events import FillBooked, OrderIntended
from engine.state import Recorded
from journal.entry import Entry
from tools import document
from tools.backtest.identity import identify
from tools.backtest.session import Played, play
from tools.config import load_strategies, read_configuration

S = 10**9
FIRST_NS = 1_600_000_000 * S
TRADER = '''
from decimal import Decimal
from engine.strategy import Intent, Strategy


class Trader(Strategy):
    """Buys with every `every`-th quote and sells with the next: it needs nothing but the market."""

    def on_quote(self, context, quote):
        seen = context.memory.get("seen", 0) + 1
        context.memory["seen"] = seen
        if seen % int(context.params["every"]):
            return
        held = context.position(quote.instrument)
        if context.open_orders(quote.instrument):
            return
        side = "sell" if held > 0 else "buy"
        yield Intent(instrument=quote.instrument, side=side, quantity=Decimal("0.1"), order_type="market",
                     time_in_force="ioc", reason={"bid": quote.bid, "ask": quote.ask})


class Holder(Strategy):
    """Buys once and holds."""

    def on_quote(self, context, quote):
        if not context.memory.get("done"):
            context.memory["done"] = True
            yield Intent(instrument=quote.instrument, side="buy", quantity=Decimal(1), order_type="market",
                         time_in_force="ioc")


class Watcher(Strategy):
    """Trades never, remembers what it was shown and when."""

    def on_quote(self, context, quote):
        context.memory.setdefault("seen", []).append([context.now_ns, "quote", quote.bid, quote.ask])

    def on_bar(self, context, bar):
        context.memory.setdefault("seen", []).append([context.now_ns, "bar", bar.low, bar.high, bar.end_ns])
'''

Row = tuple[int, str, str]
"""After so many ms: bid and ask."""


def install(monkeypatch: object) -> None:
    """The simulated adapter is found without an installed package."""
    monkeypatch.setattr(document, "adapters", lambda: {"simulated": simulated.ADAPTER})  # type: ignore[attr-defined]


def quotes(rows: Iterable[Row], size: str = "5") -> str:
    """A tape of quotes."""
    lines = [f"{FIRST_NS + ms * 10**6},{bid},{size},{ask},{size}" for ms, bid, ask in rows]
    return "\n".join(["time_ns,bid,bid_quantity,ask,ask_quantity", *lines, ""])


def walk(count: int, every_ms: int = 100, begin: int = 10_000) -> list[Row]:
    """A price that goes up and down for ever, a hundredth at a time."""
    prices = [Decimal(begin + (n * 37 % 101) - (n * 53 % 89)) / 100 for n in range(count)]
    return [(n * every_ms, str(price), str(price + Decimal("0.02"))) for n, price in enumerate(prices)]


def configure(
    directory: Path, tape: str, *, strategy: str = "Trader", params: str = "every = 5", venue: str = "", more: str = "",
    mode: str = "backtest", of_strategy: str = "",
) -> Path:  # fmt: skip
    """Write tape, strategy and configuration; gives the latter's path."""
    (directory / "tape.csv").write_text(tape)
    (directory / "trader.py").write_text(TRADER)
    path = directory / "holdfast.toml"
    path.write_text(f"""mode = "{mode}"
journal = "run"
[venues.sim]
adapter = "simulated"
tape = "tape.csv"
balances = {{ USDT = "100000", BTC = "50" }}
instruments = {{ BTCUSDT = {{ tick = "0.01", lot = "0.001", price = "100", min_notional = "1" }} }}
{venue}
[instruments."BTC-USDT"]
venue = "sim"
symbol = "BTCUSDT"
[strategies.trader]
class = "trader.py:{strategy}"
instruments = ["BTC-USDT"]
params = {{ {params} }}
{of_strategy}
{more}
""")
    return path


def played(path: Path) -> Played:
    """Play a configuration."""
    configuration = read_configuration(path)
    return play(configuration, load_strategies(configuration), identify(configuration))


def events_of(entries: Sequence[Entry], kind: type) -> list[Recorded]:
    """The events of a kind."""
    return [decode(entry) for entry in entries if entry.kind == kind.__name__]


def intents(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    """What was wanted, in its order, without what names the journal or its time."""
    found: list[tuple[object, ...]] = []
    for recorded in events_of(entries, OrderIntended):
        event = recorded.event
        assert isinstance(event, OrderIntended)
        found.append((event.strategy, event.instrument, event.side, event.quantity, event.price, dict(event.reason)))
    return found


def fills(entries: Sequence[Entry]) -> list[FillBooked]:
    """What was executed."""
    return [recorded.event for recorded in events_of(entries, FillBooked)]  # type: ignore[misc]
