"""The desk takes order requests: it refuses for a reason, or writes what follows and says what is to be told."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from attrs import evolve

from adapters.simulated import wire
from adapters.simulated.account import reserve_of
from adapters.simulated.admission import (
    OPEN_ORDERS_MOST,
    check_client_id,
    check_kind,
    check_numbers,
    check_stop,
    is_expired,
)
from adapters.simulated.ledger import OrderAccepted, OrderCanceled, OrderExpired, OrderRefused, OrderReplaced
from adapters.simulated.market import Market
from adapters.simulated.matching import Matching, Rules
from adapters.simulated.options import AckOn
from adapters.simulated.scribe import Scribe
from adapters.simulated.state import Order
from adapters.simulated.wire import Reason
from engine.inputs import RequestKind
from engine.instrument import Instrument
from engine.values import SECOND_NS, ZERO, ClientOrderId, OrderType, Side, TimeInForce, VenueOrderId, plain

DAY_NS = 86_400 * SECOND_NS

Outcome = tuple[wire.Reply, list[wire.StreamFrame]]
"""What is replied, and what is told on the stream."""

_KINDS: dict[type[wire.OrderRequest], RequestKind] = {
    wire.Place: RequestKind.NEW,
    wire.Cancel: RequestKind.CANCEL,
    wire.Replace: RequestKind.REPLACE,
}


class _Refusal(Exception):
    """Inside of this file: the request has no effect, for this reason."""

    def __init__(self, reason: Reason, order: Order | None = None) -> None:
        super().__init__(reason)
        self.reason, self.order = reason, order


class Desk:
    """Writes to the scribe and leaves the commit to the exchange."""

    def __init__(self, scribe: Scribe, market: Market, matching: Matching, rules: Rules) -> None:
        self._scribe, self._market, self._matching, self._rules = scribe, market, matching, rules

    def carry_out(self, request: wire.OrderRequest, at_ns: int) -> Outcome:
        """Everything that follows from a request at an instant."""
        try:
            if is_expired(request.expires_ns, at_ns):
                raise _Refusal(Reason.REQUEST_EXPIRED)
            match request:
                case wire.Place():
                    return self._place_in_group(request, at_ns)
                case wire.Cancel():
                    return self._cancel(request, at_ns)
                case wire.Replace():
                    return self._replace(request, at_ns)
        except _Refusal as refusal:
            return self.refuse(request, refusal.reason, at_ns, refusal.order), []

    def refuse(
        self, request: wire.OrderRequest, reason: Reason, at_ns: int, order: Order | None = None
    ) -> wire.Refused:
        """The request has no effect; `order` is the one that it names, where that is known."""
        kind = _KINDS[type(request)]
        named = request.client_order_id if order is None else order.accepted.client_order_id
        refused = OrderRefused(request=kind, symbol=request.symbol, client_order_id=named, reason=reason)
        self._scribe.write(at_ns, refused)
        venue_order_id = None if order is None else order.venue_order_id
        return wire.Refused(
            symbol=request.symbol, client_order_id=named, venue_order_id=venue_order_id, at_ns=at_ns, request=kind,
            reason=reason,
        )  # fmt: skip

    # --- new orders ---------------------------------------------------------------------------------------------

    def _place_in_group(self, request: wire.Place, at_ns: int) -> Outcome:
        """What others of its group have executed already is taken from it before it begins."""
        executed = ZERO if request.group is None else self._scribe.state.group_filled.get(request.group, ZERO)
        if not executed:
            return self._place(request, at_ns)
        if executed >= request.quantity:
            raise _Refusal(Reason.GROUP_DONE)
        left = plain(request.quantity - executed)
        reply, told = self._place(evolve(request, quantity=left), at_ns)
        if not isinstance(reply, wire.Accepted):
            return reply, told
        reduced = wire.Reduced(
            symbol=request.symbol, client_order_id=request.client_order_id, venue_order_id=reply.venue_order_id,
            at_ns=at_ns, quantity=left,
        )  # fmt: skip
        return reply, [reduced, *told]

    def _place(self, request: wire.Place, at_ns: int) -> Outcome:
        instrument = self._instrument(request.symbol)
        self._check_new_id(request.client_order_id)
        self._check_terms(instrument, request, at_ns)
        if request.order_type.has_trigger:
            return self._place_waiting(instrument, request, at_ns)
        trades = self._matching.trades(request.symbol, request.side, request.quantity, request.price)
        if request.post_only and trades:
            raise _Refusal(Reason.POST_ONLY_WOULD_TAKE)
        if request.time_in_force is TimeInForce.FOK and sum(trade.quantity for trade in trades) < request.quantity:
            trades = []
        accepted = self._accept(instrument, request, [(trade.price, trade.quantity) for trade in trades], at_ns)
        order = self._order(self._scribe.write(at_ns, accepted))
        ack = wire.Accepted(**order.head(at_ns))
        told: list[wire.StreamFrame] = [ack] if self._rules.ack_on is AckOn.BOTH else []
        told += self._matching.take(order.venue_order_id, trades, at_ns)
        if not _may_rest(request) and order.venue_order_id in self._scribe.state.open:
            filled = self._scribe.state.open[order.venue_order_id].filled
            self._scribe.write(at_ns, OrderExpired(venue_order_id=order.venue_order_id))
            told.append(wire.Expired(**order.head(at_ns), filled=filled))
        return ack, told

    def _place_waiting(self, instrument: Instrument, request: wire.Place, at_ns: int) -> Outcome:
        """An order with a trigger; it goes off at once where the market is there already."""
        stop_price = request.stop_price
        if stop_price is None and request.trail is not None:
            stop_price = self._matching.trailing_price(request.symbol, request.side, request.trail)
        if stop_price is None:
            raise _Refusal(Reason.NOT_SUPPORTED)  # it trails a market that shows nothing
        waiting = evolve(request, stop_price=stop_price)
        parts = [(waiting.price or stop_price, request.quantity)]
        order = self._order(self._scribe.write(at_ns, self._accept(instrument, waiting, parts, at_ns)))
        ack = wire.Accepted(**order.head(at_ns))
        told: list[wire.StreamFrame] = [ack] if self._rules.ack_on is AckOn.BOTH else []
        return ack, told + self._matching.watch(request.symbol, (), at_ns)

    def _order(self, seq: int) -> Order:
        return self._scribe.state.open[VenueOrderId(str(seq))]

    def _check_terms(self, instrument: Instrument, request: wire.Place, at_ns: int) -> None:
        rules = self._rules
        known = request.order_type in rules.order_types and request.time_in_force in rules.times_in_force
        known = known and (request.group is None or rules.links)
        reason = (check_kind(request) or check_stop(instrument, request)) if known else Reason.NOT_SUPPORTED
        if reason is None and is_expired(request.good_till_ns, at_ns):
            reason = Reason.REQUEST_EXPIRED
        if reason is None:
            about = request.price or request.stop_price or self._touch(request.symbol, request.side)
            reason = check_numbers(instrument, request.quantity, request.price, about)
        if reason is None and len(self._scribe.state.open) >= OPEN_ORDERS_MOST:
            reason = Reason.TOO_MANY_ORDERS
        if reason is not None:
            raise _Refusal(reason)

    def _touch(self, symbol: str, side: Side) -> Decimal:
        """The price that a market order would begin to trade at, 0 if there is none."""
        levels = self._market.levels(symbol, side.opposite)
        return levels[0][0] if levels else ZERO

    def _accept(
        self, instrument: Instrument, request: wire.Place, trades: Iterable[tuple[Decimal, Decimal]], at_ns: int
    ) -> OrderAccepted:
        """The new order, if the account can pay for it: what it may lock, or what it trades if it has no price."""
        rules, side = self._rules, request.side
        parts = trades if request.price is None else [(request.price, request.quantity)]
        rests = request.price is not None or request.order_type.has_trigger
        costs = [(reserve_of(rules.fees, rules.fee_in, side, price), quantity) for price, quantity in parts]
        asset = instrument.quote if side is Side.BUY else instrument.base
        if not instrument.is_spot:
            costs, asset = [(ZERO, quantity) for _price, quantity in parts], instrument.cash
        twins = self._scribe.state.group(request.group)
        shared = max((twin.locked for twin in twins), default=ZERO)
        needed = sum((each * quantity for each, quantity in costs), ZERO)
        if any((twin.accepted.symbol, twin.accepted.side) != (request.symbol, side) for twin in twins):
            raise _Refusal(Reason.NOT_SUPPORTED)
        if needed - shared > self._scribe.state.free(asset):
            raise _Refusal(Reason.INSUFFICIENT_FUNDS)
        return OrderAccepted(
            symbol=request.symbol, client_order_id=request.client_order_id, side=side,
            order_type=request.order_type, time_in_force=request.time_in_force, post_only=request.post_only,
            quantity=request.quantity, price=request.price, base=instrument.base, quote=instrument.quote,
            reserved_asset=asset, reserved_each=costs[0][0] if rests else ZERO, stop_price=request.stop_price,
            trail=request.trail, good_till_ns=_end_ns(request, at_ns),
            settles_in=None if instrument.is_spot else instrument.cash, multiplier=instrument.multiplier,
            group=request.group,
        )  # fmt: skip

    # --- changes ------------------------------------------------------------------------------------------------

    def _cancel(self, request: wire.Cancel, at_ns: int) -> Outcome:
        order = self._open_order(request)
        self._scribe.write(at_ns, OrderCanceled(venue_order_id=order.venue_order_id))
        return wire.CancelTaken(**order.head(at_ns)), [wire.Canceled(**order.head(at_ns), filled=order.filled)]

    def _replace(self, request: wire.Replace, at_ns: int) -> Outcome:
        order = self._open_order(request)
        terms = order.accepted
        if not (self._rules.keeps_ids and request.new_client_order_id in order.client_order_ids):
            self._check_new_id(request.new_client_order_id, order)
        replaced = self._replacement(self._instrument(terms.symbol), order, request)
        leaves = replaced.quantity - order.filled
        trades = self._matching.trades(terms.symbol, terms.side, leaves, replaced.price)
        if replaced.keeps_priority or order.waits:
            trades = []
        if terms.post_only and trades:
            raise _Refusal(Reason.POST_ONLY_WOULD_TAKE, order)
        self._scribe.write(at_ns, replaced)
        frame = wire.Replaced(
            **order.head(at_ns), new_client_order_id=request.new_client_order_id, quantity=replaced.quantity,
            price=replaced.price, keeps_priority=replaced.keeps_priority,
        )  # fmt: skip
        told: list[wire.StreamFrame] = [frame, *self._matching.take(order.venue_order_id, trades, at_ns)]
        if order.waits:
            told += self._matching.watch(terms.symbol, (), at_ns)
        return wire.ReplaceTaken(**order.head(at_ns)), told

    def _replacement(self, instrument: Instrument, order: Order, request: wire.Replace) -> OrderReplaced:
        """What the order becomes; at or below what is executed it is done with that."""
        rules, price = self._rules, order.price if request.price is None else request.price
        stop_price = order.stop_price if request.stop_price is None else request.stop_price
        about = price or stop_price
        if about is None or (order.price is None) is not (price is None):
            raise _Refusal(Reason.NOT_SUPPORTED, order)  # it has no such price, or trades by now
        if reason := check_numbers(instrument, request.quantity, price, about):
            raise _Refusal(reason, order)
        if stop_price is not None and not (stop_price > 0 and instrument.is_on_tick(stop_price)):
            raise _Refusal(Reason.PRICE_OFF_TICK, order)
        quantity = max(request.quantity, order.filled)
        each = reserve_of(rules.fees, rules.fee_in, order.accepted.side, about) if instrument.is_spot else ZERO
        more = each * (quantity - order.filled) - order.locked
        if more > self._scribe.state.free(order.accepted.reserved_asset):
            raise _Refusal(Reason.INSUFFICIENT_FUNDS, order)
        return OrderReplaced(
            venue_order_id=order.venue_order_id, new_client_order_id=request.new_client_order_id, quantity=quantity,
            price=price, reserved_each=each, keeps_priority=price == order.price and quantity <= order.quantity,
            stop_price=request.stop_price,
        )  # fmt: skip

    # --- what is asked of every request -------------------------------------------------------------------------

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._rules.instruments.get(symbol)
        if instrument is None:
            raise _Refusal(Reason.UNKNOWN_SYMBOL)
        return instrument

    def _check_new_id(self, client_order_id: ClientOrderId, order: Order | None = None) -> None:
        reason = check_client_id(client_order_id)
        if reason is None and self._scribe.state.is_open_id(client_order_id):
            reason = Reason.DUPLICATE_ID
        if reason is not None:
            raise _Refusal(reason, order)

    def _open_order(self, request: wire.Cancel | wire.Replace) -> Order:
        order = self._scribe.state.find(request.venue_order_id, request.client_order_id)
        if order is None:
            raise _Refusal(Reason.UNKNOWN_ORDER)
        if not order.status.is_open:
            raise _Refusal(Reason.ORDER_CLOSED, order)
        return order


def _may_rest(request: wire.Place) -> bool:
    return request.order_type is OrderType.LIMIT and request.time_in_force.may_rest


def _end_ns(request: wire.Place, at_ns: int) -> int | None:
    """When the order's time in force ends: as it says, or with the day, at midnight UTC."""
    return (at_ns // DAY_NS + 1) * DAY_NS if request.time_in_force is TimeInForce.DAY else request.good_till_ns
