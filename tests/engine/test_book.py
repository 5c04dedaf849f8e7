"""The L2 book against a plain dict, and every fault that empties it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.book import HELD_LIMIT, Book, BookCrossed, BookFault, BookGap, BookRefused
from engine.inputs import BookDelta, BookSnapshot, Level
from engine.values import InstrumentName

BTC = InstrumentName("BTC-USDT")
MIDDLE = 50

Span = tuple[int, int]
Changes = dict[int, int]

quantities = st.integers(0, 5)
bid_changes = st.dictionaries(st.integers(1, MIDDLE - 1), quantities, max_size=6)
ask_changes = st.dictionaries(st.integers(MIDDLE, 2 * MIDDLE), quantities, max_size=6)
changes = st.tuples(st.integers(0, 3), bid_changes, ask_changes)
histories = st.lists(changes, min_size=1, max_size=25)


def levels(found: Changes) -> tuple[Level, ...]:
    return tuple((Decimal(price), Decimal(size)) for price, size in found.items())


def decimals(*numbers: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(number) for number in numbers)


def delta(first: int, last: int, bids: Changes | None = None, asks: Changes | None = None) -> BookDelta:
    return BookDelta(BTC, levels(bids or {}), levels(asks or {}), first, last, received_ns=last)


def snapshot(last: int, bids: Changes, asks: Changes) -> BookSnapshot:
    return BookSnapshot(BTC, levels(bids), levels(asks), last, received_ns=last)


def contiguous(history: list[tuple[int, Changes, Changes]], after: int = 100) -> list[BookDelta]:
    found = []
    for more, bids, asks in history:
        found.append(delta(after + 1, after + 1 + more, bids, asks))
        after += 1 + more
    return found


class Model:
    """The book as two plain dicts, sorted anew at each question."""

    def __init__(self) -> None:
        self.sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def change(self, found: BookDelta) -> None:
        for side, changed in zip(self.sides, (found.bids, found.asks), strict=True):
            side.update(changed)
            for price in [price for price, size in side.items() if not size]:
                del side[price]

    def bids(self) -> tuple[Level, ...]:
        return tuple(sorted(self.sides[0].items(), reverse=True))

    def asks(self) -> tuple[Level, ...]:
        return tuple(sorted(self.sides[1].items()))


def assert_same(book: Book, model: Model, depth: int) -> None:
    assert book.bids(depth) == model.bids()[:depth]
    assert book.asks(depth) == model.asks()[:depth]
    best = (*model.bids()[0], *model.asks()[0]) if model.bids() and model.asks() else None
    assert book.best() == best


def snapshot_of(model: Model, last: int) -> BookSnapshot:
    return BookSnapshot(BTC, model.bids(), model.asks(), last, received_ns=last)


@given(histories, st.integers(0, 8))
def test_a_book_is_what_its_diffs_make_of_a_dict(history: list[tuple[int, Changes, Changes]], depth: int) -> None:
    book, model = Book(BTC), Model()
    book.load(snapshot(100, {}, {}))
    for found in contiguous(history):
        book.change(found)
        model.change(found)
        assert_same(book, model, depth)
        assert book.last_update == found.last_update


@given(histories, st.data())
def test_diffs_before_the_snapshot_are_held_back_and_joined_to_it(
    history: list[tuple[int, Changes, Changes]], data: st.DataObject
) -> None:
    """Whenever the snapshot comes, and wherever inside a diff's span it was taken, the book is the same."""
    deltas = contiguous(history)
    applied = data.draw(st.integers(0, len(deltas)), label="diffs in the snapshot")
    early = data.draw(st.integers(applied, len(deltas)), label="diffs before the snapshot arrives")
    model = Model()
    for found in deltas[:applied]:
        model.change(found)
    taken = snapshot_of(model, deltas[applied - 1].last_update if applied else 100)
    book = Book(BTC)
    for found in deltas[:early]:
        book.change(found)
        assert book.best() is None
    book.load(taken)
    for found in deltas[early:]:
        book.change(found)
    for found in deltas[applied:]:
        model.change(found)
    assert_same(book, model, 200)


@given(st.integers(100, 110))
def test_the_first_diff_may_begin_before_the_snapshot_ends(taken_at: int) -> None:
    book = Book(BTC)
    book.load(snapshot(taken_at, {10: 1}, {90: 1}))
    book.change(delta(101, 111, {20: 2}))
    assert book.last_update == 111
    assert book.bids(1) == ((Decimal(20), Decimal(2)),)


@pytest.mark.parametrize("span", [(90, 99), (95, 100), (100, 100)])
def test_a_diff_that_the_snapshot_already_holds_is_dropped(span: Span) -> None:
    book = Book(BTC)
    book.load(snapshot(100, {10: 1}, {90: 1}))
    book.change(delta(*span, {20: 2}))
    assert book.last_update == 100
    assert book.best() == decimals(10, 1, 90, 1)


