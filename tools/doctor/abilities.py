"""What a venue can do, as rows of a table: of one venue for `doctor`, of all adapters for the README."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import fields

from adapters.registry import Adapter
from engine.capabilities import Capabilities, ClientIds
from engine.values import SECOND_NS, OrderType
from tools.wording import count, lasting

DAY_NS = 86_400 * SECOND_NS
YES, NO = "yes", "–"
CLIENT_IDS = {
    ClientIds.DEDUP: "unique for ever",
    ClientIds.UNIQUE_OPEN: "unique among open orders",
    ClientIds.ECHOED: "a tag, not unique",
    ClientIds.NONE: "none",
}

Ability = tuple[str, Callable[[Capabilities], str]]

ABILITIES: tuple[Ability, ...] = (
    ("order types", lambda can: ", ".join(word(kind) for kind in can.order_types)),
    ("times in force", lambda can: ", ".join(word(time) for time in can.times_in_force)),
    ("post-only", lambda can: _truth(can.post_only)),
    ("reduce-only", lambda can: _truth(can.reduce_only)),
    ("trailing stops by", lambda can: ", ".join(map(word, can.trails_by)) if _trails(can) else NO),
    ("linked orders (OCO)", lambda can: _truth(can.links)),
    ("two in one request", lambda can: _truth(can.lists)),
    ("replace", lambda can: _truth(can.replace)),
    ("reduce in place", lambda can: _truth(can.amend)),
    ("client order id", lambda can: f"{CLIENT_IDS[can.client_ids]}, {can.client_id_length} characters"),
    ("id in every message", lambda can: _truth(can.id_echo)),
    ("history", lambda can: "without end" if can.history_ns is None else _days(can.history_ns)),
    ("streams resume", lambda can: YES if can.resume else "by snapshot"),
)
"""Every field of `Capabilities` is told in one of these; a test counts them."""


def abilities(can: Capabilities) -> list[tuple[str, str]]:
    """What a venue can do: name and words, row by row."""
    return [(name, tell(can)) for name, tell in ABILITIES]


def capabilities_row(can: Capabilities) -> dict[str, Any]:
    """The capabilities as JSON has them: names and values of the data itself."""
    return {field.name: _plain(getattr(can, field.name)) for field in fields(Capabilities)}


def table(adapters: Mapping[str, Adapter]) -> str:
    """All adapters that trade, side by side, as Markdown."""
    known = {name: adapter.capabilities for name, adapter in sorted(adapters.items()) if adapter.capabilities}
    rows = [["", *(f"`{name}`" for name in known)], ["---"] * (len(known) + 1)]
    rows += [[name, *(tell(can) for can in known.values())] for name, tell in ABILITIES]
    environments = [_environments(adapters[name]) for name in known]
    rows.append(["environments", *environments])
    return "\n".join(_line(row) for row in rows)


def word(name: str) -> str:
    """A name of the vocabulary as it is read.

    >>> word("stop_limit"), word("gtc")
    ('stop-limit', 'GTC')
    """
    return str(name).upper() if len(name) == 3 else str(name).replace("_", "-")


def _environments(adapter: Adapter) -> str:
    named = [f"**{each.name}**" if each.is_live else each.name for each in adapter.environments]
    return ", ".join(named) or "this machine"


def _days(ns: int) -> str:
    days = ns // DAY_NS
    return count(days, "day") if days * DAY_NS == ns else lasting(ns)


def _trails(can: Capabilities) -> bool:
    return OrderType.TRAILING_STOP in can.order_types


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, str) else value


def _truth(is_so: bool) -> str:
    return YES if is_so else NO


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
