"""A world's journal on real files, whose SQLite fails at a chosen statement: the real Journal in a virtual world.

The statements of a commit are 1 BEGIN, 2 INSERT, 3 COMMIT; 4 is the head file's write behind them.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from engine.ports import Draft
from journal.errors import JournalError
from journal.head import Head, HeadFile
from journal.journal import Journal
from tools.simulation.log import MemoryLog

HEAD = 4


@frozen
class Fault:
    """The `commit`-th commit of the world fails at a statement, before it had its effect or after."""

    commit: int
    statement: int
    after: bool
    error: Exception


class FailingConnection:
    """A connection whose next statement but `left` - 1 fails; 0 is never."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.left = 0
        self.fault: Fault | None = None

    def execute(self, statement: str, *values: Any) -> Any:
        """As the real one, unless it is its turn to fail."""
        return self._run(self.connection.execute, statement, *values)

    def executemany(self, statement: str, values: Any) -> Any:
        """As the real one, unless it is its turn to fail."""
        return self._run(self.connection.executemany, statement, values)

    def close(self) -> None:
        """Close the real one."""
        self.connection.close()

    def _run(self, method: Any, statement: str, *values: Any) -> Any:
        self.left -= 1
        fails = self.fault is not None and self.left == 0
        if self.fault is not None and fails and not self.fault.after:
            raise self.fault.error
        done = method(statement, *values)
        if self.fault is not None and fails:
            raise self.fault.error
        return done


class FailingHead:
    """A head file whose next write fails."""

    def __init__(self, file: HeadFile, error: Exception) -> None:
        self.file, self.error = file, error

    def write(self, head: Head) -> None:
        """Fails."""
        raise self.error

    def close(self) -> None:
        """Close the real one."""
        self.file.close()


class DiskLog(MemoryLog):
    """What a world writes goes to a journal below `directory`; a new owner opens what its predecessor left there,
    as `kill -9` leaves it. `sent` holds how many requests had left at the fault, and when the next owner came."""

    def __init__(self, directory: Path, journal_id: str, fault: Fault, left: Sequence[Any] = ()) -> None:
        super().__init__(journal_id)
        self.fault = fault
        self.commits = self.fired = 0
        self.sent: list[int] = []
        self._left = left
        self._directory, self._lives = directory, 0
        self._journal = self._open(directory / "0")

    def claim(self) -> int:
        """A new owner."""
        if self.fired:
            self.sent.append(len(self._left))
        self.epoch = self._journal.claim(1)
        return self.epoch

    def append(self, drafts: Sequence[Draft]) -> int:
        """The real commit; raises what the journal raises, and is the successor's journal from then on."""
        self.commits += 1
        self._arm()
        try:
            seq = self._journal.append(drafts)
        except JournalError:
            self._bury()
            raise
        self.entries += self._journal.read(len(self.entries))
        return seq

    def close(self) -> None:
        """Let go of the files."""
        self._journal._let_go()

    def _arm(self) -> None:
        fault, connection = self.fault, self._journal._connection
        assert isinstance(connection, FailingConnection)
        if self.commits != fault.commit:
            return
        self.fired += 1
        self.sent.append(len(self._left))
        if fault.statement == HEAD:
            head = FailingHead(self._journal._head_file, fault.error)
            self._journal._head_file = head  # type: ignore[assignment]
        else:
            connection.fault, connection.left = fault, fault.statement

    def _bury(self) -> None:
        """The files as the end of a process leaves them: copied first, because letting go may still write."""
        self._lives += 1
        copy = self._directory / str(self._lives)
        shutil.copytree(self._journal.directory, copy, ignore=shutil.ignore_patterns("*-shm", "reserve"))
        self._journal._let_go()
        self._journal = self._open(copy)
        self.entries = list(self._journal.read())

    def _open(self, directory: Path) -> Journal:
        identity: dict[str, str | int] = {"journal_id": self.journal_id, "mode": "paper", "created_ns": 7}
        journal = Journal(directory, identity=identity, durable=False, wait_seconds=0)
        journal._connection = FailingConnection(journal._connection)  # type: ignore[assignment]
        return journal
