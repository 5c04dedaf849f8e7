"""A hand on a world's exchanges: faults on single messages to come, and jumps of the market."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from attrs import Factory, define, evolve

from adapters.simulated.faults import SCOPES, Faults, Kind, strike_name
from adapters.simulated.gateway import Gateway
from adapters.simulated.generator import Generator, Shown
from adapters.simulated.market import GeneratedMarket
from engine.inputs import Level
from engine.values import EXACT, VenueName, plain
from tools.simulation.world import World

ANY = "any"
DELAYS = {"delay_request": "800ms", "delay_reply": "1500ms", "delay": "2s", "stale": "5s"}
"""A request that is late but not too old for the exchange; a reply that comes after the engine stopped waiting."""

MOVED_MOST_PERMILLE = 300
"""So far, in thousandths of the price, a market is moved from where it would be by itself."""


@define
class _Steered:
    """One exchange: `counts` are its messages by kind, `armed` the faults to come, `ticks` how far markets moved."""

    gateway: Gateway | None = None
    counts: Counter[Kind] = Factory(Counter)
    armed: set[str] = Factory(set)
    ticks: dict[str, int] = Factory(dict)


class Steering:
    """Survives the deaths of the exchanges that it steers; `adopt` is called when one may have come back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._steered = {name: _Steered() for name in world.floors}

    def arm(self, fault: str, kind: str, nth: int, times: int = 1, venue: VenueName | None = None) -> None:
        """The `nth` message of that kind from now on meets the fault, and `times` in a row do; of "any", those of each
        kind to which the fault usually happens. Raises `ValueError` where there is none such."""
        usual, possible = SCOPES.get(fault, ((), ()))
        kinds = usual if kind == ANY else tuple(each for each in possible if each == kind)
        if not kinds:
            known = ", ".join(f"{name} ({'/'.join((ANY, *scope[1]))})" for name, scope in SCOPES.items())
            raise ValueError(f"there is no fault {fault!r} of a message {kind!r}; there are {known}")
        name, steered = self._of(venue)
        if self._world.setting.exchanges()[name].options.faults != Faults():
            raise ValueError("this world has faults by chance already; single faults need one without")
        for each in kinds:
            first = steered.counts[each] + nth
            steered.armed |= {strike_name(fault, each, number) for number in range(first, first + times)}
        self._set_faults(name, steered)

    def disarm(self) -> None:
        """No fault is still to come: the world has ended them itself."""
        for steered in self._steered.values():
            steered.armed.clear()
            steered.gateway = None
        self.adopt()

    def move(self, symbol: str, permille: int, venue: VenueName | None = None) -> None:
        """The market of a symbol jumps by thousandths of its price, with its next step, and stays there."""
        name, steered = self._of(venue)
        self.adopt()
        generator = self._generators(name).get(symbol)
        if not isinstance(generator, _Moved):
            return  # the exchange is dead, or its market is a tape, which is as it was recorded
        price = generator.price()
        most = int(EXACT.divide(price * MOVED_MOST_PERMILLE, generator.tick * 1_000))
        ticks = steered.ticks.get(symbol, 0) + int(EXACT.divide(price * permille, generator.tick * 1_000))
        steered.ticks[symbol] = max(-most, min(most, ticks))

    def can_move(self) -> bool:
        """Is there a market that is generated, and so can be moved?"""
        return any(site.options.tape is None for site in self._world.setting.exchanges().values())

    def adopt(self) -> None:
        """An exchange that was opened anew gets its faults and its moved market back."""
        for name, steered in self._steered.items():
            gateway = self._world.floors[name].gateway
            if gateway is None or gateway is steered.gateway:
                continue
            steered.gateway = gateway
            generators = self._generators(name)
            for symbol, generator in generators.items():
                if not isinstance(generator, _Moved):
                    generators[symbol] = _Moved(generator, symbol, steered.ticks)
            if steered.armed:
                self._set_faults(name, steered)

    def _of(self, venue: VenueName | None) -> tuple[VenueName, _Steered]:
        name = venue or next(iter(self._steered))
        return name, self._steered[name]

    def _set_faults(self, venue: VenueName, steered: _Steered) -> None:
        gateway = self._world.floors[venue].gateway
        if gateway is None:
            return  # `adopt` sets them when it is back
        always: dict[str, Any] = {
            fault: {"every": 1, "on": list(scope[1])} | ({"by": DELAYS[fault]} if fault in DELAYS else {})
            for fault, scope in SCOPES.items()
        }
        gateway.set_faults(Faults(**always, only=steered.armed))
        gateway.go_on_counting(steered.counts)

    def _generators(self, venue: VenueName) -> dict[str, Generator]:
        """The exchange has no word for moving its market, so that this reaches in for it."""
        gateway = self._world.floors[venue].gateway
        market = None if gateway is None else gateway._exchange.market
        return market._generators if isinstance(market, GeneratedMarket) else {}


class _Moved(Generator):
    """The market of one symbol, so many ticks away from where it would be."""

    def __init__(self, inner: Generator, symbol: str, ticks: dict[str, int]) -> None:
        self._inner, self._name, self._moved = inner, symbol, ticks
        self.tick = inner._tick

    def price(self) -> Decimal:
        """Where it is by itself, about."""
        return self._inner._centre * self.tick

    def shown(self, step: int) -> Shown:
        """What is displayed, moved."""
        shown = self._inner.shown(step)
        by = self._moved.get(self._name, 0) * self.tick
        if not by:
            return shown
        trade = None if shown.trade is None else evolve(shown.trade, price=plain(shown.trade.price + by))
        return evolve(shown, bids=_moved(shown.bids, by), asks=_moved(shown.asks, by), trade=trade)


def _moved(levels: tuple[Level, ...], by: Decimal) -> tuple[Level, ...]:
    return tuple((plain(price + by), quantity) for price, quantity in levels)
