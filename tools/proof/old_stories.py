"""The stories that the journals of a release are made of: each meets kinds of events that the others do not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine import inputs
from engine.capabilities import AbsencePolicy, Capabilities, ClientIds, Source, VenueDescription
from engine.inputs import Action, OperatorCommand, Refusal, RequestKind, Resolution, Scope, VenueStatus
from engine.instrument import Instrument
from engine.order import Order
from engine.outbox import TakeSnapshot
from engine.settings import Limits, OnDrift, Orders, Reconcile, Risk, Settings, StrategySettings
from engine.strategy import Cancel, Intent, Replace
from engine.token import order_id
from engine.values import (
    SECOND_NS,
    Asset,
    Duration,
    InstrumentName,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    VenueName,
)
from journal.entry import Entry
from tools.proof.stage import Stage
from tools.simulation.log import MemoryLog

BEGIN_NS = 1_763_688_000 * SECOND_NS
BTC, ETH = InstrumentName("BTC-USDT"), InstrumentName("ETH-USDT")
NORTH, SOUTH = VenueName("north"), VenueName("south")
ONE, TWO = StrategyName("one"), StrategyName("two")
LONG_NS = 400 * SECOND_NS
"""Long enough for a closed order to be archived."""


def describe(venue: VenueName, instrument: InstrumentName) -> VenueDescription:
    """A venue with one instrument."""
    base = Asset(instrument.partition("-")[0])
    terms = Instrument(
        instrument, venue, instrument.replace("-", ""), base, Asset("USDT"), Decimal("0.01"), Decimal("0.001")
    )
    return VenueDescription(
        venue=venue, adapter="simulated", account=f"simulated:{venue}",
        capabilities=Capabilities(
            order_types=tuple(OrderType), times_in_force=tuple(TimeInForce), post_only=True, replace=True,
            client_ids=ClientIds.UNIQUE_OPEN, client_id_length=36,
        ),
        absence=AbsencePolicy(2 * SECOND_NS, tuple(Source)), instruments=(terms,),
    )  # fmt: skip


def settings(*venues: VenueName, **orders: Any) -> Settings:
    """One strategy for each venue's instrument; limits that a story runs into."""
    places = {NORTH: (ONE, BTC), SOUTH: (TWO, ETH)}
    return Settings(
        venues=dict.fromkeys(venues, "simulated"),
        strategies={
            places[venue][0]: StrategySettings(
                strategy_class="tools.proof.stage:Told", instruments=(places[venue][1],), tag=places[venue][0],
                params={"quantity": "0.5", "times": 3},
            )
            for venue in venues
        },
        risk=Risk(account=Limits(max_order_quantity={BTC: Decimal(2), ETH: Decimal(2)}, max_open_orders=8)),
        orders=Orders(**orders),
        reconcile=Reconcile(every_ns=Duration(60 * SECOND_NS), on_position_drift=OnDrift.ADOPT),
    )  # fmt: skip


