"""Recorded inputs through today's code: the same decisions, or the first that differs, by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.input_codec import KINDS, TapeDamaged, read_line, write_line
from engine.inputs import DiskMeasured, TimePassed
from tests.crash.session import configured
from tools.cli import cli, run_command
from tools.config import read_configuration
from tools.input_tape import InputTape, read_tape
from tools.run import run

BUSY = Path(__file__).parents[1] / "crash" / "busy.py"
SECONDS = 2


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes' runs with everything that came in."""
    place = tmp_path_factory.mktemp("recorded")
    shutil.copy(BUSY, place)
    text = configured(names=("BTC-USDT", "ETH-USDT"), rest='[record]\nquotes = "all"')
    (place / "holdfast.toml").write_text(text)
    for _ in range(2):
        assert run(read_configuration(place / "holdfast.toml"), for_ns=SECONDS * 10**9) == 0
    return place


@pytest.fixture
def place(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(recorded, tmp_path / "copy"))


def redecide(place: Path) -> dict[str, Any]:
    """What the command says."""
    done = CliRunner().invoke(cli, ["redecide", "-c", str(place / "holdfast.toml"), "--json"], standalone_mode=False)
    assert done.exception is None, done.exception
    document: dict[str, Any] = json.loads(done.output)
    assert done.return_value == (0 if document["same"] else 65)
    return document


def test_the_same_code_decides_the_same(place: Path) -> None:
    found = redecide(place)
    assert found["difference"] is None
    assert found["gaps"] == []
    assert found["intents"] > 10
    assert found["inputs"] > 100


def test_a_changed_strategy_is_named_by_its_first_other_decision(place: Path) -> None:
    busy = place / "busy.py"
    busy.write_text(busy.read_text().replace("WORTH = Decimal(60)", "WORTH = Decimal(90)"))
    found = redecide(place)
    difference = found["difference"]
    assert (difference["journal"]["kind"], difference["today"]["kind"]) == ("OrderIntended", "OrderIntended")
    assert difference["fields"] == ["quantity"]
    done = CliRunner().invoke(cli, ["redecide", "-c", str(place / "holdfast.toml")], standalone_mode=False)
    assert f"the first difference: seq {difference['seq']}" in done.output
    assert f"OrderIntended: quantity {difference['today']['quantity']}" in done.output


def test_a_strategy_that_only_remembers_more_decides_the_same(place: Path) -> None:
    busy = place / "busy.py"
    more = 'context.memory["decisions"] = context.memory.get("decisions", 0) + 1\n'
    busy.write_text(busy.read_text().replace(more, more + '        context.memory["more"] = str(context.now_ns)\n'))
    found = redecide(place)
    assert found["difference"] is None
    assert found["reworded"] > 0


def test_a_changed_parameter_is_seen(place: Path) -> None:
    config = place / "holdfast.toml"
    config.write_text(config.read_text().replace("quiet = false", "quiet = true"))
    assert redecide(place)["difference"]["today"] is None


def test_a_stretch_without_recorded_inputs_is_told(place: Path) -> None:
    tapes = sorted((place / "run" / "tape").iterdir())
    tapes[0].unlink()
    found = redecide(place)
    assert found["difference"] is None
    (gap,) = found["gaps"]
    assert gap[0] == 1
    for tape in tapes[1:]:
        tape.unlink()
    found = redecide(place)
    assert (found["inputs"], found["difference"], found["same"]) == (0, None, False)


def test_a_torn_end_is_left_out_and_a_bad_line_is_named(place: Path) -> None:
    tape = max((place / "run" / "tape").iterdir())
    lines = tape.read_bytes().splitlines(keepends=True)
    tape.write_bytes(b"".join(lines[:-1]) + lines[-1][:-5])
    assert redecide(place)["difference"] is None
    tape.write_bytes(b"".join(lines[:3]) + b"nonsense\n" + b"".join(lines[4:]))
    with pytest.raises(TapeDamaged, match=f"{tape.name}:4"):
        list(read_tape(place / "run"))
    done = CliRunner().invoke(cli, ["redecide", "-c", str(place / "holdfast.toml")], standalone_mode=False)
    assert isinstance(done.exception, TapeDamaged)
    assert run_command(["redecide", "-c", str(place / "holdfast.toml")]) == 65


def test_every_line_is_read_as_it_was_written(recorded: Path) -> None:
    taken = list(read_tape(recorded / "run"))
    kinds = {type(each.seen).__name__ for each in taken}
    assert {"ProcessBegan", "ConfigurationRead", "VenueDescribed", "Quote", "Trade", "Ack", "Snapshot"} <= kinds
    assert kinds <= set(KINDS)
    for each in taken:
        assert read_line(write_line(each.at_ns, each.seq, each.seen)) == each


def test_a_tape_that_can_not_be_written_ends_and_the_run_goes_on(tmp_path: Path) -> None:
    tape = InputTape(tmp_path, 1)
    tape.take(1, 1, TimePassed())
    tape.flush()
    tape._file.close()
    tape._file = Path("/dev/full").open("w")  # noqa: SIM115 (the tape closes it)
    tape.take(2, 1, DiskMeasured(0))
    tape.flush()
    assert "No space left" in tape.ended
    tape.take(3, 1, DiskMeasured(0))
    tape.close()
    assert [each.seen for each in read_tape(tmp_path)] == [TimePassed()]
    with pytest.raises(FileExistsError):
        InputTape(tmp_path, 1)


def test_a_tape_that_can_not_be_opened_is_told_and_the_run_goes_on(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(place / "run" / "tape")
    (place / "run" / "tape").write_text("a file where the tapes' folder should be")
    assert run(read_configuration(place / "holdfast.toml"), for_ns=10**9) == 0
    assert "what comes in can't be kept" in capsys.readouterr().err
