"""kill -9 of `holdfast run` with a configuration for Binance, and of `holdfast venue binance`, at will: HTTP and
websockets lie between them.

`HOLDFAST_KILLS=100` kills each of them a hundred times.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.cli import cli
from tools.proof.outcome import Outcome
from tools.proof.processes.campaign import campaign
from tools.proof.processes.session import Pace

KILLS = int(os.environ.get("HOLDFAST_KILLS", "5"))
"""Of each, in each of the ways to send orders."""

PACE = Pace(events_most=80, life_ms=(150, 1_500))

CONFIGURATION = """
mode = "paper"
journal = "run"

[venues.binance]
adapter = "binance"
environment = "testnet"
rest_url = "http://127.0.0.1:8787"
stream_url = "ws://127.0.0.1:8787"
ws_api_url = "ws://127.0.0.1:8787/ws-api/v3"
api_key = { env = "BINANCE_API_KEY" }
api_secret = { env = "BINANCE_API_SECRET" }
order_entry = "ORDER_ENTRY"

[instruments."BTC-USDT"]
venue = "binance"
symbol = "BTCUSDT"

[instruments."ETH-USDT"]
venue = "binance"
symbol = "ETHUSDT"

[strategies.busy]
class = "tools.proof.processes.busy:Busy"
instruments = ["BTC-USDT", "ETH-USDT"]
"""


def _configured(directory: Path, order_entry: str) -> Path:
    path = directory / "holdfast.toml"
    path.write_text(CONFIGURATION.replace("ORDER_ENTRY", order_entry))
    return path


def _assert_fine(outcome: Outcome) -> None:
    assert outcome.problems == ()
    assert outcome.counts["orders"] > 0, outcome.counts


@pytest.mark.parametrize(("order_entry", "faults"), [("ws", False), ("rest", True)])
def test_engine_and_exchange_are_killed_at_will(tmp_path: Path, order_entry: str, faults: bool) -> None:
    kinds = ("exchange",) * KILLS  # an exchange while its engine trades, and after a while the engine
    outcome = campaign(
        _configured(tmp_path, order_entry), seed=KILLS, kills=KILLS, faults=faults, kinds=kinds, pace=PACE
    )
    _assert_fine(outcome)
    assert outcome.counts["exchange killed"] == outcome.counts["kill -9 at a moment"] == KILLS
    assert outcome.counts["fills"] > 0, outcome.counts


def test_torture_takes_a_configuration_for_binance(tmp_path: Path) -> None:
    path = _configured(tmp_path, "ws")
    done = CliRunner().invoke(
        cli, ["torture", "-c", str(path), "--seeds", "0", "--kills", "2", "--jobs", "1", "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["ok"]
    assert told["kills"] >= 2
    assert told["processes"]["counts"]["orders"] > 0
    assert not (tmp_path / "run").exists(), "the user's own journal is not touched"
