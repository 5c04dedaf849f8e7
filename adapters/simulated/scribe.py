"""The one place where facts become true: applied to the state, kept in the log, and only then told."""

from __future__ import annotations

from adapters.simulated.ledger import Fact, draft
from adapters.simulated.state import apply, fold
from engine.ports import Draft, EventLog


class ExchangeStopped(Exception):
    """The ledger could not be written, or a fact could not be applied, so the exchange does nothing more. Start it
    again: it reads what is true."""


class Scribe:
    """State and log in step. Between `write` and `commit` the state is ahead, and nobody may be told."""

    def __init__(self, log: EventLog) -> None:
        """Folds the log; raises `ValueError` where a newer release wrote it."""
        self._log = log
        self._drafts: list[Draft] = []
        self._is_stopped = False
        self.state = fold(log.read())

    def check(self) -> None:
        """Raises `ExchangeStopped` if the state is ahead of the log for good."""
        if self._is_stopped or self._drafts:
            raise ExchangeStopped("the simulated exchange's ledger was not written; start it again")

    def write(self, at_ns: int, fact: Fact) -> int:
        """Apply a fact and note it for the next commit; gives its seq."""
        seq = self.state.seq + 1
        self._drafts.append(draft(seq, at_ns, fact))
        apply(self.state, seq, at_ns, fact)
        return seq

    def commit(self) -> None:
        """Keep what was written, in one transaction. What the log raises ends the exchange."""
        if self._drafts:
            drafts, self._drafts = self._drafts, []
            self._is_stopped = True
            self._log.append(drafts)
            self._is_stopped = False
