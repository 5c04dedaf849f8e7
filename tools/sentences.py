"""A sentence for each event."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import attrs

from engine import events
from engine.events import Event
from engine.inputs import Action, Refusal, Scope
from engine.limits import OnLimit
from engine.values import MILLISECOND_NS
from tools.wording import DONE, clock, count, listed, number, one_line, pairs, scope_words, status_words


def sentence(event: Event) -> str:
    """What happened, without the subject that stands beside it; safe to print."""
    return one_line(tell(event))


@singledispatch
def tell(event: Event) -> str:
    """What happened, in words; of a kind that has none, its name and its fields: a sentence never ends a run."""
    kind: Any = type(event)
    return f"{event.kind}: {pairs({field.name: getattr(event, field.name) for field in attrs.fields(kind)})}"


@tell.register
def _(event: events.ProcessStarted) -> str:
    after = "on a new journal" if event.epoch == 1 else "after a clean stop" if event.clean else "after a crash"
    return f"process {event.pid} began, {after}; release {event.release}, epoch {event.epoch}"


@tell.register
def _(event: events.ConfigurationAdopted) -> str:
    return f"configuration adopted: {count(len(event.settings.strategies), 'strategy', 'strategies')}"


@tell.register
def _(event: events.VenueDescribed) -> str:
    description = event.description
    instruments = count(len(description.instruments), "instrument")
    return f"described: {description.adapter}, account {description.account}, {instruments}"


@tell.register
def _(event: events.ProcessStopped) -> str:
    return f"stopped: {event.reason}"


@tell.register
def _(event: events.StateDigested) -> str:
    return f"state digest {event.state_digest[:16]}…"


@tell.register
def _(event: events.ClockJumped) -> str:
    return f"the wall clock moved by {event.jump_ns // MILLISECOND_NS} ms"


@tell.register
def _(event: events.SystemChanged) -> str:
    return f"{event.state} ({event.reason})"


@tell.register
def _(event: events.TradingPaused) -> str:
    until = ", until resumed by an operator" if event.latched else ""
    detail = f": {event.detail}" if event.detail else ""
    return f"paused {scope_words(event.scope, event.subject_name)} ({event.reason}){until}{detail}"


@tell.register
def _(event: events.PauseEnded) -> str:
    return f"the pause of {scope_words(event.scope, event.subject_name)} ended ({event.reason})"


@tell.register
def _(event: events.LimitTripped) -> str:
    action = str(event.action).replace("_", " ")
    return f"limit reached: {event.limit} ({pairs(dict(event.numbers))}); {action} {_reach(event)}"


def _reach(event: events.LimitTripped) -> str:
    return scope_words(event.scope if event.action is OnLimit.PAUSE else Scope.ALL, event.subject_name)


@tell.register
def _(event: events.EquityMarked) -> str:
    whose = scope_words(event.scope, event.subject_name)
    return f"losses of {whose} count from {number(event.opening)} {event.asset} today, from {number(event.peak)} in all"


@tell.register
def _(event: events.OperatorCommanded) -> str:
    reason = f": {event.reason}" if event.reason else ""
    if event.action is Action.STOP:
        return f"stopping{reason}"
    flatten = " and flatten" if event.flatten else ""
    has_scope = event.action in (Action.PAUSE, Action.RESUME)
    subject = f" {scope_words(event.scope, event.subject_name)}" if has_scope else ""
    return f"operator {event.uid} (pid {event.pid}) ordered: {event.action}{flatten}{subject}{reason}"


@tell.register
def _(event: events.KillVerified) -> str:
    return f"no open order is left at {listed(event.venues)}"


@tell.register
def _(event: events.VenueConnected) -> str:
    return "connected"


@tell.register
def _(event: events.VenueLost) -> str:
    return f"connection lost: {event.cause}"


@tell.register
def _(event: events.VenueThrottled) -> str:
    return f"asked too much: nothing is asked before {clock(event.until_ns)} UTC: {event.cause}"


@tell.register
def _(event: events.StreamLost) -> str:
    return f"subscription {event.stream} is missing{_of(event.instrument)}: {event.cause}"


@tell.register
def _(event: events.StreamRestored) -> str:
    return f"subscription {event.stream} is there again{_of(event.instrument)}"


@tell.register
def _(event: events.SnapshotRequested) -> str:
    return f"asked for orders, executions and balances ({event.why})"


@tell.register
def _(event: events.SnapshotMissed) -> str:
    return f"no usable answer: {event.cause}"


@tell.register
def _(event: events.AccountOpened) -> str:
    return f"account {event.account} began with {_balances(event)}"


@tell.register
def _(event: events.AccountSeen) -> str:
    return f"shows {_balances(event)}; the account is opened once it shows the same again"


@tell.register
def _(event: events.Reconciled) -> str:
    booked = f", {event.executions_booked} of them new to us" if event.executions_booked else ""
    settled = f"; {count(event.orders_settled, 'order')} settled" if event.orders_settled else ""
    differences = listed(
        f"{difference.name}: the venue has {difference.venue}, the books {difference.ours}"
        for difference in event.differences
    )
    verdict = f"differs: {differences}" if differences else "all agrees" if event.ready else "not complete yet"
    shown = f"{count(event.open_orders, 'open order')}, {count(event.executions, 'execution')}"
    return f"compared with the books: {shown}{booked}{settled}; {verdict}"


@tell.register
def _(event: events.InstrumentChanged) -> str:
    changes = listed(f"{change.term} was {change.before}, is {change.after}" for change in event.changes)
    return f"the venue lists other terms: {changes}"


@tell.register
def _(event: events.FundingBooked) -> str:
    what = "received" if event.amount > 0 else "paid"
    return f"funding {event.funding_id}: {number(abs(event.amount))} {event.asset} {what}"


@tell.register
def _(event: events.BalanceAdjusted) -> str:
    return f"balance of {event.asset} changed by {number(event.amount)} ({event.reason})"


@tell.register
def _(event: events.PositionAdjusted) -> str:
    whose = f" of {event.strategy}" if event.strategy else ""
    return f"position{whose} changed by {number(event.quantity)} without an execution ({event.reason})"


@tell.register
def _(event: events.AnomalyRecorded) -> str:
    repeats = f" (and {count(event.repeats, 'time')} before)" if event.repeats else ""
    return f"anomaly {event.anomaly}: {event.detail}{repeats}"


@tell.register
def _(event: events.StrategyAdvanced) -> str:
    memory = "" if event.memory is None else ", memory kept"
    return f"told up to seq {event.told_seq}{memory}"


@tell.register
def _(event: events.StrategyFailed) -> str:
    where = f" at {event.frames[-1]}" if event.frames else ""
    return f"{event.callback} raised {event.type}: {event.message}{where}"


@tell.register
def _(event: events.OrderIntended) -> str:
    seen = f", seeing {number(event.seen.bid)} / {number(event.seen.ask)}" if event.seen else ""
    why = f", because {pairs(event.reason)}" if event.reason else ""
    wanted = f"{event.side} {number(event.quantity)} {event.instrument} {_at_prices(event)}"
    role = f" as {event.role}" if event.role else ""
    terms = f"({event.order_type} {event.time_in_force}{_maker(event)})"
    return f"{event.strategy} wants to {wanted} {terms}{role}{seen}{_looked_at(event.inputs)}{why}"


def _at_prices(event: events.OrderIntended) -> str:
    """Where it is wanted: the limit price or the market, and what is waited for."""
    price = "at the market" if event.price is None else f"at {number(event.price)}"
    stop = "" if event.stop_price is None else f" once {number(event.stop_price)} is reached"
    trail = "" if event.trail is None else f", trailing by {number(event.trail)}"
    trail += "" if event.trail_fraction is None else f", trailing by {number(event.trail_fraction)} of the price"
    bound = "" if event.worst_price is None else f", at worst {number(event.worst_price)}"
    reduces = ", only to reduce" if event.reduce_only else ""
    return f"{price}{stop}{trail}{bound}{reduces}"


@tell.register
def _(event: events.OrderHeld) -> str:
    return f"held by the engine: {event.why}"


@tell.register
def _(event: events.OrderAmended) -> str:
    price = "" if event.price is None else f" at {number(event.price)}"
    stop = "" if event.stop_price is None else f", stop {number(event.stop_price)}"
    return f"amended by the engine to {number(event.quantity)}{price}{stop}: {event.why}"


@tell.register
def _(event: events.StyleEnded) -> str:
    ended = {"gave_up": "gives the rest up", "crosses": "crosses with the rest"}.get(event.outcome, event.outcome)
    return f"its style {ended}{f' ({pairs(dict(event.numbers))})' if event.numbers else ''}"


def _maker(event: events.OrderIntended) -> str:
    """Which strategy it was exactly: its version, and the hash of its source and parameters."""
    return f"; version {event.strategy_version}, {event.strategy_hash}" if event.strategy_hash else ""


def _looked_at(inputs: dict[str, Any]) -> str:
    """What the callback was told or asked for, beside the quote."""
    values = {
        label: pairs(value) if isinstance(value, dict) else value
        for label, value in inputs.items()
        if label not in ("callback", "more")
    }
    told = f" in {inputs['callback']}" if "callback" in inputs else ""
    return f"{told}, looking at {pairs(values)}" if values else told


@tell.register
def _(event: events.OrderDenied) -> str:
    repeats = f"; {count(event.repeats, 'equal denial')} before" if event.repeats else ""
    numbers = f" ({pairs(dict(event.numbers))})" if event.numbers else ""
    return f"risk said no: {event.reason}{numbers}{repeats}"


@tell.register
def _(event: events.SubmitRequested) -> str:
    return f"requested as {event.client_order_id}{_seen(event.verdict)}"


@tell.register
def _(event: events.OrderAccepted) -> str:
    return f"accepted by the venue{_as(event.venue_order_id)}"


@tell.register
def _(event: events.OrderRejected) -> str:
    kind = {Refusal.POLICY: " by policy", Refusal.THROTTLED: " for now"}.get(event.refusal, "")
    return f"rejected by the venue{kind}: {event.reason or 'no reason given'}"


@tell.register
def _(event: events.FillBooked) -> str:
    fee = f", fee {number(event.fee)} {event.fee_asset}" if event.fee is not None else ""
    marks = listed(word for word, is_so in (("late", event.late), ("overfill", event.overfill)) if is_so)
    done = f"{DONE[event.side]} {number(event.quantity)} {event.instrument} at {number(event.price)}"
    return f"{done} ({event.liquidity}{fee}){f' – {marks}' if marks else ''}"


@tell.register
def _(event: events.FillCorrected) -> str:
    return f"execution {event.exec_id} corrected by the venue: {number(event.quantity)} at {number(event.price)}"


@tell.register
def _(event: events.FillBusted) -> str:
    return f"execution {event.exec_id} taken back by the venue"


@tell.register
def _(event: events.FeeBooked) -> str:
    return f"fee of execution {event.exec_id}: {number(event.fee)} {event.fee_asset}"


@tell.register
def _(event: events.CancelRequested) -> str:
    held = ", held until the order's own outcome is known" if event.held else ""
    return f"cancel asked for by {event.by}{held}"


@tell.register
def _(event: events.CancelAccepted) -> str:
    return "the venue has the cancel"


@tell.register
def _(event: events.CancelRefused) -> str:
    return f"cancel refused ({event.refusal}): {event.reason or 'no reason given'}"


@tell.register
def _(event: events.OrderCanceled) -> str:
    how = "as asked" if event.requested else "by the venue"
    evidence = "" if event.evidence == "confirmed" else f", {event.evidence}"
    return f"canceled {how}{evidence}{f': {event.reason}' if event.reason else ''}"


@tell.register
def _(event: events.OrderExpired) -> str:
    return "expired"


@tell.register
def _(event: events.ReplaceRequested) -> str:
    return (
        f"replacement asked for by {event.by}: {number(event.quantity)} at {number(event.price)}{_seen(event.verdict)}"
    )


@tell.register
def _(event: events.ReplaceDenied) -> str:
    return f"replacement denied: {event.reason}{f' ({pairs(dict(event.numbers))})' if event.numbers else ''}"


@tell.register
def _(event: events.ReplaceAccepted) -> str:
    return "the venue has the replacement"


@tell.register
def _(event: events.OrderReplaced) -> str:
    stop = "" if event.stop_price is None else f", stop {number(event.stop_price)}"
    place = {True: ", its place in the queue kept", False: ", at the end of the queue", None: ""}[event.keeps_priority]
    terms = f"{number(event.quantity)} at {number(event.price)}{stop}"
    return f"replaced: now {terms}{place}{_as(event.venue_order_id)}"


@tell.register
def _(event: events.ReplaceRefused) -> str:
    return f"replacement refused: {event.reason or 'no reason given'}"


@tell.register
def _(event: events.OrderSuspended) -> str:
    return "suspended by the venue"


@tell.register
def _(event: events.OrderDoneForDay) -> str:
    return "done for the day"


@tell.register
def _(event: events.OrderRestated) -> str:
    return f"restated by the venue: {number(event.quantity)}"


@tell.register
def _(event: events.OrderTriggered) -> str:
    price = "" if event.market_price is None else f" by a market price of {number(event.market_price)}"
    worst = "" if event.worst_price is None else f", at worst {number(event.worst_price)}"
    return f"its stop was triggered{price}{worst}"


@tell.register
def _(event: events.OutcomeUnknown) -> str:
    what = "the order" if event.request == "new" else f"the {event.request}"
    return f"outcome of {what} unknown ({event.cause}): the venue will be asked, nothing is sent twice"


@tell.register
def _(event: events.OrderQueried) -> str:
    return f"asked the venue what became of it ({event.why})"


@tell.register
def _(event: events.OrderVoided) -> str:
    sources = listed(str(source).replace("_", " ") for source in event.sources)
    return f"proven never to have reached the venue, by {sources or 'its answers'}"


@tell.register
def _(event: events.OrderResolved) -> str:
    return f"settled by hand as {event.resolution} ({event.by}): {event.reason or 'no reason given'}"


@tell.register
def _(event: events.ExternalOrderSeen) -> str:
    whose = "of our form, adopted" if event.adopted else "not ours"
    price = "at the market" if event.price is None else f"at {number(event.price)}"
    return f"an order {whose}: {event.side} {number(event.quantity)} {event.instrument} {price}"


@tell.register
def _(event: events.OrderArchived) -> str:
    return "left the present; the journal keeps it"


@tell.register
def _(event: events.ArchivedOrderReported) -> str:
    return "the venue reports on it although it had left the present; the journal is searched for it"


@tell.register
def _(event: events.OrderRecalled) -> str:
    return f"back in the present, as the journal tells it: {status_words(event.order)}"


def _balances(event: events.AccountOpened | events.AccountSeen) -> str:
    return listed(f"{number(b.free + b.locked)} {b.asset}" for b in event.balances) or "nothing"


def _seen(verdict: dict[str, str]) -> str:
    return f"; risk said yes: {pairs(dict(verdict))}" if verdict else ""


def _of(instrument: str | None) -> str:
    return f" of {instrument}" if instrument else ""


def _as(venue_order_id: str | None) -> str:
    return f" as {venue_order_id}" if venue_order_id else ""
