"""What all parts of the client share: whose key, what time it is there, what may still be asked, and whom to tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from attrs import frozen

from adapters.binance import calls, wire
from adapters.binance.answers import Judge, Result, result_of
from adapters.binance.calls import Call, Credentials, Validity
from adapters.binance.codes import ORDER_COUNT_CODE, Verdict, judge
from adapters.binance.listing import DEFAULT_LIMITS, counts_in, limits_of
from adapters.binance.options import Urls
from adapters.budget import Budget, Lane, RateLimit
from adapters.rest import Answered, HttpLine, Unsent
from engine import inputs
from engine.inputs import Input
from engine.ports import Deliver
from engine.values import MILLISECOND_NS, SECOND_NS, Duration, VenueName

STAY_AWAY_NS = {429: 60 * SECOND_NS, 418: 120 * SECOND_NS}
"""For how long nothing is asked where the venue names no time itself."""

RESYNC_AFTER_NS = SECOND_NS
"""A clock that was measured later than that is not measured again for one refusal."""

TOLD_AGAIN_NS = 60 * SECOND_NS


class AccessOptions(Protocol):
    """What every product's options say of how it is asked."""

    @property
    def urls(self) -> Urls: ...
    @property
    def streams(self) -> tuple[str, ...]: ...
    @property
    def depth_levels(self) -> int: ...
    @property
    def recv_window_ns(self) -> Duration: ...
    @property
    def request_timeout_ns(self) -> Duration: ...
    @property
    def connect_timeout_ns(self) -> Duration: ...
    @property
    def clock_every_ns(self) -> Duration: ...
    @property
    def confirm_limit_ns(self) -> Duration: ...
    @property
    def silence_limit_ns(self) -> Duration: ...
    @property
    def connection_life_ns(self) -> Duration: ...
    @property
    def seed(self) -> int | None: ...
    @property
    def backoff_first_ns(self) -> Duration: ...
    @property
    def backoff_longest_ns(self) -> Duration: ...
    @property
    def backoff_steady_ns(self) -> Duration: ...


@frozen
class Product:
    """What differs between Binance's products in how they are asked: who tells the time, the limits until the venue has
    named its own, and what its errors say."""

    server_time: Call
    limits: tuple[RateLimit, ...]
    judge: Judge


SPOT = Product(calls.server_time(), DEFAULT_LIMITS, judge)


@frozen
class NoResult:
    """A question without a usable answer. `is_unsent`: it surely never left."""

    cause: str
    is_unsent: bool = False
    wait_ns: int = 0


def _nobody(_: Input) -> None:
    """Nobody looks."""


