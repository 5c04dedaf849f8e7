"""Stopped and continued, asked to end, asked twice, started twice."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from engine.state import State
from tests.crash.books import assert_equal, read_books, stopped_digest
from tests.crash.pair import Pair
from tests.crash.session import PATIENCE_SECONDS, Process, configured, is_trading, session_in, wait_for

VENUE = 'seed = 3\nlatency = "10ms"\nrequest_timeout = "200ms"'
SLEEP_SECONDS = 2.5


def test_nothing_stale_is_sent_after_a_long_stop(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        pair = Pair(session, VENUE)
        engine = session.start()
        session.wait_seq(engine, 150)
        engine.send_signal(signal.SIGSTOP)
        wait_for(lambda: _is_stopped(engine), engine, "the engine to stop")
        stopped_ns = time.time_ns()
        time.sleep(SLEEP_SECONDS)
        continued_ns, seq = time.time_ns(), session.seq
        engine.send_signal(signal.SIGCONT)
        session.wait_seq(engine, seq + 150)
        assert session.stop(engine) == 0
        kinds = pair.finish()
        assert _sent_late(pair, stopped_ns, continued_ns) == []
    assert kinds["ProcessStarted"] == 2


def test_what_was_committed_before_a_long_stop_is_not_sent_after_it(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        pair = Pair(session, VENUE)
        engine = session.start_to_die("after_append", 20, signal.SIGSTOP)
        wait_for(lambda: _is_stopped(engine), engine, "the engine to stop itself", session.told)
        stopped_ns, seq = time.time_ns(), session.seq
        time.sleep(SLEEP_SECONDS)
        continued_ns = time.time_ns()
        engine.send_signal(signal.SIGCONT)
        session.wait_seq(engine, seq + 150)
        assert session.stop(engine) == 0
        pair.finish()
        assert _sent_late(pair, stopped_ns, continued_ns) == []
        causes = [body["cause"] for body in session.bodies("OutcomeUnknown", seq)]
    assert "gate closed" in causes


def _sent_late(pair: Pair, stopped_ns: int, continued_ns: int) -> list[str]:
    """Orders that were requested before the stop and reached the exchange after it."""
    books = read_books(pair.session.journal, pair.session.directory / "served" / "exchange")
    requests = books.requests()
    assert requests
    reached = {
        str(json.loads(fact.body)["client_order_id"]): fact.at_ns
        for fact in books.facts
        if fact.kind == "OrderAccepted" and fact.at_ns > continued_ns
    }
    assert reached, "nothing was sent after the stop at all"
    return [name for name in reached if requests[name][1] <= stopped_ns]


def _is_stopped(process: Process) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _has_unsettled(state: State) -> bool:
    return any(order.is_unsettled for order in state.open_orders())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with session_in(tmp_path) as session:
        session.configure(configured(venue=VENUE))
        process = session.start()
        session.wait_seq(process, 100)
        assert session.stop(process, number) == 0, session.told()
        books = read_books(session.journal, session.journal / "exchange")
        assert stopped_digest(books)
        assert not any(order.is_unsettled for order in books.state.orders.values())
        wal = session.journal / "journal.db-wal"
        assert not wal.exists() or wal.stat().st_size == 0


def test_open_orders_are_canceled_at_a_stop_where_that_is_asked(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        session.configure(configured(venue=VENUE).replace("[orders]", '[orders]\non_stop = "cancel"'))
        process = session.start()
        session.wait_seq(process, 100)
        assert session.stop(process) == 0, session.told()
        books = read_books(session.journal, session.journal / "exchange")
        assert_equal(books)
        assert not books.exchange.open


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        unanswered = "[venues.sim.faults]\nlose_reply = { every = 1 }"
        text = configured(venue='seed = 3\nrequest_timeout = "50s"', rest=unanswered)
        session.configure(text.replace('stop_limit = "5s"', 'stop_limit = "50s"\noutcome_limit = "50s"'))
        process = session.start()
        session.wait_state(process, _has_unsettled, "an order in flight")
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: "OperatorCommanded" in session.kinds(), process, "the stop to be journaled", session.told)
        assert session.stop(process) == 128 + signal.SIGTERM
        assert "ProcessStopped" not in session.kinds()
        session.configure(configured(venue=VENUE, quiet=True))
        process = session.start()
        session.wait_state(process, is_trading, "trading")
        assert session.stop(process) == 0


def test_a_second_start_names_the_holder(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        session.configure(configured(venue=VENUE))
        first = session.start()
        session.wait_seq(first, 30)
        second = session.start()
        assert second.wait(PATIENCE_SECONDS) == 75
        said = Path(tmp_path / "1.err").read_text()
        assert f"process {first.pid} on {os.uname().nodename} holds the journal" in said
        assert first.poll() is None
        session.wait_seq(first, session.seq + 10)
        assert session.stop(first) == 0
        assert session.kinds().count("ProcessStarted") == 1
