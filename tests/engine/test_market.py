"""Market data as it should not be: refused with its reason, counted, shown to nobody; and what the windows keep."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine import inputs
from engine.bars import Bar, BarSource
from engine.data_faults import AHEAD_MOST_NS, REORDERED_MOST_NS, SAME_INSTANT_NS, DataFault, Oddity
from engine.inputs import BookDelta, BookSnapshot, Candle, ClockJumped, ClockMeasured, MarkPrice, Quote, TradeTick
from engine.market import LEVELS_SHOWN, QUOTES_KEPT, TRADES_KEPT, Market
from engine.series import BARS_KEPT, Frame
from engine.values import SECOND_NS, InstrumentName, exact_arithmetic
from tests.engine.bench import BTC, DESCRIPTION, ETH, INSTRUMENTS, T0_NS, VENUE, d

MINUTE_NS = 60 * SECOND_NS
QUOTE = Quote(BTC, d(100), d(1), d(101), d(2), T0_NS, T0_NS)
TICK = TradeTick(BTC, d(100), d(1), T0_NS, T0_NS)
CANDLE = Candle(BTC, d(10), d(12), d(9), d(11), d(5), T0_NS, T0_NS + MINUTE_NS, T0_NS + MINUTE_NS)
SOL = InstrumentName("SOL-USDT")
ODD = [Decimal(text) for text in ("NaN", "sNaN", "Infinity", "-Infinity", "1E+400", "1E-400")]


def watching(*lengths_ns: int, source: BarSource = BarSource.TRADES) -> Market:
    market = Market()
    for instrument in INSTRUMENTS:
        market.watch(instrument)
    for length_ns in lengths_ns:
        market.watch_bars(BTC, length_ns, source)
    return market


def shown(market: Market, seen: Any, at_ns: int | None = None) -> str | None:
    """Why it was refused, as the engine would observe it."""
    with exact_arithmetic():
        market.observe(seen, seen.received_ns if at_ns is None else at_ns)
    return market.refusal(seen)


# --- what can't be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (evolve(QUOTE, bid=d(0)), DataFault.NOT_POSITIVE),
        (evolve(QUOTE, bid=d(-1)), DataFault.NOT_POSITIVE),
        (evolve(QUOTE, ask=d(0)), DataFault.NOT_POSITIVE),
        (evolve(QUOTE, bid=d("101.5")), DataFault.CROSSED),
        (evolve(QUOTE, bid_quantity=d(-1)), DataFault.NEGATIVE_SIZE),
        (evolve(QUOTE, ask_quantity=d(-1)), DataFault.NEGATIVE_SIZE),
        (evolve(QUOTE, exchange_ns=T0_NS + AHEAD_MOST_NS + 1), DataFault.FROM_THE_FUTURE),
        (evolve(TICK, exchange_ns=T0_NS + AHEAD_MOST_NS + 1), DataFault.FROM_THE_FUTURE),
        (MarkPrice(BTC, d(0), T0_NS), DataFault.NOT_POSITIVE),
        (MarkPrice(BTC, Decimal("NaN"), T0_NS), DataFault.NO_NUMBER),
        (MarkPrice(SOL, d(1), T0_NS), DataFault.NOT_WATCHED),
        (evolve(TICK, price=d(0)), DataFault.NOT_POSITIVE),
        (evolve(TICK, quantity=d(0)), DataFault.NO_SIZE),
        (evolve(TICK, quantity=d(-1)), DataFault.NEGATIVE_SIZE),
        (evolve(CANDLE, low=d(0)), DataFault.NOT_POSITIVE),
        (evolve(CANDLE, volume=d(-1)), DataFault.NEGATIVE_SIZE),
        (evolve(CANDLE, high=d("10.5")), DataFault.IMPOSSIBLE_BAR),
        (evolve(CANDLE, open=d(8)), DataFault.IMPOSSIBLE_BAR),
        (evolve(CANDLE, end_ns=T0_NS), DataFault.IMPOSSIBLE_BAR),
        (evolve(QUOTE, instrument=SOL), DataFault.NOT_WATCHED),
        (evolve(TICK, instrument=SOL), DataFault.NOT_WATCHED),
        (evolve(CANDLE, instrument=SOL), DataFault.NOT_WATCHED),
        (BookDelta(BTC, (), ((d(-1), d(1)),), 1, 1, T0_NS), None),
        (BookSnapshot(BTC, ((d(5), d(1)),), ((d(4), d(1)),), 1, T0_NS), DataFault.BROKEN_BOOK),
        (BookSnapshot(SOL, (), (), 1, T0_NS), DataFault.NOT_WATCHED),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_and_leaves_no_trace(seen: Any, fault: DataFault | None) -> None:
    market = watching(MINUTE_NS)
    assert shown(market, seen) == fault
    assert market.refused == (fault is not None)
    assert (market.quotes, market.newest_quotes(BTC, 9), market.newest_trades(BTC, 9)) == ({}, (), ())
    assert market.series[Frame(BTC, MINUTE_NS)].builder.forming is None
    assert market.depth(BTC) is None


@pytest.mark.parametrize("number", ODD, ids=str)
@pytest.mark.parametrize(
    ("good", "name"),
    [(good, name) for good, names in (
        (QUOTE, "bid ask bid_quantity ask_quantity"), (TICK, "price quantity"), (CANDLE, "open high low close volume"),
    ) for name in names.split()],
)  # fmt: skip
def test_a_number_that_is_none_is_refused_and_never_raises(good: Any, name: str, number: Decimal) -> None:
    market = watching(MINUTE_NS)
    # Of a candle's open and close it is enough that they lie between its low and its high.
    possible = {DataFault.NO_NUMBER, DataFault.IMPOSSIBLE_BAR} if name in ("open", "close") else {DataFault.NO_NUMBER}
    assert shown(market, evolve(good, **{name: number})) in possible


numbers = st.one_of(st.decimals(), st.decimals(allow_nan=False, allow_infinity=False, places=2), st.sampled_from(ODD))
times = st.one_of(st.none(), st.integers(0, 2**63), st.integers(T0_NS - 2 * MINUTE_NS, T0_NS + 2 * MINUTE_NS))
quotes = st.builds(Quote, st.sampled_from([BTC, ETH]), numbers, numbers, numbers, numbers, st.just(T0_NS), times)
trades = st.builds(TradeTick, st.just(BTC), numbers, numbers, st.integers(T0_NS - MINUTE_NS, T0_NS), times)
candles = st.builds(
    Candle, st.just(BTC), numbers, numbers, numbers, numbers, numbers, st.integers(T0_NS, T0_NS + MINUTE_NS),
    st.integers(T0_NS, T0_NS + 2 * MINUTE_NS), st.just(T0_NS),
)  # fmt: skip


@given(st.lists(st.one_of(quotes, trades, candles), max_size=30))
def test_whatever_comes_nothing_raises_and_what_is_held_is_sound(found: list[Any]) -> None:
    market = watching(SECOND_NS, MINUTE_NS)
    for source in (BarSource.QUOTES,):
        market.watch_bars(BTC, MINUTE_NS, source)
    for seen in found:
        shown(market, seen, T0_NS)
    for quote in market.quotes.values():
        assert 0 < quote.bid <= quote.ask < Decimal("1e31")
    for series in market.series.values():
        for bar in series.bars:
            assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert bar.volume >= 0


# --- times ------------------------------------------------------------------------------------------------------


def test_a_quote_that_was_overtaken_is_not_taken() -> None:
    market = watching()
    shown(market, QUOTE)
    late = evolve(QUOTE, bid=d(99), exchange_ns=T0_NS - REORDERED_MOST_NS + 1)
    assert shown(market, late) == DataFault.OUT_OF_ORDER
    assert market.quotes[BTC] is QUOTE
    assert shown(market, evolve(QUOTE, bid=d("100.5"))) is None  # of the same instant


def test_a_quote_is_compared_with_the_times_of_quotes_alone() -> None:
    """An undated quote is dated by the newest trade; a quote with an older time of its own may still be the newer."""
    market = watching()
    shown(market, evolve(QUOTE, exchange_ns=T0_NS - 2 * SAME_INSTANT_NS))
    shown(market, evolve(TICK, exchange_ns=T0_NS))
    shown(market, evolve(QUOTE, exchange_ns=None))
    assert market.quotes[BTC].exchange_ns == T0_NS
    older = T0_NS - SAME_INSTANT_NS
    assert shown(market, evolve(QUOTE, exchange_ns=older)) is None
    assert shown(market, evolve(QUOTE, exchange_ns=older - SAME_INSTANT_NS)) is None
    assert shown(market, evolve(QUOTE, exchange_ns=older - SAME_INSTANT_NS - 1)) == DataFault.OUT_OF_ORDER


def test_a_quote_without_a_time_is_as_late_as_what_was_dated_last() -> None:
    """It may come when nothing else does: in a quiet market it is no older for that. Our clock's jump is none of it."""
    market = watching()
    lag_ns = 2 * SECOND_NS
    shown(market, evolve(TICK, exchange_ns=T0_NS - lag_ns))
    later_ns = T0_NS + 30 * SECOND_NS
    market.observe(evolve(QUOTE, exchange_ns=None, received_ns=later_ns), later_ns)
    assert market.quote_age_ns(BTC, later_ns) == lag_ns
    market.observe(ClockJumped(3_600 * SECOND_NS), later_ns)
    jumped_ns = later_ns + 3_601 * SECOND_NS
    market.observe(evolve(QUOTE, exchange_ns=None, received_ns=jumped_ns), jumped_ns)
    assert market.quotes[BTC].exchange_ns == later_ns + SECOND_NS - lag_ns


