"""Small worlds in virtual time: the real engine, adapter and exchange with a handful of orders, some 30 ms of CPU each.

`make_world` builds one from a seed, `finish` lets its faults end and gives every violated invariant. The strategies
are scripts: functions of (callback, context, argument), as in the engine's own tests.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any
from zlib import crc32

from adapters.simulated import ledger, wire
from adapters.simulated.faults import read_faults
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.state import State as ExchangeState
from adapters.simulated.state import fold as fold_exchange
from engine.inputs import Action, OperatorCommand, Quote
from engine.outbox import SubmitOrder
from engine.settings import Evaluate, Orders, Reconcile, Risk, Settings, StrategySettings
from engine.state import State
from engine.strategy import Answers, Cancel, Context, Intent, Strategy
from engine.token import TOKEN_LENGTH
from engine.values import MILLISECOND_NS, SECOND_NS, Duration, InstrumentName, Side, StrategyName
from tests.engine.world import scripted
from tests.house.source import ROOT
from tools.simulation.clock import BEGIN_NS
from tools.simulation.invariants import violations
from tools.simulation.process import Engine
from tools.simulation.world import VENUE, Plan, Setting, World, fold, recorded

BTC = InstrumentName("BTC-USDT")
SYMBOL = "BTCUSDT"
ONE = StrategyName("one")
OTHER = StrategyName("other")
EVERY_NS = 2 * SECOND_NS
"""How often a small world compares its books with the exchange."""

SEEDS_OF_A_SLICE = 1_000_000

Script = Callable[[str, Context, Any], Answers]


def seeds(most: int) -> list[int]:
    """So many seeds: one half always the same, so that what a test waits for does happen, the other half new with every
    commit, the same for everybody who tests that commit. PAIN_SEEDS asks for another number:

    `PAIN_SEEDS=10000 pytest tests/pains -n auto -k pain_02` is the campaign that a release is shown to pass.
    """
    wanted = int(os.environ.get("PAIN_SEEDS", most))
    new = [crc32(_commit() + str(number).encode()) % SEEDS_OF_A_SLICE for number in range(wanted // 2)]
    return [*range(wanted - len(new)), *new]


@cache
def _commit() -> bytes:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False)
    return done.stdout


def make_world(
    seed: int, scripts: Mapping[StrategyName, Script], faults: Mapping[str, Any] | None = None, *,
    plan: Plan | None = None, orders: Orders | None = None, risk: Risk | None = None,
    evaluate: Evaluate | None = None, **options: Any,
) -> World:  # fmt: skip
    """A world with these strategies and faults; `options` are the exchange's, whose market moves twice a second."""
    settings = Settings(
        venues={VENUE: "simulated"},
        strategies={
            name: StrategySettings(
                strategy_class="tests:Scripted", instruments=(BTC,), tag=str(name), evaluate=evaluate or Evaluate()
            )
            for name in scripts
        },
        orders=orders or Orders(),
        risk=risk or Risk(),
        reconcile=Reconcile(every_ns=Duration(EVERY_NS)),
    )
    options = {"every_ns": Duration(500 * MILLISECOND_NS)} | options
    exchange = SimulatedOptions(seed=seed, faults=read_faults({"seed": seed} | dict(faults or {})), **options)
    kinds: dict[StrategyName, type[Strategy]] = {name: scripted(script) for name, script in scripts.items()}
    setting = Setting(settings=settings, strategies=kinds, symbols={BTC: SYMBOL}, options=exchange)
    return World(setting, plan or Plan(), seed)


def run_until_asked(world: World, orders: int = 1) -> None:
    """Let time pass until so many new orders have left the engine; within a hundredth of a second."""
    for _ in range(3_000):
        if len(submits_of(world)) >= orders:
            return
        run_for(world, 0, 10)
    raise AssertionError(f"{len(submits_of(world))} of {orders} orders left within 30 s")


def run_for(world: World, seconds: int, milliseconds: int = 0) -> None:
    """Let so much time pass."""
    world.run_until(world.clock.now + seconds * SECOND_NS + milliseconds * MILLISECOND_NS)


def finish(world: World, limit_ns: int = 90 * SECOND_NS) -> list[str]:
    """The faults end, the world comes to rest: what is wrong with it, nothing is good."""
    settled = world.settle(limit_ns)
    problems = violations(world, settled=settled)
    return problems if settled else [*problems, f"S1: not settled within {limit_ns // SECOND_NS} s"]


# --- scripts ----------------------------------------------------------------------------------------------------


