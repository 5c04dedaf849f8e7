"""The exchange's core: deterministic, without clock, threads or files of its own.

`advance(to_ns)` plays the market, one method per request carries it out at a given instant. All of them append every
fact to the ledger before they return what is to be told, so nothing is told that a restart would not know.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from attrs import evolve, frozen

from adapters.simulated import wire
from adapters.simulated.desk import Desk
from adapters.simulated.ledger import Deposited, ExchangeOpened, FundingPaid, OrderExpired, TapeStepped
from adapters.simulated.market import Instant, Market
from adapters.simulated.matching import Matching, Rules
from adapters.simulated.scribe import Scribe
from adapters.simulated.state import State, fold
from engine.inputs import Balance, Section, VenuePosition
from engine.ports import EventLog, Stored
from engine.values import SECOND_NS, InstrumentName, Side, divide, exact_arithmetic, plain

CATCH_UP_MOST_NS = 600 * SECOND_NS
"""At most this much of the time in which nobody ran the exchange is played."""

Told = tuple[int, wire.StreamFrame | wire.MarketFrame | wire.Notice | wire.Foreign]
"""When, and what everyone is told."""

Work = Callable[[], tuple[wire.Reply | wire.Foreign, Sequence[wire.StreamFrame | wire.Foreign]]]
"""Something to be done at the exchange: what is replied, and what everyone is told."""


@frozen
class Answer:
    """The reply to who asked, and what everyone is told."""

    reply: wire.Reply | wire.Foreign
    told: list[Told]


class Exchange:
    """An exchange on a log. Instants never go back: an earlier `at_ns` counts as the latest one."""

    def __init__(self, log: EventLog, market: Market, rules: Rules, identity: str, at_ns: int) -> None:
        """Folds the log, then plays what happened since its last fact (`CATCH_UP_MOST_NS` at most).

        `identity` names the account if the log is empty. Raises `ValueError` where a newer release wrote the log.
        """
        self._log = log
        self.market, self.rules = market, rules
        self.scribe = Scribe(log)
        self.matching = Matching(self.scribe, market, rules)
        self.desk = Desk(self.scribe, market, self.matching, rules)
        self.now_ns = self.state.at_ns
        self._start(identity, max(at_ns, self.now_ns))

    @property
    def state(self) -> State:
        """What the ledger says; read only."""
        return self.scribe.state

    @property
    def next_ns(self) -> int | None:
        """When the market moves next, or an order's time ends; None where nothing does by itself."""
        market_ns, end_ns = self.market.next_ns(), self._end_ns()
        if market_ns is None or end_ns is None:
            return market_ns if end_ns is None else end_ns
        return min(market_ns, end_ns)

    def _end_ns(self) -> int | None:
        ends_ns = self.state.ends_ns
        return min(ends_ns.values()) if ends_ns else None

    # --- time ---------------------------------------------------------------------------------------------------

    def advance(self, to_ns: int) -> list[Told]:
        """Play the market up to and with `to_ns`: what it showed, and what traded."""
        self.scribe.check()
        next_ns = self.next_ns
        if (next_ns is None or next_ns > to_ns) and to_ns - self.now_ns <= CATCH_UP_MOST_NS:
            self.now_ns = max(self.now_ns, to_ns)  # half of all instants of a backtest are such
            return []
        return self._advance(to_ns)

    @exact_arithmetic()
    def _advance(self, to_ns: int) -> list[Told]:
        told: list[Told] = []
        if to_ns - self.now_ns > CATCH_UP_MOST_NS:
            self.market.seek(to_ns - CATCH_UP_MOST_NS)
        while (next_ns := self.next_ns) is not None and next_ns <= to_ns:
            told += self._expire(next_ns) if next_ns == self._end_ns() else self._play(self.market.play())
        self.now_ns = max(self.now_ns, to_ns)
        return told

    @exact_arithmetic()
    def step(self, at_ns: int) -> Answer:
        """Play the next record of a tape by hand (speed "step")."""
        told = self.advance(at_ns)
        instant = self.market.step(self.now_ns)
        if instant is not None:
            self.scribe.write(self.now_ns, TapeStepped())
            told += self._play(instant)
        return Answer(self.status(), told)

    def _start(self, identity: str, at_ns: int) -> None:
        state = self.state
        if not state.identity:
            self.now_ns = at_ns
            self.scribe.write(at_ns, ExchangeOpened(identity=identity))
        started = self.market.begin(self.now_ns, at_ns, state.tape, state.steps)
        if started is not None:
            self.scribe.write(self.now_ns, started)
        self.scribe.commit()
        if state.open:
            self.advance(at_ns)
        else:
            self.market.seek(at_ns)
            self.now_ns = at_ns
        for asset, quantity in self.rules.balances.items():
            if asset not in state.account.totals:
                self.scribe.write(at_ns, Deposited(asset=asset, quantity=quantity))
        self.scribe.commit()

    def _expire(self, at_ns: int) -> list[Told]:
        """Orders whose time in force ends now."""
        at_ns = max(at_ns, self.now_ns)
        told: list[Told] = []
        for venue_order_id in [each for each, end_ns in self.state.ends_ns.items() if end_ns <= at_ns]:
            order = self.state.open[venue_order_id]
            self.scribe.write(at_ns, OrderExpired(venue_order_id=venue_order_id))
            told.append((at_ns, wire.Expired(**order.head(at_ns), filled=order.filled)))
        self.scribe.commit()
        self.now_ns = at_ns
        return told

    def _play(self, instant: Instant) -> list[Told]:
        """All that happens at one instant is one commit, so that a restart goes on behind it."""
        paid = self._pay_funding(instant.at_ns) if self.state.account.contracts else []
        executed = self.matching.rest(instant) if self.state.open else []
        self.scribe.commit()
        self.now_ns = max(self.now_ns, instant.at_ns)
        return [(instant.at_ns, frame) for frame in (*instant.frames, *paid, *executed)]

    def _pay_funding(self, at_ns: int) -> list[wire.Funding]:
        """Payments for the contracts that are held, at each whole interval since the epoch that lies behind now."""
        before = len(self.state.fundings)
        for symbol, (rate, every_ns) in self.rules.funding.items():
            held, mark = self.state.account.contracts.get(symbol), self._middle(symbol)
            if held is None or not held.quantity or mark is None or at_ns // every_ns == self.now_ns // every_ns:
                continue
            amount = plain(-held.quantity * held.multiplier * mark * rate)
            asset = self.rules.instruments[symbol].cash
            self.scribe.write(at_ns, FundingPaid(symbol=symbol, asset=asset, amount=amount))
        return self.state.fundings[before:]

    def _middle(self, symbol: str) -> Decimal | None:
        bids, asks = self.market.levels(symbol, Side.BUY), self.market.levels(symbol, Side.SELL)
        return divide(bids[0][0] + asks[0][0], Decimal(2)) if bids and asks else None

    @exact_arithmetic()
    def transfer(self, request: wire.Transfer, at_ns: int) -> Answer:
        """A deposit or a withdrawal."""
        told = self.advance(at_ns)
        self.scribe.write(self.now_ns, Deposited(asset=request.asset, quantity=request.quantity))
        self.scribe.commit()
        return Answer(self.status(), told)

    # --- requests -----------------------------------------------------------------------------------------------

    def place(self, request: wire.Place, at_ns: int) -> Answer:
        """A new order: `Accepted` or `Refused`; executions and the end of its time in force are told."""
        return self.carry_out(request, at_ns)

    def cancel(self, request: wire.Cancel, at_ns: int) -> Answer:
        """`CancelTaken` or `Refused`; `Canceled` is told."""
        return self.carry_out(request, at_ns)

    def replace(self, request: wire.Replace, at_ns: int) -> Answer:
        """`ReplaceTaken` or `Refused`; `Replaced` is told, and executions at the new price."""
        return self.carry_out(request, at_ns)

    @exact_arithmetic()
    def carry_out(self, request: wire.OrderRequest, at_ns: int) -> Answer:
        """Whichever of the three it is."""
        told = self.advance(at_ns)
        reply, frames = self.desk.carry_out(request, self.now_ns)
        self.scribe.commit()
        return Answer(reply, told + [(self.now_ns, frame) for frame in frames])

    @exact_arithmetic()
    def transact(self, work: Work, at_ns: int) -> Answer:
        """Any work with `desk` and `scribe` at an instant: all of it is one commit. What `work` raises must leave the
        ledger untouched."""
        told = self.advance(at_ns)
        reply, frames = work()
        self.scribe.commit()
        return Answer(reply, told + [(self.now_ns, frame) for frame in frames])

    @exact_arithmetic()
    def refuse(self, request: wire.OrderRequest, reason: wire.Reason, at_ns: int) -> Answer:
        """Refuse a request unseen."""
        told = self.advance(at_ns)
        refused = self.desk.refuse(request, reason, self.now_ns)
        self.scribe.commit()
        return Answer(refused, told)

    # --- questions ----------------------------------------------------------------------------------------------

    def find(self, query: wire.Query, at_ns: int) -> Answer:
        """An order and its executions."""
        told = self.advance(at_ns)
        order = self.state.find(query.venue_order_id, query.client_order_id)
        if order is None:
            return Answer(wire.OrderAnswer(order=None, executions=(), at_ns=self.now_ns), told)
        return Answer(wire.OrderAnswer(order=order.row(), executions=order.executions, at_ns=self.now_ns), told)

    def account(self, since_ns: int, at_ns: int) -> Answer:
        """Open orders, executions since an instant, balances."""
        told = self.advance(at_ns)
        found = account_of(self.state, since_ns, self.now_ns)
        positions = tuple(self._valued(row) for row in found.positions)
        return Answer(evolve(found, positions=positions) if positions else found, told)

    @exact_arithmetic()
    def _valued(self, row: VenuePosition) -> VenuePosition:
        """A position with its result at the mark."""
        mark, held = self._middle(row.instrument), self.state.account.contracts[row.instrument]
        return row if mark is None else evolve(row, mark_price=mark, unrealized=held.unrealized(mark))

    def account_as_of(self, until_ns: int, since_ns: int) -> wire.AccountAnswer:
        """The account as it stood at an earlier instant, told as if it were now's: what a lagging replica answers."""
        return account_of(self.state_as_of(until_ns), since_ns, self.now_ns)

    def facts(self, after: int) -> Iterable[Stored]:
        """What the log holds behind a seq."""
        return self._log.read(after)

    def state_as_of(self, until_ns: int) -> State:
        """What the ledger said at an earlier instant."""
        return fold(self._log.read(), until_ns)

    def welcome(self, at_ns: int) -> Answer:
        """Who this is, what is traded, what time it is."""
        told = self.advance(at_ns)
        account, rules = f"simulated:{self.state.identity}", self.rules
        welcome = wire.Welcome(
            account=account, instruments=tuple(rules.instruments.values()), at_ns=self.now_ns,
            order_types=rules.order_types, times_in_force=rules.times_in_force, links=rules.links,
        )  # fmt: skip
        return Answer(welcome, told)

    def picture(self, symbols: Iterable[str]) -> list[Told]:
        """What a newcomer must know of the symbols to follow the stream from here."""
        known = [symbol for symbol in symbols if symbol in self.rules.instruments]
        return [(self.now_ns, frame) for symbol in known for frame in self.market.picture(symbol, self.now_ns)]

    def status(self) -> wire.Status:
        """How the market's data goes."""
        return self.market.status(self.now_ns)


@exact_arithmetic()
def account_of(state: State, since_ns: int, at_ns: int) -> wire.AccountAnswer:
    """Open orders, executions from `since_ns` on, balances. Executions that are forgotten make theirs incomplete."""
    first = bisect_left(state.executions, since_ns, key=lambda executed: executed.at_ns)
    balances = tuple(
        Balance(asset, plain(state.free(asset)), plain(state.locked(asset))) for asset in sorted(state.account.totals)
    )
    sections = [Section.OPEN_ORDERS, Section.BALANCES]
    if since_ns > state.forgotten_ns:
        sections.append(Section.EXECUTIONS)
    return wire.AccountAnswer(
        orders=tuple(order.row() for order in state.open.values()),
        executions=tuple(state.executions[first:]), balances=balances, complete=(*sections, Section.POSITIONS),
        at_ns=at_ns, fundings=tuple(paid for paid in state.fundings if paid.at_ns >= since_ns),
        positions=tuple(
            VenuePosition(InstrumentName(symbol), held.quantity, held.average_price)
            for symbol, held in sorted(state.account.contracts.items())
        ),
    )  # fmt: skip
