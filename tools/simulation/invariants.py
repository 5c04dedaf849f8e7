"""What must be true of a world, whatever died and whenever. Each check yields what is wrong; nothing is good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

from adapters.simulated import ledger
from adapters.simulated.state import Order as TheirOrder
from adapters.simulated.state import State as ExchangeState
from adapters.simulated.state import apply as apply_fact
from engine import events
from engine.codec import digest, encode
from engine.instructions import Role
from engine.order import CONFIRMED, OPEN_SET, TERMINAL_SET, Order, Pending
from engine.settings import Limits
from engine.state import Recorded, State
from engine.system import SystemState
from engine.token import TOKEN_LENGTH
from engine.values import EXACT, ZERO, InstrumentName, OrderId, VenueName, exact
from journal import chain
from journal.errors import JournalError
from tools.checker import check
from tools.exported import rows_of
from tools.simulation.evidence import Book, Evidence, Seen, gather
from tools.simulation.world import World

Check = Callable[[Evidence], Iterator[str]]

INVARIANTS = {
    "I2": "the journal has no gap, and its hash chain verifies",
    "I3": "a batch is in the journal as a whole or not at all",
    "I4": "a process that was replaced neither writes nor sends",
    "I5": "the journal folds to the living state",
    "I6": "a start from a snapshot is a start from the beginning",
    "I7": "what is read is written again to the same bytes",
    "O1": "nothing is at an exchange without an earlier durable request",
    "O2": "one intent is at most one order at an exchange",
    "O3": "executions, positions and open orders equal the exchange's ledger",
    "O4": "while not trading nothing leaves but cancels, and latches hold",
    "O5": "limits hold, and what may be live counts at its worst",
    "O6": "what the venue has closed stays closed, and nothing lives unknown",
    "O7": "every doubt is ended by evidence",
    "O8": "cash and fees are conserved, to the last decimal",
    "O9": "linked exits never execute more than their entry",
    "S1": "the system ends in trading, or paused with a reason",
    "S3": "nothing is sent after a commit with an unknown outcome",
}
"""What is checked, in words; the names are those that a violation begins with."""

ENDS = events.OrderCanceled | events.OrderExpired | events.OrderRejected
REQUESTED = events.SubmitRequested | events.ReplaceRequested
CONFIRMED_BY_VENUE = "confirmed"
SETTLED_BY = {
    "OrderAccepted", "OrderRejected", "FillBooked", "OrderCanceled", "OrderExpired", "OrderVoided", "OrderResolved",
    "OrderSuspended", "OrderDoneForDay", "OrderReplaced", "OrderRestated", "OrderTriggered",
}  # fmt: skip
"""The events that may end a doubt about an order: each books an answer, a proof or an operator's word."""


# --- the journal ------------------------------------------------------------------------------------------------


def chain_is_whole(found: Evidence) -> Iterator[str]:
    """I2: seq gapless, chain verifies; I4: epochs never go back."""
    try:
        for _ in chain.verify(found.world.log.entries, journal_id=found.world.log.journal_id):
            pass
    except JournalError as error:
        yield f"I2: {error}"


def batches_are_whole(found: Evidence) -> Iterator[str]:
    """I3: the events of a commit name its first seq, and follow one another."""
    entries = found.world.log.entries
    for entry in entries:
        if not 0 < entry.batch <= entry.seq or entries[entry.batch - 1].batch != entry.batch:
            yield f"I3: seq {entry.seq} names batch {entry.batch}"


def fold_is_live(found: Evidence) -> Iterator[str]:
    """I5: the journal folds to what the living engine has."""
    engine = found.world.engine
    if engine is not None and digest(found.state) != digest(engine.state):
        yield "I5: the journal does not fold to the live state"


def snapshot_is_a_short_cut(found: Evidence) -> Iterator[str]:
    """I6: from a snapshot in the middle, the tail leads to the same."""
    if digest(found.shortened) != digest(found.state):
        yield f"I6: a snapshot at seq {len(found.decided) // 2} leads elsewhere"


