"""What is looked at after every step of a trial: each new event and each new fact once, so that it stays cheap."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.simulated import ledger
from engine import events
from engine.codec import decode, digest
from engine.fold import apply
from engine.state import Recorded, State
from engine.system import SystemState
from engine.values import OrderId, VenueName, exact_arithmetic
from tools.harness.ledger_model import LedgerModel
from tools.simulation.invariants import REQUESTED, STEPS, limits_hold
from tools.simulation.world import World


class Watch:
    """Folds the journal as it grows, beside the engine, and the exchanges' ledgers into the reference models."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.state = State()
        self.models = {name: LedgerModel() for name in world.ledgers}
        self.fills: list[events.FillBooked] = []
        self._facts_seen = dict.fromkeys(world.ledgers, 0)
        self._steps = (*STEPS, limits_hold(world))
        self._requested: dict[str, OrderId] = {}
        self._accepted: dict[OrderId, str] = {}
        self._flattens: set[OrderId] = set()

    def look(self) -> list[str]:
        """What is wrong with what has happened since the last look."""
        problems: list[str] = []
        with exact_arithmetic():
            for entry in self._world.log.read(self.state.seq):
                problems += self._event(decode(entry))
            for name, log in self._world.ledgers.items():
                for entry in log.read(self._facts_seen[name]):
                    problems += self._fact(name, entry.seq, ledger.fact_of(entry))
                self._facts_seen[name] = log.seq
        engine = self._world.engine
        if engine is not None and digest(self.state) != digest(engine.state):
            problems.append(f"I5: at seq {self.state.seq} the journal does not fold to the live state")
        return problems

    def compare(self) -> list[str]:
        """Where the books differ from the reference models; asked of a world that has settled."""
        with exact_arithmetic():
            return [
                problem
                for name, model in self.models.items()
                for problem in model.differences(self.state, name, dict(self._world.setting.exchanges()[name].symbols))
            ]

    def _event(self, one: Recorded) -> Iterator[str]:
        event = one.event
        system = self.state.system
        before = self.state.orders.get(OrderId(getattr(event, "order_id", "")))
        apply(self.state, one)
        for step in self._steps:
            yield from step(one, before, self.state)
        for model in self.models.values():
            model.note(one)
        if isinstance(event, events.OrderIntended) and event.reason.get("operator") == "flatten":
            self._flattens.add(event.order_id)
        elif isinstance(event, events.FillBooked):
            self.fills.append(event)
        elif isinstance(event, events.StrategyFailed):
            frames = "; ".join(event.frames)
            yield f"the strategy raised in {event.callback}: {event.type}: {event.message} ({frames})"
        if isinstance(event, events.SubmitRequested):
            self._requested[str(event.client_order_id)] = event.order_id
        if isinstance(event, REQUESTED) and system is not SystemState.TRADING and event.order_id not in self._flattens:
            yield f"O4: seq {one.seq} {event.kind} while {system}"

    def _fact(self, venue: VenueName, seq: int, fact: ledger.Fact) -> Iterator[str]:
        self.models[venue].book(seq, fact)
        if not isinstance(fact, ledger.OrderAccepted):
            return
        order_id = self._requested.get(fact.client_order_id)
        if order_id is None:
            yield f"O1: {fact.client_order_id} is at the exchange and was never requested"
        elif order_id in self._accepted:
            yield f"O2: {order_id} is two orders there, {self._accepted[order_id]} and {fact.client_order_id}"
        else:
            self._accepted[order_id] = fact.client_order_id
