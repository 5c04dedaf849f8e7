"""What must be true of a world, whatever died and whenever. Each function yields what is wrong; nothing is good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from adapters.simulated import ledger
from adapters.simulated.state import fold as fold_exchange
from engine import events
from engine.codec import decode, decode_state, digest, encode, encode_state
from engine.fold import apply
from engine.order import CONFIRMED, OPEN_SET, Order, Pending
from engine.state import State
from engine.system import SystemState
from engine.token import TOKEN_LENGTH
from engine.values import ZERO, InstrumentName, OrderId, exact_arithmetic
from journal import chain
from journal.errors import JournalError
from tools.simulation.world import VENUE, World, fold, recorded

Check = Callable[[World], Iterator[str]]

CLOSING = events.OrderCanceled | events.OrderExpired | events.OrderRejected | events.OrderVoided


def chain_is_whole(world: World) -> Iterator[str]:
    """I2: seq gapless, chain verifies, epochs never go back."""
    try:
        for _ in chain.verify(world.log.entries, journal_id=world.log.journal_id):
            pass
    except JournalError as error:
        yield f"I2: {error}"


def batches_are_whole(world: World) -> Iterator[str]:
    """I3: the events of a commit name its first seq, and follow one another."""
    for entry in world.log.entries:
        if not 0 < entry.batch <= entry.seq or world.log.entries[entry.batch - 1].batch != entry.batch:
            yield f"I3: seq {entry.seq} names batch {entry.batch}"


def fold_is_live(world: World) -> Iterator[str]:
    """I5: the journal folds to what the living engine has."""
    if world.engine is not None and digest(fold(world.log)) != digest(world.engine.state):
        yield "I5: the journal does not fold to the live state"


def snapshot_is_a_short_cut(world: World) -> Iterator[str]:
    """I6: from a snapshot in the middle, the tail leads to the same."""
    middle = len(world.log.entries) // 2
    state = decode_state(encode_state(fold(world.log, middle)))
    with exact_arithmetic():
        for entry in world.log.entries[middle:]:
            apply(state, decode(entry))
    if digest(state) != digest(fold(world.log)):
        yield f"I6: a snapshot at seq {middle} leads elsewhere"


def bodies_are_canonical(world: World) -> Iterator[str]:
    """What is read is written again to the same bytes."""
    for entry, again in zip(world.log.entries, map(encode, recorded(world.log)), strict=True):
        if entry.body != again.body:
            yield f"I7: seq {entry.seq} is not written as it is read"


def orders_were_requested(world: World) -> Iterator[str]:
    """O1: every order at the exchange was requested by an event; O2: one intent has at most one order there."""
    requested = {
        str(event.client_order_id): str(event.order_id)
        for event in (one.event for one in recorded(world.log))
        if isinstance(event, events.SubmitRequested)
    }
    seen: Counter[str] = Counter()
    for _exec_seq, fact in ledger_facts(world):
        if isinstance(fact, ledger.OrderAccepted):
            if fact.client_order_id not in requested:
                yield f"O1: {fact.client_order_id} is at the exchange and was never requested"
            seen[requested.get(fact.client_order_id, fact.client_order_id)] += 1
    for order_id, count in seen.items():
        if count > 1:
            yield f"O2: {order_id} is {count} orders at the exchange"


def nothing_leaves_uncommitted(world: World) -> Iterator[str]:
    """O1: a request that left follows from an event that is in the journal."""
    for request in world.tally.left:
        entry = world.log.entries[request.seq - 1] if request.seq <= world.log.seq else None
        if entry is None or entry.kind not in ("SubmitRequested", "CancelRequested", "ReplaceRequested"):
            yield f"O1: {type(request).__name__} left without its event (seq {request.seq})"


def books_are_the_ledger(world: World) -> Iterator[str]:
    """O3, O8: executions, balances and open orders equal the exchange's, to the last decimal."""
    state, theirs = fold(world.log), fold_exchange(world.ledger.entries)
    ours = {str(fill.exec_id): (fill.quantity, fill.price, fill.fee) for fill in _fills(world)}
    executed = {
        f"x{seq}": (fact.quantity, fact.price, fact.fee)
        for seq, fact in ledger_facts(world)
        if isinstance(fact, ledger.OrderExecuted)
    }
    for exec_id in sorted(set(executed) - set(ours)):
        yield f"O3: execution {exec_id} is lost: {executed[exec_id]}"
    for exec_id in sorted(set(ours) - set(executed)):
        yield f"O3: execution {exec_id} is made up: {ours[exec_id]}"
    for exec_id in sorted(set(ours) & set(executed)):
        if ours[exec_id] != executed[exec_id]:
            yield f"O3: execution {exec_id} is {ours[exec_id]} here and {executed[exec_id]} there"
    drift = next((pause.detail for pause in state.pauses.values() if pause.reason == "position_drift"), "")
    for asset, total in theirs.account.totals.items():
        if f"{asset}: the venue has {total}," in drift:
            continue  # an account that was opened by snapshots that lied: noticed, and paused until somebody has looked
        booked = state.balances.get(VENUE, {}).get(asset, ZERO)
        if booked != total:
            yield f"O8: {asset} is {booked} here and {total} there"
    ours_open = {o.client_order_id for o in state.open_orders() if not o.is_unsettled}
    theirs_open = {order.client_order_ids[0] for order in theirs.open.values()}
    if ours_open != theirs_open:
        yield f"O3: open here {sorted(map(str, ours_open - theirs_open))}, there {sorted(theirs_open - ours_open)}"


