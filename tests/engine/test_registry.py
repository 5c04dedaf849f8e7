"""The registry of instruments: what a venue lists, what of it changes, and what may not be traded for that."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from engine import events, inputs
from engine.events import Event, TermChange
from engine.instrument import Instrument, InstrumentKind
from engine.outbox import SubmitOrder
from engine.settings import InstrumentSettings
from engine.strategy import Answers, Context, Intent
from engine.values import Asset, Side
from tests.engine.bench import BTC, DESCRIPTION, ETH, INSTRUMENTS, SETTINGS, T0_NS, TREND, VENUE, d
from tests.engine.world import ScriptedVenue, World, scripted

LISTED = INSTRUMENTS[0]


def wanting(callback: str, context: Context, argument: Any) -> Answers:
    """Always another order at the bid."""
    return [Intent(instrument=BTC, side=Side.BUY, quantity="1", price=argument.bid)] if callback == "on_quote" else None


def begin(listed: Instrument = LISTED, said: InstrumentSettings | None = None) -> World:
    settings = SETTINGS if said is None else evolve(SETTINGS, instruments={BTC: said})
    described = evolve(DESCRIPTION, instruments=(listed, INSTRUMENTS[1]))
    return World(settings, {TREND: scripted(wanting)}, [ScriptedVenue(described)])


def list_again(world: World, *listed: Instrument, **changes: Any) -> list[Event]:
    """The venue describes itself anew, in the middle of a run."""
    described = evolve(DESCRIPTION, instruments=listed, **changes)
    world.venue.description = described
    return world.tell(inputs.VenueDescribed(described))


def denials(world: World) -> list[tuple[str, dict[str, str]]]:
    return [(e.reason, e.numbers) for e in world.since(0) if isinstance(e, events.OrderDenied)]


def changes(made: list[Event]) -> list[tuple[str, tuple[TermChange, ...]]]:
    return [(event.instrument, event.changes) for event in made if isinstance(event, events.InstrumentChanged)]


def test_a_change_of_precision_is_told_open_orders_stay_and_new_ones_meet_the_new_terms() -> None:
    world = begin()
    world.quote("100.5", "101")
    world.tell(inputs.Ack(**world.head()))
    made = list_again(world, evolve(LISTED, tick=d("1"), lot=d("0.5")), INSTRUMENTS[1])
    assert changes(made) == [(BTC, (TermChange("tick", "0.5", "1"), TermChange("lot", "0.1", "0.5")))]
    assert [event.kind for event in made] == ["VenueDescribed", "InstrumentChanged"]
    assert world.only().is_open
    world.quote("99.5", "101")
    assert denials(world) == [("tick", {"price": "99.5", "tick": "1"})]
    assert list_again(world, evolve(LISTED, tick=d("1"), lot=d("0.5")), INSTRUMENTS[1]) == []
    world.restart()
    assert world.state.instruments[BTC].tick == 1


def test_what_is_listed_no_more_is_refused_until_it_is_again() -> None:
    world = begin()
    assert changes(list_again(world, INSTRUMENTS[1])) == [(BTC, (TermChange("listed", "yes", "no"),))]
    world.quote()
    assert denials(world) == [("instrument_not_listed", {"venue": VENUE, "symbol": "BTCUSDT"})]
    world.restart()
    assert list(world.state.unlisted) == [BTC]
    assert changes(list_again(world, *INSTRUMENTS)) == [(BTC, (TermChange("listed", "no", "yes"),))]
    world.quote("99", "100")
    assert len(world.venue.take(SubmitOrder)) == 1


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"is_halted": True}, "instrument_halted"),
        ({"kind": InstrumentKind.PERPETUAL, "settlement_asset": Asset("BTC")}, "inverse_not_supported"),
        ({"kind": InstrumentKind.FUTURE, "expiry_ns": T0_NS}, "instrument_expired"),
    ],
)
def test_what_can_not_be_traded_is_refused_by_name(terms: dict[str, Any], reason: str) -> None:
    world = begin()
    list_again(world, evolve(LISTED, **terms), INSTRUMENTS[1])
    world.quote()
    assert [found for found, _numbers in denials(world)] == [reason]


def test_a_contract_is_traded_up_to_its_expiry() -> None:
    """The last nanosecond before, and the instant itself."""
    world = begin()
    expiry_ns = world.clock.ns + 1_000_000
    list_again(world, evolve(LISTED, kind=InstrumentKind.FUTURE, expiry_ns=expiry_ns), INSTRUMENTS[1])
    world.clock.ns = expiry_ns - 1
    world.quote()
    assert denials(world) == []
    world.clock.ns = expiry_ns
    world.quote("99", "100")
    assert denials(world) == [("instrument_expired", {"expiry_ns": str(expiry_ns), "now_ns": str(expiry_ns)})]


def test_terms_that_contradict_the_configuration_pause_the_instrument_until_they_agree() -> None:
    """Said with both words; the others are traded; a restart says it again; the venue's change of mind ends it."""
    world = begin(said=InstrumentSettings(tick=d("0.25"), lot=d("0.1"), settlement_asset="USDT"))
    (pause,) = world.state.pauses.values()
    assert (pause.scope, pause.subject, pause.reason) == ("instrument", BTC, "instrument_differs")
    assert pause.detail == "tick is 0.25 in the configuration and 0.5 at the venue"
    world.quote()
    world.tell(evolve(world.market.quotes[BTC], instrument=ETH))
    assert [reason for reason, _numbers in denials(world)] == ["paused"]
    world.restart()
    assert [held.reason for held in world.state.pauses.values()] == ["instrument_differs"]
    list_again(world, evolve(LISTED, tick=d("0.25")), INSTRUMENTS[1])
    assert world.state.pauses == {}


def test_another_multiplier_under_an_open_position_is_shut_until_somebody_has_looked() -> None:
    contract = evolve(LISTED, kind=InstrumentKind.PERPETUAL, multiplier=d("0.01"))
    world = begin(contract)
    world.venue.complete = tuple(inputs.Section)
    world.connect()
    world.quote("100", "101")
    assert list_again(world, evolve(contract, multiplier=d("0.02")), INSTRUMENTS[1])[-1].kind == "InstrumentChanged"
    world.tell(world.trade("1"))
    assert world.state.position(BTC).cost == 2  # nothing was held when it changed
    list_again(world, evolve(contract, multiplier=d("0.5")), INSTRUMENTS[1])
    (pause,) = world.state.pauses.values()
    assert (pause.subject, pause.reason, pause.latched) == (BTC, "multiplier_changed", True)
    assert "it is 0.5 now" in pause.detail
    assert world.state.position(BTC).value(d(100)) == 2


def test_another_account_is_never_traded_on() -> None:
    world = begin()
    made = list_again(world, *INSTRUMENTS, account="account-2")
    assert [event.kind for event in made] == ["TradingPaused", "SystemChanged"]
    known = world.state.venues[VENUE].description
    assert known is not None
    assert known.account == "account-1"
    assert world.state.paused_by(venue=VENUE) is not None


def test_notional_and_rounding_of_a_contract() -> None:
    contract = evolve(LISTED, multiplier=d("0.01"))
    assert contract.notional(d(3), d(100)) == 3
    assert contract.notional(d(-3), d(100)) == -3
