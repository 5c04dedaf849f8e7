"""The client against a peer that says what a test wants: orders both ways, doubt, lines, throttles, keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from engine import inputs
from engine.inputs import Refusal, RequestKind
from engine.outbox import TakeSnapshot
from engine.values import Asset, OrderType, TimeInForce, VenueOrderId
from tests.adapters.binance.scripted_peer import ACCOUNT, Peer
from tests.adapters.binance.trader import (
    BTC,
    SECOND,
    TOKEN,
    VENUE,
    Trader,
    cancel_order,
    options,
    query_order,
    replace_order,
    trader,
)

NEW_TOKEN = "h20i60b1c0000099"


def row(**changes: Any) -> dict[str, Any]:
    """An order's row, as a reply or a list shows it."""
    return {
        "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": TOKEN,
        "transactTime": 1_700_000_000_000,
        "price": "50.00000000", "origQty": "0.20000000", "executedQty": "0.00000000", "cummulativeQuoteQty": "0",
        "status": "NEW", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "stopPrice": "0.00000000", **changes,
    }  # fmt: skip


def report(**changes: Any) -> dict[str, Any]:
    """An executionReport."""
    return {
        "e": "executionReport", "E": 1, "s": "BTCUSDT", "c": TOKEN, "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "0.20000000", "p": "50.00000000", "P": "0", "F": "0", "g": -1, "C": "", "x": "NEW", "X": "NEW",
        "r": "NONE", "i": 28, "l": "0", "z": "0", "L": "0", "n": "0", "N": None, "T": 1_700_000_000_000, "t": -1,
        "I": 1, "w": True, "m": False, "O": 1, "Z": "0", "Y": "0", "Q": "0", **changes,
    }  # fmt: skip


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def at(peer: Peer, **changes: Any) -> Any:
    """A client of the peer."""
    urls = {"rest_url": peer.rest_url, "stream_url": peer.stream_url, "ws_api_url": peer.ws_api_url}
    return trader(options(**{**urls, **changes}))


@pytest.fixture
def up(peer: Peer) -> Iterator[Trader]:
    """Connected."""
    with at(peer) as held:
        held.open()
        yield held
    assert not peer.forged


# --- a start ------------------------------------------------------------------------------------------------------


def test_what_binance_says_of_itself(peer: Peer) -> None:
    with at(peer) as held:
        described = held.venue.describe()
    assert described.account == "binance:testnet:354937868"
    (terms,) = described.instruments
    assert (terms.tick, terms.lot, terms.min_notional, terms.max_market_quantity, terms.max_stops) == (
        Decimal("0.01"), Decimal("0.00001"), Decimal(5), Decimal(50), 5,
    )  # fmt: skip
    assert terms.market_lot is None
    assert terms.min_market_quantity is None
    assert described.rights is not None
    assert described.rights.may_trade
    assert OrderType.TRAILING_STOP not in described.capabilities.order_types
    assert described.absence.after_ns == 16_500_000_000


def test_the_account_is_subscribed_before_the_venue_is_up(up: Trader, peer: Peer) -> None:
    assert peer.count("userDataStream.subscribe.signature") == 1
    up.wait(inputs.StreamUp, 2)
    assert sorted(told.stream for told in up.all(inputs.StreamUp)) == ["quotes", "trades"]


def test_nothing_is_asked_before_the_remembered_end_of_a_throttle(peer: Peer) -> None:
    urls = {"rest_url": peer.rest_url, "stream_url": peer.stream_url, "ws_api_url": peer.ws_api_url}
    until_ns = time.time_ns() + SECOND
    with trader(options(**urls), throttled_until_ns=until_ns) as held:
        held.open()
        assert time.time_ns() >= until_ns


# --- orders -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["ws", "rest"])
def either(request: pytest.FixtureRequest, peer: Peer) -> Iterator[tuple[Trader, str]]:
    """Connected, with orders by each of the two ways."""
    with at(peer, order_entry=request.param) as held:
        held.open()
        yield held, request.param
    assert not peer.forged


