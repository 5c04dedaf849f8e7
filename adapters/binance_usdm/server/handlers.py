"""Handlers of every endpoint: each reads its parameters and gives the answer, or the work for the exchange's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from adapters.binance.server import markets
from adapters.binance.server.accounts import restrictions
from adapters.binance.server.call import Call
from adapters.binance.server.errand import Errand
from adapters.binance.server.markets import book_of, tape_of
from adapters.binance.server.orders import Floor, Result
from adapters.binance.server.params import Params, missing
from adapters.binance.server.reads import Span
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import Json, eight, ms
from adapters.binance_usdm.server import orders, reads
from adapters.binance_usdm.server.house import UsdmHouse
from adapters.binance_usdm.server.margins import mark_of
from adapters.binance_usdm.server.orders import Account
from adapters.binance_usdm.server.settings import CROSSED, ISOLATED, AccountSettings, write_settings
from adapters.binance_usdm.server.tickets import SIDES, read_ticket
from adapters.binance_usdm.server.tickets import TIMES as TIMES_IN_FORCE
from adapters.binance_usdm.server.tickets import TYPES as ORDER_TYPES
from adapters.simulated import wire
from adapters.simulated.faults import Fate, Kind
from engine.instrument import Instrument, InstrumentKind
from engine.values import ZERO

ROWS_MOST = 1_000
FAR_AWAY_MS = 4_133_404_800_000
"""When a perpetual contract is said to be delivered."""

UNIT = 7
"""Update ids leave gaps between events: of what is counted one by one here, so many are told."""


def _house(call: Call) -> UsdmHouse:
    assert isinstance(call.house, UsdmHouse), "these handlers stand in the routes of that house alone"
    return call.house


def _about_account(call: Call, kind: Kind | None, work: Callable[[Floor, Account], Result]) -> Errand:
    house = _house(call)
    return _order(call, kind, lambda floor: work(floor, house.account()))


def _order(call: Call, kind: Kind | None, work: Callable[[Floor], Result]) -> Errand:
    house = _house(call)

    def carry_out(floor: Floor, fate: Fate) -> Result:
        if fate.disconnect:
            house.cut_streams()
        return work(floor)

    return call.errand(kind, carry_out)


def _named(params: Params) -> tuple[str, int | None, str | None]:
    symbol, order_id, client_id = params.need("symbol"), params.whole("orderId"), params.text("origClientOrderId")
    if order_id is None and client_id is None:
        raise Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return symbol, order_id, client_id


# --- orders -------------------------------------------------------------------------------------------------------


def place(call: Call) -> Errand:
    """POST /fapi/v1/order."""
    ticket = read_ticket(call.params)
    call.params.finish()
    call.house.weights.check_orders()
    return _about_account(call, Kind.PLACE, lambda floor, account: orders.place(floor, ticket, account))


def test(call: Call) -> Errand:
    """POST /fapi/v1/order/test."""
    ticket = read_ticket(call.params)
    call.params.finish()
    return _about_account(call, None, lambda floor, account: orders.check_only(floor, ticket, account))


def cancel(call: Call) -> Errand:
    """DELETE /fapi/v1/order."""
    symbol, order_id, client_id = _named(call.params)
    call.params.finish()
    return _order(call, Kind.CANCEL, lambda floor: orders.cancel(floor, symbol, order_id, client_id))


def cancel_all(call: Call) -> Errand:
    """DELETE /fapi/v1/allOpenOrders."""
    symbol = call.params.need("symbol")
    return _order(call, Kind.CANCEL, lambda floor: orders.cancel_all(floor, symbol))


def modify(call: Call) -> Errand:
    """PUT /fapi/v1/order."""
    params = call.params
    symbol, order_id, client_id = _named(params)
    side = SIDES.get(params.need("side"))
    if side is None:
        raise Refused(-1117)
    quantity, price = params.need_number("quantity"), params.need_number("price")
    params.finish()
    call.house.weights.check_orders()

    def work(floor: Floor) -> Result:
        order = orders.find_open(floor, symbol, order_id, client_id, code=-2013)
        return orders.modify(floor, order, side, quantity, price)

    return _order(call, Kind.REPLACE, work)


# --- questions about orders ---------------------------------------------------------------------------------------


def query(call: Call) -> Errand:
    """GET /fapi/v1/order."""
    symbol, order_id, client_id = _named(call.params)
    return call.errand(Kind.QUERY, lambda floor, _: reads.query(floor, symbol, order_id, client_id))


def open_orders(call: Call) -> Errand:
    """GET /fapi/v1/openOrders."""
    symbol = call.params.text("symbol")
    return call.errand(Kind.SNAPSHOT, lambda floor, fate: reads.open_orders(floor, symbol, fate.stale_ns))


def _span(params: Params, from_name: str) -> Span:
    limit = params.whole("limit")
    return Span(
        from_id=params.whole(from_name), start_ms=params.whole("startTime"), end_ms=params.whole("endTime"),
        limit=min(limit or 500, ROWS_MOST),
    )  # fmt: skip


def all_orders(call: Call) -> Errand:
    """GET /fapi/v1/allOrders."""
    symbol, span = call.params.need("symbol"), _span(call.params, "orderId")
    return call.errand(Kind.QUERY, lambda floor, _: reads.all_orders(floor, symbol, span))


def user_trades(call: Call) -> Errand:
    """GET /fapi/v1/userTrades."""
    symbol, order_id, span = call.params.need("symbol"), call.params.whole("orderId"), _span(call.params, "fromId")
    if span.from_id is not None and (span.start_ms is not None or span.end_ms is not None):
        raise Refused(-1128)
    return call.errand(Kind.QUERY, lambda floor, _: reads.user_trades(floor, symbol, order_id, span))


def income(call: Call) -> Errand:
    """GET /fapi/v1/income."""
    symbol, kind, span = call.params.text("symbol"), call.params.text("incomeType"), _span(call.params, "page")
    span = evolve(span, from_id=None)
    return call.errand(Kind.QUERY, lambda floor, _: reads.income(floor, symbol, kind, span))


# --- questions about the account ----------------------------------------------------------------------------------


def balances(call: Call) -> Errand:
    """GET /fapi/v3/balance."""
    return _about_account(call, Kind.SNAPSHOT, reads.balances)


def account(call: Call) -> Errand:
    """GET /fapi/v3/account."""
    return _about_account(call, Kind.SNAPSHOT, reads.account_of)


def positions(call: Call) -> Errand:
    """GET /fapi/v3/positionRisk."""
    symbol = call.params.text("symbol")
    return _about_account(call, Kind.SNAPSHOT, lambda floor, account: reads.positions(floor, account, symbol))


def account_config(call: Call) -> Errand:
    """GET /fapi/v1/accountConfig."""
    return _about_account(call, None, reads.account_config)


def symbol_config(call: Call) -> Errand:
    """GET /fapi/v1/symbolConfig."""
    symbol = call.params.text("symbol")
    return _about_account(call, None, lambda floor, account: reads.symbol_config(floor, account, symbol))


def brackets(call: Call) -> Errand:
    """GET /fapi/v1/leverageBracket."""
    symbol = call.params.text("symbol")
    return _about_account(call, None, lambda floor, account: reads.brackets(floor, account, symbol))


def position_mode(call: Call) -> Errand:
    """GET /fapi/v1/positionSide/dual."""
    return _about_account(call, None, lambda _, account: ({"dualSidePosition": account.settings.is_hedge}, []))


def api_restrictions(call: Call) -> Any:
    """GET /sapi/v1/account/apiRestrictions, which Binance tells at Spot's address."""
    rights = call.house.rights
    return restrictions(rights, ms(call.house.started_ns)) | {"enableFutures": rights.can_trade}


