"""What can go wrong with a journal: each error says where, and what to do."""

from __future__ import annotations


class JournalError(Exception):
    """Base of all: `place` says where, `hint` what to do."""

    def __init__(self, message: str, *, place: str, hint: str) -> None:
        super().__init__(f"{message} ({place}). {hint}")
        self.message = message
        self.place = place
        self.hint = hint


class JournalLocked(JournalError):
    """Another process holds the journal; wait for it or stop it."""


class JournalMissing(JournalError):
    """There is no journal at that place."""


class JournalDamaged(JournalError):
    """What is stored can't be proven; nothing may be traded on it. `seq` is the first bad one, where known."""

    def __init__(self, message: str, *, place: str, hint: str, seq: int | None = None) -> None:
        super().__init__(message, place=place, hint=hint)
        self.seq = seq


class JournalUnsuitable(JournalError):
    """The place can't keep the promises (network file system, link, foreign file, other version)."""


class CommitUnknown(JournalError):
    """A commit raised: its outcome is unknown. End the process; the next start reads the truth (exit 74)."""


class JournalFenced(CommitUnknown):
    """Another owner has raised the epoch: this process may neither write nor send any more."""
