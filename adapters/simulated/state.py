"""The exchange's state: the fold of its ledger and nothing else, so that a restart is a fold of the log again.

Order ids and execution ids come from the facts' seq, so that no restart repeats one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TypedDict

from attrs import Factory, define, evolve, frozen

from adapters.simulated.account import Account
from adapters.simulated.book import Resting, RestingBook
from adapters.simulated.ledger import (
    Deposited,
    ExchangeOpened,
    Fact,
    FundingPaid,
    Noted,
    OrderAccepted,
    OrderCanceled,
    OrderExecuted,
    OrderExpired,
    OrderReduced,
    OrderRefused,
    OrderReplaced,
    OrderTriggered,
    StopMoved,
    TapeStarted,
    TapeStepped,
    TrailSet,
    fact_of,
)
from adapters.simulated.wire import Executed, Funding, OrderRow
from engine.inputs import VenueStatus
from engine.ports import Stored
from engine.values import ZERO, Asset, ClientOrderId, ExecId, VenueOrderId, exact_arithmetic, plain

CLOSED_MOST = 100_000
"""Closed orders that are remembered; of older ones a question says that they are unknown."""

EXECUTIONS_MOST = 200_000
"""Executions that are remembered; an account that is asked for older ones is not complete."""


class Head(TypedDict):
    """The fields of `wire.OrderFrame`."""

    symbol: str
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    at_ns: int


@frozen(kw_only=True)
class Order:
    """An order at the exchange. `priority` is the seq from which it stands in its price's queue."""

    venue_order_id: VenueOrderId
    client_order_ids: tuple[ClientOrderId, ...]
    accepted: OrderAccepted
    quantity: Decimal
    price: Decimal | None
    reserved_each: Decimal
    priority: int
    updated_ns: int
    status: VenueStatus = VenueStatus.NEW
    filled: Decimal = ZERO
    executions: tuple[Executed, ...] = ()
    stop_price: Decimal | None = None
    is_triggered: bool = False

    @property
    def leaves(self) -> Decimal:
        """What may still trade."""
        return self.quantity - self.filled if self.status.is_open else ZERO

    @property
    def waits(self) -> bool:
        """Does it wait for the market to come to its stop price?"""
        return self.accepted.order_type.has_trigger and not self.is_triggered

    @property
    def locked(self) -> Decimal:
        """What it locks of its reserved asset."""
        return self.leaves * self.reserved_each

    def head(self, at_ns: int) -> Head:
        """What every message about the order carries."""
        return {
            "symbol": self.accepted.symbol,
            "client_order_id": self.accepted.client_order_id,
            "venue_order_id": self.venue_order_id,
            "at_ns": at_ns,
        }

    def row(self) -> OrderRow:
        """The order as the exchange tells it."""
        terms = self.accepted
        return OrderRow(
            **self.head(self.updated_ns), side=terms.side, order_type=terms.order_type,
            time_in_force=terms.time_in_force, quantity=self.quantity, filled=self.filled, price=self.price,
            status=self.status, stop_price=self.stop_price,
        )  # fmt: skip


@define
class Taken:
    """What was taken of the displayed levels since they were last renewed."""

    version: int = -1
    levels: dict[Decimal, Decimal] = Factory(dict)


@define
class State:
    """Everything that the ledger says. Changed by `apply` alone."""

    seq: int = 0
    at_ns: int = 0
    identity: str = ""
    tape: TapeStarted | None = None
    steps: int = 0
    refused: int = 0
    account: Account = Factory(Account)
    open: dict[VenueOrderId, Order] = Factory(dict)
    waiting: dict[VenueOrderId, None] = Factory(dict)
    sweeping: dict[VenueOrderId, None] = Factory(dict)
    ends_ns: dict[VenueOrderId, int] = Factory(dict)
    group_filled: dict[str, Decimal] = Factory(dict)
    closed: dict[VenueOrderId, Order] = Factory(dict)
    ids: dict[ClientOrderId, VenueOrderId] = Factory(dict)
    books: dict[str, RestingBook] = Factory(dict)
    executions: list[Executed] = Factory(list)
    fundings: list[Funding] = Factory(list)
    forgotten_ns: int = -1
    net: dict[str, Decimal] = Factory(dict)
    taken: dict[str, Taken] = Factory(dict)
    trails: dict[VenueOrderId, TrailSet] = Factory(dict)
    notes: dict[VenueOrderId, str] = Factory(dict)
    marks: dict[str, str] = Factory(dict)

    def find(self, venue_order_id: VenueOrderId | None, client_order_id: ClientOrderId | None) -> Order | None:
        """The order of that id; of several that had a client id in turn, the newest."""
        named = venue_order_id
        if named is None and client_order_id is not None:
            named = self.ids.get(client_order_id)
        return None if named is None else self.open.get(named) or self.closed.get(named)

    def is_open_id(self, client_order_id: ClientOrderId) -> bool:
        """Is an order with that client id open?"""
        return self.ids.get(client_order_id) in self.open

    def book(self, symbol: str) -> RestingBook:
        """The client orders that rest in a symbol."""
        return self.books.get(symbol) or RestingBook()

    def locked(self, asset: Asset) -> Decimal:
        """What open orders lock of an asset; of a group only one can need it."""
        total, groups = ZERO, dict[str, Decimal]()
        for order in self.open.values():
            if order.accepted.reserved_asset == asset and order.accepted.group is None:
                total += order.locked
            elif order.accepted.reserved_asset == asset and order.accepted.group is not None:
                group = order.accepted.group
                groups[group] = max(groups.get(group, ZERO), order.locked)
        return total + sum(groups.values(), ZERO)

    def group(self, name: str | None) -> list[Order]:
        """The open orders of a group: what one of them executes, the others lose."""
        return [] if name is None else [order for order in self.open.values() if order.accepted.group == name]

    def free(self, asset: Asset) -> Decimal:
        """What may be used for a new order."""
        return self.account.total(asset) - self.locked(asset)

    def available(self, symbol: str, version: int, price: Decimal, displayed: Decimal) -> Decimal:
        """What is left of a displayed level."""
        taken = self.taken.get(symbol)
        if taken is None or taken.version != version:
            return displayed
        return max(ZERO, displayed - taken.levels.get(price, ZERO))


