"""A state to decide on: one venue that is ready, two instruments, and orders in any state, made of events only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from engine import events, inputs
from engine.capabilities import AbsencePolicy, Capabilities, ClientIds, Source, VenueDescription
from engine.events import Event
from engine.fold import apply, cause_of
from engine.inputs import Balance, Refusal, RequestKind, Section, VenueStatus
from engine.instrument import Instrument
from engine.order import Order
from engine.order_decision import decide_order, decide_report
from engine.settings import Settings, StrategySettings
from engine.state import Recorded, State
from engine.values import (
    SECOND_NS,
    Asset,
    ClientOrderId,
    Duration,
    ExecId,
    InstrumentName,
    Liquidity,
    OrderId,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    VenueName,
    VenueOrderId,
    exact_arithmetic,
)

T0_NS = 1_700_000_000 * SECOND_NS
VENUE = VenueName("sim")
BTC = InstrumentName("BTC-USDT")
ETH = InstrumentName("ETH-USDT")
TREND = StrategyName("trend")
MAKER = StrategyName("maker")
ABSENT_AFTER_NS = 2 * SECOND_NS
SOURCES = (Source.ORDER_QUERY, Source.OPEN_ORDERS, Source.EXECUTIONS)
ALL_SECTIONS = (Section.BALANCES, Section.EXECUTIONS, Section.OPEN_ORDERS)


def d(number: str | int) -> Decimal:
    """A Decimal, short to write."""
    return Decimal(number)


def instrument(name: InstrumentName, base: str, **bounds: Any) -> Instrument:
    """An instrument with a coarse grid."""
    return Instrument(
        name, VENUE, name.replace("-", ""), Asset(base), Asset("USDT"), tick=d("0.5"), lot=d("0.1"), **bounds
    )


CAPABILITIES = Capabilities(
    order_types=(OrderType.MARKET, OrderType.LIMIT), times_in_force=(TimeInForce.GTC, TimeInForce.IOC), post_only=True,
    replace=True, client_ids=ClientIds.UNIQUE_OPEN, client_id_length=36,
)  # fmt: skip
INSTRUMENTS = (instrument(BTC, "BTC"), instrument(ETH, "ETH"))
DESCRIPTION = VenueDescription(
    VENUE, "simulated", "account-1", CAPABILITIES, AbsencePolicy(ABSENT_AFTER_NS, SOURCES), INSTRUMENTS
)
STRATEGIES = {
    TREND: StrategySettings(strategy_class="tests:Trend", instruments=(BTC, ETH), memory_every_ns=Duration(SECOND_NS)),
    MAKER: StrategySettings(strategy_class="tests:Maker", instruments=(BTC,)),
}
SETTINGS = Settings(venues={VENUE: "simulated"}, strategies=STRATEGIES)
BALANCES = (Balance(Asset("BTC"), d(5), d(0)), Balance(Asset("USDT"), d(100_000), d(0)))


def began(**changes: Any) -> inputs.ProcessBegan:
    """A start."""
    fields: dict[str, Any] = {
        "journal_id": "journal", "run": "run1", "epoch": 1, "pid": 7, "release": "test", "clean": True,
        "head_seq": None,
    }  # fmt: skip
    return inputs.ProcessBegan(**(fields | changes))


class Bench:
    """A state, the events that made it, and the instant that it is."""

    def __init__(self, settings: Settings = SETTINGS, description: VenueDescription = DESCRIPTION) -> None:
        self.state = State()
        self.recorded: list[Recorded] = []
        self.now_ns = T0_NS
        self._begin(settings, description)

    def _begin(self, settings: Settings, description: VenueDescription) -> None:
        self.book(events.ProcessStarted(
            run="run1", epoch=1, pid=7, release="test", clean=True, head_seq=None, journal_id="journal"
        ))  # fmt: skip
        self.book(events.ConfigurationAdopted(settings=settings))
        self.book(events.VenueDescribed(venue=VENUE, description=description))
        self.book(events.SystemChanged(state="reconciling", reason="start"))
        self.book(events.VenueConnected(venue=VENUE))
        self.book(events.SnapshotRequested(venue=VENUE, why="connected", since_ns=self.now_ns))
        self.book(events.AccountOpened(venue=VENUE, account="account-1", taken_ns=self.now_ns, balances=BALANCES))
        self.book(events.Reconciled(
            venue=VENUE, asked_seq=6, asked_ns=self.now_ns, taken_ns=self.now_ns, complete=ALL_SECTIONS, open_orders=0,
            executions=0, executions_booked=0, orders_settled=0, differences=(), confirmed=(), ready=True,
        ))  # fmt: skip
        self.book(events.SystemChanged(state="trading", reason="reconciled"))

    def book(self, *booked: Event) -> None:
        """Apply events."""
        with exact_arithmetic():
            for event in booked:
                recorded = Recorded(self.state.seq + 1, self.now_ns, event, cause_of(self.state, event))
                apply(self.state, recorded)
                self.recorded.append(recorded)

    def take(self, made: Iterable[Event]) -> list[Event]:
        """Apply each event before the next is asked for, as the runner does."""
        taken: list[Event] = []
        with exact_arithmetic():
            for event in made:
                self.book(event)
                taken.append(event)
        return taken

    def report(self, report: Any) -> list[Event]:
        """What a venue's report leads to."""
        return self.take(decide_report(self.state, report, self.now_ns))

    def about(self, order: Order | OrderId, report: Any) -> list[Event]:
        """What a report about a known order leads to."""
        order_id = order if isinstance(order, str) else order.order_id
        return self.take(decide_order(self.state, self.state.orders[order_id], report, self.now_ns))

    def order(self, order_id: OrderId | str) -> Order:
        """The order as it is now."""
        return self.state.orders[OrderId(order_id)]

    def wait(self, ns: int) -> None:
        """Time passes, and nothing happens."""
        self.now_ns += ns

    # --- orders ---

    def intend(self, order_id: str = "o1", side: Side = Side.BUY, quantity: str = "10", price: str | None = "100",
               name: InstrumentName = BTC, strategy: StrategyName = TREND) -> OrderId:  # fmt: skip
        """An intent."""
        self.book(events.OrderIntended(
            order_id=OrderId(order_id), strategy=strategy, strategy_version="1", instrument=name, venue=VENUE,
            side=side, order_type=OrderType.LIMIT if price else OrderType.MARKET, time_in_force=TimeInForce.GTC,
            post_only=False, quantity=d(quantity), price=d(price) if price else None,
        ))  # fmt: skip
        return OrderId(order_id)

    def submit(self, order_id: str = "o1", **terms: Any) -> OrderId:
        """A requested order."""
        order = self.intend(order_id, **terms)
        self.book(events.SubmitRequested(order_id=order, client_order_id=ClientOrderId(f"c-{order_id}")))
        return order

    def work(self, order_id: str = "o1", **terms: Any) -> OrderId:
        """An accepted order."""
        order = self.submit(order_id, **terms)
        self.book(events.OrderAccepted(order_id=order, venue_order_id=VenueOrderId(f"v-{order_id}")))
        return order

    def fill(self, order_id: str, quantity: str, exec_id: str = "e1", price: str = "100") -> None:
        """An execution of an order."""
        order = self.order(order_id)
        self.book(events.FillBooked(
            order_id=order.order_id, exec_id=ExecId(exec_id), venue=VENUE, instrument=order.instrument,
            strategy=order.strategy, side=order.side, quantity=d(quantity), price=d(price), fee=None, fee_asset=None,
            liquidity=Liquidity.UNKNOWN,
        ))  # fmt: skip

    def stand(self, name: str) -> OrderId:
        """An order of 10 at 100 as its name says: a status, with a 4 behind it where 4 are executed (see STANDS)."""
        return STANDS[name](self)


