"""The README is true: its commands run, its strategy trades, its diagrams are the tables."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
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
    assert COMMANDS[10] == ["make judges"]  # in continuous integration, beside the tests
    assert "make judges" in (ROOT / ".ci" / "run").read_text()
    assert len(COMMANDS) == 11, "a new block of commands needs a test"


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
    changed = re.sub(r'\[venues\.sim\]\nadapter = "simulated".*\nseed = 7.*\n', TOML[2], configuration)
    assert changed != configuration
    (place / "holdfast.toml").write_text(changed)
    run(["holdfast", "run", "--for", "7s"], place)
    orders = json.loads(run(["holdfast", "orders", "--json"], place))
    assert orders, "nothing was traded on the tape"
    prices = [Decimal(order["price"]) for order in orders]
    assert all(59_999 <= price <= 60_007 for price in prices), prices


def tape_at(place: Path, seconds: int, price: Callable[[int], str]) -> None:
    """A tape of trades, one a second."""
    begin_ns = 1_700_000_040_000_000_000
    rows = [f"{begin_ns + n * 1_000_000_000},{price(n)},0.5" for n in range(seconds)]
    (place / "trades.csv").write_text("time_ns,price,quantity\n" + "\n".join(rows) + "\n")


def test_the_backtest(tmp_path: Path) -> None:
    """The two commands as they stand there, and what they leave behind."""
    tape_at(tmp_path, 3_600 * 2, lambda n: str(60_000 + 300 * ((n // 900) % 2) + n % 5))
    (tmp_path / "backtest.toml").write_text(TOML[3])
    shown = [run(shlex.split(line), tmp_path) for line in COMMANDS[7]]
    assert "ASSUMED" in shown[0]
    assert "src=" not in (tmp_path / "report.html").read_text()
    for fast in "358":
        assert re.search(rf"\b{fast}\b", shown[1])
    verified = json.loads(run(["holdfast", "verify", "-c", "backtest.toml", "--json"], tmp_path))
    assert verified["ok"]


def test_binance_in_two_terminals(tmp_path: Path) -> None:
    """The exchange in one, the engine in another, each killed once; on a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    (tmp_path / "binance.toml").write_text(TOML[4].replace("8787", port))
    (serve,), (keys, *commands) = COMMANDS[8], COMMANDS[9]
    exported = dict(pair.split("=") for pair in shlex.split(keys)[1:])
    environment = os.environ | exported | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    shown = {}
    for _ in range(2):
        exchange = subprocess.Popen(
            shlex.split(serve.replace("8787", port)), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert exchange.stdout is not None
            assert f"listening on http://127.0.0.1:{port}" in exchange.stdout.readline()
            for command in commands:
                done = subprocess.run(
                    shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True,
                    timeout=SECONDS, check=False,
                )  # fmt: skip
                assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
                shown[command.split()[1]] = done.stdout
        finally:
            exchange.kill()
            exchange.wait()
            assert exchange.stdout is not None
            exchange.stdout.close()
    assert "all is well" in shown["doctor"]
    assert "continued journal" in shown["run"]
    assert "filled" in shown["orders"]
    assert shown["verify"].startswith("OK")


def test_the_exits_belong_to_their_entry(tmp_path: Path) -> None:
    """The strategy with a bracket, on a tape that falls and then rises."""
    (tmp_path / "my_strategy.py").write_text(PYTHON[1])
    fall, minutes = 2, 60
    tape_at(tmp_path, minutes * 60 * 2, lambda n: str(60_000 - fall * min(n, minutes * 60 * 2 - n) + n % 3))
    strategy = TOML[3].index("[strategies.cross]")
    (tmp_path / "backtest.toml").write_text(TOML[3][:strategy] + TOML[1])
    run(shlex.split(COMMANDS[7][0]), tmp_path)
    orders = json.loads(run(["holdfast", "orders", "-c", "backtest.toml", "--json"], tmp_path))
    filled = [(order["role"], order["status"]) for order in orders]
    assert ("entry", "filled") in filled
    assert ("stop", "filled") in filled or ("target", "filled") in filled
    assert {role for role, _status in filled} == {"entry", "stop", "target"}


SHOWN = README.partition("## What it does, and what shows it")[2].partition("## The rooms")[0]


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`((?:tests|holdfast)[^`]*)`", SHOWN))))
def test_what_shows_it_is_there(named: str) -> None:
    """Every test and command of the table exists under that name."""
    if named.startswith("holdfast "):
        assert named.split()[1] in run(["holdfast", "--help"], ROOT)
        return
    place, _, test = named.partition("::")
    assert (ROOT / place).exists()
    assert not test or f"def {test}(" in (ROOT / place).read_text()
