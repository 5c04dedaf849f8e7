"""Between Binance's words and the engine's: events of the account, orders, executions. Pure but for the ids it learns.

A message of unknown shape becomes a `ProtocolSurprise`; nothing here raises for what the venue sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypedDict

import msgspec
from msgspec import Struct

from adapters.binance import wire
from adapters.binance.calls import POST_ONLY, TYPES
from adapters.binance.ids import KnownIds, is_half_of_replacement, original_id
from engine import inputs, outbox
from engine.inputs import Input, RequestKind, VenueStatus
from engine.values import (
    MILLISECOND_NS,
    ZERO,
    Asset,
    ClientOrderId,
    ExecId,
    InstrumentName,
    Liquidity,
    OrderType,
    Side,
    TimeInForce,
    VenueName,
    VenueOrderId,
    exact,
)

RAW_MOST = inputs.RAW_HEAD_BYTES

STATUSES: dict[str, VenueStatus] = {
    "NEW": VenueStatus.NEW,
    "PENDING_NEW": VenueStatus.NEW,
    "PARTIALLY_FILLED": VenueStatus.PARTIALLY_FILLED,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELED,
    "REJECTED": VenueStatus.REJECTED,
    "EXPIRED": VenueStatus.EXPIRED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
}
"""PENDING_NEW is a leg that waits for another order; PENDING_CANCEL is not used by the venue and is a surprise."""

OUR_TYPES: dict[str, OrderType] = {theirs: ours for ours, theirs in TYPES.items()} | {POST_ONLY: OrderType.LIMIT}
CLOSED = ("CANCELED",)

IGNORED = frozenset({"outboundAccountPosition", "balanceUpdate", "listStatus", "externalLockUpdate"})
"""Events that say nothing which a snapshot or an executionReport does not."""

REQUEST_KINDS: dict[type[outbox.Request], RequestKind] = {
    outbox.SubmitOrder: RequestKind.NEW,
    outbox.CancelOrder: RequestKind.CANCEL,
    outbox.ReplaceOrder: RequestKind.REPLACE,
}

AboutOrder = outbox.SubmitOrder | outbox.CancelOrder | outbox.ReplaceOrder | outbox.QueryOrder


class Head(TypedDict):
    """What every report about an order carries."""

    venue: VenueName
    instrument: InstrumentName | None
    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId | None
    transact_ns: int | None
    raw: str


class Names:
    """Knows the venue's name, which instrument each symbol is, and whose the orders are. `redact` cuts secrets out of
    what the venue sent back."""

    def __init__(
        self, venue: VenueName, symbols: Mapping[InstrumentName, str], redact: Callable[[str], str] = str
    ) -> None:
        self.venue, self.known = venue, KnownIds()
        self._symbols, self._redact = dict(symbols), redact
        self._names = {symbol: name for name, symbol in symbols.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that are configured."""
        return tuple(self._names)

    @property
    def pairs(self) -> Mapping[InstrumentName, str]:
        """Our names and the venue's symbols."""
        return self._symbols

    def symbol(self, instrument: InstrumentName) -> str:
        """The venue's word for an instrument."""
        return self._symbols.get(instrument, str(instrument))

    def name(self, symbol: str) -> InstrumentName:
        """Our name; the symbol itself where the account also trades what we don't."""
        return self._names.get(symbol, InstrumentName(symbol))

    def surprise(self, text: str) -> inputs.ProtocolSurprise:
        """A frame that nobody understands."""
        return inputs.ProtocolSurprise(self.venue, self.raw(text))

    def raw(self, text: str) -> str:
        """A text of the venue's for the journal: without secrets, and bounded."""
        return self._redact(text)[:RAW_MOST]

    # --- what a request means that has no answer --------------------------------------------------------------------

    def unanswered(self, request: outbox.Request, cause: str, raw: str = "") -> Input:
        """The outcome of a request is unknown, or a question has no usable answer."""
        match request:
            case outbox.QueryOrder():
                return inputs.QueryFailed(**self.asked(request, raw), cause=cause)
            case outbox.TakeSnapshot():
                return inputs.SnapshotFailed(venue=self.venue, asked_seq=request.seq, cause=cause)
            case _:
                named = request.new_client_order_id if isinstance(request, outbox.ReplaceOrder) else None
                return inputs.OutcomeUnknown(
                    **self.asked(request, raw), request=REQUEST_KINDS[type(request)], cause=cause,
                    new_client_order_id=named,
                )  # fmt: skip

    def asked(self, request: AboutOrder, raw: str = "") -> Head:
        """The head of a report that answers a request, named as the request names it."""
        known = None if isinstance(request, outbox.SubmitOrder) else request.venue_order_id
        return {
            "venue": self.venue, "instrument": request.instrument, "client_order_id": request.client_order_id or None,
            "venue_order_id": known, "transact_ns": None, "raw": raw,
        }  # fmt: skip

    def head(self, symbol: str, client_id: str | None, order_id: int, at_ms: int | None, raw: str) -> Head:
        """Names, ids and time of a report."""
        return {
            "venue": self.venue,
            "instrument": self.name(symbol),
            "client_order_id": ClientOrderId(client_id) if client_id else None,
            "venue_order_id": VenueOrderId(str(order_id)),
            "transact_ns": at_ms * MILLISECOND_NS if at_ms is not None else None,
            "raw": raw,
        }


