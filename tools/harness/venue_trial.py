"""A trial of an adapter: a real runner on one side of the Venue port, the adapter's exchange on the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import ClassVar

from engine.capabilities import VenueDescription
from engine.desk import Desk
from engine.inbox import Inbox
from engine.inputs import ConfigurationRead, ProcessBegan, Snapshot, VenueDescribed, VenuesDescribed
from engine.instrument import Instrument
from engine.market import Market
from engine.order import Order
from engine.outbox import QueryOrder, TakeSnapshot
from engine.ports import Venue, VenueUnreachable
from engine.runner import Died, Runner, SendGate
from engine.settings import Evaluate, Reconcile, Settings, StrategySettings
from engine.state import State
from engine.strategy import Answer, Answers, Cancel, Context, Intent, Replace, Strategy
from engine.system import SystemState
from engine.token import base36
from engine.values import (
    MILLISECOND_NS,
    SECOND_NS,
    ZERO,
    ClientOrderId,
    Duration,
    InstrumentName,
    Side,
    StrategyName,
    duration,
    plain,
)
from tools.harness.pace import Pace
from tools.harness.story import Violation, tell
from tools.harness.tap import Ledger, Record, Tap
from tools.simulation.log import MemoryLog
from tools.simulation.process import restore

STRATEGY = StrategyName("told")
ASKED_EVERY_NS = Duration(50 * MILLISECOND_NS)
BEAT_NS = 100 * MILLISECOND_NS
LOOKS_MOST = 20
NEVER = ClientOrderId("h0000000000never")


class Told(Strategy):
    """Wants what it is told to want."""

    queue: ClassVar[deque[Answer]]

    def on_timer(self, context: Context) -> Answers:
        """All that waits."""
        answers = list(self.queue)
        self.queue.clear()
        return answers


class VenueTrial:
    """`begin` starts a process of the engine, `restart` ends it as a crash does and starts the next."""

    def __init__(
        self, connect: Callable[[], Venue], pace: Pace, instruments: tuple[str, ...], answer_within_ns: int
    ) -> None:
        self._connect, self.pace, self._bound_ns = connect, pace, answer_within_ns
        self._instruments = tuple(InstrumentName(name) for name in instruments)
        self.log = MemoryLog("venue-trial")
        self.record = Record(pace.now_ns)
        self.schedule: list[str] = []
        self.has_failed = False
        self._questions = 0
        self._queue: deque[Answer] = deque()
        self.state = State()
        self.venue: Tap | None = None
        self.runner: Runner | None = None

    # --- actions ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start a process of the engine on the journal."""
        with self.telling("begin"):
            self._begin()
            self._pass(BEAT_NS)

    def restart(self) -> None:
        """The process is gone, and another one begins."""
        with self.telling("restart"):
            self.close()
            self.record.forget_asked()
            self._begin()
            self._pass(BEAT_NS)

    def run(self, span: str) -> None:
        """Let time pass."""
        with self.telling(f"run {span}"):
            self._pass(duration(span))

    def want(self, words: str, answer: Answer | None) -> None:
        """The strategy wants this, the next time it is asked; nothing if it can't be said now."""
        if answer is not None:
            with self.telling(words):
                self._queue.append(answer)
                self._pass(BEAT_NS)

    def query(self, client_order_id: str | None) -> None:
        """Ask what became of an order; of one that never was, if none is named."""
        with self.telling(f"query {client_order_id or 'never'}"):
            self._release_query(ClientOrderId(client_order_id or NEVER))
            self._pass(BEAT_NS)

    def snapshot(self) -> Snapshot | None:
        """Ask for a snapshot, beside the engine; None where there was no usable answer."""
        with self.telling("snapshot"):
            return self._snapshot()

    def disconnect(self) -> None:
        """Give the connection up."""
        with self.telling("disconnect"):
            if self.venue is not None:
                self.venue.reconnect("harness")
            self._pass(BEAT_NS)

    def settle(self, limit_ns: int, ledger: Callable[[], Ledger | None]) -> None:
        """Everything comes to rest; then books, snapshot and the exchange's own ledger are one."""
        with self.telling("settle"):
            self._queue.clear()  # what a paused strategy was not asked for is not asked for any more
            end_ns = self.pace.now_ns() + limit_ns
            self._pass(3 * self._settings().reconcile.every_ns)
            while not self.is_settled():
                if self.pace.now_ns() > end_ns:
                    raise Violation([f"S1: not settled: {self.state.system} ({self.state.system_reason})"])
                self._pass(BEAT_NS)
            self._require_same(ledger)

    def close(self) -> None:
        """End the process."""
        if self.venue is not None:
            self.venue.close()
        self.venue = self.runner = None

    # --- questions ----------------------------------------------------------------------------------------------

    def open_orders(self) -> list[Order]:
        """The orders that may still trade."""
        return list(self.state.open_orders())

    def instrument(self) -> Instrument:
        """The first instrument's terms."""
        return self.state.instruments[self._instruments[0]]

    def price(self) -> Decimal | None:
        """The last bid, if the venue streams quotes."""
        quote = self.runner.market.quotes.get(self._instruments[0]) if self.runner else None
        return None if quote is None else quote.bid

    def submit(self, side: Side, away_permille: int, lots: int, **more: object) -> Intent | None:
        """An order so far away from the bid (in thousandths, below 0 is where it rests); None without a price."""
        bid, terms = self.price(), self.instrument()
        if bid is None:
            return None
        price = terms.round_price(bid * (1000 + side.sign * away_permille) / 1000, side)
        least = max(terms.min_quantity or terms.lot, terms.lot)
        if terms.min_notional:
            least = max(least, (terms.min_notional * 2 / price))
        quantity = terms.round_quantity(least * lots + terms.lot)
        return Intent(instrument=terms.name, side=side, quantity=quantity, price=price, **more)  # type: ignore[arg-type]

    def cancel(self, index: int) -> Cancel | None:
        """The cancel of an open order."""
        orders = self.open_orders()
        return Cancel(orders[index % len(orders)].order_id) if orders else None

    def replace(self, index: int, lots: int) -> Replace | None:
        """The replacement of an open order by one of another size."""
        orders = self.open_orders()
        if not orders:
            return None
        order = orders[index % len(orders)]
        return Replace(order.order_id, quantity=plain(order.quantity + self.instrument().lot * lots))

    def is_settled(self) -> bool:
        """Trading or paused, and nothing in doubt or on its way."""
        quiet = not any(
            o.is_unsettled or o.is_in_doubt or o.pending_cancel != "none" or o.pending_replace != "none"
            for o in self.state.open_orders()
        )
        return quiet and not self._queue and self.state.system in (SystemState.TRADING, SystemState.PAUSED)

    @contextmanager
    def telling(self, words: str) -> Iterator[None]:
        """A step of the schedule: what it raises is told with all of them."""
        self.schedule.append(words)
        try:
            yield
        except Exception as error:
            self.has_failed = True
            tell(error, self.schedule, self.log, "")
            raise

    # --- how ----------------------------------------------------------------------------------------------------

    def _require_same(self, ledger: Callable[[], Ledger | None]) -> None:
        """What differs for good differs at every look; what is on its way at one is not at another."""
        problems: list[str] = []
        for _ in range(LOOKS_MOST):
            problems = list(self._differences(ledger()))
            if not problems:
                return
            self._pass(BEAT_NS)
        raise Violation(problems)

    def _begin(self) -> None:
        self.state = restore(self.log)
        epoch = self.log.claim()
        venue = self.venue = Tap(self._connect(), self.record)
        gate = SendGate(self.pace, lambda: self.log.epoch == epoch)
        inbox, desk = Inbox(), Desk({STRATEGY: type("Told", (Told,), {"queue": self._queue})})
        self.runner = Runner(
            state=self.state, market=Market(), desk=desk, inbox=inbox, log=self.log, venues={venue.name: venue},
            clock=self.pace, gate=gate, die=_die,
        )  # fmt: skip
        began = ProcessBegan(
            journal_id=self.log.journal_id, run=base36(epoch, 4), epoch=epoch, pid=epoch, release="harness",
            clean=False, head_seq=None,
        )  # fmt: skip
        settings = ConfigurationRead(self._settings())
        self.runner.run_batch([began, settings, VenueDescribed(_describe(venue, self.state)), VenuesDescribed()])
        desk.prepare(self.state, self.runner.market)
        venue.open(inbox.deliver, gate)

    def _settings(self) -> Settings:
        assert self.venue is not None, "begin comes first"
        told = StrategySettings(
            strategy_class="tools.harness.venue_trial:Told", instruments=self._instruments, tag="told",
            evaluate=Evaluate(every_ns=ASKED_EVERY_NS),
        )  # fmt: skip
        return Settings(
            venues={self.venue.name: "tested"}, strategies={STRATEGY: told},
            reconcile=Reconcile(every_ns=Duration(SECOND_NS), retry_ns=Duration(SECOND_NS // 5)),
        )  # fmt: skip

    def _pass(self, span_ns: int) -> None:
        assert self.runner is not None, "begin comes first"
        self.pace.run(span_ns, self.runner)
        problems = [*self.record.problems, *self.record.overdue(self._bound_ns)]
        if problems:
            raise Violation(list(dict.fromkeys(problems)))

    def _release_query(self, client_order_id: ClientOrderId) -> None:
        assert self.venue is not None, "begin comes first"
        self._questions += 1
        self.venue.release(
            QueryOrder(
                seq=-self._questions, at_ns=self.pace.now_ns(), venue=self.venue.name, venue_order_id=None,
                client_order_id=client_order_id, instrument=self._instruments[0],
            )
        )  # fmt: skip

    def _snapshot(self) -> Snapshot | None:
        assert self.venue is not None, "begin comes first"
        self._questions += 1
        seq = -self._questions
        self.venue.release(TakeSnapshot(seq=seq, at_ns=self.pace.now_ns(), venue=self.venue.name, since_ns=0))
        end_ns = self.pace.now_ns() + self._bound_ns
        while seq not in self.record.snapshots and self.pace.now_ns() < end_ns:
            self._pass(BEAT_NS)
        found = self.record.snapshots.get(seq)
        return found if isinstance(found, Snapshot) else None

    def _differences(self, ledger: Ledger | None) -> Iterator[str]:
        snapshot = self._snapshot()
        if snapshot is None:
            yield "snapshot: no usable one although nothing is wrong any more"
            return
        ours = {str(order.client_order_id) for order in self.state.open_orders()}
        theirs = {str(row.client_order_id) for row in snapshot.open_orders}
        if ours != theirs:
            yield f"snapshot: open by the books {sorted(ours - theirs)}, by the snapshot {sorted(theirs - ours)}"
        booked = {key.rpartition("/")[2]: (one.quantity, one.price) for key, one in self.state.executions.items()}
        listed = {str(trade.exec_id): (trade.quantity, trade.price) for trade in snapshot.executions}
        if booked != listed:
            yield f"snapshot: executions differ: {sorted(booked.items() ^ listed.items())}"[:300]
        if ledger is not None:
            yield from self._ledger_differs(ledger, booked, ours)

    def _ledger_differs(
        self, ledger: Ledger, booked: dict[str, tuple[Decimal, Decimal]], ours: set[str]
    ) -> Iterator[str]:
        if booked != ledger.executions:
            yield f"O3: executions differ: {sorted(booked.items() ^ ledger.executions.items())}"[:300]
        if ours != ledger.open_orders:
            yield f"O3: open here {sorted(ours - ledger.open_orders)}, there {sorted(ledger.open_orders - ours)}"
        assert self.venue is not None
        held = self.state.balances.get(self.venue.name, {})
        for asset, total in ledger.balances.items():
            here = {str(name): amount for name, amount in held.items()}.get(asset, ZERO)
            if here != total:
                yield f"O8: {asset} is {here} here and {total} there"


def _describe(venue: Tap, state: State) -> VenueDescription:
    """As a start does it: what can't be asked now is taken as it was known."""
    try:
        return venue.describe()
    except VenueUnreachable:
        known = state.venues.get(venue.name)
        if known is None or known.description is None:
            raise
        return known.description


def _die(error: BaseException) -> None:
    raise Died(str(error)) from error
