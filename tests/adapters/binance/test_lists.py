"""Twins in one request and stops that trail, from the client to the local exchange."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from adapters.binance import calls
from engine import inputs
from engine.capabilities import TrailBy
from engine.inputs import Refusal
from engine.outbox import SubmitOrder
from engine.values import OrderType, Side
from tests.adapters.binance.local_exchange import Local, on_tape
from tests.adapters.binance.trader import Trader, cancel_order, options, submit_order, trader

UP, DOWN = "h20i60b1c00000up", "h20i60b1c00down0"
D = Decimal
QUOTES = [("100", "101"), ("111", "112"), ("111", "112"), ("107", "108"), ("89", "90")]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    """An exchange at 100 to 101."""
    with on_tape(tmp_path, QUOTES) as found:
        yield found


@pytest.fixture(params=["ws", "rest"])
def client(local: Local, request: pytest.FixtureRequest) -> Iterator[Trader]:
    """A client of it."""
    at = {
        "rest_url": local.url, "stream_url": local.url.replace("http", "ws"),
        "ws_api_url": f"{local.url.replace('http', 'ws')}/ws-api/v3",
    }  # fmt: skip
    with trader(options(order_entry=request.param, request_timeout_ns=500_000_000, **at)) as found:
        found.open()
        yield found


def twins(price: str = "110", stop_price: str = "90", side: Side = Side.SELL) -> SubmitOrder:
    limit = submit_order(UP, side=side, quantity=D("0.5"), price=D(price))
    stop = submit_order(
        DOWN, side=side, quantity=D("0.5"), price=None, order_type=OrderType.STOP, stop_price=D(stop_price)
    )
    return evolve(limit, twin=stop)


def told_of(client: Trader, kind: type[Any]) -> set[str]:
    return {told.client_order_id for told in client.all(kind)}


def test_the_venue_says_that_it_takes_both(client: Trader) -> None:
    can = client.venue.describe().capabilities
    assert (can.lists, can.links, can.trails_by) == (True, False, (TrailBy.FRACTION,))
    assert OrderType.TRAILING_STOP in can.order_types


def test_two_orders_in_one_request_and_one_ends_the_other(client: Trader, local: Local) -> None:
    client.venue.release(twins())
    client.wait(inputs.Ack, 2)
    assert told_of(client, inputs.Ack) == {UP, DOWN}
    assert {row["clientOrderId"]: row["type"] for row in local.good("GET", "/api/v3/openOrders")} == {
        UP: "LIMIT_MAKER", DOWN: "STOP_LOSS",
    }  # fmt: skip
    local.step()
    client.wait(inputs.Trade)
    client.wait(inputs.Expired)
    assert told_of(client, inputs.Trade) == {UP}
    assert told_of(client, inputs.Expired) == {DOWN}


def test_a_stop_limit_may_be_the_twin_and_the_side_turns_the_list(local: Local, client: Trader) -> None:
    buys = twins("95", "110", Side.BUY)
    assert buys.twin is not None
    stop = evolve(buys.twin, order_type=OrderType.STOP_LIMIT, price=D(111))
    call = calls.place(evolve(buys, twin=stop), "BTCUSDT")
    assert (call.params["aboveType"], call.params["belowType"]) == ("STOP_LOSS_LIMIT", "LIMIT_MAKER")
    assert (call.params["abovePrice"], call.params["aboveStopPrice"], call.params["belowPrice"]) == ("111", "110", "95")
    client.venue.release(evolve(stop, twin=evolve(buys, twin=None)))
    client.wait(inputs.Ack, 2)
    assert told_of(client, inputs.Ack) == {UP, DOWN}


def test_a_list_is_refused_whole(client: Trader, local: Local) -> None:
    client.venue.release(twins(price="99"))
    client.wait(inputs.Rejected, 2)
    assert told_of(client, inputs.Rejected) == {UP, DOWN}
    assert local.good("GET", "/api/v3/openOrders") == []


def test_the_same_list_again_is_evidence_that_it_exists(client: Trader) -> None:
    client.venue.release(twins())
    client.wait(inputs.Ack, 2)
    client.venue.release(twins())
    client.wait(inputs.Rejected, 2)
    assert {told.refusal for told in client.all(inputs.Rejected)} == {Refusal.DUPLICATE_ID}


def test_without_an_answer_both_are_in_doubt(client: Trader, local: Local) -> None:
    local.faults(lose_reply={"on": ["place"], "every": 1})
    client.venue.release(twins())
    client.wait(inputs.OutcomeUnknown, 2)
    assert told_of(client, inputs.OutcomeUnknown) == {UP, DOWN}


def test_who_cancels_one_has_canceled_both(client: Trader) -> None:
    client.venue.release(twins())
    client.wait(inputs.Ack, 2)
    client.venue.release(cancel_order(UP))
    client.wait(inputs.Canceled, 2, having=lambda told: told.client_order_id in (UP, DOWN))
    assert told_of(client, inputs.Canceled) == {UP, DOWN}


def test_a_stop_trails_by_a_part_of_the_price(client: Trader, local: Local) -> None:
    trail = {"order_type": OrderType.TRAILING_STOP, "price": None, "stop_price": D(95)}
    client.submit(DOWN, side=Side.SELL, quantity=D("0.5"), trail_fraction=D("0.05"), **trail)
    client.wait(inputs.Ack)
    (row,) = local.good("GET", "/api/v3/openOrders")
    assert (row["type"], row.get("trailingDelta"), row["stopPrice"] in ("0.00000000", None)) == ("STOP_LOSS", 500, True)
    local.step(3)
    assert client.all(inputs.Trade) == []
    local.step()
    assert client.wait(inputs.Trade).client_order_id == DOWN


def test_a_trail_between_two_steps_is_refused_here(client: Trader) -> None:
    client.submit(DOWN, order_type=OrderType.TRAILING_STOP, price=None, trail_fraction=D("0.00015"))
    refused = client.wait(inputs.Rejected)
    assert (refused.refusal, "hundredths of a percent" in refused.reason) == (Refusal.DEFINITIVE, True)