def test_times_that_went_back_are_taken_said_once_and_dated_as_they_are() -> None:
    """A feed that lags, or a clock that was set back: how old a quote is, is for a limit to say."""
    market = watching()
    shown(market, QUOTE)
    first = evolve(QUOTE, exchange_ns=T0_NS - REORDERED_MOST_NS)
    assert (shown(market, first), market.remark(first)) == (None, Oddity.WENT_BACK)
    back = evolve(QUOTE, exchange_ns=T0_NS - REORDERED_MOST_NS + 100)
    assert (shown(market, back), market.remark(back)) == (None, None)
    assert market.quotes[BTC] is back
    assert market.quote_age_ns(BTC, T0_NS) == REORDERED_MOST_NS - 100
    undated = evolve(QUOTE, exchange_ns=None)
    shown(market, undated)
    assert market.quotes[BTC].exchange_ns == T0_NS - REORDERED_MOST_NS + 100


def test_how_far_ahead_is_measured_without_the_known_offset() -> None:
    ahead = evolve(QUOTE, exchange_ns=T0_NS + 2 * AHEAD_MOST_NS)
    market = watching()
    assert shown(market, ahead) == DataFault.FROM_THE_FUTURE
    market.observe(ClockMeasured(VENUE, AHEAD_MOST_NS, 1), T0_NS)
    assert shown(market, ahead) is None
    assert shown(market, evolve(ahead, exchange_ns=T0_NS + 2 * AHEAD_MOST_NS + 1)) == DataFault.FROM_THE_FUTURE


