"""The command: what each one prints, and the exit code of everything that can go wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import simulated
from engine.order import IllegalEvent
from journal.errors import CommitUnknown, JournalUnsuitable
from tests.tools.journals import Author, tell
from tools import document
from tools.cli import EXIT_INTERRUPTED, cli, run_command

ROOT = Path(__file__).parents[2]
READING = ("status", "orders", "fills", "positions", "balances", "events", "verify")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "adapters", lambda: {"simulated": simulated.ADAPTER})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    assert run_command(["init", str(tmp_path)]) == 0
    return tmp_path / "holdfast.toml"


@pytest.fixture
def author(config: Path) -> Iterator[Author]:
    """A journal with some of everything, that this process holds."""
    found = Author(config.parent / "run")
    tell(found)
    yield found
    found.close()


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def complaint(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """What a command says on stderr; stdout stays empty."""
    capsys.readouterr()
    assert run_command(list(arguments)) == code
    found = capsys.readouterr()
    assert found.out == ""
    return found.err


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """The one JSON document that a command prints."""
    capsys.readouterr()
    assert run_command([*arguments, "--json"]) == code
    found = capsys.readouterr()
    assert found.err == ""
    return json.loads(found.out)


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", READING)
def test_every_reading_command_works_while_the_journal_is_held(
    config: Path, author: Author, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run_command([command, "-c", str(config)]) == 0
    text = told(capsys)
    assert text.strip()
    assert "\x1b" not in text
    assert answer(capsys, command, "-c", str(config)) is not None


@pytest.mark.parametrize("command", READING)
def test_every_reading_command_works_on_an_empty_journal(
    config: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Author(config.parent / "run").close()
    assert run_command([command, "-c", str(config)]) == 0
    assert answer(capsys, command, "-c", str(config)) is not None


def test_status(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    author.pause()
    run_command(["status", "-c", str(config)])
    text = told(capsys)
    assert text.startswith("PAUSED  operator\n")
    assert "orders     3 open, 1 in doubt\n" in text
    assert "paused     everything: operator, until `holdfast resume`  lunch\n" in text
    assert "BTC-USDT    account      0.016" in text
    row = answer(capsys, "status", "-c", str(config))
    assert (row["state"], row["open_orders"], row["in_doubt"], row["clean"]) == ("paused", 3, 1, None)
    assert row["venues"]["sim"]["last_data_ns"] is None  # nobody answers on the control socket
    assert [position["strategy"] for position in row["positions"]] == [None, "cross"]


def test_orders_open_are_a_part_of_all(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    every = answer(capsys, "orders", "-c", str(config))
    still_open = answer(capsys, "orders", "--open", "-c", str(config))
    assert len(every) == 7
    assert {row["order_id"] for row in still_open} < {row["order_id"] for row in every}
    assert still_open[0]["status"] == "in_doubt"
    run_command(["orders", "-c", str(config)])
    text = told(capsys)
    assert "denied: max_order_quantity" in text
    assert "partially filled, cancel sent" in text


def test_tables_without_rows_say_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Author(config.parent / "run").close()
    for command, words in (("orders", "no orders"), ("fills", "no fills"), ("positions", "no positions")):
        run_command([command, "-c", str(config)])
        assert words in told(capsys)


def test_events_after_a_seq(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    last = author.state.seq
    rows = answer(capsys, "events", "--after", str(last - 2), "-c", str(config))
    assert [row["seq"] for row in rows] == [last - 1, last]
    assert rows[-1]["kind"] == "OutcomeUnknown"
    assert rows[-1]["body"]["cause"] == "timeout"
    assert len(answer(capsys, "events", "-c", str(config))) == last
    run_command(["events", "--after", str(last - 1), "-c", str(config)])
    assert told(capsys).endswith("the venue will be asked, nothing is sent twice\n")


def test_events_are_followed_line_by_line(
    config: Path, author: Author, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = author.state.seq
    waits = iter([author.order, author.order])

    def wait(_: float) -> None:
        happens = next(waits, None)
        if happens is None:
            raise KeyboardInterrupt
        happens()

    monkeypatch.setattr("tools.commands.time.sleep", wait)
    arguments = ["events", "--after", str(before), "--follow", "--json", "-c", str(config)]
    assert run_command(arguments) == EXIT_INTERRUPTED
    rows = [json.loads(line) for line in told(capsys).splitlines()]
    assert [row["seq"] for row in rows] == [before + number for number in (1, 2, 3, 4)]


def test_verify_says_what_it_checked(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    author.stop()
    run_command(["verify", "-c", str(config)])
    text = told(capsys)
    assert text.startswith("OK  ")
    assert "agrees with 1 state digest on the way" in text
    row = answer(capsys, "verify", "--level", "1", "-c", str(config))
    assert {key: row[key] for key in ("ok", "level", "seq", "problems")} == {
        "ok": True, "level": 1, "seq": author.state.seq, "problems": [],
    }  # fmt: skip


def test_why_an_order_by_any_of_its_names(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    order = next(iter(author.state.orders.values()))
    assert order.client_order_id is not None
    assert order.venue_order_id is not None
    for asked in (order.order_id, order.client_order_id, order.venue_order_id, str(order.intended_seq)):
        row = answer(capsys, "why", asked, "-c", str(config))
        assert row["order"]["order_id"] == order.order_id, asked
        assert [event["kind"] for event in row["events"]] == [
            "OrderIntended", "SubmitRequested", "OrderAccepted", "FillBooked", "FillBooked",
        ]  # fmt: skip
    run_command(["why", order.order_id, "-c", str(config)])
    text = told(capsys)
    assert text.startswith(f"An id of our form: this journal, run 0a1b, requested at seq {order.requested_seq}.\n")
    assert "buy 0.02 BTC-USDT at 60001  filled\n" in text
    assert "cross wants to buy 0.02 BTC-USDT at 60001" in text
    assert "bought 0.01 BTC-USDT at 60000" in text


def test_why_needs_no_journal_for_an_id_of_our_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = answer(capsys, "why", "h20i60b1c0000011-cross")
    assert row["token"] == {"journal": "20i6", "run": "0b1c", "seq": 37, "tag": "cross", "of_this_journal": False}
    assert row["events"] == []


def test_why_an_event_that_is_about_no_order(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    row = answer(capsys, "why", "1", "-c", str(config))
    assert [event["kind"] for event in row["events"]] == ["ProcessStarted"]
    assert row["order"] is None


# --- exit codes -------------------------------------------------------------------------------------------------


def test_0_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    text = told(capsys)
    assert list(cli.commands) == [line.split()[0] for line in text.partition("Commands:\n")[2].splitlines()]
    assert run_command(["--version"]) == 0
    assert re.fullmatch(r"holdfast \S+\n", told(capsys))


def test_help_imports_nothing_heavy() -> None:
    """So that it answers at once."""
    heavy = "('rich', 'cattrs', 'msgspec', 'transitions', 'engine.state', 'websockets')"
    program = f"import sys; from tools.cli import run_command; run_command(['--help']); print([m for m in {heavy} if m in sys.modules])"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["trade"],
        ["run", "--for", "5"],
        ["run", "--wrong"],
        ["events", "--after", "-1"],
        ["verify", "--level", "3"],
        ["why"],
        ["resolve", "x"],
        ["resolve", "x", "--as", "filled"],
        ["resolve", "x", "--as", "filled", "--fill", "1 at 2"],
        ["resolve", "x", "--as", "filled", "--fill", "0@2"],
        ["resolve", "x", "--as", "void", "--fill", "1@2"],
        ["pause", "--venue", "sim", "--strategy", "cross"],
        ["venue", "nix"],
    ],
)
def test_2_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert "Error:" in complaint(capsys, 2, *arguments)


@pytest.mark.parametrize("command", READING)
def test_66_without_a_journal(config: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert "there is no journal" in complaint(capsys, 66, command, "-c", str(config))
    assert not (config.parent / "run").exists()


@pytest.mark.parametrize("command", ["pause", "resume", "kill"])
def test_66_an_operator_without_a_journal(config: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert "there is no journal" in complaint(capsys, 66, command, "-c", str(config))


def test_66_an_order_that_nobody_knows(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    assert "knows no such order" in complaint(capsys, 66, "why", "nix", "-c", str(config))
    assert "knows no such order" in complaint(capsys, 66, "resolve", "nix", "--as", "void", "-c", str(config))


@pytest.mark.parametrize("command", READING)
def test_65_a_damaged_journal(config: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    author = Author(config.parent / "run")
    tell(author)
    author.close()
    path = config.parent / "run" / "journal.db"
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    assert run_command([command, "-c", str(config), "--json"]) == 65
    found = capsys.readouterr()
    assert "does not begin like an SQLite database" in found.out + found.err


def test_69_nobody_to_command(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no engine answers" in complaint(capsys, 69, "pause", "-c", str(config))


def test_75_a_journal_that_is_held(config: Path, author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds the journal" in complaint(capsys, 75, "run", "-c", str(config))


def test_77_the_live_guard(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--live was given" in complaint(capsys, 77, "run", "--live", "-c", str(config))
    config.write_text(config.read_text().replace('mode = "paper"', 'mode = "live"'))
    assert "also needs --live" in complaint(capsys, 77, "run", "-c", str(config))
    assert "no venue for real money" in complaint(capsys, 77, "run", "--live", "-c", str(config))


@pytest.mark.parametrize("command", [*READING, "run"])
def test_78_a_wrong_configuration_with_every_fault(
    config: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    config.write_text(config.read_text().replace("on_stop", "on_stopp").replace('mode = "paper"', 'mode = "papre"'))
    text = complaint(capsys, 78, command, "-c", str(config))
    assert text.startswith(f"{config}: 2 faults\n")
    assert re.search(r'line \d+, mode\n      "papre" is not one of', text)
    assert re.search(r"line \d+, orders\.on_stopp\n      unknown key; did you mean on_stop\?", text)


def test_78_without_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "`holdfast init` writes one" in complaint(capsys, 78, "status")


def test_78_init_overwrites_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing was written or changed" in complaint(capsys, 78, "init", str(config.parent))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JournalUnsuitable("on a network", place="x", hint="Move it."), 65),
        (CommitUnknown("unknown", place="x", hint="Start again."), 74),
        (PermissionError("no"), 74),
        (IllegalEvent("our own bug"), 1),
        (ZeroDivisionError("our own bug"), 1),
    ],
)
def test_every_error_has_its_code(
    config: Path, author: Author, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    error: Exception, code: int,
) -> None:  # fmt: skip
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("tools.commands.show_status", fail)
    text = complaint(capsys, code, "status", "-c", str(config))
    assert ("Traceback" in text) is (code == 1)
    assert ("this is a bug" in text) is (code == 1)


def test_whoever_stops_reading_ends_a_command_quietly(config: Path, author: Author) -> None:
    """`holdfast events | head -1`."""
    for _ in range(300):
        author.denied()
    program = (
        "import sys; from adapters import simulated; from tools import document; from tools.cli import main; "
        "document.adapters = lambda: {'simulated': simulated.ADAPTER}; main()"
    )
    command = [sys.executable, "-c", program, "events", "-c", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


# --- a run ------------------------------------------------------------------------------------------------------


def test_a_run_and_its_continuation(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "--for", "300ms", "-c", str(config)]) == 0
    first = told(capsys)
    assert "new journal" in first
    assert "reconciling (start)" in first
    assert "stopped (time is up)" in first
    assert run_command(["run", "--for", "300ms", "-c", str(config)]) == 0
    second = told(capsys)
    assert "continued journal" in second
    assert "after a clean stop" in second
    assert answer(capsys, "status", "-c", str(config))["clean"] is True
    assert answer(capsys, "verify", "-c", str(config))["ok"] is True


def test_a_fresh_run_moves_the_old_one_aside(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["run", "--for", "200ms", "-c", str(config)])
    assert run_command(["run", "--fresh", "--for", "200ms", "-c", str(config)]) == 0
    assert (config.parent / "run.1" / "journal.db").exists()
    assert "new journal" in told(capsys).partition("stopped (time is up)")[2]


def test_a_kill_without_an_engine_is_kept_until_resume(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["run", "--for", "200ms", "-c", str(config)])
    assert run_command(["kill", "--reason", "enough", "-c", str(config)]) == 0
    assert "every venue shows zero open orders" in told(capsys)
    run_command(["run", "--for", "300ms", "-c", str(config)])
    assert "trading (reconciled)" not in told(capsys)
    assert [pause["reason"] for pause in answer(capsys, "status", "-c", str(config))["pauses"]] == ["kill"]


def test_a_run_without_strategies_says_that_nothing_is_traded(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = config.read_text()
    config.write_text(text[: text.index("[strategies.cross]")] + text[text.index("[orders]") :])
    assert run_command(["run", "--for", "100ms", "-c", str(config)]) == 0
    assert "no strategy is configured" in capsys.readouterr().err
