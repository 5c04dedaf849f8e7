"""Random order flow: what is owned, what is kept, and what a killed exchange finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from decimal import Decimal

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.exchange import Exchange
from adapters.simulated.ledger import OrderExecuted, fact_of
from adapters.simulated.market import Print
from adapters.simulated.options import FeeIn, FeeRates
from adapters.simulated.state import State, fold
from adapters.simulated.wire import Cancel, Executed, OrderRequest, Place, Replace, canonical
from engine.values import ZERO, Asset, ClientOrderId, OrderType, Side, TimeInForce, exact_arithmetic
from tests.adapters.simulated.memory_log import MemoryLog
from tests.adapters.simulated.trading_day import SYMBOL, T0_NS, Moment, levels, open_day

OPENING = {"USDT": "5000", "BTC": "40"}
IDS = [ClientOrderId(f"o{number}") for number in range(6)]
FEES = FeeRates(Decimal("-0.0002"), Decimal("0.0015"))

prices = st.integers(95, 106).map(Decimal)
quantities = st.integers(1, 80).map(lambda tenths: Decimal(tenths) / 10)


@st.composite
def _places(draw: st.DrawFn) -> Place:
    kind = draw(st.sampled_from(OrderType))
    tif = draw(st.sampled_from(TimeInForce if not kind.has_trigger else (TimeInForce.GTC, TimeInForce.GTD)))
    return Place(
        symbol=SYMBOL, client_order_id=draw(st.sampled_from(IDS)), side=draw(st.sampled_from(Side)), order_type=kind,
        time_in_force=tif, post_only=tif is TimeInForce.GTC and kind is OrderType.LIMIT and draw(st.booleans()),
        quantity=draw(quantities), price=draw(prices) if kind.has_price else None,
        stop_price=draw(prices) if kind.has_trigger else None,
        trail=Decimal(draw(st.integers(1, 4))) if kind is OrderType.TRAILING_STOP else None,
        good_till_ns=T0_NS + draw(st.integers(1, 20)) * 10**9 if tif is TimeInForce.GTD else None,
    )  # fmt: skip


cancels = st.builds(Cancel, symbol=st.just(SYMBOL), client_order_id=st.sampled_from(IDS))
replaces = st.builds(
    Replace, symbol=st.just(SYMBOL), client_order_id=st.sampled_from(IDS), new_client_order_id=st.sampled_from(IDS),
    quantity=quantities, price=st.none() | prices, stop_price=st.none() | prices,
)  # fmt: skip
steps = st.lists(st.tuples(st.integers(0, 1500), _places() | _places() | cancels | replaces), max_size=25)


@st.composite
def _markets(draw: st.DrawFn) -> list[Moment]:
    """A second a moment: a best bid and ask around 100, two levels deep, sometimes a print, sometimes nothing."""
    moments = []
    for second in range(20):
        bid, spread, size = draw(st.integers(96, 103)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
        bids, asks = f"{bid}x{size} {bid - 1}x3", f"{bid + spread}x2 {bid + spread + 2}x4"
        shown = draw(st.integers(0, 9)) > 0
        prints = levels(f"{draw(st.integers(94, 107))}x3") if draw(st.booleans()) else ()
        at_ns, traded = T0_NS + second * 10**9, tuple(Print(SYMBOL, *level) for level in prints)
        moments.append(Moment(at_ns, levels(bids if shown else ""), levels(asks if shown else ""), traded))
    return moments


@frozen
class Flow:
    """Requests, each so many milliseconds after the one before."""

    moments: list[Moment]
    steps: list[tuple[int, OrderRequest]]
    fee_in: FeeIn

    def open(self, log: MemoryLog, at_ns: int = T0_NS) -> Exchange:
        return open_day(self.moments, log, fees=FEES, fee_in=self.fee_in, balances=OPENING, at_ns=at_ns)

    def run(self, exchange: Exchange, seen: Callable[[Exchange], None] = lambda exchange: None) -> None:
        at_ns = T0_NS
        for wait_ms, request in self.steps:
            at_ns += wait_ms * 10**6
            exchange.carry_out(request, at_ns)
            seen(exchange)
        exchange.advance(at_ns + 3 * 10**9)
        seen(exchange)


flows = st.builds(Flow, moments=_markets(), steps=steps, fee_in=st.sampled_from(FeeIn))


@given(flows)
@exact_arithmetic()
def test_nothing_is_made_and_nothing_is_lost(flow: Flow) -> None:
    log = MemoryLog()
    exchange = flow.open(log)

    def check(exchange: Exchange) -> None:
        state = exchange.state
        for asset in (Asset("BTC"), Asset("USDT")):
            assert state.account.total(asset) == Decimal(OPENING[asset]) + _flow_of(state.executions, asset)
            assert state.free(asset) >= ZERO
        for order in (*state.open.values(), *state.closed.values()):
            assert order.filled == sum((e.quantity for e in order.executions), ZERO)
            assert order.filled <= order.quantity
            limit = order.price
            if limit is not None and not len(order.client_order_ids) > 1:
                assert all((limit - e.price) * e.side.sign >= 0 for e in order.executions)

    flow.run(exchange, check)
    executions = exchange.state.executions
    assert len({e.exec_id for e in executions}) == len(executions)


def _flow_of(executions: Sequence[Executed], asset: str) -> Decimal:
    """What executions did to an asset, reckoned anew."""
    total = ZERO
    for e in executions:
        total += {"BTC": e.quantity, "USDT": -e.quantity * e.price}[asset] * e.side.sign
        total -= e.fee if e.fee_asset == asset else ZERO
    return total


@given(flows)
def test_nobody_takes_more_than_is_displayed(flow: Flow) -> None:
    log = MemoryLog()
    flow.run(flow.open(log))
    shown = {
        (version, price): quantity
        for version, now in enumerate(flow.moments)
        for price, quantity in (*now.bids, *now.asks)
    }
    taken: dict[tuple[int, Decimal], Decimal] = {}
    for entry in log.read():
        fact = fact_of(entry)
        if isinstance(fact, OrderExecuted) and fact.level is not None:
            key = (fact.version, fact.level)
            taken[key] = taken.get(key, ZERO) + fact.quantity
    assert all(quantity <= shown[key] for key, quantity in taken.items())


@given(flows)
def test_the_ledger_folds_to_the_live_state_wherever_it_is_killed(flow: Flow) -> None:
    log = MemoryLog()
    exchange = flow.open(log)
    lives: dict[int, State] = {}
    flow.run(exchange, lambda exchange: lives.update({len(log.batches): deepcopy(exchange.state)}))
    for batches, state in lives.items():
        assert fold(log.until(batches).read()) == state


@given(flows, st.data())
def test_a_killed_exchange_goes_on_as_if_it_had_not_been(flow: Flow, data: st.DataObject) -> None:
    whole, cut = MemoryLog(), MemoryLog()
    flow.run(flow.open(whole))
    exchange, at_ns = flow.open(cut), T0_NS
    for wait_ms, request in flow.steps:
        at_ns += wait_ms * 10**6
        if data.draw(st.booleans()):
            cut = MemoryLog(cut.batches)
            exchange = flow.open(cut, at_ns - data.draw(st.integers(0, wait_ms)) * 10**6)
        exchange.carry_out(request, at_ns)
    exchange.advance(at_ns + 3 * 10**9)
    assert [entry.body for entry in cut.read()] == [entry.body for entry in whole.read()]


@given(flows)
def test_the_ledger_is_canonical(flow: Flow) -> None:
    log = MemoryLog()
    flow.run(flow.open(log))
    for entry in log.read():
        assert entry.body == canonical(fact_of(entry))
        assert not re.search(r"[0-9][eE][+-]?[0-9]", entry.body)
    at = [entry.at_ns for entry in log.read()]
    assert at == sorted(at)
