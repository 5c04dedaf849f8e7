"""What strategies are shown and when: triggers, throttles, schedules, windows; and what of it is kept with an order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve

from engine import events, inputs
from engine.book import Depth
from engine.decision import next_due_ns
from engine.indicators import Bollinger, Rsi, Sma
from engine.inputs import Action, BookDelta, BookSnapshot, TradeTick
from engine.looks import LEVELS_TOLD, LOOKS_MOST
from engine.market import QUOTES_KEPT
from engine.series import BARS_KEPT
from engine.settings import FRAMES_MOST, Evaluate, Settings, StrategySettings, unannounced_changes
from engine.strategy import Answers, Context, Intent, Strategy
from engine.strategy_decision import next_time_ns
from engine.values import MILLISECOND_NS, SECOND_NS, Duration
from tests.engine.bench import BTC, ETH, MAKER, SETTINGS, T0_NS, TREND, d, kinds
from tests.engine.world import World, scripted

MINUTE_NS = 60 * SECOND_NS
Heard = list[tuple[str, Any]]


def settings(**changes: Any) -> Settings:
    """Both strategies with these; what is not said is the default."""
    changed = {name: evolve(one, **changes) for name, one in SETTINGS.strategies.items()}
    return evolve(SETTINGS, strategies=changed)


def asked_on(*on: str, **more: Any) -> Settings:
    return settings(evaluate=Evaluate(on=on, **more))


def listening(heard: Heard) -> type[Strategy]:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        heard.append((callback, argument))
        return None

    return scripted(script)


def looking(look: Any, on: str = "on_quote") -> type[Strategy]:
    """Orders once, after it has looked; tells on `on`."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != on or context.memory.get("done"):
            return None
        context.memory["done"] = True
        look(context)
        return [Intent(instrument=BTC, side="buy", quantity="1", price="100")]

    return scripted(script)


def tick(world: World, price: str = "100", **changes: Any) -> TradeTick:
    return TradeTick(BTC, d(price), d(1), world.clock.ns, **changes)


def book(world: World, levels: int = 30) -> BookSnapshot:
    bids = tuple((d(100 - number), d(1)) for number in range(levels))
    asks = tuple((d(101 + number), d(2)) for number in range(levels))
    return BookSnapshot(BTC, bids, asks, 7, world.clock.ns)


def names(heard: Heard) -> list[str]:
    return [callback for callback, _ in heard if callback != "on_start"]


# --- on what ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "told"),
    [
        (("quote",), ["on_quote"]),
        (("trade",), ["on_trade"]),
        (("book",), ["on_book"]),
        (("bar",), []),
        (("quote", "trade", "book"), ["on_quote", "on_trade", "on_book"]),
    ],
)
def test_a_strategy_is_asked_on_what_it_names(on: tuple[str, ...], told: list[str]) -> None:
    heard: Heard = []
    world = World(asked_on(*on), {TREND: listening(heard)})
    world.quote()
    world.tell(tick(world), book(world), TradeTick(ETH, d(5), d(1), world.clock.ns - 1))
    assert names(heard) == told + ["on_trade"] * (on.count("trade"))
    for callback, argument in heard:
        assert callback == "on_start" or isinstance(argument, (inputs.Quote, TradeTick, Depth))


def test_another_s_instrument_is_not_shown() -> None:
    heard: Heard = []
    world = World(asked_on("trade"), {MAKER: listening(heard)})
    world.tell(TradeTick(ETH, d(5), d(1), world.clock.ns))
    assert names(heard) == []


def test_a_book_that_broke_is_not_shown_until_it_is_whole_again() -> None:
    heard: Heard = []
    world = World(asked_on("book"), {TREND: listening(heard)})
    world.tell(book(world))
    assert kinds(world.tell(BookDelta(BTC, (), (), 9, 9, world.clock.ns))) == ["AnomalyRecorded"]
    world.tell(BookDelta(BTC, (), (), 10, 10, world.clock.ns))
    assert names(heard) == ["on_book"]
    world.tell(evolve(book(world), last_update=10))
    assert names(heard) == ["on_book", "on_book"]