class Teller:
    """A story as it is told: a stage on a log in memory, and short words for what happens on it."""

    def __init__(self, name: str, *venues: VenueName, **orders: Any) -> None:
        self.log = MemoryLog(f"old-{name}")
        instruments = {NORTH: BTC, SOUTH: ETH}
        found = [describe(venue, instruments[venue]) for venue in venues]
        self.stage = Stage(self.log, self.log.journal_id, settings(*venues, **orders), found, BEGIN_NS)

    @property
    def entries(self) -> list[Entry]:
        """What has been journaled."""
        return self.log.entries

    def start(self, run: str, *, connect: bool = True, wait: bool = True) -> None:
        """A process begins; with `connect` it reaches trading, or the pause that holds."""
        clean = not self.entries or self.entries[-1].kind == "ProcessStopped"
        self.stage.begin(self.log.claim(), clean, run)
        if connect:
            self.stage.connect()
            for _ in range(4 if wait else 0):
                self.pass_time(2)

    def pass_time(self, seconds: int) -> None:
        """Time passes, and questions are answered."""
        self.stage.wait(seconds * SECOND_NS)
        self.stage.answer()

    def intend(self, instrument: InstrumentName = BTC, **terms: Any) -> Order:
        """A strategy wants an order; it is requested, and nobody has answered yet."""
        wanted: dict[str, Any] = {"side": Side.BUY, "quantity": Decimal("0.5"), "price": Decimal(100)}
        self.stage.want(instrument, "100", Intent(instrument=instrument, **(wanted | terms)))
        for venue in self.stage.venues.values():
            venue.left.clear()
        return list(self.stage.state.orders.values())[-1]

    def working(self, instrument: InstrumentName = BTC, **terms: Any) -> Order:
        """An order that its venue has accepted."""
        order = self.intend(instrument, **terms)
        self.report(order, inputs.Ack)
        return self.now(order)

    def now(self, order: Order) -> Order:
        """The order as it is."""
        return self.stage.state.orders[order.order_id]

    def report(self, order: Order, kind: Callable[..., inputs.Input], **said: Any) -> None:
        """The order's venue says something about it."""
        self.stage.clock.now += SECOND_NS // 50
        self.stage.tell(kind(**(self.stage.head(order) | said)))

    def fill(self, order: Order, quantity: str, price: str = "100", **said: Any) -> str:
        """An execution; gives its id."""
        self.stage.clock.now += SECOND_NS // 50
        trade = self.stage.trade(self.now(order), quantity, price, **said)
        self.stage.tell(trade)
        return trade.exec_id

    def wish(self, *wishes: Any, instrument: InstrumentName = BTC) -> None:
        """A strategy wants something of an order; nobody has answered yet."""
        self.stage.want(instrument, "100", *wishes)

    def command(self, action: Action, **said: Any) -> None:
        """An operator orders something."""
        self.stage.clock.now += SECOND_NS // 10
        self.stage.tell(OperatorCommand(action=action, uid=1000, pid=99, reason="a story", **said))

    def drop(self) -> None:
        """What was asked stays without an answer."""
        for venue in self.stage.venues.values():
            venue.left.clear()

    def asked(self) -> TakeSnapshot:
        """The snapshot that is waited for."""
        return next(r for venue in self.stage.venues.values() for r in venue.left if isinstance(r, TakeSnapshot))


def a_day() -> list[Entry]:
    """What an ordinary day holds: fills, cancels, replacements, refusals, doubts, a pause, a crash, a clean stop."""
    tell = Teller("a_day", NORTH)
    tell.start("0aaa")
    _executed(tell)
    _canceled(tell)
    _replaced(tell)
    _refused(tell)
    _doubted(tell)
    tell.command(Action.PAUSE)
    tell.pass_time(1)
    tell.command(Action.RESUME)
    tell.pass_time(2)
    open_one, lost = tell.working(price=Decimal(90)), tell.intend(price=Decimal(91))
    tell.start("0bbb")  # killed: one order works, of one nobody knows whether it arrived
    assert tell.now(lost).status == "void"
    tell.fill(open_one, "0.1", "90")
    tell.stage.runner.digest_state()
    tell.stage.runner.stop("time is up")
    return tell.entries


def _executed(tell: Teller) -> None:
    order = tell.working()
    tell.fill(order, "0.2")
    tell.fill(order, "0.3", "99.99")
    early = tell.intend(side=Side.SELL, price=Decimal(101))
    tell.fill(early, "0.1", "101")  # before its acknowledgement
    tell.report(early, inputs.Ack)
    tell.fill(early, "0.4", "101", fee=None, fee_asset=None)


