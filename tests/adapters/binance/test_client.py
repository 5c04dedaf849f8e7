"""The client against the local exchange, which knows nothing of it: every kind of order, both ways, and its faults."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.binance.calls import Credentials
from adapters.binance.signing import read_signer
from adapters.secret import Secret
from engine import inputs
from engine.inputs import Refusal
from engine.outbox import TakeSnapshot
from engine.values import ClientOrderId, OrderType, Side, TimeInForce
from tests.adapters.binance.local_exchange import Local, on_tape
from tests.adapters.binance.scripted_peer import API_KEY
from tests.adapters.binance.trader import (
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

PRICES = [("100", "101"), ("100", "101"), ("98", "99"), ("98", "99"), ("104", "105"), ("104", "105")]
OTHER = "h20i60b1c0000012"
LATER = ClientOrderId("h20i60b1c0000099")
WAYS = ("ws", "rest")


@contextmanager
def trading(local: Local, keys: Credentials | None = None, **changes: Any) -> Iterator[Trader]:
    """A client of the local exchange that is connected."""
    urls = {
        "rest_url": local.url, "stream_url": f"ws://127.0.0.1:{local.port}",
        "ws_api_url": f"ws://127.0.0.1:{local.port}/ws-api/v3", "matching_limit_ns": SECOND // 10,
        "recv_window_ns": SECOND, "request_timeout_ns": SECOND,
    }  # fmt: skip
    with trader(options(**{**urls, **changes}), keys=keys) as held:
        held.venue.describe()
        held.open()
        yield held


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with on_tape(tmp_path, PRICES, balances={"USDT": Decimal(10_000), "BTC": Decimal(10)}) as local:
        yield local


@pytest.fixture(params=WAYS)
def held(request: pytest.FixtureRequest, local: Local) -> Iterator[Trader]:
    """A connected client, with orders by each of the two ways."""
    with trading(local, order_entry=request.param) as held:
        yield held


def booked(held: Trader) -> dict[str, Decimal]:
    """Executions as the engine books them: each id once."""
    return {told.exec_id: told.quantity for told in held.all(inputs.Trade)}


def executed(local: Local) -> Decimal:
    """What the exchange's own ledger says."""
    return sum((Decimal(row["quantity"]) for row in local.ledger()["executions"]), Decimal(0))


def rest(held: Trader, **changes: Any) -> inputs.Ack:
    """An order that waits in the book."""
    request = held.submit(**{"price": Decimal(50), "quantity": Decimal("0.2"), **changes})
    return held.wait(inputs.Ack, having=lambda told: told.client_order_id == request.client_order_id)


# --- orders -------------------------------------------------------------------------------------------------------


def test_an_order_takes_what_is_there(held: Trader, local: Local) -> None:
    held.submit(price=Decimal(101))
    traded = held.wait(inputs.Trade, 2)  # by the reply and by the stream
    assert (traded.price, traded.fee_asset, traded.client_order_id) == (Decimal(101), "BTC", TOKEN)
    assert len(booked(held)) == 1
    assert booked(held)[traded.exec_id] == executed(local) == Decimal("0.2")


@pytest.mark.parametrize(
    ("terms", "end"),
    [
        ({"order_type": OrderType.MARKET, "price": None, "time_in_force": TimeInForce.IOC}, inputs.Trade),
        ({"price": Decimal(50), "time_in_force": TimeInForce.IOC}, inputs.Expired),
        ({"price": Decimal(50), "time_in_force": TimeInForce.FOK}, inputs.Expired),
        ({"price": Decimal(50), "post_only": True}, inputs.Ack),
        ({"price": Decimal(101), "post_only": True}, inputs.Rejected),
        ({"order_type": OrderType.STOP, "price": None, "stop_price": Decimal(103)}, inputs.Ack),
        ({"order_type": OrderType.STOP_LIMIT, "price": Decimal(106), "stop_price": Decimal(103)}, inputs.Ack),
        ({"order_type": OrderType.TAKE_PROFIT, "price": None, "stop_price": Decimal(99)}, inputs.Ack),
        ({"order_type": OrderType.TAKE_PROFIT_LIMIT, "price": Decimal(99), "stop_price": Decimal(99)}, inputs.Ack),
        ({"order_type": OrderType.STOP, "price": None, "stop_price": Decimal(90)}, inputs.Rejected),
        ({"price": Decimal("50.001")}, inputs.Rejected),
        ({"quantity": Decimal(10000)}, inputs.Rejected),
    ],
    ids=lambda found: "-".join(f"{key}={value}" for key, value in found.items()) if isinstance(found, dict) else "",
)
def test_every_kind_of_order(local: Local, terms: dict[str, Any], end: type[Any]) -> None:
    with trading(local) as held:
        held.submit(**terms)
        told = held.wait(end)
        assert told.client_order_id == TOKEN
        if end is inputs.Rejected:
            assert told.refusal is Refusal.DEFINITIVE
            assert not local.ledger()["orders"]


