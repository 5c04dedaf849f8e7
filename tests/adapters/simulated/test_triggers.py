"""Orders that wait for a price, orders that end: each type as the exchange executes it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve

from adapters.simulated.exchange import Answer, Exchange
from adapters.simulated.wire import Accepted, Executed, Expired, Place, Reason, Refused, Replaced, Triggered
from engine.values import OrderType, Side, TimeInForce
from tests.adapters.simulated.memory_log import MemoryLog
from tests.adapters.simulated.trading_day import T0_NS, Moment, cancel, moment, open_day, place, replace, trades

AT_NS = T0_NS + 10**8
SECOND_NS = 10**9


def waiting(kind: str, side: str = "sell", quantity: str = "3", **terms: str) -> Place:
    """An order with a trigger."""
    prices: dict[str, Any] = {"price": None} | {name: Decimal(value) for name, value in terms.items()}
    return evolve(place(side, quantity, "1", client_order_id="w"), order_type=OrderType(kind), **prices)


def kinds(answer: Answer) -> list[type]:
    return [type(frame) for _, frame in answer.told]


def played(exchange: Exchange, seconds: int) -> Answer:
    """What is told until then."""
    return Answer(exchange.status(), exchange.advance(T0_NS + seconds * SECOND_NS))


def falling(*bids: int) -> list[Moment]:
    """A second a moment; the ask is two above the bid."""
    return [moment(second, f"{bid}x2 {bid - 1}x2", f"{bid + 2}x2 {bid + 3}x2") for second, bid in enumerate(bids)]


def test_a_stop_goes_off_when_the_bid_has_come_down_to_it() -> None:
    exchange = open_day(falling(99, 98, 95, 95))
    assert isinstance(exchange.place(waiting("stop", stop_price="95"), AT_NS).reply, Accepted)
    assert not [each for each in kinds(played(exchange, 1)) if each in (Triggered, Executed)]
    answer = played(exchange, 2)
    assert [each for each in kinds(answer) if each in (Triggered, Executed)] == [Triggered, Executed, Executed]
    assert trades(answer) == [("w", "2", "95"), ("w", "1", "94")]


def test_what_is_not_displayed_yet_a_triggered_stop_takes_when_it_comes() -> None:
    exchange = open_day(falling(99, 95, 94))
    exchange.place(waiting("stop", quantity="5", stop_price="95"), AT_NS)
    assert trades(played(exchange, 1)) == [("w", "2", "95"), ("w", "2", "94")]
    assert trades(played(exchange, 2)) == [("w", "1", "94")]
    assert not exchange.state.sweeping


def test_a_stop_limit_rests_at_its_price() -> None:
    exchange = open_day(falling(99, 95, 92, 97))
    exchange.place(waiting("stop_limit", stop_price="95", price="95"), AT_NS)
    assert trades(played(exchange, 1)) == [("w", "2", "95")]
    assert trades(played(exchange, 2)) == []
    assert trades(played(exchange, 3)) == [("w", "1", "95")]


@pytest.mark.parametrize(("side", "stop", "second"), [("sell", "102", 2), ("buy", "99", 1)])
def test_a_take_profit_waits_for_the_better_side(side: str, stop: str, second: int) -> None:
    exchange = open_day(falling(99, 97, 102))
    exchange.place(waiting("take_profit", side, "1", stop_price=stop), AT_NS)
    assert trades(played(exchange, second - 1)) == []
    assert len(trades(played(exchange, second))) == 1


def test_a_trade_triggers_too() -> None:
    exchange = open_day([moment(0, "99x5", "101x5"), moment(1, "99x5", "101x5", "94x1")])
    exchange.place(waiting("stop", quantity="1", stop_price="95"), AT_NS)
    assert trades(played(exchange, 1)) == [("w", "1", "99")]


def test_a_trailing_stop_follows_up_and_stays_when_the_market_turns() -> None:
    exchange = open_day(falling(99, 104, 101, 100, 99))
    exchange.place(waiting("trailing_stop", quantity="1", trail="4"), AT_NS)
    order = exchange.state.find(None, "w")  # type: ignore[arg-type]
    assert order is not None
    assert order.stop_price == 95
    played(exchange, 2)
    assert exchange.state.open[order.venue_order_id].stop_price == 100
    assert trades(played(exchange, 3)) == [("w", "1", "100")]


def test_a_stop_that_the_market_has_passed_goes_off_at_once() -> None:
    answer = open_day().place(waiting("stop", quantity="1", stop_price="100"), AT_NS)
    assert isinstance(answer.reply, Accepted)
    assert kinds(answer) == [Triggered, Executed]


def test_what_waits_stands_in_nobodys_way_and_locks_what_it_may_cost() -> None:
    exchange = open_day()
    exchange.place(waiting("stop_limit", "buy", "2", stop_price="110", price="111"), AT_NS)
    assert exchange.state.locked("USDT") == Decimal("222.444")  # type: ignore[arg-type]
    answer = exchange.place(place("sell", "1", "105"), AT_NS)
    assert trades(answer) == []
    exchange.cancel(cancel("w"), AT_NS)
    assert not exchange.state.waiting
    assert exchange.state.locked("USDT") == 0  # type: ignore[arg-type]


def test_its_prices_are_replaced_while_it_waits() -> None:
    exchange = open_day(falling(99, 97, 96))
    exchange.place(waiting("stop", quantity="1", stop_price="95"), AT_NS)
    asked = evolve(replace("w", "w2", "1"), stop_price=Decimal(97))
    answer = exchange.replace(asked, AT_NS)
    assert kinds(answer) == [Replaced]
    assert trades(played(exchange, 1)) == [("w", "1", "97")]
    assert isinstance(exchange.replace(replace("w", "w3", "2", "90"), AT_NS).reply, Refused)


def test_a_killed_exchange_finds_what_waits() -> None:
    log = MemoryLog()
    exchange = open_day(falling(99, 104, 101, 100), log)
    exchange.place(waiting("trailing_stop", quantity="1", trail="4"), AT_NS)
    played(exchange, 2)
    again = open_day(falling(99, 104, 101, 100), log, at_ns=T0_NS + 2 * SECOND_NS)
    assert again.state == exchange.state
    assert trades(played(again, 3)) == [("w", "1", "100")]


def test_one_that_can_not_be_paid_for_when_it_goes_off_ends() -> None:
    rising = [moment(0, "99x5", "101x5"), moment(1, "179x5", "180x5")]
    exchange = open_day(rising, balances={"USDT": "1100", "BTC": "0"})
    exchange.place(waiting("stop", "buy", "5", stop_price="150"), AT_NS)
    exchange.place(place("buy", "3", "99"), AT_NS)
    answer = played(exchange, 1)
    assert [each for each in kinds(answer) if each in (Triggered, Expired)] == [Triggered, Expired]
    assert exchange.state.free("USDT") >= 0  # type: ignore[arg-type]


# --- ends in time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["limit", "stop"])
def test_an_order_ends_at_its_time(kind: str) -> None:
    exchange = open_day()
    order = place("buy", "1", "90", "gtd", client_order_id="w")
    if kind == "stop":
        order = waiting("stop", "buy", "1", stop_price="150")
    ends_ns = AT_NS + 5 * SECOND_NS
    exchange.place(evolve(order, time_in_force=TimeInForce.GTD, good_till_ns=ends_ns), AT_NS)
    assert exchange.next_ns == ends_ns
    assert exchange.advance(ends_ns - 1) == []
    ((at_ns, frame),) = exchange.advance(ends_ns + SECOND_NS)
    assert isinstance(frame, Expired)
    assert at_ns == ends_ns
    assert not exchange.state.ends_ns


def test_a_day_ends_at_midnight() -> None:
    exchange = open_day()
    exchange.place(place("buy", "1", "90", "day"), AT_NS)
    assert exchange.next_ns is not None
    assert exchange.next_ns % (86_400 * SECOND_NS) == 0


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (waiting("stop"), Reason.NOT_SUPPORTED),
        (waiting("stop", stop_price="95", price="95"), Reason.NOT_SUPPORTED),
        (waiting("stop_limit", stop_price="95"), Reason.NOT_SUPPORTED),
        (waiting("trailing_stop", stop_price="95"), Reason.NOT_SUPPORTED),
        (waiting("stop", stop_price="95", trail="4"), Reason.NOT_SUPPORTED),
        (waiting("stop", stop_price="95.5"), Reason.PRICE_OFF_TICK),
        (waiting("stop", stop_price="-1"), Reason.PRICE_TOO_LOW),
        (evolve(waiting("stop", stop_price="95"), time_in_force=TimeInForce.IOC), Reason.NOT_SUPPORTED),
        (evolve(waiting("stop", stop_price="95"), post_only=True), Reason.NOT_SUPPORTED),
        (place("buy", "1", "90", "gtd"), Reason.NOT_SUPPORTED),
        (evolve(place("buy", "1", "90", "gtd"), good_till_ns=AT_NS - 1), Reason.REQUEST_EXPIRED),
        (evolve(place("buy", "1", "90"), good_till_ns=AT_NS + 1), Reason.NOT_SUPPORTED),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(order: Place, reason: Reason) -> None:
    reply = open_day().place(order, AT_NS).reply
    assert isinstance(reply, Refused)
    assert reply.reason is reason
    assert order.side in Side
