"""Whole systems in virtual time: killed at named points, with faults on every message, and nothing lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest

from engine import events, order_guards
from engine.appliers import APPLIERS
from engine.inputs import Action, OperatorCommand
from engine.order import LIFE, Order
from engine.values import MILLISECOND_NS, SECOND_NS
from tests.house.source import ROOT
from tools.simulation.campaign import DAY, HURRICANE, Pace, setting_of, try_plan, try_seed
from tools.simulation.clock import BEGIN_NS
from tools.simulation.invariants import violations
from tools.simulation.plan import Plan
from tools.simulation.shrink import Case, name_of, shrink
from tools.simulation.world import World

# Each of these once ended badly: an absence window that every cancel moved, an account opened by a stale snapshot.
ONCE_BAD = (8, 14, 30, 80, 109)
A_SLICE = 6
SEEDS_OF_A_SLICE = 1_000_000


def slice_of_this_commit() -> list[int]:
    """Other seeds with every commit, the same for everybody who tests that commit."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False)
    return [crc32(done.stdout + bytes([number])) % SEEDS_OF_A_SLICE for number in range(A_SLICE)]


@pytest.mark.parametrize("seed", [*ONCE_BAD, *slice_of_this_commit()])
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    verdict, _world = try_seed(seed)
    assert verdict.problems == ()


@pytest.mark.parametrize("seed", [0, 1, *(seed % 1_000 for seed in slice_of_this_commit()[:2])])
def test_links_hold_whatever_dies(seed: int) -> None:
    """Brackets, twins, stops and worked orders, on an exchange that knows them (even seeds) and one that does not."""
    verdict, _world = try_seed(seed, is_tangled=True)
    assert verdict.problems == ()


def test_deaths_and_fills_do_happen() -> None:
    """A campaign in which nothing happens proves nothing."""
    verdicts = [try_seed(seed)[0] for seed in range(4)]
    assert sum(sum(verdict.deaths.values()) for verdict in verdicts) >= 10
    assert min(verdict.orders for verdict in verdicts) > 0
    assert sum(verdict.fills for verdict in verdicts) > 40


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_a_seed_is_a_run_to_the_byte(hash_seed: str) -> None:
    code = "from tools.simulation.campaign import try_seed; print(try_seed(3)[0].state_digest)"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == try_seed(3)[0].state_digest


# --- what can happen to a world ---------------------------------------------------------------------------------


def a_world(plan: Plan, faults: dict[str, Any] | None = None) -> World:
    return World(setting_of(5, faults or {"seed": 1}), plan, 5)


def a_plan(**changes: Any) -> Plan:
    return Plan(**changes)


def ended(world: World) -> list[str]:
    world.run_until(BEGIN_NS + 20 * SECOND_NS)
    return violations(world, settled=world.settle(120 * SECOND_NS))


@pytest.mark.parametrize("pace", [DAY, HURRICANE], ids=["day", "hurricane"])
def test_hours_and_hurricanes(pace: Pace) -> None:
    verdict, _world = try_seed(2, pace=pace)
    assert verdict.problems == ()
    assert verdict.virtual_ns > pace.length_ns
    assert verdict.faults > 20


@pytest.mark.parametrize("asleep_ms", [300, 5_000], ids=["a moment", "longer than any expiry"])
def test_a_process_that_is_stopped_in_a_send_wakes_up_after_its_successor_began(asleep_ms: int) -> None:
    world = a_world(Plan(freeze_at_send={9: asleep_ms * MILLISECOND_NS}))
    assert ended(world) == []
    assert world.tally.deaths == {"stopped": 1}
    assert world.tally.starts == 2


@pytest.mark.parametrize("direction", ["mute_at", "deaf_at"])
def test_half_open_connections(direction: str) -> None:
    world = a_world(a_plan(**{direction: {BEGIN_NS + 8 * SECOND_NS: 4 * SECOND_NS}}))
    assert ended(world) == []
    kinds = [entry.kind for entry in world.log.entries]
    assert kinds.count("VenueLost") == 1
    assert "FillBooked" in kinds[kinds.index("VenueLost") :]


@pytest.mark.parametrize("jump_ms", [-30_000, -3_000, -150, 150, 3_000, 30_000])
def test_a_clock_that_jumps(jump_ms: int) -> None:
    plan = Plan(clock_at={BEGIN_NS + 7 * SECOND_NS: jump_ms * MILLISECOND_NS})
    world = a_world(plan, {"delay_request": {"permille": 300, "by": "900ms"}})
    assert ended(world) == []
    assert [entry.kind for entry in world.log.entries].count("ClockJumped") >= 1


@pytest.mark.parametrize("kind", ["commit_lost", "commit_kept"])
def test_a_commit_with_an_unknown_outcome_ends_the_process(kind: str) -> None:
    world = a_world(a_plan(**{kind: {30: SECOND_NS}}))
    assert ended(world) == []
    assert world.tally.deaths == {"at an unknown commit": 1}


def test_starts_from_snapshots_lead_to_the_same() -> None:
    deaths = {BEGIN_NS + n * 2 * SECOND_NS: SECOND_NS for n in range(1, 8)}
    worlds = [a_world(Plan(engine_at=deaths, snapshot_every=every)) for every in (0, 25)]
    assert [ended(world) for world in worlds] == [[], []]
    assert worlds[0].log.chain == worlds[1].log.chain


def test_a_latch_that_a_restart_forgets_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pause = OperatorCommand(action=Action.PAUSE, uid=0, pid=1, reason="a test")
    plan = Plan(commands_at={BEGIN_NS + 5 * SECOND_NS: pause}, engine_at={BEGIN_NS + 9 * SECOND_NS: SECOND_NS})
    assert ended(a_world(plan)) == []
    start = APPLIERS[events.ProcessStarted]

    def forgetful(state: Any, at: Any, event: Any) -> None:
        start(state, at, event)
        state.pauses.clear()

    monkeypatch.setitem(APPLIERS, events.ProcessStarted, forgetful)
    assert any(problem.startswith("O4") for problem in ended(a_world(plan)))


def test_exposure_that_is_not_counted_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "exposure", property(lambda self: self.leaves if not self.is_in_doubt else Decimal(0)))
    world = a_world(Plan(), {"lose_reply": {"permille": 400, "on": ["place"]}})
    assert any(problem.startswith("O5") for problem in ended(world))


# --- what is left of a failure ----------------------------------------------------------------------------------


def test_a_failure_is_shrunk_to_the_faults_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not found is believed at once: it takes a request on its way and a question that overtakes it."""
    faults = {"seed": 1, "delay_request": {"permille": 1000, "by": "800ms"}, "duplicate": {"permille": 100}}
    plan = Plan(engine_at={BEGIN_NS + n * SECOND_NS: SECOND_NS // 2 for n in range(3, 12)})
    setting, length_ns = setting_of(5, faults), 15 * SECOND_NS
    assert try_plan(setting, plan, 5, length_ns)[0].problems == ()
    monkeypatch.setitem(order_guards.GUARDS, "proves_absence", lambda look: True)
    verdict, _world = try_plan(setting, plan, 5, length_ns)
    assert verdict.problems
    case = Case(setting=setting, plan=plan, seed=5, length_ns=length_ns, struck=verdict.struck)
    smaller = shrink(case, name_of(verdict), 120)
    assert smaller.try_again() == name_of(verdict)
    assert 1 <= len(smaller.told()) < len(case.told()) // 3
    assert not any("duplicate" in line for line in smaller.told())


def test_the_life_table_is_what_runs() -> None:
    assert LIFE.find("in_doubt", "not_found")[0].guard == "proves_absence"
