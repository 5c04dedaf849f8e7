"""Each reason to say no, in each scope; what is in doubt counts as if it were live."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from engine import events, inputs
from engine.capabilities import Capabilities
from engine.inputs import Action, ClockMeasured, Quote, RequestKind, Scope
from engine.outbox import SubmitOrder
from engine.risk import Approved
from engine.strategy import Answers, Context, Intent
from engine.values import SECOND_NS, Duration, InstrumentName, OrderType, Side, StrategyName, TimeInForce
from tests.engine.bench import BTC, DESCRIPTION, ETH, MAKER, TREND, d, kinds
from tests.engine.bench import VENUE as SIM
from tests.engine.judged import limited, reason_of, request, trading, verdict
from tests.engine.world import ScriptedVenue, World, one_order, scripted

MS = 1_000_000


@pytest.mark.parametrize(
    ("reason", "bounds", "wanted"),
    [
        ("approved", {}, {}),
        ("quantity", {}, {"quantity": "0"}),
        ("quantity", {}, {"quantity": "-1"}),
        ("price", {}, {"price": "0"}),
        ("price", {}, {"price": "-5"}),
        ("price", {}, {"price": None, "order_type": OrderType.LIMIT}),
        ("price", {}, {"order_type": OrderType.MARKET}),
        ("post_only", {}, {"price": None, "post_only": True}),
        ("lot", {}, {"quantity": "0.15"}),
        ("tick", {}, {"price": "100.3"}),
        ("min_quantity", {"min_quantity": d(2)}, {"quantity": "1.9"}),
        ("approved", {"min_quantity": d(2)}, {"quantity": "2"}),
        ("max_quantity", {"max_quantity": d(2)}, {"quantity": "2.1"}),
        ("min_price", {"min_price": d(50)}, {"price": "49.5"}),
        ("max_price", {"max_price": d(500)}, {"price": "500.5"}),
        ("approved", {"max_price": d(500)}, {"price": "500"}),
        ("min_notional", {"min_notional": d(100)}, {"price": "99.5"}),
        ("approved", {"min_notional": d(100)}, {}),
        ("min_notional", {"min_notional": d(102)}, {"price": None}),
        ("approved", {"min_notional": d(101)}, {"price": None}),
        ("time_in_force_not_supported", {}, {"time_in_force": TimeInForce.FOK}),
    ],
)
def test_the_instruments_own_terms(reason: str, bounds: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert reason_of(trading(**bounds), **wanted) == reason


@pytest.mark.parametrize(
    ("reason", "changes", "wanted"),
    [
        ("order_type_not_supported", {"order_types": (OrderType.MARKET,)}, {}),
        ("post_only_not_supported", {"post_only": False}, {"post_only": True}),
    ],
)
def test_what_the_venue_can_not_do(reason: str, changes: dict[str, Any], wanted: dict[str, Any]) -> None:
    capabilities: Capabilities = evolve(DESCRIPTION.capabilities, **changes)
    world = World(venues=[ScriptedVenue(evolve(DESCRIPTION, capabilities=capabilities))])
    world.quote()
    assert reason_of(world, **wanted) == reason


LIMITS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("max_order_quantity", {"max_order_quantity": {BTC: d(2)}}, {"quantity": "2"}, {"quantity": "2.1"}),
    ("max_order_notional", {"max_order_notional": d(200)}, {"quantity": "2"}, {"quantity": "2.1"}),
    ("max_order_notional", {"max_order_notional": d(202)}, {"quantity": "2", "price": None},
     {"quantity": "2.1", "price": None}),
    ("max_position", {"max_position": {BTC: d(2)}}, {"quantity": "2"}, {"quantity": "2.1"}),
    ("max_position", {"max_position": {BTC: d(2)}}, {"quantity": "2", "side": Side.SELL},
     {"quantity": "2.1", "side": Side.SELL}),
    ("price_collar", {"price_collar": d("0.01")}, {"price": "102"}, {"price": "102.5"}),
    ("price_collar", {"price_collar": d("0.01")}, {"price": "99", "side": Side.SELL},
     {"price": "98.5", "side": Side.SELL}),
    ("price_collar", {"price_collar": d("0.01")}, {"price": "1"}, {"price": "900"}),
]  # fmt: skip


@pytest.mark.parametrize("scope", ["account", "strategy", "instrument"])
@pytest.mark.parametrize(("reason", "limits", "within", "beyond"), LIMITS)
def test_a_limit_in_each_scope(
    scope: str, reason: str, limits: dict[str, Any], within: dict[str, Any], beyond: dict[str, Any]
) -> None:
    world = trading(limited(scope, **limits))
    assert reason_of(world, **within) == "approved"
    assert reason_of(world, **beyond) == reason
    if scope == "strategy":
        assert reason_of(world, strategy=MAKER, **beyond) == "approved"


@pytest.mark.parametrize("scope", ["account", "strategy", "instrument"])
@pytest.mark.parametrize("limit", ["max_open_orders", "max_orders_per_minute", "max_position"])
def test_a_limit_counts_within_its_scope(scope: str, limit: str) -> None:
    amount: Any = {BTC: d(5), ETH: d(5)} if limit == "max_position" else 1
    world = trading(limited(scope, **{limit: amount}))
    other: tuple[InstrumentName, StrategyName] = {
        "account": (BTC, MAKER), "strategy": (BTC, MAKER), "instrument": (ETH, TREND)
    }[scope]  # fmt: skip
    request(world, "elsewhere", quantity="5", price="99.5", instrument=other[0], strategy=other[1])
    counted = scope == "account"
    assert reason_of(world) == (limit if counted else "approved")
    request(world, "here", quantity="5", price="99.5")
    assert reason_of(world) == limit
    assert reason_of(world, side=Side.SELL) == ("approved" if limit == "max_position" else limit)
    if limit == "max_orders_per_minute":
        world.tell(*(inputs.Ack(**world.head(order)) for order in world.orders()))
        world.clock.ns += 61 * SECOND_NS
        world.quote()
        assert reason_of(world) == "approved"


def test_what_is_in_doubt_counts_at_its_worst() -> None:
    world = trading(limited(max_position={BTC: d(5), ETH: d(5)}))
    order = request(world, quantity="4")
    world.tell(inputs.OutcomeUnknown(**world.head(order), request=RequestKind.NEW, cause="timeout"))
    assert reason_of(world, quantity="1") == "instrument_in_doubt"
    assert order.exposure == d(4)
    assert reason_of(world, instrument=ETH, quantity="5") == "approved"
    world.tell(world.status("new", order=order))
    assert reason_of(world, quantity="1") == "approved"
    assert reason_of(world, quantity="1.1") == "max_position"


# --- may anything be sent at all? -------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", Scope)
def test_a_pause_covers_its_scope(scope: Scope) -> None:
    world = trading()
    subject = {Scope.ALL: "", Scope.VENUE: SIM, Scope.INSTRUMENT: BTC, Scope.STRATEGY: TREND}[scope]
    world.command(Action.PAUSE, scope=scope, subject=subject)
    shut = scope in (Scope.ALL, Scope.VENUE)  # the one venue there is
    assert reason_of(world) == ("not_trading" if shut else "paused")
    spared: dict[Scope, dict[str, Any]] = {Scope.INSTRUMENT: {"instrument": ETH}, Scope.STRATEGY: {"strategy": MAKER}}
    if scope in spared:
        assert reason_of(world, **spared[scope]) == "approved"


def test_nothing_passes_before_trading_and_without_a_ready_venue() -> None:
    world = trading()
    world.tell(inputs.VenueLost(SIM, "x"))
    assert reason_of(world) == "not_trading"


# --- the age of a quote -----------------------------------------------------------------------------------------


def _aged(lag_ns: int, offset_ns: int = 0, limit_ns: int = 2 * SECOND_NS) -> str:
    """The verdict on a feed that is lively, and whose exchange times lie so far behind."""
    world = trading(limited(max_quote_age_ns=Duration(limit_ns)))
    if offset_ns:
        world.tell(ClockMeasured(SIM, offset_ns, 1))
    for _ in range(20):
        world.clock.ns += 100 * MS
        now = world.clock.ns
        world.tell(Quote(BTC, d(100), d(1), d(101), d(1), now, now - lag_ns))
    return reason_of(world)


def test_a_lively_feed_that_lags_is_refused() -> None:
    assert _aged(12 * SECOND_NS) == "max_quote_age"
    assert _aged(2 * SECOND_NS) == "approved"
    assert _aged(2 * SECOND_NS + 1) == "max_quote_age"


def test_a_feed_that_is_received_before_its_exchange_time_is_not() -> None:
    assert _aged(-1270 * MS) == "approved"


def test_the_measured_offset_of_the_venues_clock_is_taken_out() -> None:
    """The venue's clock is 300 ms behind ours: a quote that looks 2.2 s old is 1.9 s old."""
    assert _aged(2200 * MS) == "max_quote_age"
    assert _aged(2200 * MS, offset_ns=-300 * MS) == "approved"
    assert _aged(1900 * MS, offset_ns=300 * MS) == "max_quote_age"


