"""JSON as USD-M futures write it."""

from __future__ import annotations

from decimal import Decimal

from adapters.binance.server.shapes import STATUS, Json, eight, ms, quote_filled, trade_id
from adapters.binance.server.terms import Terms
from adapters.simulated.state import Order
from adapters.simulated.wire import Executed, Funding
from engine.values import MILLISECOND_NS, ZERO, Liquidity, Side, divide


def average_price(order: Order) -> Decimal:
    """What was paid for what has executed, by piece; zero before."""
    return divide(quote_filled(order.executions), order.filled) if order.filled else ZERO


def order_row(order: Order, terms: Terms) -> Json:
    """An order as every question and most answers show it."""
    return {
        "orderId": int(order.venue_order_id),
        "symbol": order.accepted.symbol,
        "status": STATUS[order.status],
        "clientOrderId": terms.client_id,
        "price": eight(order.price or ZERO),
        "avgPrice": eight(average_price(order)),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.filled),
        "cumQuote": eight(quote_filled(order.executions)),
        "timeInForce": terms.time_in_force,
        "type": terms.type,
        "reduceOnly": terms.reduce_only,
        "closePosition": False,
        "side": order.accepted.side.upper(),
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": terms.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": terms.good_till_ms,
        "time": terms.created_ms,
        "updateTime": ms(order.updated_ns),
    }


def acknowledged(order: Order, terms: Terms) -> Json:
    """The answer of kind ACK: nothing is told that has happened since."""
    nothing = {"status": "NEW", "executedQty": "0", "cumQty": "0", "cumQuote": "0", "avgPrice": "0.00"}
    return order_row(order, terms) | nothing


def trade_row(executed: Executed) -> Json:
    """A row of userTrades."""
    is_buy = executed.side is Side.BUY
    return {
        "symbol": executed.symbol,
        "id": trade_id(executed),
        "orderId": int(executed.venue_order_id or 0),
        "side": executed.side.upper(),
        "price": eight(executed.price),
        "qty": eight(executed.quantity),
        "realizedPnl": "0",
        "quoteQty": eight(executed.quantity * executed.price),
        "commission": eight(executed.fee),
        "commissionAsset": executed.fee_asset,
        "time": ms(executed.at_ns),
        "positionSide": "BOTH",
        "buyer": is_buy,
        "maker": executed.liquidity is Liquidity.MAKER,
    }


def funding_id(paid: Funding) -> int:
    """The number of a payment."""
    return int(paid.funding_id.removeprefix("f"))


def income_row(paid: Funding) -> Json:
    """A row of income."""
    return {
        "symbol": paid.symbol,
        "incomeType": "FUNDING_FEE",
        "income": eight(paid.amount),
        "asset": paid.asset,
        "info": "FUNDING_FEE",
        "time": paid.at_ns // MILLISECOND_NS,
        "tranId": funding_id(paid),
        "tradeId": "",
    }
