"""A Glance as lines for a terminal of a given size: what matters most first, nothing wraps, nothing scrolls away."""

from __future__ import annotations

from attrs import frozen
from rich.text import Text

from engine import events
from engine.order import Order
from engine.system import SystemState, VenueState
from engine.values import SECOND_NS
from tools.glance import Glance, VenueGlance
from tools.money import Holding, result_by_asset
from tools.sentences import sentence
from tools.tables import (
    BAD,
    DOUBTFUL,
    GOOD,
    LOUD,
    QUIET,
    SIDE_STYLES,
    STATUS_STYLES,
    Cell,
    Column,
    Line,
    aligned,
    styled,
)
from tools.wording import DONE, clock, count, evened, lasting, listed, number, one_line, signed, status_words

LABEL_WIDTH = 11
STATE_STYLES = {
    SystemState.STARTING: "cyan",
    SystemState.RECONCILING: "cyan",
    SystemState.TRADING: GOOD,
    SystemState.PAUSED: DOUBTFUL,
    SystemState.STOPPED: QUIET,
}
VENUE_STYLES = {VenueState.READY: GOOD, VenueState.RECONCILING: "cyan", VenueState.DOWN: BAD}
OLD_DATA_NS = 5 * SECOND_NS
VENUES_MOST, QUOTES_MOST = 4, 4
HINT = "Ctrl-C stops cleanly; even kill -9 loses nothing."


@frozen
class Size:
    """Characters and lines that there are."""

    width: int
    height: int


