"""The strategy API: callbacks that say what is wanted; risk and execution decide what is sent.

A strategy takes no clock, no chance and no I/O of its own: `context` has all three. What survives a restart is
`context.memory` and nothing else.
"""

from __future__ import annotations

import random as _random
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any

from attrs import field, frozen

from engine.balances import Funds, funds_of
from engine.bars import Bar, BarSource
from engine.book import Depth
from engine.indicators import Indicator
from engine.inputs import Quote, TradeTick
from engine.instructions import Bracket, Leg, Linked, Oco, Work, maybe_exact  # noqa: F401 (imported from here)
from engine.instrument import Instrument
from engine.looks import Looks, bar_label, indicator_words, length_words
from engine.market import LEVELS_SHOWN, QUOTES_KEPT, TRADES_KEPT, Market
from engine.order import Order
from engine.series import BARS_KEPT, Frame, Series, newest
from engine.state import State
from engine.values import (
    Asset,
    ExecId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    VenueName,
    duration,
    exact,
)

MEMORY_LIMIT_BYTES = 256 * 1024
ANSWERS_LIMIT = 1_000
_DECIMAL = "$decimal"


@frozen(kw_only=True)
class Intent:
    """What a strategy wants. Quantities and prices are Decimal, str or int; a float is refused.

    `reason` is kept with the order and shown by `why`. `key`, where given, makes it one order: the same key of the
    same strategy a second time does nothing, for as long as the first order is kept (`closed_kept`).

    `stop_price` is what a stop or take-profit waits for, `trail` the distance in price at which a trailing stop
    follows, or `trail_fraction` the part of the price (0.01 is one percent); `expires` (ns since the epoch) ends a
    `gtd` order. `reduce_only` never opens or grows a position. `max_slippage` (a fraction of the touch) bounds a market
    order: it leaves as an immediate-or-cancel limit order at that price. `style` works the order near the touch,
    `linked` adds its exits (`Bracket`) or its twin (`Oco`).
    """

    instrument: InstrumentName = field(converter=InstrumentName)
    side: Side = field(converter=Side)
    quantity: Decimal = field(converter=exact)
    order_type: OrderType = field(default=OrderType.LIMIT, converter=OrderType)
    price: Decimal | None = field(default=None, converter=maybe_exact)
    time_in_force: TimeInForce = field(default=TimeInForce.GTC, converter=TimeInForce)
    post_only: bool = False
    reason: Mapping[str, Any] = field(factory=dict)
    key: str | None = None
    stop_price: Decimal | None = field(default=None, converter=maybe_exact)
    trail: Decimal | None = field(default=None, converter=maybe_exact)
    trail_fraction: Decimal | None = field(default=None, converter=maybe_exact)
    expires: int | None = None
    reduce_only: bool = False
    max_slippage: Decimal | None = field(default=None, converter=maybe_exact)
    style: Work | None = None
    linked: Linked | None = None


@frozen
class Cancel:
    """Cancel one of the strategy's own orders."""

    order_id: OrderId


@frozen(kw_only=True)
class _Terms:
    quantity: Decimal | None = field(default=None, converter=maybe_exact)
    price: Decimal | None = field(default=None, converter=maybe_exact)
    stop_price: Decimal | None = field(default=None, converter=maybe_exact)


@frozen
class Replace(_Terms):
    """Change an order: `quantity` is the whole order's, executed part included; what is not given stays. An order that
    the engine holds (a stop, a leg) is changed at once, one at the venue when the venue says so."""

    order_id: OrderId


Answer = Intent | Cancel | Replace
Answers = Iterable[Answer] | None


@frozen(kw_only=True)
class Fill:
    """An execution as a strategy is told it."""

    exec_id: ExecId
    order_id: OrderId
    instrument: InstrumentName
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal | None
    fee_asset: str | None


