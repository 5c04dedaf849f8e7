"""ccxt and ccxt.pro judge: one interface for a hundred exchanges, whose parser for this one has seen a lot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import pairwise
from typing import Any, ClassVar

from tools.judges.judge import Judge, holds, refused, run, same, same_books

SYMBOL = "BTC/USDT"
MARKET = "BTCUSDT"
SECONDS = 15


class Ccxt(Judge):
    """`ccxt.binance` asks over REST, `ccxt.pro.binance` over sockets."""

    package = "ccxt"
    lacks: ClassVar[Mapping[str, str]] = {
        "amend": "the client has no call for it; it edits an order by cancel and replace",
    }

    async def begin(self) -> None:
        """Both kinds, pointed at the exchange."""
        self.ccxt: Any = import_module("ccxt")
        self.rest = self._local(self.ccxt.binance)
        self.rest.load_markets()
        self.pro = self._local(import_module("ccxt.pro").binance)
        await self.pro.load_markets()

    async def end(self) -> None:
        """Close what is open."""
        await self.pro.close()

    async def tidy(self) -> None:
        """No open orders."""
        self.rest.cancel_all_orders(SYMBOL)

    def _local(self, kind: Any, **more: Any) -> Any:
        keys = {"apiKey": self.exchange.api_key, "secret": self.exchange.secret}
        client = kind(keys | {"enableRateLimit": False} | more)
        client.urls["api"] = _moved(client.urls["api"], self.exchange.url, self.exchange.socket_url)
        client.options |= {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}
        return client

    def _price(self, part: float) -> float:
        return float(self.rest.price_to_precision(SYMBOL, self.rest.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] * part))

    def _rest(self, name: str, amount: float = 0.001, price: float | None = None) -> Any:
        """A limit order that rests."""
        return self.rest.create_limit_buy_order(SYMBOL, amount, price or self._price(0.8), {"newClientOrderId": name})

    # --- the market -------------------------------------------------------------------------------------------------

    def server_time(self) -> None:
        """Within a minute of ours."""
        holds(abs(self.rest.fetch_time() - time.time() * 1_000) < 60_000, "it is the time")

    def exchange_info(self) -> None:
        """As a unified market."""
        market = self.rest.market(SYMBOL)
        same((market["id"], market["spot"], market["active"]), (MARKET, True, True), "the market")
        same((market["precision"]["price"], market["precision"]["amount"]), (0.01, 0.00001), "its steps")
        same(market["limits"]["cost"]["min"], 5.0, "the least notional")

    def order_book(self) -> None:
        """With a number."""
        book = self.rest.fetch_order_book(SYMBOL, 20)
        holds(book["bids"][0][0] < book["asks"][0][0], "it is not crossed")
        holds(book["nonce"] > 0, "it is numbered")

    def recent_trades(self) -> None:
        """Aggregated ones."""
        trades = self.rest.fetch_trades(SYMBOL, limit=20)
        holds(all(trade["side"] in ("buy", "sell") and trade["amount"] > 0 for trade in trades), "sides and amounts")
        ids = [int(trade["id"]) for trade in trades]
        same(ids, sorted(set(ids)), "the ids")

    def klines(self) -> None:
        """As rows of six numbers."""
        rows = self.rest.fetch_ohlcv(SYMBOL, "1m", limit=5)
        same({len(row) for row in rows}, {6}, "columns")
        same({later[0] - row[0] for row, later in pairwise(rows)}, {60_000}, "the distance of rows")

    def book_ticker(self) -> None:
        """And the day's figures."""
        ticker = self.rest.fetch_bids_asks([SYMBOL])[SYMBOL]
        holds(ticker["bid"] < ticker["ask"], "it is not crossed")
        holds(self.rest.fetch_ticker(SYMBOL)["last"] > 0, "there is a last price")

    # --- orders -----------------------------------------------------------------------------------------------------

    def limit_order(self) -> None:
        """Open, nothing filled."""
        order = self._rest("ccxt-limit")
        same((order["clientOrderId"], order["status"], order["type"]), ("ccxt-limit", "open", "limit"), "the order")
        same((order["filled"], order["remaining"], order["trades"]), (0.0, 0.001, []), "its quantities")
        self.rest.cancel_order(order["id"], SYMBOL)

    def market_order(self) -> None:
        """By amount and by cost; fees and average follow from its fills."""
        order = self.rest.create_market_buy_order(SYMBOL, 0.01, {"newClientOrderId": "ccxt-market"})
        same((order["status"], order["filled"], order["remaining"]), ("closed", 0.01, 0.0), "the order")
        same(round(sum(trade["amount"] for trade in order["trades"]), 8), 0.01, "the sum of its fills")
        holds(order["fee"]["cost"] > 0 and order["average"] > 0, "it has a fee and an average price")
        cost = self.rest.create_market_buy_order_with_cost(SYMBOL, 50)
        holds(45 < cost["cost"] <= 50, f"it cost {cost['cost']}")

    def stop_order(self) -> None:
        """With a limit, and without."""
        price = self._price(0.8)
        for kind, asked in (("limit", (0.001, price)), ("market", (0.001, None))):
            order = self.rest.create_order(SYMBOL, kind, "sell", *asked, {"stopLossPrice": price})
            found = self.rest.fetch_order(order["id"], SYMBOL)
            same((found["status"], found["triggerPrice"]), ("open", price), "the order")
            same(found["info"]["isWorking"], False, "that it works")
            self.rest.cancel_order(order["id"], SYMBOL)

    def limit_maker(self) -> None:
        """Far away it rests; at the other side it is refused."""
        order = self.rest.create_limit_buy_order(SYMBOL, 0.001, self._price(0.8), {"postOnly": True})
        same(self.rest.fetch_order(order["id"], SYMBOL)["postOnly"], True, "that it only makes")
        self.rest.cancel_order(order["id"], SYMBOL)
        with refused(self.ccxt.OrderImmediatelyFillable):
            self.rest.create_limit_buy_order(SYMBOL, 0.001, self._price(1.05), {"postOnly": True})

    def oco(self) -> None:
        """By the client's direct call."""
        placed = self.rest.private_post_orderlist_oco({
            "symbol": MARKET, "side": "SELL", "quantity": "0.001", "aboveType": "LIMIT_MAKER",
            "abovePrice": str(self._price(1.2)), "belowType": "STOP_LOSS", "belowStopPrice": str(self._price(0.8)),
        })  # fmt: skip
        legs = [self.rest.parse_order(row) for row in placed["orderReports"]]
        same({leg["status"] for leg in legs}, {"open"}, "the legs")
        self.rest.cancel_order(legs[0]["id"], SYMBOL)
        same(self.rest.fetch_open_orders(SYMBOL), [], "open orders afterwards")

    def query(self) -> None:
        """By either id."""
        order = self._rest("ccxt-query")
        same(self.rest.fetch_order(order["id"], SYMBOL)["clientOrderId"], "ccxt-query", "its id")
        found = self.rest.fetch_order("", SYMBOL, {"origClientOrderId": "ccxt-query"})
        same((found["id"], found["status"], found["remaining"]), (order["id"], "open", 0.001), "the order")
        self.rest.cancel_order(order["id"], SYMBOL)

    def open_orders(self) -> None:
        """Of a symbol and of the account; then none."""
        order = self._rest("ccxt-open")
        self.rest.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
        for symbol in (SYMBOL, None):
            same([row["id"] for row in self.rest.fetch_open_orders(symbol)], [order["id"]], "open orders")
        self.rest.cancel_all_orders(SYMBOL)
        same(self.rest.fetch_open_orders(), [], "open orders afterwards")

    def all_orders(self) -> None:
        """Every one has a status that the client knows."""
        rows = self.rest.fetch_orders(SYMBOL)
        same({row["status"] for row in rows} - {"open", "closed", "canceled"}, set(), "other statuses")
        holds({"closed", "canceled"} <= {row["status"] for row in rows}, "closed and canceled ones are among them")

    def my_trades(self) -> None:
        """Of the symbol and of one order."""
        market = self.rest.fetch_order("", SYMBOL, {"origClientOrderId": "ccxt-market"})
        mine = self.rest.fetch_order_trades(market["id"], SYMBOL)
        same(round(sum(trade["amount"] for trade in mine), 8), 0.01, "what the order executed")
        same({(trade["side"], trade["takerOrMaker"]) for trade in mine}, {("buy", "taker")}, "what they were")
        ids = {trade["id"] for trade in self.rest.fetch_my_trades(SYMBOL)}
        holds({trade["id"] for trade in mine} <= ids, "they are among all")

    def cancel(self) -> None:
        """It takes the cancel's name, and tells its first one."""
        order = self._rest("ccxt-cancel")
        gone = self.rest.cancel_order(order["id"], SYMBOL, {"newClientOrderId": "ccxt-cancel-c"})
        same((gone["status"], gone["info"]["origClientOrderId"]), ("canceled", "ccxt-cancel"), "the order")
        same(gone["info"]["clientOrderId"], "ccxt-cancel-c", "its new id")

    def cancel_and_replace(self) -> None:
        """The client calls it editing."""
        order = self._rest("ccxt-old")
        asked = (SYMBOL, "limit", "buy", 0.002, self._price(0.8))
        edited = self.rest.edit_order(order["id"], *asked, {"newClientOrderId": "ccxt-new"})
        same((edited["status"], edited["clientOrderId"], edited["amount"]), ("open", "ccxt-new", 0.002), "the new one")
        same(self.rest.fetch_order(order["id"], SYMBOL)["status"], "canceled", "the old one")
        with refused(self.ccxt.ExchangeError) as caught:
            self.rest.edit_order(order["id"], *asked)
        holds("-2022" in str(caught[0]), f"{caught[0]} has the code")
        self.rest.cancel_order(edited["id"], SYMBOL)

    def account(self) -> None:
        """An open order locks what it may cost."""
        order = self._rest("ccxt-account")
        same(self.rest.fetch_balance()["USDT"]["used"], round(order["price"] * 0.001, 8), "what is used")
        self.rest.cancel_order(order["id"], SYMBOL)
        same(self.rest.fetch_balance()["USDT"]["used"], 0.0, "what is used afterwards")

    # --- refusals ---------------------------------------------------------------------------------------------------

    def insufficient_balance(self) -> None:
        """More than there is."""
        with refused(self.ccxt.InsufficientFunds):
            self._rest("ccxt-poor", 90)

    def filter_failure(self) -> None:
        """Past the client's own rounding."""
        asked = {"symbol": MARKET, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        price = self._price(0.8)
        for quantity, at, kind in (
            ("0.001001", price, "InvalidOrder"),
            ("0.001", f"{price}01", "InvalidOrder"),
            ("0.0001", price, "BadRequest"),
        ):
            with refused(getattr(self.ccxt, kind)):
                self.rest.private_post_order(asked | {"quantity": quantity, "price": str(at)})

    def unknown_order(self) -> None:
        """A query and a cancel."""
        with refused(self.ccxt.OrderNotFound):
            self.rest.fetch_order("987654321", SYMBOL)
        with refused(self.ccxt.OrderNotFound):
            self.rest.cancel_order("987654321", SYMBOL)

    def duplicate_id(self) -> None:
        """Refused among the open ones only."""
        order = self._rest("ccxt-twice")
        with refused(self.ccxt.InvalidOrder) as caught:
            self._rest("ccxt-twice")
        holds("Duplicate order sent." in str(caught[0]), f"{caught[0]} says why")
        self.rest.cancel_order(order["id"], SYMBOL)
        self.rest.cancel_order(self._rest("ccxt-twice")["id"], SYMBOL)

    def unknown_symbol(self) -> None:
        """Nothing is traded under that name."""
        with refused(self.ccxt.BadSymbol):
            self.rest.public_get_depth({"symbol": "NOTHING"})

    def bad_signature(self) -> None:
        """Signed with another secret."""
        with refused(self.ccxt.AuthenticationError):
            self._local(self.ccxt.binance, secret="another").private_get_account()

    def wrong_key(self) -> None:
        """A key that nobody has."""
        with refused(self.ccxt.AuthenticationError):
            self._local(self.ccxt.binance, apiKey="x" * 64).private_get_account()

    def old_timestamp(self) -> None:
        """Too old, and too far ahead."""
        for late in (30_000, -30_000):
            client = self._local(self.ccxt.binance)
            client.options["timeDifference"] = late
            with refused(self.ccxt.InvalidNonce):
                client.private_get_account()

    def too_many_requests(self) -> None:
        """With the seconds to wait."""
        with self.exchange.faults(throttle="60s"), refused(self.ccxt.DDoSProtection) as caught:
            self.rest.private_get_account()
        holds("-1003" in str(caught[0]), f"{caught[0]} has the code")
        holds(0 < int(self.rest.last_response_headers["Retry-After"]) <= 60, "the header says how long")

    def banned(self) -> None:
        """With the seconds to wait."""
        with self.exchange.faults(ban="3d"), refused(self.ccxt.DDoSProtection):
            self.rest.private_get_account()
        holds(int(self.rest.last_response_headers["Retry-After"]) > 200_000, "the header says three days")

    def unknown_outcome(self) -> None:
        """The books have the order."""
        price = self._price(0.8)
        unknown = refused(self.ccxt.ExchangeError)  # it tells that it may be tried again only by Binance's own address
        with self.exchange.faults(error_reply={"every": 1}, error_form=["503"]), unknown as caught:
            self._rest("ccxt-unknown", price=price)
        holds("-1008" in str(caught[0]), f"{caught[0]} has the code")
        found = self.rest.fetch_order("", SYMBOL, {"origClientOrderId": "ccxt-unknown"})
        same(found["status"], "open", "the order")
        self.rest.cancel_order(found["id"], SYMBOL)

    def firewall(self) -> None:
        """A page."""
        with self.exchange.faults(waf={"every": 1}), refused(self.ccxt.ExchangeNotAvailable):
            self.rest.private_get_account()

    def listen_key(self) -> None:
        """By the client's direct call."""
        with refused(self.ccxt.BadRequest):
            self.rest.public_post_userdatastream()
        same(self.rest.last_http_response[:14], '{"code":-1020,', "the answer")

    def ed25519_key(self) -> None:
        """Signed in base64."""
        client = self._local(self.ccxt.binance, apiKey=self.exchange.public_api_key, secret=self.exchange.pem)
        same(client.private_get_account()["uid"], self.rest.private_get_account()["uid"], "the account")
        client.load_markets()
        order = client.create_limit_buy_order(SYMBOL, 0.001, self._price(0.8))
        client.cancel_order(order["id"], SYMBOL)

    def ledger(self) -> None:
        """All that it has traded here."""
        rows = self.rest.fetch_my_trades(SYMBOL, limit=1_000)
        trades = [(row["price"], row["amount"], row["fee"]["cost"], row["fee"]["currency"]) for row in rows]
        found = self.rest.fetch_balance()
        balances = {asset: (found["free"][asset], found["used"][asset]) for asset in found["free"]}
        same_books(self.exchange.ledger(), MARKET, trades, balances)

    # --- sockets ----------------------------------------------------------------------------------------------------

    async def ws_api_order(self) -> None:
        """Place, ask, edit, cancel."""
        price = self._price(0.8)
        order = await self.pro.create_order_ws(SYMBOL, "limit", "buy", 0.001, price, {"newClientOrderId": "ccxt-ws"})
        same((order["clientOrderId"], order["status"], order["price"]), ("ccxt-ws", "open", price), "the order")
        found = await self.pro.fetch_order_ws(order["id"], SYMBOL)
        same((found["id"], found["status"]), (order["id"], "open"), "the order asked about")
        same([row["id"] for row in await self.pro.fetch_open_orders_ws(SYMBOL)], [order["id"]], "open orders")
        edited = await self.pro.edit_order_ws(order["id"], SYMBOL, "limit", "buy", 0.002, price)
        same(edited["amount"], 0.002, "the new one")
        gone = await self.pro.cancel_order_ws(edited["id"], SYMBOL)
        same(gone["status"], "canceled", "the canceled order")
        holds((await self.pro.fetch_balance_ws())["info"]["balances"], "there are balances")

    async def ws_api_refusal(self) -> None:
        """The classes of REST."""
        with refused(self.ccxt.InsufficientFunds):
            await self.pro.create_order_ws(SYMBOL, "limit", "buy", 90, self._price(0.8))
        with refused(self.ccxt.OrderNotFound):
            await self.pro.fetch_order_ws("987654321", SYMBOL)
        with refused(self.ccxt.OrderNotFound):
            await self.pro.cancel_order_ws("987654321", SYMBOL)

    async def _watched(self, watch: Callable[[], Any], act: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
        """What is watched, once it is as wanted; it is acted when the stream is open."""
        watched = asyncio.ensure_future(watch())
        await asyncio.sleep(1)  # the client does not say when it has subscribed
        acting = asyncio.ensure_future(asyncio.to_thread(act))
        while not wanted(seen := await asyncio.wait_for(watched, SECONDS)):
            watched = asyncio.ensure_future(watch())
        await acting
        return seen

    async def user_stream_of_orders(self) -> None:
        """As unified orders, and as unified trades."""

        def act() -> None:
            order = self._rest("ccxt-user")
            self.rest.cancel_order(order["id"], SYMBOL, {"newClientOrderId": "ccxt-user-c"})
            self.rest.create_market_buy_order(SYMBOL, 0.01, {"newClientOrderId": "ccxt-taker"})

        def told() -> dict[str, str]:
            return {row["clientOrderId"]: row["status"] for row in self.pro.orders}

        await self._watched(lambda: self.pro.watch_orders(SYMBOL), act, lambda _: told().get("ccxt-taker") == "closed")
        same(told().get("ccxt-user"), "canceled", "the order that was canceled, under its first id,")
        trades = await self._watched(
            lambda: self.pro.watch_my_trades(SYMBOL), lambda: self.rest.create_market_sell_order(SYMBOL, 0.01), bool
        )
        same({trade["takerOrMaker"] for trade in trades}, {"taker"}, "what they were")

    async def user_stream_of_balances(self) -> None:
        """As unified balances."""
        placed: list[Any] = []
        seen = await self._watched(
            self.pro.watch_balance, lambda: placed.append(self._rest("ccxt-lock")), lambda row: row["USDT"]["used"] > 0
        )
        same(round(seen["USDT"]["used"], 8), round(placed[0]["price"] * 0.001, 8), "what is used")
        self.rest.cancel_order(placed[0]["id"], SYMBOL)

    async def _next(self, watch: Callable[[], Any]) -> Any:
        return await asyncio.wait_for(watch(), SECONDS)

    async def book_ticker_stream(self) -> None:
        """As unified tickers."""
        row = (await self._next(lambda: self.pro.watch_bids_asks([SYMBOL])))[SYMBOL]
        holds(row["bid"] < row["ask"], "it is not crossed")
        holds((await self._next(lambda: self.pro.watch_ticker(SYMBOL)))["last"] > 0, "there is a last price")

    async def depth_stream(self) -> None:
        """A book that the client keeps itself, from a snapshot and differences; it raises where one is missing."""
        for _ in range(5):
            book = await self._next(lambda: self.pro.watch_order_book(SYMBOL))
            holds(book["bids"][0][0] < book["asks"][0][0], "it is not crossed")

    async def trade_stream(self) -> None:
        """As unified trades."""
        trades = await self._next(lambda: self.pro.watch_trades(SYMBOL))
        holds(all(trade["symbol"] == SYMBOL and trade["amount"] > 0 for trade in trades), "of the symbol, with amounts")

    async def kline_stream(self) -> None:
        """As rows of six numbers."""
        rows = await self._next(lambda: self.pro.watch_ohlcv(SYMBOL, "1m"))
        same((len(rows[-1]), rows[-1][0] % 60_000), (6, 0), "the row")


def _moved(urls: Any, url: str, socket_url: str) -> Any:
    """All addresses of the client on this machine: nothing that it asks can go elsewhere."""
    if isinstance(urls, dict):
        return {name: _moved(each, url, socket_url) for name, each in urls.items()}
    scheme, _, rest = urls.partition("://")
    _host, _, path = rest.partition("/")
    return f"{socket_url if scheme.startswith('ws') else url}/{path}"


if __name__ == "__main__":
    run(Ccxt)
