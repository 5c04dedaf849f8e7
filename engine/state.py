"""State: everything that `decide` reads, and `apply`, the only function that changes it.

State is the one mutable object; every value in it is frozen. `apply(state, recorded)` changes it in place. It asserts:
an illegal event is our own bug and stops the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from attrs import Factory, define, frozen

from engine.account import Balances
from engine.capabilities import VenueDescription
from engine.events import Difference, Event
from engine.inputs import AccountMargin, Balance, Scope, Section, VenuePosition
from engine.instrument import Instrument
from engine.order import (
    Execution,
    Order,
)
from engine.position import Position, combine
from engine.settings import Settings
from engine.system import Pause, SystemState, VenueState
from engine.values import (
    EXACT,
    SECOND_NS,
    ZERO,
    ClientOrderId,
    InstrumentName,
    OrderId,
    StrategyName,
    VenueName,
    plain,
)

NOBODY = StrategyName("")
REJECT_RATE = "max_reject_rate"
UNTOLD_MOST = 10_000
_SPOT_SECTIONS = frozenset(set(Section) - {Section.POSITIONS})


@frozen
class Recorded:
    """An event with its header: the seq it was given when it was made, its time, and the seq that led to it."""

    seq: int
    at_ns: int
    event: Event
    cause: int | None = None


@frozen
class MissingStream:
    """A subscription of market data that is not there; without an instrument it concerns all of them."""

    stream: str
    instrument: InstrumentName | None


@frozen(kw_only=True)
class Venue:
    """What is known of one account at a venue; times in ns, 0 where never. `shown` are the balances that it showed
    last, at `shown_ns`; `tolerated` what was off by no more than the tolerance."""

    state: VenueState = VenueState.DOWN
    description: VenueDescription | None = None
    opened_ns: int = 0
    opening: tuple[Balance, ...] | None = None
    opening_positions: tuple[VenuePosition, ...] = ()
    asked_seq: int = 0
    asked_ns: int = 0
    awaited: bool = False
    reconciled_ns: int = 0
    reconciled_asked_ns: int = 0
    retry_ns: int = 0
    differences: tuple[Difference, ...] = ()
    confirmed: tuple[Difference, ...] = ()
    open_orders_seen: int | None = None
    shown: tuple[Balance, ...] = ()
    shown_ns: int = 0
    tolerated: tuple[Difference, ...] = ()
    throttled_until_ns: int = 0
    missing_streams: tuple[MissingStream, ...] = ()
    margin: AccountMargin | None = None
    liquidation_prices: dict[InstrumentName, Decimal] = Factory(dict)

    @property
    def wanted_sections(self) -> frozenset[Section]:
        """The sections of a complete snapshot; positions are only wanted where contracts are traded."""
        listed = self.description.instruments if self.description is not None else ()
        if all(instrument.is_spot for instrument in listed):
            return _SPOT_SECTIONS
        return frozenset(Section)


@frozen
class Fact:
    """Something that a strategy has to be told: a fill or an order's change, in seq order."""

    seq: int
    order_id: OrderId
    exec_key: str = ""


@frozen(kw_only=True)
class StrategyState:
    """What survives of a strategy: its memory, how far it has been told, and what it has still to hear."""

    memory: dict[str, Any] = Factory(dict)
    told_seq: int = 0
    untold: tuple[Fact, ...] = ()


@frozen
class Outcome:
    """What a venue made of a new order: the guard against a jump of refusals counts them."""

    at_ns: int
    venue: VenueName
    strategy: StrategyName
    is_rejected: bool


@frozen
class Day:
    """The result at the beginning of a UTC day, by quote asset: part of the digest of every journal. (A daily loss is
    measured from a watermark.)"""

    number: int = 0
    result: dict[str, Decimal] = Factory(dict)


@frozen(kw_only=True)
class Watermark:
    """What a scope's loss is measured from: equity when `day` began, and its highest mark (None: none since an operator
    resumed)."""

    day: int
    opening: Decimal
    peak: Decimal | None