def test_a_stop_is_triggered_and_trades(held: Trader, local: Local) -> None:
    held.submit(order_type=OrderType.STOP_LIMIT, price=Decimal(106), stop_price=Decimal(103))
    held.wait(inputs.Ack)
    local.step(5)
    traded = held.wait(inputs.Trade)
    assert (traded.client_order_id, traded.side) == (TOKEN, Side.BUY)


def test_an_order_that_waits_is_canceled(held: Trader, local: Local) -> None:
    acked = rest(held)
    held.venue.release(cancel_order(venue_order_id=acked.venue_order_id))
    assert held.wait(inputs.Canceled).client_order_id == TOKEN
    assert not [row for row in local.ledger()["orders"] if row["status"] == "new"]
    held.venue.release(cancel_order(venue_order_id=acked.venue_order_id))
    assert held.wait(inputs.CancelRejected).refusal is Refusal.UNKNOWN_ORDER


def test_an_id_that_is_taken_is_evidence(held: Trader, local: Local) -> None:
    rest(held)
    held.submit()
    assert held.wait(inputs.Rejected).refusal is Refusal.DUPLICATE_ID
    assert len(local.ledger()["orders"]) == 1


# --- replacements -------------------------------------------------------------------------------------------------


def test_a_replacement_is_a_new_order_under_the_old_name(held: Trader, local: Local) -> None:
    acked = rest(held)
    held.venue.release(replace_order(venue_order_id=acked.venue_order_id))
    replaced = held.wait(inputs.Replaced, 2)
    assert (replaced.client_order_id, replaced.new_client_order_id) == (TOKEN, LATER)
    assert (replaced.quantity, replaced.price) == (Decimal("0.3"), Decimal(51))
    assert replaced.venue_order_id != acked.venue_order_id
    assert not held.all(inputs.Canceled)
    held.venue.release(query_order(venue_order_id=replaced.venue_order_id))
    status = held.wait(inputs.StatusReport)
    assert (status.client_order_id, status.quantity, status.status) == (TOKEN, Decimal("0.3"), "new")
    held.venue.release(cancel_order(venue_order_id=replaced.venue_order_id))
    held.wait(inputs.Canceled)


def test_a_smaller_quantity_stays_in_its_place(held: Trader, local: Local) -> None:
    acked = rest(held)
    held.venue.release(replace_order(venue_order_id=acked.venue_order_id, quantity=Decimal("0.1"), price=Decimal(50)))
    replaced = held.wait(inputs.Replaced, 2)
    assert (replaced.quantity, replaced.venue_order_id, replaced.keeps_priority) == (
        Decimal("0.1"), acked.venue_order_id, True,
    )  # fmt: skip


def test_a_replacement_of_what_has_executed_does_nothing(local: Local) -> None:
    with trading(local) as held:
        held.submit(price=Decimal(101))
        acked = held.wait(inputs.Ack)
        held.venue.release(replace_order(venue_order_id=acked.venue_order_id, price=Decimal(102)))
        assert held.wait(inputs.ReplaceRejected).new_client_order_id == LATER
        assert executed(local) == Decimal("0.2")
        assert not [row for row in local.ledger()["orders"] if row["status"] == "new"]


