"""A venue that takes nothing for a while, tells another time, or takes our key no more."""

from __future__ import annotations

from engine.inputs import Scope
from engine.order import NEW, REJECTED, UNSETTLED_SET
from engine.values import Side
from tests.contract.served import VENUE, Served
from tests.contract.trading import FAR_PERMILLE, Trading
from tests.contract.verdict import assert_at_rest


def test_rate_limit(trading: Trading, served: Served) -> None:
    """Too much was asked: that order is surely not there. A venue that says until when is asked nothing before, not
    even by the next process."""
    resting = trading.rest()
    trading.until(resting, NEW)
    served.set_faults(served.counterpart.rate_limit)
    refused = trading.rest(lots=3)
    trading.until(refused, REJECTED)
    assert not trading.was_in_doubt(refused)
    assert trading.order(refused).client_order_id not in served.books().ids
    if served.counterpart.throttles:
        refusals = trading.record.kinds["VenueThrottled"]
        trading.restart()
        assert "throttled" in {pause.reason for pause in trading.state.pauses.values()}
        trading.wait(trading.is_trading, "trading again")
        until_ns = trading.bodies("VenueThrottled")[-1]["until_ns"]
        asked_ns = [at_ns for request, at_ns in trading.record.requests if at_ns > trading.began_ns]
        assert trading.pace.now_ns() >= until_ns
        assert asked_ns
        assert min(asked_ns) >= until_ns, "the engine has asked before"
        assert trading.record.kinds["VenueThrottled"] == refusals, "the adapter has asked before, and was refused again"
    assert trading.status(resting) is NEW
    trading.until(trading.rest(lots=4), NEW)
    assert_at_rest(trading, served, rejected=[refused])


def test_clock_skew(trading: Trading, served: Served) -> None:
    """The venue's clock goes wrong, and back: what it refuses for that is not there, and the pause ends by itself."""
    resting = trading.rest()
    trading.until(resting, NEW)
    served.set_faults(served.counterpart.clock_skew)
    asked = trading.rest(lots=3)
    trading.wait(lambda: trading.is_paused("clock_skew"), "a pause for the clock")
    trading.wait(lambda: trading.status(asked) not in UNSETTLED_SET, "the order to be settled", served.absence_ns)
    refused = [asked] if trading.status(asked) is REJECTED else []
    assert asked not in refused or trading.order(asked).client_order_id not in served.books().ids
    served.set_faults({})
    trading.wait(trading.is_trading, "trading again")
    assert trading.status(resting) is NEW
    trading.until(trading.rest(lots=4), NEW)
    assert_at_rest(trading, served, rejected=refused)


def test_credentials_expire_or_are_revoked(trading: Trading, served: Served) -> None:
    """The key is refused: trading stops with a latch, what is open stays open in the books, and nothing is lost."""
    resting = trading.rest()
    trading.until(resting, NEW)
    trading.want_at_once(trading.submit(Side.BUY, FAR_PERMILLE, 3))
    served.set_faults(served.counterpart.credentials_revoked)
    trading.wait(lambda: trading.is_paused("credentials_refused"), "a pause for the key")
    served.set_faults({})
    trading.run("500ms")
    assert not trading.is_trading(), "a latch waits for an operator"
    assert trading.status(resting) is NEW
    trading.resume(Scope.VENUE, VENUE)
    trading.wait(trading.is_trading, "trading again")
    trading.wait(lambda: not trading.unsettled(), "all orders to be settled", served.absence_ns)
    trading.until(trading.rest(lots=4), NEW)
    assert_at_rest(trading, served, rejected=[o.order_id for o in trading.orders() if o.status is REJECTED])
