"""Between the engine's words and the exchange's: requests out, replies and frames in. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

from attrs import evolve

from adapters.simulated import wire
from engine import inputs, outbox
from engine.capabilities import AbsencePolicy, Capabilities, ClientIds, Source, VenueDescription
from engine.inputs import Input, Refusal, RequestKind
from engine.values import (
    MILLISECOND_NS,
    ClientOrderId,
    InstrumentName,
    OrderType,
    TimeInForce,
    VenueName,
    VenueOrderId,
)

CLIENT_ID_LENGTH = 36
SOURCES = (Source.ORDER_QUERY, Source.OPEN_ORDERS, Source.EXECUTIONS)
CAPABILITIES = Capabilities(
    order_types=tuple(OrderType),
    times_in_force=tuple(TimeInForce),
    post_only=True,
    replace=True,
    client_ids=ClientIds.UNIQUE_OPEN,
    client_id_length=CLIENT_ID_LENGTH,
)
# The exchange refuses what arrives after its expiry, and its answers are never behind its ledger.
ABSENCE = AbsencePolicy(
    after_ns=1_500 * MILLISECOND_NS,
    sources=SOURCES,
    probe_every_ns=300 * MILLISECOND_NS,
)
RAW_MOST = inputs.RAW_HEAD_BYTES

_REFUSALS = {
    wire.Reason.DUPLICATE_ID: Refusal.DUPLICATE_ID,
    wire.Reason.ORDER_CLOSED: Refusal.TOO_LATE,
    wire.Reason.UNKNOWN_ORDER: Refusal.UNKNOWN_ORDER,
}
_REQUEST_KINDS: dict[type[outbox.Request], RequestKind] = {
    outbox.SubmitOrder: RequestKind.NEW,
    outbox.CancelOrder: RequestKind.CANCEL,
    outbox.ReplaceOrder: RequestKind.REPLACE,
}

_PLAIN: dict[type[wire.OrderFrame], Callable[..., Input]] = {
    wire.Accepted: inputs.Ack,
    wire.CancelTaken: inputs.CancelAcked,
    wire.ReplaceTaken: inputs.ReplaceAcked,
    wire.Triggered: inputs.Triggered,
}
_REFUSED: dict[RequestKind, Callable[..., Input]] = {
    RequestKind.NEW: inputs.Rejected,
    RequestKind.CANCEL: inputs.CancelRejected,
    RequestKind.REPLACE: inputs.ReplaceRejected,
}


_REPLACE_ANSWERS = (inputs.ReplaceAcked, inputs.ReplaceRejected)
_AboutOrder = outbox.SubmitOrder | outbox.CancelOrder | outbox.ReplaceOrder | outbox.QueryOrder


class _Head(TypedDict):
    venue: VenueName
    instrument: InstrumentName | None
    client_order_id: ClientOrderId | None
    venue_order_id: VenueOrderId | None
    transact_ns: int | None
    raw: str


class Translator:
    """Knows the venue's name and which instrument each symbol is."""

    def __init__(self, venue: VenueName, symbols: Mapping[InstrumentName, str]) -> None:
        self._venue, self._symbols = venue, dict(symbols)
        self._names = {symbol: name for name, symbol in symbols.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols to be streamed."""
        return tuple(self._names)

    def describe(self, welcome: wire.Welcome) -> VenueDescription:
        """The venue as the engine wants to know it; a symbol that is not traded there is not in it."""
        traded = {instrument.symbol: instrument for instrument in welcome.instruments}
        instruments = tuple(
            evolve(traded[symbol], name=name, venue=self._venue)
            for symbol, name in self._names.items()
            if symbol in traded
        )
        can = evolve(
            CAPABILITIES, order_types=welcome.order_types, times_in_force=welcome.times_in_force, links=welcome.links
        )
        return VenueDescription(self._venue, "simulated", welcome.account, can, ABSENCE, instruments)

    # --- out ----------------------------------------------------------------------------------------------------

    def request(self, request: outbox.Request) -> wire.Ask:
        """The message that asks for it."""
        match request:
            case outbox.SubmitOrder():
                return wire.Place(
                    symbol=self._symbol(request.instrument), client_order_id=request.client_order_id,
                    side=request.side, order_type=request.order_type, time_in_force=request.time_in_force,
                    post_only=request.post_only, quantity=request.quantity, price=request.price,
                    expires_ns=request.expires_ns, stop_price=request.stop_price, trail=request.trail,
                    good_till_ns=request.good_till_ns if request.time_in_force is TimeInForce.GTD else None,
                    group=request.group,
                )  # fmt: skip
            case outbox.CancelOrder():
                return wire.Cancel(
                    symbol=self._symbol(request.instrument), client_order_id=request.client_order_id,
                    venue_order_id=request.venue_order_id, expires_ns=request.expires_ns,
                )  # fmt: skip
            case outbox.ReplaceOrder():
                return wire.Replace(
                    symbol=self._symbol(request.instrument), client_order_id=request.client_order_id,
                    venue_order_id=request.venue_order_id, new_client_order_id=request.new_client_order_id,
                    quantity=request.quantity, price=request.price, expires_ns=request.expires_ns,
                    stop_price=request.stop_price,
                )  # fmt: skip
            case outbox.QueryOrder():
                return wire.Query(
                    symbol=self._symbol(request.instrument), client_order_id=request.client_order_id,
                    venue_order_id=request.venue_order_id,
                )  # fmt: skip
            case outbox.TakeSnapshot():
                return wire.ReadAccount(since_ns=request.since_ns)

    # --- in -----------------------------------------------------------------------------------------------------

    def unanswered(self, request: outbox.Request, cause: str) -> Input:
        """What it means that a request has no answer."""
        match request:
            case outbox.QueryOrder():
                return inputs.QueryFailed(**self._asked(request), cause=cause)
            case outbox.TakeSnapshot():
                return inputs.SnapshotFailed(venue=self._venue, asked_seq=request.seq, cause=cause)
            case _:
                kind = _REQUEST_KINDS[type(request)]
                named = request.new_client_order_id if isinstance(request, outbox.ReplaceOrder) else None
                return inputs.OutcomeUnknown(
                    **self._asked(request), request=kind, cause=cause, new_client_order_id=named
                )

    def reply(self, request: outbox.Request, frame: wire.Message) -> list[Input]:
        """What the answer to a request means."""
        match frame:
            case wire.Failed():
                return [self.unanswered(request, frame.cause)]
            case wire.OrderAnswer() if isinstance(request, outbox.QueryOrder):
                return self._order(request, frame)
            case wire.AccountAnswer() if isinstance(request, outbox.TakeSnapshot):
                return [self._snapshot(request, frame)]
            case _:
                found = self.frame(frame, 0)
                if isinstance(request, outbox.ReplaceOrder) and isinstance(found, _REPLACE_ANSWERS):
                    found = evolve(found, new_client_order_id=request.new_client_order_id)
                return [found]

    def frame(self, frame: wire.Message, received_ns: int) -> Input:
        """What a frame means by itself."""
        match frame:
            case inputs.Quote():  # made anew by hand: there are many, and `evolve` takes four times as long
                return inputs.Quote(
                    self._name(frame.instrument), frame.bid, frame.bid_quantity, frame.ask, frame.ask_quantity,
                    received_ns, frame.exchange_ns,
                )  # fmt: skip
            case inputs.TradeTick():
                return inputs.TradeTick(
                    self._name(frame.instrument), frame.price, frame.quantity, received_ns, frame.exchange_ns,
                    frame.aggressor,
                )  # fmt: skip
            case inputs.BookSnapshot() | inputs.BookDelta() | inputs.Candle():
                return evolve(frame, instrument=self._name(frame.instrument), received_ns=received_ns)
            case wire.Executed():
                return self._trade(frame)
            case wire.Funding():
                return self._funding(frame)
            case wire.Refused():
                return self._refused(frame)
            case wire.OrderRow():
                return self._row(frame)
            case wire.Replaced():
                return inputs.Replaced(
                    **self._told(frame), quantity=frame.quantity, price=frame.price,
                    new_client_order_id=frame.new_client_order_id, keeps_priority=frame.keeps_priority,
                )  # fmt: skip
            case wire.Reduced():
                return inputs.Restated(**self._told(frame), quantity=frame.quantity)
            case wire.Canceled():
                return inputs.Canceled(**self._told(frame), filled=frame.filled)
            case wire.Expired():
                return inputs.Expired(**self._told(frame), filled=frame.filled)
            case wire.OrderFrame() if type(frame) in _PLAIN:
                return _PLAIN[type(frame)](**self._told(frame))
            case wire.Notice():
                return inputs.ProtocolSurprise(self._venue, frame.text[:RAW_MOST])
            case _:
                return inputs.ProtocolSurprise(self._venue, _raw(frame))

    def _trade(self, frame: wire.Executed) -> inputs.Trade:
        return inputs.Trade(
            **self._told(frame), exec_id=frame.exec_id, side=frame.side, quantity=frame.quantity, price=frame.price,
            fee=frame.fee, fee_asset=frame.fee_asset, liquidity=frame.liquidity,
        )  # fmt: skip

    def _funding(self, frame: wire.Funding) -> inputs.FundingReported:
        return inputs.FundingReported(
            venue=self._venue, instrument=self._name(frame.symbol), funding_id=frame.funding_id, asset=frame.asset,
            amount=frame.amount, transact_ns=frame.at_ns, raw=_raw(frame),
        )  # fmt: skip

    def _refused(self, frame: wire.Refused) -> Input:
        refusal = _REFUSALS.get(frame.reason, Refusal.DEFINITIVE)
        return _REFUSED[frame.request](**self._told(frame), refusal=refusal, reason=frame.reason.value)

    def _row(self, frame: wire.OrderRow) -> inputs.StatusReport:
        return inputs.StatusReport(
            **self._told(frame), status=frame.status, side=frame.side, order_type=frame.order_type,
            time_in_force=frame.time_in_force, quantity=frame.quantity, filled=frame.filled, price=frame.price,
        )  # fmt: skip

    def _order(self, request: outbox.QueryOrder, answer: wire.OrderAnswer) -> list[Input]:
        """Executions first, so that the status finds them booked."""
        if answer.order is None:
            absent = inputs.NotFound(
                **self._asked(request), asked_ns=request.at_ns, answered_ns=answer.at_ns, sources=SOURCES
            )
            return [absent]
        status = evolve(self._row(answer.order), asked_ns=request.at_ns, answered_ns=answer.at_ns)
        return [*(self._trade(executed) for executed in answer.executions), status]

    def _snapshot(self, request: outbox.TakeSnapshot, answer: wire.AccountAnswer) -> inputs.Snapshot:
        return inputs.Snapshot(
            venue=self._venue, asked_seq=request.seq, asked_ns=request.at_ns, taken_ns=answer.at_ns,
            complete=answer.complete, open_orders=tuple(self._row(row) for row in answer.orders),
            executions=tuple(self._trade(executed) for executed in answer.executions), balances=answer.balances,
            positions=tuple(evolve(row, instrument=self._name(row.instrument)) for row in answer.positions),
            fundings=tuple(self._funding(paid) for paid in answer.fundings),
        )  # fmt: skip

    def _told(self, frame: wire.OrderFrame) -> _Head:
        return {
            "venue": self._venue,
            "instrument": self._name(frame.symbol),
            "client_order_id": frame.client_order_id,
            "venue_order_id": frame.venue_order_id,
            "transact_ns": frame.at_ns,
            "raw": _raw(frame),
        }

    def _asked(self, request: _AboutOrder) -> _Head:
        known = None if isinstance(request, outbox.SubmitOrder) else request.venue_order_id
        return {
            "venue": self._venue,
            "instrument": request.instrument,
            "client_order_id": request.client_order_id or None,
            "venue_order_id": known,
            "transact_ns": None,
            "raw": "",
        }

    def _symbol(self, instrument: InstrumentName) -> str:
        return self._symbols.get(instrument, str(instrument))

    def _name(self, symbol: str) -> InstrumentName:
        """Our name; the symbol itself where the account also trades what we don't."""
        return self._names.get(symbol, InstrumentName(symbol))


def _raw(frame: wire.Message | wire.OrderFrame | wire.Funding) -> str:
    return wire.encode(frame)[:RAW_MOST]
