"""A market written down by hand, and an exchange on it, for tests that need to know every level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import count

from attrs import frozen

from adapters.simulated.exchange import Answer, Exchange
from adapters.simulated.ledger import TapeStarted
from adapters.simulated.listing import Listing, terms
from adapters.simulated.market import Instant, Print, Swing
from adapters.simulated.matching import Rules
from adapters.simulated.options import AckOn, FeeIn, FeeRates
from adapters.simulated.wire import Cancel, Executed, MarketFrame, Place, Replace, Status
from engine.inputs import Level, Quote
from engine.values import Asset, ClientOrderId, InstrumentName, OrderType, Side, TimeInForce, exact
from tests.adapters.simulated.memory_log import MemoryLog

SYMBOL = "BTCUSDT"
T0_NS = 1_700_000_000_000_000_000
TERMS = terms(
    SYMBOL,
    Listing(
        base="BTC", quote="USDT", tick=Decimal(1), lot=Decimal("0.1"), min_quantity=Decimal("0.1"),
        max_quantity=Decimal(50), min_price=Decimal(10), max_price=Decimal(1000), min_notional=Decimal(20),
        price=Decimal(100), displayed=Decimal(5),
    ),
)  # fmt: skip


def levels(text: str) -> tuple[Level, ...]:
    """`"100x2 101x3"` as levels."""
    pairs = [each.split("x") for each in text.split()]
    return tuple((Decimal(price), Decimal(quantity)) for price, quantity in pairs)


@frozen
class Moment:
    """From `at_ns` on this is displayed; `prints` trade at that instant."""

    at_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    prints: tuple[Print, ...] = ()


def moment(seconds: int, bids: str, asks: str, prints: str = "") -> Moment:
    """So many seconds after the beginning."""
    return Moment(
        T0_NS + seconds * 10**9, levels(bids), levels(asks), tuple(Print(SYMBOL, *level) for level in levels(prints))
    )


class WrittenMarket:
    """Plays moments."""

    def __init__(self, moments: Sequence[Moment]) -> None:
        self._moments = list(moments)
        self._place = 0

    def begin(self, at_ns: int, now_ns: int, tape: TapeStarted | None, steps: int) -> TapeStarted | None:
        self.seek(at_ns)
        return None

    def next_ns(self) -> int | None:
        return self._moments[self._place + 1].at_ns if self._place + 1 < len(self._moments) else None

    def play(self) -> Instant:
        self._place += 1
        now = self._moments[self._place]
        frames: tuple[MarketFrame, ...] = ()
        if now.bids and now.asks:
            frames = (Quote(InstrumentName(SYMBOL), *now.bids[0], *now.asks[0], now.at_ns, now.at_ns),)
        return Instant(now.at_ns, frames, now.prints, (SYMBOL,))

    def seek(self, to_ns: int) -> None:
        while (next_ns := self.next_ns()) is not None and next_ns <= to_ns:
            self._place += 1

    def step(self, at_ns: int) -> Instant | None:
        return None

    def levels(self, symbol: str, side: Side) -> tuple[Level, ...]:
        now = self._moments[self._place]
        return now.bids if side is Side.BUY else now.asks

    def version(self, symbol: str) -> int:
        return self._place

    def swing(self, symbol: str) -> Swing:
        raise LookupError(symbol)

    def picture(self, symbol: str, at_ns: int) -> tuple[MarketFrame, ...]:
        return ()

    def status(self, at_ns: int) -> Status:
        return Status(at_ns=at_ns, records=self._place)


STILL = (moment(0, "99x5 98x5", "101x2 102x3 103x5"),)
FEES = FeeRates(Decimal("0.001"), Decimal("0.002"))
_numbers = count(1)


def open_day(
    moments: Sequence[Moment] = STILL,
    log: MemoryLog | None = None,
    *,
    fees: FeeRates = FEES,
    fee_in: FeeIn = FeeIn.QUOTE,
    ack_on: AckOn = AckOn.REPLY,
    balances: Mapping[str, str] | None = None,
    slippage: str = "0",
    at_ns: int = T0_NS,
    links: bool = False,
) -> Exchange:
    """An exchange with 10,000 USDT and 100 BTC."""
    given = {"USDT": "10000", "BTC": "100"} if balances is None else balances
    rules = Rules(
        instruments={SYMBOL: TERMS.instrument}, fees=fees, fee_in=fee_in, ack_on=ack_on, slippage=Decimal(slippage),
        balances={Asset(asset): exact(amount) for asset, amount in given.items()}, links=links,
    )  # fmt: skip
    return Exchange(MemoryLog() if log is None else log, WrittenMarket(moments), rules, "test", at_ns)


def place(
    side: str, quantity: str, price: str | None = None, tif: str = "gtc", *, post_only: bool = False,
    client_order_id: str | None = None, symbol: str = SYMBOL, expires_ns: int | None = None,
) -> Place:  # fmt: skip
    """A new order, by default with a client id that no other has."""
    return Place(
        symbol=symbol, client_order_id=ClientOrderId(client_order_id or f"c{next(_numbers)}"), side=Side(side),
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT, time_in_force=TimeInForce(tif),
        post_only=post_only, quantity=Decimal(quantity), price=None if price is None else Decimal(price),
        expires_ns=expires_ns,
    )  # fmt: skip


def cancel(client_order_id: str) -> Cancel:
    """Cancel by client id."""
    return Cancel(symbol=SYMBOL, client_order_id=ClientOrderId(client_order_id))


def replace(client_order_id: str, new: str, quantity: str, price: str | None = None) -> Replace:
    """Replace by client id."""
    return Replace(
        symbol=SYMBOL, client_order_id=ClientOrderId(client_order_id), new_client_order_id=ClientOrderId(new),
        quantity=Decimal(quantity), price=None if price is None else Decimal(price),
    )  # fmt: skip


def trades(answer: Answer | Sequence[object]) -> list[tuple[str, str, str]]:
    """(client id, quantity, price) of the executions that were told."""
    frames = [frame for _, frame in answer.told] if isinstance(answer, Answer) else list(answer)
    return [
        (str(frame.client_order_id), format(frame.quantity, "f"), format(frame.price, "f"))
        for frame in frames
        if isinstance(frame, Executed)
    ]
