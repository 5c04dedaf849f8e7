"""binance-sdk-spot, Binance's own client, judges: all parameters in the query, every answer a strictly typed model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from tools.judges.judge import eventually, holds, refused, run, same, same_books
from tools.judges.sdk_client import SYMBOL, SdkClient, know, of_kind, read, reports

SECONDS = 15


class BinanceSdkSpot(SdkClient):
    """`binance_sdk_spot.Spot`. An answer that has a field of another type, or one that the client has no name for,
    is a finding."""

    package = "binance-sdk-spot"
    lacks: ClassVar[Mapping[str, str]] = {
        "listen key": "the client has no call for it any more",
    }

    # --- the market -------------------------------------------------------------------------------------------------

    def server_time(self) -> None:
        """Within a minute of ours."""
        told = read(self.rest.time()).server_time
        holds(abs(told - time.time() * 1_000) < 60_000, f"{told} is the time")
        read(self.rest.ping())

    def exchange_info(self) -> None:
        """Every filter is one of the client's kinds of filters."""
        info = read(self.rest.exchange_info(symbols=[SYMBOL, "ETHUSDT"]))
        same([row.symbol for row in info.symbols], [SYMBOL, "ETHUSDT"], "the symbols")
        names = {each.actual_instance.filter_type for each in info.symbols[0].filters}
        holds({"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"} <= names, f"the filters are {names}")
        read(self.rest.my_filters(symbol=SYMBOL))
        read(self.rest.rate_limit_order())

    def order_book(self) -> None:
        """Prices are texts, levels are pairs."""
        book = read(self.rest.depth(symbol=SYMBOL, limit=20))
        holds(0 < len(book.bids) <= 20, f"there are {len(book.bids)} levels")
        holds(float(book.bids[0][0]) < float(book.asks[0][0]), "the best bid is below the best ask")

    def recent_trades(self) -> None:
        """Recent and aggregated ones."""
        ids = [row.id for row in read(self.rest.get_trades(symbol=SYMBOL, limit=20))]
        same(ids, sorted(set(ids)), "the ids")
        holds(read(self.rest.agg_trades(symbol=SYMBOL, limit=5)), "there are aggregated trades")

    def klines(self) -> None:
        """Rows of twelve."""
        rows = read(self.rest.klines(symbol=SYMBOL, interval="1m", limit=5))
        same({len(row) for row in rows}, {12}, "columns")

    def book_ticker(self) -> None:
        """And the other tickers."""
        read(self.rest.ticker_book_ticker(symbol=SYMBOL))
        read(self.rest.ticker_price(symbol=SYMBOL))
        read(self.rest.ticker24hr(symbol=SYMBOL))
        read(self.rest.avg_price(symbol=SYMBOL))

    # --- orders -----------------------------------------------------------------------------------------------------

    def limit_order(self) -> None:
        """In each of the three kinds of replies."""
        for kind in ("ACK", "RESULT", "FULL"):
            order = self.place(f"sdk-{kind}", new_order_resp_type=kind)
            same(order.client_order_id, f"sdk-{kind}", "its id")
            same(order.status, None if kind == "ACK" else "NEW", f"the status in {kind}")
            self.gone(order.order_id)

    def market_order(self) -> None:
        """Its fills add up."""
        order = read(self.rest.new_order(SYMBOL, "BUY", "MARKET", quantity=0.01, new_client_order_id="sdk-market"))
        same((order.status, order.executed_qty), ("FILLED", "0.01000000"), "the order")
        same(round(sum(float(fill.qty) for fill in order.fills), 8), 0.01, "the sum of its fills")
        read(self.rest.new_order(SYMBOL, "SELL", "MARKET", quote_order_qty=50))

    def stop_order(self) -> None:
        """A stop, one with a limit, one that trails."""
        price = self.price(0.8)
        asked: list[dict[str, Any]] = [
            {"type": "STOP_LOSS", "stop_price": price},
            {"type": "STOP_LOSS_LIMIT", "stop_price": price, "price": price, "time_in_force": "GTC"},
            {"type": "TAKE_PROFIT", "stop_price": self.price(1.2)},
            {"type": "STOP_LOSS", "trailing_delta": 500},
        ]
        for each in asked:
            order = read(self.rest.new_order(SYMBOL, "SELL", quantity=0.001, new_order_resp_type="RESULT", **each))
            same((order.status, order.type), ("NEW", each["type"]), "the order")
            found = read(self.rest.get_order(SYMBOL, order_id=order.order_id))
            same(found.is_working, False, "that it works")
            self.gone(order.order_id)

    def limit_maker(self) -> None:
        """Far away it rests; at the other side it is refused."""
        order = read(self.rest.new_order(SYMBOL, "BUY", "LIMIT_MAKER", quantity=0.001, price=self.price(0.8)))
        self.gone(order.order_id)
        with refused(self.errors.BadRequestError, status_code=-2010):
            self.rest.new_order(SYMBOL, "BUY", "LIMIT_MAKER", quantity=0.001, price=self.price(1.05))

    def oco(self) -> None:
        """Placed, asked about, canceled."""
        placed = read(
            self.rest.order_list_oco(
                SYMBOL, "SELL", 0.001, "LIMIT_MAKER", "STOP_LOSS", above_price=self.price(1.2),
                below_stop_price=self.price(0.8), list_client_order_id="sdk-oco",
            )
        )  # fmt: skip
        same((placed.contingency_type, len(placed.order_reports)), ("OCO", 2), "the list")
        read(self.rest.get_order_list(order_list_id=placed.order_list_id))
        same([row.order_list_id for row in read(self.rest.open_order_list())], [placed.order_list_id], "open lists")
        gone = read(self.rest.delete_order_list(SYMBOL, order_list_id=placed.order_list_id))
        same(gone.list_order_status, "ALL_DONE", "the list's status")
        holds(read(self.rest.all_order_list()), "the list is remembered")

    def query(self) -> None:
        """By either id."""
        order = self.place("sdk-query")
        for asked in ({"order_id": order.order_id}, {"orig_client_order_id": "sdk-query"}):
            found = read(self.rest.get_order(SYMBOL, **asked))
            same((found.order_id, found.status, found.is_working), (order.order_id, "NEW", True), "the order")
        self.gone(order.order_id)

    def open_orders(self) -> None:
        """Of a symbol and of the account; then none."""
        order = self.place("sdk-open")
        for asked in ({"symbol": SYMBOL}, {}):
            same([row.order_id for row in read(self.rest.get_open_orders(**asked))], [order.order_id], "open orders")
        read(self.rest.delete_open_orders(SYMBOL))
        same(read(self.rest.get_open_orders()), [], "open orders afterwards")

    def all_orders(self) -> None:
        """Open or not."""
        rows = read(self.rest.all_orders(SYMBOL))
        ids = [row.order_id for row in rows]
        same(ids, sorted(set(ids)), "the ids")
        holds({"FILLED", "CANCELED"} <= {row.status for row in rows}, "filled and canceled ones are among them")

    def my_trades(self) -> None:
        """Of one order."""
        market = read(self.rest.get_order(SYMBOL, orig_client_order_id="sdk-market"))
        mine = read(self.rest.my_trades(SYMBOL, order_id=market.order_id))
        same(round(sum(float(row.qty) for row in mine), 8), 0.01, "what the order executed")
        holds(all(row.is_buyer and not row.is_maker and row.commission_asset for row in mine), "it took")

    def cancel(self) -> None:
        """It takes the cancel's name, and tells its first one."""
        order = self.place("sdk-cancel")
        gone = read(self.rest.delete_order(SYMBOL, order_id=order.order_id, new_client_order_id="sdk-cancel-c"))
        same((gone.status, gone.orig_client_order_id, gone.client_order_id), ("CANCELED", "sdk-cancel", "sdk-cancel-c"),
             "the order")  # fmt: skip

    def cancel_and_replace(self) -> None:
        """Both halves; then a cancel that fails, and a new order that fails after its cancel did not."""
        order = self.place("sdk-old")
        asked: dict[str, Any] = {"time_in_force": "GTC", "quantity": 0.002, "price": self.price(0.8)}
        stop = (SYMBOL, "BUY", "LIMIT", "STOP_ON_FAILURE")
        done = read(self.rest.order_cancel_replace(*stop, cancel_order_id=order.order_id, **asked))
        same((done.cancel_result, done.new_order_result), ("SUCCESS", "SUCCESS"), "the two halves")
        with refused(self.errors.BadRequestError, status_code=-2022):
            self.rest.order_cancel_replace(*stop, cancel_order_id=order.order_id, **asked)
        poor = asked | {"quantity": 90.0}
        with refused(self.errors.ClientError):  # 409, of which the client has no class
            self.rest.order_cancel_replace(*stop, cancel_order_id=done.new_order_response.order_id, **poor)
        same(read(self.rest.get_open_orders()), [], "open orders afterwards")

    def amend(self) -> None:
        """The order keeps its number, and takes the new name."""
        order = self.place("sdk-amend", quantity=0.002)
        done = read(
            self.rest.order_amend_keep_priority(
                SYMBOL, 0.001, order_id=order.order_id, new_client_order_id="sdk-amended"
            )
        )
        same((done.amended_order.order_id, done.amended_order.qty), (order.order_id, "0.00100000"), "the order")
        same(done.amended_order.client_order_id, "sdk-amended", "its new id")
        (row,) = read(self.rest.order_amendments(SYMBOL, order.order_id))
        same(
            (row.orig_client_order_id, row.orig_qty, row.new_qty),
            ("sdk-amend", "0.00200000", "0.00100000"),
            "what is kept",
        )
        self.gone(order.order_id)

    def account(self) -> None:
        """An open order locks what it may cost."""
        order = self.place("sdk-account")
        (usdt,) = [row for row in read(self.rest.get_account()).balances if row.asset == "USDT"]
        same(round(float(usdt.locked), 8), round(float(order.price) * 0.001, 8), "what is locked")
        self.gone(order.order_id)
        read(self.rest.account_commission(symbol=SYMBOL))
        read(self.rest.order_test(SYMBOL, "BUY", "LIMIT", time_in_force="GTC", quantity=0.001, price=self.price(0.8)))

    # --- refusals ---------------------------------------------------------------------------------------------------

    def insufficient_balance(self) -> None:
        """More than there is."""
        words = "Account has insufficient balance for requested action."
        with refused(self.errors.BadRequestError, status_code=-2010, error_message=words):
            self.place("sdk-poor", quantity=90)

    def filter_failure(self) -> None:
        """Off the tick, below the lot, below the least notional."""
        for wrong, name in (
            ({"price": round(self.price(0.8) + 0.001, 3)}, "PRICE_FILTER"),
            ({"quantity": 0.001001}, "LOT_SIZE"),
            ({"quantity": 0.0001}, "NOTIONAL"),
        ):
            with refused(self.errors.BadRequestError, status_code=-1013, error_message=f"Filter failure: {name}"):
                self.place("sdk-filter", **wrong)

    def unknown_order(self) -> None:
        """A query and a cancel."""
        with refused(self.errors.BadRequestError, status_code=-2013):
            self.rest.get_order(SYMBOL, order_id=987_654_321)
        with refused(self.errors.BadRequestError, status_code=-2011, error_message="Unknown order sent."):
            self.gone(987_654_321)

    def duplicate_id(self) -> None:
        """Refused among the open ones only."""
        order = self.place("sdk-twice")
        with refused(self.errors.BadRequestError, status_code=-2010, error_message="Duplicate order sent."):
            self.place("sdk-twice")
        self.gone(order.order_id)
        self.gone(self.place("sdk-twice").order_id)

    def unknown_symbol(self) -> None:
        """Nothing is traded under that name."""
        with refused(self.errors.BadRequestError, status_code=-1121):
            self.rest.depth(symbol="NOTHING")

    def bad_signature(self) -> None:
        """Signed with another secret."""
        words = "Signature for this request is not valid."
        with refused(self.errors.BadRequestError, status_code=-1022, error_message=words):
            self.spot(self.exchange.api_key, api_secret="another").rest_api.get_account()

    def wrong_key(self) -> None:
        """A key that nobody has."""
        words = "Invalid API-key, IP, or permissions for action."
        with refused(self.errors.UnauthorizedError, status_code=-2015, error_message=words):
            self.spot("x" * 64, api_secret="another").rest_api.get_account()

    def old_timestamp(self) -> None:
        """The exchange's clock is ahead of ours, and behind it."""
        for fault in ("clock_ahead", "clock_behind"):
            with self.exchange.faults(**{fault: "30s"}), refused(self.errors.BadRequestError, status_code=-1021):
                self.rest.get_account()

    def too_many_requests(self) -> None:
        """With the seconds to wait."""
        with (
            self.exchange.faults(throttle="60s"),
            refused(self.errors.TooManyRequestsError, status_code=-1003) as caught,
        ):
            self.rest.get_account()
        holds(0 < caught[0].retry_after <= 60, f"{caught[0].retry_after} s are to be waited")

    def banned(self) -> None:
        """With the seconds to wait."""
        with self.exchange.faults(ban="3d"), refused(self.errors.RateLimitBanError, status_code=-1003) as caught:
            self.rest.get_account()
        holds(200_000 < caught[0].retry_after <= 259_200, f"{caught[0].retry_after} s are to be waited")

    def unknown_outcome(self) -> None:
        """The books have the order."""
        price = self.price(0.8)
        unknown = refused(self.errors.ServerError, status_code=503)
        with self.exchange.faults(error_reply={"every": 1}, error_form=["503"]), unknown:
            self.place("sdk-unknown", price=price)
        same(read(self.rest.get_order(SYMBOL, orig_client_order_id="sdk-unknown")).status, "NEW", "the order")
        read(self.rest.delete_open_orders(SYMBOL))

    def firewall(self) -> None:
        """A page, of which the client reads nothing."""
        with self.exchange.faults(waf={"every": 1}), refused(self.errors.ForbiddenError, status_code=None):
            self.rest.get_account()

    def ledger(self) -> None:
        """All that it has traded here."""
        rows = read(self.rest.my_trades(SYMBOL, limit=1_000))
        trades = [(row.price, row.qty, row.commission, row.commission_asset) for row in rows]
        balances = {row.asset: (row.free, row.locked) for row in read(self.rest.get_account()).balances}
        same_books(self.exchange.ledger(), SYMBOL, trades, balances)

    # --- sockets ----------------------------------------------------------------------------------------------------

    async def _open(self, api: Any) -> Any:
        if not api.connections:
            await api.create_connection()
        return api

    async def ws_api_order(self) -> None:
        """Place, ask, cancel."""
        ws, price = await self._open(self.ws), self.price(0.8)
        placed = read(
            await ws.order_place(
                SYMBOL, "BUY", "LIMIT", time_in_force="GTC", price=price, quantity=0.001, new_client_order_id="sdk-ws"
            )
        )
        same((placed.result.client_order_id, placed.result.status), ("sdk-ws", "NEW"), "the order")
        found = read(await ws.order_status(SYMBOL, orig_client_order_id="sdk-ws"))
        same(found.result.order_id, placed.result.order_id, "the order asked about")
        same(len(read(await ws.open_orders_status()).result), 1, "open orders")
        gone = read(await ws.order_cancel(SYMBOL, order_id=placed.result.order_id))
        same((gone.result.status, gone.result.orig_client_order_id), ("CANCELED", "sdk-ws"), "the canceled order")
        for asked in (ws.account_status, ws.ping, ws.time):
            read(await asked())
        read(await ws.depth(SYMBOL, limit=5))
        read(await ws.my_trades(SYMBOL))

    async def ws_api_refusal(self) -> None:
        """The codes of REST."""
        self.forgive_log()
        ws, price = await self._open(self.ws), self.price(0.8)
        asked = {"time_in_force": "GTC", "price": price}
        for quantity, code in ((90, -2010), (0.001001, -1013)):
            said = (await ws.order_place(SYMBOL, "BUY", "LIMIT", quantity=quantity, **asked)).data()
            same(said["error"]["code"], code, "the code")
        same((await ws.order_status(SYMBOL, order_id=987_654_321)).data()["error"]["code"], -2013, "the code")

    @contextmanager
    def _events(self, stream: Any) -> Iterator[list[Any]]:
        """What comes as the client's own types; one that it could not read is a dict."""
        events: list[Any] = []
        stream.on("message", lambda event: events.append(event.actual_instance))
        yield events
        for event in events:
            holds(not isinstance(event, dict), f"the client could not read {event}")
            know(event)

    async def user_stream_of_orders(self) -> None:
        """New, traded and canceled."""
        ws = await self._open(self.ws)
        subscribed = await ws.user_data_stream_subscribe_signature()
        with self._events(subscribed.stream) as events:
            order = self.place("sdk-user")
            self.rest.delete_order(SYMBOL, order_id=order.order_id, new_client_order_id="sdk-user-c")
            taker = read(self.rest.new_order(SYMBOL, "BUY", "MARKET", quantity=0.01))
            await eventually(lambda: reports(events, "X", "FILLED"), "the report of the fill", SECONDS)
        first = [event for event in reports(events) if event.i == order.order_id]
        same([(event.x, event.X, event.c, event.C) for event in first], [
            ("NEW", "NEW", "sdk-user", ""), ("CANCELED", "CANCELED", "sdk-user-c", "sdk-user"),
        ], "the reports of the canceled order")  # fmt: skip
        trades = [event for event in reports(events, "x", "TRADE") if event.i == taker.order_id]
        same([event.t for event in trades], [fill.trade_id for fill in taker.fills], "the trades")
        read(await ws.user_data_stream_unsubscribe(subscription_id=subscribed.response.data().result.subscription_id))

    async def user_stream_of_balances(self) -> None:
        """An order, and a deposit."""
        ws = await self._open(self.ws)
        subscribed = await ws.user_data_stream_subscribe_signature()
        with self._events(subscribed.stream) as events:
            order = self.place("sdk-lock")
            await eventually(lambda: of_kind(events, "OutboundAccountPosition"), "the balances", SECONDS)
            self.exchange.transfer("USDT", "12.5")
            await eventually(lambda: of_kind(events, "BalanceUpdate"), "the deposit", SECONDS)
        (usdt,) = [row for row in of_kind(events, "OutboundAccountPosition")[0].B if row.a == "USDT"]
        same(round(float(usdt.l), 8), round(float(order.price) * 0.001, 8), "what is locked")
        same(of_kind(events, "BalanceUpdate")[0].d, "12.50000000", "what came in")
        self.gone(order.order_id)
        read(await ws.user_data_stream_unsubscribe(subscription_id=subscribed.response.data().result.subscription_id))

    async def _heard(self, subscribe: Callable[[Any], Any], count: int) -> list[Any]:
        streams, events = await self._open(self.streams), list[Any]()
        stream = await subscribe(streams)
        stream.on("message", events.append)
        await eventually(lambda: len(events) >= count, "the stream", SECONDS)
        await stream.unsubscribe()
        for event in events:
            know(event)
        return events

    async def book_ticker_stream(self) -> None:
        """In a combined stream."""
        for event in await self._heard(lambda streams: streams.book_ticker(symbol=SYMBOL.lower()), 2):
            same(event.s, SYMBOL, "the symbol")
            holds(float(event.b) < float(event.a), "the bid is below the ask")

    async def depth_stream(self) -> None:
        """Differences, and the best five."""
        first, *rest = await self._heard(
            lambda streams: streams.diff_book_depth(symbol=SYMBOL.lower(), update_speed="100ms"), 4
        )
        for event in rest:
            same(event.U, first.u + 1, "the first update")
            first = event
        best = await self._heard(lambda streams: streams.partial_book_depth(symbol=SYMBOL.lower(), levels="5"), 1)
        same(len(best[0].bids), 5, "levels")

    async def trade_stream(self) -> None:
        """Single ones, and aggregated ones."""
        ids = [event.t for event in await self._heard(lambda streams: streams.trade(symbol=SYMBOL.lower()), 3)]
        same(ids, sorted(set(ids)), "the ids")
        await self._heard(lambda streams: streams.agg_trade(symbol=SYMBOL.lower()), 1)

    async def kline_stream(self) -> None:
        """The forming one."""
        event, *_ = await self._heard(lambda streams: streams.kline(symbol=SYMBOL.lower(), interval="1m"), 1)
        same((event.k.s, event.k.i), (SYMBOL, "1m"), "whose kline it is")

    async def ed25519_key(self) -> None:
        """Over REST, and by a session's logon, after which nothing is signed."""
        spot = self.spot(self.exchange.public_api_key, private_key=self.exchange.pem)
        same(read(spot.rest_api.get_account()).uid, read(self.rest.get_account()).uid, "the account")
        ws = await self._open(spot.websocket_api)
        logged = read(await ws.session_logon())
        same(logged.result.api_key, self.exchange.public_api_key, "who is logged on")
        subscribed = await ws.user_data_stream_subscribe()
        with self._events(subscribed.stream) as events:
            placed = read(
                await ws.order_place(SYMBOL, "BUY", "LIMIT", time_in_force="GTC", price=self.price(0.8), quantity=0.001)
            )
            await eventually(lambda: reports(events), "the report", SECONDS)
        read(await ws.order_cancel(SYMBOL, order_id=placed.result.order_id))
        await ws.close_connection(close_session=True)


if __name__ == "__main__":
    run(BinanceSdkSpot)
