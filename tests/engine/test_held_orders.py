"""Orders that the engine holds: stops, trailing stops, brackets, twins, ends in time; through fills and restarts."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import inputs
from engine.capabilities import TrailBy
from engine.events import Event, OrderReplaced
from engine.inputs import Action, Refusal
from engine.instructions import Bracket, Leg, Oco, Role, Work
from engine.order import CANCELED, DENIED, EXPIRED, FILLED, INTENT, NEW, PENDING_NEW, Order
from engine.outbox import CancelOrder, ReplaceOrder, SubmitOrder
from engine.sessions import WEEK, TradingSession
from engine.settings import InstrumentSettings, OnDrift, OnStop
from engine.strategy import Cancel, Intent, Replace
from engine.values import SECOND_NS, OrderType, Side, TimeInForce
from tests.engine.bench import BALANCES, BTC, CAPABILITIES, DESCRIPTION, SETTINGS, TREND, d, kinds
from tests.engine.world import ScriptedVenue, World, scripted


def told(made: list[Event]) -> list[Event]:
    """Without how far strategies have been told."""
    return [event for event in made if event.kind != "StrategyAdvanced"]


CALM = evolve(SETTINGS, reconcile=evolve(SETTINGS.reconcile, on_position_drift=OnDrift.ALERT))
"""The scripted venue shows balances that nothing moves."""


class Held:
    """A world whose strategy gives, once, what a test hands it."""

    def __init__(self, *native: OrderType, **capabilities: Any) -> None:
        types = (*CAPABILITIES.order_types, *native)
        can = evolve(CAPABILITIES, order_types=types, **capabilities)
        self.wanted: list[Any] = []
        venue = ScriptedVenue(evolve(DESCRIPTION, capabilities=can))
        self.world = World(CALM, {TREND: scripted(self._script)}, [venue])
        self.numbers = 0

    def _script(self, callback: str, context: Any, argument: Any) -> Iterable[Any]:
        wanted, self.wanted = (self.wanted, []) if callback == "on_quote" else ([], self.wanted)
        return wanted

    def want(self, *answers: Any, bid: str = "100", ask: str = "101") -> list[Event]:
        """The strategy answers so at the next quote."""
        self.wanted = list(answers)
        return told(self.world.quote(bid, ask))

    def quote(self, bid: str, ask: str) -> list[Event]:
        self.world.clock.ns += SECOND_NS
        return told(self.world.quote(bid, ask))

    def restart(self) -> None:
        """The process dies and starts again; the venue shows what there is."""
        orders = [order for order in self.world.state.open_orders() if order.is_open and order.venue_order_id]
        self.world.venue.open_orders = [
            self.world.status("partially_filled" if order.filled else "new", str(order.filled), order=order)
            for order in orders
        ]
        held = self.world.state.balances.get(self.world.venue.name, {})
        self.world.balance(held[BALANCES[0].asset], held[BALANCES[1].asset])
        self.world.restart()
        self.world.answer_snapshots()
        self.sent()

    def ack(self, order: Order) -> None:
        self.world.tell(inputs.Ack(**self.world.head(self.now(order)) | {"venue_order_id": f"v-{order.order_id}"}))

    def fill(self, order: Order, quantity: str, price: str = "100") -> list[Event]:
        self.numbers += 1
        head = {"venue_order_id": f"v-{order.order_id}"}
        return self.world.tell(self.world.trade(quantity, f"e{self.numbers}", price, self.now(order), **head))

    def canceled(self, order: Order) -> list[Event]:
        head = self.world.head(self.now(order)) | {"venue_order_id": f"v-{order.order_id}"}
        return self.world.tell(inputs.Canceled(**head))

    def now(self, order: Order) -> Order:
        return self.world.state.orders[order.order_id]

    def role(self, role: Role) -> Order:
        """The newest order of that role."""
        return [order for order in self.world.orders() if order.role is role][-1]

    def sent(self) -> list[SubmitOrder]:
        return self.world.venue.take(SubmitOrder)

    def bought(self, quantity: str = "2") -> Order:
        """A position, by an order that executed."""
        self.want(Intent(instrument=BTC, side="buy", quantity=quantity, price=101))
        entry = self.world.orders()[-1]
        self.fill(entry, quantity, "101")
        self.sent()
        return entry


def sell(**terms: Any) -> Intent:
    """An exit of 2."""
    fields: dict[str, Any] = {"instrument": BTC, "side": "sell", "quantity": 2, "reduce_only": True}
    return Intent(**(fields | terms))


# --- stops ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "before", "after", "kind", "price"),
    [
        ({"order_type": "stop", "stop_price": 95}, ("95.5", "96"), ("95", "96"), "market", None),
        ({"order_type": "stop_limit", "stop_price": 95, "price": 94}, ("95.5", "96"), ("95", "96"), "limit", "94"),
        ({"order_type": "take_profit", "stop_price": 110}, ("109.5", "110"), ("110", "111"), "market", None),
        ({"order_type": "take_profit_limit", "stop_price": 110, "price": 109}, ("109.5", "112"), ("110", "112"),
         "limit", "109"),
        ({"order_type": "trailing_stop", "trail": 5}, ("95.5", "96"), ("95", "96"), "market", None),
        ({"order_type": "trailing_stop", "trail_fraction": "0.05"}, ("95.5", "96"), ("95", "96"), "market", None),
    ],
)  # fmt: skip
def test_a_stop_that_the_venue_does_not_know_is_watched_by_the_engine(
    terms: dict[str, Any], before: tuple[str, str], after: tuple[str, str], kind: str, price: str | None
) -> None:
    held = Held()
    held.bought()
    made = held.want(sell(**terms))
    assert kinds(made)[:2] == ["OrderIntended", "OrderHeld"]
    order = held.world.orders()[-1]
    assert order.status is INTENT
    assert order.held == "the venue has no such order type"
    held.restart()
    assert kinds(held.quote(*before)) == []
    made = held.quote(*after)
    assert kinds(made)[:2] == ["OrderTriggered", "SubmitRequested"]
    (sent,) = held.sent()
    assert (sent.order_type, sent.price) == (kind, None if price is None else d(price))
    assert (sent.stop_price, sent.trail) == (None, None)
    assert held.now(order).status is PENDING_NEW
    assert kinds(held.quote(*after)) == []
    assert held.sent() == []


@pytest.mark.parametrize(
    ("kind", "waits", "reached"), [("stop", "109.5", "110"), ("take_profit", "90.5", "90")]
)  # fmt: skip
def test_a_buy_waits_for_the_other_side(kind: str, waits: str, reached: str) -> None:
    held = Held()
    held.want(Intent(instrument=BTC, side="buy", quantity=1, order_type=kind, stop_price=reached))
    assert kinds(held.quote("90", waits)) == []
    assert "SubmitRequested" in kinds(held.quote("89", reached))


def test_a_native_stop_is_left_to_the_venue() -> None:
    held = Held(OrderType.STOP)
    held.bought()
    held.want(sell(order_type="stop", stop_price=95))
    (sent,) = held.sent()
    assert (sent.order_type, sent.stop_price) == ("stop", d(95))
    order = held.world.orders()[-1]
    held.ack(order)
    assert kinds(held.quote("90", "91")) == []
    assert "OrderTriggered" in kinds(held.world.tell(inputs.Triggered(**held.world.head(held.now(order)))))
    assert held.sent() == []


def test_a_bounded_stop_leaves_with_the_worst_price_that_was_asked_for() -> None:
    """A market order with `max_slippage` is an immediate-or-cancel limit order at that price."""
    held = Held()
    held.want(Intent(instrument=BTC, side="buy", quantity=1, order_type="market", max_slippage="0.02",
                     time_in_force="ioc"))  # fmt: skip
    (sent,) = held.sent()
    assert (sent.order_type, sent.time_in_force, sent.price) == ("limit", "ioc", d(103))
    order = held.world.only()
    assert (order.order_type, order.price, order.worst_price) == ("market", None, d(103))
    held.ack(order)
    status = held.world.status("new", order=held.now(order), price=d(103), asked_ns=held.world.clock.ns)
    assert kinds(held.world.tell(status)) == []  # these are the terms that were asked for


def test_a_trailing_stop_follows_and_never_goes_back() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="trailing_stop", trail=5))
    order = held.world.orders()[-1]
    assert held.now(order).stop_price == d(95)
    assert kinds(held.quote("110", "111")) == ["OrderAmended"]
    assert held.now(order).stop_price == d(105)
    held.restart()
    assert kinds(held.quote("107", "108")) == []
    assert held.now(order).stop_price == d(105)
    assert kinds(held.quote("105", "106"))[:2] == ["OrderTriggered", "SubmitRequested"]


def test_a_stop_trails_by_a_part_of_the_price_where_it_stands() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="trailing_stop", trail_fraction="0.1"))
    order = held.world.orders()[-1]
    assert held.now(order).stop_price == d(90)
    held.quote("200", "201")
    assert held.now(order).stop_price == d(180)


@pytest.mark.parametrize(("by", "is_held"), [({"trail": 5}, True), ({"trail_fraction": "0.05"}, False)])
def test_a_venue_that_trails_by_parts_gets_no_distances(by: dict[str, Any], is_held: bool) -> None:
    held = Held(OrderType.TRAILING_STOP, trails_by=(TrailBy.FRACTION,))
    held.bought()
    held.want(sell(order_type="trailing_stop", **by))
    assert bool(held.world.orders()[-1].held) is is_held
    assert [sent.trail_fraction for sent in held.sent()] == ([] if is_held else [d("0.05")])


def test_a_trail_moves_in_steps_so_that_not_every_tick_is_an_event() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="trailing_stop", trail=40))
    made = [kinds(held.quote(str(100 + Decimal(n) / 2), str(101 + Decimal(n) / 2))) for n in range(1, 9)]
    assert made == [[], [], [], ["OrderAmended"], [], [], [], ["OrderAmended"]]


def test_a_held_order_waits_while_nothing_may_be_sent_and_leaves_afterwards() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="stop", stop_price=95))
    order = held.world.orders()[-1]
    held.world.command(Action.PAUSE)
    made = held.quote("94", "95")
    assert kinds(made) == ["OrderTriggered", "AnomalyRecorded"]
    assert held.sent() == []
    held.restart()
    assert held.now(order).status is INTENT
    held.world.command(Action.RESUME)
    held.world.answer_snapshots()
    held.quote("96", "97")  # the market has come back; the stop had been reached
    assert [sent.order_id for sent in held.sent()] == [order.order_id]


def test_no_limit_keeps_anyone_in_a_position() -> None:
    """Only what may open one is held back by limits: an exit leaves, also when the day's loss is used up."""
    limits = evolve(SETTINGS.risk.account, max_orders_per_minute=2)
    held = Held()
    held.world.settings = evolve(CALM, risk=evolve(SETTINGS.risk, account=limits))
    held.restart()
    held.bought()
    held.want(sell(order_type="stop", stop_price=95))
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90))
    assert [sent.side for sent in held.sent()] == ["buy"]
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price="90.5"))
    assert held.world.orders()[-1].reason == "max_orders_per_minute"
    held.quote("94", "95")
    assert [(sent.side, sent.order_type) for sent in held.sent()] == [("sell", "market")]