def test_without_any_quote_there_is_nothing_to_act_on() -> None:
    world = World(limited(max_quote_age_ns=Duration(SECOND_NS)))
    assert reason_of(world) == "max_quote_age"
    world.quote(exchange_ns=None)
    assert reason_of(world) == "approved"
    world.clock.ns += SECOND_NS + 1
    assert reason_of(world) == "max_quote_age"


# --- one after the other ----------------------------------------------------------------------------------------


def _asking(*intents: Intent) -> Any:
    def script(callback: str, context: Context, argument: Any) -> Answers:
        return list(intents) if callback == "on_quote" else None

    return scripted(script)


def _buy(quantity: str, price: str = "100", **changes: Any) -> Intent:
    return Intent(instrument=BTC, side=Side.BUY, quantity=quantity, price=price, **changes)


def test_the_second_intent_of_a_call_sees_the_firsts_exposure() -> None:
    world = World(limited(max_position={BTC: d(5)}), {TREND: _asking(_buy("3"), _buy("3", "99"), _buy("2", "98"))})
    made = world.quote()
    assert [kind for kind in kinds(made) if kind != "StrategyAdvanced"] == [
        "OrderIntended", "SubmitRequested", "OrderIntended", "OrderDenied", "OrderIntended", "SubmitRequested"
    ]  # fmt: skip
    assert [request.quantity for request in world.venue.take(SubmitOrder)] == [d(3), d(2)]


