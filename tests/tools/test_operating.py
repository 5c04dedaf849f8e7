"""What an operator orders: to an engine that answers, to one that hangs, and where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import simulated
from engine import events
from engine.inputs import Action, OperatorCommand, Resolution
from engine.values import OrderId
from journal.lock import Lock, is_locked
from tests.tools.journals import SIM, Author, tell
from tools import document
from tools.cli import run_command
from tools.config import Configuration
from tools.control import ControlServer
from tools.takeover import OwnerStays, end_owner

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from journal.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "adapters", lambda: {"simulated": simulated.ADAPTER})


@pytest.fixture
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In a directory with a short name: a socket's path has a limit."""
    directory = tmp_path_factory.mktemp("o")
    assert run_command(["init", str(directory)]) == 0
    return directory / "holdfast.toml"


class Engine:
    """Journals what it is told, as the engine does, and keeps the commands."""

    def __init__(self, directory: Path, verifies: bool = True) -> None:
        self.author = Author(directory)
        self.named = tell(self.author)
        self.commands: list[OperatorCommand] = []
        self.verifies = verifies
        self.server = ControlServer(directory, self.take, lambda: {"last_data_ns": {"sim": 77}})

    def take(self, command: OperatorCommand) -> None:
        self.commands.append(command)
        made: list[events.Event] = [
            events.OperatorCommanded(
                action=command.action, uid=command.uid, pid=command.pid, reason=command.reason, scope=command.scope,
                subject_name=command.subject, flatten=command.flatten,
            )
        ]  # fmt: skip
        if command.action is Action.RESOLVE and command.resolution is not None:
            made.append(
                events.OrderResolved(
                    order_id=OrderId(command.order_id), resolution=command.resolution, by="uid 0", reason=command.reason
                )
            )
        if command.action is Action.KILL and self.verifies:
            made.append(events.KillVerified(venues=(SIM,)))
        self.server.watch(self.author.add(*made))

    def close(self) -> None:
        self.server.close()
        self.author.close()


@pytest.fixture
def engine(config: Path) -> Iterator[Engine]:
    found = Engine(config.parent / "run")
    yield found
    found.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert run_command(list(arguments)) == code
    return capsys.readouterr().out


# --- an engine that answers -------------------------------------------------------------------------------------


def test_a_pause_reaches_the_engine(config: Path, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "pause", "--reason", "lunch", "-c", str(config))
    assert text.startswith(f"paused everything; journaled at seq {engine.author.state.seq}\n")
    (command,) = engine.commands
    assert (command.action, command.reason, command.scope, command.subject) == (Action.PAUSE, "lunch", "all", "")


@pytest.mark.parametrize(("option", "subject"), [("strategy", "cross"), ("venue", "sim"), ("instrument", "BTC-USDT")])
def test_a_pause_can_be_narrower(
    config: Path, engine: Engine, capsys: pytest.CaptureFixture[str], option: str, subject: str
) -> None:
    assert f"resumed {option} {subject};" in run(capsys, "resume", f"--{option}", subject, "-c", str(config))
    assert (engine.commands[0].scope, engine.commands[0].subject) == (option, subject)


