"""The embedded venue from end to end, with its threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from attrs import evolve

from adapters.registry import VenueSettings
from adapters.simulated import ADAPTER, wire
from adapters.simulated.faults import read_faults
from adapters.simulated.floor import Floor
from adapters.simulated.gateway import Cut, Delivery
from adapters.simulated.opening import open_gateway
from adapters.simulated.options import AckOn, SimulatedOptions
from adapters.simulated.venue import QUEUE_MOST
from engine import inputs
from engine.capabilities import ClientIds, Source
from engine.inputs import Refusal, RequestKind, Section, VenueStatus
from engine.values import MILLISECOND_NS, SECOND_NS, Duration, InstrumentName, Liquidity
from tests.adapters.simulated.counterpart import BTC, NAME, SYMBOLS, Counterpart, names
from tests.adapters.simulated.memory_log import MemoryLog

FAR = "50000"


def options(**given: Any) -> SimulatedOptions:
    faults = read_faults(given.pop("faults", {}))
    return SimulatedOptions(**{"latency_ns": Duration(MILLISECOND_NS), "faults": faults, **given})


def about(name: str) -> Callable[[inputs.Report], bool]:
    return lambda report: report.client_order_id == name


def test_it_says_what_it_is_before_it_is_opened() -> None:
    engine = Counterpart(options())
    try:
        first, second = engine.venue.describe(), engine.venue.describe()
    finally:
        engine.venue.close()
    assert first == second
    assert (first.venue, first.adapter) == (NAME, "simulated")
    assert first.account.startswith("simulated:")
    assert [(i.name, i.symbol, i.venue) for i in first.instruments] == [(n, s, NAME) for n, s in SYMBOLS.items()]
    assert first.capabilities.client_ids is ClientIds.UNIQUE_OPEN
    assert first.absence.after_ns <= 1_500 * MILLISECOND_NS
    assert set(first.absence.sources) == {*Source} - {Source.HISTORY}
    assert engine.log.is_closed


def test_it_connects_measures_the_clock_and_streams_under_our_names() -> None:
    with Counterpart(options()) as engine:
        quote = engine.wait(inputs.Quote, lambda quote: quote.instrument == BTC)
        engine.wait(inputs.TradeTick)
        engine.wait(inputs.Quote, lambda quote: quote.instrument == InstrumentName("ETH-USDT"))
    assert names(engine.seen[:3]) == ["VenueDescribed", "VenueConnected", "ClockMeasured"]
    clock = engine.wait(inputs.ClockMeasured)
    assert clock.round_trip_ns >= 2 * MILLISECOND_NS
    assert abs(clock.offset_ns) <= clock.round_trip_ns
    assert quote.exchange_ns is not None
    assert quote.received_ns >= quote.exchange_ns + MILLISECOND_NS
    assert {seen.instrument for seen in engine.all(inputs.Quote)} == set(SYMBOLS)


def test_the_life_of_an_order() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        ack = engine.wait(inputs.Ack)
        assert (ack.venue, ack.instrument, ack.client_order_id) == (NAME, BTC, "a")
        assert '"Accepted"' in ack.raw
        engine.replace("a", "b", "0.02", "50001")
        engine.wait(inputs.ReplaceAcked)
        replaced = engine.wait(inputs.Replaced)
        assert (replaced.client_order_id, replaced.new_client_order_id) == ("a", "b")
        assert (replaced.quantity, replaced.price) == (Decimal("0.02"), Decimal(50001))
        engine.cancel("b")
        engine.wait(inputs.CancelAcked, about("a"))
        canceled = engine.wait(inputs.Canceled)
        assert (canceled.client_order_id, canceled.venue_order_id) == ("a", ack.venue_order_id)
        engine.cancel("a")
        assert engine.wait(inputs.CancelRejected).refusal is Refusal.TOO_LATE
        engine.cancel("never")
        assert engine.wait(inputs.CancelRejected, about("never")).refusal is Refusal.UNKNOWN_ORDER
        engine.replace("a", "c", "0.03", None)
        assert engine.wait(inputs.ReplaceRejected).refusal is Refusal.TOO_LATE


def test_a_market_order_trades_and_a_query_tells_all_of_it() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", quantity="0.5")
        engine.wait(inputs.Trade, lambda _: sum(trade.quantity for trade in engine.all(inputs.Trade)) == Decimal("0.5"))
        trades = engine.all(inputs.Trade)
        assert names(engine.seen)[: names(engine.seen).index("Trade")].count("Ack") == 1
        assert all(trade.liquidity is Liquidity.TAKER and trade.fee and trade.fee_asset == "USDT" for trade in trades)
        engine.forget()
        engine.query("a")
        status = engine.wait(inputs.StatusReport)
        assert engine.all(inputs.Trade) == trades
        assert (status.status, status.filled) == (VenueStatus.FILLED, Decimal("0.5"))
        by_id = engine.query(None, str(status.venue_order_id))
        assert by_id.client_order_id is None
        again = engine.wait(inputs.StatusReport, nth=2)
        assert again.asked_ns is not None
        assert status.asked_ns is not None
        assert again.asked_ns >= status.asked_ns
        assert evolve(again, asked_ns=status.asked_ns, answered_ns=status.answered_ns) == status


def test_what_is_not_there_is_not_found() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        request = engine.query("never")
        found = engine.wait(inputs.NotFound)
    assert (found.asked_ns, set(found.sources)) == (request.at_ns, {*Source} - {Source.HISTORY})
    assert found.client_order_id == "never"


def test_a_snapshot_is_of_one_instant() -> None:
    with Counterpart(options(balances={"USDT": Decimal(1000), "BTC": Decimal(1)})) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("m", quantity="0.001")
        engine.submit("a", FAR)
        engine.wait(inputs.Ack, about("a"))
        request = engine.snapshot()
        snapshot = engine.wait(inputs.Snapshot)
        assert (snapshot.asked_seq, snapshot.asked_ns) == (request.seq, request.at_ns)
        assert set(snapshot.complete) == set(Section)
        (row,) = snapshot.open_orders
        assert (row.client_order_id, row.instrument, row.status) == ("a", BTC, VenueStatus.NEW)
        assert {trade.client_order_id for trade in snapshot.executions} == {"m"}
        amounts = {balance.asset: balance for balance in snapshot.balances}
        assert amounts["BTC"].free == Decimal("1.001")  # type: ignore[index]
        assert amounts["USDT"].locked == Decimal("500.5")  # type: ignore[index]
        engine.snapshot(since_ns=snapshot.taken_ns)
        assert engine.wait(inputs.Snapshot, nth=2).executions == ()


def test_a_refusal_says_why() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", "50000.001")
        rejected = engine.wait(inputs.Rejected)
        assert (rejected.refusal, rejected.reason) == (Refusal.DEFINITIVE, "price_off_tick")
        engine.submit("b", FAR)
        engine.submit("b", FAR)
        assert engine.wait(inputs.Rejected, about("b")).refusal is Refusal.DUPLICATE_ID


def test_an_ack_on_both_channels() -> None:
    with Counterpart(options(ack_on=AckOn.BOTH)) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        assert engine.wait(inputs.Ack, nth=2).client_order_id == "a"


def test_a_closed_gate_lets_nothing_through_but_questions() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        engine.is_gate_open = False
        engine.submit("a", FAR)
        unknown = engine.wait(inputs.OutcomeUnknown)
        assert (unknown.request, unknown.cause, unknown.client_order_id) == (RequestKind.NEW, "gate closed", "a")
        engine.query("a")
        engine.wait(inputs.NotFound)


def test_a_lost_reply_times_out_and_the_order_is_there() -> None:
    with Counterpart(options(faults={"lose_reply": [1]}, request_timeout_ns=Duration(100 * MILLISECOND_NS))) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        unknown = engine.wait(inputs.OutcomeUnknown)
        assert (unknown.request, unknown.cause, unknown.client_order_id) == (RequestKind.NEW, "timeout", "a")
        engine.query("a")
        assert engine.wait(inputs.StatusReport).status is VenueStatus.NEW


def test_a_late_reply_is_still_told() -> None:
    faults = {"delay_reply": {"at": [1], "by": "1s", "on": ["place", "query", "snapshot"]}}
    with Counterpart(options(faults=faults, request_timeout_ns=Duration(50 * MILLISECOND_NS))) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        engine.query("a")
        request = engine.snapshot()
        engine.wait(inputs.Ack)
        assert engine.wait(inputs.OutcomeUnknown).cause == "timeout"
        engine.wait(inputs.StatusReport)
        assert engine.wait(inputs.QueryFailed).cause == "timeout"
        assert engine.wait(inputs.Snapshot).asked_seq == engine.wait(inputs.SnapshotFailed).asked_seq == request.seq
    order = names(engine.seen)
    assert order.index("OutcomeUnknown") < order.index("Ack")
    assert len(engine.all(inputs.OutcomeUnknown)) == 1


def test_an_error_instead_of_a_reply_is_an_unknown_outcome() -> None:
    faults = {"error_reply": [1], "fail": [1]}
    with Counterpart(options(faults=faults)) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        assert engine.wait(inputs.OutcomeUnknown).cause == "server error"
        engine.query("a")
        assert engine.wait(inputs.QueryFailed).cause == "server error"
        engine.snapshot()
        assert engine.wait(inputs.SnapshotFailed).cause == "server error"


def test_a_lost_connection_is_told_and_comes_back() -> None:
    with Counterpart(options(faults={"disconnect": [1]})) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        lost = engine.wait(inputs.VenueLost)
        assert lost.venue == NAME
        unknown = engine.wait(inputs.OutcomeUnknown)
        assert (unknown.cause, unknown.client_order_id) == ("disconnect", "a")
        engine.wait(inputs.VenueConnected, nth=2)
        engine.submit("b", FAR)
        engine.wait(inputs.Ack, about("b"))


class StuckGate:
    """Holds the sending thread until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def allows(self, request: object) -> bool:
        self.reached.set()
        return self.go_on.wait(20)