def test_a_held_order_is_changed_and_canceled_without_the_venue() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="stop", stop_price=95))
    order = held.world.orders()[-1]
    assert kinds(held.want(Replace(order.order_id, stop_price=97, quantity=1))) == ["OrderAmended"]
    assert (held.now(order).stop_price, held.now(order).quantity) == (d(97), d(1))
    made = held.want(Replace(order.order_id, stop_price="97.3"))
    assert kinds(made) == ["ReplaceDenied"]
    assert kinds(held.want(Cancel(order.order_id))) == ["OrderCanceled"]
    assert kinds(held.quote("90", "91")) == []
    assert held.sent() == []


def test_a_kill_cancels_what_is_held() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="stop", stop_price=95))
    order = held.world.orders()[-1]
    held.world.command(Action.KILL)
    assert held.now(order).status is CANCELED
    assert held.now(order).client_order_id is None


@pytest.mark.parametrize("keeps", [True, False, None])
def test_a_replacement_says_whether_it_keeps_its_place(keeps: bool | None) -> None:
    """As the venue tells it; None where it does not."""
    held = Held()
    held.want(Intent(instrument=BTC, side="buy", quantity=2, price=90))
    order = held.world.only()
    held.ack(order)
    held.want(Replace(order.order_id, quantity=1))
    (asked,) = held.world.venue.take(ReplaceOrder)
    made = held.world.tell(inputs.Replaced(
        **held.world.head(held.now(order)), quantity=asked.quantity, price=asked.price,
        new_client_order_id=asked.new_client_order_id, keeps_priority=keeps,
    ))  # fmt: skip
    (replaced,) = [event for event in made if isinstance(event, OrderReplaced)]
    assert replaced.keeps_priority is keeps


