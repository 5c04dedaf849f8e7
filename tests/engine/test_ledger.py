"""The books against a ledger that is written down naively: sums over facts, in exact decimals, without any state.

What is booked step by step, with averages, flips and corrections, has to be what one gets by adding up the facts as
they stand in the end.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from attrs import define, evolve, field
from hypothesis import example, given
from hypothesis import strategies as st

from engine import inputs
from engine.codec import decode_state, digest, encode_state
from engine.equity import equity
from engine.funding import book_funding
from engine.instrument import Instrument, InstrumentKind
from engine.position import Position
from engine.values import Asset, ExecId, InstrumentName, Side, StrategyName, exact_arithmetic
from tests.engine.bench import (
    BTC,
    DESCRIPTION,
    ETH,
    INSTRUMENTS,
    MAKER,
    SETTINGS,
    T0_NS,
    TREND,
    VENUE,
    Bench,
    d,
    head,
    trade,
)
from tests.engine.bench import bust as busted
from tests.engine.bench import correct as corrected

PERP = InstrumentName("BTC-PERP")
CONTRACT = Instrument(
    PERP, VENUE, "BTCPERP", Asset("BTC"), Asset("USDT"), tick=d("0.5"), lot=d("0.1"), kind=InstrumentKind.PERPETUAL,
    multiplier=d("0.01"), settlement_asset=Asset("USDT"),
)  # fmt: skip
MULTIPLIER = {BTC: Fraction(1), ETH: Fraction(1), PERP: Fraction("0.01")}
BASE = {BTC: "BTC", ETH: "ETH"}
ORDERS = [(who, what, side) for who in (TREND, MAKER) for what in (BTC, ETH, PERP) for side in Side]
CLOSE = Fraction(1, 10**12)

# One strategy bought what the other sold: the account holds nothing, and has won what lies between.
AGAINST_EACH_OTHER: list[tuple[object, ...]] = [("trade", 4, "1", "33", None), ("trade", 11, "1", "100", None)]

quantities = st.sampled_from("0.1 0.3 0.7 1 2.5 7".split())
prices = st.sampled_from("33 99.5 100 101.5".split())
fees = st.none() | st.tuples(st.sampled_from(["0.01", "-0.003", "0.0000007"]), st.sampled_from(["USDT", "BTC", "BNB"]))
places = st.integers(0, 100)
steps = st.lists(
    st.tuples(st.just("trade"), st.sampled_from(range(len(ORDERS))), quantities, prices, fees)
    | st.tuples(st.just("again"), places)
    | st.tuples(st.just("correct"), places, quantities, prices)
    | st.tuples(st.just("bust"), places)
    | st.tuples(st.just("fee"), places, st.sampled_from(["0.02", "0.0005"]), st.sampled_from(["USDT", "BNB"]))
    | st.tuples(st.just("funding"), st.sampled_from(["1", "-0.7", "0.01"])),
    min_size=1, max_size=40,
)  # fmt: skip


@define
class Fact:
    """One execution as it stands."""

    order: int
    quantity: Fraction
    price: Fraction
    fee: Fraction | None
    fee_asset: str
    is_busted: bool = False

    @property
    def terms(self) -> tuple[StrategyName, InstrumentName, int]:
        who, what, side = ORDERS[self.order]
        return who, what, 1 if side is Side.BUY else -1


@define
class Ledger:
    """What is known of the market's facts, in the order in which they were told; `flow` is what was done, reversals as
    trades of the other side."""

    facts: list[Fact] = field(factory=list)
    flow: list[tuple[StrategyName, InstrumentName, Fraction, Fraction]] = field(factory=list)
    funding: Fraction = Fraction(0)

    def book(self, fact: Fact, sign: int = 1) -> None:
        who, what, side = fact.terms
        self.flow.append((who, what, sign * side * fact.quantity, fact.price * MULTIPLIER[what]))

    def standing(self) -> list[Fact]:
        return [fact for fact in self.facts if not fact.is_busted]

    def positions(self) -> dict[tuple[StrategyName, InstrumentName], Fraction]:
        sums: dict[tuple[StrategyName, InstrumentName], Fraction] = defaultdict(Fraction)
        for fact in self.standing():
            who, what, side = fact.terms
            sums[who, what] += side * fact.quantity
        return sums

    def paid(self) -> dict[tuple[StrategyName, InstrumentName], Fraction]:
        """What was paid for a position, less what was received."""
        sums: dict[tuple[StrategyName, InstrumentName], Fraction] = defaultdict(Fraction)
        for fact in self.standing():
            who, what, side = fact.terms
            sums[who, what] += side * fact.quantity * fact.price * MULTIPLIER[what]
        return sums

    def fees(self) -> dict[tuple[StrategyName, InstrumentName, str], Fraction]:
        sums: dict[tuple[StrategyName, InstrumentName, str], Fraction] = defaultdict(Fraction)
        for fact in self.standing():
            if fact.fee is not None:
                sums[(*fact.terms[:2], fact.fee_asset)] += fact.fee
        return sums

    def cash(self) -> dict[str, Fraction]:
        """Every asset of the account but for what contracts have realised."""
        sums: dict[str, Fraction] = defaultdict(Fraction, {"BTC": Fraction(5), "USDT": Fraction(100_000)})
        for fact in self.standing():
            _who, what, side = fact.terms
            if what in BASE:
                sums[BASE[what]] += side * fact.quantity
                sums["USDT"] -= side * fact.quantity * fact.price
            if fact.fee is not None:
                sums[fact.fee_asset] -= fact.fee
        sums["USDT"] += self.funding
        return sums


def realized(flow: list[tuple[Fraction, Fraction]]) -> Fraction:
    """The result of a sequence of (signed quantity, price) by average cost, the plain way."""
    held, average, gained = Fraction(0), Fraction(0), Fraction(0)
    for quantity, price in flow:
        if held * quantity >= 0:
            average = (average * abs(held) + price * abs(quantity)) / (abs(held) + abs(quantity))
            held += quantity
            continue
        closed = min(abs(held), abs(quantity))
        gained += closed * (price - average) * (1 if held > 0 else -1)
        held += quantity
        if held * quantity > 0:
            average = price
    return gained


def begin() -> Bench:
    bench = Bench(SETTINGS, evolve(DESCRIPTION, instruments=(*INSTRUMENTS, CONTRACT)))
    for number, (who, what, side) in enumerate(ORDERS):
        quantity = "1000" if number % 2 else "3"  # some are executed beyond their quantity
        bench.work(f"o{number}", side=side, quantity=quantity, name=what, strategy=who)
    return bench


def tell(bench: Bench, ledger: Ledger, step: tuple[object, ...]) -> None:
    """Tell the engine a fact, and write it down."""
    kind, facts = step[0], ledger.facts
    place = int(str(step[1])) % len(facts) if facts and kind in ("again", "correct", "bust", "fee") else -1
    if kind == "trade":
        _kind, number, quantity, price, fee = step
        assert isinstance(number, int)
        amount, asset = fee if isinstance(fee, tuple) else (None, "")
        facts.append(Fact(number, Fraction(str(quantity)), Fraction(str(price)), amount and Fraction(amount), asset))
        ledger.book(facts[-1])
        bench.report(_trade(number, len(facts) - 1, str(quantity), str(price), amount, asset))
    elif kind == "funding":
        ledger.funding += Fraction(str(step[1]))
        _pay(bench, str(step[1]), bench.state.seq)
    elif place >= 0:
        _change(bench, ledger, facts[place], place, step)


def _change(bench: Bench, ledger: Ledger, fact: Fact, place: int, step: tuple[object, ...]) -> None:
    about, name, exec_id = f"o{fact.order}", ORDERS[fact.order][1], f"e{place}"
    if step[0] == "again" and not fact.is_busted:
        before = bench.state.seq
        bench.report(_trade(fact.order, place, _text(fact.quantity), _text(fact.price),
                            None if fact.fee is None else _text(fact.fee), fact.fee_asset))  # fmt: skip
        said = {type(recorded.event).__name__ for recorded in bench.recorded[before:]}
        assert "FillBooked" not in said
    elif step[0] == "correct":
        terms = Fraction(str(step[2])), Fraction(str(step[3]))
        if fact.is_busted or terms != (fact.quantity, fact.price):  # else nothing is said that was not known
            if not fact.is_busted:
                ledger.book(fact, -1)
            fact.quantity, fact.price, fact.is_busted = *terms, False
            ledger.book(fact)
        bench.report(evolve(corrected(str(step[2]), exec_id, str(step[3]), about=about), instrument=name))
    elif step[0] == "bust" and not fact.is_busted:
        fact.is_busted = True
        ledger.book(fact, -1)
        bench.report(evolve(busted(exec_id, about=about), instrument=name))
    elif step[0] == "fee" and fact.fee is None:
        fact.fee, fact.fee_asset = Fraction(str(step[2])), str(step[3])
        late = inputs.FeeReported(
            **head(about, name), exec_id=ExecId(exec_id), fee=d(str(step[2])), fee_asset=Asset(fact.fee_asset)
        )
        bench.report(late)


def _trade(number: int, place: int, quantity: str, price: str, fee: str | None, asset: str) -> inputs.Trade:
    _who, what, side = ORDERS[number]
    made = trade(quantity, f"e{place}", price, side, about=f"o{number}", instrument=what)
    return made if fee is None else evolve(made, fee=d(fee), fee_asset=Asset(asset))


def _pay(bench: Bench, amount: str, number: int) -> None:
    paid = inputs.FundingReported(
        venue=VENUE, instrument=PERP, funding_id=f"f{number}", asset=Asset("USDT"), amount=d(amount),
        transact_ns=T0_NS + 5,
    )  # fmt: skip
    assert len(bench.take(book_funding(bench.state, paid, bench.now_ns))) == 1
    assert bench.take(book_funding(bench.state, paid, bench.now_ns)) == []


def _text(number: Fraction) -> str:
    return f"{Decimal(number.numerator) / Decimal(number.denominator):f}"


@example(AGAINST_EACH_OTHER)
@given(steps)
def test_the_books_are_what_the_facts_add_up_to(told: list[tuple[object, ...]]) -> None:
    bench, ledger = begin(), Ledger()
    for step in told:
        tell(bench, ledger, step)
    check_positions(bench, ledger)
    check_cash(bench, ledger)
    again = decode_state(encode_state(bench.state))
    assert digest(again) == digest(bench.state)


def check_positions(bench: Bench, ledger: Ledger) -> None:
    """Quantities, fees and the whole result exactly; its split into realised and open to a millionth of a millionth."""
    quantities_, paid, charged = ledger.positions(), ledger.paid(), ledger.fees()
    for who, what, _side in ORDERS:
        held = bench.state.positions.get(what, {}).get(who, Position())
        assert Fraction(held.quantity) == quantities_[who, what]
        assert Fraction(held.realized) - Fraction(held.cost) == -paid[who, what]
        ours = {asset: Fraction(fee) for asset, fee in held.fees.items() if fee}
        assert ours == {key[2]: fee for key, fee in charged.items() if key[:2] == (who, what) and fee}
        flow = [(quantity, price) for w, name, quantity, price in ledger.flow if (w, name) == (who, what)]
        assert abs(Fraction(held.realized) - realized(flow)) < CLOSE
    shared = sum((position.funding for position in bench.state.positions.get(PERP, {}).values()), Decimal(0))
    assert Fraction(shared) == ledger.funding


def check_cash(bench: Bench, ledger: Ledger) -> None:
    """Every balance exactly, contracts at any price: what they realise is in it, what is open is not."""
    cash, balances = ledger.cash(), bench.state.balances[VENUE]
    net = bench.state.nets.get(PERP, Position())
    held = sum((quantity for (_who, what), quantity in ledger.positions().items() if what == PERP), Fraction(0))
    paid = sum((amount for (_who, what), amount in ledger.paid().items() if what == PERP), Fraction(0))
    assert Fraction(net.quantity) == held
    for mark in (Decimal(1), Decimal("123.45")):
        open_result = Fraction(net.unrealized(mark))
        ours = Fraction(balances[Asset("USDT")]) + open_result
        assert ours == cash["USDT"] - paid + held * Fraction(mark) * MULTIPLIER[PERP]
    for asset in ("BTC", "ETH", "BNB"):
        assert Fraction(balances.get(Asset(asset), Decimal(0))) == cash[asset]
    flow = [(quantity, price) for _who, name, quantity, price in ledger.flow if name == PERP]
    assert abs(Fraction(net.realized) - realized(flow)) < CLOSE


@example(AGAINST_EACH_OTHER, "100")
@given(steps, st.sampled_from(["33", "100", "250.5"]))
def test_equity_is_cash_and_what_is_held_at_its_price(told: list[tuple[object, ...]], price: str) -> None:
    """Equity by strategy and by account, against the facts: what was paid, what it is worth, what it cost in fees."""
    bench, ledger = begin(), Ledger()
    for step in told:
        tell(bench, ledger, step)
    marks = dict.fromkeys((BTC, ETH, PERP), d(price))
    with exact_arithmetic():
        account = equity(bench.state, lambda name, quantity: marks[name])
        one = equity(bench.state, lambda name, quantity: marks[name], strategy=TREND)
    for found, whose in ((account, (TREND, MAKER)), (one, (TREND,))):
        total = found.get(Asset("USDT"))
        expected = ledger.funding if whose == (TREND, MAKER) else _funding_of(bench)
        has_unpriced = False
        for (who, what), quantity in ledger.positions().items():
            if who in whose:
                expected += quantity * Fraction(price) * MULTIPLIER[what] - ledger.paid()[who, what]
        for (who, _what, asset), fee in ledger.fees().items():
            if who in whose:
                has_unpriced |= asset == "BNB" and bool(fee)
                expected -= fee * {"USDT": Fraction(1), "BTC": Fraction(price), "BNB": Fraction(0)}[asset]
        assert Fraction(total.total if total else 0) == expected
        if len(whose) == 1:
            assert bool(total and total.unpriced) == has_unpriced


def _funding_of(bench: Bench) -> Fraction:
    return Fraction(bench.state.positions.get(PERP, {}).get(TREND, Position()).funding)
