"""`holdfast venue`: options, symbols, faults and books of an exchange that is served by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from adapters import simulated
from adapters.registry import Adapter, ServerSettings
from adapters.simulated.options import SimulatedOptions
from tools import document, serving
from tools.cli import run_command


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ServerSettings]:
    """What would be served."""
    found: list[ServerSettings] = []

    def serve(settings: ServerSettings) -> None:
        found.append(settings)
        settings.open_log("exchange/ledger").close()

    kinds: dict[str, Adapter] = {
        "simulated": evolve(simulated.ADAPTER, serve=serve), "silent": evolve(simulated.ADAPTER, serve=None),
    }  # fmt: skip
    monkeypatch.setattr(document, "adapters", lambda: kinds)
    monkeypatch.setattr(serving, "adapters", lambda: kinds)
    monkeypatch.chdir(tmp_path)
    return found


def test_without_a_configuration_its_own_defaults_hold(served: list[ServerSettings], tmp_path: Path) -> None:
    assert run_command(["venue", "simulated", "--port", "4711"]) == 0
    (settings,) = served
    assert settings.options == SimulatedOptions()
    assert (settings.symbols, settings.port, settings.directory) == ({}, 4711, str(tmp_path))
    assert (tmp_path / "simulated-exchange" / "exchange" / "ledger.db").exists()


def test_a_configuration_gives_options_and_symbols(served: list[ServerSettings], tmp_path: Path) -> None:
    run_command(["init", str(tmp_path / "demo")])
    config = tmp_path / "demo" / "holdfast.toml"
    text = config.read_text().replace("seed = 7 ", 'url = "ws://127.0.0.1:9"\nseed = 11 ')
    config.write_text(text)
    assert run_command(["venue", "simulated", "-c", str(config), "--state", str(tmp_path / "books")]) == 0
    (settings,) = served
    assert (settings.options.seed, settings.options.url) == (11, None)
    assert dict(settings.symbols) == {"BTC-USDT": "BTCUSDT"}
    assert settings.directory == str(config.parent)
    assert (tmp_path / "books" / "exchange" / "ledger.db").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.toml", 'lose_reply = [3]\nlag = "2s"\n'),
        ("f.toml", '[faults]\nlose_reply = [3]\nlag = "2s"\n'),
        ("f.json", '{"lose_reply": [3], "lag": "2s"}'),
    ],
)
def test_faults_come_from_a_file(served: list[ServerSettings], tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert run_command(["venue", "simulated", "--faults", name]) == 0
    faults: Any = served[0].options.faults
    assert (faults.lose_reply.at, faults.lag_ns) == ((3,), 2_000_000_000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lose_replies = [3]", "did you mean lose_reply?"),
        ('lag = "2"', "is not a duration"),
        ("lose_reply = {", "f.toml"),
    ],
)
def test_wrong_faults_are_told(
    served: list[ServerSettings], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    (tmp_path / "f.toml").write_text(text)
    assert run_command(["venue", "simulated", "--faults", "f.toml"]) == 78
    assert told in capsys.readouterr().err
    assert served == []


def test_an_adapter_that_serves_nothing_says_so(
    served: list[ServerSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["venue", "silent"]) == 2
    assert "has no exchange of its own to serve" in capsys.readouterr().err
