"""The life of an order, as every adapter must tell it."""

from __future__ import annotations

from engine.order import CANCELED, FILLED, NEW, PARTIALLY_FILLED, REJECTED, Pending
from tests.contract.conftest import Begin
from tests.contract.served import Served
from tests.contract.trading import Trading
from tests.contract.verdict import assert_at_rest

HOUR_NS = 3_600_000_000_000
TRIES = 5
MORE_THAN_DISPLAYED = 6_000
"""Times the least that may be traded: about a bitcoin, of which less is displayed at a level."""


def test_place(trading: Trading, served: Served) -> None:
    resting = trading.rest()
    trading.until(resting, NEW)
    taken = trading.take()
    trading.until(taken, FILLED)
    trading.cancel_order(resting)
    trading.until(resting, CANCELED)
    assert trading.kinds(resting)[:3] == ["OrderIntended", "SubmitRequested", "OrderAccepted"]
    assert trading.order(taken).filled == trading.order(taken).quantity
    assert trading.bodies("OutcomeUnknown") == []
    assert_at_rest(trading, served)


def test_reject(trading: Trading, served: Served) -> None:
    refused = trading.take(post_only=True)
    trading.until(refused, REJECTED)
    assert trading.bodies("OrderRejected")[0]["reason"]
    assert not trading.was_in_doubt(refused)
    assert_at_rest(trading, served, rejected=[refused])


def test_duplicate_id(trading: Trading, served: Served) -> None:
    """The id of an open order is refused, and that is evidence that the order is there."""
    resting = trading.rest()
    trading.until(resting, NEW)
    trading.send_again(resting)
    trading.wait(lambda: trading.told("Rejected"), "the refusal")
    trading.wait(trading.is_settled, "it to be settled")
    assert trading.status(resting) is NEW
    assert_at_rest(trading, served)


def test_fill_before_ack(trading: Trading, served: Served) -> None:
    served.set_faults(
        {"delay_reply": {"at": [1], "on": ["place"], "by": "150ms"}, "drop": {"at": [1], "on": ["order"]}}
    )
    taken = trading.take()
    trading.until(taken, FILLED)
    kinds = trading.kinds(taken)
    assert "OrderAccepted" not in kinds[: kinds.index("FillBooked")], kinds
    assert_at_rest(trading, served)


def test_fill_crossing_cancel(begin: Begin, served: Served) -> None:
    """It executes at the exchange while we know nothing of that; our cancel comes too late, and says so."""
    trading = begin(reconcile_every_ns=HOUR_NS)
    served.set_faults({"drop": {"every": 1, "on": ["execution", "order"]}})
    crossed = trading.rest_until_executed(served.books)
    for _ in range(TRIES):  # what executes at once, or was asked about meanwhile, is known already
        if not trading.order(crossed).filled:
            break
        crossed = trading.rest_until_executed(served.books)
    assert trading.order(crossed).filled == 0
    trading.cancel_order(crossed)
    trading.until(crossed, FILLED)
    assert trading.bodies("CancelRefused")[0]["order_id"] == crossed
    assert trading.order(crossed).pending_cancel is Pending.NONE
    served.set_faults({})
    trading.disconnect()
    for order_id in list(trading.state.open_ids):
        trading.cancel_order(order_id)
    assert_at_rest(trading, served)


def test_partial_fills(trading: Trading, served: Served) -> None:
    large = trading.take(lots=MORE_THAN_DISPLAYED)
    trading.wait(lambda: trading.order(large).filled > 0, "a first part")
    trading.wait(lambda: trading.kinds(large).count("FillBooked") > 1, "a second part")
    if trading.status(large) is PARTIALLY_FILLED:
        trading.cancel_order(large)
    assert trading.until(large, CANCELED, FILLED)
    fills = [body for body in trading.bodies("FillBooked") if body["order_id"] == large]
    assert len({body["exec_id"] for body in fills}) == len(fills) > 1
    assert_at_rest(trading, served)


def test_replace(trading: Trading, served: Served) -> None:
    """Price and quantity; once with its reply lost; and what was executed before stays part of the whole."""
    resting = trading.rest(lots=4)
    trading.until(resting, NEW)
    more = trading.order(resting).quantity * 2
    trading.replace_order(resting, more)
    trading.wait(lambda: trading.order(resting).quantity == more, "the replacement")
    served.set_faults({"lose_reply": {"at": [1], "on": ["replace"]}, "drop": {"at": [1, 2], "on": ["order"]}})
    lower = trading.lowered(resting)
    trading.replace_order(resting, more, lower)
    trading.wait(lambda: trading.order(resting).price == lower, "the replacement whose reply was lost")
    trading.wait(lambda: trading.order(resting).pending_replace is Pending.NONE, "it to be settled")
    assert trading.status(resting) is NEW
    assert "replace" in {body["request"] for body in trading.bodies("OutcomeUnknown")}
    assert_at_rest(trading, served)
