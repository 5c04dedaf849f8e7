"""Contracts on borrowed money: what the venue says of margin and liquidation is kept, and settings are compared."""

from __future__ import annotations

from attrs import evolve

from engine import events, inputs
from engine.capabilities import MarginMode
from engine.inputs import AccountMargin, Section, VenuePosition
from engine.instrument import InstrumentKind
from engine.outbox import TakeSnapshot
from engine.settings import InstrumentSettings
from engine.values import Asset, ClientOrderId, ExecId, Side, VenueOrderId
from tests.engine.bench import BTC, DESCRIPTION, SETTINGS, d
from tests.engine.bench import VENUE as SIM
from tests.engine.world import ScriptedVenue, World
from tools.money import holdings

FIRST, *OTHERS = DESCRIPTION.instruments
CONTRACT = evolve(FIRST, kind=InstrumentKind.PERPETUAL, leverage=5, margin_mode=MarginMode.ISOLATED)
LISTED = evolve(DESCRIPTION, instruments=(CONTRACT, *OTHERS))


def begin(said: InstrumentSettings | None = None) -> World:
    venue = ScriptedVenue(LISTED)
    venue.complete = tuple(Section)
    return World(evolve(SETTINGS, instruments={BTC: said or InstrumentSettings()}), venues=[venue])


def test_margin_and_liquidation_are_what_the_last_snapshot_said() -> None:
    world = begin()
    margin = AccountMargin(Asset("USDT"), d(1000), d(12), d(100))
    row = VenuePosition(BTC, d(0), liquidation_price=d(80))
    world.wait(SETTINGS.reconcile.every_ns)
    (asked,) = world.venue.take(TakeSnapshot)
    world.tell(world.venue.snapshot(asked, margin=margin, positions=(row,)))
    assert world.state.venues[SIM].margin == margin
    assert world.state.venues[SIM].liquidation_prices == {BTC: d(80)}
    world.wait(SETTINGS.reconcile.every_ns)
    (asked,) = world.venue.take(TakeSnapshot)
    world.tell(world.venue.snapshot(asked, complete=(Section.OPEN_ORDERS, Section.BALANCES)))
    known = world.state.venues[SIM]  # what was not told is not taken for nothing
    assert (known.margin, known.liquidation_prices) == (margin, {BTC: d(80)})


def test_the_position_of_the_account_shows_where_the_venue_liquidates_it() -> None:
    world = begin()
    sold = inputs.Trade(
        venue=SIM, client_order_id=ClientOrderId("autoclose-1"), venue_order_id=VenueOrderId("v-9"), instrument=BTC,
        exec_id=ExecId("e1"), side=Side.SELL, quantity=d(2), price=d(100), fee=d("0.1"), fee_asset=Asset("USDT"),
        transact_ns=world.clock.ns + 1,
    )  # fmt: skip
    made = [event.kind for event in world.tell(sold)]
    assert made == ["ExternalOrderSeen", "FillBooked"]
    world.wait(SETTINGS.reconcile.every_ns)
    (asked,) = world.venue.take(TakeSnapshot)
    row = VenuePosition(BTC, d(-2), d(100), liquidation_price=d(180))
    world.tell(world.venue.snapshot(asked, positions=(row,)))
    account, nobody = holdings(world.state, {})
    assert (account.strategy, account.position.quantity, account.liquidation_price) == (None, d(-2), d(180))
    assert (nobody.strategy, nobody.liquidation_price, nobody.fees) == ("", None, d("0.1"))


def test_what_the_account_has_set_is_compared_and_never_changed() -> None:
    said = InstrumentSettings(leverage=3, margin_mode=MarginMode.CROSS)
    world = begin(said)
    (pause,) = world.state.pauses.values()
    assert (pause.subject, pause.reason) == (BTC, "instrument_differs")
    assert "leverage is 3 in the configuration and 5 at the venue" in pause.detail
    assert "margin_mode is cross in the configuration and isolated at the venue" in pause.detail
    settled = evolve(LISTED, instruments=(evolve(CONTRACT, leverage=3, margin_mode=MarginMode.CROSS), *OTHERS))
    found = world.tell(inputs.VenueDescribed(settled))
    assert world.state.pauses == {}
    changed = [event for event in found if isinstance(event, events.InstrumentChanged)]
    assert {(each.term, each.before, each.after) for each in changed[0].changes} == {
        ("leverage", "5", "3"), ("margin_mode", "isolated", "cross"),
    }  # fmt: skip
