"""`holdfast torture`: a user's configuration under crashes and faults; what it shows, and that it notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import order_guards
from tools.cli import run_command
from tools.init import begin
from tools.simulation.coverage import all_ways, untaken, watching
from tools.torture.campaign import Suffered, sessions_of
from tools.torture.trial import try_seed

TWO_VENUES = """
mode = "paper"
[venues.north]
adapter = "simulated"
seed = 3
every = "1s"
[venues.south]
adapter = "simulated"
seed = 4
every = "1s"
[instruments."BTC-USDT"]
venue = "north"
symbol = "BTCUSDT"
[instruments."ETH-USDT"]
venue = "south"
symbol = "ETHUSDT"
[strategies.restless]
class = "tools.simulation.restless:Restless"
instruments = ["BTC-USDT", "ETH-USDT"]
params = { quantity = "0.01" }
[reconcile]
every = "20s"
"""


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    begin(tmp_path)
    return tmp_path / "holdfast.toml"


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_what_init_writes_survives_and_is_left_as_it_is(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _files(bot.parent)
    assert run_command(["torture", "-c", str(bot), "--seeds", "1", "--jobs", "1"]) == 0
    shown = capsys.readouterr().out
    assert "0 violations" in shown
    assert "ways through the order tables" in shown
    assert all(name in shown for name in ("I5", "O1", "O3", "S3"))
    assert _files(bot.parent) == before


def test_json_is_one_document(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["torture", "-c", str(bot), "--first", "3", "--seeds", "1", "--jobs", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["seeds"], found["kills"]) == (True, 1, 0)
    assert found["faults"] == sum(sum(met.values()) for met in found["matrix"].values()) or found["faults"] > 0
    assert set(found["invariants"].values()) == {0}
    assert 0 < found["coverage"]["taken"] < found["coverage"]["of"]


def test_several_venues_each_with_a_ledger_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text(TWO_VENUES)
    trial = try_seed(path, 1)
    assert trial.problems == ()
    assert min(trial.fills, trial.deaths, trial.faults) > 0
    assert try_seed(path, 1) == trial


def test_what_is_broken_is_named_with_the_line_that_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Executions that are booked whenever they are told: an assertion of the engine's, or a violation."""
    path = tmp_path / "holdfast.toml"
    path.write_text(TWO_VENUES)
    monkeypatch.setitem(order_guards.GUARDS, "misses_fills", lambda look: False)
    monkeypatch.setitem(order_guards.GUARDS, "proves_absence", lambda look: True)
    monkeypatch.setattr("tools.torture.trial.SHRINKING_MOST", 6)
    assert run_command(["torture", "-c", str(path), "--seeds", "4", "--jobs", "1"]) == 1
    shown = capsys.readouterr().out
    assert f"holdfast torture -c {path} --first" in shown
    assert "violations" in shown
    assert "it takes" in shown


def test_a_wrong_configuration_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "holdfast.toml").write_text('mode = "papre"\n')
    assert run_command(["torture", "-c", str(tmp_path / "holdfast.toml")]) == 78
    assert "papre" in capsys.readouterr().err


def test_a_strategy_that_never_trades_is_said_to_prove_little(bot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = bot.read_text().replace("engine.strategies.sma_cross:SmaCross", "idle.py:Idle")
    assert "idle.py" in text
    (bot.parent / "idle.py").write_text("from engine.strategy import Strategy\n\n\nclass Idle(Strategy):\n    pass\n")
    bot.write_text(text)
    assert run_command(["torture", "-c", str(bot), "--seeds", "1", "--jobs", "1"]) == 0
    assert "No order was ever made" in capsys.readouterr().out


def test_kills_are_split_into_sessions() -> None:
    assert sessions_of(0) == []
    assert sessions_of(7) == [7]
    assert sessions_of(25) == [10, 10, 5]


def test_ways_are_counted_and_what_is_left_is_named() -> None:
    with watching() as seen:
        pass
    assert not seen
    assert sum(len(states) for states in untaken(seen).values()) == len(all_ways())
    assert Suffered().is_ok
