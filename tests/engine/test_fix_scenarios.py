"""The order state changes that FIX writes down, driven through our own reports: CumQty, LeavesQty and OrdStatus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import events, inputs
from engine.inputs import Refusal, VenueStatus
from engine.order import Order, Pending
from engine.order_decision import CancelAsked
from engine.values import ClientOrderId, ExecId, OrderId, OrderType, Side, TimeInForce
from tests.engine.bench import BTC, VENUE, Bench, d

FILE = "data/fix_order_state_matrices.json"

DIFFERS = {
    ("A.1.b", "DoneForDay/DoneForDay", "leaves_qty"):
        "FIX assumes a day order, of which nothing is left; ours may come back (GTC), so its rest still counts",
    ("B.1.c", "Trade/PendingCancel", "ord_status"):
        "FIX lets PendingCancel outrank Filled; a terminal order has no outstanding cancel here: it lost the race",
    ("F.1.b", "NewOrder", "not sent"):
        "a request is never sent twice: the answers to a resend are driven as a status and as a duplicate's reject",
}  # fmt: skip
"""Where a scenario does not apply as it is written, and why."""

STATUSES = {
    "New": "new", "PartiallyFilled": "partially_filled", "Filled": "filled", "Canceled": "canceled",
    "Rejected": "rejected", "DoneForDay": "done_for_day",
}  # fmt: skip


@pytest.fixture(scope="module")
def scenarios(shared: Path) -> dict[str, list[dict[str, Any]]]:
    path = shared / FILE
    if not path.is_file():
        pytest.skip(f"no FIX scenarios: {path} is missing")
    found = json.loads(path.read_text("utf-8"))["scenarios"]
    return {scenario["id"]: scenario["steps"] for scenario in found}


def _ways(steps: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The main path, and each alternative ending on the way."""
    for number, step in enumerate(steps):
        if step.get("alt"):
            yield [s for s in steps[:number] if not s.get("alt")] + [step]
    yield [step for step in steps if not step.get("alt")]


class Play:
    """One way through a scenario."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bench = Bench()
        self.numbers = 0
        self.ids: dict[str, OrderId] = {}

    def order(self, clord: str) -> Order:
        """The order that goes by this ClOrdID; a cancel's or a replacement's own id leads to the order it is about."""
        return self.bench.order(self.ids[clord])

    def come_in(self, step: dict[str, Any]) -> None:
        """What we ask of the venue."""
        clord = step["clord"]
        match step["msg"]:
            case "NewOrder" if clord in self.ids:
                return  # see DIFFERS: not sent
            case "NewOrder":
                self.ids[clord] = self.bench.submit(f"o-{clord}", quantity=str(step["order_qty"]))
            case "CancelRequest":
                self.ids[clord] = self.ids[step["orig"]]
                self.bench.about(self.ids[clord], CancelAsked(by="scenario"))
            case "ReplaceRequest":
                self.ids[clord] = self.ids[step["orig"]]
                self.bench.book(events.ReplaceRequested(
                    order_id=self.ids[clord], new_client_order_id=ClientOrderId(f"c-{clord}"),
                    quantity=d(step["order_qty"]), price=d(100), by="scenario",
                ))  # fmt: skip
            case other:
                pytest.fail(f"{other} is not asked of a venue")

    def go_out(self, step: dict[str, Any]) -> None:
        """What the venue says."""
        order = self.order(step["clord"])
        head: dict[str, Any] = {"venue": VENUE, "instrument": BTC, "client_order_id": order.client_order_id}
        is_reject = step["msg"] == "CancelReject"
        self.bench.report(self._reject(order, head) if is_reject else self._report(step, head))
        self._compare(step, self.bench.order(order.order_id))

    def _reject(self, order: Order, head: dict[str, Any]) -> Any:
        replaces = order.pending_replace is not Pending.NONE
        return (inputs.ReplaceRejected if replaces else inputs.CancelRejected)(**head)

    def _report(self, step: dict[str, Any], head: dict[str, Any]) -> Any:
        self.numbers += 1
        quantity = d(step["order_qty"])
        match step["exec_type"]:
            case "New":
                return inputs.Ack(**head)
            case "Rejected":
                duplicate = step["ord_status"] != "Rejected"
                return inputs.Rejected(**head, refusal=Refusal.DUPLICATE_ID if duplicate else Refusal.DEFINITIVE)
            case "Trade":
                return inputs.Trade(**head, exec_id=ExecId(f"e{self.numbers}"), side=Side.BUY,
                                    quantity=d(step["last_qty"]), price=d(100))  # fmt: skip
            case "PendingCancel":
                return inputs.CancelAcked(**head)
            case "PendingReplace":
                return inputs.ReplaceAcked(**head)
            case "Replaced":
                return inputs.Replaced(**head, quantity=quantity, price=d(100))
            case "Restated":
                return inputs.Restated(**head, quantity=quantity)
            case "Canceled":
                return inputs.Canceled(**head)
            case "DoneForDay":
                return inputs.DoneForDay(**head)
            case "OrderStatus":
                return inputs.StatusReport(
                    **head, status=VenueStatus.NEW, side=Side.BUY, order_type=OrderType.LIMIT, price=d(100),
                    time_in_force=TimeInForce.GTC, quantity=quantity, filled=d(step["cum_qty"]),
                )  # fmt: skip
        return pytest.fail(f"no report for {step['exec_type']}")

    def _compare(self, step: dict[str, Any], order: Order) -> None:
        found: dict[str, Any] = {"ord_status": _shown(order, step)}
        expected: dict[str, Any] = {"ord_status": step["ord_status"]}
        if step["msg"] == "Execution":
            found |= {"order_qty": order.quantity, "cum_qty": order.filled, "leaves_qty": order.leaves}
            expected |= {key: d(step[key]) for key in ("order_qty", "cum_qty", "leaves_qty")}
        for key in expected:
            if (self.name, _place(step), key) not in DIFFERS:
                assert found[key] == expected[key], (step, key)
            else:
                assert found[key] != expected[key], f"{key} does not differ any more"


def _place(step: dict[str, Any]) -> str:
    """Where in a scenario a message stands."""
    return f"{step.get('exec_type', step['msg'])}/{step.get('ord_status', '')}"


def _shown(order: Order, step: dict[str, Any]) -> str:
    """OrdStatus by FIX precedence: an outstanding request outranks where the order is. FIX shows it from the venue's
    acknowledgement on; ours is outstanding from the request on."""
    if step["ord_status"] == "PendingCancel" and order.pending_cancel is not Pending.NONE:
        return "PendingCancel"
    if step["ord_status"] == "PendingReplace" and order.pending_replace is not Pending.NONE:
        return "PendingReplace"
    return {value: key for key, value in STATUSES.items()}[order.status]


def test_each_scenario_on_each_of_its_ways(scenarios: dict[str, list[dict[str, Any]]]) -> None:
    assert len(scenarios) >= 9
    differing = set()
    for name, steps in scenarios.items():
        for way in _ways(steps):
            play = Play(name)
            for step in way:
                (play.come_in if step["dir"] == "in" else play.go_out)(step)
            differing |= {(name, _place(step), key) for step in way for key in ("leaves_qty", "ord_status")}
    written = {key for key in DIFFERS if key[2] != "not sent"}
    assert written <= differing, "a difference that no scenario has"