def test_an_operator_s_answer_as_json(config: Path, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    row = json.loads(run(capsys, "resume", "--json", "-c", str(config)))
    assert row == {"seq": engine.author.state.seq, "action": "resume"}


def test_an_operator_gets_through_with_a_wrong_configuration(
    config: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().replace("on_stop", "on_stopp"))
    run(capsys, "pause", "-c", str(config))
    assert "every venue shows zero open orders" in run(capsys, "kill", "-c", str(config))
    assert [command.action for command in engine.commands] == [Action.PAUSE, Action.KILL]


def test_status_asks_the_engine_for_the_age_of_its_data(
    config: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    row = json.loads(run(capsys, "status", "--json", "-c", str(config)))
    assert row["venues"]["sim"]["last_data_ns"] == 77


@pytest.mark.parametrize("flatten", [True, False])
def test_a_kill_that_is_verified(
    config: Path, engine: Engine, capsys: pytest.CaptureFixture[str], flatten: bool
) -> None:
    options = ["--flatten"] if flatten else []
    assert "every venue shows zero open orders" in run(capsys, "kill", *options, "-c", str(config))
    assert engine.commands[0].flatten is flatten


def test_a_kill_that_proves_nothing_says_what_is_open(
    config: Path, engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.verifies = False
    monkeypatch.setattr("tools.control.KILL_SECONDS", 0.1)
    assert run_command(["kill", "-c", str(config)]) == 69
    said = capsys.readouterr().err
    assert "NOT PROVEN" in said
    assert engine.named["open"] in said
    assert engine.named["filled"] not in said


def test_an_order_in_doubt_is_settled_by_hand(config: Path, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    order = engine.author.state.orders[engine.named["doubt"]]
    asked = str(order.client_order_id)
    text = run(capsys, "resolve", asked, "--as", "void", "--reason", "asked support", "-c", str(config))
    assert text == f"{order.order_id} (buy 0.01 BTC-USDT at 60000) is now void\n"
    (command,) = engine.commands
    assert (command.order_id, command.resolution, command.reason) == (order.order_id, Resolution.VOID, "asked support")


def test_the_execution_goes_with_a_fill_by_hand(
    config: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "resolve", engine.named["doubt"], "--as", "filled", "--fill", "0.010@60000.5", "-c", str(config))
    assert (str(engine.commands[0].quantity), str(engine.commands[0].price)) == ("0.01", "60000.5")


def test_an_order_that_is_not_in_doubt_is_left_alone(
    config: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["resolve", engine.named["open"], "--as", "void", "-c", str(config)]) == 2
    assert "is not in doubt" in capsys.readouterr().err
    assert engine.commands == []


# --- an engine that does not answer -----------------------------------------------------------------------------


@pytest.fixture
def holder(config: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that holds the journal's lock and answers nobody."""
    begun: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(config.parent / "run" / "journal.lock")]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def test_a_kill_ends_an_engine_that_hangs_and_does_the_work(
    config: Path, holder: Callable[[], subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "run", "--for", "200ms", "-c", str(config))
    process = holder()
    text = run(capsys, "kill", "-c", str(config))
    assert f"process {process.pid} held the journal and was ended" in text
    assert "every venue shows zero open orders" in text
    assert process.wait(30) == -9
    assert json.loads(run(capsys, "status", "--json", "-c", str(config)))["pauses"][0]["reason"] == "kill"


def test_nobody_is_ended_where_nobody_holds(tmp_path: Path) -> None:
    assert end_owner(tmp_path) is None


@pytest.mark.parametrize("change", [{"started_ticks": 1}, {"boot_id": "another"}, {"pid": 2**22 + 1}])
def test_only_the_very_owner_is_ended(
    config: Path, holder: Callable[[], subprocess.Popen[str]], change: dict[str, Any]
) -> None:
    """A number of a process may be another one's by now: start and boot must be the same too."""
    (config.parent / "run").mkdir()
    process = holder()
    lock = config.parent / "run" / "journal.lock"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | change))
    with pytest.raises(OwnerStays, match="not certain which process"):
        end_owner(config.parent / "run")
    assert process.poll() is None
    assert is_locked(lock)


def test_a_process_never_ends_itself(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "journal.lock")
    with pytest.raises(OwnerStays):
        end_owner(tmp_path)
    lock.release()


def test_without_a_way_to_end_the_owner_cancels_go_unjournaled(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    author = Author(config.parent / "run")  # held by this very process, which is never ended
    named = tell(author)
    sent: list[Path] = []

    def cancel(found: Configuration) -> int:
        sent.append(found.journal)
        return 3

    monkeypatch.setattr("tools.operating.cancel_unjournaled", cancel)
    assert run_command(["kill", "-c", str(config)]) == 69
    said = capsys.readouterr().err
    assert "sending cancels WITHOUT a journal" in said
    assert "3 cancels sent; nothing is proven by that" in said
    assert named["open"] in said
    assert sent == [config.parent / "run"]
    author.close()
