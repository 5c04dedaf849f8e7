"""An order as the events tell it, and which of them it may meet (ORDERS §2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Row = dict[str, Any]
ZERO = Decimal(0)
SIGN = {"buy": 1, "sell": -1}

LIVE = {"pending", "doubt", "open"}
SENT = {*LIVE, "void"}
ISSUED = {*SENT, "done"}
MAY: dict[str, set[str]] = {
    "SubmitRequested": {"intent"}, "OrderDenied": {"intent"}, "OrderAccepted": SENT, "OrderRejected": SENT,
    "OrderCanceled": {"intent", *SENT}, "OrderExpired": {"intent", *SENT},
    "OrderVoided": {"doubt"}, "OrderResolved": {*LIVE},
    "OrderReplaced": LIVE, "OrderRestated": LIVE, "OrderSuspended": LIVE, "OrderDoneForDay": LIVE,
    "OrderHeld": {"intent"}, "OrderAmended": {"intent"}, "StyleEnded": {"denied", *ISSUED},
    "OrderTriggered": {"intent", "open"}, "OutcomeUnknown": SENT, "OrderQueried": ISSUED, "CancelRequested": LIVE,
    "CancelAccepted": LIVE, "CancelRefused": LIVE, "ReplaceRequested": {"open"}, "ReplaceAccepted": LIVE,
    "ReplaceRefused": LIVE, "ReplaceDenied": {"intent", "denied", *ISSUED}, "FillBooked": ISSUED,
    "FillCorrected": ISSUED,    "FillBusted": ISSUED, "FeeBooked": ISSUED, "OrderArchived": {"denied", "done", "void"},
    "OrderRecalled": {"archived"}, "ArchivedOrderReported": {"archived"},
}  # fmt: skip
"""The part of its life in which an order may meet an event (ORDERS §2); where it leads; whose breach it is if not."""
LEADS = {
    "SubmitRequested": "pending", "OrderDenied": "denied", "OrderAccepted": "open", "OrderRejected": "closed",
    "OrderCanceled": "closed", "OrderExpired": "closed", "OrderVoided": "void", "OrderReplaced": "open",
    "OrderSuspended": "open", "OrderDoneForDay": "open", "OrderArchived": "archived",
}  # fmt: skip
VERSIONS = dict.fromkeys(
    "AccountOpened AccountSeen ConfigurationAdopted OrderIntended OrderRecalled OrderRejected OrderReplaced "
    "OrderTriggered PositionAdjusted Reconciled ReplaceRequested SubmitRequested VenueDescribed".split(), 2,
)  # fmt: skip
"""The newest form of those kinds that have had more than one; the older ones have less to say."""
BREACH = {"intent": "O1", "denied": "O1", "done": "O6", "archived": "O6"}


class Order:
    """An order as events tell it. `life`: intent, denied, pending, doubt, open, closed, void, archived."""

    def __init__(self, seq: int, at_ns: int, body: Row) -> None:
        self.order_id, self.venue, self.instrument = body["order_id"], body["venue"], body["instrument"]
        self.strategy, self.sign = body.get("strategy", ""), SIGN[body["side"]]
        self.quantity, self.price, self.causes = Decimal(body["quantity"]), body["price"], {seq}
        self.is_flatten = body.get("reason", {}).get("operator") == "flatten"
        self.is_external, self.life, self.client_id = not body.get("adopted", True), "intent", ""
        self.is_held = False
        self.cancel = self.replace = ""
        self.filled = self.reported = ZERO
        self.request_ns, self.replace_ns, self.was_canceled = at_ns, 0, False
        self.asked_ns: list[int] = []
        self.fills: dict[str, Row] = {}

    @property
    def stage(self) -> str:
        """Its life; `done` once it is closed, or executed in full."""
        is_done = self.life == "closed" or (self.life == "open" and self.filled >= self.quantity)
        return "done" if is_done else self.life

    @property
    def is_doubtful(self) -> bool:
        """Is anything about it unknown?"""
        return self.life == "doubt" or "doubt" in (self.cancel, self.replace) or self.reported > self.filled

    @property
    def waiting(self) -> list[str]:
        """The requests about it that have left and have no outcome yet."""
        sent = (("new", self.life == "pending"), ("cancel", self.cancel == "sent"), ("replace", self.replace == "sent"))
        return [name for name, is_sent in sent if is_sent]
