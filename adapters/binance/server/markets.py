"""Handlers of public questions: time, symbols, books, trades, candles, tickers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.binance.server.call import Call
from adapters.binance.server.candles import WIDTHS_NS, candles, end_of
from adapters.binance.server.errand import Errand
from adapters.binance.server.filters import EXCHANGE_FILTERS
from adapters.binance.server.orders import Floor
from adapters.binance.server.params import Params
from adapters.binance.server.recorder import Bar, Tape
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import Json, eight, ms
from adapters.binance.server.tickets import TYPES
from adapters.binance.server.weights import limit_rows
from engine.values import MILLISECOND_NS, ZERO, divide

DEPTH_MOST = 5_000
ROWS_MOST = 1_000
DAY_NS = 86_400_000 * MILLISECOND_NS
_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (DEPTH_MOST, 250))


def ping(_: Call) -> Any:
    """GET /api/v3/ping."""
    return {}


def server_time(call: Call) -> Any:
    """GET /api/v3/time."""
    return {"serverTime": ms(call.house.clock())}


def exchange_info(call: Call) -> Errand:
    """GET /api/v3/exchangeInfo."""
    params, house = call.params, call.house
    one, many = params.text("symbol"), params.words("symbols")
    params.text("permissions"), params.text("showPermissionSets")
    status = params.text("symbolStatus")
    wanted = [one] if one is not None else many
    if wanted is not None and any(each not in house.symbols for each in wanted):
        raise Refused(-1121)

    def work(floor: Floor, _: object) -> tuple[Json, list[Any]]:
        rows = [_symbol(floor, each) for each in (wanted or house.symbols)]
        return {
            "timezone": "UTC",
            "serverTime": ms(house.clock()),
            "rateLimits": limit_rows(house.weights.limits),
            "exchangeFilters": EXCHANGE_FILTERS,
            "symbols": [row for row in rows if status in (None, row["status"])],
        }, []

    return call.errand(None, work)


def _symbol(floor: Floor, symbol: str) -> Json:
    instrument = floor.instrument(symbol)
    return {
        "symbol": symbol,
        "status": floor.status(symbol),
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": sorted(TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": floor.filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def tape_of(call: Call) -> Tape:
    """The record of the symbol that is asked for."""
    symbol = call.params.need("symbol")
    if symbol not in call.house.symbols:
        raise Refused(-1121)
    return call.house.recorder.tape(symbol)


def limit_of(params: Params, default: int, most: int) -> int:
    """How many rows are asked for; more than the most is the most."""
    limit = params.whole("limit")
    return default if limit is None else max(1, min(limit, most))


def depth_weight(params: Params) -> int:
    """By how deep the book is asked for."""
    text = params.given.get("limit", "100")
    limit = int(text) if text.isdigit() else 100
    return next((weight for most, weight in _DEPTH_WEIGHTS if limit <= most), 250)


def depth(call: Call) -> Any:
    """GET /api/v3/depth."""
    limit, tape = limit_of(call.params, 100, DEPTH_MOST), tape_of(call)
    with call.house.recorder.lock:
        return book_of(tape, limit)


def book_of(tape: Tape, limit: int) -> Json:
    """A book's best levels."""
    bids = sorted(tape.bids.items(), reverse=True)[:limit]
    asks = sorted(tape.asks.items())[:limit]
    return {"lastUpdateId": tape.update_id, "bids": levels(bids), "asks": levels(asks)}


def levels(rows: Any) -> list[list[str]]:
    """Price and quantity by level."""
    return [[eight(price), eight(quantity)] for price, quantity in rows]


def trades(call: Call) -> Any:
    """GET /api/v3/trades."""
    limit, tape = limit_of(call.params, 500, ROWS_MOST), tape_of(call)
    with call.house.recorder.lock:
        return [each.row() for each in list(tape.trades)[-limit:]]


def agg_trades(call: Call) -> Any:
    """GET /api/v3/aggTrades: each trade by itself."""
    limit, tape = limit_of(call.params, 500, ROWS_MOST), tape_of(call)
    start, end, first = (call.params.whole(name) for name in ("startTime", "endTime", "fromId"))
    with call.house.recorder.lock:
        found = [
            each for each in tape.trades
            if (start is None or ms(each.at_ns) >= start) and (end is None or ms(each.at_ns) <= end)
            and (first is None or each.trade_id >= first)
        ]  # fmt: skip
    kept = found[-limit:] if start is None and first is None else found[:limit]
    return [
        {
            "a": each.trade_id, "p": eight(each.price), "q": eight(each.quantity), "f": each.trade_id,
            "l": each.trade_id, "T": ms(each.at_ns), "m": each.is_buyer_maker, "M": True,
        }
        for each in kept
    ]  # fmt: skip


