"""Whatever a strategy wants and whatever the venue can: what leaves is within it, and what is denied says why."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events, inputs
from engine.capabilities import Capabilities
from engine.order_effects import SAY_AGAIN_NS
from engine.outbox import ReplaceOrder, SubmitOrder
from engine.reasons import REASONS
from engine.strategy import Intent, Replace
from engine.values import SECOND_NS, OrderType, TimeInForce
from tests.engine.bench import BTC, CAPABILITIES, DESCRIPTION, SETTINGS, TREND
from tests.engine.world import ScriptedVenue, World, scripted

ABLE = st.builds(
    lambda types, times, post_only, replace: evolve(
        CAPABILITIES,
        order_types=(OrderType.MARKET, *types),
        times_in_force=(TimeInForce.GTC, *times),
        post_only=post_only,
        replace=replace,
    ),
    st.lists(st.sampled_from([kind for kind in OrderType if kind is not OrderType.MARKET]), unique=True),
    st.lists(st.sampled_from([time for time in TimeInForce if time is not TimeInForce.GTC]), unique=True),
    st.booleans(),
    st.booleans(),
)


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    """One of every kind, with the prices that its kind wants; those of the market are 100 and 101."""
    kind = draw(st.sampled_from(OrderType))
    terms: dict[str, Any] = {"order_type": kind, "time_in_force": draw(st.sampled_from(TimeInForce))}
    if kind.has_price:
        terms["price"] = 90
    if kind is OrderType.TRAILING_STOP:
        terms["trail"] = 5
    elif kind.has_trigger:
        terms["stop_price"] = draw(st.sampled_from([90, 110]))
    if terms["time_in_force"] is TimeInForce.GTD:
        terms["expires"] = 2_000_000_000 * SECOND_NS
    terms["post_only"] = kind is OrderType.LIMIT and draw(st.booleans())
    return Intent(instrument=BTC, side=draw(st.sampled_from(["buy", "sell"])), quantity=2, **terms)


def within(request: SubmitOrder, can: Capabilities) -> bool:
    return (
        request.order_type in can.order_types
        and request.time_in_force in can.times_in_force
        and (can.post_only or not request.post_only)
    )


@settings(max_examples=150, deadline=None)
@given(can=ABLE, wanted=st.lists(intents(), min_size=1, max_size=4))
def test_what_leaves_is_within_what_the_venue_can(can: Capabilities, wanted: list[Intent]) -> None:
    pending: list[Any] = list(wanted)

    def script(callback: str, context: Any, argument: Any) -> list[Any]:
        if callback != "on_quote":
            return []
        changes = [Replace(order.order_id, price=91) for order in context.open_orders(BTC) if order.price]
        return [*changes, *([pending.pop()] if pending else [])]

    submitted: list[SubmitOrder] = []
    world = World(SETTINGS, {TREND: scripted(script)}, [ScriptedVenue(evolve(DESCRIPTION, capabilities=can))])
    for bid, ask in (*[("100", "101")] * len(wanted), ("80", "81"), ("120", "121")):
        world.clock.ns += SAY_AGAIN_NS
        world.quote(bid, ask)
        for request in world.venue.take(SubmitOrder):
            submitted.append(request)
            order = world.state.orders[request.order_id]
            world.tell(inputs.Ack(**world.head(order) | {"venue_order_id": f"v-{order.order_id}"}))
    replaced = world.venue.take(ReplaceOrder)
    assert [request for request in submitted if not within(request, can)] == []
    assert can.replace or not replaced
    made = [recorded.event for recorded in world.recorded()]
    denials = [event for event in made if isinstance(event, events.OrderDenied)]
    assert [denied.reason for denied in denials if denied.reason not in REASONS] == []
    assert sum(isinstance(event, events.OrderIntended) for event in made) == len(wanted)


@settings(max_examples=60, deadline=None)
@given(intents())
def test_a_venue_that_can_all_of_it_denies_none_for_that(wanted: Intent) -> None:
    can = evolve(CAPABILITIES, order_types=tuple(OrderType), times_in_force=tuple(TimeInForce), post_only=True)
    world = World(
        SETTINGS,
        {TREND: scripted(lambda callback, *_: [wanted] if callback == "on_quote" else [])},
        [ScriptedVenue(evolve(DESCRIPTION, capabilities=can))],
    )
    world.quote()
    made = [recorded.event for recorded in world.recorded()]
    reasons = [event.reason for event in made if isinstance(event, events.OrderDenied)]
    assert [reason for reason in reasons if reason.endswith("_not_supported")] == []
