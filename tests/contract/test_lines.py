"""Streams, snapshots, limits, clocks and credentials: what an adapter meets on its line."""

from __future__ import annotations

from engine.order import FILLED, NEW
from tests.contract.served import Served
from tests.contract.trading import Trading
from tests.contract.verdict import assert_at_rest


def test_stream_gap(trading: Trading, served: Served) -> None:
    """Words about executions are lost while the stream goes on: they are found, and booked once, whoever heard what."""
    served.set_faults({"drop": {"every": 1, "on": ["execution"]}})
    trading.until(trading.rest_until_executed(served.books), FILLED)
    served.set_faults({"drop": {"at": [1, 3], "on": ["execution"]}, "duplicate": {"every": 2, "on": ["execution"]}})
    for order_id in [trading.take() for _ in range(4)]:
        trading.until(order_id, FILLED)
    for order_id in list(trading.state.open_ids):
        trading.cancel_order(order_id)
    assert_at_rest(trading, served)


def test_reconnect(trading: Trading, served: Served) -> None:
    """The line goes down in the middle of a request, and comes back by itself."""
    served.set_faults({"disconnect": {"at": [1], "on": ["place", "order"]}})
    resting = trading.rest()
    trading.wait(lambda: trading.bodies("VenueLost"), "the line to be lost")
    trading.until(resting, NEW)
    trading.wait(trading.is_trading, "trading again")
    assert trading.was_in_doubt(resting)
    assert len(trading.bodies("VenueConnected")) > 1
    assert_at_rest(trading, served)


def test_stale_snapshot(trading: Trading, served: Served) -> None:
    """Snapshots that are behind, and do not say so, close nothing and take nothing back."""
    resting, taken = trading.rest(), trading.take()
    trading.until(resting, NEW)
    trading.until(taken, FILLED)
    compared = len(trading.bodies("Reconciled"))
    served.set_faults({"stale": {"every": 1, "by": "10s", "on": ["snapshot"]}})
    trading.wait(lambda: len(trading.bodies("Reconciled")) >= compared + 3, "three comparisons with stale snapshots")
    assert trading.status(resting) is NEW
    assert trading.order(taken).filled == trading.order(taken).quantity
    assert not {"PositionAdjusted", "BalanceAdjusted"} & {entry.kind for entry in trading.log.entries}
    assert_at_rest(trading, served)