# --- ends in time -----------------------------------------------------------------------------------------------


def test_the_engine_ends_an_order_where_the_venue_does_not() -> None:
    held = Held()
    until_ns = held.world.clock.ns + 60 * SECOND_NS
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90, time_in_force="gtd", expires=until_ns))
    (sent,) = held.sent()
    assert (sent.time_in_force, sent.good_till_ns) == ("gtc", until_ns)
    order = held.world.only()
    held.ack(order)
    held.restart()
    assert held.world.runner.due_ns() is not None
    held.world.clock.ns = until_ns
    held.world.tell()
    assert [cancel.order_id for cancel in held.world.venue.take(CancelOrder)] == [order.order_id]
    held.world.tell()
    assert held.world.venue.take(CancelOrder) == []
    held.canceled(order)
    assert held.now(order).status is CANCELED


def test_a_held_order_expires_unsent() -> None:
    held = Held()
    held.bought()
    until_ns = held.world.clock.ns + 60 * SECOND_NS
    held.want(sell(order_type="stop", stop_price=95, time_in_force="gtd", expires=until_ns))
    order = held.world.orders()[-1]
    held.world.clock.ns = until_ns
    assert "OrderExpired" in kinds(held.world.tell())
    assert held.now(order).status is EXPIRED
    held.quote("90", "91")
    assert held.sent() == []


