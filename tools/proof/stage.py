"""The real engine on any log, with strategies that want what they are told to and venues that answer when they are told
to: what the stories of old journals are made with, and what goes on with them later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from engine import inputs, outbox
from engine.capabilities import VenueDescription
from engine.codec import decode
from engine.desk import Desk
from engine.fold import apply
from engine.inbox import Inbox
from engine.inputs import Quote, Section, VenueStatus
from engine.market import Market
from engine.order import UNSETTLED, Order
from engine.outbox import RecallOrder, Request
from engine.ports import Deliver, EventLog, Gate
from engine.recall import find_order, lend
from engine.runner import BATCH_LIMIT, Runner, SendGate
from engine.settings import Settings
from engine.state import State
from engine.strategy import Answer, Answers, Context, Fill, Strategy
from engine.values import SECOND_NS, ZERO, InstrumentName, StrategyName, VenueName, exact_arithmetic
from journal.entry import Entry
from tools.version import RELEASE

ROUNDS_MOST = 100


class Log(EventLog, Protocol):
    """A log whose entries are those of a journal."""

    def read(self, after: int = 0) -> Any: ...


class Told(Strategy):
    """Wants what stands in `wishes` for it, once, at the next quote; counts fills in its memory."""

    wishes: ClassVar[dict[str, list[Answer | Exception]]] = {}

    def on_quote(self, context: Context, quote: Quote) -> Answers:
        """All that it is told to want of this instrument."""
        wished, self.wishes[str(quote.instrument)] = self.wishes.get(str(quote.instrument), []), []
        for wish in wished:
            if isinstance(wish, Exception):
                raise wish
        return [wish for wish in wished if not isinstance(wish, Exception)]

    def on_fill(self, context: Context, fill: Fill) -> Answers:
        """Remember how often, and how much."""
        context.memory["fills"] = context.memory.get("fills", 0) + 1
        context.memory["bought"] = context.memory.get("bought", ZERO) + fill.quantity * fill.side.sign
        return None


class Clock:
    """Time as it is told."""

    def __init__(self, now: int) -> None:
        self.now = now

    def now_ns(self) -> int:
        """The time, in ns."""
        return self.now


class QuietVenue:
    """Keeps what it is asked in `left`; the stage answers."""

    def __init__(self, description: VenueDescription) -> None:
        self.description = description
        self.left: list[Request] = []

    @property
    def name(self) -> VenueName:
        """The venue's name."""
        return self.description.venue

    def describe(self) -> VenueDescription:
        """As it was told."""
        return self.description

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Nothing to open."""

    def reconnect(self, cause: str) -> None:
        """Nothing to connect."""

    def release(self, request: Request) -> None:
        """Keep it."""
        self.left.append(request)

    def close(self) -> None:
        """Nothing to close."""


class Stage:
    """One process of the engine after another, on one log."""

    def __init__(
        self,
        log: Log,
        journal_id: str,
        settings: Settings,
        descriptions: Sequence[VenueDescription],
        at_ns: int,
    ) -> None:
        self.log, self.journal_id, self.settings = log, journal_id, settings
        self.clock = Clock(at_ns)
        self.venues = {description.venue: QuietVenue(description) for description in descriptions}
        self.kinds: Mapping[StrategyName, type[Strategy]] = dict.fromkeys(settings.strategies, Told)
        self.executions = 0
        self.state = State()
        self.runner: Runner

    def begin(self, epoch: int, clean: bool, run: str = "0a1b") -> None:
        """A start, up to the first commit: fold, describe, begin."""
        Told.wishes = {}
        self.state = State()
        with exact_arithmetic():
            for entry in self.log.read():
                apply(self.state, decode(entry))
        for venue in self.venues.values():
            venue.left.clear()
        desk, market, inbox = Desk(self.kinds), Market(), Inbox()
        self.runner = Runner(
            state=self.state, market=market, desk=desk, inbox=inbox, log=self.log, venues=dict(self.venues),
            clock=self.clock, gate=SendGate(self.clock, lambda: True), die=_die, recall=self._recall,
        )  # fmt: skip
        began = inputs.ProcessBegan(
            journal_id=self.journal_id, run=run, epoch=epoch, pid=4711, release=RELEASE, clean=clean, head_seq=None
        )
        described = [inputs.VenueDescribed(venue.description) for venue in self.venues.values()]
        self.tell(began, inputs.ConfigurationRead(self.settings), *described, inputs.VenuesDescribed())
        desk.prepare(self.state, market)

    def tell(self, *told: inputs.Input) -> None:
        """Let the engine take this, in one batch."""
        self.runner.run_batch(told)
        while self.runner.inbox.depth():
            self.runner.run_batch(self.runner.inbox.take(BATCH_LIMIT, 0))

    def wait(self, ns: int) -> None:
        """Let so much time pass, and what is due with it."""
        self.clock.now += ns
        self.tell()

    def want(self, instrument: str, bid: str, *wishes: Answer | Exception) -> None:
        """A quote, at which the strategy of the instrument wants this."""
        Told.wishes[instrument] = list(wishes)
        price = Decimal(bid)
        quote = Quote(
            InstrumentName(instrument), price, Decimal(1), price + Decimal("0.01"), Decimal(1), self.clock.now
        )
        self.clock.now += SECOND_NS // 10
        self.tell(quote)

    def connect(self) -> None:
        """Every venue is up, and what it is asked is answered until there is nothing left to ask."""
        for name in self.venues:
            self.tell(inputs.VenueConnected(name))
        self.answer()

    # --- what the venues say ----------------------------------------------------------------------------------------

    def answer(self) -> None:
        """Answer all that was asked as a venue does that has what the books have, and works what it is sent."""
        for _ in range(ROUNDS_MOST):
            asked = [request for venue in self.venues.values() for request in _taken(venue)]
            if not asked:
                return
            for request in asked:
                self.clock.now += SECOND_NS // 100
                self.tell(*self._answers(request))

    def _answers(self, request: Request) -> list[inputs.Input]:
        match request:
            case outbox.TakeSnapshot():
                return [self.snapshot(request)]
            case outbox.QueryOrder():
                return self._found(request)
            case outbox.SubmitOrder():
                return [inputs.Ack(**self.head(self.state.orders[request.order_id]))]
            case outbox.CancelOrder():
                return [inputs.Canceled(**self.head(self.state.orders[request.order_id]))]
            case outbox.ReplaceOrder():
                head = self.head(self.state.orders[request.order_id])
                return [inputs.Replaced(**head, quantity=request.quantity, price=request.price)]

    def snapshot(self, request: outbox.TakeSnapshot, **changes: Any) -> inputs.Snapshot:
        """What the books say, as the venue would."""
        held = self.state.balances.get(request.venue) or {i.quote: Decimal(100_000) for i in self._listed(request)} | {
            i.base: Decimal(2) for i in self._listed(request)
        }
        working = [o for o in self.state.open_orders() if o.venue == request.venue and o.status not in UNSETTLED]
        found: dict[str, Any] = {
            "venue": request.venue, "asked_seq": request.seq, "asked_ns": request.at_ns, "taken_ns": self.clock.now,
            "complete": tuple(Section), "open_orders": tuple(self.status(order) for order in working),
            "balances": tuple(inputs.Balance(asset, free, ZERO) for asset, free in sorted(held.items())),
        }  # fmt: skip
        return inputs.Snapshot(**(found | changes))

    def _listed(self, request: outbox.TakeSnapshot) -> tuple[Any, ...]:
        return self.venues[request.venue].description.instruments

    def _found(self, request: outbox.QueryOrder) -> list[inputs.Input]:
        order = self.state.order_of(request.client_order_id, request.venue, request.venue_order_id, request.instrument)
        if order is None or order.status in UNSETTLED:
            sources = self.venues[request.venue].description.absence.sources
            return [
                inputs.NotFound(
                    venue=request.venue, instrument=request.instrument, client_order_id=request.client_order_id,
                    asked_ns=request.at_ns, sources=sources,
                )
            ]  # fmt: skip
        if order.reported_filled > order.filled:
            return [self.trade(order, str(order.reported_filled - order.filled), str(order.price or 100))]
        return [self.status(order, asked_ns=request.at_ns)] if order.is_open else []

    def head(self, order: Order) -> dict[str, Any]:
        """What every report about an order carries."""
        return {
            "venue": order.venue, "instrument": order.instrument, "client_order_id": order.client_order_id,
            "venue_order_id": order.venue_order_id or f"v{order.requested_seq}", "transact_ns": self.clock.now,
            "raw": f'{{"order":"{order.client_order_id}"}}',
        }  # fmt: skip

    def trade(self, order: Order, quantity: str, price: str, **changes: Any) -> inputs.Trade:
        """An execution of an order."""
        self.executions += 1
        said: dict[str, Any] = {
            "exec_id": f"e{self.state.epoch}-{self.executions}", "side": order.side, "quantity": Decimal(quantity),
            "price": Decimal(price), "fee": Decimal("0.05"), "fee_asset": "USDT",
        }  # fmt: skip
        return inputs.Trade(**(self.head(order) | said | changes))

    def status(self, order: Order, status: VenueStatus = VenueStatus.NEW, **changes: Any) -> inputs.StatusReport:
        """A row of the venue's list of orders."""
        said: dict[str, Any] = {
            "status": status, "side": order.side, "order_type": order.order_type, "price": order.price,
            "time_in_force": order.time_in_force, "quantity": order.quantity, "filled": order.filled,
        }  # fmt: skip
        return inputs.StatusReport(**(self.head(order) | said | changes))

    def _recall(self, asked: RecallOrder) -> None:
        entries: list[Entry] = [entry for entry in self.log.read() if entry.subject == asked.order_id]
        found = find_order(asked.order_id, entries, lend(self.state))
        if found is not None:
            self.runner.inbox.deliver(found)


def _taken(venue: QuietVenue) -> list[Request]:
    asked, venue.left = venue.left, []
    return asked


def _die(error: BaseException) -> None:
    raise error
