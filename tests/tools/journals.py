"""Journals for the tests of the tools: events are applied and appended as the engine does it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine import events
from engine.capabilities import AbsencePolicy, Capabilities, ClientIds, Source, VenueDescription
from engine.codec import digest, encode, encode_state
from engine.events import Event
from engine.fold import FOLD_VERSION, apply
from engine.inputs import Action, Balance, Quote, Refusal, RequestKind, Scope
from engine.instrument import Instrument
from engine.settings import Settings, StrategySettings
from engine.state import Recorded, State
from engine.token import client_order_id, order_id
from engine.values import (
    SECOND_NS,
    Asset,
    ClientOrderId,
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
from journal.journal import Journal
from journal.snapshot import Snapshot, write_snapshot

BTC, SIM, CROSS = InstrumentName("BTC-USDT"), VenueName("sim"), StrategyName("cross")
USDT = Asset("USDT")
ID, RUN = "0123456789abcdef", "0a1b"
START_NS = 1_763_688_000 * SECOND_NS

TERMS = Instrument(BTC, SIM, "BTCUSDT", Asset("BTC"), USDT, Decimal("0.01"), Decimal("0.00001"))
DESCRIPTION = VenueDescription(
    venue=SIM,
    adapter="simulated",
    account="paper",
    capabilities=Capabilities(
        order_types=tuple(OrderType),
        times_in_force=tuple(TimeInForce),
        post_only=True,
        replace=True,
        client_ids=ClientIds.DEDUP,
        client_id_length=36,
    ),
    absence=AbsencePolicy(after_ns=3 * SECOND_NS, sources=(Source.ORDER_QUERY, Source.OPEN_ORDERS)),
    instruments=(TERMS,),
)
SETTINGS = Settings(
    venues={SIM: "simulated"},
    strategies={CROSS: StrategySettings(strategy_class="mine.py:Mine", instruments=(BTC,), tag="cross")},
)
HASH = "0123456789abcdef"


class Author:
    """Writes a journal: `add` applies and appends events in one commit, a tenth of a second after the last."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = Journal(directory, identity={"journal_id": ID, "mode": "paper"}, at_ns=START_NS)
        self.state = State()
        self.epoch = self.journal.claim(START_NS)
        self.now_ns = START_NS

    def add(self, *added: Event, wait_ns: int = SECOND_NS // 10) -> list[Recorded]:
        self.now_ns += wait_ns
        recorded = []
        with exact_arithmetic():
            for event in added:
                each = Recorded(self.state.seq + 1, self.now_ns, event)
                apply(self.state, each)
                recorded.append(each)
        self.journal.append([encode(each) for each in recorded])
        return recorded

    def begin(self, clean: bool = True) -> None:
        """A start up to trading."""
        self.add(
            events.ProcessStarted(
                run=RUN, epoch=self.epoch, pid=4711, release="0.1.0", clean=clean, head_seq=None, journal_id=ID
            ),
            events.ConfigurationAdopted(settings=SETTINGS),
            events.VenueDescribed(venue=SIM, description=DESCRIPTION),
            events.SystemChanged(state="reconciling", reason="start"),
        )
        self.add(
            events.VenueConnected(venue=SIM), events.SnapshotRequested(venue=SIM, why="connected", since_ns=START_NS)
        )

    def reconcile(self, **changes: Any) -> None:
        """The venue is compared with the books, and nothing is unexplained."""
        found: dict[str, Any] = {
            "open_orders": 0, "executions": 0, "executions_booked": 0, "orders_settled": 0, "differences": (),
            "confirmed": (), "ready": True,
        }  # fmt: skip
        asked = self.state.venues[SIM]
        if not asked.opened_ns:
            balances = (Balance(USDT, Decimal(100_000), Decimal(0)), Balance(Asset("BTC"), Decimal(1), Decimal(0)))
            self.add(events.AccountOpened(venue=SIM, account="paper", taken_ns=self.now_ns, balances=balances))
        self.add(
            events.Reconciled(
                venue=SIM, asked_seq=asked.asked_seq, asked_ns=asked.asked_ns, taken_ns=self.now_ns, complete=(),
                **(found | changes),
            )
        )  # fmt: skip

    def trade(self) -> None:
        """The door into trading."""
        self.add(events.SystemChanged(state="trading", reason="reconciled"))

    def order(
        self,
        quantity: str = "0.01",
        price: str = "60000",
        side: Side = Side.BUY,
        bid: str = "60000",
        ask: str = "60001",
    ) -> OrderId:
        """An intent with its request."""
        token = order_id(ID, RUN, self.state.seq + 2)
        self.add(
            self.intent(token, quantity, price, side, bid, ask),
            events.SubmitRequested(order_id=token, client_order_id=client_order_id(token, "cross", 36)),
        )
        return token

    def intent(self, token: OrderId, quantity: str, price: str, side: Side, bid: str, ask: str) -> Event:
        return events.OrderIntended(
            order_id=token, strategy=CROSS, strategy_version="1", instrument=BTC, venue=SIM, side=side,
            order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, post_only=False, quantity=Decimal(quantity),
            price=Decimal(price), reason={"fast": "60010", "slow": "60000"},
            seen=Quote(BTC, Decimal(bid), Decimal(1), Decimal(ask), Decimal(1), self.now_ns), strategy_hash=HASH,
            inputs={"callback": "on_quote", "BTC-USDT 1m Sma(5, close)": "60010"},
        )  # fmt: skip

    def denied(self, quantity: str = "5", reason: str = "max_order_quantity") -> OrderId:
        """An intent that risk refused."""
        token = order_id(ID, RUN, self.state.seq + 2)
        self.add(
            self.intent(token, quantity, "60000", Side.BUY, "60000", "60001"),
            events.OrderDenied(order_id=token, reason=reason, numbers={"limit": "0.1", "quantity": quantity}),
        )
        return token

    def accept(self, token: OrderId) -> None:
        self.add(events.OrderAccepted(order_id=token, venue_order_id=VenueOrderId(f"v{self.state.seq}")))

    def fill(self, token: OrderId, quantity: str, price: str, fee: str | None = "0.1", **changes: Any) -> ExecId:
        order = self.state.orders[token]
        execution = ExecId(f"x{self.state.seq}")
        self.add(
            events.FillBooked(
                order_id=token, exec_id=execution, venue=order.venue, instrument=order.instrument,
                strategy=order.strategy, side=order.side, quantity=Decimal(quantity), price=Decimal(price),
                fee=None if fee is None else Decimal(fee), liquidity=Liquidity.TAKER,
                **({"fee_asset": USDT if fee is not None else None} | changes),
            )
        )  # fmt: skip
        return execution

    def doubt(self, token: OrderId) -> None:
        self.add(events.OutcomeUnknown(order_id=token, request=RequestKind.NEW, cause="timeout"))

    def external(self) -> OrderId:
        """An order of somebody else's on our account."""
        token = OrderId("external-1")
        self.add(
            events.ExternalOrderSeen(
                order_id=token, client_order_id=ClientOrderId("web_1"), venue_order_id=VenueOrderId("v900"), venue=SIM,
                instrument=BTC, side=Side.SELL, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC,
                quantity=Decimal("0.3"), price=Decimal(70000), adopted=False,
            )
        )  # fmt: skip
        return token

    def pause(self, reason: str = "operator", latched: bool = True) -> None:
        self.add(
            events.OperatorCommanded(
                action=Action.PAUSE, uid=1000, pid=99, reason="lunch", scope=Scope.ALL, subject_name=""
            ),
            events.TradingPaused(scope=Scope.ALL, subject_name="", reason=reason, latched=latched, detail="lunch"),
            events.SystemChanged(state="paused", reason=reason),
        )

    def stop(self) -> None:
        """A clean end."""
        with exact_arithmetic():
            state_digest = digest(self.state)
        self.add(events.ProcessStopped(reason="signal", state_digest=state_digest, fold_version=FOLD_VERSION))

    def snapshot(self, change: Callable[[Snapshot], Snapshot] = lambda snapshot: snapshot) -> None:
        """A snapshot as the engine writes it."""
        with exact_arithmetic():
            state_digest = digest(self.state)
        snapshot = Snapshot(
            ID, self.state.seq, self.journal.chain.hex(), state_digest, FOLD_VERSION, encode_state(self.state)
        )
        write_snapshot(self.directory / "snapshots", change(snapshot))

    def close(self) -> None:
        self.journal.close()


def tell(author: Author) -> dict[str, OrderId]:
    """A run with an order of every kind that matters; it ends while trading."""
    author.begin()
    author.reconcile()
    author.trade()
    named = {"filled": author.order("0.02", "60001")}
    author.accept(named["filled"])
    author.fill(named["filled"], "0.01", "60000")
    author.fill(named["filled"], "0.01", "60001")
    named["denied"] = author.denied()
    named["open"] = author.order("0.01", "61000", Side.SELL, "60100", "60102")
    author.accept(named["open"])
    author.fill(named["open"], "0.004", "61000")
    author.add(events.CancelRequested(order_id=named["open"], held=False, by="cross"))
    named["canceled"] = author.order("0.01", "59000")
    author.accept(named["canceled"])
    author.add(events.OrderCanceled(order_id=named["canceled"], requested=True))
    named["rejected"] = author.order("0.01", "1")
    author.add(events.OrderRejected(order_id=named["rejected"], reason="price out of bounds"))
    named["external"] = author.external()
    named["doubt"] = author.order("0.01", "60000")
    author.doubt(named["doubt"])
    return named


__all__ = ["BTC", "CROSS", "HASH", "ID", "RUN", "SIM", "START_NS", "Author", "Refusal", "tell"]
