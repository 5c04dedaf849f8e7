"""`init`: what it writes is a configuration that loads and a strategy that works; nothing that was there is touched."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.registry import Adapter
from adapters.simulated.options import SimulatedOptions
from engine.inputs import Quote
from engine.instrument import Instrument
from engine.market import Market
from engine.settings import Settings, StrategySettings
from engine.state import State
from engine.strategy import Context, Intent
from engine.values import Asset, InstrumentName, Side, StrategyName, VenueName
from tests.house.source import ROOT
from tools import document
from tools.cli import cli
from tools.config import load_strategies, read_configuration
from tools.first_run.my_strategy import Mine
from tools.init import PLACE, STRATEGIES, FilesExist, begin

BTC, SIM, MINE = InstrumentName("BTC-USDT"), VenueName("sim"), StrategyName("mine")
OWN = '# [strategies.mine]\n# class = "my_strategy.py:Mine"\n# instruments = ["BTC-USDT"]\n# params = '


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(document, "adapters", lambda: {"simulated": Adapter("simulated", SimulatedOptions, never)})


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    begun = begin(tmp_path / "new")
    assert {path.name for path in begun.written} == {"holdfast.toml", "my_strategy.py", ".gitignore"}
    assert begun.left == ()
    found = read_configuration(begun.directory / "holdfast.toml")
    assert found.journal == begun.directory / "run"
    assert found.venues[SIM].symbols == {BTC: "BTCUSDT"}
    assert [kind.__name__ for kind in load_strategies(found).values()] == ["SmaCross"]


def test_all_that_is_commented_out_works_too(tmp_path: Path) -> None:
    path = begin(tmp_path).directory / "holdfast.toml"
    text = path.read_text()
    assert OWN in text
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("# ") and (" = " in line or line.startswith("# [")):
            lines[number] = line.removeprefix("# ")
    path.write_text("\n".join(lines))
    found = read_configuration(path)
    assert [kind.__name__ for kind in load_strategies(found).values()] == ["SmaCross", "Mine"]
    options = found.venues[SIM].options
    assert options.faults.lose_reply.at == (3,)
    assert options.faults.duplicate.every == 50
    assert options.tape is not None


def test_git_sees_neither_journal_nor_keys(tmp_path: Path) -> None:
    begin(tmp_path)
    ignored = (tmp_path / ".gitignore").read_text().split("\n")
    assert {"/run/", "/run.*/", ".env", "*.key", "*.pem"} <= set(ignored)


@pytest.mark.parametrize("name", ["holdfast.toml", "my_strategy.py"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FilesExist, match=f"{name} exists; nothing was written"):
        begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_that_leads_nowhere_is_in_the_way_too(tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FilesExist):
        begin(tmp_path)


def test_a_gitignore_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    begun = begin(tmp_path)
    assert begun.left == (tmp_path / ".gitignore",)
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert (tmp_path / "holdfast.toml").exists()


def test_the_strategy_to_start_from_buys_below_the_market() -> None:
    terms = Instrument(BTC, SIM, "BTCUSDT", Asset("BTC"), Asset("USDT"), Decimal("0.01"), Decimal("0.001"))
    settings = StrategySettings(strategy_class="", instruments=(BTC,), params={"quantity": "0.005", "ticks": 50})
    state = State(settings=Settings(strategies={MINE: settings}), instruments={BTC: terms})
    quote = Quote(BTC, Decimal(100), Decimal(1), Decimal("100.1"), Decimal(1), 1)
    (wanted,) = Mine().on_quote(Context(MINE, state, Market(), 1, {}), quote)
    assert isinstance(wanted, Intent)
    assert (wanted.side, wanted.price, wanted.quantity) == (Side.BUY, Decimal("99.5"), Decimal("0.005"))


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_reference_strategy_can_be_begun_with(tmp_path: Path, name: str) -> None:
    begin(tmp_path, name)
    found = read_configuration(tmp_path / "holdfast.toml")
    (settings,) = found.settings.strategies.values()
    assert settings.strategy_class.startswith(f"engine.strategies.{name}:")
    assert PLACE not in (tmp_path / "holdfast.toml").read_text()


def test_no_reference_strategy_is_left_out() -> None:
    files = {path.stem for path in (ROOT / "engine" / "strategies").glob("*.py")} - {"__init__"}
    assert files == set(STRATEGIES)


def test_another_strategy_is_refused_by_the_names_of_those_there_are(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["init", str(tmp_path / "x"), "--strategy", "smacross"])
    assert found.exit_code == 2
    assert "there is sma_cross, rsi_threshold" in found.output
    assert not (tmp_path / "x").exists()
