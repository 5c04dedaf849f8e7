"""Between the words of USD-M futures and the engine's: events of the account, orders, executions, positions. Pure but
for the ids it learns.

A message of unknown shape becomes a `ProtocolSurprise`; nothing here raises for what the venue sends. An order that we
did not ask for is told by its status, and its executions like any other: what the venue makes itself when it liquidates
or delivers a position (`autoclose-`, `adl_autoclose`, `settlement_autoclose-`, `delivery_autoclose-`) is such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from attrs import frozen

from adapters.binance.ids import KnownIds, is_ours
from adapters.binance.translate import Head, Names, fee_of, shown
from adapters.binance.wire import WireError, decode
from adapters.binance_usdm import wire
from engine import inputs, outbox
from engine.inputs import Input, VenueStatus
from engine.values import (
    MILLISECOND_NS,
    ZERO,
    Asset,
    ExecId,
    InstrumentName,
    Liquidity,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    exact,
)

STATUSES: dict[str, VenueStatus] = {
    "NEW": VenueStatus.NEW,
    "PARTIALLY_FILLED": VenueStatus.PARTIALLY_FILLED,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELED,
    "REJECTED": VenueStatus.REJECTED,
    "EXPIRED": VenueStatus.EXPIRED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
    "NEW_INSURANCE": VenueStatus.NEW,
    "NEW_ADL": VenueStatus.NEW,
}
"""The last two are liquidations that the insurance fund, or other traders, take over."""

TIMES: dict[str, TimeInForce] = {
    "GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "GTX": TimeInForce.GTC,
    "GTD": TimeInForce.GTD,
}  # fmt: skip

IGNORED = frozenset({"TRADE_LITE", "ALGO_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "STRATEGY_UPDATE", "GRID_UPDATE"})
"""Events that say nothing of the order book which an ORDER_TRADE_UPDATE does not."""

FUNDING, MARGIN_TYPE = "FUNDING_FEE", "MARGIN_TYPE_CHANGE"
CHANGES_MOST = 64
"""Changes of one order that are remembered, to tell which of them is in force."""


@frozen
class FundingPaid:
    """A funding was paid at that instant: its id and amount have to be asked for."""

    at_ms: int


@frozen
class SettingsChanged:
    """Somebody has changed leverage or margin mode: the venue has to be described anew."""


Told = Input | FundingPaid | SettingsChanged


class Changes(KnownIds):
    """A change of an order keeps the order's ids, so the changes are found by them too."""

    def __init__(self) -> None:
        super().__init__()
        self._by_order: dict[str, tuple[outbox.ReplaceOrder, ...]] = {}

    def replace(self, request: outbox.ReplaceOrder) -> None:
        """A change is about to be sent."""
        super().replace(request)
        for name in _names(request):
            self._by_order[name] = (*self._by_order.get(name, ()), request)[-CHANGES_MOST:]
        while len(self._by_order) > 2 * CHANGES_MOST * CHANGES_MOST:
            del self._by_order[next(iter(self._by_order))]

    def change(
        self, order_id: int, client_id: str, quantity: Decimal, price: Decimal | None
    ) -> outbox.ReplaceOrder | None:
        """The newest change of an order that asked for this."""
        asked = self._by_order.get(f"#{order_id}") or self._by_order.get(client_id) or ()
        for request in reversed(asked):
            if (request.quantity, request.price or request.old_price) == (quantity, price):
                return request
        return None


def _names(request: outbox.ReplaceOrder) -> list[str]:
    known = request.venue_order_id
    return [str(request.client_order_id), *([f"#{known}"] if known is not None else [])]


