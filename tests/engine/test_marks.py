"""Marks: which price a position is valued at, and when it is stale."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import evolve

from engine import inputs
from engine.equity import equity
from engine.inputs import MarkPrice, Quote, TradeTick
from engine.market import Market
from engine.marks import Mark, is_stale, mark, prices
from engine.settings import Marks, MarkSide
from engine.values import Asset, Duration, Side, exact_arithmetic
from tests.engine.bench import BTC, INSTRUMENTS, T0_NS, Bench, d, trade
from tests.engine.world import World

LONG, SHORT, NOTHING = Decimal(2), Decimal(-2), Decimal(0)


def market(*seen: inputs.Input) -> Market:
    found = Market()
    found.watch(INSTRUMENTS[0])
    for each in seen:
        found.observe(each, T0_NS)
    return found


QUOTE = Quote(BTC, d(100), d(1), d(102), d(1), T0_NS)
TRADE = TradeTick(BTC, d(107), d(1), T0_NS + 5)
TOLD = MarkPrice(BTC, d(105), T0_NS + 9)


@pytest.mark.parametrize(
    ("side", "quantity", "expected"),
    [
        (MarkSide.CLOSE, LONG, Mark(d(100), "bid", T0_NS)),
        (MarkSide.CLOSE, SHORT, Mark(d(102), "ask", T0_NS)),
        (MarkSide.CLOSE, NOTHING, Mark(d(101), "mid", T0_NS)),
        (MarkSide.MID, LONG, Mark(d(101), "mid", T0_NS)),
        (MarkSide.LAST, LONG, Mark(d(107), "last", T0_NS + 5)),
        (MarkSide.VENUE, SHORT, Mark(d(105), "venue", T0_NS + 9)),
    ],
)
def test_a_position_is_valued_at(side: MarkSide, quantity: Decimal, expected: Mark) -> None:
    assert mark(market(QUOTE, TRADE, TOLD), BTC, quantity, Marks(side=side)) == expected


@pytest.mark.parametrize("side", [MarkSide.LAST, MarkSide.VENUE])
def test_where_the_wanted_price_was_not_seen_the_quote_stands_in_and_is_named(side: MarkSide) -> None:
    assert mark(market(QUOTE), BTC, LONG, Marks(side=side)) == Mark(d(100), "bid", T0_NS)
    assert mark(market(), BTC, LONG, Marks(side=side)) is None


def test_a_mark_is_stale_just_beyond_its_age() -> None:
    settings = Marks(max_mark_age_ns=Duration(10))
    found = Mark(d(100), "bid", T0_NS)
    assert not is_stale(found, T0_NS + 10, settings)
    assert is_stale(found, T0_NS + 11, settings)
    assert found.age_ns(T0_NS - 5) == 0


@pytest.mark.parametrize("price", ["0", "-1"])
def test_an_odd_mark_price_is_recorded_and_not_used(price: str) -> None:
    world = World()
    made = world.tell(MarkPrice(BTC, d(price), world.clock.ns))
    assert [event.kind for event in made] == ["AnomalyRecorded"]
    assert world.market.venue_marks == {}
    world.tell(MarkPrice(BTC, d(105), world.clock.ns))
    assert world.market.venue_marks[BTC].price == 105


def test_equity_by_the_market_values_each_side_where_it_can_be_closed() -> None:
    for side, worth in ((Side.BUY, -10), (Side.SELL, -20)):
        bench = Bench()
        bench.work(side=side, price="100")
        bench.report(evolve(trade("5"), side=side, price=d("102") if side is Side.BUY else d("98")))
        with exact_arithmetic():
            found = equity(bench.state, prices(market(QUOTE), Marks()))[Asset("USDT")]
            blind = equity(bench.state, prices(market(), Marks()))[Asset("USDT")]
        assert found.unrealized == worth
        assert not blind.unrealized
        assert blind.unpriced == (BTC,)