class Translator(Names):
    """Spot's events, orders and executions."""

    _amendable: frozenset[str] = frozenset()

    def adopt(self, rows: Iterable[wire.SymbolRow]) -> None:
        """What the venue says of its symbols, as far as it changes how an order is asked for."""
        self._amendable = frozenset(row.symbol for row in rows if row.amend_allowed)

    def may_amend(self, instrument: InstrumentName) -> bool:
        """Can an order of it be made smaller in place?"""
        return self.symbol(instrument) in self._amendable

    # --- events of the account --------------------------------------------------------------------------------------

    def event(self, text: str) -> list[Input]:
        """What an event of the user stream means."""
        try:
            name = wire.decode(text, wire.EventName).e
            if name == "executionReport":
                return self._execution(wire.decode(text, wire.ExecutionReport), self.raw(text))
        except (wire.WireError, ValueError):
            return [self.surprise(text)]
        return [] if name in IGNORED else [self.surprise(text)]

    def _execution(self, report: wire.ExecutionReport, raw: str) -> list[Input]:
        head = self._event_head(report, raw)
        match report.execution:
            case "NEW":
                return [self._new(report, head)]
            case "TRADE":
                return [self._executed(report, head)]
            case "CANCELED":
                if is_half_of_replacement(report.client_id):
                    return []  # the other half tells what became of it
                return [inputs.Canceled(**head, filled=exact(report.filled), reason=_reason(report.reject_reason))]
            case "REPLACED":
                return [self._amended(report, head)]
            case "EXPIRED":
                return [inputs.Expired(**head, filled=exact(report.filled))]
            case "REJECTED":
                return [inputs.Rejected(**head, reason=report.reject_reason)]
            case "TRADE_PREVENTION" if report.prevented is not None:
                return [inputs.Restated(**head, quantity=exact(report.quantity - report.prevented))]
            case _:
                return [inputs.ProtocolSurprise(self.venue, raw)]

    def _event_head(self, report: wire.ExecutionReport, raw: str) -> Head:
        known = self.known.client_id(report.symbol, report.order_id)
        told = report.original_id or (
            original_id(report.client_id) if report.execution == "CANCELED" else report.client_id
        )
        self.known.note(report.symbol, report.order_id, told)
        return self.head(report.symbol, known or told, report.order_id, report.at_ms, raw)

    def _new(self, report: wire.ExecutionReport, head: Head) -> Input:
        replaced = self.known.replacement(report.client_id)
        if replaced is not None:
            return self.replaced(replaced, head, exact(report.quantity), _price(report.price))
        kind = OUR_TYPES.get(report.type)
        return inputs.Triggered(**head) if kind and kind.has_trigger and report.is_on_book else inputs.Ack(**head)

    def _executed(self, report: wire.ExecutionReport, head: Head) -> inputs.Trade:
        return inputs.Trade(
            **head, exec_id=ExecId(str(report.trade_id)), side=Side(report.side.lower()),
            quantity=exact(report.last_quantity), price=exact(report.last_price),
            **fee_of(report.fee, report.fee_asset),
            liquidity=Liquidity.MAKER if report.is_maker else Liquidity.TAKER,
        )  # fmt: skip

    def _amended(self, report: wire.ExecutionReport, head: Head) -> Input:
        """An amendment of ours is a replacement; another's is the venue's word on the quantity."""
        asked = self.known.replacement(report.client_id)
        if asked is None:
            return inputs.Restated(**head, quantity=exact(report.quantity))
        return self.replaced(asked, head, exact(report.quantity), _price(report.price), keeps_priority=True)

    def replaced(
        self, request: outbox.ReplaceOrder, head: Head, quantity: Decimal, price: Decimal | None, *,
        keeps_priority: bool = False,
    ) -> inputs.Replaced:  # fmt: skip
        """A replacement is in force: the order goes by its first id, and has the venue's new one."""
        return inputs.Replaced(
            venue=head["venue"], instrument=head["instrument"], client_order_id=request.client_order_id,
            venue_order_id=head["venue_order_id"], transact_ns=head["transact_ns"], raw=head["raw"],
            quantity=quantity, price=price, new_client_order_id=request.new_client_order_id,
            keeps_priority=keeps_priority,
        )  # fmt: skip

    # --- orders and executions as lists and answers show them -------------------------------------------------------

    def order_head(self, row: wire.OrderRow, raw: str = "") -> Head:
        """The ids of an order; a canceled one may go by its cancel's."""
        known = self.known.client_id(row.symbol, row.order_id)
        told = row.orig_client_order_id or (
            original_id(row.client_order_id) if row.status in CLOSED else row.client_order_id
        )
        self.known.note(row.symbol, row.order_id, told)
        at_ms = row.transact_time or row.update_time or row.time
        return self.head(row.symbol, known or told, row.order_id, at_ms, raw)

    def status(self, row: wire.OrderRow, raw: str = "") -> inputs.StatusReport:
        """An order as it stands; raises `ValueError` for one that says it in words that nobody knows."""
        if row.status not in STATUSES or row.type not in OUR_TYPES or row.orig_qty is None or row.side is None:
            raise ValueError(f"an order that is {row.type} and {row.status}")
        quantity, raw = row.orig_qty - (row.prevented_quantity or ZERO), raw or self.raw(shown(row))
        return inputs.StatusReport(
            **self.order_head(row, raw), status=STATUSES[row.status], side=Side(row.side.lower()),
            order_type=OUR_TYPES[row.type], time_in_force=TimeInForce(row.time_in_force.lower()),
            quantity=exact(quantity), filled=exact(row.executed_qty or ZERO), price=_price(row.price),
        )  # fmt: skip

    def trade(self, row: wire.TradeRow, raw: str = "") -> inputs.Trade:
        """An execution of a list; raises `ValueError` for numbers that are none."""
        client_id, raw = self.known.client_id(row.symbol, row.order_id), raw or self.raw(shown(row))
        return inputs.Trade(
            **self.head(row.symbol, client_id, row.order_id, row.time, raw), exec_id=ExecId(str(row.id)),
            side=Side.BUY if row.is_buyer else Side.SELL, quantity=exact(row.qty), price=exact(row.price),
            **fee_of(row.commission, row.commission_asset),
            liquidity=Liquidity.MAKER if row.is_maker else Liquidity.TAKER,
        )  # fmt: skip

    def fills(self, row: wire.OrderRow, head: Head) -> list[inputs.Trade]:
        """What a new order took at once."""
        return [
            inputs.Trade(
                **head, exec_id=ExecId(str(fill.trade_id)), side=Side((row.side or "").lower()),
                quantity=exact(fill.qty), price=exact(fill.price), **fee_of(fill.commission, fill.commission_asset),
                liquidity=Liquidity.TAKER,
            )
            for fill in row.fills
            if fill.trade_id != wire.NO_ID
        ]  # fmt: skip


def shown(row: Struct) -> str:
    """A row of a list as it was read: what a report about it rests on."""
    return msgspec.json.encode(row).decode()


def _price(price: Decimal | None) -> Decimal | None:
    """A price; zero says that there is none."""
    return exact(price) if price else None


def fee_of(fee: Decimal | None, asset: str | None) -> dict[str, Any]:
    """A fee, where the venue names its asset."""
    is_told = fee is not None and asset is not None
    return {"fee": exact(fee), "fee_asset": Asset(asset)} if is_told and fee is not None and asset is not None else {}


def _reason(text: str) -> str:
    return "" if text == "NONE" else text
