"""Tables: with rules and colours on a terminal, plain aligned columns anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


@frozen
class Column:
    """A column: numbers are `right`; on a terminal narrower than `least` characters it is left out."""

    title: str
    right: bool = False
    least: int = 0


@frozen
class Cell:
    """A text and how it looks on a terminal."""

    text: str
    style: str = ""


Line = Sequence[Cell | str]

GOOD, BAD, DOUBTFUL, QUIET, LOUD = "green", "red", "bold dark_orange3", "dim", "bold"
"""Colours that can be read on a dark ground and on a light one."""

SIDE_STYLES = {"buy": GOOD, "sell": BAD}
STATUS_STYLES = {
    "in_doubt": DOUBTFUL,
    "pending_new": "cyan",
    "new": "cyan",
    "partially_filled": "cyan",
    "suspended": DOUBTFUL,
    "done_for_day": DOUBTFUL,
    "filled": "",
    "denied": BAD,
    "rejected": BAD,
    "canceled": QUIET,
    "expired": QUIET,
    "void": QUIET,
}


class _Output(Console):
    """A console whose reader may go away: the command line decides what that means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Paper:
    """Where tables are written: a console, and whether anybody looks at it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _Output(file=sys.stdout, highlight=False, soft_wrap=True)

    @property
    def is_terminal(self) -> bool:
        """Colours and rules, or plain text?"""
        return self.console.is_terminal

    def table(self, columns: Sequence[Column], lines: Sequence[Line], empty: str) -> None:
        """Write a table, or the words that stand for an empty one."""
        if not lines:
            self.line(Cell(empty, QUIET))
        elif self.is_terminal:
            self.console.print(ruled(columns, lines, self.console.width), soft_wrap=False)
        else:
            for text in plain_lines(columns, lines):
                self.console.out(text, highlight=False)

    def line(self, *cells: Cell | str) -> None:
        """Write one line."""
        self.console.print(styled(*cells), soft_wrap=True)


def styled(*parts: Text | Cell | str | tuple[str, str]) -> Text:
    """One line made of parts, each in its own style alone."""
    line = Text()
    for part in parts:
        if isinstance(part, Cell):
            line.append(part.text, part.style)
        elif isinstance(part, tuple):
            line.append(*part)
        else:
            line.append(part)
    return line


def ruled(columns: Sequence[Column], lines: Sequence[Line], width: int) -> Table:
    """A table for a terminal of that width."""
    kept = [number for number, column in enumerate(columns) if column.least <= width]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for number in kept:
        column = columns[number]
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for line in lines:
        table.add_row(*(_text(line[number]) for number in kept))
    return table


def plain_lines(columns: Sequence[Column], lines: Sequence[Line]) -> list[str]:
    """Aligned text with all columns, two spaces apart.

    >>> plain_lines((Column("a"), Column("b", right=True)), (("x", "10"), ("yy", "1")))
    ['A    B', 'x   10', 'yy   1']
    """
    titled = [tuple(column.title.upper() for column in columns), *lines]
    return [line.plain.rstrip() for line in aligned(columns, titled)]


def aligned(columns: Sequence[Column], lines: Sequence[Line]) -> list[Text]:
    """The lines with their cells at the same places, two spaces apart, each cell in its style."""
    cells = [[_text(cell) for cell in line] for line in lines]
    widths = [max((row[number].cell_len for row in cells), default=0) for number in range(len(columns))]
    last = len(columns) - 1
    for row in cells:
        for number, (cell, width, column) in enumerate(zip(row, widths, columns, strict=True)):
            missing = " " * (width - cell.cell_len)
            if column.right:
                cell.plain = missing + cell.plain
            elif number != last:
                cell.plain += missing
    return [Text("  ").join(row) for row in cells]


def _text(cell: Cell | str) -> Text:
    return Text(cell) if isinstance(cell, str) else Text(cell.text, style=cell.style)
