"""Each reason code, once just inside its limit and once just outside; and no reason code without a case."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, fields

from engine import events, inputs
from engine.capabilities import Capabilities, VenueDescription
from engine.events import Event
from engine.inputs import AccountMargin, Action, Quote, RequestKind, Scope, Section, TradeTick
from engine.instructions import Leg, Oco, Work
from engine.instrument import InstrumentKind, PriceBands
from engine.limits import NOT_LIMITS, CollarFrom, Limits, Measures
from engine.order import Order
from engine.outbox import SubmitOrder
from engine.reasons import REASONS
from engine.risk import LIMIT_CHECKS
from engine.sessions import TradingSession, Weekday
from engine.settings import InstrumentSettings, Settings
from engine.strategy import Answers, Context, Intent, Replace
from engine.system import VenueState
from engine.values import (
    SECOND_NS,
    Asset,
    Duration,
    ExecId,
    InstrumentName,
    Liquidity,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
)
from tests.engine.bench import BTC, DESCRIPTION, ETH, MAKER, SETTINGS, T0_NS, TREND, d
from tests.engine.bench import VENUE as SIM
from tests.engine.judged import fill, hold, limited, reason_of, request, show_book, trading
from tests.engine.world import ScriptedVenue, World, scripted
from tests.house.source import ROOT

Pair = tuple[str, str]
"""The reasons just inside a limit and just outside it."""

CASES: dict[str, Callable[[], Pair]] = {}
SELL: dict[str, Any] = {"side": Side.SELL}
MARKET: dict[str, Any] = {"price": None}


def case(name: str) -> Callable[[Callable[[], Pair]], Callable[[], Pair]]:
    """Register a case by its reason."""

    def register(pair: Callable[[], Pair]) -> Callable[[], Pair]:
        assert name not in CASES
        CASES[name] = pair
        return pair

    return register


def by_terms(name: str, inside: dict[str, Any], outside: dict[str, Any], settings: Settings = SETTINGS,
             **bounds: Any) -> None:  # fmt: skip
    """A case whose two orders differ, in one world."""

    def pair() -> Pair:
        world = trading(settings, **bounds)
        return reason_of(world, **inside), reason_of(world, **outside)

    case(name)(pair)


by_terms("quantity", {"quantity": "0.1"}, {"quantity": "0"})
by_terms("price", {"price": "0.5"}, {"price": "0"})
by_terms("post_only", {"post_only": True}, {"post_only": True, **MARKET})
by_terms("lot", {"quantity": "0.1"}, {"quantity": "0.15"})
by_terms("tick", {"price": "100.5"}, {"price": "100.3"})
by_terms("min_quantity", {"quantity": "2"}, {"quantity": "1.9"}, min_quantity=d(2))
by_terms("max_quantity", {"quantity": "2"}, {"quantity": "2.1"}, max_quantity=d(2))
by_terms("min_price", {"price": "50"}, {"price": "49.5"}, min_price=d(50))
by_terms("max_price", {"price": "500"}, {"price": "500.5"}, max_price=d(500))
by_terms("min_notional", {"price": "100"}, {"price": "99.5"}, min_notional=d(100))
by_terms("max_notional", {"price": "100"}, {"price": "100.5"}, max_notional=d(100))
BANDS = PriceBands(d("0.5"), d("1.1"), d("0.9"), d(5))
by_terms("price_band", {"price": "110.5"}, {"price": "111"}, price_bands=BANDS)
by_terms("no_depth", {"quantity": "9", **MARKET}, {"quantity": "9.1", **MARKET})
by_terms("max_order_quantity", {"quantity": "2"}, {"quantity": "2.1"}, limited(max_order_quantity={BTC: d(2)}))
by_terms("max_order_notional", {"quantity": "2"}, {"quantity": "2.1"}, limited(max_order_notional=d(200)))
by_terms("min_order_notional", {"quantity": "2"}, {"quantity": "1.9"}, limited(min_order_notional=d(200)))
by_terms("price_collar", {"price": "102"}, {"price": "102.5"}, limited(price_collar=d("0.01")))
by_terms("max_position", {"quantity": "2"}, {"quantity": "2.1"}, limited(max_position={BTC: d(2)}))
by_terms("allowed_instruments", {"instrument": ETH}, {"instrument": BTC}, limited(allowed_instruments=(ETH,)))
BOUNDED: dict[str, Any] = {"price": None, "worst_price": d("102")}
by_terms("max_slippage", {"max_slippage": d("0.01"), **BOUNDED}, {"max_slippage": d("0.011"), **BOUNDED},
         limited(max_slippage=d("0.01")))  # fmt: skip
STOP: dict[str, Any] = {"order_type": OrderType.STOP, "price": None}
by_terms("stop_price", {"stop_price": d("0.5"), **STOP}, {"stop_price": d(0), **STOP})
TRAILING: dict[str, Any] = {"order_type": OrderType.TRAILING_STOP, "price": None}
by_terms("trail", {"trail": d("0.5"), **TRAILING}, {"trail": d(0), **TRAILING})
by_terms("style", {"style": Work()}, {"style": Work(), "time_in_force": TimeInForce.IOC})
GTD: dict[str, Any] = {"time_in_force": TimeInForce.GTD}
by_terms("expires", {"good_till_ns": T0_NS + 3600 * SECOND_NS, **GTD}, {"good_till_ns": T0_NS, **GTD})
by_terms("max_daily_fees", {"quantity": "10"}, {"quantity": "10.1"},
         limited(max_daily_fees=d(1), measures=Measures(fee_rate=d("0.001"))))  # fmt: skip


def by_listing(name: str, inside: dict[str, Any], outside: dict[str, Any]) -> None:
    """A case whose two worlds list the instrument differently; the last instant of a contract is in test_registry."""
    case(name)(lambda: (reason_of(trading(**inside)), reason_of(trading(**outside))))


by_listing("instrument_halted", {"is_halted": False}, {"is_halted": True})
by_listing("instrument_expired", {"expiry_ns": T0_NS + 3600 * SECOND_NS}, {"expiry_ns": T0_NS})
by_listing("inverse_not_supported", {"settlement_asset": Asset("USDT")}, {"settlement_asset": Asset("BTC")})


WAITING: dict[str, Any] = {"stop_price": d(110), "order_type": OrderType.STOP, "price": None}


def _beside(terms: dict[str, Any], **bounds: Any) -> str:
    """The verdict on an order beside another one that is open."""
    world = trading(**bounds)
    request(world, **terms)
    return reason_of(world, **terms)


def listed(**bounds: Any) -> VenueDescription:
    """The venue, with other terms of its first instrument."""
    first, *others = DESCRIPTION.instruments
    return evolve(DESCRIPTION, instruments=(evolve(first, **bounds), *others))


def _owed(terms: dict[str, Any], maintenance: int, **limits: Any) -> str:
    """The verdict on an order for a contract, of an account with an equity of 100."""
    venue = ScriptedVenue(listed(kind=InstrumentKind.PERPETUAL))
    venue.complete = tuple(Section)
    world = World(limited(**limits), venues=[venue])
    world.quote()
    margin = AccountMargin(Asset("USDT"), d(100), d(maintenance))
    world.state.venues[SIM] = evolve(world.state.venues[SIM], margin=margin)
    return reason_of(world, **terms)


LEVERED: dict[str, Any] = {"max_leverage": d(3)}
HELD: dict[str, Any] = {"max_margin_ratio": d("0.5")}
case("max_leverage")(lambda: (_owed({"quantity": "2.9"}, 0, **LEVERED), _owed({"quantity": "3"}, 0, **LEVERED)))
case("max_margin_ratio")(lambda: (_owed({}, 50, **HELD), _owed({}, 51, **HELD)))
case("max_orders")(lambda: (_beside({}, max_orders=2), _beside({}, max_orders=1)))
case("max_stops")(lambda: (_beside(WAITING, max_stops=2), _beside(WAITING, max_stops=1)))


@case("instrument_not_listed")
def _not_listed() -> Pair:
    world = trading()
    inside, description = reason_of(world), world.state.venues[SIM].description
    assert description is not None
    others = tuple(listed for listed in description.instruments if listed.name != BTC)
    world.tell(inputs.VenueDescribed(evolve(description, instruments=others)))
    return inside, reason_of(world)


def _can(**changes: Any) -> World:
    capabilities: Capabilities = evolve(DESCRIPTION.capabilities, **changes)
    world = World(venues=[ScriptedVenue(evolve(DESCRIPTION, capabilities=capabilities))])
    world.quote()
    return world


@case("order_type_not_supported")
def _order_type() -> Pair:
    return reason_of(_can()), reason_of(_can(order_types=(OrderType.MARKET,)))


@case("time_in_force_not_supported")
def _time_in_force() -> Pair:
    ioc: dict[str, Any] = {"time_in_force": TimeInForce.IOC}
    return reason_of(_can(), **ioc), reason_of(_can(times_in_force=(TimeInForce.GTC,)), **ioc)


@case("post_only_not_supported")
def _post_only() -> Pair:
    return reason_of(_can(), post_only=True), reason_of(_can(post_only=False), post_only=True)


@case("replace_not_supported")
def _replace() -> Pair:
    found = []
    for can in (True, False):
        world = _can(replace=can)
        found.append(reason_of(world, replaces=request(world)))
    return found[0], found[1]


@case("not_trading")
def _not_trading() -> Pair:
    world = trading()
    inside = reason_of(world)
    world.command(Action.PAUSE)
    return inside, reason_of(world)


@case("paused")
def _paused() -> Pair:
    world = trading()
    world.command(Action.PAUSE, scope=Scope.INSTRUMENT, subject=BTC)
    return reason_of(world, instrument=ETH), reason_of(world)


@case("venue_not_ready")
def _venue_not_ready() -> Pair:
    """Set by hand: the system leaves trading in the same instant, and says so first."""
    world = trading()
    inside = reason_of(world)
    world.state.venues[SIM] = evolve(world.state.venues[SIM], state=VenueState.RECONCILING)
    return inside, reason_of(world)


@case("instrument_in_doubt")
def _in_doubt() -> Pair:
    world = trading()
    order = request(world)
    inside = reason_of(world)
    world.tell(inputs.OutcomeUnknown(**world.head(order), request=RequestKind.NEW, cause="timeout"))
    return inside, reason_of(world)


def _intents(*answers: Any, name: Any = TREND) -> World:
    """A world whose strategy answers once, with the orders it has so far."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        done = context.memory.setdefault("done", 0)
        if callback != "on_quote" or done >= len(answers):
            return None
        context.memory["done"] = done + 1
        answer = answers[done]
        return [answer(context) if callable(answer) else answer]

    return World(kinds={name: scripted(script)})


