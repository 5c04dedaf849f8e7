"""Real recordings: two Binance captures, and LEAN's ticks and bars of SPY, AAPL and Bitcoin."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.tape import BadLine, TapeUnreadable, read_tape
from engine.bars import Bar, BarBuilder
from engine.book import Book
from engine.inputs import BookDelta, BookSnapshot, Candle, MarketData, Quote, TradeTick
from engine.values import MILLISECOND_NS, SECOND_NS, InstrumentName

MARKET = Path(__file__).resolve().parents[4] / "shared" / "data" / "market"
pytestmark = pytest.mark.skipif(not MARKET.is_dir(), reason="the recorded market data is not on this machine")

CAPTURES = MARKET / "binance_spot_raw"
LEAN = MARKET / "lean"
SPY = InstrumentName("SPY")
NEW_YORK = ZoneInfo("America/New_York")
Best = tuple[Decimal, ...]


def test_captures_are_read_whole() -> None:
    for symbol, expected in (
        ("btc", {Quote: 28_040, TradeTick: 9_757, BookDelta: 3_451, BookSnapshot: 1}),
        ("eth", {Quote: 24_077, TradeTick: 6_106, BookDelta: 3_434, BookSnapshot: 1}),
    ):
        path = CAPTURES / f"spot_{symbol}usdt_20240808.gz"
        found = list(read_tape(path, InstrumentName(f"{symbol.upper()}-USDT")))
        assert Counter(type(row) for row in found) == expected
        assert all(_is_plausible(row) for row in found)


def _is_plausible(row: MarketData | BadLine) -> bool:
    """The receiving clock runs 1.27 s behind the exchange's, and a ticker's time is the newest before it."""
    if not isinstance(row, Quote) or row.exchange_ns is None:
        return True
    return 0 < row.exchange_ns - row.received_ns + 500 * MILLISECOND_NS < 1_800 * MILLISECOND_NS


@pytest.mark.parametrize(("symbol", "exact", "all_"), [("BTCUSDT", 564, 3_449), ("ETHUSDT", 577, 3_433)])
def test_the_book_from_snapshot_and_diffs_is_the_recorded_ticker(symbol: str, exact: int, all_: int) -> None:
    """After each diff, without a gap, the best of the book is that of the newest ticker up to the same update.

    A ticker of update u is the best after u, and there is one whenever the best changes; so the book after a diff
    that ends at update u shows the newest ticker that is not after u. Where a ticker has that very u, it is exact.
    """
    path = CAPTURES / f"spot_{symbol.lower()}_20240808.gz"
    tickers = dict(_tickers(path))
    updates = sorted(tickers)
    book = Book(InstrumentName(symbol))
    same_update = compared = 0
    for row in read_tape(path, book.instrument):
        if isinstance(row, BookSnapshot):
            book.load(row)
        elif isinstance(row, BookDelta):
            book.change(row)
        if not isinstance(row, (BookSnapshot, BookDelta)) or book.last_update is None:
            continue
        newest = bisect_right(updates, book.last_update) - 1
        if newest >= 0:
            assert book.best() == tickers[updates[newest]]
            compared += 1
            same_update += book.last_update in tickers
    assert (same_update, compared) == (exact, all_)


def _tickers(path: Path) -> Iterator[tuple[int, Best]]:
    with gzip.open(path, "rt") as lines:
        for line in lines:
            frame = json.loads(line.partition(" ")[2])
            if "bookTicker" in frame.get("stream", ""):
                yield frame["data"]["u"], tuple(Decimal(frame["data"][key]) for key in "bBaA")


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        (
            "equity_usa_tick_spy/20131007_trade.zip",
            250_601,
            ("04:00:00.464", "167.41", 100),
            ("19:59:59.536", "167.3", 100),
        ),
        (
            "equity_usa_tick_ibm/20131007_trade.zip",
            24_293,
            ("04:00:30.270", "181.52", 283),
            ("19:26:07.550", "181.99", 200),
        ),
    ],
)
def test_equity_ticks(name: str, count: int, first: tuple[str, str, int], last: tuple[str, str, int]) -> None:
    ticks = [row for row in read_tape(LEAN / name, SPY, "lean:equity") if isinstance(row, TradeTick)]
    assert len(ticks) == count
    for tick, (clock, price, quantity) in ((ticks[0], first), (ticks[-1], last)):
        assert tick.received_ns == _new_york_ns(f"2013-10-07 {clock}") == tick.exchange_ns
        assert (tick.price, tick.quantity) == (Decimal(price), Decimal(quantity))


def _new_york_ns(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)
    return int(moment.replace(microsecond=0).timestamp()) * SECOND_NS + moment.microsecond * 1_000


@pytest.mark.parametrize(
    ("name", "form", "count"),
    [
        ("equity_usa_second_spy/20131007_trade.zip", "lean:equity", 16_675),
        ("equity_usa_second_spy/20131007_quote.zip", "lean:equity", 27_409),
        ("equity_usa_minute_spy/20131004_trade.zip", "lean:equity", 711),
        ("equity_usa_minute_spy/20131004_quote.zip", "lean:equity", 855),
        ("equity_usa_minute_spy/20131007_quote.zip", "lean:equity", 908),
        ("equity_usa_minute_aapl/20140609_trade.zip", "lean:equity", 834),
        ("coinbase_minute/20161007_trade.zip", "lean:crypto", 1_419),
        ("coinbase_minute/20180404_quote.zip", "lean:crypto", 1_437),
    ],
)
def test_bars_are_read_whole(name: str, form: str, count: int) -> None:
    found = list(read_tape(LEAN / name, SPY, form))
    assert len(found) == count
    assert {type(row) for row in found} == {Candle if "trade" in name else Quote}


def test_the_first_and_last_bars_of_a_day() -> None:
    minutes = list(read_tape(LEAN / "equity_usa_minute_spy" / "20131007_trade.zip", SPY, "lean:equity"))
    seconds = list(read_tape(LEAN / "equity_usa_second_spy" / "20131007_quote.zip", SPY, "lean:equity"))
    opening, closing = _new_york_ns("2013-10-07 04:00:00"), _new_york_ns("2013-10-07 20:00:00")
    opened, low, close = Decimal("167.41"), Decimal("167.25"), Decimal("167.27")
    minute_ns = opening + 60 * SECOND_NS
    assert minutes[0] == Candle(SPY, opened, opened, low, close, Decimal(3_197), opening, minute_ns, minute_ns)
    assert isinstance(minutes[-1], Candle)
    assert minutes[-1].received_ns == closing
    last_ns = closing + SECOND_NS
    assert seconds[-1] == Quote(SPY, close, Decimal(100), Decimal("167.33"), Decimal(800), last_ns, last_ns)


def test_a_split_is_seen_as_it_was_traded() -> None:
    """AAPL split 7:1 on 2014-06-09: recorded prices are not adjusted."""
    folder = LEAN / "equity_usa_minute_aapl"
    closes = [list(read_tape(folder / f"201406{day}_trade.zip", SPY, "lean:equity"))[-1] for day in ("06", "09")]
    before, after = (row.close for row in closes if isinstance(row, Candle))
    assert before > 640
    assert 90 < after < 95


def test_bars_of_ticks_span_the_recorded_bars_minute_by_minute() -> None:
    """LEAN leaves ticks with some conditions out of a bar's prices, and in three minutes out of its volume."""
    builder = BarBuilder(SPY, 60 * SECOND_NS)
    bars: list[Bar] = []
    for row in read_tape(LEAN / "equity_usa_tick_spy" / "20131007_trade.zip", SPY, "lean:equity"):
        assert isinstance(row, TradeTick)
        bars += builder.add_trade(row)
    bars += builder.close_until(_new_york_ns("2013-10-07 20:00:00"))
    ours = {bar.start_ns: bar for bar in bars if bar.trades}
    theirs = list(read_tape(LEAN / "equity_usa_minute_spy" / "20131007_trade.zip", SPY, "lean:equity"))
    candles = {row.start_ns: row for row in theirs if isinstance(row, Candle)}
    assert ours.keys() == candles.keys()
    pairs = [(bar, candles[start_ns]) for start_ns, bar in ours.items()]
    assert all(bar.low <= candle.low <= candle.high <= bar.high for bar, candle in pairs)
    assert sum(bar.volume == candle.volume for bar, candle in pairs) == len(pairs) - 3


def test_what_has_no_best_bid_and_ask_is_refused() -> None:
    with pytest.raises(TapeUnreadable, match="equity quote ticks are not read"):
        read_tape(LEAN / "equity_usa_tick_ibm" / "20131007_quote.zip", SPY, "lean:equity")
