"""tick → durable → wire → ack through the real client of Binance, over loopback sockets, beside the floor below it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path

from attrs import Factory, define
from websockets.sync.client import ClientConnection, connect

from journal.journal import Reader
from tools.bench.ground import write_through
from tools.bench.sheet import Scale, Sheet, ratio
from tools.bench.tick.engine import STAGES
from tools.bench.tick.exchange import ECHO, TICKS
from tools.bench.timing import Times
from tools.control import ControlRefused, EngineSilent
from tools.control import order as command
from tools.proof.processes.exchanges import EXCHANGES, HOST, LOCAL_KEYS
from tools.proof.processes.ground import toml

ROUNDS = {Scale.QUICK: 10, Scale.USUAL: 1_000, Scale.LONG: 5_000}
WARM_UP = {Scale.QUICK: 5, Scale.USUAL: 100, Scale.LONG: 100}
EVERY_SECONDS = 0.02
"""A tick each 20 ms, and the floor's turn in the middle between two."""

FRAME_BYTES = 400
"""What an order weighs as a frame."""

START_SECONDS = 60.0
POLL_SECONDS = 0.05
ENTRIES = {"ws": "WS API", "rest": "REST"}
DISTURBED = ("VenueLost", "VenueThrottled", "StreamLost", "OutcomeUnknown", "OrderRejected", "OrderDenied")
WIRE_TARGET, ACK_TARGET = 2.0, 2.5


