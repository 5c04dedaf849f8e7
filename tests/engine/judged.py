"""An order to judge, in a world that trades: short words for the tests of risk."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve

from engine import events, inputs
from engine.codec import decode
from engine.inputs import Balance, Level
from engine.limits import Limits, Measures, Risk
from engine.order import Order
from engine.risk import Approved, Denied, Verdict, judge
from engine.settings import Settings
from engine.values import (
    Asset,
    ClientOrderId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    exact_arithmetic,
)
from tests.engine.bench import BTC, DESCRIPTION, SETTINGS, TREND, d
from tests.engine.bench import VENUE as SIM
from tests.engine.world import ScriptedVenue, World


def limited(scope: str = "account", measures: Measures | None = None, **limits: Any) -> Settings:
    """Settings with these limits in one scope."""
    found = Limits(**limits)
    risk = {
        "account": Risk(account=found), "strategy": Risk(strategies={TREND: found}),
        "instrument": Risk(instruments={BTC: found}),
    }[scope]  # fmt: skip
    return evolve(SETTINGS, risk=risk if measures is None else evolve(risk, measures=measures))


def trading(settings: Settings = SETTINGS, balances: dict[str, str] | None = None, **bounds: Any) -> World:
    """One that trades, with a quote of 100 to 101; `bounds` are the instrument's, `balances` the account's."""
    first, *others = DESCRIPTION.instruments
    venue = ScriptedVenue(evolve(DESCRIPTION, instruments=(evolve(first, **bounds), *others)))
    if balances is not None:
        venue.balances = tuple(Balance(Asset(name), d(amount), d(0)) for name, amount in sorted(balances.items()))
    world = World(settings, venues=[venue])
    world.quote()
    return world


def wanted(
    world: World, quantity: str | Decimal = "1", price: str | Decimal | None = "100", side: Side = Side.BUY,
    **changes: Any,
) -> Order:  # fmt: skip
    """An order as it would be."""
    fields: dict[str, Any] = {
        "order_id": OrderId("wanted"), "strategy": TREND, "instrument": BTC, "venue": SIM, "side": side,
        "order_type": OrderType.LIMIT if price else OrderType.MARKET, "time_in_force": TimeInForce.GTC,
        "quantity": Decimal(quantity), "price": Decimal(price) if price else None, "created_ns": world.clock.ns,
        "updated_ns": world.clock.ns,
    }  # fmt: skip
    return Order(**(fields | changes))


def verdict(world: World, replaces: Order | None = None, **terms: Any) -> Verdict:
    """What risk says of such an order."""
    with exact_arithmetic():
        return judge(world.state, world.market, wanted(world, **terms), world.clock.ns, replaces=replaces)


def reason_of(world: World, replaces: Order | None = None, **terms: Any) -> str:
    """The reason code, or that it is approved."""
    said = verdict(world, replaces, **terms)
    return said.reason if isinstance(said, Denied) else "approved"


def numbers(world: World, **terms: Any) -> dict[str, str]:
    """The numbers that an approval saw."""
    said = verdict(world, **terms)
    assert isinstance(said, Approved)
    return said.numbers


def request(world: World, order_id: str = "other", **terms: Any) -> Order:
    """An order that was requested, straight into the journal."""
    order = wanted(world, **({"order_id": OrderId(order_id)} | terms))
    batch = [
        events.OrderIntended(
            order_id=order.order_id, strategy=order.strategy, strategy_version="1", instrument=order.instrument,
            venue=SIM, side=order.side, order_type=order.order_type, time_in_force=order.time_in_force,
            post_only=False, quantity=order.quantity, price=order.price, group=order.group,
        ),
        events.SubmitRequested(order_id=order.order_id, client_order_id=ClientOrderId(f"c-{order_id}")),
    ]  # fmt: skip
    world.runner._record(batch, world.clock.ns)
    world.runner._commit()
    return world.state.orders[order.order_id]


def fill(world: World, order: Order, quantity: str, price: str = "100", exec_id: str = "", **more: Any) -> None:
    """An execution of an order, as its venue tells it."""
    world.tell(world.trade(quantity, exec_id or f"e-{order.order_id}", price, order, **more))


def hold(
    world: World, quantity: str, price: str = "100", side: Side = Side.BUY, strategy: StrategyName = TREND,
    instrument: InstrumentName = BTC, **more: Any,
) -> Order:  # fmt: skip
    """A position, by an order that was executed in full."""
    name = f"held{len(world.state.orders)}"
    order = request(world, name, quantity=quantity, price=price, side=side, strategy=strategy, instrument=instrument)
    fill(world, order, quantity, price, **more)
    return order


def show_book(world: World, bids: list[Level], asks: list[Level]) -> None:
    """The depth that is visible from here on."""
    world.tell(inputs.BookSnapshot(BTC, tuple(bids), tuple(asks), 1, world.clock.ns, world.clock.ns))


def journaled(world: World, *kinds: type[Any]) -> list[Any]:
    """The events of these kinds in the journal."""
    found = (decode(entry).event for entry in world.log.read())
    return [event for event in found if isinstance(event, kinds)]