def test_a_day_ends_at_midnight_where_the_venue_has_no_days() -> None:
    held = Held()
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90, time_in_force="day"))
    (sent,) = held.sent()
    assert sent.good_till_ns is not None
    assert sent.good_till_ns % (86_400 * SECOND_NS) == 0
    assert 0 < sent.good_till_ns - held.world.clock.ns <= 86_400 * SECOND_NS
    held = Held(times_in_force=tuple(TimeInForce))
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90, time_in_force="day"))
    (sent,) = held.sent()
    assert (sent.time_in_force, sent.good_till_ns) == ("day", None)


HOUR_NS = 3_600 * SECOND_NS
ROUND_THE_CLOCK = TradingSession(weekdays=WEEK, open="22:00", close="23:00")  # a test begins at 22:13:20


@pytest.mark.parametrize("policy", OnStop)
def test_orders_end_with_their_session_where_that_is_asked(policy: OnStop) -> None:
    held = Held()
    sessions = {BTC: InstrumentSettings(trading_session=ROUND_THE_CLOCK)}
    orders = evolve(CALM.orders, on_session_end=policy)
    held.world.settings = evolve(CALM, instruments=sessions, orders=orders)
    held.restart()
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90))
    order = held.world.orders()[-1]
    held.ack(order)
    held.world.clock.ns += HOUR_NS // 4
    held.world.tell()
    assert held.world.venue.take(CancelOrder) == []
    held.world.clock.ns += HOUR_NS
    held.world.tell()
    assert len(held.world.venue.take(CancelOrder)) == (policy is OnStop.CANCEL)


