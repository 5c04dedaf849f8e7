"""What holds whatever venues say, in whatever order: random reports, legal and absurd, against the books."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from engine import events, inputs
from engine.capabilities import Source
from engine.codec import decode as decode_event
from engine.codec import decode_state, digest, encode, encode_state
from engine.fold import apply
from engine.inputs import Refusal, RequestKind, Resolution, VenueStatus
from engine.order import OPEN, TERMINAL, Order, Pending
from engine.order_decision import CancelAsked, decide_order
from engine.order_guards import OperatorResolved
from engine.state import Recorded, State
from engine.values import (
    SECOND_NS,
    ZERO,
    Asset,
    ClientOrderId,
    ExecId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    VenueOrderId,
    exact_arithmetic,
    plain,
)
from tests.conftest import ROOT
from tests.engine.bench import BTC, ETH, SOURCES, T0_NS, TREND, VENUE, Bench, d
from tests.engine.entries import stored

quantities = st.integers(1, 12).map(Decimal)
prices = st.sampled_from([d("99.5"), d("100"), d("101")])
exec_ids = st.sampled_from([ExecId(f"e{n}") for n in range(5)])
sides = st.sampled_from(Side)
ORDERS = ("o1", "o2", "o3")


def _heads(absurd: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Whose report it is: ours mostly; absurd ones name strangers, nobody, other instruments and other venues."""
    ours = st.sampled_from(ORDERS).map(
        lambda o: {"client_order_id": ClientOrderId(f"c-{o}"), "venue_order_id": VenueOrderId(f"v-{o}")}
    )
    where = {"venue": VENUE, "instrument": BTC}
    if not absurd:
        return ours.map(lambda ids: where | ids)
    ids = ours | st.fixed_dictionaries({
        "client_order_id": st.sampled_from([None, "c-o1", "c-o9", "hvoay0b1c0000011", ""]),
        "venue_order_id": st.sampled_from([None, "v-o1", "v-9", ""]),
    })  # fmt: skip
    place = st.fixed_dictionaries({
        "venue": st.sampled_from([VENUE, VENUE, VENUE, VenueName("elsewhere")]),
        "instrument": st.sampled_from([BTC, BTC, ETH, InstrumentName("XRP-USDT"), None]),
        "transact_ns": st.sampled_from([None, T0_NS - 1, T0_NS + 5]),
        "raw": st.sampled_from(["", "{}", "x" * 20_000]),
    })  # fmt: skip
    return st.builds(lambda a, b: a | b, place, ids)


def _fields(absurd: bool) -> dict[Any, dict[str, st.SearchStrategy[Any]]]:
    most = st.sampled_from([d("0"), d("-1"), d("1E+20")]) if absurd else quantities
    amounts = quantities | most
    return {
        inputs.Ack: {}, inputs.PendingNewAck: {}, inputs.CancelAcked: {}, inputs.Canceled: {}, inputs.Expired: {},
        inputs.ReplaceAcked: {}, inputs.ReplaceRejected: {}, inputs.DoneForDay: {}, inputs.Suspended: {},
        inputs.Triggered: {},
        inputs.Rejected: {"refusal": st.sampled_from(Refusal)},
        inputs.CancelRejected: {"refusal": st.sampled_from(Refusal)},
        inputs.Trade: {"exec_id": exec_ids, "side": sides, "quantity": amounts, "price": prices,
                       "fee": st.none() | st.just(d("0.01")), "fee_asset": st.just(Asset("USDT"))},
        inputs.TradeCorrect: {"exec_id": exec_ids, "quantity": amounts, "price": prices},
        inputs.TradeCancel: {"exec_id": exec_ids},
        inputs.FeeReported: {"exec_id": exec_ids, "fee": st.just(d("0.02")), "fee_asset": st.just(Asset("BNB"))},
        inputs.Replaced: {"quantity": amounts, "price": prices},
        inputs.Restated: {"quantity": amounts},
        inputs.OutcomeUnknown: {"request": st.sampled_from(RequestKind), "cause": st.just("timeout")},
        inputs.StatusReport: {
            "status": st.sampled_from(VenueStatus), "side": sides, "order_type": st.just(OrderType.LIMIT),
            "time_in_force": st.just(TimeInForce.GTC), "quantity": amounts, "filled": amounts | st.just(ZERO),
            "price": prices},
        inputs.NotFound: {"asked_ns": st.sampled_from([T0_NS, T0_NS + 100 * SECOND_NS, T0_NS + 200 * SECOND_NS]),
                          "sources": st.sampled_from([(), SOURCES, (Source.ORDER_QUERY,)])},
        inputs.QueryFailed: {"cause": st.just("503")},
    }  # fmt: skip


