"""A request as its handler sees it, whichever way it came in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from adapters.binance.server.accounts import Window
from adapters.binance.server.errand import Errand, Work
from adapters.binance.server.house import House
from adapters.binance.server.params import Params
from adapters.simulated.faults import Kind


@frozen
class Call:
    """`window` is there where the request is signed."""

    house: House
    params: Params
    window: Window | None = None
    is_ws: bool = False

    def errand(self, kind: Kind | None, work: Work, taken: Callable[[], None] = lambda: None) -> Errand:
        """Work in the exchange's thread."""
        return Errand(kind, work, self.house.standing, self.window, taken)


Handler = Callable[[Call], Any]
"""Gives an `Errand`, or the answer's JSON itself; raises `Refused`."""
