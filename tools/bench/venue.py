"""A venue that answers at once and always the same way: of five orders one rests, two fill whole, two in two parts."""

from __future__ import annotations

from decimal import Decimal

from engine import inputs, outbox
from engine.capabilities import VenueDescription
from engine.inputs import Section, VenueStatus
from engine.ports import Deliver, Gate
from engine.values import (
    EXACT,
    ZERO,
    Asset,
    ClientOrderId,
    ExecId,
    Liquidity,
    Side,
    VenueName,
    VenueOrderId,
    plain,
)
from tools.bench import scene

FEE_RATE = Decimal("0.001")
HALF = Decimal("0.5")


class PromptVenue:
    """Implements the `Venue` port without threads: answers are in the inbox when `release` returns."""

    name = scene.VENUE

    def __init__(self) -> None:
        self._deliver: Deliver = lambda seen: None
        self._resting: dict[ClientOrderId, outbox.SubmitOrder] = {}
        self._balances = dict(scene.OPENING)
        self._orders = self._executions = 0

    def describe(self) -> VenueDescription:
        """The scene's own."""
        return scene.DESCRIPTION

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Connected at once."""
        self._deliver = deliver
        deliver(inputs.VenueConnected(VenueName(self.name)))

    def close(self) -> None:
        """Nothing to close."""

    def reconnect(self, cause: str) -> None:
        """There is no connection."""

    def release(self, request: outbox.Request) -> None:
        """Answer at once."""
        match request:
            case outbox.SubmitOrder():
                self._submit(request)
            case outbox.CancelOrder():
                self._cancel(request)
            case outbox.TakeSnapshot():
                self._deliver(self._snapshot(request))
            case _:
                raise ValueError(f"this scene has no {type(request).__name__}")

    def _submit(self, order: outbox.SubmitOrder) -> None:
        self._orders += 1
        known_as = VenueOrderId(f"v{order.seq}")
        self._deliver(
            inputs.Ack(
                venue=self.name, instrument=order.instrument, client_order_id=order.client_order_id,
                venue_order_id=known_as, transact_ns=order.at_ns,
            )
        )  # fmt: skip
        if self._orders % 5 == 0:
            self._resting[order.client_order_id] = order
        elif self._orders % 5 in (1, 2):
            self._trade(order, order.quantity)
        else:
            first = plain(EXACT.multiply(order.quantity, HALF))
            self._trade(order, first)
            self._trade(order, plain(EXACT.subtract(order.quantity, first)))

    def _trade(self, order: outbox.SubmitOrder, quantity: Decimal) -> None:
        self._executions += 1
        price = order.price or ZERO
        value = EXACT.multiply(quantity, price)
        fee = plain(EXACT.multiply(value, FEE_RATE))
        sign = 1 if order.side is Side.BUY else -1
        self._move(scene.BASE, sign * quantity)
        self._move(scene.QUOTE, EXACT.subtract(-sign * value, fee))
        self._deliver(
            inputs.Trade(
                venue=self.name, instrument=order.instrument, client_order_id=order.client_order_id,
                venue_order_id=VenueOrderId(f"v{order.seq}"), transact_ns=order.at_ns,
                exec_id=ExecId(f"x{self._executions}"), side=order.side, quantity=quantity, price=price, fee=fee,
                fee_asset=scene.QUOTE, liquidity=Liquidity.TAKER,
            )
        )  # fmt: skip

    def _cancel(self, request: outbox.CancelOrder) -> None:
        self._resting.pop(request.client_order_id, None)
        self._deliver(
            inputs.Canceled(
                venue=self.name, instrument=request.instrument, client_order_id=request.client_order_id,
                venue_order_id=request.venue_order_id, transact_ns=request.at_ns,
            )
        )  # fmt: skip

    def _snapshot(self, request: outbox.TakeSnapshot) -> inputs.Snapshot:
        resting = tuple(
            inputs.StatusReport(
                venue=self.name, instrument=order.instrument, client_order_id=client_id,
                venue_order_id=VenueOrderId(f"v{order.seq}"), status=VenueStatus.NEW, side=order.side,
                order_type=order.order_type, time_in_force=order.time_in_force, quantity=order.quantity, filled=ZERO,
                price=order.price,
            )
            for client_id, order in self._resting.items()
        )  # fmt: skip
        balances = tuple(inputs.Balance(asset, amount, ZERO) for asset, amount in self._balances.items())
        return inputs.Snapshot(
            venue=self.name, asked_seq=request.seq, asked_ns=request.at_ns, taken_ns=request.at_ns,
            complete=tuple(Section), open_orders=resting, executions=(), balances=balances,
        )  # fmt: skip

    def _move(self, asset: Asset, amount: Decimal) -> None:
        self._balances[asset] = plain(EXACT.add(self._balances[asset], amount))