def test_a_clock_that_jumped_makes_no_bars_of_the_time_that_never_was() -> None:
    market = watching(MINUTE_NS)
    market.close_bars(T0_NS - MINUTE_NS)
    shown(market, TICK)
    closed = market.observe(inputs.ClockJumped(3_600 * SECOND_NS), T0_NS + 3_600 * SECOND_NS)
    assert [(bar.start_ns, bar.complete) for bar in closed] == [(T0_NS - T0_NS % MINUTE_NS, False)]
    shown(market, evolve(TICK, received_ns=T0_NS + 3_600 * SECOND_NS, exchange_ns=None))
    (bar,) = market.close_bars(T0_NS + 3_600 * SECOND_NS + MINUTE_NS)
    assert not bar.complete
    assert bar.start_ns > closed[0].end_ns


def test_a_quote_off_the_tick_is_taken_and_said_once_until_the_terms_change() -> None:
    """The grid of the tests is 0.5: finer prices mean that the venue has changed its precision."""
    market = watching()
    fine = evolve(QUOTE, bid=d("100.25"))
    shown(market, fine)
    assert (market.refusal(fine), market.remark(fine)) == (None, Oddity.OFF_TICK)
    again = evolve(QUOTE, bid=d("100.75"))
    shown(market, again)
    assert market.remark(again) is None
    market.observe(
        inputs.VenueDescribed(evolve(DESCRIPTION, instruments=(evolve(INSTRUMENTS[0], tick=d("0.25")),))), T0_NS
    )
    shown(market, fine)
    assert market.remark(fine) is None
    market.watch(INSTRUMENTS[0])
    shown(market, fine)
    assert market.remark(fine) == Oddity.OFF_TICK


@pytest.mark.parametrize("change", [evolve(QUOTE, bid=d("1e30"), ask=d("1e30")), evolve(QUOTE, bid=d("1e-30"))])
def test_prices_at_the_edge_of_numbers_do_not_raise(change: Quote) -> None:
    market = watching()
    market.watch(evolve(INSTRUMENTS[0], tick=d("1e-25")))
    assert shown(market, change) is None


# --- bars -------------------------------------------------------------------------------------------------------


