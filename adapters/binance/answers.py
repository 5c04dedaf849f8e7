"""What the answers to orders, cancels and replacements mean. Pure: over REST and over the WS API they are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from adapters.binance import wire
from adapters.binance.codes import CANCEL_REPLACE_CODES, REFUSALS, Verdict, judge
from adapters.binance.translate import Head, Translator
from engine import inputs, outbox
from engine.inputs import Input, Refusal
from engine.values import MILLISECOND_NS, ZERO, VenueOrderId, exact

OK = 200

Order = outbox.SubmitOrder | outbox.CancelOrder | outbox.ReplaceOrder

Judge = Callable[[int, int | None, str], Verdict]
"""What an HTTP status, a code and a text say of a request; Binance's products differ in their codes."""

_AGAIN = (Verdict.THROTTLED, Verdict.CLOCK, Verdict.LATER)
"""A cancel that was surely not executed for one of these is to be sent again."""


@frozen
class Result:
    """A whole answer: the HTTP status (of the WS API too), the text of the result, and the error if it is one."""

    status: int
    text: str
    fault: wire.Fault | None = None
    judge: Judge = judge

    @property
    def is_good(self) -> bool:
        """Does it hold what was asked for?"""
        return self.status == OK and self.fault is None

    @property
    def verdict(self) -> Verdict:
        """What an answer that is not good says of its request."""
        return self.judge(self.status, self.fault.code if self.fault else None, self.reason)

    @property
    def reason(self) -> str:
        """The venue's words."""
        return self.fault.msg if self.fault else ""

    @property
    def cause(self) -> str:
        """The same with the code, for a journal."""
        return f"{self.fault.code} {self.fault.msg}" if self.fault else f"HTTP {self.status}"


def result_of(status: int, text: str, judge: Judge = judge) -> Result:
    """The answer over REST: an error has a JSON body, unless somebody before the venue made it."""
    if status == OK:
        return Result(status, text, judge=judge)
    try:
        return Result(status, text, wire.decode(text, wire.Fault), judge)
    except wire.WireError:
        return Result(status, text, judge=judge)


class OrderAnswers(Protocol):
    """What the answers to a product's orders mean."""

    def read(self, request: Order, result: Result) -> list[Input]:
        """The reports of one answer."""
        ...

    def refused(self, request: Order, verdict: Verdict, reason: str, raw: str = "") -> Input:
        """A request that surely had no effect."""
        ...