def test_a_replacement_whose_reply_is_lost_is_found(local: Local) -> None:
    with trading(local, request_timeout_ns=SECOND // 2) as held:
        acked = rest(held)
        local.faults(lose_reply=[1])
        request = replace_order(venue_order_id=acked.venue_order_id)
        held.venue.release(request)
        held.wait(inputs.OutcomeUnknown)
        local.faults()
    with trading(local) as held:  # another process: nothing is known of the replacement
        held.venue.release(query_order(venue_order_id=acked.venue_order_id, new_client_order_id=LATER))
        replaced = held.wait(inputs.Replaced)
        assert (replaced.client_order_id, replaced.quantity, replaced.price) == (TOKEN, Decimal("0.3"), Decimal(51))
        assert held.wait(inputs.StatusReport).status == "new"


# --- doubt --------------------------------------------------------------------------------------------------------

FORMS = ("500", "502", "503", "504", "-1000", "-1006", "-1007", "-1008", "truncated", "reset")


@pytest.mark.parametrize("form", FORMS)
def test_an_error_after_the_order_was_taken_is_doubt_and_is_settled(local: Local, form: str) -> None:
    with trading(local, order_entry="rest") as held:
        local.faults(error_reply=[1], error_form=form)
        held.submit(price=Decimal(101))
        held.wait(inputs.OutcomeUnknown)
        local.faults()
        held.venue.release(query_order())
        assert held.wait(inputs.StatusReport).status == "filled"
        assert sum(booked(held).values()) == executed(local) == Decimal("0.2")


def test_an_order_that_never_arrived_is_proven_absent(local: Local) -> None:
    with trading(local, order_entry="rest") as held:
        local.faults(busy=[1], error_form="503")
        request = held.submit()
        held.wait(inputs.OutcomeUnknown)
        local.faults()
        held.venue.release(query_order(requested_ns=request.at_ns))
        assert held.wait(inputs.NotFound).sources == ("order_query",)
        time.sleep(2.7)
        held.venue.release(query_order(requested_ns=request.at_ns))
        assert set(held.wait(inputs.NotFound, 2).sources) == {"order_query", "open_orders", "history", "executions"}


def test_a_canceled_order_whose_replies_were_lost_is_found_by_its_cancels_name(local: Local) -> None:
    with trading(local, order_entry="rest") as held:
        local.faults(error_reply=[1, 2], error_form="504")
        request = held.submit()
        held.wait(inputs.OutcomeUnknown)
        held.venue.release(cancel_order())
        held.wait(inputs.OutcomeUnknown, 2)
        local.faults()
    with trading(local) as held:
        time.sleep(2.7)
        held.venue.release(query_order(requested_ns=request.at_ns))
        status = held.wait(inputs.StatusReport)
        assert (status.client_order_id, status.status) == (TOKEN, "canceled")


# --- shapes, streams, restarts ------------------------------------------------------------------------------------


def test_new_fields_empty_ids_and_missing_fees_do_no_harm(local: Local) -> None:
    with trading(local) as held:
        local.faults(unknown_fields=True, empty_client_ids=True, null_fee_asset=True, negative_quote=True)
        held.submit(price=Decimal(101))
        traded = held.wait(inputs.Trade, 2)
        assert traded.client_order_id == TOKEN
        assert sum(booked(held).values()) == Decimal("0.2")
        assert not held.all(inputs.ProtocolSurprise)


def test_a_venue_whose_clock_is_off_takes_our_orders(local: Local) -> None:
    local.faults(clock_ahead="5s")
    with trading(local) as held:
        assert abs(held.wait(inputs.ClockMeasured).offset_ns - 5 * SECOND) < SECOND
        rest(held)


def test_what_happened_meanwhile_is_in_the_first_snapshot_of_the_next_process(local: Local) -> None:
    with trading(local) as held:
        rest(held, price=Decimal(100))
        rest(held, token=OTHER, price=Decimal(40))
    since_ns = time.time_ns() - 60 * SECOND
    local.market("SELL", "0.3", newClientOrderId="another-hand")
    local.step(4)
    with trading(local) as held:
        held.venue.release(TakeSnapshot(seq=1, at_ns=time.time_ns(), venue=VENUE, since_ns=since_ns))
        taken = held.wait(inputs.Snapshot)
    assert set(taken.complete) == {"open_orders", "executions", "balances"}
    assert OTHER in [row.client_order_id for row in taken.open_orders]
    ours = [row for row in taken.executions if row.client_order_id == TOKEN]
    assert sum((row.quantity for row in ours), Decimal(0)) == Decimal("0.2")
    assert {row.client_order_id for row in taken.executions} == {TOKEN, "another-hand"}


def test_the_end_of_sockets_is_followed(local: Local) -> None:
    with trading(local) as held:
        for fault, told in (("cut_sockets", inputs.VenueLost), ("terminate_user_streams", inputs.VenueLost)):
            before = len(held.all(told))
            local.faults(**{fault: True})
            held.wait(told, before + 1)
            held.wait(inputs.VenueConnected, before + 2)
        local.faults(announce_shutdown=True)
        time.sleep(0.5)
        assert len(held.all(inputs.VenueLost)) == 2
        rest(held)


@pytest.mark.parametrize("way", WAYS)
def test_a_subscription_that_is_dead_is_found_out(local: Local, way: str) -> None:
    with trading(local, order_entry=way, confirm_limit_ns=SECOND // 2) as held:
        local.faults(dead_streams=["user"])
        rest(held)
        held.wait(inputs.VenueLost)
        local.faults()
        held.wait(inputs.VenueConnected, 2)


def test_a_line_is_followed_by_another_before_its_life_ends(local: Local) -> None:
    with trading(local, connection_life_ns=SECOND) as held:
        time.sleep(2.5)
        rest(held)
        held.submit("h20i60b1c0000012", price=Decimal(101))
        held.wait(inputs.Trade)
        line = held.venue._session.line
        assert line is not None
        assert (line.serving or 0) > 1
        assert not held.all(inputs.VenueLost)
        assert not held.all(inputs.StreamLost)


def test_an_ed25519_key_signs_as_well(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    keys = Credentials(Secret(API_KEY + "-ed25519"), read_signer(private.decode()))
    with on_tape(tmp_path, PRICES, public_key=public.decode(), public_api_key=API_KEY + "-ed25519") as local:
        for way in WAYS:
            with trading(local, keys=keys, order_entry=way) as held:
                rest(held, token=TOKEN if way == "ws" else OTHER)


def test_a_key_that_is_revoked_in_mid_run_is_told(local: Local) -> None:
    with trading(local) as held:
        local.faults(revoke_key=True)
        held.wait(inputs.CredentialsRefused)
        held.wait(inputs.VenueLost)
