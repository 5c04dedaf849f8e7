"""A new order as it is written on the wire: which parameters each type needs, takes and may not have."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Any

from attrs import frozen

from adapters.binance.server.params import Params, missing
from adapters.binance.server.refusal import Refused
from engine.values import ZERO, OrderType, Side, TimeInForce

TYPES = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
}
TIMES = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
KINDS = frozenset({"ACK", "RESULT", "FULL"})
SELF_TRADE = frozenset({"NONE"})
STRATEGY_TYPE_LEAST = 1_000_000


@frozen(kw_only=True)
class Ticket:
    """One new order, complete. `stop_price` is as sent; `response` is ACK, RESULT or FULL."""

    symbol: str
    side: Side
    type: str
    time_in_force: str
    quantity: Decimal | None
    quote_quantity: Decimal | None
    price: Decimal | None
    stop_price: Decimal | None
    trailing_delta: int | None
    iceberg: Decimal
    client_id: str
    response: str
    self_trade: str = "NONE"
    strategy_id: int | None = None
    strategy_type: int | None = None

    @property
    def order_type(self) -> OrderType:
        """The simulated exchange's word."""
        return TYPES[self.type]

    @property
    def rests(self) -> TimeInForce:
        """The simulated exchange's word for its time in force: what waits for a trigger keeps IOC and FOK aside."""
        return TimeInForce.GTC if self.order_type.has_trigger else TIMES[self.time_in_force]


def new_id() -> str:
    """A client id for who sent none: 22 characters, as Binance makes them."""
    return secrets.token_hex(11)


def read_ticket(params: Params) -> Ticket:
    """The order of POST /api/v3/order and its kin; raises `Refused` for what is documented."""
    kind = params.need("type")
    if kind not in TYPES:
        raise Refused(-1116)
    side = params.need("side")
    if side not in SIDES:
        raise Refused(-1117)
    response = params.choice("newOrderRespType", KINDS, Refused(-1100, _illegal("newOrderRespType")))
    strategy_type = params.whole("strategyType")
    if strategy_type is not None and strategy_type < STRATEGY_TYPE_LEAST:
        raise Refused(-1134)
    self_trade = params.choice(
        "selfTradePreventionMode", SELF_TRADE, Refused(-1100, _illegal("selfTradePreventionMode"))
    )
    limits = _read_numbers(params, kind)
    return Ticket(
        symbol=params.need("symbol"), side=SIDES[side], type=kind,
        client_id=params.client_id("newClientOrderId") or new_id(),
        response=response or ("FULL" if kind in ("MARKET", "LIMIT") else "ACK"), self_trade=self_trade or "NONE",
        strategy_id=params.whole("strategyId"), strategy_type=strategy_type, **limits,
    )  # fmt: skip


def _illegal(name: str) -> str:
    return f"Illegal characters found in parameter '{name}'; legal range is '^[A-Z_]*$'."


def _read_numbers(params: Params, kind: str) -> dict[str, Any]:
    """The parameters that depend on the type."""
    order_type = TYPES[kind]
    price = stop_price = quote = trailing = None
    time_in_force = "GTC"
    if kind == "MARKET":
        params.forbid("timeInForce", "price", "stopPrice", "icebergQty", "trailingDelta")
        quantity, quote = params.number("quantity"), params.number("quoteOrderQty")
        if (quantity is None) is (quote is None):
            raise missing("quantity") if quantity is None else Refused(-1128)
    else:
        params.forbid("quoteOrderQty")
        quantity = params.need_number("quantity")
    if order_type.has_price:
        price = params.need_number("price")
    elif kind != "MARKET":
        params.forbid("price", "timeInForce")
    if order_type.has_price and kind != "LIMIT_MAKER":
        time_in_force = params.choice("timeInForce", TIMES, Refused(-1115)) or _need("timeInForce")
    elif kind == "LIMIT_MAKER":
        params.forbid("timeInForce", "stopPrice", "trailingDelta")
    if order_type.has_trigger:
        stop_price, trailing = params.number("stopPrice"), params.whole("trailingDelta")
        if stop_price is None and trailing is None:
            raise missing("stopPrice")
    elif kind == "LIMIT":
        params.forbid("stopPrice", "trailingDelta")
    iceberg = ZERO if kind == "MARKET" else params.number("icebergQty") or ZERO
    if iceberg and time_in_force != "GTC":
        raise Refused(-1013, "Filter failure: ICEBERG_PARTS")
    return {
        "quantity": quantity, "quote_quantity": quote, "price": price, "stop_price": stop_price,
        "trailing_delta": trailing, "time_in_force": time_in_force, "iceberg": iceberg,
    }  # fmt: skip


def _need(name: str) -> str:
    raise missing(name)