def test_release_never_blocks_and_a_full_queue_is_an_unknown_outcome() -> None:
    engine = Counterpart(options())
    gate = StuckGate()
    engine.venue.open(engine.deliver, gate)
    try:
        engine.wait(inputs.VenueConnected)
        engine.submit("first", FAR)
        assert gate.reached.wait(20)
        for number in range(QUEUE_MOST + 3):
            engine.submit(f"n{number}", FAR)
        engine.query("a")
        engine.snapshot()
        assert [unknown.cause for unknown in engine.all(inputs.OutcomeUnknown)] == ["queue full"] * 3
        assert engine.wait(inputs.QueryFailed).cause == "queue full"
        assert engine.wait(inputs.SnapshotFailed).cause == "queue full"
    finally:
        gate.go_on.set()
        engine.venue.close()


def test_the_exchange_outlives_its_client() -> None:
    log = MemoryLog()
    with Counterpart(options(), lambda name: log) as engine:
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        engine.wait(inputs.Ack)
        account = engine.venue.describe().account
    with Counterpart(options(), lambda name: MemoryLog(log.batches)) as engine:
        engine.wait(inputs.VenueConnected)
        engine.query("a")
        assert engine.wait(inputs.StatusReport).status is VenueStatus.NEW
        assert engine.venue.describe().account == account


