"""Events about orders: intents and verdicts, requests, what the venue made of them, executions.

`raw` is the text of the message that led to an event, once, redacted, bounded.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from attrs import Factory, frozen

from engine.capabilities import Source
from engine.inputs import Quote, Refusal, RequestKind, Resolution
from engine.instructions import Role, Work
from engine.order import Execution, Order
from engine.values import (
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
)


class Event:
    """Base of all events; `SUBJECT` names the field that says what the event is about."""

    __slots__ = ()
    VERSION: ClassVar[int] = 1
    SUBJECT: ClassVar[str] = ""

    @property
    def kind(self) -> str:
        """The name under which the journal keeps it."""
        return type(self).__name__

    @property
    def subject(self) -> str:
        """The order, venue, instrument or strategy it is about; empty for the system."""
        return str(getattr(self, self.SUBJECT)) if self.SUBJECT else ""


class OrderEvent(Event):
    """An event about one order."""

    __slots__ = ()
    SUBJECT = "order_id"
    order_id: OrderId


@frozen(kw_only=True)
class OrderIntended(OrderEvent):
    """What a strategy wants, what it saw, and why. `parent` and `group` are the orders that it is linked to.

    `seen` is the quote of that moment, `inputs` whatever else the callback was given or looked at (bars, indicators,
    trades, books), `strategy_hash` tells its source and parameters from others under the same version.
    """

    VERSION = 2
    order_id: OrderId
    strategy: StrategyName
    strategy_version: str
    instrument: InstrumentName
    venue: VenueName
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    quantity: Decimal
    price: Decimal | None
    key: str | None = None
    reason: dict[str, Any] = Factory(dict)
    seen: Quote | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    trail_fraction: Decimal | None = None
    good_till_ns: int | None = None
    reduce_only: bool = False
    max_slippage: Decimal | None = None
    worst_price: Decimal | None = None
    style: Work | None = None
    parent: OrderId | None = None
    group: OrderId | None = None
    role: Role = Role.PLAIN
    strategy_hash: str = ""
    inputs: dict[str, Any] = Factory(dict)


@frozen(kw_only=True)
class OrderDenied(OrderEvent):
    """Risk said no: a stable reason code and the numbers it saw. `repeats` counts equal denials not journaled."""

    order_id: OrderId
    reason: str
    numbers: dict[str, str] = Factory(dict)
    repeats: int = 0


@frozen(kw_only=True)
class OrderHeld(OrderEvent):
    """The engine keeps the order to itself, and why: it lives as long as an engine runs, and leaves when its time has
    come."""

    order_id: OrderId
    why: str


@frozen(kw_only=True)
class OrderAmended(OrderEvent):
    """An order that the engine holds has other terms from here on: a stop that trails, a leg whose size follows."""

    order_id: OrderId
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    why: str


@frozen(kw_only=True)
class SubmitRequested(OrderEvent):
    """The request is true from here on, whether or not it reaches the wire. `verdict` holds what risk saw: by limit,
    the number and what it was held against."""

    VERSION = 2
    order_id: OrderId
    client_order_id: ClientOrderId
    verdict: dict[str, str] = Factory(dict)


@frozen(kw_only=True)
class OrderAccepted(OrderEvent):
    """The venue works the order, or told its id for it."""

    order_id: OrderId
    venue_order_id: VenueOrderId | None
    transact_ns: int | None = None
    raw: str = ""


@frozen(kw_only=True)
class OrderRejected(OrderEvent):
    """The venue refused it for good; `refusal` says whether for what it is, for what the account may do, or for now."""

    VERSION = 2
    order_id: OrderId
    reason: str
    refusal: Refusal = Refusal.DEFINITIVE
    transact_ns: int | None = None
    raw: str = ""


@frozen(kw_only=True)
class FillBooked(OrderEvent):
    """One execution, booked once. `late` after the order was closed, `overfill` beyond its quantity."""

    order_id: OrderId
    exec_id: ExecId
    venue: VenueName
    instrument: InstrumentName
    strategy: StrategyName
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal | None
    fee_asset: Asset | None
    liquidity: Liquidity
    venue_order_id: VenueOrderId | None = None
    late: bool = False
    overfill: bool = False
    transact_ns: int | None = None
    raw: str = ""


@frozen(kw_only=True)
class FillCorrected(OrderEvent):
    """An execution now has this quantity and price."""

    order_id: OrderId
    venue: VenueName
    instrument: InstrumentName
    exec_id: ExecId
    quantity: Decimal
    price: Decimal
    raw: str = ""


@frozen(kw_only=True)
class FillBusted(OrderEvent):
    """An execution was taken back by the venue."""

    order_id: OrderId
    venue: VenueName
    instrument: InstrumentName
    exec_id: ExecId
    raw: str = ""


@frozen(kw_only=True)
class FeeBooked(OrderEvent):
    """A fee that came after its execution."""

    order_id: OrderId
    venue: VenueName
    instrument: InstrumentName
    exec_id: ExecId
    fee: Decimal
    fee_asset: Asset
    raw: str = ""


@frozen(kw_only=True)
class CancelRequested(OrderEvent):
    """A cancel is true from here on; `held` where it waits until the outcome of the order's own request is known."""

    order_id: OrderId
    held: bool
    by: str


@frozen(kw_only=True)
class CancelAccepted(OrderEvent):
    """The venue has the cancel; the order may still trade."""

    order_id: OrderId
    raw: str = ""


