"""`holdfast results`: what was won and lost, as JSON or as a table with the equity curve below."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from engine.equity import Equity
from engine.values import ZERO, Asset
from tools.commands import money
from tools.results import Fees, Point, Results, Whose, read_results
from tools.rows import to_json
from tools.tables import DOUBTFUL, LOUD, QUIET, Cell, Column, Line, Paper
from tools.view import Source
from tools.wording import listed, moment, number, signed

COLUMNS = (
    Column("strategy"),
    Column("asset"),
    Column("realized", right=True),
    Column("first in, first out", right=True, least=100),
    Column("unrealized", right=True),
    Column("funding", right=True),
    Column("fees", right=True),
    Column("result", right=True),
    Column(""),
)
BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 60


def show_results(directory: Path, as_json: bool) -> None:
    """Read a journal from its first event and say what it comes to; raises a `JournalError`."""
    with Source(directory) as source:
        found = read_results(source.recorded())
    rows = [row for whose in _everybody(found) for row in result_rows(found, whose)]
    if as_json:
        click.echo(to_json({"results": rows, "curves": [curve_row(found, whose) for whose in found.curves]}))
        return
    paper = Paper()
    paper.table(COLUMNS, [_line(row) for row in rows], "There are no results yet.")
    for asset in sorted({row["asset"] for row in rows}):
        points = [point for point in found.curves[None].all() if asset in point.totals]
        if len(points) > 1:
            paper.line()
            paper.line(Cell(f"equity in {asset}  ", QUIET), sparkline([point.totals[asset] for point in points]))
            ends = f"{signed(points[0].totals[asset])} at {moment(points[0].at_ns)[:-4]}"
            paper.line(
                Cell(f"{ends}, {signed(points[-1].totals[asset])} at {moment(points[-1].at_ns)[:-4]} UTC", QUIET)
            )


def _everybody(found: Results) -> list[Whose]:
    names = sorted({name for held in found.state.positions.values() for name in held})
    return [None, *names]


def result_rows(found: Results, whose: Whose) -> list[dict[str, Any]]:
    """One of `results --json` for each asset: `fees` at today's price of their asset, `fees_booked` at that of the
    moment at which each was booked; `unpriced` is what has no price and is in no sum."""
    fifo = found.first_in_first_out(whose)
    return [
        _row(whose, each, fifo.get(asset, ZERO), found.fees.get((whose, asset), Fees()))
        for asset, each in sorted(found.equity(whose).items())
    ]


def _row(whose: Whose, each: Equity, fifo: Decimal, fees: Fees) -> dict[str, Any]:
    return {
        "strategy": whose,
        "asset": each.asset,
        "realized": number(each.realized),
        "realized_fifo": number(fifo),
        "unrealized": number(each.unrealized),
        "funding": number(each.funding),
        "fees": number(each.fees),
        "fees_booked": number(fees.value),
        "fees_by_asset": {asset: number(fee) for asset, fee in sorted(fees.by_asset.items())},
        "unpriced": sorted({*each.unpriced, *(f"fee in {asset}" for asset in fees.unpriced)}),
        "result": number(each.total),
    }


def curve_row(found: Results, whose: Whose) -> dict[str, Any]:
    """One of the curves: the result by asset after each execution, correction, fee or payment."""
    return {"strategy": whose, "points": [_point(point) for point in found.curves[whose].all()]}


def _point(point: Point) -> dict[str, Any]:
    return {
        "at_ns": point.at_ns,
        "seq": point.seq,
        "totals": {asset: number(total) for asset, total in point.totals.items()},
    }


def _line(row: dict[str, Any]) -> Line:
    whose = {None: Cell("account", LOUD), "": Cell("nobody's", QUIET)}
    figures = {key: Decimal(row[key]) for key in ("realized", "realized_fifo", "unrealized", "funding", "result")}
    note = f"without {listed(row['unpriced'])}" if row["unpriced"] else ""
    return (
        whose.get(row["strategy"], row["strategy"]),
        Asset(row["asset"]),
        money(figures["realized"]),
        money(figures["realized_fifo"]),
        money(figures["unrealized"]),
        money(figures["funding"]),
        signed(-Decimal(row["fees"])),
        money(figures["result"]),
        Cell(note, DOUBTFUL),
    )


def sparkline(values: Sequence[Decimal]) -> str:
    """A curve in one line of characters, from its least value to its greatest.

    >>> sparkline([Decimal(0), Decimal(1), Decimal(7)])
    '▁▂█'
    """
    step = max(len(values) // CURVE_WIDTH, 1)
    shown = [*values[:-1:step], values[-1]]
    least, most = min(shown), max(shown)
    span = most - least
    return "".join(BARS[int((value - least) * (len(BARS) - 1) / span) if span else 0] for value in shown)
