"""What the market has shown: books with their update ids, trades with theirs, candles."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from attrs import Factory, define, frozen

from adapters.binance.server.shapes import Json, eight, ms
from adapters.simulated.generator import STEP_NS, Generator
from engine.inputs import BookDelta, BookSnapshot, Candle, Quote, TradeTick
from engine.values import MILLISECOND_NS, SECOND_NS, ZERO, Side

TRADES_MOST = 1_000
CANDLES_MOST = 3_000
MINUTE_NS = 60 * SECOND_NS
BACKFILL_NS = 15 * MINUTE_NS
"""How far before its start a generated market's candles are told."""

Levels = dict[Decimal, Decimal]
Shown = Callable[[str, Side], tuple[tuple[Decimal, Decimal], ...]]


@frozen
class PublicTrade:
    """A trade of the market."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    at_ns: int
    is_buyer_maker: bool

    def row(self) -> Json:
        """As GET /trades shows it."""
        return {
            "id": self.trade_id,
            "price": eight(self.price),
            "qty": eight(self.quantity),
            "quoteQty": eight(self.price * self.quantity),
            "time": ms(self.at_ns),
            "isBuyerMaker": self.is_buyer_maker,
            "isBestMatch": True,
        }


@define
class Bar:
    """A candle that grows; `start_ns` is its first instant."""

    start_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote: Decimal = ZERO
    taker: Decimal = ZERO
    taker_quote: Decimal = ZERO
    count: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, trade: PublicTrade) -> None:
        """One more trade."""
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.close = trade.price
        self.volume += trade.quantity
        self.quote += trade.price * trade.quantity
        if not trade.is_buyer_maker:
            self.taker += trade.quantity
            self.taker_quote += trade.price * trade.quantity
        self.count += 1
        self.first_id, self.last_id = (trade.trade_id if self.first_id < 0 else self.first_id), trade.trade_id

    def join(self, later: Bar) -> None:
        """The bar that follows becomes a part of it."""
        self.high, self.low, self.close = max(self.high, later.high), min(self.low, later.low), later.close
        self.volume, self.quote = self.volume + later.volume, self.quote + later.quote
        self.taker, self.taker_quote = self.taker + later.taker, self.taker_quote + later.taker_quote
        self.count += later.count
        self.first_id = later.first_id if self.first_id < 0 else self.first_id
        self.last_id = max(self.last_id, later.last_id)

    def row(self, width_ns: int) -> list[Any]:
        """The twelve columns of GET /klines."""
        return [
            ms(self.start_ns), eight(self.open), eight(self.high), eight(self.low), eight(self.close),
            eight(self.volume), ms(self.start_ns + width_ns) - 1, eight(self.quote), self.count, eight(self.taker),
            eight(self.taker_quote), "0",
        ]  # fmt: skip


def new_bar(start_ns: int, price: Decimal) -> Bar:
    """A bar in which nothing has traded."""
    return Bar(start_ns, price, price, price, price)


@define
class Tape:
    """What is remembered of one symbol. `update_id` is of `bids` and `asks`."""

    symbol: str
    update_id: int = 0
    bids: Levels = Factory(dict)
    asks: Levels = Factory(dict)
    quote: Quote | None = None
    trades: deque[PublicTrade] = Factory(lambda: deque(maxlen=TRADES_MOST))
    seconds: deque[Bar] = Factory(lambda: deque(maxlen=CANDLES_MOST))
    minutes: deque[Bar] = Factory(lambda: deque(maxlen=CANDLES_MOST))
    has_candles: bool = False

    def last_price(self) -> Decimal:
        """The last trade's, or the middle of the quote; 0 if there is neither."""
        if self.trades:
            return self.trades[-1].price
        return ZERO if self.quote is None else self.quote.bid


@frozen
class Change:
    """A new state of a book: `update_id` is after it; levels by side, 0 for one that is gone."""

    first_id: int
    update_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


@frozen
class News:
    """What one frame of the market led to."""

    symbol: str
    at_ns: int
    quote: Quote | None = None
    trade: PublicTrade | None = None
    change: Change | None = None
    candle: Candle | None = None


