"""Who trades with whom: an incoming order with what is displayed, resting orders with a market that comes to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from attrs import evolve, field, frozen

from adapters.simulated.account import fee_of, reserve_of
from adapters.simulated.book import Offer, match, merge
from adapters.simulated.ledger import (
    OrderExecuted,
    OrderExpired,
    OrderReduced,
    OrderTriggered,
    StopMoved,
)
from adapters.simulated.market import Instant, Market, Print, Swing
from adapters.simulated.options import AckOn, FeeIn, FeeRates
from adapters.simulated.queueing import Queueing
from adapters.simulated.scribe import Scribe
from adapters.simulated.state import Order
from adapters.simulated.trailing import begins, follow
from adapters.simulated.wire import Canceled, Expired, Reduced, StreamFrame, Triggered
from engine.inputs import Level, Quote
from engine.instrument import Instrument
from engine.values import EXACT, ONE, ZERO, Asset, Liquidity, OrderType, Side, TimeInForce, VenueOrderId, plain

_SIDES = (Side.BUY, Side.SELL)


@frozen(kw_only=True)
class Rules:
    """What is traded, what it costs (`slippage` is a part of the price), what an account begins with; `funding` is each
    contract's rate and interval. With `ends_twins` the first execution or trigger of a group's order ends the others
    instead of making them smaller. What is left of a triggered order without a price `sweeps` what comes later; without
    that it expires. With `keeps_ids` a replacement may keep the order's own client id."""

    instruments: Mapping[str, Instrument]
    fees: FeeRates = field(factory=FeeRates)
    fee_in: FeeIn = FeeIn.QUOTE
    ack_on: AckOn = AckOn.REPLY
    slippage: Decimal = ZERO
    ends_twins: bool = False
    sweeps: bool = True
    keeps_ids: bool = False
    balances: Mapping[Asset, Decimal] = field(factory=dict)
    order_types: tuple[OrderType, ...] = tuple(OrderType)
    times_in_force: tuple[TimeInForce, ...] = tuple(TimeInForce)
    links: bool = False
    funding: Mapping[str, tuple[Decimal, int]] = field(factory=dict)


