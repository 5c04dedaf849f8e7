"""Lanes and what is pending: tasks of one key keep their order, nothing blocks, every request is settled once."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from adapters.lane import QUEUE_MOST, Lane
from adapters.pending import Pending


def test_tasks_of_one_key_keep_their_order_and_others_do_not_wait() -> None:
    done: list[tuple[str, int]] = []
    held = threading.Event()

    def work(tasks: list[tuple[str, int]]) -> None:
        for task in tasks:
            if task == ("a", 0):
                held.wait(10)
            done.append(task)

    lane = Lane("test", work, threads=2)
    lane.start()
    for number in range(20):
        assert lane.put(("a", number), "a")
        assert lane.put(("b", number), "b")
    end = time.monotonic() + 10
    while len(done) < 20 and time.monotonic() < end:
        time.sleep(0.002)
    assert done == [("b", number) for number in range(20)]
    held.set()
    while len(done) < 40 and time.monotonic() < end:
        time.sleep(0.002)
    lane.close()
    assert done[20:] == [("a", number) for number in range(20)]


def test_what_waits_is_done_together() -> None:
    batches: list[list[int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(tasks: list[int]) -> None:
        begun.set()
        go_on.wait(10)
        batches.append(tasks)

    lane = Lane("test", work, together=4)
    lane.start()
    lane.put(0)
    begun.wait(10)
    for number in range(1, 7):
        lane.put(number)
    go_on.set()
    end = time.monotonic() + 10
    while sum(map(len, batches)) < 7 and time.monotonic() < end:
        time.sleep(0.002)
    lane.close()
    assert batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_full_lane_and_a_closed_one_take_nothing() -> None:
    lane: Lane[int] = Lane("test", lambda _tasks: None)
    assert [lane.put(number) for number in range(QUEUE_MOST + 1)] == [True] * QUEUE_MOST + [False]
    lane.close()
    assert not lane.put(1)
    assert not lane.pause(5)


@given(steps=st.lists(st.tuples(st.sampled_from(["add", "settle", "due", "gone"]), st.integers(0, 5)), max_size=60))
def test_every_request_is_settled_once(steps: list[tuple[str, int]]) -> None:
    pending: Pending[int] = Pending(10)
    added, settled, now_ns = 0, list[int](), 0
    for step, number in steps:
        now_ns += number
        if step == "add":
            added += 1
            assert pending.add(added, number, now_ns) == added
        elif step == "settle":
            settled += [number] if pending.settle(number) else []
        elif step == "due":
            settled += pending.take_due(now_ns)
        else:
            settled += pending.take_session(number)
    settled += pending.take_due(now_ns + 10)
    assert sorted(settled) == list(range(1, added + 1))
    assert all(pending.find(number) == number for number in range(1, added + 1))
