"""Executions that come late, twice, in another order or not at all: pains 7, 8, 9, 16, 18 and 20."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from adapters.simulated import ledger, wire
from adapters.simulated.listing import Listing
from adapters.simulated.options import FeeIn
from adapters.simulated.translate import Translator
from engine import events
from engine.codec import digest
from engine.inputs import Action, Quote, Trade
from engine.strategy import Context, Intent
from engine.values import MILLISECOND_NS, Asset, Side
from tests.pains.small_world import (
    BTC,
    EVERY_NS,
    ONE,
    SYMBOL,
    Script,
    command,
    eager,
    engine_of,
    events_of,
    exchange_of,
    executed_of,
    finish,
    make_world,
    restless,
    run_for,
    seeds,
    set_faults,
    state_of,
)
from tools.simulation.world import VENUE, World

EXECUTIONS = ["execution"]
RICH = {"USDT": Decimal(10**7), "BTC": Decimal(100)}


def delays_of(world: World, until_ns: int) -> list[int]:
    """How long after the exchange had executed it each execution up to an instant was booked, in ns."""
    booked = {str(one.event.exec_id): one.at_ns for one in events_of(world, events.FillBooked)}
    executed = {exec_id: at_ns for exec_id, (at_ns, _fact) in executed_of(world).items() if at_ns <= until_ns}
    return [booked.get(exec_id, world.clock.now + BOUND_NS) - at_ns for exec_id, at_ns in executed.items()]


# --- 7: fills that are never told -------------------------------------------------------------------------------

BOUND_NS = EVERY_NS + 50 * MILLISECOND_NS
"""The configured bound: `reconcile.every`, the answer's way there and back, and a probe."""


