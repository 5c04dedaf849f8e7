"""The rate budget: empty until something is known, never above a limit, with room for what matters most."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.budget import PROBE_AGAIN_NS, Budget, Lane, RateLimit
from engine.values import SECOND_NS

MINUTE_NS = 60 * SECOND_NS
WEIGHT = RateLimit("REQUEST_WEIGHT", MINUTE_NS, 100)
COSTS = {"REQUEST_WEIGHT": 10}
T0 = 1_000 * MINUTE_NS + 5 * SECOND_NS


def known(used: int = 0, at_ns: int = T0) -> Budget:
    budget = Budget([WEIGHT], at_ns)
    budget.learn("REQUEST_WEIGHT", MINUTE_NS, used, at_ns)
    return budget


def test_before_anything_is_known_one_question_may_be_asked_at_a_time() -> None:
    budget = Budget([WEIGHT], T0)
    assert budget.take(Lane.URGENT, COSTS, T0) == 0
    assert budget.take(Lane.URGENT, COSTS, T0) == PROBE_AGAIN_NS
    assert budget.take(Lane.URGENT, COSTS, T0 + PROBE_AGAIN_NS) == 0


def test_the_venues_count_makes_it_known() -> None:
    budget = Budget([WEIGHT], T0)
    budget.take(Lane.DATA, COSTS, T0)
    budget.settle(COSTS, T0, is_counted=True)
    budget.learn("REQUEST_WEIGHT", MINUTE_NS, 10, T0)
    assert [budget.take(Lane.URGENT, COSTS, T0) for _ in range(9)] == [0] * 9
    assert budget.take(Lane.URGENT, COSTS, T0) == 55 * SECOND_NS


def test_an_answer_without_a_count_does_not() -> None:
    budget = Budget([WEIGHT], T0)
    budget.take(Lane.DATA, COSTS, T0)
    budget.settle(COSTS, T0, is_counted=False)
    assert budget.take(Lane.URGENT, COSTS, T0 + 1) > 0


def test_a_whole_window_makes_it_known_as_empty() -> None:
    budget = Budget([WEIGHT], T0)
    begins_ns = T0 + 55 * SECOND_NS
    assert [budget.take(Lane.URGENT, COSTS, begins_ns) for _ in range(10)] == [0] * 10
    assert budget.take(Lane.URGENT, COSTS, begins_ns) == MINUTE_NS


def test_data_yields_first_and_cancels_always_have_room() -> None:
    budget = known(used=50)
    waits = {lane: budget.take(lane, {"REQUEST_WEIGHT": 1}, T0) for lane in Lane}
    assert [lane for lane, wait_ns in waits.items() if wait_ns] == [Lane.DATA]
    budget = known(used=95)
    assert budget.take(Lane.ORDERS, {"REQUEST_WEIGHT": 1}, T0) > 0
    assert budget.take(Lane.URGENT, {"REQUEST_WEIGHT": 1}, T0) == 0


def test_a_kind_that_costs_nothing_does_not_wait() -> None:
    budget = Budget([RateLimit("ORDERS", 10 * SECOND_NS, 1)], T0)
    assert budget.take(Lane.DATA, {"ORDERS": 0, "REQUEST_WEIGHT": 50}, T0) == 0


def test_nothing_leaves_before_the_venues_own_time() -> None:
    budget = known()
    budget.close(T0 + 100)
    budget.close(T0 + 50)
    assert budget.take(Lane.URGENT, COSTS, T0) == 100
    assert budget.take(Lane.URGENT, COSTS, T0 + 100) == 0


def test_the_venues_own_limits_take_the_place_of_those_assumed() -> None:
    budget = known()
    budget.adopt([RateLimit("REQUEST_WEIGHT", MINUTE_NS, 10)])
    assert budget.take(Lane.URGENT, COSTS, T0) == 0
    assert budget.take(Lane.URGENT, COSTS, T0) > 0


steps = st.lists(
    st.tuples(
        st.sampled_from(list(Lane)), st.integers(1, 40), st.integers(0, 40 * SECOND_NS), st.booleans(), st.booleans()
    ),
    max_size=60,
)


@given(steps=steps)
def test_no_window_ever_holds_more_than_its_limit(
    steps: list[tuple[Lane, int, int, bool, bool]],
) -> None:
    """A venue that counts whatever it is sent, when it is sent, never sees more than the lane's part of its limit."""
    now_ns, budget, counted = T0, known(), dict[int, int]()
    for lane, cost, later_ns, is_told, is_answered in steps:
        now_ns += later_ns
        costs = {"REQUEST_WEIGHT": cost}
        wait_ns = budget.take(lane, costs, now_ns)
        if wait_ns:
            assert wait_ns <= MINUTE_NS
            continue
        window = now_ns // MINUTE_NS
        counted[window] = counted.get(window, 0) + cost
        assert counted[window] <= WEIGHT.limit * lane // 100
        if is_answered:
            budget.settle(costs, now_ns, is_counted=is_told)
            if is_told:
                budget.learn("REQUEST_WEIGHT", MINUTE_NS, counted[window], now_ns)
