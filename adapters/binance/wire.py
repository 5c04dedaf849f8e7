"""Binance's messages, as far as they are read here. Unknown fields are ignored, because the venue adds some often;
a message that lacks what is needed raises `WireError`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

NO_ID = -1
"""What stands where there is no list or trade id."""


ABSENT = msgspec.Raw()
"""A part that was not there."""


class WireError(ValueError):
    """A text that is not the message it should be. The venue's fault, or a change of its protocol."""


class Camel(Struct, frozen=True, rename="camel", kw_only=True):
    """A message whose fields are written in camelCase."""


# --- envelopes ----------------------------------------------------------------------------------------------------


class RateCount(Camel, frozen=True, kw_only=True):
    """A limit, and with a WS API reply how much of it is used."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int
    count: int | None = None


class Fault(Camel, frozen=True, kw_only=True):
    """An error: the code is stable, the text is not. A cancelReplace carries its two halves in `data`."""

    code: int
    msg: str = ""
    data: msgspec.Raw = ABSENT


class WaitData(Camel, frozen=True, kw_only=True):
    """With a 429 or 418 of the WS API: until when to stay away, in milliseconds of the venue's clock."""

    retry_after: int | None = None
    server_time: int | None = None


class Reply(Camel, frozen=True, kw_only=True):
    """The WS API's answer to the request of that id, or an event when there is no id."""

    id: int | str | None = None
    status: int | None = None
    result: msgspec.Raw = ABSENT
    error: Fault | None = None
    rate_limits: tuple[RateCount, ...] = ()
    subscription_id: int | None = None
    event: msgspec.Raw = ABSENT
    e: str | None = None


class EventName(Camel, frozen=True, kw_only=True):
    """What kind of event it is."""

    e: str


# --- answers ------------------------------------------------------------------------------------------------------


class ServerTime(Camel, frozen=True, kw_only=True):
    """Milliseconds."""

    server_time: int


class Subscribed(Camel, frozen=True, kw_only=True):
    """Events follow under this id."""

    subscription_id: int


class SymbolRow(Camel, frozen=True, kw_only=True):
    """One symbol of exchangeInfo."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    order_types: tuple[str, ...] = ()
    cancel_replace_allowed: bool = False
    amend_allowed: bool = False
    oco_allowed: bool = False
    allow_trailing_stop: bool = False
    is_spot_trading_allowed: bool = True
    permission_sets: tuple[tuple[str, ...], ...] = ()
    filters: tuple[dict[str, Any], ...] = ()


class ExchangeInfo(Camel, frozen=True, kw_only=True):
    """What is traded, under which rules and limits."""

    server_time: int = 0
    rate_limits: tuple[dict[str, Any], ...] = ()
    exchange_filters: tuple[dict[str, Any], ...] = ()
    symbols: tuple[SymbolRow, ...] = ()


class BalanceRow(Camel, frozen=True, kw_only=True):
    """What the account has of an asset."""

    asset: str
    free: Decimal
    locked: Decimal


class Account(Camel, frozen=True, kw_only=True):
    """The account's rights and balances."""

    balances: tuple[BalanceRow, ...]
    can_trade: bool = True
    can_withdraw: bool = False
    can_deposit: bool = True
    account_type: str = ""
    permissions: tuple[str, ...] = ()
    uid: int | None = None
    update_time: int | None = None


class KeyRights(Camel, frozen=True, kw_only=True):
    """What the key may do; the account may do more."""

    enable_withdrawals: bool
    enable_spot_and_margin_trading: bool = True
    enable_reading: bool = True
    ip_restrict: bool | None = None


class FillRow(Camel, frozen=True, kw_only=True):
    """One execution in the reply to a new order; the order took."""

    price: Decimal
    qty: Decimal
    commission: Decimal | None = None
    commission_asset: str | None = None
    trade_id: int = NO_ID


class OrderRow(Camel, frozen=True, kw_only=True):
    """An order as it stands: the reply to a new one or to a cancel, an answer to a query, a row of a list. An ACK has
    the ids alone."""

    symbol: str
    order_id: int
    client_order_id: str = ""
    orig_client_order_id: str = ""
    order_list_id: int = NO_ID
    transact_time: int | None = None
    time: int | None = None
    update_time: int | None = None
    price: Decimal | None = None
    orig_qty: Decimal | None = None
    executed_qty: Decimal | None = None
    prevented_quantity: Decimal | None = None
    status: str | None = None
    time_in_force: str = "GTC"
    type: str | None = None
    side: str | None = None
    stop_price: Decimal | None = None
    is_working: bool | None = None
    expiry_reason: str = ""
    fills: tuple[FillRow, ...] = ()