def test_a_day_ends_with_the_session() -> None:
    held = Held()
    sessions = {BTC: InstrumentSettings(trading_session=ROUND_THE_CLOCK)}
    held.world.settings = evolve(CALM, instruments=sessions)
    held.restart()
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90, time_in_force="day"))
    (sent,) = held.sent()
    assert sent.good_till_ns is not None
    assert sent.good_till_ns // SECOND_NS % 86_400 == 23 * 3_600


# --- links ------------------------------------------------------------------------------------------------------


def bracket(stop: Any = 95, target: Any = 110, quantity: Any = 2) -> Intent:
    """A buy with both exits."""
    legs = Bracket(stop=Leg(stop_price=stop), target=Leg(price=target))
    return Intent(instrument=BTC, side="buy", quantity=quantity, price=100, linked=legs)


def test_the_legs_of_a_bracket_wait_for_its_entry() -> None:
    held = Held()
    made = held.want(bracket())
    assert kinds(made) == ["OrderIntended", "SubmitRequested", *["OrderIntended", "OrderHeld"] * 2]
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    assert stop.parent == target.parent == entry.order_id
    assert stop.group == target.group is not None
    held.ack(entry)
    assert kinds(held.quote("90", "91")) == []  # nothing is held, so there is nothing to protect
    assert [sent.order_id for sent in held.sent()] == [entry.order_id]


def test_the_target_rests_once_the_entry_is_filled_and_the_stop_takes_its_place() -> None:
    held = Held()
    held.want(bracket())
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    held.ack(entry)
    held.sent()
    assert "SubmitRequested" in kinds(held.fill(entry, "2"))
    assert [(sent.order_id, sent.side, sent.price) for sent in held.sent()] == [(target.order_id, "sell", d(110))]
    held.ack(target)
    held.restart()
    made = held.quote("95", "96")
    assert kinds(made) == ["OrderTriggered", "CancelRequested"]
    assert held.sent() == []  # both could execute
    made = held.canceled(target)
    assert "SubmitRequested" in kinds(made)
    assert [(sent.order_id, sent.order_type, sent.quantity) for sent in held.sent()] == [
        (stop.order_id, "market", d(2))
    ]


def test_what_the_target_executed_while_it_was_canceled_the_stop_does_not_sell_again() -> None:
    held = Held()
    held.want(bracket())
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    held.fill(entry, "2")
    held.ack(target)
    held.sent()
    held.quote("95", "96")
    held.fill(target, "0.5", "110")
    assert held.now(stop).quantity == d("1.5")
    held.canceled(target)
    assert [(sent.order_id, sent.quantity) for sent in held.sent()] == [(stop.order_id, d("1.5"))]


def test_a_target_that_executes_takes_the_stop_with_it() -> None:
    held = Held()
    held.want(bracket())
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    held.fill(entry, "2")
    held.ack(target)
    held.fill(target, "0.5", "110")
    assert (held.now(stop).status, held.now(stop).quantity) == (INTENT, d("1.5"))
    held.fill(target, "1.5", "110")
    assert held.now(stop).status is CANCELED
    assert held.now(target).status is FILLED


def test_a_stop_protects_what_a_working_entry_has_executed_and_ends_the_rest() -> None:
    held = Held()
    held.want(bracket())
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    held.ack(entry)
    held.fill(entry, "0.5")
    held.sent()
    assert held.now(stop).quantity == d("0.5")
    assert held.now(target).status is INTENT  # it rests once the entry has done what it will
    held.quote("95", "96")
    assert [cancel.order_id for cancel in held.world.venue.take(CancelOrder)] == [entry.order_id]
    held.fill(entry, "0.2")  # it crosses the cancel
    held.canceled(entry)
    assert [(sent.order_id, sent.quantity) for sent in held.sent()] == [(stop.order_id, d("0.7"))]
    held.fill(stop, "0.7", "95")
    assert held.now(target).status is CANCELED


