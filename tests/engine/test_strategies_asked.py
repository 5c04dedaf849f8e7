"""Strategies as the engine asks them: told once, kept apart, remembered, and refused with a hint."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from engine import events, inputs
from engine.bars import BarSource
from engine.decision import next_due_ns
from engine.inputs import Action, Scope
from engine.outbox import CancelOrder, SubmitOrder
from engine.series import Frame
from engine.settings import Evaluate, Settings
from engine.strategy import Answers, Cancel, Context, Intent, MemoryRefused, Replace, Strategy, keep, recall
from engine.values import SECOND_NS, Duration, OrderId
from tests.engine.bench import BTC, ETH, MAKER, SETTINGS, TREND, d, kinds
from tests.engine.bench import VENUE as SIM
from tests.engine.world import World, scripted

Heard = list[tuple[str, Any]]


def _buy(**changes: Any) -> Intent:
    fields: dict[str, Any] = {"instrument": BTC, "side": "buy", "quantity": "1", "price": "100"}
    return Intent(**(fields | changes))


def _listening(heard: Heard, **answers: Any) -> type[Strategy]:
    """Notes what it hears; answers the first call of each callback."""
    waiting = dict(answers)

    def script(callback: str, context: Context, argument: Any) -> Answers:
        heard.append((callback, argument))
        answer: Answers = waiting.pop(callback, None)
        return answer

    return scripted(script)


def _timed(settings: Settings, **changes: Any) -> Settings:
    trend = evolve(settings.strategies[TREND], **changes)
    return evolve(settings, strategies=settings.strategies | {TREND: trend})


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"quantity": 0.1}, {"price": 99.5}, {"quantity": True}])
def test_a_float_in_an_intent_is_refused_with_a_hint(changes: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="write the number as a string"):
        _buy(**changes)


def test_a_float_in_a_replacement_is_refused() -> None:
    with pytest.raises(TypeError, match="write the number as a string"):
        Replace(OrderId("o"), price=0.5)


@pytest.mark.parametrize("memory", [{"x": 0.5}, {"x": [1, {"y": 0.5}]}, {1: 2}, {"x": object()}, {"$decimal": "1"}])
def test_what_can_not_be_kept_exactly_is_refused_with_its_place(memory: Any) -> None:
    with pytest.raises(MemoryRefused, match="memory"):
        keep(memory)


def test_memory_comes_back_as_it_was() -> None:
    memory = {"a": [1, Decimal("2.5"), None, True, {"b": Decimal(0)}], "c": "text"}
    assert recall(keep(memory)) == memory


@pytest.mark.parametrize("place", [
    "intent", "memory", "reason", "attribute", "answer", "too many", "key", "instrument", "post_only", "order_id",
])  # fmt: skip
def test_a_strategy_that_does_the_forbidden_is_paused_and_told_why(place: str) -> None:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote":
            return None
        match place:
            case "intent":
                return [_buy(quantity=0.5)]
            case "memory":
                context.memory["x"] = 0.5
            case "reason":
                return [_buy(reason={"x": 0.5})]
            case "answer":
                return ["buy"]  # type: ignore[list-item]
            case "too many":
                return [_buy()] * 1001
            case "key":
                return [_buy(key=7)]
            case "instrument":
                return [_buy(instrument=7)]
            case "post_only":
                return [_buy(post_only="yes")]
            case "order_id":
                return [Cancel([])]  # type: ignore[arg-type]
        return None

    class Sets(Strategy):
        def on_quote(self, context: Context, quote: Any) -> Answers:
            self.last = quote
            return None

    world = World(kinds={TREND: Sets if place == "attribute" else scripted(script)})
    made = world.quote()
    assert kinds(made) == ["StrategyFailed", "TradingPaused"]
    failed = made[0]
    assert isinstance(failed, events.StrategyFailed)
    hints = {
        "intent": "write the number as a string", "memory": "write it as a Decimal or a str",
        "reason": "write it as a Decimal or a str", "attribute": "context.memory['last']",
        "answer": "no Intent, Cancel or Replace", "too many": "at most 1000", "key": "write a str",
        "instrument": "write a str", "post_only": "write a bool", "order_id": "is no str",
    }  # fmt: skip
    assert hints[place] in failed.message
    assert world.venue.take(SubmitOrder) == []


def test_attributes_may_be_set_in_on_start() -> None:
    class Sets(Strategy):
        def on_start(self, context: Context) -> Answers:
            self.window = 5
            return None

        def on_quote(self, context: Context, quote: Any) -> Answers:
            assert self.window == 5
            return None

    world = World(kinds={TREND: Sets})
    world.tell()
    assert world.quote() == []


# --- failures ---------------------------------------------------------------------------------------------------


def test_a_strategy_that_raises_is_paused_with_its_frames_and_the_others_go_on() -> None:
    heard: Heard = []

    def script(callback: str, context: Context, argument: Any) -> Answers:
        context.memory["gone"] = 1
        yield _buy()
        raise ZeroDivisionError("of mine")

    world = World(kinds={TREND: scripted(script), MAKER: _listening(heard)})
    world.quote()
    (failed,) = [event for event in world.since(0) if isinstance(event, events.StrategyFailed)]
    assert (failed.strategy, failed.type, failed.message) == (TREND, "ZeroDivisionError", "of mine")
    assert any("raise ZeroDivisionError" in frame for frame in failed.frames)
    assert not any("/" in frame.partition(" ")[0] for frame in failed.frames)
    assert (world.orders(), world.state.strategies[TREND].memory) == ([], {})
    world.quote("99", "100")
    assert [callback for callback, _ in heard].count("on_quote") == 2
    world.restart()
    assert world.state.paused_by(strategy=TREND) is not None


def test_a_strategy_that_fails_at_its_start_can_be_resumed() -> None:
    starts: list[int] = []

    class Fails(Strategy):
        def on_start(self, context: Context) -> Answers:
            starts.append(1)
            if len(starts) == 1:
                raise RuntimeError("not yet")
            self.ready = True
            return None

    world = World(kinds={TREND: Fails})
    world.quote()
    world.command(Action.RESUME, scope=Scope.STRATEGY, subject=TREND)
    world.tell()
    assert (len(starts), world.state.pauses) == (2, {})
    assert "StrategyFailed" not in kinds(world.quote("99", "100"))


@pytest.mark.parametrize(("on_error", "canceled"), [("keep", 0), ("cancel", 1)])
def test_the_orders_of_a_strategy_that_failed(on_error: str, canceled: int) -> None:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback == "on_quote" and context.open_orders():
            raise RuntimeError("now")
        return [_buy()] if callback == "on_quote" else None

    world = World(_timed(SETTINGS, on_error=on_error), {TREND: scripted(script)})
    world.quote()
    world.tell(inputs.Ack(**world.head()))
    world.quote("99", "100")
    assert len(world.venue.take(CancelOrder)) == canceled
    assert world.only().is_open


# --- told exactly once ------------------------------------------------------------------------------------------


def test_a_fill_is_told_once_and_before_the_next_quote() -> None:
    heard: Heard = []
    world = World(kinds={TREND: _listening(heard, on_quote=[_buy(quantity="10")])})
    world.quote()
    world.tell(inputs.Ack(**world.head()), world.trade("4"), world.trade("4"))
    world.quote("99", "100")
    world.tell()
    told = [callback for callback, _ in heard]
    assert told.count("on_fill") == 1
    assert told == ["on_start", "on_quote", "on_order", "on_fill", "on_order", "on_quote"]
    assert world.state.strategies[TREND].untold == ()


def test_what_happened_while_nobody_ran_is_told_before_any_quote() -> None:
    heard: Heard = []
    world = World(kinds={TREND: _listening(heard, on_quote=[_buy(quantity="10")])})
    world.quote()
    world.tell(inputs.Ack(**world.head()))
    world.venue.open_orders = [world.status("partially_filled", "4")]
    world.venue.executions = [world.trade("4")]
    world.balance("9", "99600")
    world.kinds = {TREND: _listening(heard)}
    heard.clear()
    world.restart()
    world.quote("99", "100")
    told = [callback for callback, _ in heard]
    assert told.count("on_fill") == 1
    assert told.index("on_fill") < told.index("on_quote")
    assert told[0] == "on_start"
    heard.clear()
    world.restart()
    world.quote("99", "100")
    assert [callback for callback, _ in heard] == ["on_start", "on_quote"]


def test_a_fill_that_was_answered_is_not_told_again_when_the_next_callback_fails() -> None:
    """on_fill hedges, on_order raises: after a resume the hedge must not be made twice."""
    fills: list[Any] = []

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback == "on_quote" and not context.open_orders():
            return [_buy(quantity="10")]
        if callback == "on_fill":
            fills.append(argument)
            context.memory["hedged"] = str(argument.quantity)
            return [_buy(side="sell", quantity=argument.quantity, price="101")]
        if callback == "on_order" and len(fills) == 1 and argument.filled:
            fills.append("failed")
            raise RuntimeError("in on_order")
        return None

    world = World(kinds={TREND: scripted(script)})
    world.quote()
    first = world.only()
    world.tell(inputs.Ack(**world.head()), world.trade("4"))
    assert world.state.paused_by(strategy=TREND) is not None
    assert world.state.strategies[TREND].memory == {"hedged": "4"}
    world.command(Action.RESUME, scope=Scope.STRATEGY, subject=TREND)
    for _ in range(3):
        world.tell()
    assert [fill for fill in fills if fill != "failed"] == fills[:1]
    assert len(world.orders()) == 2, first


def test_an_order_that_was_archived_before_it_was_told_is_passed_over() -> None:
    heard: Heard = []
    world = World(_timed(SETTINGS), {TREND: _listening(heard, on_quote=[_buy()])})
    world.quote()
    world.command(Action.PAUSE)
    world.tell(inputs.Ack(**world.head()), inputs.Canceled(**world.head()))
    order = world.only()
    world.clock.ns += SETTINGS.orders.closed_kept_ns + 10 * SETTINGS.reconcile.every_ns
    for _ in range(4):
        world.wait(SETTINGS.reconcile.every_ns)
        world.answer_snapshots()
    assert order.order_id not in world.state.orders
    world.command(Action.RESUME)
    world.answer_snapshots()
    world.tell()
    assert world.state.strategies[TREND].untold == ()


def test_the_same_key_is_the_same_order() -> None:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        return [_buy(key="entry-1")] if callback == "on_quote" else None

    world = World(kinds={TREND: scripted(script)})
    for bid in ("100", "99", "98"):
        world.quote(bid, "101")
    world.restart()
    world.quote("97", "101")
    assert len(world.orders()) == 1


# --- not asked --------------------------------------------------------------------------------------------------


def test_while_paused_data_goes_on_and_strategies_are_not_asked() -> None:
    heard: Heard = []
    world = World(_timed(SETTINGS, bars_ns=Duration(SECOND_NS), bars_from="quotes"), {TREND: _listening(heard)})
    world.quote()
    heard.clear()
    world.command(Action.PAUSE)
    for number in range(5):
        world.clock.ns += SECOND_NS
        world.quote(str(90 + number), "101")
    assert heard == []
    assert world.market.quotes[BTC].bid == d(94)
    assert len(world.market.series[Frame(BTC, SECOND_NS, BarSource.QUOTES)].bars) >= 4
    world.command(Action.RESUME)
    world.answer_snapshots()
    world.quote()
    assert [callback for callback, _ in heard] == ["on_quote"]


def test_a_refused_quote_is_shown_to_nobody() -> None:
    heard: Heard = []
    world = World(kinds={TREND: _listening(heard)})
    world.tell()
    heard.clear()
    assert kinds(world.quote("102", "101")) == ["AnomalyRecorded"]
    assert world.quote("102", "101") == []
    assert heard == []


@pytest.mark.parametrize("shut", ["pause", "failed", "none"])
def test_no_timer_and_no_memory_keeps_the_shell_awake(shut: str) -> None:
    """While a strategy may not be asked, what would be due for it must not make the shell spin."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback == "on_quote":
            context.memory["n"] = context.memory.get("n", 0) + 1
        if callback == "on_timer" and shut == "failed":
            raise RuntimeError("no")
        return None

    timer = Evaluate(every_ns=Duration(SECOND_NS))
    world = World(_timed(SETTINGS, evaluate=timer), {TREND: scripted(script)})
    world.quote()
    if shut == "pause":
        world.command(Action.PAUSE)
    for _ in range(5):
        world.wait(2 * SECOND_NS)
        world.answer_snapshots()
    due_ns = next_due_ns(world.state, world.market, world.desk)
    assert due_ns is None or due_ns > world.clock.ns