@frozen(kw_only=True)
class CancelRefused(OrderEvent):
    """The cancel did nothing, or the venue does not know the order; the truth comes from a query."""

    order_id: OrderId
    refusal: Refusal
    reason: str
    raw: str = ""


@frozen(kw_only=True)
class OrderCanceled(OrderEvent):
    """Closed without (further) execution; `evidence` is `confirmed` or `inferred`."""

    order_id: OrderId
    requested: bool
    reason: str = ""
    evidence: str = "confirmed"
    venue_order_id: VenueOrderId | None = None
    transact_ns: int | None = None
    raw: str = ""


@frozen(kw_only=True)
class OrderExpired(OrderEvent):
    """Its time in force ended."""

    order_id: OrderId
    venue_order_id: VenueOrderId | None = None
    transact_ns: int | None = None
    raw: str = ""


@frozen(kw_only=True)
class ReplaceRequested(OrderEvent):
    """A replacement is true from here on; until its outcome is known, the worse of both counts. `verdict` holds what
    risk saw."""

    VERSION = 2
    order_id: OrderId
    new_client_order_id: ClientOrderId
    quantity: Decimal
    price: Decimal | None
    by: str
    stop_price: Decimal | None = None
    verdict: dict[str, str] = Factory(dict)


@frozen(kw_only=True)
class ReplaceDenied(OrderEvent):
    """Risk said no to a replacement; the order stays as it is."""

    order_id: OrderId
    reason: str
    numbers: dict[str, str] = Factory(dict)


@frozen(kw_only=True)
class ReplaceAccepted(OrderEvent):
    """The venue has the replacement; the old parameters still hold."""

    order_id: OrderId
    raw: str = ""


@frozen(kw_only=True)
class OrderReplaced(OrderEvent):
    """New quantity (of the whole order) and prices are in force. `keeps_priority` says whether it still stands where it
    stood in the venue's queue; None where the venue does not tell."""

    VERSION = 2
    order_id: OrderId
    quantity: Decimal
    price: Decimal | None
    venue_order_id: VenueOrderId | None = None
    transact_ns: int | None = None
    raw: str = ""
    stop_price: Decimal | None = None
    keeps_priority: bool | None = None


@frozen(kw_only=True)
class ReplaceRefused(OrderEvent):
    """The replacement did nothing."""

    order_id: OrderId
    reason: str
    raw: str = ""


@frozen(kw_only=True)
class OrderSuspended(OrderEvent):
    """Not executable now; may come back."""

    order_id: OrderId
    raw: str = ""


@frozen(kw_only=True)
class OrderDoneForDay(OrderEvent):
    """Not executable until the next session."""

    order_id: OrderId
    raw: str = ""


@frozen(kw_only=True)
class OrderRestated(OrderEvent):
    """The venue changed the order's quantity by itself, or says that it works again."""

    order_id: OrderId
    quantity: Decimal
    raw: str = ""


@frozen(kw_only=True)
class OrderTriggered(OrderEvent):
    """A stop's condition was met. Where the engine held it: by which market price, and the worst to trade at."""

    VERSION = 2
    order_id: OrderId
    raw: str = ""
    market_price: Decimal | None = None
    worst_price: Decimal | None = None


@frozen(kw_only=True)
class StyleEnded(OrderEvent):
    """The style of a worked order has done its part: `gave_up`, or `crosses` (the rest with a market order, next)."""

    order_id: OrderId
    outcome: str
    numbers: dict[str, str] = Factory(dict)


@frozen(kw_only=True)
class OutcomeUnknown(OrderEvent):
    """A request may or may not have had its effect. Nothing is concluded and nothing sent twice."""

    order_id: OrderId
    request: RequestKind
    cause: str
    raw: str = ""


@frozen(kw_only=True)
class OrderQueried(OrderEvent):
    """The venue is asked what became of the order. `reported_filled` is its CumQty(14) where that is ahead of ours."""

    order_id: OrderId
    why: str
    reported_filled: Decimal | None = None


@frozen(kw_only=True)
class OrderVoided(OrderEvent):
    """Proven never to have reached the venue, by these questions, asked at `asked_ns`. A later execution revokes it."""

    order_id: OrderId
    sources: tuple[Source, ...]
    asked_ns: int
    raw: str = ""


@frozen(kw_only=True)
class OrderResolved(OrderEvent):
    """An operator settled an order in doubt by hand."""

    order_id: OrderId
    resolution: Resolution
    by: str
    reason: str


@frozen(kw_only=True)
class ExternalOrderSeen(OrderEvent):
    """An order that this journal did not request; `adopted` where its id has our form."""

    order_id: OrderId
    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId | None
    venue: VenueName
    instrument: InstrumentName
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    adopted: bool
    raw: str = ""


@frozen(kw_only=True)
class ArchivedOrderReported(OrderEvent):
    """A venue reports on an order that has left State: it is looked up in the journal and taken back."""

    order_id: OrderId
    raw: str = ""


@frozen(kw_only=True)
class OrderRecalled(OrderEvent):
    """An archived order is back in State, as the journal tells it: its events are folded up to `upto_seq`."""

    VERSION = 2
    order_id: OrderId
    order: Order
    executions: dict[str, Execution]


@frozen(kw_only=True)
class OrderArchived(OrderEvent):
    """A closed order and its executions leave State; the journal keeps them."""

    order_id: OrderId