def candle(start: int, minutes: int = 1, price: int = 10) -> Candle:
    start_ns, end_ns = start * MINUTE_NS, (start + minutes) * MINUTE_NS
    return Candle(BTC, d(price), d(price + 2), d(price - 1), d(price + 1), d(5), start_ns, end_ns, end_ns)


def closed_by(market: Market, seen: Any) -> list[tuple[int, int]]:
    """The bars that an input closed: minute of their end, and length in minutes."""
    with exact_arithmetic():
        bars = market.observe(seen, seen.received_ns)
    return [(bar.end_ns // MINUTE_NS, bar.interval_ns // MINUTE_NS) for bar in bars]


def test_a_longer_bar_closes_with_the_last_of_the_shorter_ones_and_after_it() -> None:
    market = watching(5 * MINUTE_NS, MINUTE_NS)
    closed = []
    for minute in range(11):
        at_ns = minute * MINUTE_NS + 7
        closed += closed_by(market, evolve(TICK, received_ns=at_ns, exchange_ns=at_ns))
    assert closed == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (5, 5), (6, 1), (7, 1), (8, 1), (9, 1), (10, 1), (10, 5)]


def test_time_alone_closes_them_in_the_same_order() -> None:
    market = watching(5 * MINUTE_NS, MINUTE_NS)
    closed_by(market, evolve(TICK, received_ns=7, exchange_ns=7))
    bars = market.close_bars(5 * MINUTE_NS)
    assert [(bar.end_ns // MINUTE_NS, bar.interval_ns // MINUTE_NS) for bar in bars] == [
        (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (5, 5),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 500)), min_size=1, max_size=40).map(sorted))
def test_a_longer_bar_is_made_of_the_shorter_ones(found: list[tuple[int, int]]) -> None:
    market = watching(MINUTE_NS, 5 * MINUTE_NS)
    bars: list[Bar] = []
    for minute, price in found:
        at_ns = minute * MINUTE_NS + 7
        with exact_arithmetic():
            bars += market.observe(evolve(TICK, price=d(price), received_ns=at_ns, exchange_ns=None), at_ns)
    bars += market.close_bars(40 * MINUTE_NS)
    short = [bar for bar in bars if bar.interval_ns == MINUTE_NS]
    for long in (bar for bar in bars if bar.interval_ns == 5 * MINUTE_NS):
        within = [bar for bar in short if long.start_ns <= bar.start_ns < long.end_ns]
        parts = [bar for bar in within if bar.trades] or within  # a quiet one only repeats what was
        assert (parts[0].open, parts[-1].close) == (long.open, long.close)
        assert (max(bar.high for bar in parts), min(bar.low for bar in parts)) == (long.high, long.low)
        assert sum(bar.volume for bar in parts) == long.volume


def test_candles_make_bars_of_their_length_and_longer_ones() -> None:
    market = watching(MINUTE_NS, 5 * MINUTE_NS)
    closed = [one for minute in (0, 1, 2, 3, 4, 5) for one in closed_by(market, candle(minute, price=10 + minute))]
    assert closed == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (5, 5), (6, 1)]
    (long,) = market.series[Frame(BTC, 5 * MINUTE_NS)].bars
    assert (long.open, long.high, long.low, long.close, long.volume) == (d(10), d(16), d(9), d(15), d(25))
    assert long.complete
    assert market.close_bars(100 * MINUTE_NS) == ()  # a candle is closed by candles, not by our clock
    assert market.next_bar_ns() is None


def test_a_missing_candle_leaves_a_longer_bar_incomplete_and_the_shorter_ones_as_they_are() -> None:
    market = watching(MINUTE_NS, 5 * MINUTE_NS)
    for minute in (0, 1, 3, 4, 5, 6, 12):
        closed_by(market, candle(minute))
    five = market.series[Frame(BTC, 5 * MINUTE_NS)]
    assert [(bar.end_ns // MINUTE_NS, bar.complete) for bar in five.bars] == [(5, False), (10, False)]
    assert all(bar.complete for bar in market.series[Frame(BTC, MINUTE_NS)].bars)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (candle(3), DataFault.OUT_OF_ORDER),
        (candle(2), DataFault.OUT_OF_ORDER),
        (candle(4, minutes=5), DataFault.NO_BAR_FITS),
        (candle(4, minutes=60), DataFault.NO_BAR_FITS),
    ],
)
def test_a_candle_that_does_not_follow_or_fit_is_refused(wrong: Candle, fault: DataFault) -> None:
    market = watching(MINUTE_NS)
    closed_by(market, candle(3))
    assert shown(market, wrong) == fault