NAMES = {
    "place": {"ws": "order.place", "rest": "POST /api/v3/order"},
    "cancel": {"ws": "order.cancel", "rest": "DELETE /api/v3/order"},
    "replace": {"ws": "order.cancelReplace", "rest": "POST /api/v3/order/cancelReplace"},
    "amend": {"ws": "order.amend.keepPriority", "rest": "PUT /api/v3/order/amend/keepPriority"},
}


def test_an_order_is_placed_with_what_it_took_at_once(either: tuple[Trader, str], peer: Peer) -> None:
    held, way = either
    fill = {"price": "49.90", "qty": "0.05", "commission": "0.00005", "commissionAsset": "BTC", "tradeId": 7}
    peer.answers[NAMES["place"][way]] = lambda _: (
        200, row(status="PARTIALLY_FILLED", executedQty="0.05", fills=[fill]),
    )  # fmt: skip
    held.submit()
    traded = held.wait(inputs.Trade)
    assert (traded.exec_id, traded.quantity, traded.price, traded.fee, traded.fee_asset) == (
        "7", Decimal("0.05"), Decimal("49.9"), Decimal("0.00005"), "BTC",
    )  # fmt: skip
    acked = held.wait(inputs.Ack)
    assert (acked.client_order_id, acked.venue_order_id, acked.instrument) == (TOKEN, "28", BTC)
    assert acked.transact_ns == 1_700_000_000_000 * 1_000_000
    assert held.told.index(acked) < held.told.index(traded)


@pytest.mark.parametrize(
    ("status", "fault", "expected"),
    [
        (400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}, Refusal.DEFINITIVE),
        (400, {"code": -1013, "msg": "Filter failure: LOT_SIZE"}, Refusal.DEFINITIVE),
        (400, {"code": -2010, "msg": "Duplicate order sent."}, Refusal.DUPLICATE_ID),
        (400, {"code": -2010, "msg": "This action is disabled on this account."}, Refusal.POLICY),
        (503, {"code": -1008, "msg": "Server is currently overloaded"}, None),
        (500, {"code": -1006, "msg": "An unexpected response was received"}, None),
    ],
)
def test_a_refusal_is_one_only_where_it_is_certain(
    either: tuple[Trader, str], peer: Peer, status: int, fault: dict[str, Any], expected: Refusal | None
) -> None:
    held, way = either
    peer.answers[NAMES["place"][way]] = lambda _: (status, fault)
    held.submit()
    if expected is None:
        unknown = held.wait(inputs.OutcomeUnknown)
        assert (unknown.request, unknown.client_order_id) == (RequestKind.NEW, TOKEN)
    else:
        assert held.wait(inputs.Rejected).refusal is expected


