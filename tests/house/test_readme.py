"""The README is true: its commands run, its strategy trades, its diagrams are the tables."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.house.diagrams import BLOCK, DIAGRAMS, drawn
from tests.house.source import ROOT
from tools.proof.layers import BY_NAME

README = (ROOT / "README.md").read_text()
COMMANDS = [
    [line for line in block.splitlines() if line.strip()] for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TOML = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
BIN = Path(sys.executable).parent
SECONDS = 120


def run(command: list[str], place: Path) -> str:
    """Run a command as a reader would, with the project's commands on the path; what it printed."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_diagrams_are_the_tables() -> None:
    assert [name for name, _ in BLOCK.findall(README)] == list(DIAGRAMS)
    assert drawn(README) == README, "write them with: python -m tests.house.diagrams"


def test_the_two_commands_come_first() -> None:
    assert COMMANDS[0] == ["make run", "make test"]
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_make_run_then_verify(tmp_path: Path) -> None:
    """`make run` in this very checkout, with the demo elsewhere; then what the README says to type next."""
    demo = tmp_path / "demo" / "holdfast.toml"
    run(["make", "run", f"DEMO={demo}", "FOR=4s"], ROOT)
    for line in COMMANDS[1]:
        assert "ok" in run(shlex.split(line), tmp_path).lower()


def test_the_proof_and_its_mutants(tmp_path: Path) -> None:
    """The two targets, narrowed to what takes seconds; continuous integration runs both in full."""
    assert COMMANDS[2] == ["make prove", "make mutants"]
    narrow = f"--layer worlds --layer old_journals --seeds 3 --results {tmp_path / 'proof.db'}"
    sheet = run(["make", "prove", f"ARGS={narrow}"], ROOT)
    assert "cases tried" in sheet
    assert re.search(r"│ all +│ +│ +6 │", sheet), sheet
    assert "1 of 1 mutants caught" in run(["make", "mutants", "ARGS=--only forget_fees --fastest"], ROOT)


def test_the_layers_are_those_of_the_table() -> None:
    assert re.findall(r"^\| `(\w+)` \|", README.partition("## Begin your own")[0], re.MULTILINE) == list(BY_NAME)


def test_worlds_by_their_seeds() -> None:
    for line in COMMANDS[3]:
        assert " 0  of 3 worlds violated an invariant" in run(shlex.split(line), ROOT)


def test_begin_your_own(tmp_path: Path) -> None:
    for line in (*COMMANDS[4], *COMMANDS[5]):
        shown = run(shlex.split(line), tmp_path)
        assert "torture" not in line or "0 violations" in shown


def test_the_plugin_in_ten_lines() -> None:
    """Its section is run, word for word, by tests/harness/test_example.py."""
    section = (ROOT / "tests" / "harness" / "example" / "section.md").read_text().strip()
    assert section in README
    assert COMMANDS[6] == re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].strip().splitlines()


def test_no_command_is_left_out() -> None:
    assert len(COMMANDS) == 7, "a new block of commands needs a test"


@pytest.mark.parametrize("name", ["make run", "make test", "make run FOR=20s"])
def test_targets_exist(name: str) -> None:
    assert re.search(rf"^{name.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_strategy_trades(tmp_path: Path) -> None:
    run(["holdfast", "init", "mybot"], tmp_path)
    place = tmp_path / "mybot"
    (place / "my_strategy.py").write_text(PYTHON[0])
    configuration = (place / "holdfast.toml").read_text()
    (place / "holdfast.toml").write_text(configuration + "\n" + TOML[0])
    run(["holdfast", "run", "--for", "6s"], place)
    assert '"strategy": "mine"' in run(["holdfast", "orders", "--json"], place).replace('":"', '": "')


def test_the_tape_plays(tmp_path: Path) -> None:
    """The README's way to recorded data, with a file made here."""
    run(["holdfast", "init", "mybot"], tmp_path)
    place = tmp_path / "mybot"
    begin_ns = 1_700_000_000_000_000_000
    rows = [f"{begin_ns + n * 100_000_000},{60_000 + n % 7},0.5" for n in range(2_000)]
    (place / "trades.csv").write_text("time_ns,price,quantity\n" + "\n".join(rows) + "\n")
    configuration = (place / "holdfast.toml").read_text()
    changed = re.sub(r'\[venues\.sim\]\nadapter = "simulated".*\nseed = 7.*\n', TOML[1], configuration)
    assert changed != configuration
    (place / "holdfast.toml").write_text(changed)
    run(["holdfast", "run", "--for", "7s"], place)
    orders = json.loads(run(["holdfast", "orders", "--json"], place))
    assert orders, "nothing was traded on the tape"
    prices = [Decimal(order["price"]) for order in orders]
    assert all(59_999 <= price <= 60_007 for price in prices), prices
