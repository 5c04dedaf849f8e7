"""The shell and the codec: append before release, a closed gate, a bounded inbox, and events that come back."""

from __future__ import annotations

import typing
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import codec, events, inputs
from engine.codec import KINDS, UnknownEvent, decode, decode_state, encode, encode_state
from engine.inbox import Inbox
from engine.inputs import Action, Candle, Quote, TradeTick, VenueLost
from engine.outbox import CancelOrder, QueryOrder, ReplaceOrder, SubmitOrder, TakeSnapshot
from engine.ports import Draft
from engine.runner import Died, SendGate
from engine.state import Recorded
from engine.strategy import Context, Intent
from engine.values import (
    SECOND_NS,
    ClientOrderId,
    ExecId,
    InstrumentName,
    OrderId,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    plain,
)
from tests.engine.bench import BTC, SETTINGS, T0_NS, TREND, d
from tests.engine.bench import VENUE as SIM
from tests.engine.entries import stored
from tests.engine.world import StillClock, World, one_order, scripted

# --- the runner -------------------------------------------------------------------------------------------------


def test_nothing_is_released_before_it_is_durable() -> None:
    order_of_calls: list[str] = []
    world = World()
    append, release = world.log.append, world.venue.release

    def append_noted(drafts: Any) -> int:
        order_of_calls.extend(f"append {draft.seq}" for draft in drafts)
        return append(drafts)

    def release_noted(request: Any) -> None:
        assert world.gate.durable_seq >= request.seq
        assert world.gate.allows(request)
        order_of_calls.append(f"release {request.seq}")
        release(request)

    world.log.append, world.venue.release = append_noted, release_noted  # type: ignore[method-assign]
    world.command(Action.PAUSE)
    world.command(Action.RESUME)
    released = [call for call in order_of_calls if call.startswith("release")]
    assert released
    for call in released:
        assert order_of_calls.index(f"append {call.split()[1]}") < order_of_calls.index(call)


def test_an_unknown_commit_ends_the_process_with_a_closed_gate() -> None:
    world = World()
    world.command(Action.PAUSE)
    world.venue.released.clear()
    world.log.fail_at = len(world.log.batches)
    with pytest.raises(Died):
        world.command(Action.RESUME)
    assert (world.gate.is_open, len(world.deaths), world.venue.released) == (False, 1, [])


def test_a_batch_is_one_commit_and_an_empty_one_none() -> None:
    world = World()
    before = len(world.log.batches)
    world.tell(inputs.VenueLost(SIM, "x"), inputs.VenueConnected(SIM), inputs.DiskMeasured(10**9))
    assert len(world.log.batches) == before + 1
    world.tell()
    assert len(world.log.batches) == before + 1


def test_time_never_goes_back_in_the_journal() -> None:
    world = World()
    world.clock.ns -= 60 * SECOND_NS
    world.tell(inputs.VenueLost(SIM, "x"))
    times = [recorded.at_ns for recorded in world.recorded()]
    assert times == sorted(times)


# --- the gate ---------------------------------------------------------------------------------------------------


def _requests(at_ns: int, seq: int) -> dict[str, Any]:
    head: dict[str, Any] = {"seq": seq, "at_ns": at_ns, "venue": SIM}
    about = head | {"order_id": OrderId("o"), "client_order_id": ClientOrderId("c"), "instrument": BTC,
                    "expires_ns": at_ns + SECOND_NS}  # fmt: skip
    return {
        "submit": SubmitOrder(**about, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC,
                              post_only=False, quantity=d(1), price=d(1)),
        "cancel": CancelOrder(**about, venue_order_id=None),
        "replace": ReplaceOrder(**about, venue_order_id=None, new_client_order_id=ClientOrderId("n"), quantity=d(1),
            side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, post_only=False,
            filled=d(0), old_quantity=d(2), old_price=d(1),
                                price=None),
        "query": QueryOrder(**head, client_order_id=None, venue_order_id=None, instrument=BTC),
        "snapshot": TakeSnapshot(**head, since_ns=0),
    }  # fmt: skip


@pytest.mark.parametrize("kind", _requests(0, 0))
def test_the_gate(kind: str) -> None:
    clock, owner = StillClock(), [True]
    gate = SendGate(clock, lambda: owner[0])
    gate.allow_until(10, 500)
    ages = kind in ("submit", "cancel", "replace")
    assert gate.allows(_requests(clock.ns, 10)[kind])
    assert not gate.allows(_requests(clock.ns, 11)[kind]), "not durable"
    assert gate.allows(_requests(clock.ns - 500, 10)[kind])
    assert gate.allows(_requests(clock.ns - 501, 10)[kind]) is not ages, "too old"
    owner[0] = False
    assert not gate.allows(_requests(clock.ns, 10)[kind])
    owner[0] = True
    gate.close()
    assert not gate.allows(_requests(clock.ns, 10)[kind])