def test_a_series_of_candles_takes_no_ticks_beside_them() -> None:
    market = watching(MINUTE_NS)
    closed_by(market, candle(3))
    at_ns = 4 * MINUTE_NS + 7
    assert closed_by(market, evolve(TICK, received_ns=at_ns, exchange_ns=None)) == []
    assert market.series[Frame(BTC, MINUTE_NS)].builder.forming is None


def test_bars_of_trades_and_of_quotes_are_different_bars() -> None:
    market = watching(MINUTE_NS)
    market.watch_bars(BTC, MINUTE_NS, BarSource.QUOTES)
    shown(market, evolve(QUOTE, received_ns=T0_NS))
    shown(market, evolve(TICK, price=d(50)))
    bars = market.close_bars(T0_NS + MINUTE_NS)
    assert {bar.source: bar.close for bar in bars} == {BarSource.QUOTES: d("100.5"), BarSource.TRADES: d(50)}


@given(st.lists(st.tuples(st.sampled_from(["tick", "time"]), st.integers(0, 200)), max_size=30))
def test_the_next_end_is_that_of_the_first_forming_bar(found: list[tuple[str, int]]) -> None:
    """It is remembered between the ticks that can't change it: never other than a look at all of them."""
    market = watching(MINUTE_NS, 5 * MINUTE_NS)
    market.watch_bars(ETH, MINUTE_NS, BarSource.QUOTES)
    at_ns = T0_NS
    for what, seconds in found:
        at_ns += seconds * SECOND_NS
        if what == "tick":
            shown(market, evolve(TICK, received_ns=at_ns, exchange_ns=None))
            shown(market, evolve(QUOTE, instrument=ETH, received_ns=at_ns, exchange_ns=None))
        else:
            market.close_bars(at_ns)
        ends = [series.builder.forming_end_ns for series in market.series.values()]
        assert market.next_bar_ns() == min((end for end in ends if end is not None), default=None)


# --- windows ----------------------------------------------------------------------------------------------------


def _fill_quotes(market: Market, number: int) -> None:
    shown(market, evolve(QUOTE, bid_quantity=d(number)))


def _fill_trades(market: Market, number: int) -> None:
    shown(market, evolve(TICK, quantity=d(number + 1)))


@pytest.mark.parametrize(
    ("fill", "look", "most"),
    [
        (_fill_quotes, lambda market, n: [quote.bid_quantity for quote in market.newest_quotes(BTC, n)], QUOTES_KEPT),
        (_fill_trades, lambda market, n: [tick.quantity - 1 for tick in market.newest_trades(BTC, n)], TRADES_KEPT),
    ],
)
def test_a_window_keeps_the_last_and_no_more(
    fill: Callable[[Market, int], None], look: Callable[[Market, int], list[Decimal]], most: int
) -> None:
    market = watching()
    assert look(market, 5) == []
    for number in range(most + 3):
        fill(market, number)
    assert look(market, 2) == [most + 1, most + 2]
    assert look(market, most) == list(range(3, most + 3))


def test_bars_are_bounded_with_many_instruments_and_lengths() -> None:
    market = Market()
    names = [InstrumentName(f"I{number}") for number in range(100)]
    for name in names:
        market.watch(evolve(INSTRUMENTS[0], name=name))
        for minutes in (1, 5, 15):
            market.watch_bars(name, minutes * MINUTE_NS, BarSource.TRADES)
    for minute in range(BARS_KEPT + 20):
        market.observe(evolve(candle(minute), instrument=names[minute % 3]), (minute + 1) * MINUTE_NS)
    assert len(market.series) == 300
    assert max(len(series.bars) for series in market.series.values()) <= BARS_KEPT


def test_a_book_is_shown_with_its_best_levels_only() -> None:
    market = watching()
    bids = tuple((d(100 - number), d(1)) for number in range(50))
    asks = tuple((d(101 + number), d(1)) for number in range(50))
    shown(market, BookSnapshot(BTC, bids, asks, 7, T0_NS))
    depth = market.depth(BTC)
    assert depth is not None
    assert (depth.bids, depth.asks) == (bids[:LEVELS_SHOWN], asks[:LEVELS_SHOWN])
    two = market.depth(BTC, 2)
    assert two is not None
    assert (two.bids, two.last_update, two.received_ns) == (bids[:2], 7, T0_NS)
    assert shown(market, BookDelta(BTC, (), (), 9, 9, T0_NS + 1)) == DataFault.BROKEN_BOOK
    assert market.depth(BTC) is None
