"""A trial by hand: what each action does, what is found in an engine that is broken, and how schedules are repeated."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from engine import order_guards
from engine.settings import Limits
from tests.harness.broken import BROKEN
from tools.harness.points import MESSAGE_FAULTS, POINTS
from tools.harness.setting import Subject, setting_of
from tools.harness.story import Violation
from tools.harness.trial import ACTIONS, Trial
from tools.simulation.restless import Restless

RISK = {"max_position": {"BTC-USDT": "0.2"}, "max_open_orders": 6, "max_quote_age": "5s"}
SUBJECT = Subject(kind=Restless, params={"quantity": "0.01"}, risk=RISK)


def begin(seed: int = 0, **changes: Any) -> Trial:
    return Trial(setting_of(evolve(SUBJECT, **changes)), seed)


def finish(trial: Trial) -> None:
    trial.settle()
    trial.check()


@pytest.mark.parametrize("point", POINTS)
def test_a_process_dies_at_each_point(point: str) -> None:
    trial = begin()
    trial.run("2s")
    trial.kill_engine_at(point, 1, "2s")
    trial.run("5s")
    assert sum(trial.world.tally.deaths.values()) == 1
    finish(trial)
    assert trial.world.tally.starts == 2


@pytest.mark.parametrize(("fault", "kind"), [("lose_reply", "place"), ("drop", "execution"), ("partial", "snapshot")])
def test_a_fault_strikes_the_message_that_is_named_and_no_other(fault: str, kind: str) -> None:
    trial = begin()
    trial.run("1s")
    trial.fault(fault, kind, 2)
    trial.fault("busy", "place", 3)
    trial.run("15s")
    struck = [name.split()[:2] for _venue, name in trial.world.tally.struck]
    assert sorted(struck) == sorted([[fault, kind], ["busy", "place"]])
    finish(trial)


def test_faults_outlive_the_exchange() -> None:
    trial = begin()
    trial.run("1s")
    trial.fault("lose_reply", "place", 1, 2)
    trial.kill_exchange("1s")
    trial.run("10s")
    assert len(trial.world.tally.struck) == 2
    finish(trial)


def test_every_fault_can_be_set() -> None:
    trial = begin()
    for fault, kind in MESSAGE_FAULTS:
        trial.fault(fault, kind)
    trial.run("5s")
    finish(trial)
    assert trial.world.tally.faults > len(MESSAGE_FAULTS) // 2


def test_the_market_is_moved_and_stays_there() -> None:
    trial = begin()
    trial.run("2s")
    assert trial.market is not None
    before = next(iter(trial.market.quotes.values())).bid
    trial.move_market(-100)
    trial.run("1s")
    after = next(iter(trial.market.quotes.values())).bid
    assert Decimal("0.89") < after / before < Decimal("0.91")
    finish(trial)


def test_the_operator_is_heard() -> None:
    trial = begin()
    trial.run("5s")
    assert trial.state.system == "trading"
    trial.kill()
    trial.run("2s")
    assert trial.state.system == "paused"
    assert trial.open_orders() == []
    trial.resume()
    trial.run("2s")
    assert trial.state.system == "trading"
    trial.flatten()
    trial.run("5s")
    assert trial.position("BTC-USDT") == 0
    finish(trial)


def test_deaf_mute_and_a_wrong_clock() -> None:
    trial = begin()
    trial.run("2s")
    for how in ("deaf", "mute"):
        trial.half_open(how, "1s")
        trial.run("5s")
    trial.jump_clock("-3s")
    trial.run("2s")
    assert trial.world.tally.faults >= 3
    finish(trial)


def test_a_schedule_is_repeated_to_the_byte() -> None:
    text = "run 2s; fault lose_reply any 1 4; kill_engine_at after_commit 2 300ms; run 5s; kill_exchange; run 3s"
    first, second, third = begin(3), begin(3), begin(4)
    first.repeat(text)
    second.repeat("; ".join([*first.schedule, "settle", "check"]))
    finish(first)
    third.repeat(text)
    finish(third)
    assert first.world.log.chain == second.world.log.chain != third.world.log.chain
    assert len(first.fills()) > 0
    assert set(ACTIONS) > {step.split()[0] for step in first.schedule[1:]}


def test_a_word_that_is_no_action_is_named() -> None:
    with pytest.raises(ValueError, match="'explode' is no action; there are run,"):
        begin().repeat("run 1s; explode")
    with pytest.raises(ValueError, match="no fault 'drop' of a message 'place'"):
        begin().fault("drop", "place")
    with pytest.raises(ValueError, match="no point 'nowhere'"):
        begin().kill_engine_at("nowhere")


def test_what_is_wrong_in_the_tables_is_said() -> None:
    with pytest.raises(ValueError, match=r"risk\.max_opne_orders: .*did you mean max_open_orders"):
        setting_of(evolve(SUBJECT, risk={"max_opne_orders": 3}))
    found = setting_of(evolve(SUBJECT, risk={"instruments": {"BTC-USDT": {"max_order_notional": "7"}}})).settings.risk
    assert found.account == Limits()
    assert [limits.max_order_notional for limits in found.instruments.values()] == [Decimal(7)]


def test_an_account_that_stale_snapshots_opened_is_noticed_and_stays_shut() -> None:
    """What was open executes while the difference is known: both sides move alike, and nothing is lost."""
    trial = begin(2)
    trial.repeat("begin 75; fault stale any 1 30; run 3s; run 3s")
    finish(trial)
    assert "position_drift" in {pause.reason for pause in trial.state.pauses.values()}


# --- broken on purpose ------------------------------------------------------------------------------------------


def play(schedule: str, seed: int) -> Exception | None:
    trial = begin(seed)
    try:
        trial.repeat(schedule)
        finish(trial)
    except Exception as error:  # noqa: BLE001 (that it is noticed is what counts; the tests look at how)
        return error
    return None


SCHEDULES = {
    "not found is believed at once": "run 3s; fault delay_request place 1 30; kill_engine_at after_request 3; run 9s",
    "executions are booked whenever they are told": "run 5s; kill_engine",
    "requests leave before they are committed": "run 3s; kill_engine_at before_commit 3; run 9s",
    "a cancel that timed out is taken for done": "run 3s; fault lose_request cancel 1 9; run 20s",
    "a submit that timed out is taken for rejected": "run 3s; fault lose_reply place 1 9; run 9s",
    "orders are sent again under a new id": "run 3s",
    "an execution after the end is dropped": "run 3s; fault drop execution 1 30; run 30s",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is good before it is broken, and its violation tells the schedule."""
    seeds = range(5)
    assert [play(SCHEDULES[name], seed) for seed in seeds] == [None] * len(seeds)
    BROKEN[name](monkeypatch)
    found = [error for seed in seeds if (error := play(SCHEDULES[name], seed)) is not None]
    assert found, f"{name}: nobody noticed"
    assert any("the schedule" in note and "the last events" in note for note in found[0].__notes__)