@exact_arithmetic()
def fold(entries: Iterable[Stored], until_ns: int | None = None) -> State:
    """The state that a log's entries lead to (those up to and with `until_ns`, if given)."""
    state = State()
    for stored in entries:
        if until_ns is not None and stored.at_ns > until_ns:
            break
        apply(state, stored.seq, stored.at_ns, fact_of(stored))
    return state


def apply(state: State, seq: int, at_ns: int, fact: Fact) -> None:
    """Book one fact; asserts that it can be, because an impossible one is our own bug."""
    assert seq == state.seq + 1, f"fact {seq} after {state.seq}"
    state.seq, state.at_ns = seq, max(state.at_ns, at_ns)
    match fact:
        case OrderAccepted():
            _accept(state, seq, at_ns, fact)
        case OrderExecuted():
            _execute(state, seq, at_ns, fact)
        case OrderReplaced():
            _replace(state, seq, at_ns, fact)
        case OrderCanceled():
            _close(state, fact.venue_order_id, at_ns, VenueStatus.CANCELED)
        case OrderExpired():
            _close(state, fact.venue_order_id, at_ns, VenueStatus.EXPIRED)
        case OrderTriggered():
            _trigger(state, seq, at_ns, fact)
        case OrderReduced():
            _reduce(state, at_ns, fact)
        case StopMoved():
            order = state.open[fact.venue_order_id]
            state.open[fact.venue_order_id] = evolve(order, stop_price=fact.stop_price, updated_ns=at_ns)
        case TrailSet():
            state.trails[fact.venue_order_id] = fact
        case Noted():
            _note(state, fact)
        case OrderRefused():
            state.refused += 1
        case Deposited():
            state.account.add(fact.asset, fact.quantity)
        case FundingPaid():
            state.account.add(fact.asset, fact.amount)
            state.fundings.append(Funding(fact.symbol, f"f{seq}", fact.asset, fact.amount, at_ns))
        case TapeStarted():
            state.tape, state.steps = fact, 0
        case TapeStepped():
            state.steps += 1
        case ExchangeOpened():
            state.identity = fact.identity


def _note(state: State, fact: Noted) -> None:
    """An order's note lives as long as the order is remembered; of other subjects the oldest are forgotten."""
    named = VenueOrderId(fact.subject)
    if named in state.open or named in state.closed:
        state.notes[named] = fact.text
        return
    state.marks[fact.subject] = fact.text
    if len(state.marks) > CLOSED_MOST:
        del state.marks[next(iter(state.marks))]


def _accept(state: State, seq: int, at_ns: int, fact: OrderAccepted) -> None:
    order = Order(
        venue_order_id=VenueOrderId(str(seq)), client_order_ids=(fact.client_order_id,), accepted=fact,
        quantity=fact.quantity, price=fact.price, reserved_each=fact.reserved_each, priority=seq, updated_ns=at_ns,
        stop_price=fact.stop_price,
    )  # fmt: skip
    state.ids[fact.client_order_id] = order.venue_order_id
    if order.waits:
        state.waiting[order.venue_order_id] = None
    if fact.good_till_ns is not None:
        state.ends_ns[order.venue_order_id] = fact.good_till_ns
    _rest(state, order)


def _trigger(state: State, seq: int, at_ns: int, fact: OrderTriggered) -> None:
    """From here on it stands in the book, at the end of its price's queue; without a price it takes what comes."""
    del state.waiting[fact.venue_order_id]
    order = evolve(state.open[fact.venue_order_id], is_triggered=True, priority=seq, updated_ns=at_ns)
    if order.price is None:
        state.sweeping[order.venue_order_id] = None
    _rest(state, order)