def test_an_equal_denial_is_journaled_once_and_then_counted() -> None:
    world = World(limited(max_order_quantity={BTC: d(1)}), {TREND: _asking(_buy("3"))})
    for _ in range(50):
        world.quote()
        world.clock.ns += 100 * MS
    assert len(world.orders()) == 1
    world.clock.ns += 10 * SECOND_NS
    made = world.quote()
    (denied,) = [event for event in made if isinstance(event, events.OrderDenied)]
    assert (denied.reason, denied.repeats) == ("max_order_quantity", 49)


def test_an_equal_intent_is_refused_for_a_while() -> None:
    world = World(limited(duplicate_intent_ns=Duration(SECOND_NS)), {TREND: _asking(_buy("1"))})
    world.quote()
    world.clock.ns += SECOND_NS - 1
    world.quote()
    assert [order.reason for order in world.orders()] == ["", "duplicate_intent"]
    world.clock.ns += 1
    world.quote()
    assert len(world.venue.take(SubmitOrder)) == 2


def test_an_instrument_that_is_not_the_strategys_is_refused() -> None:
    for name in ("XRP-USDT", "ETH-USDT"):
        wanted = Intent(instrument=InstrumentName(name), side=Side.BUY, quantity="1", price="100")
        world = World(kinds={MAKER: _asking(wanted)})
        world.quote()
        assert [order.reason for order in world.orders()] == ["instrument_not_allowed"]


def test_an_approval_has_no_reason() -> None:
    world = one_order()
    assert isinstance(verdict(world), Approved)


@pytest.mark.parametrize(
    ("reason", "bounds", "quantity"),
    [
        ("lot", {"market_lot": d("0.5")}, "1.2"),
        ("min_quantity", {"min_market_quantity": d(2)}, "1"),
        ("max_quantity", {"max_market_quantity": d(2)}, "3"),
    ],
)
def test_an_order_at_any_price_has_bounds_of_its_own(reason: str, bounds: dict[str, Any], quantity: str) -> None:
    world = trading(**bounds)
    market: dict[str, Any] = {"price": None, "order_type": OrderType.MARKET}
    assert reason_of(world, quantity=quantity, **market) == reason
    assert reason_of(world, quantity=quantity) == "approved"
    assert reason_of(world, quantity="2", **market) == "approved"
