"""What is kept or not looked at, for the sake of speed, is what a look would find: checked at each input of a world."""

from __future__ import annotations

from typing import Any

import pytest

from engine import decision
from engine.decision import next_due_ns
from engine.inputs import Action, OperatorCommand, VenuesDescribed
from engine.operator_decision import verify_kill
from engine.runner import Runner
from engine.state import State
from engine.system_decision import is_at_rest, move_system, settle_venue_pauses
from engine.values import SECOND_NS
from tools.simulation.campaign import setting_of, try_plan
from tools.simulation.clock import BEGIN_NS
from tools.simulation.plan import Plan

WHY: dict[str, Any] = {"uid": 0, "pid": 1, "reason": "to see what happens"}
PLAN = Plan(
    exchange_at={BEGIN_NS + 3 * SECOND_NS: SECOND_NS},
    engine_at={BEGIN_NS + 6 * SECOND_NS: SECOND_NS},
    commands_at={
        BEGIN_NS + 9 * SECOND_NS: OperatorCommand(action=Action.PAUSE, **WHY),
        BEGIN_NS + 10 * SECOND_NS: OperatorCommand(action=Action.RESUME, **WHY),
        BEGIN_NS + 12 * SECOND_NS: OperatorCommand(action=Action.KILL, **WHY),
        BEGIN_NS + 13 * SECOND_NS: OperatorCommand(action=Action.RESUME, **WHY),
    },
)


def storm(seed: int, *, is_tangled: bool) -> None:
    """A short world with deaths, a pause, a kill and messages that are lost."""
    faults = {"drop": {"permille": 200, "on": ["execution", "order"]}}
    try_plan(setting_of(seed, faults, is_tangled=is_tangled), PLAN, seed, 15 * SECOND_NS)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> dict[bool, int]:
    """Counts the answers of `is_at_rest`; where it says True nothing may move."""
    counted = {True: 0, False: 0}

    def looked(state: State) -> bool:
        found = is_at_rest(state)
        counted[found] += 1
        if found:
            now_ns = state.at_ns
            moves = [settle_venue_pauses(state), move_system(state, now_ns)]
            moves.append(verify_kill(state, VenuesDescribed(), now_ns))
            assert not [event for move in moves for event in move]
        return found

    monkeypatch.setattr(decision, "is_at_rest", looked)
    return counted


@pytest.mark.parametrize("is_tangled", [False, True])
def test_a_system_at_rest_has_no_move(looks: dict[bool, int], is_tangled: bool) -> None:
    storm(3, is_tangled=is_tangled)
    assert min(looks.values()) > 20, "both answers happen"


@pytest.mark.parametrize("is_tangled", [False, True])
def test_what_is_due_is_kept_as_long_as_it_is_true(monkeypatch: pytest.MonkeyPatch, is_tangled: bool) -> None:
    looked = 0
    due_ns = Runner.due_ns

    def checked(runner: Runner) -> int | None:
        nonlocal looked
        looked += 1
        found = due_ns(runner)
        assert found == next_due_ns(runner.state, runner.market, runner.desk)
        return found

    monkeypatch.setattr(Runner, "due_ns", checked)
    storm(4, is_tangled=is_tangled)
    assert looked > 100