def frame(glance: Glance, size: Size) -> list[Text]:
    """The whole picture: at most `height` lines of at most `width` characters."""
    tail = [*_trouble(glance), Text(HINT, style=QUIET)]
    heading = _heading(glance, size.width)
    head = [*heading, *_places(glance)[: max(size.height - len(heading) - len(tail), 0)]]
    room = max(size.height - len(head) - len(tail), 0)
    positions = _positions(glance, max(room * 2 // 5, 3))
    orders_wanted = len(glance.open_orders)
    left = max(room - len(positions) - 4, 0)  # the titles of orders and fills, and a blank line above each
    for_orders = min(orders_wanted, max(left // 2, left - len(glance.fills)))
    body = [*positions, *_orders(glance, for_orders), *_fills(glance, max(left - for_orders, 0))]
    return [_fitted(line, size.width) for line in (*head, *body[:room], *tail)][: size.height]


def _fitted(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _heading(glance: Glance, width: int) -> list[Text]:
    style = STATE_STYLES[glance.state]
    left = styled((f"● {glance.state.upper()}", f"bold {style}"), f"  {one_line(glance.reason)}")
    uptime = lasting(glance.now_ns - glance.started_ns)
    right = Text(f"{glance.mode}, start {glance.epoch}, pid {glance.pid}, up {uptime}", style=QUIET)
    gap = " " * max(width - left.cell_len - right.cell_len, 2)
    return [styled(left, gap, right), Text("─" * width, style=QUIET)]


def _label(label: str) -> Cell:
    return Cell(label.ljust(LABEL_WIDTH), QUIET)


def _places(glance: Glance) -> list[Text]:
    """Journal, venues, market and pauses: one line each."""
    journal = f"seq {glance.seq:,}, {_rate(glance.commits_a_minute)}"
    took = f", the last took {_milliseconds(glance.commit_ns)}" if glance.commit_ns else ""
    lines = [styled(_label("journal"), journal + took)]
    lines += [_venue(venue) for venue in glance.venues[:VENUES_MOST]]
    for quote in glance.quotes[:QUOTES_MOST]:
        age_ns = glance.now_ns - quote.received_ns
        old = Cell(f"  {lasting(age_ns)} old" if age_ns > OLD_DATA_NS else "", DOUBTFUL)
        lines.append(styled(_label(quote.instrument), f"{number(quote.bid)} / {number(quote.ask)}", old))
    lines += [_strategies(glance)] if glance.strategies else []
    lines += [styled(_label("paused"), Cell(one_line(words), DOUBTFUL)) for words in glance.pauses]
    return lines


def _strategies(glance: Glance) -> Text:
    line = styled(_label("strategies"))
    for number_of, name in enumerate(glance.strategies):
        paused = name in glance.paused_strategies
        line.append(", " if number_of else "").append(f"{name} paused" if paused else name, DOUBTFUL if paused else "")
    return line


def _rate(a_minute: int) -> str:
    if a_minute >= 120:
        return f"{count(a_minute // 60, 'commit')} a second"
    return f"{count(a_minute, 'commit')} a minute"


def _milliseconds(ns: int) -> str:
    """A short duration to a tenth of a millisecond."""
    return f"{ns // 1_000_000}.{ns % 1_000_000 // 100_000} ms"


def _venue(venue: VenueGlance) -> Text:
    line = styled(_label(venue.name), Cell(venue.state, VENUE_STYLES[venue.state]))
    if venue.data_age_ns is not None:
        is_old = venue.data_age_ns > OLD_DATA_NS
        age = f"{lasting(venue.data_age_ns)} old" if is_old else "live"
        line.append(f", data {age}", DOUBTFUL if is_old else "")
    if venue.compared_age_ns is not None:
        line.append(f", compared {lasting(venue.compared_age_ns)} ago: ")
        line.append(*_compared(venue.compared))
    return line


def _compared(event: events.Reconciled | None) -> tuple[str, str]:
    """What the last reconciliation found, in a few words, and their style."""
    if event is None:
        return "not yet in this run", QUIET
    if event.differences:
        return f"differs in {listed(difference.name for difference in event.differences)}", DOUBTFUL
    found = [count(event.executions_booked, "new fill")] if event.executions_booked else []
    found += [f"{count(event.orders_settled, 'order')} settled"] if event.orders_settled else []
    return listed([*found, "all agrees" if event.ready else "not complete"]), ""


# --- positions --------------------------------------------------------------------------------------------------

_POSITION_COLUMNS = (
    Column(""), Column("", right=True), Column("", right=True), Column("", right=True), Column("", right=True),
    Column("", right=True),
)  # fmt: skip
_POSITION_TITLES: Line = tuple(
    Cell(title, QUIET) for title in ("POSITIONS", "quantity", "average", "unrealized", "fees", "result")
)


def _positions(glance: Glance, most: int) -> list[Text]:
    totals = listed(
        f"{signed(total)} {asset}" for asset, total in sorted(result_by_asset(list(glance.positions)).items())
    )
    if not glance.positions:
        return [Text(), styled(("POSITIONS", QUIET), "  none yet")]
    shown = [holding for holding in glance.positions if holding.strategy is None]
    if len(glance.positions) + 2 <= most:
        shown = list(glance.positions)
    lines = aligned(_POSITION_COLUMNS, [_POSITION_TITLES, *(_position(holding) for holding in shown[: most - 2])])
    hidden = len(shown) - (len(lines) - 1)
    more = f"  and {count(hidden, 'more')}" if hidden else ""
    lines[0].append(f"   all: {totals}{more}", LOUD)
    return [Text(), *lines]


def _position(holding: Holding) -> Line:
    whose = holding.instrument if holding.strategy is None else f"  {holding.strategy or 'nobody'}"
    style = "" if holding.strategy is None else QUIET
    average = holding.position.average_price
    return (
        Cell(whose, style),
        Cell(number(holding.position.quantity), style),
        Cell(number(average if average is None else round(average, 4)), style),
        _money(signed(holding.unrealized)),
        Cell(signed(-holding.fees), QUIET),
        _money(signed(holding.result)),
    )


def _money(text: str) -> Cell:
    return Cell(text, GOOD if text.startswith("+") else BAD if text.startswith("-") else "")


# --- orders and fills -------------------------------------------------------------------------------------------

_ORDER_COLUMNS = (
    Column(""), Column(""), Column("", right=True), Column(""), Column("", right=True), Column("", right=True),
    Column(""),
)  # fmt: skip


def _orders(glance: Glance, most: int) -> list[Text]:
    deeds = glance.deeds
    doubt = sum(1 for order in glance.open_orders if order.is_in_doubt)
    title = styled(("ORDERS", QUIET), (f"     {len(glance.open_orders)} open", LOUD))
    if doubt:
        title.append(f", {doubt} in doubt", DOUBTFUL)
    done = {"sent": deeds.sent, "canceled": deeds.canceled, "rejected": deeds.rejected, "denied": deeds.denied}
    words = listed(f"{word} {number_of:,}" for word, number_of in done.items() if number_of or word == "sent")
    title.append(f"; {words}", QUIET)
    hidden = len(glance.open_orders) - most
    if hidden > 0:
        title.append(f"; {hidden} not shown", QUIET)
    shown = glance.open_orders[:most]
    prices = evened([order.price for order in shown])
    lines = [_order(order, price, glance) for order, price in zip(shown, prices, strict=True)]
    return [Text(), title, *aligned(_ORDER_COLUMNS, lines)]


def _order(order: Order, price: str, glance: Glance) -> Line:
    words = status_words(order).replace("partially filled", f"filled {number(order.filled)}")
    style = DOUBTFUL if order.is_in_doubt else STATUS_STYLES.get(order.status, "")
    return (
        order.order_id,
        Cell(str(order.side), SIDE_STYLES[order.side]),
        number(order.quantity),
        order.instrument,
        "market" if order.price is None else f"at {price}",
        Cell(lasting(glance.now_ns - order.created_ns), QUIET),
        Cell(words, style),
    )


_FILL_COLUMNS = (Column(""), Column(""), Column("", right=True), Column(""), Column("", right=True), Column(""))


def _fills(glance: Glance, most: int) -> list[Text]:
    title = styled(("FILLS", QUIET), (f"      {glance.deeds.fills:,} in this run", LOUD))
    results = listed(f"{signed(total)} {asset}" for asset, total in sorted(glance.run_results.items()))
    if results:
        title.append(f", realized {results} after fees", QUIET)
    newest = list(reversed(glance.fills))[:most]
    prices = evened([fill.price for _, fill in newest])
    lines = [_fill(at_ns, fill, price) for (at_ns, fill), price in zip(newest, prices, strict=True)]
    return [Text(), title, *aligned(_FILL_COLUMNS, lines)]


def _fill(at_ns: int, event: events.FillBooked, price: str) -> Line:
    fee = f"fee {number(event.fee)} {event.fee_asset}" if event.fee is not None else ""
    return (
        Cell(clock(at_ns), QUIET),
        Cell(DONE[event.side], SIDE_STYLES[event.side]),
        number(event.quantity),
        event.instrument,
        f"at {price}",
        Cell(f"{fee}{', late' if event.late else ''}", QUIET),
    )


def _trouble(glance: Glance) -> list[Text]:
    if glance.trouble is None:
        return [Text()]
    recorded = glance.trouble
    words = f"{clock(recorded.at_ns)} {sentence(recorded.event)}"
    return [Text(), styled(_label("last word"), words, Cell(f"  {recorded.event.subject}", QUIET))]