def test_legs_end_with_an_entry_that_never_executed() -> None:
    held = Held()
    held.want(bracket())
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    head = held.world.head(held.now(entry))
    held.world.tell(inputs.Rejected(**head, refusal=Refusal.DEFINITIVE, reason="no"))
    assert [held.now(leg).status for leg in (stop, target)] == [CANCELED, CANCELED]


def test_a_bad_leg_denies_the_whole() -> None:
    held = Held()
    made = held.want(bracket(stop="95.3"))
    assert kinds(made) == ["OrderIntended", "OrderDenied"]
    assert held.world.only().status is DENIED
    assert made[1].numbers["leg"] == "stop"  # type: ignore[attr-defined]


def test_a_single_stop_goes_to_a_venue_that_knows_it() -> None:
    held = Held(OrderType.STOP)
    held.want(Intent(instrument=BTC, side="buy", quantity=2, price=100, linked=Bracket(stop=Leg(stop_price=95))))
    entry = held.role(Role.ENTRY)
    held.sent()
    held.fill(entry, "2")
    assert [(sent.order_type, sent.stop_price, sent.quantity) for sent in held.sent()] == [("stop", d(95), d(2))]


def test_twins() -> None:
    held = Held()
    held.bought()
    made = held.want(sell(price=110, linked=Oco(Leg(stop_price=95))))
    assert kinds(made)[:4] == ["OrderIntended", "SubmitRequested", "OrderIntended", "OrderHeld"]
    target, stop = held.role(Role.TARGET), held.role(Role.STOP)
    held.ack(target)
    held.sent()
    held.fill(target, "1", "110")
    held.restart()
    held.quote("95", "96")
    held.canceled(target)
    assert [(sent.order_id, sent.quantity) for sent in held.sent()] == [(stop.order_id, d(1))]


def test_twins_the_other_way_round() -> None:
    held = Held(OrderType.STOP)
    held.bought()
    held.want(sell(order_type="stop", stop_price=95, linked=Oco(Leg(price=110))))
    assert [sent.price for sent in held.sent()] == [d(110)]  # the limit order rests, the engine keeps the stop
    assert held.role(Role.STOP).held == "its twin rests at the venue"


def test_a_venue_that_links_orders_gets_both() -> None:
    held = Held(OrderType.STOP, links=True)
    held.bought()
    held.want(sell(price=110, linked=Oco(Leg(stop_price=95))))
    first, second = held.sent()
    assert (first.order_type, second.order_type) == ("limit", "stop")
    assert first.group == second.group is not None
    target, stop = held.role(Role.TARGET), held.role(Role.STOP)
    assert (target.held, stop.held) == ("", "")
    held.ack(target)
    held.ack(stop)
    held.fill(target, "0.5", "110")
    restated = held.world.head(held.now(stop)) | {"venue_order_id": f"v-{stop.order_id}", "quantity": d("1.5")}
    held.world.tell(inputs.Restated(**restated))
    assert held.now(stop).leaves == d("1.5")
    assert kinds(held.quote("90", "91")) == []  # the venue watches it


def test_a_bracket_s_exits_go_to_a_venue_that_links_them_once_the_entry_is_done() -> None:
    held = Held(OrderType.STOP, links=True)
    held.want(bracket())
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    held.ack(entry)
    held.sent()
    held.fill(entry, "0.5")
    assert held.sent() == []  # until then the engine watches
    held.fill(entry, "1.5")
    assert {(sent.order_id, sent.quantity) for sent in held.sent()} == {(stop.order_id, d(2)), (target.order_id, d(2))}
    assert (held.now(stop).held, held.now(target).held) == ("", "")


