"""Round trips: from flat to flat, the way in which a trader counts trades."""

from __future__ import annotations

from decimal import Decimal

from attrs import define, frozen

from engine.values import EXACT, ONE, ZERO, InstrumentName, Side, StrategyName, divide, plain
from tools.backtest.facts import Fill


@frozen(kw_only=True)
class Trip:
    """One round trip: `side` is that of its opening, `quantity` the most that was held, prices are averages, `net` is
    the result after `fees`, in the quote asset. `end_ns` is None while it is open: then nothing of it is counted."""

    strategy: StrategyName
    instrument: InstrumentName
    side: Side
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    fees: Decimal
    net: Decimal
    start_ns: int
    end_ns: int | None


@define
class _Forming:
    """Sums of both sides of a round trip; the average of a side is its money over its quantity."""

    side: Side
    start_ns: int
    multiplier: Decimal = ONE
    held: Decimal = ZERO
    most: Decimal = ZERO
    opened: Decimal = ZERO
    opened_money: Decimal = ZERO
    closed: Decimal = ZERO
    closed_money: Decimal = ZERO
    fees: Decimal = ZERO

    def take(self, is_opening: bool, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
        money = EXACT.multiply(quantity, price)
        self.fees += fee
        if is_opening:
            self.held, self.opened, self.opened_money = (
                self.held + quantity, self.opened + quantity, self.opened_money + money,
            )  # fmt: skip
        else:
            self.held, self.closed, self.closed_money = (
                self.held - quantity, self.closed + quantity, self.closed_money + money,
            )  # fmt: skip
        self.most = max(self.most, self.held)


class Trips:
    """Fed with fills; `done` are the closed ones in order of their end."""

    def __init__(self) -> None:
        self.done: list[Trip] = []
        self._forming: dict[tuple[StrategyName, InstrumentName], _Forming] = {}

    def take(self, fill: Fill, fee: Decimal, multiplier: Decimal = ONE) -> None:
        """One more fill with its fee in the quote asset; one that turns a position closes a trip and opens the next."""
        key = fill.strategy, fill.instrument
        forming = self._forming.get(key)
        left, left_fee = fill.quantity, fee
        if forming is not None and forming.side is not fill.side:
            closing = min(left, forming.held)
            part = left_fee if closing == left else divide(EXACT.multiply(left_fee, closing), left)
            forming.take(False, closing, fill.price, part)
            left, left_fee = left - closing, left_fee - part
            if not forming.held:
                self.done.append(_trip(*key, self._forming.pop(key), fill.at_ns))
                forming = None
        if left:
            if forming is None:
                forming = self._forming[key] = _Forming(fill.side, fill.at_ns, multiplier)
            forming.take(True, left, fill.price, left_fee)

    def open(self) -> list[Trip]:
        """Those that have not ended."""
        return [_trip(*key, forming, None) for key, forming in self._forming.items()]


def _trip(strategy: StrategyName, instrument: InstrumentName, forming: _Forming, end_ns: int | None) -> Trip:
    gained = (forming.closed_money - forming.opened_money) * forming.multiplier * forming.side.sign
    return Trip(
        strategy=strategy, instrument=instrument, side=forming.side, quantity=plain(forming.most),
        entry_price=divide(forming.opened_money, forming.opened),
        exit_price=divide(forming.closed_money, forming.closed) if forming.closed else None,
        fees=plain(forming.fees), net=plain(gained - forming.fees) if end_ns is not None else ZERO,
        start_ns=forming.start_ns, end_ns=end_ns,
    )  # fmt: skip
