"""Layer 7: real processes over a real socket are killed, stopped and raced; broken builds are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.init import begin
from tools.proof.outcome import Outcome
from tools.proof.processes.broken import BROKEN
from tools.proof.processes.campaign import KILLS, campaign, draw_kinds, try_kinds, try_seed
from tools.proof.processes.kinds import KINDS
from tools.proof.processes.session import Pace

IMPATIENT = Pace(settle_seconds=5, point_seconds=5)
"""A broken build may never settle, nor get anywhere; that need not be waited for."""

TWO_VENUES = """
mode = "paper"
[venues.one]
adapter = "simulated"
seed = 1
[venues.two]
adapter = "simulated"
seed = 2
fee_in = "received"
[instruments."BTC-USDT"]
venue = "one"
symbol = "BTCUSDT"
[instruments."ETH-USDT"]
venue = "two"
symbol = "ETHUSDT"
[strategies.busy]
class = "tools.proof.processes.busy:Busy"
instruments = ["BTC-USDT", "ETH-USDT"]
[reconcile]
on_position_drift = "alert"
"""


def _assert_fine(outcome: Outcome) -> None:
    assert outcome.problems == ()
    assert outcome.faults >= outcome.cases > 0
    assert outcome.counts["orders"] > 0, outcome.counts


@pytest.mark.parametrize("seed", [0, 3])
def test_a_seed(seed: int) -> None:
    outcome = try_seed(seed, kills=5)
    _assert_fine(outcome)
    assert (outcome.layer, outcome.seed, outcome.cases) == ("processes", seed, 5)
    assert outcome.counts["fills"] > 0


def test_a_tail_that_is_lost_and_a_disk_that_is_full() -> None:
    outcome = try_kinds(5, ["tail_lost", "disk_full", "while_paused"])
    _assert_fine(outcome)
    assert any(name.startswith("full disk") for name in outcome.counts), outcome.counts


def test_what_init_writes(tmp_path: Path) -> None:
    begin(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    outcome = campaign(tmp_path / "holdfast.toml", seed=2, kills=2, faults=True)
    assert outcome.problems == ()
    assert outcome.cases == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before, "the user's directory was touched"


def test_a_users_strategy_file_and_two_venues(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("from tools.proof.processes.busy import Busy\n")
    (tmp_path / "mine.py").write_text("from neighbour import Busy\n\n\nclass Mine(Busy):\n    pass\n")
    config = tmp_path / "mine.toml"
    config.write_text(TWO_VENUES.replace("tools.proof.processes.busy:Busy", "mine.py:Mine"))
    told: list[str] = []
    outcome = campaign(config, seed=1, kills=3, faults=False, tell=told.append)
    _assert_fine(outcome)
    assert [line.split()[0] for line in told] == ["1/3", "2/3", "3/3"]
    assert outcome.counts["strategies failed"] == 0


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_build_is_noticed(name: str) -> None:
    broken = BROKEN[name]
    outcome = try_kinds(1, broken.kinds, broken=name, pace=IMPATIENT)
    assert any(problem.startswith(broken.caught) for problem in outcome.problems), (outcome.problems, outcome.counts)


def test_every_kind_has_its_turn() -> None:
    drawn = [draw_kinds(seed, KILLS) for seed in range(10)]
    assert all(len(kinds) == KILLS for kinds in drawn)
    assert {name for kinds in drawn for name in kinds} == set(KINDS)
    assert drawn[0] == draw_kinds(0, KILLS) != drawn[1]
