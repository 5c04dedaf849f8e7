"""A day of orders as the engine would have journaled it: the same events in the same commits, folded as they are made.

Of ten orders two are canceled, four filled in one execution and four in two; every report carries a venue's raw text.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from engine import events
from engine.codec import digest, encode, encode_state
from engine.events import Event
from engine.fold import FOLD_VERSION, apply, cause_of
from engine.inputs import Balance, Quote
from engine.settings import Orders
from engine.state import Recorded, State
from engine.strategy import keep
from engine.token import client_order_id, order_id
from engine.values import (
    MILLISECOND_NS,
    SECOND_NS,
    ZERO,
    Duration,
    ExecId,
    Liquidity,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    VenueOrderId,
    exact_arithmetic,
    plain,
)
from journal.journal import Journal
from journal.snapshot import Snapshot, write_snapshot
from tools.bench import scene
from tools.version import RELEASE

RECONCILE_EVERY = 60
LEFT_OPEN = 3
APPEND_EVENTS = 2_000
RAW = (
    '{"e":"executionReport","E":%d,"s":"BTCUSDT","c":"%s","S":"BUY","o":"LIMIT","f":"GTC","q":"0.01000000",'
    '"p":"60000.00000000","x":"%s","X":"%s","i":%d,"l":"0.01000000","z":"0.01000000","L":"60000.00000000","n":"0.06"}'
)

Commit = list[Recorded]


class History:
    """Makes commits without end, and holds the State they amount to; at most `closed_kept_most` closed orders stay."""

    def __init__(self, closed_kept_most: int = scene.DEFAULT_ORDERS.closed_kept_most) -> None:
        self.state = State()
        self.now_ns = scene.START_NS
        self._settings = scene.settings(
            Orders(closed_kept_most=closed_kept_most, closed_kept_ns=Duration(7 * 86_400 * SECOND_NS))
        )

    def commits(self, events_most: int) -> Iterator[Commit]:
        """Whole commits, a start first, until there are so many events; the last orders stay open."""
        with exact_arithmetic():
            yield from self._begin()
            number = 0
            while self.state.seq < events_most:
                number += 1
                yield from self._order(number, leave_open=self.state.seq > events_most - LEFT_OPEN * 5)
                if number % RECONCILE_EVERY == 0:
                    yield from self._reconcile()

    def decision(self, number: int) -> Commit:
        """One decision alone: intent, request, memory."""
        with exact_arithmetic():
            return self._decide(number)[1]

    def begin(self) -> list[Commit]:
        """The start alone, up to trading."""
        return list(self._begin())

    def _record(self, *made: Event, wait_ns: int = 20 * MILLISECOND_NS) -> Commit:
        self.now_ns += wait_ns
        commit = []
        for event in made:
            recorded = Recorded(self.state.seq + 1, self.now_ns, event, cause_of(self.state, event))
            apply(self.state, recorded)
            commit.append(recorded)
        return commit

    def _begin(self) -> Iterator[Commit]:
        yield self._record(
            events.ProcessStarted(
                run=scene.RUN, epoch=1, pid=4711, release=RELEASE, clean=True, head_seq=None,
                journal_id=scene.JOURNAL_ID,
            ),
            events.ConfigurationAdopted(settings=self._settings),
            events.VenueDescribed(venue=scene.VENUE, description=scene.DESCRIPTION),
            events.SystemChanged(state="reconciling", reason="start"),
        )  # fmt: skip
        yield self._record(events.VenueConnected(venue=scene.VENUE))
        balances = tuple(Balance(asset, amount, ZERO) for asset, amount in scene.OPENING.items())
        yield self._record(
            events.AccountOpened(venue=scene.VENUE, account="bench", taken_ns=self.now_ns, balances=balances)
        )
        yield from self._reconcile()
        yield self._record(events.SystemChanged(state="trading", reason="reconciled"))

    def _reconcile(self) -> Iterator[Commit]:
        asked = self._record(events.SnapshotRequested(venue=scene.VENUE, why="periodic", since_ns=self.now_ns))
        yield asked
        yield self._record(
            events.Reconciled(
                venue=scene.VENUE, asked_seq=asked[0].seq, asked_ns=asked[0].at_ns, taken_ns=self.now_ns,
                complete=(), open_orders=0, executions=0, executions_booked=0, orders_settled=0, differences=(),
                confirmed=(), ready=True,
            )
        )  # fmt: skip

    def _order(self, number: int, leave_open: bool) -> Iterator[Commit]:
        token, made = self._decide(number)
        yield made
        accepted = events.OrderAccepted(
            order_id=token, venue_order_id=VenueOrderId(str(9_000_000 + number)), transact_ns=self.now_ns,
            raw=self._raw(token, "NEW", number),
        )  # fmt: skip
        yield self._report(accepted)
        if leave_open:
            return
        if number % 5 == 0:
            yield self._record(events.CancelRequested(order_id=token, held=False, by=scene.STRATEGY))
            yield self._report(
                events.OrderCanceled(order_id=token, requested=True, raw=self._raw(token, "CANCELED", number))
            )
        else:
            for part in range(1 + number % 2):
                yield self._report(self._fill(token, number, part, parts=1 + number % 2))
        if len(self.state.closed_ids) > self._settings.orders.closed_kept_most:
            yield self._record(events.OrderArchived(order_id=next(iter(self.state.closed_ids))))

    def _decide(self, number: int) -> tuple[OrderId, Commit]:
        token = order_id(scene.JOURNAL_ID, scene.RUN, self.state.seq + 2)
        price = plain(Decimal(60_000) + Decimal(number * 7 % 1_000).scaleb(-2))
        averages = {"fast": str(price), "slow": "60000", "bid": str(price), "ask": str(price + Decimal("0.01"))}
        closes = [plain(price + Decimal(place)) for place in range(8)]
        memory = keep({"closes": closes, "want_long": number % 2 == 0, "averages": [price, Decimal(60_000)]})
        intent = events.OrderIntended(
            order_id=token, strategy=scene.STRATEGY, strategy_version="1", instrument=scene.INSTRUMENT,
            venue=scene.VENUE, side=Side.BUY if number % 2 else Side.SELL, order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC, post_only=False, quantity=Decimal(scene.QUANTITY), price=price,
            reason=averages, seen=Quote(scene.INSTRUMENT, price, Decimal(1), price, Decimal(1), self.now_ns),
        )  # fmt: skip
        request = events.SubmitRequested(order_id=token, client_order_id=client_order_id(token, "cross", 36))
        told_seq = self.state.strategies[scene.STRATEGY].told_seq
        advanced = events.StrategyAdvanced(strategy=scene.STRATEGY, told_seq=told_seq, memory=memory)
        return token, self._record(intent, request, advanced, wait_ns=SECOND_NS)

    def _fill(self, token: OrderId, number: int, part: int, parts: int) -> Event:
        order = self.state.orders[token]
        return events.FillBooked(
            order_id=token, exec_id=ExecId(f"{number}-{part}"), venue=order.venue, instrument=order.instrument,
            strategy=order.strategy, side=order.side, quantity=plain(order.quantity / parts),
            price=order.price or ZERO, fee=Decimal("0.06"), fee_asset=scene.QUOTE, liquidity=Liquidity.TAKER,
            venue_order_id=order.venue_order_id, transact_ns=self.now_ns, raw=self._raw(token, "TRADE", number),
        )  # fmt: skip

    def _report(self, event: Event) -> Commit:
        """What a report led to, and that the strategy has been told."""
        advanced = events.StrategyAdvanced(strategy=scene.STRATEGY, told_seq=self.state.seq + 1)
        return self._record(event, advanced)

    def _raw(self, token: OrderId, kind: str, number: int) -> str:
        return RAW % (self.now_ns // MILLISECOND_NS, f"{token}-cross", kind, kind, 9_000_000 + number)


def write_history(directory: Path, events_most: int, snapshot_at: int | None = None) -> State:
    """Write a journal of so many events (in few big transactions: only reading it is measured), closed as by a crash,
    with a snapshot of the state at the first commit that reaches `snapshot_at`. Returns the last state."""
    history = History()
    journal = Journal(directory, identity=scene.identity(), at_ns=scene.START_NS, durable=False)
    journal.claim(scene.START_NS)
    waiting: list[Recorded] = []
    for commit in history.commits(events_most):
        waiting += commit
        is_due = snapshot_at is not None and history.state.seq >= snapshot_at
        if is_due or len(waiting) >= APPEND_EVENTS:
            journal.append([encode(recorded) for recorded in waiting])
            waiting = []
        if is_due:
            save_snapshot(directory, journal, history.state)
            snapshot_at = None
    if waiting:
        journal.append([encode(recorded) for recorded in waiting])
    journal.close()
    return history.state


def save_snapshot(directory: Path, journal: Journal, state: State) -> int:
    """As the engine writes one; returns the bytes of the state in it."""
    with exact_arithmetic():
        found = digest(state)
    blob = encode_state(state)
    write_snapshot(
        directory / "snapshots",
        Snapshot(journal.journal_id, state.seq, journal.chain.hex(), found, FOLD_VERSION, blob),
    )
    return len(blob)
