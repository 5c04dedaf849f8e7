"""What USD-M futures say of themselves, as the engine wants to know it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from adapters.binance.listing import absence
from adapters.binance_usdm import wire
from adapters.binance_usdm.calls import TYPES
from adapters.binance_usdm.hosts import BY_NAME
from adapters.budget import RateLimit
from adapters.environment import account_name
from engine.capabilities import (
    AccountRights,
    Capabilities,
    ClientIds,
    MarginMode,
    PositionMode,
    VenueDescription,
)
from engine.instrument import Instrument, InstrumentKind, PriceBands
from engine.values import MILLISECOND_NS, SECOND_NS, ZERO, Asset, InstrumentName, TimeInForce, VenueName, exact

ADAPTER_NAME = "binance_usdm"
CLIENT_ID_LENGTH = 36
PERPETUAL = "PERPETUAL"

HISTORY_NS = 3 * 86_400 * SECOND_NS
"""Orders that never executed vanish after three days."""

TIMES_IN_FORCE = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD)
MARGIN_MODES = {"CROSSED": MarginMode.CROSS, "CROSS": MarginMode.CROSS, "ISOLATED": MarginMode.ISOLATED}

DEFAULT_LIMITS = (
    RateLimit("REQUEST_WEIGHT", 60 * SECOND_NS, 2_400),
    RateLimit("ORDERS", 10 * SECOND_NS, 300),
    RateLimit("ORDERS", 60 * SECOND_NS, 1_200),
)
"""Until the venue has named its own."""

CAPABILITIES = Capabilities(
    order_types=tuple(TYPES), times_in_force=TIMES_IN_FORCE, post_only=True, replace=True,
    client_ids=ClientIds.UNIQUE_OPEN, client_id_length=CLIENT_ID_LENGTH, reduce_only=True, amend=False, id_echo=True,
    resume=False, history_ns=HISTORY_NS,
)  # fmt: skip


def describe(
    venue: VenueName,
    environment: str,
    symbols: Mapping[InstrumentName, str],
    info: wire.ExchangeInfo,
    settings: Mapping[str, wire.SymbolConfig],
    account: AccountRights,
    alias: str,
    absent_after_ns: int,
) -> VenueDescription:
    """The venue as the engine wants to know it; a symbol that is not listed is not in it. Raises `ValueError` for a
    symbol whose filters are no numbers."""
    rows = {row.symbol: row for row in info.symbols}
    listed = [(name, rows[symbol]) for name, symbol in symbols.items() if symbol in rows]
    return VenueDescription(
        venue, ADAPTER_NAME, account_name(ADAPTER_NAME, environment, alias), CAPABILITIES, absence(absent_after_ns),
        tuple(instrument(venue, name, row, settings.get(row.symbol)) for name, row in listed), account,
    )  # fmt: skip


def rights(environment: str, account: wire.AccountConfig, key: wire.KeyRights | None) -> AccountRights:
    """What the account may do by this key. Where nobody tells the key's rights, those of the account count if money is
    real; if not, there is nothing to withdraw."""
    mode = PositionMode.HEDGE if account.dual_side_position else PositionMode.ONE_WAY
    if key is None:
        may_withdraw = account.can_withdraw if BY_NAME[environment].is_live else None
        return AccountRights(may_trade=account.can_trade, may_withdraw=may_withdraw, position_mode=mode)
    return AccountRights(
        may_trade=account.can_trade and key.enable_futures, may_withdraw=key.enable_withdrawals,
        is_restricted_to_addresses=key.ip_restrict, position_mode=mode,
    )  # fmt: skip


def instrument(
    venue: VenueName, name: InstrumentName, row: wire.SymbolRow, settings: wire.SymbolConfig | None
) -> Instrument:
    """A contract with its filters; a value of zero says that there is no such bound."""
    filters = {str(found.get("filterType")): found for found in row.filters}
    price, lot = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    market, worth = filters.get("MARKET_LOT_SIZE", {}), filters.get("MIN_NOTIONAL", {})
    orders = filters.get("MAX_NUM_ORDERS", {}).get("limit")
    is_perpetual = row.contract_type == PERPETUAL
    return Instrument(
        name=name, venue=venue, symbol=row.symbol, base=Asset(row.base_asset), quote=Asset(row.quote_asset),
        tick=_bound(price, "tickSize") or _LEAST, lot=_bound(lot, "stepSize") or _LEAST,
        min_quantity=_bound(lot, "minQty"), max_quantity=_bound(lot, "maxQty"),
        min_price=_bound(price, "minPrice"), max_price=_bound(price, "maxPrice"),
        min_notional=_bound(worth, "notional") or _bound(worth, "minNotional"),
        kind=InstrumentKind.PERPETUAL if is_perpetual else InstrumentKind.FUTURE,
        settlement_asset=Asset(row.margin_asset or row.quote_asset),
        expiry_ns=None if is_perpetual or not row.delivery_date else row.delivery_date * MILLISECOND_NS,
        is_halted=row.status != "TRADING", market_lot=_bound(market, "stepSize"),
        min_market_quantity=_bound(market, "minQty"), max_market_quantity=_bound(market, "maxQty"),
        price_bands=_bands(filters.get("PERCENT_PRICE")),
        max_orders=orders if isinstance(orders, int) else None,
        leverage=None if settings is None else settings.leverage,
        margin_mode=None if settings is None else MARGIN_MODES.get(settings.margin_type.upper()),
    )  # fmt: skip


_LEAST = Decimal("0.00000001")
"""Where no step is named: Binance counts in eight digits."""


def _bands(found: Mapping[str, Any] | None) -> PriceBands | None:
    """A buy may not be far above the mark and a sell not far below it; the other way nothing is bound."""
    if found is None:
        return None
    return PriceBands(
        buy_low=ZERO, buy_high=_bound(found, "multiplierUp") or ZERO,
        sell_low=_bound(found, "multiplierDown") or ZERO, sell_high=ZERO,
    )  # fmt: skip


def _bound(found: Mapping[str, Any], key: str) -> Decimal | None:
    text = found.get(key)
    return (exact(str(text)) or None) if text is not None else None


def alias_of(rows: Iterable[wire.BalanceRow]) -> str:
    """What the venue calls the account; raises `ValueError` where it says nothing, for a journal is bound to it."""
    for row in rows:
        if row.account_alias:
            return row.account_alias
    raise ValueError("the balances do not name the account (accountAlias)")
