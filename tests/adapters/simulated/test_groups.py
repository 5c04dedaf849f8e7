"""Orders that the exchange links: what one of a group executes, the others lose, in the same commit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import evolve

from adapters.simulated.exchange import Answer, Exchange
from adapters.simulated.wire import Canceled, Executed, Place, Reason, Reduced, Refused, Triggered
from engine.values import OrderType
from tests.adapters.simulated.memory_log import MemoryLog
from tests.adapters.simulated.test_triggers import kinds, waiting
from tests.adapters.simulated.trading_day import T0_NS, cancel, moment, open_day, place, trades

AT_NS = T0_NS + 10**8
SECOND_NS = 10**9


def target(quantity: str = "3", price: str = "105") -> Place:
    """The twin that rests."""
    return evolve(place("sell", quantity, price, client_order_id="t"), group="g")


def stop(quantity: str = "3", stop_price: str = "95") -> Place:
    """The twin that waits."""
    return evolve(waiting("stop", "sell", quantity, stop_price=stop_price), group="g")


def linked(*moments: str, balances: dict[str, str] | None = None, log: MemoryLog | None = None) -> Exchange:
    """Both of them, on a market of these prints, one a second."""
    played = [moment(0, "99x5", "101x5"), *(moment(n, "99x5", "101x5", prints) for n, prints in enumerate(moments, 1))]
    exchange = open_day(played, log, balances=balances, links=True)
    for request in (target(), stop()):
        assert not isinstance(exchange.place(request, AT_NS).reply, Refused)
    return exchange


def at(exchange: Exchange, seconds: int) -> Answer:
    """What is told until then."""
    return Answer(exchange.status(), exchange.advance(T0_NS + seconds * SECOND_NS))


def test_what_the_target_executes_the_stop_loses() -> None:
    exchange = linked("106x1", "106x5")
    answer = at(exchange, 1)
    assert [kind for kind in kinds(answer) if kind in (Executed, Reduced)] == [Executed, Reduced]
    reduced = next(frame for _, frame in answer.told if isinstance(frame, Reduced))
    assert (reduced.client_order_id, reduced.quantity) == ("w", Decimal(2))
    answer = at(exchange, 2)
    assert [kind for kind in kinds(answer) if kind in (Executed, Canceled)] == [Executed, Canceled]
    assert not exchange.state.open


def test_what_the_stop_executes_the_target_loses() -> None:
    exchange = linked("94x1")
    answer = at(exchange, 1)
    told = [kind for kind in kinds(answer) if kind in (Triggered, Executed, Canceled)]
    assert told == [Triggered, Executed, Canceled]
    assert trades(answer) == [("w", "3", "99")]
    assert not exchange.state.open


def test_the_account_pays_for_one_of_them() -> None:
    exchange = linked(balances={"USDT": "0", "BTC": "3"})
    assert exchange.state.locked("BTC") == 3  # type: ignore[arg-type]
    more = evolve(target("4"), client_order_id="more")  # type: ignore[arg-type]
    reply = exchange.place(more, AT_NS).reply
    assert isinstance(reply, Refused)
    assert reply.reason is Reason.INSUFFICIENT_FUNDS


def test_one_of_them_is_canceled_alone() -> None:
    exchange = linked()
    exchange.cancel(cancel("t"), AT_NS)
    assert [order.accepted.order_type for order in exchange.state.open.values()] == [OrderType.STOP]


def test_a_killed_exchange_finds_them_linked() -> None:
    log = MemoryLog()
    exchange = linked("106x1", "94x1", log=log)
    at(exchange, 1)
    played = [moment(0, "99x5", "101x5"), moment(1, "99x5", "101x5", "106x1"), moment(2, "99x5", "101x5", "94x1")]
    again = open_day(played, log, at_ns=T0_NS + SECOND_NS, links=True)
    assert again.state == exchange.state
    assert trades(at(again, 2)) == [("w", "2", "99")]
    assert not again.state.open


@pytest.mark.parametrize("links", [False, True])
def test_twins_are_of_one_side_and_only_where_there_are_links(links: bool) -> None:
    exchange = open_day(links=links)
    exchange.place(target(), AT_NS)
    other = evolve(place("buy", "1", "90"), group="g")
    reply = exchange.place(other, AT_NS).reply
    assert isinstance(reply, Refused)
    assert reply.reason is Reason.NOT_SUPPORTED


def test_one_that_comes_after_its_twin_has_executed_begins_with_what_is_left() -> None:
    exchange = open_day(links=True)
    exchange.place(evolve(stop("3", "100"), client_order_id="first"), AT_NS)  # type: ignore[arg-type]
    reply = exchange.place(target(), AT_NS).reply
    assert isinstance(reply, Refused)
    assert reply.reason is Reason.GROUP_DONE
    answer = exchange.place(target("4"), AT_NS)
    assert [frame.quantity for _, frame in answer.told if isinstance(frame, Reduced)] == [Decimal(1)]
