"""The reading commands: what a journal says, as JSON or as tables. All of them work while an engine runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import click

from engine.balances import Funds, funds
from engine.order import Order
from engine.state import State
from engine.values import VenueName
from journal.entry import Entry
from tools.control import ControlRefused, EngineSilent
from tools.control import order as send
from tools.money import Holding, holdings, result_by_asset
from tools.rows import (
    FILL_KINDS,
    Row,
    balance_row,
    condition_of,
    event_row,
    fill_rows,
    lasting_pauses,
    order_row,
    position_row,
    sorted_orders,
    status_row,
    to_json,
)
from tools.sentences import sentence
from tools.tables import BAD, DOUBTFUL, GOOD, LOUD, QUIET, SIDE_STYLES, STATUS_STYLES, Cell, Column, Line, Paper
from tools.verify import verify
from tools.view import Source, View, read_event
from tools.wording import clock, count, lasting, moment, number, one_line, scope_words, signed, status_words

POLL_SECONDS = 0.2
SHOWN_MOST = 40
STATE_STYLES = {"trading": GOOD, "stopped": "", "paused": DOUBTFUL, "reconciling": "cyan", "starting": "cyan"}


# --- status -----------------------------------------------------------------------------------------------------


def show_status(directory: Path, as_json: bool) -> None:
    """`holdfast status`."""
    with Source(directory) as source:
        view = source.view()
        held = holdings(view.state, source.marks(view.state.positions), time.time_ns())
    last_data_ns = ask_last_data(directory) if view.is_held else {}
    row = status_row(view, held, last_data_ns)
    if as_json:
        click.echo(to_json(row))
        return
    paper = Paper()
    _status_lines(paper, view, row)
    if held:
        paper.line()
        _positions_table(paper, held)


def ask_last_data(directory: Path) -> dict[str, int]:
    """When market data last came, by venue: only the living engine knows; nothing where it does not answer."""
    try:
        answer = send(directory, {"action": "status"})
    except (EngineSilent, ControlRefused):
        return {}
    found = answer.get("last_data_ns")
    return dict(found) if isinstance(found, dict) else {}


def _status_lines(paper: Paper, view: View, row: Row) -> None:
    now_ns = time.time_ns()
    condition = condition_of(view)
    style = STATE_STYLES[condition.state] if condition.clean is not False else BAD
    paper.line(Cell(condition.state.upper(), f"bold {style}"), f"  {one_line(condition.reason)}")
    since = f", running for {lasting(now_ns - row['started_ns'])}" if row["pid"] and row["started_ns"] else ""
    pid = f", pid {row['pid']}" if row["pid"] else ""
    paper.line(Cell("journal    ", QUIET), f"{view.directory}, seq {row['seq']:,}, epoch {row['epoch']}{pid}{since}")
    if row["at_ns"]:
        ago = lasting(now_ns - row["at_ns"])
        paper.line(Cell("last event ", QUIET), f"{moment(row['at_ns'])} UTC, {ago} ago")
    for name, venue in row["venues"].items():
        paper.line(Cell("venue      ", QUIET), f"{name}: ", *_venue_cells(venue, now_ns))
    doubt = Cell(f", {row['in_doubt']} in doubt", DOUBTFUL) if row["in_doubt"] else ", none in doubt"
    held = f", {row['held']} held by the engine" if row["held"] else ""
    paper.line(Cell("orders     ", QUIET), f"{row['open_orders']} open", doubt, held)
    if row["outlive_session"]:
        words = f"{count(len(row['outlive_session']), 'order')} will outlive the session (on_session_end = keep)"
        paper.line(Cell("           ", QUIET), words)
    for pause in lasting_pauses(view):
        until = ", until `holdfast resume`" if pause.latched else ""
        words = f"{scope_words(pause.scope, pause.subject)}: {pause.reason}{until}"
        paper.line(Cell("paused     ", QUIET), Cell(one_line(words), DOUBTFUL), f"  {one_line(pause.detail)}")


def _venue_cells(venue: Row, now_ns: int) -> list[Cell | str]:
    cells: list[Cell | str] = [Cell(venue["state"], GOOD if venue["state"] == "ready" else DOUBTFUL)]
    if venue["last_data_ns"]:
        cells.append(f", data {lasting(now_ns - venue['last_data_ns'])} ago")
    if venue["last_reconciled_ns"]:
        cells.append(f", compared {lasting(now_ns - venue['last_reconciled_ns'])} ago")
    return cells


# --- orders -----------------------------------------------------------------------------------------------------

ORDER_COLUMNS = (
    Column("updated (UTC)", least=124),
    Column("order"),
    Column("strategy", least=104),
    Column("side"),
    Column("quantity", right=True),
    Column("instrument"),
    Column("price", right=True),
    Column("filled", right=True),
    Column("average", right=True, least=92),
    Column("status"),
)


def show_orders(directory: Path, only_open: bool, as_json: bool) -> None:
    """`holdfast orders [--open]`."""
    with Source(directory) as source:
        orders = sorted_orders(source.state()) if only_open else source.all_orders()
    if as_json:
        click.echo(to_json([order_row(order) for order in orders]))
        return
    empty = "No order may still trade." if only_open else "There are no orders yet."
    Paper().table(ORDER_COLUMNS, [order_line(order) for order in orders], empty)


def order_line(order: Order) -> Line:
    """An order as one line of a table."""
    status = status_words(order)
    reason = f": {one_line(order.reason)}" if order.reason and order.status in ("denied", "rejected") else ""
    style = DOUBTFUL if order.is_in_doubt else STATUS_STYLES.get(order.status, "")
    return (
        Cell(moment(order.updated_ns)[:-4], QUIET),
        order.order_id,
        order.strategy or Cell(str(order.origin), QUIET),
        Cell(str(order.side), SIDE_STYLES[order.side]),
        number(order.quantity),
        order.instrument,
        "market" if order.price is None else number(order.price),
        number(order.filled) if order.filled else Cell("–", QUIET),
        number(order.average_price and round(order.average_price, 8)) if order.filled else Cell("–", QUIET),
        Cell(status + reason, style),
    )


# --- fills ------------------------------------------------------------------------------------------------------

FILL_COLUMNS = (
    Column("time (UTC)"),
    Column("order", least=92),
    Column("strategy", least=104),
    Column("side"),
    Column("quantity", right=True),
    Column("instrument"),
    Column("price", right=True),
    Column("fee", right=True),
    Column("liquidity", least=112),
    Column(""),
)


def show_fills(directory: Path, as_json: bool) -> None:
    """`holdfast fills`."""
    with Source(directory) as source:
        entries = (entry for entry in source.reader.read() if entry.kind in FILL_KINDS)
        rows = fill_rows(read_event(entry) for entry in entries)
    if as_json:
        click.echo(to_json(rows))
        return
    Paper().table(FILL_COLUMNS, [_fill_line(row) for row in rows], "There are no fills yet.")


def _fill_line(row: Row) -> Line:
    fee = f"{row['fee']} {row['fee_asset']}" if row["fee"] is not None else "–"
    was = f"was {row['booked_quantity']} at {row['booked_price']}"
    marks = [word for word in ("late", "overfill") if row[word]]
    marks += [f"taken back by the venue, {was}"] if row["busted"] else []
    marks += [f"corrected by the venue, {was}"] if row["corrected"] and not row["busted"] else []
    return (
        Cell(moment(row["at_ns"])[:-4], QUIET),
        row["order_id"],
        row["strategy"] or Cell("–", QUIET),
        Cell(row["side"], SIDE_STYLES[row["side"]]),
        row["quantity"],
        row["instrument"],
        row["price"],
        Cell(fee, QUIET),
        Cell(row["liquidity"], QUIET),
        Cell(", ".join(marks), DOUBTFUL),
    )


# --- positions --------------------------------------------------------------------------------------------------

POSITION_COLUMNS = (
    Column("instrument"),
    Column("strategy"),
    Column("quantity", right=True),
    Column("average", right=True, least=90),
    Column("mark", right=True, least=102),
    Column("unrealized", right=True),
    Column("realized", right=True),
    Column("fees", right=True),
    Column("result", right=True),
)


MARKS = {
    "bid": "the bid that the newest decision saw",
    "ask": "the ask that the newest decision saw",
    "mid": "the middle of the quote that the newest decision saw",
    "fill": "the last execution",
}
"""What the source of a mark means in a journal, which keeps no market data but what decisions saw."""


def show_positions(directory: Path, as_json: bool) -> None:
    """`holdfast positions`."""
    with Source(directory) as source:
        state = source.state()
        held = holdings(state, source.marks(state.positions), time.time_ns())
    if as_json:
        click.echo(to_json([position_row(holding) for holding in held]))
        return
    _positions_table(Paper(), held)


def _positions_table(paper: Paper, held: Sequence[Holding]) -> None:
    paper.table(POSITION_COLUMNS, [_position_line(holding) for holding in held], "There are no positions yet.")
    if not held:
        return
    totals = ", ".join(f"{signed(total)} {asset}" for asset, total in sorted(result_by_asset(list(held)).items()))
    paper.line(Cell("Result, fees included: ", QUIET), Cell(totals, LOUD))
    for holding in held:
        if holding.liquidation_price is not None and holding.position.quantity:
            words = f"{holding.instrument} is liquidated by the venue at {number(holding.liquidation_price)}"
            paper.line(Cell(words, DOUBTFUL))
        if holding.strategy is None and holding.mark is not None and holding.position.quantity:
            text = f"{holding.instrument} is valued at {MARKS[holding.mark.source]}, {clock(holding.mark.at_ns)} UTC"
            paper.line(
                Cell(f"{text}: stale" if holding.is_stale else f"{text}.", DOUBTFUL if holding.is_stale else QUIET)
            )


def _position_line(holding: Holding) -> Line:
    position = holding.position
    whose = {None: Cell("account", LOUD), "": Cell("nobody's", QUIET)}
    return (
        Cell(holding.instrument, LOUD if holding.strategy is None else ""),
        whose.get(holding.strategy, holding.strategy or ""),
        number(position.quantity),
        number(position.average_price and round(position.average_price, 8)),
        number(round(holding.mark.price, 8) if holding.mark else None),
        money(holding.unrealized),
        money(position.realized),
        signed(-holding.fees),
        money(holding.result),
    )


def money(amount: Decimal | None) -> Cell:
    """A result: green above zero, red below."""
    text = signed(amount)
    return Cell(text, GOOD if text.startswith("+") else BAD if text.startswith("-") else QUIET)


# --- balances ---------------------------------------------------------------------------------------------------

BALANCE_COLUMNS = (
    Column("venue"),
    Column("asset"),
    Column("total", right=True),
    Column("free", right=True),
    Column("locked", right=True),
    Column("at the venue", right=True),
    Column("seen (UTC)", least=90),
    Column(""),
)


def show_balances(directory: Path, as_json: bool) -> None:
    """`holdfast balances`."""
    with Source(directory) as source:
        state = source.state()
    found = [(each, _account(state, venue)) for venue in sorted(state.venues) for each in funds(state, venue).values()]
    if as_json:
        click.echo(to_json([balance_row(*each) for each in found]))
        return
    Paper().table(BALANCE_COLUMNS, [_balance_line(each) for each, _account_name in found], "There are no balances yet.")


def _account(state: State, venue: VenueName) -> str:
    description = state.venues[venue].description
    return description.account if description else ""


def _balance_line(each: Funds) -> Line:
    notes = [f"{count(len(each.unpriced), 'order')} without a price not reckoned"] if each.unpriced else []
    notes += ["differs"] if each.differs else []
    return (
        each.venue,
        Cell(each.asset, LOUD),
        number(each.total),
        number(each.free),
        number(each.locked) if each.locked else Cell("–", QUIET),
        number(each.shown_total),
        Cell(moment(each.shown_ns)[:-4] if each.shown_ns else "–", QUIET),
        Cell(", ".join(notes), DOUBTFUL),
    )


# --- events -----------------------------------------------------------------------------------------------------


def show_events(directory: Path, after: int | None, follow: bool, as_json: bool) -> None:
    """`holdfast events [--after SEQ] [--follow]`: on a terminal only the newest unless `after` says where to begin."""
    with Source(directory) as source:
        write = _write_json if as_json else _writer(Paper())
        last = source.reader.last()
        seq = after or 0
        if after is None and last and not as_json and Paper().is_terminal and last.seq > SHOWN_MOST:
            seq = last.seq - SHOWN_MOST
            Paper().line(Cell(f"… {count(seq, 'earlier event')}: --after 0 shows all", QUIET))
        if as_json and not follow:
            _write_array(source.reader.read(seq))
            return
        while True:
            version = source.reader.changed()  # before reading, so that no commit is missed
            for entry in source.reader.read(seq):
                write(entry)
                seq = entry.seq
            if not follow:
                return
            while source.reader.changed() == version:
                time.sleep(POLL_SECONDS)


def _write_json(entry: Entry) -> None:
    click.echo(to_json(event_row(entry)))


def _write_array(entries: Iterable[Entry]) -> None:
    """One document, written as it is read: a journal may be longer than memory."""
    separator = "["
    for entry in entries:
        click.echo(separator + to_json(event_row(entry)), nl=False)
        separator = ",\n"
    click.echo("[]" if separator == "[" else "]")


def _writer(paper: Paper) -> Callable[[Entry], None]:
    def write(entry: Entry) -> None:
        recorded = read_event(entry)
        paper.line(
            Cell(f"{entry.seq:>7}  {moment(entry.at_ns)}  ", QUIET),
            f"{entry.subject or 'system':<16}  {sentence(recorded.event)}",
        )

    return write


# --- verify -----------------------------------------------------------------------------------------------------


def show_verdict(directory: Path, level: int, as_json: bool) -> bool:
    """`holdfast verify`; True when nothing was found."""
    verdict = verify(directory, level)
    if as_json:
        click.echo(to_json(verdict.row()))
        return verdict.is_ok
    paper = Paper()
    held = "; a process holds it now" if verdict.held else ""
    paper.line(
        Cell("OK" if verdict.is_ok else "NOT OK", f"bold {GOOD if verdict.is_ok else BAD}"), f"  {directory}{held}"
    )
    if verdict.is_ok:
        paper.line(f"{count(verdict.seq, 'event')}, each continues the chain before it: {verdict.chain or '–'}")
        if level > 1:
            digests = count(verdict.digests, "state digest")
            paper.line(f"The replay from the beginning made no illegal move and agrees with {digests} on the way.")
        paper.line(f"State digest {verdict.state_digest}")
    for problem in verdict.problems:
        paper.line(Cell("✗ ", BAD), one_line(problem))
    return verdict.is_ok
