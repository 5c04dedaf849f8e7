"""What each market stream says when the market moves: raw frames that name their event, and books that name the event
before (`pu`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from attrs import define

from adapters.binance.server import feeds as spot
from adapters.binance.server.feeds import Feed
from adapters.binance.server.recorder import News, Recorder, Tape
from adapters.binance.server.shapes import Json, eight, ms
from adapters.binance_usdm.server.handlers import UNIT
from engine.values import SECOND_NS, divide

TWO = Decimal(2)


@define
class UsdmFeed(Feed):
    """One stream; `previous` is the last update that it told."""

    previous: int | None = None


def open_feed(name: str, symbols: tuple[str, ...]) -> Feed | None:
    """The feed of a stream's name; None where there is no such stream."""
    written, _, kind = name.partition("@")
    symbol = written.upper()
    if written != written.lower() or symbol not in symbols:
        return None
    if kind in ("bookTicker", "aggTrade"):
        return UsdmFeed(name, symbol, kind)
    if kind in ("markPrice", "markPrice@1s"):
        return UsdmFeed(name, symbol, "markPrice", every_ns=SECOND_NS if kind.endswith("1s") else 3 * SECOND_NS)
    if kind in ("depth", "depth@100ms"):
        return UsdmFeed(name, symbol, "depth", every_ns=0 if kind.endswith("100ms") else SECOND_NS // 4)
    return spot.open_feed(name, symbols) if kind.startswith("kline_") else None


def speaker(next_funding: Callable[[str, int], tuple[Decimal, int]]) -> Callable[..., Iterator[Any]]:
    """`next_funding` gives a symbol's rate and the milliseconds of its next payment."""

    def events(feed: Feed, news: News, recorder: Recorder) -> Iterator[Any]:
        """What the stream says of the news; called with the recorder's lock held."""
        tape = recorder.tape(news.symbol)
        match feed.kind:
            case "bookTicker" if news.quote is not None:
                told = {"e": "bookTicker", "E": ms(news.at_ns), "T": ms(news.at_ns)} | spot.book_ticker(tape)
                yield told | {"u": tape.update_id * UNIT}
            case "aggTrade" if news.trade is not None:
                yield {name: value for name, value in spot.trade("aggTrade", news).items() if name != "M"}
            case "depth":
                assert isinstance(feed, UsdmFeed), "all depth feeds are opened here"
                yield from _depth(feed, news)
            case "markPrice" if tape.quote is not None and spot.is_due(feed, news.at_ns):
                yield _mark(tape, news, *next_funding(news.symbol, news.at_ns))
            case "kline":
                yield from spot.kline(feed, tape, news)

    return events


def _depth(feed: UsdmFeed, news: News) -> Iterator[Json]:
    for event in spot.depth(feed, news):
        previous = event["U"] - 1 if feed.previous is None else feed.previous
        feed.previous = event["u"]
        ids = {"U": event["U"] * UNIT, "u": event["u"] * UNIT, "pu": previous * UNIT}
        yield event | {"T": event["E"]} | ids


def _mark(tape: Tape, news: News, rate: Decimal, next_ms: int) -> Json:
    quote = tape.quote
    assert quote is not None, "the caller has looked"
    price = eight(divide(quote.bid + quote.ask, TWO))
    return {
        "e": "markPriceUpdate", "E": ms(news.at_ns), "s": tape.symbol, "p": price, "i": price, "P": price,
        "r": eight(rate), "T": next_ms,
    }  # fmt: skip
