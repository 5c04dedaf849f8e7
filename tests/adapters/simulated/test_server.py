"""The exchange in a process of its own, over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from adapters.registry import ServerSettings
from adapters.simulated import wire
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.server import ExchangeServer
from engine import inputs
from engine.inputs import VenueStatus
from engine.ports import VenueUnreachable
from engine.values import MILLISECOND_NS, Duration, InstrumentName
from tests.adapters.simulated.counterpart import BOUND_SECONDS, SYMBOLS, Counterpart
from tests.adapters.simulated.memory_log import MemoryLog
from tests.conftest import ROOT

FAR = "50000"

CHILD = """
import sys
from pathlib import Path
from adapters.registry import ServerSettings
from adapters.simulated import ADAPTER, SimulatedOptions
from journal.journal import Journal

def open_log(name):
    path = Path(sys.argv[1]) / name
    log = Journal(path.parent, name=path.name, durable=False, identity={"journal_id": "j" * 32}, at_ns=1)
    log.claim(1)
    return log

def announce(text):
    print(text, flush=True)

ADAPTER.serve(ServerSettings(SimulatedOptions(), {}, ".", int(sys.argv[2]), open_log, announce))
print("ended", flush=True)
"""


@contextmanager
def served(options: SimulatedOptions | None = None, log: MemoryLog | None = None, port: int = 0) -> Iterator[str]:
    """A server in this process; gives its url."""
    said: list[str] = []
    kept = MemoryLog() if log is None else log
    server = ExchangeServer(
        ServerSettings(options or SimulatedOptions(), SYMBOLS, ".", port, lambda name: kept, said.append)
    )
    server.start()
    try:
        yield said[0].removeprefix("listening on ")
    finally:
        server.close()


def client(url: str, timeout_ms: int = 1_000) -> Counterpart:
    return Counterpart(SimulatedOptions(url=url, request_timeout_ns=Duration(timeout_ms * MILLISECOND_NS)))


def test_the_same_venue_over_a_socket() -> None:
    with served() as url, client(url) as engine:
        description = engine.venue.describe()
        assert [instrument.name for instrument in description.instruments] == list(SYMBOLS)
        engine.wait(inputs.ClockMeasured)
        engine.wait(inputs.Quote, lambda quote: quote.instrument == InstrumentName("ETH-USDT"))
        engine.submit("a", quantity="0.001")
        engine.wait(inputs.Ack)
        engine.wait(inputs.Trade)
        engine.submit("b", FAR)
        engine.cancel("b")
        engine.wait(inputs.Canceled)
        engine.snapshot()
        snapshot = engine.wait(inputs.Snapshot)
        assert {trade.client_order_id for trade in snapshot.executions} == {"a"}
        engine.query("never")
        engine.wait(inputs.NotFound)


def test_all_clients_are_told_of_all_orders() -> None:
    with served() as url, client(url) as one, client(url) as other:
        one.wait(inputs.VenueConnected)
        other.wait(inputs.VenueConnected)
        one.submit("a", quantity="0.001")
        assert other.wait(inputs.Trade).client_order_id == "a"
        assert other.all(inputs.Ack) == []


def test_books_faults_and_steps_by_hand() -> None:
    with served() as url, client(url) as engine:
        engine.wait(inputs.VenueConnected)
        assert isinstance(engine.control.ask(wire.SetFaults({"lose_request": [1]})), wire.Status)
        engine.submit("a", FAR)
        engine.submit("b", FAR)
        engine.wait(inputs.Ack)
        ledger = engine.control.ask(wire.ReadLedger())
        assert isinstance(ledger, wire.AccountAnswer)
        assert [order.client_order_id for order in ledger.orders] == ["b"]
        assert isinstance(engine.control.ask(wire.Step()), wire.Status)
        wrong = engine.control.ask(wire.SetFaults({"lose": [1]}))
        assert isinstance(wrong, wire.Failed)


def test_a_text_that_is_no_message_does_no_harm() -> None:
    with served() as url, connect(url, proxy=None) as connection:
        connection.send("what?")
        assert isinstance(wire.decode(connection.recv(BOUND_SECONDS))[1], wire.Notice)
        connection.send(wire.encode(wire.Failed("not a request"), 4))
        assert wire.decode(connection.recv(BOUND_SECONDS)) == (4, wire.Failed("this is not a request"))
        connection.send(wire.encode(wire.ReadStatus(), 5))
        number, status = wire.decode(connection.recv(BOUND_SECONDS))
        assert number == 5
        assert isinstance(status, wire.Status)


def test_a_frame_of_unknown_shape_is_a_surprise() -> None:
    from websockets.sync.server import ServerConnection, serve

    def odd(connection: ServerConnection) -> None:
        connection.recv()
        connection.send('{"hello": "world"}')
        for _ in connection:
            pass

    with serve(odd, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with client(f"ws://127.0.0.1:{server.socket.getsockname()[1]}") as engine:
            assert engine.wait(inputs.ProtocolSurprise).raw == '{"hello": "world"}'
        server.shutdown()
        thread.join()


def test_nobody_there() -> None:
    engine = client("ws://127.0.0.1:1")
    with pytest.raises(VenueUnreachable, match="is `holdfast venue simulated` running"):
        engine.venue.describe()
    with engine:
        engine.submit("a", FAR)
        assert engine.wait(inputs.OutcomeUnknown).cause == "not connected"


def test_a_symbol_that_is_not_traded_there_is_left_out() -> None:
    with served() as url:
        engine = client(url)
        engine.control._translator._names["XRPUSDT"] = InstrumentName("XRP-USDT")
        assert "XRP-USDT" not in [instrument.name for instrument in engine.venue.describe().instruments]


def test_the_client_finds_an_exchange_that_comes_back() -> None:
    log = MemoryLog()
    with served(log=log) as url:
        port = int(url.rpartition(":")[2])
        engine = client(url)
        engine.venue.open(engine.deliver, engine)
        engine.wait(inputs.VenueConnected)
        account = engine.venue.describe().account
    try:
        engine.wait(inputs.VenueLost)
        with served(log=MemoryLog(log.batches), port=port):
            engine.wait(inputs.VenueConnected, nth=2)
            assert engine.venue.describe().account == account
    finally:
        engine.venue.close()


def flood(connection: ClientConnection, text: str) -> None:
    for _ in range(1_000_000):
        connection.send(text)


def test_a_client_that_does_not_read_is_cut_off_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.simulated.server.OUTGOING_MOST", 100)
    with served() as url, client(url) as engine, ExitStack() as opened:
        engine.wait(inputs.VenueConnected)
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        connection = opened.enter_context(connect(url, sock=slow, proxy=None, compression=None))
        ask = wire.encode(wire.ReadLedger(), 1)
        with pytest.raises(ConnectionClosed):
            flood(connection, ask)
        engine.submit("a", FAR)
        engine.wait(inputs.Ack)


@contextmanager
def child(directory: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The exchange in a process of its own, on a ledger in a file."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory), str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        announced = process.stdout.readline().strip()
        assert announced.startswith("listening on ws://127.0.0.1:")
        yield process, announced.removeprefix("listening on ")
    finally:
        process.kill()
        process.communicate(timeout=BOUND_SECONDS)


def test_a_killed_exchange_knows_its_orders_when_it_is_started_again(tmp_path: Path) -> None:
    with child(tmp_path) as (process, url):
        engine = client(url)
        engine.venue.open(engine.deliver, engine)
        engine.wait(inputs.VenueConnected)
        engine.submit("a", FAR)
        engine.submit("m", quantity="0.001")
        engine.wait(inputs.Trade, lambda _: sum(t.quantity for t in engine.all(inputs.Trade)) == Decimal("0.001"))
        os.kill(process.pid, signal.SIGSTOP)
        engine.submit("lost", FAR)
        process.kill()
        assert engine.wait(inputs.OutcomeUnknown).client_order_id == "lost"
        engine.wait(inputs.VenueLost)
    try:
        with child(tmp_path, int(url.rpartition(":")[2])):
            engine.wait(inputs.VenueConnected, nth=2)
            engine.query("a")
            assert engine.wait(inputs.StatusReport).status is VenueStatus.NEW
            engine.snapshot()
            snapshot = engine.wait(inputs.Snapshot)
            assert list(snapshot.executions) == engine.all(inputs.Trade)
            engine.query("lost")
            engine.wait(inputs.NotFound)
    finally:
        engine.venue.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_when_it_is_asked_to(number: signal.Signals, tmp_path: Path) -> None:
    with child(tmp_path) as (process, _):
        process.send_signal(number)
        said, _ = process.communicate(timeout=BOUND_SECONDS)
        assert said == "ended\n"
        assert process.returncode == 0
