"""What a run shows of itself: a Glance is everything that a screen needs, as frozen values, a few times a second.

The Witness sees every committed batch and remembers what is worth showing; a Glance is taken from it, from State and
from what only the living process knows.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Sequence
from decimal import Decimal

from attrs import Factory, define, frozen

from engine import events
from engine.inputs import Quote
from engine.market import Market
from engine.order import Order
from engine.runner import Figures
from engine.state import Recorded, State, results_by_asset
from engine.system import SystemState, VenueState
from engine.values import EXACT, SECOND_NS, ZERO, OrderId, StrategyName, VenueName
from tools.money import Holding, live_holdings
from tools.rows import in_order_of_doubt

FILLS_KEPT = 50
RATE_OVER_NS = 5 * SECOND_NS
SETTLED = (SystemState.TRADING, SystemState.PAUSED)
TROUBLES = (
    events.OrderDenied,
    events.OrderRejected,
    events.AnomalyRecorded,
    events.StrategyFailed,
    events.OutcomeUnknown,
    events.VenueLost,
    events.FillBusted,
    events.FillCorrected,
    events.ClockJumped,
)
"""What a trader wants to know of, the newest of them."""


@frozen(kw_only=True)
class VenueGlance:
    """A venue; ages in ns, None where never. `compared` is its last reconciliation."""

    name: VenueName
    state: VenueState
    data_age_ns: int | None
    compared_age_ns: int | None
    compared: events.Reconciled | None


@frozen(kw_only=True)
class Deeds:
    """What this run has done so far."""

    sent: int = 0
    fills: int = 0
    canceled: int = 0
    denied: int = 0
    rejected: int = 0


@frozen(kw_only=True)
class Finding:
    """What a start found at the venues, from its first event until it could trade or had to pause.

    `open_orders` and `executions` are what the venues showed, `asked` the orders whose outcome was not known.
    """

    open_orders: int
    executions: int
    asked: int
    fills: int
    voided: int
    in_doubt: int
    lasted_ns: int


@frozen(kw_only=True)
class Glance:
    """One look at a run; `fills` with their time, newest last."""

    now_ns: int
    pid: int
    mode: str
    state: SystemState
    reason: str
    pauses: tuple[str, ...]
    started_ns: int
    epoch: int
    seq: int
    commits_a_minute: int
    commit_ns: int
    venues: tuple[VenueGlance, ...]
    quotes: tuple[Quote, ...]
    open_orders: tuple[Order, ...]
    fills: tuple[tuple[int, events.FillBooked], ...]
    positions: tuple[Holding, ...]
    trouble: Recorded | None
    strategies: tuple[StrategyName, ...]
    paused_strategies: frozenset[StrategyName]
    deeds: Deeds
    run_results: dict[str, Decimal]


@define
class Witness:
    """What a run has seen, from its first committed batch on."""

    fills: deque[tuple[int, events.FillBooked]] = Factory(lambda: deque(maxlen=FILLS_KEPT))
    compared: dict[VenueName, events.Reconciled] = Factory(dict)
    trouble: Recorded | None = None
    deeds: Counter[str] = Factory(Counter)
    finding: Finding | None = None
    results_before: dict[str, Decimal] | None = None
    _asked: set[OrderId] = Factory(set)
    _commits: deque[tuple[int, int]] = Factory(deque)

    def take(self, state: State, recorded: Sequence[Recorded]) -> None:
        """See a committed batch; `state` is what it led to."""
        if self.results_before is None:
            self.results_before = results_by_asset(state)  # a run's first batch books no execution
        for each in recorded:
            self._count(each)
            self._remember(each)
        if self.finding is None and state.system in SETTLED:
            compared = self.compared.values()
            self.finding = Finding(
                open_orders=sum(event.open_orders for event in compared),
                executions=sum(event.executions for event in compared),
                asked=len(self._asked),
                fills=self.deeds["fills"],
                voided=self.deeds["voided"],
                in_doubt=sum(1 for order in state.orders.values() if order.is_in_doubt),
                lasted_ns=state.at_ns - state.started_ns,
            )

    def rate(self, now_ns: int, commits: int) -> int:
        """Commits a minute, over the last seconds."""
        self._commits.append((now_ns, commits))
        while self._commits[0][0] < now_ns - RATE_OVER_NS:
            self._commits.popleft()
        since_ns, before = self._commits[0]
        return (commits - before) * 60 * SECOND_NS // (now_ns - since_ns) if now_ns > since_ns else 0

    def _count(self, recorded: Recorded) -> None:
        event = recorded.event
        name = _COUNTED.get(type(event))
        if name is not None:
            self.deeds[name] += 1
        if isinstance(event, (events.OutcomeUnknown, events.OrderQueried)):
            self._asked.add(event.order_id)

    def _remember(self, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, events.FillBooked):
            self.fills.append((recorded.at_ns, event))
        elif isinstance(event, events.Reconciled):
            self.compared[event.venue] = event
        if isinstance(event, TROUBLES):
            self.trouble = recorded


_COUNTED: dict[type[events.Event], str] = {
    events.SubmitRequested: "sent",
    events.FillBooked: "fills",
    events.OrderCanceled: "canceled",
    events.OrderDenied: "denied",
    events.OrderRejected: "rejected",
    events.OrderVoided: "voided",
}


def glance_of(state: State, market: Market, figures: Figures, witness: Witness, now_ns: int) -> Glance:
    """A look at a run, taken in the thread that changes State: nothing here goes through all closed orders."""
    return Glance(
        now_ns=now_ns,
        pid=os.getpid(),
        mode=str(state.settings.mode),
        state=state.system,
        reason=state.system_reason,
        pauses=tuple(_pause_words(state)),
        started_ns=state.started_ns,
        epoch=state.epoch,
        seq=state.seq,
        commits_a_minute=witness.rate(now_ns, figures.commits),
        commit_ns=figures.commit_ns,
        venues=tuple(_venues(state, market, witness, now_ns)),
        quotes=tuple(quote for _, quote in sorted(market.quotes.items())),
        open_orders=tuple(in_order_of_doubt(order for order in state.open_orders() if order.is_open)),
        fills=tuple(witness.fills),
        positions=tuple(live_holdings(state, market, now_ns)),
        trouble=witness.trouble,
        strategies=tuple(sorted(state.settings.strategies)),
        paused_strategies=frozenset(
            name for name in state.settings.strategies if state.paused_by(strategy=name) is not None
        ),
        deeds=deeds_of(witness),
        run_results=_run_results(state, witness),
    )


def deeds_of(witness: Witness) -> Deeds:
    """What a run has done so far."""
    counted = witness.deeds
    return Deeds(
        sent=counted["sent"], fills=counted["fills"], canceled=counted["canceled"], denied=counted["denied"],
        rejected=counted["rejected"],
    )  # fmt: skip


def _venues(state: State, market: Market, witness: Witness, now_ns: int) -> list[VenueGlance]:
    found = []
    for name, venue in sorted(state.venues.items()):
        data_ns = market.last_data_ns.get(name)
        found.append(
            VenueGlance(
                name=name,
                state=venue.state,
                data_age_ns=None if data_ns is None else max(now_ns - data_ns, 0),
                compared_age_ns=max(now_ns - venue.reconciled_ns, 0) if venue.reconciled_ns else None,
                compared=witness.compared.get(name),
            )
        )
    return found


def _pause_words(state: State) -> list[str]:
    found = []
    for pause in state.pauses.values():
        whose = f"{pause.scope} {pause.subject}: " if pause.subject else ""
        until = ", until `holdfast resume`" if pause.latched else ""
        found.append(f"{whose}{pause.reason}{f' ({pause.detail})' if pause.detail else ''}{until}")
    return found


def _run_results(state: State, witness: Witness) -> dict[str, Decimal]:
    """Realised less fees since the run began."""
    before = witness.results_before or {}
    return {asset: EXACT.subtract(now, before.get(asset, ZERO)) for asset, now in results_by_asset(state).items()}
