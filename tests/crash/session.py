"""A run in a process of its own: configured, started, watched through its journal, killed, stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import Factory, define

from engine.codec import decode
from engine.fold import apply
from engine.state import State
from engine.system import SystemState
from engine.values import exact_arithmetic
from journal.errors import JournalError
from journal.head import read_head
from journal.journal import Reader

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HOLDFAST = Path(sys.executable).with_name("holdfast")
SYMBOLS = {"BTC-USDT": "BTCUSDT", "ETH-USDT": "ETHUSDT", "SOL-USDT": "SOLUSDT", "XRP-USDT": "XRPUSDT"}

PATIENCE_SECONDS = 60.0
"""How long anything may take before it counts as failed: generous, because the machine may be busy."""

POLL_SECONDS = 0.003

EVENTS_MOST = 150
"""At most so many events after its start a process is killed; the first few are the start itself."""

FAULTS = """
[venues.sim.faults]
seed = {seed}
lose_request = {{ permille = 20 }}
lose_reply = {{ permille = 60 }}
delay_reply = {{ permille = 30, by = "150ms" }}
duplicate_reply = {{ permille = 50 }}
error_reply = {{ permille = 20 }}
drop = {{ permille = 60 }}
duplicate = {{ permille = 100 }}
reorder = {{ permille = 60 }}
disconnect = {{ permille = 4 }}
"""
"""What goes wrong on the way, each kind now and then."""

Process = subprocess.Popen[bytes]


def configured(
    *, venue: str = "", strategy: str = "", quiet: bool = False, rest: str = "", names: tuple[str, ...] = tuple(SYMBOLS)
) -> str:
    """A configuration with the busy strategy: `venue` and `strategy` are more lines of their tables."""
    instruments = "".join(f'[instruments."{name}"]\nvenue = "sim"\nsymbol = "{SYMBOLS[name]}"\n' for name in names)
    return f"""
mode = "paper"
journal = "run"
[venues.sim]
adapter = "simulated"
{venue}
{instruments}
[strategies.busy]
class = "busy.py:Busy"
instruments = {json.dumps(list(names))}
params = {{ quiet = {str(quiet).lower()} }}
{strategy}
[orders]
stop_limit = "5s"
[reconcile]
every = "500ms"
retry = "200ms"
{rest}
"""


@define
class Session:
    """One directory with configuration and journal, and the processes that were started on it."""

    directory: Path
    processes: list[Process] = Factory(list)
    _folded: State = Factory(State)
    _folded_pid: int = 0

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.directory / "holdfast.toml"

    @property
    def journal(self) -> Path:
        """The journal directory."""
        return self.directory / "run"

    @property
    def seq(self) -> int:
        """The newest commit, by the head file."""
        head = read_head(self.journal / "head")
        return head.seq if head else 0

    def configure(self, text: str) -> None:
        """Write the configuration, and the strategy beside it."""
        self.config.write_text(text)
        shutil.copy(HERE / "busy.py", self.directory)

    def start(self, *arguments: str) -> Process:
        """`holdfast run` in the background."""
        return self._begin([str(HOLDFAST), "run", "-c", str(self.config), *arguments])

    def start_to_die(self, point: str, number: int, by: signal.Signals = signal.SIGKILL) -> Process:
        """The same run, which sends itself a signal at a named point."""
        command = [sys.executable, str(HERE / "dying.py"), str(self.config), point, str(number), str(int(by))]
        return self._begin(command)

    def serve(self, port: int = 0) -> tuple[Process, int]:
        """The simulated exchange in a process of its own, on its books; with its port."""
        said = self.directory / f"exchange-{len(self.processes)}.out"
        command = [str(HOLDFAST), "venue", "simulated", "-c", str(self.config), "--port", str(port)]
        process = self._begin([*command, "--state", str(self.directory / "served")], said)
        wait_for(lambda: "listening on" in said.read_text(), process, "the exchange to listen")
        return process, int(said.read_text().split("listening on")[1].split()[0].rpartition(":")[2])

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A `holdfast` command, to its end."""
        return subprocess.run(
            [str(HOLDFAST), *arguments, "-c", str(self.config)], cwd=ROOT, env={**os.environ, **environment},
            capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
        )  # fmt: skip

    def told(self) -> str:
        """What all processes said on stderr, for a failure's message."""
        return "\n".join(path.read_text()[-3_000:] for path in sorted(self.directory.glob("*.err")))

    def state(self) -> State:
        """The fold of the journal as it stands now; what was folded before is gone on with."""
        with Reader(self.journal) as reader, exact_arithmetic():
            for entry in reader.read(self._folded.seq):
                apply(self._folded, decode(entry))
                if entry.kind == "ProcessStarted":
                    self._folded_pid = json.loads(entry.body)["pid"]
        return self._folded

    def bodies(self, kind: str, after: int = 0) -> list[dict[str, Any]]:
        """The bodies of all events of a kind."""
        with Reader(self.journal) as reader:
            return [json.loads(entry.body) for entry in reader.read(after) if entry.kind == kind]

    def kinds(self, after: int = 0) -> list[str]:
        """The kinds of the events after a seq."""
        with Reader(self.journal) as reader:
            return [entry.kind for entry in reader.read(after)]

    def wait_seq(self, process: Process, seq: int) -> None:
        """Until the journal has come that far."""
        wait_for(lambda: self.seq >= seq, process, f"seq {seq}", self.told)

    def wait_state(self, process: Process, holds: Callable[[State], bool], what: str) -> None:
        """Until something is true of the journal's state as this process has made it."""

        def is_so() -> bool:
            try:
                if self.seq > self._folded.seq:
                    self.state()
            except JournalError:  # not there yet
                return False
            return self._folded_pid == process.pid and holds(self._folded)

        wait_for(is_so, process, what, self.told, 0.05)

    def kill(self, process: Process) -> None:
        """kill -9."""
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, process: Process, number: int = signal.SIGTERM) -> int:
        """A signal, and the exit code that it leads to."""
        process.send_signal(number)
        return process.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """Whatever still runs is killed."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                self.kill(process)

    def _begin(self, command: list[str], said: Path | None = None) -> Process:
        said = said or self.directory / f"{len(self.processes)}.out"
        with said.open("wb") as out, said.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self.processes.append(process)
        return process


def is_trading(state: State) -> bool:
    """New orders may leave."""
    return state.system is SystemState.TRADING


def is_calm(state: State) -> bool:
    """Trading, nothing on the wire or in doubt, and nothing open that could still execute."""
    far = all(order.key and order.pending_cancel == order.pending_replace == "none" for order in state.open_orders())
    doubtful = any(order.is_in_doubt or order.is_unsettled for order in state.orders.values())
    return is_trading(state) and far and not doubtful


@contextmanager
def session_in(directory: Path) -> Iterator[Session]:
    """A session whose processes end with the test."""
    session = Session(directory)
    try:
        yield session
    finally:
        session.end()


def wait_for(
    holds: Callable[[], bool], process: Process, what: str, told: Callable[[], str] = str, every: float = POLL_SECONDS
) -> None:
    """Until something is true; fails if the process ends first, or after a generous time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if process.poll() is not None:
            raise AssertionError(f"the process ended with {process.returncode} before {what}:\n{told()}")
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {PATIENCE_SECONDS} s\n{told()}")
        time.sleep(every)
