"""Test your strategy, and your adapter, under crashes and faults: what kills holdfast in its own tests, for yours.

    from my_strategy import Mine
    from tools.harness import StrategyMachine, invariant

    class MyMachine(StrategyMachine):
        strategy = Mine
        params = {"quantity": "0.001"}
        risk = {"max_position": {"BTC-USDT": "0.01"}}

        @invariant()
        def never_short(self):
            assert self.position("BTC-USDT") >= 0

`pytest --holdfast` finds it. Hypothesis draws schedules of what may happen to the real engine, adapter and exchange in
virtual time; the shortest one that breaks an invariant is told. With `TestMine = MyMachine.TestCase` any test runner
finds it, without the option. A schedule of your own is a plain test:

    def test_a_lost_reply(holdfast_world):
        world = holdfast_world(Mine, params={"quantity": "0.001"}, seed=7)
        world.fault("lose_reply", "place")
        world.kill_engine_at("after_request", down="2s")
        world.run("30s")
        world.settle()
        world.check()

The actions are the methods of `Trial` that `trial.ACTIONS` names, the points of death are in `points.POINTS`, the
faults of messages in `adapters.simulated.faults`. `settle` ends all faults, waits until nothing is in doubt, and
compares the books with the exchange's ledger; `check` looks at every invariant of `tools.simulation` over all that
happened. `configuration = "holdfast.toml"` (in a machine) or `holdfast_world(configuration="holdfast.toml")` takes the
strategies, limits and venues of a file. `VenueMachine` does the same to an adapter; `simulated_exchange` shows how.

Options: `--holdfast` runs the machines and sums up, `--holdfast-examples N` sets the schedules of each machine,
`--holdfast-seeds N` the seeds of the fixture `holdfast_seed`, `--holdfast-schedule TEXT` plays one schedule again.

The names are loaded when they are asked for, so that the pytest plugin costs nothing where it is not used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.stateful import invariant

    from tools.harness.story import Violation
    from tools.harness.strategy_machine import StrategyMachine
    from tools.harness.tap import Ledger
    from tools.harness.trial import Trial
    from tools.harness.venue_machine import VenueMachine

__all__ = ["Ledger", "StrategyMachine", "Trial", "VenueMachine", "Violation", "invariant"]

_PLACES = {
    "Ledger": "tools.harness.tap",
    "StrategyMachine": "tools.harness.strategy_machine",
    "Trial": "tools.harness.trial",
    "VenueMachine": "tools.harness.venue_machine",
    "Violation": "tools.harness.story",
    "invariant": "hypothesis.stateful",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"{__name__} has no {name}; it has {', '.join(__all__)}")
    return getattr(import_module(_PLACES[name]), name)
