"""The simulated exchange's own messages, and their JSON: the embedded link passes the values, the socket the text.

Symbols are the exchange's; `at_ns` is exchange time. Market data are the engine's own values, under the symbol in
`instrument` and with the instant at which the exchange showed them in `received_ns`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs
import msgspec
from attrs import frozen

from engine.inputs import (
    Balance,
    BookDelta,
    BookSnapshot,
    Candle,
    Quote,
    RequestKind,
    Section,
    TradeTick,
    VenuePosition,
    VenueStatus,
)
from engine.instrument import Instrument
from engine.values import Asset, ClientOrderId, ExecId, Liquidity, OrderType, Side, TimeInForce, VenueOrderId


class WireError(ValueError):
    """A text that is not one of these messages. The sender's fault; the text of the error says where."""


class Reason(StrEnum):
    """Why the exchange refused a request."""

    PRICE_OFF_TICK = "price_off_tick"
    QUANTITY_OFF_LOT = "quantity_off_lot"
    QUANTITY_TOO_SMALL = "quantity_too_small"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    PRICE_TOO_LOW = "price_too_low"
    PRICE_TOO_HIGH = "price_too_high"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_ORDER = "unknown_order"
    ORDER_CLOSED = "order_closed"
    REQUEST_EXPIRED = "request_expired"
    DUPLICATE_ID = "duplicate_id"
    BAD_CLIENT_ID = "bad_client_id"
    POST_ONLY_WOULD_TAKE = "post_only_would_take"
    NOT_SUPPORTED = "not_supported"
    TOO_MANY_ORDERS = "too_many_orders"
    GROUP_DONE = "group_done"
    BUSY = "busy"


# --- requests ---------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Hello:
    """Who are you, what is the time, and stream me these symbols (and every report about orders)."""

    symbols: tuple[str, ...] = ()


@frozen(kw_only=True)
class Place:
    """A new order; refused once the exchange's time is past `expires_ns`."""

    symbol: str
    client_order_id: ClientOrderId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    quantity: Decimal
    price: Decimal | None = None
    expires_ns: int | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    good_till_ns: int | None = None
    group: str | None = None


@frozen(kw_only=True)
class Cancel:
    """Cancel an order, named by the exchange's id or else by any of its client ids."""

    symbol: str
    client_order_id: ClientOrderId | None = None
    venue_order_id: VenueOrderId | None = None
    expires_ns: int | None = None


@frozen(kw_only=True)
class Replace:
    """Change an order under a new client id. `quantity` is the whole order's; prices of None stay as they are."""

    symbol: str
    client_order_id: ClientOrderId | None = None
    venue_order_id: VenueOrderId | None = None
    new_client_order_id: ClientOrderId
    quantity: Decimal
    price: Decimal | None = None
    expires_ns: int | None = None
    stop_price: Decimal | None = None


@frozen(kw_only=True)
class Query:
    """What became of this order?"""

    symbol: str
    client_order_id: ClientOrderId | None = None
    venue_order_id: VenueOrderId | None = None


@frozen(kw_only=True)
class ReadAccount:
    """Open orders, executions since `since_ns`, balances, at one instant."""

    since_ns: int = 0


@frozen
class ReadLedger:
    """All that the ledger holds; never touched by faults or latency, for who checks the books."""


@frozen
class Transfer:
    """A deposit, or with a negative quantity a withdrawal, beside all trading: a balance moves without an execution."""

    asset: Asset
    quantity: Decimal


@frozen
class ReadStatus:
    """How the market's data goes: records played, bad lines, the tape's end."""


@frozen
class Step:
    """Play one record of the tape (speed "step")."""


@frozen
class SetFaults:
    """From now on these faults, spelled as in the configuration; counters begin anew."""

    faults: dict[str, Any]


OrderRequest = Place | Cancel | Replace
Ask = (
    Hello | Place | Cancel | Replace | Query | ReadAccount | ReadLedger | ReadStatus | Step | SetFaults | Transfer
)  # fmt: skip


# --- replies and stream -----------------------------------------------------------------------------------------


@frozen(kw_only=True)
class OrderFrame:
    """What every message about an order carries; `client_order_id` is the one it was created with."""

    symbol: str
    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId | None
    at_ns: int


@frozen(kw_only=True)
class Accepted(OrderFrame):
    """The order is in the book, or about to trade."""


@frozen(kw_only=True)
class Refused(OrderFrame):
    """The request had no effect and will have none."""

    request: RequestKind
    reason: Reason


@frozen(kw_only=True)
class CancelTaken(OrderFrame):
    """The cancel was received; `Canceled` follows on the stream."""


@frozen(kw_only=True)
class ReplaceTaken(OrderFrame):
    """The replacement was received; `Replaced` follows on the stream."""


@frozen(kw_only=True)
class Executed(OrderFrame):
    """One execution."""

    exec_id: ExecId
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: Asset
    liquidity: Liquidity


@frozen(kw_only=True)
class Canceled(OrderFrame):
    """The order is gone by request; `filled` of it had been executed."""

    filled: Decimal


@frozen(kw_only=True)
class Expired(OrderFrame):
    """What was left of the order is gone by its time in force; `filled` of it had been executed."""

    filled: Decimal