def _reports(absurd: bool) -> st.SearchStrategy[Any]:
    heads = _heads(absurd)
    return st.one_of(*(
        st.builds(lambda kind, head, fields: kind(**(head | fields)), st.just(kind), heads,
                  st.fixed_dictionaries(fields))
        for kind, fields in _fields(absurd).items()
    ))  # fmt: skip


def _commands() -> st.SearchStrategy[Any]:
    resolved = st.builds(
        OperatorResolved, order_id=st.just(OrderId("o1")), resolution=st.sampled_from(Resolution), by=st.just("uid 0"),
        reason=st.just(""), quantity=st.none() | quantities, price=st.none() | prices,
    )  # fmt: skip
    return resolved | st.just(CancelAsked(by="operator"))


def _executions() -> st.SearchStrategy[Any]:
    """Few orders and few ids, so that corrections and busts often meet what they are about."""
    return st.builds(
        lambda kind, order, exec_id, quantity: kind(
            venue=VENUE, instrument=BTC, client_order_id=ClientOrderId(f"c-{order}"), exec_id=ExecId(exec_id),
            **({} if kind is inputs.TradeCancel else {"quantity": quantity, "price": d(100)}),
            **({"side": Side.BUY} if kind is inputs.Trade else {}),
        ),
        st.sampled_from([inputs.Trade, inputs.Trade, inputs.TradeCorrect, inputs.TradeCancel]),
        st.sampled_from(ORDERS[:2]), st.sampled_from(["e0", "e1"]), quantities,
    )  # fmt: skip


# `one_of` would flatten what it is given, and executions would be one kind of report among fifty.
_kinds_of_step = st.sampled_from([_reports(True), _reports(False), _executions(), _executions(), _commands()])
absurd_steps = st.lists(_kinds_of_step.flatmap(lambda kind: kind), max_size=15)


def _begin() -> Bench:
    """Three orders: one requested, one working, one in doubt with a replacement outstanding."""
    bench = Bench()
    bench.submit("o1")
    bench.work("o2")
    bench.work("o3", side=Side.SELL)
    bench.book(events.ReplaceRequested(
        order_id=OrderId("o3"), new_client_order_id=ClientOrderId("c-o3b"), quantity=d(12), price=d(101), by="x"
    ))  # fmt: skip
    return bench


def _step(bench: Bench, step: Any) -> list[events.Event]:
    bench.wait(SECOND_NS)
    if isinstance(step, (CancelAsked, OperatorResolved)):
        return bench.about(OrderId("o1"), step)
    return bench.report(step)


def _run(steps: Sequence[Any]) -> Bench:
    bench = _begin()
    for step in steps:
        _step(bench, step)
    return bench


@given(absurd_steps)
def test_the_books_agree_with_the_executions_whatever_is_reported(steps: list[Any]) -> None:
    """No report raises; Σ LastQty = CumQty; position = Σ signed executions; terminal orders have no leaves."""
    bench = _begin()
    for step in steps:
        before = {name: order.filled for name, order in bench.state.orders.items()}
        made = _step(bench, step)
        executed = {e.order_id for e in made if isinstance(e, (events.FillBooked, events.FillCorrected,
                                                               events.FillBusted))}  # fmt: skip
        changed = {name for name, filled in before.items() if bench.state.orders[name].filled != filled}
        assert changed <= executed
        _check_books(bench.state)


def _check_books(state: State) -> None:
    for order in state.orders.values():
        counted = [e for e in state.executions.values() if e.order_id == order.order_id and not e.busted]
        assert order.filled == sum((e.quantity for e in counted), ZERO)
        assert order.notional == sum((e.quantity * e.price for e in counted), ZERO)
        assert (order.order_id in state.open_ids) == order.is_open
        if order.status in TERMINAL:
            assert not order.leaves
            assert {order.pending_cancel, order.pending_replace} == {Pending.NONE}
            assert order.replacement is None
        if order.status in OPEN:
            assert order.exposure >= order.leaves
    for name in state.positions:
        signed = [
            plain(e.quantity * e.side.sign) for e in state.executions.values()
            if not e.busted and state.orders[e.order_id].instrument == name
        ]  # fmt: skip
        assert state.position(name).quantity == sum(signed, ZERO)


@given(absurd_steps, st.data())
def test_a_report_that_is_decided_twice_makes_its_events_once(steps: list[Any], data: st.DataObject) -> None:
    """Fills, corrections, busts, fees and ends happen once; a question or an anomaly may be repeated."""
    bench = _run(steps)
    report = data.draw(_reports(False))
    bench.report(report)
    before = {name: (o.status, o.filled, o.notional) for name, o in bench.state.orders.items()}
    money = (dict(bench.state.positions), {name: dict(held) for name, held in bench.state.balances.items()})
    again = bench.report(report)
    assert {name: (o.status, o.filled, o.notional) for name, o in bench.state.orders.items()} == before
    assert money == (bench.state.positions, bench.state.balances)
    facts = (events.FillBooked, events.FillCorrected, events.FillBusted, events.FeeBooked, events.OrderVoided)
    assert not [event for event in again if isinstance(event, facts)]


