"""Messages of USD-M futures, as far as they are read here. Unknown fields are ignored, and little is demanded: what
this adapter was written from is a note and others' recordings for some of it, not Binance's documents.

Envelopes and errors are Spot's; a message that lacks what is needed raises its `WireError`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from adapters.binance.wire import NO_ID, Camel, Fault

ZERO = Decimal(0)

# --- answers ------------------------------------------------------------------------------------------------------


class SymbolRow(Camel, frozen=True, kw_only=True):
    """One contract of exchangeInfo. `delivery_date` is far away for a perpetual one."""

    symbol: str
    status: str
    contract_type: str = "PERPETUAL"
    base_asset: str
    quote_asset: str
    margin_asset: str = ""
    delivery_date: int = 0
    filters: tuple[dict[str, Any], ...] = ()


class ExchangeInfo(Camel, frozen=True, kw_only=True):
    """What is traded, under which rules and limits."""

    rate_limits: tuple[dict[str, Any], ...] = ()
    symbols: tuple[SymbolRow, ...] = ()


class AccountConfig(Camel, frozen=True, kw_only=True):
    """Rights and position mode."""

    can_trade: bool = True
    can_withdraw: bool = True
    dual_side_position: bool
    multi_assets_margin: bool = False


class KeyRights(Camel, frozen=True, kw_only=True):
    """What the key may do; Spot's REST tells it for all products."""

    enable_withdrawals: bool
    enable_futures: bool = True
    ip_restrict: bool | None = None


class SymbolConfig(Camel, frozen=True, kw_only=True):
    """Leverage and margin mode of a contract."""

    symbol: str
    margin_type: str
    leverage: int


class BalanceRow(Camel, frozen=True, kw_only=True):
    """What the account has of an asset; `balance` is without open results. `account_alias` names the account."""

    account_alias: str = ""
    asset: str
    balance: Decimal
    available_balance: Decimal | None = None


class Account(Camel, frozen=True, kw_only=True):
    """Margins of the whole account, in USD."""

    total_initial_margin: Decimal = ZERO
    total_maint_margin: Decimal = ZERO
    total_margin_balance: Decimal = ZERO


class PositionRow(Camel, frozen=True, kw_only=True):
    """What is held of a contract, signed in one-way mode."""

    symbol: str
    position_side: str = "BOTH"
    position_amt: Decimal
    entry_price: Decimal = ZERO
    mark_price: Decimal | None = None
    un_realized_profit: Decimal | None = None
    liquidation_price: Decimal | None = None


class OrderRow(Camel, frozen=True, kw_only=True):
    """An order as it stands: a reply or a row of a list."""

    symbol: str
    order_id: int
    client_order_id: str = ""
    status: str
    type: str
    orig_type: str = ""
    side: str
    time_in_force: str = "GTC"
    price: Decimal = ZERO
    orig_qty: Decimal
    executed_qty: Decimal = ZERO
    reduce_only: bool = False
    time: int | None = None
    update_time: int | None = None


class TradeRow(Camel, frozen=True, kw_only=True):
    """One execution of the account; it does not name the client order id."""

    symbol: str
    id: int
    order_id: int
    side: str
    price: Decimal
    qty: Decimal
    commission: Decimal | None = None
    commission_asset: str | None = None
    time: int
    maker: bool = False


class IncomeRow(Camel, frozen=True, kw_only=True):
    """A payment; `tran_id` is unique among those of its type."""

    symbol: str = ""
    income_type: str
    income: Decimal
    asset: str
    time: int
    tran_id: int | str


class ListenKey(Camel, frozen=True, kw_only=True):
    """Under which the account's events are listened to."""

    listen_key: str


# --- events of the account ----------------------------------------------------------------------------------------


class OrderPart(Struct, frozen=True, kw_only=True):
    """The order in an ORDER_TRADE_UPDATE, and what happened to it (`x`)."""

    symbol: str = field(name="s")
    client_id: str = field(name="c", default="")
    side: str = field(name="S")
    type: str = field(name="o")
    time_in_force: str = field(name="f", default="GTC")
    quantity: Decimal = field(name="q")
    price: Decimal = field(name="p", default=ZERO)
    execution: str = field(name="x")
    status: str = field(name="X")
    order_id: int = field(name="i")
    last_quantity: Decimal = field(name="l", default=ZERO)
    filled: Decimal = field(name="z", default=ZERO)
    last_price: Decimal = field(name="L", default=ZERO)
    fee: Decimal | None = field(name="n", default=None)
    fee_asset: str | None = field(name="N", default=None)
    at_ms: int = field(name="T")
    trade_id: int = field(name="t", default=NO_ID)
    is_maker: bool = field(name="m", default=False)
    reason: str | int = field(name="er", default="")


class OrderTradeUpdate(Struct, frozen=True, kw_only=True):
    """ORDER_TRADE_UPDATE."""

    order: OrderPart = field(name="o")


class AccountPart(Struct, frozen=True, kw_only=True):
    """Why the account has changed."""

    reason: str = field(name="m")


class AccountUpdate(Struct, frozen=True, kw_only=True):
    """ACCOUNT_UPDATE: balances and positions, absolute; the books have them from executions."""

    at_ms: int = field(name="T")
    account: AccountPart = field(name="a")


# --- market data --------------------------------------------------------------------------------------------------


class Head(Struct, frozen=True):
    """Any frame of a raw stream: an event of a symbol, or the reply to a request of ours."""

    e: str | None = None
    s: str | None = None
    id: int | None = None
    code: int | None = None
    error: Fault | None = None


class BookTicker(Struct, frozen=True):
    """sym@bookTicker."""

    update: int = field(name="u")
    bid: Decimal = field(name="b")
    bid_quantity: Decimal = field(name="B")
    ask: Decimal = field(name="a")
    ask_quantity: Decimal = field(name="A")
    at_ms: int | None = field(name="T", default=None)


class AggregateTrade(Struct, frozen=True):
    """sym@aggTrade."""

    trade_id: int = field(name="a")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    at_ms: int = field(name="T")
    buyer_is_maker: bool = field(name="m")


class Mark(Struct, frozen=True):
    """sym@markPrice@1s."""

    price: Decimal = field(name="p")
    event_ms: int = field(name="E")


class DepthUpdate(Struct, frozen=True):
    """sym@depth@100ms; `previous` is the last update of the event before it."""

    event_ms: int = field(name="E")
    first_update: int = field(name="U")
    last_update: int = field(name="u")
    previous: int = field(name="pu")
    bids: tuple[tuple[Decimal, Decimal], ...] = field(name="b")
    asks: tuple[tuple[Decimal, Decimal], ...] = field(name="a")
