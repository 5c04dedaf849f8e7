"""A log in memory, as strict as the real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.ports import Draft


class Kept(NamedTuple):
    """An entry as the log gives it back."""

    seq: int
    epoch: int
    at_ns: int
    kind: str
    version: int
    subject: str
    cause: int | None
    body: str


class MemoryLog:
    """`batches` are the commits; `fail_at` makes that commit's outcome unknown."""

    def __init__(self, batches: Sequence[Sequence[Kept]] = ()) -> None:
        self.batches: list[tuple[Kept, ...]] = [tuple(batch) for batch in batches]
        self.fail_at: int | None = None
        self.is_closed = False

    @property
    def seq(self) -> int:
        return sum(len(batch) for batch in self.batches)

    def append(self, drafts: Sequence[Draft]) -> int:
        assert not self.is_closed, "the log is closed"
        assert drafts, "an empty batch"
        assert [draft.seq for draft in drafts] == list(range(self.seq + 1, self.seq + 1 + len(drafts)))
        if self.fail_at == len(self.batches):
            raise OSError("no space left")
        self.batches.append(
            tuple(Kept(d.seq, 1, d.at_ns, d.kind, d.version, d.subject, d.cause, d.body) for d in drafts)
        )
        return self.seq

    def read(self, after: int = 0) -> Iterator[Kept]:
        entries = [entry for batch in self.batches for entry in batch]
        return iter(entries[after:])

    def close(self) -> None:
        self.is_closed = True

    def until(self, batches: int) -> MemoryLog:
        """What a process finds that was killed after so many commits."""
        return MemoryLog(self.batches[:batches])
