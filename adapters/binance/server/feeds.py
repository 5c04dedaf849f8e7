"""What each market stream says when the market moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from attrs import Factory, define

from adapters.binance.server.candles import WIDTHS_NS, candles, end_of, start_of
from adapters.binance.server.markets import average, book_of, day_of, levels
from adapters.binance.server.recorder import Bar, Levels, News, Recorder, Tape
from adapters.binance.server.shapes import Json, eight, ms
from engine.values import SECOND_NS

KLINE_EVERY_NS = 2 * SECOND_NS
_DEPTH = re.compile(r"depth(5|10|20)?(@100ms)?")


@define
class Feed:
    """One stream: what it accumulates between two events."""

    name: str
    symbol: str
    kind: str
    interval: str = ""
    depth: int = 0
    every_ns: int = 0
    bids: Levels = Factory(dict)
    asks: Levels = Factory(dict)
    first_id: int | None = None
    last_id: int = 0
    sent_ns: int = 0
    bar_start_ns: int | None = None


def open_feed(name: str, symbols: tuple[str, ...]) -> Feed | None:
    """The feed of a stream's name; None where there is no such stream."""
    if name == "!miniTicker@arr":
        return Feed(name, "", "miniTicker", every_ns=SECOND_NS)
    written, _, kind = name.partition("@")
    symbol = written.upper()
    if written != written.lower() or symbol not in symbols:
        return None
    if kind in ("trade", "aggTrade", "bookTicker"):
        return Feed(name, symbol, kind)
    if kind in ("miniTicker", "ticker", "avgPrice"):
        return Feed(name, symbol, kind, every_ns=SECOND_NS)
    if kind.startswith("kline_") and kind.removeprefix("kline_") in WIDTHS_NS:
        interval = kind.removeprefix("kline_")
        return Feed(
            name, symbol, "kline", interval=interval, every_ns=SECOND_NS if interval == "1s" else KLINE_EVERY_NS
        )
    found = _DEPTH.fullmatch(kind)
    if found is None:
        return None
    every_ns = 0 if found[2] else SECOND_NS
    return Feed(name, symbol, "partial" if found[1] else "depth", depth=int(found[1] or 0), every_ns=every_ns)


def events(feed: Feed, news: News, recorder: Recorder) -> Iterator[Any]:
    """What the stream says of the news; called with the recorder's lock held."""
    tape = recorder.tape(news.symbol)
    match feed.kind:
        case "bookTicker":
            if news.quote is not None:
                yield book_ticker(tape)
        case "trade" | "aggTrade":
            if news.trade is not None:
                yield trade(feed.kind, news)
        case "depth":
            yield from depth(feed, news)
        case "partial":
            if news.change is not None and is_due(feed, news.at_ns):
                yield book_of(tape, feed.depth)
        case "kline":
            yield from kline(feed, tape, news)
        case "miniTicker" | "ticker" | "avgPrice":
            if is_due(feed, news.at_ns):
                yield from _statistics(feed, tape, news.at_ns, recorder)


def is_due(feed: Feed, at_ns: int) -> bool:
    """Is it time for the stream to say something again?"""
    if feed.every_ns and at_ns // feed.every_ns == feed.sent_ns // feed.every_ns:
        return False
    feed.sent_ns = at_ns
    return True


def book_ticker(tape: Tape) -> Json:
    """Best bid and ask."""
    quote = tape.quote
    assert quote is not None
    return {
        "u": tape.update_id,
        "s": tape.symbol,
        "b": eight(quote.bid),
        "B": eight(quote.bid_quantity),
        "a": eight(quote.ask),
        "A": eight(quote.ask_quantity),
    }


def trade(kind: str, news: News) -> Json:
    """One public trade, by itself or as the only one of an aggregate."""
    found = news.trade
    assert found is not None
    told: Json = {"e": kind, "E": ms(news.at_ns), "s": news.symbol}
    told |= {"t": found.trade_id} if kind == "trade" else {"a": found.trade_id}
    told |= {"p": eight(found.price), "q": eight(found.quantity)}
    if kind == "aggTrade":
        told |= {"f": found.trade_id, "l": found.trade_id}
    return told | {"T": ms(found.at_ns), "m": found.is_buyer_maker, "M": True}


