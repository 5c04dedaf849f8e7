"""A new order as it is written on the wire: which parameters each type needs, and what is refused."""

from __future__ import annotations

import re
from decimal import Decimal

from attrs import frozen

from adapters.binance.server.params import Params, missing
from adapters.binance.server.refusal import Refused
from adapters.binance.server.tickets import new_id
from engine.values import MILLISECOND_NS, OrderType, Side, TimeInForce

TYPES = {"LIMIT": OrderType.LIMIT, "MARKET": OrderType.MARKET}
CONDITIONAL = frozenset("STOP STOP_MARKET TAKE_PROFIT TAKE_PROFIT_MARKET TRAILING_STOP_MARKET".split())
TIMES = {
    "GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "GTX": TimeInForce.GTC,
    "GTD": TimeInForce.GTD,
}  # fmt: skip
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
KINDS = frozenset({"ACK", "RESULT"})
CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
POST_ONLY = "GTX"
ONE_WAY = "BOTH"


@frozen(kw_only=True)
class Ticket:
    """One new order, complete; `response` is ACK or RESULT."""

    symbol: str
    side: Side
    type: str
    time_in_force: str
    quantity: Decimal
    price: Decimal | None
    reduce_only: bool
    client_id: str
    response: str
    position_side: str
    good_till_ms: int = 0

    @property
    def good_till_ns(self) -> int | None:
        """When it ends."""
        return self.good_till_ms * MILLISECOND_NS if self.good_till_ms else None


def read_ticket(params: Params) -> Ticket:
    """The order of POST /fapi/v1/order; raises `Refused`."""
    kind = params.need("type")
    if kind in CONDITIONAL:
        raise Refused(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints.")
    if kind not in TYPES:
        raise Refused(-1116)
    side = params.need("side")
    if side not in SIDES:
        raise Refused(-1117)
    time_in_force, price = "GTC", None
    if kind == "LIMIT":
        price = params.need_number("price")
        time_in_force = params.choice("timeInForce", TIMES, Refused(-1115)) or _need("timeInForce")
    good_till = params.whole("goodTillDate")
    if (time_in_force == "GTD") is (good_till is None):
        raise missing("goodTillDate")
    response = params.choice("newOrderRespType", KINDS, Refused(-1102, "newOrderRespType is ACK or RESULT."))
    return Ticket(
        symbol=params.need("symbol"), side=SIDES[side], type=kind, time_in_force=time_in_force,
        quantity=params.need_number("quantity"), price=price, reduce_only=params.flag("reduceOnly"),
        client_id=_client_id(params) or new_id(), response=response or "ACK",
        position_side=params.text("positionSide") or ONE_WAY, good_till_ms=good_till or 0,
    )  # fmt: skip


def _client_id(params: Params) -> str | None:
    value = params.text("newClientOrderId")
    if value is not None and not CLIENT_ID.fullmatch(value):
        raise Refused(-4015, "Client order id is not valid.")
    return value


def _need(name: str) -> str:
    raise missing(name)