@define
class State:
    """The present, folded from the journal."""

    seq: int = 0
    at_ns: int = 0
    journal_id: str = ""
    run: str = ""
    epoch: int = 0
    system: SystemState = SystemState.STOPPED
    system_reason: str = ""
    starts_without_trading: int = 0
    started_ns: int = 0
    reconciling_since_ns: int = 0
    settings: Settings = Factory(Settings)
    venues: dict[VenueName, Venue] = Factory(dict)
    instruments: dict[InstrumentName, Instrument] = Factory(dict)
    pauses: dict[str, Pause] = Factory(dict)
    killed_seq: int = 0
    kill_verified: bool = True
    flatten: bool = False
    orders: dict[OrderId, Order] = Factory(dict)
    by_client_id: dict[ClientOrderId, OrderId] = Factory(dict)
    by_venue_id: dict[str, OrderId] = Factory(dict)
    open_ids: dict[OrderId, None] = Factory(dict)
    held_ids: dict[OrderId, None] = Factory(dict)
    timed_ids: dict[OrderId, None] = Factory(dict)
    worked_ids: dict[OrderId, None] = Factory(dict)
    linked: dict[OrderId, tuple[OrderId, ...]] = Factory(dict)
    crossed_ids: dict[OrderId, None] = Factory(dict)
    styled_ns: dict[InstrumentName, int] = Factory(dict)
    closed_ids: dict[OrderId, int] = Factory(dict)
    keys: dict[str, OrderId] = Factory(dict)
    executions: dict[str, Execution] = Factory(dict)
    executions_of: dict[OrderId, tuple[str, ...]] = Factory(dict)
    positions: dict[InstrumentName, dict[StrategyName, Position]] = Factory(dict)
    nets: dict[InstrumentName, Position] = Factory(dict)
    balances: dict[VenueName, Balances] = Factory(dict)
    fundings: dict[str, int] = Factory(dict)
    unlisted: dict[InstrumentName, None] = Factory(dict)
    outcomes: tuple[Outcome, ...] = ()
    last_event_seq: dict[str, int] = Factory(dict)
    submitted_ns: tuple[int, ...] = ()
    strategies: dict[StrategyName, StrategyState] = Factory(dict)
    last_intent: dict[str, int] = Factory(dict)
    said: dict[str, int] = Factory(dict)
    day: Day = Factory(Day)
    digested_seq: int = 0
    archived_to_seq: int = 0
    recent: dict[str, tuple[int, ...]] = Factory(dict)
    fees_day: int = 0
    fees_today: dict[str, Decimal] = Factory(dict)
    watermarks: dict[str, Watermark] = Factory(dict)
    venue_errors_ns: dict[VenueName, tuple[int, ...]] = Factory(dict)

    # --- questions that decide, risk and the tools ask

    def order_of(
        self, client_id: str | None, venue: VenueName, venue_order_id: str | None, instrument: str | None
    ) -> Order | None:
        """The order a report is about: by our client order id first, else by the venue's own for the instrument. An
        order that goes by another client id is not meant: some venues give their ids out again."""
        found = self.by_client_id.get(ClientOrderId(client_id)) if client_id else None
        if found is None and venue_order_id:
            found = self.by_venue_id.get(venue_id_key(venue, instrument or "", venue_order_id))
            order = self.orders.get(found) if found else None
            is_another = client_id and order is not None and order.client_order_id not in (None, client_id)
            return None if is_another else order
        return self.orders.get(found) if found else None

    def open_orders(self) -> Iterator[Order]:
        """Orders that may still trade, oldest first."""
        return (self.orders[order_id] for order_id in self.open_ids)

    def position(self, instrument: InstrumentName, strategy: StrategyName | None = None) -> Position:
        """A strategy's position, or with None the account's: the sum over all of them."""
        held = self.positions.get(instrument, {})
        return (held.get(strategy) or Position()) if strategy is not None else combine(held.values())

    def paused_by(self, *, venue: str = "", instrument: str = "", strategy: str = "") -> Pause | None:
        """The first pause that covers all of the given, in the order in which they began."""
        if not self.pauses:
            return None
        covered = {Scope.ALL: "", Scope.VENUE: venue, Scope.INSTRUMENT: instrument, Scope.STRATEGY: strategy}
        for pause in self.pauses.values():
            if pause.scope is Scope.ALL or (covered[pause.scope] and covered[pause.scope] == pause.subject):
                return pause
        return None

    def used_venues(self) -> Iterator[tuple[VenueName, Venue]]:
        """The venues of the present configuration."""
        return ((name, self.venues[name]) for name in self.settings.venues if name in self.venues)

    def is_connected(self, venue: VenueName) -> bool:
        """Are the venue's streams up, so that nothing it says now is missed?"""
        known = self.venues.get(venue)
        return known is not None and known.state is not VenueState.DOWN

    def is_ready(self, venue: VenueName) -> bool:
        """May orders go to this venue?"""
        known = self.venues.get(venue)
        return known is not None and known.state is VenueState.READY


