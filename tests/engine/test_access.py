"""A venue that says we ask too much, that refuses our key, that drops one subscription: each shuts what it concerns."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine import inputs
from engine.inputs import Refusal
from engine.order import Pending
from engine.outbox import CancelOrder, QueryOrder, SubmitOrder, TakeSnapshot
from engine.values import SECOND_NS, InstrumentName
from tests.engine.bench import BTC, ETH
from tests.engine.bench import VENUE as SIM
from tests.engine.world import LONG_NS, World, one_order


def reasons(world: World) -> set[tuple[str, str]]:
    return {(pause.subject, pause.reason) for pause in world.state.pauses.values()}


def throttle(world: World, seconds: int) -> inputs.VenueThrottled:
    return inputs.VenueThrottled(SIM, world.clock.ns + seconds * SECOND_NS, "429: too many requests")


# --- asked too much ---------------------------------------------------------------------------------------------


def test_nothing_is_asked_while_the_venue_takes_nothing() -> None:
    world = one_order()
    world.tell(inputs.OutcomeUnknown(**world.head(), request=inputs.RequestKind.NEW, cause="timeout"))
    world.venue.released.clear()
    world.tell(throttle(world, 60))
    assert reasons(world) == {(SIM, "throttled")}
    for _ in range(59):
        world.wait(SECOND_NS)
    assert world.venue.take(QueryOrder, TakeSnapshot, SubmitOrder) == []
    world.wait(SECOND_NS)
    assert reasons(world) == set()
    assert world.venue.take(QueryOrder, TakeSnapshot)


def test_a_restart_remembers_until_when() -> None:
    world = World()
    world.tell(throttle(world, 60))
    world.restart(connect=False)
    assert reasons(world) == {(SIM, "throttled")}
    assert world.state.venues[SIM].throttled_until_ns == world.clock.ns + 60 * SECOND_NS
    world.wait(61 * SECOND_NS)
    world.restart()
    assert (str(world.state.system), reasons(world)) == ("trading", set())


def test_what_was_known_already_is_no_event() -> None:
    world = World()
    told = throttle(world, 60)
    assert [event.kind for event in world.tell(told)] == ["VenueThrottled", "TradingPaused", "SystemChanged"]
    assert world.tell(told) == []
    assert [event.kind for event in world.tell(throttle(world, 90))] == ["VenueThrottled"]
    assert world.tell(inputs.VenueThrottled(SIM, world.clock.ns - 1, "past")) == []


def test_a_throttled_cancel_is_sent_again_and_a_throttled_order_is_closed() -> None:
    world = one_order()
    world.tell(inputs.Ack(**world.head()))
    world.command(inputs.Action.KILL)
    assert len(world.venue.take(CancelOrder)) == 1
    world.tell(inputs.CancelRejected(**world.head(), refusal=Refusal.THROTTLED, reason="too many requests"))
    assert world.only().pending_cancel is Pending.IN_DOUBT
    world.clock.ns += LONG_NS
    world.tell(world.status("new", asked_ns=world.clock.ns))
    assert len(world.venue.take(CancelOrder)) == 1
    refused = one_order()
    refused.tell(inputs.Rejected(**refused.head(), refusal=Refusal.THROTTLED, reason="too many orders"))
    assert str(refused.only().status) == "rejected"


# --- the key ----------------------------------------------------------------------------------------------------


def test_a_refused_key_shuts_the_venue_until_somebody_has_looked() -> None:
    world = World()
    assert next(event.kind for event in world.tell(inputs.CredentialsRefused(SIM, "-2015"))) == "TradingPaused"
    assert world.tell(inputs.CredentialsRefused(SIM, "-2015")) == []
    world.restart()
    assert (str(world.state.system), reasons(world)) == ("paused", {(SIM, "credentials_refused")})
    world.command(inputs.Action.RESUME)
    world.answer_snapshots()
    assert str(world.state.system) == "trading"


def test_a_refusal_by_policy_is_told_apart() -> None:
    world = one_order()
    found = world.tell(inputs.Rejected(**world.head(), refusal=Refusal.POLICY, reason="may not trade"))
    assert [(event.kind, str(event.refusal)) for event in found if hasattr(event, "refusal")] == [
        ("OrderRejected", "policy")
    ]


# --- subscriptions ----------------------------------------------------------------------------------------------


def lost(stream: str, instrument: InstrumentName | None = BTC) -> inputs.StreamLost:
    return inputs.StreamLost(SIM, stream, instrument, "not confirmed")


def test_a_missing_stream_shuts_its_instrument_alone() -> None:
    world = World()
    world.tell(lost("trade"), lost("depth"))
    assert reasons(world) == {(BTC, "stream_lost")}
    assert str(world.state.system) == "trading"
    world.tell(inputs.StreamUp(SIM, "trade", BTC))
    assert reasons(world) == {(BTC, "stream_lost")}
    world.tell(inputs.StreamUp(SIM, "depth", BTC))
    assert reasons(world) == set()
    assert world.tell(inputs.StreamUp(SIM, "depth", BTC)) == []


def test_everybodys_stream_shuts_the_venue_and_the_line_takes_all_with_it() -> None:
    world = World()
    world.tell(lost("status", None), lost("trade", ETH))
    assert reasons(world) == {(SIM, "stream_lost"), (ETH, "stream_lost")}
    world.tell(inputs.VenueLost(SIM, "1006"))
    assert reasons(world) == set()
    world.connect()
    assert str(world.state.system) == "trading"


@pytest.mark.parametrize("end", ["restart", "stream"])
def test_a_stream_that_is_missing_when_the_process_ends(end: str) -> None:
    world = World()
    world.tell(lost("trade"))
    if end == "restart":
        world.restart()
    else:
        world.tell(inputs.StreamUp(SIM, "trade", BTC))
    assert reasons(world) == set()
    assert world.state.venues[SIM].missing_streams == ()


def test_a_lost_stream_leaves_no_book_behind() -> None:
    world = World()
    levels = ((Decimal(100), Decimal(1)),)
    asks = ((Decimal(101), Decimal(1)),)
    world.tell(inputs.BookSnapshot(BTC, levels, asks, 7, world.clock.ns))
    world.market.watch(world.state.instruments[BTC])
    world.tell(inputs.BookSnapshot(BTC, levels, asks, 7, world.clock.ns))
    assert world.market.depth(BTC) is not None
    world.tell(lost("depth"))
    assert world.market.depth(BTC) is None
