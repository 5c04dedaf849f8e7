"""The client of USD-M futures against the local exchange, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from adapters.binance_usdm.hosts import USDM
from adapters.environment import check_url
from adapters.rights import PolicyRefused
from engine import inputs
from engine.capabilities import MarginMode, PositionMode, Source
from engine.inputs import Refusal, Section, VenueStatus
from engine.instrument import InstrumentKind
from engine.values import OrderType, Side, TimeInForce
from tests.adapters.binance.trader import BTC, SECOND, TOKEN, cancel_order, query_order, replace_order, submit_order
from tests.adapters.binance_usdm.local_futures import Futures, Trader, on_tape, serving, trader

STREAMS = ("quotes", "marks")
QUARTER: dict[str, Any] = {"quantity": Decimal("0.25"), "order_type": OrderType.MARKET, "price": None}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Futures]:
    with on_tape(tmp_path) as found:
        yield found


@pytest.fixture
def up(local: Futures) -> Iterator[Trader]:
    """Connected to an exchange whose market stands still."""
    with trader(local.port, streams=STREAMS) as held:
        held.venue.describe()
        held.open()
        yield held


# --- a start ------------------------------------------------------------------------------------------------------


def test_what_the_venue_says_of_itself(local: Futures) -> None:
    local.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)
    local.good("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    with trader(local.port) as held:
        found = held.venue.describe()
    (contract,) = found.instruments
    assert (contract.name, contract.symbol, contract.kind) == (BTC, "BTCUSDT", InstrumentKind.PERPETUAL)
    assert [contract.cash, contract.multiplier, contract.is_linear] == ["USDT", 1, True]
    assert (contract.leverage, contract.margin_mode) == (7, MarginMode.ISOLATED)
    assert [contract.lot, contract.min_notional] == [Decimal("0.00001"), 5]
    bands = contract.price_bands
    assert bands is not None
    assert [*bands.of(Side.BUY), *bands.of(Side.SELL)] == [0, Decimal("1.15"), Decimal("0.85"), 0]
    assert found.account.startswith("binance_usdm:demo:")
    assert found.rights is not None
    assert (found.rights.position_mode, found.rights.may_withdraw) == (PositionMode.ONE_WAY, False)
    assert found.capabilities.reduce_only
    assert found.capabilities.replace
    assert found.absence.after_ns > (10 + 5) * SECOND


def test_an_account_in_hedge_mode_is_refused(local: Futures) -> None:
    local.good("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    with trader(local.port) as held, pytest.raises(PolicyRefused, match="hedge mode"):
        held.venue.describe()
    assert local.good("GET", "/fapi/v1/accountConfig")["dualSidePosition"] is True  # and nobody changed it


def test_a_key_that_may_withdraw_shows(local: Futures) -> None:
    local.faults(rights={"withdrawals": True})
    with trader(local.port) as held:
        rights = held.venue.describe().rights
    assert rights is not None
    assert rights.may_withdraw is True
    local.faults(revoke_key=True)
    with trader(local.port) as held, pytest.raises(PolicyRefused, match="refuses the key"):
        held.venue.describe()


def test_hosts_of_real_money_are_of_no_other_environment() -> None:
    mainnet, demo = USDM
    check_url("https://demo-fapi.binance.com", demo, USDM)
    with pytest.raises(ValueError, match="real money"):
        check_url("https://fapi.binance.com", demo, USDM)
    with pytest.raises(ValueError, match="belongs to demo"):
        check_url("https://demo-fapi.binance.com", mainnet, USDM)


# --- orders -------------------------------------------------------------------------------------------------------


def test_an_order_rests_is_changed_in_place_and_canceled(up: Trader) -> None:
    up.venue.release(submit_order(price=Decimal(90)))
    ack = up.wait(inputs.Ack)
    change = replace_order(
        venue_order_id=ack.venue_order_id, old_price=Decimal(90), price=Decimal(91), quantity=Decimal("0.3")
    )
    up.venue.release(change)
    replaced = up.wait(inputs.Replaced, 2)  # the answer and the event
    assert [replaced.quantity, replaced.price] == [Decimal("0.3"), 91]
    assert replaced.venue_order_id == ack.venue_order_id
    assert {each.new_client_order_id for each in up.all(inputs.Replaced)} == {change.new_client_order_id}
    up.venue.release(cancel_order(venue_order_id=ack.venue_order_id))
    gone = up.wait(inputs.Canceled, 2)
    assert [gone.client_order_id, gone.filled] == [TOKEN, 0]
    assert not up.all(inputs.ProtocolSurprise)


def test_an_execution_is_told_once_by_number_on_the_stream_and_in_lists(up: Trader) -> None:
    up.venue.release(submit_order(**QUARTER))
    trade = up.wait(inputs.Trade)
    assert [trade.client_order_id, trade.quantity, trade.price] == [TOKEN, Decimal("0.25"), 101]
    assert (trade.fee, trade.fee_asset) == (Decimal("0.02525"), "USDT")
    shown = up.snapshot()
    (listed,) = shown.executions
    assert (listed.exec_id, listed.fee, listed.client_order_id) == (trade.exec_id, trade.fee, TOKEN)
    (position,) = shown.positions
    assert [position.instrument, position.quantity, position.average_price] == [BTC, Decimal("0.25"), 101]
    assert position.mark_price == Decimal("100.5")
    assert position.unrealized == Decimal("-0.125")
    assert shown.margin is not None
    (balance,) = shown.balances
    assert shown.margin.equity == balance.free + balance.locked - Decimal("0.125")
    assert shown.margin.maintenance > 0
    assert set(shown.complete) == set(Section)


def test_one_call_shows_the_open_orders_of_all_symbols(up: Trader, local: Futures) -> None:
    placed = local.limit("BUY", 90, newClientOrderId="web_1")
    (row,) = up.snapshot().open_orders
    assert [row.client_order_id, row.venue_order_id, row.price] == ["web_1", str(placed["orderId"]), 90]


@pytest.mark.parametrize(("changes", "refusal"), [
    ({"reduce_only": True}, Refusal.DEFINITIVE),
    ({"post_only": True, "price": Decimal(102)}, Refusal.DEFINITIVE),
    ({"price": Decimal("90.001")}, Refusal.DEFINITIVE),
])  # fmt: skip
def test_what_is_refused_is_refused_for_good(up: Trader, changes: dict[str, Any], refusal: Refusal) -> None:
    up.venue.release(submit_order(**{"price": Decimal(90), **changes}))
    assert up.wait(inputs.Rejected).refusal is refusal


def test_a_second_order_with_an_id_that_is_open_is_evidence_of_the_first(up: Trader) -> None:
    for _ in range(2):
        up.venue.release(submit_order(price=Decimal(90)))
    assert up.wait(inputs.Rejected).refusal is Refusal.DUPLICATE_ID


def test_a_reduce_only_order_closes_and_no_more(up: Trader) -> None:
    up.venue.release(submit_order(**QUARTER))
    up.wait(inputs.Trade)
    up.venue.release(submit_order("h20i60b1c0000022", **{**QUARTER, "side": Side.SELL, "reduce_only": True}))
    up.wait(inputs.Trade, 2)
    assert up.snapshot().positions == ()


def test_an_end_is_kept_by_the_venue(up: Trader) -> None:
    end_ns = (time.time_ns() // SECOND + 1) * SECOND
    up.venue.release(submit_order(price=Decimal(90), time_in_force=TimeInForce.GTD, good_till_ns=end_ns))
    assert up.wait(inputs.Expired).client_order_id == TOKEN


# --- doubt --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["503", "502", "-1007", "truncated"])
def test_an_answer_that_proves_nothing_leaves_doubt_and_a_question_ends_it(
    up: Trader, local: Futures, form: str
) -> None:
    local.faults(error_reply={"at": [1], "on": ["place"]}, error_form=form, drop={"every": 1, "on": ["order"]})
    up.venue.release(submit_order(price=Decimal(90)))
    up.wait(inputs.OutcomeUnknown)
    assert not up.all(inputs.Rejected)
    local.faults()
    up.venue.release(query_order())
    status = up.wait(inputs.StatusReport)
    assert (status.client_order_id, status.status, status.quantity) == (TOKEN, VenueStatus.NEW, Decimal("0.2"))
    assert status.asked_ns is not None
    assert status.raw


def test_absence_is_proved_late_by_every_list_and_not_before(up: Trader) -> None:
    up.venue.release(query_order())
    assert up.wait(inputs.NotFound).sources == (Source.ORDER_QUERY,)
    long_ago = time.time_ns() - 60 * SECOND
    up.venue.release(query_order(requested_ns=long_ago))
    assert set(up.wait(inputs.NotFound, 2).sources) == set(Source)


def test_a_lagging_history_is_no_proof_of_an_order_that_executed(up: Trader, local: Futures) -> None:
    local.faults(drop={"every": 1, "on": ["order", "execution"]})
    up.venue.release(submit_order(**QUARTER))
    up.wait(inputs.Ack)
    local.faults(hide_orders=1)
    up.venue.release(query_order(requested_ns=time.time_ns() - 60 * SECOND))
    status = up.wait(inputs.StatusReport, having=lambda each: each.asked_ns is not None)
    assert status.status is VenueStatus.FILLED
    assert up.wait(inputs.Trade).quantity == Decimal("0.25")
    assert not up.all(inputs.NotFound)


# --- the account --------------------------------------------------------------------------------------------------


def test_a_funding_has_one_id_wherever_it_is_told() -> None:
    with (
        serving(funding_rate=Decimal("0.01"), funding_every_ns=SECOND // 2) as local,
        trader(local.port, streams=STREAMS) as held,
    ):
        held.venue.describe()
        held.open()
        local.market("BUY", "0.1")
        told = held.wait(inputs.FundingReported)
        local.market("SELL", "0.1")
        shown = {paid.funding_id: paid for paid in held.snapshot().fundings}
        rows = {str(row["tranId"]): Decimal(row["income"]) for row in local.good("GET", "/fapi/v1/income")}
    assert evolve(shown[told.funding_id], raw=told.raw) == told
    assert (told.instrument, told.asset, told.amount) == (BTC, "USDT", rows[told.funding_id])
    assert set(shown) == set(rows)


def test_settings_that_somebody_changes_are_told_and_left(up: Trader, local: Futures) -> None:
    local.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=3)
    (contract,) = up.wait(inputs.VenueDescribed).description.instruments
    assert contract.leverage == 3
    local.good("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    (contract,) = up.wait(inputs.VenueDescribed, 2).description.instruments
    assert contract.margin_mode is MarginMode.ISOLATED
    assert local.good("GET", "/fapi/v1/symbolConfig")[0]["leverage"] == 3


def test_settings_that_can_not_be_read_pause_the_venue_until_they_can(up: Trader, local: Futures) -> None:
    local.good("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    local.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=3)
    lost = up.wait(inputs.StreamLost)
    assert (lost.stream, lost.instrument) == ("settings", None)
    assert "hedge mode" in lost.cause
    local.good("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
    up.wait(inputs.StreamUp, having=lambda each: each.stream == "settings")
    assert up.wait(inputs.VenueDescribed).description.instruments[0].leverage == 3


def test_settings_are_read_again_after_the_account_was_not_heard(up: Trader, local: Futures) -> None:
    local.faults(dead_streams=["user"])
    local.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=3)
    local.faults(cut_sockets=True)
    up.wait(inputs.VenueConnected, 2)
    assert up.wait(inputs.VenueDescribed).description.instruments[0].leverage == 3


def test_what_the_venue_would_close_a_position_at_is_shown(tmp_path: Path) -> None:
    with on_tape(tmp_path, balances={"USDT": 100}) as local, trader(local.port, streams=STREAMS) as held:
        held.open()
        local.market("BUY", "1")
        (position,) = held.snapshot().positions
        (row,) = local.good("GET", "/fapi/v3/positionRisk")
    assert position.liquidation_price == Decimal(row["liquidationPrice"]) > 0


def test_executions_are_looked_for_week_by_week(up: Trader, local: Futures) -> None:
    local.market("BUY", "0.1")
    shown = up.snapshot(since_ns=time.time_ns() - 20 * 86_400 * SECOND)
    assert Section.EXECUTIONS in shown.complete
    assert len(shown.executions) == 1
    far = up.snapshot(since_ns=time.time_ns() - 200 * 86_400 * SECOND)
    assert Section.EXECUTIONS not in far.complete


def test_a_liquidation_is_told_as_an_order_of_nobodys_with_its_fee(up: Trader, local: Futures) -> None:
    local.market("BUY", "0.5")
    up.wait(inputs.Trade)
    assert up.snapshot().positions[0].liquidation_price is None  # all that there is can't be lost with so little
    local.control("liquidate", symbol="BTCUSDT")
    closed = up.wait(inputs.Trade, 2)
    assert str(closed.client_order_id).startswith("autoclose-")
    assert (closed.side, closed.quantity, closed.fee) == (Side.SELL, Decimal("0.5"), Decimal("0.05"))
    up.wait(inputs.StatusReport, having=lambda each: each.client_order_id == closed.client_order_id)
    assert up.snapshot().positions == ()


def test_a_listen_key_that_is_over_is_followed_by_another(up: Trader, local: Futures) -> None:
    local.control("expire")
    assert "expired" in up.wait(inputs.VenueLost).cause
    up.wait(inputs.VenueConnected, 2)
    up.venue.release(submit_order(**QUARTER))
    up.wait(inputs.Trade)


def test_a_listen_key_is_kept_alive() -> None:
    with (
        serving(listen_key_life_ns=SECOND) as local,
        trader(local.port, streams=STREAMS, keep_alive_every_ns=SECOND // 5) as held,
    ):
        held.open()
        time.sleep(1.6)
        assert not held.all(inputs.VenueLost)


def test_a_throttle_and_a_key_that_is_gone_are_told(up: Trader, local: Futures) -> None:
    local.faults(throttle="1s")
    up.venue.release(submit_order(price=Decimal(90)))
    assert up.wait(inputs.VenueThrottled).until_ns > time.time_ns()
    assert up.wait(inputs.Rejected).refusal is Refusal.THROTTLED
    local.faults(revoke_key=True)
    time.sleep(1.1)
    up.venue.release(submit_order("h20i60b1c0000033", price=Decimal(90)))
    up.wait(inputs.CredentialsRefused)


# --- the market ---------------------------------------------------------------------------------------------------


def test_all_streams_come_up_and_say_what_they_are_for() -> None:
    with serving() as local, trader(local.port) as held:
        held.open()
        assert {held.wait(inputs.Quote).instrument, held.wait(inputs.MarkPrice).instrument} == {BTC}
        assert {held.wait(inputs.TradeTick).instrument, held.wait(inputs.BookSnapshot).instrument} == {BTC}
        assert {up.stream for up in held.all(inputs.StreamUp)} == {"quotes", "depth", "trades", "marks"}
        held.wait(inputs.BookDelta, 10)
        _assert_no_gap(held)


def test_a_book_that_has_missed_an_event_is_read_anew() -> None:
    with serving() as local, trader(local.port, streams=("depth",)) as held:
        held.open()
        held.wait(inputs.BookDelta, 3)
        assert len(held.all(inputs.BookSnapshot)) == 1
        local.faults(skip_depth={"at": [3]})
        held.wait(inputs.BookSnapshot, 2)
        held.wait(inputs.BookDelta, 12)


def _assert_no_gap(held: Trader) -> None:
    """Ids leave gaps, and yet each event follows on the one before."""
    (snapshot,) = held.all(inputs.BookSnapshot)
    last = snapshot.last_update
    for delta in held.all(inputs.BookDelta):
        assert delta.first_update <= last + 1
        last = delta.last_update
