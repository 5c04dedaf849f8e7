"""One entry of the journal, and what a writer hands in to make one."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Draft(Protocol):
    """What a writer hands in; `body` is canonical JSON, `cause` the seq that led to it."""

    @property
    def seq(self) -> int: ...
    @property
    def at_ns(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def subject(self) -> str: ...
    @property
    def cause(self) -> int | None: ...
    @property
    def body(self) -> str: ...


class Entry(NamedTuple):
    """A stored event. `batch` is the first seq of its commit, `at_ns` is data and never order."""

    seq: int
    batch: int
    epoch: int
    at_ns: int
    kind: str
    version: int
    subject: str
    cause: int | None
    body: str
    chain: bytes


COLUMNS = ", ".join(Entry._fields)
