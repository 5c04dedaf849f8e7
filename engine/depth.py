"""What an order without a price may pay: the worst price inside its slippage bound, through the visible depth."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.book import Book
from engine.market import Market
from engine.order import Order
from engine.pricing import far_side, slipped
from engine.values import EXACT, ZERO, Side

LEVELS_MOST = 1_000
"""Levels of the book that are walked; what lies behind them is not counted as depth."""


def worst_of(market: Market, order: Order, quantity: Decimal, slippage: Callable[[], Decimal | None]) -> Decimal | None:
    """The worst price at which an order may execute; None where what is visible does not say.

    Its limit price where it has one. A stop without one is judged at its stop price and its slippage bound from there:
    what depth there will be when it is triggered nobody can see.
    """
    if order.price is not None:
        return order.price
    if order.order_type.has_trigger and not order.is_triggered:
        stop, bound = _stop_of(market, order), slippage()
        return stop if stop is None or bound is None else slipped(stop, order.side, bound)
    return _walked(market, order, quantity, slippage)


def _stop_of(market: Market, order: Order) -> Decimal | None:
    """The stop price; of a trailing stop that has none yet, its distance from the market as it is."""
    quote = market.quotes.get(order.instrument)
    if order.stop_price is not None or order.trails_by is None or quote is None:
        return order.stop_price
    touch = far_side(order.side, quote)
    return EXACT.add(touch, (order.trail_at(touch) or ZERO) * order.side.sign)


def _walked(market: Market, order: Order, quantity: Decimal, slippage: Callable[[], Decimal | None]) -> Decimal | None:
    """With a book its levels are walked, and all of the quantity has to be there inside the bound. With quotes alone
    the touch is all that is visible: beyond its quantity the bound is the worst price; without a bound there is none.
    """
    quote = market.quotes.get(order.instrument)
    if quote is None:
        return None
    touch, fraction = far_side(order.side, quote), slippage()
    bound = order.worst_price
    if bound is None and fraction is not None:
        bound = slipped(touch, order.side, fraction)
    book = market.books.get(order.instrument)
    if book is not None and book.best() is not None:
        walked = _walk(book, order.side, quantity, bound)
        return None if walked is None else _worse(order.side, walked, touch)
    shown = quote.ask_quantity if order.side is Side.BUY else quote.bid_quantity
    return touch if quantity <= shown else bound


def _walk(book: Book, side: Side, quantity: Decimal, bound: Decimal | None) -> Decimal | None:
    """The price of the level that completes the quantity; None where it does not lie inside the bound."""
    left = quantity
    for price, shown in book.asks(LEVELS_MOST) if side is Side.BUY else book.bids(LEVELS_MOST):
        if bound is not None and _worse(side, price, bound) != bound:
            return None
        left -= shown
        if left <= 0:
            return price
    return None


def _worse(side: Side, price: Decimal, other: Decimal) -> Decimal:
    return max(price, other) if side is Side.BUY else min(price, other)