# --- the inbox --------------------------------------------------------------------------------------------------


def _quote(bid: int, name: str = BTC) -> Quote:
    return Quote(InstrumentName(name), d(bid), d(1), d(bid + 1), d(1), T0_NS)


def _tick(number: int) -> TradeTick:
    return TradeTick(BTC, d(100), d(number + 1), T0_NS)


def test_the_newest_quote_of_each_instrument_wins() -> None:
    inbox = Inbox()
    for bid in range(1, 6):
        inbox.deliver(_quote(bid))
        inbox.deliver(_quote(bid * 2, "ETH-USDT"))
    assert inbox.take(100, 0) == [_quote(5), _quote(10, "ETH-USDT")]
    assert (inbox.quotes_replaced, inbox.depth()) == (8, 0)


def test_trades_are_bounded_and_the_newest_stay() -> None:
    inbox = Inbox(trades_limit=3)
    for number in range(5):
        inbox.deliver(_tick(number))
    taken = [seen for seen in inbox.take(100, 0) if isinstance(seen, TradeTick)]
    assert taken == [_tick(2), _tick(3), _tick(4)]
    assert inbox.trades_dropped == 2


def test_reports_come_first_and_in_their_order() -> None:
    inbox = Inbox()
    inbox.deliver(_quote(1))
    inbox.deliver(_tick(1))
    reports = [inputs.Ack(venue=SIM, client_order_id=ClientOrderId(str(number))) for number in range(5)]
    for report in reports:
        inbox.deliver(report)
    assert inbox.take(3, 0) == reports[:3]
    assert inbox.take(100, 0) == [*reports[3:], _tick(1), _quote(1)]


def test_a_full_inbox_loses_its_venue_once_and_nothing_of_others() -> None:
    inbox = Inbox(reports_limit=2)
    other = VenueName("other")
    kept: list[inputs.Input] = [inputs.Ack(venue=SIM), inputs.Canceled(venue=SIM)]
    command = inputs.OperatorCommand(action=Action.KILL, uid=0, pid=0)
    more: list[inputs.Input] = [inputs.Ack(venue=SIM), inputs.Expired(venue=SIM), inputs.Ack(venue=other), command]
    for seen in (*kept, *more):
        inbox.deliver(seen)
    taken = inbox.take(100, 0)
    assert taken == [VenueLost(SIM, "inbox full"), VenueLost(other, "inbox full"), *kept, command]
    assert inbox.reports_refused == 3
    inbox.deliver(inputs.Ack(venue=SIM))
    assert inbox.take(100, 0) == [inputs.Ack(venue=SIM)]
    assert inbox.take(100, 0) == []


def test_an_overflow_leads_through_reconciling() -> None:
    world = World()
    small = Inbox(reports_limit=1)
    small.deliver(inputs.CancelAcked(venue=SIM))
    small.deliver(inputs.CancelAcked(venue=SIM))
    world.tell(*small.take(100, 0))
    assert (world.state.system, world.venue_state()) == ("reconciling", "down")
    assert world.venue.reconnected == ["inbox full"]


# --- the codec --------------------------------------------------------------------------------------------------


def _entry(kind: str, **changes: Any) -> Any:
    draft = Draft(1, T0_NS, kind, 1, "", None, '{"jump_ns":5}')
    return stored(draft, **changes)


def test_an_unknown_kind_or_version_is_refused() -> None:
    assert decode(_entry("ClockJumped")).event == events.ClockJumped(jump_ns=5)
    for entry in (_entry("Nonsense"), _entry("ClockJumped", version=2), _entry("ClockJumped", version=0)):
        with pytest.raises(UnknownEvent):
            decode(entry)


def test_a_body_of_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(_entry("ClockJumped", body='{"jump_ns":"five"}'))