@pytest.mark.parametrize("permille", [300, 1_000])
def test_pain_07_a_dropped_fill_is_found_within_the_bound(permille: int) -> None:
    """Fill frames never came although the stream was healthy; orders hung, and a loop liquidated again and again. Here
    single fill frames are dropped, or all of them, while quotes and heartbeats go on: each fill is booked within
    `reconcile.every` and the time of an answer."""
    late = fills = 0
    for seed in seeds(8):
        world = make_world(seed, {ONE: restless()}, {"drop": {"permille": permille, "on": EXECUTIONS}})
        run_for(world, 8)
        until_ns = world.clock.now
        run_for(world, 0, BOUND_NS // MILLISECOND_NS)  # what was executed until then is booked by now
        delays = delays_of(world, until_ns)
        assert max(delays, default=0) <= BOUND_NS, f"seed {seed}"
        late += sum(delay > 100 * MILLISECOND_NS for delay in delays)
        fills += len(delays)
        assert finish(world) == [], f"seed {seed}"
    assert fills > 20
    assert late > 5


# --- 8: fills that are told again -------------------------------------------------------------------------------


def history_of(world: World) -> list[Trade]:
    """Every execution there ever was, as the venue tells it."""
    asked = engine_of(world).venue.inner.ask(wire.ReadLedger())
    assert isinstance(asked, wire.AccountAnswer)
    translator = Translator(VENUE, {BTC: SYMBOL})
    told = [translator.frame(executed, 0) for executed in asked.executions]
    return [one for one in told if isinstance(one, Trade)]


def test_pain_08_the_whole_history_again_after_a_restart_counts_nothing() -> None:
    """Replayed fills were counted two or three times after a reconnect or a restart. Here frames are doubled and
    reordered, the process dies, and then the venue tells its whole history three times over, shuffled."""
    replayed = 0
    for seed in seeds(6):
        world = make_world(seed, {ONE: restless()}, {"duplicate": {"permille": 400}, "reorder": {"permille": 300}})
        run_for(world, 6)
        assert finish(world) == [], f"seed {seed}"
        history = history_of(world) * 3
        Random(seed).shuffle(history)
        before, position = digest(state_of(world)), state_of(world).position(BTC)
        seq = world.log.seq
        for trade in history:
            engine_of(world).inbox.deliver(trade)
        run_for(world, 0, 1)
        assert [one.event.kind for one in events_of(world, events.FillBooked) if one.seq > seq] == []
        assert (digest(state_of(world)), state_of(world).position(BTC)) == (before, position)
        replayed += len(history)
    assert replayed > 30


# --- 9: nothing is inferred -------------------------------------------------------------------------------------


def test_pain_09_only_what_the_venue_executed_is_booked() -> None:
    """A fill was inferred from a quantity, then the real one came under another id, and both counted. Here snapshots
    leave out half of the executions while their rows show the whole quantity, and the frames are dropped: what is
    booked is at every moment a part of the exchange's own ledger, and at the end all of it."""
    ahead = 0
    for seed in seeds(6):
        faults = {"partial": {"permille": 700}, "drop": {"permille": 800}, "fail": {"permille": 500, "on": ["query"]}}
        world = make_world(seed, {ONE: restless(quantity="0.2")}, faults, balances=RICH)
        for _ in range(40):
            run_for(world, 0, 200)
            theirs = {exec_id: fact.quantity for exec_id, (_at_ns, fact) in executed_of(world).items()}
            ours = {str(e.exec_id): e.quantity for e in (one.event for one in events_of(world, events.FillBooked))}
            assert ours.items() <= theirs.items(), f"seed {seed}"
            assert state_of(world).position(BTC).quantity == signed_of(world, set(ours))
        ahead += sum("probe" in one.event.why for one in events_of(world, events.OrderQueried))
        assert finish(world) == [], f"seed {seed}"
    assert ahead > 0, "no row ever showed more than the executions"


def signed_of(world: World, exec_ids: set[str]) -> Decimal:
    """The sum of those executions of the exchange's ledger, sells negative."""
    sides = {
        str(entry.seq): fact.side
        for entry in world.ledger.entries
        if isinstance(fact := ledger.fact_of(entry), ledger.OrderAccepted)
    }
    executed = {exec_id: fact for exec_id, (_at_ns, fact) in executed_of(world).items()}
    return sum((executed[i].quantity * sides[executed[i].venue_order_id].sign for i in exec_ids), Decimal(0))


# --- 16 and 18: races -------------------------------------------------------------------------------------------


def test_pain_16_what_is_executed_while_it_is_cancelled_counts() -> None:
    """Cancelled locally, filled at the exchange. Here every cancel is under way for 0.7 s and every second frame about
    a fill is lost before it: orders end as canceled with a part executed, and the books agree."""
    kinds: set[tuple[str, bool]] = set()
    for seed in seeds(8):
        faults = {"delay_request": {"every": 1, "on": ["cancel"], "by": "700ms"},
                  "drop": {"every": 2, "on": EXECUTIONS}}  # fmt: skip
        world = make_world(seed, {ONE: restless(20, quantity="0.2")}, faults, balances=RICH)
        run_for(world, 8)
        assert finish(world) == [], f"seed {seed}"
        kinds |= {(str(o.status), bool(o.filled)) for o in state_of(world).orders.values() if o.cancel_ns}
    assert {("canceled", True), ("canceled", False), ("filled", True)} <= kinds


def test_pain_18_no_order_comes_back_from_the_dead() -> None:
    """A fill came before the acknowledgement, and a late "NEW" opened the finished order again. Here replies, frames
    and the answers to questions overtake one another in every way: nothing that is closed opens again."""
    faults = {
        "delay_reply": {"permille": 500, "by": "1200ms"}, "delay": {"permille": 200, "by": "400ms"},
        "reorder": {"permille": 300}, "duplicate": {"permille": 300}, "duplicate_reply": {"permille": 300},
        "stale": {"permille": 300, "by": "3s"},
    }  # fmt: skip
    for seed in seeds(8):
        world = make_world(seed, {ONE: restless()})
        run_for(world, 1, 500)  # the account is opened by what is true
        set_faults(world, faults)
        run_for(world, 7)
        assert finish(world) == [], f"seed {seed}"
        closed: set[str] = set()
        for one in events_of(world, events.OrderEvent):
            if one.event.kind in ("OrderCanceled", "OrderExpired", "OrderRejected"):
                closed.add(one.event.order_id)
            assert one.event.kind != "OrderAccepted" or one.event.order_id not in closed, f"seed {seed}, seq {one.seq}"


# --- 20: decimals -----------------------------------------------------------------------------------------------


def trader(most: int = 8) -> Script:
    """Buys by chance, and sells what it holds less the fees in odd parts, each rounded to the grid."""

    def script(callback: str, context: Context, argument: Any) -> Iterator[Intent]:
        if callback == "on_fill" and argument.fee_asset == "BTC":
            context.memory["fees"] = context.memory.get("fees", Decimal(0)) + argument.fee
        if callback != "on_quote" or context.open_orders() or context.memory.get("asked", 0) >= most:
            return
        context.memory["asked"] = context.memory.get("asked", 0) + 1
        yield from _odd_part(context, argument)

    return script


def _odd_part(context: Context, quote: Quote) -> Iterator[Intent]:
    terms, dice = context.instrument(BTC), context.random()
    held = context.position(BTC) - context.memory.get("fees", Decimal(0))
    side = Side.SELL if held > 0 and dice.randrange(3) else Side.BUY
    wanted = held * dice.randrange(1, 9) / 8 if side is Side.SELL else Decimal(dice.randrange(1, 10**6)) / 10**7
    quantity = terms.round_quantity(wanted)
    through = (quote.ask if side is Side.BUY else quote.bid) * (1 + side.sign * Decimal("0.01"))
    if quantity >= (terms.min_quantity or 0):
        yield Intent(instrument=BTC, side=side, quantity=quantity, price=terms.round_price(through, side))


def _grid(seed: int) -> Listing:
    """Ticks and lots that no binary fraction can hold, by the seed."""
    dice = Random(seed)
    tick, lot = Decimal(dice.choice((1, 2, 5, 25))).scaleb(-dice.randrange(1, 6)), Decimal(dice.choice((1, 3, 7)))
    return Listing(tick=tick, lot=lot.scaleb(-dice.randrange(3, 8)), min_notional=Decimal(0), displayed=Decimal(3))


def test_pain_20_the_parts_add_up_on_any_grid_with_the_fee_in_base() -> None:
    """57.638000000000005 is not 57.638; roundings went up, dust stayed, a fee in the base asset made the exit larger
    than the holding. Here ticks and lots are drawn by the seed and the fee is taken in what is bought: positions and
    balances are the ledger's to the last place, and no exit is refused for want of funds."""
    fills = 0
    for seed in seeds(10):
        world = make_world(seed, {ONE: trader()}, fee_in=FeeIn.RECEIVED, instruments={SYMBOL: _grid(seed)},
                           balances={"USDT": Decimal(100_000)})  # fmt: skip
        run_for(world, 6)
        # How small numbers are written is a test of its own below.
        assert finish(world) == [], f"seed {seed}"
        state, executed = state_of(world), executed_of(world)
        assert state.position(BTC).quantity == signed_of(world, set(executed))
        _assert_fees(world)
        engine_of(world).inbox.deliver(command(Action.KILL, flatten=True))
        run_for(world, 12)
        _assert_flat(world, seed)
        fills += len(executed)
    assert fills > 25


def _assert_fees(world: World) -> None:
    """The position is what was traded; the balance is that less what the fees in base have taken."""
    state = state_of(world)
    fees = sum(
        (e.fee for e in (one.event for one in events_of(world, events.FillBooked)) if e.fee and e.fee_asset == "BTC"),
        Decimal(0),
    )
    assert state.balances[VENUE][Asset("BTC")] == state.position(BTC).quantity - fees
    assert exchange_of(world).account.totals[Asset("BTC")] == state.balances[VENUE][Asset("BTC")]


def _assert_flat(world: World, seed: int) -> None:
    """An operator's flatten has sold what whole lots of the free balance there were, and was never refused."""
    state = state_of(world)
    assert state.kill_verified, f"seed {seed}"
    rejected = {one.event.reason for one in events_of(world, events.OrderRejected)}
    assert "insufficient_funds" not in rejected, f"seed {seed}"
    left, terms = state.balances[VENUE][Asset("BTC")], state.instruments[BTC]
    assert Decimal(0) <= left < max(terms.lot, terms.min_quantity or terms.lot), f"seed {seed}: {left} is left"


def test_pain_20_small_numbers_are_written_without_an_exponent() -> None:
    """What is stored is plain notation, so that anybody's tool reads it and equal numbers have equal bytes."""
    world = make_world(20, {ONE: eager(1, "0.0007")}, fee_in=FeeIn.RECEIVED)
    run_for(world, 3)
    fees = [json.loads(entry.body)["fee"] for entry in world.log.entries if entry.kind == "FillBooked"]
    assert fees
    assert [fee for fee in fees if "E" in fee] == []
