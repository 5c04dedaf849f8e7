"""What is particular to LEAN's files: the clock of the market, folders, flags."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.tape import BadLine, TapeUnreadable, read_tape
from engine.inputs import Candle, MarketData, Quote, TradeTick
from engine.values import SECOND_NS, InstrumentName

SPY = InstrumentName("SPY")
OPENING_MS = 34_200_000
BAR = f"{OPENING_MS},1000000,1020000,990000,1010000,500"
TICK = f"{OPENING_MS},1000000,100,P,0,0"


def read(path: Path, *lines: str, form: str | None = "lean:equity") -> list[MarketData | BadLine]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return list(read_tape(path, SPY, form))


def instant_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND_NS


@pytest.mark.parametrize(
    ("day", "opening"),
    [
        ("20130308", "2013-03-08T14:30:00Z"),
        ("20130310", "2013-03-10T13:30:00Z"),
        ("20130311", "2013-03-11T13:30:00Z"),
        ("20131101", "2013-11-01T13:30:00Z"),
        ("20131103", "2013-11-03T14:30:00Z"),
        ("20131104", "2013-11-04T14:30:00Z"),
    ],
)
def test_half_past_nine_is_what_the_clock_in_new_york_shows(tmp_path: Path, day: str, opening: str) -> None:
    (candle,) = read(tmp_path / f"{day}_spy_minute_trade.csv", BAR)
    assert isinstance(candle, Candle)
    assert candle.start_ns == instant_ns(opening)
    assert datetime.fromtimestamp(candle.start_ns // SECOND_NS, ZoneInfo("America/New_York")).hour == 9


def test_crypto_lives_in_utc_and_writes_plain_prices(tmp_path: Path) -> None:
    line = "86340000,618.17,618.17,617.98,617.98,0.24885568"
    (candle,) = read(tmp_path / "20161007_btcusd_minute_trade.csv", line, form="lean:crypto")
    assert isinstance(candle, Candle)
    assert (candle.start_ns, candle.end_ns) == (instant_ns("2016-10-07T23:59:00Z"), instant_ns("2016-10-08T00:00:00Z"))
    assert candle.close == Decimal("617.98")


def test_nothing_of_a_bar_is_known_before_its_end(tmp_path: Path) -> None:
    (candle,) = read(tmp_path / "20131007_spy_second_trade.csv", BAR)
    line = f"{OPENING_MS},1,4,1,3,10,5,9,5,7,20"
    (quote,) = read(tmp_path / "20131007_spy_second_quote.csv", line)
    end_ns = instant_ns("2013-10-07T13:30:01Z")
    assert isinstance(candle, Candle)
    assert isinstance(quote, Quote)
    assert (candle.received_ns, quote.received_ns) == (end_ns, end_ns)
    assert (quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity, quote.exchange_ns) == (
        Decimal("0.0003"),
        Decimal(10),
        Decimal("0.0007"),
        Decimal(20),
        end_ns,
    )


@pytest.mark.parametrize(("text", "past_ns"), [("34200000.367", 367_000), ("34200000.000001", 1), ("34200000.0", 0)])
def test_a_tick_may_come_between_two_milliseconds(tmp_path: Path, text: str, past_ns: int) -> None:
    (tick,) = read(tmp_path / "20131007_spy_Trade_Tick.csv", f"{text},1674200,100,P,0,0")
    assert tick == TradeTick(
        SPY,
        Decimal("167.42"),
        Decimal(100),
        received_ns=instant_ns("2013-10-07T13:30:00Z") + past_ns,
        exchange_ns=instant_ns("2013-10-07T13:30:00Z") + past_ns,
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (TICK[:-1] + "1", "flagged as suspicious"),
        (TICK[:-1] + "2", "a flag of '2'"),
        (TICK.replace("1000000", "100.5"), "is the file lean:crypto"),
        (TICK.replace(",100,", ",0,"), "quantity 0"),
        (TICK.replace(str(OPENING_MS), "86400000"), "more than a day"),
        (TICK.replace(str(OPENING_MS), "34200000.0000001"), "not a time in milliseconds"),
        (TICK + ",1", "7 fields instead of 6"),
        ("", "1 fields instead of 6"),
    ],
)
def test_a_line_that_is_not_believed_says_why_and_the_rest_is_read(tmp_path: Path, line: str, why: str) -> None:
    bad, good = read(tmp_path / "20131007_spy_Trade_Tick.csv", line, TICK)
    assert isinstance(bad, BadLine)
    assert why in bad.reason
    assert (bad.number, bad.text) == (1, line)
    assert isinstance(good, TradeTick)


def test_a_quote_bar_whose_close_lies_outside_of_it_is_bad(tmp_path: Path) -> None:
    (bad,) = read(tmp_path / "20131007_spy_second_quote.csv", f"{OPENING_MS},1,4,1,5,10,5,9,5,7,20")
    assert isinstance(bad, BadLine)
    assert "not between" in bad.reason


def test_two_bars_of_one_time_are_one_too_many(tmp_path: Path) -> None:
    first, second = read(tmp_path / "20131007_spy_minute_trade.csv", BAR, BAR)
    assert isinstance(first, Candle)
    assert isinstance(second, BadLine)


def test_leans_own_folders_tell_the_market(tmp_path: Path) -> None:
    name = "20131007_spy_minute_trade.csv"
    (equity,) = read(tmp_path / "equity" / "usa" / "minute" / "spy" / name, BAR, form=None)
    (crypto,) = read(tmp_path / "crypto" / "gdax" / "minute" / "spy" / name, BAR, form=None)
    assert isinstance(equity, Candle)
    assert isinstance(crypto, Candle)
    assert (equity.open, crypto.open) == (Decimal(100), Decimal(1_000_000))


@pytest.mark.parametrize(
    ("name", "form", "why"),
    [
        ("20131007_spy_minute_trade.csv", None, "Name the format: lean:equity or lean:crypto"),
        ("20131007_spy_minute_trade.csv", "lean:forex", "'forex'"),
        ("20131307_spy_minute_trade.csv", "lean:equity", "is not a date"),
        ("spy.csv", "lean:equity", "is not a name such as"),
        ("20131007_spy_Quote_Tick.csv", "lean:equity", "equity quote ticks are not read"),
        ("20131007_btcusd_tick_trade.csv", "lean:crypto", "crypto trade ticks are not read"),
    ],
)
def test_what_is_not_certain_is_not_read(tmp_path: Path, name: str, form: str | None, why: str) -> None:
    with pytest.raises(TapeUnreadable, match=why):
        read(tmp_path / name, BAR, form=form)