def bodies_are_canonical(found: Evidence) -> Iterator[str]:
    """I7: what is read is written again to the same bytes."""
    for entry, again in zip(found.world.log.entries, map(encode, found.decided), strict=True):
        if entry.body != again.body:
            yield f"I7: seq {entry.seq} is not written as it is read"


# --- requests ---------------------------------------------------------------------------------------------------


def orders_were_requested(found: Evidence) -> Iterator[str]:
    """O1: every order at an exchange was requested by an event; O2: one intent has at most one order there."""
    requested = {
        str(one.event.client_order_id): str(one.event.order_id)
        for one in found.decided
        if isinstance(one.event, events.SubmitRequested)
    }
    seen: Counter[str] = Counter()
    for book in found.books.values():
        for _seq, _ns, fact in book.facts:
            if isinstance(fact, ledger.OrderAccepted):
                if fact.client_order_id not in requested:
                    yield f"O1: {fact.client_order_id} is at the exchange and was never requested"
                seen[requested.get(fact.client_order_id, fact.client_order_id)] += 1
    yield from (f"O2: {order_id} is {count} orders at the exchange" for order_id, count in seen.items() if count > 1)


def nothing_leaves_uncommitted(found: Evidence) -> Iterator[str]:
    """O1: a request that left follows from an event that is in the journal; S3, I4: nothing left after the end."""
    entries = found.world.log.entries
    for request in found.world.tally.left:
        entry = entries[request.seq - 1] if request.seq <= len(entries) else None
        if entry is None or entry.kind not in ("SubmitRequested", "CancelRequested", "ReplaceRequested"):
            yield f"O1: {type(request).__name__} left without its event (seq {request.seq})"
    yield from found.world.tally.after_the_end


def only_cancels_leave_a_pause(found: Evidence) -> Iterator[str]:
    """O4: a new order or a replacement is requested in trading only, but for an operator's flatten."""
    system, flattens = SystemState.STOPPED, set()
    for one in found.decided:
        event = one.event
        if isinstance(event, events.SystemChanged):
            system = SystemState(event.state)
        elif isinstance(event, events.ProcessStarted):
            system = SystemState.STARTING
        elif isinstance(event, events.OrderIntended) and event.reason.get("operator") == "flatten":
            flattens.add(event.order_id)
        elif isinstance(event, REQUESTED) and system is not SystemState.TRADING and event.order_id not in flattens:
            yield f"O4: seq {one.seq} {event.kind} while {system}"


# --- books ------------------------------------------------------------------------------------------------------


def fills_are_booked_once(found: Evidence) -> Iterator[str]:
    """O3: no execution is booked twice, and positions are the sum of what was booked."""
    counted = Counter((fill.venue, fill.exec_id) for fill in found.fills())
    yield from (f"O3: execution {exec_id} is booked {n} times" for (_, exec_id), n in counted.items() if n > 1)
    sums: dict[InstrumentName, Decimal] = {}
    for fill in found.fills():
        sums[fill.instrument] = sums.get(fill.instrument, ZERO) + fill.quantity * fill.side.sign
    for one in found.decided:
        if isinstance(one.event, events.PositionAdjusted):
            sums[one.event.instrument] = sums.get(one.event.instrument, ZERO) + one.event.quantity
    for name, total in sums.items():
        if found.state.position(name).quantity != total:
            yield f"O3: position {name} is not the sum of its executions"


def books_are_the_ledger(found: Evidence) -> Iterator[str]:
    """O3, O8: executions, balances and open orders equal the exchanges', to the last decimal."""
    for name, book in found.books.items():
        yield from _executions_differ(found, name, book)
        yield from _balances_differ(found.state, name, book)
        yield from _open_orders_differ(found.state, name, book)


def _executions_differ(found: Evidence, venue: VenueName, book: Book) -> Iterator[str]:
    ours = {str(f.exec_id): (f.quantity, f.price, f.fee) for f in found.fills() if f.venue == venue}
    theirs = {exec_id: (fact.quantity, fact.price, fact.fee) for exec_id, fact in book.executed()}
    for exec_id in sorted(theirs.keys() - ours.keys()):
        yield f"O3: execution {exec_id} is lost: {theirs[exec_id]}"
    for exec_id in sorted(ours.keys() - theirs.keys()):
        yield f"O3: execution {exec_id} is made up: {ours[exec_id]}"
    for exec_id in sorted(ours.keys() & theirs.keys()):
        if ours[exec_id] != theirs[exec_id]:
            yield f"O3: execution {exec_id} is {ours[exec_id]} here and {theirs[exec_id]} there"


