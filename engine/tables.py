"""State tables as data: rows → a `transitions` machine → the compiled look-up that runs.

The library defines, checks and draws; the look-up is what `decide` uses, because a trigger of the library costs
about 8 µs and a look-up 0.2 µs. `transitions` takes unknown states and duplicate rows silently: tests refuse them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from attrs import frozen
from transitions import Machine

SAME = None


@frozen
class Row:
    """From any of `sources`, on `report`, if `guard` holds: go to `destination` (None: stay), with `effect`.

    `guard` and `effect` are names; an empty effect means that nothing is journaled. In a cell guarded rows are tried in
    their order, the unguarded one last.
    """

    sources: tuple[StrEnum, ...]
    report: str
    destination: StrEnum | None
    effect: str = ""
    guard: str = ""


class Cell(NamedTuple):
    """One way out of a state: the compiled form of a row."""

    guard: str
    destination: str
    effect: str


class Table:
    """A set of rows, the machine made of them, and the look-up compiled from the machine."""

    def __init__(self, name: str, states: type[StrEnum], initial: StrEnum, rows: Iterable[Row]) -> None:
        self.name = name
        self.states = states
        self.initial = str(initial)
        self.rows = tuple(rows)
        self.machine = _machine(states, initial, self.rows)
        self.cells = _compile(self.machine)
        self.reports = frozenset(row.report for row in self.rows)

    def find(self, state: str, report: str) -> tuple[Cell, ...]:
        """The ways out of a cell, in the order in which their guards are asked; empty where there is no row."""
        return self.cells.get((state, report), ())

    def diagram(self, groups: Mapping[str, str] | None = None) -> str:
        """A Mermaid state diagram of the rows that move; `groups` draws several states as one."""
        shown = groups or {}
        moves: dict[tuple[str, str], list[str]] = {}
        for (state, report), cells in self.cells.items():
            for cell in cells:
                move = shown.get(state, state), shown.get(cell.destination, cell.destination)
                if move[0] != move[1]:
                    moves.setdefault(move, []).append(report)
        lines = [f"    {a} --> {b}: {', '.join(dict.fromkeys(labels))}" for (a, b), labels in moves.items()]
        return "\n".join(["stateDiagram-v2", f"    [*] --> {self.initial}", *lines])


def _machine(states: type[StrEnum], initial: StrEnum, rows: tuple[Row, ...]) -> Machine:
    machine = Machine(
        model=None, states=[str(s) for s in states], initial=str(initial), auto_transitions=False, send_event=True
    )
    for row in rows:
        for source in row.sources:
            machine.add_transition(
                trigger=row.report,
                source=str(source),
                dest=None if row.destination is None else str(row.destination),
                conditions=[row.guard] if row.guard else None,
                after=[row.effect] if row.effect else None,
            )
    return machine


def _compile(machine: Machine) -> Mapping[tuple[str, str], tuple[Cell, ...]]:
    cells: dict[tuple[str, str], tuple[Cell, ...]] = {}
    for report, event in machine.events.items():
        for source, transitions in event.transitions.items():
            found = [_cell(source, transition) for transition in transitions]
            cells[(source, report)] = tuple(sorted(found, key=lambda cell: cell.guard == ""))
    return cells


def _cell(source: str, transition: Any) -> Cell:
    guard = transition.conditions[0].func if transition.conditions else ""
    effect = transition.after[0] if transition.after else ""
    return Cell(guard, transition.dest or source, effect)