def _buy(instrument: InstrumentName = BTC, **more: Any) -> Intent:
    return Intent(instrument=instrument, side=Side.BUY, quantity="1", price="100", **more)


@case("instrument_not_allowed")
def _instrument_not_allowed() -> Pair:
    found = []
    for instrument in (BTC, ETH):
        world = _intents(_buy(instrument), name=MAKER)  # it trades BTC alone
        world.quote()
        found.append(world.only().reason or "approved")
    return found[0], found[1]


@case("order_not_replaceable")
def _not_replaceable() -> Pair:
    found = []
    for is_acknowledged in (True, False):
        world = _intents(_buy(), lambda context: Replace(context.open_orders()[0].order_id, quantity="2"))
        world.quote()
        if is_acknowledged:
            world.tell(inputs.Ack(**world.head()))
        made = world.quote()
        denied = [event.reason for event in made if isinstance(event, events.ReplaceDenied)]
        found.append(denied[0] if denied else "approved")
    return found[0], found[1]


@case("linked")
def _linked() -> Pair:
    """Twins on one side: one stop and one limit order, not two of a kind."""
    found = []
    for other in (Leg(stop_price="110"), Leg(price="99")):
        world = _intents(_buy(linked=Oco(other)))
        world.quote()
        found.append(world.orders()[0].reason or "approved")
    return found[0], found[1]


