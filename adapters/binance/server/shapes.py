"""JSON as Binance writes it: decimals are strings of eight places, times milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from adapters.binance.server.terms import ListTerms, Terms
from adapters.simulated.state import Order
from adapters.simulated.wire import Executed
from engine.inputs import VenueStatus
from engine.values import MILLISECOND_NS, ZERO, Liquidity, Side

Json = dict[str, Any]

STATUS = {
    VenueStatus.NEW: "NEW",
    VenueStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    VenueStatus.FILLED: "FILLED",
    VenueStatus.CANCELED: "CANCELED",
    VenueStatus.EXPIRED: "EXPIRED",
}
CONDITIONAL = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})


def eight(number: Decimal) -> str:
    """A decimal as Binance writes it.

    >>> eight(Decimal("0.1"))
    '0.10000000'
    """
    return f"{number:.8f}"


def ms(at_ns: int) -> int:
    """Milliseconds."""
    return at_ns // MILLISECOND_NS


def trade_id(executed: Executed) -> int:
    """The execution's number: the same in fills, executionReport `t` and myTrades `id`."""
    return int(executed.exec_id.removeprefix("x"))


def quote_filled(executions: Sequence[Executed]) -> Decimal:
    """What was paid or received for them."""
    return sum((each.quantity * each.price for each in executions), ZERO)


def is_working(order: Order) -> bool:
    """Does it stand in the book (or did it)?"""
    return not order.waits


def working_ms(order: Order, terms: Terms) -> int:
    """When it began to work; -1 before."""
    if order.waits:
        return -1
    if not order.accepted.order_type.has_trigger:
        return terms.created_ms
    return ms(min([order.updated_ns, *(each.at_ns for each in order.executions[:1])]))


def expiry_reason(order: Order, terms: Terms) -> str | None:
    """Why what was left of it expired."""
    if order.status is not VenueStatus.EXPIRED:
        return None
    if terms.list_id >= 0 and order.accepted.group is not None and order.accepted.time_in_force.may_rest:
        return "OCO_TRIGGER"
    if terms.type in ("MARKET", "STOP_LOSS", "TAKE_PROFIT"):
        return "INSUFFICIENT_LIQUIDITY"
    words = {"IOC": "UNFILLED_IOC_QUANTITY_EXPIRED", "FOK": "UNFILLED_FOK_ORDER_EXPIRED"}
    return words.get(terms.time_in_force, "EXCHANGE_CANCELED")


def _head(order: Order, terms: Terms) -> Json:
    return {
        "symbol": order.accepted.symbol,
        "orderId": int(order.venue_order_id),
        "orderListId": terms.list_id,
        "clientOrderId": terms.client_id,
    }


def _state(order: Order, terms: Terms) -> Json:
    return {
        "price": eight(order.price or ZERO),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.filled),
        "origQuoteOrderQty": eight(terms.quote_quantity),
        "cummulativeQuoteQty": eight(quote_filled(order.executions)),
        "status": STATUS[order.status],
        "timeInForce": terms.time_in_force,
        "type": terms.type,
        "side": order.accepted.side.upper(),
    }


def _stop(order: Order, terms: Terms) -> Decimal | None:
    return terms.sent_stop if terms.trailing_delta is not None else order.stop_price


def _conditional(order: Order, terms: Terms) -> Json:
    """Fields that are there only where they mean something."""
    told: Json = {}
    stop = _stop(order, terms)
    if stop is not None:
        told["stopPrice"] = eight(stop)
    if terms.iceberg:
        told["icebergQty"] = eight(terms.iceberg)
    if terms.trailing_delta is not None:
        told["trailingDelta"] = terms.trailing_delta
        told["trailingTime"] = terms.created_ms if terms.sent_stop is None else -1
    if terms.strategy_id is not None:
        told["strategyId"] = terms.strategy_id
    if terms.strategy_type is not None:
        told["strategyType"] = terms.strategy_type
    reason = expiry_reason(order, terms)
    if reason is not None:
        told["expiryReason"] = reason
    return told


