"""What a benchmark reports: a table whose ratios mean more than its figures, for people and for programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from attrs import Factory, asdict, define, field
from rich.console import Console
from rich.table import Table

Cell = str | int | float | None


class Scale(StrEnum):
    """How much is measured: `quick` only shows that a benchmark runs, `long` is for quiet machines."""

    QUICK = "quick"
    USUAL = "usual"
    LONG = "long"


@define
class Sheet:
    """A table and the notes below it. The first column names what a line is about; None is an empty cell."""

    name: str
    title: str
    columns: tuple[str, ...]
    lines: list[tuple[Cell, ...]] = Factory(list)
    notes: list[str] = field(factory=list)

    def add(self, *cells: Cell) -> None:
        """One more line; raises `ValueError` where it does not fit the columns."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{self.name}: {len(cells)} cells under {len(self.columns)} columns")
        self.lines.append(cells)

    def as_document(self) -> dict[str, Any]:
        """For JSON: each line as an object with the columns as its keys."""
        document = asdict(self, filter=lambda attribute, _value: attribute.name != "columns")
        return document | {"lines": [dict(zip(self.columns, line, strict=True)) for line in self.lines]}

    def show(self, console: Console) -> None:
        """For people."""
        table = Table(title=self.title, title_justify="left", title_style="bold", pad_edge=False, box=None)
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=number > 0)
        for line in self.lines:
            table.add_row(*(_shown(cell) for cell in line))
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", highlight=False, markup=False)
        console.print()


def ratio(figure: float, floor: float) -> float | None:
    """How many times the floor, None where there is no floor to speak of."""
    return figure / floor if floor else None


def _shown(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1_000 else f"{cell:,.1f}" if abs(cell) >= 100 else f"{cell:,.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