# --- throttled, and on a schedule -------------------------------------------------------------------------------


def test_a_throttle_shows_the_newest_once_its_time_has_come() -> None:
    """Not the first of a burst, and not nothing: without the later one a market that then is silent is never seen."""
    heard: Heard = []
    world = World(asked_on("quote", at_most_every_ns=Duration(250 * MILLISECOND_NS)), {TREND: listening(heard)})
    for bid in ("100", "99", "98"):
        world.quote(bid, "101")
        world.clock.ns += 10 * MILLISECOND_NS
    assert [quote.bid for callback, quote in heard if callback == "on_quote"] == [100]
    due_ns = next_due_ns(world.state, world.market, world.desk)
    assert due_ns == world.clock.ns - 30 * MILLISECOND_NS + 250 * MILLISECOND_NS
    world.wait(due_ns - 1 - world.clock.ns)
    assert len(names(heard)) == 1
    world.wait(1)
    assert [quote.bid for callback, quote in heard if callback == "on_quote"] == [100, 98]
    for _ in range(3):
        world.wait(SECOND_NS)
    assert len(names(heard)) == 2


def test_each_instrument_and_callback_has_a_throttle_of_its_own() -> None:
    heard: Heard = []
    world = World(asked_on("quote", "trade", at_most_every_ns=Duration(SECOND_NS)), {TREND: listening(heard)})
    world.quote()
    world.quote(instrument=ETH)
    world.tell(tick(world))
    world.quote()
    assert names(heard) == ["on_quote", "on_quote", "on_trade"]


def test_what_waits_when_trading_is_paused_is_old_afterwards() -> None:
    heard: Heard = []
    world = World(asked_on("quote", at_most_every_ns=Duration(SECOND_NS)), {TREND: listening(heard)})
    world.quote()
    world.quote("99", "101")
    world.command(Action.PAUSE)
    world.wait(2 * SECOND_NS)
    world.command(Action.RESUME)
    world.answer_snapshots()
    world.wait(2 * SECOND_NS)
    assert names(heard) == ["on_quote"]


def test_a_book_that_waited_is_shown_as_it_is_by_then() -> None:
    heard: Heard = []
    world = World(asked_on("book", at_most_every_ns=Duration(SECOND_NS)), {TREND: listening(heard)})
    world.tell(book(world))
    for update in (8, 9):
        world.tell(BookDelta(BTC, ((d(100), d(update)),), (), update, update, world.clock.ns))
    world.wait(SECOND_NS)
    assert [depth.bids[0][1] for callback, depth in heard if callback == "on_book"] == [1, 9]


def test_quotes_and_a_schedule_together() -> None:
    heard: Heard = []
    both = Evaluate(on="quote", every_ns=Duration(SECOND_NS))
    world = World(settings(evaluate=both), {TREND: listening(heard)})
    world.quote()
    world.wait(SECOND_NS)
    world.quote("99", "101")
    assert names(heard) == ["on_quote", "on_timer", "on_quote"]


@pytest.mark.parametrize(
    ("evaluate", "triggers"),
    [
        (Evaluate(), ("quote",)),
        (Evaluate(every_ns=Duration(1)), ()),
        (Evaluate(at=("00:05",)), ()),
        (Evaluate(on="trade", every_ns=Duration(1)), ("trade",)),
        (Evaluate(on=("quote", "book")), ("quote", "book")),
    ],
)
def test_a_schedule_alone_asks_on_nothing_else(evaluate: Evaluate, triggers: tuple[str, ...]) -> None:
    assert evaluate.triggers == triggers


def test_times_of_the_day() -> None:
    """T0 is 22:13:20 UTC."""
    heard: Heard = []
    world = World(settings(evaluate=Evaluate(at=("22:15", "06:00"))), {TREND: listening(heard)})
    world.tell()
    began_ns = world.clock.ns
    told = []
    while world.clock.ns < began_ns + 2 * 86_400 * SECOND_NS:
        due_ns = min(world.clock.ns + 600 * SECOND_NS, next_time_ns("22:15", world.clock.ns))
        world.wait(due_ns - world.clock.ns)
        told += [world.clock.ns for _ in names(heard)]
        heard.clear()
        world.answer_snapshots()
    first = T0_NS - T0_NS % (86_400 * SECOND_NS) + (22 * 60 + 15) * MINUTE_NS
    assert len(told) == 5
    assert told[0] == first
    assert all(0 <= found % (86_400 * SECOND_NS) - 6 * 3600 * SECOND_NS < 600 * SECOND_NS for found in told[1::2])


