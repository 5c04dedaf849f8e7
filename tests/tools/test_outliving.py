"""Orders that outlive the session in which they were wanted are told by `status`."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from engine.settings import InstrumentSettings, OnStop
from engine.strategy import Intent
from engine.values import SECOND_NS
from tests.engine.bench import BTC
from tests.engine.test_held_orders import CALM, ROUND_THE_CLOCK, Held
from tools.rows import outliving

HOUR_NS = 3_600 * SECOND_NS


@pytest.mark.parametrize(
    ("terms", "policy", "stays"),
    [
        ({}, OnStop.KEEP, True),
        ({}, OnStop.CANCEL, False),
        ({"time_in_force": "day"}, OnStop.KEEP, False),
        ({"time_in_force": "gtd", "expires": "soon"}, OnStop.KEEP, False),
        ({"time_in_force": "gtd", "expires": "late"}, OnStop.KEEP, True),
    ],
)
def test_what_stays_beyond_its_session_is_named(terms: dict[str, Any], policy: OnStop, stays: bool) -> None:
    held = Held()
    sessions = {BTC: InstrumentSettings(trading_session=ROUND_THE_CLOCK)}
    held.world.settings = evolve(CALM, instruments=sessions, orders=evolve(CALM.orders, on_session_end=policy))
    held.restart()
    if "expires" in terms:
        ahead_ns = HOUR_NS // 10 if terms["expires"] == "soon" else 3 * HOUR_NS
        terms = terms | {"expires": held.world.clock.ns + ahead_ns}
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90, **terms))
    order = held.world.orders()[-1]
    assert outliving(held.world.state) == ([order.order_id] if stays else [])


def test_without_sessions_nothing_outlives_one() -> None:
    held = Held()
    held.want(Intent(instrument=BTC, side="buy", quantity=1, price=90))
    assert outliving(held.world.state) == []
