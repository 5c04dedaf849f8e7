"""The court: every judge is asked everything, what it says is heard, and who can't be had is named."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from click.testing import CliRunner

from tools.bench.environment import PeerMissing
from tools.judges import __main__ as command
from tools.judges import court
from tools.judges.court import HERE, JUDGES, Finding, Verdict, findings_of, hear, read_verdict
from tools.judges.judge import CASES, Judge, Mismatch, refused, same, same_books
from tools.judges.same_requests import Comparison

TOLD = {"url": "http://127.0.0.1:1", "socket_url": "ws://127.0.0.1:1", "api_key": "key", "secret": "secret",
        "public_api_key": "public", "private_key": "key.pem"}  # fmt: skip


def kind_of(judge: str) -> type[Judge]:
    """The judge's class; its module can be read without the client."""
    name = f"tools.judges.{judge}"
    classes = [each for each in vars(import_module(name)).values() if isinstance(each, type)]
    found = [each for each in classes if issubclass(each, Judge) and each.__module__ == name]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("judge", JUDGES)
def test_every_judge_is_asked_everything_or_says_why_not(judge: str) -> None:
    kind = kind_of(judge)
    assert [case for case in CASES if (kind.check_of(case) is None) is (case not in kind.lacks)] == []
    assert set(kind.lacks) <= set(CASES)
    assert len(kind.lacks) <= 2


@pytest.mark.parametrize("judge", JUDGES)
def test_every_judge_is_pinned_by_hash_and_names_no_host(judge: str) -> None:
    text = (HERE / f"{judge}.txt").read_text()
    entries = [entry for entry in text.replace("\\\n", " ").splitlines() if entry and not entry.startswith("#")]
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert any(entry.startswith(f"{kind_of(judge).package}==") for entry in entries)
    assert "://" not in text
    assert "index" not in text


# --- a judge at work ------------------------------------------------------------------------------------------------


class Bare(Judge):
    """A judge of three cases."""

    package = "attrs"
    lacks = dict.fromkeys(list(CASES)[4:], "not here")

    def server_time(self) -> None:
        """Good."""

    async def exchange_info(self) -> None:
        """Finds something."""
        same(1, 2, "it")

    def order_book(self) -> None:
        """Goes well, but the client complains."""
        logging.getLogger("client").warning("what is this?")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What the bare judge tells."""
    before = logging.getLogger().handlers[:]
    asyncio.run(Bare(court_exchange()).judge())
    logging.getLogger().handlers[:] = before
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def court_exchange() -> Any:
    return import_module("tools.judges.judge").Exchange(TOLD)


def test_a_judge_tells_each_case_on_a_line(lines: list[dict[str, Any]]) -> None:
    assert lines[0]["judge"] == "attrs"
    assert [line["case"] for line in lines[1:]] == list(CASES)
    by_case = {line["case"]: line for line in lines[1:]}
    assert "failed" not in by_case["server time"]
    assert by_case["exchange info"]["failed"] == "Mismatch: it is 1, not 2"
    assert "the client wrote into its log: what is this?" in by_case["order book"]["failed"]
    assert "has no such check" in by_case["recent trades"]["failed"]
    assert by_case["klines"]["without"] == "not here"


def test_a_verdict_counts_what_was_told(lines: list[dict[str, Any]]) -> None:
    heard: list[str] = []
    told = ["a library's own line", "[1]", *(json.dumps(line) for line in lines)]
    verdict = read_verdict("bare", iter(told), lambda judge, found: heard.append(found.case))
    assert (verdict.passed, verdict.failed, verdict.without) == (1, 3, len(CASES) - 4)
    assert heard == list(CASES)


def fail(error: Exception) -> None:
    raise error


def test_only_the_very_class_and_what_it_says_will_do() -> None:
    with refused(ValueError, args=("so",)) as caught:
        fail(ValueError("so"))
    assert str(caught[0]) == "so"
    with pytest.raises(Mismatch, match="not 'ValueError'"), refused(ValueError):
        fail(UnicodeError())
    with pytest.raises(Mismatch, match="args of"), refused(ValueError, args=("so",)):
        fail(ValueError("else"))
    with pytest.raises(Mismatch, match="nothing was raised"), refused(ValueError):
        pass


# --- the court ------------------------------------------------------------------------------------------------------


def test_a_judge_that_breaks_off_has_failed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This environment has none of the clients: the judge ends before its first check, against a real exchange."""
    monkeypatch.setattr(court, "interpreter_of", lambda *_: Path(sys.executable))
    told: list[Finding] = []
    verdict = hear("ccxt", lambda _, found: told.append(found), install_s=1, seconds=60)
    assert verdict.findings == told
    assert verdict.findings[0].case == "to its end"
    assert "No package metadata was found for ccxt" in str(verdict.findings[0].failed)
    assert verdict.findings[1].failed == "it sent none that the adapter makes too"