@case("self_trade")
def _self_trade() -> Pair:
    world = trading()
    request(world, price="101", strategy=MAKER, **SELL)
    return reason_of(world, price="100.5"), reason_of(world, price="101")


def _in_session(opens: str, closes: str, **more: Any) -> Settings:
    session = TradingSession(open=opens, close=closes, weekdays=(Weekday.TUESDAY,), **more)
    return evolve(SETTINGS, instruments={BTC: InstrumentSettings(trading_session=session)})


@case("trading_session")
def _trading_session() -> Pair:
    """T0 is a Tuesday, 22:13:20 UTC."""
    opened, shut = _in_session("22:13", "23:00"), _in_session("22:14", "23:00")
    assert T0_NS % (86_400 * SECOND_NS) == (22 * 3600 + 13 * 60 + 20) * SECOND_NS
    return reason_of(trading(opened)), reason_of(trading(shut))


@case("holidays")
def _holidays() -> Pair:
    before, on_it = (_in_session("22:00", "23:00", holidays=(day,)) for day in ("2023-11-13", "2023-11-14"))
    return reason_of(trading(before)), reason_of(trading(on_it))


@case("max_quote_age")
def _quote_age() -> Pair:
    world = trading(limited(max_quote_age_ns=Duration(SECOND_NS)))
    world.clock.ns += SECOND_NS
    inside = reason_of(world)
    world.clock.ns += 1
    return inside, reason_of(world)


