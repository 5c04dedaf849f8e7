"""`holdfast backtest`: what it prints, writes, refuses; sweeps; and the page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.tools.backtest.scene import configure, install, quotes, walk
from tools.backtest.page import DOTS_MOST
from tools.backtest.sweep import combinations_of, keyed
from tools.cli import run_command


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configure(tmp_path, quotes(walk(200)))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert run_command(["backtest", *arguments, "--json"]) == code
    found = capsys.readouterr()
    assert found.err == "", "no progress where nobody looks"
    return json.loads(found.out)


def test_it_says_everything_as_one_json_document(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "-c", str(config))
    account = found["accounts"]["USDT"]["account"]
    assert (found["records"], found["bad_lines"], found["seed"]) == (200, 0, 1)
    assert account["capital"] == "100000"
    assert isinstance(account["net"], str)
    assert float(account["final"]) == pytest.approx(100_000 + float(account["net"]))
    assert account["fills"] == found["orders"]["fills"] == found["orders"]["sent"] > 30
    assert {each["about"] for each in found["models"]} >= {"prices", "latency", "fees", "slippage", "queue", "depth"}
    assert found["accounts"]["USDT"]["strategies"]["trader"]["trips"] == account["trips"]


def test_the_journal_is_read_by_the_other_commands(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "-c", str(config))
    told = {}
    for command in ("fills", "orders", "events", "verify", "status", "positions"):
        assert run_command([command, "-c", str(config), "--json"]) == 0
        told[command] = capsys.readouterr().out
    fills, verdict = json.loads(told["fills"]), json.loads(told["verify"])
    assert len(fills) == found["orders"]["fills"]
    assert verdict["chain"] == found["chain"]
    assert run_command(["why", fills[0]["order_id"], "-c", str(config)]) == 0


def test_the_same_again_leaves_the_journal_alone_and_another_moves_it_aside(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = config.parent / "run"
    answer(capsys, "-c", str(config))
    written_ns = (journal / "journal.db").stat().st_mtime_ns
    answer(capsys, "-c", str(config))
    assert (journal / "journal.db").stat().st_mtime_ns == written_ns
    assert not journal.with_name("run.1").exists()
    answer(capsys, "-c", str(config), "--set", "backtest.seed=9")
    assert journal.with_name("run.1").exists()


def test_it_tells_a_person_the_same(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["backtest", "-c", str(config)]) == 0
    told = capsys.readouterr().out
    for words in ("RESULT IN USDT", "Sharpe", "ASSUMED", "latency", "DATA", "played: 200 Quotes", "chain"):
        assert words in told


def test_nothing_traded_is_said_and_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(tmp_path, quotes(walk(20)), params="every = 1000")
    found = answer(capsys, "-c", str(config), "-o", str(tmp_path / "page.html"))
    assert found["accounts"]["USDT"]["account"]["fills"] == 0
    assert run_command(["backtest", "-c", str(config)]) == 0


def test_denials_are_counted_with_the_numbers_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(tmp_path, quotes(walk(100)), more='[risk]\nmax_order_quantity = { "BTC-USDT" = "0.05" }')
    found = answer(capsys, "-c", str(config))
    assert found["denials"] == {"max_order_quantity": 1}, "equal ones are journaled once in a while"
    assert found["orders"]["fills"] == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('tape = "tape.csv"', "seed = 7", "plays recorded data"),
        ('tape = "tape.csv"', 'tape = "nowhere.csv"', "nowhere.csv"),
        ('tape = "tape.csv"', 'tape = "no*.csv"', "names 0 files"),
        ('mode = "backtest"', 'mode = "paper"', "--journal"),
    ],
)
def test_what_can_not_be_played_is_said(
    config: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, words: str
) -> None:
    config.write_text(config.read_text().replace(old, new))
    assert run_command(["backtest", "-c", str(config)]) == 78
    assert words in capsys.readouterr().err


def test_a_paper_configuration_is_played_into_a_directory_of_its_own(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().replace('mode = "backtest"', 'mode = "paper"'))
    found = answer(capsys, "-c", str(config), "--journal", str(config.parent / "tried"))
    assert found["journal"] == str(config.parent / "tried")
    assert not (config.parent / "run").exists()


def test_a_backtests_configuration_is_not_run(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "-c", str(config)]) == 2
    assert "holdfast backtest" in capsys.readouterr().err


# --- sweeps -----------------------------------------------------------------------------------------------------


def test_a_sweep_tries_every_combination_and_each_can_be_repeated(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "-c", str(config), "--jobs", "1", "--set", "strategies.trader.params.every=3,5,x",
                   "--set", "venues.sim.latency=1ms,20ms")  # fmt: skip
    assert found["combinations"] == 6
    returns = [each["account"]["return"] for each in found["tried"] if each["account"] and each["account"]["fills"]]
    assert len(returns) == 4
    assert returns == sorted(returns, reverse=True)
    best = found["tried"][0]
    arguments = best["again"].split()[2:]
    again = answer(capsys, *arguments)
    assert (again["chain"], again["journal_id"]) == (best["chain"], best["journal_id"])


def test_a_sweep_on_all_cores_is_the_same_as_one_after_the_other(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from tools.backtest import sweep

    wanted = ("-c", str(config), "--set", "strategies.trader.params.every=3,5")
    alone = answer(capsys, *wanted, "--jobs", "1")
    monkeypatch.setattr(sweep, "ProcessPoolExecutor", lambda jobs, mp_context: ThreadPoolExecutor(1))
    assert answer(capsys, *wanted, "--jobs", "2") == alone


def test_a_sweep_says_how_many_were_tried_and_that_the_best_is_partly_luck(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run_command(["backtest", "-c", str(config), "--jobs", "1", "--set", "strategies.trader.params.every=3,5"]) == 0
    )
    told = capsys.readouterr().out
    assert "2 combinations tried" in told
    assert "partly luck" in told
    assert "holdfast backtest -c" in told


@pytest.mark.parametrize(
    "wanted", ["strategies.trader.params.every", "=3", "a=", "a=" + ",".join(map(str, range(10_001)))]
)
def test_a_choice_that_is_none_is_a_usage_error(config: Path, wanted: str) -> None:
    assert run_command(["backtest", "-c", str(config), "--set", wanted]) == 2


def test_a_key_that_does_not_exist_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["backtest", "-c", str(config), "--set", "venues.sim.latncy=1ms"]) == 78
    assert "did you mean latency" in capsys.readouterr().err


def test_values_are_read_as_the_file_has_them() -> None:
    (first, second) = combinations_of(['risk.instruments."BTC-USDT".max_position=1', "a.b=true,x"])
    assert keyed(first) == {'risk.instruments."BTC-USDT".max_position': 1, "a.b": True}
    assert keyed(second)["a.b"] == "x"


# --- the page ---------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page is made of: tags that are closed in order, places that it would load, the data."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.data = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in self.VOID:
            self.open.append(tag if ("id", "data") not in attrs else "data")

    def handle_endtag(self, tag: str) -> None:
        last = self.open.pop()
        assert tag == ("script" if last == "data" else last)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "data":
            self.data += data


def page_of(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, Page]:
    path = config.parent / "page.html"
    answer(capsys, "-c", str(config), "-o", str(path))
    text = path.read_text()
    return text, Page(text)


def test_the_page_loads_nothing_and_is_whole(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, page = page_of(config, capsys)
    assert page.loads == []
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}, "a name, not a place"
    assert "default-src 'none'" in text
    data = json.loads(page.data)
    assert {each["name"] for each in data["equity"]} == {"account"}
    assert len(data["prices"][0]["fills"]) > 30
    assert max(len(each["dots"]) for each in (*data["equity"], *data["prices"])) <= DOTS_MOST + 4
    assert "NaN" not in page.data
    for words in (
        "Sharpe",
        "Models and assumptions",
        "chain head",
        "Fills",
        "Trades",
        "denied" if "denied" in text else "Orders",
    ):
        assert words in text


def test_the_same_backtest_is_the_same_page(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert page_of(config, capsys)[0] == page_of(config, capsys)[0]


def test_a_name_with_markup_does_not_become_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(tmp_path, quotes(walk(40)))
    evil = tmp_path / "<script>alert(1)<&script>.toml"
    evil.write_text(config.read_text())
    text, _ = page_of(evil, capsys)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_recorded_markets_give_whole_reports(tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SPY's minutes of four days, quotes and trades merged; and hourly bars of BTC through its outages."""
    market = shared / "data" / "market"
    spy = f"""mode = "backtest"
journal = "spy"
[venues.sim]
adapter = "simulated"
tape = {{ path = "{market}/lean/equity_usa_minute_spy/*.zip", format = "lean:equity" }}
balances = {{ USD = "100000" }}
instruments = {{ SPY = {{ lot = "1", price = "168" }} }}
[instruments.SPY]
venue = "sim"
symbol = "SPY"
[strategies.cross]
class = "engine.strategies.sma_cross:SmaCross"
instruments = ["SPY"]
bars = "5m"
bars_from = "quotes"
params = {{ fast = 3, slow = 8, quantity = "100" }}
"""
    config = tmp_path / "spy.toml"
    config.write_text(spy)
    found = answer(capsys, "-c", str(config), "-o", str(tmp_path / "spy.html"))
    assert (found["records"], found["bad_lines"], found["anomalies"]) == (6_755, 0, {})
    assert found["accounts"]["USD"]["account"]["fills"] > 20
    assert any("gaps" in each["words"] for each in found["data"])
    bars = spy.replace("spy", "btc").replace("SPY", "BTCUSDT").replace("100000", "1000000")
    bars = re.sub(
        r"tape = .*", f'tape = {{ path = "{market}/btc_usdt_1h/BTC_USDT-1h.feather", format = "feather:1h" }}', bars
    )
    bars = re.sub(
        r"instruments = \{ BTC.*", 'instruments = { BTCUSDT = { spread = "2", max_price = "1000000" } }', bars
    )
    bars = (
        bars.replace("balances = { USD ", "balances = { USDT ").replace('"5m"', '"4h"').replace('"quotes"', '"trades"')
    )
    config.write_text(bars.replace('"100"', '"1"') + '[backtest]\nto = "2017-11-01"\n')
    found = answer(capsys, "-c", str(config), "-o", str(tmp_path / "btc.html"))
    assert found["accounts"]["USDT"]["account"]["fills"] > 20
    assert "ASSUMED" in next(each["words"] for each in found["models"] if each["about"] == "prices")
