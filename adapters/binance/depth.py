"""One symbol's book between its diffs and its snapshots: what may be handed on, and when a snapshot is needed. Pure."""

from __future__ import annotations

from collections import deque

from attrs import Factory, define

from engine.inputs import BookDelta, BookSnapshot

HELD_MOST = 5_000
"""Diffs that wait for a snapshot; the oldest go first, and then the snapshot is asked for again."""


@define
class DepthFlow:
    """Diffs wait until a snapshot lies among them; then each must follow the one before it.

    A diff that leaves a gap is handed on as it is, so that whoever holds the book sees that it is none any more.
    """

    held: deque[BookDelta] = Factory(lambda: deque(maxlen=HELD_MOST))
    last_update: int | None = None

    @property
    def needs_snapshot(self) -> bool:
        """Is there no book?"""
        return self.last_update is None

    def lose(self) -> None:
        """Diffs were missed, or may have been."""
        self.last_update = None
        self.held.clear()

    def change(self, delta: BookDelta) -> list[BookDelta | BookSnapshot]:
        """Take a diff; what is to be handed on."""
        if self.last_update is None:
            self.held.append(delta)
            return []
        if delta.last_update <= self.last_update:
            return []
        if delta.first_update > self.last_update + 1:
            self.lose()
            self.held.append(delta)
            return [delta]
        self.last_update = delta.last_update
        return [delta]

    def load(self, snapshot: BookSnapshot) -> list[BookDelta | BookSnapshot]:
        """Take a snapshot; nothing is handed on where it is older than what is held: then another is needed."""
        newer = [delta for delta in self.held if delta.last_update > snapshot.last_update]
        if newer and newer[0].first_update > snapshot.last_update + 1:
            return []
        self.held.clear()
        self.last_update = snapshot.last_update
        told: list[BookDelta | BookSnapshot] = [snapshot]
        for delta in newer:
            told += self.change(delta)
        return told