@define
class Floor:
    """The least that a tick's way can mean, in the same run and paced as it is: nanoseconds of each round."""

    round_trip: list[int] = Factory(list)
    flush: list[int] = Factory(list)

    @property
    def wire(self) -> Times:
        """Half a round trip of a websocket frame, and a write that is flushed."""
        return Times(tuple(trip // 2 + flush for trip, flush in zip(self.round_trip, self.flush, strict=True)))

    @property
    def ack(self) -> Times:
        """A whole round trip, and a write that is flushed."""
        return Times(tuple(trip + flush for trip, flush in zip(self.round_trip, self.flush, strict=True)))


def measure_wire(directory: Path, scale: Scale) -> Sheet:
    """Both doors for orders, one after the other, each with a floor of its own."""
    rounds = ROUNDS[scale]
    sheet = Sheet(
        "wire",
        f"A tick through Binance's client: {rounds:,}, one each {EVERY_SECONDS * 1e3:.0f} ms",
        ("", "p50 µs", "p99 µs", "× floor p50", "× floor p99"),
    )
    for entry, name in ENTRIES.items():
        stamps, floor = follow(directory / f"wire-{entry}", entry, WARM_UP[scale], rounds)
        add_ways(sheet, name, stamps, floor)
    sheet.notes += [
        "a tick begins when the exchange hands its frame to the kernel; wire: the kernel has the order; ack: the "
        "answer has been read and is in the inbox",
        "floor: (half) the round trip of a websocket frame, and fdatasync of the same bytes, paced as the ticks are",
        f"target over the WS API: tick → wire at most {WIRE_TARGET} × its floor, tick → ack at most {ACK_TARGET} ×",
    ]
    return sheet


def add_ways(sheet: Sheet, name: str, stamps: Mapping[str, Mapping[int, int]], floor: Floor) -> None:
    """The lines of one door: each way beside its floor, and where the time goes."""
    ways = {stage: taken(stamps["sent"], stamps[stage]) for stage in (*STAGES, "arrived")}
    for stage, bottom in (("heard", None), ("durable", None), ("wire", floor.wire), ("acknowledged", floor.ack)):
        times = ways[stage]
        shown = {"heard": "inbox", "acknowledged": "ack"}.get(stage, stage)
        if bottom is None:
            sheet.add(f"{name}: tick → {shown}", times.p50_us, times.p99_us, None, None)
            continue
        over = ratio(times.p50_us, bottom.p50_us), ratio(times.p99_us, bottom.p99_us)
        sheet.add(f"{name}: tick → {shown}", times.p50_us, times.p99_us, *over)
        sheet.add(f"{name}: floor of tick → {shown}", bottom.p50_us, bottom.p99_us, 1.0, 1.0)
    steps = ("sent", "heard", "taken", "decided", "durable", "released", "wire", "arrived", "acknowledged")
    medians = [f"{after} {taken(stamps[before], stamps[after]).p50_us:,.0f}" for before, after in pairwise(steps)]
    trip, flush = Times(tuple(floor.round_trip)), Times(tuple(floor.flush))
    sheet.notes.append(f"{name}, µs p50 from each step to the next: {', '.join(medians)}")
    sheet.notes.append(
        f"{name}, its floor's parts: round trip {trip.p50_us:,.0f} µs p50, {trip.p99_us:,.0f} p99; "
        f"write + fdatasync {flush.p50_us:,.0f} µs p50, {flush.p99_us:,.0f} p99; {len(ways['wire'].taken_ns):,} orders"
    )


def taken(began: Mapping[int, int], ended: Mapping[int, int]) -> Times:
    """From one stamp to another, of the ticks that have both."""
    return Times(tuple(at_ns - began[tick] for tick, at_ns in ended.items() if tick in began))


# --- the processes ------------------------------------------------------------------------------------------------


def follow(directory: Path, entry: str, warm_up: int, rounds: int) -> tuple[dict[str, dict[int, int]], Floor]:
    """Ticks through one door (`ws` or `rest`): monotonic nanoseconds by stage and tick, and the floor of the same time.

    Raises `RuntimeError` where the engine does not trade, is disturbed, or does not end cleanly.
    """
    directory.mkdir()
    floor = Floor()
    with _exchange() as port, _engine(directory, entry, port) as stamped:
        with (
            connect(f"ws://{HOST}:{port}{TICKS}", **PLAIN) as ticks,
            connect(f"ws://{HOST}:{port}{ECHO}", **PLAIN) as echo,
        ):
            _tick(ticks, echo, None, range(warm_up), floor)
            path = directory / "floor.log"
            _tick(ticks, echo, (path, _bytes(directory / "run")), range(warm_up, warm_up + rounds), floor)
        stamps = _stamps(port)
    _check_undisturbed(directory / "run")
    stamps |= json.loads(stamped.read_text())
    wanted = range(warm_up, warm_up + rounds)
    found = {
        stage: {int(tick): ns for tick, ns in each.items() if int(tick) in wanted} for stage, each in stamps.items()
    }
    return found, floor


PLAIN = {"proxy": None, "compression": None}


def _tick(
    ticks: ClientConnection, echo: ClientConnection, written: tuple[Path, bytes] | None, numbers: Sequence[int],
    floor: Floor,
) -> None:  # fmt: skip
    """Ticks, each followed by a turn of the floor where it is told what to write."""
    file = None if written is None else os.open(written[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    due = time.monotonic()
    try:
        for number in numbers:
            _sleep_until(due)
            ticks.send(str(number))
            _sleep_until(due + EVERY_SECONDS / 2)
            if written is not None and file is not None:
                _take_floor(echo, file, written[1], floor)
            due = max(due + EVERY_SECONDS, time.monotonic())
        _sleep_until(time.monotonic() + 10 * EVERY_SECONDS)  # the last answers
    finally:
        if file is not None:
            os.close(file)


def _take_floor(echo: ClientConnection, file: int, data: bytes, floor: Floor) -> None:
    begun_ns = time.monotonic_ns()
    echo.send("x" * FRAME_BYTES)
    echo.recv()
    echoed_ns = time.monotonic_ns()
    write_through(file, data)
    floor.flush.append(time.monotonic_ns() - echoed_ns)
    floor.round_trip.append(echoed_ns - begun_ns)


def _sleep_until(at: float) -> None:
    while (left := at - time.monotonic()) > 0:
        time.sleep(left)


def _bytes(journal: Path) -> bytes:
    """What the newest decision wrote into the journal."""
    with Reader(journal) as reader:
        rows = list(reader.read())
    newest = next(row.batch for row in reversed(rows) if row.kind == "SubmitRequested")
    return "\n".join(row.body for row in rows if row.batch == newest).encode()


def _check_undisturbed(journal: Path) -> None:
    """A line that was lost, or an order that was refused, is not what is measured; raises `RuntimeError`."""
    with Reader(journal) as reader:
        found = Counter(row.kind for row in reader.read() if row.kind in DISTURBED)
    if found:
        raise RuntimeError(f"what was measured was disturbed: {dict(found)}")


def _stamps(port: int) -> dict[str, dict[int, int]]:
    line = HTTPConnection(HOST, port)
    try:
        line.request("GET", "/bench/stamps")
        found: dict[str, dict[int, int]] = json.loads(line.getresponse().read())
        return found
    finally:
        line.close()


@contextmanager
def _exchange() -> Iterator[int]:
    """The prompt exchange in a process of its own; its port."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tools.bench.tick.exchange"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def _engine(directory: Path, entry: str, port: int) -> Iterator[Path]:
    """The engine in a process of its own, once it trades; where its stamps will be once it has ended."""
    config, stamped = directory / "holdfast.toml", directory / "stamps.json"
    config.write_text(toml(_document(entry, port)))
    arguments = [sys.executable, "-P", "-m", "tools.bench.tick.engine", str(config), str(stamped)]
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, env={**os.environ, **LOCAL_KEYS})
    try:
        _wait(process, directory / "run")
        yield stamped
        process.send_signal(signal.SIGTERM)
        code = process.wait(START_SECONDS)
        if code:
            raise RuntimeError(f"the engine ended with {code}")
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], journal: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            if command(journal, {"action": "status"})["state"] == "trading":
                return
        except (EngineSilent, ControlRefused):
            pass  # not there yet
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the engine does not trade; it ended with {process.poll()}")


def _document(entry: str, port: int) -> dict[str, object]:
    """All limits set, none hit."""
    venue = {"adapter": "binance", **EXCHANGES["binance"].reach(port), "order_entry": entry, "streams": ["quotes"]}
    return {
        "mode": "paper",
        "journal": "run",
        "venues": {"binance": venue},
        "instruments": {"BTC-USDT": {"venue": "binance", "symbol": "BTCUSDT"}},
        "strategies": {"asking": {"class": "tools.bench.tick.asking:Asking", "instruments": ["BTC-USDT"]}},
        "risk": {
            "max_order_quantity": {"BTC-USDT": "1"}, "max_order_notional": "100000", "max_position": {"BTC-USDT": "9"},
            "max_open_orders": 50, "max_orders_per_minute": 100_000, "max_daily_loss": "500000", "price_collar": "5%",
            "max_quote_age": "10s",
        },
        "disk": {"min_free_bytes": 0},
    }  # fmt: skip
