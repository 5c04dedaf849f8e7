"""What a margined account is worth, as properties."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.binance_usdm.server.margins import Holding, liquidation_price
from adapters.simulated.account import Contract
from engine.values import exact_arithmetic

RATE = Decimal("0.004")
NEAR = Decimal("0.0001")


@given(
    quantity=st.integers(-1_000, 1_000).filter(bool), opened=st.integers(1, 100_000), mark=st.integers(1, 100_000),
    wallet=st.integers(0, 1_000_000), others=st.integers(0, 1_000),
)  # fmt: skip
def test_where_a_position_is_lost_the_account_has_just_what_it_must_keep(
    quantity: int, opened: int, mark: int, wallet: int, others: int
) -> None:
    with exact_arithmetic():
        held = Contract(quantity=Decimal(quantity), cost=Decimal(quantity * opened))
        holding = Holding("BTCUSDT", held, Decimal(mark))
        equity = wallet + holding.unrealized
        maintenance = abs(holding.notional) * RATE + others
        assume(equity > maintenance)
        price = liquidation_price(holding, equity, maintenance, RATE)
        if not price:
            assert quantity > 0  # what is bought can be worth nothing, and no more is lost
            assert wallet - quantity * opened >= others
            return
        there = wallet + held.unrealized(price)
        assert abs(there - (abs(quantity) * price * RATE + others)) < NEAR * abs(quantity)
        assert (price < mark) is (quantity > 0)
