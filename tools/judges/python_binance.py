"""python-binance judges: parameters sorted, in a form for POST and in the query else; its own sockets and parsers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from tools.judges.judge import Judge, holds, refused, run, same, same_books

SYMBOL = "BTCUSDT"
SECONDS = 15


class PythonBinance(Judge):
    """`binance.Client`, `binance.AsyncClient` and `binance.BinanceSocketManager`."""

    package = "python-binance"
    lacks: ClassVar[Mapping[str, str]] = {"amend": "the client has no call for it"}

    async def begin(self) -> None:
        """One client of each kind, pointed at the exchange."""
        self.binance: Any = import_module("binance")
        self.faulty: Any = import_module("binance.exceptions").BinanceAPIException
        self.client = self._client()
        self.far: Any = self.binance.AsyncClient(self.exchange.api_key, self.exchange.secret)
        self.far.API_URL = f"{self.exchange.url}/api"
        self.far.ws_api._url = f"{self.exchange.socket_url}/ws-api/v3"
        self.sockets: Any = self.binance.BinanceSocketManager(self.far)
        self.sockets.STREAM_URL = f"{self.exchange.socket_url}/"

    async def end(self) -> None:
        """Close what is open."""
        await self.far.ws_api.close()
        await self.far.close_connection()

    async def tidy(self) -> None:
        """No open orders."""
        self.client.cancel_all_open_orders(symbol=SYMBOL)

    def _client(self, key: str | None = None, secret: str | None = None) -> Any:
        client = self.binance.Client(key or self.exchange.api_key, secret or self.exchange.secret, ping=False)
        client.API_URL = f"{self.exchange.url}/api"
        client.MARGIN_API_URL = f"{self.exchange.url}/sapi"
        return client

    def _far_price(self) -> str:
        """At which a buy order rests."""
        return f"{float(self.client.get_orderbook_ticker(symbol=SYMBOL)['bidPrice']) * 0.8:.2f}"

    def _rest(self, name: str, **more: Any) -> Any:
        """A limit order that rests."""
        asked = {"quantity": "0.00100", "price": self._far_price(), "newClientOrderId": name}
        return self.client.order_limit_buy(symbol=SYMBOL, **(asked | more))

    # --- the market -------------------------------------------------------------------------------------------------

    def server_time(self) -> None:
        """Within a minute of ours."""
        told = self.client.get_server_time()["serverTime"]
        holds(abs(told - time.time() * 1_000) < 60_000, f"{told} is the time")

    def exchange_info(self) -> None:
        """By the call for all symbols and by the one for one."""
        info = self.client.get_exchange_info()
        holds(SYMBOL in [row["symbol"] for row in info["symbols"]], f"{SYMBOL} is listed")
        one = self.client.get_symbol_info(SYMBOL)
        names = {each["filterType"] for each in one["filters"]}
        holds({"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"} <= names, f"the filters are {names}")
        same(
            {each["rateLimitType"] for each in info["rateLimits"]},
            {"REQUEST_WEIGHT", "ORDERS", "RAW_REQUESTS"},
            "limits",
        )

    def order_book(self) -> None:
        """Sorted on both sides."""
        book = self.client.get_order_book(symbol=SYMBOL, limit=100)
        bids, asks = [[float(price) for price, _ in book[side]] for side in ("bids", "asks")]
        same((sorted(bids, reverse=True), sorted(asks)), (bids, asks), "the order of the levels")
        holds(bids[0] < asks[0], f"the best bid {bids[0]} is below the best ask {asks[0]}")

    def recent_trades(self) -> None:
        """Recent and aggregated ones."""
        ids = [row["id"] for row in self.client.get_recent_trades(symbol=SYMBOL, limit=50)]
        same(ids, sorted(set(ids)), "the ids")
        holds(self.client.get_aggregate_trades(symbol=SYMBOL, limit=5), "there are aggregated trades")

    def klines(self) -> None:
        """By the plain call, and by the one that pages through history."""
        rows = self.client.get_klines(symbol=SYMBOL, interval="1m", limit=10)
        same({len(row) for row in rows}, {12}, "columns")
        holds(all(float(low) <= float(high) for _, _, high, low, *_ in rows), "the low is below the high")
        paged = self.client.get_historical_klines(SYMBOL, "1m", rows[0][0], rows[-1][0])
        same([row[0] for row in paged], [row[0] for row in rows], "the opening times of the pages")

    def book_ticker(self) -> None:
        """One symbol and all."""
        ticker = self.client.get_orderbook_ticker(symbol=SYMBOL)
        holds(float(ticker["bidPrice"]) < float(ticker["askPrice"]), f"{ticker} is not crossed")
        holds(SYMBOL in [row["symbol"] for row in self.client.get_orderbook_tickers()], "all symbols have one")
        holds(float(self.client.get_symbol_ticker(symbol=SYMBOL)["price"]) > 0, "there is a last price")
        holds(float(self.client.get_avg_price(symbol=SYMBOL)["price"]) > 0, "there is an average price")
        same(self.client.get_ticker(symbol=SYMBOL)["symbol"], SYMBOL, "the symbol of the day's figures")

    # --- orders -----------------------------------------------------------------------------------------------------

    def limit_order(self) -> None:
        """The reply is a full one."""
        order = self._rest("pb-limit")
        same((order["clientOrderId"], order["status"], order["type"]), ("pb-limit", "NEW", "LIMIT"), "the order")
        same((order["origQty"], order["executedQty"]), ("0.00100000", "0.00000000"), "its quantities")
        same(order["fills"], [], "its fills")
        self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])

    def market_order(self) -> None:
        """By quantity and by what it may cost."""
        order = self.client.order_market_buy(symbol=SYMBOL, quantity="0.01", newClientOrderId="pb-market")
        same((order["status"], order["executedQty"]), ("FILLED", "0.01000000"), "the order")
        same(round(sum(float(fill["qty"]) for fill in order["fills"]), 8), 0.01, "the sum of its fills")
        cost = self.client.order_market_sell(symbol=SYMBOL, quoteOrderQty="50")
        holds(45 < float(cost["cummulativeQuoteQty"]) <= 50, f"it cost {cost['cummulativeQuoteQty']}")

    def stop_order(self) -> None:
        """A stop-loss, and one with a limit."""
        price = self._far_price()
        asked = {"symbol": SYMBOL, "side": "SELL", "quantity": "0.001", "stopPrice": price}
        plain = self.client.create_order(type="STOP_LOSS", newClientOrderId="pb-stop", **asked)
        limit = self.client.create_order(type="STOP_LOSS_LIMIT", price=price, timeInForce="GTC", **asked)
        found = self.client.get_order(symbol=SYMBOL, origClientOrderId="pb-stop")
        same((found["status"], found["isWorking"], found["type"]), ("NEW", False, "STOP_LOSS"), "the stop")
        for order in (plain, limit):
            self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])

    def limit_maker(self) -> None:
        """Far away it rests; at the other side it is refused."""
        asked = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.001"}
        order = self.client.create_order(price=self._far_price(), **asked)
        same(self.client.get_order(symbol=SYMBOL, orderId=order["orderId"])["status"], "NEW", "its status")
        self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])
        ask = float(self.client.get_orderbook_ticker(symbol=SYMBOL)["askPrice"])
        with refused(self.faulty, code=-2010, message="Order would immediately match and take."):
            self.client.create_order(price=f"{ask * 1.05:.2f}", **asked)

    def oco(self) -> None:
        """Above the market a limit, below it a stop."""
        bid = float(self.client.get_orderbook_ticker(symbol=SYMBOL)["bidPrice"])
        placed = self.client.create_oco_order(
            symbol=SYMBOL, side="SELL", quantity="0.001", aboveType="LIMIT_MAKER", abovePrice=f"{bid * 1.2:.2f}",
            belowType="STOP_LOSS_LIMIT", belowStopPrice=f"{bid * 0.8:.2f}", belowPrice=f"{bid * 0.79:.2f}",
            belowTimeInForce="GTC",
        )  # fmt: skip
        same((placed["contingencyType"], placed["listOrderStatus"]), ("OCO", "EXECUTING"), "the list")
        same({row["type"] for row in placed["orderReports"]}, {"LIMIT_MAKER", "STOP_LOSS_LIMIT"}, "the legs")
        holds(self.client.get_open_oco_orders(), "there is an open list")
        leg = placed["orders"][0]["orderId"]
        self.client.cancel_order(symbol=SYMBOL, orderId=leg)
        same([row["orderId"] for row in self.client.get_open_orders(symbol=SYMBOL)], [], "open orders afterwards")

    def query(self) -> None:
        """By either id."""
        order = self._rest("pb-query")
        for asked in ({"orderId": order["orderId"]}, {"origClientOrderId": "pb-query"}):
            found = self.client.get_order(symbol=SYMBOL, **asked)
            same((found["orderId"], found["status"], found["isWorking"]), (order["orderId"], "NEW", True), "the order")
        self.client.cancel_order(symbol=SYMBOL, origClientOrderId="pb-query")

    def open_orders(self) -> None:
        """Of a symbol and of the account; then none."""
        order = self._rest("pb-open")
        for asked in ({"symbol": SYMBOL}, {}):
            same([row["orderId"] for row in self.client.get_open_orders(**asked)], [order["orderId"]], "open orders")
        self.client.cancel_all_open_orders(symbol=SYMBOL)
        same(self.client.get_open_orders(), [], "open orders afterwards")

    def all_orders(self) -> None:
        """In the order of their ids."""
        rows = self.client.get_all_orders(symbol=SYMBOL)
        ids = [row["orderId"] for row in rows]
        same(ids, sorted(set(ids)), "the ids")
        holds({"FILLED", "CANCELED"} <= {row["status"] for row in rows}, "filled and canceled ones are among them")
        same(
            [row["orderId"] for row in self.client.get_all_orders(symbol=SYMBOL, orderId=ids[1], limit=2)],
            ids[1:3],
            "a page",
        )

    def my_trades(self) -> None:
        """All, those of an order, those from an id on."""
        rows = self.client.get_my_trades(symbol=SYMBOL)
        market = self.client.get_order(symbol=SYMBOL, origClientOrderId="pb-market")
        mine = self.client.get_my_trades(symbol=SYMBOL, orderId=market["orderId"])
        same(round(sum(float(row["qty"]) for row in mine), 8), 0.01, "what the order executed")
        holds(all(row["isBuyer"] and not row["isMaker"] and row["commissionAsset"] for row in mine), "it took")
        last = rows[-1]["id"]
        same([row["id"] for row in self.client.get_my_trades(symbol=SYMBOL, fromId=last)], [last], "a page")

    def cancel(self) -> None:
        """It takes the cancel's name, and tells its first one."""
        order = self._rest("pb-cancel")
        gone = self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"], newClientOrderId="pb-cancel-c")
        same(
            (gone["status"], gone["origClientOrderId"], gone["clientOrderId"]),
            ("CANCELED", "pb-cancel", "pb-cancel-c"),
            "it",
        )

    def cancel_and_replace(self) -> None:
        """Both halves; where the cancel fails nothing new is placed."""
        order = self._rest("pb-replace")
        asked = {
            "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.002",
            "price": self._far_price(), "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": order["orderId"],
        }  # fmt: skip
        done = self.client.cancel_replace_order(newClientOrderId="pb-replaced", **asked)
        same((done["cancelResult"], done["newOrderResult"]), ("SUCCESS", "SUCCESS"), "the two halves")
        same(done["newOrderResponse"]["clientOrderId"], "pb-replaced", "the new order")
        with refused(self.faulty, code=-2022, status_code=400):
            self.client.cancel_replace_order(**asked)
        self.client.cancel_order(symbol=SYMBOL, origClientOrderId="pb-replaced")

    def account(self) -> None:
        """An open order locks what it may cost."""
        order = self._rest("pb-account")
        locked = float(self.client.get_asset_balance(asset="USDT")["locked"])
        same(round(locked, 8), round(float(order["price"]) * 0.001, 8), "what is locked")
        self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])
        same(float(self.client.get_asset_balance(asset="USDT")["locked"]), 0.0, "what is locked afterwards")
        holds(self.client.get_account()["canTrade"], "the account may trade")
        same(self.client.get_account_api_permissions()["enableSpotAndMarginTrading"], True, "the key may trade")

    # --- refusals ---------------------------------------------------------------------------------------------------

    def insufficient_balance(self) -> None:
        """More than there is."""
        with refused(self.faulty, code=-2010, message="Account has insufficient balance for requested action."):
            self._rest("pb-poor", quantity="90")

    def filter_failure(self) -> None:
        """Off the tick, below the lot, below the least notional."""
        for wrong, name in (
            ({"price": f"{self._far_price()}1"}, "PRICE_FILTER"),
            ({"quantity": "0.000001"}, "LOT_SIZE"),
            ({"quantity": "0.00001"}, "NOTIONAL"),
        ):
            with refused(self.faulty, code=-1013, status_code=400, message=f"Filter failure: {name}"):
                self._rest("pb-filter", **wrong)

    def unknown_order(self) -> None:
        """A query and a cancel."""
        with refused(self.faulty, code=-2013):
            self.client.get_order(symbol=SYMBOL, orderId=987_654_321)
        with refused(self.faulty, code=-2011, message="Unknown order sent."):
            self.client.cancel_order(symbol=SYMBOL, origClientOrderId="pb-nobody")

    def duplicate_id(self) -> None:
        """Refused among the open ones only."""
        order = self._rest("pb-twice")
        with refused(self.faulty, code=-2010, message="Duplicate order sent."):
            self._rest("pb-twice")
        self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])
        again = self._rest("pb-twice")
        holds(again["orderId"] > order["orderId"], "it is another order")
        self.client.cancel_order(symbol=SYMBOL, orderId=again["orderId"])

    def unknown_symbol(self) -> None:
        """Nothing is traded under that name."""
        with refused(self.faulty, code=-1121, message="Invalid symbol."):
            self.client.get_order_book(symbol="NOTHING")

    def bad_signature(self) -> None:
        """Signed with another secret."""
        words = "Signature for this request is not valid."
        with refused(self.faulty, code=-1022, status_code=400, message=words):
            self._client(secret="another").get_account()

    def wrong_key(self) -> None:
        """A key that nobody has."""
        words = "Invalid API-key, IP, or permissions for action."
        with refused(self.faulty, code=-2015, status_code=401, message=words):
            self._client(key="x" * 64).get_account()

    def old_timestamp(self) -> None:
        """Too old, and too far ahead."""
        for offset in (-30_000, 30_000):
            late = self._client()
            late.timestamp_offset = offset
            with refused(self.faulty, code=-1021, status_code=400):
                late.get_account()

    def too_many_requests(self) -> None:
        """With the seconds to wait in a header."""
        with self.exchange.faults(throttle="60s"), refused(self.faulty, code=-1003, status_code=429):
            self.client.get_account()
        holds(self.client.response.headers["Retry-After"] > "0", "the header says how long")

    def banned(self) -> None:
        """With the seconds to wait in a header."""
        with self.exchange.faults(ban="3d"), refused(self.faulty, code=-1003, status_code=418):
            self.client.get_account()
        holds(int(self.client.response.headers["Retry-After"]) > 200_000, "the header says three days")

    def unknown_outcome(self) -> None:
        """The books have the order."""
        with self.exchange.faults(error_reply={"every": 1}, error_form=["503"]), refused(self.faulty, status_code=503):
            self._rest("pb-unknown")
        same(self.client.get_order(symbol=SYMBOL, origClientOrderId="pb-unknown")["status"], "NEW", "the order")
        self.client.cancel_order(symbol=SYMBOL, origClientOrderId="pb-unknown")

    def firewall(self) -> None:
        """The client can read no JSON in it."""
        with self.exchange.faults(waf={"every": 1}), refused(self.faulty, status_code=403, code=0):
            self.client.get_account()

    def listen_key(self) -> None:
        """It is not there any more."""
        with refused(self.faulty, status_code=410):
            self.client.stream_get_listen_key()

    def ed25519_key(self) -> None:
        """Signed in base64."""
        binance = self.binance.Client(self.exchange.public_api_key, private_key=self.exchange.private_key, ping=False)
        binance.API_URL = f"{self.exchange.url}/api"
        same(binance.get_account()["uid"], self.client.get_account()["uid"], "the account")
        placed = binance.order_limit_buy(symbol=SYMBOL, quantity="0.001", price=self._far_price())
        binance.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])

    def ledger(self) -> None:
        """All that it has traded here."""
        rows = self.client.get_my_trades(symbol=SYMBOL, limit=1000)
        trades = [(row["price"], row["qty"], row["commission"], row["commissionAsset"]) for row in rows]
        balances = {row["asset"]: (row["free"], row["locked"]) for row in self.client.get_account()["balances"]}
        same_books(self.exchange.ledger(), SYMBOL, trades, balances)

    # --- sockets ----------------------------------------------------------------------------------------------------

    async def ws_api_order(self) -> None:
        """Place, ask, cancel."""
        asked = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
        order = await self.far.ws_create_order(price=self._far_price(), newClientOrderId="pb-ws", **asked)
        same((order["clientOrderId"], order["status"]), ("pb-ws", "NEW"), "the order")
        found = await self.far.ws_get_order(symbol=SYMBOL, origClientOrderId="pb-ws")
        same(found["orderId"], order["orderId"], "the order asked about")
        same([row["orderId"] for row in await self.far.ws_get_open_orders()], [order["orderId"]], "open orders")
        gone = await self.far.ws_cancel_order(symbol=SYMBOL, orderId=order["orderId"])
        same((gone["status"], gone["origClientOrderId"]), ("CANCELED", "pb-ws"), "the canceled order")

    async def ws_api_refusal(self) -> None:
        """The codes of REST."""
        asked = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": self._far_price()}
        with refused(self.faulty, code=-2010, status_code=400):
            await self.far.ws_create_order(quantity="90", **asked)
        with refused(self.faulty, code=-1013, status_code=400):
            await self.far.ws_create_order(quantity="0.000001", **asked)
        with refused(self.faulty, code=-2013, status_code=400):
            await self.far.ws_get_order(symbol=SYMBOL, orderId=987_654_321)

    async def user_stream_of_orders(self) -> None:
        """New, traded and canceled, numbered."""
        async with self.sockets.user_socket() as stream:
            order = self._rest("pb-user")
            self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"], newClientOrderId="pb-user-c")
            taker = self.client.order_market_buy(symbol=SYMBOL, quantity="0.01", newClientOrderId="pb-taker")
            reports = await self._reports(stream, taker["orderId"])
        first = [row for row in reports if row["i"] == order["orderId"]]
        same([(row["x"], row["X"], row["c"], row["C"]) for row in first], [
            ("NEW", "NEW", "pb-user", ""), ("CANCELED", "CANCELED", "pb-user-c", "pb-user"),
        ], "the reports of the canceled order")  # fmt: skip
        trades = [row for row in reports if row["i"] == taker["orderId"] and row["x"] == "TRADE"]
        same(
            [(row["t"], row["l"]) for row in trades], [(row["tradeId"], row["qty"]) for row in taker["fills"]], "trades"
        )
        same(trades[-1]["z"], "0.01000000", "what is executed in the end")
        numbers = [row["I"] for row in reports]
        same(numbers, sorted(set(numbers)), "the numbers of the reports")

    async def _reports(self, stream: Any, last: int) -> list[Any]:
        """Those up to the one that fills the order."""
        reports = []
        while True:
            event = await asyncio.wait_for(stream.recv(), SECONDS)
            if event["e"] == "executionReport":
                reports.append(event)
                if event["i"] == last and event["X"] == "FILLED":
                    return reports

    async def user_stream_of_balances(self) -> None:
        """What an order locks."""
        async with self.sockets.user_socket() as stream:
            order = self._rest("pb-lock")
            # The client keeps one queue for all its user sockets: what the one before has left comes first.
            locked = await asyncio.wait_for(self._locked(stream), SECONDS)
            same(round(locked, 8), round(float(order["price"]) * 0.001, 8), "what is locked")
            self.client.cancel_order(symbol=SYMBOL, orderId=order["orderId"])

    async def _locked(self, stream: Any) -> float:
        """How much of the quote asset, once it is something."""
        while True:
            event = await stream.recv()
            for row in event.get("B", ()):
                if row["a"] == "USDT" and float(row["l"]):
                    return float(row["l"])

    async def _heard(self, stream: Any, count: int) -> list[Any]:
        async with stream as listening:
            return [await asyncio.wait_for(listening.recv(), SECONDS) for _ in range(count)]

    async def book_ticker_stream(self) -> None:
        """Raw."""
        for row in await self._heard(self.sockets.symbol_book_ticker_socket(SYMBOL), 2):
            same(row["s"], SYMBOL, "the symbol")
            holds(float(row["b"]) < float(row["a"]), "the bid is below the ask")

    async def depth_stream(self) -> None:
        """Differences, and the client's own book made of them."""
        first, *rest = await self._heard(self.sockets.depth_socket(SYMBOL, interval=100), 4)
        for row in rest:
            same(row["U"], first["u"] + 1, "the first update")
            first = row
        kept = self.binance.DepthCacheManager(self.far, SYMBOL, bm=self.sockets, ws_interval=100)
        async with kept as cache:
            # After a gap the client puts an event on a snapshot that is newer; with the next events that is cured.
            book = [await asyncio.wait_for(cache.recv(), SECONDS) for _ in range(10)][-1]
            holds(book.get_bids()[0][0] < book.get_asks()[0][0], "its own book is not crossed")

    async def trade_stream(self) -> None:
        """Raw, and in a combined stream."""
        ids = [row["t"] for row in await self._heard(self.sockets.trade_socket(SYMBOL), 3)]
        same(ids, sorted(set(ids)), "the ids")
        name = f"{SYMBOL.lower()}@trade"
        (row,) = await self._heard(self.sockets.multiplex_socket([name]), 1)
        same((row["stream"], row["data"]["e"]), (name, "trade"), "the combined stream")

    async def kline_stream(self) -> None:
        """The forming one."""
        (row,) = await self._heard(self.sockets.kline_socket(SYMBOL, interval="1m"), 1)
        same((row["k"]["s"], row["k"]["i"]), (SYMBOL, "1m"), "whose kline it is")
        same(row["k"]["T"] - row["k"]["t"], 59_999, "the minute")


if __name__ == "__main__":
    run(PythonBinance)