@case("max_spread")
def _spread() -> Pair:
    world = trading(limited(max_spread=d("0.02")))
    world.quote("99", "101")
    inside = reason_of(world)
    world.quote("99", "101.5")
    return inside, reason_of(world)


@case("reduce_only")
def _reduce_only() -> Pair:
    world = trading(limited(reduce_only=True))
    hold(world, "5")
    request(world, quantity="2", **SELL)
    return reason_of(world, quantity="3", **SELL), reason_of(world, quantity="3.1", **SELL)


@case("max_gross_exposure")
def _gross() -> Pair:
    world = trading(limited(max_gross_exposure=d(2010)))  # the mark is 100.5
    _quote_eth(world)
    hold(world, "10", instrument=ETH, side=Side.SELL)
    request(world, quantity="5", price="99")
    return reason_of(world, quantity="5", price="99"), reason_of(world, quantity="5.1", price="99")


@case("max_net_exposure")
def _net() -> Pair:
    world = trading(limited(max_net_exposure=d(1005)))
    _quote_eth(world)
    hold(world, "10", instrument=ETH, side=Side.SELL)
    request(world, quantity="15", price="99")
    return reason_of(world, quantity="5", price="99"), reason_of(world, quantity="5.1", price="99")


def _quote_eth(world: World) -> None:
    now_ns = world.clock.ns
    world.tell(Quote(ETH, d(100), d(50), d(101), d(50), now_ns, now_ns))


@case("check_funds")
def _funds() -> Pair:
    settings = limited(check_funds=True, measures=Measures(fee_rate=d("0.01")))
    world = trading(settings, balances={"BTC": "5", "USDT": "1010"})
    request(world, quantity="4")
    return reason_of(world, quantity="6"), reason_of(world, quantity="6.1")


@case("max_open_orders")
def _open_orders() -> Pair:
    world = trading(limited(max_open_orders=1))
    inside = reason_of(world)
    request(world)
    return inside, reason_of(world)