class Recorder:
    """Written in the exchange's thread, read in all others, under one lock."""

    def __init__(self, shown: Shown) -> None:
        """`shown` gives the levels of a symbol's side, best first; asked in the exchange's thread."""
        self._shown = shown
        self.lock = threading.RLock()
        self.tapes: dict[str, Tape] = {}

    def tape(self, symbol: str) -> Tape:
        """What is remembered of a symbol."""
        with self.lock:
            return self.tapes.setdefault(symbol, Tape(symbol))

    def hear(self, frame: object, at_ns: int) -> News | None:
        """A frame of the market; None for one that tells nothing here."""
        with self.lock:
            match frame:
                case Quote():
                    tape = self.tape(frame.instrument)
                    tape.quote = frame
                    return News(frame.instrument, at_ns, quote=frame, change=self._change(tape, at_ns))
                case BookSnapshot() | BookDelta():
                    tape = self.tape(frame.instrument)
                    return News(frame.instrument, at_ns, change=self._change(tape, at_ns))
                case TradeTick():
                    return News(frame.instrument, at_ns, trade=self._trade(self.tape(frame.instrument), frame, at_ns))
                case Candle():
                    tape = self.tape(frame.instrument)
                    self._candle(tape, frame)
                    return News(frame.instrument, at_ns, candle=frame)
                case _:
                    return None

    def _change(self, tape: Tape, at_ns: int) -> Change | None:
        bids, asks = dict(self._shown(tape.symbol, Side.BUY)), dict(self._shown(tape.symbol, Side.SELL))
        new_bids, new_asks = _differences(tape.bids, bids), _differences(tape.asks, asks)
        tape.bids, tape.asks = bids, asks
        count = len(new_bids) + len(new_asks)
        if not count:
            return None
        first = max(tape.update_id + 1, at_ns // MILLISECOND_NS if not tape.update_id else 0)
        tape.update_id = first + count - 1
        return Change(first, tape.update_id, new_bids, new_asks)

    def _trade(self, tape: Tape, tick: TradeTick, at_ns: int) -> PublicTrade:
        last = tape.trades[-1].trade_id if tape.trades else at_ns // MILLISECOND_NS
        trade = PublicTrade(last + 1, tick.price, tick.quantity, at_ns, tick.aggressor is Side.SELL)
        tape.trades.append(trade)
        for bars, width_ns in ((tape.seconds, SECOND_NS), (tape.minutes, MINUTE_NS)):
            if not tape.has_candles:
                _into(bars, width_ns, trade)
        return trade

    def backfill(self, symbol: str, market: Generator, until_ns: int) -> None:
        """Minutes that a generated market had before anybody looked; those that were seen stay as they are."""
        tape, earlier = self.tape(symbol), deque[Bar]()
        until_ns -= until_ns % MINUTE_NS
        for step in range((until_ns - BACKFILL_NS) // STEP_NS, until_ns // STEP_NS):
            tick = market.shown(step).trade
            if tick is not None:
                is_sold = tick.aggressor is Side.SELL
                trade = PublicTrade(
                    tick.received_ns // MILLISECOND_NS, tick.price, tick.quantity, step * STEP_NS, is_sold
                )
                _into(earlier, MINUTE_NS, trade)
        with self.lock:
            seen = list(tape.minutes)
            tape.minutes.clear()
            tape.minutes.extend([bar for bar in earlier if not seen or bar.start_ns < seen[0].start_ns] + seen)

    def _candle(self, tape: Tape, candle: Candle) -> None:
        """A candle of a tape counts as it is, and trades beside it are not counted again."""
        tape.has_candles = True
        bar = Bar(
            candle.start_ns, candle.open, candle.high, candle.low, candle.close, candle.volume,
            candle.volume * candle.close, count=1,
        )  # fmt: skip
        if candle.end_ns - candle.start_ns >= MINUTE_NS - SECOND_NS:
            tape.minutes.append(bar)
        else:
            tape.seconds.append(bar)


def _differences(before: Levels, after: Levels) -> tuple[tuple[Decimal, Decimal], ...]:
    changed = [(price, size) for price, size in after.items() if before.get(price) != size]
    return (*changed, *((price, ZERO) for price in before if price not in after))


def _into(bars: deque[Bar], width_ns: int, trade: PublicTrade) -> None:
    start_ns = trade.at_ns - trade.at_ns % width_ns
    if not bars or bars[-1].start_ns < start_ns:
        bars.append(new_bar(start_ns, trade.price))
    bars[-1].add(trade)