class Context:
    """What a strategy may see and keep, during one callback. What it looks at is kept with what it decides."""

    def __init__(
        self, name: StrategyName, state: State, market: Market, now_ns: int, memory: dict[str, Any],
        looks: Looks | None = None,
    ) -> None:  # fmt: skip
        self.now_ns = now_ns
        self.memory = memory
        self._name, self._state, self._market = name, state, market
        self._settings = state.settings.strategies[name]
        self._looks = looks or Looks("")
        self._random: _random.Random | None = None

    @property
    def params(self) -> Mapping[str, Any]:
        """The strategy's `params` of the configuration."""
        return self._settings.params

    @property
    def instruments(self) -> tuple[InstrumentName, ...]:
        """The strategy's instruments."""
        return self._settings.instruments

    @property
    def bars_ns(self) -> tuple[int, ...]:
        """The lengths of the strategy's bars, the shortest first."""
        return self._settings.frames_ns

    def position(self, instrument: str) -> Decimal:
        """This strategy's own signed position."""
        return self._state.position(InstrumentName(instrument), self._name).quantity

    def balance(self, asset: str, venue: str | None = None) -> Funds:
        """Total, free and locked of an asset, with the venue's own figure, in the account of the strategy's first
        instrument or of the named venue."""
        account = VenueName(venue) if venue is not None else self.instrument(self.instruments[0]).venue
        return funds_of(self._state, account, Asset(asset))

    def open_orders(self, instrument: str | None = None) -> tuple[Order, ...]:
        """This strategy's orders that may still trade, oldest first; those in doubt are among them."""
        return tuple(
            order for order in self._state.open_orders()
            if order.strategy == self._name and instrument in (None, order.instrument)
        )  # fmt: skip

    def order(self, order_id: str) -> Order | None:
        """One of this strategy's orders."""
        order = self._state.orders.get(OrderId(order_id))
        return order if order is not None and order.strategy == self._name else None

    # --- what the market shows

    def quote(self, instrument: str) -> Quote | None:
        """The last quote."""
        found = self._market.quotes.get(InstrumentName(instrument))
        self._looks.note(f"{instrument} quote", found)
        return found

    def quotes(self, instrument: str, n: int = QUOTES_KEPT) -> Sequence[Quote]:
        """The last `n` quotes that were taken, oldest first; raises `ValueError` beyond `market.QUOTES_KEPT`."""
        _check_number(n, QUOTES_KEPT)
        return self._looked(f"{instrument} quote", self._market.newest_quotes(InstrumentName(instrument), n))

    def trades(self, instrument: str, n: int = TRADES_KEPT) -> Sequence[TradeTick]:
        """The last `n` public trades, oldest first; raises `ValueError` beyond `market.TRADES_KEPT`."""
        _check_number(n, TRADES_KEPT)
        return self._looked(f"{instrument} trade", self._market.newest_trades(InstrumentName(instrument), n))

    def book(self, instrument: str, levels: int = LEVELS_SHOWN) -> Depth | None:
        """The best levels of the book, at most `market.LEVELS_SHOWN`; None where there is none that can be trusted."""
        found = self._market.depth(InstrumentName(instrument), levels)
        self._looks.note(f"{instrument} book", found)
        return found

    def quote_age_ns(self, instrument: str) -> int | None:
        """How old the last quote is; None where there is none."""
        return self._market.quote_age_ns(InstrumentName(instrument), self.now_ns)

    def is_stale(self, instrument: str, older_than: str | int = "5s") -> bool:
        """Is there no quote, or is the last one older than that (a duration such as "5s", or ns)?"""
        age_ns = self.quote_age_ns(instrument)
        return age_ns is None or age_ns > _nanoseconds(older_than)

    def bars(self, instrument: str, length: str | int, n: int = BARS_KEPT) -> Sequence[Bar]:
        """The last `n` closed bars of a length ("1m", or ns) since the start of the process, oldest first.

        Raises `ValueError` beyond `series.BARS_KEPT`, and `LookupError` for bars that no configuration names.
        """
        series = self._series(instrument, length)
        _check_number(n, BARS_KEPT)
        return self._looked(bar_label(instrument, series.frame.interval_ns), newest(series.bars, n))

    def forming(self, instrument: str, length: str | int) -> Bar | None:
        """The bar that has not closed yet, as it stands; None before the first tick."""
        series = self._series(instrument, length)
        found = series.builder.forming
        self._looks.note(f"forming {bar_label(instrument, series.frame.interval_ns)}", found)
        return found

    def indicator(self, instrument: str, length: str | int, indicator: Indicator) -> Any:
        """An indicator's value at the last closed bar: a Decimal (`Bands` of `Bollinger`), or None until it is warm.

        It is computed once for all who ask for the same. The first to ask has it fed with the bars that are kept.
        """
        series = self._series(instrument, length)
        found = series.indicator(indicator, require_complete=self._settings.require_complete)
        label = f"{instrument} {length_words(series.frame.interval_ns)} {indicator_words(indicator)}"
        self._looks.note(label, found)
        return found

    def instrument(self, name: str) -> Instrument:
        """Tick, lot and bounds of an instrument; raises `KeyError` for one that is not configured."""
        return self._state.instruments[InstrumentName(name)]

    def random(self) -> _random.Random:
        """Chance that a replay repeats: a function of journal, strategy and the moment of this decision."""
        if self._random is None:
            seed = f"{self._state.journal_id}/{self._name}/{self.now_ns}"
            self._random = _random.Random(sha256(seed.encode()).digest())
        return self._random

    def _series(self, instrument: str, length: str | int) -> Series:
        frame = Frame(InstrumentName(instrument), _nanoseconds(length), BarSource(self._settings.bars_from))
        found = self._market.series.get(frame)
        if found is None:
            raise LookupError(
                f"there are no {length} bars of {instrument} from {frame.source}: name them in the configuration, "
                f'such as bars = ["{length}"] of [strategies.{self._name}]'
            )
        return found

    def _looked(self, label: str, found: Sequence[Any]) -> Sequence[Any]:
        """Of a window its last value is noted."""
        self._looks.note(label, found[-1] if found else None)
        return found


