"""Campaigns: from a seed to a plan of faults and deaths, to a world, to a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

from attrs import evolve, frozen

from adapters.simulated.faults import read_faults
from adapters.simulated.options import SimulatedOptions
from engine.settings import Limits, Orders, Reconcile, Risk, Settings, StrategySettings
from engine.values import MILLISECOND_NS, SECOND_NS, Duration, InstrumentName, StrategyName
from tools.simulation.clock import BEGIN_NS
from tools.simulation.invariants import violations
from tools.simulation.restless import Restless
from tools.simulation.world import VENUE, Plan, Setting, World

INSTRUMENT = InstrumentName("BTC-USDT")
STRATEGY = StrategyName("restless")
SETTLE_NS = 120 * SECOND_NS


class Dice:
    """An own generator with named forks: a function of seed, name and count, the same in every Python."""

    def __init__(self, seed: int, name: str = "") -> None:
        self._seed, self._name, self._count = seed, name, 0

    def fork(self, name: str) -> Dice:
        """A generator of its own: what is drawn here does not move what is drawn there."""
        return Dice(self._seed, f"{self._name}/{name}")

    def below(self, most: int) -> int:
        """A number from 0 up to, not including, `most`."""
        self._count += 1
        text = f"{self._seed}{self._name}/{self._count}"
        return int.from_bytes(sha256(text.encode()).digest()[:8], "big") % most

    def chance(self, permille: int) -> bool:
        """True so many times in a thousand."""
        return self.below(1_000) < permille


@frozen(kw_only=True)
class Verdict:
    """How one world ended."""

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


def setting_of(seed: int, faults: Mapping[str, Any] | None = None) -> Setting:
    """The world's parts: a restless strategy on a generated market, with faults by the seed."""
    settings = Settings(
        venues={VENUE: "simulated"},
        strategies={
            STRATEGY: StrategySettings(
                strategy_class="tools.simulation.restless:Restless",
                instruments=(INSTRUMENT,), tag="rest", params={"quantity": "0.01"},
            )
        },
        risk=Risk(
            account=Limits(
                max_position={INSTRUMENT: Decimal("0.2")}, max_open_orders=6, max_quote_age_ns=Duration(5 * SECOND_NS)
            )
        ),
        orders=Orders(),
        reconcile=Reconcile(every_ns=Duration(10 * SECOND_NS)),
    )  # fmt: skip
    options = SimulatedOptions(seed=seed)
    if faults is not None:
        options = evolve(options, faults=read_faults(dict(faults)))
    return Setting(settings=settings, strategies={STRATEGY: Restless}, symbols={INSTRUMENT: "BTCUSDT"}, options=options)


def faults_of(dice: Dice) -> dict[str, Any]:
    """Message faults, each keyed to message counters by its own chance."""
    kinds = (
        "lose_request", "lose_reply", "delay_request", "delay_reply", "duplicate_reply", "error_reply", "busy", "drop",
        "delay", "duplicate", "reorder", "disconnect", "fail", "stale", "partial",
    )  # fmt: skip
    found: dict[str, Any] = {"seed": dice.below(1_000_000)}
    for kind in kinds:
        if dice.chance(450):
            found[kind] = {"permille": 5 + dice.below(60)}
    return found


def plan_of(dice: Dice, length_ns: int) -> Plan:
    """Deaths at named points and moments."""
    engine_at = {BEGIN_NS + dice.below(length_ns): _down_ns(dice) for _ in range(dice.below(4))}
    exchange_at = {BEGIN_NS + dice.below(length_ns): _down_ns(dice) for _ in range(dice.below(2))}
    return Plan(
        before_commit=_numbers(dice.fork("before_commit")),
        after_commit=_numbers(dice.fork("after_commit")),
        before_release=_numbers(dice.fork("before_release")),
        after_release=_numbers(dice.fork("after_release")),
        engine_at=engine_at,
        exchange_at=exchange_at,
    )


def _numbers(dice: Dice) -> dict[int, int]:
    return {1 + dice.below(120): _down_ns(dice) for _ in range(dice.below(4))}


def _down_ns(dice: Dice) -> int:
    return (1 + dice.below(40)) * 100 * MILLISECOND_NS


def try_seed(
    seed: int, length_ns: int = 30 * SECOND_NS, faults: Mapping[str, Any] | None = None
) -> tuple[Verdict, World]:
    """One world from its seed: the safety phase, then the liveness phase, then the verdict.

    `faults` are those of the messages; by the seed if none are given.
    """
    dice = Dice(seed)
    world = World(
        setting_of(seed, faults or faults_of(dice.fork("faults"))), plan_of(dice.fork("plan"), length_ns), seed
    )
    world.run_until(BEGIN_NS + length_ns)
    settled = world.settle(SETTLE_NS)
    problems = violations(world, settled=settled)
    if not settled:
        problems.append(f"S1: not settled within {SETTLE_NS // SECOND_NS} s")
    return _verdict(world, seed, problems, settled), world


def _verdict(world: World, seed: int, problems: list[str], settled: bool) -> Verdict:
    state = world.engine.state if world.engine else None
    return Verdict(
        seed=seed, problems=tuple(problems), settled=settled, virtual_ns=world.clock.now - BEGIN_NS,
        starts=world.tally.starts, deaths=dict(world.tally.deaths), events=world.log.seq,
        orders=len(state.orders) if state else 0, fills=len(state.executions) if state else 0,
        state_digest=world.log.chain.hex(),
    )  # fmt: skip
