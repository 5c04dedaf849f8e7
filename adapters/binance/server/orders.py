"""New orders, in the exchange's thread: the checks that Binance makes, then the simulated exchange's desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from attrs import evolve, frozen

from adapters.binance.server.faults import BinanceFaults
from adapters.binance.server.filters import Checked, Filter, check_filters, filters_of
from adapters.binance.server.refusal import CLOSED, DISABLED, WOULD_TRIGGER, Refused, refusal_of
from adapters.binance.server.shapes import CONDITIONAL, ms, placed
from adapters.binance.server.terms import Register, Terms
from adapters.binance.server.tickets import Ticket
from adapters.simulated import wire
from adapters.simulated.desk import Outcome
from adapters.simulated.ledger import TrailSet
from adapters.simulated.state import Order
from adapters.simulated.trailing import distance
from engine.instrument import Instrument
from engine.values import ZERO, ClientOrderId, Side, divide, plain

Frames = list[wire.StreamFrame | wire.Foreign]
Result = tuple[Any, Frames]
"""The JSON of an answer, and what is told to everyone."""

EVERYTHING = Decimal(10) ** 12
"""More than any book holds: what a market order by its quote quantity walks along."""


@frozen
class Floor:
    """What work in the exchange's thread stands on: the register, the faults of now, the account's rights."""

    register: Register
    faults: BinanceFaults
    can_trade: bool = True
    can_withdraw: bool = False
    count_orders: Callable[[int], None] = lambda _count: None

    @property
    def now_ns(self) -> int:
        """The exchange's instant, by its own clock."""
        return self.register.exchange.now_ns + self.faults.clock_offset_ns

    def instrument(self, symbol: str) -> Instrument:
        """The symbol's terms: -1121 where there is none."""
        found = self.register.exchange.rules.instruments.get(symbol)
        if found is None:
            raise Refused(-1121)
        return found

    def filters(self, symbol: str) -> list[Filter]:
        """The symbol's filters as they are now."""
        changed: Mapping[str, Mapping[str, Any]] = self.faults.filters.get(symbol, {})
        return filters_of(self.instrument(symbol), changed)

    def status(self, symbol: str) -> str:
        """TRADING, HALT, BREAK …"""
        return self.faults.symbol_status.get(symbol, "TRADING")

    def touch(self, symbol: str, side: Side) -> Decimal | None:
        """The price at which an order of that side would trade."""
        levels = self.register.exchange.market.levels(symbol, side.opposite)
        return levels[0][0] if levels else None


def check_only(floor: Floor, ticket: Ticket) -> Result:
    """All checks, and nothing else."""
    check(floor, ticket)
    return {}, []


def place(floor: Floor, ticket: Ticket) -> Result:
    """A new order: the JSON that its response kind asks for."""
    order, terms, told = enter(floor, ticket)
    return placed(order, terms, ticket.response, floor.now_ns), told


def enter(floor: Floor, ticket: Ticket, group: str | None = None, list_id: int = -1) -> tuple[Order, Terms, Frames]:
    """The order, checked, accepted and noted; raises `Refused`, and then it has had no effect."""
    ticket = check(floor, ticket)
    reply, told = send(floor, ticket, group)
    if not isinstance(reply, wire.Accepted):
        assert isinstance(reply, wire.Refused), f"{reply} answers a new order"
        raise refusal_of(reply.reason)
    venue_order_id = reply.venue_order_id
    assert venue_order_id is not None
    terms = Terms(
        client_id=ticket.client_id, type=ticket.type, time_in_force=ticket.time_in_force, created_ms=ms(floor.now_ns),
        quote_quantity=ticket.quote_quantity or ZERO, strategy_id=ticket.strategy_id, list_id=list_id,
        strategy_type=ticket.strategy_type, self_trade=ticket.self_trade, iceberg=ticket.iceberg,
        trailing_delta=ticket.trailing_delta, sent_stop=ticket.stop_price,
    )  # fmt: skip
    floor.register.write(venue_order_id, terms)
    if ticket.trailing_delta is not None:
        trail = TrailSet(venue_order_id=venue_order_id, bips=ticket.trailing_delta, begins_at=ticket.stop_price)
        floor.register.exchange.scribe.write(floor.register.exchange.now_ns, trail)
    order = floor.register.state.find(venue_order_id, None)
    assert order is not None
    floor.count_orders(1 if not order.executions else 0)
    return order, terms, [*told]


