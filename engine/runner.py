"""The shell: one thread takes a batch of inputs, decides and applies each, appends every event in one durable
transaction, and only then releases the requests that follow from them.

A commit that raises has an unknown outcome: the gate closes, nothing more is sent, and the process ends itself at once;
the next start reads the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import define

from engine.codec import digest, encode
from engine.decision import decide, earliest, finish, seen_due_ns, state_due_ns
from engine.desk import Desk
from engine.events import Event, StateDigested
from engine.fold import FOLD_VERSION, apply, cause_of
from engine.inbox import INBOX_FULL, Inbox
from engine.inputs import Input, TimePassed, VenueLost
from engine.market import Market
from engine.outbox import (
    CancelOrder,
    RecallOrder,
    ReplaceOrder,
    Request,
    SubmitOrder,
    paired,
    recalls_for,
    requests_for,
)
from engine.ports import Clock, EventLog, NoTape, Tape, Venue
from engine.state import Recorded, State
from engine.system_decision import stop_process
from engine.values import MILLISECOND_NS, VenueName, exact_arithmetic

BATCH_LIMIT = 256
WAIT_LONGEST_NS = 100 * MILLISECOND_NS


class Died(Exception):
    """The outcome of a commit is unknown. Raised by the `die` hook of tests; a real one never returns."""


@define
class Figures:
    """What the shell counts, for those who watch."""

    batches: int = 0
    commits: int = 0
    events: int = 0
    inputs: int = 0
    requests: int = 0
    commit_ns: int = 0


class SendGate:
    """Asked last by an adapter, after rate budget and connection: may this request still leave?"""

    def __init__(self, clock: Clock, is_owner: Callable[[], bool]) -> None:
        self.durable_seq = 0
        self.is_open = True
        self._clock, self._is_owner = clock, is_owner
        self._send_limit_ns = 0

    def allow_until(self, durable_seq: int, send_limit_ns: int) -> None:
        """What is durable, and the greatest age at which a request may leave."""
        self.durable_seq, self._send_limit_ns = durable_seq, send_limit_ns

    def close(self) -> None:
        """Nothing leaves any more."""
        self.is_open = False

    def allows(self, request: Request) -> bool:
        """Committed, still the owner, and for an order: young enough."""
        if not self.is_open or request.seq > self.durable_seq:
            return False
        ages = isinstance(request, (SubmitOrder, CancelOrder, ReplaceOrder))
        if ages and self._clock.now_ns() - request.at_ns > self._send_limit_ns:
            return False
        return self._is_owner()


class Runner:
    """Drives the engine. `watch` sees every committed batch; `die` ends the process after an unknown commit."""

    def __init__(
        self,
        *,
        state: State,
        market: Market,
        desk: Desk,
        inbox: Inbox,
        log: EventLog,
        venues: Mapping[VenueName, Venue],
        clock: Clock,
        gate: SendGate,
        die: Callable[[BaseException], None],
        watch: Callable[[Sequence[Recorded]], None] = lambda recorded: None,
        recall: Callable[[RecallOrder], None] = lambda recall: None,
        tape: Tape | None = None,
    ) -> None:
        self.state, self.market, self.desk, self.inbox = state, market, desk, inbox
        self.log, self.venues, self.clock, self.gate = log, venues, clock, gate
        self.figures = Figures()
        self.next_due_ns: int | None = 0
        """When there will be something to do without any input, as of the end of the last batch."""
        self._die, self._watch, self._recall = die, watch, recall
        self.tape: Tape = tape or NoTape()
        self._recalls: list[RecallOrder] = []
        self._made: list[Recorded] = []
        self._requests: list[Request] = []
        self._state_due: tuple[int, int | None] | None = None

    def step(self, longest_wait_ns: int = WAIT_LONGEST_NS) -> None:
        """Take what waits, or what is due, and do it to its end."""
        self.run_batch(self.inbox.take(BATCH_LIMIT, self._wait_ns(longest_wait_ns)))

    def run_batch(self, batch: Sequence[Input]) -> None:
        """Decide a batch, make it durable, release what follows."""
        for seen in batch:
            self._handle(seen)
        self.next_due_ns = self.due_ns()
        if self.next_due_ns is not None and self.next_due_ns <= self.clock.now_ns():
            self._handle(TimePassed())
            self.next_due_ns = self.due_ns()
        self.figures.batches += 1
        self.figures.inputs += len(batch)
        self._commit()

    def due_ns(self) -> int | None:
        """When there is something to do without any input."""
        if self._state_due is None or self._state_due[0] != self.state.seq:  # only an event changes State
            self._state_due = self.state.seq, state_due_ns(self.state)
        return earliest(self._state_due[1], seen_due_ns(self.state, self.market, self.desk))

    def stop(self, reason: str) -> str:
        """The clean end of a run: memories, then the last event; gives the digest that it journals."""
        now_ns = self._now_ns()
        self._record(finish(self.state, self.desk, now_ns), now_ns)
        state_digest = digest(self.state)
        self._record([stop_process(self.state, reason, state_digest, FOLD_VERSION)], now_ns)
        self._commit()
        return state_digest

    def digest_state(self) -> str:
        """Journal what the fold amounts to, in an idle moment; gives the digest."""
        state_digest = digest(self.state)
        self._record([StateDigested(state_digest=state_digest, fold_version=FOLD_VERSION)], self._now_ns())
        self._commit()
        return state_digest

    def _handle(self, seen: Input) -> None:
        now_ns = self._now_ns()
        if isinstance(seen, VenueLost) and seen.cause == INBOX_FULL and seen.venue in self.venues:
            self.venues[seen.venue].reconnect(seen.cause)
        self.tape.take(now_ns, self.state.seq, seen)
        with exact_arithmetic():
            self._record(decide(self.state, self.market, self.desk, seen, now_ns), now_ns)

    def _record(self, made: Iterable[Event], now_ns: int) -> None:
        """Give each event its seq, apply it at once, note what it will release."""
        for event in made:
            recorded = Recorded(self.state.seq + 1, now_ns, event, cause_of(self.state, event))
            apply(self.state, recorded)
            self._made.append(recorded)
            self._requests.extend(requests_for(self.state, recorded))
            self._recalls.extend(recalls_for(recorded))

    def _commit(self) -> None:
        made, requests = self._made, self._requests
        if not made:
            return
        self._made, self._requests = [], []
        drafts = [encode(recorded) for recorded in made]  # what can't be written is our own bug, not an unknown commit
        self.tape.flush()
        begun_ns = self.clock.now_ns()
        try:
            durable_seq = self.log.append(drafts)
        except Exception as error:
            self.gate.close()
            self._die(error)
            raise Died(str(error)) from error
        self.figures.commits += 1
        self.figures.events += len(made)
        self.figures.commit_ns = self.clock.now_ns() - begun_ns
        self.gate.allow_until(durable_seq, self.state.settings.orders.send_limit_ns)
        self._release(paired(self.state, requests))
        while self._recalls:
            self._recall(self._recalls.pop())
        self._watch(made)

    def _release(self, requests: Sequence[Request]) -> None:
        """The one place where requests leave, below the line that appends. An order may outlive its venue in the
        configuration: what would be asked there stays without an answer."""
        for request in requests:
            if request.venue in self.venues:
                self.figures.requests += 1
                self.venues[request.venue].release(request)

    def _now_ns(self) -> int:
        return max(self.clock.now_ns(), self.state.at_ns)

    def _wait_ns(self, longest_ns: int) -> int:
        due_ns = self.due_ns()
        if due_ns is None:
            return longest_ns
        return min(max(due_ns - self.clock.now_ns(), 0), longest_ns)
