"""A session: the exchanges and the engines of one ground, begun, watched, signalled, and waited for with patience."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from attrs import Factory, define, frozen

from engine.ports import VenueUnreachable
from engine.values import SECOND_NS, VenueName
from journal.entry import Entry
from journal.errors import JournalError
from journal.head import Head, read_head
from journal.journal import Reader
from tools.control import ControlRefused, EngineSilent
from tools.control import order as command
from tools.proof.processes.exchanges import EXCHANGES, Exchange, port_in
from tools.proof.processes.ground import Ground
from tools.proof.processes.nursery import Asked, Child, Nursery

PATIENCE_SECONDS = 120.0
"""How long anything may take before it counts as failed: generous, because the machine may be busy."""

POLL_SECONDS = 0.003
SHORT_SECONDS = 0.025
LOOK_SECONDS = 0.5
SERVE_TRIES = 5
LONGER_NS = SECOND_NS // 8
KILLED = -int(signal.SIGKILL)


@frozen
class Stop:
    """An engine was stopped from one wall time to another, for longer than the send limit.

    What it had journaled up to `released_seq` may have been on its way already, even between its last check and the
    wire, where only the expiry at the venue helps. What came after had not been released.
    """

    stopped_ns: int
    woken_ns: int
    released_seq: int


class Unexpected(Exception):
    """A process did what it must not: the problem's line, with what it said last."""


@frozen(kw_only=True)
class Pace:
    """How long an engine lives before something happens to it: so many events, or so many milliseconds at most.

    At a named point it happens at one of the first `batches_most` requests, if those come within `point_seconds`. In
    the liveness phase all must be settled within `settle_seconds`.
    """

    events_most: int = 120
    life_ms: tuple[int, int] = (150, 2_500)
    batches_most: int = 12
    point_seconds: int = 10
    settle_seconds: int = 120