# --- settings of the account --------------------------------------------------------------------------------------


def _change(
    call: Call, symbol: str, change: Callable[[AccountSettings], AccountSettings], answer: Json,
    event: Callable[[Floor], Json],
) -> Errand:  # fmt: skip
    house = _house(call)

    def work(floor: Floor, _: object) -> Result:
        if symbol:
            floor.instrument(symbol)
        write_settings(floor.register.exchange, change(house.account_settings()))
        return answer, [wire.Foreign((event(floor),))]

    return call.errand(None, work)


def set_leverage(call: Call) -> Errand:
    """POST /fapi/v1/leverage."""
    symbol, leverage = call.params.need("symbol"), call.params.whole("leverage")
    if leverage is None or not 1 <= leverage <= reads.LEVERAGE_MOST:
        raise Refused(-4028, f"Leverage {leverage} is not valid")
    answer = {"leverage": leverage, "maxNotionalValue": "1000000", "symbol": symbol}

    def event(floor: Floor) -> Json:
        at_ms = ms(floor.now_ns)
        return {"e": "ACCOUNT_CONFIG_UPDATE", "E": at_ms, "T": at_ms, "ac": {"s": symbol, "l": leverage}}

    return _change(call, symbol, lambda settings: settings.with_leverage(symbol, leverage), answer, event)


def set_margin_type(call: Call) -> Errand:
    """POST /fapi/v1/marginType."""
    symbol, margin_type = call.params.need("symbol"), call.params.need("marginType")
    if margin_type not in (CROSSED, ISOLATED):
        raise missing("marginType")

    def event(floor: Floor) -> Json:
        at_ms = ms(floor.now_ns)
        body = {"m": "MARGIN_TYPE_CHANGE", "B": [], "P": []}
        return {"e": "ACCOUNT_UPDATE", "E": at_ms, "T": at_ms, "a": body}

    done = {"code": 200, "msg": "success"}
    return _change(call, symbol, lambda settings: settings.with_margin_type(symbol, margin_type), done, event)