def klines(call: Call) -> Any:
    """GET /api/v3/klines."""
    params, tape = call.params, tape_of(call)
    interval = params.need("interval")
    if interval not in WIDTHS_NS:
        raise Refused(-1120)
    limit = limit_of(params, 500, ROWS_MOST)
    start, end = params.whole("startTime"), params.whole("endTime")
    params.text("timeZone")
    call.house.backfill(tape.symbol)
    with call.house.recorder.lock:
        found = candles(tape, interval, call.house.clock())
    kept = [
        bar for bar in found
        if (start is None or ms(bar.start_ns) >= start) and (end is None or ms(bar.start_ns) <= end)
    ]  # fmt: skip
    kept = kept[-limit:] if start is None else kept[:limit]
    return [bar.row(end_of(interval, bar.start_ns) - bar.start_ns) for bar in kept]


def average(tape: Tape, minutes: int) -> Decimal:
    """The weighted average price of the last minutes; the last price where nothing traded."""
    bars = list(tape.minutes)[-minutes:]
    volume = sum((bar.volume for bar in bars), ZERO)
    return divide(sum((bar.quote for bar in bars), ZERO), volume) if volume else tape.last_price()


def avg_price(call: Call) -> Any:
    """GET /api/v3/avgPrice."""
    tape = tape_of(call)
    with call.house.recorder.lock:
        return {"mins": 5, "price": eight(average(tape, 5)), "closeTime": ms(call.house.clock())}


def _each(call: Call, show: Any) -> Any:
    one, many = call.params.text("symbol"), call.params.words("symbols")
    call.params.text("type")
    wanted = [one] if one is not None else many or list(call.house.symbols)
    if any(each not in call.house.symbols for each in wanted):
        raise Refused(-1121)
    with call.house.recorder.lock:
        rows = [show(call.house.recorder.tape(each)) for each in wanted]
    return rows[0] if one is not None else rows


def price_ticker(call: Call) -> Any:
    """GET /api/v3/ticker/price."""
    return _each(call, lambda tape: {"symbol": tape.symbol, "price": eight(tape.last_price())})


def book_ticker(call: Call) -> Any:
    """GET /api/v3/ticker/bookTicker."""
    return _each(call, best_of)


def best_of(tape: Tape) -> Json:
    """Best bid and ask of a symbol."""
    quote = tape.quote
    return {
        "symbol": tape.symbol,
        "bidPrice": eight(quote.bid if quote else ZERO),
        "bidQty": eight(quote.bid_quantity if quote else ZERO),
        "askPrice": eight(quote.ask if quote else ZERO),
        "askQty": eight(quote.ask_quantity if quote else ZERO),
    }


def day_ticker(call: Call) -> Any:
    """GET /api/v3/ticker/24hr, of what is remembered."""
    now_ns = call.house.clock()
    return _each(call, lambda tape: day_of(tape, now_ns))


def day_bar(tape: Tape) -> Bar | None:
    """The minutes of the last day as one bar."""
    bars = list(tape.minutes)[-1_440:]
    if not bars:
        return None
    first = bars[0]
    whole = Bar(first.start_ns, first.open, first.high, first.low, first.close)
    for bar in bars:
        whole.join(bar)
    return whole


def day_of(tape: Tape, now_ns: int) -> Json:
    """The statistics of a day."""
    bar, last = day_bar(tape), tape.trades[-1] if tape.trades else None
    best = best_of(tape)
    price = tape.last_price()
    first = bar.open if bar else price
    change = price - first
    return {
        "symbol": tape.symbol,
        "priceChange": eight(change),
        "priceChangePercent": f"{divide(change * 100, first) if first else ZERO:.3f}",
        "weightedAvgPrice": eight(divide(bar.quote, bar.volume) if bar and bar.volume else price),
        "prevClosePrice": eight(first),
        "lastPrice": eight(price),
        "lastQty": eight(last.quantity if last else ZERO),
        **{name: value for name, value in best.items() if name != "symbol"},
        "openPrice": eight(first),
        "highPrice": eight(bar.high if bar else price),
        "lowPrice": eight(bar.low if bar else price),
        "volume": eight(bar.volume if bar else ZERO),
        "quoteVolume": eight(bar.quote if bar else ZERO),
        "openTime": ms(now_ns - DAY_NS),
        "closeTime": ms(now_ns),
        "firstId": bar.first_id if bar else -1,
        "lastId": bar.last_id if bar else -1,
        "count": bar.count if bar else 0,
    }
