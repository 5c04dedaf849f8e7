"""What an adapter states to take part: its tables of the configuration, and how each case is brought about there.

One small file for each adapter, `counterparts/<adapter>.py`, holds its `COUNTERPART`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import Factory, evolve, frozen

from adapters.registry import adapters

Table = Mapping[str, Any]
HERE = Path(__file__).parent / "counterparts"

LOST_REPLY: Table = {"lose_reply": {"at": [1], "on": ["place"]}, "drop": {"at": [1], "on": ["order"]}}
"""The order arrives; neither the reply nor the first word about it on the stream comes back."""


@frozen(kw_only=True)
class Counterpart:
    """One adapter in the suite.

    `options` are its `[venues.NAME]` beside where it listens, `served` what its exchange is told beside them. `also`
    names other ways in which the client can be set up to reach it: the cases `ABOUT_WAYS` are tried in each.
    `cannot` names the cases that it can't be brought into, with the reason. The other tables are faults, in the
    words of its exchange, that bring about what their names say.
    """

    adapter: str
    options: Table
    served: Table = Factory(dict)
    also: Mapping[str, Table] = Factory(dict)
    cannot: Mapping[str, str] = Factory(dict)
    ack_late: Table = Factory(lambda: {"delay_reply": {"at": [1], "on": ["place"], "by": "1s"}})
    rate_limit: Table = Factory(lambda: {"busy": {"at": [1]}})
    clock_skew: Table = Factory(dict)
    credentials_revoked: Table = Factory(dict)
    throttles: bool = False
    """Does it say how long to stay away (429 with Retry-After)?"""
    absence_seconds: int = 10
    """Within this long its silence about an order that never arrived is proof."""


def counterpart(name: str) -> Counterpart:
    """The one of an adapter, or of one of its other ways, such as `binance-rest`."""
    adapter, _dash, way = name.partition("-")
    found: Counterpart = import_module(f"tests.contract.counterparts.{adapter}").COUNTERPART
    return evolve(found, options={**found.options, **found.also[way]}) if way else found


def in_all_ways() -> list[str]:
    """The names of all counterparts, each followed by those of its other ways."""
    return [
        name for adapter in named() for name in (adapter, *(f"{adapter}-{way}" for way in counterpart(adapter).also))
    ]


def named() -> list[str]:
    """The adapters that take part: those whose exchange is there."""
    return sorted({path.stem for path in HERE.glob("*.py")} & set(with_exchange()))


def with_exchange() -> list[str]:
    """The adapters whose exchange ships: these must have one."""
    return sorted(name for name, adapter in adapters().items() if adapter.serve is not None)
