"""What is particular to Binance captures: symbols, the age of quotes, two clocks in a line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from adapters.tape import BadLine, TapeUnreadable, read_tape
from engine.inputs import BookSnapshot, MarketData, Quote, TradeTick
from engine.values import MILLISECOND_NS, SECOND_NS, InstrumentName, Side

BTC = InstrumentName("BTC-USDT")
START_NS = 1_723_161_254_000_000_000
START_MS = START_NS // MILLISECOND_NS


def ticker(at_ns: int, symbol: str = "BTCUSDT") -> str:
    data = f'{{"u":9,"s":"{symbol}","b":"10.50000000","B":"1.00000000","a":"10.60000000","A":"2.00000000"}}'
    return f'{START_NS + at_ns} {{"stream":"{symbol.lower()}@bookTicker","data":{data}}}'


def trade(at_ns: int, exchange_ms: int = START_MS, symbol: str = "BTCUSDT", maker: str = "true") -> str:
    data = f'{{"e":"trade","E":{exchange_ms},"s":"{symbol}","t":1,"p":"10.5","q":"2","T":1,"m":{maker},"M":true}}'
    return f'{START_NS + at_ns} {{"stream":"{symbol.lower()}@trade","data":{data}}}'


def snapshot(at_ns: int, bids: str = '["10.5","1"],["10.4","1"]', asks: str = '["10.6","1"],["10.7","1"]') -> str:
    return f'{START_NS + at_ns} {{"lastUpdateId":9,"bids":[{bids}],"asks":[{asks}]}}'


def read(folder: Path, *lines: str, form: str | None = "binance") -> list[MarketData | BadLine]:
    path = folder / "capture"
    path.write_text("\n".join(lines))
    return list(read_tape(path, BTC, form))


def reason(found: MarketData | BadLine) -> str:
    assert isinstance(found, BadLine)
    return found.reason


def test_a_quote_gets_the_newest_exchange_time_before_it(tmp_path: Path) -> None:
    lines = [ticker(0), trade(1, START_MS + 5), ticker(2), trade(3, START_MS + 4), ticker(4), trade(5), ticker(6)]
    quotes = [found for found in read(tmp_path, *lines) if isinstance(found, Quote)]
    newest_ns = START_NS + 5 * MILLISECOND_NS
    assert [quote.exchange_ns for quote in quotes] == [None, newest_ns, newest_ns, newest_ns]


def test_the_side_that_took_is_the_one_that_was_not_the_maker(tmp_path: Path) -> None:
    sold, bought = read(tmp_path, trade(0, maker="true"), trade(1, maker="false"))
    assert isinstance(sold, TradeTick)
    assert isinstance(bought, TradeTick)
    assert (sold.aggressor, bought.aggressor) == (Side.SELL, Side.BUY)


def test_numbers_are_in_the_one_notation_that_is_stored(tmp_path: Path) -> None:
    (quote,) = read(tmp_path, ticker(0))
    assert isinstance(quote, Quote)
    assert str(quote.bid) == "10.5"
    assert str(quote.bid_quantity) == "1"


def test_other_symbols_are_passed_over(tmp_path: Path) -> None:
    found = read(tmp_path, ticker(0, "ETHUSDT"), ticker(1), trade(2, symbol="ETHUSDT"), ticker(3))
    assert [row.received_ns - START_NS for row in found if isinstance(row, Quote)] == [1, 3]
    assert len(found) == 2


def test_the_format_may_name_the_symbol(tmp_path: Path) -> None:
    found = read(tmp_path, ticker(0, "ETHUSDT"), ticker(1), form="binance:ETHUSDT")
    assert [row.received_ns - START_NS for row in found if isinstance(row, Quote)] == [0]


@pytest.mark.parametrize("form", [None, "binance", "binance:XRPUSDT"])
def test_a_tape_that_begins_with_other_symbols_only_is_refused(tmp_path: Path, form: str | None) -> None:
    with pytest.raises(TapeUnreadable, match=r"begins with ETHUSDT, LTCUSDT.*binance:SYMBOL"):
        read(tmp_path, ticker(0, "ETHUSDT"), ticker(1, "LTCUSDT"), form=form)


def test_a_snapshot_names_no_symbol_so_on_a_tape_of_several_it_is_bad(tmp_path: Path) -> None:
    first, _, second = read(tmp_path, snapshot(0), ticker(1), ticker(2, "ETHUSDT"), snapshot(3))
    assert isinstance(first, BookSnapshot)
    assert first.bids == ((Decimal("10.5"), Decimal(1)), (Decimal("10.4"), Decimal(1)))
    assert "several symbols" in reason(second)


@pytest.mark.parametrize("apart_ms", [-3_600_001, 3_600_001, 31_536_000_000])
def test_two_times_in_a_line_that_are_hours_apart_are_not_believed(tmp_path: Path, apart_ms: int) -> None:
    bad, quote = read(tmp_path, trade(0, START_MS + apart_ms), ticker(SECOND_NS))
    assert "more than an hour apart" in reason(bad)
    assert isinstance(quote, Quote)
    assert quote.exchange_ns is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"stream":"btcusdt@kline_1m","data":{}}', "unknown kind"),
        ('{"result":null,"id":1}', "neither a stream's frame nor a depth snapshot"),
        (
            '{"stream":"ethusdt@bookTicker","data":{"u":9,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}}',
            "with data of",
        ),
        ('{"stream":"btcusdt@bookTicker","data":{"u":9,"s":"BTCUSDT","b":"1","B":"1","a":"2"}}', "missing required"),
        ('{"stream":"btcusdt@bookTicker","data":{"u":9,"s":"BTCUSDT","b":1.5,"B":"1","a":"2","A":"1"}}', "float"),
        ('{"stream":"btcusdt@bookTicker"}', "truncated"),
        ("[1]", "array"),
    ],
)
def test_a_frame_of_another_shape_is_bad_and_says_why(tmp_path: Path, line: str, why: str) -> None:
    bad, good = read(tmp_path, f"{START_NS} {line}", ticker(1))
    assert why in reason(bad)
    assert isinstance(good, Quote)


@pytest.mark.parametrize(
    ("bids", "why"),
    [
        ('["10.4","1"],["10.5","1"]', "best first"),
        ('["10.5","1"],["10.5","1"]', "best first"),
        ('["10.5","0"]', "empty level"),
        ('["10.6","1"]', "crossed"),
        ('["10.5"]', "Expected"),
    ],
)
def test_a_snapshot_that_is_no_book_is_bad(tmp_path: Path, bids: str, why: str) -> None:
    (bad,) = read(tmp_path, snapshot(0, bids=bids))
    assert why in reason(bad)


def test_a_diff_that_ends_before_it_begins_is_bad(tmp_path: Path) -> None:
    data = f'{{"e":"depthUpdate","E":{START_MS},"s":"BTCUSDT","U":9,"u":8,"b":[],"a":[]}}'
    (bad,) = read(tmp_path, f'{START_NS} {{"stream":"btcusdt@depth","data":{data}}}')
    assert "from update 9 back to 8" in reason(bad)


def test_a_receive_time_in_another_unit_is_bad(tmp_path: Path) -> None:
    bad, good = read(tmp_path, ticker(0)[6:], ticker(1))
    assert "19 digits" in reason(bad)
    assert isinstance(good, Quote)