def _doubted(bench: Bench) -> OrderId:
    order = bench.submit()
    bench.book(events.OutcomeUnknown(order_id=order, request=RequestKind.NEW, cause="timeout"))
    return order


def _denied(bench: Bench) -> OrderId:
    order = bench.intend()
    bench.book(events.OrderDenied(order_id=order, reason="max_position"))
    return order


def _filled_by(quantity: str) -> Callable[[Bench], OrderId]:
    def build(bench: Bench) -> OrderId:
        order = bench.work()
        bench.fill(order, quantity)
        return order

    return build


def _then(kind: Callable[..., Event], filled: str = "", **fields: Any) -> Callable[[Bench], OrderId]:
    def build(bench: Bench) -> OrderId:
        order = bench.work()
        if filled:
            bench.fill(order, filled)
        bench.book(kind(order_id=order, **fields))
        return order

    return build


def _rejected(bench: Bench) -> OrderId:
    order = bench.submit()
    bench.book(events.OrderRejected(order_id=order, reason="no funds"))
    return order


def _voided(bench: Bench) -> OrderId:
    order = _doubted(bench)
    bench.book(events.OrderVoided(order_id=order, sources=SOURCES, asked_ns=bench.now_ns))
    return order


STANDS: dict[str, Callable[[Bench], OrderId]] = {
    "INT": lambda bench: bench.intend(),
    "DEN": _denied,
    "PND": lambda bench: bench.submit(),
    "DBT": _doubted,
    "NEW": lambda bench: bench.work(),
    "PAR": _filled_by("4"),
    "SUS": _then(events.OrderSuspended),
    "SU4": _then(events.OrderSuspended, "4"),
    "DFD": _then(events.OrderDoneForDay),
    "DF4": _then(events.OrderDoneForDay, "4"),
    "FIL": _filled_by("10"),
    "CAN": _then(events.OrderCanceled, requested=False),
    "CA4": _then(events.OrderCanceled, "4", requested=False),
    "EXP": _then(events.OrderExpired),
    "EX4": _then(events.OrderExpired, "4"),
    "REJ": _rejected,
    "VOI": _voided,
}

