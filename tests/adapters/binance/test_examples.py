"""Every official example, by its name: it is read as one of the client's messages, field for field, or the table says
why the client never reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.binance import wire

REST, USER, WS, STREAMS = "rest-api", "user-data-stream", "web-socket-api", "web-socket-streams"
FILES = (REST, USER, WS, STREAMS)

ORDERS = tuple[wire.OrderRow, ...]
READ: dict[tuple[str, str], Any] = {
    (REST, "Error Codes"): wire.Fault,
    (REST, "Check server time"): wire.ServerTime,
    (REST, "Exchange information"): wire.ExchangeInfo,
    (REST, "Order book"): wire.DepthSnapshot,
    (REST, "New order (TRADE)"): wire.OrderRow,
    (REST, "Cancel order (TRADE)"): wire.OrderRow,
    (REST, "Cancel an Existing Order and Send a New Order (TRADE)"): wire.CancelReplaced,
    (REST, "Order Amend Keep Priority (TRADE)"): wire.Amended,
    (REST, "New OCO - Deprecated (TRADE)"): wire.ListPlaced,
    (REST, "New Order list - OCO (TRADE)"): wire.ListPlaced,
    (REST, "New Order list - OTO (TRADE)"): wire.ListPlaced,
    (REST, "New Order list - OTOCO (TRADE)"): wire.ListPlaced,
    (REST, "New Order List - OPO (TRADE)"): wire.ListPlaced,
    (REST, "New Order List - OPOCO (TRADE)"): wire.ListPlaced,
    (REST, "Cancel Order list (TRADE)"): wire.ListPlaced,
    (REST, "New order using SOR (TRADE)"): wire.OrderRow,
    (REST, "Account information (USER_DATA)"): wire.Account,
    (REST, "Query order (USER_DATA)"): wire.OrderRow,
    (REST, "Current open orders (USER_DATA)"): ORDERS,
    (REST, "All orders (USER_DATA)"): ORDERS,
    (REST, "Account trade list (USER_DATA)"): tuple[wire.TradeRow, ...],
    (REST, "Query Unfilled Order Count (USER_DATA)"): tuple[wire.RateCount, ...],
    (USER, "Account Update"): wire.EventName,
    (USER, "Balance Update"): wire.EventName,
    (USER, "Order Update"): wire.ExecutionReport,
    (USER, "Order Reject Reason"): wire.EventName,
    (USER, "Event Stream Terminated"): wire.EventName,
    (USER, "External Lock Update"): wire.EventName,
    (WS, "Response format"): wire.Reply,
    (WS, "Event format"): wire.Reply,
    (WS, "Server Shutdown"): wire.Reply,
    (WS, "How to interpret rate limits"): wire.Reply,
    (WS, "IP limits"): wire.Reply,
    (WS, "Unfilled Order Count"): wire.Reply,
    (STREAMS, "Trade Streams"): wire.PublicTrade,
    (STREAMS, "Individual Symbol Book Ticker Streams"): wire.BookTicker,
    (STREAMS, "Partial Book Depth Streams"): wire.DepthSnapshot,
    (STREAMS, "Diff. Depth Stream"): wire.DepthUpdate,
}

OTHER_MARKET = "market data that the engine has no use for"
OTHER_ORDERS = "a question that the client does not ask"
UNREAD: dict[tuple[str, str], str] = {
    (REST, "Test connectivity"): "an empty answer",
    (REST, "Test new order (TRADE)"): "the client places orders or none",
    (REST, "Test new order using SOR (TRADE)"): "the client places orders or none",
    (REST, "Cancel All Open Orders on a Symbol (TRADE)"): "orders are canceled one by one, each with its own answer",
    (WS, "Request format"): "what a client sends",
    (WS, "Send the request"): "no message, but words about one",
    (STREAMS, "Server Shutdown"): "read by its name alone, in a combined stream",
    **{
        (REST, section): OTHER_MARKET
        for section in (
            "Query Execution Rules", "Recent trades list", "Old trade lookup", "Historical Block Trades",
            "Compressed/Aggregate trades list", "UIKlines", "Current average price",
            "24hr ticker price change statistics", "Trading Day Ticker", "Symbol price ticker",
            "Symbol order book ticker", "Rolling window price change statistics", "Query Reference Price",
            "Query Reference Price Calculation", "Kline/Candlestick data",
        )
    },
    **{
        (REST, section): OTHER_ORDERS
        for section in (
            "Query Order list (USER_DATA)", "Query all Order lists (USER_DATA)", "Query Open Order lists (USER_DATA)",
            "Query Prevented Matches (USER_DATA)", "Query Allocations (USER_DATA)",
            "Query Commission Rates (USER_DATA)", "Query Order Amendments (USER_DATA)",
            "Query relevant filters (USER_DATA)",
        )
    },
    **{
        (STREAMS, section): OTHER_MARKET
        for section in (
            "Reference Price Streams", "Aggregate Trade Streams", "Block Trade Streams",
            "Kline/Candlestick Streams for UTC", "Kline/Candlestick Streams with timezone offset",
            "Individual Symbol Mini Ticker Stream", "All Market Mini Tickers Stream",
            "Individual Symbol Ticker Streams", "Individual Symbol Rolling Window Statistics Streams",
            "All Market Rolling Window Statistics Streams", "Average Price",
        )
    },
}  # fmt: skip
"""What the client never reads, and why."""

Examples = dict[tuple[str, str], list[Any]]


@pytest.fixture(scope="session")
def examples(shared: Path) -> Examples:
    """By file and section, in their order; skipped where they are not there."""
    folder = shared / "data" / "payloads" / "binance"
    if not folder.is_dir():
        pytest.skip(f"no example payloads: {folder} is missing")
    found: Examples = {}
    for name in FILES:
        for example in json.loads((folder / f"{name}.examples.json").read_text()):
            found.setdefault((name, example["section"]), []).append(example.get("json"))
    return found


def test_every_example_is_read_or_is_not_for_a_reason(examples: Examples) -> None:
    assert set(examples) == READ.keys() | UNREAD.keys()
    assert not READ.keys() & UNREAD.keys()


@pytest.mark.parametrize(("file", "section"), READ)
def test_an_example_is_read_field_for_field(examples: Examples, file: str, section: str) -> None:
    for example in examples[file, section]:
        body = example["event"] if file == USER else example  # what an envelope holds
        kind = wire.Fault if isinstance(body, dict) and "code" in body else READ[file, section]
        told = msgspec.to_builtins(wire.decode(json.dumps(body), kind), enc_hook=unpacked)
        compared = [place for place, read, said in pairs(told, body) if is_same(read, said, place)]
        assert compared, f"nothing of {body} is read"


def unpacked(raw: Any) -> Any:
    """What a message keeps for later."""
    return json.loads(bytes(raw)) if wire.is_there(raw) else None


def pairs(read: Any, said: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What was read beside what the example says, as far as it says it."""
    if isinstance(read, dict) and isinstance(said, dict):
        for name in read.keys() & said.keys():
            yield from pairs(read[name], said[name], f"{place}.{name}")
    elif isinstance(read, list | tuple) and isinstance(said, list):
        assert len(read) == len(said), place
        for number, (one, other) in enumerate(zip(read, said, strict=True)):
            yield from pairs(one, other, f"{place}[{number}]")
    else:
        yield place, read, said


def is_same(read: Any, said: Any, place: str) -> bool:
    """Numbers by value, however they are written; anything else as it is."""
    try:
        assert Decimal(str(read)) == Decimal(str(said)), place
    except InvalidOperation:
        assert read == said, place
    return True


def test_a_field_that_is_read_as_another_is_noticed() -> None:
    assert is_same("1.0", "1.00000000", "price")
    with pytest.raises(AssertionError):
        is_same("1.0", "1.1", "price")
    with pytest.raises(AssertionError):
        is_same("BUY", "SELL", "side")
    with pytest.raises(AssertionError):
        list(pairs([1], [1, 2]))