def _lose_a_cent(state: Any) -> None:
    held = next(iter(state.balances.values()))
    held["USDT"] = held["USDT"] + Decimal("0.01")


def _lose_an_execution(state: Any) -> None:
    state.executions.pop(next(iter(state.executions)))


def _forget_an_open_order(state: Any) -> None:
    state.open_ids.clear()


@pytest.mark.parametrize(
    ("tamper", "says"),
    [(_lose_a_cent, "O8: USDT is"), (_lose_an_execution, "O3: execution"), (_forget_an_open_order, "O3: ")],
)
def test_the_reference_model_is_exact(tamper: Callable[[Any], None], says: str) -> None:
    trial = begin()
    trial.run("9s")
    trial.settle()
    assert trial._watch.compare() == []
    assert trial.open_orders()
    tamper(trial.state)
    assert any(problem.startswith(says) for problem in trial._watch.compare())


def test_a_fold_that_differs_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begin()
    trial.run("3s")
    assert trial.world.engine is not None
    trial.world.engine.state.killed_seq = 1
    with pytest.raises(Violation, match="I5: at seq"):
        trial.run("1s")


def test_a_system_that_never_settles_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(order_guards.GUARDS, "proves_absence", lambda look: False)
    trial = begin()
    trial.run("3s")
    trial.fault("lose_request", "place")
    trial.run("5s")
    with pytest.raises(Violation, match=r"S1: not settled within 20s: .* 1 orders unsettled"):
        trial.settle("20s")
