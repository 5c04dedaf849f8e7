"""Input ↔ one line of a tape: what came in, when, and behind which event.

A tape lies beside the journal where the configuration asks for it (JOURNAL: `tape/`). It decides nothing; with it the
same inputs can be decided again.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from attrs import frozen

from engine import inputs
from engine.codec import canonical


def _kinds(union: Any) -> list[type[Any]]:
    members = get_args(union)
    return [kind for member in members for kind in _kinds(member)] if members else [union]


KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in _kinds(inputs.Input)}


class TapeDamaged(Exception):
    """A line that is no input of this release: the tape ends there. The message says which line."""


@frozen
class Taken:
    """One input as it was taken: at `at_ns`, when the journal had come to `seq`."""

    at_ns: int
    seq: int
    seen: inputs.Input


@frozen
class _Line:
    at_ns: int
    seq: int
    kind: str
    body: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Line)


def write_line(at_ns: int, seq: int, seen: inputs.Input) -> str:
    """An input as a line, without its end.

    >>> write_line(5, 7, inputs.TimePassed())
    '{"at_ns":5,"seq":7,"kind":"TimePassed","body":{}}'
    """
    return f'{{"at_ns":{at_ns},"seq":{seq},"kind":"{type(seen).__name__}","body":{canonical(seen)}}}'


def read_line(text: str | bytes) -> Taken:
    """The input of a line; raises `TapeDamaged`.

    >>> read_line('{"at_ns":5,"seq":7,"kind":"TimePassed","body":{}}')
    Taken(at_ns=5, seq=7, seen=TimePassed())
    """
    try:
        line = _DECODER.decode(text)
        return Taken(line.at_ns, line.seq, msgspec.json.decode(line.body, type=KINDS[line.kind]))
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise TapeDamaged(f"{error}: {text[:80]!r}") from None
