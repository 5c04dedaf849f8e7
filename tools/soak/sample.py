"""What is looked at once a second: the two processes from outside, the journal, and what both sides say."""

from __future__ import annotations

import json
import os
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from attrs import frozen

from journal.head import read_head
from tools.control import ControlRefused, EngineSilent
from tools.control import order as command
from tools.proof.processes.exchanges import HOST

ASK_SECONDS = 5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@frozen(kw_only=True)
class Sample:
    """One look; None is what nobody told. Bytes, nanoseconds, counts.

    `seconds` are since the soak began, `engine_pid` tells one process of the engine from the next, `lag_ns` is how far
    the exchange's clock lies behind the machine's.
    """

    seconds: float
    engine_pid: int
    engine_rss: int | None
    exchange_rss: int | None
    engine_threads: int | None
    exchange_threads: int | None
    engine_files: int | None
    exchange_files: int | None
    journal_bytes: int
    ledger_bytes: int
    seq: int
    state: str | None
    inbox_depth: int | None
    open_orders: int | None
    executions: int | None
    facts: int | None
    records: int | None
    lag_ns: int | None


def look(began: float, engine_pid: int, exchange_pid: int, journal: Path, books: Path, port: int) -> Sample:
    """One sample, of processes that may be gone in this very moment."""
    told, said, lag_ns = _told(journal), *_said(port)
    head = read_head(journal / "head")
    return Sample(
        seconds=time.monotonic() - began, engine_pid=engine_pid,
        engine_rss=_rss(engine_pid), exchange_rss=_rss(exchange_pid),
        engine_threads=_threads(engine_pid), exchange_threads=_threads(exchange_pid),
        engine_files=_files(engine_pid), exchange_files=_files(exchange_pid),
        journal_bytes=_size(journal), ledger_bytes=_size(books / "exchange"), seq=head.seq if head else 0,
        state=told.get("state"), inbox_depth=told.get("inbox_depth"), open_orders=said.get("open_orders"),
        executions=said.get("executions"), facts=said.get("seq"), records=said.get("data", {}).get("records"),
        lag_ns=lag_ns,
    )  # fmt: skip


def exchange_status(port: int) -> dict[str, Any]:
    """What the exchange says of itself; raises `OSError` and `HTTPException` where it says nothing."""
    line = HTTPConnection(HOST, port, timeout=ASK_SECONDS)
    try:
        line.request("GET", "/holdfast/status")
        found: dict[str, Any] = json.loads(line.getresponse().read())
        return found
    finally:
        line.close()


def transfer(port: int, asset: str, quantity: str) -> None:
    """A deposit, or below zero a withdrawal; raises `ValueError` if it is refused, else as `exchange_status`."""
    line = HTTPConnection(HOST, port, timeout=ASK_SECONDS)
    try:
        line.request("POST", "/holdfast/transfer", json.dumps({"asset": asset, "quantity": quantity}))
        answer = line.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        line.close()
    if answer.status >= 400:
        raise ValueError(text)


def _told(journal: Path) -> dict[str, Any]:
    try:
        return command(journal, {"action": "status"})
    except (EngineSilent, ControlRefused):
        return {}  # it is being started, or killed


def _said(port: int) -> tuple[dict[str, Any], int | None]:
    asked_ns = time.time_ns()
    try:
        said = exchange_status(port)
    except (OSError, HTTPException, ValueError):
        return {}, None  # its connections are being cut
    return said, (asked_ns + time.time_ns()) // 2 - said["at_ns"] - said["clock_offset_ns"]


def _rss(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return None


def _threads(pid: int) -> int | None:
    return _counted(pid, "task")


def _files(pid: int) -> int | None:
    return _counted(pid, "fd")


def _counted(pid: int, what: str) -> int | None:
    try:
        return len(os.listdir(f"/proc/{pid}/{what}"))
    except OSError:
        return None


def _size(directory: Path) -> int:
    """Bytes of its databases and their logs; what is renamed meanwhile is not counted."""
    found = 0
    for path in directory.glob("*.db*"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            continue
    return found
