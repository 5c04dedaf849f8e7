"""A soak from its first process to its last: both sides begun, watched, harmed, settled and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.codec import decode
from engine.drift import DRIFT
from engine.fold import apply
from engine.ports import VenueUnreachable
from engine.state import State
from engine.values import exact_arithmetic
from journal.journal import Reader
from tools.control import ControlRefused, EngineSilent
from tools.control import order as command
from tools.proof.processes.exchanges import EXCHANGES, LOCAL_KEYS, port_in
from tools.soak.sample import Sample, exchange_status, look, transfer
from tools.soak.scene import ADAPTER, RESTART_AT, Fault, Happening, Plan, Scene

SAMPLE_SECONDS = 1.0
START_SECONDS = 90.0
STOP_SECONDS = 60.0
SETTLE_SECONDS = 60.0
POLL_SECONDS = 0.05
TRIES = 5

COMMAND = (sys.executable, "-P", "-c", "from tools.cli import main; main()")
"""`holdfast`, of the very code that runs this."""

Tell = Callable[[str], None]


class SoakFailed(Exception):
    """A process did what it must not: what, with the end of what it said."""


class Session:
    """Both processes; a context that leaves none behind."""

    def __init__(self, plan: Plan, scene: Scene, tell: Tell) -> None:
        self.plan, self.scene, self._tell = plan, scene, tell
        self.samples: list[Sample] = []
        self.restarts, self.is_settled = 0, False
        self.exit_code: int | None = None
        self._began, self._port = 0.0, 0
        self._engine: subprocess.Popen[bytes] | None = None
        self._exchange: subprocess.Popen[bytes] | None = None
        self._count = 0

    def go(self) -> None:
        """The whole of it; raises `SoakFailed`."""
        self._serve()
        self.scene.write_engine(self.plan, self._port)
        self._start()
        self._began = time.monotonic()
        self._trade()
        self._settle()
        self._stop()

    # --- processes ------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        scene = self.scene
        self._exchange = self._begin(
            "venue", ADAPTER, "-c", str(scene.exchange_config), "--options", str(scene.exchange_options),
            "--state", str(scene.books), "--port", "0",
        )  # fmt: skip
        said = self._said()
        self._wait(lambda: port_in(said.read_text()) is not None, self._exchange, "the exchange listens", START_SECONDS)
        self._port = port_in(said.read_text()) or 0

    def _start(self) -> None:
        """The engine, until it trades."""
        self._engine = self._begin("run", "-c", str(self.scene.config))
        self._wait(lambda: self._state() == "trading", self._engine, "the engine trades", START_SECONDS)

    def _begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        self._count += 1
        with self._said().open("wb") as out, self._said(".err").open("wb") as err:
            return subprocess.Popen(
                [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, **LOCAL_KEYS}, start_new_session=True,
            )  # fmt: skip

    def _said(self, what: str = ".out") -> Path:
        return self.scene.directory / f"said-{self._count}{what}"

    def _state(self) -> str:
        try:
            return str(command(self.scene.journal, {"action": "status"})["state"])
        except (EngineSilent, ControlRefused):
            return ""

    def _wait(self, holds: Callable[[], bool], process: subprocess.Popen[bytes], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not holds():
            if process.poll() is not None:
                raise SoakFailed(f"a process ended with {process.returncode} before {what}: {self._last_words()}")
            if time.monotonic() >= end:
                raise SoakFailed(f"not within {seconds:.0f} s: {what}; {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        texts = [path.read_text(errors="replace")[-1_000:].strip() for path in self.scene.directory.glob("said-*.err")]
        return " | ".join(text for text in texts if text) or "nobody said anything"

    # --- trading --------------------------------------------------------------------------------------------------

    def _trade(self) -> None:
        """Sample once a second, and let happen what is planned."""
        due = sorted([*self._moments(), (RESTART_AT * self.plan.seconds, self._restart)], key=lambda each: each[0])
        next_look = 0.0
        while (passed := time.monotonic() - self._began) < self.plan.seconds:
            while due and due[0][0] <= passed:
                due.pop(0)[1]()
            if passed >= next_look:
                next_look = passed + SAMPLE_SECONDS
                self._look()
            time.sleep(POLL_SECONDS)

    def _moments(self) -> Sequence[tuple[float, Callable[[], None]]]:
        found: list[tuple[float, Callable[[], None]]] = []
        for happening in self.plan.happenings:
            at = happening.at * self.plan.seconds
            found.append((at, self._act(happening)))
            if isinstance(happening, Fault):
                lasts = min(happening.for_seconds, self.plan.seconds / 20)
                found.append((at + lasts, lambda: self._set_faults({})))
        return found

    def _act(self, happening: Happening) -> Callable[[], None]:
        if isinstance(happening, Fault):
            return lambda: self._set_faults(dict(happening.table))
        return lambda: transfer(self._port, happening.asset, str(happening.quantity))

    def _set_faults(self, table: dict[str, Any]) -> None:
        self._tell(f"{self._passed():7.1f} s  faults {table or 'none'}")
        for left in reversed(range(TRIES)):
            try:
                EXCHANGES[ADAPTER].set_faults(self._port, table)
                break
            except VenueUnreachable as error:
                if not left:
                    raise SoakFailed(f"the exchange takes no faults: {error}") from error

    def _restart(self) -> None:
        """kill -9, and begin again on the journal."""
        assert self._engine is not None, "it was started"
        self._tell(f"{self._passed():7.1f} s  kill -9 of the engine")
        self._engine.kill()
        self._engine.wait(STOP_SECONDS)
        self.restarts += 1
        self._start()
        self._tell(f"{self._passed():7.1f} s  it trades again")

    def _look(self) -> None:
        assert self._engine is not None, "it was started"
        assert self._exchange is not None, "it was started"
        for process in (self._engine, self._exchange):
            if process.poll() is not None:
                raise SoakFailed(f"a process ended with {process.returncode}: {self._last_words()}")
        scene = self.scene
        self.samples.append(
            look(self._began, self._engine.pid, self._exchange.pid, scene.journal, scene.books, self._port)
        )
        if len(self.samples) % 60 == 0:
            self._tell(_line(self.samples[-1]))

    def _passed(self) -> float:
        return time.monotonic() - self._began

    # --- the end --------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Without faults until it trades and nothing is in doubt any more; a difference between the books is not waited
        for."""
        self._set_faults({})
        end, state = time.monotonic() + SETTLE_SECONDS, State()
        while time.monotonic() < end and not any(pause.reason == DRIFT for pause in state.pauses.values()):
            time.sleep(SAMPLE_SECONDS)
            self._look()
            with Reader(self.scene.journal) as reader, exact_arithmetic():
                for entry in reader.read(state.seq):
                    apply(state, decode(entry))
            is_doubtful = any(order.is_in_doubt for order in state.open_orders())
            self.is_settled = self.samples[-1].state == "trading" and not is_doubtful
            if self.is_settled:
                return

    def _stop(self) -> None:
        """Paused, until what was on its way has come; then a clean stop of the engine, and of the exchange."""
        assert self._engine is not None, "it was started"
        assert self._exchange is not None, "it was started"
        command(self.scene.journal, {"action": "pause", "reason": "the soak ends"})
        time.sleep(2 * SAMPLE_SECONDS)
        self._look()
        self._engine.send_signal(signal.SIGTERM)
        self.exit_code = self._engine.wait(STOP_SECONDS)
        try:
            exchange_status(self._port)  # it has done all that it was sent before
        except (OSError, HTTPException) as error:
            raise SoakFailed(f"the exchange does not answer: {error}") from error
        self._exchange.send_signal(signal.SIGTERM)
        self._exchange.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in (self._engine, self._exchange):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(STOP_SECONDS)


def _line(sample: Sample) -> str:
    return (
        f"{sample.seconds:7.1f} s  {sample.state}, seq {sample.seq:,}, {sample.executions} executions, engine "
        f"{(sample.engine_rss or 0) / 1e6:.1f} MB, exchange {(sample.exchange_rss or 0) / 1e6:.1f} MB"
    )
