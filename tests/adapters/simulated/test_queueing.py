"""A place in the queue: what rests at the touch is filled after what stood there before it, and by trades alone."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.exchange import Exchange
from adapters.simulated.market import Print
from engine.values import Side
from tests.adapters.simulated.trading_day import SYMBOL, T0_NS, Moment, levels, open_day, place, replace, trades

S = 10**9
BIDS, ASKS = levels("99x5 98x5"), levels("101x5")


def traded(seconds: int, price: str, quantity: str, aggressor: Side | None = Side.SELL) -> Moment:
    passed = Print(SYMBOL, Decimal(price), Decimal(quantity), is_trade=True, aggressor=aggressor)
    return Moment(T0_NS + seconds * S, BIDS, ASKS, (passed,))


def rested(*moments: Moment, quantity: str = "2", price: str = "99") -> Exchange:
    exchange = open_day([Moment(T0_NS, BIDS, ASKS), *moments])
    exchange.place(place("buy", quantity, price, client_order_id="mine"), T0_NS + 1)
    return exchange


def fills(exchange: Exchange, seconds: int = 60) -> list[tuple[str, str, str]]:
    return trades([frame for _, frame in exchange.advance(T0_NS + seconds * S)])


def test_who_rests_at_the_touch_waits_until_what_was_ahead_has_traded() -> None:
    exchange = rested(traded(1, "99", "3"), traded(2, "99", "2"), traded(3, "99", "0.5"), traded(4, "99", "9"))
    assert fills(exchange, 2) == []
    assert fills(exchange, 3) == [("mine", "0.5", "99")]
    assert fills(exchange, 4) == [("mine", "1.5", "99")]


def test_an_order_that_improves_the_touch_has_nobody_ahead() -> None:
    assert fills(rested(traded(1, "100", "1"), price="100")) == [("mine", "1", "100")]


def test_a_trade_of_the_other_kind_does_not_come_to_this_side() -> None:
    assert fills(rested(traded(1, "99", "50", Side.BUY))) == []
    assert fills(rested(traded(1, "99", "50", None))) == [("mine", "2", "99")]


def test_a_trade_beyond_the_price_fills_whatever_stood_ahead() -> None:
    assert fills(rested(traded(1, "98", "1"))) == [("mine", "1", "99")]


def test_a_smaller_order_keeps_its_place_and_a_larger_one_goes_to_the_end() -> None:
    for quantity, expected in (("1", [("mine", "1", "99")]), ("3", [])):
        exchange = rested(traded(1, "99", "5"), traded(2, "99", "1"))
        exchange.advance(T0_NS + S)
        exchange.place(place("buy", "0.5", "98"), T0_NS + S + 1)
        exchange.carry_out(replace("mine", "again", quantity), T0_NS + S + 2)
        assert [(name.replace("again", "mine"), q, p) for name, q, p in fills(exchange, 2)] == expected


def test_our_own_orders_stand_behind_each_other() -> None:
    exchange = rested(traded(1, "99", "8"), traded(2, "99", "1"))
    exchange.place(place("buy", "2", "99", client_order_id="second"), T0_NS + 2)
    assert fills(exchange, 1) == [("mine", "2", "99"), ("second", "1", "99")]


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(3, 30))
def test_never_more_is_filled_than_traded_beyond_what_stood_ahead(sizes: list[int], wanted: int) -> None:
    tenths = [Decimal(size) / 10 for size in sizes]
    moments = [traded(number, "99", str(size)) for number, size in enumerate(tenths, start=1)]
    exchange = rested(*moments, quantity=str(Decimal(wanted) / 10))
    filled = sum((Decimal(quantity) for _, quantity, _ in fills(exchange)), Decimal(0))
    assert filled == min(Decimal(wanted) / 10, max(Decimal(0), sum(tenths, Decimal(0)) - 5))