@case("max_orders_per_second")
def _per_second() -> Pair:
    return _rate("max_orders_per_second", SECOND_NS)


@case("max_orders_per_minute")
def _per_minute() -> Pair:
    return _rate("max_orders_per_minute", 60 * SECOND_NS)


def _rate(name: str, within_ns: int) -> Pair:
    limits: dict[str, Any] = {name: 2}
    world = trading(limited(**limits))
    request(world, "first")
    world.clock.ns += 1
    request(world, "second")
    outside = reason_of(world)
    world.tell(*(inputs.Ack(**world.head(order)) for order in world.orders()))
    world.clock.ns += within_ns - 1
    world.quote()
    return reason_of(world), outside


@case("duplicate_intent")
def _duplicate() -> Pair:
    world = trading(limited(duplicate_intent_ns=Duration(SECOND_NS)))
    request(world)
    world.clock.ns += SECOND_NS - 1
    outside = reason_of(world)
    world.clock.ns += 1
    return reason_of(world), outside


@case("max_rejects")
def _rejects() -> Pair:
    world = trading(limited(max_rejects=2))
    for name in ("r1", "r2"):
        outside = reason_of(world)
        assert outside == "approved"
        world.tell(inputs.Rejected(**world.head(request(world, name)), reason="no"))
    outside = reason_of(world)
    world.clock.ns += 60 * SECOND_NS
    world.quote()
    return reason_of(world), outside


@case("max_repeated_executions")
def _repeated() -> Pair:
    """By risk itself: in a run the trip that follows the second execution pauses its scope before anybody is asked."""
    world = trading()
    world.state.settings = limited(max_repeated_executions=3)
    inside = ""
    for number in range(3):
        inside = reason_of(world)
        order = request(world, f"x{number}")
        world.runner._record([_booked(order)], world.clock.ns)
        world.runner._commit()
    return inside, reason_of(world)


def _booked(order: Order) -> Event:
    return events.FillBooked(
        order_id=order.order_id, exec_id=ExecId(f"e-{order.order_id}"), venue=SIM, instrument=BTC, strategy=TREND,
        side=order.side, quantity=order.quantity, price=d(100), fee=None, fee_asset=None,
        liquidity=Liquidity.UNKNOWN,
    )  # fmt: skip


@case("cool_down_after_fill")
def _after_fill() -> Pair:
    world = trading(limited(cool_down_after_fill_ns=Duration(SECOND_NS)))
    hold(world, "1")
    return _cool_down(world)


@case("cool_down_after_loss")
def _after_loss() -> Pair:
    world = trading(limited(cool_down_after_loss_ns=Duration(SECOND_NS)))
    hold(world, "2")
    hold(world, "1", price="100", side=Side.SELL)
    assert reason_of(world) == "approved"  # that was no loss
    hold(world, "1", price="99.5", side=Side.SELL)
    return _cool_down(world)


def _cool_down(world: World) -> Pair:
    world.clock.ns += SECOND_NS - 1
    outside = reason_of(world)
    world.clock.ns += 1
    return reason_of(world), outside


@case("max_daily_loss")
def _daily_loss() -> Pair:
    return _loss(max_daily_loss=d(50))


@case("max_drawdown")
def _drawdown() -> Pair:
    return _loss(max_drawdown=d(50))


def _loss(**limits: Any) -> Pair:
    """Long 10 from 100, closed at the bid: 95.5 is a loss of 45, to which the order may add at once its spread."""
    world = trading(limited(**limits))
    hold(world, "10")
    world.quote("95.5", "96")
    return reason_of(world, quantity="9.9", price="96"), reason_of(world, quantity="10", price="96")


# --- all of them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_reason_just_inside_and_just_outside(name: str) -> None:
    assert CASES[name]() == ("approved", name)


def test_no_reason_lacks_a_case() -> None:
    assert set(CASES) == set(REASONS)