def eager(most: int = 3, quantity: str = "0.01", *, ends_far: bool = False) -> Script:
    """Orders on every quote on which nothing of its own is open, `most` times: what "ordering again" is made of.
    By turns at the other side's best price, where it trades, and at its own, where it rests; with `ends_far` the last
    one far below the market."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote" or context.open_orders() or context.memory.get("asked", 0) >= most:
            return None
        context.memory["asked"] = asked = context.memory.get("asked", 0) + 1
        price = argument.ask if asked % 2 else argument.bid
        if ends_far and asked == most:
            price = Decimal(int(price) // 2)
        return [Intent(instrument=BTC, side=Side.BUY, quantity=quantity, price=price)]

    return script


def resting(quantity: str = "0.01", orders: int = 1) -> Script:
    """Some buy orders far below the market, and nothing else ever."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback != "on_quote" or context.memory.get("done"):
            return None
        context.memory["done"] = True
        price = Decimal(int(argument.bid) // 2)
        return [Intent(instrument=BTC, side=Side.BUY, quantity=quantity, price=price - n) for n in range(orders)]

    return script


def restless(most: int = 12, quantity: str = "0.01") -> Script:
    """Buys and sells around the touch and cancels what rests, by chance: up to `most` orders."""

    def script(callback: str, context: Context, argument: Any) -> Iterator[Intent | Cancel]:
        if callback != "on_quote":
            return
        dice = context.random()
        for order in context.open_orders():
            if dice.randrange(4) == 0:
                yield Cancel(order.order_id)
        if context.memory.get("asked", 0) < most and len(context.open_orders()) < 3:
            context.memory["asked"] = context.memory.get("asked", 0) + 1
            yield _around(argument, Decimal(quantity), dice.randrange(1_000))

    return script


def _around(quote: Quote, quantity: Decimal, dice: int) -> Intent:
    side = Side.BUY if dice % 2 else Side.SELL
    price = (quote.ask if dice % 3 else quote.bid) + Decimal(dice % 5 - 2) / 100
    return Intent(instrument=BTC, side=side, quantity=quantity * (1 + dice % 4), price=price)


# --- what is there ----------------------------------------------------------------------------------------------


def engine_of(world: World) -> Engine:
    """The living engine."""
    assert world.engine is not None, "the engine is dead"
    return world.engine


def state_of(world: World) -> State:
    """What the journal amounts to."""
    return fold(world.log)


def events_of(world: World, *kinds: type[Any]) -> list[Any]:
    """What is recorded of these kinds of event, in order: `seq`, `at_ns` and the `event` itself."""
    return [one for one in recorded(world.log) if isinstance(one.event, kinds)]


def submits_of(world: World) -> list[SubmitOrder]:
    """The new orders that left the engine."""
    return [request for request in world.tally.left if isinstance(request, SubmitOrder)]


def exchange_of(world: World) -> ExchangeState:
    """What the exchange's ledger amounts to."""
    return fold_exchange(world.ledger.entries)


def accepted_of(world: World) -> dict[str, int]:
    """How many orders there are at the exchange for each of our order ids."""
    counted: dict[str, int] = {}
    for entry in world.ledger.entries:
        fact = ledger.fact_of(entry)
        if isinstance(fact, ledger.OrderAccepted):
            order_id = fact.client_order_id[:TOKEN_LENGTH]
            counted[order_id] = counted.get(order_id, 0) + 1
    return counted


def executed_of(world: World) -> dict[str, tuple[int, ledger.OrderExecuted]]:
    """The ledger's executions by their id, with the instant of each."""
    facts = ((entry, ledger.fact_of(entry)) for entry in world.ledger.entries)
    return {f"x{entry.seq}": (entry.at_ns, fact) for entry, fact in facts if isinstance(fact, ledger.OrderExecuted)}


def statuses_of(world: World) -> list[str]:
    """The status of every order, oldest first."""
    return [str(order.status) for order in state_of(world).orders.values()]


# --- what is done to it -----------------------------------------------------------------------------------------


def set_faults(world: World, faults: Mapping[str, Any]) -> None:
    """From now on these faults."""
    assert world.floor.gateway is not None
    world.floor.gateway.set_faults(read_faults({"seed": world.seed} | dict(faults)))


def place_by_hand(world: World, request: wire.OrderRequest) -> None:
    """Somebody else trades on the same account: by hand, by another program, or the broker itself."""
    connection = world.floor.connect(lambda delivery: None)
    world.floor.send(connection, 1, request)
    run_for(world, 0, 20)
    world.floor.disconnect(connection)


def command(action: Action, **more: Any) -> OperatorCommand:
    """An operator's order."""
    fields: dict[str, Any] = {"action": action, "uid": 1000, "pid": 1}
    return OperatorCommand(**(fields | more))


def restarts(first_ns: int, times: int, apart_ns: int = SECOND_NS) -> Plan:
    """The engine's process dies so many times, and is back a tenth of a second later."""
    down_ns = 100 * MILLISECOND_NS
    return Plan(engine_at={BEGIN_NS + first_ns + number * apart_ns: down_ns for number in range(times)})