@given(histories.filter(lambda history: len(history) > 1), st.data())
def test_a_missing_diff_empties_the_book_until_the_next_snapshot(
    history: list[tuple[int, Changes, Changes]], data: st.DataObject
) -> None:
    deltas = contiguous(history)
    lost = data.draw(st.integers(0, len(deltas) - 2))
    book = Book(BTC)
    book.load(snapshot(100, {10: 1}, {90: 1}))
    for found in deltas[:lost]:
        book.change(found)
    with pytest.raises(BookGap) as caught:
        book.change(deltas[lost + 1])
    assert caught.value.expected == deltas[lost].first_update
    assert caught.value.got == (deltas[lost + 1].first_update, deltas[lost + 1].last_update)
    assert (book.best(), book.bids(9), book.asks(9), book.last_update) == (None, (), (), None)
    for found in deltas[lost + 2 :]:
        book.change(found)
    model = Model()
    for found in deltas[: lost + 1]:
        model.change(found)
    book.load(snapshot_of(model, deltas[lost].last_update))
    for found in deltas[lost + 1 :]:
        model.change(found)
    assert_same(book, model, 200)


@pytest.mark.parametrize("again", [(101, 105), (103, 108), (105, 109)])
def test_after_the_first_diff_a_repeated_or_overlapping_one_is_a_gap(again: Span) -> None:
    book = Book(BTC)
    book.load(snapshot(100, {}, {}))
    book.change(delta(101, 105))
    with pytest.raises(BookGap, match="expected update 106"):
        book.change(delta(*again))


def test_a_snapshot_older_than_what_was_held_back_is_a_gap_and_a_newer_one_heals_it() -> None:
    book = Book(BTC)
    book.change(delta(101, 105, {11: 1}))
    book.change(delta(106, 109, {12: 1}))
    with pytest.raises(BookGap):
        book.load(snapshot(90, {10: 1}, {90: 1}))
    assert book.best() is None
    book.load(snapshot(103, {10: 1}, {90: 1}))
    assert [price for price, _ in book.bids(9)] == [12, 11, 10]


def test_only_so_many_diffs_are_held_back_and_a_snapshot_that_needs_more_shows_a_gap() -> None:
    deltas = [delta(update, update) for update in range(1, HELD_LIMIT + 2)]
    book = Book(BTC)
    for found in deltas:
        book.change(found)
    with pytest.raises(BookGap):
        book.load(snapshot(0, {}, {}))
    book.load(snapshot(1, {}, {}))
    assert book.last_update == HELD_LIMIT + 1


@pytest.mark.parametrize("ask", [20, 15])
def test_a_diff_that_crosses_the_book_empties_it(ask: int) -> None:
    book = Book(BTC)
    book.load(snapshot(100, {20: 1}, {90: 1}))
    with pytest.raises(BookCrossed) as caught:
        book.change(delta(101, 101, {}, {ask: 1}))
    assert (caught.value.bid, caught.value.ask) == decimals(20, ask)
    assert book.best() is None
    assert book.last_update is None


def test_a_diff_may_pass_through_a_crossed_book_on_its_way() -> None:
    book = Book(BTC)
    book.load(snapshot(100, {20: 1}, {30: 1}))
    book.change(delta(101, 102, {35: 1}, {30: 0, 40: 1}))
    assert book.best() == decimals(35, 1, 40, 1)


def test_a_crossed_snapshot_is_a_fault() -> None:
    book = Book(BTC)
    with pytest.raises(BookCrossed):
        book.load(snapshot(100, {20: 1}, {20: 1}))
    assert book.best() is None


@pytest.mark.parametrize(
    "level", [("0", "1"), ("-1", "1"), ("NaN", "1"), ("Infinity", "1"), ("5", "-1"), ("5", "NaN"), ("5", "Infinity")]
)
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_an_impossible_level_is_refused_whole(level: tuple[str, str], side: str) -> None:
    bad = ((Decimal(level[0]), Decimal(level[1])),)
    bids, asks = (bad, ()) if side == "bids" else ((), bad)
    book = Book(BTC)
    with pytest.raises(BookRefused):
        book.load(BookSnapshot(BTC, bids, asks, 100, received_ns=0))
    book.load(snapshot(100, {20: 1}, {90: 1}))
    with pytest.raises(BookRefused):
        book.change(BookDelta(BTC, bids, asks, 101, 101, received_ns=0))
    assert book.best() is None


def test_a_snapshot_with_an_empty_or_a_double_level_is_refused() -> None:
    book = Book(BTC)
    with pytest.raises(BookRefused, match="quantity 0"):
        book.load(snapshot(100, {20: 0}, {}))
    twice = ((Decimal(20), Decimal(1)), (Decimal("20.0"), Decimal(2)))
    with pytest.raises(BookRefused, match="twice"):
        book.load(BookSnapshot(BTC, twice, (), 100, received_ns=0))


def test_a_diff_that_ends_before_it_begins_is_a_fault() -> None:
    book = Book(BTC)
    book.load(snapshot(100, {}, {}))
    book.change(delta(101, 101))
    with pytest.raises(BookFault):
        book.change(delta(102, 101))


def test_removing_a_level_that_is_not_there_changes_nothing() -> None:
    book = Book(BTC)
    book.load(snapshot(100, {20: 1}, {90: 1}))
    book.change(delta(101, 101, {19: 0}, {91: 0}))
    assert book.best() == decimals(20, 1, 90, 1)


def test_another_instruments_data_is_a_programmers_error() -> None:
    book = Book(InstrumentName("ETH-USDT"))
    with pytest.raises(ValueError, match="ETH-USDT was given data of BTC-USDT"):
        book.load(snapshot(100, {}, {}))
    with pytest.raises(ValueError, match="ETH-USDT"):
        book.change(delta(101, 101))
