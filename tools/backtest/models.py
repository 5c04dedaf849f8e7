"""What a backtest assumes, in words: every model that stands between a tape and an execution."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from attrs import fields

from adapters.simulated.options import FeeIn, SimulatedOptions
from engine.capabilities import VenueDescription
from engine.settings import Reconcile
from engine.values import MILLISECOND_NS, SECOND_NS
from tools.backtest.session import LEAD_NS, RELAXED, STRATEGY_RELAXED, Played
from tools.wording import lasting, listed, number, percent

DEPTH = (
    "an order that takes gets what is displayed, level by level, and no more; what it took is gone until the level is "
    "shown anew; what is left of a market order expires"
)
SWING = (
    "within a bar the price is ASSUMED to go from open to the extreme that is worse for what is held (low first for a "
    "long, high first for a short; flat: against the resting orders), then to the other, both in the middle of its "
    "time, then to the close; a stop inside of it fills at its own stop price; strategies are shown open and close, "
    "and the bar at its end"
)


class Model(NamedTuple):
    """One assumption: what it is about, and what is assumed."""

    about: str
    words: str


def models_of(played: Played) -> list[Model]:
    """All of them, those of each venue under its name where there are several."""
    found: list[Model] = []
    for name, options in played.options.items():
        prefix = f"{name}: " if len(played.options) > 1 else ""
        description = played.state.venues[name].description
        kinds = {kind for census in played.census[name].values() for kind in census.kinds}
        found += [Model(f"{prefix}{about}", words) for about, words in _venue(options, description, kinds)]
    return [*found, *_engine(played)]


def _venue(options: SimulatedOptions, description: VenueDescription | None, kinds: set[str]) -> Iterator[Model]:
    yield Model("prices", _prices(options, description, kinds))
    ms = _milliseconds(options.latency_ns)
    yield Model(
        "latency",
        f"{ms} each way: data is seen {ms} after it happened, an order arrives {ms} after it was decided and meets the "
        "market as it is then, and what came of it is known after another",
    )
    where = "the asset that is received" if options.fee_in is FeeIn.RECEIVED else "the quote asset"
    yield Model("fees", f"maker {percent(options.fees.maker)}, taker {percent(options.fees.taker)}, in {where}")
    yield Model("slippage", _slippage(options))
    yield Model("depth", DEPTH)
    yield Model("queue", _queue(kinds))
    yield Model("impact", "none beyond the displayed depth that is taken: the tape does not answer to our orders")
    if options.faults != type(options.faults)():
        yield Model("faults", "the venue's configured faults are on")


def _prices(options: SimulatedOptions, description: VenueDescription | None, kinds: set[str]) -> str:
    if "Quote" in kinds:
        return "recorded bid and ask; buys pay the ask, sells get the bid"
    if kinds & {"BookSnapshot", "BookDelta"}:
        return "bid, ask and depth of the recorded order book"
    names = description.instruments if description is not None else ()
    spreads = listed(f"{each.name} {number(options.spread_of(each))} {each.quote}" for each in names)
    assumed = f"the tape has no quotes: a spread is ASSUMED around the price ({spreads})"
    if kinds == {"Candle"}:
        return f"{assumed}; {SWING}"
    return f"{assumed}, on the side that took where the tape tells it"


def _slippage(options: SimulatedOptions) -> str:
    if not options.slippage:
        return "none beyond spread and displayed depth"
    return f"{percent(options.slippage)} of the price against every order that takes, rounded up to a tick"


def _queue(kinds: set[str]) -> str:
    through = "where the price trades through it, and where the other side is displayed at its price"
    if "TradeTick" in kinds:
        return (
            "a resting order stands behind all that was displayed at its price when it arrived, and fills once as much "
            f"has traded there, and also {through}; cancels of others do not move it up"
        )
    return f"the tape has no trades to wait for: a resting order fills only {through}"


def _engine(played: Played) -> Iterator[Model]:
    yield Model("clock", f"virtual; the engine starts {lasting(LEAD_NS)} before the first record; timers fire on time")
    yield Model("same code", "decisions, risk, orders, reconciliation and journal are those of paper and live")
    yield Model("result", "flat-to-flat round trips after fees; longs are marked at the bid, shorts at the ask")
    relaxed = ", ".join(_relaxed(played))
    if relaxed:
        yield Model("relaxed", f"left at their defaults, and therefore here: {relaxed}")


def _relaxed(played: Played) -> Iterator[str]:
    for name, value in RELAXED.items():
        if getattr(played.settings.reconcile, name) == value:
            default: Any = next(each.default for each in fields(Reconcile) if each.name == name)
            yield f"[reconcile] {name.removesuffix('_ns')} {lasting(value)} instead of {lasting(default)}"
    relaxed_ns = STRATEGY_RELAXED["memory_every_ns"]
    if any(each.memory_every_ns == relaxed_ns for each in played.settings.strategies.values()):
        yield f"memory_every {lasting(relaxed_ns)} instead of {lasting(SECOND_NS)}"


def _milliseconds(ns: int) -> str:
    return f"{number(Decimal(ns) / MILLISECOND_NS)} ms"
