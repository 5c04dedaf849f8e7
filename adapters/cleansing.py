"""The way from adapters into the engine: what the wire said in free text goes there without what is secret."""

from __future__ import annotations

from functools import cache
from typing import Any

from attrs import evolve, fields_dict

from adapters.redaction import redact
from engine.inputs import Input, Snapshot
from engine.ports import Deliver

FREE_TEXTS = ("raw", "cause", "detail", "reason", "stream")
"""The fields of inputs in which an adapter repeats what was said on the wire."""

_ROWS = ("open_orders", "executions", "fundings")


def cleansed(deliver: Deliver) -> Deliver:
    """The way into the engine, with `cleanse` before it."""

    def tell(seen: Input) -> None:
        deliver(cleanse(seen))

    return tell


def cleanse(seen: Input) -> Input:
    """The input, its free texts without what is secret; the very same where there is nothing to cut."""
    if isinstance(seen, Snapshot):
        rows: dict[str, Any] = {name: tuple(map(_cleanse, getattr(seen, name))) for name in _ROWS}
        changed = {name: told for name, told in rows.items() if told != getattr(seen, name)}
        return evolve(seen, **changed) if changed else seen
    told: Input = _cleanse(seen)
    return told


def _cleanse(told: Any) -> Any:
    """An input or a row of one."""
    changed: dict[str, str] = {}
    for name in _free_texts(told.__class__):
        text = getattr(told, name)
        if text and (redacted := redact(text)) != text:
            changed[name] = redacted
    return evolve(told, **changed) if changed else told


@cache
def _free_texts(kind: type[Any]) -> tuple[str, ...]:
    known = fields_dict(kind)
    return tuple(name for name in FREE_TEXTS if name in known)