# --- bars -------------------------------------------------------------------------------------------------------


def test_several_lengths_are_told_the_smaller_first() -> None:
    heard: Heard = []
    lengths = (Duration(5 * MINUTE_NS), Duration(MINUTE_NS))
    world = World(settings(bars_ns=lengths, evaluate=Evaluate(on="bar")), {TREND: listening(heard)})
    world.clock.ns += MINUTE_NS * 5 - world.clock.ns % (MINUTE_NS * 5)
    for _ in range(6):
        world.tell(tick(world))
        world.wait(MINUTE_NS)
    told = [bar.interval_ns // MINUTE_NS for callback, bar in heard if callback == "on_bar"]
    assert told == [1, 1, 1, 1, 1, 5, 1]
    assert StrategySettings(strategy_class="", instruments=(), bars_ns=lengths).frames_ns == lengths[::-1]


@pytest.mark.parametrize(("required", "told"), [(False, [False, True]), (True, [True])])
def test_incomplete_bars_are_told_unless_complete_ones_are_required(required: bool, told: list[bool]) -> None:
    heard: Heard = []
    wanted = settings(bars_ns=Duration(MINUTE_NS), require_complete=required)
    world = World(wanted, {TREND: listening(heard)})
    world.tell(tick(world), inputs.DataDropped(BTC, 3))
    world.wait(MINUTE_NS)
    world.tell(tick(world))
    world.wait(MINUTE_NS)
    assert [bar.complete for callback, bar in heard if callback == "on_bar"] == told


def test_what_a_context_shows() -> None:
    found: dict[str, Any] = {}

    def look(context: Context) -> None:
        found["bars"] = [bar.close for bar in context.bars(BTC, "1m", 2)]
        found["forming"] = context.forming(BTC, "1m")
        found["quotes"] = [quote.bid for quote in context.quotes(BTC, 2)]
        found["trades"] = [trade.price for trade in context.trades(BTC, 2)]
        found["book"] = context.book(BTC, 3)
        found["age"] = context.quote_age_ns(BTC)
        found["stale"] = [context.is_stale(BTC, "9ms"), context.is_stale(BTC, "10ms"), context.is_stale(ETH)]
        found["lengths"] = context.bars_ns

    wanted = settings(bars_ns=Duration(MINUTE_NS), evaluate=Evaluate(on="book"))
    world = World(wanted, {TREND: looking(look, "on_book")})
    world.clock.ns += MINUTE_NS - world.clock.ns % MINUTE_NS
    for price in ("10", "11", "12"):
        world.tell(tick(world, price))
        world.quote(price, "200")
        world.wait(MINUTE_NS)
    world.tell(tick(world, "13.5"))
    world.quote("14", "200", age_ns=10 * MILLISECOND_NS)
    world.tell(book(world))
    assert found["bars"] == [11, 12]
    assert (found["forming"].close, found["forming"].start_ns) == (d("13.5"), world.clock.ns)
    assert found["quotes"] == [12, 14]
    assert found["trades"] == [12, d("13.5")]
    assert found["book"].bids == ((d(100), d(1)), (d(99), d(1)), (d(98), d(1)))
    assert found["age"] == 10 * MILLISECOND_NS
    assert found["stale"] == [True, False, True]
    assert found["lengths"] == (MINUTE_NS,)


def test_windows_are_bounded_and_say_so() -> None:
    raised: list[str] = []

    def look(context: Context) -> None:
        for ask in (
            lambda: context.quotes(BTC, QUOTES_KEPT + 1), lambda: context.quotes(BTC, 0),
            lambda: context.bars(BTC, "1m", BARS_KEPT + 1), lambda: context.trades(BTC, -1),
        ):  # fmt: skip
            with pytest.raises(ValueError, match="at most") as caught:
                ask()
            raised.append(str(caught.value))
        with pytest.raises(LookupError, match=r'bars = \["5m"\] of \[strategies.trend\]'):
            context.bars(BTC, "5m")
        with pytest.raises(LookupError, match="there are no 1m bars of SOL-USDT from trades"):
            context.indicator("SOL-USDT", "1m", Rsi(14))
        with pytest.raises(ValueError, match="is not a duration"):
            context.forming(BTC, "soon")

    world = World(settings(bars_ns=Duration(MINUTE_NS)), {TREND: looking(look)})
    assert "OrderIntended" in kinds(world.quote())
    assert raised[0] == f"the last {QUOTES_KEPT + 1} were asked for; at least 1 and at most {QUOTES_KEPT} are kept"
    assert len(raised) == 4


def test_two_strategies_share_what_is_computed() -> None:
    gauges: list[Any] = []

    def look(context: Context) -> None:
        context.indicator(BTC, "1m", Sma(2))
        gauges.extend(series._gauges[Sma(2)] for series in world.market.series.values() if series._gauges)

    world = World(settings(bars_ns=Duration(MINUTE_NS)), {TREND: looking(look), MAKER: looking(look)})
    world.quote()
    assert len(gauges) == 2
    assert gauges[0] is gauges[1]
    assert len(world.market.series) == 2  # BTC and ETH, once each


# --- what is kept with a decision -------------------------------------------------------------------------------


def intended(made: list[Any]) -> events.OrderIntended:
    (found,) = [event for event in made if isinstance(event, events.OrderIntended)]
    return found


def test_what_a_bar_s_callback_looked_at_goes_into_its_order() -> None:
    def look(context: Context) -> None:
        context.indicator(BTC, "1m", Sma(2))
        context.indicator(BTC, MINUTE_NS, Rsi(14))
        context.indicator(BTC, "1m", Bollinger(2))
        context.quote(ETH)
        context.quote(BTC)

    def script(callback: str, context: Context, bar: Any) -> Answers:
        if callback != "on_bar" or len(context.bars(BTC, "1m")) < 2:
            return None
        look(context)
        return [Intent(instrument=BTC, side="buy", quantity="1", price="100")]

    world = World(settings(bars_ns=Duration(MINUTE_NS)), {TREND: scripted(script)})
    world.clock.ns += MINUTE_NS - world.clock.ns % MINUTE_NS
    world.quote("99", "101")
    world.quote("49", "51", instrument=ETH)
    world.tell(tick(world, "100"))
    world.wait(MINUTE_NS)
    world.tell(tick(world, "102"))
    order = intended(world.wait(MINUTE_NS))
    assert order.inputs == {
        "callback": "on_bar",
        "BTC-USDT 1m bar": {
            "open": "102",
            "high": "102",
            "low": "102",
            "close": "102",
            "volume": "1",
            "end_ns": world.clock.ns,
            "complete": True,
        },
        "BTC-USDT 1m Sma(2, close)": "101",
        "BTC-USDT 1m Rsi(14)": None,
        "BTC-USDT 1m Bollinger(2, 2, close)": {"lower": "99", "middle": "101", "upper": "103"},
        "ETH-USDT quote": {"bid": "49", "ask": "51", "received_ns": order.inputs["ETH-USDT quote"]["received_ns"]},
    }
    assert order.seen is not None
    assert order.seen.bid == 99


@pytest.mark.parametrize("on", ["trade", "book"])
def test_the_trade_or_book_that_led_to_an_order_is_kept_with_it(on: str) -> None:
    world = World(asked_on(on), {TREND: looking(lambda context: None, f"on_{on}")})
    world.quote()
    told = intended(world.tell(tick(world, "100.5") if on == "trade" else book(world))).inputs
    if on == "trade":
        assert told["BTC-USDT trade"] == {"price": "100.5", "quantity": "1", "received_ns": world.clock.ns}
    else:
        assert told["BTC-USDT book"]["bids"] == [[str(100 - number), "1"] for number in range(LEVELS_TOLD)]
        assert len(told["BTC-USDT book"]["asks"]) == LEVELS_TOLD


def test_a_callback_that_looks_at_everything_is_told_short() -> None:
    def look(context: Context) -> None:
        for length in range(1, LOOKS_MOST + 6):
            context.indicator(BTC, "1m", Sma(length))

    world = World(settings(bars_ns=Duration(MINUTE_NS)), {TREND: looking(look)})
    told = intended(world.quote()).inputs
    assert len(told) == 1 + (LOOKS_MOST - 1) + 1  # the callback, the others, and how many more
    assert told["more"] == 6  # the quote itself was the first of them
    assert len(json.dumps(told)) < 4_000


def test_one_call_s_looks_are_not_another_s() -> None:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback == "on_trade":
            context.indicator(BTC, "1m", Sma(3))
        return [Intent(instrument=BTC, side="buy", quantity="1", price="100")] if callback == "on_quote" else None

    world = World(
        settings(bars_ns=Duration(MINUTE_NS), evaluate=Evaluate(on=("trade", "quote"))), {TREND: scripted(script)}
    )
    world.tell(tick(world))
    assert intended(world.quote()).inputs == {"callback": "on_quote"}


# --- which strategy it was --------------------------------------------------------------------------------------


def test_an_order_carries_version_and_hash_of_source_and_parameters() -> None:
    world = World(settings(params={"fast": 5}, file_hash="ab"), {TREND: looking(lambda context: None)})
    order = intended(world.quote())
    assert (order.strategy_version, order.strategy_hash) == ("1", world.settings.strategies[TREND].hash)
    assert len(order.strategy_hash) == 16
    assert world.only().strategy_hash == order.strategy_hash


@pytest.mark.parametrize(
    ("changes", "is_another"),
    [
        ({"params": {"fast": 6}}, True),
        ({"params": {"fast": "5"}}, True),
        ({"file_hash": "cd"}, True),
        ({"strategy_class": "other:Trend"}, True),
        ({"tag": "t"}, False),
        ({"version": "2"}, False),
        ({"params": {"slow": 9, "fast": 5}}, False),
    ],
)
def test_a_hash_is_of_source_and_parameters_alone(changes: dict[str, Any], is_another: bool) -> None:
    base = StrategySettings(
        strategy_class="mine:Trend", instruments=(BTC,), params={"fast": 5, "slow": 9}, file_hash="ab"
    )
    changed = evolve(base, **changes)
    if "params" in changes and not is_another:
        assert list(changed.params) != list(base.params)
    assert (changed.hash != base.hash) is is_another


def changes_told(world: World, seq: int) -> list[events.AnomalyRecorded]:
    """The anomalies about changed strategies behind a seq."""
    found = [event for event in world.since(seq) if isinstance(event, events.AnomalyRecorded)]
    return [event for event in found if event.anomaly == "strategy_changed"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"params": {"fast": 6}}, 1),
        ({"file_hash": "cd"}, 1),
        ({"params": {"fast": 6}, "version": "2"}, 0),
        ({"tag": "other"}, 0),
        ({}, 0),
    ],
)
def test_a_change_under_an_unchanged_version_is_journaled_at_the_start(changes: dict[str, Any], told: int) -> None:
    world = World(settings(params={"fast": 5}))
    trend = evolve(world.settings.strategies[TREND], **changes)
    before, world.settings = (
        world.settings,
        evolve(world.settings, strategies=world.settings.strategies | {TREND: trend}),
    )
    seq = world.log.seq
    world.restart()
    found = changes_told(world, seq)
    assert [event.about for event in found] == [TREND] * told
    if told:
        assert before.strategies[TREND].hash in found[0].detail
        assert trend.hash in found[0].detail
    assert len(unannounced_changes(before, world.settings)) == told
    seq = world.log.seq
    world.restart()
    assert changes_told(world, seq) == []


def test_the_limits_are_what_they_are_said_to_be() -> None:
    assert (QUOTES_KEPT, BARS_KEPT, LOOKS_MOST, LEVELS_TOLD, FRAMES_MOST) == (1_000, 500, 32, 5, 8)