def test_every_limit_is_a_reason_of_its_own_name() -> None:
    names = {field.name.removesuffix("_ns") for field in fields(Limits) if field.name not in NOT_LIMITS}
    assert {check.__name__ for check in LIMIT_CHECKS} | {"duplicate_intent"} == names
    assert names <= set(REASONS)


def _said() -> Iterator[tuple[Path, str]]:
    """The reason codes that the engine's source writes down."""
    for path in sorted((ROOT / "engine").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("Denied", "deny"):
                yield path, str(node.args[0].value)


def test_no_reason_is_given_that_is_not_in_the_table() -> None:
    found = list(_said())
    assert len(found) > 20
    assert [(path.name, name) for path, name in found if name not in REASONS] == []


# --- more of a limit than its edge ------------------------------------------------------------------------------


def test_an_order_without_a_price_is_judged_at_the_worst_level_that_it_needs() -> None:
    world = trading(limited(max_order_notional=d(306)))
    show_book(world, [(d(100), d(1))], [(d(101), d(1)), (d(102), d(2)), (d(110), d(5))])
    assert reason_of(world, quantity="3", **MARKET) == "approved"  # 3 x 102
    assert reason_of(world, quantity="3.1", **MARKET) == "max_order_notional"  # 3.1 x 110
    assert reason_of(world, quantity="8.1", **MARKET) == "no_depth"
    assert reason_of(world, quantity="1", **MARKET, **SELL) == "approved"
    assert reason_of(world, quantity="1.1", **MARKET, **SELL) == "no_depth"


def test_a_slippage_bound_ends_the_walk() -> None:
    world = trading(limited(max_slippage=d("0.01")))
    show_book(world, [(d(100), d(9))], [(d(101), d(1)), (d("102.01"), d(2)), (d("102.02"), d(5))])
    assert reason_of(world, quantity="3", **MARKET) == "approved"
    assert reason_of(world, quantity="3.1", **MARKET) == "no_depth"
    narrow: dict[str, Any] = {"max_slippage": d("0.005"), "worst_price": d("101.5"), **MARKET}
    assert reason_of(world, quantity="1", **narrow) == "approved"
    assert reason_of(world, quantity="1.1", **narrow) == "no_depth"


def test_beyond_the_touch_the_bound_is_the_worst_price() -> None:
    """Where there are quotes alone: 9 are shown at 101, and 1 % beyond that is 102.01."""
    world = trading(limited(max_slippage=d("0.01"), max_order_notional=d("1020.1")))
    assert reason_of(world, quantity="9", **MARKET) == "approved"
    assert reason_of(world, quantity="10", **MARKET) == "approved"
    assert reason_of(world, quantity="10.1", **MARKET) == "max_order_notional"


def test_the_configured_bound_is_kept_by_the_venue() -> None:
    """A market order without a bound of its own leaves as a limit order at the configured one."""
    intent = Intent(instrument=BTC, side=Side.BUY, quantity="1", order_type=OrderType.MARKET)
    world = World(
        limited(max_slippage=d("0.01")), {TREND: scripted(lambda c, *_: [intent] if c == "on_quote" else None)}
    )
    world.quote()
    (sent,) = world.venue.take(SubmitOrder)
    assert (sent.order_type, sent.price, sent.time_in_force) == (OrderType.LIMIT, d(102), TimeInForce.IOC)


def test_a_replacement_only_reduces_as_well() -> None:
    world = trading()
    hold(world, "5")
    order = request(world, quantity="2", price="110", **SELL)
    world.tell(inputs.Ack(**world.head(order)))
    order = evolve(world.state.orders[order.order_id], reduce_only=True)
    terms: dict[str, Any] = {"order_id": order.order_id, "reduce_only": True, "price": "110", **SELL}
    assert reason_of(world, order, quantity="5", **terms) == "approved"
    assert reason_of(world, order, quantity="5.1", **terms) == "reduce_only"


def test_no_quote_no_market_order() -> None:
    world = World()
    assert reason_of(world, **MARKET) == "no_depth"
    assert reason_of(world) == "approved"


def test_a_collar_around_the_last_trade() -> None:
    world = trading(limited(price_collar=d("0.01"), price_collar_from=CollarFrom.TRADE))
    assert reason_of(world) == "price_collar"  # there has been none
    world.tell(TradeTick(BTC, d(200), d(1), world.clock.ns))
    assert reason_of(world, price="202") == "approved"
    assert reason_of(world, price="202.5") == "price_collar"
    assert reason_of(world, price="198", **SELL) == "approved"
    assert reason_of(world, price="197.5", **SELL) == "price_collar"


def test_a_waiting_stop_is_meant_to_be_away_from_the_market() -> None:
    settings = limited(price_collar=d("0.01"), max_order_notional=d(190), max_slippage=d("0.05"))
    capabilities = evolve(DESCRIPTION.capabilities, order_types=tuple(OrderType))
    world = World(settings, venues=[ScriptedVenue(evolve(DESCRIPTION, capabilities=capabilities))])
    world.quote()
    hold(world, "2")
    stop: dict[str, Any] = {**SELL, "order_type": OrderType.STOP_LIMIT, "stop_price": d(80), "price": "79.5"}
    assert reason_of(world, **stop) == "approved"
    assert reason_of(world, **(stop | {"price": "79"})) == "price_collar"
    buy: dict[str, Any] = {"order_type": OrderType.STOP, "price": None, "stop_price": d(180), "quantity": "1"}
    assert reason_of(world, **buy) == "approved"  # at worst 180 x 1.05
    assert reason_of(world, **(buy | {"stop_price": d(181)})) == "max_order_notional"


def test_a_closing_order_passes_an_exposure_that_is_too_large_already() -> None:
    world = trading(limited(max_gross_exposure=d(500), max_net_exposure=d(500)))
    hold(world, "10")
    assert reason_of(world, quantity="0.1") == "max_gross_exposure"
    assert reason_of(world, quantity="10", **SELL, price="101") == "approved"
    assert reason_of(world, quantity="20.1", **SELL, price="101") == "max_gross_exposure"


def test_without_a_mark_an_exposure_is_refused_and_says_so() -> None:
    world = trading(limited(max_gross_exposure=d(500)))
    assert reason_of(world, instrument=ETH) == "max_gross_exposure"
    hold(world, "1", instrument=ETH)
    assert reason_of(world) == "max_gross_exposure"
    _quote_eth(world)
    assert reason_of(world) == "approved"


def test_exposures_in_several_assets_are_one_in_the_accounts_currency() -> None:
    """ETH is quoted in EUR here; a EUR is worth 2 USDT by configuration, and by the mark of an instrument once there
    is one."""
    first, second = DESCRIPTION.instruments
    venue = ScriptedVenue(evolve(DESCRIPTION, instruments=(first, evolve(second, quote=Asset("EUR")))))
    measures = Measures(currency=Asset("USDT"), conversions={Asset("EUR"): d(2)})
    world = World(limited(max_gross_exposure=d(402), measures=measures), venues=[venue])
    world.quote()
    _quote_eth(world)
    hold(world, "1", instrument=ETH)
    assert reason_of(world, quantity="2") == "approved"  # 1 x 100.5 x 2 + 2 x 100.5
    assert reason_of(world, quantity="2.1") == "max_gross_exposure"
    world.state.settings = limited(max_gross_exposure=d(402), measures=evolve(measures, conversions={}))
    assert reason_of(world, quantity="2") == "max_gross_exposure"
    world.state.settings = limited(max_gross_exposure=d(402))  # each quote asset by itself
    assert reason_of(world, quantity="4") == "approved"


def test_funds_of_a_sell_are_the_base_asset() -> None:
    world = trading(limited(check_funds=True), balances={"BTC": "5", "USDT": "0"})
    request(world, quantity="2", price="101", **SELL)
    assert reason_of(world, quantity="3", price="101", **SELL) == "approved"
    assert reason_of(world, quantity="3.1", price="101", **SELL) == "check_funds"
    assert reason_of(world, quantity="0.1") == "check_funds"


def test_what_is_in_doubt_locks_its_funds() -> None:
    world = trading(limited(check_funds=True), balances={"BTC": "5", "USDT": "1000"})
    order = request(world, quantity="5", instrument=ETH)
    assert reason_of(world, quantity="5") == "approved"
    world.tell(inputs.OutcomeUnknown(**world.head(order), request=RequestKind.NEW, cause="timeout"))
    assert reason_of(world, quantity="5") == "approved"
    assert reason_of(world, quantity="5.1") == "check_funds"
    fill(world, order, "5")
    assert reason_of(world, quantity="5") == "approved"
    assert reason_of(world, quantity="5.1") == "check_funds"


def test_linked_exits_count_once() -> None:
    """A stop and a target for the same position: what one of them executes, the other loses."""
    world = trading(limited(max_position={BTC: d(5)}))
    hold(world, "5")
    request(world, "target", quantity="5", price="110", group=OrderId("g"), **SELL)
    second: dict[str, Any] = {"quantity": "5", "price": "109", "group": OrderId("g"), "reduce_only": True, **SELL}
    assert reason_of(world, **second) == "approved"
    assert reason_of(world, **(second | {"group": None})) == "reduce_only"
    assert reason_of(world, quantity="5", price="109", **SELL) == "approved"
    assert reason_of(world, quantity="5.1", price="109", **SELL) == "max_position"


def test_an_order_says_itself_that_it_only_reduces() -> None:
    world = trading()
    only: dict[str, Any] = {"reduce_only": True, "quantity": "1"}
    assert reason_of(world, **only) == "reduce_only"
    hold(world, "1", side=Side.SELL, price="101", strategy=MAKER)
    assert reason_of(world, **only) == "reduce_only"  # somebody else's position is not this strategy's
    hold(world, "1", side=Side.SELL, price="101")
    assert reason_of(world, **only) == "approved"
    assert reason_of(world, **only, **SELL) == "reduce_only"


def test_fees_of_the_day_count_until_it_ends() -> None:
    settings = limited(max_daily_fees=d(3), measures=Measures(fee_rate=d("0.001"), day_begins="22:30"))
    world = trading(settings)
    hold(world, "1", fee=d("2.9"), fee_asset=Asset("USDT"))
    assert reason_of(world) == "approved"
    assert reason_of(world, price="100.5") == "max_daily_fees"
    world.clock.ns += 1000 * SECOND_NS  # 22:30:00, and 20 s after the day began
    world.quote()
    assert reason_of(world, quantity="10") == "approved"


def test_fees_in_an_asset_without_a_mark_are_refused_and_said() -> None:
    world = trading(limited(max_daily_fees=d(3)))
    hold(world, "1", fee=d("0.01"), fee_asset=Asset("BNB"))
    assert reason_of(world) == "max_daily_fees"
    world.state.settings = limited(
        max_daily_fees=d(3), measures=Measures(currency=Asset("USDT"), conversions={Asset("BNB"): d(300)})
    )
    assert reason_of(world) == "approved"
    hold(world, "1", fee=d("0.01"), fee_asset=Asset("BTC"))  # at the mark of 100.5
    assert reason_of(world) == "max_daily_fees"


@pytest.mark.parametrize("said", [{"trail_fraction": d(1)}, {"trail_fraction": d("0.1"), "trail": d(1)}, {}])
def test_a_stop_trails_in_one_way_and_by_less_than_all(said: dict[str, Any]) -> None:
    assert reason_of(trading(), **said, **TRAILING) == "trail"
    assert reason_of(trading(), trail_fraction=d("0.1"), **TRAILING) == "approved"