# --- memory and chance ------------------------------------------------------------------------------------------


def _counting(ordering: bool) -> type[Strategy]:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote":
            return None
        context.memory["n"] = context.memory.get("n", 0) + 1
        return [_buy(price=str(90 + context.memory["n"]))] if ordering else None

    return scripted(script)


def test_memory_is_journaled_in_the_commit_of_the_events_of_its_call() -> None:
    world = World(kinds={TREND: _counting(True)})
    world.tell()
    made = kinds(world.quote())
    assert made == ["OrderIntended", "SubmitRequested", "StrategyAdvanced"]
    assert [entry.kind for entry in world.log.batches[-1]] == made
    assert world.state.strategies[TREND].memory == {"n": 1}


def test_memory_without_events_is_journaled_at_the_latest_after_memory_every() -> None:
    world = World(kinds={TREND: _counting(False)})
    world.tell()
    for _ in range(3):
        assert world.quote() == []
    due_ns = next_due_ns(world.state, world.market, world.desk)
    assert due_ns == world.clock.ns + SECOND_NS
    assert kinds(world.wait(SECOND_NS)) == ["StrategyAdvanced"]
    assert world.wait(1) == []
    world.restart()
    assert world.state.strategies[TREND].memory == {"n": 3}
    world.quote()
    world.stop()
    assert world.state.strategies[TREND].memory == {"n": 4}


