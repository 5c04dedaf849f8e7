"""Questions about orders and the account, in the exchange's thread; a lagging replica answers from the past."""

from __future__ import annotations

from itertools import islice
from zlib import crc32

from attrs import frozen

from adapters.binance.server.orders import Floor, Result
from adapters.binance.server.refusal import Refused
from adapters.binance.server.shapes import eight, ms, my_trade, queried, trade_id
from adapters.simulated.options import FeeRates
from adapters.simulated.state import Order, State
from adapters.simulated.wire import Executed
from engine.values import MILLISECOND_NS, ZERO, Asset, plain

DAY_MS = 86_400_000
ARCHIVED_MS = 90 * DAY_MS


@frozen(kw_only=True)
class Span:
    """Which rows of a history: from an id on, or in a time (milliseconds, both ends included), at most `limit`."""

    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    limit: int = 500

    def check(self) -> None:
        """-1127 for more than a day."""
        if self.start_ms is not None and self.end_ms is not None and self.end_ms - self.start_ms > DAY_MS:
            raise Refused(-1127)

    def has(self, at_ms: int) -> bool:
        """Is the instant in it?"""
        return (self.start_ms is None or at_ms >= self.start_ms) and (self.end_ms is None or at_ms <= self.end_ms)

    @property
    def is_newest(self) -> bool:
        """With no beginning the newest rows count, else the oldest."""
        return self.from_id is None and self.start_ms is None


def query(floor: Floor, symbol: str, order_id: int | None, client_id: str | None) -> Result:
    """One order: -2013 where it is not known (or not yet)."""
    floor.instrument(symbol)
    register, faults = floor.register, floor.faults
    order = register.find(order_id, client_id, faults.finds_old_ids)
    if order is None or order.accepted.symbol != symbol:
        raise Refused(-2013)
    if register.count_query(order) <= faults.hide_orders:
        raise Refused(-2013)
    terms = register.of(order)
    if order_id is not None and client_id not in (None, terms.client_id):
        raise Refused(-2039)
    if not order.filled and not order.status.is_open and ms(floor.now_ns) - ms(order.updated_ns) > ARCHIVED_MS:
        raise Refused(-2026)
    return queried(order, terms), []


def open_orders(floor: Floor, symbol: str | None, stale_ns: int) -> Result:
    """Open orders of one symbol or of all; `stale_ns` old where the replica lags."""
    if symbol is not None:
        floor.instrument(symbol)
    exchange = floor.register.exchange
    state = exchange.state_as_of(exchange.now_ns - stale_ns) if stale_ns else exchange.state
    found = [order for order in state.open.values() if symbol in (None, order.accepted.symbol)]
    return [queried(order, floor.register.of(order)) for order in found], []


def all_orders(floor: Floor, symbol: str, span: Span) -> Result:
    """Orders by id: those from an id on, or of a time."""
    floor.instrument(symbol)
    span.check()
    lag_ms = floor.faults.history_lag_ns // MILLISECOND_NS
    register, until_ms = floor.register, ms(floor.now_ns) - lag_ms
    ids = [
        order_id
        for order_id, at_ms in register.history(symbol)
        if at_ms <= until_ms and span.has(at_ms) and (span.from_id is None or order_id >= span.from_id)
    ]
    kept = ids[-span.limit :] if span.is_newest else ids[: span.limit]
    orders = (register.find(order_id, None) for order_id in kept)
    return [queried(order, register.of(order)) for order in orders if order is not None], []


def my_trades(floor: Floor, symbol: str, order_id: int | None, span: Span) -> Result:
    """Executions by id."""
    floor.instrument(symbol)
    span.check()
    register, state = floor.register, floor.register.state
    until_ns = register.exchange.now_ns - floor.faults.history_lag_ns
    wanted = None if order_id is None else str(order_id)
    found = (
        each
        for each in (reversed(state.executions) if span.is_newest else state.executions)
        if each.symbol == symbol
        and wanted in (None, each.venue_order_id)
        and each.at_ns <= until_ns
        and span.has(ms(each.at_ns))
        and (span.from_id is None or trade_id(each) >= span.from_id)
    )
    kept = list(islice(found, span.limit))
    kept.sort(key=trade_id)
    return [my_trade(each, register.of(_order(state, each))) for each in kept], []


def _order(state: State, executed: Executed) -> Order:
    order = state.find(executed.venue_order_id, None)
    assert order is not None, "orders are forgotten after their executions"
    return order


def amendments(floor: Floor, symbol: str, order_id: int, from_id: int | None, limit: int) -> Result:
    """The reductions of an order."""
    order = floor.register.find(order_id, None)
    if order is None or order.accepted.symbol != symbol:
        raise Refused(-2013)
    rows = [
        {
            "symbol": symbol,
            "orderId": order_id,
            "executionId": each.execution_id,
            "origClientOrderId": each.old_id,
            "newClientOrderId": each.new_id,
            "origQty": eight(each.old_quantity),
            "newQty": eight(each.new_quantity),
            "time": each.at_ms,
        }
        for each in floor.register.of(order).amendments
        if from_id is None or each.execution_id >= from_id
    ]
    return rows[:limit], []


def balance_row(state: State, asset: Asset) -> tuple[str, str]:
    """Free and locked."""
    return eight(plain(state.free(asset))), eight(plain(state.locked(asset)))


def account(floor: Floor, fees: FeeRates, omit_zero: bool) -> Result:
    """The account: balances, rates, rights, uid."""
    state = floor.register.state
    balances = []
    for asset in sorted(state.account.totals):
        free, locked = balance_row(state, asset)
        if not omit_zero or state.account.total(asset) != ZERO:
            balances.append({"asset": asset, "free": free, "locked": locked})
    maker, taker = fees.maker, fees.taker
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": eight(maker), "taker": eight(taker), "buyer": eight(ZERO), "seller": eight(ZERO),
        },
        "canTrade": floor.can_trade,
        "canWithdraw": floor.can_withdraw,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": state.at_ns // MILLISECOND_NS,
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": uid(state),
    }, []  # fmt: skip


def uid(state: State) -> int:
    """A number that follows from the account's identity."""
    return crc32(state.identity.encode()) % 10**9 + 1


def commission(floor: Floor, symbol: str, fees: FeeRates) -> Result:
    """The rates for a symbol."""
    floor.instrument(symbol)
    nothing = {"maker": eight(ZERO), "taker": eight(ZERO), "buyer": eight(ZERO), "seller": eight(ZERO)}
    return {
        "symbol": symbol,
        "standardCommission": nothing | {"maker": eight(fees.maker), "taker": eight(fees.taker)},
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB", "discount": eight(ZERO),
        },
    }, []  # fmt: skip