def _canceled(tell: Teller) -> None:
    order = tell.working(price=Decimal(95))
    tell.fill(order, "0.1", "95")
    tell.wish(Cancel(order.order_id))
    tell.report(order, inputs.CancelAcked)
    tell.report(order, inputs.Canceled, filled=Decimal("0.1"))
    tell.fill(order, "0.2", "95")  # late
    late = tell.working(price=Decimal(96))
    tell.wish(Cancel(late.order_id))
    tell.report(late, inputs.CancelRejected, refusal=Refusal.TOO_LATE, reason="too late")
    tell.stage.answer()
    tell.wish(Cancel(late.order_id))
    tell.report(late, inputs.OutcomeUnknown, request=RequestKind.CANCEL, cause="timeout")
    tell.drop()
    tell.pass_time(10)  # still open after the request's expiry: canceled again
    waiting = tell.intend(order_type=OrderType.MARKET, price=None, time_in_force=TimeInForce.IOC)
    tell.wish(Cancel(waiting.order_id))  # held until the order's own outcome is known
    tell.report(waiting, inputs.Expired, filled=Decimal(0))


def _replaced(tell: Teller) -> None:
    order = tell.working(price=Decimal(94))
    tell.wish(Replace(order.order_id, quantity=Decimal("0.7"), price=Decimal(93)))
    tell.report(order, inputs.ReplaceAcked)
    tell.report(order, inputs.Replaced, quantity=Decimal("0.7"), price=Decimal(93))
    tell.wish(Replace(order.order_id, quantity=Decimal("0.8")))
    tell.report(order, inputs.ReplaceRejected, reason="too many changes")
    tell.stage.answer()
    tell.wish(Replace(order.order_id, quantity=Decimal(3)))  # more than the limit
    tell.wish(Replace(order.order_id, price=Decimal(92)))
    tell.report(order, inputs.OutcomeUnknown, request=RequestKind.REPLACE, cause="timeout")
    tell.drop()
    tell.pass_time(4)  # the venue shows the old terms: it had no effect
    tell.fill(order, "0.7", "93")


def _refused(tell: Teller) -> None:
    tell.intend(quantity=Decimal(5))  # more than the limit
    order = tell.intend(price=Decimal(1))
    tell.report(order, inputs.Rejected, reason="price out of bounds")
    again = tell.intend(price=Decimal(97))
    tell.report(again, inputs.Rejected, refusal=Refusal.DUPLICATE_ID, reason="duplicate")
    tell.drop()
    tell.stage.tell(tell.stage.status(tell.now(again)))  # it exists
    tell.report(again, inputs.Canceled, filled=Decimal(0))


def _doubted(tell: Teller) -> None:
    found = tell.intend(price=Decimal(98))
    tell.report(found, inputs.OutcomeUnknown, request=RequestKind.NEW, cause="timeout")
    tell.drop()
    tell.stage.tell(tell.stage.status(tell.now(found)))
    tell.fill(found, "0.5", "98")
    lost = tell.intend(price=Decimal(89))
    tell.report(lost, inputs.OutcomeUnknown, request=RequestKind.NEW, cause="server error")
    tell.intend(price=Decimal(88))  # denied: the instrument is in doubt
    tell.drop()
    for _ in range(3):
        tell.pass_time(2)
    assert tell.now(lost).status == "void"


def surprises() -> list[Entry]:
    """What venues may say besides: corrections, strangers, halts; and what an operator settles. It ends in a crash."""
    tell = Teller("surprises", NORTH)
    tell.start("0ccc")
    _corrected(tell)
    _halted(tell)
    _strangers(tell)
    _resolved(tell)
    _differing(tell)
    _measured(tell)
    tell.wish(ValueError("a fault of its own"))
    tell.command(Action.RESUME)
    tell.pass_time(2)
    asked, replaced = tell.working(price=Decimal(81)), tell.working(price=Decimal(82))
    tell.wish(Cancel(asked.order_id), Replace(replaced.order_id, price=Decimal(83)))
    tell.intend(price=Decimal(84))
    return tell.entries