@frozen(kw_only=True)
class Replaced(OrderFrame):
    """Quantity and price are in force, under a new client id too; `keeps_priority` where its place in the queue is the
    one that it had."""

    new_client_order_id: ClientOrderId
    quantity: Decimal
    price: Decimal | None
    keeps_priority: bool | None = None


@frozen(kw_only=True)
class Triggered(OrderFrame):
    """The market has come to the order's stop price: it trades from here on."""


@frozen
class Funding:
    """What the account received (below zero: paid) for holding a contract."""

    symbol: str
    funding_id: str
    asset: Asset
    amount: Decimal
    at_ns: int


@frozen(kw_only=True)
class Reduced(OrderFrame):
    """Another order of its group has executed: the whole order's quantity is this from here on."""

    quantity: Decimal


@frozen(kw_only=True)
class OrderRow(OrderFrame):
    """An order as it stands."""

    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    filled: Decimal
    price: Decimal | None
    status: VenueStatus
    stop_price: Decimal | None = None


@frozen(kw_only=True)
class OrderAnswer:
    """Answer to `Query`: the order and all its executions; None where no such order is known."""

    order: OrderRow | None
    executions: tuple[Executed, ...]
    at_ns: int


@frozen(kw_only=True)
class AccountAnswer:
    """Answer to `ReadAccount` and `ReadLedger`; `complete` names the sections that are whole."""

    orders: tuple[OrderRow, ...]
    executions: tuple[Executed, ...]
    balances: tuple[Balance, ...]
    complete: tuple[Section, ...]
    at_ns: int
    positions: tuple[VenuePosition, ...] = ()
    fundings: tuple[Funding, ...] = ()


@frozen(kw_only=True)
class Welcome:
    """Answer to `Hello`: which account, what is traded and by which kinds of order, what time it is; the stream
    follows."""

    account: str
    instruments: tuple[Instrument, ...]
    at_ns: int
    order_types: tuple[OrderType, ...] = tuple(OrderType)
    times_in_force: tuple[TimeInForce, ...] = tuple(TimeInForce)
    links: bool = False


@frozen(kw_only=True)
class Status:
    """Answer to `ReadStatus`, `Step`, `SetFaults` and `Transfer`."""

    at_ns: int
    records: int = 0
    bad_lines: int = 0
    tape_ended: bool = False


@frozen
class Failed:
    """The question, or the request, has no answer: its outcome is unknown."""

    cause: str


@frozen
class Notice:
    """Something about the data that a user should read, such as a line of a tape that is wrong."""

    text: str


@frozen
class Foreign:
    """Something of another exchange's wire, which is spoken for this one; it has no JSON here."""

    body: Any


MarketFrame = Quote | TradeTick | BookSnapshot | BookDelta | Candle
StreamFrame = Accepted | Executed | Canceled | Expired | Replaced | Triggered | Reduced | Funding
Reply = (
    Accepted | Refused | CancelTaken | ReplaceTaken | OrderAnswer | AccountAnswer | Welcome | Status | Failed
)  # fmt: skip
Frame = Reply | StreamFrame | MarketFrame | Notice | Foreign
Message = Ask | Frame

_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Hello, Place, Cancel, Replace, Query, ReadAccount, ReadLedger, ReadStatus, Step, SetFaults, Transfer, Funding,
        Accepted, Refused, CancelTaken, ReplaceTaken, Executed, Canceled, Expired, Replaced, Triggered, Reduced,
        OrderAnswer,
        AccountAnswer, Welcome, Status, Failed, Notice, Quote, TradeTick, BookSnapshot, BookDelta, Candle,
    )
}  # fmt: skip


@frozen
class _Envelope:
    """`id` ties a reply to its request; None on the stream."""

    id: int | None
    type: str
    body: msgspec.Raw


_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> str:
    """A value's JSON with sorted keys and decimals as plain strings, so that equal values have equal bytes.

    >>> canonical(Balance(Asset("BTC"), Decimal("0.0000001"), Decimal(0)))
    '{"asset":"BTC","free":"0.0000001","locked":"0"}'
    >>> canonical(Status(at_ns=1))
    '{"at_ns":1,"bad_lines":0,"records":0,"tape_ended":false}'
    """
    text = _ENCODER.encode(value).decode()
    if "E-" in text or "E+" in text:  # a decimal with an exponent, or a word like one
        return _ENCODER.encode(attrs.asdict(value, value_serializer=_write)).decode()
    return text


def _write(_: Any, __: Any, value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def encode(message: Message | OrderFrame, number: int | None = None) -> str:
    """One message as text; `number` is the request's."""
    tied = "null" if number is None else str(number)
    return f'{{"id":{tied},"type":"{type(message).__name__}","body":{canonical(message)}}}'


def decode(text: str | bytes) -> tuple[int | None, Message]:
    """The message and the number of its request; raises `WireError`."""
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
        kind = _KINDS.get(envelope.type)
        if kind is None:
            raise WireError(f"there is no message of type {envelope.type!r}")
        return envelope.id, msgspec.json.decode(envelope.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(str(error)) from None
