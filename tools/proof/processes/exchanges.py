"""The exchanges that ship, one row for each adapter: how an engine is told of one that listens, and how who checks it
reaches it beside all trading."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from adapters.simulated import wire
from adapters.simulated.link import SocketLink

HOST = "127.0.0.1"
USUAL_ADAPTER = "simulated"
_LISTENS = re.compile(r"listening on \w+://[\w.]+:(\d+)")


@frozen(kw_only=True)
class Exchange:
    """One adapter's exchange in a process of its own, once it listens on a port.

    `drawn` gives options by a seed, `reach` those with which an engine finds it. `look` waits until it has done all
    that it was sent before, `set_faults` sets what goes wrong from now on; both raise `VenueUnreachable` where nobody
    answers. `exec_name` leads from an execution's name in the ledger to the one by which the client tells it.
    """

    drawn: Callable[[int], dict[str, Any]]
    reach: Callable[[int], dict[str, Any]]
    look: Callable[[int], None]
    set_faults: Callable[[int, Mapping[str, Any]], None]
    exec_name: Callable[[str], str] = str


def port_in(said: str) -> int | None:
    """The port that an exchange has said it listens on; None before it has.

    >>> port_in("listening on ws://127.0.0.1:8787"), port_in("")
    (8787, None)
    """
    found = _LISTENS.search(said)
    return None if found is None else int(found[1])


def _draw_simulated(seed: int) -> dict[str, Any]:
    return {"seed": seed, "latency": f"{(5, 25, 50)[seed % 3]}ms", "request_timeout": "200ms"}


def _simulated_url(port: int) -> str:
    return f"ws://{HOST}:{port}"


def _set_simulated_faults(port: int, table: Mapping[str, Any]) -> None:
    answer = SocketLink(_simulated_url(port)).ask(wire.SetFaults(dict(table)))
    if isinstance(answer, wire.Failed):
        raise ValueError(answer.cause)


def _look_at_simulated(port: int) -> None:
    SocketLink(_simulated_url(port)).ask(wire.ReadStatus())


EXCHANGES: Mapping[str, Exchange] = {
    "simulated": Exchange(
        drawn=_draw_simulated,
        reach=lambda port: {"url": _simulated_url(port)},
        look=_look_at_simulated,
        set_faults=_set_simulated_faults,
    ),
}
"""Adapter: its exchange."""