def set_position_mode(call: Call) -> Errand:
    """POST /fapi/v1/positionSide/dual: -4068 while something is held or open."""
    house, is_hedge = _house(call), call.params.flag("dualSidePosition")

    def work(floor: Floor, _: object) -> Result:
        state, settings = floor.register.state, house.account_settings()
        if state.open or any(held.quantity for held in state.account.contracts.values()):
            raise Refused(-4068, "Position side cannot be changed if there exists position or open orders.")
        write_settings(floor.register.exchange, evolve(settings, is_hedge=is_hedge))
        return {"code": 200, "msg": "success"}, []

    return call.errand(None, work)


# --- the market ---------------------------------------------------------------------------------------------------


def exchange_info(call: Call) -> Errand:
    """GET /fapi/v1/exchangeInfo."""
    house = _house(call)

    def work(floor: Floor, _: object) -> Result:
        return {
            "timezone": "UTC", "serverTime": ms(house.clock()), "futuresType": "U_MARGINED",
            "rateLimits": house.order_weights.limit_rows(), "exchangeFilters": [], "assets": [],
            "symbols": [_symbol(floor, symbol) for symbol in house.symbols],
        }, []  # fmt: skip

    return call.errand(None, work)


def _symbol(floor: Floor, symbol: str) -> Json:
    contract = floor.instrument(symbol)
    is_perpetual = contract.kind is InstrumentKind.PERPETUAL
    changed = floor.faults.filters.get(symbol, {})
    return {
        "symbol": symbol, "pair": symbol,
        "contractType": "PERPETUAL" if is_perpetual else "CURRENT_QUARTER",
        "deliveryDate": FAR_AWAY_MS if contract.expiry_ns is None else ms(contract.expiry_ns),
        "onboardDate": 0, "status": floor.status(symbol), "baseAsset": contract.base,
        "quoteAsset": contract.quote, "marginAsset": contract.cash, "pricePrecision": 8, "quantityPrecision": 8,
        "baseAssetPrecision": 8, "quotePrecision": 8, "orderTypes": sorted(ORDER_TYPES),
        "timeInForce": sorted(TIMES_IN_FORCE),
        "filters": [each | dict(changed.get(each["filterType"], {})) for each in _filters(contract)],
    }  # fmt: skip


def _filters(contract: Instrument) -> list[Json]:
    lot = {
        "minQty": eight(contract.min_quantity or ZERO), "maxQty": eight(contract.max_quantity or ZERO),
        "stepSize": eight(contract.lot),
    }  # fmt: skip
    return [
        {
            "filterType": "PRICE_FILTER", "minPrice": eight(contract.min_price or ZERO),
            "maxPrice": eight(contract.max_price or ZERO), "tickSize": eight(contract.tick),
        },
        {"filterType": "LOT_SIZE"} | lot,
        {"filterType": "MARKET_LOT_SIZE"} | lot,
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {
            "filterType": "PERCENT_PRICE", "multiplierUp": str(orders.HIGHEST), "multiplierDown": str(orders.LOWEST),
            "multiplierDecimal": "4",
        },
        {"filterType": "MIN_NOTIONAL", "notional": eight(contract.min_notional or ZERO)},
    ]  # fmt: skip


def depth(call: Call) -> Any:
    """GET /fapi/v1/depth."""
    limit, tape = markets.limit_of(call.params, 500, ROWS_MOST), tape_of(call)
    with call.house.recorder.lock:
        book = book_of(tape, limit)
    at_ms = ms(call.house.clock())
    return book | {"lastUpdateId": book["lastUpdateId"] * UNIT, "E": at_ms, "T": at_ms}


def premium(call: Call) -> Errand:
    """GET /fapi/v1/premiumIndex."""
    house, wanted = _house(call), call.params.text("symbol")

    def work(floor: Floor, _: object) -> Result:
        rows = [mark_row(house, floor, symbol) for symbol in house.symbols if wanted in (None, symbol)]
        return rows if wanted is None else (rows[0] if rows else {}), []

    return call.errand(None, work)


def mark_row(house: UsdmHouse, floor: Floor, symbol: str) -> Json:
    """Mark price and the next funding."""
    terms, now_ns = house.terms[symbol], floor.now_ns
    mark = mark_of(floor.register.exchange, symbol)
    price = eight(ZERO if mark is None else mark)
    return {
        "symbol": symbol, "markPrice": price, "indexPrice": price, "estimatedSettlePrice": price,
        "lastFundingRate": eight(terms.funding_rate or ZERO), "interestRate": "0.00010000",
        "nextFundingTime": ms((now_ns // terms.funding_every_ns + 1) * terms.funding_every_ns), "time": ms(now_ns),
    }  # fmt: skip
