"""A day's market as a tape: quotes, trades and changes of the book as frames of Binance's streams, by a seed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.simulated.generator import STEP_NS, Generator, Shown
from adapters.simulated.listing import terms
from engine.inputs import Level
from engine.values import MILLISECOND_NS, SECOND_NS, Side

BEGIN_NS = 1_767_225_600 * SECOND_NS
"""When the tape's day begins: midnight, 1 January 2026, UTC."""

STEPS_A_SECOND = SECOND_NS // STEP_NS
BOOK_EVERY_SECONDS = 2
COMPRESSION = 1
FIRST_UPDATE = 1_000

Book = dict[Decimal, Decimal]


def write_tape(path: Path, symbol: str, seconds: int, seed: int) -> int:
    """Write so many seconds of one symbol's market; gives the number of records."""
    count = 0
    with gzip.open(path, "wt", encoding="utf-8", newline="\n", compresslevel=COMPRESSION) as file:
        for at_ns, frame in _frames(symbol, seconds, seed):
            file.write(f"{at_ns} {json.dumps(frame, separators=(',', ':'))}\n")
            count += 1
    return count


def _frames(symbol: str, seconds: int, seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """A quote each second, a trade in every third or so, the book whole at first and its changes every other second."""
    market, first = Generator(seed, terms(symbol)), BEGIN_NS // STEP_NS
    name, update = symbol.lower(), FIRST_UPDATE
    bids, asks = dict[Decimal, Decimal](), dict[Decimal, Decimal]()
    for second in range(seconds):
        shown = market.shown(first + second * STEPS_A_SECOND)
        at_ns = shown.at_ns
        if second % BOOK_EVERY_SECONDS == 0:
            changed = _levels(_changes(bids, shown.bids)), _levels(_changes(asks, shown.asks))
            bids, asks = dict(shown.bids), dict(shown.asks)
            if second:
                yield at_ns, _depth(name, symbol, at_ns, update, changed)
                update += 1
            else:
                yield at_ns, _whole(update, changed)
                update += 1
        yield at_ns, _quote(name, symbol, update, shown)
        if shown.trade is not None:
            yield at_ns, _trade(name, symbol, second, shown)


def _changes(before: Book, now: tuple[Level, ...]) -> tuple[Level, ...]:
    after = dict(now)
    changed = [(price, size) for price, size in after.items() if before.get(price) != size]
    return (*changed, *((price, Decimal(0)) for price in before if price not in after))


def _levels(levels: tuple[Level, ...]) -> list[list[str]]:
    return [[format(price, "f"), format(size, "f")] for price, size in levels]


def _whole(update: int, sides: tuple[list[list[str]], list[list[str]]]) -> dict[str, Any]:
    return {"lastUpdateId": update, "bids": sides[0], "asks": sides[1]}


def _depth(
    name: str, symbol: str, at_ns: int, update: int, sides: tuple[list[list[str]], list[list[str]]]
) -> dict[str, Any]:
    data = {
        "e": "depthUpdate", "E": at_ns // MILLISECOND_NS, "s": symbol, "U": update, "u": update, "b": sides[0],
        "a": sides[1],
    }  # fmt: skip
    return {"stream": f"{name}@depth", "data": data}


def _quote(name: str, symbol: str, update: int, shown: Shown) -> dict[str, Any]:
    (bid, bid_size), (ask, ask_size) = shown.bids[0], shown.asks[0]
    data = {"u": update, "s": symbol, "b": str(bid), "B": str(bid_size), "a": str(ask), "A": str(ask_size)}
    return {"stream": f"{name}@bookTicker", "data": data}


def _trade(name: str, symbol: str, number: int, shown: Shown) -> dict[str, Any]:
    assert shown.trade is not None, "asked for where there is one"
    at_ms = shown.at_ns // MILLISECOND_NS
    data = {
        "e": "trade", "E": at_ms, "s": symbol, "t": number, "p": str(shown.trade.price),
        "q": str(shown.trade.quantity), "T": at_ms, "m": shown.trade.aggressor is Side.SELL, "M": True,
    }  # fmt: skip
    return {"stream": f"{name}@trade", "data": data}
