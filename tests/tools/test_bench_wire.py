"""A tick's way is stamped from end to end, in the order in which it is gone, through both doors for orders."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tools.bench import wire
from tools.bench.sheet import Sheet
from tools.bench.tick.engine import STAGES
from tools.bench.timing import Times

WARM_UP, ROUNDS = 3, 12
HERE = ("sent", *STAGES)
THERE = ("sent", "durable", "arrived", "acknowledged")
"""The kernel may hand an order over before the client's own thread is back from sending it."""


@pytest.mark.parametrize("entry", wire.ENTRIES)
def test_every_tick_is_followed_from_its_frame_to_its_answer(entry: str, tmp_path: Path) -> None:
    stamps, floor = wire.follow(tmp_path / entry, entry, WARM_UP, ROUNDS)
    assert set(stamps["sent"]) == set(range(WARM_UP, WARM_UP + ROUNDS))
    followed = set(stamps["acknowledged"])
    assert len(followed) > ROUNDS // 2  # of quotes that wait together the newest wins
    for tick in followed:
        for way in (HERE, THERE):
            times = [stamps[stage][tick] for stage in way]
            assert all(before < after for before, after in pairwise(times)), (tick, dict(zip(way, times, strict=True)))
    assert len(floor.round_trip) == len(floor.flush) == ROUNDS
    assert min(floor.round_trip + floor.flush) > 0


def test_the_sheet_sets_each_way_beside_its_floor() -> None:
    floor = wire.Floor(round_trip=[400_000, 500_000, 600_000], flush=[200_000] * 3)
    assert floor.wire == Times((400_000, 450_000, 500_000))
    assert floor.ack == Times((600_000, 700_000, 800_000))
    stamps = {stage: {1: 100_000 * number} for number, stage in enumerate(("sent", *STAGES, "arrived"))}
    sheet = Sheet("wire", "", ("", "p50 µs", "p99 µs", "× floor p50", "× floor p99"))
    wire.add_ways(sheet, "WS API", stamps, floor)
    lines = {str(line[0]): line[1:] for line in sheet.lines}
    assert lines["WS API: tick → durable"] == (400.0, 400.0, None, None)
    assert lines["WS API: tick → wire"] == (600.0, 600.0, 600 / 450, 600 / 500)
    assert lines["WS API: tick → ack"] == (700.0, 700.0, 1.0, 700 / 800)


def test_a_tick_without_an_answer_is_not_counted_as_a_quick_one() -> None:
    assert wire.taken({1: 100, 2: 200}, {1: 5_100}) == Times((5_000,))
