"""What another exchange's wire needs of the simulated one: work at the desk, notes, dressed frames, trails, twins."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated import state as states
from adapters.simulated import wire
from adapters.simulated.exchange import Answer, Exchange
from adapters.simulated.faults import Fate, Faults, Kind
from adapters.simulated.gateway import Delivery, Gateway
from adapters.simulated.ledger import Noted, TrailSet
from adapters.simulated.state import State, apply, fold
from adapters.simulated.trailing import distance
from engine.values import Side, VenueOrderId
from tests.adapters.simulated.memory_log import MemoryLog
from tests.adapters.simulated.test_triggers import waiting
from tests.adapters.simulated.trading_day import STILL, T0_NS, moment, open_day, place

SECOND_NS = 10**9


@frozen
class Visit:
    """Places an order and notes something about it, in one commit."""

    kind: Kind | None = Kind.PLACE

    def carry_out(self, exchange: Exchange, fate: Fate, at_ns: int) -> Answer:
        """Refused where the fate says so."""
        if fate.busy:
            return Answer(wire.Foreign("busy"), exchange.advance(at_ns))

        def work() -> tuple[wire.Foreign, list[wire.StreamFrame]]:
            request = place("buy", "1", "90", client_order_id="a")
            reply, told = exchange.desk.carry_out(request, exchange.now_ns)
            assert isinstance(reply, wire.Accepted)
            exchange.scribe.write(exchange.now_ns, Noted(subject=str(reply.venue_order_id), text="noted"))
            return wire.Foreign(reply.venue_order_id), told

        return exchange.transact(work, at_ns)


def _come_out(gateway: Gateway, at_ns: int) -> list[Delivery]:
    return gateway.advance(at_ns)


def test_work_of_another_wire_is_one_commit_and_survives_a_restart() -> None:
    log = MemoryLog()
    gateway = Gateway(open_day(STILL, log), 0, Faults())
    before = len(log.batches)
    gateway.connect(1)
    gateway.send(1, 7, Visit(), T0_NS)
    (answer,) = [each for each in _come_out(gateway, T0_NS) if each.number == 7]
    assert isinstance(answer.frame, wire.Foreign)
    assert len(log.batches) == before + 1
    again = fold(log.read())
    assert again.notes == {answer.frame.body: "noted"}
    assert list(gateway.exchange.facts(0))


@pytest.mark.parametrize(("faults", "expected"), [
    (Faults(busy=[1]), [wire.Foreign("busy")]),
    (Faults(lose_reply=[1]), []),
    (Faults(error_reply=[1]), [wire.Failed("server error")]),
])  # fmt: skip
def test_it_meets_the_faults_of_its_kind(faults: Faults, expected: list[object]) -> None:
    gateway = Gateway(open_day(STILL), 0, faults)
    gateway.connect(1)
    gateway.send(1, 7, Visit(), T0_NS)
    assert [each.frame for each in _come_out(gateway, T0_NS) if each.number == 7] == expected


def test_frames_are_dressed_when_they_are_told() -> None:
    gateway = Gateway(open_day(STILL), SECOND_NS, Faults(duplicate={"every": 1, "on": ["execution"]}))
    gateway.dress = lambda at_ns, frame: wire.Foreign((at_ns, type(frame).__name__))
    gateway.connect(1)
    gateway.send(1, 1, wire.Hello(), T0_NS)
    gateway.send(1, 2, place("buy", "1", "101"), T0_NS + 1)
    told = [each.frame for each in _come_out(gateway, T0_NS + 3 * SECOND_NS) if each.number is None]
    bodies = [frame.body for frame in told if isinstance(frame, wire.Foreign)]
    assert [name for _, name in bodies].count("Executed") == 2, "doubled, and dressed once"
    assert len({at_ns for at_ns, _ in bodies}) == 1


def test_notes_of_no_order_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "CLOSED_MOST", 3)
    state = State()
    for number in range(1, 6):
        apply(state, number, T0_NS, Noted(subject=f"list:{number}", text="x"))
    assert list(state.marks) == ["list:3", "list:4", "list:5"]


@given(st.decimals("0.01", "100000", places=2), st.integers(1, 5_000))
def test_a_distance_is_kept_on_the_far_side(price: Decimal, bips: int) -> None:
    above, below = distance(price, bips, Side.BUY), distance(price, bips, Side.SELL)
    assert below < price < above
    assert above + below == 2 * price
    assert (above - price) * 10_000 == price * bips


def _trailing(begins_at: str | None, *bids: str) -> list[str]:
    """A sell stop, five percent behind; its stop price after each second."""
    played = [moment(n, f"{bid}x5", f"{int(bid) + 1}x5") for n, bid in enumerate(("100", *bids))]
    exchange = open_day(played)
    reply = exchange.place(waiting("stop", "sell", "1", stop_price=begins_at or "95"), T0_NS).reply
    assert isinstance(reply, wire.Accepted)
    named = VenueOrderId(str(reply.venue_order_id))
    begins = None if begins_at is None else Decimal(begins_at)

    def work() -> tuple[wire.Foreign, list[wire.StreamFrame]]:
        exchange.scribe.write(exchange.now_ns, TrailSet(venue_order_id=named, bips=500, begins_at=begins))
        return wire.Foreign(None), []

    exchange.transact(work, T0_NS)
    stops: list[str] = []
    for second in range(1, len(bids) + 1):
        exchange.advance(T0_NS + second * SECOND_NS)
        order = exchange.state.find(named, None)
        assert order is not None
        stops.append(str(order.stop_price) if order.waits and order.status.is_open else "off")
    return stops


def test_a_trail_follows_the_best_price_and_never_goes_back() -> None:
    assert _trailing(None, "120", "116", "130", "124", "123") == ["114", "114", "123.5", "123.5", "off"]


def test_a_trail_that_has_not_begun_waits() -> None:
    assert _trailing("90", "120", "91", "90", "88", "85") == ["90", "90", "85.5", "85.5", "off"]
