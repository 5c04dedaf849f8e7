"""What a journal says: read from the beginning or from a snapshot, while a process holds it and after it died."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine import events
from engine.codec import decode_state, digest, encode_state
from engine.values import Asset, Side
from journal.errors import JournalDamaged, JournalMissing
from journal.snapshot import Snapshot
from tests.tools.journals import BTC, CROSS, HASH, SIM, START_NS, Author, tell
from tools.money import holdings
from tools.rows import FILL_KINDS, condition_of, fill_rows, order_row, position_row, sorted_orders, status_row
from tools.view import Source, read_state, read_view


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    found = Author(tmp_path / "run")
    yield found
    found.close()


def positions(directory: Path) -> list[dict[str, object]]:
    with Source(directory) as source:
        state = source.state()
        return [position_row(holding) for holding in holdings(state, source.marks(state.positions))]


def test_the_state_is_the_fold_of_all_events(author: Author) -> None:
    tell(author)
    assert digest(read_state(author.directory)) == digest(author.state)
    assert read_state(author.directory).seq == author.state.seq


def test_a_snapshot_is_a_short_cut_and_nothing_else(author: Author) -> None:
    tell(author)
    author.snapshot()
    author.order()
    assert digest(read_state(author.directory)) == digest(author.state)


def test_a_snapshot_that_lies_is_not_used(author: Author) -> None:
    tell(author)
    seq = author.state.seq
    for change in (
        lambda snapshot: snapshot._replace(chain="00" * 32),
        lambda snapshot: snapshot._replace(seq=seq - 1),
        lambda snapshot: snapshot._replace(blob=b"{}"),
        lambda snapshot: snapshot._replace(blob=b"no JSON"),
        lambda snapshot: snapshot._replace(journal_id="another"),
        lambda snapshot: snapshot._replace(fold_version=0),
    ):
        author.snapshot(change)
        author.accept(author.order())
        assert digest(read_state(author.directory)) == digest(author.state)


def test_a_snapshot_of_another_history_is_not_used(author: Author) -> None:
    """Sound in itself, at a seq that exists, of the same journal: a copy that went on elsewhere."""
    named = tell(author)
    elsewhere = decode_state(encode_state(author.state))
    del elsewhere.orders[named["filled"]]

    def copied(snapshot: Snapshot) -> Snapshot:
        return snapshot._replace(chain="ab" * 32, blob=encode_state(elsewhere), state_digest=digest(elsewhere))

    author.snapshot(copied)
    assert named["filled"] in read_state(author.directory).orders


def test_without_a_journal_there_is_nothing_to_see(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing):
        read_view(tmp_path)


def test_an_event_of_a_later_release_is_refused(author: Author) -> None:
    author.begin()
    draft = author.journal.append([Later(author)])
    with pytest.raises(JournalDamaged, match=f"seq {draft}"):
        read_state(author.directory)


class Later:
    """A draft of a kind that nobody knows."""

    kind, version, subject, cause, body = "OrderTeleported", 1, "", None, "{}"

    def __init__(self, author: Author) -> None:
        self.seq, self.at_ns = author.state.seq + 1, author.now_ns


# --- condition --------------------------------------------------------------------------------------------------


def test_a_held_journal_says_what_its_engine_does(author: Author) -> None:
    author.begin()
    author.reconcile()
    author.trade()
    found = condition_of(read_view(author.directory))
    assert (found.state, found.clean) == ("trading", None)


def test_a_journal_that_nobody_holds_is_never_trading(author: Author) -> None:
    author.begin()
    author.reconcile()
    author.trade()
    author.close()
    found = condition_of(read_view(author.directory))
    assert (found.state, found.clean) == ("stopped", False)
    assert found.reason == "the process ended without stopping (last state: trading)"


def test_a_clean_end_is_said_to_be_clean(author: Author) -> None:
    author.begin()
    author.stop()
    held = condition_of(read_view(author.directory))
    assert (held.state, held.clean) == ("starting", None)
    author.close()
    found = condition_of(read_view(author.directory))
    assert (found.state, found.reason, found.clean) == ("stopped", "signal", True)


def test_an_empty_journal_is_stopped(author: Author) -> None:
    author.close()
    found = condition_of(read_view(author.directory))
    assert (found.state, found.clean) == ("stopped", True)


def test_status_counts_and_names(author: Author) -> None:
    tell(author)
    author.pause()
    row = status_row(read_view(author.directory), [], {SIM: 7})
    assert (row["state"], row["reason"], row["clean"]) == ("paused", "operator", None)
    assert (row["open_orders"], row["in_doubt"]) == (3, 1)
    assert row["seq"] == author.state.seq
    assert row["at_ns"] == author.now_ns
    venue = row["venues"]["sim"]
    assert venue["connected"] is True
    assert venue["last_data_ns"] == 7
    assert venue["last_reconciled_ns"] == author.state.venues[SIM].reconciled_ns > START_NS
    assert [(pause["reason"], pause["latched"]) for pause in row["pauses"]] == [("operator", True)]


def test_status_of_a_dead_engine_claims_no_connection(author: Author) -> None:
    tell(author)
    author.close()
    row = status_row(read_view(author.directory), [], {})
    assert row["venues"]["sim"]["connected"] is False
    assert row["venues"]["sim"]["last_data_ns"] is None
    assert row["pid"] is None


# --- orders -----------------------------------------------------------------------------------------------------

ORDER_FIELDS = set(
    "order_id client_order_id venue_order_id strategy instrument venue side order_type time_in_force quantity price "
    "filled leaves average_price status pending_cancel pending_replace origin evidence strategy_version "
    "strategy_hash exchange_order_id created_ns updated_ns".split()
)


def test_orders_have_the_fields_of_the_interface(author: Author) -> None:
    named = tell(author)
    with Source(author.directory) as source:
        rows = {row["order_id"]: row for row in map(order_row, source.all_orders())}
    assert all(set(row) >= ORDER_FIELDS for row in rows.values())
    assert {name: rows[token]["status"] for name, token in named.items()} == {
        "filled": "filled", "denied": "denied", "open": "partially_filled", "canceled": "canceled",
        "rejected": "rejected", "external": "new", "doubt": "in_doubt",
    }  # fmt: skip
    filled = rows[named["filled"]]
    assert (filled["quantity"], filled["filled"], filled["leaves"]) == ("0.02", "0.02", "0")
    assert filled["average_price"] == "60000.5"
    assert (filled["strategy_version"], filled["strategy_hash"]) == ("1", HASH)
    assert rows[named["external"]]["strategy_hash"] is None
    assert rows[named["open"]]["pending_cancel"] == "sent"
    assert rows[named["external"]]["strategy"] is None
    assert rows[named["denied"]]["client_order_id"] is None
    assert rows[named["denied"]]["average_price"] is None


def test_what_may_still_trade_comes_with_doubt_first(author: Author) -> None:
    named = tell(author)
    found = [order.order_id for order in sorted_orders(read_state(author.directory))]
    assert found == [named["doubt"], named["open"], named["external"]]


@pytest.mark.parametrize("snapshot_first", [True, False])
def test_orders_that_have_left_the_state_are_listed_too(author: Author, snapshot_first: bool) -> None:
    named = tell(author)
    if snapshot_first:
        author.snapshot()
    author.add(events.OrderArchived(order_id=named["filled"]))
    if not snapshot_first:
        author.snapshot()
    with Source(author.directory) as source:
        assert {order.order_id for order in source.all_orders()} == set(named.values())
    assert named["filled"] not in read_state(author.directory).orders


# --- fills ------------------------------------------------------------------------------------------------------

FILL_FIELDS = set(
    "exec_id order_id client_order_id instrument venue side quantity price fee fee_asset liquidity at_ns seq "
    "strategy_version strategy_hash".split()
)


def fills(directory: Path) -> list[dict[str, object]]:
    with Source(directory) as source:
        return fill_rows(recorded for recorded in source.recorded() if recorded.event.kind in FILL_KINDS)


def test_fills_have_the_fields_of_the_interface(author: Author) -> None:
    named = tell(author)
    rows = fills(author.directory)
    assert [(row["order_id"], row["quantity"], row["price"]) for row in rows] == [
        (named["filled"], "0.01", "60000"),
        (named["filled"], "0.01", "60001"),
        (named["open"], "0.004", "61000"),
    ]
    assert all(set(row) >= FILL_FIELDS for row in rows)
    assert {(row["strategy_version"], row["strategy_hash"]) for row in rows} == {("1", HASH)}
    assert rows[0]["client_order_id"] == f"{named['filled']}-cross"
    assert (rows[0]["fee"], rows[0]["fee_asset"], rows[0]["liquidity"]) == ("0.1", "USDT", "taker")


def test_a_correction_a_bust_and_a_late_fee_are_in_the_fill(author: Author) -> None:
    author.begin()
    token = author.order("0.03")
    author.accept(token)
    first, second, third = (author.fill(token, "0.01", "60000", fee=None) for _ in range(3))
    where: dict[str, Any] = {"order_id": token, "venue": SIM, "instrument": BTC}
    author.add(events.FillCorrected(exec_id=first, quantity=Decimal("0.005"), price=Decimal(59999), **where))
    author.add(events.FillBusted(exec_id=second, **where))
    author.add(events.FeeBooked(exec_id=third, fee=Decimal("0.25"), fee_asset=Asset("BNB"), **where))
    rows = fills(author.directory)
    assert [(row["quantity"], row["price"], row["corrected"], row["busted"]) for row in rows] == [
        ("0.005", "59999", True, False),
        ("0", "60000", False, True),
        ("0.01", "60000", False, False),
    ]
    assert [row["booked_quantity"] for row in rows] == ["0.01"] * 3
    assert (rows[2]["fee"], rows[2]["fee_asset"]) == ("0.25", "BNB")
    held = sum(Decimal(str(row["quantity"])) for row in rows)
    assert held == author.state.position(BTC).quantity


# --- positions --------------------------------------------------------------------------------------------------


def test_positions_are_per_account_and_per_strategy(author: Author) -> None:
    tell(author)
    rows = positions(author.directory)
    assert [row["strategy"] for row in rows] == [None, CROSS]
    assert {(row["instrument"], row["venue"], row["quantity"]) for row in rows} == {(BTC, SIM, "0.016")}
    assert rows[0]["fees"] == "0.3"
    assert rows[0]["realized"] == "3.998"


def test_what_is_open_is_valued_at_the_quote_that_was_last_seen(author: Author) -> None:
    author.begin()
    token = author.order("0.02", "60000", bid="60000", ask="60002")
    author.accept(token)
    author.fill(token, "0.02", "60000", fee=None)
    author.denied()  # sees 60000 / 60001
    row = positions(author.directory)[0]
    assert (row["mark"], row["mark_from"]) == ("60000", "bid")  # where a long can be closed
    assert (row["unrealized"], row["stale"]) == ("0", False)


def test_without_a_quote_the_last_execution_is_the_mark(author: Author) -> None:
    author.begin()
    token = author.external()
    author.fill(token, "0.1", "70000", fee=None)
    row = positions(author.directory)[0]
    assert (row["mark"], row["mark_from"], row["unrealized"]) == ("70000", "fill", "0")
    assert row["strategy"] is None


def test_without_any_mark_the_result_is_unknown(author: Author) -> None:
    tell(author)
    (account, _) = holdings(read_state(author.directory), {})
    assert account.unrealized is None
    assert position_row(account)["unrealized"] is None


def test_marks_are_found_far_back(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.view.BACKWARDS_ROWS", 3)
    author.begin()
    token = author.order(side=Side.SELL, bid="100", ask="102")
    for _ in range(10):
        author.accept(token)
    with Source(author.directory) as source:
        (mark,) = source.marks([BTC]).values()
    assert mark.quote is not None
    assert (mark.quote.bid, mark.quote.ask) == (Decimal(100), Decimal(102))


def test_a_snapshot_that_was_changed_is_noticed(author: Author) -> None:
    tell(author)

    def forge(snapshot: Snapshot) -> Snapshot:
        assert b'"0.016"' in snapshot.blob
        return snapshot._replace(blob=snapshot.blob.replace(b'"0.016"', b'"9.016"'))

    author.snapshot(forge)
    assert read_state(author.directory).position(BTC).quantity == Decimal("0.016")
