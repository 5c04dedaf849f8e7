"""Handlers of questions about orders and the account."""

from __future__ import annotations

from typing import Any

from adapters.binance.server import reads
from adapters.binance.server.accounts import restrictions
from adapters.binance.server.call import Call
from adapters.binance.server.errand import Errand
from adapters.binance.server.filters import EXCHANGE_FILTERS
from adapters.binance.server.params import Params, missing
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import ms
from adapters.simulated.faults import Kind

ROWS_MOST = 1_000


def query(call: Call) -> Errand:
    """GET /api/v3/order."""
    params = call.params
    symbol, order_id = params.need("symbol"), params.whole("orderId")
    client_id = params.text("origClientOrderId")
    if order_id is None and client_id is None:
        raise Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return call.errand(Kind.QUERY, lambda floor, _: reads.query(floor, symbol, order_id, client_id))


def open_orders(call: Call) -> Errand:
    """GET /api/v3/openOrders."""
    symbol = call.params.text("symbol")
    return call.errand(Kind.SNAPSHOT, lambda floor, fate: reads.open_orders(floor, symbol, fate.stale_ns))


def _span(params: Params, from_name: str) -> reads.Span:
    limit = params.whole("limit")
    if limit is not None and not 0 < limit <= ROWS_MOST:
        raise Refused(-1100, "Illegal characters found in parameter 'limit'; legal range is '1 - 1000'.")
    return reads.Span(
        from_id=params.whole(from_name), start_ms=_millis(params, "startTime"), end_ms=_millis(params, "endTime"),
        limit=limit or 500,
    )  # fmt: skip


def _millis(params: Params, name: str) -> int | None:
    value = params.whole(name)
    return value if value is None or value < 10**15 else value // 1_000


def all_orders(call: Call) -> Errand:
    """GET /api/v3/allOrders."""
    symbol, span = call.params.need("symbol"), _span(call.params, "orderId")
    return call.errand(Kind.QUERY, lambda floor, _: reads.all_orders(floor, symbol, span))


def my_trades(call: Call) -> Errand:
    """GET /api/v3/myTrades; only the documented combinations of parameters."""
    symbol, order_id, span = call.params.need("symbol"), call.params.whole("orderId"), _span(call.params, "fromId")
    is_timed = span.start_ms is not None or span.end_ms is not None
    if is_timed and (span.from_id is not None or order_id is not None):
        raise Refused(-1128)
    return call.errand(Kind.QUERY, lambda floor, _: reads.my_trades(floor, symbol, order_id, span))


def amendments(call: Call) -> Errand:
    """GET /api/v3/order/amendments."""
    symbol, order_id = call.params.need("symbol"), call.params.whole("orderId")
    if order_id is None:
        raise missing("orderId")
    span = _span(call.params, "fromExecutionId")
    return call.errand(Kind.QUERY, lambda floor, _: reads.amendments(floor, symbol, order_id, span.from_id, span.limit))


def account(call: Call) -> Errand:
    """GET /api/v3/account."""
    omit_zero, fees = call.params.flag("omitZeroBalances"), call.house.options.fees
    return call.errand(Kind.SNAPSHOT, lambda floor, _: reads.account(floor, fees, omit_zero))


def commission(call: Call) -> Errand:
    """GET /api/v3/account/commission."""
    symbol, fees = call.params.need("symbol"), call.house.options.fees
    return call.errand(None, lambda floor, _: reads.commission(floor, symbol, fees))


def order_count(call: Call) -> Any:
    """GET /api/v3/rateLimit/order."""
    return call.house.weights.order_rows()


def my_filters(call: Call) -> Errand:
    """GET /api/v3/myFilters."""
    symbol = call.params.need("symbol")
    return call.errand(
        None,
        lambda floor, _: (
            {"exchangeFilters": EXCHANGE_FILTERS, "symbolFilters": floor.filters(symbol), "assetFilters": []}, [],
        ),
    )  # fmt: skip


def api_restrictions(call: Call) -> Any:
    """GET /sapi/v1/account/apiRestrictions."""
    return restrictions(call.house.rights, ms(call.house.started_ns))


def prevented(call: Call) -> Any:
    """GET /api/v3/myPreventedMatches and myAllocations: there are none."""
    call.params.need("symbol")
    return []
