"""The engine as it runs, on a log in memory and a clock that stands still: with a venue that says what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from attrs import evolve

from engine import inputs
from engine.capabilities import VenueDescription
from engine.codec import decode, digest, encode_state
from engine.desk import Desk
from engine.events import Event
from engine.fold import apply
from engine.inbox import Inbox
from engine.inputs import Action, Balance, Quote, Section, StatusReport, Trade
from engine.market import Market
from engine.order import Order
from engine.outbox import CancelOrder, QueryOrder, ReplaceOrder, Request, SubmitOrder, TakeSnapshot
from engine.ports import Deliver, Gate
from engine.runner import Runner, SendGate
from engine.settings import Settings
from engine.state import Recorded, State
from engine.strategy import Answers, Context, Intent, Strategy
from engine.system import VenueState
from engine.values import MILLISECOND_NS, SECOND_NS, Side, StrategyName, VenueName, exact_arithmetic
from tests.adapters.simulated.memory_log import MemoryLog
from tests.engine.bench import ALL_SECTIONS, BALANCES, BTC, DESCRIPTION, SETTINGS, T0_NS, TREND, VENUE, began, d, head


class StillClock:
    """Time is what a test says."""

    def __init__(self) -> None:
        self.ns = T0_NS

    def now_ns(self) -> int:
        return self.ns


class ScriptedVenue:
    """Keeps what reaches it. `open` and `balances` are what a snapshot shows; `answers` False keeps it silent."""

    def __init__(self, description: VenueDescription = DESCRIPTION) -> None:
        self.description = description
        self.released: list[Request] = []
        self.reconnected: list[str] = []
        self.open_orders: list[StatusReport] = []
        self.executions: list[Trade] = []
        self.balances: tuple[Balance, ...] = BALANCES
        self.complete: tuple[Section, ...] = ALL_SECTIONS
        self.answers = True

    @property
    def name(self) -> VenueName:
        return self.description.venue

    def describe(self) -> VenueDescription:
        return self.description

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Nothing to open."""

    def reconnect(self, cause: str) -> None:
        self.reconnected.append(cause)

    def release(self, request: Request) -> None:
        self.released.append(request)

    def close(self) -> None:
        """Nothing to close."""

    def take(self, *kinds: type[Any]) -> list[Any]:
        """What was released of these kinds since the last look."""
        taken = [request for request in self.released if isinstance(request, kinds)]
        self.released = [request for request in self.released if not isinstance(request, kinds)]
        return taken

    def snapshot(self, asked: TakeSnapshot, **changes: Any) -> inputs.Snapshot:
        """The answer to a request for one."""
        fields: dict[str, Any] = {
            "venue": asked.venue, "asked_seq": asked.seq, "asked_ns": asked.at_ns, "taken_ns": asked.at_ns + 1,
            "complete": self.complete, "open_orders": tuple(self.open_orders), "executions": tuple(self.executions),
            "balances": self.balances,
        }  # fmt: skip
        return inputs.Snapshot(**(fields | changes))


class Quiet(Strategy):
    """Wants nothing."""


class Scripted(Strategy):
    """Answers what a test puts into `SCRIPT`; keeps nothing itself."""

    SCRIPT: Callable[[str, Context, Any], Answers] | None = None

    def _ask(self, callback: str, context: Context, argument: Any = None) -> Answers:
        script = type(self).SCRIPT
        return script(callback, context, argument) if script is not None else None

    def on_start(self, context: Context) -> Answers:
        return self._ask("on_start", context)

    def on_quote(self, context: Context, quote: Quote) -> Answers:
        return self._ask("on_quote", context, quote)

    def on_bar(self, context: Context, bar: Any) -> Answers:
        return self._ask("on_bar", context, bar)

    def on_trade(self, context: Context, trade: Any) -> Answers:
        return self._ask("on_trade", context, trade)

    def on_book(self, context: Context, book: Any) -> Answers:
        return self._ask("on_book", context, book)

    def on_timer(self, context: Context) -> Answers:
        return self._ask("on_timer", context)

    def on_fill(self, context: Context, fill: Any) -> Answers:
        return self._ask("on_fill", context, fill)

    def on_order(self, context: Context, order: Order) -> Answers:
        return self._ask("on_order", context, order)