def placed(order: Order, terms: Terms, kind: str, at_ns: int) -> Json:
    """The answer to a new order: ACK, RESULT or FULL."""
    told = _head(order, terms) | {"transactTime": ms(at_ns)}
    if kind == "ACK":
        return told
    told |= _state(order, terms) | {"workingTime": working_ms(order, terms)}
    told |= {"selfTradePreventionMode": terms.self_trade} | _conditional(order, terms)
    if kind == "FULL":
        told["fills"] = [_fill(each) for each in order.executions]
    return told


def _fill(executed: Executed) -> Json:
    return {
        "price": eight(executed.price),
        "qty": eight(executed.quantity),
        "commission": eight(executed.fee),
        "commissionAsset": executed.fee_asset,
        "tradeId": trade_id(executed),
    }


def canceled(order: Order, terms: Terms, at_ns: int) -> Json:
    """The answer to a cancel; `clientOrderId` is the cancel's own."""
    told: Json = {"symbol": order.accepted.symbol, "origClientOrderId": terms.first_id} | _head(order, terms)
    told |= {"transactTime": ms(at_ns)} | _state(order, terms)
    return told | {"selfTradePreventionMode": terms.self_trade} | _conditional(order, terms)


def queried(order: Order, terms: Terms) -> Json:
    """An order as GET /order, openOrders and allOrders show it."""
    told: Json = _head(order, terms) | _state(order, terms)
    told |= {
        "stopPrice": eight(_stop(order, terms) or ZERO),
        "icebergQty": eight(terms.iceberg),
        "time": terms.created_ms,
        "updateTime": ms(order.updated_ns),
        "isWorking": is_working(order),
        "workingTime": working_ms(order, terms),
        "origQuoteOrderQty": eight(terms.quote_quantity),
        "selfTradePreventionMode": terms.self_trade,
    }
    return told | _conditional(order, terms)


def amended(order: Order, terms: Terms, execution_id: int, at_ns: int) -> Json:
    """The answer to a reduction in place."""
    last = terms.amendments[-1]
    return {
        "transactTime": ms(at_ns),
        "executionId": execution_id,
        "amendedOrder": {
            "symbol": order.accepted.symbol,
            "orderId": int(order.venue_order_id),
            "orderListId": terms.list_id,
            "origClientOrderId": last.old_id,
            "clientOrderId": terms.client_id,
            "price": eight(order.price or ZERO),
            "qty": eight(order.quantity),
            "executedQty": eight(order.filled),
            "preventedQty": eight(ZERO),
            "quoteOrderQty": eight(terms.quote_quantity),
            "cumulativeQuoteQty": eight(quote_filled(order.executions)),
            "status": STATUS[order.status],
            "timeInForce": terms.time_in_force,
            "type": terms.type,
            "side": order.accepted.side.upper(),
            "workingTime": working_ms(order, terms),
            "selfTradePreventionMode": terms.self_trade,
        },
    }


def my_trade(executed: Executed, terms: Terms) -> Json:
    """A row of myTrades."""
    return {
        "symbol": executed.symbol,
        "id": trade_id(executed),
        "orderId": int(executed.venue_order_id or 0),
        "orderListId": terms.list_id,
        "price": eight(executed.price),
        "qty": eight(executed.quantity),
        "quoteQty": eight(executed.quantity * executed.price),
        "commission": eight(executed.fee),
        "commissionAsset": executed.fee_asset,
        "time": ms(executed.at_ns),
        "isBuyer": executed.side is Side.BUY,
        "isMaker": executed.liquidity is Liquidity.MAKER,
        "isBestMatch": True,
    }


def order_list(terms: ListTerms, legs: Sequence[tuple[Order, Terms]], status: str, done: bool) -> Json:
    """An order list as its own endpoints show it."""
    return {
        "orderListId": terms.list_id,
        "contingencyType": terms.contingency,
        "listStatusType": status,
        "listOrderStatus": "ALL_DONE" if done else "EXECUTING",
        "listClientOrderId": terms.client_id,
        "transactionTime": terms.created_ms,
        "symbol": terms.symbol,
        "orders": [
            {
                "symbol": terms.symbol,
                "orderId": int(order.venue_order_id),
                "clientOrderId": each.first_id or each.client_id,
            }
            for order, each in legs
        ],
    }
