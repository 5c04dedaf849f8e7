"""A run without a terminal: one line for each thing worth knowing, with the time in UTC and no control codes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.text import Text

from engine import events
from engine.events import Event
from engine.market import Market
from engine.runner import Runner
from engine.state import Recorded, State
from engine.values import SECOND_NS
from tools.glance import Glance, Witness, glance_of
from tools.sentences import sentence
from tools.start import Found
from tools.telling import finding_lines, opening_lines, summary_lines
from tools.wording import moment

LOOK_NS = SECOND_NS
STOPPING = "stopping"
UNSAID: tuple[type[Event], ...] = (
    events.ConfigurationAdopted,
    events.StateDigested,
    events.EquityMarked,
    events.SnapshotRequested,
    events.StrategyAdvanced,
    events.SubmitRequested,
    events.CancelAccepted,
    events.ReplaceAccepted,
    events.OrderQueried,
    events.OrderArchived,
)
"""What is in the journal for the engine's sake, not for a reader's."""


class PlainLines:
    """A watcher of a run whose output goes to a file, a pipe or a service's log."""

    def __init__(self, name: str, out: TextIO | None = None) -> None:
        self._name = name
        self._out = out or sys.stdout
        self._witness = Witness()
        self._found: Found | None = None
        self._told_finding = False
        self._last: Glance | None = None
        self._look_ns = 0
        self._quiet_venues: set[str] = set()

    def begin(self, found: Found) -> None:
        """Say what the journal held."""
        self._found = found
        self._write(opening_lines(self._name, found))

    def events(self, state: State, recorded: Sequence[Recorded]) -> None:
        """A line for each event worth one."""
        self._witness.take(state, recorded)
        said = [Text(_line(each)) for each in recorded if self._is_worth_saying(each.event)]
        self._write(said)
        if self._witness.finding is not None and not self._told_finding:
            self._told_finding = True
            assert self._found is not None
            self._write(finding_lines(self._witness.finding, self._found))

    def tick(self, state: State, market: Market, runner: Runner) -> None:
        """Nothing is drawn; what positions are worth is remembered for the end."""
        now_ns = time.monotonic_ns()
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            self._last = glance_of(state, market, runner.figures, self._witness, runner.clock.now_ns())

    def close(self, state: State, code: int) -> None:
        """Say what happened."""
        self._write(summary_lines(self._name, state, self._witness, self._last, code))

    def _is_worth_saying(self, event: Event) -> bool:
        """A reconciliation that found nothing is said once for each venue and connection."""
        if isinstance(event, events.Reconciled):
            found = event.differences or event.executions_booked or event.orders_settled or not event.ready
            is_first = event.venue not in self._quiet_venues
            self._quiet_venues.add(event.venue)
            return bool(found) or is_first
        if isinstance(event, events.VenueLost):
            self._quiet_venues.discard(event.venue)
        if isinstance(event, (events.TradingPaused, events.SystemChanged)) and event.reason == STOPPING:
            return False  # the stop itself is said
        return not isinstance(event, UNSAID)

    def _write(self, lines: Iterable[Text]) -> None:
        text = "".join(f"{line.plain}\n" for line in lines)
        if text:
            self._out.write(text)
            self._out.flush()


def _line(recorded: Recorded) -> str:
    subject = f"{recorded.event.subject}: " if recorded.event.subject else ""
    return f"{moment(recorded.at_ns).replace(' ', 'T')}Z  {subject}{sentence(recorded.event)}"