def fills_are_booked_once(world: World) -> Iterator[str]:
    """O3: no execution is booked twice, and positions are the sum of what was booked."""
    counted = Counter(fill.exec_id for fill in _fills(world))
    for exec_id, count in counted.items():
        if count > 1:
            yield f"O3: execution {exec_id} is booked {count} times"
    sums: dict[str, Decimal] = {}
    for fill in _fills(world):
        sums[fill.instrument] = sums.get(fill.instrument, ZERO) + fill.quantity * fill.side.sign
    state = fold(world.log)
    for name, total in sums.items():
        if state.position(InstrumentName(name)).quantity != total:
            yield f"O3: position {name} is not the sum of its executions"


def only_cancels_leave_a_pause(world: World) -> Iterator[str]:
    """O4: a new order or a replacement is requested in trading only, but for an operator's flatten."""
    system, flattens = SystemState.STOPPED, set()
    for one in recorded(world.log):
        event = one.event
        if isinstance(event, events.SystemChanged):
            system = SystemState(event.state)
        elif isinstance(event, events.ProcessStarted):
            system = SystemState.STARTING
        elif isinstance(event, events.OrderIntended) and event.reason.get("operator") == "flatten":
            flattens.add(event.order_id)
        elif isinstance(event, events.SubmitRequested | events.ReplaceRequested):
            may = system is SystemState.TRADING or event.order_id in flattens
            if not may:
                yield f"O4: seq {one.seq} {event.kind} while {system}"


def limits_hold(world: World) -> Iterator[str]:
    """O5: at every request the position that may come of it, with all that may be live, is within `max_position`."""
    state = State()
    limits = world.setting.settings.risk.account.max_position
    with exact_arithmetic():
        for one in recorded(world.log):
            apply(state, one)
            if isinstance(one.event, events.SubmitRequested | events.ReplaceRequested):
                yield from _over_limit(state, state.orders[one.event.order_id], one.seq, limits)


def _over_limit(state: State, asked: Order, seq: int, limits: dict[InstrumentName, Decimal]) -> Iterator[str]:
    limit = limits.get(asked.instrument)
    held = state.position(asked.instrument).quantity * asked.side.sign
    alike = (o for o in state.open_orders() if (o.instrument, o.side) == (asked.instrument, asked.side))
    reach = held + sum((order.exposure for order in alike), ZERO)
    if limit is not None and reach > limit:
        yield f"O5: seq {seq}: {asked.instrument} may reach {reach}, the limit is {limit}"


