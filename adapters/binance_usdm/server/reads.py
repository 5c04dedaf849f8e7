"""Questions about orders and the account, in the exchange's thread; a lagging replica answers from the past."""

from __future__ import annotations

from decimal import Decimal
from zlib import crc32

from attrs import evolve, frozen

from adapters.binance.server.orders import Floor, Result
from adapters.binance.server.reads import Span
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import Json, eight, ms
from adapters.binance_usdm.server.margins import Margins, holdings, liquidation_price, margins
from adapters.binance_usdm.server.orders import Account
from adapters.binance_usdm.server.settings import CROSSED, ISOLATED
from adapters.binance_usdm.server.shapes import income_row, order_row, trade_row
from engine.values import MILLISECOND_NS, Asset, divide

WEEK_MS = 7 * 86_400_000
VANISH_MS = 3 * 86_400_000
LEVERAGE_MOST = 125
USDT = Asset("USDT")
MARGIN_WORDS = {CROSSED: "cross", ISOLATED: "isolated"}
"""What a position calls the margin mode that the settings call otherwise."""


def query(floor: Floor, symbol: str, order_id: int | None, client_id: str | None) -> Result:
    """One order: -2013 where it is not known (or not yet)."""
    floor.instrument(symbol)
    order = floor.register.find(order_id, client_id)
    if order is None or order.accepted.symbol != symbol:
        raise Refused(-2013)
    if floor.register.count_query(order) <= floor.faults.hide_orders:
        raise Refused(-2013)
    is_old = ms(floor.now_ns) - ms(order.updated_ns) > VANISH_MS
    if not order.filled and not order.status.is_open and is_old:
        raise Refused(-2013)
    return order_row(order, floor.register.of(order)), []


def open_orders(floor: Floor, symbol: str | None, stale_ns: int) -> Result:
    """Open orders of one symbol or of all; `stale_ns` old where the replica lags."""
    if symbol is not None:
        floor.instrument(symbol)
    exchange = floor.register.exchange
    state = exchange.state_as_of(exchange.now_ns - stale_ns) if stale_ns else exchange.state
    found = [order for order in state.open.values() if symbol in (None, order.accepted.symbol)]
    return [order_row(order, floor.register.of(order)) for order in found], []


def all_orders(floor: Floor, symbol: str, span: Span) -> Result:
    """Orders by id: those from an id on, or of a time of at most seven days."""
    floor.instrument(symbol)
    _check_window(span)
    until_ms = ms(floor.now_ns) - floor.faults.history_lag_ns // MILLISECOND_NS
    found = (floor.register.find(order_id, None) for order_id, _at_ms in floor.register.history(symbol))
    rows: list[Json] = []
    for order in found:
        row = order_row(order, floor.register.of(order)) if order is not None else None
        if row is None or (span.from_id is not None and row["orderId"] < span.from_id):
            continue
        if row["time"] <= until_ms and span.has(row["time"]):
            rows.append(row)
    return _limited(rows, span), []


def user_trades(floor: Floor, symbol: str, order_id: int | None, span: Span) -> Result:
    """Executions by id, of a time of at most seven days; without an end, of the seven days from its beginning."""
    floor.instrument(symbol)
    _check_window(span)
    if span.start_ms is not None and span.end_ms is None:
        span = evolve(span, end_ms=span.start_ms + WEEK_MS)
    until_ms = ms(floor.now_ns) - floor.faults.history_lag_ns // MILLISECOND_NS
    rows: list[Json] = []
    for executed in floor.register.state.executions:
        if executed.symbol != symbol or (order_id is not None and executed.venue_order_id != str(order_id)):
            continue
        row = trade_row(executed)
        is_asked = span.from_id is None or row["id"] >= span.from_id
        if is_asked and row["time"] <= until_ms and span.has(row["time"]):
            rows.append(row)
    return _limited(rows, span), []


def _check_window(span: Span) -> None:
    if span.start_ms is not None and span.end_ms is not None and span.end_ms - span.start_ms > WEEK_MS:
        raise Refused(-4166, "Search window is restricted to recent 7 days only.")


def _limited(rows: list[Json], span: Span) -> list[Json]:
    return rows[-span.limit :] if span.is_newest else rows[: span.limit]


def income(floor: Floor, symbol: str | None, kind: str | None, span: Span) -> Result:
    """Fundings, oldest first; this exchange keeps no list of other incomes."""
    if kind not in (None, "FUNDING_FEE"):
        return [], []
    until_ms = ms(floor.now_ns) - floor.faults.history_lag_ns // MILLISECOND_NS
    rows = [income_row(paid) for paid in floor.register.state.fundings if symbol in (None, paid.symbol)]
    return _limited([row for row in rows if row["time"] <= until_ms and span.has(row["time"])], span), []


# --- the account --------------------------------------------------------------------------------------------------


@frozen
class _Shown:
    """An asset and its margins, as strings."""

    asset: Asset
    found: Margins

    @property
    def numbers(self) -> dict[str, str]:
        found = self.found
        told = {
            "walletBalance": found.wallet, "unrealizedProfit": found.equity - found.wallet,
            "marginBalance": found.equity, "maintMargin": found.maintenance,
            "initialMargin": found.positions + found.orders, "positionInitialMargin": found.positions,
            "openOrderInitialMargin": found.orders, "crossWalletBalance": found.wallet,
            "crossUnPnl": found.equity - found.wallet, "availableBalance": found.available,
            "maxWithdrawAmount": found.available,
        }  # fmt: skip
        return {name: eight(number) for name, number in told.items()}


