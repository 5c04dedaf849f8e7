"""Journals in memory: the same entries and the same chain as on disk; and one that dies when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine.ports import Draft
from journal import chain
from journal.entry import Entry
from journal.errors import JournalFenced


class Crashed(BaseException):
    """The process is dead from here on: nothing that it had in memory counts. Nobody may catch it on the way."""


class MemoryLog:
    """An event log that survives whatever happens to the process that writes it."""

    def __init__(self, journal_id: str) -> None:
        self.journal_id = journal_id
        self.entries: list[Entry] = []
        self.epoch = 0

    @property
    def seq(self) -> int:
        """The last seq."""
        return len(self.entries)

    @property
    def chain(self) -> bytes:
        """The chain after the last entry."""
        return self.entries[-1].chain if self.entries else chain.genesis(self.journal_id)

    def claim(self) -> int:
        """A new owner."""
        self.epoch += 1
        return self.epoch

    def append(self, drafts: Sequence[Draft]) -> int:
        """All or nothing."""
        self.entries += chain.link(drafts, self.seq, self.chain, self.epoch)
        return self.seq

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Entries after a seq."""
        return iter(self.entries[after:])

    def close(self) -> None:
        """Nothing to close."""


class MortalLog:
    """One process's hold on a log: `before` and `after` are called around each commit and may raise, `Crashed` for a
    death, `OSError` for a commit whose outcome is unknown. After another owner's claim it takes nothing."""

    def __init__(self, log: MemoryLog, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._log, self._before, self._after, self._epoch = log, before, after, log.epoch

    @property
    def seq(self) -> int:
        """The last seq."""
        return self._log.seq

    def append(self, drafts: Sequence[Draft]) -> int:
        """Commit, unless the process dies first; or commit, and die before knowing it."""
        if self._log.epoch != self._epoch:
            raise JournalFenced("another process owns the journal", place="memory", hint="End this process.")
        self._before()
        seq = self._log.append(drafts)
        self._after()
        return seq

    def read(self, after: int = 0) -> Iterator[Entry]:
        """Entries after a seq."""
        return self._log.read(after)

    def close(self) -> None:
        """Nothing to close."""
