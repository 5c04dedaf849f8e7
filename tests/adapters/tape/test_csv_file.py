"""What is particular to CSV: columns, units of time, and every ambiguity refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from adapters.tape import BadLine, TapeUnreadable, read_tape
from engine.inputs import Candle, MarketData, Quote, TradeTick
from engine.values import SECOND_NS, InstrumentName, Side

BTC = InstrumentName("BTC-USDT")
AT_NS = 1_723_161_240_123_000_000


def read(folder: Path, text: str, form: str | None = None) -> list[MarketData | BadLine]:
    path = folder / "mine.csv"
    path.write_text(text)
    return list(read_tape(path, BTC, form))


@pytest.mark.parametrize(
    ("header", "time", "form"),
    [
        ("time_ns", "1723161240123000000", None),
        ("timestamp_us", "1723161240123000", None),
        ("time_ms", "1723161240123", None),
        ("Time_S", "1723161240.123", None),
        ("time", "1723161240123", "csv:ms"),
        ("time_ms", "1723161240123", "csv:trades:ms"),
        ("timestamp", "2024-08-08T23:54:00.123Z", None),
        ("time", "2024-08-08 19:54:00.123000-04:00", None),
        ("time", "2024-08-09T05:24:00.123+0530", "csv:trades:iso"),
        ("\ufefftime", '"2024-08-08T23:54:00.123Z"', None),
    ],
)
def test_a_time_is_read_in_the_unit_that_is_told(tmp_path: Path, header: str, time: str, form: str | None) -> None:
    (tick,) = read(tmp_path, f"{header},price,qty\n{time},10.50,2\n", form)
    assert tick == TradeTick(BTC, Decimal("10.5"), Decimal(2), AT_NS, AT_NS)


@pytest.mark.parametrize(
    ("header", "first", "form", "why"),
    [
        ("time,price,quantity", "1723161240123,1,1", None, "numbers of unknown unit; write csv:ns, csv:ms or csv:s"),
        ("time_ms,price,quantity", "1723161240123,1,1", "csv:ns", "contradict"),
        ("time_ms,timestamp_ms,price,quantity", "1,1,1,1", None, "2 columns of time"),
        ("time_ms,price,quantity,volume", "1,1,1,1", None, "2 columns named quantity or volume"),
        ("time_ms,price,open,high,low,close,volume", "1,1,1,1,1,1,1", None, "are trades and bars"),
        ("time_ms,price", "1,1", "csv", "neither trades nor quotes nor bars"),
        ("time_ms,price", "1,1", None, "its format is not recognised; name its format: binance"),
        ("time_ms,price,quantity", "1,1,1", "csv:quotes", "0 columns named bid"),
        ("time_ms,open,high,low,close,volume", "1,1,1,1,1,1", None, "when does a bar end"),
        ("start_ms,end_ms,open,high,low,close,volume", "1,1,1,1,1,1,1", "csv:bars:1m", "drop one of the two"),
        ("time_ms,price,quantity", "1,1,1", "csv:tardes", "csv:tardes is not understood"),
        ("time_ms,open,high,low,close,volume", "1,1,1,1,1,1", "csv:bars:0m", "csv:0m is not understood"),
        ("", "", "csv", "neither trades nor quotes nor bars"),
        ('time_ms,"price', "1", "csv", "neither trades nor quotes nor bars"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(
    tmp_path: Path, header: str, first: str, form: str | None, why: str
) -> None:
    with pytest.raises(TapeUnreadable, match=why):
        read(tmp_path, f"{header}\n{first}\n", form)


def test_a_format_that_names_the_kind_settles_which_columns_count(tmp_path: Path) -> None:
    (tick,) = read(tmp_path, f"time_ns,price,open,high,low,close,volume\n{AT_NS},7,1,1,1,1,3\n", "csv:trades")
    assert isinstance(tick, TradeTick)
    assert (tick.price, tick.quantity) == (Decimal(7), Decimal(3))


def test_a_side_is_the_one_that_took_and_may_be_left_open(tmp_path: Path) -> None:
    sides = ["buy", "SELL", "", "hold"]
    *ticks, bad = read(tmp_path, "\n".join(["time_ns,price,quantity,side", *(f"{AT_NS},1,1,{side}" for side in sides)]))
    assert [tick.aggressor for tick in ticks if isinstance(tick, TradeTick)] == [Side.BUY, Side.SELL, None]
    assert isinstance(bad, BadLine)
    assert "neither buy nor sell" in bad.reason


def test_bars_may_have_an_end_of_their_own(tmp_path: Path) -> None:
    header = "start_s,end_s,open,high,low,close,volume"
    good, bad = read(tmp_path, f"{header}\n1723161240,1723161300,1,2,1,2,0\n1723161300,1723161300,1,2,1,2,0\n")
    assert isinstance(good, Candle)
    assert (good.start_ns, good.end_ns) == (1_723_161_240 * SECOND_NS, 1_723_161_300 * SECOND_NS)
    assert good.received_ns == good.end_ns
    assert isinstance(bad, BadLine)
    assert "ends before it starts" in bad.reason


def test_bars_that_overlap_are_out_of_order(tmp_path: Path) -> None:
    header = "time_s,open,high,low,close,volume"
    rows = [f"{1_723_161_240 + past},1,2,1,2,0" for past in (0, 60, 90, 120, 180)]
    found = read(tmp_path, "\n".join([header, *rows]), "csv:bars:1m")
    assert [isinstance(row, BadLine) for row in found] == [False, False, True, False, False]


def test_columns_may_stand_in_any_order_with_others_between_them(tmp_path: Path) -> None:
    (quote,) = read(tmp_path, f'ask_qty, note, "ask", bid, time_ns, bid_qty\n4, "a, b", 11, 10, {AT_NS}, 3\n')
    assert quote == Quote(BTC, Decimal(10), Decimal(3), Decimal(11), Decimal(4), AT_NS, AT_NS)


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("2024-08-08T23:54:00.123", "names no zone"),
        ("2024-08-08", "is not a time such as"),
        ("2024-13-08T23:54:00Z", "month"),
        ("2024-08-08T23:54:00.1234567890Z", "is not a time such as"),
        ("1723161240123", "is not a time such as"),
        ("1969-12-31T23:59:59Z", "outside of 1980 to 2100"),
    ],
)
def test_a_time_that_is_not_certain_is_bad(tmp_path: Path, time: str, why: str) -> None:
    bad, good = read(tmp_path, f"time,price,quantity\n{time},1,1\n2024-08-08T23:54:00Z,1,1\n")
    assert isinstance(bad, BadLine)
    assert bad.number == 2
    assert why in bad.reason
    assert isinstance(good, TradeTick)


@pytest.mark.parametrize(("unit", "time"), [("ns", AT_NS // 10**6), ("ms", AT_NS // 10**9), ("s", AT_NS // 10**6)])
def test_a_wrong_unit_shows_at_once(tmp_path: Path, unit: str, time: int) -> None:
    (bad,) = read(tmp_path, f"time,price,quantity\n{time},1,1\n", f"csv:{unit}")
    assert isinstance(bad, BadLine)
    assert "another unit" in bad.reason


def test_a_time_finer_than_a_nanosecond_is_bad(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, "time_s,price,quantity\n1723161240.1234567891,1,1\n")
    assert isinstance(bad, BadLine)
    assert "finer than a nanosecond" in bad.reason
