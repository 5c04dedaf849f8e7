"""The same tape twice is the same journal; and paper, played in step with the tape, wants the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import events
from engine.codec import decode
from engine.values import InstrumentName, StrategyName, VenueName
from journal import chain
from journal.journal import Reader
from tests.tools.backtest.scene import FIRST_NS, S, configure, events_of, fills, install, intents, played, quotes, walk
from tools.backtest.filing import write_journal
from tools.backtest.session import LEAD_NS
from tools.checker import examine
from tools.checker.reading import read_rows
from tools.config import load_strategies, read_configuration
from tools.simulation.clock import BEGIN_NS
from tools.simulation.plan import Plan, Setting, Site
from tools.simulation.world import World
from tools.verify import verify

ROOT = Path(__file__).parents[3]
PRINT_ROWS = """
import sys
from pathlib import Path
from adapters import simulated
from tools import document
document.adapters = lambda: {"simulated": simulated.ADAPTER}
from tests.tools.backtest.scene import played
for entry in played(Path(sys.argv[1])).entries:
    print(*entry[:9], entry.chain.hex())
"""


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configure(tmp_path, quotes(walk(400)))


def test_it_starts_before_the_tape_trades_on_it_and_stops_behind_it(config: Path) -> None:
    found = played(config)
    first, last = decode(found.entries[0]), decode(found.entries[-1])
    assert first.event.kind == "ProcessStarted"
    assert FIRST_NS - LEAD_NS <= first.at_ns < FIRST_NS - LEAD_NS + S, "the exchange is asked first what it is"
    assert isinstance(last.event, events.ProcessStopped)
    assert last.event.reason == "the tape has ended"
    assert last.at_ns > FIRST_NS + 399 * S // 10
    assert found.records == 400
    assert len(fills(found.entries)) == 80


def test_the_same_again_is_the_same_bytes(config: Path) -> None:
    assert played(config).entries == played(config).entries


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_another_hash_seed_is_the_same_bytes_too(config: Path, seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_ROWS, str(config)], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        " ".join([*map(str, entry[:9]), entry.chain.hex()]) for entry in played(config).entries
    ]


def test_another_seed_tape_or_parameter_is_another_journal(tmp_path: Path) -> None:
    ids = set()
    variants = (("every = 5", "", walk(50)), ("every = 4", "", walk(50)), ("every = 5", "", walk(51)),
                ("every = 5", "[backtest]\nseed = 2", walk(50)))  # fmt: skip
    for params, more, rows in variants:
        found = played(configure(tmp_path, quotes(rows), params=params, more=more))
        ids.add((found.log.journal_id, found.log.chain))
    assert len(ids) == len(variants)


def test_the_journal_on_disk_is_the_one_in_memory_and_passes_every_check(config: Path, tmp_path: Path) -> None:
    found = played(config)
    journal = tmp_path / "run"
    assert write_journal(found, journal) is None
    with Reader(journal) as reader:
        assert reader.meta["mode"] == "backtest"
        stored = list(chain.verify(reader.read(), journal_id=reader.journal_id))
    assert stored == found.entries
    assert verify(journal, 2).problems == []
    findings = examine(read_rows(journal / "journal.db"), read_rows(journal / "exchange" / "ledger.db"))
    assert findings.problems == []
    assert findings.books["fills"] == len(fills(found.entries))


def test_paper_in_step_with_the_tape_wants_what_the_backtest_wants(tmp_path: Path) -> None:
    """The world of the simulations is a paper run: its own start, journal, ids and epoch of time, and the tape played
    by the paper exchange at speed 1. The tape begins with silence, in which both get ready."""
    rows = [(0, "100", "100.02"), *((20_000 + ms, bid, ask) for ms, bid, ask in walk(300))]
    begin = '[backtest]\nfrom = "2020-09-13T12:26:50Z"'
    config = configure(tmp_path, quotes(rows), venue='latency = "3ms"', more=begin)
    backtest = played(config)
    configuration = read_configuration(config)
    venue = configuration.venues[VenueName("sim")]
    paper = World(
        Setting(
            settings=configuration.settings, strategies=load_strategies(configuration),
            sites={VenueName("sim"): Site(symbols=venue.symbols, options=venue.options)}, directory=str(tmp_path),
        ),
        Plan(), seed=3,
    )  # fmt: skip
    paper.run_until(BEGIN_NS + 60 * S)
    assert paper.log.journal_id != backtest.log.journal_id
    assert len(intents(backtest.entries)) > 50
    assert intents(paper.log.entries) == intents(backtest.entries)
    priced = [(fill.side, fill.quantity, fill.price, fill.fee) for fill in fills(backtest.entries)]
    assert [(fill.side, fill.quantity, fill.price, fill.fee) for fill in fills(paper.log.entries)] == priced
    after = [_after(backtest.entries, FIRST_NS), _after(paper.log.entries, BEGIN_NS + 1)]
    assert after[0] == after[1]


def _after(entries: object, begin_ns: int) -> list[int]:
    """When each intent was decided, from the tape's beginning on."""
    return [recorded.at_ns - begin_ns for recorded in events_of(entries, events.OrderIntended)]  # type: ignore[arg-type]


def test_only_the_span_that_is_asked_for_is_traded(tmp_path: Path) -> None:
    begin = "2020-09-13T12:26:50Z"  # ten seconds after the first record
    more = f'[backtest]\nfrom = "{begin}"\nto = "2020-09-13T12:27:00Z"'
    found = played(configure(tmp_path, quotes(walk(400)), more=more))
    at_ns = [recorded.at_ns - FIRST_NS for recorded in events_of(found.entries, events.OrderIntended)]
    assert min(at_ns) >= 10 * S
    assert max(at_ns) <= 20 * S + S
    assert json.loads(found.entries[-1].body)["reason"] == "the time is up"


def test_bad_records_are_counted_and_never_acted_on(tmp_path: Path) -> None:
    rows = walk(60)
    lines = quotes(rows).splitlines()
    at = FIRST_NS + 30 * 10**8
    lines[31:31] = [f"{at},NaN,1,100,1", f"{at},0,1,0.02,1", f"{at},101,1,100,1", f"{at - 25 * S},1,1,2,1", "rubbish",
                    lines[30], lines[30]]  # fmt: skip
    found = played(configure(tmp_path, "\n".join(lines), params="every = 1"))
    census = found.census[VenueName("sim")]["BTCUSDT"]
    assert (found.records, found.bad_lines, census.bad.total(), census.repeated) == (62, 5, 5, 2)
    assert any("crossed" in reason for reason in census.bad)
    assert any("out of order" in reason for reason in census.bad)
    assert {fill.price for fill in fills(found.entries)} <= {price for _, *both in rows for price in map(_exact, both)}
    assert found.state.strategies[StrategyName("trader")].memory["seen"] == 60


def _exact(text: str) -> object:
    from decimal import Decimal

    return Decimal(text)


def test_a_strategy_that_fails_is_told_and_the_tape_goes_on(tmp_path: Path) -> None:
    found = played(configure(tmp_path, quotes(walk(50)), params='every = "x"'))
    (failed,) = events_of(found.entries, events.StrategyFailed)
    assert "invalid literal" in failed.event.message  # type: ignore[attr-defined]
    assert found.records == 50
    assert fills(found.entries) == []
    assert found.state.positions.get(InstrumentName("BTC-USDT"), {}) == {}