def test_a_lost_reply_is_in_doubt_and_nothing_is_sent_again(peer: Peer) -> None:
    with at(peer, request_timeout_ns=SECOND // 5) as held:
        held.open()
        peer.answers["order.place"] = lambda _: None
        held.submit()
        assert held.wait(inputs.OutcomeUnknown).cause == "timeout"
        assert peer.count("order.place") == 1


def test_a_cut_line_leaves_in_doubt_what_was_in_flight(up: Trader, peer: Peer) -> None:
    peer.answers["order.place"] = lambda _: None
    up.submit()
    while not peer.count("order.place"):
        time.sleep(0.005)
    peer.cut(peer.accounts)
    assert up.wait(inputs.OutcomeUnknown).cause == "disconnect"
    up.wait(inputs.VenueLost)
    up.wait(inputs.VenueConnected, 2)


def test_what_could_not_be_connected_was_surely_not_sent(peer: Peer) -> None:
    with at(peer, order_entry="rest", rest_url="http://127.0.0.1:1") as held:
        held.open()
        held.submit()
        rejected = held.wait(inputs.Rejected)
        assert rejected.reason.startswith("not sent")


def test_a_body_that_is_no_answer_is_in_doubt(peer: Peer) -> None:
    with at(peer, order_entry="rest") as held:
        held.open()
        peer.answers["POST /api/v3/order"] = lambda _: (200, '{"symbol": "BTCU')
        held.submit()
        held.wait(inputs.OutcomeUnknown)
        peer.answers["POST /api/v3/order"] = lambda _: (403, "<html>forbidden</html>")
        held.submit("h20i60b1c0000012")
        held.wait(inputs.OutcomeUnknown, 2)


def test_the_gate_is_asked_last(up: Trader, peer: Peer) -> None:
    up.is_open = False
    up.submit()
    assert up.wait(inputs.OutcomeUnknown).cause == "gate closed"
    assert not peer.count("order.place")


def test_an_order_expires_at_the_venue_when_the_engine_says(up: Trader, peer: Peer) -> None:
    peer.answers["order.place"] = lambda _: (200, row())
    up.submit()
    up.wait(inputs.Ack)
    asked: dict[str, Any] = peer.params("order.place")
    assert 0 < asked["recvWindow"] <= 1_000
    assert asked["newOrderRespType"] == "FULL"


# --- cancels and replacements -------------------------------------------------------------------------------------


def test_a_cancel_names_itself_after_its_order(either: tuple[Trader, str], peer: Peer) -> None:
    held, way = either
    peer.answers[NAMES["cancel"][way]] = lambda _: (
        200, row(clientOrderId=f"{TOKEN}-c", origClientOrderId=TOKEN, status="CANCELED"),
    )  # fmt: skip
    held.venue.release(cancel_order(venue_order_id=VenueOrderId("28")))
    assert held.wait(inputs.Canceled).client_order_id == TOKEN
    asked = peer.params(NAMES["cancel"][way])
    assert (str(asked["orderId"]), asked["newClientOrderId"]) == ("28", f"{TOKEN}-c")


def test_a_cancel_that_finds_nothing_asks(either: tuple[Trader, str], peer: Peer) -> None:
    held, way = either
    peer.answers[NAMES["cancel"][way]] = lambda _: (400, {"code": -2011, "msg": "Unknown order sent."})
    held.venue.release(cancel_order())
    assert held.wait(inputs.CancelRejected).refusal is Refusal.UNKNOWN_ORDER


def test_a_cancel_half_is_not_taken_for_the_orders_end(up: Trader, peer: Peer) -> None:
    halves = {
        "cancelResult": "SUCCESS", "newOrderResult": "SUCCESS",
        "cancelResponse": row(origClientOrderId=TOKEN, clientOrderId=f"{TOKEN}-r", status="CANCELED"),
        "newOrderResponse": row(orderId=29, clientOrderId=NEW_TOKEN, price="51", origQty="0.3"),
    }  # fmt: skip

    def answer(_: dict[str, str]) -> Any:
        peer.event(**report(x="CANCELED", X="CANCELED", c=f"{TOKEN}-r", C=TOKEN))
        peer.event(**report(i=29, c=NEW_TOKEN, p="51", q="0.3"))
        return 200, halves

    peer.answers["order.cancelReplace"] = answer
    up.venue.release(replace_order(venue_order_id=VenueOrderId("28")))
    up.wait(inputs.Replaced, 2)
    for replaced in up.all(inputs.Replaced):
        assert (replaced.client_order_id, replaced.new_client_order_id, replaced.venue_order_id) == (
            TOKEN, NEW_TOKEN, "29",
        )  # fmt: skip
        assert (replaced.quantity, replaced.price) == (Decimal("0.3"), Decimal(51))
    assert not up.all(inputs.Canceled)
    asked = peer.params("order.cancelReplace")
    assert (asked["cancelRestrictions"], asked["cancelReplaceMode"]) == ("ONLY_NEW", "STOP_ON_FAILURE")


def test_a_replacement_without_a_successor_is_a_cancel(either: tuple[Trader, str], peer: Peer) -> None:
    held, way = either
    data = {
        "cancelResult": "SUCCESS", "newOrderResult": "FAILURE",
        "cancelResponse": row(origClientOrderId=TOKEN, clientOrderId=f"{TOKEN}-r", status="CANCELED"),
        "newOrderResponse": {"code": -2010, "msg": "Order would immediately match and take."},
    }  # fmt: skip
    peer.answers[NAMES["replace"][way]] = lambda _: (409, {"code": -2021, "msg": "partially failed", "data": data})
    held.venue.release(replace_order())
    canceled = held.wait(inputs.Canceled)
    assert (canceled.client_order_id, canceled.filled) == (TOKEN, Decimal(0))
    assert "immediately match" in canceled.reason


def test_a_replacement_that_a_fill_crossed_is_refused(either: tuple[Trader, str], peer: Peer) -> None:
    held, way = either
    data = {
        "cancelResult": "FAILURE", "newOrderResult": "NOT_ATTEMPTED", "newOrderResponse": None,
        "cancelResponse": {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."},
    }  # fmt: skip
    peer.answers[NAMES["replace"][way]] = lambda _: (400, {"code": -2022, "msg": "failed", "data": data})
    held.venue.release(replace_order())
    refused = held.wait(inputs.ReplaceRejected)
    assert (refused.refusal, refused.new_client_order_id) == (Refusal.TOO_LATE, NEW_TOKEN)


def test_a_smaller_quantity_keeps_its_place(either: tuple[Trader, str], peer: Peer) -> None:
    held, way = either
    held.venue.describe()
    peer.answers[NAMES["amend"][way]] = lambda _: (200, {
        "transactTime": 1_700_000_000_000, "executionId": 75,
        "amendedOrder": {"symbol": "BTCUSDT", "orderId": 28, "origClientOrderId": TOKEN, "clientOrderId": NEW_TOKEN,
                         "price": "50.0", "qty": "0.1", "executedQty": "0.05", "status": "PARTIALLY_FILLED"},
    })  # fmt: skip
    held.venue.release(replace_order(quantity=Decimal("0.1"), price=Decimal(50), filled=Decimal("0.05")))
    replaced = held.wait(inputs.Replaced)
    assert replaced.keeps_priority
    assert (replaced.quantity, replaced.venue_order_id) == (Decimal("0.1"), "28")


def test_an_order_that_executed_in_part_is_not_replaced_by_a_larger_one(up: Trader, peer: Peer) -> None:
    up.venue.release(replace_order(filled=Decimal("0.05")))
    assert up.wait(inputs.ReplaceRejected).refusal is Refusal.DEFINITIVE
    assert not peer.count("order.cancelReplace")


# --- events of the account ----------------------------------------------------------------------------------------


def test_executions_come_by_the_stream(up: Trader, peer: Peer) -> None:
    fields = {"x": "TRADE", "X": "FILLED", "l": "0.2", "L": "50.0", "z": "0.2", "n": "0.01", "N": "USDT", "t": 7}
    peer.event(**report(**fields, m=True))
    traded = up.wait(inputs.Trade)
    assert (traded.exec_id, traded.client_order_id, traded.liquidity) == ("7", TOKEN, "maker")


def test_a_cancel_by_another_hand_is_the_orders_own(up: Trader, peer: Peer) -> None:
    peer.event(**report(x="CANCELED", X="CANCELED", c="web_8f3", C=TOKEN, z="0.05"))
    canceled = up.wait(inputs.Canceled)
    assert (canceled.client_order_id, canceled.filled) == (TOKEN, Decimal("0.05"))


def test_what_nobody_understands_is_kept(up: Trader, peer: Peer) -> None:
    peer.event(e="somethingNew", E=1)
    assert "somethingNew" in up.wait(inputs.ProtocolSurprise).raw
    peer.event(**report(q="many"))
    up.wait(inputs.ProtocolSurprise, 2)


def test_the_end_of_the_events_is_a_lost_venue(up: Trader, peer: Peer) -> None:
    peer.event(e="eventStreamTerminated", E=1)
    up.wait(inputs.VenueLost)
    up.wait(inputs.VenueConnected, 2)


def test_events_that_do_not_come_are_a_lost_venue(peer: Peer) -> None:
    peer.answers["order.place"] = lambda _: (200, row())
    with at(peer, confirm_limit_ns=SECOND // 2) as held:
        held.open()
        peer.event(**report())
        held.wait(inputs.Ack)
        held.submit()  # heard of already
        held.wait(inputs.Ack, 2)
        time.sleep(0.7)
        assert not held.all(inputs.VenueLost)
        peer.answers["order.place"] = lambda _: (200, row(orderId=29))
        held.submit("h20i60b1c0000012")
        assert "without an event" in held.wait(inputs.VenueLost).cause
        held.wait(inputs.VenueConnected, 2)


def test_a_shutdown_is_followed_without_a_gap(up: Trader, peer: Peer) -> None:
    peer.event(e="serverShutdown", E=1)
    deadline = time.monotonic() + 5
    while peer.count("userDataStream.subscribe.signature") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert peer.count("userDataStream.subscribe.signature") == 2
    assert not up.all(inputs.VenueLost)


def test_a_key_that_is_refused_is_said_and_tried_more_rarely(peer: Peer) -> None:
    with at(peer) as held:
        held.open()
        peer.answers["order.place"] = lambda _: (
            401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."},
        )  # fmt: skip
        held.submit()
        assert "-2015" in held.wait(inputs.CredentialsRefused).detail
        assert held.wait(inputs.Rejected).refusal is Refusal.POLICY


# --- questions and snapshots --------------------------------------------------------------------------------------


def absent(_: dict[str, str]) -> Any:
    return 400, {"code": -2013, "msg": "Order does not exist."}


def test_not_found_right_away_names_one_source(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/order"] = absent
    up.venue.release(query_order())
    assert up.wait(inputs.NotFound).sources == ("order_query",)
    assert not peer.count("GET /api/v3/allOrders")


def test_absence_is_proven_by_all_sources(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/order"] = absent
    up.venue.release(query_order(requested_ns=time.time_ns() - 60 * SECOND))
    found = up.wait(inputs.NotFound)
    assert set(found.sources) == {"order_query", "open_orders", "history", "executions"}


def test_lists_are_read_from_before_the_request_by_the_venue_s_clock(up: Trader, peer: Peer) -> None:
    """It is ten seconds behind: what we requested at noon it has at ten seconds to."""
    peer.answers["GET /api/v3/order"] = absent
    peer.answers["GET /api/v3/time"] = lambda _: (200, {"serverTime": time.time_ns() // 1_000_000 - 10_000})
    requested_ns = time.time_ns() - 60 * SECOND
    up.venue.release(query_order(requested_ns=requested_ns))
    up.wait(inputs.NotFound)
    (began,) = {int(params["startTime"]) for name, params in peer.asked if name == "GET /api/v3/allOrders"}
    assert began <= requested_ns // 1_000_000 - 10_900


def test_a_canceled_order_is_found_under_its_cancels_name(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/order"] = absent
    peer.answers["GET /api/v3/allOrders"] = lambda _: (200, [row(clientOrderId=f"{TOKEN}-c", status="CANCELED")])
    up.venue.release(query_order(requested_ns=time.time_ns() - 60 * SECOND))
    found = up.wait(inputs.StatusReport)
    assert (found.status, found.client_order_id) == ("canceled", TOKEN)


def test_executions_come_before_the_status(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/order"] = lambda _: (200, row(status="FILLED", executedQty="0.2"))
    peer.answers["GET /api/v3/myTrades"] = lambda _: (200, [trade_row()])
    up.venue.release(query_order())
    status = up.wait(inputs.StatusReport)
    traded = up.wait(inputs.Trade)
    assert up.told.index(traded) < up.told.index(status)
    assert traded.client_order_id == TOKEN
    assert status.answered_ns is not None


def trade_row(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "id": 7, "orderId": 28, "orderListId": -1, "price": "50.0", "qty": "0.2", "quoteQty": "10",
        "commission": "0.01", "commissionAsset": "USDT", "time": 1_700_000_000_001, "isBuyer": True, "isMaker": True,
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize(("status", "body"), [(500, {"code": -1001, "msg": "Disconnected"}), (200, "[{"), (429, {})])
def test_a_failed_question_proves_nothing(up: Trader, peer: Peer, status: int, body: Any) -> None:
    peer.answers["GET /api/v3/order"] = lambda _: (status, body)
    up.venue.release(query_order(requested_ns=time.time_ns() - 60 * SECOND))
    up.wait(inputs.QueryFailed)
    assert not up.all(inputs.NotFound)


def test_questions_that_wait_together_are_asked_together(up: Trader, peer: Peer) -> None:
    tokens = [f"h20i60b1c000001{digit}" for digit in range(1, 8)]
    rows = [row(orderId=number, clientOrderId=token) for number, token in enumerate(tokens)]

    def slow(_: dict[str, str]) -> Any:
        time.sleep(0.3)
        return 200, row()

    peer.answers["GET /api/v3/order"] = slow
    peer.answers["GET /api/v3/openOrders"] = lambda _: (200, rows)
    up.venue.release(query_order())  # the others wait for this one
    while not peer.count("GET /api/v3/order"):
        time.sleep(0.005)
    for token in tokens:
        up.venue.release(query_order(token))
    up.wait(inputs.StatusReport, 8)
    assert peer.count("GET /api/v3/openOrders") == 1
    assert peer.count("GET /api/v3/order") == 1


def test_a_replacement_in_doubt_is_found_by_its_own_id(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/order"] = lambda params: (
        (200, row(orderId=29, clientOrderId=NEW_TOKEN, price="51", origQty="0.3"))
        if params.get("origClientOrderId") == NEW_TOKEN
        else (200, row(clientOrderId=f"{TOKEN}-r", status="CANCELED"))
    )
    up.venue.release(query_order(venue_order_id=VenueOrderId("28"), new_client_order_id=NEW_TOKEN))
    replaced = up.wait(inputs.Replaced)
    assert (replaced.client_order_id, replaced.new_client_order_id, replaced.venue_order_id) == (TOKEN, NEW_TOKEN, "29")
    assert up.wait(inputs.StatusReport).client_order_id == TOKEN


def test_a_canceled_half_is_believed_only_with_proof(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/order"] = lambda params: (
        absent(params) if "origClientOrderId" in params else (200, row(clientOrderId=f"{TOKEN}-r", status="CANCELED"))
    )
    asked = {"venue_order_id": VenueOrderId("28"), "new_client_order_id": NEW_TOKEN}
    up.venue.release(query_order(**asked))
    up.wait(inputs.QueryFailed)
    assert not up.all(inputs.StatusReport)
    up.venue.release(query_order(**asked, requested_ns=time.time_ns() - 60 * SECOND))
    assert up.wait(inputs.StatusReport).status == "canceled"


def snapshot_of(up: Trader, since_ns: int | None = None) -> inputs.Snapshot:
    since_ns = time.time_ns() - SECOND if since_ns is None else since_ns
    up.venue.release(TakeSnapshot(seq=1, at_ns=time.time_ns(), venue=VENUE, since_ns=since_ns))
    return up.wait(inputs.Snapshot)


def test_a_snapshot_has_all_sections(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/openOrders"] = lambda _: (200, [row()])
    peer.answers["GET /api/v3/myTrades"] = lambda params: (200, [trade_row()] if "fromId" not in params else [])
    taken = snapshot_of(up)
    assert set(taken.complete) == {"open_orders", "executions", "balances"}
    assert [execution.client_order_id for execution in taken.executions] == [TOKEN]
    assert taken.open_orders[0].price == Decimal(50)
    assert taken.balances == (inputs.Balance(Asset("USDT"), Decimal(1000), Decimal(0)),)
    assert "symbol" not in peer.params("GET /api/v3/openOrders")


def test_executions_of_an_order_that_nobody_names_are_asked_about(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/myTrades"] = lambda params: (200, [trade_row()] if "fromId" not in params else [])
    peer.answers["GET /api/v3/order"] = lambda _: (200, row(clientOrderId=f"{TOKEN}-c", status="CANCELED"))
    assert [told.client_order_id for told in snapshot_of(up).executions] == [TOKEN]
    peer.answers["GET /api/v3/order"] = absent
    peer.answers["GET /api/v3/myTrades"] = lambda p: (200, [trade_row(orderId=99)] if "fromId" not in p else [])
    up.told.clear()
    taken = snapshot_of(up)
    assert "executions" not in taken.complete
    assert not taken.executions


def test_executions_are_read_to_their_end(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/openOrders"] = lambda _: (200, [row()])

    def pages(params: dict[str, str]) -> Any:
        first = int(params.get("fromId", 1))
        return 200, [trade_row(id=number) for number in range(first, min(first + 1_000, 2_501))]

    peer.answers["GET /api/v3/myTrades"] = pages
    assert [int(told.exec_id) for told in snapshot_of(up).executions] == list(range(1, 2_501))


def test_a_snapshot_that_is_not_whole_says_so(up: Trader, peer: Peer) -> None:
    peer.answers["GET /api/v3/account"] = lambda _: (502, "<html>bad gateway</html>")
    up.venue.release(TakeSnapshot(seq=5, at_ns=time.time_ns(), venue=VENUE, since_ns=time.time_ns()))
    assert up.wait(inputs.SnapshotFailed).asked_seq == 5


# --- throttles and clocks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 418])
def test_a_throttle_is_told_and_kept(peer: Peer, status: int) -> None:
    with at(peer, order_entry="rest") as held:
        held.open()
        held.wait(inputs.ClockMeasured)
        peer.answers["POST /api/v3/order"] = lambda _: (
            status, {"code": -1003, "msg": "Too much request weight used."}, {"Retry-After": "2"},
        )  # fmt: skip
        before_ns = time.time_ns()
        held.submit()
        assert held.wait(inputs.Rejected).refusal is Refusal.THROTTLED
        throttled = held.wait(inputs.VenueThrottled)
        assert 2 * SECOND <= throttled.until_ns - before_ns < 4 * SECOND
        held.submit("h20i60b1c0000012")
        held.wait(inputs.Rejected, 2)
        assert peer.count("POST /api/v3/order") == 1


def test_a_clock_that_is_off_is_measured_and_the_question_asked_again(peer: Peer) -> None:
    offset_ms = 0
    peer.answers["GET /api/v3/time"] = lambda _: (200, {"serverTime": time.time_ns() // 1_000_000 + offset_ms})

    def account(params: dict[str, str]) -> Any:
        ahead = int(params["timestamp"]) - time.time_ns() // 1_000_000 - offset_ms
        return (200, ACCOUNT) if abs(ahead) < 1_000 else (400, {"code": -1021, "msg": "outside of the recvWindow."})

    peer.answers["GET /api/v3/account"] = account
    with at(peer) as held:
        held.open()
        held.wait(inputs.ClockMeasured)
        offset_ms = 60_000
        held.venue._access._measured_ns -= 2 * SECOND
        assert snapshot_of(held).taken_ns > time.time_ns() + 50 * SECOND
        assert held.wait(inputs.ClockMeasured).offset_ns > 50 * SECOND


def test_a_bounded_market_order_has_a_price_and_no_time(up: Trader, peer: Peer) -> None:
    peer.answers["order.place"] = lambda _: (200, row(status="EXPIRED", type="MARKET", price="0", executedQty="0"))
    up.submit(order_type=OrderType.MARKET, price=None, time_in_force=TimeInForce.IOC)
    assert up.wait(inputs.Expired).filled == 0
    asked = peer.params("order.place")
    assert "timeInForce" not in asked
    assert "price" not in asked