def confirmed_ends_are_final(world: World) -> Iterator[str]:
    """O6: what the venue has closed is left only by executions and their corrections."""
    state = State()
    may = ("FillBooked", "FillCorrected", "FillBusted", "OrderArchived", "AnomalyRecorded", "OrderQueried", "FeeBooked",
           "OrderRecalled", "ArchivedOrderReported")  # fmt: skip
    with exact_arithmetic():
        for one in recorded(world.log):
            before = state.orders.get(OrderId(getattr(one.event, "order_id", "")))
            apply(state, one)
            after = state.orders.get(before.order_id) if before else None
            reopened = before and after and before.status in CONFIRMED and after.status in OPEN_SET
            if before and reopened and one.event.kind not in may:
                yield f"O6: seq {one.seq} {one.event.kind} re-opens {before.order_id}"


def what_is_closed_is_dead(world: World) -> Iterator[str]:
    """O6, O7: what the books call closed was closed at the exchange by then, or never reached it at all."""
    accepted, closed = _lives_at_the_exchange(world)
    for one in recorded(world.log):
        event = one.event
        if not isinstance(event, CLOSING):
            continue
        if event.order_id in accepted and closed.get(event.order_id, one.at_ns + 1) > one.at_ns:
            yield f"O6: seq {one.seq} {event.kind}, but {event.order_id} lives at the exchange"


def _lives_at_the_exchange(world: World) -> tuple[dict[str, int], dict[str, int]]:
    """When each order of ours was accepted and when it was over, by our own id."""
    order_of, left, accepted, closed = {}, {}, {}, {}
    for entry in world.ledger.entries:
        fact = ledger.fact_of(entry)
        if isinstance(fact, ledger.OrderAccepted):
            order_id = fact.client_order_id[:TOKEN_LENGTH]
            order_of[str(entry.seq)], left[order_id], accepted[order_id] = order_id, fact.quantity, entry.at_ns
        elif isinstance(fact, ledger.OrderExecuted):
            left[order_of[fact.venue_order_id]] -= fact.quantity
        if isinstance(fact, ledger.OrderCanceled | ledger.OrderExpired) or (
            isinstance(fact, ledger.OrderExecuted) and left[order_of[fact.venue_order_id]] <= 0
        ):
            closed[order_of[fact.venue_order_id]] = entry.at_ns
    return accepted, closed


def nothing_is_in_doubt(world: World) -> Iterator[str]:
    """O7, S1: after the liveness phase all is settled, and the system trades or says why not."""
    state = fold(world.log)
    if state.system not in (SystemState.TRADING, SystemState.PAUSED, SystemState.STOPPED):
        yield f"S1: the system is {state.system} ({state.system_reason})"
    for order in state.open_orders():
        pending = (order.pending_cancel, order.pending_replace) != (Pending.NONE, Pending.NONE)
        if order.is_unsettled or order.is_in_doubt or pending:
            overlays = f"cancel {order.pending_cancel}, replace {order.pending_replace}"
            yield f"O7: {order.order_id} is {order.status}, {overlays}"


SAFETY: tuple[Check, ...] = (
    chain_is_whole, batches_are_whole, fold_is_live, snapshot_is_a_short_cut, bodies_are_canonical,
    orders_were_requested, nothing_leaves_uncommitted, fills_are_booked_once, only_cancels_leave_a_pause,
    limits_hold, confirmed_ends_are_final, what_is_closed_is_dead,
)  # fmt: skip
LIVENESS: tuple[Check, ...] = (books_are_the_ledger, nothing_is_in_doubt)


def violations(world: World, *, settled: bool) -> list[str]:
    """Everything that is wrong with a world; the last two checks only once it has settled."""
    checks = SAFETY + (LIVENESS if settled else ())
    return [problem for check in checks for problem in check(world)]


def ledger_facts(world: World) -> Iterator[tuple[int, ledger.Fact]]:
    """What the exchange's ledger says, with the seq of each fact."""
    return ((entry.seq, ledger.fact_of(entry)) for entry in world.ledger.entries)


def _fills(world: World) -> list[events.FillBooked]:
    return [one.event for one in recorded(world.log) if isinstance(one.event, events.FillBooked)]
