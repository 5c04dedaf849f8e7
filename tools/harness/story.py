"""How a violation is told: what was violated, the schedule that led to it, the last events, and how to repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.codec import decode
from engine.values import MILLISECOND_NS, SECOND_NS
from tools.sentences import sentence
from tools.simulation.clock import BEGIN_NS
from tools.simulation.log import MemoryLog

EVENTS_TOLD = 10
WIDTH_MOST = 160
BETWEEN = "; "
_TOLD = "told by the harness"


class Violation(AssertionError):
    """Something that must always be true is not; the text begins with the invariant's name."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def tell(error: BaseException, schedule: Sequence[str], log: MemoryLog, again: str) -> None:
    """Add the story to an error, once, for whatever shows it."""
    if getattr(error, "__holdfast__", "") != _TOLD:
        error.__holdfast__ = _TOLD  # type: ignore[attr-defined]
        error.schedule = tuple(schedule)  # type: ignore[attr-defined]
        error.add_note("\n".join(story(schedule, log, again)))


def story(schedule: Sequence[str], log: MemoryLog, again: str) -> Iterator[str]:
    """The lines below the violation."""
    yield ""
    yield f"the schedule ({len(schedule)} steps):"
    yield from (f"  {number:3}  {step}" for number, step in enumerate(schedule, start=1))
    yield f"the last events (of {log.seq}):"
    yield from (f"  {line}"[:WIDTH_MOST] for line in last_events(log))
    if again:
        yield f"again: {again}"


def last_events(log: MemoryLog, count: int = EVENTS_TOLD) -> Iterator[str]:
    """The last events, one line each: seq, time since the beginning, subject, what happened."""
    for entry in log.entries[-count:]:
        recorded = decode(entry)
        yield f"{entry.seq:5}  +{since_begin(entry.at_ns)}  {entry.subject:<18} {sentence(recorded.event)}"


def since_begin(at_ns: int) -> str:
    """Seconds since a world's beginning, to the millisecond.

    >>> since_begin(BEGIN_NS + 1_002_000_000)
    '1.002 s'
    """
    whole, rest = divmod(at_ns - BEGIN_NS, SECOND_NS)
    return f"{whole}.{rest // MILLISECOND_NS:03} s"