def test_chance_is_the_same_in_a_replay_and_another_at_another_moment() -> None:
    def drawn() -> list[int]:
        found: list[int] = []

        def script(callback: str, context: Context, argument: Any) -> Answers:
            if callback == "on_quote":
                found.extend((context.random().randrange(10**9), context.random().randrange(10**9)))
            return None

        world = World(kinds={TREND: scripted(script)})
        world.quote()
        world.clock.ns += 1
        world.quote()
        return found

    first = drawn()
    assert first == drawn()
    assert len(set(first)) == 4


def test_a_strategy_sees_and_touches_only_its_own_orders() -> None:
    seen: list[int] = []

    def own(callback: str, context: Context, argument: Any) -> Answers:
        return [_buy()] if callback == "on_quote" and not context.open_orders() else None

    def other(callback: str, context: Context, argument: Any) -> Answers:
        if callback == "on_quote":
            seen.append(len(context.open_orders()))
            return [Cancel(OrderId(str(argument.bid))), *(Cancel(o) for o in IDS)]
        return None

    IDS: list[OrderId] = []  # noqa: N806
    world = World(kinds={TREND: scripted(own), MAKER: scripted(other)})
    world.quote()
    world.tell(inputs.Ack(**world.head()))
    IDS.append(world.only().order_id)
    made = world.quote("99", "100")
    assert set(seen) == {0}
    assert "CancelRequested" not in kinds(made)
    assert "AnomalyRecorded" in kinds(made) or "AnomalyRecorded" in kinds(world.since(0))
    assert world.state.position(ETH).quantity == 0
    assert world.venue_state(SIM) == "ready"
