"""For random books and orders each limit says what a naive restatement says; larger is never safer, and doubt frees
nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import Factory, define, evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events
from engine.inputs import Quote, RequestKind
from engine.limits import Limits, Measures, Risk
from engine.market import Market
from engine.order import Order
from engine.risk import PLANS
from engine.sight import Denied, Sight
from engine.values import (
    Asset,
    ClientOrderId,
    ExecId,
    InstrumentName,
    Liquidity,
    OrderId,
    OrderType,
    Side,
    StrategyName,
    TimeInForce,
    exact_arithmetic,
)
from engine.worth import equity
from tests.engine.bench import BTC, ETH, INSTRUMENTS, MAKER, SETTINGS, TREND, VENUE, Bench, d

NAMES, OWNERS = (BTC, ETH), (TREND, MAKER)
BID, ASK = {BTC: d(100), ETH: d(10)}, {BTC: d(101), ETH: d(11)}
MARK = {BTC: d("100.5"), ETH: d("10.5")}
FEE_RATE = d("0.01")

tenths = st.integers(1, 300).map(lambda n: Decimal(n) / 10)
amounts = st.integers(0, 5_000).map(Decimal)
sides, names, owners = st.sampled_from(Side), st.sampled_from(NAMES), st.sampled_from(OWNERS)


@define
class Row:
    """An open order in the naive book: `asked` and `asked_price` are those of an outstanding replacement."""

    owner: StrategyName
    name: InstrumentName
    side: Side
    quantity: Decimal
    price: Decimal
    filled: Decimal
    asked: Decimal | None = None
    asked_price: Decimal | None = None

    @property
    def most(self) -> Decimal:
        return max(self.quantity, self.asked or d(0)) - self.filled

    @property
    def dearest(self) -> Decimal:
        return max(self.price, self.asked_price or d(0))


@define
class Books:
    """What there is, as plain numbers; and the same as the engine has it."""

    rows: list[Row]
    bench: Bench
    market: Market
    held: dict[tuple[StrategyName, InstrumentName], Decimal] = Factory(dict)
    cash: Decimal = Decimal(0)
    base: dict[InstrumentName, Decimal] = Factory(dict)


rows = st.lists(
    st.builds(
        lambda owner, name, side, quantity, price, part, asked, asked_price: Row(
            owner=owner, name=name, side=side, quantity=quantity, price=price,
            filled=min(part, quantity - Decimal("0.1")) if part else d(0),
            asked=asked, asked_price=None if asked is None else asked_price,
        ),
        owners, names, sides, tenths, tenths, st.one_of(st.none(), tenths), st.one_of(st.none(), tenths), tenths,
    ),
    max_size=6,
)  # fmt: skip
holdings = st.dictionaries(st.tuples(owners, names), tenths.flatmap(lambda n: st.sampled_from((n, -n))), max_size=4)


@st.composite
def books(draw: st.DrawFn) -> Books:
    found = Books(draw(rows), Bench(), Market())
    found.held = dict(draw(holdings))
    for instrument in INSTRUMENTS:
        found.market.watch(instrument)
        name, now = instrument.name, found.bench.now_ns
        found.market.observe(Quote(name, BID[name], d(9), ASK[name], d(9), now, now), now)
    for number, ((owner, name), quantity) in enumerate(found.held.items()):
        side = Side.BUY if quantity > 0 else Side.SELL
        price = str(MARK[name])
        order = found.bench.work(f"h{number}", side=side, quantity=str(abs(quantity)), price=price, name=name,
                                 strategy=owner)  # fmt: skip
        found.bench.fill(order, str(abs(quantity)), f"he{number}", price)
    for number, row in enumerate(found.rows):
        _place(found, f"o{number}", row)
    _set_balances(found, draw(amounts), draw(tenths))
    return found


def _set_balances(found: Books, cash: Decimal, coins: Decimal) -> None:
    """By hand, so small that what is locked decides."""
    found.cash, found.base = cash, dict.fromkeys(NAMES, coins)
    found.bench.state.balances[VENUE] = {Asset("USDT"): cash, Asset("BTC"): coins, Asset("ETH"): coins}


def _place(found: Books, name: str, row: Row) -> None:
    """The row as an order; what is filled of it is held from there on."""
    bench = found.bench
    order = bench.work(name, side=row.side, quantity=str(row.quantity), price=str(row.price), name=row.name,
                       strategy=row.owner)  # fmt: skip
    if row.filled:
        bench.fill(order, str(row.filled), f"e-{name}", str(row.price))
        key = (row.owner, row.name)
        found.held[key] = found.held.get(key, d(0)) + row.filled * row.side.sign
    if row.asked is not None:
        bench.book(events.ReplaceRequested(
            order_id=order, new_client_order_id=ClientOrderId(f"r-{name}"), quantity=row.asked, price=row.asked_price,
            by="test",
        ))  # fmt: skip


@define
class Wish:
    """The order to judge."""

    owner: StrategyName
    name: InstrumentName
    side: Side
    quantity: Decimal
    price: Decimal

    def order(self, now_ns: int) -> Order:
        return Order(
            order_id=OrderId("wanted"), strategy=self.owner, instrument=self.name, venue=VENUE, side=self.side,
            order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, quantity=self.quantity, price=self.price,
            created_ns=now_ns, updated_ns=now_ns,
        )  # fmt: skip


wishes = st.builds(Wish, owners, names, sides, tenths, tenths)


def limit_reason(found: Books, wish: Wish) -> str | None:
    """The first configured limit that says no."""
    state = found.bench.state
    with exact_arithmetic():
        order = wish.order(found.bench.now_ns)
        sight = Sight(state=state, market=found.market, order=order, now_ns=found.bench.now_ns)
        for scope, limits, checks in PLANS.of(state.settings.risk).for_order(order):
            sight.look(scope, limits)
            for check in checks:
                said = check(sight)
                if isinstance(said, Denied):
                    return said.reason
    return None


def set_limits(found: Books, scope: str, wish: Wish, **limits: Any) -> None:
    made, measures = Limits(**limits), Measures(fee_rate=FEE_RATE)
    risk = {
        "account": Risk(account=made, measures=measures),
        "strategy": Risk(strategies={wish.owner: made}, measures=measures),
        "instrument": Risk(instruments={wish.name: made}, measures=measures),
    }[scope]  # fmt: skip
    found.bench.state.settings = evolve(SETTINGS, risk=risk)


# --- the naive restatements: is the order to be denied? ---------------------------------------------------------


def in_scope(scope: str, wish: Wish, owner: StrategyName, name: InstrumentName) -> bool:
    return {"account": True, "strategy": owner == wish.owner, "instrument": name == wish.name}[scope]


def position_of(found: Books, scope: str, wish: Wish, name: InstrumentName) -> Decimal:
    held = (q for (owner, held), q in found.held.items() if held == name and in_scope(scope, wish, owner, name))
    return sum(held, d(0))


def working_of(found: Books, scope: str, wish: Wish, name: InstrumentName, side: Side) -> Decimal:
    alike = (r for r in found.rows if (r.name, r.side) == (name, side) and in_scope(scope, wish, r.owner, r.name))
    return sum((row.most for row in alike), d(0))


def too_large(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    return wish.quantity > limit


def too_dear(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    return wish.quantity * wish.price > limit


def too_cheap(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    return wish.quantity * wish.price < limit


def too_much_held(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    held = position_of(found, scope, wish, wish.name)
    working = working_of(found, scope, wish, wish.name, wish.side)
    return held * wish.side.sign + working + wish.quantity > limit


def sides_of(found: Books, scope: str, wish: Wish, name: InstrumentName, more: bool) -> tuple[Decimal, Decimal]:
    """The worth of the long side and of the short side of one instrument."""
    held = position_of(found, scope, wish, name)
    long = held + working_of(found, scope, wish, name, Side.BUY)
    short = held - working_of(found, scope, wish, name, Side.SELL)
    if more and name == wish.name:
        long += wish.quantity if wish.side is Side.BUY else 0
        short -= wish.quantity if wish.side is Side.SELL else 0
    return long * MARK[name], short * MARK[name]


def gross(found: Books, scope: str, wish: Wish, more: bool) -> Decimal:
    return sum((max(map(abs, sides_of(found, scope, wish, name, more))) for name in NAMES), d(0))


def net(found: Books, scope: str, wish: Wish, more: bool) -> Decimal:
    both = [sides_of(found, scope, wish, name, more) for name in NAMES]
    return max(abs(sum((long for long, _ in both), d(0))), abs(sum((short for _, short in both), d(0))))


def too_exposed(measure: Callable[[Books, str, Wish, bool], Decimal]) -> Callable[..., bool]:
    def is_too_much(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
        after = measure(found, scope, wish, True)
        return after > limit and after > measure(found, scope, wish, False)

    return is_too_much


def no_funds(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    if wish.side is Side.SELL:
        locked = sum((r.most for r in found.rows if r.side is Side.SELL and r.name == wish.name), d(0))
        return wish.quantity > found.base[wish.name] - locked
    locked = sum((r.most * r.dearest for r in found.rows if r.side is Side.BUY), d(0))
    return (wish.quantity * wish.price + locked) * (1 + FEE_RATE) > found.cash


def not_reducing(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    held = found.held.get((wish.owner, wish.name), d(0))
    own = (r for r in found.rows if (r.owner, r.name, r.side) == (wish.owner, wish.name, wish.side))
    return wish.quantity + sum((row.most for row in own), d(0)) > max(-held * wish.side.sign, d(0))


def too_many(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    return sum(in_scope(scope, wish, row.owner, row.name) for row in found.rows) >= limit


def too_far(found: Books, scope: str, wish: Wish, limit: Decimal) -> bool:
    if wish.side is Side.BUY:
        return wish.price > ASK[wish.name] * (1 + limit / 10_000)
    return wish.price < BID[wish.name] * (1 - limit / 10_000)


def by_name(limit: Decimal) -> dict[InstrumentName, Decimal]:
    return dict.fromkeys(NAMES, limit)


NAIVE: dict[str, tuple[Callable[[Decimal], Any], Callable[..., bool]]] = {
    "max_order_quantity": (lambda n: by_name(n / 100), lambda f, s, w, n: too_large(f, s, w, n / 100)),
    "max_order_notional": (lambda n: n, too_dear),
    "min_order_notional": (lambda n: n, too_cheap),
    "max_position": (lambda n: by_name(n / 50), lambda f, s, w, n: too_much_held(f, s, w, n / 50)),
    "max_gross_exposure": (lambda n: n, too_exposed(gross)),
    "max_net_exposure": (lambda n: n, too_exposed(net)),
    "check_funds": (lambda n: True, no_funds),
    "reduce_only": (lambda n: True, not_reducing),
    "max_open_orders": (lambda n: int(n) // 1_000, lambda f, s, w, n: too_many(f, s, w, Decimal(int(n) // 1_000))),
    "price_collar": (lambda n: n / 10_000, too_far),
}
scopes = st.sampled_from(["account", "strategy", "instrument"])


@pytest.mark.parametrize("name", sorted(NAIVE))
@settings(max_examples=60, deadline=None)
@given(found=books(), wish=wishes, scope=scopes, amount=amounts)
def test_a_verdict_equals_its_naive_restatement(
    name: str, found: Books, wish: Wish, scope: str, amount: Decimal
) -> None:
    spelled, is_denied = NAIVE[name]
    set_limits(found, scope, wish, **{name: spelled(amount)})
    assert limit_reason(found, wish) == (name if is_denied(found, scope, wish, amount) else None)


# --- larger is never safer --------------------------------------------------------------------------------------

GROWING = ("max_order_quantity", "max_order_notional", "max_position", "max_gross_exposure", "max_net_exposure")
FLAT: dict[str, Any] = {"check_funds": True, "reduce_only": True, "max_daily_loss": d(40), "max_drawdown": d(60),
                        "max_daily_fees": d(3)}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(books(), wishes, scopes, amounts, st.sampled_from([*GROWING, *FLAT]), tenths)
def test_what_is_denied_is_denied_when_it_is_larger(
    found: Books, wish: Wish, scope: str, amount: Decimal, name: str, more: Decimal
) -> None:
    spelled = FLAT[name] if name in FLAT else NAIVE[name][0](amount)
    set_limits(found, scope, wish, **{name: spelled})
    if limit_reason(found, wish) is not None:
        assert limit_reason(found, evolve(wish, quantity=wish.quantity + more)) == name


# --- doubt frees nothing ----------------------------------------------------------------------------------------


def _everything(amount: Decimal) -> dict[str, Any]:
    limits = {name: NAIVE[name][0](amount) for name in (*GROWING, "max_open_orders")}
    return limits | {"check_funds": True, "max_daily_fees": amount, "max_daily_loss": amount + 1}


@settings(max_examples=150, deadline=None)
@given(books(), wishes, scopes, amounts, st.integers(0, 5), st.booleans())
def test_what_is_in_doubt_frees_no_capacity(
    found: Books, wish: Wish, scope: str, amount: Decimal, which: int, is_cancel: bool
) -> None:
    """A request about an order, and the loss of its reply: what was denied before is denied still."""
    set_limits(found, scope, wish, **_everything(amount))
    before = limit_reason(found, wish)
    bench, order_id = found.bench, OrderId(f"o{which}")
    if before is None or order_id not in bench.state.orders:
        return
    order = bench.state.orders[order_id]
    if is_cancel:
        bench.book(events.CancelRequested(order_id=order_id, held=False, by="test"))
        bench.book(events.OutcomeUnknown(order_id=order_id, request=RequestKind.CANCEL, cause="timeout"))
    elif order.replacement is None:
        bench.book(events.ReplaceRequested(
            order_id=order_id, new_client_order_id=ClientOrderId("less"), quantity=order.quantity / 2, price=d("0.5"),
            by="test",
        ))  # fmt: skip
        bench.book(events.OutcomeUnknown(order_id=order_id, request=RequestKind.REPLACE, cause="timeout"))
    assert limit_reason(found, wish) is not None


@settings(max_examples=100, deadline=None)
@given(books(), wishes, scopes, amounts, wishes)
def test_a_new_order_in_doubt_takes_what_a_working_one_takes(
    found: Books, wish: Wish, scope: str, amount: Decimal, other: Wish
) -> None:
    set_limits(found, scope, wish, **_everything(amount))
    bench = found.bench
    order = bench.submit("new", side=other.side, quantity=str(other.quantity), price=str(other.price), name=other.name,
                         strategy=other.owner)  # fmt: skip
    pending = limit_reason(found, wish)
    bench.book(events.OutcomeUnknown(order_id=order, request=RequestKind.NEW, cause="timeout"))
    assert limit_reason(found, wish) == pending
    bench.book(events.OrderAccepted(order_id=order, venue_order_id=None))
    assert limit_reason(found, wish) == pending


# --- equity -----------------------------------------------------------------------------------------------------

fills = st.lists(st.tuples(owners, names, sides, tenths, tenths, st.integers(0, 50)), max_size=12)


@settings(max_examples=100, deadline=None)
@given(fills)
def test_equity_is_cash_and_what_closing_would_bring(made: list[Any]) -> None:
    bench, market = Bench(), Market()
    money = dict.fromkeys(OWNERS, d(0))
    held = {(owner, name): d(0) for owner in OWNERS for name in NAMES}
    for instrument in INSTRUMENTS:
        market.watch(instrument)
        name = instrument.name
        market.observe(Quote(name, BID[name], d(9), ASK[name], d(9), bench.now_ns, bench.now_ns), bench.now_ns)
    for number, (owner, name, side, quantity, price, cents) in enumerate(made):
        fee = Decimal(cents) / 100
        order = bench.work(f"o{number}", side=side, quantity=str(quantity), price=str(price), name=name, strategy=owner)
        bench.book(events.FillBooked(
            order_id=order, exec_id=ExecId(f"e{number}"), venue=VENUE, instrument=name, strategy=owner, side=side,
            quantity=quantity, price=price, fee=fee, fee_asset=Asset("USDT"), liquidity=Liquidity.TAKER,
        ))  # fmt: skip
        money[owner] -= side.sign * quantity * price + fee
        held[owner, name] += side.sign * quantity

    def closed(signed: Decimal, name: InstrumentName) -> Decimal:
        return signed * (BID[name] if signed > 0 else ASK[name])

    with exact_arithmetic():
        for owner in OWNERS:
            naive = money[owner] + sum((closed(held[owner, name], name) for name in NAMES), d(0))
            assert abs(_equity(bench, market, owner) - naive) < d("0.000000000001")
        nets = {name: sum((held[owner, name] for owner in OWNERS), d(0)) for name in NAMES}
        naive = sum(money.values(), d(0)) + sum((closed(nets[name], name) for name in NAMES), d(0))
        assert abs(_equity(bench, market, None) - naive) < d("0.000000000001")


def _equity(bench: Bench, market: Market, owner: StrategyName | None) -> Decimal:
    found = equity(bench.state, market, Asset("USDT"), owner, None)
    assert isinstance(found, Decimal)
    return found
