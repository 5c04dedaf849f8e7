"""What a whole run of tests has tried, for the summary: schedules, deaths, faults, and how far the clocks went."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import asdict, define

from tools.simulation.plan import Tally


@define
class Figures:
    """Sums over all worlds of this process, shrinking included."""

    schedules: int = 0
    deaths: int = 0
    faults: int = 0
    starts: int = 0
    events: int = 0
    fills: int = 0
    violations: int = 0

    def count(self, tally: Tally, events: int, fills: int) -> None:
        """Add one world's."""
        self.events += events
        self.fills += fills
        deaths = sum(tally.deaths.values())
        self.deaths += deaths
        self.faults += tally.faults - deaths  # a death is a fault too, there
        self.starts += tally.starts

    def add(self, other: Mapping[str, int]) -> None:
        """Add another process's."""
        for name, number in other.items():
            setattr(self, name, getattr(self, name) + number)

    def as_dict(self) -> dict[str, int]:
        """All of it by name."""
        return asdict(self)


FIGURES = Figures()
"""This process's."""
