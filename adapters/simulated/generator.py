"""A market out of nothing but a seed: what it shows at a step is a pure function of (seed, symbol, step).

Integer arithmetic only, so that it is the same everywhere, and nothing of it needs to be stored. The price is value
noise: for each period of 1, 2, 4, … steps, points drawn at the period's multiples and joined by straight lines, with
an amplitude that grows with the root of the period, as a random walk's does. It never leaves 2,500 times its volatility
(6 % for BTCUSDT) around its centre.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from functools import lru_cache
from math import isqrt

from attrs import frozen

from adapters.simulated.listing import Terms
from engine.inputs import Level, Quote, TradeTick
from engine.values import EXACT, MILLISECOND_NS, InstrumentName, Side, plain

STEP_NS = 100 * MILLISECOND_NS
LEVELS = 5
OCTAVES = 20
_MASK = (1 << 64) - 1
_HALF = 1 << 31
_ROOT_SCALE = 1 << 10
_AMPLITUDES = tuple(isqrt(_ROOT_SCALE * _ROOT_SCALE << octave) for octave in range(OCTAVES))
_SPREADS = (1, 1, 1, 1, 2, 2, 3, 5)
_TRADE_ONE_IN = 3
_PRICE, _SHAPE, _TRADE = 1, 2, 3


def mix(number: int) -> int:
    """64 bits that look drawn by chance (the finaliser of splitmix64).

    >>> mix(0) == mix(1), mix(1) == mix(1)
    (False, True)
    """
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


@lru_cache(maxsize=1 << 14)
def _point(key: int, octave: int, index: int) -> int:
    """The drawn point of one period: a number from -2^31 up to 2^31."""
    return (mix(key ^ mix((index << 8 | octave) & _MASK)) >> 32) - _HALF


def wave(key: int, step: int) -> int:
    """The noise at a step, in millionths of the amplitude of the shortest period."""
    total = 0
    for octave, amplitude in enumerate(_AMPLITUDES):
        period = 1 << octave
        index, part = step >> octave, step & (period - 1)
        joined = _point(key, octave, index) * (period - part) + _point(key, octave, index + 1) * part
        total += amplitude * (joined >> octave)
    return total * 1_000_000 // (_HALF * _ROOT_SCALE)


@frozen
class Shown:
    """What the market shows at one step: levels best first, and a public trade on some steps."""

    step: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    trade: TradeTick | None

    @property
    def at_ns(self) -> int:
        """When the step begins."""
        return self.step * STEP_NS

    def quote(self, symbol: str) -> Quote:
        """Best bid and ask."""
        bid, ask = self.bids[0], self.asks[0]
        return Quote(InstrumentName(symbol), *bid, *ask, received_ns=self.at_ns, exchange_ns=self.at_ns)


class Generator:
    """The market of one symbol."""

    def __init__(self, seed: int, terms: Terms) -> None:
        self._terms, self._symbol = terms, terms.instrument.symbol
        digest = hashlib.sha256(f"{seed} {self._symbol}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big")
        self._tick, self._lot = terms.instrument.tick, terms.instrument.lot
        self._centre = int(EXACT.divide(terms.price, self._tick))
        self._lots = max(1, int(EXACT.divide(terms.displayed, self._lot)))

    def shown(self, step: int) -> Shown:
        """What is displayed from `step` × 100 ms on, for 100 ms."""
        moved = self._centre * self._terms.volatility_ppm * wave(self._key ^ _PRICE, step) // 10**12
        shape = mix(self._key ^ mix(step << 2 | _SHAPE))
        spread = _SPREADS[shape % len(_SPREADS)]
        best_bid = max(LEVELS * 16, self._centre + moved - spread // 2)
        bids, asks = self._side(best_bid, -1, shape >> 8), self._side(best_bid + spread, 1, shape >> 36)
        return Shown(step, bids, asks, self._trade(step, bids[0], asks[0]))

    def _side(self, best: int, direction: int, chance: int) -> tuple[Level, ...]:
        levels, ticks = [], best
        for depth in range(LEVELS):
            drawn = mix(chance + depth)
            levels.append((self._price(ticks), self._quantity(drawn, depth + 1)))
            ticks += direction * (1 + (drawn >> 40) % 12)
        return tuple(levels)

    def _trade(self, step: int, bid: Level, ask: Level) -> TradeTick | None:
        drawn = mix(self._key ^ mix(step << 2 | _TRADE))
        if drawn % _TRADE_ONE_IN:
            return None
        side, (price, displayed) = (Side.BUY, ask) if drawn >> 8 & 1 else (Side.SELL, bid)
        quantity = min(displayed, self._quantity(drawn >> 16, 1))
        at_ns = step * STEP_NS
        return TradeTick(InstrumentName(self._symbol), price, quantity, at_ns, at_ns, side)

    def _quantity(self, drawn: int, most: int) -> Decimal:
        """Mostly small, at most `most` times what is usually displayed."""
        part = drawn & 0xFFFF
        lots = 1 + (self._lots * most * part * part >> 32)
        return plain(EXACT.multiply(lots, self._lot))

    def _price(self, ticks: int) -> Decimal:
        return plain(EXACT.multiply(ticks, self._tick))
