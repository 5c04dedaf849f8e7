"""Marks: the price at which a position is valued, where it is taken from and how old it is."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from attrs import frozen

from engine.market import Market
from engine.settings import Marks, MarkSide
from engine.ticks import Quote
from engine.values import EXACT, InstrumentName, divide

PriceOf = Callable[[InstrumentName, Decimal], Decimal | None]
"""The price to value a signed quantity of an instrument at; None where there is none."""

_TWO = Decimal(2)


@frozen
class Mark:
    """A price to value at: `source` is `bid`, `ask`, `mid`, `last`, `venue` or `fill`, seen at `at_ns`."""

    price: Decimal
    source: str
    at_ns: int

    def age_ns(self, now_ns: int) -> int:
        """How old it is; never below zero."""
        return max(now_ns - self.at_ns, 0)


def middle(quote: Quote) -> Decimal:
    """The middle between bid and ask."""
    return divide(EXACT.add(quote.bid, quote.ask), _TWO)


def mark_of_quote(quote: Quote, quantity: Decimal, side: MarkSide, at_ns: int) -> Mark:
    """What a quote says a quantity is worth: where it could be closed (a long at the bid, a short at the ask), or the
    middle. Nothing has no side, so it is valued at the middle."""
    if side is MarkSide.MID or not quantity:
        return Mark(middle(quote), "mid", at_ns)
    return Mark(quote.bid, "bid", at_ns) if quantity > 0 else Mark(quote.ask, "ask", at_ns)


def mark(market: Market, instrument: InstrumentName, quantity: Decimal, settings: Marks) -> Mark | None:
    """The mark of a signed quantity by the newest market data; where the wanted price has not been seen, the quote's.

    None where nothing has been seen. It may be old: `is_stale` says so.
    """
    if settings.side is MarkSide.VENUE and (told := market.venue_marks.get(instrument)) is not None:
        return Mark(told.price, "venue", told.received_ns)
    if settings.side is MarkSide.LAST and (last := market.last_trades.get(instrument)) is not None:
        return Mark(last.price, "last", last.received_ns)
    quote = market.quotes.get(instrument)
    return None if quote is None else mark_of_quote(quote, quantity, settings.side, quote.received_ns)


def is_stale(found: Mark, now_ns: int, settings: Marks) -> bool:
    """Is a mark older than `max_mark_age`?"""
    return found.age_ns(now_ns) > settings.max_mark_age_ns


def prices(market: Market, settings: Marks) -> PriceOf:
    """A look-up of marks for `equity`, at the newest market data, however old."""

    def price_of(instrument: InstrumentName, quantity: Decimal) -> Decimal | None:
        found = mark(market, instrument, quantity, settings)
        return None if found is None else found.price

    return price_of