def _check_number(n: int, most: int) -> None:
    if not 1 <= n <= most:
        raise ValueError(f"the last {n} were asked for; at least 1 and at most {most} are kept")


@lru_cache(maxsize=256)
def _nanoseconds(length: str | int) -> int:
    return duration(length) if isinstance(length, str) else length


class Strategy:
    """Subclass this. Each callback returns an iterable of `Intent`, `Cancel` or `Replace`, or None.

    Attributes may be set in `on_start` only; what must survive a restart goes into `context.memory`.
    """

    _started = False

    def on_start(self, context: Context) -> Answers:
        """Once in each process, when trading begins."""

    def on_quote(self, context: Context, quote: Quote) -> Answers:
        """A new best bid or ask."""

    def on_bar(self, context: Context, bar: Bar) -> Answers:
        """A bar has closed. Of bars that end together the smaller is told first: a 5m bar after its fifth 1m bar."""

    def on_trade(self, context: Context, trade: TradeTick) -> Answers:
        """A public trade, where `evaluate` names "trade"; throttled ones are in `context.trades`."""

    def on_book(self, context: Context, book: Depth) -> Answers:
        """The best levels of a book that has changed, where `evaluate` names "book"."""

    def on_timer(self, context: Context) -> Answers:
        """The interval of `evaluate = { every = … }` has passed, or one of its times of the day has come."""

    def on_fill(self, context: Context, fill: Fill) -> Answers:
        """One of its orders was executed; told once, also when it happened while nobody ran."""

    def on_order(self, context: Context, order: Order) -> Answers:
        """One of its orders changed."""

    def __setattr__(self, name: str, value: object) -> None:
        if self._started:
            raise AttributeError(
                f"{type(self).__name__}.{name} would be lost at a restart: keep it in context.memory[{name!r}]"
            )
        object.__setattr__(self, name, value)

    def seal(self) -> None:
        """From here on no attribute may be set."""
        object.__setattr__(self, "_started", True)


class MemoryRefused(TypeError):
    """A strategy's memory or reason holds what can't be kept; the message says where and what to write instead."""


def keep(value: Any, place: str = "memory") -> Any:
    """A copy of a memory as JSON can hold it, Decimals marked; raises `MemoryRefused` for anything else.

    >>> keep({"n": 1, "last": Decimal("2.50")})
    {'n': 1, 'last': {'$decimal': '2.5'}}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return str(value) if type(value) not in (str, bool, int, type(None)) and isinstance(value, str) else value
    if isinstance(value, Decimal):
        return {_DECIMAL: str(exact(value))}
    if isinstance(value, (list, tuple)):
        return [keep(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {_kept_key(key, place): keep(item, f"{place}[{key!r}]") for key, item in value.items()}
    hint = "; write it as a Decimal or a str" if isinstance(value, float) else ""
    raise MemoryRefused(f"{place} is a {type(value).__name__}, which is not kept exactly{hint}")


def recall(kept: Any) -> Any:
    """The memory as the strategy left it: a fresh copy."""
    if isinstance(kept, dict):
        if len(kept) == 1 and _DECIMAL in kept:
            return Decimal(kept[_DECIMAL])
        return {key: recall(item) for key, item in kept.items()}
    return [recall(item) for item in kept] if isinstance(kept, (list, tuple)) else kept


def _kept_key(key: Any, place: str) -> str:
    if not isinstance(key, str) or key == _DECIMAL:
        raise MemoryRefused(f"{place} has the key {key!r}; a key is a str")
    return key


def plain_reason(value: Any, place: str = "reason") -> Any:
    """A reason as JSON, decimals as strings; raises `MemoryRefused` for a float or an unknown type."""
    if isinstance(value, Decimal):
        return str(exact(value))
    if isinstance(value, Mapping):
        return {_kept_key(key, place): plain_reason(item, f"{place}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_reason(item, f"{place}[{index}]") for index, item in enumerate(value)]
    return keep(value, place)