def scripted(script: Callable[[str, Context, Any], Answers]) -> type[Strategy]:
    """A strategy class that answers by a function."""
    return type("OfTheTest", (Scripted,), {"SCRIPT": staticmethod(script)})


class World:
    """An engine, its venue and its journal; `restart` is a new process on the same journal."""

    def __init__(
        self, settings: Settings = SETTINGS, kinds: Mapping[StrategyName, type[Strategy]] | None = None,
        venues: Iterable[ScriptedVenue] | None = None, *, start: bool = True,
    ) -> None:  # fmt: skip
        self.settings, self.kinds = settings, kinds or {}
        self.venues = {venue.name: venue for venue in venues or [ScriptedVenue()]}
        self.venue = next(iter(self.venues.values()))
        self.clock = StillClock()
        self.log = MemoryLog()
        self.deaths: list[BaseException] = []
        self.epoch = 0
        self._boot()
        if start:
            self.start()

    def _boot(self) -> None:
        self.state, self.market = State(), Market()
        with exact_arithmetic():
            for entry in self.log.read():
                apply(self.state, decode(entry))
        everyone = {name: self.kinds.get(name, Quiet) for name in self.settings.strategies}
        self.desk = Desk(everyone)
        self.inbox = Inbox()
        self.gate = SendGate(self.clock, lambda: True)
        self.runner = Runner(
            state=self.state, market=self.market, desk=self.desk, inbox=self.inbox, log=self.log,
            venues=self.venues, clock=self.clock, gate=self.gate, die=self.deaths.append,
        )  # fmt: skip

    def start(self, *, connect: bool = True, clean: bool = True, **changes: Any) -> None:
        """The way of a start; with `connect` each venue connects and answers the first snapshot."""
        self.epoch += 1
        self.tell(
            began(epoch=self.epoch, run=f"{self.epoch:04}"[-4:], clean=clean, **changes),
            inputs.ConfigurationRead(self.settings),
            *(inputs.VenueDescribed(venue.description) for venue in self.venues.values()),
            inputs.VenuesDescribed(),
        )
        self.desk.prepare(self.state, self.market)
        if connect:
            self.connect()

    def connect(self) -> None:
        """Streams come up, and snapshots are answered."""
        for venue in self.venues.values():
            self.tell(inputs.VenueConnected(venue.name))
        self.answer_snapshots()

    def restart(self, **changes: Any) -> None:
        """The process ends without a word; the next one starts. A replay of the journal has to give the same State."""
        live = encode_state(self.state)
        for venue in self.venues.values():
            venue.released.clear()
        self._boot()
        assert encode_state(self.state) == live
        self.start(**changes)

    def stop(self) -> None:
        """A clean end."""
        self.runner.stop("asked to")

    # --- what comes in ---

    def tell(self, *seen: Any) -> list[Event]:
        """Deliver inputs in one batch; the events that follow."""
        before = self.log.seq
        self.runner.run_batch(seen)
        return self.since(before)

    def since(self, seq: int) -> list[Event]:
        """The events behind a seq."""
        return [recorded.event for recorded in self.recorded() if recorded.seq > seq]

    def recorded(self) -> list[Recorded]:
        """Everything in the journal."""
        return [decode(entry) for entry in self.log.read()]

    def wait(self, ns: int) -> list[Event]:
        """Time passes; whatever is due happens."""
        self.clock.ns += ns
        return self.tell()

    def answer_snapshots(self) -> list[Event]:
        """Every venue answers the snapshots that it was asked for; until none asks again."""
        before = self.log.seq
        for _ in range(10):
            asked = [(v, request) for v in self.venues.values() if v.answers for request in v.take(TakeSnapshot)]
            if not asked and any(known.opening is not None for known in self.state.venues.values()):
                self.wait(self.settings.reconcile.retry_ns)  # an account is opened by what it shows twice
            elif not asked:
                break
            for venue, request in asked:
                self.clock.ns += MILLISECOND_NS
                self.tell(venue.snapshot(request))
        return self.since(before)

    def command(self, action: Action, **changes: Any) -> list[Event]:
        """An operator's order."""
        fields: dict[str, Any] = {"action": action, "uid": 1000, "pid": 1}
        return self.tell(inputs.OperatorCommand(**(fields | changes)))

    def quote(self, bid: str = "100", ask: str = "101", age_ns: int = 0, **changes: Any) -> list[Event]:
        """A new best bid and ask."""
        now = self.clock.ns
        quote = Quote(BTC, d(bid), d(9), d(ask), d(9), now, now - age_ns)
        return self.tell(evolve(quote, **changes) if changes else quote)

    # --- what is there ---

    @property
    def digest(self) -> str:
        """What the fold amounts to."""
        return digest(self.state)

    def venue_state(self, name: VenueName = VENUE) -> VenueState:
        """Where a venue is."""
        return self.state.venues[name].state

    def kinds_since(self, seq: int) -> list[str]:
        """The kinds of the events behind a seq."""
        return [event.kind for event in self.since(seq)]

    def orders(self) -> list[Order]:
        """All orders, oldest first."""
        return list(self.state.orders.values())

    def only(self) -> Order:
        """The only order."""
        (order,) = self.state.orders.values()
        return order

    def head(self, order: Order | None = None) -> dict[str, Any]:
        """What a report about an order carries."""
        order = order or self.only()
        return head() | {
            "client_order_id": order.client_order_id, "venue_order_id": order.venue_order_id or "v-1",
            "instrument": order.instrument, "transact_ns": self.clock.ns,
        }  # fmt: skip

    def trade(self, quantity: str, exec_id: str = "e1", price: str = "100", order: Order | None = None,
              **more: Any) -> Trade:  # fmt: skip
        """An execution of an order."""
        order = order or self.only()
        fields = {"exec_id": exec_id, "side": order.side, "quantity": d(quantity), "price": d(price)}
        return Trade(**(self.head(order) | fields | more))

    def status(self, is_now: str, filled: str = "0", order: Order | None = None, **more: Any) -> StatusReport:
        """What the venue's list says of an order."""
        order = order or self.only()
        fields: dict[str, Any] = {
            "status": inputs.VenueStatus(is_now), "side": order.side, "order_type": order.order_type,
            "time_in_force": order.time_in_force, "quantity": order.quantity, "filled": d(filled),
            "price": order.price,
        }  # fmt: skip
        return StatusReport(**(self.head(order) | fields | more))

    def not_found(self, order: Order | None = None, **more: Any) -> inputs.NotFound:
        """A complete, negative answer to a question of now."""
        order = order or self.only()
        fields = {"asked_ns": self.clock.ns, "sources": self.venue.description.absence.sources}
        return inputs.NotFound(**(self.head(order) | fields | more))

    def balance(self, base: Decimal | str, quote: Decimal | str) -> None:
        """From now on the venue shows these balances."""
        self.venue.balances = (
            Balance(BALANCES[0].asset, Decimal(base), d(0)), Balance(BALANCES[1].asset, Decimal(quote), d(0)),
        )  # fmt: skip


def one_order(side: Side = Side.BUY, quantity: str = "10", price: str = "100", settings: Settings = SETTINGS,
              **more: Any) -> World:  # fmt: skip
    """A world that trades, in which one order has just been requested."""

    def script(callback: str, context: Context, argument: Any) -> Answers:
        if callback == "on_quote" and not context.memory.get("done"):
            context.memory["done"] = True
            return [Intent(instrument=BTC, side=side, quantity=quantity, price=price, **more)]
        return None

    world = World(settings, {TREND: scripted(script)})
    world.quote()
    return world


REQUESTS = (SubmitOrder, CancelOrder, ReplaceOrder, QueryOrder)
LONG_NS = 30 * SECOND_NS
