"""What an exchange finds that was dead for a while."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapters.simulated.exchange import CATCH_UP_MOST_NS, Exchange
from adapters.simulated.generator import STEP_NS
from adapters.simulated.ledger import OrderExecuted, fact_of
from adapters.simulated.listing import terms
from adapters.simulated.market import GeneratedMarket
from adapters.simulated.matching import Rules
from adapters.simulated.scribe import ExchangeStopped
from adapters.simulated.state import fold
from adapters.simulated.wire import Accepted, AccountAnswer, OrderAnswer, Query, Welcome
from engine.inputs import Section, VenueStatus
from engine.values import Asset, ClientOrderId, Side
from tests.adapters.simulated.memory_log import MemoryLog
from tests.adapters.simulated.trading_day import STILL, SYMBOL, T0_NS, moment, open_day, place

BTC = terms("BTCUSDT")


def generated(log: MemoryLog, at_ns: int, balances: dict[Asset, Decimal] | None = None) -> Exchange:
    given = {Asset("USDT"): Decimal(100_000), Asset("BTC"): Decimal(1)} if balances is None else balances
    rules = Rules(instruments={"BTCUSDT": BTC.instrument}, balances=given)
    return Exchange(log, GeneratedMarket(7, [BTC]), rules, "first", at_ns)


def test_resting_orders_fill_while_nobody_runs_the_exchange() -> None:
    log = MemoryLog()
    exchange = generated(log, T0_NS)
    market = GeneratedMarket(7, [BTC])
    market.seek(T0_NS)
    bid = market.levels("BTCUSDT", Side.BUY)[0][0]
    exchange.place(place("buy", "0.01", str(bid - Decimal("0.05")), client_order_id="a"), T0_NS)
    again = generated(log, T0_NS + 60 * 10**9)
    answer = again.find(Query(symbol="BTCUSDT", client_order_id=ClientOrderId("a")), T0_NS + 60 * 10**9).reply
    assert isinstance(answer, OrderAnswer)
    assert answer.order is not None
    assert answer.order.status is VenueStatus.FILLED
    assert T0_NS < answer.order.at_ns < T0_NS + 60 * 10**9


def test_at_most_ten_minutes_are_caught_up() -> None:
    dip = moment(60, "90x5", "95x5")
    days = [*STILL, dip, moment(120, "99x5", "101x5")]
    log = MemoryLog()
    open_day(days, log).place(place("buy", "1", "98", client_order_id="a"), T0_NS)
    late = open_day(days, MemoryLog(log.batches), at_ns=dip.at_ns + CATCH_UP_MOST_NS + 1)
    in_time = open_day(days, MemoryLog(log.batches), at_ns=dip.at_ns + CATCH_UP_MOST_NS - 1)
    assert len(late.state.open) == 1
    assert len(in_time.state.open) == 0


def test_ids_go_on_where_they_were() -> None:
    log = MemoryLog()
    first = open_day(log=log).place(place("buy", "3"), T0_NS)
    second = open_day(log=log, at_ns=T0_NS + 1).place(place("buy", "1"), T0_NS + 1)
    assert isinstance(first.reply, Accepted)
    assert isinstance(second.reply, Accepted)
    executions = fold(log.read()).executions
    assert len({e.exec_id for e in executions}) == len(executions) == 3
    assert first.reply.venue_order_id != second.reply.venue_order_id


def test_what_was_taken_stays_taken_over_a_restart() -> None:
    log = MemoryLog()
    open_day(log=log).place(place("buy", "2"), T0_NS)
    open_day(log=log, at_ns=T0_NS + 1).place(place("buy", "1"), T0_NS + 1)
    facts = [fact_of(entry) for entry in log.read()]
    assert [fact.level for fact in facts if isinstance(fact, OrderExecuted)] == [Decimal(101), Decimal(102)]


def test_the_account_keeps_its_name_and_its_opening_balances() -> None:
    log = MemoryLog()
    first = generated(log, T0_NS).welcome(T0_NS).reply
    rules = Rules(
        instruments={"BTCUSDT": BTC.instrument}, balances={Asset("USDT"): Decimal(5), Asset("ETH"): Decimal(7)}
    )
    again = Exchange(log, GeneratedMarket(8, [BTC]), rules, "second", T0_NS + 10**9)
    second = again.welcome(T0_NS + 10**9).reply
    assert isinstance(first, Welcome)
    assert isinstance(second, Welcome)
    assert first.account == second.account == "simulated:first"
    assert again.state.account.totals == {"USDT": Decimal(100_000), "BTC": Decimal(1), "ETH": Decimal(7)}


def test_time_never_goes_back() -> None:
    log = MemoryLog()
    open_day(log=log).place(place("buy", "1", "98"), T0_NS + 10**9)
    again = open_day(log=log, at_ns=T0_NS)
    answer = again.place(place("buy", "1", "98"), T0_NS + 1).reply
    assert isinstance(answer, Accepted)
    assert answer.at_ns == T0_NS + 10**9


def test_a_ledger_that_can_not_be_written_ends_the_exchange_and_nothing_is_told() -> None:
    log = MemoryLog()
    exchange = open_day(log=log)
    log.fail_at = len(log.batches)
    with pytest.raises(OSError, match="no space"):
        exchange.place(place("buy", "1"), T0_NS)
    for attempt in (lambda: exchange.advance(T0_NS + 1), lambda: exchange.place(place("buy", "1"), T0_NS)):
        with pytest.raises(ExchangeStopped):
            attempt()
    assert fold(log.read()).executions == []


def test_a_ledger_of_a_newer_release_is_refused() -> None:
    log = MemoryLog()
    open_day(log=log)
    log.batches[0] = tuple(entry._replace(version=99) for entry in log.batches[0])
    with pytest.raises(ValueError, match="newer release"):
        open_day(log=log)


def test_a_generated_market_is_the_same_however_it_is_played() -> None:
    one, many = GeneratedMarket(7, [BTC]), GeneratedMarket(7, [BTC])
    one.seek(T0_NS)
    many.seek(T0_NS - 50 * STEP_NS)
    while (next_ns := many.next_ns()) is not None and next_ns <= T0_NS:
        many.play()
    assert one.play() == many.play()


def test_an_account_tells_executions_since_an_instant_and_whether_these_are_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.simulated.state.EXECUTIONS_MOST", 2)
    exchange = open_day([*STILL, *(moment(s, "99x5", "101x2") for s in range(1, 5))])
    for second in range(4):
        exchange.place(place("buy", "1"), T0_NS + second * 10**9)

    def since(at_ns: int) -> tuple[int, bool]:
        found = exchange.account(at_ns, T0_NS + 4 * 10**9).reply
        assert isinstance(found, AccountAnswer)
        return len(found.executions), Section.EXECUTIONS in found.complete

    assert since(T0_NS + 3 * 10**9) == (1, True)
    assert since(T0_NS + 2 * 10**9) == (2, True)
    assert since(T0_NS + 10**9) == (2, False)


def test_old_closed_orders_are_forgotten_with_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.simulated.state.CLOSED_MOST", 2)
    exchange = open_day()
    for number in range(4):
        exchange.place(place("buy", "0.2", "101", "ioc", client_order_id=f"c{number}"), T0_NS)
    found = [exchange.state.find(None, ClientOrderId(f"c{number}")) is not None for number in range(4)]
    assert found == [False, False, True, True]
    assert len(exchange.state.ids) == 2
    assert exchange.find(Query(symbol=SYMBOL, client_order_id=ClientOrderId("c0")), T0_NS).reply == OrderAnswer(
        order=None, executions=(), at_ns=T0_NS
    )
