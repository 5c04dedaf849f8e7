"""Tables: they fit a terminal, and lose nothing where there is none."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from tools.commands import FILL_COLUMNS, ORDER_COLUMNS, POSITION_COLUMNS
from tools.tables import Cell, Column, Line, Paper, aligned, plain_lines, styled

COLUMNS = (Column("name"), Column("amount", right=True), Column("note", least=60))
LINES: list[Line] = [("a", Cell("1.5", "red"), "first"), ("bcd", "20", Cell("[bold]not markup", "dim"))]


def printed(width: int, is_terminal: bool) -> str:
    out = StringIO()
    Paper(Console(file=out, width=width, force_terminal=is_terminal, highlight=False)).table(COLUMNS, LINES, "none")
    return out.getvalue()


def test_a_pipe_gets_plain_aligned_text() -> None:
    assert printed(10, False) == "NAME  AMOUNT  NOTE\na        1.5  first\nbcd       20  [bold]not markup\n"


def test_a_terminal_gets_colours_and_no_column_that_does_not_fit() -> None:
    wide, narrow = printed(80, True), printed(40, True)
    assert "\x1b[31m" in wide
    assert "[bold]not markup" in wide
    assert "first" not in narrow


def test_no_colours_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in printed(80, True)


@pytest.mark.parametrize("columns", [ORDER_COLUMNS, FILL_COLUMNS, POSITION_COLUMNS])
def test_the_tables_of_the_commands_fit_80_characters(columns: tuple[Column, ...]) -> None:
    widest = {
        "order": "h6rnc0a1b0000008", "instrument": "BTC-USDT", "status": "in doubt",
        "time (UTC)": "2025-11-21 01:20:03",
    }  # fmt: skip
    line = [widest.get(column.title, "-1,234.56"[: max(len(column.title), 5)]) for column in columns]
    out = StringIO()
    Paper(Console(file=out, width=80, force_terminal=True, highlight=False, no_color=True)).table(columns, [line], "")
    assert out.getvalue().count("\n") == 3  # title, rule, one line: nothing was folded


def test_an_empty_table_is_a_sentence() -> None:
    out = StringIO()
    Paper(Console(file=out)).table(COLUMNS, [], "There is nothing.")
    assert out.getvalue() == "There is nothing.\n"


def test_styles_do_not_leak_into_their_neighbours() -> None:
    line = styled(("label ", "dim"), Cell("value", "green"), "rest")
    assert [(span.start, span.end, span.style) for span in line.spans] == [(0, 6, "dim"), (6, 11, "green")]
    (row,) = aligned((Column(""), Column("", right=True), Column("")), [("a", "1", "end")])
    assert row.plain == "a  1  end"


def test_the_last_column_is_not_padded() -> None:
    assert plain_lines((Column("a"), Column("b")), [("x", "y"), ("longer", "longest")])[1] == "x       y"