STATUS_OF = {
    "INT": "intent", "DEN": "denied", "PND": "pending_new", "DBT": "in_doubt", "NEW": "new",
    "PAR": "partially_filled", "SUS": "suspended", "SU4": "suspended", "DFD": "done_for_day", "DF4": "done_for_day",
    "FIL": "filled", "CAN": "canceled", "CA4": "canceled", "EXP": "expired", "EX4": "expired", "REJ": "rejected",
    "VOI": "void",
}  # fmt: skip


# --- reports about the order o1 ---


def head(order_id: str = "o1", name: InstrumentName = BTC) -> dict[str, Any]:
    """What every report carries."""
    return {
        "venue": VENUE, "instrument": name, "client_order_id": ClientOrderId(f"c-{order_id}"),
        "venue_order_id": VenueOrderId(f"v-{order_id}"), "transact_ns": T0_NS + 1,
    }  # fmt: skip


def trade(quantity: str, exec_id: str = "e9", price: str = "100", side: Side = Side.BUY, *, about: str = "o1",
          **more: Any) -> inputs.Trade:  # fmt: skip
    """An execution."""
    fields = head(about) | {"exec_id": ExecId(exec_id), "side": side, "quantity": d(quantity), "price": d(price)}
    return inputs.Trade(**(fields | more))


def status(is_now: VenueStatus | str, filled: str = "0", quantity: str = "10", price: str | None = "100", *,
           about: str = "o1", **more: Any) -> inputs.StatusReport:  # fmt: skip
    """A row of the venue's list, or the answer to a query."""
    fields = head(about) | {
        "status": VenueStatus(is_now), "side": Side.BUY, "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC, "quantity": d(quantity), "filled": d(filled),
        "price": d(price) if price else None,
    }  # fmt: skip
    return inputs.StatusReport(**(fields | more))


def correct(quantity: str, exec_id: str = "e1", price: str = "100", *, about: str = "o1") -> inputs.TradeCorrect:
    """An execution has this quantity and price now."""
    return inputs.TradeCorrect(**head(about), exec_id=ExecId(exec_id), quantity=d(quantity), price=d(price))


def bust(exec_id: str = "e1", *, about: str = "o1") -> inputs.TradeCancel:
    """An execution is taken back."""
    return inputs.TradeCancel(**head(about), exec_id=ExecId(exec_id))


def rejected(refusal: Refusal = Refusal.DEFINITIVE, *, about: str = "o1") -> inputs.Rejected:
    """The order is refused."""
    return inputs.Rejected(**head(about), refusal=refusal, reason="said no")


def cancel_rejected(refusal: Refusal = Refusal.TOO_LATE, *, about: str = "o1") -> inputs.CancelRejected:
    """The cancel is refused."""
    return inputs.CancelRejected(**head(about), refusal=refusal, reason="said no")


def unknown(request: str, *, about: str = "o1") -> inputs.OutcomeUnknown:
    """A reply is lost."""
    return inputs.OutcomeUnknown(**head(about), request=RequestKind(request), cause="timeout")


def not_found(asked_ns: int, sources: tuple[Source, ...] = SOURCES, *, about: str = "o1") -> inputs.NotFound:
    """A complete, negative answer."""
    return inputs.NotFound(**head(about), asked_ns=asked_ns, sources=sources)


def proof(bench: Bench, *, about: str = "o1") -> inputs.NotFound:
    """A negative answer to a question that was asked late enough to be proof."""
    return not_found(bench.now_ns + ABSENT_AFTER_NS, about=about)


def replaced(quantity: str, price: str = "100", *, about: str = "o1") -> inputs.Replaced:
    """New terms are in force."""
    return inputs.Replaced(**head(about), quantity=d(quantity), price=d(price))


def kinds(made: Iterable[Event]) -> list[str]:
    """The kinds of events."""
    return [event.kind for event in made]
