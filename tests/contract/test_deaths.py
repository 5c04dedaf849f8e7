"""Either side dies at any moment, and comes back to the same truth."""

from __future__ import annotations

import pytest

from engine.order import CANCELED, FILLED, NEW
from tests.contract.counterpart import named
from tests.contract.served import Served
from tests.contract.trading import Trading
from tests.contract.verdict import assert_at_rest
from tools.proof.processes.campaign import try_kinds

KINDS = ("at_a_moment", "after_append", "after_release")


def test_restart_in_the_middle(trading: Trading, served: Served) -> None:
    """The process is gone with an order at rest, two on the wire, a cancel on the wire, one that waits for its order's
    outcome, and an execution unheard."""
    resting, canceled = trading.rest(), trading.rest(lots=3)
    trading.until(resting, NEW)
    trading.until(canceled, NEW)
    served.set_faults(
        {
            "delay_reply": {"at": [1, 2], "on": ["place", "cancel"], "by": "400ms"},
            "drop": {"every": 1, "on": ["order", "execution"]},
        }
    )
    taken = trading.take()
    unwanted = trading.rest(lots=4)
    for order_id in (canceled, unwanted):
        trading.cancel_order(order_id)
    assert trading.order(unwanted).cancel_held
    trading.restart()
    unknown = {(body["order_id"], body["request"]) for body in trading.bodies("OutcomeUnknown")}
    assert {(taken, "new"), (canceled, "cancel")} <= unknown
    trading.until(taken, FILLED)
    trading.until(canceled, CANCELED)
    trading.until(unwanted, CANCELED)
    assert trading.status(resting) is NEW
    assert_at_rest(trading, served)


def test_kill_of_the_exchange(trading: Trading, served: Served) -> None:
    """kill -9 of it with an order at rest and one that it never answered."""
    resting = trading.rest()
    trading.until(resting, NEW)
    served.set_faults(
        {"delay_reply": {"every": 1, "on": ["place"], "by": "10s"}, "drop": {"every": 1, "on": ["order"]}}
    )
    unanswered = trading.rest(lots=3)
    name = trading.order(unanswered).client_order_id
    trading.wait(lambda: name in served.books().ids, "the order to arrive")
    served.kill()
    trading.wait(lambda: trading.bodies("VenueLost"), "the line to be lost")
    assert trading.was_in_doubt(unanswered)
    served.begin()
    trading.wait(trading.is_trading, "trading with the exchange that is back")
    trading.until(unanswered, NEW)
    assert trading.status(resting) is NEW
    assert_at_rest(trading, served)


@pytest.mark.parametrize("adapter", named())
def test_kill_of_the_engine(adapter: str) -> None:
    """kill -9 of a `holdfast run`, at moments and at named points; each start finds what the last one left."""
    outcome = try_kinds(1, KINDS, adapter=adapter)
    assert outcome.problems == ()
    assert sum(number for name, number in outcome.counts.items() if name.startswith("kill -9")) == len(KINDS)
    assert outcome.counts["fills"] > 0, outcome.counts
