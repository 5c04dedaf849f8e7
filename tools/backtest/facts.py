"""What a journal tells of a backtest: executions with what was seen before them, verdicts, surprises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from attrs import Factory, define, frozen

from engine import events
from engine.codec import decode
from engine.inputs import Quote
from engine.state import Recorded
from engine.values import ZERO, Asset, InstrumentName, Liquidity, OrderId, Side, StrategyName
from journal.entry import Entry

EXAMPLES_MOST = 3
STOPPING = "stopping"
"""The pause that every clean end begins with."""

_READ = frozenset(
    kind.__name__
    for kind in (
        events.OrderIntended, events.OrderDenied, events.ReplaceDenied, events.SubmitRequested, events.OrderRejected,
        events.OrderCanceled, events.OrderExpired, events.FillBooked, events.AnomalyRecorded, events.StrategyFailed,
        events.TradingPaused, events.AccountOpened,
    )
)  # fmt: skip


@frozen(kw_only=True)
class Fill:
    """One execution; `seen` is the quote that its order was decided on."""

    at_ns: int
    seq: int
    order_id: OrderId
    strategy: StrategyName
    instrument: InstrumentName
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: Asset
    liquidity: Liquidity
    seen: Quote | None


@define
class Facts:
    """All of them, in the journal's order; `denials` and `anomalies` count the repeats that were not journaled too,
    `capital` is what the accounts were opened with."""

    fills: list[Fill] = Factory(list)
    intents: Counter[StrategyName] = Factory(Counter)
    sent: Counter[StrategyName] = Factory(Counter)
    ended: Counter[str] = Factory(Counter)
    denials: Counter[str] = Factory(Counter)
    anomalies: Counter[str] = Factory(Counter)
    examples: dict[str, list[str]] = Factory(dict)
    pauses: list[str] = Factory(list)
    capital: dict[Asset, Decimal] = Factory(dict)
    count: int = 0
    _intended: dict[OrderId, events.OrderIntended] = Factory(dict)

    def take(self, recorded: Recorded) -> None:
        """One more event."""
        match event := recorded.event:
            case events.OrderIntended():
                self._intended[event.order_id] = event
                self.intents[event.strategy] += 1
            case events.SubmitRequested():
                self.sent[self._intended[event.order_id].strategy] += 1
            case events.FillBooked():
                self._fill(recorded, event)
            case events.OrderDenied():
                self._deny(event.reason, 1 + event.repeats, event.numbers)
            case events.ReplaceDenied():
                self._deny(event.reason, 1, event.numbers)
            case events.OrderRejected():
                self.ended["rejected"] += 1
                self._example("rejected", event.reason)
            case events.OrderCanceled() | events.OrderExpired():
                self.ended["canceled" if isinstance(event, events.OrderCanceled) else "expired"] += 1
            case events.AnomalyRecorded():
                self.anomalies[event.anomaly] += 1 + event.repeats
                self._example(event.anomaly, f"{event.about}: {event.detail} {event.raw}".strip())
            case events.StrategyFailed():
                self.pauses.append(f"{event.strategy} failed in {event.callback}: {event.type}: {event.message}")
            case events.AccountOpened():
                for balance in event.balances:
                    self.capital[balance.asset] = self.capital.get(balance.asset, ZERO) + balance.free + balance.locked
            case events.TradingPaused() if event.reason != STOPPING:
                self.pauses.append(f"{event.scope} {event.subject_name}: {event.reason} {event.detail}".strip())

    def _fill(self, recorded: Recorded, event: events.FillBooked) -> None:
        order = self._intended.get(event.order_id)
        self.fills.append(
            Fill(
                at_ns=recorded.at_ns, seq=recorded.seq, order_id=event.order_id, strategy=event.strategy,
                instrument=event.instrument, side=event.side, quantity=event.quantity, price=event.price,
                fee=event.fee or ZERO, fee_asset=event.fee_asset or Asset(""), liquidity=event.liquidity,
                seen=None if order is None else order.seen,
            )
        )  # fmt: skip

    def _deny(self, reason: str, count: int, numbers: dict[str, str]) -> None:
        self.denials[reason] += count
        self._example(reason, ", ".join(f"{name} {value}" for name, value in numbers.items()))

    def _example(self, reason: str, text: str) -> None:
        found = self.examples.setdefault(reason, [])
        if len(found) < EXAMPLES_MOST and text not in found:
            found.append(text[:200])


def facts_of(entries: Iterable[Entry]) -> Facts:
    """The facts of a journal."""
    facts = Facts()
    for entry in entries:
        facts.count += 1
        if entry.kind in _READ:
            facts.take(decode(entry))
    return facts
