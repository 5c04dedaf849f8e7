"""What may go wrong between the exchange and its client, as data: `what_happens(faults, kind, counter) -> Fate`.

Each rule looks at the number of a message among those of its own kind and at nothing else, so that removing one
rule does not move the others. Counting begins at 1, anew whenever the faults are set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any
from zlib import crc32

from attrs import field, fields, frozen
from attrs.converters import optional

from engine.values import SECOND_NS, Duration, duration


class Kind(StrEnum):
    """Kinds of message that are counted: requests by what they ask, stream frames by what they tell."""

    PLACE = "place"
    CANCEL = "cancel"
    REPLACE = "replace"
    QUERY = "query"
    SNAPSHOT = "snapshot"
    EXECUTION = "execution"
    ORDER = "order"
    MARKET = "market"


ORDER_REQUESTS = (Kind.PLACE, Kind.CANCEL, Kind.REPLACE)
QUESTIONS = (Kind.QUERY, Kind.SNAPSHOT)
REQUESTS = ORDER_REQUESTS + QUESTIONS
STREAM = (Kind.EXECUTION, Kind.ORDER)
FRAMES = (*STREAM, Kind.MARKET)

SCOPES = {
    "lose_request": (ORDER_REQUESTS, REQUESTS),
    "delay_request": (ORDER_REQUESTS, REQUESTS),
    "busy": (ORDER_REQUESTS, ORDER_REQUESTS),
    "fail": (QUESTIONS, QUESTIONS),
    "stale": ((Kind.SNAPSHOT,), (Kind.SNAPSHOT,)),
    "partial": ((Kind.SNAPSHOT,), (Kind.SNAPSHOT,)),
    "lose_reply": (ORDER_REQUESTS, REQUESTS),
    "delay_reply": (ORDER_REQUESTS, REQUESTS),
    "duplicate_reply": (ORDER_REQUESTS, REQUESTS),
    "error_reply": (ORDER_REQUESTS, REQUESTS),
    "drop": ((Kind.EXECUTION,), FRAMES),
    "delay": (STREAM, FRAMES),
    "duplicate": (STREAM, FRAMES),
    "reorder": (STREAM, STREAM),
    "disconnect": ((Kind.PLACE,), REQUESTS + FRAMES),
}
"""To which kinds of message each fault happens, and to which it may be set to."""

_DELAY_NS = 2 * SECOND_NS
_NO_LAG = Duration(0)


@frozen
class Rule:
    """Which messages: those numbered in `at`, each `every`-th, and by chance `permille` of a thousand.

    `on` narrows it to some kinds, `by_ns` is for how long; None is the fault's own default.
    """

    at: tuple[int, ...] = ()
    every: int = 0
    permille: int = 0
    on: tuple[Kind, ...] | None = None
    by_ns: int | None = None


def _read_names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


_RULE_KEYS = {"at", "every", "permille", "on", "by"}


def read_rule(value: Any) -> Rule:
    """Reads `[3, 7]`, `{ every = 5 }`, `{ permille = 20, on = ["cancel"], by = "2s" }`."""
    if isinstance(value, Rule):
        return value
    table = dict(value) if isinstance(value, Mapping) else {"at": value}
    if unknown := set(table) - _RULE_KEYS:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(_RULE_KEYS))}")
    counts, every, permille = table.get("at", ()), table.get("every", 0), table.get("permille", 0)
    whole = isinstance(counts, (list, tuple)) and all(type(n) is int and n >= 0 for n in (*counts, every, permille))
    if not whole:
        raise ValueError(f"the counts of a fault are whole numbers from 0, such as [3, 7]; not {value!r}")
    on = tuple(Kind(kind) for kind in table["on"]) if "on" in table else None
    return Rule(tuple(counts), every, permille, on, duration(table["by"]) if "by" in table else None)


@frozen(kw_only=True)
class Faults:
    """One rule for each thing that can go wrong; `lag_ns` delays all market data, `seed` is for the chances.

    Requests: `lose_request`, `delay_request`, `busy` (an order request is refused unseen), `fail` (a question gets no
    answer), `stale` (a snapshot is that old and does not say so), `partial` (executions missing and said to be).
    Replies: `lose_reply`, `delay_reply`, `duplicate_reply`, `error_reply` (done, but answered by an error).
    Frames: `drop`, `delay`, `duplicate`, `reorder` (the next goes first). `disconnect` cuts the line once a request
    has been carried out, or instead of a frame.

    `only` narrows all rules to some messages, each named as "FAULT KIND NUMBER" (such as "lose_reply place 3"): what
    is left of a long list of faults once those that do not matter are taken out of it.
    """

    lose_request: Any = field(factory=Rule, converter=read_rule)
    delay_request: Any = field(factory=Rule, converter=read_rule)
    busy: Any = field(factory=Rule, converter=read_rule)
    fail: Any = field(factory=Rule, converter=read_rule)
    stale: Any = field(factory=Rule, converter=read_rule)
    partial: Any = field(factory=Rule, converter=read_rule)
    lose_reply: Any = field(factory=Rule, converter=read_rule)
    delay_reply: Any = field(factory=Rule, converter=read_rule)
    duplicate_reply: Any = field(factory=Rule, converter=read_rule)
    error_reply: Any = field(factory=Rule, converter=read_rule)
    drop: Any = field(factory=Rule, converter=read_rule)
    delay: Any = field(factory=Rule, converter=read_rule)
    duplicate: Any = field(factory=Rule, converter=read_rule)
    reorder: Any = field(factory=Rule, converter=read_rule)
    disconnect: Any = field(factory=Rule, converter=read_rule)
    lag_ns: Duration = _NO_LAG
    seed: int = 0
    only: frozenset[str] | None = field(default=None, converter=optional(_read_names))

    def __attrs_post_init__(self) -> None:
        for name, (_, may) in SCOPES.items():
            if wrong := set(getattr(self, name).on or ()) - set(may):
                raise ValueError(f"{name} can't happen to {', '.join(sorted(wrong))}; only to {', '.join(may)}")


@frozen
class Fate:
    """What happens to one message. A delay of 0 is none; names as in `Faults`."""

    lose_request: bool = False
    lose_reply: bool = False
    error_reply: bool = False
    delay_request_ns: int = 0
    delay_reply_ns: int = 0
    duplicate_reply: bool = False
    busy: bool = False
    fail: bool = False
    stale_ns: int = 0
    partial: bool = False
    drop: bool = False
    delay_ns: int = 0
    duplicate: bool = False
    reorder: bool = False
    disconnect: bool = False


_TIMED = ("delay_request", "delay_reply", "stale", "delay")
_FINE = Fate()


def what_happens(faults: Faults, kind: Kind, counter: int) -> Fate:
    """The fate of the `counter`-th message of its kind: a pure function of its arguments.

    >>> what_happens(Faults(lose_reply=[3]), Kind.PLACE, 3).lose_reply
    True
    """
    return fate_of(faults, strikes(faults, kind, counter))


def strikes(faults: Faults, kind: Kind, counter: int) -> list[str]:
    """The names of the faults that happen to the `counter`-th message of its kind.

    >>> strikes(Faults(lose_reply=[3], busy={"every": 3}), Kind.PLACE, 3)
    ['busy', 'lose_reply']
    """
    return [name for name in SCOPES if _hits(faults, name, kind, counter)]


def strike_name(fault: str, kind: Kind, counter: int) -> str:
    """One fault of one message, as `Faults.only` names it."""
    return f"{fault} {kind} {counter}"


def fate_of(faults: Faults, struck: list[str]) -> Fate:
    """What those faults amount to for a message."""
    if not struck:
        return _FINE
    fate: dict[str, Any] = {}
    for name in struck:
        if name in _TIMED:
            by_ns = getattr(faults, name).by_ns
            fate[f"{name}_ns"] = _DELAY_NS if by_ns is None else by_ns
        else:
            fate[name] = True
    return Fate(**fate)


def _hits(faults: Faults, name: str, kind: Kind, counter: int) -> bool:
    rule: Rule = getattr(faults, name)
    if kind not in (SCOPES[name][0] if rule.on is None else rule.on):
        return False
    if faults.only is not None and strike_name(name, kind, counter) not in faults.only:
        return False
    if counter in rule.at or (rule.every and counter % rule.every == 0):
        return True
    return bool(rule.permille) and crc32(f"{faults.seed} {name} {kind} {counter}".encode()) % 1000 < rule.permille


def read_faults(table: Mapping[str, Any]) -> Faults:
    """Faults from a table spelled as in the configuration; raises `ValueError` saying what is wrong with it.

    >>> read_faults({"lag": "12s"}).lag_ns
    12000000000
    """
    given = dict(table)
    if "lag" in given:
        given["lag_ns"] = duration(given.pop("lag"))
    known = {entry.name for entry in fields(Faults)}
    if unknown := set(given) - known:
        raise ValueError(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return Faults(**given)
