"""What the answers to orders, cancels and changes mean. Pure."""

from __future__ import annotations

from adapters.binance.answers import Order, Result
from adapters.binance.codes import REFUSALS, Verdict
from adapters.binance.wire import WireError, decode
from adapters.binance_usdm import wire
from adapters.binance_usdm.translate import Translator
from engine import inputs, outbox
from engine.inputs import Input, Refusal
from engine.values import exact

_AGAIN = (Verdict.THROTTLED, Verdict.CLOCK, Verdict.LATER)
"""A cancel that was surely not executed for one of these is to be sent again."""

_NOT_OF_A_NEW_ORDER = (Verdict.UNKNOWN_ORDER, Verdict.OTHER_STATUS, Verdict.NOT_FOUND)


class Answers:
    """Turns an order's answer into reports. Never raises for what the venue sends: what can't be read is unknown."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    def read(self, request: Order, result: Result) -> list[Input]:
        """The reports of one answer."""
        raw = self._translator.raw(result.text)
        if not result.is_good:
            if result.verdict is Verdict.UNKNOWN:
                return [self._translator.unanswered(request, result.cause, raw)]
            return [self.refused(request, result.verdict, result.reason, raw)]
        try:
            row = decode(result.text, wire.OrderRow)
            match request:
                case outbox.SubmitOrder():
                    return self._placed(row, raw)
                case outbox.CancelOrder():
                    return self._canceled(row, raw)
                case outbox.ReplaceOrder():
                    return self._changed(request, row, raw)
        except (WireError, ValueError):
            surprise = self._translator.surprise(result.text)
            return [surprise, self._translator.unanswered(request, "unreadable answer", raw)]

    def _placed(self, row: wire.OrderRow, raw: str) -> list[Input]:
        """Accepted, or not: a post-only order that would take ends at once. What has executed is not in the answer: it
        comes by itself, and until it has it is exposure that is asked about."""
        head, filled = self._translator.order_head(row, raw), exact(row.executed_qty)
        if row.status == "REJECTED":
            return [inputs.Rejected(**head, reason="rejected")]
        told: list[Input] = [inputs.Ack(**head)]
        if row.status in ("EXPIRED", "EXPIRED_IN_MATCH"):
            told.append(inputs.Expired(**head, filled=filled))
        elif row.status == "CANCELED":
            told.append(inputs.Canceled(**head, filled=filled))
        elif filled:
            told.append(self._translator.status(row, raw))
        return told

    def _canceled(self, row: wire.OrderRow, raw: str) -> list[Input]:
        if row.status != "CANCELED":
            return [self._translator.status(row, raw)]
        return [inputs.Canceled(**self._translator.order_head(row, raw), filled=exact(row.executed_qty))]

    def _changed(self, request: outbox.ReplaceOrder, row: wire.OrderRow, raw: str) -> list[Input]:
        """In force as it is told; a post-only order that would take, or one that has executed more than it is to be,
        ends instead."""
        head, filled = self._translator.order_head(row, raw), exact(row.executed_qty)
        if row.status == "CANCELED":
            return [inputs.Canceled(**head, filled=filled, reason="ended by its change")]
        if row.status in ("EXPIRED", "EXPIRED_IN_MATCH"):
            return [inputs.Expired(**head, filled=filled)]
        return [self._translator.replaced(request, head, exact(row.orig_qty), exact(row.price))]

    def refused(self, request: Order, verdict: Verdict, reason: str, raw: str = "") -> Input:
        """A request that surely had no effect."""
        head, refusal = self._translator.asked(request, raw), REFUSALS.get(verdict, Refusal.DEFINITIVE)
        match request:
            case outbox.SubmitOrder():
                if verdict in _NOT_OF_A_NEW_ORDER:
                    return self._translator.unanswered(request, reason, raw)
                return inputs.Rejected(**head, refusal=refusal, reason=reason)
            case outbox.CancelOrder():
                again = Refusal.THROTTLED if verdict in _AGAIN else refusal
                return inputs.CancelRejected(**head, refusal=again, reason=reason)
            case outbox.ReplaceOrder():
                return inputs.ReplaceRejected(
                    **head, refusal=refusal, reason=reason, new_client_order_id=request.new_client_order_id
                )