# --- the same whatever the order in which the channels are read -------------------------------------------------


@st.composite
def _channels(draw: st.DrawFn) -> tuple[list[Any], list[Any], list[Any]]:
    """One history of three orders as three channels tell it: the replies, the stream, a list that was read twice."""
    replies: list[Any] = []
    stream: list[Any] = []
    listed: list[Any] = []
    for name in ORDERS[:2]:
        head: dict[str, Any] = {"venue": VENUE, "instrument": BTC, "client_order_id": ClientOrderId(f"c-{name}"),
                                "venue_order_id": VenueOrderId(f"v-{name}"), "transact_ns": T0_NS + 1}  # fmt: skip
        replies.append(inputs.Ack(**head))
        stream.append(inputs.Ack(**head))
        parts = draw(st.lists(st.integers(1, 4), max_size=4))
        fills = [inputs.Trade(**head, exec_id=ExecId(f"{name}-{n}"), side=Side.BUY, quantity=Decimal(part),
                              price=d(100)) for n, part in enumerate(parts) if sum(parts[: n + 1]) <= 10]  # fmt: skip
        stream += fills
        listed += fills
        if sum(fill.quantity for fill in fills) < 10:
            end = draw(st.sampled_from([inputs.Canceled, inputs.Expired, None]))
            if end is not None:
                stream.append(end(**head))
    return replies, stream, listed


def _merge(data: st.DataObject, channels: Sequence[list[Any]]) -> list[Any]:
    waiting = [list(channel) for channel in channels if channel]
    merged = []
    while waiting:
        channel = data.draw(st.sampled_from(range(len(waiting))))
        merged.append(waiting[channel].pop(0))
        waiting = [rest for rest in waiting if rest]
    return merged


@given(_channels(), st.data())
def test_the_order_in_which_channels_are_read_does_not_matter(channels: Any, data: st.DataObject) -> None:
    found = []
    for _ in range(2):
        bench = _begin()
        for report in _merge(data, channels):
            _step(bench, report)
        found.append((
            {name: (o.status, o.filled, o.notional, o.leaves) for name, o in bench.state.orders.items()},
            {key: evolve(e, seq=0) for key, e in sorted(bench.state.executions.items())},
            bench.state.positions,
        ))  # fmt: skip
    assert found[0] == found[1]


# --- replay -----------------------------------------------------------------------------------------------------


def _replayed(recorded: Sequence[Recorded], state: State | None = None) -> State:
    state = state or State()
    with exact_arithmetic():
        for entry in recorded:
            apply(state, decode_event(stored(encode(entry))))
    return state


@given(absurd_steps, st.integers(0, 400))
def test_a_replay_gives_the_same_bytes(steps: list[Any], cut: int) -> None:
    """From the beginning, and from a snapshot anywhere."""
    bench = _run(steps)
    expected = encode_state(bench.state)
    assert encode_state(_replayed(bench.recorded)) == expected
    place = min(cut, len(bench.recorded))
    snapshot = decode_state(encode_state(_replayed(bench.recorded[:place])))
    from_snapshot = _replayed(bench.recorded[place:], snapshot)
    assert encode_state(from_snapshot) == expected
    assert digest(from_snapshot) == digest(bench.state)


@given(absurd_steps)
def test_an_event_is_stored_as_one_text(steps: list[Any]) -> None:
    for entry in _run(steps).recorded:
        draft = encode(entry)
        again = decode_event(stored(draft))
        assert again == entry
        assert encode(again) == draft


SEEDED = """
from tests.engine.test_invariants import seeded_digest
print(seeded_digest())
"""


def seeded_digest() -> str:
    """A digest of one history, for processes with other hash seeds."""
    bench = _begin()
    for name in ("c-o1", "c-o2", "stranger", "other"):
        head: dict[str, Any] = {"venue": VENUE, "instrument": BTC, "client_order_id": ClientOrderId(name)}
        bench.report(inputs.Trade(**head, exec_id=ExecId(name), side=Side.BUY, quantity=d(3), price=d(100),
                                  fee=d("0.1"), fee_asset=Asset("BNB")))  # fmt: skip
    bench.book(events.StrategyAdvanced(strategy=TREND, told_seq=1, memory={"b": [1, {"$decimal": "2"}], "a": "x"}))
    return digest(bench.state) + encode_state(bench.state).hex()


def test_the_digest_does_not_depend_on_the_hash_seed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", SEEDED], cwd=ROOT, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for seed in ("0", "1", "4242")
    }  # fmt: skip
    assert found == {seeded_digest() + "\n"}


