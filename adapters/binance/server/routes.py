"""Every endpoint, once for REST and the WS API: its names, who may ask, what it weighs, who answers."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from adapters.binance.server import asking, markets, trading
from adapters.binance.server.call import Handler
from adapters.binance.server.params import Params

Weight = int | Callable[[Params], int]


@frozen(kw_only=True)
class Route:
    """`is_order` tells the count of orders and, where it succeeds, costs no weight."""

    method: str
    path: str
    name: str | None
    handler: Handler
    weight: Weight = 1
    is_signed: bool = False
    is_order: bool = False

    def weigh(self, params: Params) -> int:
        """What a request costs."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def _by_symbol(one: int, every: int) -> Callable[[Params], int]:
    return lambda params: one if "symbol" in params.given else every


def _public(path: str, name: str | None, handler: Handler, weight: Weight = 1) -> Route:
    return Route(method="GET", path=f"/api/v3/{path}", name=name, handler=handler, weight=weight)


def _asked(path: str, name: str | None, handler: Handler, weight: Weight = 20) -> Route:
    return Route(method="GET", path=f"/api/v3/{path}", name=name, handler=handler, weight=weight, is_signed=True)


def _order(method: str, path: str, name: str | None, handler: Handler, weight: int = 1) -> Route:
    return Route(
        method=method, path=f"/api/v3/{path}", name=name, handler=handler, weight=weight, is_signed=True, is_order=True
    )


ROUTES = (
    _public("ping", "ping", markets.ping),
    _public("time", "time", markets.server_time),
    _public("exchangeInfo", "exchangeInfo", markets.exchange_info, 20),
    _public("depth", "depth", markets.depth, markets.depth_weight),
    _public("trades", "trades.recent", markets.trades, 25),
    _public("historicalTrades", "trades.historical", markets.trades, 25),
    _public("aggTrades", "trades.aggregate", markets.agg_trades, 4),
    _public("klines", "klines", markets.klines, 2),
    _public("uiKlines", "uiKlines", markets.klines, 2),
    _public("avgPrice", "avgPrice", markets.avg_price, 2),
    _public("ticker/price", "ticker.price", markets.price_ticker, _by_symbol(2, 4)),
    _public("ticker/bookTicker", "ticker.book", markets.book_ticker, _by_symbol(2, 4)),
    _public("ticker/24hr", "ticker.24hr", markets.day_ticker, _by_symbol(2, 80)),
    _order("POST", "order", "order.place", trading.place),
    _order("DELETE", "order", "order.cancel", trading.cancel),
    _order("POST", "order/cancelReplace", "order.cancelReplace", trading.cancel_replace),
    _order("PUT", "order/amend/keepPriority", "order.amend.keepPriority", trading.amend, 4),
    _order("DELETE", "openOrders", "openOrders.cancelAll", trading.cancel_all),
    _order("POST", "orderList/oco", "orderList.place.oco", trading.place_oco),
    _order("POST", "order/oco", "orderList.place", trading.place_old_oco),
    _order("DELETE", "orderList", "orderList.cancel", trading.cancel_list),
    Route(
        method="POST", path="/api/v3/order/test", name="order.test", handler=trading.test, is_signed=True,
        weight=lambda params: 20 if params.given.get("computeCommissionRates") == "true" else 1,
    ),
    _asked("order", "order.status", asking.query, 4),
    _asked("openOrders", "openOrders.status", asking.open_orders, _by_symbol(6, 80)),
    _asked("allOrders", "allOrders", asking.all_orders),
    _asked("myTrades", "myTrades", asking.my_trades, lambda params: 5 if "orderId" in params.given else 20),
    _asked("order/amendments", "order.amendments", asking.amendments, 4),
    _asked("orderList", "orderList.status", trading.find_list, 4),
    _asked("allOrderList", "allOrderLists", trading.all_lists),
    _asked("openOrderList", "openOrderLists.status", trading.open_lists, 6),
    _asked("account", "account.status", asking.account),
    _asked("account/commission", "account.commission", asking.commission),
    _asked("rateLimit/order", "account.rateLimits.orders", asking.order_count, 40),
    _asked("myFilters", "myFilters", asking.my_filters, 40),
    _asked("myPreventedMatches", "myPreventedMatches", asking.prevented, 2),
    _asked("myAllocations", "myAllocations", asking.prevented),
    Route(
        method="GET", path="/sapi/v1/account/apiRestrictions", name=None, handler=asking.api_restrictions,
        is_signed=True,
    ),
)  # fmt: skip

BY_PATH = {(route.method, route.path): route for route in ROUTES}
BY_NAME = {route.name: route for route in ROUTES if route.name is not None}

GONE = {("POST", "/api/v3/userDataStream"), ("PUT", "/api/v3/userDataStream"), ("DELETE", "/api/v3/userDataStream")}
"""The listen keys: 410 since 2026-02-20."""

GONE_NAMES = {"userDataStream.start", "userDataStream.ping", "userDataStream.stop"}