def send(floor: Floor, ticket: Ticket, group: str | None) -> Outcome:
    """To the simulated exchange's desk."""
    assert ticket.quantity is not None
    stop_price = ticket.stop_price
    if ticket.trailing_delta is not None and stop_price is None:
        touch = floor.touch(ticket.symbol, ticket.side)
        if touch is None:
            raise Refused(-2010, CLOSED)
        stop_price = floor.instrument(ticket.symbol).round_price(
            distance(touch, ticket.trailing_delta, ticket.side), ticket.side.opposite
        )
    request = wire.Place(
        symbol=ticket.symbol, client_order_id=ClientOrderId(ticket.client_id), side=ticket.side,
        order_type=ticket.order_type, time_in_force=ticket.rests, post_only=ticket.type == "LIMIT_MAKER",
        quantity=plain(ticket.quantity), price=None if ticket.price is None else plain(ticket.price),
        stop_price=None if stop_price is None else plain(stop_price), group=group,
    )  # fmt: skip
    exchange = floor.register.exchange
    return exchange.desk.carry_out(request, exchange.now_ns)


def check(floor: Floor, ticket: Ticket) -> Ticket:
    """Everything that Binance looks at before its engine does; gives the ticket with its quantity told."""
    floor.instrument(ticket.symbol)
    if not floor.can_trade:
        raise Refused(-2010, DISABLED)
    if floor.status(ticket.symbol) != "TRADING":
        raise Refused(-2010, CLOSED)
    if ticket.quantity is None:
        ticket = evolve(ticket, quantity=_worth(floor, ticket))
    check_filters(_checked(floor, ticket), floor.filters(ticket.symbol))
    if ticket.stop_price is not None and _is_reached(floor, ticket, ticket.stop_price):
        raise Refused(-2010, WOULD_TRIGGER)
    return ticket


def _checked(floor: Floor, ticket: Ticket) -> Checked:
    assert ticket.quantity is not None
    register = floor.register
    symbols = [order for order in register.state.open.values() if order.accepted.symbol == ticket.symbol]
    return Checked(
        type=ticket.type, side=ticket.side, quantity=ticket.quantity, price=ticket.price,
        stop_price=ticket.stop_price, iceberg=ticket.iceberg, trailing_delta=ticket.trailing_delta,
        about=floor.touch(ticket.symbol, ticket.side) or ZERO, open_orders=len(symbols),
        open_algos=sum(register.of(order).type in CONDITIONAL and order.waits for order in symbols),
        all_orders=len(register.state.open),
    )  # fmt: skip


def _is_reached(floor: Floor, ticket: Ticket, stop_price: Decimal) -> bool:
    """Is the market beyond the stop price already?"""
    touch = floor.touch(ticket.symbol, ticket.side)
    sign = -ticket.side.sign if ticket.order_type.takes_profit else ticket.side.sign
    return touch is not None and (touch - stop_price) * sign >= ZERO


def _worth(floor: Floor, ticket: Ticket) -> Decimal:
    """How much a market order for so much of the quote asset comes to, in whole lots."""
    assert ticket.quote_quantity is not None
    left, quantity = ticket.quote_quantity, ZERO
    for offer in floor.register.exchange.matching.trades(ticket.symbol, ticket.side, EVERYTHING, None):
        part = min(offer.quantity, floor.instrument(ticket.symbol).round_quantity(divide(left, offer.price)))
        quantity, left = quantity + part, left - part * offer.price
        if part < offer.quantity:
            break
    return plain(quantity)
