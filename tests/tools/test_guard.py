"""Testnet and mainnet can't be confused: one test for each way of getting it wrong, through the command itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters import simulated
from adapters.redaction import REDACTOR
from engine.settings import Mode
from journal.journal import Reader
from tests.tools import lab
from tools import document
from tools.cli import run_command
from tools.config import read_configuration
from tools.guard import LiveRefused, check_live

KEY, SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv", "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(document, "adapters", lambda: {"simulated": simulated.ADAPTER, "lab": lab.ADAPTER})
    monkeypatch.setenv("LAB_KEY", KEY)
    monkeypatch.setenv("LAB_SECRET", SECRET)
    yield
    REDACTOR.forget()


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Path]:
    """Writes the configuration with these lines changed (`old=new` by pairs) and these added to the venue's table."""

    def _configure(*pairs: tuple[str, str], more: str = "") -> Path:
        text = lab.CONFIGURED
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "holdfast.toml"
        path.write_text(text.replace('adapter = "lab"\n', f'adapter = "lab"\n{more}\n'))
        return path

    return _configure


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs, and gives what was said; the exit code is as told, and no event was written."""

    def _refused(config: Path, code: int, *arguments: str) -> str:
        before = seq(config)
        capsys.readouterr()
        assert run_command(["run", "--for", "1s", "-c", str(config), *arguments]) == code
        assert seq(config) == before
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    return _refused


def seq(config: Path) -> int:
    """Events in the journal; 0 where there is none."""
    journal = config.parent / "run"
    if not (journal / "journal.db").exists():
        return 0
    with Reader(journal) as reader:
        return sum(1 for _ in reader.read(0))


def traded(config: Path) -> None:
    """A run that leaves a journal."""
    assert run_command(["run", "--for", "200ms", "-c", str(config)]) == 0
    assert seq(config)


MAINNET = ('environment = "testnet"', 'environment = "mainnet"')
LIVE = ('mode = "paper"', 'mode = "live"')


# --- mode, --live and environment -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "arguments", "told"),
    [
        ((LIVE, MAINNET), (), "also needs --live"),
        ((), ("--live",), 'the configuration says mode = "paper"'),
        ((MAINNET,), ("--live",), 'the configuration says mode = "paper"'),
        ((LIVE,), ("--live",), "is no venue for real money (lab, testnet)"),
        ((MAINNET,), (), 'trades real money (lab, mainnet), and the configuration says mode = "paper"'),
    ],
    ids=["live without --live", "--live on paper", "--live on paper at mainnet", "live at testnet", "paper at mainnet"],
)
def test_mode_word_and_environment_agree(
    configure: Callable[..., Path],
    refused: Run,
    pairs: tuple[tuple[str, str], ...],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    assert told in refused(configure(*pairs), 77, *arguments)


def test_live_and_the_simulated_exchange(configure: Callable[..., Path], refused: Run) -> None:
    """One venue of real money does not make the others so."""
    config = configure(LIVE, MAINNET)
    config.write_text(config.read_text() + '[venues.sim]\nadapter = "simulated"\n')
    assert "[venues.sim] is no venue for real money (simulated, local)" in refused(config, 77, "--live")


def test_both_words_and_a_venue_for_it_pass(configure: Callable[..., Path]) -> None:
    found = read_configuration(configure(LIVE, MAINNET))
    assert found.settings.mode is Mode.LIVE
    check_live(found, True)
    with pytest.raises(LiveRefused):
        check_live(found, False)


def test_backtest_never_touches_real_money(configure: Callable[..., Path]) -> None:
    found = read_configuration(configure(('mode = "paper"', 'mode = "backtest"'), MAINNET))
    with pytest.raises(LiveRefused, match="trades real money"):
        check_live(found, False)


# --- URLs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "line", "told"),
    [
        ("testnet", 'rest_url = "https://api.example.com"', "it belongs to mainnet, which trades real money"),
        ("demo", 'stream_url = "wss://stream.example.com"', "it belongs to mainnet, which trades real money"),
        ("demo", 'rest_url = "https://testnet.example.com"', "it belongs to testnet"),
        ("mainnet", 'rest_url = "https://testnet.example.com"', "it belongs to testnet"),
        ("mainnet", 'rest_url = "http://127.0.0.1:8787"', "this machine, and mainnet trades real money"),
        ("mainnet", 'rest_url = "http://api.example.com"', "by https:// or wss:// only"),
        ("testnet", 'rest_url = "https://example.org"', "not a host of testnet (those are testnet.example.com)"),
    ],
)
def test_a_url_of_another_environment(
    configure: Callable[..., Path], refused: Run, environment: str, line: str, told: str
) -> None:
    said = refused(configure(('environment = "testnet"', f'environment = "{environment}"'), more=line), 78)
    assert told in said
    assert f"line 5, venues.lab.{line.split(maxsplit=1)[0]}\n" in said


def test_an_environment_that_does_not_exist(configure: Callable[..., Path], refused: Run) -> None:
    said = refused(configure(('environment = "testnet"', 'environment = "tesnet"')), 78)
    assert 'there is no environment "tesnet"; did you mean testnet?' in said


def test_loopback_serves_what_is_tried_out(configure: Callable[..., Path]) -> None:
    read_configuration(configure(more='rest_url = "http://127.0.0.1:8787"\nstream_url = "ws://localhost:8787"'))


# --- the journal ------------------------------------------------------------------------------------------------


def test_a_journal_of_another_mode(configure: Callable[..., Path], refused: Run) -> None:
    traded(configure())
    assert "bound to mode paper" in refused(configure(LIVE, MAINNET), 78, "--live")


def test_a_journal_of_another_environment(configure: Callable[..., Path], refused: Run) -> None:
    """Refused before the venue is asked anything, so its keys are never sent there."""
    traded(configure())
    config = configure(('environment = "testnet"', 'environment = "demo"'))
    said = refused(config, 78)
    assert "[venues.lab] says environment demo, but the journal is bound to lab:testnet:1001" in said
    assert "Another environment needs another journal directory" in said


def test_a_journal_of_another_account(configure: Callable[..., Path], refused: Run) -> None:
    traded(configure())
    said = refused(configure(more='uid = "2002"'), 78)
    assert "is account lab:testnet:2002" in said
    assert "is bound to lab:testnet:1001" in said


def test_a_journal_of_another_adapter(configure: Callable[..., Path], refused: Run) -> None:
    traded(configure())
    config = configure()
    config.write_text(
        '[venues.lab]\nadapter = "simulated"\n[instruments."BTC-USDT"]\nvenue = "lab"\nsymbol = "BTCUSDT"\n'
    )
    assert "has the adapter simulated, but the journal is bound to lab:testnet:1001 of lab" in refused(config, 78)


def test_a_venue_that_says_it_is_another_environment(configure: Callable[..., Path], refused: Run) -> None:
    said = refused(configure(more='says_environment = "mainnet"'), 78)
    assert "says environment testnet, but the venue says that this is lab:mainnet:1001" in said


# --- keys -------------------------------------------------------------------------------------------------------


def test_keys_that_can_t_be_read_are_all_told(
    configure: Callable[..., Path], refused: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_KEY")
    said = refused(configure(('{ env = "LAB_SECRET" }', '{ file = "nowhere" }')), 78)
    assert "2 faults" in said
    assert "line 7, venues.lab.api_key\n      the environment variable LAB_KEY is not set" in said
    assert "line 8, venues.lab.api_secret\n      the file nowhere can't be opened" in said


def test_a_key_in_the_configuration_itself(configure: Callable[..., Path], refused: Run) -> None:
    said = refused(configure(('{ env = "LAB_SECRET" }', f'"{SECRET}"')), 78)
    assert "a key never stands in the configuration" in said
    assert '{ env = "NAME" }' in said
    assert SECRET not in said


def test_keys_do_not_matter_to_those_who_only_read(
    configure: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure()
    traded(config)
    monkeypatch.delenv("LAB_KEY")
    assert run_command(["status", "-c", str(config)]) == 0


# --- rights -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("may_withdraw = true", "the key may withdraw"),
        ("may_trade = false", "lab:testnet:1001 or its key may not trade"),
        ('asset_classes = ["PERPETUAL"]', "may not trade BTC-USDT, which is spot: it has PERPETUAL"),
    ],
)
def test_rights_that_do_not_fit(configure: Callable[..., Path], refused: Run, more: str, told: str) -> None:
    assert told in refused(configure(more=more), 77)


def test_every_fault_of_rights_is_told(configure: Callable[..., Path], refused: Run) -> None:
    said = refused(configure(more='may_withdraw = true\nmay_trade = false\nasset_classes = ["option"]'), 77)
    assert said.count("[venues.lab]") == 3


@pytest.mark.parametrize(
    "more",
    [
        "may_withdraw = true\nallow_withdrawal_rights = true",
        "has_rights = false",
        "asset_classes = []",
        'asset_classes = ["spot", "perpetual"]',
    ],
)
def test_rights_that_fit_or_that_nobody_tells(configure: Callable[..., Path], more: str) -> None:
    traded(configure(more=more))


def test_the_word_that_allows_withdrawal_belongs_to_real_venues(configure: Callable[..., Path], refused: Run) -> None:
    config = configure()
    config.write_text('[venues.sim]\nadapter = "simulated"\nallow_withdrawal_rights = true\n')
    assert "it belongs to the adapters of real venues" in refused(config, 78)
