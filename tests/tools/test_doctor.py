"""What `holdfast doctor` finds, and that looking changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters import simulated
from adapters.redaction import REDACTOR
from adapters.rights import PolicyRefused
from engine.inputs import CredentialsRefused
from engine.ports import VenueUnreachable
from engine.values import VenueName
from journal import preflight
from tests.tools import lab
from tools import document
from tools.cli import run_command
from tools.doctor import machine, venues

KEY, SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv", "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"

Examine = Callable[..., Any]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(document, "adapters", lambda: {"simulated": simulated.ADAPTER, "lab": lab.ADAPTER})
    monkeypatch.setenv("LAB_KEY", KEY)
    monkeypatch.setenv("LAB_SECRET", SECRET)
    monkeypatch.setattr(machine, "HONEST_NS", 0)  # the disk of a test machine may be memory
    monkeypatch.setattr(machine, "VOLATILE", frozenset())
    yield
    REDACTOR.forget()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "holdfast.toml"
    path.write_text(lab.CONFIGURED)
    return path


@pytest.fixture
def examine(config: Path, capsys: pytest.CaptureFixture[str]) -> Examine:
    """Runs `doctor --json` on the configuration with one text replaced; the document."""

    def _examine(old: str = "", new: str = "", code: int = 0) -> Any:
        text = config.read_text()
        assert old in text
        config.write_text(text.replace(old, new) if old else text)
        capsys.readouterr()
        assert run_command(["doctor", "-c", str(config), "--json"]) == code
        said = capsys.readouterr()
        assert said.err == ""
        assert SECRET not in said.out
        assert KEY not in said.out
        return json.loads(said.out)

    return _examine


def faults(found: Any) -> list[tuple[str, str]]:
    """Name and words of every fault."""
    checks = [*found["machine"], *found["checks"], *found["venues"]["lab"]["checks"]]
    return [(each["what"], each["words"]) for each in checks if each["verdict"] == "fault"]


def facts(directory: Path) -> dict[Path, bytes]:
    """Every file below that holds facts; SQLite leaves an empty log and an index behind where it only looked."""
    paths = (path for path in directory.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {path: path.read_bytes() for path in paths}


def test_all_is_well(examine: Examine) -> None:
    found = examine()
    assert found["ok"] is True
    assert (found["faults"], found["warnings"], found["mode"]) == (0, 0, "paper")
    venue = found["venues"]["lab"]
    assert (venue["adapter"], venue["environment"], venue["is_live"]) == ("lab", "testnet", False)
    assert venue["keys"] == [
        {"key": "api_key", "source": "env", "place": "the environment variable LAB_KEY", "readable": True},
        {"key": "api_secret", "source": "env", "place": "the environment variable LAB_SECRET", "readable": True},
    ]
    assert venue["account"] == "lab:testnet:1001"
    assert venue["rights"]["may_trade"] is True
    assert venue["rights"]["may_withdraw"] is False
    assert venue["instruments"] == ["BTC-USDT"]
    assert abs(venue["clock_offset_ns"]) < 10**9
    assert venue["capabilities"]["order_types"][0] == "market"
    assert venue["capabilities"]["client_ids"] == "unique_open"
    assert {each["what"] for each in found["machine"]} == {
        "python", "sqlite", "file system", "commit", "free space", "directory", "control", "journal",
    }  # fmt: skip


def test_looking_changes_nothing(config: Path, examine: Examine) -> None:
    examine()
    assert sorted(path.name for path in config.parent.iterdir()) == ["holdfast.toml"]
    assert run_command(["run", "--for", "200ms", "-c", str(config)]) == 0
    before = facts(config.parent)
    found = examine()
    assert facts(config.parent) == before
    account = next(each for each in found["venues"]["lab"]["checks"] if each["what"] == "account")
    assert account["words"] == "lab:testnet:1001, to which the journal is bound"
    assert not list(config.parent.rglob("doctor.*"))


@pytest.mark.parametrize(
    ("old", "new", "code", "what", "told"),
    [
        ("LAB_KEY", "LAB_NO_KEY", 78, "api_key", "the environment variable LAB_NO_KEY is not set"),
        ('"BTCUSDT"', '"XXXUSDT"', 0, "", ""),
        ('mode = "paper"', 'mode = "live"', 77, "mode", "is no venue for real money"),
        ('environment = "testnet"', 'environment = "mainnet"', 77, "mode", "trades real money"),
        ('adapter = "lab"', 'adapter = "lab"\nmay_withdraw = true', 77, "rights", "the key may withdraw"),
        ('adapter = "lab"', 'adapter = "lab"\nmay_trade = false', 77, "rights", "may not trade"),
        ('adapter = "lab"', 'adapter = "lab"\nsays_environment = "demo"', 78, "binding", "this is lab:demo:1001"),
        ('mode = "paper"', 'mode = "paper"\n[disk]\nmin_free_bytes = 1152921504606846976', 74, "free space", "pauses"),
    ],
)  # fmt: skip
def test_what_is_not_well(examine: Examine, old: str, new: str, code: int, what: str, told: str) -> None:
    found = examine(old, new, code)
    assert found["ok"] is (code == 0)
    if code:
        assert [name for name, _words in faults(found)] == [what]
        assert told in faults(found)[0][1]


def test_the_journal_is_of_another_account(config: Path, examine: Examine) -> None:
    assert run_command(["run", "--for", "200ms", "-c", str(config)]) == 0
    found = examine('adapter = "lab"', 'adapter = "lab"\nuid = "2002"', 78)
    assert faults(found) == [("account", "this is lab:testnet:2002, and the journal is bound to lab:testnet:1001")]
    found = examine('environment = "testnet"', 'environment = "demo"', 78)
    assert "the journal is bound to lab:testnet:1001" in faults(found)[0][1]
    assert found["venues"]["lab"]["account"] is None


@pytest.mark.parametrize(
    ("error", "code"), [(VenueUnreachable("nobody answers"), 69), (PolicyRefused("the key is not taken"), 77)]
)
def test_a_venue_that_does_not_describe_itself(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(lab.LabVenue, "describe", fail)
    found = examine(code=code)
    assert faults(found) == [("reached", str(error))]
    assert found["venues"]["lab"]["rights"] is None
    assert found["venues"]["lab"]["capabilities"] is None


def test_a_key_that_is_refused_on_the_stream(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: object, deliver: Callable[[object], None], _gate: object) -> None:
        deliver(CredentialsRefused(VenueName("lab"), f"-2015 {KEY}"))

    monkeypatch.setattr(lab.LabVenue, "open", refuse)
    assert faults(examine(code=77)) == [("reached", "the venue does not take the key: -2015 ***")]


def test_a_venue_without_a_clock(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.LabVenue, "open", lambda *_: None)
    monkeypatch.setattr(venues, "CLOCK_SECONDS", 0)
    assert faults(examine(code=69)) == [("clock", "the venue did not tell the time within 0 s")]


def test_a_network_s_file_system(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "file_system", lambda *_: "nfs4")
    told = dict(faults(examine(code=65)))
    assert told["file system"].startswith("nfs4 at ")
    assert "network file system" in told["reached"]


@pytest.mark.parametrize(("mode", "told"), [(0o755, "may read"), (0o777, "may write"), (0o700, "")])
def test_who_may_look_into_the_journal(config: Path, examine: Examine, mode: int, told: str) -> None:
    journal = config.parent / "run"
    journal.mkdir()
    journal.chmod(mode)
    found = examine()
    directory = next(each for each in found["machine"] if each["what"] == "directory")
    assert (directory["verdict"] == "warning") is bool(told)
    assert told in directory["words"]


def test_a_disk_that_lies_and_memory_that_forgets(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "HONEST_NS", 10**12)
    monkeypatch.setattr(machine, "VOLATILE", frozenset({preflight.file_system(Path("/"))}))
    monkeypatch.setattr(preflight, "file_system", lambda *_: next(iter(machine.VOLATILE)))
    assert examine()["warnings"] == 2


def test_no_room_for_a_commit(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine, "Journal", full)
    assert "No space left" in dict(faults(examine(code=74)))["commit"]


def test_the_page(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(config.read_text().replace('adapter = "lab"', 'adapter = "lab"\nmay_withdraw = true'))
    assert run_command(["doctor", "-c", str(config)]) == 77
    said = capsys.readouterr().out
    assert "✗ rights" in said
    assert said.rstrip().endswith("1 fault: a run would not start")
    assert "\x1b" not in said
    assert SECRET not in said
    assert all(len(line) < 400 for line in said.splitlines())


def test_it_looks_while_the_engine_runs(config: Path, examine: Examine) -> None:
    """An exchange of its own would otherwise want the ledger that the run holds."""
    from tools.config import read_configuration
    from tools.start import open_journal

    assert run_command(["run", "--for", "200ms", "-c", str(config)]) == 0
    opened = open_journal(read_configuration(config))
    try:
        found = examine()
    finally:
        opened.journal.close()
    journal = next(each for each in found["machine"] if each["what"] == "journal")
    assert "held by process" in journal["words"]


def test_the_simulated_exchange_needs_no_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["init", str(tmp_path)]) == 0
    capsys.readouterr()
    assert run_command(["doctor", "-c", str(tmp_path / "holdfast.toml"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["venues"]["sim"]
    assert (found["keys"], found["account"], found["environment"]) == ([], None, "local")
    assert SimpleNamespace(**found["capabilities"]).post_only is True