def _corrected(tell: Teller) -> None:
    order = tell.working()
    first, second = tell.fill(order, "0.2", fee=None, fee_asset=None), tell.fill(order, "0.3")
    tell.report(order, inputs.FeeReported, exec_id=first, fee=Decimal("0.02"), fee_asset="USDT")
    tell.report(order, inputs.TradeCorrect, exec_id=first, quantity=Decimal("0.1"), price=Decimal("99.5"))
    tell.report(order, inputs.TradeCancel, exec_id=second)
    tell.report(order, inputs.TradeCancel, exec_id="never")  # an anomaly
    tell.drop()
    tell.report(order, inputs.Canceled, filled=Decimal("0.1"))
    tell.pass_time(12)
    over = tell.working()
    tell.fill(over, "0.5")
    tell.fill(over, "0.1")  # an overfill: the instrument is paused
    tell.command(Action.RESUME)
    tell.pass_time(2)


def _halted(tell: Teller) -> None:
    order = tell.working()
    tell.report(order, inputs.Suspended)
    tell.report(order, inputs.Triggered)
    tell.report(order, inputs.Triggered)
    tell.report(order, inputs.DoneForDay)
    tell.report(order, inputs.Restated, quantity=Decimal("0.4"))
    ahead = tell.stage.status(tell.now(order), VenueStatus.PARTIALLY_FILLED, filled=Decimal("0.1"))
    tell.stage.tell(ahead)  # an execution is missing: asked for, and told
    tell.pass_time(2)
    tell.fill(order, "0.3")


def _strangers(tell: Teller) -> None:
    known = tell.working(price=Decimal(80))
    stranger: dict[str, Any] = {"client_order_id": "web_1", "venue_order_id": "v900"}
    tell.stage.tell(tell.stage.status(known, **stranger))
    tell.stage.tell(tell.stage.trade(known, "0.1", "80", **stranger))
    tell.report(known, inputs.Canceled, **stranger)
    ours = order_id(tell.log.journal_id, "0zzz", 7)
    tell.stage.tell(tell.stage.status(known, client_order_id=ours, venue_order_id="v901"))  # of our form: paused
    tell.stage.tell(inputs.Canceled(**(tell.stage.head(known) | {"client_order_id": ours, "venue_order_id": "v901"})))
    tell.command(Action.RESUME)
    tell.pass_time(2)
    _missed(tell, known)


def _missed(tell: Teller, order: Order) -> None:
    """The venue does not know a working order: believed at the second proof."""
    missing: dict[str, Any] = {"sources": tuple(Source), "transact_ns": None}
    for _ in range(2):
        tell.stage.clock.now += 12 * SECOND_NS
        asked_ns = tell.stage.clock.now - SECOND_NS
        tell.report(order, inputs.NotFound, asked_ns=asked_ns, **missing)
        tell.drop()
    assert tell.now(order).evidence == "inferred"
    tell.pass_time(2)


def _resolved(tell: Teller) -> None:
    for number, (resolution, said) in enumerate(
        (
            (Resolution.VOID, {}),
            (Resolution.CANCELED, {}),
            (Resolution.FILLED, {"quantity": Decimal("0.5"), "price": Decimal(71)}),
        )
    ):
        order = tell.intend(price=Decimal(70 + number))
        tell.report(order, inputs.OutcomeUnknown, request=RequestKind.NEW, cause="disconnect")
        tell.drop()
        tell.command(Action.RESOLVE, order_id=order.order_id, resolution=resolution, **said)
    order = tell.intend(price=Decimal(74))
    tell.report(order, inputs.OutcomeUnknown, request=RequestKind.NEW, cause="disconnect")
    tell.drop()
    for _ in range(3):
        tell.pass_time(2)
    tell.fill(order, "0.5", "74")  # proven absent, and executed after all: paused until somebody has looked
    tell.command(Action.RESUME)
    tell.pass_time(2)


