"""Recorded markets: their pace, their times, their gaps and bad lines."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from adapters.simulated import wire
from adapters.simulated.exchange import Exchange, Told
from adapters.simulated.listing import Listing, opening_balances, terms
from adapters.simulated.matching import Rules
from adapters.simulated.opening import open_market
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.playback import BAD_LINES_MOST, BAD_LINES_TOLD, TapeMarket
from adapters.tape import BadLine
from engine.inputs import BookDelta, BookSnapshot, Candle, Level, MarketData, Quote, TradeTick
from engine.values import InstrumentName, OrderType, Side
from tests.adapters.simulated.memory_log import MemoryLog
from tests.adapters.simulated.trading_day import T0_NS, levels, place, trades

BTC = InstrumentName("BTCUSDT")
S = 10**9
R0_NS = 1_600_000_000 * S
LISTING = terms("BTCUSDT", Listing(tick=Decimal(1), lot=Decimal("0.1"), displayed=Decimal(5), price=Decimal(100)))

Item = MarketData | BadLine


def quote(seconds: int, bid: str, ask: str, early_ns: int = 0) -> Quote:
    """Received so many seconds after the tape's beginning, `early_ns` before the exchange's time."""
    received_ns = R0_NS + seconds * S
    (best_bid,), (best_ask,) = levels(bid), levels(ask)
    return Quote(BTC, *best_bid, *best_ask, received_ns, received_ns + early_ns)


def trade(seconds: int, price: str, quantity: str, side: Side | None = None) -> TradeTick:
    at_ns = R0_NS + seconds * S
    return TradeTick(BTC, Decimal(price), Decimal(quantity), at_ns, at_ns, side)


def candle(seconds: int, opened: str, high: str, low: str, close: str) -> Candle:
    end_ns = R0_NS + seconds * S
    prices = Decimal(opened), Decimal(high), Decimal(low), Decimal(close)
    return Candle(BTC, *prices, Decimal(4), end_ns - S, end_ns, end_ns)


def bad(number: int) -> BadLine:
    return BadLine(Path("a.csv"), number, "no number", "x,y")


def market(items: Sequence[Item], speed: str = "1", name: str = "a tape") -> TapeMarket:
    return TapeMarket(name, speed, {"BTCUSDT": LISTING}, {"BTCUSDT": iter(items)})


def opened(items: Sequence[Item], speed: str = "1", log: MemoryLog | None = None, at_ns: int = T0_NS) -> Exchange:
    rules = Rules(instruments={"BTCUSDT": LISTING.instrument}, balances=opening_balances({}, [LISTING]))
    return Exchange(MemoryLog() if log is None else log, market(items, speed), rules, "test", at_ns)


def frames(told: list[Told]) -> list[str]:
    return [type(frame).__name__ for _, frame in told]


@pytest.mark.parametrize(("speed", "seconds"), [("1", 10), ("10", 1), ("0.5", 20)])
def test_a_tape_is_played_at_its_pace_and_its_times_move_with_it(speed: str, seconds: int) -> None:
    exchange = opened([quote(0, "99x1", "101x1"), quote(10, "98x1", "100x1", 1_270_000_000)], speed)
    assert frames(exchange.advance(T0_NS + 1)) == ["Quote"]
    played_ns = T0_NS + 1 + seconds * S
    assert exchange.advance(played_ns - 1) == []
    (at_ns, frame) = exchange.advance(played_ns)[0]
    assert isinstance(frame, Quote)
    assert (at_ns, frame.received_ns) == (played_ns, played_ns)
    assert frame.exchange_ns is not None
    assert frame.exchange_ns - played_ns == 1_270_000_000 * seconds // 10
    assert exchange.status() == wire.Status(at_ns=played_ns, records=2, tape_ended=True)
    assert exchange.next_ns is None


def test_orders_are_answered_when_the_tape_has_ended() -> None:
    exchange = opened([quote(0, "99x1", "101x2")])
    assert trades(exchange.place(place("buy", "1", client_order_id="a"), T0_NS + 3600 * S)) == [("a", "1", "101")]


def test_a_restart_goes_on_where_the_time_is() -> None:
    tape = [quote(second, f"{100 - second}x1", f"{102 - second}x1") for second in range(30)]
    log = MemoryLog()
    exchange = opened(tape, log=log)
    exchange.place(place("buy", "1", "90", client_order_id="a"), T0_NS + 2 * S)
    again = opened(tape, log=log, at_ns=T0_NS + 20 * S)
    assert again.state.open == {}
    (executed,) = again.state.executions
    assert (executed.at_ns, executed.price) == (T0_NS + 1 + 12 * S, Decimal(90))
    assert again.advance(T0_NS + 21 * S)[0][1].received_ns == T0_NS + 1 + 20 * S  # type: ignore[union-attr]


def test_another_tape_begins_anew() -> None:
    log = MemoryLog()
    opened([quote(0, "99x1", "101x1"), quote(5, "99x2", "101x2")], log=log)
    same = opened([quote(0, "99x1", "101x1"), quote(5, "99x2", "101x2")], log=log, at_ns=T0_NS + 100 * S)
    assert same.status().tape_ended
    rules = Rules(instruments={"BTCUSDT": LISTING.instrument})
    other = Exchange(log, market([quote(0, "99x1", "101x1")], name="another"), rules, "test", T0_NS + 200 * S)
    assert frames(other.advance(T0_NS + 200 * S + 1)) == ["Quote"]


def test_a_tape_can_be_played_by_hand_and_a_restart_knows_how_far() -> None:
    tape: list[Item] = [quote(0, "99x1", "101x1"), bad(2), quote(1, "98x1", "100x1"), quote(2, "97x1", "99x1")]
    log = MemoryLog()
    exchange = opened(tape, "step", log)
    assert exchange.next_ns is None
    assert exchange.advance(T0_NS + 60 * S) == []
    assert frames(exchange.step(T0_NS + 60 * S).told) == ["Quote"]
    exchange.place(place("buy", "0.5", "98", client_order_id="a"), T0_NS + 60 * S)
    again = opened(tape, "step", log, T0_NS + 70 * S)
    assert frames(again.step(T0_NS + 80 * S).told) == ["Notice", "Quote"]
    (moved,) = again.step(T0_NS + 90 * S).told
    assert moved[0] == T0_NS + 90 * S
    status = again.step(T0_NS + 91 * S).reply
    assert status == wire.Status(at_ns=T0_NS + 91 * S, records=3, bad_lines=1, tape_ended=True)


def test_bad_lines_are_told_with_their_place_and_then_only_counted() -> None:
    before, after = [bad(number) for number in range(10)], [bad(number) for number in range(12, 12 + BAD_LINES_TOLD)]
    exchange = opened([*before, quote(0, "99x1", "101x1"), *after])
    told = exchange.advance(T0_NS + S)
    texts = [frame.text for _, frame in told if isinstance(frame, wire.Notice)]
    assert len(texts) == BAD_LINES_TOLD
    assert texts[0] == "a.csv:0 no number: x,y"
    assert texts[-1].endswith("further bad lines are only counted")
    assert frames(told)[10] == "Quote"
    assert exchange.status().bad_lines == BAD_LINES_TOLD + 10
    newcomer = exchange.picture(["BTCUSDT"])
    assert [frame.text for _, frame in newcomer if isinstance(frame, wire.Notice)] == texts


@pytest.mark.parametrize("lines", [[], [bad(1)], [bad(number) for number in range(BAD_LINES_MOST + 1)]])
def test_a_tape_without_market_data_is_refused(lines: list[Item]) -> None:
    with pytest.raises(ValueError, match="the tape of BTCUSDT holds no market data"):
        market([*lines, *([quote(0, "99x1", "101x1")] if len(lines) > 1 else [])])


def test_a_book_gives_depth_behind_the_best_of_the_quotes() -> None:
    at_ns = R0_NS
    snapshot = BookSnapshot(BTC, levels("98x1 97x2"), levels("101x1 102x2 103x4"), 10, at_ns, at_ns)
    delta = BookDelta(BTC, (), levels("101x0 102x3"), 11, 11, at_ns + S, at_ns + S)
    exchange = opened([quote(0, "99x1", "101x2"), snapshot, delta, quote(2, "99x1", "102x0.5")])
    exchange.advance(T0_NS + S // 2)
    fill = exchange.place(place("buy", "4.5", client_order_id="a"), T0_NS + S // 2)
    assert trades(fill) == [("a", "2", "101"), ("a", "2", "102"), ("a", "0.5", "103")]
    fill = exchange.place(place("buy", "1", client_order_id="b"), T0_NS + 3 * S)
    assert trades(fill) == [("b", "0.5", "102"), ("b", "0.5", "103")]
    picture = exchange.picture(["BTCUSDT", "XY"])
    assert frames(picture) == ["BookSnapshot", "Quote"]
    assert isinstance(picture[0][1], BookSnapshot)
    assert picture[0][1].asks == levels("102x3 103x4")


def test_quotes_are_made_from_a_book_alone() -> None:
    book = BookSnapshot(BTC, levels("98x1"), levels("101x1 102x2"), 10, R0_NS, R0_NS)
    deep = BookDelta(BTC, (), levels("103x1"), 11, 11, R0_NS + S, R0_NS + S)
    best = BookDelta(BTC, (), levels("101x0"), 12, 12, R0_NS + 2 * S, R0_NS + 2 * S)
    exchange = opened([book, deep, best])
    assert frames(exchange.advance(T0_NS + 5 * S)) == ["BookSnapshot", "Quote", "BookDelta", "BookDelta", "Quote"]


def test_a_gap_in_a_book_is_told_and_its_depth_is_not_used_any_more() -> None:
    book = BookSnapshot(BTC, levels("98x1"), levels("101x1 102x2"), 10, R0_NS, R0_NS)
    gap = BookDelta(BTC, (), levels("103x1"), 20, 21, R0_NS + S, R0_NS + S)
    more = BookDelta(BTC, (), levels("103x1"), 22, 22, R0_NS + 2 * S, R0_NS + 2 * S)
    exchange = opened([quote(0, "98x1", "101x1"), book, gap, more])
    told = exchange.advance(T0_NS + 5 * S)
    assert frames(told) == ["Quote", "BookSnapshot", "BookDelta", "Notice", "BookDelta"]
    assert trades(exchange.place(place("buy", "3", client_order_id="a"), T0_NS + 5 * S)) == [("a", "1", "101")]


def made(items: Sequence[Item]) -> list[tuple[Level, Level]]:
    told = opened(items).advance(T0_NS + 100 * S)
    quotes = [frame for _, frame in told if isinstance(frame, Quote)]
    return [((q.bid, q.bid_quantity), (q.ask, q.ask_quantity)) for q in quotes]


def test_quotes_are_made_around_trades_where_there_are_no_others() -> None:
    five = Decimal(5)
    assert made([trade(0, "100", "1", Side.BUY), trade(1, "100", "1", Side.SELL), trade(2, "90.5", "1")]) == [
        ((Decimal(99), five), (Decimal(100), five)),
        ((Decimal(100), five), (Decimal(101), five)),
        ((Decimal(90), five), (Decimal(91), five)),
    ]
    assert len(made([trade(0, "100", "1"), quote(1, "90x1", "91x1")])) == 1


def test_a_candle_is_met_at_its_low_and_high_by_what_rests_and_shown_at_its_open_and_close() -> None:
    candles = [
        candle(0, "100", "100", "100", "100"),
        candle(1, "101", "107", "93", "104"),
    ]
    exchange = opened(candles)
    exchange.place(place("buy", "5", "95", client_order_id="low"), T0_NS + 1)
    exchange.place(place("sell", "0.5", "106", client_order_id="high"), T0_NS + 1)
    exchange.place(place("buy", "1", "92", client_order_id="never"), T0_NS + 1)
    told = exchange.advance(T0_NS + 3 * S)
    assert trades([frame for _, frame in told]) == [("high", "0.5", "106"), ("low", "2", "95")]
    shown = [(at_ns - T0_NS - 1, type(frame).__name__, getattr(frame, "bid", None)) for at_ns, frame in told]
    assert [each for each in shown if each[1] != "Executed"] == [
        (S, "Candle", None), (S, "Quote", Decimal(100)), (S, "Quote", Decimal(101)),
        (2 * S, "Candle", None), (2 * S, "Quote", Decimal(104)),
    ]  # fmt: skip
    assert {at_ns - T0_NS - 1 for at_ns, frame in told if type(frame).__name__ == "Executed"} == {S + S // 2}
    assert made(candles)[-1] == ((Decimal(104), Decimal(5)), (Decimal(105), Decimal(5)))


@pytest.mark.parametrize(
    ("held", "order"), [("buy", ["buy", "sell"]), ("sell", ["sell", "buy"]), (None, ["sell", "buy"])]
)
def test_within_a_bar_the_extreme_that_is_worse_for_what_is_held_comes_first(
    held: str | None, order: list[str]
) -> None:
    """Where nothing is held, a buy is filled by a fall that comes last, so that no rise follows it in the same bar."""
    exchange = opened([candle(0, "100", "100", "100", "100"), candle(1, "100", "107", "93", "100")])
    if held is not None:
        exchange.place(place(held, "1", client_order_id="held"), T0_NS + 1)
    for side, price in (("buy", "95"), ("sell", "105")):
        exchange.place(place(side, "0.5", price, client_order_id=side), T0_NS + 2)
    told = exchange.advance(T0_NS + 3 * S)
    assert [name for name, _, _ in trades([frame for _, frame in told])] == order


@pytest.mark.parametrize(("opened_at", "filled"), [("100", ("stop", "1", "95")), ("94", ("stop", "1", "94"))])
def test_a_stop_within_a_bar_fills_at_its_own_price_unless_the_bar_opens_beyond_it(
    opened_at: str, filled: tuple[str, str, str]
) -> None:
    exchange = opened([candle(0, "100", "100", "100", "100"), candle(1, opened_at, "107", "90", "100")])
    exchange.place(place("buy", "1", client_order_id="held"), T0_NS + 1)
    stop = evolve(place("sell", "1", client_order_id="stop"), order_type=OrderType.STOP, stop_price=Decimal(95))
    exchange.place(stop, T0_NS + 2)
    exchange.place(place("sell", "0.5", "106", client_order_id="target"), T0_NS + 2)
    told = exchange.advance(T0_NS + 3 * S)
    assert trades([frame for _, frame in told])[0] == filled, "the low, where the stop is, comes before the high"


def test_an_order_that_comes_within_a_bar_never_meets_what_the_bar_hides() -> None:
    """Not before its middle, and not behind it: the low and the high are for who rested there already."""
    for after_ns in (S // 4, S // 2, 3 * S // 4):
        exchange = opened([candle(0, "100", "100", "100", "100"), candle(1, "100", "107", "93", "100")])
        answer = exchange.place(place("buy", "1", client_order_id="m"), T0_NS + 1 + S + after_ns)
        assert trades(answer) == [("m", "1", "101")]


@pytest.mark.parametrize(("spread", "shown"), [("1", ("100", "101")), ("3", ("99", "102")), ("6", ("97", "103"))])
def test_the_spread_that_is_assumed_lies_around_the_price(spread: str, shown: tuple[str, str]) -> None:
    listing = Listing(tick=Decimal(1), lot=Decimal("0.1"), spread=Decimal(spread), price=Decimal(100))
    tape = TapeMarket("a tape", "1", {"BTCUSDT": terms("BTCUSDT", listing)}, {"BTCUSDT": iter([trade(0, "100", "1")])})
    tape.begin(T0_NS, T0_NS, None, 0)
    (told,) = (frame for frame in tape.play().frames if isinstance(frame, Quote))
    assert (told.bid, told.ask) == tuple(map(Decimal, shown))


def test_a_spread_is_of_whole_ticks() -> None:
    with pytest.raises(ValueError, match="one or more ticks"):
        terms("BTCUSDT", Listing(tick=Decimal(1), spread=Decimal("0.5")))


def test_a_tape_as_recorded_keeps_its_own_times() -> None:
    exchange = opened([quote(0, "99x1", "101x1"), quote(7, "98x1", "100x1")], "recorded", at_ns=R0_NS - 60 * S)
    assert exchange.next_ns == R0_NS
    told = exchange.advance(R0_NS + 7 * S)
    assert [(at_ns, frame.received_ns) for at_ns, frame in told] == [(R0_NS, R0_NS), (R0_NS + 7 * S, R0_NS + 7 * S)]  # type: ignore[union-attr]


def test_tapes_of_several_symbols_share_one_beginning() -> None:
    eth = InstrumentName("ETHUSDT")
    late = [Quote(eth, *levels("9x1")[0], *levels("10x1")[0], R0_NS + 3 * S, R0_NS + 3 * S)]
    both = TapeMarket(
        "two", "1", {"ETHUSDT": terms("ETHUSDT"), "BTCUSDT": LISTING},
        {"ETHUSDT": iter(late), "BTCUSDT": iter([quote(0, "99x1", "101x1")])},
    )  # fmt: skip
    both.begin(T0_NS, T0_NS, None, 0)
    assert both.play().at_ns == T0_NS + 1
    assert both.play().at_ns == T0_NS + 1 + 3 * S


# --- files ------------------------------------------------------------------------------------------------------


def test_a_tape_is_found_beside_the_configuration(tmp_path: Path) -> None:
    lines = [
        f'{R0_NS + n * S} {{"stream":"btcusdt@bookTicker","data":{{"u":{n},"s":"BTCUSDT","b":"9{n}.00","B":"1.0",'
        f'"a":"10{n}.00","A":"2.0"}}}}'
        for n in range(3)
    ]
    (tmp_path / "capture.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    options = SimulatedOptions(tape="capture.gz", speed="10")
    found, _ = open_market(options, ["BTCUSDT"], str(tmp_path))
    found.begin(T0_NS, T0_NS, None, 0)
    assert [type(frame) for frame in found.play().frames] == [Quote]
    assert found.levels("BTCUSDT", Side.SELL) == ((Decimal(100), Decimal(2)),)


@pytest.mark.parametrize(
    ("tape", "symbols", "says"),
    [
        ("nothing.csv", ["BTCUSDT"], "the tape of BTCUSDT"),
        ("a.csv", ["BTCUSDT", "ETHUSDT"], "say whose"),
        ({"BTCUSDT": "a.csv"}, ["BTCUSDT", "ETHUSDT"], "no tape for ETHUSDT"),
    ],
)
def test_tapes_that_are_missing_are_named(tape: object, symbols: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        open_market(SimulatedOptions(tape=tape), symbols, str(tmp_path))


def test_a_real_capture_is_played(shared: Path) -> None:
    path = shared / "data/market/binance_spot_raw/spot_btcusdt_20240808.gz"
    if not path.exists():
        pytest.skip(f"no recorded data: {path} is missing")
    found, _ = open_market(SimulatedOptions(tape=str(path), speed="100"), ["BTCUSDT"], "/")
    found.begin(T0_NS, T0_NS, None, 0)
    last: Quote | None = None
    for instant in _first(found, 3_000):
        for frame in instant:
            assert not isinstance(frame, wire.Notice)
            last = frame if isinstance(frame, Quote) else last
    assert last is not None
    assert found.levels("BTCUSDT", Side.SELL)[0] == (last.ask, last.ask_quantity)
    assert len(found.levels("BTCUSDT", Side.BUY)) > 10


def _first(found: object, count: int) -> Iterator[tuple[object, ...]]:
    assert isinstance(found, TapeMarket)
    for _ in range(count):
        yield found.play().frames
