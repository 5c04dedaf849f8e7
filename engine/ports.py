"""What the engine asks of the world: a log, venues, a clock and chance. Everything else is pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from engine.capabilities import VenueDescription
from engine.inputs import Input
from engine.outbox import Request
from engine.values import VenueName


class Draft(NamedTuple):
    """An event on its way into a log: `seq` was given when it was made, `body` is canonical JSON."""

    seq: int
    at_ns: int
    kind: str
    version: int
    subject: str
    cause: int | None
    body: str


class Stored(Protocol):
    """An event as a log gives it back."""

    @property
    def seq(self) -> int: ...
    @property
    def epoch(self) -> int: ...
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


class EventLog(Protocol):
    """An append-only, gapless log. `append` is one transaction: when it returns, the drafts are kept; when it
    raises, their fate is unknown and the log takes nothing more."""

    @property
    def seq(self) -> int: ...
    def append(self, drafts: Sequence[Draft]) -> int: ...
    def read(self, after: int = 0) -> Iterator[Stored]: ...
    def close(self) -> None: ...


class Tape(Protocol):
    """Keeps inputs, so that they can be decided again. It never raises: a run does not depend on it."""

    def take(self, at_ns: int, seq: int, seen: Input) -> None:
        """Note an input, taken when the log had come to `seq`."""
        ...

    def flush(self) -> None:
        """Hand over what was taken, before the events that follow from it are appended."""
        ...


class NoTape:
    """Keeps nothing."""

    def take(self, at_ns: int, seq: int, seen: Input) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""


class VenueUnreachable(Exception):
    """The venue gave no usable answer to a question that a start needs. Its fault or the network's: try again."""


Deliver = Callable[[Input], None]


class Gate(Protocol):
    """Asked last, after rate budget and connection: may this request still leave?"""

    def allows(self, request: Request) -> bool: ...


class Venue(Protocol):
    """A venue's client. Every method returns at once; answers come later through `deliver`."""

    @property
    def name(self) -> VenueName: ...

    def describe(self) -> VenueDescription:
        """Capabilities, absence policy and instruments. May ask the venue; raises `VenueUnreachable`."""
        ...

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Start the streams; `VenueConnected` follows when they are up."""
        ...

    def reconnect(self, cause: str) -> None:
        """Give the streams up and begin anew: what came on them could not be taken. Returns at once."""
        ...

    def release(self, request: Request) -> None:
        """Hand a request to the wire; never blocks. A request always has an answer: a report or OutcomeUnknown."""
        ...

    def close(self) -> None:
        """Stop threads and connections. Idempotent."""
        ...


class Clock(Protocol):
    """Wall time at the start plus monotonic time since."""

    def now_ns(self) -> int: ...
