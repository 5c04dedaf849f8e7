"""The kill switch: pain 19, at random points of worlds in which everything else goes wrong as well."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from engine import events, risk
from engine.inputs import Action
from engine.risk import Denied, Sight
from engine.strategy import Context
from engine.values import SECOND_NS
from tests.pains.small_world import (
    ONE,
    Script,
    command,
    events_of,
    exchange_of,
    finish,
    make_world,
    restarts,
    resting,
    restless,
    run_for,
    seeds,
    state_of,
    submits_of,
)
from tools.simulation.clock import BEGIN_NS
from tools.simulation.log import Crashed
from tools.simulation.world import World

FAULTS: dict[str, dict[str, Any]] = {
    "nothing else": {},
    "lost replies": {"lose_reply": {"permille": 400}, "error_reply": {"permille": 200}},
    "lost cancels": {"lose_request": {"permille": 600, "on": ["cancel"]}, "drop": {"permille": 300}},
    "reconnects": {"disconnect": {"permille": 120, "on": ["place", "cancel", "execution", "order", "market"]}},
    "late submits": {"delay_request": {"permille": 700, "on": ["place"], "by": "900ms"}},
}


def order_kill(world: World, **more: Any) -> int:
    """An operator orders it, again until a living process has taken it; gives the seq of the order."""
    for _ in range(500):
        if world.engine is not None:
            world.engine.inbox.deliver(command(Action.KILL, **more))
        run_for(world, 0, 20)
        for one in events_of(world, events.OperatorCommanded):
            if one.event.action == "kill":
                return int(one.seq)
    raise AssertionError("nobody took the kill")


def assert_dead_and_latched(world: World, killed_seq: int, seed: int) -> None:
    """Nothing new left after the kill, nothing is open at the exchange, and starts do not undo it."""
    assert finish(world) == [], f"seed {seed}"
    _assert_nothing_left(world, killed_seq, seed)
    assert exchange_of(world).open == {}, f"seed {seed}"
    for _ in range(2):
        world.kill_engine()
        run_for(world, 5)  # time enough for the next process to trade, if it wanted to
        state = state_of(world)
        kept = {(pause.reason, pause.latched) for pause in state.pauses.values() if pause.reason == "kill"}
        assert (state.system, state.kill_verified, kept) == ("paused", True, {("kill", True)}), f"seed {seed}"
    _assert_nothing_left(world, killed_seq, seed)


def _assert_nothing_left(world: World, killed_seq: int, seed: int) -> None:
    assert [request.seq for request in submits_of(world) if request.seq > killed_seq] == [], f"seed {seed}"
    asked = events_of(world, events.SubmitRequested, events.ReplaceRequested)
    assert [one.seq for one in asked if one.seq > killed_seq] == [], f"seed {seed}"


@pytest.mark.parametrize("how", FAULTS)
def test_pain_19_after_a_kill_nothing_leaves_and_nothing_stays(how: str) -> None:
    """Kill switches crashed, left resting orders, or the bot sent again. Here the kill comes at a random moment of a
    world that loses replies, cancels and connections and whose process dies now and then: no submit follows from any
    later event, the exchange's open orders go to none, and the latch outlives every death."""
    cancelled = 0
    for seed in seeds(6):
        dice = Random(seed)
        plan = restarts(dice.randrange(500, 4_000) * 1_000_000, 3, dice.randrange(700, 2_500) * 1_000_000)
        world = make_world(seed, {ONE: restless(200)}, FAULTS[how], plan=plan)
        run_for(world, 1, dice.randrange(6_000))
        cancelled += len(exchange_of(world).open)
        assert_dead_and_latched(world, order_kill(world), seed)
    assert cancelled > 0, "there never was anything to cancel"


def failing(after_ns: int) -> Script:
    """Has three orders far below the market; after so long it raises whenever it is asked."""
    inner = resting(orders=3)

    def script(callback: str, context: Context, argument: Any) -> Iterator[Any]:
        if context.now_ns >= BEGIN_NS + after_ns:
            raise RuntimeError("in the middle of the kill")
        yield from inner(callback, context, argument) or ()

    return script


def test_pain_19_a_strategy_that_raises_does_not_stop_a_kill() -> None:
    """In the instant in which it is killed, or before, the strategy raises: its orders are canceled all the same."""
    failed = 0
    for seed in seeds(6):
        world = make_world(seed, {ONE: failing(3 * SECOND_NS)}, FAULTS["lost replies"])
        run_for(world, 2, seed * 937 % 2_000)
        assert len(exchange_of(world).open) == 3
        killed_seq = order_kill(world)
        failed += len(events_of(world, events.StrategyFailed))
        assert_dead_and_latched(world, killed_seq, seed)
    assert failed > 0


def test_pain_19_risk_code_that_raises_does_not_stop_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of the risk code brings the process down each third time that it is asked, start after start. A kill is
    taken by whichever process lives, and is carried out by its successors."""
    asked = 0

    def breaks(sight: Sight) -> Denied | None:
        nonlocal asked
        asked += 1
        if asked % 3 == 0:
            raise Crashed("in the risk code")
        return None

    monkeypatch.setattr(risk, "NEW_CHECKS", (*risk.NEW_CHECKS, breaks))
    deaths = 0
    for seed in seeds(6):
        world = make_world(seed, {ONE: restless(200)})
        run_for(world, 2, seed % 3_000)
        killed_seq = order_kill(world)
        deaths += world.tally.deaths.get("in the risk code", 0)
        assert_dead_and_latched(world, killed_seq, seed)
    assert deaths > 0


@pytest.mark.parametrize("how", ["nothing else", "reconnects"])
def test_pain_19_a_flatten_closes_what_is_held_and_no_more(how: str) -> None:
    """With `flatten` the position goes as well: by orders that only reduce, each journaled, and none after the end."""
    for seed in seeds(6):
        world = make_world(seed, {ONE: restless(200)}, FAULTS[how])
        run_for(world, 3, seed % 2_000)
        killed_seq = order_kill(world, flatten=True)
        assert finish(world) == [], f"seed {seed}"
        run_for(world, 10)
        state = state_of(world)
        assert (exchange_of(world).open, state.kill_verified) == ({}, True), f"seed {seed}"
        assert abs(state.position(_only(world)).quantity) < state.instruments[_only(world)].lot, f"seed {seed}"
        flattens = [one.event for one in events_of(world, events.OrderIntended) if one.seq > killed_seq]
        assert {event.reason.get("operator") for event in flattens} <= {"flatten"}, f"seed {seed}"


def _only(world: World) -> Any:
    (name,) = world.setting.symbols
    return name
