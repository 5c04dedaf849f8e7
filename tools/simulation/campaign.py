"""Campaigns: from a seed to a setting and a plan of faults and deaths, to a world, to a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import evolve, field, frozen

from adapters.simulated.faults import Faults, read_faults
from adapters.simulated.options import SimulatedOptions
from engine.inputs import Action, OperatorCommand
from engine.settings import Limits, Orders, Reconcile, Risk, Settings, StrategySettings
from engine.strategy import Strategy
from engine.values import MILLISECOND_NS, SECOND_NS, Duration, InstrumentName, OrderType, StrategyName, TimeInForce
from tools.simulation.clock import BEGIN_NS
from tools.simulation.dice import Dice
from tools.simulation.invariants import violations
from tools.simulation.plan import VENUE, Plan, Setting
from tools.simulation.restless import Restless
from tools.simulation.tangled import Tangled
from tools.simulation.world import World

__all__ = ["Dice", "Pace", "Verdict", "faults_of", "plan_of", "setting_of", "try_plan", "try_seed"]

INSTRUMENT = InstrumentName("BTC-USDT")
STRATEGY = StrategyName("restless")
SETTLE_NS = 120 * SECOND_NS
PLAIN = (OrderType.MARKET, OrderType.LIMIT)
LASTING = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
FAULTS = (
    "lose_request", "lose_reply", "delay_request", "delay_reply", "duplicate_reply", "error_reply", "busy", "drop",
    "delay", "duplicate", "reorder", "disconnect", "fail", "stale", "partial",
)  # fmt: skip


@frozen(kw_only=True)
class Pace:
    """How fast a world goes: its length, how often its market moves, how often it reconciles, how much goes wrong.

    Each kind of message fault is there by `chance` of a thousand, and then happens to up to `permille` of a thousand
    messages. `deaths` is the most of each kind; numbers of commits, releases and sends are drawn below `numbers`.
    """

    length_ns: int
    market_ns: int
    reconcile_ns: int
    permille: int
    deaths: int
    numbers: int
    chance: int = 450


STORM = Pace(
    length_ns=30 * SECOND_NS, market_ns=100 * MILLISECOND_NS, reconcile_ns=10 * SECOND_NS, permille=60, deaths=4,
    numbers=120,
)  # fmt: skip
"""Half a minute in which everything happens."""

DAY = Pace(
    length_ns=4 * 3_600 * SECOND_NS, market_ns=60 * SECOND_NS, reconcile_ns=300 * SECOND_NS, permille=120, deaths=8,
    numbers=600,
)  # fmt: skip
"""Hours of a quiet market with a quote a minute, and trouble all the time."""

HURRICANE = Pace(
    length_ns=1_200 * SECOND_NS, market_ns=2 * SECOND_NS, reconcile_ns=60 * SECOND_NS, permille=600, deaths=8,
    numbers=600, chance=800,
)  # fmt: skip
"""Twenty minutes in which hardly a message arrives as it was sent."""


@frozen(kw_only=True)
class Verdict:
    """How one world ended. `matrix` counts (fault, state of an order that it met), `again` is what repeats it."""

    seed: int
    problems: tuple[str, ...]
    settled: bool
    virtual_ns: int
    starts: int
    deaths: Mapping[str, int]
    events: int
    orders: int
    fills: int
    state_digest: str
    faults: int = 0
    matrix: Mapping[tuple[str, str], int] = field(factory=dict)
    struck: tuple[tuple[str, str], ...] = ()


def setting_of(
    seed: int, faults: Mapping[str, Any] | None = None, pace: Pace = STORM, *, is_tangled: bool = False
) -> Setting:
    """The world's parts: a restless strategy on a generated market, with these faults; or a tangled one, on an exchange
    that knows all kinds of orders, or few."""
    kind: type[Strategy] = Tangled if is_tangled else Restless
    settings = Settings(
        venues={VENUE: "simulated"},
        strategies={
            STRATEGY: StrategySettings(
                strategy_class=f"{kind.__module__}:{kind.__name__}",
                instruments=(INSTRUMENT,), tag="rest", params={"quantity": "0.01"},
            )
        },
        risk=Risk(
            account=Limits(
                max_position={INSTRUMENT: Decimal("0.2")}, max_order_quantity={INSTRUMENT: Decimal("0.15")},
                max_open_orders=12 if is_tangled else 6, max_quote_age_ns=Duration(5 * SECOND_NS),
            )
        ),
        orders=Orders(),
        reconcile=Reconcile(every_ns=Duration(pace.reconcile_ns)),
    )  # fmt: skip
    options = SimulatedOptions(seed=seed, every_ns=Duration(pace.market_ns))
    if is_tangled and seed % 2:
        options = evolve(options, order_types=PLAIN, times_in_force=LASTING, links=False)
    if faults is not None:
        options = evolve(options, faults=read_faults(dict(faults)))
    return Setting(settings=settings, strategies={STRATEGY: kind}, symbols={INSTRUMENT: "BTCUSDT"}, options=options)


def faults_of(dice: Dice, pace: Pace = STORM) -> dict[str, Any]:
    """Message faults, each keyed to message counters by its own chance."""
    found: dict[str, Any] = {"seed": dice.below(1_000_000)}
    for kind in FAULTS:
        if dice.chance(pace.chance):
            found[kind] = {"permille": 5 + dice.below(pace.permille)}
    return found


def plan_of(dice: Dice, length_ns: int, pace: Pace = STORM) -> Plan:
    """Deaths at named points and moments, and what else may happen to a machine and its operator."""

    def numbered(name: str, most: int) -> dict[int, int]:
        fork = dice.fork(name)
        return {1 + fork.below(pace.numbers): _down_ns(fork) for _ in range(fork.below(most))}

    def timed(name: str, most: int) -> dict[int, int]:
        fork = dice.fork(name)
        return {BEGIN_NS + fork.below(length_ns): _down_ns(fork) for _ in range(fork.below(most))}

    clock = dice.fork("clock")
    jumps = {at: _jump_ns(clock) for at in timed("clock_at", pace.deaths // 2)} if clock.chance(300) else {}
    return Plan(
        before_commit=numbered("before_commit", pace.deaths), after_commit=numbered("after_commit", pace.deaths),
        before_release=numbered("before_release", pace.deaths), after_release=numbered("after_release", pace.deaths),
        commit_lost=numbered("commit_lost", pace.deaths // 2), commit_kept=numbered("commit_kept", pace.deaths // 2),
        freeze_at_send=numbered("freeze_at_send", pace.deaths // 2),
        engine_at=timed("engine_at", pace.deaths), exchange_at=timed("exchange_at", pace.deaths // 2),
        mute_at=timed("mute_at", pace.deaths // 2), deaf_at=timed("deaf_at", pace.deaths // 2),
        clock_at=jumps, ahead_ns=clock.below(800 * MILLISECOND_NS) - 400 * MILLISECOND_NS if clock.chance(300) else 0,
        commands_at=_commands(dice.fork("operator"), length_ns),
        snapshot_every=(0, 40, 400)[dice.fork("snapshot").below(3)],
    )  # fmt: skip


def _down_ns(dice: Dice) -> int:
    return (1 + dice.below(40)) * 100 * MILLISECOND_NS


def _jump_ns(dice: Dice) -> int:
    """Some too small to matter, some far beyond what an expiry forgives."""
    size_ns = (150, 400, 3_000, 30_000)[dice.below(4)] * MILLISECOND_NS
    return size_ns if dice.chance(500) else -size_ns


def _commands(dice: Dice, length_ns: int) -> dict[int, OperatorCommand]:
    """Now and then an operator who pauses or kills, and resumes."""
    found: dict[int, OperatorCommand] = {}
    if dice.chance(250):
        at, action = BEGIN_NS + dice.below(length_ns), (Action.PAUSE, Action.KILL)[dice.below(2)]
        found[at] = OperatorCommand(action=action, uid=0, pid=1, reason="to see what happens")
        if dice.chance(700):
            later_ns = at + length_ns // 10 + 1
            found[later_ns] = OperatorCommand(action=Action.RESUME, uid=0, pid=1, reason="enough seen")
    return found


def try_seed(
    seed: int, length_ns: int | None = None, faults: Mapping[str, Any] | None = None, pace: Pace = STORM, *,
    is_tangled: bool = False,
) -> tuple[Verdict, World]:  # fmt: skip
    """One world from its seed: the safety phase, then the liveness phase, then the verdict.

    `faults` are those of the messages; by the seed if none are given.
    """
    dice = Dice(seed)
    length_ns = length_ns or pace.length_ns
    table = faults or faults_of(dice.fork("faults"), pace)
    setting = setting_of(seed, table, pace, is_tangled=is_tangled)
    return try_plan(setting, plan_of(dice.fork("plan"), length_ns, pace), seed, length_ns)


def try_plan(setting: Setting, plan: Plan, seed: int, length_ns: int) -> tuple[Verdict, World]:
    """One world of these parts, and its verdict."""
    world = World(setting, plan, seed)
    world.run_until(BEGIN_NS + length_ns)
    settled = world.settle(SETTLE_NS)
    problems = violations(world, settled=settled)
    if not settled:
        problems.append(f"S1: not settled within {SETTLE_NS // SECOND_NS} s")
    return _verdict(world, seed, problems, settled), world


def explicit(setting: Setting, struck: tuple[tuple[str, str], ...]) -> Setting:
    """The same setting with only those faults of messages, each `(venue, "FAULT KIND NUMBER")`."""
    only: dict[Any, Faults] = {}
    for name, site in setting.exchanges().items():
        mine = frozenset(strike for venue, strike in struck if venue == name)
        only[name] = evolve(site.options.faults, only=mine)
    return setting.with_faults(only)


def _verdict(world: World, seed: int, problems: list[str], settled: bool) -> Verdict:
    state, tally = world.engine.state if world.engine else None, world.tally
    return Verdict(
        seed=seed, problems=tuple(problems), settled=settled, virtual_ns=world.clock.now - BEGIN_NS,
        starts=tally.starts, deaths=dict(tally.deaths), events=world.log.seq,
        orders=len(state.orders) if state else 0, fills=len(state.executions) if state else 0,
        state_digest=world.log.chain.hex(), faults=tally.faults, matrix=dict(tally.matrix),
        struck=tuple((str(venue), strike) for venue, strike in tally.struck),
    )  # fmt: skip
