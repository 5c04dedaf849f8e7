"""One step of an order through its table, beside a trigger of the `transitions` machine that the table is made of."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from transitions import Machine

from engine import inputs
from engine.order import FILLED, INTENT, LIFE, NEW, PARTIALLY_FILLED, PENDING_NEW, Order, OrderStatus
from engine.order_guards import GUARDS, Look
from engine.state import State
from engine.tables import Table
from engine.values import ExecId, OrderId, OrderType, Side, TimeInForce
from tools.bench import scene
from tools.bench.sheet import Scale, Sheet
from tools.bench.timing import take_turns

WALKS = {Scale.QUICK: (2, 2), Scale.USUAL: (500, 41), Scale.LONG: (2_000, 201)}
WEIGHED = 200


@frozen
class Step:
    """A report, what its guards look at, and where it leads."""

    report: str
    look: Look
    destination: OrderStatus


class Model:
    """What a machine moves: the table's guards as its methods."""

    state: str
    trigger: Callable[..., bool]


def _guard(name: str) -> Callable[[Model, Any], bool]:
    return lambda _model, event: GUARDS[name](event.kwargs["look"])


for _name in GUARDS:
    setattr(Model, _name, _guard(_name))


def measure_transition(directory: Path, scale: Scale) -> Sheet:
    """Submit, acknowledge, a part, the rest: the time of a step, and what an order weighs."""
    walks, rounds = WALKS[scale]
    steps, machine = _steps(), _machine()
    per_step = {
        "submit and ack (no guards)": _time_walks(machine, steps[:2], INTENT, walks, rounds),
        "two trades (guards)": _time_walks(machine, steps[2:], NEW, walks, rounds),
    }
    added = take_turns({"add": lambda: machine.add_model(Model())}, rounds)["add"]
    machine.models.clear()
    sheet = Sheet(
        "transition",
        "An order's step through its state table, beside a trigger of the `transitions` library",
        ("", "table µs/step", "library µs/step", "of library", "library bytes/order"),
        notes=[
            "target: at most 1/15 of the library, at most 200 bytes of state machine for an order",
            f"an order as State keeps it: {_weigh(_order):,} bytes; its place in the table is one reference",
        ],
    )
    for name, (table, library) in per_step.items():
        sheet.add(name, table, library, table / library, None)
    sheet.add("making an order known to the machine, once", 0.0, added.p50_us, 0.0, _weigh(_adder(machine)))
    return sheet


def _time_walks(machine: Machine, steps: Sequence[Step], start: str, walks: int, rounds: int) -> tuple[float, float]:
    """Microseconds a step by the table and by the library."""
    model = Model()
    machine.add_model(model)
    taken = take_turns(
        {
            "table": lambda: [_walk_table(start, steps) for _ in range(walks)],
            "library": lambda: [_walk_machine(model, start, steps) for _ in range(walks)],
        },
        rounds,
    )
    machine.remove_model(model)
    done = walks * len(steps)
    return taken["table"].p50_us / done, taken["library"].p50_us / done


def _walk_table(status: str, steps: Sequence[Step]) -> str:
    for step in steps:
        for cell in LIFE.find(status, step.report):
            if not cell.guard or GUARDS[cell.guard](step.look):
                status = cell.destination
                break
    return status


def _walk_machine(model: Model, start: str, steps: Sequence[Step]) -> str:
    model.state = str(start)
    for step in steps:
        model.trigger(step.report, look=step.look)
    return model.state


def _machine() -> Machine:
    """The same rows without their effects: the look-up does not carry them out either."""
    rows = [evolve(row, effect="") for row in LIFE.rows]
    return Table("life", OrderStatus, INTENT, rows).machine


def _adder(machine: Machine) -> Callable[[], object]:
    def add() -> Model:
        model = Model()
        machine.add_model(model)
        return model

    return add


def _steps() -> tuple[Step, ...]:
    state, order = State(), _order()
    named: dict[str, Any] = {"venue": scene.VENUE, "instrument": scene.INSTRUMENT}

    def trade(number: int) -> inputs.Trade:
        return inputs.Trade(
            **named, exec_id=ExecId(f"x{number}"), side=Side.BUY, quantity=Decimal("0.005"), price=Decimal(60_000)
        )

    partly = evolve(order, status=PARTIALLY_FILLED, filled=Decimal("0.005"))
    walked: list[tuple[str, Order, Any, OrderStatus]] = [
        ("submit_requested", order, None, PENDING_NEW),
        ("ack", evolve(order, status=PENDING_NEW), inputs.Ack(**named), NEW),
        ("trade", evolve(order, status=NEW), trade(1), PARTIALLY_FILLED),
        ("trade", partly, trade(2), FILLED),
    ]
    return tuple(Step(name, Look(state, before, report, 0), after) for name, before, report, after in walked)


def _order() -> Order:
    return Order(
        order_id=OrderId("h0000be0c0000001"), strategy=scene.STRATEGY, instrument=scene.INSTRUMENT, venue=scene.VENUE,
        side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, quantity=Decimal(scene.QUANTITY),
        price=Decimal(60_000), created_ns=scene.START_NS, updated_ns=scene.START_NS,
    )  # fmt: skip


def _weigh(make: Callable[[], object]) -> int:
    """Bytes that one more of these takes."""
    make()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [make() for _ in range(WEIGHED)]
        return (tracemalloc.get_traced_memory()[0] - before) // len(kept)
    finally:
        tracemalloc.stop()