def _assets(floor: Floor, account: Account) -> list[_Shown]:
    exchange = floor.register.exchange
    return [
        _Shown(asset, margins(exchange, asset, account.settings, account.maintenance_rate))
        for asset in sorted(exchange.state.account.totals)
    ]


def balances(floor: Floor, account: Account) -> Result:
    """Every asset's balance."""
    alias, now_ms = alias_of(floor), ms(floor.now_ns)
    return [
        {
            "accountAlias": alias, "asset": each.asset, "balance": each.numbers["walletBalance"],
            "crossWalletBalance": each.numbers["walletBalance"], "crossUnPnl": each.numbers["crossUnPnl"],
            "availableBalance": each.numbers["availableBalance"],
            "maxWithdrawAmount": each.numbers["maxWithdrawAmount"], "marginAvailable": True, "updateTime": now_ms,
        }
        for each in _assets(floor, account)
    ], []  # fmt: skip


def account_of(floor: Floor, account: Account) -> Result:
    """Margins of the whole account and by asset; what a dollar is worth is not asked here."""
    found = _assets(floor, account)
    total = next((each for each in found if each.asset == USDT), found[0]).numbers
    names = {
        "totalInitialMargin": "initialMargin", "totalMaintMargin": "maintMargin",
        "totalWalletBalance": "walletBalance", "totalUnrealizedProfit": "unrealizedProfit",
        "totalMarginBalance": "marginBalance", "totalPositionInitialMargin": "positionInitialMargin",
        "totalOpenOrderInitialMargin": "openOrderInitialMargin", "totalCrossWalletBalance": "crossWalletBalance",
        "totalCrossUnPnl": "crossUnPnl", "availableBalance": "availableBalance",
        "maxWithdrawAmount": "maxWithdrawAmount",
    }  # fmt: skip
    told: Json = {name: total[source] for name, source in names.items()}
    rows, now_ms = _position_rows(floor, account), ms(floor.now_ns)
    kept = (
        "symbol positionSide positionAmt unrealizedProfit isolatedMargin notional initialMargin maintMargin leverage "
        "isolated entryPrice breakEvenPrice positionInitialMargin openOrderInitialMargin isolatedWallet updateTime"
    ).split()
    positions = [
        {name: value for name, value in (row | {"unrealizedProfit": row["unRealizedProfit"]}).items() if name in kept}
        for row in rows
    ]
    assets = [{"asset": each.asset} | each.numbers | {"updateTime": now_ms} for each in found]
    return told | {"assets": assets, "positions": positions}, []


def positions(floor: Floor, account: Account, symbol: str | None) -> Result:
    """What is held."""
    return [row for row in _position_rows(floor, account) if symbol in (None, row["symbol"])], []


def _position_rows(floor: Floor, account: Account) -> list[Json]:
    exchange, rows = floor.register.exchange, list[Json]()
    for each in holdings(exchange):
        asset = exchange.rules.instruments[each.symbol].cash
        found = margins(exchange, asset, account.settings, account.maintenance_rate)
        leverage = Decimal(account.settings.leverage_of(each.symbol))
        initial, average = divide(abs(each.notional), leverage), each.held.average_price
        liquidation = liquidation_price(each, found.equity, found.maintenance, account.maintenance_rate)
        rows.append(
            {
                "symbol": each.symbol, "positionSide": "BOTH", "positionAmt": eight(each.held.quantity),
                "entryPrice": str(average), "breakEvenPrice": str(average), "markPrice": str(each.mark),
                "unRealizedProfit": str(each.unrealized), "liquidationPrice": eight(liquidation),
                "isolatedMargin": "0", "notional": eight(each.notional), "marginAsset": asset,
                "isolatedWallet": "0", "initialMargin": eight(initial),
                "maintMargin": eight(abs(each.notional) * account.maintenance_rate),
                "positionInitialMargin": eight(initial), "openOrderInitialMargin": "0", "adl": 1,
                "leverage": str(leverage), "isolated": account.settings.margin_type_of(each.symbol) != CROSSED,
                "marginType": MARGIN_WORDS[account.settings.margin_type_of(each.symbol)],
                "updateTime": ms(floor.now_ns),
            }
        )  # fmt: skip
    return rows


def account_config(floor: Floor, account: Account) -> Result:
    """Rights and position mode."""
    return {
        "feeTier": 0, "canTrade": floor.can_trade, "canDeposit": True, "canWithdraw": floor.can_withdraw,
        "dualSidePosition": account.settings.is_hedge, "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1,
    }, []  # fmt: skip


def brackets(floor: Floor, account: Account, symbol: str | None) -> Result:
    """What must be kept of a position: one rate for all sizes."""
    only = {
        "bracket": 1, "initialLeverage": LEVERAGE_MOST, "notionalCap": 1_000_000, "notionalFloor": 0,
        "maintMarginRatio": str(account.maintenance_rate), "cum": 0,
    }  # fmt: skip
    symbols = floor.register.exchange.rules.instruments
    return [{"symbol": each, "brackets": [only]} for each in symbols if symbol in (None, each)], []


def symbol_config(floor: Floor, account: Account, symbol: str | None) -> Result:
    """Leverage and margin mode."""
    if symbol is not None:
        floor.instrument(symbol)
    settings = account.settings
    return [
        {
            "symbol": each, "marginType": settings.margin_type_of(each), "isAutoAddMargin": False,
            "leverage": settings.leverage_of(each), "maxNotionalValue": "1000000",
        }
        for each in floor.register.exchange.rules.instruments
        if symbol in (None, each)
    ], []  # fmt: skip


def alias_of(floor: Floor) -> str:
    """What the account is called: a word that follows from its identity."""
    return f"{crc32(floor.register.state.identity.encode()):08x}"
