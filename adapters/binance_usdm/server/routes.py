"""Every endpoint: its path, who may ask, what it weighs, who answers."""

from __future__ import annotations

from adapters.binance.server import markets
from adapters.binance.server.call import Handler
from adapters.binance.server.params import Params
from adapters.binance.server.routes import Route, Weight
from adapters.binance_usdm.server import handlers

_DEPTH_WEIGHTS = ((50, 2), (100, 5), (500, 10))


def _depth_weight(params: Params) -> int:
    text = params.given.get("limit", "500")
    limit = int(text) if text.isdigit() else 500
    return next((weight for most, weight in _DEPTH_WEIGHTS if limit <= most), 20)


def _public(path: str, handler: Handler, weight: Weight = 1) -> Route:
    return Route(method="GET", path=path, name=None, handler=handler, weight=weight)


def _asked(path: str, handler: Handler, weight: Weight = 5, method: str = "GET") -> Route:
    return Route(method=method, path=path, name=None, handler=handler, weight=weight, is_signed=True)


def _order(method: str, path: str, handler: Handler) -> Route:
    return Route(method=method, path=path, name=None, handler=handler, weight=1, is_signed=True, is_order=True)


ROUTES = (
    _public("/fapi/v1/ping", markets.ping),
    _public("/fapi/v1/time", markets.server_time),
    _public("/fapi/v1/exchangeInfo", handlers.exchange_info),
    _public("/fapi/v1/depth", handlers.depth, _depth_weight),
    _public("/fapi/v1/trades", markets.trades, 5),
    _public("/fapi/v1/aggTrades", markets.agg_trades, 20),
    _public("/fapi/v1/klines", markets.klines, 5),
    _public("/fapi/v1/ticker/price", markets.price_ticker),
    _public("/fapi/v1/ticker/bookTicker", markets.book_ticker, 2),
    _public("/fapi/v1/premiumIndex", handlers.premium),
    _order("POST", "/fapi/v1/order", handlers.place),
    _order("PUT", "/fapi/v1/order", handlers.modify),
    _order("DELETE", "/fapi/v1/order", handlers.cancel),
    _order("DELETE", "/fapi/v1/allOpenOrders", handlers.cancel_all),
    _asked("/fapi/v1/order/test", handlers.test, 1, "POST"),
    _asked("/fapi/v1/order", handlers.query, 1),
    _asked("/fapi/v1/openOrders", handlers.open_orders, lambda params: 1 if "symbol" in params.given else 40),
    _asked("/fapi/v1/allOrders", handlers.all_orders),
    _asked("/fapi/v1/userTrades", handlers.user_trades),
    _asked("/fapi/v1/income", handlers.income, 30),
    _asked("/fapi/v2/balance", handlers.balances),
    _asked("/fapi/v3/balance", handlers.balances),
    _asked("/fapi/v2/account", handlers.account),
    _asked("/fapi/v3/account", handlers.account),
    _asked("/fapi/v2/positionRisk", handlers.positions),
    _asked("/fapi/v3/positionRisk", handlers.positions),
    _asked("/fapi/v1/accountConfig", handlers.account_config),
    _asked("/fapi/v1/leverageBracket", handlers.brackets, 1),
    _asked("/fapi/v1/symbolConfig", handlers.symbol_config),
    _asked("/fapi/v1/positionSide/dual", handlers.position_mode, 30),
    _asked("/fapi/v1/positionSide/dual", handlers.set_position_mode, 1, "POST"),
    _asked("/fapi/v1/leverage", handlers.set_leverage, 1, "POST"),
    _asked("/fapi/v1/marginType", handlers.set_margin_type, 1, "POST"),
    _asked("/sapi/v1/account/apiRestrictions", handlers.api_restrictions, 1),
)

BY_PATH = {(route.method, route.path): route for route in ROUTES}