def depth(feed: Feed, news: News) -> Iterator[Json]:
    """What has changed since the last event, at once or each second."""
    change = news.change
    if change is not None:
        feed.bids.update(dict(change.bids))
        feed.asks.update(dict(change.asks))
        feed.first_id = change.first_id if feed.first_id is None else feed.first_id
        feed.last_id = change.update_id
    if feed.first_id is None or not is_due(feed, news.at_ns):
        return
    yield {
        "e": "depthUpdate",
        "E": ms(news.at_ns),
        "s": news.symbol,
        "U": feed.first_id,
        "u": feed.last_id,
        "b": levels(feed.bids.items()),
        "a": levels(feed.asks.items()),
    }
    feed.bids, feed.asks, feed.first_id = {}, {}, None


def kline(feed: Feed, tape: Tape, news: News) -> Iterator[Json]:
    """The forming candle every two seconds, each finished one once."""
    start_ns = start_of(feed.interval, news.at_ns)
    is_over = feed.bar_start_ns is not None and start_ns > feed.bar_start_ns
    if not is_over and not is_due(feed, news.at_ns):
        return
    found = {bar.start_ns: bar for bar in candles(tape, feed.interval, news.at_ns)[-3:]}
    if is_over and feed.bar_start_ns in found:
        yield _kline(feed, news, found[feed.bar_start_ns], is_closed=True)
    feed.bar_start_ns = start_ns
    if start_ns in found:
        yield _kline(feed, news, found[start_ns], is_closed=False)


def _kline(feed: Feed, news: News, bar: Bar, *, is_closed: bool) -> Json:
    return {
        "e": "kline",
        "E": ms(news.at_ns),
        "s": news.symbol,
        "k": {
            "t": ms(bar.start_ns), "T": ms(end_of(feed.interval, bar.start_ns)) - 1, "s": news.symbol,
            "i": feed.interval, "f": bar.first_id, "L": bar.last_id, "o": eight(bar.open), "c": eight(bar.close),
            "h": eight(bar.high), "l": eight(bar.low), "v": eight(bar.volume), "n": bar.count, "x": is_closed,
            "q": eight(bar.quote), "V": eight(bar.taker), "Q": eight(bar.taker_quote), "B": "0",
        },
    }  # fmt: skip


def _statistics(feed: Feed, tape: Tape, at_ns: int, recorder: Recorder) -> Iterator[Any]:
    if feed.name.startswith("!"):
        yield [_mini(each, at_ns) for each in recorder.tapes.values()]
    elif feed.kind == "miniTicker":
        yield _mini(tape, at_ns)
    elif feed.kind == "avgPrice":
        told: Json = {"e": "avgPrice", "E": ms(at_ns), "s": tape.symbol, "i": "5m"}
        yield told | {"w": eight(average(tape, 5)), "T": ms(at_ns)}
    else:
        yield _ticker(tape, at_ns)


def _mini(tape: Tape, at_ns: int) -> Json:
    day = day_of(tape, at_ns)
    return {
        "e": "24hrMiniTicker", "E": ms(at_ns), "s": tape.symbol, "c": day["lastPrice"], "o": day["openPrice"],
        "h": day["highPrice"], "l": day["lowPrice"], "v": day["volume"], "q": day["quoteVolume"],
    }  # fmt: skip


def _ticker(tape: Tape, at_ns: int) -> Json:
    day = day_of(tape, at_ns)
    return {
        "e": "24hrTicker", "E": ms(at_ns), "s": tape.symbol, "p": day["priceChange"], "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"], "x": day["prevClosePrice"], "c": day["lastPrice"], "Q": day["lastQty"],
        "b": day["bidPrice"], "B": day["bidQty"], "a": day["askPrice"], "A": day["askQty"], "o": day["openPrice"],
        "h": day["highPrice"], "l": day["lowPrice"], "v": day["volume"], "q": day["quoteVolume"],
        "O": day["openTime"], "C": day["closeTime"], "F": day["firstId"], "L": day["lastId"], "n": day["count"],
    }  # fmt: skip
