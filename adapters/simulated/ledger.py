"""The ledger: the exchange's facts, and how they are written down."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from attrs import frozen

from adapters.simulated.wire import Reason, canonical
from engine.inputs import RequestKind
from engine.ports import Draft, Stored
from engine.values import ONE, Asset, ClientOrderId, Liquidity, OrderType, Side, TimeInForce, VenueOrderId

VERSION = 1


@frozen(kw_only=True)
class ExchangeOpened:
    """The first fact; `identity` names the account for life."""

    identity: str


@frozen(kw_only=True)
class Deposited:
    """The account was given this much of an asset, or below zero it was taken out."""

    asset: Asset
    quantity: Decimal


@frozen(kw_only=True)
class FundingPaid:
    """What the account received (below zero: paid) for holding a contract."""

    symbol: str
    asset: Asset
    amount: Decimal


@frozen(kw_only=True)
class TapeStarted:
    """The record at `first_ns` of this tape is played at `started_ns`."""

    tape: str
    first_ns: int
    started_ns: int


@frozen(kw_only=True)
class TapeStepped:
    """One record was played by hand."""


@frozen(kw_only=True)
class OrderAccepted:
    """A new order, whose id is this fact's; each of its leaves locks `reserved_each` of `reserved_asset`. Where it
    `settles_in` an asset it is a contract's."""

    symbol: str
    client_order_id: ClientOrderId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    quantity: Decimal
    price: Decimal | None
    base: Asset
    quote: Asset
    reserved_asset: Asset
    reserved_each: Decimal
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    good_till_ns: int | None = None
    settles_in: Asset | None = None
    multiplier: Decimal = ONE
    group: str | None = None


@frozen(kw_only=True)
class OrderReduced:
    """Another order of its group has executed: the whole order's quantity is this from here on. At what is executed of
    it, it is canceled."""

    venue_order_id: VenueOrderId
    quantity: Decimal


@frozen(kw_only=True)
class OrderTriggered:
    """The market has come to its stop price."""

    venue_order_id: VenueOrderId


@frozen(kw_only=True)
class StopMoved:
    """A trailing stop has followed the market."""

    venue_order_id: VenueOrderId
    stop_price: Decimal


@frozen(kw_only=True)
class OrderRefused:
    """A request that had no effect."""

    request: RequestKind
    symbol: str
    client_order_id: ClientOrderId | None
    reason: Reason


@frozen(kw_only=True)
class OrderExecuted:
    """One execution. What it took of the market's displayed `level` is gone as long as `version` is displayed."""

    venue_order_id: VenueOrderId
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: Asset
    liquidity: Liquidity
    version: int
    level: Decimal | None


@frozen(kw_only=True)
class OrderCanceled:
    """Gone by request."""

    venue_order_id: VenueOrderId


@frozen(kw_only=True)
class OrderExpired:
    """Gone by its time in force."""

    venue_order_id: VenueOrderId


@frozen(kw_only=True)
class OrderReplaced:
    """New quantity (the whole order's) and price, under one more client id."""

    venue_order_id: VenueOrderId
    new_client_order_id: ClientOrderId
    quantity: Decimal
    price: Decimal | None
    reserved_each: Decimal
    keeps_priority: bool
    stop_price: Decimal | None = None


@frozen(kw_only=True)
class TrailSet:
    """A waiting order's stop price follows the market at `bips` ten-thousandths of it, from `begins_at` on: a price
    that the market has to come to first, or None where it follows already."""

    venue_order_id: VenueOrderId
    bips: int
    begins_at: Decimal | None


@frozen(kw_only=True)
class Noted:
    """What an exchange's own wire says of an order, or of something else; a later note on a subject replaces it."""

    subject: str
    text: str


Fact = (
    ExchangeOpened | Deposited | TapeStarted | TapeStepped | OrderAccepted | OrderRefused | OrderExecuted
    | OrderCanceled | OrderExpired | OrderReplaced | OrderTriggered | StopMoved | OrderReduced | FundingPaid
    | TrailSet | Noted
)  # fmt: skip

_KINDS: dict[str, type[Fact]] = {
    kind.__name__: kind
    for kind in (
        ExchangeOpened, Deposited, TapeStarted, TapeStepped, OrderAccepted, OrderRefused, OrderExecuted, OrderCanceled,
        OrderExpired, OrderReplaced, OrderTriggered, StopMoved, OrderReduced, FundingPaid, TrailSet, Noted,
    )
}  # fmt: skip


def draft(seq: int, at_ns: int, fact: Fact) -> Draft:
    """A fact on its way into the log."""
    subject = str(getattr(fact, "venue_order_id", None) or getattr(fact, "client_order_id", None) or "exchange")
    return Draft(seq, at_ns, type(fact).__name__, VERSION, subject, None, canonical(fact))


def fact_of(stored: Stored) -> Fact:
    """The fact of an entry; raises `ValueError` for one that this release does not know."""
    kind = _KINDS.get(stored.kind)
    if kind is None or stored.version != VERSION:
        raise ValueError(f"the exchange's ledger holds {stored.kind} version {stored.version}; use a newer release")
    return msgspec.json.decode(stored.body, type=kind)