class AmendedOrder(Camel, frozen=True, kw_only=True):
    """An order after its quantity was reduced in place."""

    symbol: str
    order_id: int
    orig_client_order_id: str = ""
    client_order_id: str = ""
    price: Decimal
    qty: Decimal
    executed_qty: Decimal = Decimal(0)
    status: str = ""


class ListPlaced(Camel, frozen=True, kw_only=True):
    """The reply to a new list: its orders as they stand."""

    order_list_id: int
    order_reports: tuple[OrderRow, ...] = ()


class Amended(Camel, frozen=True, kw_only=True):
    """The reply to an amendment."""

    transact_time: int
    amended_order: AmendedOrder


class CancelReplaced(Camel, frozen=True, kw_only=True):
    """The two halves of a cancelReplace; a half that failed is a `Fault`, one that was not tried is null."""

    cancel_result: str
    new_order_result: str
    cancel_response: msgspec.Raw
    new_order_response: msgspec.Raw


class TradeRow(Camel, frozen=True, kw_only=True):
    """One execution of the account; it does not name the client order id."""

    symbol: str
    id: int
    order_id: int
    price: Decimal
    qty: Decimal
    commission: Decimal | None = None
    commission_asset: str | None = None
    time: int
    is_buyer: bool
    is_maker: bool


class DepthSnapshot(Camel, frozen=True, kw_only=True):
    """A book; also the payload of a partial depth stream."""

    last_update_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


# --- events of the account ----------------------------------------------------------------------------------------


class ExecutionReport(Struct, frozen=True, kw_only=True):
    """executionReport."""

    symbol: str = field(name="s")
    client_id: str = field(name="c", default="")
    original_id: str | None = field(name="C", default="")
    side: str = field(name="S")
    type: str = field(name="o")
    time_in_force: str = field(name="f", default="GTC")
    quantity: Decimal = field(name="q")
    price: Decimal = field(name="p")
    execution: str = field(name="x")
    status: str = field(name="X")
    reject_reason: str = field(name="r", default="NONE")
    order_id: int = field(name="i")
    last_quantity: Decimal = field(name="l", default=Decimal(0))
    filled: Decimal = field(name="z", default=Decimal(0))
    last_price: Decimal = field(name="L", default=Decimal(0))
    fee: Decimal | None = field(name="n", default=None)
    fee_asset: str | None = field(name="N", default=None)
    at_ms: int = field(name="T")
    trade_id: int = field(name="t", default=NO_ID)
    is_on_book: bool = field(name="w", default=False)
    is_maker: bool = field(name="m", default=False)
    prevented: Decimal | None = field(name="A", default=None)
    expiry_reason: str = field(name="eR", default="")


# --- market data --------------------------------------------------------------------------------------------------


class Combined(Struct, frozen=True):
    """A frame of `/stream`: `stream` tells whose it is. Without it, the reply to a request of ours."""

    stream: str | None = None
    data: msgspec.Raw = ABSENT
    id: int | None = None
    code: int | None = None
    error: Fault | None = None


class BookTicker(Struct, frozen=True):
    """sym@bookTicker: it carries no time."""

    update: int = field(name="u")
    symbol: str = field(name="s")
    bid: Decimal = field(name="b")
    bid_quantity: Decimal = field(name="B")
    ask: Decimal = field(name="a")
    ask_quantity: Decimal = field(name="A")


class PublicTrade(Struct, frozen=True):
    """sym@trade."""

    event_ms: int = field(name="E")
    symbol: str = field(name="s")
    trade_id: int = field(name="t")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    at_ms: int = field(name="T")
    buyer_is_maker: bool = field(name="m")


class DepthUpdate(Struct, frozen=True):
    """sym@depth[@100ms]."""

    event_ms: int = field(name="E")
    symbol: str = field(name="s")
    first_update: int = field(name="U")
    last_update: int = field(name="u")
    bids: tuple[tuple[Decimal, Decimal], ...] = field(name="b")
    asks: tuple[tuple[Decimal, Decimal], ...] = field(name="a")


Message = TypeVar("Message")


def is_there(part: msgspec.Raw) -> bool:
    """Was the part sent, and with something in it?"""
    return bytes(part) not in (b"", b"null")


def decode(text: str | bytes | msgspec.Raw, kind: type[Message]) -> Message:
    """A text as that message; raises `WireError`.

    >>> decode('{"serverTime": 1499827319559, "new": 1}', ServerTime).server_time
    1499827319559
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(str(error)) from None