def _balances_differ(state: State, venue: VenueName, book: Book) -> Iterator[str]:
    for asset, total in book.state.account.totals.items():
        booked = state.balances.get(venue, {}).get(asset, ZERO)
        if booked != total and not is_noticed(state, venue, asset, EXACT.subtract(total, booked)):
            yield f"O8: {asset} is {booked} here and {total} there"


def is_noticed(state: State, venue: VenueName, asset: str, amount: Decimal) -> bool:
    """Is there a pause for a difference, and was it just this one when they were compared last? Then the account was
    opened by snapshots that lied; what still executes moves both sides alike."""
    is_paused = any(pause.reason == "position_drift" for pause in state.pauses.values())
    shown = state.venues[venue].differences if is_paused and venue in state.venues else ()
    return any(
        row.what == "balance" and row.name == asset and EXACT.subtract(exact(row.venue), exact(row.ours)) == amount
        for row in shown
    )


def _open_orders_differ(state: State, venue: VenueName, book: Book) -> Iterator[str]:
    sent = [order for order in state.open_orders() if order.is_open and order.venue == venue]
    ours = {str(order.client_order_id) for order in sent if not order.is_unsettled}
    theirs = {str(order.client_order_ids[0]) for order in book.state.open.values()}
    if ours != theirs:
        yield f"O3: open here {sorted(ours - theirs)}, there {sorted(theirs - ours)}"


def ends_were_told(found: Evidence) -> Iterator[str]:
    """O7: what the books call canceled, expired or rejected by the venue is so in its ledger."""
    told = _told_ends(found)
    for one in found.decided:
        event = one.event
        is_told = getattr(event, "evidence", CONFIRMED_BY_VENUE) == CONFIRMED_BY_VENUE
        if isinstance(event, ENDS) and is_told and type(event) not in told.get(event.order_id, set()):
            yield f"O7: seq {one.seq} {event.kind} of {event.order_id}, but no venue ever said so"


def _told_ends(found: Evidence) -> dict[OrderId, set[type]]:
    """By our own order id: how the exchanges' ledgers say that it ended. An intent that is held ends by itself."""
    told: dict[OrderId, set[type]] = {}
    ours: dict[str, OrderId] = {}
    for one in found.decided:
        if isinstance(one.event, events.OrderIntended):
            told[one.event.order_id] = {events.OrderCanceled, events.OrderExpired}
        elif isinstance(one.event, events.SubmitRequested):
            told[one.event.order_id] = set()
            ours[one.event.client_order_id] = one.event.order_id
    for book in found.books.values():
        ids = {
            str(seq): fact.client_order_id for seq, _ns, fact in book.facts if isinstance(fact, ledger.OrderAccepted)
        }
        for _seq, _ns, fact in book.facts:
            if isinstance(fact, ledger.OrderRefused) and fact.client_order_id:
                named = ours.get(fact.client_order_id, OrderId(fact.client_order_id[:TOKEN_LENGTH]))
                told.setdefault(named, set()).add(events.OrderRejected)
            elif isinstance(fact, ledger.OrderCanceled | ledger.OrderExpired | ledger.OrderReduced):
                ended = events.OrderExpired if isinstance(fact, ledger.OrderExpired) else events.OrderCanceled
                named = ours.get(ids[fact.venue_order_id], OrderId(ids[fact.venue_order_id][:TOKEN_LENGTH]))
                told.setdefault(named, set()).add(ended)
    return told


# --- at every event ---------------------------------------------------------------------------------------------