@define(eq=False)
class Session:
    """One directory with its processes. `faults` are what goes wrong at every exchange until it comes to rest."""

    nursery: Nursery
    ground: Ground
    chance: Random
    pace: Pace = Pace()
    broken: str = ""
    faults: Mapping[str, Any] = Factory(dict)
    counts: Counter[str] = Factory(Counter)
    problems: list[str] = Factory(list)
    ports: dict[VenueName, int] = Factory(dict)
    exchanges: dict[VenueName, Child] = Factory(dict)
    stops: list[Stop] = Factory(list)
    heads: list[Head] = Factory(list)
    _begun: int = 0
    _looked_seq: int = 0

    # --- exchanges ------------------------------------------------------------------------------------------------

    def serve_all(self) -> None:
        """Every exchange that does not run; then the engine's configuration says where they are."""
        for venue in self.ground.venues:
            if venue not in self.exchanges or self.exchanges[venue].poll() is not None:
                self._serve(venue)
        self.ground.write_engine(self.ports)

    def _serve(self, venue: VenueName) -> None:
        arguments = (
            "venue", self.ground.adapter(venue), "-c", str(self.ground.exchange_config(venue)),
            "--state", str(self.ground.books(venue).parent), "--port", str(self.ports.get(venue, 0)),
        )  # fmt: skip
        told = ""
        for _ in range(SERVE_TRIES):
            child = self._begin(arguments)
            if self._until(partial(_listens, child), child, f"{venue} to listen", may_end=True):
                self.ports[venue] = port_in(child.written()) or 0
                self.exchanges[venue] = child
                self.set_faults(venue, self.faults)
                return
            time.sleep(LOOK_SECONDS)  # somebody else may have its port for a moment
            told = f"it ended with {child.code}: {child.told()}"
        raise Unexpected(f"the exchange {venue} does not listen; {told}")

    def set_faults(self, venue: VenueName, table: Mapping[str, Any]) -> None:
        """What goes wrong from now on; raises `Unexpected` where nobody answers in time."""
        self._ask(venue, lambda exchange, port: exchange.set_faults(port, table))

    def look(self, venue: VenueName) -> None:
        """Until an exchange has done all that it was sent before; raises `Unexpected` as `set_faults` does."""
        self._ask(venue, lambda exchange, port: exchange.look(port))

    def _ask(self, venue: VenueName, ask: Callable[[Exchange, int], None]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return ask(EXCHANGES[self.ground.adapter(venue)], self.ports[venue])
            except VenueUnreachable as error:
                if time.monotonic() >= end:
                    raise Unexpected(f"S1: the exchange {venue} does not answer: {error}") from error

    # --- engines --------------------------------------------------------------------------------------------------

    def start(self, point: str = "", by: signal.Signals = signal.SIGKILL, config: Path | None = None) -> Child:
        """`holdfast run`; at a named point of one of its first batches it sends itself that signal."""
        number = self.chance.randint(1, self.pace.batches_most)
        self.counts["starts"] += 1
        return self._begin(("run", "-c", str(config or self.ground.config)), point, number if point else 0, by)

    def _begin(self, arguments: tuple[str, ...], point: str = "", number: int = 0, by: int = 0) -> Child:
        self._begun += 1
        said = self.ground.directory / f"said-{self._begun}"
        broken = self.broken if arguments[0] == "run" else ""
        return self.nursery.begin(
            Asked(
                arguments, f"{said}.out", f"{said}.err", point=point, number=number, signal=int(by), broken=broken,
                paths=self.ground.paths,
            )
        )  # fmt: skip

    def run_command(self, *arguments: str) -> tuple[int, str]:
        """Another `holdfast` command, to its end: its code and what it wrote."""
        child = self._begin(arguments)
        code = child.wait(PATIENCE_SECONDS)
        if code is None:
            raise Unexpected(f"`holdfast {' '.join(arguments)}` has not ended within {PATIENCE_SECONDS:.0f} s")
        return code, child.written() + child.told()

    @property
    def head(self) -> Head | None:
        """The newest commit, by the head file."""
        return read_head(self.ground.journal / "head")

    @property
    def seq(self) -> int:
        """Its seq."""
        head = self.head
        return head.seq if head else 0

    def live(self, engine: Child, least: int = 1) -> None:
        """Let it work for some events, drawn by chance, or for some time where little happens."""
        seq = self.seq + self.chance.randint(least, self.pace.events_most)
        end = time.monotonic() + self.chance.randint(*self.pace.life_ms) / 1_000
        self._until(lambda: self.seq >= seq or time.monotonic() >= end, engine, f"seq {seq}")

    def live_until(
        self, engine: Child, holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
    ) -> bool:
        """Until something is true; False where it is not in that time. Raises `Unexpected` where the engine ends."""
        return self._until(holds, engine, what, seconds, fails=False)

    def live_until_death(self, engine: Child) -> int | None:
        """The code with which an engine ends that shall die at a named point; None where it does not get there."""
        end = time.monotonic() + self.pace.point_seconds
        self._until(lambda: time.monotonic() >= end, engine, "its death", may_end=True)
        return engine.poll()

    def _until(
        self, holds: Callable[[], bool], child: Child, what: str, seconds: float = PATIENCE_SECONDS, *,
        fails: bool = True, may_end: bool = False,
    ) -> bool:  # fmt: skip
        begun = time.monotonic()
        end, look, long_look = begun + seconds, 0.0, begun + LOOK_SECONDS
        while not holds():
            now = time.monotonic()
            if now >= look:
                look = now + SHORT_SECONDS
                if child.poll() is not None:
                    if may_end:
                        return False
                    raise Unexpected(f"S1: the process ended with {child.code} before {what}: {child.told()}")
            if now >= long_look:
                long_look = now + LOOK_SECONDS
                self._end_crash_loop()
            if now >= end:
                if fails:
                    raise Unexpected(f"S1: {what}: not within {seconds:.0f} s; {self.told_state()}")
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _end_crash_loop(self) -> None:
        """A pause after too many starts without trading is ended, as an operator would; these are meant."""
        if self.seq == self._looked_seq:
            return
        try:
            with Reader(self.ground.journal) as reader:
                for row in reader.read(self._looked_seq):
                    self._looked_seq = row.seq
                    if row.kind == "TradingPaused" and json.loads(row.body)["reason"] == "crash_loop":
                        self.order({"action": "resume", "reason": "these deaths are meant"})
                        self.counts["crash loops ended by the operator"] += 1
        except JournalError:
            return  # not there yet, or just being made

    def order(self, what: dict[str, Any]) -> dict[str, Any]:
        """An operator's command over the control socket; raises `Unexpected` where nobody takes it in time."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return command(self.ground.journal, what)
            except (EngineSilent, ControlRefused) as error:
                if time.monotonic() >= end:
                    raise Unexpected(f"S1: {what['action']} is not taken: {error}; {self.told_state()}") from error
                time.sleep(POLL_SECONDS * 10)

    def told_state(self) -> str:
        """The system's last moves, for a problem's line."""
        try:
            with Reader(self.ground.journal) as reader:
                rows = [row for row in reader.read() if row.kind in ("SystemChanged", "TradingPaused", "PauseEnded")]
        except JournalError as error:
            return str(error)
        return "; ".join(f"{row.seq} {row.kind} {row.body[:120]}" for row in rows[-4:])

    @property
    def epoch(self) -> int:
        """The newest event's epoch; 0 where there is none."""
        last = self._last()
        return last.epoch if last else 0

    def _last(self) -> Entry | None:
        try:
            with Reader(self.ground.journal) as reader:
                return reader.last()
        except JournalError:
            return None  # not there yet

    # --- deaths ---------------------------------------------------------------------------------------------------

    def wait_answer(self, engine: Child) -> str:
        """Until an engine answers, which it does once it owns the journal and has begun; gives the system's state."""
        self._until(self._answers, engine, "an answer")
        return str(self.order({"action": "status"})["state"])

    def _answers(self) -> bool:
        try:
            return bool(command(self.ground.journal, {"action": "status"}))
        except (EngineSilent, ControlRefused):
            time.sleep(SHORT_SECONDS)
            return False

    def kill(self, engine: Child, how: str) -> None:
        """kill -9, and remember what was acknowledged by then."""
        engine.signal(signal.SIGKILL)
        code = engine.wait(PATIENCE_SECONDS)
        if code != KILLED:
            raise Unexpected(f"S1: {how}: the process ended with {code} before it was killed: {engine.told()}")
        self.note_death(how)

    def kill_exchange(self, venue: VenueName) -> None:
        """kill -9 of an exchange."""
        exchange = self.exchanges[venue]
        exchange.signal(signal.SIGKILL)
        if exchange.wait(PATIENCE_SECONDS) != KILLED:
            raise Unexpected(f"the exchange {venue} ended with {exchange.code}: {exchange.told()}")
        self.counts["exchange killed"] += 1

    def note_death(self, how: str) -> None:
        """Count it; what the head file says now was acknowledged, so it must be there ever after (I1)."""
        self.counts[how] += 1
        head = self.head
        if head is not None:
            self.heads.append(head)

    def expect(self, child: Child, codes: tuple[int, ...], what: str) -> int:
        """Wait for its end; raises `Unexpected` where it does not end, or with another code."""
        code = child.wait(PATIENCE_SECONDS)
        if code not in codes:
            ended = "it goes on" if code is None else f"it ended with {code}: {child.told()}"
            raise Unexpected(f"{what}: {' or '.join(map(str, codes))} is expected, but {ended}")
        return code

    def hold(self, *, holds_batch: bool) -> None:
        """Keep a stopped engine stopped for longer than the send limit, until the exchanges have seen all it sent.

        `holds_batch` says that the newest batch was not released yet.
        """
        stopped_ns = time.time_ns()
        last = self._last()
        newest = (last.batch - 1 if holds_batch else last.seq) if last else 0
        limit_ns, expiry_ns = self.ground.orders.send_limit_ns, self.ground.orders.expiry_ns
        longer_ns = min((expiry_ns - limit_ns) // 2, LONGER_NS)  # else the venue would refuse what the gate lets pass
        time.sleep((limit_ns + longer_ns) / SECOND_NS)
        for venue in self.ground.venues:
            self.look(venue)
        self.stops.append(Stop(stopped_ns, time.time_ns(), newest))


def _listens(exchange: Child) -> bool:
    return port_in(exchange.written()) is not None