class Matching:
    """Writes executions; gives them as they are told."""

    def __init__(self, scribe: Scribe, market: Market, rules: Rules) -> None:
        self._scribe, self._market, self._rules = scribe, market, rules
        self._queueing = Queueing()
        self._swung: dict[str, Quote] = {}

    def trades(self, symbol: str, side: Side, quantity: Decimal, limit: Decimal | None) -> list[Offer]:
        """What an order would trade now, against the market's levels and other clients' orders."""
        state = self._scribe.state
        resting = state.book(symbol).side(side.opposite)
        clients = [Offer(r.price, state.open[r.venue_order_id].leaves, r.venue_order_id) for r in resting]
        offers = list(match(side, quantity, limit, merge(side, self._displayed(symbol, side.opposite), clients)))
        return [self._slipped(symbol, side, offer, limit) for offer in offers] if self._rules.slippage else offers

    def take(self, taker: VenueOrderId, trades: list[Offer], at_ns: int) -> list[StreamFrame]:
        """An incoming order trades."""
        told: list[StreamFrame] = []
        for trade in trades:
            level = (trade.level or trade.price) if trade.maker is None else None
            quantity = trade.quantity
            if trade.maker is not None:  # its twin may just have executed
                maker = self._scribe.state.open.get(trade.maker)
                quantity = min(quantity, maker.leaves) if maker is not None else ZERO
            if not quantity:
                continue
            told += self._execute(taker, quantity, trade.price, Liquidity.TAKER, level, at_ns)
            if trade.maker is not None:
                told += self._execute(trade.maker, quantity, trade.price, Liquidity.MAKER, None, at_ns)
        if (order := self._scribe.state.open.get(taker)) is not None:
            self._queueing.join(order, self._market.levels(order.accepted.symbol, order.accepted.side))
        return told

    def rest(self, instant: Instant) -> list[StreamFrame]:
        """Resting orders trade at their own price with what traded through it, or is displayed at it or better; then
        those that wait for a stop price are looked at, and what was triggered goes on."""
        told: list[StreamFrame] = []
        for each in instant.prints:
            for side in _SIDES:
                told += self._trade_through(each, side, instant.at_ns)
        for symbol in instant.changed:
            for side in _SIDES:
                told += self._reach(symbol, side, instant.at_ns)
        state = self._scribe.state
        if state.waiting or state.sweeping:
            for symbol in dict.fromkeys((*instant.changed, *(each.symbol for each in instant.prints))):
                told += self._sweep(symbol, instant.at_ns)
                told += self.watch(symbol, instant.prints, instant.at_ns)
        for symbol in instant.swings:
            told += self._swing(symbol, self._market.swing(symbol), instant.at_ns)
        return told

    def _swing(self, symbol: str, swing: Swing, at_ns: int) -> list[StreamFrame]:
        """A bar's low and high, the worse first: while it is there, the market shows what is assumed of it."""
        told: list[StreamFrame] = []
        ends = [(swing.low, swing.prints[0]), (swing.high, swing.prints[1])]
        for shown, passed in ends if self._is_low_worse(symbol) else reversed(ends):
            self._swung[symbol] = shown
            for side in _SIDES:
                told += self._trade_through(passed, side, at_ns)
            told += self._sweep(symbol, at_ns)
            told += self.watch(symbol, (passed,), at_ns)
        del self._swung[symbol]
        return told

    def _is_low_worse(self, symbol: str) -> bool:
        """For what is held; where nothing is, for who is about to buy the high is: what follows it goes against him."""
        state = self._scribe.state
        held = state.net.get(symbol, ZERO)
        if held:
            return held > ZERO
        waiting = (state.open[each].accepted for each in state.waiting)
        return not state.book(symbol).bids and not any(
            each.symbol == symbol and each.side is Side.BUY for each in waiting
        )

    def watch(self, symbol: str, prints: Iterable[Print], at_ns: int) -> list[StreamFrame]:
        """Orders that wait in a symbol: trailing stops follow the market, and what is reached goes off."""
        told: list[StreamFrame] = []
        traded = [each.price for each in prints if each.symbol == symbol]
        for venue_order_id in list(self._scribe.state.waiting):
            order = self._scribe.state.open.get(venue_order_id)  # its twin may just have executed
            if order is not None and order.waits and order.accepted.symbol == symbol:
                self._trail(order, traded, at_ns)
                told += self._trigger(self._scribe.state.open[venue_order_id], traded, at_ns)
        return told

    def trailing_price(self, symbol: str, side: Side, trail: Decimal) -> Decimal | None:
        """Where a stop that trails the market stands; None where the market shows nothing."""
        touch = self._touch(symbol, side)
        return None if touch is None else plain(touch + trail * side.sign)

    def _touch(self, symbol: str, side: Side) -> Decimal | None:
        """The price at which an order of that side would trade."""
        levels = self._levels(symbol, side.opposite)
        return levels[0][0] if levels else None

    def _trail(self, order: Order, traded: list[Decimal], at_ns: int) -> None:
        terms = order.accepted
        if order.venue_order_id in self._scribe.state.trails:
            for fact in follow(self._scribe.state, order, self._seen(order, traded)):
                self._scribe.write(at_ns, fact)
            return
        if terms.trail is None or order.stop_price is None:
            return
        wanted = self.trailing_price(terms.symbol, terms.side, terms.trail)
        if wanted is not None and (order.stop_price - wanted) * terms.side.sign > ZERO:
            self._scribe.write(at_ns, StopMoved(venue_order_id=order.venue_order_id, stop_price=wanted))

    def _trigger(self, order: Order, traded: list[Decimal], at_ns: int) -> list[StreamFrame]:
        terms, seen = order.accepted, self._seen(order, traded)
        if not begins(self._scribe.state, order):
            return []
        assert order.stop_price is not None, "what waits has a stop price"
        is_against = terms.order_type.takes_profit and order.venue_order_id not in self._scribe.state.trails
        sign = -terms.side.sign if is_against else terms.side.sign
        if not any((price - order.stop_price) * sign >= ZERO for price in seen):
            return []
        self._scribe.write(at_ns, OrderTriggered(venue_order_id=order.venue_order_id))
        shown = self._swung.get(terms.symbol)
        if shown is not None:
            self._swung[terms.symbol] = _at_stop(shown, terms.side, order.stop_price)
        told: list[StreamFrame] = [Triggered(**order.head(at_ns))]
        if self._rules.ends_twins:
            told += self._end_twins(order.venue_order_id, terms.group, at_ns)
        told += [*self._go_on(order.venue_order_id, at_ns)]
        left = self._scribe.state.open.get(order.venue_order_id)
        if left is not None and left.price is None and not self._rules.sweeps:
            self._scribe.write(at_ns, OrderExpired(venue_order_id=order.venue_order_id))
            told.append(Expired(**order.head(at_ns), filled=left.filled))
        if shown is not None:
            self._swung[terms.symbol] = shown
        return told

    def _seen(self, order: Order, traded: list[Decimal]) -> list[Decimal]:
        """The prices at which the market was, for an order that waits."""
        touch = self._touch(order.accepted.symbol, order.accepted.side)
        return traded if touch is None else [*traded, touch]

    def _sweep(self, symbol: str, at_ns: int) -> list[StreamFrame]:
        """What was triggered without a price takes what has come since."""
        told: list[StreamFrame] = []
        for venue_order_id in list(self._scribe.state.sweeping):
            order = self._scribe.state.open.get(venue_order_id)
            if order is not None and order.accepted.symbol == symbol:
                told += self._go_on(venue_order_id, at_ns)
        return told

    def _go_on(self, venue_order_id: VenueOrderId, at_ns: int) -> list[StreamFrame]:
        """A triggered order trades like an incoming one; the rest stays. One that can't be paid for any more ends."""
        state = self._scribe.state
        order = state.open[venue_order_id]
        terms = order.accepted
        trades = self.trades(terms.symbol, terms.side, order.leaves, order.price)
        each = (reserve_of(self._rules.fees, self._rules.fee_in, terms.side, trade.price) for trade in trades)
        cost = sum((price * trade.quantity for price, trade in zip(each, trades, strict=True)), ZERO)
        if terms.settles_in is None and cost > state.free(terms.reserved_asset) + order.locked:
            self._scribe.write(at_ns, OrderExpired(venue_order_id=venue_order_id))
            return [Expired(**order.head(at_ns), filled=order.filled)]
        return [*self.take(venue_order_id, trades, at_ns)]

    def _slipped(self, symbol: str, side: Side, offer: Offer, limit: Decimal | None) -> Offer:
        """The offer as a taker gets it: worse by the slippage, and never beyond his limit."""
        if offer.maker is not None:
            return offer
        terms = self._rules.instruments[symbol]
        worse = EXACT.multiply(offer.price, ONE + self._rules.slippage * side.sign)
        price = terms.round_price(worse, side.opposite)
        if limit is not None:
            price = min(price, limit) if side is Side.BUY else max(price, limit)
        return offer._replace(price=price, level=offer.price)

    def _displayed(self, symbol: str, side: Side) -> list[Offer]:
        """The market's levels without what was taken of them already."""
        state, version = self._scribe.state, self._market.version(symbol)
        if symbol in self._swung:
            return [Offer(price, quantity) for price, quantity in self._levels(symbol, side)]
        levels = self._market.levels(symbol, side)
        return [Offer(price, state.available(symbol, version, price, quantity)) for price, quantity in levels]

    def _levels(self, symbol: str, side: Side) -> tuple[Level, ...]:
        """What is displayed, or while a bar swings what is assumed of it."""
        quote = self._swung.get(symbol)
        if quote is None:
            return self._market.levels(symbol, side)
        return ((quote.bid, quote.bid_quantity) if side is Side.BUY else (quote.ask, quote.ask_quantity),)

    def _queue(self, symbol: str, side: Side) -> list[Order]:
        state = self._scribe.state
        return [state.open[resting.venue_order_id] for resting in state.book(symbol).side(side)]

    def _trade_through(self, passed: Print, side: Side, at_ns: int) -> list[StreamFrame]:
        told, left = list[StreamFrame](), passed.quantity
        for queued in self._queue(passed.symbol, side):
            order = self._scribe.state.open.get(queued.venue_order_id)
            if order is None:
                continue  # its twin has just executed
            assert order.price is not None
            beyond = (order.price - passed.price) * side.sign
            if left <= ZERO or beyond < ZERO or (beyond == ZERO and not _comes_to(passed, side)):
                break
            levels = self._market.levels(passed.symbol, side)
            quantity = min(left, order.leaves) if beyond else self._queueing.trade(order, left, levels)
            if quantity <= ZERO:
                continue
            left -= quantity
            told += self._execute(order.venue_order_id, quantity, order.price, Liquidity.MAKER, None, at_ns)
        return told

    def _reach(self, symbol: str, side: Side, at_ns: int) -> list[StreamFrame]:
        told: list[StreamFrame] = []
        for queued in self._queue(symbol, side):
            order = self._scribe.state.open.get(queued.venue_order_id)
            if order is None:
                continue  # its twin has just executed
            assert order.price is not None
            trades = list(match(side, order.leaves, order.price, self._displayed(symbol, side.opposite)))
            if not trades:
                break
            for each in trades:
                told += self._execute(
                    order.venue_order_id, each.quantity, order.price, Liquidity.MAKER, each.price, at_ns
                )
        return told

    def _execute(
        self, venue_order_id: VenueOrderId, quantity: Decimal, price: Decimal, liquidity: Liquidity,
        level: Decimal | None, at_ns: int,
    ) -> list[StreamFrame]:  # fmt: skip
        state, rules = self._scribe.state, self._rules
        terms, quantity = state.open[venue_order_id].accepted, plain(quantity)
        fee, fee_asset = fee_of(rules.fees, rules.fee_in, terms, quantity, price, liquidity)
        self._scribe.write(
            at_ns,
            OrderExecuted(
                venue_order_id=venue_order_id, quantity=quantity, price=price, fee=fee, fee_asset=fee_asset,
                liquidity=liquidity, version=self._market.version(terms.symbol), level=level,
            ),
        )  # fmt: skip
        executed = state.executions[-1]
        return [executed, *self._reduce_twins(venue_order_id, terms.group, quantity, at_ns)]

    def _reduce_twins(
        self, venue_order_id: VenueOrderId, group: str | None, quantity: Decimal, at_ns: int
    ) -> list[StreamFrame]:
        """What one order of a group executes, the others lose, in the same commit."""
        if self._rules.ends_twins:
            return self._end_twins(venue_order_id, group, at_ns)
        told: list[StreamFrame] = []
        for twin in self._scribe.state.group(group):
            if twin.venue_order_id == venue_order_id:
                continue
            head = twin.head(at_ns)
            left = max(plain(twin.quantity - quantity), twin.filled)
            self._scribe.write(at_ns, OrderReduced(venue_order_id=twin.venue_order_id, quantity=left))
            ended = left == twin.filled
            told.append(Canceled(**head, filled=left) if ended else Reduced(**head, quantity=left))
        return told

    def _end_twins(self, venue_order_id: VenueOrderId, group: str | None, at_ns: int) -> list[StreamFrame]:
        """The others of its group are over, whatever they have executed."""
        told: list[StreamFrame] = []
        for twin in self._scribe.state.group(group):
            if twin.venue_order_id != venue_order_id:
                self._scribe.write(at_ns, OrderExpired(venue_order_id=twin.venue_order_id))
                told.append(Expired(**twin.head(at_ns), filled=twin.filled))
        return told


def _comes_to(passed: Print, side: Side) -> bool:
    """Was it a trade in which who rested on this side could have had a share?"""
    return passed.is_trade and passed.aggressor is not side


def _at_stop(shown: Quote, side: Side, stop_price: Decimal) -> Quote:
    """Between a bar's open and its extreme the price has been at the stop: that is where an order of `side` trades."""
    spread = shown.ask - shown.bid
    bid = stop_price if side is Side.SELL else stop_price - spread
    return evolve(shown, bid=bid, ask=bid + spread)