def limits_hold(world: World) -> Seen:
    """O5: at every request what may come of it, with all that may be live, is within the limits."""
    limits = world.setting.settings.risk.account

    def look(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
        if isinstance(one.event, REQUESTED):
            yield from _over_limits(state, state.orders[one.event.order_id], one.seq, limits)

    return look


def _over_limits(state: State, asked: Order, seq: int, limits: Limits) -> Iterator[str]:
    position = limits.max_position.get(asked.instrument)
    alike = [o for o in state.open_orders() if (o.instrument, o.side) == (asked.instrument, asked.side)]
    held = EXACT.multiply(state.position(asked.instrument).quantity, asked.side.sign)
    reach = held + sum((order.exposure for order in alike), ZERO)
    if position is not None and reach > position:
        yield f"O5: seq {seq}: {asked.instrument} may reach {reach}, the limit is {position}"
    quantity = limits.max_order_quantity.get(asked.instrument)
    if (
        quantity is not None
        and max(asked.quantity, asked.replacement.quantity if asked.replacement else ZERO) > quantity
    ):
        yield f"O5: seq {seq}: an order of {asked.quantity}, the limit is {quantity}"
    count = sum(1 for order in state.open_orders() if order.is_open)
    if limits.max_open_orders is not None and count > limits.max_open_orders and not asked.reduce_only:
        yield f"O5: seq {seq}: {count} orders are open, the limit is {limits.max_open_orders}"


def confirmed_ends_are_final(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
    """O6: what the venue has closed is left only by executions and their corrections; what is filled by the books, also
    by the answer to a replacement that the last fills have overtaken."""
    after = state.orders.get(before.order_id) if before else None
    reopened = before and after and before.status in CONFIRMED and after.status in OPEN_SET
    overtaken = before is not None and before.closed_as is None and one.event.kind == "OrderReplaced"
    if before and reopened and not overtaken and one.event.kind not in ("FillCorrected", "FillBusted"):
        yield f"O6: seq {one.seq} {one.event.kind} re-opens {before.order_id}"


def doubts_end_by_evidence(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
    """O7: an order leaves its doubt by an answer, a proof or an operator, never by time."""
    after = state.orders.get(before.order_id) if before else None
    settled = before and after and before.status == "in_doubt" and after.status != "in_doubt"
    if before and settled and one.event.kind not in SETTLED_BY:
        yield f"O7: seq {one.seq} {one.event.kind} ends the doubt about {before.order_id}"


def ends_leave_nothing(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
    """O3: a closed order has nothing left to execute; the executions of an order are its executed quantity."""
    after = state.orders.get(before.order_id) if before else None
    if after is not None and after.status in TERMINAL_SET and after.leaves != ZERO:
        yield f"O3: seq {one.seq}: {after.order_id} is {after.status} with {after.leaves} left"


def latches_end_by_word() -> Seen:
    """O4: what an operator or a finding has latched ends by an event that says so, and by no restart."""
    held: frozenset[str] = frozenset()

    def look(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
        nonlocal held
        now = frozenset(key for key, pause in state.pauses.items() if pause.latched)
        if not isinstance(one.event, events.PauseEnded):
            yield from (f"O4: seq {one.seq} {one.event.kind} forgets the latch {key}" for key in sorted(held - now))
        held = now

    return look


def latches_hold(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
    """O4: while a latched pause of everything holds, the system does not trade."""
    if isinstance(one.event, events.SystemChanged) and state.system is SystemState.TRADING:
        yield from (
            f"O4: seq {one.seq}: trading although paused by {pause.reason}"
            for pause in state.pauses.values()
            if pause.latched and pause.scope == "all"
        )


def exposure_covers(world: World) -> Seen:
    """O5, O6: at every commit, whatever is open at an exchange is open in the books, for at least as much."""
    theirs = {name: ExchangeState() for name in world.ledgers}
    marks = iter(world.marks)
    mark = next(marks, None)

    def look(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
        nonlocal mark
        while mark is not None and mark.seq < one.seq:
            mark = next(marks, None)
        if mark is None or mark.seq != one.seq:
            return
        for name, seq in mark.ledgers.items():
            for entry in world.ledgers[name].entries[theirs[name].seq : seq]:
                apply_fact(theirs[name], entry.seq, entry.at_ns, ledger.fact_of(entry))
            for order in theirs[name].open.values():
                yield from _uncovered(state, order, one.seq)

    return look


def _uncovered(state: State, theirs: TheirOrder, seq: int) -> Iterator[str]:
    first, ours = str(theirs.client_order_ids[0]), None
    for client_order_id in theirs.client_order_ids:
        ours = ours or state.orders.get(state.by_client_id.get(client_order_id, OrderId("")))
    if ours is None or not ours.is_open:
        yield f"O6: seq {seq}: {first} is {ours.status if ours else 'unknown'} here and open at the exchange"
    elif ours.exposure < theirs.quantity - ours.filled:
        most = theirs.quantity - ours.filled
        yield f"O5: seq {seq}: {first} may still execute {most}, the books count {ours.exposure}"


def exits_are_covered(one: Recorded, before: Order | None, state: State) -> Iterator[str]:
    """O9: what the legs of a bracket have executed and may execute is never more than its entry has. Where the exchange
    keeps the link, only one of them can."""
    after = state.orders.get(before.order_id) if before else None
    if after is None or after.parent is None or after.role not in (Role.STOP, Role.TARGET):
        return
    legs = [order for order in state.orders.values() if order.parent == after.parent]
    entry = state.orders.get(after.parent)
    venue = state.venues[after.venue].description
    linked = venue is not None and venue.capabilities.links and not any(leg.held and leg.is_triggered for leg in legs)
    executed = sum((leg.filled for leg in legs), ZERO)
    each = [leg.filled + leg.exposure for leg in legs]  # the word of what a twin executed may still be on its way
    most = max(executed, *each) if linked else executed + sum((leg.exposure for leg in legs), ZERO)
    if entry is not None and most > entry.filled and not _was_busted(state, entry):
        yield f"O9: seq {one.seq}: the exits of {entry.order_id} may come to {most}, it has executed {entry.filled}"


def _was_busted(state: State, entry: Order) -> bool:
    return any(state.executions[key].busted for key in state.executions_of.get(entry.order_id, ()))


# --- after the liveness phase -----------------------------------------------------------------------------------


def nothing_is_in_doubt(found: Evidence) -> Iterator[str]:
    """O7, S1: after the liveness phase all is settled, and the system trades or says why not."""
    state = found.state
    if state.system not in (SystemState.TRADING, SystemState.PAUSED, SystemState.STOPPED):
        yield f"S1: the system is {state.system} ({state.system_reason})"
    for order in state.open_orders():
        pending = (order.pending_cancel, order.pending_replace) != (Pending.NONE, Pending.NONE)
        if order.is_unsettled or order.is_in_doubt or pending:
            overlays = f"cancel {order.pending_cancel}, replace {order.pending_replace}"
            yield f"O7: {order.order_id} is {order.status}, {overlays}"


def checker_agrees(found: Evidence) -> Iterator[str]:
    """All of the orders' invariants once more, by a checker that shares no line with the engine; the exchange's ledger
    beside it where there is only one."""
    world = found.world
    ledgers = list(world.ledgers.values())
    ledger_rows = rows_of(ledgers[0].entries, ledgers[0].journal_id) if len(ledgers) == 1 else None
    yield from check(rows_of(world.log.entries, world.log.journal_id), ledger_rows)


SAFETY: tuple[Check, ...] = (
    chain_is_whole, batches_are_whole, fold_is_live, snapshot_is_a_short_cut, bodies_are_canonical,
    orders_were_requested, nothing_leaves_uncommitted, fills_are_booked_once, only_cancels_leave_a_pause,
    ends_were_told, checker_agrees,
)  # fmt: skip
LIVENESS: tuple[Check, ...] = (books_are_the_ledger, nothing_is_in_doubt)
STEPS: tuple[Seen, ...] = (
    confirmed_ends_are_final, doubts_end_by_evidence, ends_leave_nothing, latches_hold, exits_are_covered,
)  # fmt: skip


def violations(world: World, *, settled: bool) -> list[str]:
    """Everything that is wrong with a world; the last two checks only once it has settled."""
    found = gather(world, (*STEPS, latches_end_by_word(), limits_hold(world), exposure_covers(world)))
    checks = SAFETY + (LIVENESS if settled else ())
    return [*(problem for check in checks for problem in check(found)), *found.problems]