def test_who_can_not_be_installed_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Path:
        raise PeerMissing("no registry answers")

    monkeypatch.setattr(court, "interpreter_of", refuse)
    result = CliRunner().invoke(command.main, [])
    assert result.exit_code == 0
    for judge in JUDGES:
        assert f"{judge} skipped: no registry answers" in result.output


@pytest.mark.parametrize(("finding", "code"), [(Finding("query"), 0), (Finding("query", failed="it is gone"), 1)])
def test_a_failure_fails_the_command_and_is_told(monkeypatch: pytest.MonkeyPatch, finding: Finding, code: int) -> None:
    def answer(judge: str, told: court.Told, install_s: float, seconds: float) -> Verdict:
        told(judge, finding)
        return Verdict(judge, "1.0", [finding])

    monkeypatch.setattr(command, "hear", answer)
    result = CliRunner().invoke(command.main, ["--judge", "ccxt"])
    assert result.exit_code == code
    assert ("FAILED: it is gone" in result.output) is bool(code)


def test_a_slice_begins_with_another_judge_and_keeps_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, heard = [0.0], []

    def answer(judge: str, told: court.Told, install_s: float, seconds: float) -> Verdict:
        heard.append((judge, install_s))
        now[0] += 85
        return Verdict(judge, "1.0", [Finding("query")])

    monkeypatch.setattr(command, "hear", answer)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(command, "commit_of", lambda: "c0ffee")
    result = CliRunner().invoke(command.main, ["--slice"])
    assert [judge for judge, _ in heard] == [command.turned(crc32(b"c0ffee"))[0]]
    assert heard[0][1] + command.CHECKS_SECONDS == command.SLICE_SECONDS
    assert result.output.count("left out of this slice") == len(JUDGES) - 1
    assert {command.turned(number)[0] for number in range(9)} == set(JUDGES)


def test_books_that_differ_are_told() -> None:
    booked = {"symbol": "BTCUSDT", "price": "5", "quantity": "2", "fee": "0.010", "fee_asset": "BTC"}
    ledger = {"executions": [booked], "balances": [{"asset": "BTC", "free": "1.50", "locked": "0"}]}
    same_books(ledger, "BTCUSDT", [("5.00", 2.0, "0.01", "BTC")], {"BTC": ("1.5", "0.0")})
    for trades, free in (([("5", "2", "0.01", "USDT")], "1.5"), ([], "1.5"), ([("5", "2", "0.01", "BTC")], "1.6")):
        with pytest.raises(Mismatch):
            same_books(ledger, "BTCUSDT", trades, {"BTC": (free, "0")})


def test_requests_that_differ_are_failures() -> None:
    none: Counter[str] = Counter()
    assert findings_of(Comparison(none, (), none))[0].failed is not None
    assert findings_of(Comparison(Counter(a=2), ("price is 1",), none)) == [Finding("requests", failed="price is 1")]
    (found,) = findings_of(Comparison(Counter(a=2), (), Counter(b=3)))
    assert found.words == "ok: 2 of 1 kinds are the adapter's too; 3 it never makes"
