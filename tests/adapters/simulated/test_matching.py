"""Who trades with whom, and at which price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapters.simulated.exchange import Answer, Exchange
from adapters.simulated.options import AckOn, FeeIn
from adapters.simulated.wire import Accepted, Canceled, CancelTaken, Executed, Expired, Reason, Refused, Replaced
from engine.inputs import RequestKind, VenueStatus
from engine.values import Asset, Liquidity
from tests.adapters.simulated.trading_day import STILL, T0_NS, cancel, moment, open_day, place, replace, trades

AT_NS = T0_NS + 10**8


def told(answer: Answer) -> list[type]:
    return [type(frame) for _, frame in answer.told]


def status(exchange: Exchange, client_order_id: str) -> tuple[str, str, str]:
    order = exchange.state.find(None, client_order_id)  # type: ignore[arg-type]
    assert order is not None
    return order.status.value, format(order.filled, "f"), format(order.quantity, "f")


def test_a_market_order_takes_several_levels() -> None:
    answer = open_day().place(place("buy", "4", client_order_id="m"), AT_NS)
    assert isinstance(answer.reply, Accepted)
    assert trades(answer) == [("m", "2", "101"), ("m", "2", "102")]
    assert told(answer) == [Executed, Executed]
    first = answer.told[0][1]
    assert isinstance(first, Executed)
    assert (first.fee, first.fee_asset, first.liquidity) == (Decimal("0.404"), "USDT", Liquidity.TAKER)


def test_what_was_taken_is_not_there_twice_until_the_market_moves() -> None:
    exchange = open_day([*STILL, moment(1, "99x5", "101x2")])
    assert trades(exchange.place(place("buy", "3", client_order_id="a"), AT_NS)) == [
        ("a", "2", "101"),
        ("a", "1", "102"),
    ]
    assert trades(exchange.place(place("buy", "3", client_order_id="b"), AT_NS)) == [
        ("b", "2", "102"),
        ("b", "1", "103"),
    ]
    assert trades(exchange.place(place("buy", "1", client_order_id="c"), T0_NS + 10**9)) == [("c", "1", "101")]


def test_a_market_order_without_liquidity_expires() -> None:
    exchange = open_day([moment(0, "99x5", "")])
    answer = exchange.place(place("buy", "1", client_order_id="m"), AT_NS)
    assert told(answer) == [Expired]
    assert status(exchange, "m") == ("expired", "0", "1")


def test_the_rest_of_a_market_order_expires() -> None:
    exchange = open_day()
    answer = exchange.place(place("buy", "20", client_order_id="m"), AT_NS)
    assert told(answer) == [Executed, Executed, Executed, Expired]
    assert status(exchange, "m") == ("expired", "10", "20")


def test_price_goes_before_time() -> None:
    exchange = open_day([*STILL, moment(1, "90x1", "96x5")])
    for name, price in (("late", "97"), ("first", "98"), ("second", "98"), ("far", "95")):
        exchange.place(place("buy", "2", price, client_order_id=name), AT_NS)
    assert trades([frame for _, frame in exchange.advance(T0_NS + 10**9)]) == [
        ("first", "2", "98"), ("second", "2", "98"), ("late", "1", "97"),
    ]  # fmt: skip


def test_a_resting_order_fills_partly_up_to_what_is_displayed() -> None:
    exchange = open_day([*STILL, moment(1, "97x1", "98x3"), moment(2, "97x1", "98x3")])
    exchange.place(place("buy", "5", "98", client_order_id="a"), AT_NS)
    exchange.advance(T0_NS + 10**9)
    assert status(exchange, "a") == ("partially_filled", "3", "5")
    exchange.advance(T0_NS + 2 * 10**9)
    assert status(exchange, "a") == ("filled", "5", "5")


def test_a_maker_pays_as_a_maker() -> None:
    exchange = open_day([*STILL, moment(1, "97x1", "98x3")])
    exchange.place(place("buy", "1", "98"), AT_NS)
    executed = exchange.advance(T0_NS + 10**9)[-1][1]
    assert isinstance(executed, Executed)
    assert (executed.fee, executed.liquidity) == (Decimal("0.098"), Liquidity.MAKER)


def test_trading_through_fills_and_trading_at_does_not() -> None:
    exchange = open_day([*STILL, moment(1, "97x1", "101x3", "98x9"), moment(2, "97x1", "101x3", "97x1.5")])
    exchange.place(place("buy", "3", "98", client_order_id="a"), AT_NS)
    exchange.advance(T0_NS + 10**9)
    assert status(exchange, "a") == ("new", "0", "3")
    exchange.advance(T0_NS + 2 * 10**9)
    assert status(exchange, "a") == ("partially_filled", "1.5", "3")


def test_clients_trade_with_each_other_at_the_resting_price() -> None:
    exchange = open_day()
    exchange.place(place("sell", "1", "100", client_order_id="rests"), AT_NS)
    answer = exchange.place(place("buy", "2", "101", client_order_id="takes"), AT_NS)
    assert trades(answer) == [("takes", "1", "100"), ("rests", "1", "100"), ("takes", "1", "101")]
    assert status(exchange, "rests") == ("filled", "1", "1")


@pytest.mark.parametrize(("quantity", "filled", "ends"), [("5", "5", [Executed, Executed]), ("5.1", "0", [Expired])])
def test_fok_fills_whole_or_not_at_all(quantity: str, filled: str, ends: list[type]) -> None:
    exchange = open_day()
    answer = exchange.place(place("buy", quantity, "102", "fok", client_order_id="f"), AT_NS)
    assert told(answer) == ends
    assert status(exchange, "f")[1] == filled


def test_ioc_takes_what_is_there_and_expires() -> None:
    exchange = open_day()
    answer = exchange.place(place("buy", "9", "102", "ioc", client_order_id="i"), AT_NS)
    assert told(answer) == [Executed, Executed, Expired]
    assert status(exchange, "i") == ("expired", "5", "9")
    assert exchange.state.free(Asset("USDT")) == exchange.state.account.total(Asset("USDT"))


def test_post_only_never_takes() -> None:
    exchange = open_day()
    assert reason(exchange.place(place("buy", "1", "101", post_only=True), AT_NS)) is Reason.POST_ONLY_WOULD_TAKE
    assert isinstance(exchange.place(place("buy", "1", "100", post_only=True), AT_NS).reply, Accepted)


def reason(answer: Answer) -> Reason:
    assert isinstance(answer.reply, Refused), answer
    assert answer.told == []
    return answer.reply.reason


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (place("buy", "1", "100.5"), Reason.PRICE_OFF_TICK),
        (place("buy", "1.05", "100"), Reason.QUANTITY_OFF_LOT),
        (place("buy", "0", "100"), Reason.QUANTITY_TOO_SMALL),
        (place("buy", "-1", "100"), Reason.QUANTITY_TOO_SMALL),
        (place("sell", "60", "100"), Reason.QUANTITY_TOO_LARGE),
        (place("buy", "5", "9"), Reason.PRICE_TOO_LOW),
        (place("sell", "1", "1001"), Reason.PRICE_TOO_HIGH),
        (place("buy", "0.1", "100"), Reason.NOTIONAL_TOO_SMALL),
        (place("buy", "0.1"), Reason.NOTIONAL_TOO_SMALL),
        (place("buy", "1", "100", symbol="XY"), Reason.UNKNOWN_SYMBOL),
        (place("buy", "1", "100", expires_ns=AT_NS - 1), Reason.REQUEST_EXPIRED),
        (place("buy", "1", "100", client_order_id="x" * 37), Reason.BAD_CLIENT_ID),
        (place("buy", "1", "100", client_order_id="a\nb"), Reason.BAD_CLIENT_ID),
        (place("buy", "1", post_only=True), Reason.NOT_SUPPORTED),
        (place("buy", "1", "100", "ioc", post_only=True), Reason.NOT_SUPPORTED),
        (place("buy", "NaN", "100"), Reason.NOT_SUPPORTED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_what_is_refused(request_, why: Reason) -> None:  # type: ignore[no-untyped-def]
    exchange = open_day()
    assert reason(exchange.place(request_, AT_NS)) is why
    assert exchange.state.open == {}
    assert exchange.state.refused == 1


def test_a_request_is_in_time_until_its_last_instant() -> None:
    assert isinstance(open_day().place(place("buy", "1", "100", expires_ns=AT_NS), AT_NS).reply, Accepted)


def test_what_is_locked_can_not_be_spent_again() -> None:
    exchange = open_day(balances={"USDT": "1000", "BTC": "2"})
    exchange.place(place("buy", "9", "98", client_order_id="a"), AT_NS)
    assert exchange.state.locked(Asset("USDT")) == Decimal("883.764")
    assert reason(exchange.place(place("buy", "2", "98"), AT_NS)) is Reason.INSUFFICIENT_FUNDS
    exchange.cancel(cancel("a"), AT_NS)
    assert isinstance(exchange.place(place("buy", "2", "98"), AT_NS).reply, Accepted)


def test_a_fee_must_be_payable_too() -> None:
    exchange = open_day(balances={"USDT": "202", "BTC": "2"})
    assert reason(exchange.place(place("buy", "2"), AT_NS)) is Reason.INSUFFICIENT_FUNDS
    assert reason(exchange.place(place("buy", "2", "101"), AT_NS)) is Reason.INSUFFICIENT_FUNDS
    assert reason(exchange.place(place("sell", "2.1"), AT_NS)) is Reason.INSUFFICIENT_FUNDS


def test_a_fee_may_be_taken_from_what_is_received() -> None:
    exchange = open_day(fee_in=FeeIn.RECEIVED, balances={"USDT": "202", "BTC": "0"})
    exchange.place(place("buy", "2"), AT_NS)
    assert exchange.state.account.totals == {"USDT": Decimal(0), "BTC": Decimal("1.996")}


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    exchange = open_day()
    first = exchange.place(place("buy", "1", "98", client_order_id="a"), AT_NS).reply
    again = exchange.place(place("buy", "1", "98", client_order_id="a"), AT_NS).reply
    assert isinstance(first, Accepted)
    assert isinstance(again, Refused)
    assert again.reason is Reason.DUPLICATE_ID
    exchange.cancel(cancel("a"), AT_NS)
    third = exchange.place(place("buy", "1", "98", client_order_id="a"), AT_NS).reply
    assert isinstance(third, Accepted)
    assert third.venue_order_id != first.venue_order_id
    found = exchange.state.find(None, third.client_order_id)
    assert found is not None
    assert found.venue_order_id == third.venue_order_id


def test_cancel_of_an_open_a_closed_and_an_unknown_order() -> None:
    exchange = open_day()
    exchange.place(place("buy", "1", "98", client_order_id="a"), AT_NS)
    answer = exchange.cancel(cancel("a"), AT_NS)
    assert isinstance(answer.reply, CancelTaken)
    assert told(answer) == [Canceled]
    late = exchange.cancel(cancel("a"), AT_NS).reply
    unknown = exchange.cancel(cancel("b"), AT_NS).reply
    assert isinstance(late, Refused)
    assert isinstance(unknown, Refused)
    assert (late.reason, late.request) == (Reason.ORDER_CLOSED, RequestKind.CANCEL)
    assert unknown.reason is Reason.UNKNOWN_ORDER


def test_an_ack_may_also_come_on_the_stream() -> None:
    assert told(open_day(ack_on=AckOn.BOTH).place(place("buy", "1"), AT_NS)) == [Accepted, Executed]


# --- replace ----------------------------------------------------------------------------------------------------


def fills_first(*changes: tuple[str, str | None]) -> str:
    """Of two orders at 98, "a" being first and then changed: which fills first at 98?"""
    exchange = open_day([*STILL, moment(1, "90x1", "98x0.5")])
    exchange.place(place("buy", "2", "98", client_order_id="a"), AT_NS)
    exchange.place(place("buy", "2", "98", client_order_id="b"), AT_NS)
    for number, (quantity, price) in enumerate(changes):
        answer = exchange.replace(replace("a", f"a{number}", quantity, price), AT_NS)
        assert told(answer) == [Replaced]
    return trades([frame for _, frame in exchange.advance(T0_NS + 10**9)])[0][0]


def test_only_a_smaller_quantity_at_the_same_price_keeps_the_place_in_the_queue() -> None:
    assert fills_first() == "a"
    assert fills_first(("1", None)) == "a"
    assert fills_first(("1", "98")) == "a"
    assert fills_first(("3", "98")) == "b"
    assert fills_first(("2", "97"), ("2", "98")) == "b"


def test_a_replacement_says_both_ids_and_is_found_by_both() -> None:
    exchange = open_day()
    exchange.place(place("buy", "2", "98", client_order_id="a"), AT_NS)
    answer = exchange.replace(replace("a", "b", "3", "97"), AT_NS)
    frame = answer.told[0][1]
    assert isinstance(frame, Replaced)
    assert (frame.client_order_id, frame.new_client_order_id) == ("a", "b")
    assert (frame.quantity, frame.price) == (Decimal(3), Decimal(97))
    assert exchange.state.find(None, frame.client_order_id) == exchange.state.find(None, frame.new_client_order_id)
    assert isinstance(exchange.replace(replace("b", "c", "1"), AT_NS).told[0][1], Replaced)
    assert reason(exchange.place(place("buy", "1", "98", client_order_id="b"), AT_NS)) is Reason.DUPLICATE_ID


def test_a_replacement_that_crosses_takes() -> None:
    exchange = open_day()
    exchange.place(place("buy", "3", "98", client_order_id="a"), AT_NS)
    answer = exchange.replace(replace("a", "b", "3", "102"), AT_NS)
    assert told(answer) == [Replaced, Executed, Executed]
    assert trades(answer) == [("a", "2", "101"), ("a", "1", "102")]


def test_a_quantity_at_or_below_what_is_executed_ends_the_order() -> None:
    exchange = open_day()
    exchange.place(place("buy", "7", "102", client_order_id="a"), AT_NS)
    assert status(exchange, "a") == ("partially_filled", "5", "7")
    answer = exchange.replace(replace("a", "b", "4"), AT_NS)
    frame = answer.told[0][1]
    assert isinstance(frame, Replaced)
    assert frame.quantity == Decimal(5)
    assert status(exchange, "b") == (VenueStatus.FILLED.value, "5", "5")
    assert exchange.state.locked(Asset("USDT")) == 0


@pytest.mark.parametrize(
    ("quantity", "price", "why"),
    [
        ("0", None, Reason.QUANTITY_TOO_SMALL),
        ("2", "98.5", Reason.PRICE_OFF_TICK),
        ("2", "101", Reason.POST_ONLY_WOULD_TAKE),
        ("50", "99", Reason.INSUFFICIENT_FUNDS),
    ],
)
def test_a_refused_replacement_leaves_the_order_as_it_was(quantity: str, price: str | None, why: Reason) -> None:
    exchange = open_day(balances={"USDT": "1000", "BTC": "0"})
    exchange.place(place("buy", "2", "98", post_only=True, client_order_id="a"), AT_NS)
    before = dict(exchange.state.open)
    assert reason(exchange.replace(replace("a", "b", quantity, price), AT_NS)) is why
    assert exchange.state.open == before


def test_a_replacement_needs_a_free_client_id() -> None:
    exchange = open_day()
    exchange.place(place("buy", "2", "98", client_order_id="a"), AT_NS)
    exchange.place(place("buy", "2", "97", client_order_id="b"), AT_NS)
    assert reason(exchange.replace(replace("a", "b", "1"), AT_NS)) is Reason.DUPLICATE_ID
    assert reason(exchange.replace(replace("a", "a", "1"), AT_NS)) is Reason.DUPLICATE_ID


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [("buy", None, "103"), ("sell", None, "97"), ("buy", "102", "102"), ("buy", "101", "101")],
)
def test_slippage_makes_a_taker_fare_worse_and_never_worse_than_his_limit(
    side: str, limit: str | None, price: str
) -> None:
    """1.5 % of 101 is 1.515, rounded up to a tick; what is taken is still the displayed level."""
    exchange = open_day(slippage="0.015")
    answer = exchange.place(place(side, "1", limit, client_order_id="m"), AT_NS)
    assert trades(answer) == [("m", "1", price)]
    again = exchange.place(place(side, "2", limit, client_order_id="n"), AT_NS)
    assert trades(again)[0][1] == ("1" if side == "buy" else "2"), "the first order's share is gone"


def test_a_resting_order_does_not_slip() -> None:
    exchange = open_day([*STILL, moment(1, "97x5", "98x5")], slippage="0.015")
    exchange.place(place("buy", "1", "99", client_order_id="m"), AT_NS)
    assert trades([frame for _, frame in exchange.advance(T0_NS + 10**9)]) == [("m", "1", "99")]
