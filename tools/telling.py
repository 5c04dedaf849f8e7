"""What a run says before its first picture and after its last: what the start found, and what happened."""

from __future__ import annotations

from decimal import Decimal

from rich.text import Text

from engine.settings import Change
from engine.state import State, results_by_asset
from tools.glance import Finding, Glance, Witness, deeds_of
from tools.rows import sorted_orders
from tools.start import Found
from tools.tables import BAD, DOUBTFUL, GOOD, LOUD, QUIET, styled
from tools.version import RELEASE
from tools.wording import count, lasting, listed, number, order_words, signed, status_words

OPEN_MOST = 8
DEFAULT_NAME = "holdfast.toml"


def opening_lines(name: str, found: Found) -> list[Text]:
    """Which journal is continued, and how the last run ended."""
    lines = [styled(("holdfast ", LOUD), (f"{RELEASE}  {name}", QUIET))]
    place = found.journal
    if not found.seq:
        return [*lines, Text(f"new journal {place}")]
    checked = f"{count(found.verified, 'event')} verified"
    short_cut = f" (a snapshot at seq {found.from_snapshot:,} and the tail)" if found.from_snapshot else ""
    took = lasting(int(found.seconds * 1000) * 1_000_000)
    ended = ("a clean stop", GOOD) if found.clean else ("a crash", DOUBTFUL)
    words = styled(f"continued journal {place} at seq {found.seq:,}, after ", ended)
    folded = Text(f"{checked}, {found.folded:,} folded{short_cut}, in {took}", style=QUIET)
    return [*lines, words, folded, *(_changed_words(change) for change in found.changed)]


def _changed_words(change: Change) -> Text:
    hashes = f"{change.before} is now {change.now}"
    words = (f"strategy {change.strategy} has changed under the same version {change.version}", DOUBTFUL)
    return styled(words, (f": {hashes}; raise its version to tell its orders apart", QUIET))


def finding_lines(finding: Finding, found: Found) -> list[Text]:
    """What the venues said of the time in which nobody ran."""
    ready = (f"; ready after {lasting(finding.lasted_ns)}", QUIET)
    if not found.seq:
        return [styled(("the venues were asked", QUIET), ready)]
    settled = [f"{count(finding.asked, 'order')} asked about"] if finding.asked else []
    settled += [f"{count(finding.fills, 'fill')} booked that happened meanwhile"] if finding.fills else []
    settled += [f"{count(finding.voided, 'order')} proven never to have arrived"] if finding.voided else []
    if finding.in_doubt:
        doubt = (f"{count(finding.in_doubt, 'order')} still in doubt", DOUBTFUL)
    else:
        doubt = ("nothing in doubt", GOOD)
    told = listed(settled or ["no order to ask about", "no fill missed"])
    shown = f"{count(finding.open_orders, 'open order')}, {count(finding.executions, 'execution')}"
    return [styled((f"the venues show {shown}: ", QUIET), f"{told}, ", doubt, ready)]


def summary_lines(name: str, state: State, witness: Witness, last: Glance | None, code: int) -> list[Text]:
    """What happened in a run, what stays open, and how to look further."""
    up = lasting(state.at_ns - state.started_ns)
    ended = (f"stopped ({state.system_reason}) after {up}", LOUD if code == 0 else f"bold {BAD}")
    lines = [styled(ended, (f", at seq {state.seq:,}; everything is in the journal", QUIET))]
    lines.append(Text(_deeds_words(witness)))
    lines += _result_lines(state, witness, last)
    lines += _open_lines(state)
    option = "" if name == DEFAULT_NAME else f" -c {name}"
    looks = f"look closer: holdfast fills{option}, or orders, positions, events, why ORDER"
    return [*lines, Text(looks, style=QUIET), Text(f"go on:       holdfast run{option}", style=QUIET)]


def _deeds_words(witness: Witness) -> str:
    deeds = deeds_of(witness)
    parts = [f"{count(deeds.sent, 'order')} sent", count(deeds.fills, "fill")]
    for number_of, word in ((deeds.canceled, "canceled"), (deeds.rejected, "rejected"), (deeds.denied, "denied")):
        parts += [f"{number_of:,} {word}"] if number_of else []
    return listed(parts)


def _result_lines(state: State, witness: Witness, last: Glance | None) -> list[Text]:
    before = witness.results_before or {}
    lines = []
    for asset, total in sorted(results_by_asset(state).items()):
        gained = total - before.get(asset, Decimal(0))
        open_words = "".join(
            f"; {number(holding.position.quantity)} {holding.instrument} open, {signed(holding.unrealized)} unrealized"
            for holding in (last.positions if last else ())
            if holding.strategy is None and holding.quote_asset == asset and holding.position.quantity
        )
        words = f" {asset} realized in this run, {signed(total)} since the journal began, after fees{open_words}"
        lines.append(styled((signed(gained), _sign_style(gained)), words))
    return lines


def _sign_style(amount: Decimal) -> str:
    return GOOD if amount > 0 else BAD if amount < 0 else ""


def _open_lines(state: State) -> list[Text]:
    orders = sorted_orders(state)
    if not orders:
        return [Text("no order is open")]
    kept = state.settings.orders.on_stop
    title = f"{count(len(orders), 'order')} still open at the venue (on_stop = {kept}); the next start asks about them"
    shown = [
        Text(f"  {order.order_id}  {order_words(order)}, {status_words(order)}",
             style=DOUBTFUL if order.is_in_doubt else "")
        for order in orders[:OPEN_MOST]
    ]  # fmt: skip
    more = [Text(f"  and {len(orders) - OPEN_MOST} more")] if len(orders) > OPEN_MOST else []
    return [Text(title), *shown, *more]
