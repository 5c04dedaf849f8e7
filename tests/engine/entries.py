"""Entries as a log gives them back."""

from __future__ import annotations

from engine.ports import Draft
from tests.adapters.simulated.memory_log import Kept


def stored(draft: Draft, **changes: object) -> Kept:
    """What a log keeps of a draft."""
    kept = Kept(draft.seq, 1, draft.at_ns, draft.kind, draft.version, draft.subject, draft.cause, draft.body)
    return kept._replace(**changes)  # type: ignore[arg-type]
