"""The filters of a symbol: as exchangeInfo tells them, and whether an order passes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from attrs import frozen

from adapters.binance.server.refusal import filter_failure
from adapters.binance.server.shapes import CONDITIONAL, eight
from engine.instrument import Instrument
from engine.values import EXACT, ZERO, Side, plain

Filter = dict[str, Any]
ORDERS_MOST = 200
ALGO_ORDERS_MOST = 5
LISTS_MOST = 20
AMENDMENTS_MOST = 10
EXCHANGE_ORDERS_MOST = 1_000
ICEBERG_PARTS_MOST = 100


def filters_of(instrument: Instrument, changed: Mapping[str, Mapping[str, Any]]) -> list[Filter]:
    """All filters of a symbol; `changed` replaces fields by the filter's name."""
    told = list(_filters(instrument))
    return [each | dict(changed.get(each["filterType"], {})) for each in told]


def _filters(instrument: Instrument) -> Iterator[Filter]:
    most = instrument.max_quantity or ZERO
    yield {
        "filterType": "PRICE_FILTER",
        "minPrice": eight(instrument.min_price or ZERO),
        "maxPrice": eight(instrument.max_price or ZERO),
        "tickSize": eight(instrument.tick),
    }
    yield {
        "filterType": "LOT_SIZE",
        "minQty": eight(instrument.min_quantity or ZERO),
        "maxQty": eight(most),
        "stepSize": eight(instrument.lot),
    }
    yield {"filterType": "ICEBERG_PARTS", "limit": ICEBERG_PARTS_MOST}
    yield {"filterType": "MARKET_LOT_SIZE", "minQty": eight(ZERO), "maxQty": eight(most), "stepSize": eight(ZERO)}
    yield {
        "filterType": "TRAILING_DELTA",
        "minTrailingAboveDelta": 10,
        "maxTrailingAboveDelta": 2000,
        "minTrailingBelowDelta": 10,
        "maxTrailingBelowDelta": 2000,
    }
    yield {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": "5",
        "bidMultiplierDown": "0.2",
        "askMultiplierUp": "5",
        "askMultiplierDown": "0.2",
        "avgPriceMins": 5,
    }
    yield {
        "filterType": "NOTIONAL",
        "minNotional": eight(instrument.min_notional or ZERO),
        "applyMinToMarket": True,
        "maxNotional": "9000000.00000000",
        "applyMaxToMarket": False,
        "avgPriceMins": 5,
    }
    yield {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": ORDERS_MOST}
    yield {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": LISTS_MOST}
    yield {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": ALGO_ORDERS_MOST}
    yield {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": AMENDMENTS_MOST}


EXCHANGE_FILTERS: list[Filter] = [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": EXCHANGE_ORDERS_MOST}]


@frozen(kw_only=True)
class Checked:
    """What the filters look at: `about` is the price at which a market order is reckoned, 0 if it can't be told."""

    type: str
    side: Side
    quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    iceberg: Decimal
    trailing_delta: int | None
    about: Decimal
    open_orders: int
    open_algos: int
    all_orders: int


def check_filters(order: Checked, filters: list[Filter]) -> None:
    """-1013 with the name of the first filter that the order does not pass. A zero turns a rule off."""
    for each in (*filters, *EXCHANGE_FILTERS):
        check = _CHECKS.get(each["filterType"])
        if check is not None and not check(order, each):
            raise filter_failure(each["filterType"])


def _within(value: Decimal, least: Any, most: Any, step: Any) -> bool:
    low, high, by = Decimal(least), Decimal(most), Decimal(step)
    return (
        (not low or value >= low) and (not high or value <= high) and (not by or not EXACT.remainder(value, by))
    )  # fmt: skip


def _price(order: Checked, each: Filter) -> bool:
    prices = [price for price in (order.price, order.stop_price) if price is not None]
    bounds = each["minPrice"], each["maxPrice"], each["tickSize"]
    return all(price > 0 and _within(price, *bounds) for price in prices)


def _lot(order: Checked, each: Filter) -> bool:
    sizes = [order.quantity, order.iceberg] if order.iceberg else [order.quantity]
    return all(size > 0 and _within(size, each["minQty"], each["maxQty"], each["stepSize"]) for size in sizes)


def _market_lot(order: Checked, each: Filter) -> bool:
    return order.type != "MARKET" or _within(order.quantity, each["minQty"], each["maxQty"], each["stepSize"])


def _percent(order: Checked, each: Filter) -> bool:
    if order.price is None or not order.about:
        return True
    side = "bid" if order.side is Side.BUY else "ask"
    up, down = Decimal(each[f"{side}MultiplierUp"]), Decimal(each[f"{side}MultiplierDown"])
    return order.about * down <= order.price <= order.about * up


def _notional(order: Checked, each: Filter) -> bool:
    is_market = order.price is None
    value = plain(order.quantity * (order.about if order.price is None else order.price))
    least, most = Decimal(each["minNotional"]), Decimal(each["maxNotional"])
    if not value:
        return True
    if least and value < least and (not is_market or each["applyMinToMarket"]):
        return False
    return not (most and value > most and (not is_market or each["applyMaxToMarket"]))


def _iceberg(order: Checked, each: Filter) -> bool:
    return not order.iceberg or -(-order.quantity // order.iceberg) <= each["limit"]


def _trailing(order: Checked, each: Filter) -> bool:
    if order.trailing_delta is None:
        return True
    is_stop, is_buy = order.type.startswith("STOP"), order.side is Side.BUY
    name = "Above" if is_stop is is_buy else "Below"
    return bool(each[f"minTrailing{name}Delta"] <= order.trailing_delta <= each[f"maxTrailing{name}Delta"])


def _count(order: Checked, each: Filter) -> bool:
    return bool(order.open_orders < each["maxNumOrders"])


def _count_algos(order: Checked, each: Filter) -> bool:
    return order.type not in CONDITIONAL or bool(order.open_algos < each["maxNumAlgoOrders"])


def _count_all(order: Checked, each: Filter) -> bool:
    return bool(order.all_orders < each["maxNumOrders"])


_CHECKS = {
    "PRICE_FILTER": _price,
    "LOT_SIZE": _lot,
    "MARKET_LOT_SIZE": _market_lot,
    "PERCENT_PRICE_BY_SIDE": _percent,
    "NOTIONAL": _notional,
    "ICEBERG_PARTS": _iceberg,
    "TRAILING_DELTA": _trailing,
    "MAX_NUM_ORDERS": _count,
    "MAX_NUM_ALGO_ORDERS": _count_algos,
    "EXCHANGE_MAX_NUM_ORDERS": _count_all,
}