def _execute(state: State, seq: int, at_ns: int, fact: OrderExecuted) -> None:
    order = state.open[fact.venue_order_id]
    terms = order.accepted
    assert ZERO < fact.quantity <= order.leaves, f"{fact} executes more than there is"
    executed = Executed(
        **order.head(at_ns), exec_id=ExecId(f"x{seq}"), side=terms.side, quantity=fact.quantity, price=fact.price,
        fee=fact.fee, fee_asset=fact.fee_asset, liquidity=fact.liquidity,
    )  # fmt: skip
    if terms.settles_in is None:
        state.account.trade(terms.base, terms.quote, executed)
    else:
        state.account.trade_contract(terms, executed)
    state.net[terms.symbol] = state.net.get(terms.symbol, ZERO) + fact.quantity * terms.side.sign
    _take(state, terms.symbol, fact)
    _remember(state, executed)
    if terms.group is not None:
        state.group_filled[terms.group] = plain(state.group_filled.get(terms.group, ZERO) + fact.quantity)
        if len(state.group_filled) > CLOSED_MOST:
            del state.group_filled[next(iter(state.group_filled))]
    filled = plain(order.filled + fact.quantity)
    changed = evolve(order, filled=filled, executions=(*order.executions, executed), updated_ns=at_ns)
    if filled == order.quantity:
        _finish(state, changed, VenueStatus.FILLED)
    else:
        state.open[order.venue_order_id] = evolve(changed, status=VenueStatus.PARTIALLY_FILLED)


def _take(state: State, symbol: str, fact: OrderExecuted) -> None:
    taken = state.taken.setdefault(symbol, Taken())
    if taken.version != fact.version:
        taken.version, taken.levels = fact.version, {}
    if fact.level is not None:
        taken.levels[fact.level] = taken.levels.get(fact.level, ZERO) + fact.quantity


def _remember(state: State, executed: Executed) -> None:
    state.executions.append(executed)
    if len(state.executions) > EXECUTIONS_MOST:
        state.forgotten_ns = state.executions.pop(0).at_ns


def _replace(state: State, seq: int, at_ns: int, fact: OrderReplaced) -> None:
    order = state.open[fact.venue_order_id]
    assert fact.quantity >= order.filled, f"{fact} is less than what is executed"
    _unrest(state, order)
    changed = evolve(
        order, client_order_ids=(*order.client_order_ids, fact.new_client_order_id), quantity=fact.quantity,
        price=fact.price, reserved_each=fact.reserved_each, updated_ns=at_ns,
        priority=order.priority if fact.keeps_priority else seq,
        stop_price=order.stop_price if fact.stop_price is None else fact.stop_price,
    )  # fmt: skip
    state.ids[fact.new_client_order_id] = order.venue_order_id
    _rest(state, changed)
    if changed.filled == changed.quantity:
        _finish(state, changed, VenueStatus.FILLED)


def _reduce(state: State, at_ns: int, fact: OrderReduced) -> None:
    order = state.open[fact.venue_order_id]
    assert order.filled <= fact.quantity < order.quantity, f"{fact} is no reduction"
    if fact.quantity == order.filled:
        _close(state, fact.venue_order_id, at_ns, VenueStatus.CANCELED)
    else:
        state.open[fact.venue_order_id] = evolve(order, quantity=fact.quantity, updated_ns=at_ns)


def _close(state: State, venue_order_id: VenueOrderId, at_ns: int, status: VenueStatus) -> None:
    _finish(state, evolve(state.open[venue_order_id], updated_ns=at_ns), status)


def _rest(state: State, order: Order) -> None:
    state.open[order.venue_order_id] = order
    if order.price is not None and not order.waits:
        book = state.books.setdefault(order.accepted.symbol, RestingBook())
        book.add(Resting.of(order.accepted.side, order.price, order.priority, order.venue_order_id))


def _unrest(state: State, order: Order) -> None:
    if order.price is not None and not order.waits:
        book = state.books[order.accepted.symbol]
        book.remove(Resting.of(order.accepted.side, order.price, order.priority, order.venue_order_id))


def _finish(state: State, order: Order, status: VenueStatus) -> None:
    _unrest(state, order)
    del state.open[order.venue_order_id]
    for index in (state.waiting, state.sweeping, state.ends_ns, state.trails):
        index.pop(order.venue_order_id, None)
    state.closed[order.venue_order_id] = evolve(order, status=status)
    if len(state.closed) > CLOSED_MOST:
        oldest = state.closed.pop(next(iter(state.closed)))
        state.notes.pop(oldest.venue_order_id, None)
        for client_order_id in oldest.client_order_ids:
            if state.ids.get(client_order_id) == oldest.venue_order_id:
                del state.ids[client_order_id]
