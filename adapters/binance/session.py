"""The WS API: one connection for the account's events and for orders, subscribed before it serves."""

from __future__ import annotations

from attrs import frozen

from adapters.binance import calls, wire
from adapters.binance.access import Access
from adapters.binance.answers import OK, Answers, Order, Result
from adapters.binance.calls import Call, Validity
from adapters.binance.codes import Verdict
from adapters.binance.listing import counts_of
from adapters.binance.translate import Translator
from adapters.binance.witness import Witness
from adapters.budget import Lane
from adapters.pending import Pending
from adapters.stream import Line, LineDown, SendUnknown
from engine import inputs
from engine.outbox import orders_in
from engine.values import MILLISECOND_NS

SUBSCRIBE = Call("", "", "userDataStream.subscribe.signature", {}, weight=2)
COUNTS = calls.order_counts()
SUBSCRIPTION, COUNTING = "events-", "counts-"
"""Our own requests have ids of text, orders have numbers."""

REVOKED = 401


@frozen
class Sent:
    """An order's request and the call that it went as."""

    request: Order
    call: Call


class Session:
    """Listens to a `Line`, which is set once both exist; `connections` counts how often events began to arrive."""

    def __init__(self, access: Access, translator: Translator) -> None:
        self._access, self._translator = access, translator
        self._answers = Answers(translator)
        self._pending: Pending[Sent] = Pending(int(access.options.request_timeout_ns))
        self._witness = Witness(int(access.options.confirm_limit_ns))
        self._is_up = False
        self.connections = 0
        self.line: Line | None = None
        access.let_notice(self._notice)

    @property
    def is_up(self) -> bool:
        """Do events arrive?"""
        return self._is_up

    # --- orders -----------------------------------------------------------------------------------------------------

    def send(self, request: Order, call: Call, validity: Validity) -> None:
        """One order whose call was taken from the budget; its outcome is told, here or when it comes."""
        line = self._line()
        session = line.serving
        if session is None:
            self._unsent(request, call, "not connected")
            return
        number = self._pending.add(Sent(request, call), session, self._access.now_ns())
        text = calls.ws_text(call, number, self._access.credentials, validity)
        try:
            line.send(text, session)
        except LineDown:
            if self._pending.settle(number):
                self._unsent(request, call, "not connected")
        except SendUnknown as error:
            if self._pending.settle(number):
                self._unanswered(Sent(request, call), f"disconnect ({error})")

    def tick(self) -> None:
        """What has no answer in time is in doubt; where an order's event does not come, the events are missing."""
        for sent in self._pending.take_due(self._access.now_ns()):
            self._unanswered(sent, "timeout")
        session = self._line().serving
        if self._witness.is_overdue(self._access.now_ns()) and session is not None:
            self._line().drop(session, "an order was accepted without an event of it")

    def _notice(self, told: inputs.Input) -> None:
        if isinstance(told, inputs.Ack):
            self._witness.accepted(told, self._access.now_ns())

    def _unsent(self, request: Order, call: Call, cause: str) -> None:
        self._access.settle(call, None)
        for order in orders_in(request):
            self._access.tell(self._answers.refused(order, Verdict.LATER, f"not sent: {cause}"))

    def _unanswered(self, sent: Sent, cause: str) -> None:
        self._access.settle(sent.call, None)
        for order in orders_in(sent.request):
            self._access.tell(self._translator.unanswered(order, cause))

    # --- the line's thread ------------------------------------------------------------------------------------------

    def opened(self, session: int) -> None:
        """Ask for the account's events first: nothing is missed of what is sent later. And how many orders count
        already, so that the first one need not wait to learn it."""
        for call, name in ((SUBSCRIBE, SUBSCRIPTION), (COUNTS, COUNTING)):
            self._access.take(call, Lane.URGENT)
            text = calls.ws_text(call, f"{name}{session}", self._access.credentials, self._access.validity())
            self._line().send(text, session)

    def received(self, session: int, text: str) -> None:
        """A reply or an event."""
        try:
            self._take(session, wire.decode(text, wire.Reply), text)
        except wire.WireError:
            self._access.tell(self._translator.surprise(text))

    def lost(self, session: int, cause: str, *, was_serving: bool) -> None:
        """What was asked on it has no answer any more; without another one, the account's events are missing."""
        for sent in self._pending.take_session(session):
            self._unanswered(sent, "disconnect")
        if was_serving:
            self._is_up = False
            self._witness.forget()
            self._access.tell(inputs.VenueLost(self._access.venue, cause))

    def _take(self, session: int, reply: wire.Reply, text: str) -> None:
        if wire.is_there(reply.event):
            self._event(session, bytes(reply.event).decode())
        elif reply.e is not None:
            self._event(session, text)
        elif isinstance(reply.id, int) and not isinstance(reply.id, bool):
            self._answered(reply.id, reply, text)
        elif reply.id is None:
            self._nobodys(session, reply, text)
        elif str(reply.id) == f"{SUBSCRIPTION}{session}":
            self._subscribed(session, reply, text)
        elif str(reply.id) == f"{COUNTING}{session}":
            self._counted(reply, text)
        else:
            self._access.tell(self._translator.surprise(text))

    def _event(self, session: int, text: str) -> None:
        try:
            name = wire.decode(text, wire.EventName).e
        except wire.WireError:
            name = ""
        if name == "serverShutdown":
            self._line().renew()
        elif name == "eventStreamTerminated":
            self._line().drop(session, "the event stream was terminated")
        else:
            for told in self._translator.event(text):
                self._witness.heard(told)
                self._access.tell(told)

    def _answered(self, number: int, reply: wire.Reply, text: str) -> None:
        sent = self._pending.find(number)
        if sent is None:
            self._access.tell(self._translator.surprise(text))
            return
        is_first = self._pending.settle(number)
        result = _result(reply, text)
        if is_first:
            self._access.settle(sent.call, counts_of(reply.rate_limits))
        self._access.notice(result, self._retry_at_ns(reply))
        for told in self._answers.read(sent.request, result):
            self._access.tell(told)

    def _subscribed(self, session: int, reply: wire.Reply, text: str) -> None:
        result = _result(reply, text)
        self._access.settle(SUBSCRIBE, counts_of(reply.rate_limits))
        self._access.notice(result, self._retry_at_ns(reply))
        if not result.is_good:
            self._line().drop(session, f"not subscribed: {self._translator.raw(result.cause)}")
            return
        self._line().serve(session)
        if not self._is_up:
            self._is_up = True
            self.connections += 1
            self._access.tell(inputs.VenueConnected(self._access.venue))

    def _counted(self, reply: wire.Reply, text: str) -> None:
        result = _result(reply, text)
        self._access.settle(COUNTS, counts_of(reply.rate_limits))
        self._access.notice(result, self._retry_at_ns(reply))
        if result.is_good:
            self._access.learn(counts_of(wire.decode(result.text, tuple[wire.RateCount, ...])))

    def _nobodys(self, session: int, reply: wire.Reply, text: str) -> None:
        """An error that names no request: about the session itself where it is a refusal of our key."""
        if reply.status == REVOKED:
            self._access.refuse_credentials(_result(reply, text).cause)
            self._line().drop(session, "the session was revoked")
            return
        self._access.tell(self._translator.surprise(text))

    def _retry_at_ns(self, reply: wire.Reply) -> int | None:
        if reply.error is None or not wire.is_there(reply.error.data):
            return None
        try:
            waits = wire.decode(reply.error.data, wire.WaitData)
        except wire.WireError:
            return None  # it is about something else: the halves of a cancelReplace
        if waits.retry_after is None:
            return None
        return self._access.ours_ns(waits.retry_after * MILLISECOND_NS)

    def _line(self) -> Line:
        assert self.line is not None, "a session has its line before anything is opened"
        return self.line


def _result(reply: wire.Reply, text: str) -> Result:
    """What a reply holds: of an error all of it, for the journal."""
    status = reply.status if reply.status is not None else 0
    if reply.error is None and status == OK:
        return Result(status, bytes(reply.result).decode())
    return Result(status, text, reply.error)
