"""Which function books which kind of event: a register that the booking files fill and `apply` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.events import Event
from engine.state import Recorded, State

Applier = Callable[[State, Recorded, Any], None]
APPLIERS: dict[type[Event], Applier] = {}


def applies(*kinds: type[Event]) -> Callable[[Applier], Applier]:
    """Register a function as the one that books these kinds of event."""

    def register(function: Applier) -> Applier:
        for kind in kinds:
            if kind in APPLIERS:
                raise ValueError(f"{kind.__name__} is booked twice")
            APPLIERS[kind] = function
        return function

    return register