def venue_id_key(venue: str, instrument: str, venue_order_id: str) -> str:
    """What makes a venue's order id one: many venues count them by symbol."""
    return f"{venue}/{instrument}/{venue_order_id}"


def execution_key(venue: str, instrument: str, exec_id: str) -> str:
    """What makes an execution one: (account, symbol, ExecID)."""
    return f"{venue}/{instrument}/{exec_id}"


def watermark_key(scope: str, subject: str, asset: str) -> str:
    """The name of a watermark in State; a whole account's pause is one of everything."""
    return f"{'account' if scope == Scope.ALL else scope}/{subject}/{asset}"


def results_by_asset(state: State) -> dict[str, Decimal]:
    """Realised result and funding less fees, by the asset of the result (fees in other assets are not converted)."""
    found: dict[str, Decimal] = {}
    for name, held in state.positions.items():
        quote = state.instruments[name].cash
        for position in held.values():
            net = EXACT.subtract(EXACT.add(position.realized, position.funding), position.fees.get(quote, ZERO))
            found[quote] = plain(EXACT.add(found.get(quote, ZERO), net))
    return found


def funding_key(venue: str, instrument: str, funding_id: str) -> str:
    """What makes a funding payment one."""
    return f"{venue}/{instrument}/{funding_id}"


def position_to_book(state: State, instrument: InstrumentName, strategy: StrategyName) -> Position:
    """A strategy's position, or the empty one of that instrument."""
    held = state.positions.setdefault(instrument, {})
    return held.get(strategy) or Position(multiplier=state.instruments[instrument].multiplier)


def roll_day(state: State, at_ns: int) -> None:
    """At the first execution of a UTC day, note where its result begins."""
    number = at_ns // (86_400 * SECOND_NS)
    if number != state.day.number:
        state.day = Day(number, results_by_asset(state))


def intent_fingerprint(order: Order) -> str:
    """What makes two intents equal for the duplicate guard."""
    terms = f"{order.order_type}/{order.quantity}/{order.price}"
    trail = order.trail if order.trail_fraction is None else f"{order.trail_fraction} of the price"
    waits_for = "" if order.stop_price is None and trail is None else f"/{order.stop_price}/{trail}"
    return f"{order.strategy}/{order.instrument}/{order.side}/{terms}{waits_for}"


def touch(state: State, venue: VenueName, instrument: Instrument | None, seq: int) -> None:
    """Remember that something of ours happened to these assets: a snapshot asked before it says nothing about them."""
    if instrument is not None:
        state.last_event_seq[f"{venue}/{instrument.base}"] = seq
        state.last_event_seq[f"{venue}/{instrument.quote}"] = seq
        if not instrument.is_spot:
            state.last_event_seq[f"{venue}/{instrument.cash}"] = seq
            state.last_event_seq[f"{venue}/{instrument.name}"] = seq
