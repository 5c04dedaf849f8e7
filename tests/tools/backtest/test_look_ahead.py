"""Nobody trades on what he could not know: not by peeking, not by asking the clock, not within a bar."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import events
from engine.codec import decode
from engine.values import StrategyName
from tests.tools.backtest.scene import FIRST_NS, S, configure, events_of, install, played, quotes
from tools.backtest.facts import facts_of

LATENCY_NS = 50 * 10**6
TRADER = StrategyName("trader")

CHEAT = '''
from decimal import Decimal
from pathlib import Path
from engine.strategy import Intent, Strategy

ROWS = [line.split(",") for line in (Path(__file__).parent / "tape.csv").read_text().splitlines()[1:]]


class Cheat(Strategy):
    """It has the whole tape before it, and buys whenever the next price is higher, at the price that it sees now."""

    def on_quote(self, context, quote):
        after = next((row for row in ROWS if int(row[0]) > context.now_ns), None)
        held = context.position(quote.instrument)
        if after is None or context.open_orders(quote.instrument):
            return
        if Decimal(after[1]) > quote.ask and held == 0:
            yield Intent(instrument=quote.instrument, side="buy", quantity=Decimal(1), price=quote.ask,
                         time_in_force="ioc")
        elif Decimal(after[3]) < quote.bid and held > 0:
            yield Intent(instrument=quote.instrument, side="sell", quantity=held, price=quote.bid, time_in_force="ioc")
'''


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def jumps(gaps: list[int], levels: list[int]) -> list[tuple[int, str, str]]:
    """Quotes that jump: after each gap (ms) another level."""
    rows, at = [], 0
    for gap, level in zip(gaps, levels, strict=False):
        at += gap
        rows.append((at, str(level), str(level + 1)))
    return rows


@given(
    st.lists(st.integers(10, 400), min_size=30, max_size=60), st.lists(st.integers(50, 150), min_size=60, max_size=60)
)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_fill_is_at_the_price_of_its_arrival(tmp_path: Path, gaps: list[int], levels: list[int]) -> None:
    """By a reference that knows only the tape: what stood there a latency after the decision, not before."""
    rows = jumps(gaps, levels)
    config = configure(tmp_path, quotes(rows), params="every = 1", venue='latency = "50ms"')
    found = played(config)
    times = [FIRST_NS + ms * 10**6 for ms, _, _ in rows]
    decided = {each.event.order_id: each.at_ns for each in events_of(found.entries, events.OrderIntended)}  # type: ignore[attr-defined]
    filled = facts_of(found.entries).fills
    assert filled
    for fill in filled:
        arrived_ns = decided[fill.order_id] + LATENCY_NS
        _, bid, ask = rows[bisect_right(times, arrived_ns) - 1]
        assert fill.price == Decimal(ask if fill.side == "buy" else bid)
        assert fill.at_ns >= arrived_ns + LATENCY_NS, "it is known a latency after it happened"
        assert fill.seen is not None
        assert fill.seen.received_ns <= decided[fill.order_id]


def test_who_knows_the_next_price_can_not_buy_at_this_one(tmp_path: Path) -> None:
    """The price changes every 60 ms, an order needs 50 to arrive and was decided 50 after its quote: whatever it knew
    is gone when it arrives. It may fill at the new price where its limit allows, and never at the one it saw."""
    rows = [(n * 60, *(("100", "101") if n % 2 == 0 else ("120", "121"))) for n in range(200)]
    config = configure(tmp_path, quotes(rows), venue='latency = "50ms"')
    (tmp_path / "trader.py").write_text(CHEAT)
    config.write_text(config.read_text().replace("trader.py:Trader", "trader.py:Cheat"))
    found = played(config)
    decided = {each.event.order_id: each for each in events_of(found.entries, events.OrderIntended)}  # type: ignore[attr-defined]
    assert len(decided) > 20
    bought = [fill for fill in facts_of(found.entries).fills if fill.side == "buy"]
    assert bought == [], "a buyer at 101 arrives when the ask is 121"


@pytest.mark.parametrize("form", ["csv:bars:1m"])
def test_within_a_bar_nothing_of_it_is_seen_but_its_open(tmp_path: Path, form: str) -> None:
    bars = [(100, 130, 70, 105), (105, 140, 60, 95), (95, 96, 94, 95)]
    begin = FIRST_NS // S // 60 * 60
    lines = [f"{begin + n * 60},{o},{h},{low},{c},50" for n, (o, h, low, c) in enumerate(bars)]
    tape = "\n".join(["time_s,open,high,low,close,volume", *lines, ""])
    config = configure(tmp_path, tape, strategy="Watcher", of_strategy='bars = "1m"')
    config.write_text(config.read_text().replace('"tape.csv"', f'{{ path = "tape.csv", format = "{form}" }}'))
    seen = _memory(played(config))["seen"]
    latency_ns = 2 * 10**6
    shown = [(each[0] - latency_ns - begin * S, each[1], *each[2:4]) for each in seen]
    quoted = [(at_ns, bid) for at_ns, kind, bid, _ in shown if kind == "quote"]
    assert quoted == [(0, 100), (60 * S, 105), (120 * S, 95), (180 * S, 95)]
    closed = [(at_ns, low, high) for at_ns, kind, low, high in shown if kind == "bar"]
    assert closed == [(60 * S, 70, 130), (120 * S, 60, 140), (180 * S, 94, 96)]


def _memory(found: Any) -> dict[str, Any]:
    from engine.strategy import recall

    memory: dict[str, Any] = recall(dict(found.state.strategies[TRADER].memory))
    return memory


def test_a_quote_is_never_seen_before_its_latency(tmp_path: Path) -> None:
    rows = jumps([100] * 20, list(range(100, 120)))
    config = configure(tmp_path, quotes(rows), strategy="Watcher", venue='latency = "50ms"')
    found = played(config)
    assert decode(found.entries[-1]).at_ns >= FIRST_NS + 1_900 * 10**6 + LATENCY_NS
    told = [(each[0], each[2]) for each in _memory(found)["seen"]]
    assert told == [(FIRST_NS + ms * 10**6 + LATENCY_NS, Decimal(bid)) for ms, bid, _ in rows]