class Answers:
    """Turns an order's answer into reports. Never raises for what the venue sends: what can't be read is unknown."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    def read(self, request: Order, result: Result) -> list[Input]:
        """The reports of one answer."""
        raw = self._translator.raw(result.text)
        try:
            if not result.is_good:
                return self._refused(request, result, raw)
            match request:
                case outbox.SubmitOrder() if request.twin is not None:
                    return self._listed(request, wire.decode(result.text, wire.ListPlaced), raw)
                case outbox.SubmitOrder():
                    return self.placed(wire.decode(result.text, wire.OrderRow), raw)
                case outbox.CancelOrder() if '"orderReports"' in result.text:  # it was one of a list, which is gone
                    rows = wire.decode(result.text, wire.ListPlaced).order_reports
                    return [self._canceled(row, raw) for row in rows]
                case outbox.CancelOrder():
                    return [self._canceled(wire.decode(result.text, wire.OrderRow), raw)]
                case outbox.ReplaceOrder():
                    return self._replaced(request, result, raw)
        except (wire.WireError, ValueError):
            return [
                self._translator.surprise(result.text),
                *(self._translator.unanswered(order, "unreadable answer", raw) for order in outbox.orders_in(request)),
            ]

    def placed(self, row: wire.OrderRow, raw: str) -> list[Input]:
        """A new order: accepted, what it took at once, and its end if that came at once."""
        head = self._translator.order_head(row, raw)
        if row.status == "REJECTED":
            return [inputs.Rejected(**head, reason=row.expiry_reason)]
        return [inputs.Ack(**head), *self._since(row, head)]

    def _listed(self, request: outbox.SubmitOrder, placed: wire.ListPlaced, raw: str) -> list[Input]:
        """Both orders of a list; one that the reply does not show is asked about."""
        rows = {row.client_order_id: row for row in placed.order_reports}
        told: list[Input] = []
        for order in outbox.orders_in(request):
            row = rows.get(order.client_order_id)
            told += self.placed(row, raw) if row else [self._translator.unanswered(order, "not in the reply", raw)]
        return told

    def _since(self, row: wire.OrderRow, head: Head) -> list[Input]:
        fills = self._translator.fills(row, head)
        told: list[Input] = list(fills)
        filled = exact(row.executed_qty or ZERO)
        if row.status in ("EXPIRED", "EXPIRED_IN_MATCH"):
            told.append(inputs.Expired(**head, filled=filled))
        elif row.status == "CANCELED":
            told.append(inputs.Canceled(**head, filled=filled))
        elif row.status is not None and filled > sum((fill.quantity for fill in fills), ZERO):
            told.append(self._translator.status(row, head["raw"]))  # its executions are asked for
        return told

    def _canceled(self, row: wire.OrderRow, raw: str, reason: str = "") -> inputs.Canceled:
        filled = None if row.executed_qty is None else exact(row.executed_qty)
        return inputs.Canceled(**self._translator.order_head(row, raw), filled=filled, reason=reason)

    # --- replacements -----------------------------------------------------------------------------------------------

    def _replaced(self, request: outbox.ReplaceOrder, result: Result, raw: str) -> list[Input]:
        if '"amendedOrder"' in result.text:
            amended = wire.decode(result.text, wire.Amended)
            order = amended.amended_order
            head = self._translator.asked(request, raw)
            head["venue_order_id"] = VenueOrderId(str(order.order_id))
            head["transact_ns"] = amended.transact_time * MILLISECOND_NS
            price = exact(order.price) if order.price else request.price
            return [self._translator.replaced(request, head, exact(order.qty), price, keeps_priority=True)]
        return self._halves(request, wire.decode(result.text, wire.CancelReplaced), raw)

    def _halves(self, request: outbox.ReplaceOrder, halves: wire.CancelReplaced, raw: str) -> list[Input]:
        """A cancelReplace by its two results: done, not begun, or canceled without a successor."""
        results = (halves.cancel_result, halves.new_order_result)
        if results == ("SUCCESS", "SUCCESS"):
            row = wire.decode(halves.new_order_response, wire.OrderRow)
            head = self._translator.order_head(row, raw)
            quantity = request.quantity if row.orig_qty is None else exact(row.orig_qty)
            return [self._translator.replaced(request, head, quantity, request.price), *self._since(row, head)]
        if results == ("SUCCESS", "FAILURE"):
            canceled = wire.decode(halves.cancel_response, wire.OrderRow)
            reason = wire.decode(halves.new_order_response, wire.Fault).msg
            return [self._canceled(canceled, raw, f"the replacement was refused: {reason}")]
        if results in (("FAILURE", "NOT_ATTEMPTED"), ("FAILURE", "FAILURE")):
            fault = wire.decode(halves.cancel_response, wire.Fault)
            verdict = judge(400, fault.code, fault.msg)
            if verdict is Verdict.UNKNOWN:
                return [self._translator.unanswered(request, f"{fault.code} {fault.msg}", raw)]
            return [self._replace_rejected(request, _refusal(verdict), fault.msg, raw)]
        return [self._translator.unanswered(request, f"cancel {results[0]}, new order {results[1]}", raw)]

    def _replace_rejected(
        self, request: outbox.ReplaceOrder, refusal: Refusal, reason: str, raw: str
    ) -> inputs.ReplaceRejected:
        return inputs.ReplaceRejected(
            **self._translator.asked(request, raw), refusal=refusal, reason=reason,
            new_client_order_id=request.new_client_order_id,
        )  # fmt: skip

    # --- refusals ---------------------------------------------------------------------------------------------------

    def _refused(self, request: Order, result: Result, raw: str) -> list[Input]:
        fault = result.fault
        if isinstance(request, outbox.ReplaceOrder) and fault is not None and fault.code in CANCEL_REPLACE_CODES:
            if result.status < 500 and wire.is_there(fault.data):
                return self._halves(request, wire.decode(fault.data, wire.CancelReplaced), raw)
            return [self._translator.unanswered(request, result.cause, raw)]
        orders = outbox.orders_in(request)
        if result.verdict is Verdict.UNKNOWN:
            return [self._translator.unanswered(order, result.cause, raw) for order in orders]
        return [self.refused(order, result.verdict, result.reason, raw) for order in orders]

    def refused(self, request: Order, verdict: Verdict, reason: str, raw: str = "") -> Input:
        """A request that surely had no effect."""
        match request:
            case outbox.SubmitOrder():
                if verdict in (Verdict.UNKNOWN_ORDER, Verdict.OTHER_STATUS, Verdict.NOT_FOUND):
                    return self._translator.unanswered(request, reason, raw)
                return inputs.Rejected(**self._translator.asked(request, raw), refusal=_refusal(verdict), reason=reason)
            case outbox.CancelOrder():
                refusal = Refusal.THROTTLED if verdict in _AGAIN else _refusal(verdict)
                return inputs.CancelRejected(**self._translator.asked(request, raw), refusal=refusal, reason=reason)
            case outbox.ReplaceOrder():
                return self._replace_rejected(request, _refusal(verdict), reason, raw)


def _refusal(verdict: Verdict) -> Refusal:
    return REFUSALS.get(verdict, Refusal.DEFINITIVE)