class Access:
    """Thread-safe. Times are nanoseconds of our clock unless they are called the venue's."""

    def __init__(
        self,
        venue: VenueName,
        options: AccessOptions,
        credentials: Credentials,
        throttled_until_ns: int = 0,
        clock: Callable[[], int] = time.time_ns,
        product: Product = SPOT,
    ) -> None:
        self._product = product
        self.venue, self.options, self.credentials, self._clock = venue, options, credentials, clock
        self._lock = threading.Lock()
        self._budget = Budget(product.limits, clock(), throttled_until_ns)
        self._offset_ns, self._measured_ns = 0, 0
        self._deliver: Deliver | None = None
        self._noticed: Deliver = _nobody
        self._waiting: list[Input] = []
        self._refused_ns = 0
        self._lines: list[HttpLine] = []
        self.closing = threading.Event()

    # --- whom to tell -----------------------------------------------------------------------------------------------

    def attach(self, deliver: Deliver) -> None:
        """From here on it is told; what was to be told before comes first."""
        self._deliver = deliver
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            deliver(told)

    def let_notice(self, noticed: Deliver) -> None:
        """One part of the client sees what every part tells."""
        self._noticed = noticed

    def tell(self, told: Input) -> None:
        """Hand an input on; nothing after the end."""
        if self.closing.is_set():
            return
        self._noticed(told)
        if self._deliver is None:
            self._waiting.append(told)
        else:
            self._deliver(told)

    # --- what time it is --------------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """Our clock."""
        return self._clock()

    def venue_ns(self) -> int:
        """The venue's clock, as far as it was measured."""
        return self._clock() + self._offset_ns

    def ours_ns(self, venue_ns: int) -> int:
        """An instant of the venue's in our clock."""
        return venue_ns - self._offset_ns

    def validity(self, expires_ns: int | None = None) -> Validity | None:
        """A call made now, with the longest time in which it may be carried out; None where it has none left."""
        now_ns, window_ns = self.now_ns(), int(self.options.recv_window_ns)
        if expires_ns is not None:
            window_ns = min(window_ns, expires_ns - now_ns)
        if window_ns < MILLISECOND_NS:
            return None
        return Validity((now_ns + self._offset_ns) // MILLISECOND_NS, window_ns // MILLISECOND_NS)

    def measure(self, line: HttpLine, lane: Lane = Lane.RECONCILE) -> int | NoResult:
        """Ask what time it is there, and say so; gives the venue's time when it was asked."""
        asked_ns = self.now_ns()
        result = self._once(line, self._product.server_time, lane)
        if isinstance(result, NoResult):
            return result
        answered_ns = self.now_ns()
        try:
            venue_ns = wire.decode(result.text, wire.ServerTime).server_time * MILLISECOND_NS
        except wire.WireError:
            return NoResult(f"the time is {result.text[:80]!r}")
        offset_ns = venue_ns - (asked_ns + answered_ns) // 2
        if not self._measured_ns or abs(offset_ns - self._offset_ns) > (answered_ns - asked_ns) // 2:
            self._offset_ns = offset_ns  # else the old one is as right: a late answer says little
        self._measured_ns = answered_ns
        self.tell(inputs.ClockMeasured(self.venue, self._offset_ns, answered_ns - asked_ns))
        return venue_ns

    def is_measured_since(self, ns: int) -> bool:
        """Was the clock measured after that?"""
        return self._measured_ns >= ns

    # --- what may be asked ------------------------------------------------------------------------------------------

    @property
    def throttled_until_ns(self) -> int:
        """Until when nothing is asked."""
        return self.ours_ns(self._budget.closed_until_ns)

    def take(self, call: Call, lane: Lane) -> int:
        """0 where the call may leave now, else how long it would have to wait."""
        with self._lock:
            return self._budget.take(lane, call.costs, self.venue_ns())

    def settle(self, call: Call, counts: Iterable[tuple[str, int, int]] | None) -> None:
        """A call that was taken has its answer, with the venue's own counts where it told them."""
        told = list(counts or ())
        with self._lock:
            self._budget.settle(call.costs, self.venue_ns(), is_counted=bool(told))
            for kind, interval_ns, used in told:
                self._budget.learn(kind, interval_ns, used, self.venue_ns())

    def learn(self, counts: Iterable[tuple[str, int, int]]) -> None:
        """The venue's own counts, told as an answer of their own."""
        with self._lock:
            for kind, interval_ns, used in counts:
                self._budget.learn(kind, interval_ns, used, self.venue_ns())

    def adopt_limits(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """The venue's own limits."""
        with self._lock:
            self._budget.adopt(limits_of(rows))

    def notice(self, result: Result, retry_at_ns: int | None = None) -> None:
        """What any answer says beside its request: stay away, measure your clock, your key is not taken."""
        if result.is_good:
            self._refused_ns = 0
            return
        verdict = result.verdict
        is_order_count = result.fault is not None and result.fault.code == ORDER_COUNT_CODE
        if result.status in STAY_AWAY_NS and (not is_order_count or retry_at_ns is not None):
            until_ns = retry_at_ns or self.now_ns() + STAY_AWAY_NS[result.status]
            with self._lock:
                self._budget.close(until_ns + self._offset_ns)
            self.tell(inputs.VenueThrottled(self.venue, until_ns, result.cause))
        elif verdict is Verdict.CLOCK:
            self._measured_ns = min(self._measured_ns, self.now_ns() - int(self.options.clock_every_ns))
        elif verdict is Verdict.CREDENTIALS:
            self.refuse_credentials(result.cause)

    def refuse_credentials(self, detail: str) -> None:
        """The venue does not take our key; said again after a while only."""
        if self.now_ns() - self._refused_ns >= TOLD_AGAIN_NS:
            self._refused_ns = self.now_ns()
            self.tell(inputs.CredentialsRefused(self.venue, detail))

    # --- asking over REST -------------------------------------------------------------------------------------------

    def ask(self, line: HttpLine, call: Call, lane: Lane, patience_ns: int = 0, tries: int = 1) -> Result | NoResult:
        """A question, asked at most so often, that may wait so long for its turn; any whole answer is a result."""
        end_ns = self.now_ns() + patience_ns
        while True:
            tries -= 1
            asked_ns = self.now_ns()
            result = self._once(line, call, lane)
            if isinstance(result, NoResult):
                pause_ns = result.wait_ns or int(self.options.backoff_first_ns)
                tries += bool(result.wait_ns)
            elif (
                result.verdict is Verdict.CLOCK
                and not result.is_good
                and asked_ns - self._measured_ns > RESYNC_AFTER_NS
            ):
                self.measure(line, lane)
                pause_ns = 0
            elif result.is_good or result.verdict is not Verdict.UNKNOWN:
                return result
            else:
                pause_ns = int(self.options.backoff_first_ns)
            if tries <= 0 or self.now_ns() + pause_ns > end_ns or self.closing.wait(pause_ns / SECOND_NS):
                return result

    def _once(self, line: HttpLine, call: Call, lane: Lane) -> Result | NoResult:
        wait_ns = self.take(call, lane)
        if wait_ns:
            return NoResult(f"rate limit, {wait_ns // MILLISECOND_NS} ms to wait", is_unsent=True, wait_ns=wait_ns)
        return self.send(line, call, self.validity())

    def send(self, line: HttpLine, call: Call, validity: Validity | None) -> Result | NoResult:
        """One call over REST that was taken from the budget; settles it."""
        request = calls.http_request(call, self.options.urls.rest, self.credentials, validity)
        outcome = line.ask(request)
        if not isinstance(outcome, Answered):
            self.settle(call, None)
            return NoResult(outcome.cause, is_unsent=isinstance(outcome, Unsent))
        self.settle(call, counts_in(outcome.headers))
        result = result_of(outcome.status, outcome.text, self._product.judge)
        retry_after = outcome.headers.get("Retry-After", "")
        is_told = retry_after.isascii() and retry_after.isdecimal()
        self.notice(result, self.now_ns() + int(retry_after) * SECOND_NS if is_told else None)
        return result

    def http_line(self) -> HttpLine:
        """A session of its own for a lane."""
        line = HttpLine(int(self.options.connect_timeout_ns), int(self.options.request_timeout_ns))
        self._lines.append(line)
        return line

    def close_lines(self) -> None:
        """The end of all of them, once nobody asks any more."""
        while self._lines:
            self._lines.pop().close()
