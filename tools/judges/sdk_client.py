"""binance-sdk-spot pointed at the exchange, and its answers as its models have them: typed, and each field named."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tools.judges.judge import Judge, Mismatch

SYMBOL = "BTCUSDT"
TIMEOUT_MS = 10_000

FORGOTTEN = {
    "NewOrderResponse": {"stopPrice", "trailingDelta", "trailingTime"},
    "DeleteOrderListResponseOrderReportsInner": {"selfTradePreventionMode"},
    "UserDataStreamUnsubscribeResponse": {"rateLimits"},
}
"""What the documentation's text or examples have and the client's models of that release have not."""


def reports(events: list[Any], name: str | None = None, value: str | None = None) -> list[Any]:
    """The executionReports, or those of which a field has that value."""
    found = of_kind(events, "ExecutionReport")
    return found if name is None else [event for event in found if getattr(event, name) == value]


def of_kind(events: list[Any], kind: str) -> list[Any]:
    """The events that the client made this class of."""
    return [event for event in events if type(event).__name__ == kind]


def read(response: Any) -> Any:
    """An answer as the client's model; raises `Mismatch` for a field that it has no name for."""
    found = response.data()
    know(found)
    return getattr(found, "actual_instance", None) or found


def know(found: Any, place: str = "") -> None:
    """Walk through models, lists and what stands for one of several; raises `Mismatch` as `read` does."""
    if isinstance(found, list):
        for each in found:
            know(each, place)
    elif (instance := getattr(found, "actual_instance", None)) is not None:
        know(instance, place)
    elif hasattr(found, "additional_properties"):
        where = f"{place}{type(found).__name__}"
        if unknown := set(found.additional_properties) - FORGOTTEN.get(type(found).__name__, set()):
            raise Mismatch(f"{where} has no {', '.join(sorted(unknown))}")
        for name in type(found).model_fields:
            if name != "additional_properties":
                know(getattr(found, name), f"{where}.")


class SdkClient(Judge):
    """How the client is reached and closed, and what most of its checks begin with."""

    async def begin(self) -> None:
        """One client for REST, the WS API and streams."""
        self.common: Any = import_module("binance_common.configuration")
        self.errors: Any = import_module("binance_common.errors")
        spot = self.spot(self.exchange.api_key, api_secret=self.exchange.secret)
        self.rest, self.ws, self.streams = spot.rest_api, spot.websocket_api, spot.websocket_streams

    async def end(self) -> None:
        """Close what is open."""
        for each in (self.ws, self.streams):
            if each.session is not None:
                await each.close_connection(close_session=True)

    async def tidy(self) -> None:
        """No open orders."""
        self.rest.delete_open_orders(SYMBOL)

    def spot(self, api_key: str, **secret: str) -> Any:
        """A client with that key; its requests are tried once."""
        common, url = self.common, self.exchange.socket_url
        return import_module("binance_sdk_spot").Spot(
            config_rest_api=common.ConfigurationRestAPI(
                api_key=api_key, base_path=self.exchange.url, timeout=TIMEOUT_MS, retries=0, **secret
            ),
            config_ws_api=common.ConfigurationWebSocketAPI(api_key=api_key, stream_url=f"{url}/ws-api/v3", **secret),
            config_ws_streams=common.ConfigurationWebSocketStreams(stream_url=f"{url}/stream"),
        )

    def price(self, part: float) -> float:
        """So many times the best bid."""
        ticker = read(self.rest.ticker_book_ticker(symbol=SYMBOL))
        return round(float(ticker.bid_price) * part, 2)

    def place(self, name: str, quantity: float = 0.001, **more: Any) -> Any:
        """A limit order that rests."""
        asked = {"time_in_force": "GTC", "price": more.pop("price", None) or self.price(0.8)} | more
        return read(self.rest.new_order(SYMBOL, "BUY", "LIMIT", quantity=quantity, new_client_order_id=name, **asked))

    def gone(self, order_id: int) -> Any:
        """The order, canceled."""
        return read(self.rest.delete_order(SYMBOL, order_id=order_id))
