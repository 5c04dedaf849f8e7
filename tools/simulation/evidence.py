"""What a world has left behind, read once for all the checks: events, the state after each, and the ledgers' facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from attrs import define, frozen

from adapters.simulated import ledger
from adapters.simulated.state import State as ExchangeState
from adapters.simulated.state import apply as apply_fact
from engine import events
from engine.codec import decode, decode_state, encode_state
from engine.fold import apply
from engine.order import Order
from engine.state import Recorded, State
from engine.values import OrderId, VenueName, exact_arithmetic
from tools.simulation.world import World

Seen = Callable[[Recorded, "Order | None", State], Iterator[str]]
"""Looks at one event, the order it is about as it was before, and the state after it; yields what is wrong."""


@frozen
class Book:
    """One exchange's side: its facts with their seq and instant, and what they amount to."""

    facts: tuple[tuple[int, int, ledger.Fact], ...]
    state: ExchangeState

    def executed(self) -> Iterator[tuple[str, ledger.OrderExecuted]]:
        """Its executions by their ids."""
        return ((f"x{seq}", fact) for seq, _ns, fact in self.facts if isinstance(fact, ledger.OrderExecuted))


@define
class Evidence:
    """Both sides of a world. `decided` are the journal's events, `state` is what they fold to, `shortened` the same by
    a snapshot in their middle."""

    world: World
    decided: list[Recorded]
    state: State
    shortened: State
    books: Mapping[VenueName, Book]
    problems: list[str]

    def fills(self) -> Iterator[events.FillBooked]:
        """The executions that were booked."""
        return (one.event for one in self.decided if isinstance(one.event, events.FillBooked))


def gather(world: World, looks: tuple[Seen, ...]) -> Evidence:
    """Decode and fold once; `looks` see every step of it."""
    decoded = [decode(entry) for entry in world.log.entries]
    state, shortened = State(), State()
    problems: list[str] = []
    middle = len(decoded) // 2
    with exact_arithmetic():
        for one in decoded:
            before = state.orders.get(OrderId(getattr(one.event, "order_id", "")))
            apply(state, one)
            for look in looks:
                problems += look(one, before, state)
            if one.seq == middle:
                shortened = decode_state(encode_state(state))
        for one in decoded[middle:]:
            apply(shortened, one)
    return Evidence(world, decoded, state, shortened, _books(world), problems)


def _books(world: World) -> dict[VenueName, Book]:
    found = {}
    for name, log in world.ledgers.items():
        facts = tuple((entry.seq, entry.at_ns, ledger.fact_of(entry)) for entry in log.entries)
        state = ExchangeState()
        with exact_arithmetic():
            for seq, at_ns, fact in facts:
                apply_fact(state, seq, at_ns, fact)
        found[name] = Book(facts, state)
    return found
