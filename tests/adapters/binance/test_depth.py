"""A book between its diffs and its snapshots: whatever comes, what is handed on makes the venue's book or none."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from adapters.binance.depth import DepthFlow
from engine.book import Book, BookFault
from engine.inputs import BookDelta, BookSnapshot
from engine.values import InstrumentName

BTC = InstrumentName("BTC-USDT")
Levels = dict[Decimal, Decimal]


def delta(first: int, last: int, bids: Levels | None = None) -> BookDelta:
    return BookDelta(BTC, tuple((bids or {}).items()), (), first, last, 0)


def snapshot(last: int, bids: Levels | None = None) -> BookSnapshot:
    asks = ((Decimal(100), Decimal(1)),)
    shown = {Decimal(1): Decimal(1)} if bids is None else bids
    return BookSnapshot(BTC, tuple(sorted(shown.items(), reverse=True)), asks, last, 0)


def test_diffs_wait_for_a_snapshot_that_lies_among_them() -> None:
    flow = DepthFlow()
    assert flow.change(delta(5, 7)) == []
    assert flow.change(delta(8, 9)) == []
    assert flow.load(snapshot(3)) == []
    assert flow.needs_snapshot
    assert flow.load(snapshot(7)) == [snapshot(7), delta(8, 9)]
    assert flow.change(delta(10, 10)) == [delta(10, 10)]


def test_a_diff_of_before_is_dropped() -> None:
    flow = DepthFlow()
    flow.load(snapshot(10))
    assert flow.change(delta(8, 10)) == []
    assert flow.change(delta(9, 12)) == [delta(9, 12)]


def test_a_gap_is_handed_on_and_another_snapshot_is_needed() -> None:
    flow = DepthFlow()
    flow.load(snapshot(10))
    assert flow.change(delta(12, 13)) == [delta(12, 13)]
    assert flow.needs_snapshot
    assert flow.load(snapshot(12)) == [snapshot(12), delta(12, 13)]


@given(
    changes=st.lists(
        st.tuples(st.integers(1, 9), st.integers(0, 3), st.sampled_from(["seen", "lost", "twice"]), st.booleans()),
        max_size=40,
    )
)
def test_the_book_is_the_venues_or_none(changes: list[tuple[int, int, str, bool]]) -> None:
    """Diffs are lost and doubled, snapshots come when they come: the engine's book is right whenever there is one."""
    flow, book, truth, last = DepthFlow(), Book(BTC), {Decimal(1): Decimal(1)}, 10
    for price, quantity, fate, is_snapshot in changes:
        last += 1
        change = {Decimal(price): Decimal(quantity)}
        truth |= change
        for _ in range({"seen": 1, "lost": 0, "twice": 2}[fate]):
            hand_on(book, flow.change(delta(last, last, change)))
        shown = {price: quantity for price, quantity in truth.items() if quantity}
        if is_snapshot and flow.needs_snapshot:
            hand_on(book, flow.load(snapshot(last, shown)))
        if book.last_update == last:
            assert dict(book.bids(20)) == shown
        elif book.last_update is not None:
            assert book.last_update < last


def hand_on(book: Book, told: list[BookDelta | BookSnapshot]) -> None:
    for each in told:
        try:
            book.load(each) if isinstance(each, BookSnapshot) else book.change(each)
        except BookFault:
            assert book.last_update is None


def test_held_diffs_are_bounded() -> None:
    flow = DepthFlow()
    for number in range(1, 5_101):
        flow.change(delta(number, number))
    assert len(flow.held) == 5_000
    assert flow.load(snapshot(50)) == []
    assert flow.load(snapshot(200))[0] == snapshot(200)