def _differing(tell: Teller) -> None:
    """Balances that differ twice are adopted: one is a position, the other is only a balance."""
    for _ in range(2):
        tell.stage.wait(61 * SECOND_NS)
        asked = tell.asked()
        tell.drop()
        told = tell.stage.snapshot(asked)
        books = {balance.asset: balance.free for balance in told.balances}
        books[Asset("BTC")] += Decimal("0.25")
        books[Asset("BNB")] = Decimal(3)
        changed = tuple(inputs.Balance(asset, free, Decimal(0)) for asset, free in sorted(books.items()))
        tell.stage.tell(tell.stage.snapshot(asked, balances=changed))
    tell.stage.answer()
    tell.pass_time(2)


def _measured(tell: Teller) -> None:
    """Clocks, disks, frames and connections that are not as they should be."""
    tell.stage.tell(inputs.ClockJumped(250_000_000))
    tell.stage.tell(inputs.ProtocolSurprise(NORTH, '{"what":"is this"}'))
    tell.stage.tell(inputs.DiskMeasured(1))
    tell.stage.tell(inputs.DiskMeasured(10**12))
    tell.pass_time(2)
    tell.stage.tell(inputs.ClockMeasured(NORTH, 2 * SECOND_NS, 1000))
    tell.stage.tell(inputs.ClockMeasured(NORTH, 0, 1000))
    tell.pass_time(2)
    tell.stage.tell(inputs.VenueLost(NORTH, "the line broke"))
    tell.stage.clock.now += SECOND_NS
    tell.stage.tell(inputs.VenueConnected(NORTH))
    asked = tell.asked()
    tell.drop()
    tell.stage.tell(inputs.SnapshotFailed(venue=NORTH, asked_seq=asked.seq, cause="server error"))
    tell.pass_time(2)


def a_week() -> list[Entry]:
    """Two venues, two strategies; orders grow old and are archived; a kill with flatten that holds over restarts."""
    tell = Teller("a_week", NORTH, SOUTH, closed_kept_ns=Duration(5 * SECOND_NS), closed_kept_most=10_000)
    tell.start("0ddd")
    bought, sold = tell.working(), tell.working(ETH, side=Side.SELL, key="once")
    execution = tell.fill(bought, "0.5")
    tell.fill(sold, "0.2")
    tell.report(sold, inputs.Canceled, filled=Decimal("0.2"))
    for _ in range(4):
        tell.pass_time(LONG_NS // SECOND_NS // 4)
    assert bought.order_id not in tell.stage.state.orders
    tell.report(bought, inputs.TradeCorrect, exec_id=execution, quantity=Decimal("0.4"), price=Decimal(100))
    tell.pass_time(2)
    tell.report(bought, inputs.TradeCorrect, exec_id=execution, quantity=Decimal("0.4"), price=Decimal(100))
    tell.drop()
    _paused(tell)
    tell.working(price=Decimal(70))
    tell.working(ETH, price=Decimal(60))
    tell.command(Action.KILL, flatten=True)
    tell.stage.answer()
    for _ in range(4):
        tell.pass_time(1)
        for order in list(tell.stage.state.open_orders()):
            tell.fill(order, str(order.leaves))
    assert tell.stage.state.kill_verified
    for number in range(6):
        tell.start(f"0ee{number}", connect=False)  # six starts that never traded
    tell.start("0fff")
    return tell.entries


def _paused(tell: Teller) -> None:
    """Pauses of a part: what they cover is denied, the rest goes on."""
    for scope, subject in ((Scope.STRATEGY, ONE), (Scope.INSTRUMENT, ETH), (Scope.VENUE, SOUTH)):
        tell.command(Action.PAUSE, scope=scope, subject=subject)
        tell.intend(BTC if subject == ONE else ETH, price=Decimal(50), quantity=Decimal("0.1"))
        tell.command(Action.RESUME, scope=scope, subject=subject)
        tell.pass_time(2)


STORIES: dict[str, Callable[[], list[Entry]]] = {"a_day": a_day, "a_week": a_week, "surprises": surprises}