def test_what_opening_raises_reaches_who_opens() -> None:
    def locked(name: str) -> MemoryLog:
        raise BlockingIOError(f"{name} is locked")

    for attempt in ("describe", "open"):
        engine = Counterpart(options(), locked)
        with pytest.raises(BlockingIOError, match="exchange/ledger is locked"):
            engine.venue.describe() if attempt == "describe" else engine.venue.open(engine.deliver, engine)
        engine.venue.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_ledger_that_fails_loses_the_venue_for_good() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        engine.log.fail_at = len(engine.log.batches)
        engine.submit("a", FAR)
        assert "no space left" in engine.wait(inputs.VenueLost).cause
        assert engine.wait(inputs.OutcomeUnknown).cause == "disconnect"
        assert len(engine.all(inputs.VenueConnected)) == 1


def test_faults_steps_and_books_beside_the_engine() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        assert isinstance(engine.control.ask(wire.SetFaults({"lose_request": [1]})), wire.Status)
        engine.submit("a", FAR)
        engine.submit("b", FAR)
        engine.wait(inputs.Ack, about("b"))
        ledger = engine.control.ask(wire.ReadLedger())
        assert isinstance(ledger, wire.AccountAnswer)
        assert [order.client_order_id for order in ledger.orders] == ["b"]
        assert isinstance(engine.control.ask(wire.Step()), wire.Status)


def test_an_exchange_that_is_closed_cuts_its_connections() -> None:
    log, received = MemoryLog(), list[Delivery]()
    floor = Floor(lambda name: log, partial(open_gateway, options(), ["BTCUSDT"], "."))
    floor.start()
    floor.connect(received.append)
    floor.close()
    assert [type(delivery.frame) for delivery in received] == [Cut]
    assert log.is_closed


def test_closing_twice_is_closing_once() -> None:
    engine = Counterpart(options())
    engine.venue.close()
    with engine:
        engine.venue.close()
    engine.venue.close()


def test_options_of_another_adapter_are_refused() -> None:
    with pytest.raises(ValueError, match="own options"):
        ADAPTER.connect(VenueSettings(NAME, object(), SYMBOLS, ".", lambda name: MemoryLog()))


def test_requests_in_order_are_carried_out_in_order() -> None:
    with Counterpart(options()) as engine:
        engine.wait(inputs.VenueConnected)
        for number in range(50):
            engine.submit(f"n{number}", FAR, "0.001")
            engine.cancel(f"n{number}")
        engine.wait(inputs.Canceled, nth=50)
    assert [report.client_order_id for report in engine.all(inputs.Canceled)] == [f"n{n}" for n in range(50)]
    assert engine.all(inputs.CancelRejected) == []
    assert time.time_ns() - engine.wait(inputs.Ack).transact_ns < 600 * SECOND_NS  # type: ignore[operator]
