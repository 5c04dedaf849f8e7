"""Whole systems in virtual time: killed at named points, with faults on every message, and nothing lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest

from engine import order_guards, runner
from engine.inputs import RequestKind
from engine.order import LIFE
from engine.outbox import Request
from tests.house.source import ROOT
from tools.simulation.campaign import Verdict, try_seed

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


# --- broken on purpose ------------------------------------------------------------------------------------------


def caught(faults: dict[str, Any], most: int = 6) -> Verdict | None:
    """The first seed whose world notices that something is broken: a violation, or an assertion of the engine's."""
    for seed in range(most):
        try:
            verdict, _world = try_seed(seed, faults=faults)
        except Exception as error:  # noqa: BLE001 (an assertion of apply, an IllegalEvent: noticed)
            return Verdict(
                seed=seed, problems=(repr(error),), settled=False, virtual_ns=0, starts=0, deaths={}, events=0,
                orders=0, fills=0, state_digest="",
            )  # fmt: skip
        if verdict.problems:
            return verdict
    return None


def _believe_not_found(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(order_guards.GUARDS, "proves_absence", lambda look: True)


def _book_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(order_guards.GUARDS, "is_known", lambda look: False)
    patch.setitem(order_guards.GUARDS, "contradicts", lambda look: False)


def _release_before_append(patch: pytest.MonkeyPatch) -> None:
    def commit(self: runner.Runner) -> None:
        self.gate.allow_until(self.state.seq, 10**18)
        self._release(self._requests)
        self._requests = []
        original(self)

    original = runner.Runner._commit
    patch.setattr(runner.Runner, "_commit", commit)


def _believe_a_cancel_timeout(patch: pytest.MonkeyPatch) -> None:
    from engine import events
    from engine.order_effects import EFFECTS

    doubt = EFFECTS["doubt"]

    def effect(look: Any) -> Any:
        if look.report.request is RequestKind.CANCEL:
            yield events.OrderCanceled(order_id=look.order.order_id, requested=True, reason="timeout")
        else:
            yield from doubt(look)

    patch.setitem(EFFECTS, "doubt", effect)


def _send_again(patch: pytest.MonkeyPatch) -> None:
    """Every new order leaves twice, the second time under an id of its own."""
    from attrs import evolve

    from engine.outbox import SubmitOrder, requests_for
    from engine.values import ClientOrderId

    def twice(state: Any, recorded: Any) -> list[Request]:
        found = requests_for(state, recorded)
        return [
            *found,
            *(evolve(r, client_order_id=ClientOrderId(r.order_id + "-x")) for r in found if isinstance(r, SubmitOrder)),
        ]

    patch.setattr(runner, "requests_for", twice)


def _believe_silence(patch: pytest.MonkeyPatch) -> None:
    """A submit without an answer is taken for rejected."""
    from engine import events
    from engine.order_effects import EFFECTS

    doubt = EFFECTS["doubt"]

    def effect(look: Any) -> Any:
        if getattr(look.report, "request", None) is RequestKind.NEW:
            yield events.OrderRejected(order_id=look.order.order_id, reason="timeout")
        else:
            yield from doubt(look)

    patch.setitem(EFFECTS, "doubt", effect)


def _drop_late_fills(patch: pytest.MonkeyPatch) -> None:
    from engine import events
    from engine.order_effects import EFFECTS

    def effect(look: Any) -> Any:
        yield events.AnomalyRecorded(about=look.order.order_id, anomaly="late_fill", detail="too late")

    patch.setitem(EFFECTS, "book_late", effect)
    patch.setitem(order_guards.GUARDS, "misses_fills", lambda look: False)


BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], dict[str, Any]]] = {
    "not found is believed at once": (_believe_not_found, {"delay_request": {"permille": 1000, "by": "800ms"}}),
    "executions are booked whenever they are told": (_book_twice, {"duplicate": {"permille": 100}}),
    "requests leave before they are committed": (_release_before_append, {}),
    "a cancel that timed out is taken for done": (_believe_a_cancel_timeout, {"lose_request": {"permille": 300}}),
    "a submit that timed out is taken for rejected": (_believe_silence, {"lose_reply": {"permille": 300}}),
    "orders are sent again under a new id": (_send_again, {}),
    "an execution after the end is dropped": (_drop_late_fills, {"drop": {"permille": 200}}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself is tested: each of these builds is broken, and the campaign says so."""
    break_it, faults = BROKEN[name]
    assert caught(faults, most=1) is None, "it is noticed before anything is broken"
    break_it(monkeypatch)
    found = caught(faults)
    assert found is not None, f"{name}: nobody noticed"


def test_the_life_table_is_what_runs() -> None:
    assert LIFE.find("in_doubt", "not_found")[0].guard == "proves_absence"