class Translator(Names):
    """Events, orders, executions and positions of one account."""

    known: Changes

    def __init__(
        self, venue: VenueName, symbols: Mapping[InstrumentName, str], redact: Callable[[str], str] = str
    ) -> None:
        super().__init__(venue, symbols, redact)
        self.known = Changes()

    # --- events of the account --------------------------------------------------------------------------------------

    def event(self, text: str) -> list[Told]:
        """What an event of the user stream means."""
        try:
            name = decode(text, wire.Head).e
            if name == "ORDER_TRADE_UPDATE":
                return [*self._order(decode(text, wire.OrderTradeUpdate).order, self.raw(text))]
            if name == "ACCOUNT_UPDATE":
                return self._account(decode(text, wire.AccountUpdate))
        except (WireError, ValueError):
            return [self.surprise(text)]
        if name == "ACCOUNT_CONFIG_UPDATE":
            return [SettingsChanged()]
        return [] if name in IGNORED else [self.surprise(text)]

    def _account(self, update: wire.AccountUpdate) -> list[Told]:
        if update.account.reason == FUNDING:
            return [FundingPaid(update.at_ms)]
        return [SettingsChanged()] if update.account.reason == MARGIN_TYPE else []

    def _order(self, part: wire.OrderPart, raw: str) -> list[Input]:
        self.known.note(part.symbol, part.order_id, part.client_id)
        head = self.head(part.symbol, part.client_id, part.order_id, part.at_ms, raw)
        if part.last_quantity and part.execution in ("TRADE", "CALCULATED") and part.trade_id > 0:
            return [self._executed(part, head)]
        if part.execution in ("TRADE", "CALCULATED") or not is_ours(part.client_id):
            return [self._status(part, head)]  # what it says has executed is asked for
        match part.execution:
            case "NEW":
                return [inputs.Ack(**head)]
            case "CANCELED":
                return [inputs.Canceled(**head, filled=exact(part.filled))]
            case "EXPIRED":
                return [inputs.Expired(**head, filled=exact(part.filled))]
            case "AMENDMENT":
                return [self._amended(part, head)]
            case _:
                return [inputs.ProtocolSurprise(self.venue, raw)]

    def _executed(self, part: wire.OrderPart, head: Head) -> inputs.Trade:
        return inputs.Trade(
            **head, exec_id=ExecId(str(part.trade_id)), side=Side(part.side.lower()),
            quantity=exact(part.last_quantity), price=exact(part.last_price), **fee_of(part.fee, part.fee_asset),
            liquidity=Liquidity.MAKER if part.is_maker else Liquidity.TAKER,
        )  # fmt: skip

    def _amended(self, part: wire.OrderPart, head: Head) -> Input:
        """A change of ours is a replacement; another's is the venue's word on how the order stands."""
        quantity, price = exact(part.quantity), exact(part.price)
        asked = self.known.change(part.order_id, part.client_id, quantity, price)
        return self._status(part, head) if asked is None else self.replaced(asked, head, quantity, price)

    def replaced(self, request: outbox.ReplaceOrder, head: Head, quantity: Decimal, price: Decimal) -> inputs.Replaced:
        """A change is in force: the order keeps its ids. Less at the same price keeps its place in the queue."""
        return inputs.Replaced(
            venue=head["venue"], instrument=head["instrument"], client_order_id=request.client_order_id,
            venue_order_id=head["venue_order_id"], transact_ns=head["transact_ns"], raw=head["raw"],
            quantity=quantity, price=price, new_client_order_id=request.new_client_order_id,
            keeps_priority=price == request.old_price and quantity <= request.old_quantity,
        )  # fmt: skip

    def _status(self, part: wire.OrderPart, head: Head) -> inputs.StatusReport:
        if part.status not in STATUSES:
            raise ValueError(f"an order that is {part.status}")
        return inputs.StatusReport(
            **head, status=STATUSES[part.status], side=Side(part.side.lower()), order_type=_type(part.type),
            time_in_force=TIMES.get(part.time_in_force, TimeInForce.GTC), quantity=exact(part.quantity),
            filled=exact(part.filled), price=_price(part.price),
        )  # fmt: skip

    # --- orders and executions as lists and answers show them -------------------------------------------------------

    def order_head(self, row: wire.OrderRow, raw: str = "") -> Head:
        """The ids of an order."""
        self.known.note(row.symbol, row.order_id, row.client_order_id)
        return self.head(row.symbol, row.client_order_id, row.order_id, row.update_time or row.time, raw)

    def status(self, row: wire.OrderRow, raw: str = "") -> inputs.StatusReport:
        """An order as it stands; raises `ValueError` for one that says it in words that nobody knows."""
        if row.status not in STATUSES:
            raise ValueError(f"an order that is {row.status}")
        head = self.order_head(row, raw or self.raw(shown(row)))
        return inputs.StatusReport(
            **head, status=STATUSES[row.status], side=Side(row.side.lower()),
            order_type=_type(row.type), time_in_force=TIMES.get(row.time_in_force, TimeInForce.GTC),
            quantity=exact(row.orig_qty), filled=exact(row.executed_qty), price=_price(row.price),
        )  # fmt: skip

    def trade(self, row: wire.TradeRow, raw: str = "") -> inputs.Trade:
        """An execution of a list; raises `ValueError` for numbers that are none."""
        client_id, raw = self.known.client_id(row.symbol, row.order_id), raw or self.raw(shown(row))
        return inputs.Trade(
            **self.head(row.symbol, client_id, row.order_id, row.time, raw), exec_id=ExecId(str(row.id)),
            side=Side(row.side.lower()), quantity=exact(row.qty), price=exact(row.price),
            **fee_of(row.commission, row.commission_asset),
            liquidity=Liquidity.MAKER if row.maker else Liquidity.TAKER,
        )  # fmt: skip

    # --- the account as lists show it -------------------------------------------------------------------------------

    def funding(self, row: wire.IncomeRow) -> inputs.FundingReported:
        """A payment for holding a contract; its id is the same wherever it is told."""
        return inputs.FundingReported(
            venue=self.venue, instrument=self.name(row.symbol), funding_id=str(row.tran_id), asset=Asset(row.asset),
            amount=exact(row.income), transact_ns=row.time * MILLISECOND_NS, raw=self.raw(shown(row)),
        )  # fmt: skip

    def position(self, row: wire.PositionRow) -> inputs.VenuePosition:
        """What is held, as the venue values it."""
        unrealized = row.un_realized_profit
        return inputs.VenuePosition(
            self.name(row.symbol), exact(row.position_amt), _price(row.entry_price), _price(row.mark_price),
            None if unrealized is None else exact(unrealized), _price(row.liquidation_price),
        )  # fmt: skip

    def balance(self, row: wire.BalanceRow) -> inputs.Balance:
        """What is there of an asset, without open results; what margin takes is locked."""
        total = exact(row.balance)
        free = total if row.available_balance is None else min(total, max(ZERO, exact(row.available_balance)))
        return inputs.Balance(Asset(row.asset), free, exact(total - free))

    def margin(self, account: wire.Account, asset: Asset) -> inputs.AccountMargin:
        """What the account has and must keep; the venue counts it in USD, which is taken for the settlement asset."""
        return inputs.AccountMargin(
            asset, exact(account.total_margin_balance), exact(account.total_maint_margin),
            exact(account.total_initial_margin),
        )  # fmt: skip


def _type(word: str) -> OrderType:
    """Orders that were conditional are, once they are in the book, one of these; so are the venue's own."""
    return OrderType.MARKET if "MARKET" in word else OrderType.LIMIT


def _price(price: Decimal | None) -> Decimal | None:
    """A price; zero says that there is none."""
    return exact(price) if price else None
