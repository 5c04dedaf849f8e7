"""What the exchange matches against: a market that is generated, or played from tapes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from attrs import frozen

from adapters.simulated.generator import STEP_NS, Generator, Shown
from adapters.simulated.ledger import TapeStarted
from adapters.simulated.listing import Terms
from adapters.simulated.wire import MarketFrame, Notice, Status
from engine.inputs import Level, Quote
from engine.values import Side


@frozen
class Print:
    """Others traded at this price: who rested at a better one was filled before them.

    Of a public trade (`is_trade`) each who rested at this very price has had a share too, in the order of their queue;
    `aggressor` is the side that took, where it is known.
    """

    symbol: str
    price: Decimal
    quantity: Decimal
    is_trade: bool = False
    aggressor: Side | None = None


@frozen
class Swing:
    """What a bar hides: the price was at its low and at its high, in an order that nobody knows, with half of the
    volume at each. The bid and ask that are assumed there are shown to resting orders and to nobody else."""

    low: Quote
    high: Quote
    prints: tuple[Print, Print]


@frozen
class Instant:
    """One moment of the market: what it showed to everyone, what traded, which symbols' levels are new, and whose bar
    is in the middle of its time."""

    at_ns: int
    frames: tuple[MarketFrame | Notice, ...] = ()
    prints: tuple[Print, ...] = ()
    changed: tuple[str, ...] = ()
    swings: tuple[str, ...] = ()


class Market(Protocol):
    """Deterministic: playing from a to b and on to c is the same as playing from a to c."""

    def begin(self, at_ns: int, now_ns: int, tape: TapeStarted | None, steps: int) -> TapeStarted | None:
        """Go quietly to `at_ns`, from where the time up to `now_ns` will be played.

        `tape` and `steps` are what the ledger remembers; gives what it should remember from now on, if that is new.
        """
        ...

    def next_ns(self) -> int | None:
        """When the next instant is; None when there is none, or it comes by `step` only."""
        ...

    def play(self) -> Instant:
        """The next instant."""
        ...

    def seek(self, to_ns: int) -> None:
        """Everything up to and with `to_ns`, quietly."""
        ...

    def step(self, at_ns: int) -> Instant | None:
        """The next record of a tape, played now; None where there is none or time moves by itself."""
        ...

    def levels(self, symbol: str, side: Side) -> tuple[Level, ...]:
        """What is displayed on that side of the book, best first."""
        ...

    def version(self, symbol: str) -> int:
        """Changes whenever what is displayed does."""
        ...

    def swing(self, symbol: str) -> Swing:
        """Low and high of the bar that is in the middle of its time; asked of those that an instant names only."""
        ...

    def picture(self, symbol: str, at_ns: int) -> tuple[MarketFrame | Notice, ...]:
        """What a newcomer needs to know of the symbol."""
        ...

    def status(self, at_ns: int) -> Status:
        """How the data goes."""
        ...


class GeneratedMarket:
    """All symbols move together, every `every_ns`: a multiple of 100 ms."""

    def __init__(self, seed: int, traded: Iterable[Terms], every_ns: int = STEP_NS) -> None:
        self._every = every_ns // STEP_NS
        self._generators = {each.instrument.symbol: Generator(seed, each) for each in traded}
        self._shown: dict[str, Shown] = {}
        self._step = 0

    def begin(self, at_ns: int, now_ns: int, tape: TapeStarted | None, steps: int) -> TapeStarted | None:
        self.seek(at_ns)
        return None

    def next_ns(self) -> int | None:
        return (self._step + self._every) * STEP_NS

    def seek(self, to_ns: int) -> None:
        step = to_ns // STEP_NS
        self._step = step - step % self._every

    def play(self) -> Instant:
        self._step += self._every
        frames: list[MarketFrame] = []
        for symbol in self._generators:
            shown = self._now(symbol)
            frames += [shown.quote(symbol)] if shown.trade is None else [shown.quote(symbol), shown.trade]
        return Instant(self._step * STEP_NS, tuple(frames), changed=tuple(self._generators))

    def step(self, at_ns: int) -> Instant | None:
        return None

    def levels(self, symbol: str, side: Side) -> tuple[Level, ...]:
        shown = self._now(symbol)
        return shown.bids if side is Side.BUY else shown.asks

    def version(self, symbol: str) -> int:
        return self._step

    def swing(self, symbol: str) -> Swing:
        raise LookupError(f"{symbol} has no bars")

    def picture(self, symbol: str, at_ns: int) -> tuple[MarketFrame | Notice, ...]:
        return (self._now(symbol).quote(symbol),)

    def status(self, at_ns: int) -> Status:
        return Status(at_ns=at_ns)

    def _now(self, symbol: str) -> Shown:
        shown = self._shown.get(symbol)
        if shown is None or shown.step != self._step:
            shown = self._shown[symbol] = self._generators[symbol].shown(self._step)
        return shown
