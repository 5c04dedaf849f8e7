"""`python -m tools.bench.tick.engine CONFIG FILE`: the run of `holdfast run`, with stamps on a tick's way.

Methods of the product are wrapped in this process alone; each stamp costs less than a microsecond. The file gets a list
of {tick: monotonic nanoseconds} by stage when the run has ended.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from adapters.binance.venue import BinanceVenue
from adapters.stream import Line
from engine import inputs, outbox
from engine.inbox import Inbox
from engine.runner import Runner
from journal.journal import Journal
from tools.bench.tick.exchange import FIRST_CENTS, cents_of
from tools.config import read_configuration
from tools.run import run

STAGES = ("heard", "taken", "decided", "durable", "released", "wire", "acknowledged")
"""A quote is in the inbox, is taken from it, what follows from it is on its way to the journal, has been flushed, is
handed to the client, is with the kernel, and the answer is in the inbox."""

_WS_PRICE, _REST_PRICE = re.compile(r'"price":"([\d.]+)"'), re.compile(rb"[?&]price=([\d.]+)")

Stamps = dict[str, dict[int, int]]


def stamp_all() -> Stamps:
    """Wrap what a tick passes; gives the stamps, which fill while it runs."""
    found: Stamps = {stage: {} for stage in STAGES}
    _stamp_inbox(found)
    _stamp_journal(found)
    _stamp_sockets(found)
    return found


def _stamp_inbox(found: Stamps) -> None:
    deliver, handle, release = Inbox.deliver, Runner._handle, BinanceVenue.release
    asked: dict[str, int] = {}

    def stamp_delivery(inbox: Inbox, seen: inputs.Input) -> None:
        if isinstance(seen, inputs.Quote):
            found["heard"][_tick(str(seen.bid))] = time.monotonic_ns()
        elif isinstance(seen, inputs.Ack) and seen.client_order_id in asked:
            found["acknowledged"].setdefault(asked[seen.client_order_id], time.monotonic_ns())
        deliver(inbox, seen)

    def stamp_taking(runner: Runner, seen: inputs.Input) -> None:
        if isinstance(seen, inputs.Quote):
            found["taken"][_tick(str(seen.bid))] = time.monotonic_ns()
        handle(runner, seen)

    def stamp_release(venue: BinanceVenue, request: outbox.Request) -> None:
        if isinstance(request, outbox.SubmitOrder):
            tick = _tick(str(request.price))
            asked[request.client_order_id] = tick
            found["released"][tick] = time.monotonic_ns()
        release(venue, request)

    _wrap(Inbox, "deliver", stamp_delivery)
    _wrap(Runner, "_handle", stamp_taking)
    _wrap(BinanceVenue, "release", stamp_release)


def _stamp_journal(found: Stamps) -> None:
    append = Journal.append

    def stamp_append(journal: Journal, drafts: Sequence[Any]) -> int:
        price = next((_WS_PRICE.search(draft.body) for draft in drafts if draft.kind == "OrderIntended"), None)
        begun_ns = time.monotonic_ns()
        seq = append(journal, drafts)
        if price is not None:
            found["decided"][_tick(price[1])] = begun_ns
            found["durable"][_tick(price[1])] = time.monotonic_ns()
        return seq

    _wrap(Journal, "append", stamp_append)


def _stamp_sockets(found: Stamps) -> None:
    """When the kernel has the order: a frame of the WS API, or a form over HTTP."""
    send_frame, send_bytes = Line.send, HTTPConnection.send

    def stamp_frame(line: Line, text: str, session: int | None = None) -> None:
        send_frame(line, text, session)
        at_ns = time.monotonic_ns()
        if (price := _WS_PRICE.search(text)) is not None:
            found["wire"][_tick(price[1])] = at_ns

    def stamp_bytes(connection: HTTPConnection, data: Any) -> None:
        send_bytes(connection, data)
        at_ns = time.monotonic_ns()
        if isinstance(data, bytes) and (price := _REST_PRICE.search(data)) is not None:
            found["wire"][_tick(price[1].decode())] = at_ns

    _wrap(Line, "send", stamp_frame)
    _wrap(HTTPConnection, "send", stamp_bytes)


def _tick(price: str) -> int:
    return cents_of(price) - FIRST_CENTS


def _wrap(owner: type, name: str, stamping: Callable[..., Any]) -> None:
    setattr(owner, name, stamping)


def main() -> int:
    """Run until SIGTERM; gives the run's exit code."""
    config, file = map(Path, sys.argv[1:])
    stamps = stamp_all()
    code = run(read_configuration(config))
    file.write_text(json.dumps(stamps))
    return code


if __name__ == "__main__":
    sys.exit(main())