def test_what_a_twin_executed_is_believed_from_the_answer_to_a_question_too() -> None:
    held = Held(OrderType.STOP, links=True)
    held.bought()
    held.want(sell(price=110, linked=Oco(Leg(stop_price=95))))
    stop = held.role(Role.STOP)
    held.ack(stop)
    held.world.clock.ns += SECOND_NS
    answer = held.world.status("new", order=held.now(stop), quantity=d("1.5"), asked_ns=held.world.clock.ns)
    assert "OrderRestated" in kinds(held.world.tell(answer))
    assert held.now(stop).quantity == d("1.5")


def test_a_venue_that_takes_lists_gets_twins_in_one_request() -> None:
    held = Held(OrderType.STOP, lists=True)
    held.bought()
    held.want(sell(price=110, linked=Oco(Leg(stop_price=95))))
    (sent,) = held.sent()
    target, stop = held.role(Role.TARGET), held.role(Role.STOP)
    assert sent.twin is not None
    assert {sent.order_id, sent.twin.order_id} == {target.order_id, stop.order_id}
    assert (sent.group, sent.twin.group, target.held, stop.held) == (None, None, "", "")
    held.ack(target)
    held.ack(stop)
    held.fill(target, "0.5", "110")
    held.world.tell(inputs.Expired(**held.world.head(held.now(stop)) | {"venue_order_id": f"v-{stop.order_id}"}))
    assert (held.now(stop).status, held.now(target).leaves) == (EXPIRED, d("1.5"))


def test_twins_in_one_request_are_in_doubt_together_and_never_sent_again() -> None:
    held = Held(OrderType.STOP, lists=True)
    held.bought()
    held.want(sell(price=110, linked=Oco(Leg(stop_price=95))))
    held.sent()
    held.restart()
    doubted = [order for order in held.world.orders() if order.is_in_doubt]
    assert {order.role for order in doubted} == {Role.TARGET, Role.STOP}
    assert held.sent() == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"price": 110, "linked": Oco(Leg(trail=5))},
        {"price": 110, "linked": Oco(Leg(stop_price=95)), "time_in_force": "ioc"},
        {"price": 110, "linked": Oco(Leg(stop_price=95)), "style": Work()},
    ],
)
def test_what_no_list_takes_the_engine_links(wanted: dict[str, Any]) -> None:
    held = Held(OrderType.STOP, OrderType.TRAILING_STOP, lists=True)
    held.bought()
    held.want(sell(**wanted))
    (sent,) = held.sent()
    assert (sent.twin, sent.price is not None) == (None, True)
    assert held.role(Role.STOP).held == "its twin rests at the venue"


def test_a_bracket_s_exits_are_no_list() -> None:
    held = Held(OrderType.STOP, lists=True)
    held.want(bracket())
    entry = held.role(Role.ENTRY)
    held.ack(entry)
    held.sent()
    held.fill(entry, "2")
    (sent,) = held.sent()
    assert (sent.twin, sent.order_id) == (None, held.role(Role.TARGET).order_id)


def test_two_alike_are_no_twins() -> None:
    held = Held()
    held.bought()
    made = held.want(sell(price=110, linked=Oco(Leg(price=111))))
    assert kinds(made) == ["OrderIntended", "OrderDenied"]
    assert made[1].reason == "linked"  # type: ignore[attr-defined]


def test_only_what_there_is_can_be_reduced() -> None:
    held = Held()
    assert kinds(held.want(sell(price=110))) == ["OrderIntended", "OrderDenied"]
    assert held.world.only().reason == "reduce_only"
    held.bought()
    assert "SubmitRequested" in kinds(held.want(sell(price=110)))
    held.world.clock.ns += 11 * SECOND_NS
    held.want(sell(price=111, quantity="0.1"))
    assert held.world.orders()[-1].reason == "reduce_only"


def test_an_order_of_ours_in_the_way_of_an_exit_is_canceled_first() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="stop", stop_price=95), Intent(instrument=BTC, side="buy", quantity=1, price=90))
    resting = held.world.orders()[-1]
    held.ack(resting)
    held.sent()
    held.quote("90", "91")
    assert held.sent() == []
    assert [cancel.order_id for cancel in held.world.venue.take(CancelOrder)] == [resting.order_id]
    held.canceled(resting)
    assert [sent.side for sent in held.sent()] == ["sell"]


