"""The exchanges that ship, one row for each adapter: how an engine is told of one that listens, and how who checks it
reaches it beside all trading."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any

from attrs import frozen

from adapters.simulated import wire
from adapters.simulated.link import SocketLink
from engine.ports import VenueUnreachable

HOST = "127.0.0.1"
USUAL_ADAPTER = "simulated"
ASK_SECONDS = 10
LOCAL_KEYS = {"HOLDFAST_LOCAL_KEY": "holdfast-local-key", "HOLDFAST_LOCAL_SECRET": "holdfast-local-secret"}
"""The environment variables in which engines here find the keys that exchanges on this machine open to."""

Options = Mapping[str, Any]
_LISTENS = re.compile(r"listening on \w+://[\w.]+:(\d+)")


@frozen(kw_only=True)
class Exchange:
    """One adapter's exchange in a process of its own, once it listens on a port.

    `drawn` gives an engine's options by a seed, `reach` those with which it finds the exchange, `kept` what is kept of
    a user's; `served` are the exchange's, made of the engine's. `look` waits until it has done all that it was sent
    before, `set_faults` sets what goes wrong from now on; both raise `VenueUnreachable` where nobody answers.
    `exec_name` leads from an execution's name in the ledger to the one by which the client tells it.
    """

    drawn: Callable[[int], Options]
    kept: Callable[[Options], Options]
    served: Callable[[Options], Options]
    reach: Callable[[int], Options]
    look: Callable[[int], None]
    set_faults: Callable[[int, Options], None]
    exec_name: Callable[[str], str] = str


def port_in(said: str) -> int | None:
    """The port that an exchange has said it listens on; None before it has.

    >>> port_in("listening on ws://127.0.0.1:8787"), port_in("")
    (8787, None)
    """
    found = _LISTENS.search(said)
    return None if found is None else int(found[1])


def without(options: Options, *names: str) -> dict[str, Any]:
    """All but these.

    >>> without({"seed": 7, "url": "ws://127.0.0.1:1"}, "url")
    {'seed': 7}
    """
    return {key: value for key, value in options.items() if key not in names}


# --- the simulated exchange, over its own websocket ---------------------------------------------------------------


def _draw_simulated(seed: int) -> Options:
    return {"seed": seed, "latency": f"{(5, 25, 50)[seed % 3]}ms", "request_timeout": "200ms"}


def _simulated_url(port: int) -> str:
    return f"ws://{HOST}:{port}"


def _set_simulated_faults(port: int, table: Options) -> None:
    answer = SocketLink(_simulated_url(port)).ask(wire.SetFaults(dict(table)))
    if isinstance(answer, wire.Failed):
        raise ValueError(answer.cause)


def _look_at_simulated(port: int) -> None:
    SocketLink(_simulated_url(port)).ask(wire.ReadStatus())


# --- Binance's, over HTTP and websockets --------------------------------------------------------------------------

QUICK = {
    "request_timeout": "400ms", "connect_timeout": "2s", "recv_window": "1s", "matching_limit": "1s",
    "clock_every": "1s", "backoff_first": "50ms", "backoff_longest": "500ms", "backoff_steady": "1s",
    "allow_withdrawal_rights": True,
}  # fmt: skip
"""An exchange on this machine answers at once or not at all."""


def _reach_binance(port: int) -> Options:
    return {
        "environment": "testnet", "rest_url": f"http://{HOST}:{port}", "stream_url": f"ws://{HOST}:{port}",
        "ws_api_url": f"ws://{HOST}:{port}/ws-api/v3", "api_key": {"env": "HOLDFAST_LOCAL_KEY"},
        "api_secret": {"env": "HOLDFAST_LOCAL_SECRET"},
    }  # fmt: skip


def _reach_usdm(port: int) -> Options:
    url = f"http://{HOST}:{port}"
    return {
        "environment": "demo", "rest_url": url, "rights_url": url, "stream_url": f"ws://{HOST}:{port}",
        "api_key": {"env": "HOLDFAST_LOCAL_KEY"}, "api_secret": {"env": "HOLDFAST_LOCAL_SECRET"},
    }  # fmt: skip


def _ask_binance(port: int, path: str, method: str = "GET", table: Options | None = None) -> None:
    """One of the exchange's own endpoints; what it finds wrong is a `ValueError`."""
    body = None if table is None else json.dumps(dict(table))
    line = HTTPConnection(HOST, port, timeout=ASK_SECONDS)
    try:
        line.request(method, path, body)
        answer = line.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        raise VenueUnreachable(f"{path}: {error}") from error
    finally:
        line.close()
    if answer.status == HTTPStatus.BAD_REQUEST:
        raise ValueError(text)
    if answer.status != HTTPStatus.OK:
        raise VenueUnreachable(f"{path}: {answer.status} {text[:200]}")


EXCHANGES: Mapping[str, Exchange] = {
    "simulated": Exchange(
        drawn=_draw_simulated,
        kept=lambda options: without(options, "url", "faults"),
        served=dict,
        reach=lambda port: {"url": _simulated_url(port)},
        look=_look_at_simulated,
        set_faults=_set_simulated_faults,
    ),
    "binance": Exchange(
        drawn=lambda seed: {**QUICK, "seed": seed, "order_entry": ("ws", "rest")[seed % 2]},
        kept=lambda options: {**without(options, *_reach_binance(0)), **QUICK},
        served=lambda options: {},
        reach=_reach_binance,
        look=lambda port: _ask_binance(port, "/holdfast/status"),
        set_faults=lambda port, table: _ask_binance(port, "/holdfast/faults", "PUT", table),
        exec_name=lambda name: name.removeprefix("x"),
    ),
    "binance_usdm": Exchange(
        drawn=lambda seed: {**QUICK, "seed": seed},
        kept=lambda options: {**without(options, *_reach_usdm(0)), **QUICK},
        served=lambda options: {},
        reach=_reach_usdm,
        look=lambda port: _ask_binance(port, "/holdfast/status"),
        set_faults=lambda port, table: _ask_binance(port, "/holdfast/faults", "PUT", table),
        exec_name=lambda name: name.removeprefix("x"),
    ),
}
"""Adapter: its exchange."""