def test_old_versions_are_brought_up_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.ClockJumped, "VERSION", 3)
    monkeypatch.setitem(codec.UPCASTERS, ("ClockJumped", 1), lambda body: {"jump_ms": body["jump"] * 1000})
    monkeypatch.setitem(codec.UPCASTERS, ("ClockJumped", 2), lambda body: {"jump_ns": body["jump_ms"] * 1_000_000})
    assert decode(_entry("ClockJumped", body='{"jump":2}')).event == events.ClockJumped(jump_ns=2 * SECOND_NS)
    assert decode(_entry("ClockJumped", version=2, body='{"jump_ms":2}')).event.jump_ns == 2_000_000  # type: ignore[attr-defined]
    assert decode(_entry("ClockJumped", version=3)).event == events.ClockJumped(jump_ns=5)
    monkeypatch.delitem(codec.UPCASTERS, ("ClockJumped", 1))
    with pytest.raises(UnknownEvent, match="no way"):
        decode(_entry("ClockJumped"))


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**62), str: st.text(max_size=12), bool: st.booleans(), type(None): st.none(),
    Decimal: st.integers(-10**12, 10**12).map(lambda n: plain(Decimal(n).scaleb(-6))),
    Any: st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
}  # fmt: skip


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotated type, as far down as it goes."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, typing.NewType):
        return _values(kind.__supertype__)
    if origin is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=2)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return st.lists(_values(arguments[0]), max_size=2).map(tuple)
        return st.tuples(*(_values(argument) for argument in arguments))
    if attrs.has(kind):
        return _instances(kind)
    if isinstance(kind, type):
        return st.sampled_from(list(kind))  # type: ignore[call-overload]
    return st.one_of(*(_values(argument) for argument in arguments))


def _instances(kind: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    fields = {field.name: _values(hints[field.name]) for field in attrs.fields(kind)}
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=10)
@given(data=st.data())
def test_every_kind_of_event_comes_back_as_it_was(kind: str, data: st.DataObject) -> None:
    event = data.draw(_instances(KINDS[kind]))
    draft = encode(Recorded(7, T0_NS, event, 3))
    again = decode(stored(draft))
    assert again == Recorded(7, T0_NS, event, 3)
    assert encode(again) == draft
    assert (draft.kind, draft.subject) == (kind, event.subject)
    body = msgspec.json.decode(draft.body)
    assert _is_canonical(body)


def _is_canonical(body: Any) -> bool:
    """Keys in their order all the way down, and no float."""
    if isinstance(body, dict):
        return list(body) == sorted(body) and all(_is_canonical(item) for item in body.values())
    return all(_is_canonical(item) for item in body) if isinstance(body, list) else not isinstance(body, float)


def test_equal_numbers_have_equal_bytes_from_the_strategy_on() -> None:
    drafts = []
    for quantity in ("1", "1.0", "1.00"):
        world = one_order(quantity=quantity)
        drafts.append([entry.body for entry in world.log.read() if entry.kind == "OrderIntended"])
    assert drafts[0] == drafts[1] == drafts[2]


def test_the_settings_of_a_run_come_back() -> None:
    world = World(evolve(SETTINGS, risk=evolve(SETTINGS.risk, account=evolve(
        SETTINGS.risk.account, max_order_notional=d("100.5"), max_position={BTC: d(3)}))))  # fmt: skip
    world.restart()
    assert world.state.settings == world.settings
    makers: list[Callable[[], World]] = [World, one_order]
    assert all(make().log.seq for make in makers)


def test_a_snapshot_keeps_the_order_of_orders() -> None:
    """Ids of a later run may sort before those of an earlier one; what is open stays oldest first."""

    def always(callback: str, context: Context, seen: Any) -> list[Intent]:
        return [Intent(instrument=BTC, side="buy", quantity=1, price=100)] if callback == "on_quote" else []

    world = World(SETTINGS, {TREND: scripted(always)})
    for run in ("zzzz", "aaaa"):
        world.state.run = run
        world.quote()
    again = decode_state(encode_state(world.state))
    assert list(again.open_ids) == list(world.state.open_ids) != sorted(world.state.open_ids)
    assert list(again.orders) == list(world.state.orders)


def test_who_is_asked_on_a_finished_bar_sees_the_quote_of_its_close() -> None:
    inbox = Inbox()
    candle = Candle(BTC, d(1), d(2), d(1), d(2), d(9), T0_NS - 60, T0_NS, T0_NS)
    inbox.deliver(candle)
    inbox.deliver(Quote(BTC, d(2), d(1), d(3), d(1), T0_NS))
    assert [type(seen) for seen in inbox.take(9, 0)] == [Quote, Candle]
    inbox.deliver(candle)
    assert inbox.take(9, 0) == [candle]


@pytest.mark.parametrize("word", ["0E-0", "1E-7", "2.50E-3"])
def test_a_word_that_looks_like_a_small_number_stays_as_it_is(word: str) -> None:
    denied = events.OrderDenied(order_id=OrderId("o"), reason=word, numbers={"limit": word})
    assert decode(stored(encode(Recorded(1, T0_NS, denied)))).event == denied
    tiny = events.FillCorrected(
        order_id=OrderId("o"), venue=SIM, instrument=BTC, exec_id=ExecId(word), quantity=d("0.0000001"), price=d("1E-8")
    )
    body = encode(Recorded(1, T0_NS, tiny)).body
    assert f'"exec_id":"{word}"' in body
    assert '"price":"0.00000001","quantity":"0.0000001"' in body