def test_an_exit_fits_what_its_strategy_has_left() -> None:
    held = Held()
    held.want(bracket())
    entry, stop, target = held.role(Role.ENTRY), held.role(Role.STOP), held.role(Role.TARGET)
    held.fill(entry, "2")
    held.ack(target)
    held.want(Cancel(target.order_id))
    held.canceled(target)
    held.want(sell(order_type="market", quantity="1.5", time_in_force="ioc"))
    held.fill(held.world.orders()[-1], "1.5")
    held.sent()
    held.quote("95", "96")
    assert [(sent.order_id, sent.quantity) for sent in held.sent()] == [(stop.order_id, d("0.5"))]


def test_an_exit_with_nothing_to_close_ends() -> None:
    held = Held()
    held.bought()
    held.want(sell(order_type="stop", stop_price=95))
    order = held.world.orders()[-1]
    held.want(sell(order_type="market", time_in_force="ioc"))
    held.fill(held.world.orders()[-1], "2")
    held.sent()
    held.quote("95", "96")
    assert (held.now(order).status, held.now(order).reason) == (CANCELED, "nothing is left to close")
    assert held.sent() == []


def test_a_closed_entry_is_kept_for_as_long_as_a_leg_follows_it() -> None:
    held = Held()
    held.world.settings = evolve(CALM, orders=evolve(SETTINGS.orders, closed_kept_most=0))
    held.restart()
    held.want(bracket())
    entry, target = held.role(Role.ENTRY), held.role(Role.TARGET)
    held.fill(entry, "2")
    for _ in range(4):
        held.world.wait(100 * SECOND_NS)
        held.world.answer_snapshots()
    assert entry.order_id in held.world.state.orders
    held.fill(target, "2", "110")
    for _ in range(4):
        held.world.wait(100 * SECOND_NS)
        held.world.answer_snapshots()
    assert entry.order_id not in held.world.state.orders
    assert held.world.state.linked == {}


# --- whatever comes, in whatever order --------------------------------------------------------------------------

STEPS = (
    "fill entry",
    "fill target",
    "fill stop",
    "cancel entry",
    "cancel target",
    "cancel stop",
    "up",
    "down",
    "restart",
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=14), oco=st.booleans())
def test_a_bracket_never_closes_more_than_was_opened(steps: list[str], oco: bool) -> None:
    """Exits that could execute together never exceed what the entry has executed, whatever happens in between."""
    held = Held()
    if oco:
        held.bought()
        held.want(sell(price=110, linked=Oco(Leg(stop_price=95))))
    else:
        held.want(bracket())
    for step in steps:
        verb, _, name = step.partition(" ")
        if verb in ("up", "down"):
            held.quote(*(("109", "110") if verb == "up" else ("94", "95")))
        elif verb == "restart":
            held.restart()
        else:
            _happen(held, verb, name)
        _check_exits(held)


def _happen(held: Held, verb: str, name: str) -> None:
    found = [order for order in held.world.orders() if order.role == name and order.is_open]
    for order in found:
        if order.status is PENDING_NEW:
            held.ack(order)
        if verb == "cancel":
            held.canceled(order)
        elif order.leaves:
            part = min(order.leaves, d("0.7"))
            held.fill(order, str(part))


def _check_exits(held: Held) -> None:
    held.sent()
    orders = held.world.orders()
    exits = [order for order in orders if order.role in (Role.STOP, Role.TARGET)]
    executed = sum((order.filled for order in exits), d(0))
    live = sum((order.exposure for order in exits), d(0))
    bought = sum((order.filled for order in orders if order.side is Side.BUY), d(0))
    assert executed + live <= bought
    assert held.world.state.position(BTC, TREND).quantity >= 0
    assert all(order.status is not NEW or order.venue_order_id for order in orders)
