"""Unattended runs over real recorded data, killed in the middle and gone on with: a Binance capture and SPY's ticks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.books import assert_equal, read_books
from tests.crash.checks import HASH_SEEDS, assert_replays
from tests.crash.session import Process, Session, configured, session_in
from tools.proof.processes.books import Books

KILLS = 2
FILLS = 3
"""At least so many between a start and a kill."""

AGE = '\n[risk]\nmax_quote_age = "5s"\n'
PARAMS = '{ fast = 2, slow = 5, quantity = "%s" }'


@pytest.fixture
def market(shared: Path) -> Path:
    """The recorded market data."""
    return shared / "data" / "market"


def _recorded(tape: Path, format_: str, speed: str, name: str, symbol: str, params: str) -> str:
    return f"""
mode = "paper"
journal = "run"
[venues.sim]
adapter = "simulated"
tape = {{ path = "{tape}", format = "{format_}" }}
speed = "{speed}"
[instruments."{name}"]
venue = "sim"
symbol = "{symbol}"
[strategies.cross]
class = "engine.strategies.sma_cross:SmaCross"
instruments = ["{name}"]
bars = "150ms"
params = {params}
[reconcile]
every = "500ms"
retry = "200ms"
{AGE}
"""


def _binance(market: Path) -> Path:
    return market / "binance_spot_raw" / "spot_btcusdt_20240808.gz"


def test_a_binance_capture(tmp_path: Path, market: Path) -> None:
    """Its quotes were received 1.27 s before their exchange time: none of them is too old, or refused."""
    text = _recorded(_binance(market), "binance", "10", "BTC-USDT", "BTCUSDT", PARAMS % "0.01")
    books = _killed_and_gone_on_with(tmp_path, text)
    assert _denied(books) == set()
    assert not [row for row in books.rows if row.kind == "AnomalyRecorded" and "market_data" in row.body]


def test_ticks_of_spy(tmp_path: Path, market: Path) -> None:
    tape = market / "lean" / "equity_usa_tick_spy" / "20131007_trade.zip"
    books = _killed_and_gone_on_with(tmp_path, _recorded(tape, "lean:equity", "600", "SPY", "SPY", PARAMS % "10"))
    prices = [each.price for each in books.exchange.executions]
    assert 160 < min(prices) <= max(prices) < 175, "the SPY of 2013-10-07"


def _killed_and_gone_on_with(directory: Path, text: str) -> Books:
    with session_in(directory) as session:
        session.configure(text)
        for _ in range(KILLS):
            process = session.start()
            _wait_fills(session, process)
            session.kill(process)
        process = session.start()
        _wait_fills(session, process)
        # What is still open is taken back, and the exchange shows it: nothing can be executed after that.
        killed = session.command("kill")
        assert killed.returncode == 0, killed.stdout + killed.stderr
        assert session.stop(process) == 0
        books = read_books(session.journal, session.journal / "exchange")
        assert_equal(books)
        assert_replays(session, books, HASH_SEEDS[:1])
        tapes = [fact for fact in books.facts if fact.kind == "TapeStarted"]
        assert len(tapes) == 1, "a restart goes on where the tape was"
        assert len(books.exchange.executions) >= FILLS * (KILLS + 1)
        return books


def _wait_fills(session: Session, process: Process) -> None:
    before = len(session.bodies("FillBooked")) if session.seq else 0
    session.wait_state(process, lambda state: len(state.executions) >= before + FILLS, "fills")


def _denied(books: Books) -> set[str]:
    return {row.body for row in books.rows if row.kind == "OrderDenied"}


def test_data_that_lags_is_not_traded_on(tmp_path: Path, market: Path) -> None:
    with session_in(tmp_path) as session:
        venue = f'tape = {{ path = "{_binance(market)}", format = "binance" }}'
        session.configure(configured(venue=f'{venue}\nfaults = {{ lag = "12s" }}', rest=AGE, names=("BTC-USDT",)))
        process = session.start()
        session.wait_state(process, lambda state: bool(state.orders), "an intent")
        session.wait_seq(process, session.seq + 1)
        assert session.stop(process) == 0
        denials = session.bodies("OrderDenied")
        assert denials
        assert {body["reason"] for body in denials} == {"max_quote_age"}
        assert int(denials[0]["numbers"]["age_ns"]) > 5_000_000_000
        assert session.bodies("SubmitRequested") == []
        books = read_books(session.journal, session.journal / "exchange")
        assert not books.exchange.open
        assert not books.exchange.closed
