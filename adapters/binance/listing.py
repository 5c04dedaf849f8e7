"""What Binance says of itself, as the engine wants to know it: instruments, capabilities, limits, rights. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from adapters.binance import wire
from adapters.binance.calls import POST_ONLY, TYPES
from adapters.binance.hosts import BY_NAME
from adapters.budget import RateLimit
from engine.capabilities import (
    AbsencePolicy,
    AccountRights,
    Capabilities,
    ClientIds,
    Source,
    TrailBy,
    VenueDescription,
)
from engine.instrument import Instrument, PriceBands
from engine.values import SECOND_NS, ZERO, Asset, InstrumentName, OrderType, TimeInForce, VenueName, exact

ADAPTER_NAME = "binance"
CLIENT_ID_LENGTH = 33
"""Binance takes 36 characters; a cancel of ours puts its mark behind the id."""

HISTORY_NS = 90 * 86_400 * SECOND_NS
SEND_LIMIT_NS = SECOND_NS // 2
SLACK_NS = SECOND_NS
"""For how long a request may wait here before it is sent, and by how much two clocks may differ: both are counted in
before an order is taken for absent."""

SOURCES = (Source.ORDER_QUERY, Source.OPEN_ORDERS, Source.HISTORY, Source.EXECUTIONS)
TIMES_IN_FORCE = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)

INTERVALS_NS = {
    "SECOND": SECOND_NS, "MINUTE": 60 * SECOND_NS, "HOUR": 3_600 * SECOND_NS, "DAY": 86_400 * SECOND_NS,
}  # fmt: skip
HEADER_UNITS_NS = {"S": SECOND_NS, "M": 60 * SECOND_NS, "H": 3_600 * SECOND_NS, "D": 86_400 * SECOND_NS}
HEADER_KINDS = {"x-mbx-used-weight-": "REQUEST_WEIGHT", "x-mbx-order-count-": "ORDERS"}

DEFAULT_LIMITS = (
    RateLimit("REQUEST_WEIGHT", 60 * SECOND_NS, 6_000),
    RateLimit("ORDERS", 10 * SECOND_NS, 50),
    RateLimit("ORDERS", 86_400 * SECOND_NS, 160_000),
)
"""Until the venue has named its own."""


def describe(
    venue: VenueName,
    environment: str,
    symbols: Mapping[InstrumentName, str],
    info: wire.ExchangeInfo,
    account: wire.Account,
    absent_after_ns: int,
    key: wire.KeyRights | None = None,
) -> VenueDescription:
    """The venue as the engine wants to know it; a symbol that is not listed is not in it. Raises `ValueError` for a
    symbol whose filters are no numbers."""
    rows = {row.symbol: row for row in info.symbols}
    listed = [(name, rows[symbol]) for name, symbol in symbols.items() if symbol in rows]
    return VenueDescription(
        venue, ADAPTER_NAME, f"binance:{environment}:{account.uid}", capabilities([row for _name, row in listed]),
        absence(absent_after_ns), tuple(instrument(venue, name, row) for name, row in listed),
        rights(account, key, listed, is_live=BY_NAME[environment].is_live),
    )  # fmt: skip


def capabilities(rows: Iterable[wire.SymbolRow]) -> Capabilities:
    """What may be asked of all these symbols; what one of them does not take the engine holds or does itself."""
    rows = tuple(rows)
    taken = [set(row.order_types) for row in rows if row.order_types]
    common = set.intersection(*taken) if taken else set(TYPES.values()) | {POST_ONLY}
    known = {ours for ours in OrderType if TYPES.get(ours) in common}
    if TYPES[OrderType.STOP] in common and all(row.allow_trailing_stop for row in rows):
        known.add(OrderType.TRAILING_STOP)
    return Capabilities(
        order_types=tuple(ours for ours in OrderType if ours in known), times_in_force=TIMES_IN_FORCE,
        lists=POST_ONLY in common and all(row.oco_allowed for row in rows), trails_by=(TrailBy.FRACTION,),
        post_only=POST_ONLY in common, replace=all(row.cancel_replace_allowed for row in rows),
        client_ids=ClientIds.UNIQUE_OPEN, client_id_length=CLIENT_ID_LENGTH,
        amend=all(row.amend_allowed for row in rows), id_echo=True, resume=False, history_ns=HISTORY_NS,
    )  # fmt: skip


def absence(after_ns: int) -> AbsencePolicy:
    """When an order that nobody shows is believed not to exist."""
    return AbsencePolicy(after_ns=after_ns, sources=SOURCES, probe_every_ns=SECOND_NS)


def absent_after_ns(recv_window_ns: int, matching_limit_ns: int) -> int:
    """The longest that a request may wait here, travel, and then lie before the matching engine."""
    return SEND_LIMIT_NS + recv_window_ns + matching_limit_ns + SLACK_NS


def rights(
    account: wire.Account,
    key: wire.KeyRights | None,
    listed: Iterable[tuple[InstrumentName, wire.SymbolRow]],
    *,
    is_live: bool,
) -> AccountRights:
    """What the account may do by this key. Where the venue says nothing of the key, it counts for all that the account
    may do if money is real; if not, there is nothing to withdraw."""
    held = set(account.permissions)
    barred = tuple(name for name, row in listed if held and any(held.isdisjoint(each) for each in row.permission_sets))
    if key is None:
        may_withdraw = account.can_withdraw if is_live else None
        return AccountRights(
            may_trade=account.can_trade, may_withdraw=may_withdraw, asset_classes=account.permissions, barred=barred
        )
    return AccountRights(
        may_trade=account.can_trade and key.enable_spot_and_margin_trading, may_withdraw=key.enable_withdrawals,
        is_restricted_to_addresses=key.ip_restrict, asset_classes=account.permissions, barred=barred,
    )  # fmt: skip


def instrument(venue: VenueName, name: InstrumentName, row: wire.SymbolRow) -> Instrument:
    """A symbol with its filters; a value of zero says that there is no such bound."""
    filters = {str(found.get("filterType")): found for found in row.filters}
    price, lot, market = (filters.get(kind, {}) for kind in ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE"))
    worth = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    return Instrument(
        name=name, venue=venue, symbol=row.symbol, base=Asset(row.base_asset), quote=Asset(row.quote_asset),
        tick=_bound(price, "tickSize") or _LEAST, lot=_bound(lot, "stepSize") or _LEAST,
        min_quantity=_bound(lot, "minQty"), max_quantity=_bound(lot, "maxQty"),
        min_price=_bound(price, "minPrice"), max_price=_bound(price, "maxPrice"),
        min_notional=_bound(worth, "minNotional"), max_notional=_bound(worth, "maxNotional"),
        market_lot=_bound(market, "stepSize"), min_market_quantity=_bound(market, "minQty"),
        max_market_quantity=_bound(market, "maxQty"), price_bands=_bands(filters),
        max_orders=_count(filters, "MAX_NUM_ORDERS", "maxNumOrders"),
        max_stops=_count(filters, "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"),
        is_halted=row.status != "TRADING" or not row.is_spot_trading_allowed,
    )  # fmt: skip


_LEAST = Decimal("0.00000001")
"""Where no step is named: Binance counts in eight digits."""

_BANDS = ("bidMultiplierDown", "bidMultiplierUp", "askMultiplierDown", "askMultiplierUp")
_BAND = ("multiplierDown", "multiplierUp") * 2


def _bound(found: Mapping[str, Any], key: str) -> Decimal | None:
    text = found.get(key)
    return (exact(str(text)) or None) if text is not None else None


def _bands(filters: Mapping[str, Mapping[str, Any]]) -> PriceBands | None:
    """How far from the market a price may be, by side or for both."""
    for kind, keys in (("PERCENT_PRICE_BY_SIDE", _BANDS), ("PERCENT_PRICE", _BAND)):
        if kind in filters:
            return PriceBands(*(_bound(filters[kind], key) or ZERO for key in keys))
    return None


def _count(filters: Mapping[str, Mapping[str, Any]], kind: str, key: str) -> int | None:
    most = filters.get(kind, {}).get(key)
    return most if isinstance(most, int) and most > 0 else None


# --- rate limits --------------------------------------------------------------------------------------------------


def limits_of(rows: Iterable[Mapping[str, Any]]) -> list[RateLimit]:
    """The venue's limits, those whose interval is known."""
    found = []
    for row in rows:
        interval_ns = INTERVALS_NS.get(str(row.get("interval")))
        if interval_ns is not None and isinstance(row.get("limit"), int):
            found.append(
                RateLimit(str(row.get("rateLimitType")), interval_ns * row.get("intervalNum", 1), row["limit"])
            )
    return found


def counts_of(rows: Iterable[wire.RateCount]) -> list[tuple[str, int, int]]:
    """Kind, interval and what of it is used, as WS API replies tell."""
    return [
        (row.rate_limit_type, INTERVALS_NS[row.interval] * row.interval_num, row.count)
        for row in rows
        if row.count is not None and row.interval in INTERVALS_NS
    ]


def counts_in(headers: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """The same from the headers of a REST answer.

    >>> counts_in({"X-MBX-USED-WEIGHT-1M": "21", "X-MBX-ORDER-COUNT-10S": "3", "Date": "now"})
    [('REQUEST_WEIGHT', 60000000000, 21), ('ORDERS', 10000000000, 3)]
    """
    found = []
    for header, text in headers.items():
        for prefix, kind in HEADER_KINDS.items():
            interval = header.lower().removeprefix(prefix).upper()
            number, unit = interval[:-1], interval[-1:]
            is_count = header.lower().startswith(prefix) and number.isdecimal() and unit in HEADER_UNITS_NS
            if is_count and text.isdecimal():
                found.append((kind, int(number) * HEADER_UNITS_NS[unit], int(text)))
    return found
