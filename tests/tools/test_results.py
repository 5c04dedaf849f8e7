"""`holdfast results` and `holdfast balances`: what a journal's facts come to, and what the account has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events
from engine.values import Asset, Side
from tests.tools.journals import BTC, CROSS, SIM, Author
from tools.commands import show_balances
from tools.result_table import show_results, sparkline
from tools.results import POINTS_MOST, Curve, Point, first_in_first_out


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    made = Author(tmp_path / "run")
    yield made
    made.close()


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def day(author: Author) -> None:
    """Bought 1 at 100 and 1 at 110, a fee in another asset; sold 1 at 120, a fee in the base asset."""
    author.begin()
    for number, (side, price, fee, asset) in enumerate(
        ((Side.BUY, "100", "0.5", "BNB"), (Side.BUY, "110", None, None), (Side.SELL, "120", "0.01", "BTC"))
    ):
        token = author.order("1", price, side=side, bid="119", ask="121")
        author.accept(token)
        more: dict[str, Any] = {} if asset is None else {"fee_asset": Asset(asset)}
        author.fill(token, "1", price, fee=fee, **more)
        assert number < 3


def test_results_by_average_and_first_in_first_out(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    day(author)
    show_results(author.directory, True)
    found = document(capsys)
    account, cross = found["results"]
    assert (account["strategy"], cross["strategy"]) == (None, CROSS)
    for row in (account, cross):
        assert (row["asset"], row["realized"], row["realized_fifo"]) == ("USDT", "15", "20")
        assert row["unrealized"] == "14"  # 1 left, at an average of 105, could be sold at 119
        assert row["fees_by_asset"] == {"BNB": "0.5", "BTC": "0.01"}
        assert row["fees_booked"] == "1.2"  # 0.01 BTC at the 120 of its own execution
        assert row["fees"] == "1.2"  # 0.01 BTC at the middle of what was seen last
        assert row["unpriced"] == ["fee in BNB"]
        assert row["result"] == "27.8"
    curve = found["curves"][0]["points"]
    assert [point["totals"]["USDT"] for point in curve] == ["19", "28", "27.8"]


def test_results_on_paper(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    day(author)
    show_results(author.directory, False)
    text = capsys.readouterr().out
    for words in ("account", "+15.00", "+20.00", "without fee in BNB", "equity in USDT", "▁█"):
        assert words in text


def test_an_execution_that_is_taken_back_is_in_no_result(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    author.begin()
    token = author.order("1", "100", bid="99", ask="101")
    author.accept(token)
    exec_id = author.fill(token, "1", "100", fee="0.1")
    author.add(events.FillBusted(order_id=token, venue=SIM, instrument=BTC, exec_id=exec_id))
    show_results(author.directory, True)
    row = document(capsys)["results"][0]
    assert (row["realized"], row["realized_fifo"], row["fees"], row["result"]) == ("0", "0", "0", "0")


def test_balances(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    author.begin()
    author.reconcile()
    author.trade()
    author.accept(author.order("0.5", "100", bid="99", ask="101"))
    show_balances(author.directory, True)
    rows = {row["asset"]: row for row in document(capsys)}
    usdt = rows["USDT"]
    assert usdt["venue"] == SIM
    assert Decimal(usdt["locked"]) == 50
    assert Decimal(usdt["free"]) == Decimal(usdt["total"]) - 50
    assert usdt["venue_total"] == usdt["total"]
    assert usdt["shown_ns"]
    show_balances(author.directory, False)
    assert "AT THE VENUE" in capsys.readouterr().out


# --- the parts --------------------------------------------------------------------------------------------------

fills = st.lists(st.tuples(st.integers(-5, 5).filter(bool).map(Decimal), st.integers(1, 9).map(Decimal)), max_size=20)


@given(fills)
def test_first_in_first_out_by_units(told: list[tuple[Decimal, Decimal]]) -> None:
    """Against single units that stand in a row; and together with what is open it is the cash that moved."""
    row: list[tuple[int, Fraction]] = []
    gained = Fraction(0)
    for quantity, price in told:
        for _ in range(abs(int(quantity))):
            sign = 1 if quantity > 0 else -1
            if row and row[0][0] != sign:
                held, paid = row.pop(0)
                gained += held * (Fraction(price) - paid)
            else:
                row.append((sign, Fraction(price)))
    assert Fraction(first_in_first_out(told)) == gained


@given(st.integers(1, 5 * POINTS_MOST))
def test_a_curve_is_bounded_and_keeps_its_end(count: int) -> None:
    curve = Curve()
    for number in range(1, count + 1):
        curve.add(Point(number, number, {}))
    points = curve.all()
    assert len(points) <= POINTS_MOST + 1
    assert points[-1].seq == count
    assert [point.seq for point in points] == sorted(point.seq for point in points)
    if count <= POINTS_MOST:
        assert len(points) == count


def test_a_sparkline_of_one_level_is_flat() -> None:
    assert sparkline([Decimal(3)] * 3) == "▁▁▁"
