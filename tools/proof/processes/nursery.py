"""Where processes are born quickly: one process that has imported everything, and forks a fresh one for each start.

A start of Python with all imports costs most of a second, a fork a few milliseconds. What is forked is a real process:
with a session and process group of its own, no descriptor but its output files, no lock, ended by kill -9 like any.
The nursery opens no journal and no socket. When whoever began it is gone, it ends all that it has forked.

`python -m tools.proof.processes.nursery` reads one JSON line for each request and answers with one.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from attrs import define, frozen

from tools.proof.processes.exchanges import LOCAL_KEYS

LOOK_SECONDS = 0.01
END_SECONDS = 30.0

NEEDED = (
    "adapters.binance.venue", "adapters.simulated.server", "adapters.simulated.venue",
    "tools.cli", "tools.commands", "tools.config", "tools.run",
    "tools.control", "tools.proof.processes.busy", "tools.proof.processes.child", "tools.serving", "tools.start",
    "tools.init", "tools.verify", "tools.watching", "tools.why",
)  # fmt: skip
"""What a run or an exchange imports."""


class NurseryEnded(Exception):
    """The nursery does not answer any more; what it said last is in the text."""


@frozen
class Asked:
    """What a new process shall be: a `holdfast` command line, with what is done to it before it begins.

    `point`, `number` and `signal` are those of `points.strike_at`, `broken` names a broken build. Modules are looked
    for in `paths` too.
    """

    arguments: Sequence[str]
    out: str
    err: str
    point: str = ""
    number: int = 0
    signal: int = 0
    broken: str = ""
    paths: Sequence[str] = ()


@define(eq=False)
class Child:
    """A process that the nursery has forked; its `code` is known once it was seen to have ended."""

    nursery: Nursery
    pid: int
    err: Path
    code: int | None = None

    def poll(self) -> int | None:
        """The exit code, minus the signal where one ended it; None while it lives."""
        if self.code is None:
            self.code = self.nursery.ask({"poll": self.pid})["code"]
        return self.code

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None where it still lives after that time."""
        end = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return self.code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens to one that has ended."""
        if self.poll() is None:  # not reaped before it is seen to have ended, so the pid is still its own
            os.kill(self.pid, number)

    def is_stopped(self) -> bool:
        """Has SIGSTOP taken effect?"""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    def told(self) -> str:
        """The end of what it said on stderr."""
        return self.err.read_text(errors="replace")[-2_000:].strip() if self.err.exists() else ""

    def written(self) -> str:
        """What it has written to stdout so far."""
        out = self.err.with_suffix(".out")
        return out.read_text() if out.exists() else ""


class Nursery:
    """The nursery, from outside: a context that ends it and all its children."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        """Starts the process; `environment` is added to this one's."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tools.proof.processes.nursery"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True, text=True,
            env={**os.environ, **LOCAL_KEYS, **(environment or {})},
        )  # fmt: skip

    def begin(self, asked: Asked) -> Child:
        """A new process; raises `NurseryEnded`."""
        answer = self.ask({"begin": asked_row(asked)})
        return Child(self, answer["pid"], Path(asked.err))

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request, one answer; raises `NurseryEnded`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise NurseryEnded(str(error)) from error
        line = self._process.stdout.readline()
        if not line:
            raise NurseryEnded(f"it ended with {self._process.wait(END_SECONDS)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it: it ends its children first. Idempotent."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def asked_row(asked: Asked) -> dict[str, Any]:
    """As it goes over the pipe."""
    return {
        "arguments": list(asked.arguments), "out": asked.out, "err": asked.err, "point": asked.point,
        "number": asked.number, "signal": asked.signal, "broken": asked.broken, "paths": list(asked.paths),
    }  # fmt: skip


# --- inside -------------------------------------------------------------------------------------------------------


def serve() -> int:
    """Fork as asked until nobody asks any more. In a child this returns the child's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "begin" in request:
            pid = os.fork()
            if pid == 0:
                return live(Asked(**request["begin"]))
            children.add(pid)
            answer: dict[str, Any] = {"pid": pid}
        else:
            code = reap(request["poll"])
            if code is not None:
                children.discard(request["poll"])
            answer = {"code": code}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        bury(pid)
    return 0


def live(asked: Asked) -> int:
    """What a child does with its life: a `holdfast` command; gives the exit code."""
    from tools.proof.processes.child import become

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _take_descriptors(asked)
    return become(asked)


def _take_descriptors(asked: Asked) -> None:
    """Only its own output; the nursery's pipes are closed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    taken = (os.open(os.devnull, os.O_RDONLY), os.open(asked.out, flags, 0o600), os.open(asked.err, flags, 0o600))
    for standard, file in enumerate(taken):
        os.dup2(file, standard)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def reap(pid: int) -> int | None:
    """The exit code of a child that has ended; what it has started itself ends with it."""
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def bury(pid: int) -> None:
    """End a child that may still live."""
    os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def prepare() -> None:
    """Import all that a run or an exchange imports, and keep the collector from touching it in the children."""
    for name in NEEDED:
        import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    prepare()
    sys.exit(serve())
