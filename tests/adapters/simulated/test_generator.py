"""The generated market: a pure function of seed, symbol and step, and something one can trade in."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.generator import STEP_NS, Generator
from adapters.simulated.listing import Listing, terms
from adapters.simulated.market import GeneratedMarket
from tests.conftest import ROOT

NOW = 17_952_252_781
BTC = terms("BTCUSDT")
DIGEST = """
import hashlib
from adapters.simulated.generator import Generator
from adapters.simulated.listing import terms
made = Generator(7, terms("BTCUSDT"))
print(hashlib.sha256(repr([made.shown(step) for step in range(17952252781, 17952252881)]).encode()).hexdigest())
"""


@given(st.lists(st.integers(0, 2 * NOW), min_size=1, max_size=20), st.integers(0, 2**40))
def test_a_step_is_the_same_whenever_and_in_whichever_order_it_is_asked_for(steps: list[int], seed: int) -> None:
    forwards, backwards = Generator(seed, BTC), Generator(seed, BTC)
    first = {step: forwards.shown(step) for step in steps}
    assert {step: backwards.shown(step) for step in reversed(steps)} == {step: first[step] for step in reversed(steps)}


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_it_does_not_depend_on_the_process(hash_seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], cwd=ROOT, env={"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True
    )
    made = Generator(7, BTC)
    expected = hashlib.sha256(repr([made.shown(step) for step in range(NOW, NOW + 100)]).encode()).hexdigest()
    assert done.stdout.decode().strip() == expected


def test_the_market_of_a_seed_never_changes() -> None:
    quote = Generator(7, BTC).shown(NOW).quote("BTCUSDT")
    assert (quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity) == (
        Decimal("59803.88"), Decimal("0.11991"), Decimal("59803.9"), Decimal("0.03641"),
    )  # fmt: skip


@given(
    st.integers(0, 2 * NOW),
    st.sampled_from(["BTCUSDT", "ETHUSDT", "SPY"]),
    st.integers(0, 1000),
    st.integers(1, 2000),
)
def test_what_is_shown_can_be(step: int, symbol: str, seed: int, volatility: int) -> None:
    listing = terms(symbol, Listing(volatility_ppm=volatility))
    shown = Generator(seed, listing).shown(step)
    instrument = listing.instrument
    bids, asks = [p for p, _ in shown.bids], [p for p, _ in shown.asks]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert 0 < bids[-1] <= bids[0] < asks[0]
    for price, quantity in (*shown.bids, *shown.asks):
        assert instrument.is_on_tick(price)
        assert instrument.is_on_lot(quantity)
        assert quantity > 0
    if shown.trade is not None:
        assert shown.trade.price in (bids[0], asks[0])
        assert shown.trade.exchange_ns == shown.at_ns == step * STEP_NS
        best = shown.bids[0] if shown.trade.price == bids[0] else shown.asks[0]
        assert shown.trade.quantity <= best[1]


def test_seeds_and_symbols_have_markets_of_their_own() -> None:
    other = terms("BTCUSD2", Listing(price=Decimal(60_000), displayed=Decimal("0.8"), lot=Decimal("0.00001")))
    made = [Generator(7, BTC), Generator(8, BTC), Generator(7, other)]
    assert len({tuple(each.shown(step).bids[0] for step in range(NOW, NOW + 5)) for each in made}) == 3


def test_averages_cross_and_resting_orders_are_reached_within_seconds() -> None:
    made = Generator(7, BTC)
    shown = [made.shown(NOW + step) for step in range(6_000)]
    closes = [each.bids[0][0] for each in shown[::10]]
    above = [sum(closes[i - 5 : i]) * 4 > sum(closes[i - 20 : i]) for i in range(20, len(closes))]
    crosses = sum(was is not now for was, now in itertools.pairwise(above))
    assert 600 / 40 <= crosses <= 600 / 10
    waits = []
    for start in range(0, 5_000, 100):
        price = shown[start].bids[0][0] - 5 * BTC.instrument.tick
        waits.append(next((n for n in range(1, 1_000) if shown[start + n].asks[0][0] <= price), 1_000))
    assert sorted(waits)[len(waits) // 2] <= 20
    assert sum(each.trade is not None for each in shown) > 1_000


def test_a_market_may_move_less_often() -> None:
    """What it shows then is what the fast one shows at that instant; where it begins makes no difference."""
    fast, slow = GeneratedMarket(7, [BTC]), GeneratedMarket(7, [BTC], 10 * STEP_NS)
    fast.seek(NOW * STEP_NS)
    slow.seek(NOW * STEP_NS)
    shown = {instant.at_ns: instant.frames for instant in (fast.play() for _ in range(60))}
    seconds = [slow.play() for _ in range(5)]
    assert [instant.at_ns % (10 * STEP_NS) for instant in seconds] == [0] * 5
    assert [shown[instant.at_ns] for instant in seconds] == [instant.frames for instant in seconds]
    assert slow.next_ns() == seconds[-1].at_ns + 10 * STEP_NS