# --- exposure against a venue -----------------------------------------------------------------------------------


class ReferenceVenue:
    """What may really be open: one order, its requests on their way, its executions."""

    def __init__(self) -> None:
        self.on_the_way: list[str] = ["new"]
        self.quantity = ZERO
        self.filled = ZERO
        self.executions: list[Decimal] = []

    @property
    def could_execute(self) -> Decimal:
        """The most that may still come, with whatever is on its way arriving."""
        if self.quantity and self.filled >= self.quantity:
            return ZERO  # what is still on its way finds it closed
        most = self.quantity
        for request in self.on_the_way:
            most = max(most, {"new": d(10), "replace": d(14)}.get(request, ZERO))
        return most - self.filled

    def arrive(self, lost: bool) -> str | None:
        request = self.on_the_way.pop(0) if self.on_the_way else None
        if lost or request is None:
            return None
        if request == "new":
            self.quantity = d(10)
        elif self.quantity > self.filled:
            self.quantity = d(14) if request == "replace" else self.filled
        return request

    def execute(self, quantity: int) -> Decimal:
        done = min(Decimal(quantity), self.quantity - self.filled)
        if done > 0:
            self.filled += done
            self.executions.append(done)
        return done


moves = st.lists(
    st.tuples(st.sampled_from("arrive lose execute execute tell unknown cancel replace status".split()),
              st.integers(1, 6), st.booleans()), max_size=25,
)  # fmt: skip


@given(moves)
def test_exposure_covers_what_the_venue_could_still_do(script: list[tuple[str, int, bool]]) -> None:
    """Replies get lost, executions are told late: what is booked and what counts as exposure is never too little. The
    end of an order names no CumQty(14): an execution that is told behind it is late, and nothing more can come."""
    bench = Bench()
    order = bench.submit()
    venue, told = ReferenceVenue(), 0
    for move, number, reply in script:
        bench.wait(SECOND_NS // 10)
        told = _play(bench, venue, order, move, number, reply, told)
        now = bench.order(order)
        if now.is_open:
            assert now.exposure >= venue.could_execute + venue.filled - now.filled
        else:
            assert not venue.could_execute


def _play(bench: Bench, venue: ReferenceVenue, order: OrderId, move: str, number: int, reply: bool, told: int) -> int:
    head: dict[str, Any] = {"venue": VENUE, "instrument": BTC, "client_order_id": ClientOrderId("c-o1")}
    now = bench.order(order)
    if move in ("arrive", "lose"):
        request = venue.arrive(lost=move == "lose")
        if request is not None and reply:
            _reply(bench, venue, order, request, head)
    elif move == "execute":
        venue.execute(number)
    elif move == "tell" and told < len(venue.executions):
        bench.report(inputs.Trade(**head, exec_id=ExecId(f"x{told}"), side=Side.BUY, price=d(100),
                                  quantity=venue.executions[told]))  # fmt: skip
        return told + 1
    elif move == "unknown":
        for kind, pending in (("new", now.status == "pending_new"), ("cancel", now.pending_cancel == "sent"),
                              ("replace", now.pending_replace == "sent")):  # fmt: skip
            if pending:
                bench.report(inputs.OutcomeUnknown(**head, request=RequestKind(kind), cause="timeout"))
    elif move == "cancel" and now.pending_cancel is Pending.NONE and now.is_open:
        bench.take(decide_order(bench.state, now, CancelAsked(by="x"), bench.now_ns))
        venue.on_the_way.append("cancel")
    elif move == "replace" and _can_be_replaced(now):
        bench.book(events.ReplaceRequested(order_id=order, new_client_order_id=ClientOrderId("c-b"), quantity=d(14),
                                           price=d(100), by="x"))  # fmt: skip
        venue.on_the_way.append("replace")
    elif move == "status" and venue.quantity:
        is_open = venue.filled < venue.quantity
        bench.report(inputs.StatusReport(
            **head, status=VenueStatus.NEW if is_open else VenueStatus.FILLED, side=Side.BUY,
            order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, quantity=venue.quantity, filled=venue.filled,
            price=d(100),
        ))  # fmt: skip
    return told


def _can_be_replaced(now: Order) -> bool:
    return now.status in ("new", "partially_filled") and {now.pending_replace, now.pending_cancel} == {Pending.NONE}


def _reply(bench: Bench, venue: ReferenceVenue, order: OrderId, request: str, head: dict[str, Any]) -> None:
    if request == "new":
        bench.report(inputs.Ack(**head, venue_order_id=VenueOrderId("v-o1")))
    elif request == "replace" and venue.quantity == d(14):
        bench.report(inputs.Replaced(**head, quantity=d(14), price=d(100)))
    elif request == "cancel" and venue.quantity == venue.filled and venue.filled < d(10):
        bench.report(inputs.Canceled(**head))
