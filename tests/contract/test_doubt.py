"""What is unknown stays unknown until there is evidence: silence is never an answer."""

from __future__ import annotations

from engine.order import FILLED, IN_DOUBT, NEW, VOID
from engine.values import SECOND_NS
from tests.contract.counterpart import LOST_REPLY
from tests.contract.served import Served
from tests.contract.trading import Trading
from tests.contract.verdict import assert_at_rest


def test_ack_lost(trading: Trading, served: Served) -> None:
    served.set_faults({**LOST_REPLY, "fail": {"at": [1, 2], "on": ["query"]}})
    resting = trading.rest()
    trading.until(resting, IN_DOUBT)
    trading.until(resting, NEW)
    assert trading.was_in_doubt(resting)
    assert trading.order(resting).venue_order_id is not None
    assert_at_rest(trading, served)


def test_ack_late(trading: Trading, served: Served) -> None:
    """The reply comes long after its time, when the order has perhaps been found already."""
    served.set_faults({**served.counterpart.ack_late, "drop": {"at": [1], "on": ["order"]}})
    resting = trading.rest()
    trading.until(resting, IN_DOUBT)
    trading.until(resting, NEW)
    trading.run("1500ms")
    assert trading.status(resting) is NEW
    assert trading.kinds(resting).count("SubmitRequested") == 1
    assert_at_rest(trading, served)


def test_unknown_outcome_it_exists(trading: Trading, served: Served) -> None:
    """It has even executed, and every word about it is lost."""
    served.set_faults({"lose_reply": {"at": [1], "on": ["place"]}, "drop": {"every": 1, "on": ["execution", "order"]}})
    taken = trading.take()
    trading.until(taken, IN_DOUBT)
    trading.until(taken, FILLED)
    kinds = trading.kinds(taken)
    assert kinds.index("OutcomeUnknown") < kinds.index("FillBooked")
    assert_at_rest(trading, served)


def test_unknown_outcome_it_does_not(trading: Trading, served: Served) -> None:
    """It never arrived: that is believed with proof only, and then it is void, not refused."""
    served.set_faults({"lose_request": {"at": [1], "on": ["place"]}})
    lost = trading.rest()
    trading.until(lost, IN_DOUBT)
    since_ns = trading.pace.now_ns()
    trading.until(lost, VOID, limit_ns=served.absence_ns)
    assert trading.pace.now_ns() - since_ns > SECOND_NS
    assert trading.state.orders[lost].filled == 0
    assert_at_rest(trading, served)
